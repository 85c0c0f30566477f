//! The place of each column of a file in its table: the search by recorded headers, names and plain forms, in the
//! order that [`fit`](super::fit) gives.

use super::error::RunError;
#[cfg(test)]
use super::names;
use crate::chunk::ColumnKind;
use crate::load::ledger::{HeaderOf, Ledger};
use crate::load::names::{NameRule, header_key, numbered, plain};
use crate::load::{Link, LoadError, LoadErrorKind};

/// A column that looks for its place.
pub(super) struct Wanted<'a> {
    /// Its own name.
    pub own: &'a str,
    /// Its header, where it is one of a plain table.
    pub header: Option<&'a str>,
}

impl Wanted<'_> {
    /// What to say of its place, where that has another name than it and its header have. A number that its own
    /// name has got, because another header has the same plain form, is worth saying, too.
    pub fn told(&self, placed: &Placed, rule: NameRule) -> Option<String> {
        let same = |name: &str| rule.same(name, &placed.column);
        let is_expected = match self.header {
            Some(header) => same(header) || same(&plain(header)),
            None => same(self.own),
        };
        if is_expected {
            return None;
        }
        let from = self.header.unwrap_or(self.own);
        Some(match &placed.other {
            None if rule.is_reserved(self.own) => format!(
                "E204: \"{from}\" goes into the new column {}: the target keeps {} for itself",
                placed.column, self.own
            ),
            Some(other) => format!(
                "E204: \"{from}\" goes into the new column {}: column {} holds \"{other}\"",
                placed.column, self.own
            ),
            None if placed.is_new => {
                format!("E204: \"{from}\" goes into the new column {}", placed.column)
            }
            None => format!("E204: \"{from}\" goes into column {}", placed.column),
        })
    }

    pub fn taken_by(&self, other: &str, label: &str, table: &str) -> LoadError {
        let header = self.header.unwrap_or(self.own);
        let told = format!(
            "{label}: the header \"{header}\" would go into column {} of table {table}, which holds \
             \"{other}\"",
            self.own
        );
        LoadError::new(LoadErrorKind::Mismatch, told).with_hint(
            "--evolve adds a column for it; or rename the header, or load into another table with \
             --table",
        )
    }
}

/// Where a column goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// The column of the table.
    pub column: String,
    /// Whether the table does not have it yet.
    is_new: bool,
    /// The header that holds the column that its own name stands for.
    pub other: Option<String>,
}

/// Two columns of the table could be the one that is meant.
#[derive(Debug)]
pub(super) struct Two {
    header: String,
    columns: Vec<String>,
}

impl Two {
    pub fn error(&self, table: &str) -> RunError {
        let columns: Vec<_> = self.columns.iter().map(|name| format!("\"{name}\"")).collect();
        let told = format!(
            "\"{}\" could go into several columns of table {table}: {}",
            self.header,
            columns.join(" and ")
        );
        RunError::from(LoadError::new(LoadErrorKind::Mismatch, told).with_hint(
            "give the column of the file exactly the name of the one that is meant, or load into \
             another table with --table",
        ))
    }
}

/// A table as the inputs before this one will leave it.
pub(super) struct Table {
    pub rule: NameRule,
    columns: Vec<String>,
    /// Types of the columns that are there.
    pub types: Vec<(String, String)>,
    /// Columns that take texts though they are of another type.
    pub texts: Vec<String>,
    /// Headers by column; only of columns that are there.
    headers: Vec<HeaderOf>,
    /// Columns whose record the ledger has already.
    pub recorded: Vec<String>,
}

impl Table {
    pub fn of(con: &dyn Link, name: &str) -> Result<Self, LoadError> {
        let rule = con.names();
        let types = con.columns(name)?;
        let columns: Vec<_> = types.iter().map(|(name, _)| name.clone()).collect();
        let mut headers =
            if columns.is_empty() { Vec::new() } else { Ledger::new(con).headers(name)? };
        headers.retain(|known| columns.contains(&known.column));
        let recorded = headers.iter().map(|known| known.column.clone()).collect();
        let is_other = |(name, ty): &(String, String)| {
            !name.starts_with("_etl_") && ColumnKind::from_duckdb(ty).is_none()
        };
        let texts = if types.iter().any(is_other) { con.takes_texts(name)? } else { Vec::new() };
        Ok(Self { rule, columns, types, texts, headers, recorded })
    }

    /// Remembers what an input adds.
    pub fn take(&mut self, placed: &[Placed], headers: &[HeaderOf]) {
        self.columns.extend(placed.iter().filter(|p| p.is_new).map(|p| p.column.clone()));
        for new in headers {
            if !self.headers.iter().any(|known| known.column == new.column) {
                self.headers.push(new.clone());
            }
        }
    }

    pub fn place(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Placed>, Two> {
        let mut search = Search { table: self, found: vec![None; wanted.len()] };
        search.recorded_for(wanted, |known, header| known == header)?;
        search.recorded_for(wanted, |known, header| header_key(known) == header_key(header))?;
        search.unrecorded(wanted, |column, want| {
            want.header.is_some_and(|header| self.rule.same(column, header))
        })?;
        search.unrecorded(wanted, |column, want| self.rule.same(column, want.own))?;
        search.unrecorded(wanted, |column, want| {
            plain(column) == plain(want.header.unwrap_or(want.own))
        })?;
        Ok(search.placed(wanted))
    }
}

/// The columns of the table that are found so far.
struct Search<'t> {
    table: &'t Table,
    found: Vec<Option<&'t str>>,
}

impl<'t> Search<'t> {
    fn is_free(&self, column: &str) -> bool {
        !self.found.iter().flatten().any(|taken| *taken == column)
    }

    /// Columns that are recorded for the header of a column.
    fn recorded_for(
        &mut self,
        wanted: &[Wanted<'_>],
        same: impl Fn(&str, &str) -> bool,
    ) -> Result<(), Two> {
        for (at, want) in wanted.iter().enumerate() {
            let Some(header) = want.header.filter(|_| self.found[at].is_none()) else { continue };
            let found: Vec<_> = self
                .table
                .headers
                .iter()
                .filter(|known| self.is_free(&known.column) && same(&known.header, header))
                .collect();
            let Some(first) = found.first() else { continue };
            // One header may stand twice in a file: its columns are numbered in order.
            let alike = found.iter().all(|known| known.header == first.header);
            let own = || found.iter().find(|known| self.table.rule.same(&known.column, want.own));
            let one = if alike { Some(first) } else { own() };
            self.found[at] = Some(one.map(|known| known.column.as_str()).ok_or_else(|| Two {
                header: header.to_owned(),
                columns: found.iter().map(|known| known.column.clone()).collect(),
            })?);
        }
        Ok(())
    }

    /// Columns of the table that no header is recorded for.
    fn unrecorded(
        &mut self,
        wanted: &[Wanted<'_>],
        same: impl Fn(&str, &Wanted<'_>) -> bool,
    ) -> Result<(), Two> {
        let table = self.table;
        let known = |column: &str| table.headers.iter().any(|known| known.column == column);
        let free: Vec<&'t str> = table
            .columns
            .iter()
            .map(String::as_str)
            .filter(|column| !is_own(column) && !known(column))
            .collect();
        for (at, want) in wanted.iter().enumerate() {
            if self.found[at].is_some() {
                continue;
            }
            let found: Vec<_> =
                free.iter().filter(|column| self.is_free(column) && same(column, want)).collect();
            match found.as_slice() {
                [] => {}
                [one] => self.found[at] = Some(one),
                several => {
                    return Err(Two {
                        header: want.header.unwrap_or(want.own).to_owned(),
                        columns: several.iter().map(|column| (**column).to_owned()).collect(),
                    });
                }
            }
        }
        Ok(())
    }

    /// All places; what was not found is new.
    fn placed(&self, wanted: &[Wanted<'_>]) -> Vec<Placed> {
        let rule = self.table.rule;
        let mut taken: Vec<String> = self.table.columns.iter().map(|c| rule.folded(c)).collect();
        let mut placed = Vec::with_capacity(wanted.len());
        for (want, found) in wanted.iter().zip(&self.found) {
            if let Some(column) = found {
                placed.push(Placed { column: (*column).to_owned(), is_new: false, other: None });
                continue;
            }
            let mut column = want.own.to_owned();
            let mut number = 1;
            while taken.contains(&rule.folded(&column)) || rule.is_reserved(&column) {
                number += 1;
                column = numbered(want.own, number);
            }
            taken.push(rule.folded(&column));
            let holds = |known: &&HeaderOf| rule.same(&known.column, want.own);
            let other = self.table.headers.iter().find(holds).map(|known| known.header.clone());
            placed.push(Placed { column, is_new: true, other });
        }
        placed
    }
}

/// Columns that the program itself keeps in a table.
fn is_own(column: &str) -> bool {
    let folded = column.to_ascii_lowercase();
    folded.starts_with("_etl_") || folded == "_extra"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rule: NameRule, columns: &[&str], headers: &[(&str, &str)]) -> Table {
        let headers: Vec<_> = headers
            .iter()
            .map(|(column, header)| HeaderOf {
                column: (*column).to_owned(),
                header: (*header).to_owned(),
            })
            .collect();
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Table { rule, columns, types: Vec::new(), texts: Vec::new(), headers, recorded: Vec::new() }
    }

    fn places(table: &Table, headers: &[&str]) -> Vec<String> {
        let headers: Vec<_> = headers.iter().map(|header| (*header).to_owned()).collect();
        let own = names::column_names(&headers);
        let wanted: Vec<_> = own
            .iter()
            .zip(&headers)
            .map(|(own, header)| Wanted { own, header: Some(names::of_header(header, own)) })
            .collect();
        let placed = table.place(&wanted);
        placed.expect("no two columns").into_iter().map(|placed| placed.column).collect()
    }

    #[test]
    fn a_header_never_fills_the_column_of_another_one() {
        let there =
            table(NameRule::IgnoreCase, &["id", "sale"], &[("id", "id"), ("sale", "Sale $")]);
        assert_eq!(places(&there, &["id", "Sale %"]), ["id", "sale_2"]);
        assert_eq!(places(&there, &["ID", "sale $"]), ["id", "sale"]);
        let both = table(
            NameRule::Exact,
            &["sale", "sale_2"],
            &[("sale", "Sale $"), ("sale_2", "Sale %")],
        );
        assert_eq!(places(&both, &["Sale %"]), ["sale_2"]);
        // Its plain name is that of the second one's column.
        assert_eq!(places(&both, &["Sale 2"]), ["sale_2_2"]);
    }

    #[test]
    fn headers_that_differ_in_case_alone_keep_their_columns_in_any_order() {
        let there = table(
            NameRule::IgnoreCase,
            &["value", "value_2"],
            &[("value", "Value"), ("value_2", "VALUE")],
        );
        assert_eq!(places(&there, &["VALUE", "Value"]), ["value_2", "value"]);
        // Neither of the two: the one whose name it has.
        assert_eq!(places(&there, &["value"]), ["value"]);
        let suffixes = table(
            NameRule::Exact,
            &["a_2", "a", "a_3"],
            &[("a_2", "a_2"), ("a", "A"), ("a_3", "a")],
        );
        assert_eq!(places(&suffixes, &["A", "a", "a_2"]), ["a", "a_3", "a_2"]);
    }

    #[test]
    fn a_number_is_told_whatever_the_table_calls_other_columns() {
        let there = table(NameRule::IgnoreCase, &["Id", "Sale"], &[]);
        let headers = ["ID", "Sale $", "Sale %"].map(str::to_owned);
        let own = names::column_names(&headers);
        let pairs = own.iter().zip(&headers);
        let wanted: Vec<_> =
            pairs.map(|(own, header)| Wanted { own, header: Some(header) }).collect();
        let placed = there.place(&wanted).expect("no two columns");
        let told: Vec<_> = wanted
            .iter()
            .zip(&placed)
            .filter_map(|(want, place)| want.told(place, there.rule))
            .collect();
        assert_eq!(told, ["E204: \"Sale %\" goes into the new column sale_2"]);
    }

    #[test]
    fn a_name_that_the_target_keeps_for_itself_gets_a_number() {
        let server = table(NameRule::Exact, &["xmin_2"], &[]);
        assert_eq!(places(&server, &["xmin", "ctid", "rowid"]), ["xmin_3", "ctid_2", "rowid"]);
        let file = table(NameRule::IgnoreCase, &[], &[]);
        assert_eq!(places(&file, &["xmin", "RowID"]), ["xmin", "rowid_2"]);
        // A table of somebody else's that has the column.
        assert_eq!(places(&table(NameRule::IgnoreCase, &["rowid"], &[]), &["rowid"]), ["rowid"]);
    }

    #[test]
    fn one_header_that_stands_twice_has_its_columns_in_order() {
        let there = table(NameRule::Exact, &["a", "a_2"], &[("a", "a"), ("a_2", "a")]);
        assert_eq!(places(&there, &["a", "a"]), ["a", "a_2"]);
        assert_eq!(places(&there, &["a"]), ["a"]);
    }

    #[test]
    fn tables_of_others_are_known_by_header_name_and_plain_form() {
        let quoted = table(NameRule::Exact, &["parcelId", "Sale Price", "ownername"], &[]);
        let columns = places(&quoted, &["parcelId", "Sale Price", "ownerName"]);
        assert_eq!(columns, ["parcelId", "Sale Price", "ownername"]);
        // Exactly the header before the plain form.
        let both = table(NameRule::Exact, &["parcelid", "parcelId"], &[]);
        assert_eq!(places(&both, &["parcelId"]), ["parcelId"]);
        assert_eq!(places(&both, &["PARCELID"]), ["parcelid"]);
        let two = table(NameRule::Exact, &["ParcelID", "parcelId"], &[]);
        let wanted = [Wanted { own: "parcelid", header: Some("PARCELID") }];
        assert_eq!(two.place(&wanted).expect_err("which?").columns, ["ParcelID", "parcelId"]);
        let upper = table(NameRule::IgnoreCase, &["ID", "AMOUNT", "É"], &[]);
        assert_eq!(places(&upper, &["id", "amount", "É"]), ["ID", "AMOUNT", "É"]);
    }
}
