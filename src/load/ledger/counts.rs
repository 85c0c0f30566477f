//! How many rows a table holds of each county and year: `etl.counts`, so that nobody has to scan for it.
//!
//! Kept by the transaction that ends an input. What others than `etl` insert or delete is not in it until
//! the next load of that scope counts anew; `counted` says of when a number is.

use super::InputRow;
use super::past::moment;
use super::schema::Columns;
use super::{Ledger, optional, text, unsigned};
use crate::duck::{Value, quote};
use crate::load::{Link, LoadError};
use std::collections::BTreeMap;

/// Rows of a scope.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CountRow {
    /// Schema of the table; `None` where an older program has not stored it.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// Columns with the values that all of these rows have; none: the whole table.
    pub scope: BTreeMap<String, String>,
    /// Rows.
    pub rows: u64,
    /// The last run that changed something there.
    pub run: String,
    /// When they were counted, as text in UTC.
    pub counted: String,
}

/// What an input has changed.
pub struct Change<'a> {
    /// The table.
    pub table: &'a str,
    /// The input.
    pub input: &'a InputRow,
    /// Rows that came.
    pub inserted: u64,
    /// Rows that went: the whole scope, where there are any.
    pub replaced: u64,
    /// Rows of a scope, where they have just been counted.
    pub known: Option<(String, u64)>,
}

/// Brings the number of the input's scope to its end.
pub fn keep(con: &dyn Link, change: &Change<'_>) -> Result<(), LoadError> {
    let own = [Value::from(change.input.run.as_str()), Value::from(change.input.input)];
    let rows = con.query("SELECT scope FROM etl.inputs WHERE run = ? AND input = ?", &own)?;
    let Some(scope) = rows.scalar().and_then(Value::as_text).map(str::to_owned) else {
        return Ok(());
    };
    if change.replaced > 0 {
        forget_within(con, change.table, &scope)?;
    }
    let known = change.known.as_ref().filter(|(of, _)| *of == scope).map(|(_, rows)| *rows);
    let sql = format!("SELECT rows FROM etl.counts WHERE {PLACE}");
    let before = con.query(&sql, &place(con, change.table, &scope))?;
    let rows = match (known, before.scalar().map(unsigned)) {
        (Some(rows), _) => rows,
        (None, Some(before)) => before + change.inserted,
        (None, None) => count(con, change.table, &scope)?,
    };
    store(con, change.table, &scope, rows, &change.input.run)
}

/// Counts a scope anew whose rows have become fewer.
pub fn recount(con: &dyn Link, table: &str, scope: &str, run: &str) -> Result<(), LoadError> {
    let rows = count(con, table, scope)?;
    store(con, table, scope, rows, run)
}

fn store(con: &dyn Link, table: &str, scope: &str, rows: u64, run: &str) -> Result<(), LoadError> {
    forget(con, table, scope)?;
    con.execute(
        "INSERT INTO etl.counts (\"table\", scope, rows, run, counted, \"schema\") \
         VALUES (?, ?, ?, ?, now(), ?)",
        &[
            Value::from(table),
            Value::from(scope),
            Value::from(rows),
            Value::from(run),
            Value::from(con.schema()),
        ],
    )
    .map(drop)
}

/// The number of a scope is not known any more.
pub fn forget(con: &dyn Link, table: &str, scope: &str) -> Result<(), LoadError> {
    let sql = format!("DELETE FROM etl.counts WHERE {PLACE}");
    con.execute(&sql, &place(con, table, scope)).map(drop)
}

/// A scope of a table in the schema of the connection. Where an older program has not stored the schema
/// and the table was found in none, it is taken for this one.
const PLACE: &str = "\"table\" = ? AND scope = ? AND coalesce(\"schema\", ?) = ?";

fn place(con: &dyn Link, table: &str, scope: &str) -> [Value; 4] {
    [table, scope, con.schema(), con.schema()].map(Value::from)
}

fn count(con: &dyn Link, table: &str, scope: &str) -> Result<u64, LoadError> {
    let term = |(column, value): (&String, &String)| {
        format!(" AND {} = {}", quote(column), crate::stage::literal(value))
    };
    let terms: String = read(scope).iter().map(term).collect();
    con.number(&format!("SELECT count(*) FROM {} WHERE true{terms}", con.table(table)), &[])
}

fn read(scope: &str) -> BTreeMap<String, String> {
    serde_json::from_str(scope).unwrap_or_default()
}

/// Whether all rows of a scope belong to another one, too.
pub fn lies_within(scope: &str, other: &str) -> bool {
    let scope = read(scope);
    read(other).iter().all(|(column, value)| scope.get(column) == Some(value))
}

/// A replace has emptied a scope, and with it all that lie within.
fn forget_within(con: &dyn Link, table: &str, scope: &str) -> Result<(), LoadError> {
    let sql = "SELECT scope FROM etl.counts WHERE \"table\" = ? AND coalesce(\"schema\", ?) = ?";
    let rows = con.query(sql, &[table, con.schema(), con.schema()].map(Value::from))?;
    for row in &rows.rows {
        let within = row[0].as_text().unwrap_or("{}");
        if lies_within(within, scope) {
            forget(con, table, within)?;
        }
    }
    Ok(())
}

impl Ledger<'_> {
    /// Rows of a table as the loads have left them; `None` where they were not counted.
    pub fn kept_rows(&self, table: &str) -> Result<Option<u64>, LoadError> {
        let home = self.con.schema();
        let of = |row: &&CountRow| {
            row.table == table && row.schema.as_deref().is_none_or(|schema| schema == home)
        };
        let counts = self.counts()?;
        let rows: Vec<_> = counts.iter().filter(of).map(|row| row.rows).collect();
        Ok((!rows.is_empty()).then(|| rows.iter().sum()))
    }

    /// Rows of each table and scope.
    pub fn counts(&self) -> Result<Vec<CountRow>, LoadError> {
        let there = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'etl' AND \
                     table_name = 'counts' AND table_catalog = current_database()";
        if self.con.number(there, &[])? == 0 {
            // A ledger from before there were any.
            return Ok(Vec::new());
        }
        let schema = Columns::of(self.con)?.since_2("\"schema\"");
        let sql = format!(
            "SELECT \"table\", scope, rows, run, CAST(extract(epoch FROM counted) * 1000 AS BIGINT), \
               {schema} AS home FROM etl.counts ORDER BY home, 1, 2"
        );
        let rows = self.con.query(&sql, &[])?;
        let row = |row: &Vec<Value>| CountRow {
            schema: optional(&row[5]),
            table: text(&row[0]),
            scope: read(&text(&row[1])),
            rows: unsigned(&row[2]),
            run: text(&row[3]),
            counted: moment(&row[4]).unwrap_or_default(),
        };
        Ok(rows.rows.iter().map(row).collect())
    }
}
