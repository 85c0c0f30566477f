//! Gold: questions over loaded tables that are worth keeping, as files of SQL with a head.
//!
//! The SQL is the common part of DuckDB's and PostgreSQL's. In it, `{parcels}` is a table of the pack,
//! `{gold.name}` another gold object, and `$name` a whole number that the head gives a default for.
//! The head says what the object is, what it needs, and what its columns mean:
//!
//! ```text
//! -- Newest row of each parcel
//! -- as: view
//! -- needs: parcels(co_no, parcel_id, asmnt_yr)
//! -- optional: sales(co_no, sale_prc)      an empty table stands in where there is none
//! -- uses: all_sales                       gold objects that are built before
//! -- param months: 12
//! -- column co_no: County number
//! ```

use super::model::Kind;

/// A gold view or table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gold {
    /// Name of the object.
    pub name: String,
    /// What it is, in a sentence.
    pub title: String,
    /// Kept as a table: what it says is that of the moment it was built.
    pub is_table: bool,
    /// Tables of the pack with the columns it reads.
    pub needs: Vec<Need>,
    /// Tables that may be missing.
    pub optional: Vec<Need>,
    /// Gold objects it reads.
    pub uses: Vec<String>,
    /// Numbers with their defaults.
    pub params: Vec<(String, i64)>,
    /// Its columns with what they mean.
    pub columns: Vec<(String, String)>,
    /// The query, without the head.
    pub sql: String,
}

/// A table and columns of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Table of a kind.
    pub table: String,
    /// Columns.
    pub columns: Vec<String>,
}

/// Reads a file.
pub(super) fn parse(name: &str, text: &str) -> Result<Gold, String> {
    let mut gold = Gold {
        name: name.to_owned(),
        title: String::new(),
        is_table: false,
        needs: Vec::new(),
        optional: Vec::new(),
        uses: Vec::new(),
        params: Vec::new(),
        columns: Vec::new(),
        sql: String::new(),
    };
    let head = text.lines().take_while(|line| line.starts_with("--"));
    for line in head.clone() {
        let line = line.trim_start_matches('-').trim();
        if gold.title.is_empty() {
            gold.title = line.to_owned();
        } else {
            entry(&mut gold, line)?;
        }
    }
    let body: Vec<_> = text.lines().skip(head.count()).collect();
    gold.sql = body.join("\n").trim().trim_end_matches(';').to_owned();
    match () {
        () if gold.title.is_empty() => Err("the first line should say what it is: -- …".into()),
        () if gold.sql.is_empty() => Err("there is no query behind the head".into()),
        () if gold.columns.is_empty() => Err("no column is explained: -- column NAME: …".into()),
        () => Ok(gold),
    }
}

fn entry(gold: &mut Gold, line: &str) -> Result<(), String> {
    let Some((key, value)) = line.split_once(':') else {
        return Err(format!("'{line}' should be `key: value`"));
    };
    let value = value.trim();
    let (key, name) = key.split_once(' ').unwrap_or((key, ""));
    match key {
        "as" => gold.is_table = value == "table",
        "needs" => gold.needs.push(need(value)?),
        "optional" => gold.optional.push(need(value)?),
        "uses" => gold.uses.extend(value.split(',').map(|name| name.trim().to_owned())),
        "param" => {
            let number =
                value.parse().map_err(|_| format!("{name}: '{value}' is no whole number"))?;
            gold.params.push((name.to_owned(), number));
        }
        "note" => {}
        "column" => gold.columns.push((name.to_owned(), value.to_owned())),
        other => {
            return Err(format!(
                "'{other}' is none of as, needs, optional, uses, param, column, note"
            ));
        }
    }
    Ok(())
}

fn need(value: &str) -> Result<Need, String> {
    let wrong = || format!("'{value}' should be `table(column, column)`");
    let (table, rest) = value.split_once('(').ok_or_else(wrong)?;
    let columns = rest.strip_suffix(')').ok_or_else(wrong)?;
    let columns = columns.split(',').map(|name| name.trim().to_owned()).collect();
    Ok(Need { table: table.trim().to_owned(), columns })
}

/// DuckDB's type of a column of a kind, published or derived.
pub(super) fn type_of<'k>(kind: &'k Kind, name: &str) -> Option<&'k str> {
    let published = kind.column(name).map(|(_, column)| column.ty.sql());
    published.or_else(|| {
        let derived = kind.derived.iter().find(|derived| derived.name == name);
        derived.map(|derived| derived.ty.as_str())
    })
}

/// What of it refers to something that is not there.
pub(super) fn faults(gold: &Gold, before: &[Gold], kinds: &[Kind]) -> Vec<String> {
    let mut faults = Vec::new();
    for need in gold.needs.iter().chain(&gold.optional) {
        let Some(kind) = kinds.iter().find(|kind| kind.table == need.table) else {
            faults.push(format!("no kind has a table '{}'", need.table));
            continue;
        };
        let unknown = |name: &&String| !name.starts_with("_etl_") && type_of(kind, name).is_none();
        for name in need.columns.iter().filter(unknown) {
            faults.push(format!("table {} has no column '{name}'", need.table));
        }
        let place = format!("{{{}}}", need.table);
        // What it reads through another object it needs too, so that what is missing can be told.
        if gold.uses.is_empty() && !gold.sql.contains(&place) {
            faults.push(format!("{place} does not stand in the query"));
        }
    }
    for name in &gold.uses {
        if !before.iter().any(|other| other.name == *name) {
            faults.push(format!("'{name}' is not built before it"));
        }
    }
    for (name, _) in &gold.params {
        if !gold.sql.contains(&format!("${name}")) {
            faults.push(format!("${name} does not stand in the query"));
        }
    }
    faults
}

impl Gold {
    /// The query with its tables, gold objects and numbers. `table` and `other` give their names as the
    /// target's SQL has them; `None`: an empty table stands in.
    pub fn query(
        &self,
        kinds: &[Kind],
        table: &dyn Fn(&str) -> Option<String>,
        other: &dyn Fn(&str) -> String,
        given: &[(String, i64)],
    ) -> String {
        let mut sql = self.sql.clone();
        for need in self.needs.iter().chain(&self.optional) {
            let kind = kinds.iter().find(|kind| kind.table == need.table);
            let name = table(&need.table).or_else(|| kind.map(|kind| empty(kind, &need.columns)));
            sql = sql.replace(&format!("{{{}}}", need.table), &name.unwrap_or_default());
        }
        for name in &self.uses {
            sql = sql.replace(&format!("{{gold.{name}}}"), &other(name));
        }
        self.numbered(&sql, given)
    }

    /// SQL in which `$name` stands for a number.
    pub fn numbered(&self, sql: &str, given: &[(String, i64)]) -> String {
        let mut sql = sql.to_owned();
        // Longer names first: `$months` is not `$month` and an s.
        let mut params = self.params.clone();
        params.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, default) in &params {
            let value =
                given.iter().find(|(known, _)| known == name).map_or(*default, |given| given.1);
            sql = sql.replace(&format!("${name}"), &value.to_string());
        }
        sql
    }
}

/// A table of these columns without a row, as SQL.
pub fn empty(kind: &Kind, columns: &[String]) -> String {
    let column = |name: &String| {
        let ty = match type_of(kind, name) {
            Some("DOUBLE") => "DOUBLE PRECISION",
            Some(other) => other,
            None => "VARCHAR",
        };
        format!("CAST(NULL AS {ty}) AS {name}")
    };
    let columns: Vec<_> = columns.iter().map(column).collect();
    format!("(SELECT {} WHERE 1 = 0)", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Pack;

    const TEXT: &str = "-- Prices\n-- as: table\n-- needs: parcels(co_no, jv)\n\
        -- optional: sales(sale_prc)\n-- param months: 12\n-- column co_no: County\n\
        SELECT co_no, $months FROM {parcels} UNION ALL SELECT sale_prc, $months FROM {sales} AS s;\n";

    #[test]
    fn a_file_is_a_head_and_a_query() {
        let gold = parse("prices", TEXT).expect("it is sound");
        assert_eq!((gold.title.as_str(), gold.is_table), ("Prices", true));
        assert_eq!(gold.columns, [("co_no".to_owned(), "County".to_owned())]);
        let pack = Pack::embedded("florida").expect("the pack is tested as a whole");
        assert_eq!(faults(&gold, &[], &pack.kinds), Vec::<String>::new());
        let name = |table: &str| (table == "parcels").then(|| "\"parcels\"".to_owned());
        let sql = gold.query(&pack.kinds, &name, &str::to_owned, &[("months".into(), 3)]);
        assert_eq!(
            sql,
            "SELECT co_no, 3 FROM \"parcels\" UNION ALL SELECT sale_prc, 3 FROM \
             (SELECT CAST(NULL AS BIGINT) AS sale_prc WHERE 1 = 0) AS s"
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse("a", "SELECT 1").expect_err("no head").contains("first line"));
        assert!(parse("a", "-- A\n-- made: up\nSELECT 1").expect_err("no key").contains("'made'"));
        let pack = Pack::embedded("florida").expect("the pack is tested as a whole");
        let text = TEXT.replace("jv)", "jvv)").replace("months: 12", "years: 1");
        let wrong = faults(&parse("a", &text).expect("it can be read"), &[], &pack.kinds);
        assert_eq!(
            wrong,
            ["table parcels has no column 'jvv'", "$years does not stand in the query"]
        );
    }
}
