//! Names of tables of no known kind: plain, unique, safe to type without quotes where possible.

use crate::load::names::{numbered, plain, whole};
use std::collections::{HashMap, HashSet};

/// Repeated names that are listed before the rest is only counted.
const LISTED: usize = 5;

/// Column names for a generic table: lower case, one underscore for anything else, made unique,
/// `column_n` for a blank header.
pub(super) fn column_names(headers: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    // Where to go on counting: a sheet may have 16,384 columns of one name.
    let mut counts = HashMap::<String, usize>::new();
    let mut names: Vec<String> = Vec::with_capacity(headers.len());
    for (at, header) in headers.iter().enumerate() {
        let name = base_name(header, at);
        let count = counts.entry(name.clone()).or_insert(1);
        let mut unique = name.clone();
        while !taken.insert(unique.clone()) {
            *count += 1;
            unique = numbered(&name, *count);
        }
        names.push(unique);
    }
    names
}

fn base_name(header: &str, at: usize) -> String {
    let name = plain(header);
    if name.is_empty() {
        format!("column_{}", at + 1)
    } else if name.starts_with("_etl_") || name == "_extra" {
        format!("x{name}")
    } else {
        name
    }
}

/// What [`repeated`] begins with.
pub(super) const REPEATED: &str = "E204: a name of the header stands for more than one column: ";

/// Says which columns are called otherwise because their name was taken.
pub(super) fn repeated(headers: &[String], names: &[String]) -> Option<String> {
    let columns = headers.iter().zip(names).enumerate();
    let changed: Vec<_> =
        columns.filter(|(at, (header, name))| base_name(header, *at) != **name).collect();
    let column = |(at, (header, name)): &(usize, (&String, &String))| {
        format!("column {} \"{header}\" is {name}", at + 1)
    };
    let mut said: Vec<_> = changed.iter().take(LISTED).map(column).collect();
    if changed.len() > LISTED {
        said.push(format!("… ({} in all)", changed.len()));
    }
    let said = said.join(", ");
    (!changed.is_empty()).then(|| format!("{REPEATED}{said}"))
}

/// A table name from a file name, however long it is.
pub(super) fn table_name(file: &str) -> String {
    let stem = file.split('.').next().unwrap_or(file);
    let name = whole(stem);
    match name.chars().next() {
        None => "data".into(),
        Some(first) if first.is_ascii_digit() => format!("t_{name}"),
        Some(_) => name,
    }
}

/// What a column is called in a record: a blank header says no more than its place.
pub fn of_header<'n>(header: &'n str, own: &'n str) -> &'n str {
    if header.trim().is_empty() { own } else { header }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(headers: &[&str]) -> Vec<String> {
        headers.iter().map(|header| (*header).to_owned()).collect()
    }

    #[test]
    fn names_of_generic_columns_are_plain_and_unique() {
        let headers = owned(&["Sale Price ($)", "sale price", "", "Straße", "_etl_run", "a__b"]);
        assert_eq!(
            column_names(&headers),
            ["sale_price", "sale_price_2", "column_3", "straße", "x_etl_run", "a__b"]
        );
        assert_eq!(column_names(&owned(&["a", "a_2", "A", "a"])), ["a", "a_2", "a_3", "a_4"]);
        assert_eq!(table_name("2024 Permits.xlsx"), "t_2024_permits");
    }

    #[test]
    fn what_is_called_otherwise_is_told() {
        let headers = owned(&["id", "ID", "", "", "name", "id"]);
        assert_eq!(
            repeated(&headers, &column_names(&headers)).as_deref(),
            Some(
                "E204: a name of the header stands for more than one column: \
                 column 2 \"ID\" is id_2, column 6 \"id\" is id_3"
            )
        );
        let headers = owned(&["a", "b", ""]);
        assert_eq!(repeated(&headers, &column_names(&headers)), None);
        // As many as a sheet can have, all alike.
        let headers = vec!["same".to_owned(); 16_384];
        let names = column_names(&headers);
        assert_eq!(names[16_383], "same_16384");
        let said = repeated(&headers, &names).expect("told");
        assert!(said.len() < 300 && said.ends_with("(16383 in all)"), "{said}");
    }
}
