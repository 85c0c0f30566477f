//! How many rows a table holds of each county and year: `etl.counts`, so that nobody has to scan for it.
//!
//! Kept by the transaction that ends an input. What others than `etl` insert or delete is not in it until
//! the next load of that scope counts anew; `counted` says of when a number is.

use super::InputRow;
use super::past::moment;
use super::{Ledger, text, unsigned};
use crate::duck::{Value, quote};
use crate::load::{Link, LoadError};
use std::collections::BTreeMap;

/// Rows of a scope.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CountRow {
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
    let place = [Value::from(change.table), Value::from(scope.as_str())];
    let before =
        con.query("SELECT rows FROM etl.counts WHERE \"table\" = ? AND scope = ?", &place)?;
    let rows = match (known, before.scalar().map(unsigned)) {
        (Some(rows), _) => rows,
        (None, Some(before)) => before + change.inserted,
        (None, None) => count(con, change.table, &scope)?,
    };
    con.execute("DELETE FROM etl.counts WHERE \"table\" = ? AND scope = ?", &place)?;
    con.execute(
        "INSERT INTO etl.counts (\"table\", scope, rows, run, counted, \"schema\") \
         VALUES (?, ?, ?, ?, now(), ?)",
        &[
            place[0].clone(),
            place[1].clone(),
            Value::from(rows),
            own[0].clone(),
            Value::from(con.schema()),
        ],
    )
    .map(drop)
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

/// A replace has emptied a scope, and with it all that lie within.
fn forget_within(con: &dyn Link, table: &str, scope: &str) -> Result<(), LoadError> {
    let gone = read(scope);
    let rows =
        con.query("SELECT scope FROM etl.counts WHERE \"table\" = ?", &[Value::from(table)])?;
    for row in &rows.rows {
        let within = read(row[0].as_text().unwrap_or("{}"));
        if gone.iter().all(|(column, value)| within.get(column) == Some(value)) {
            con.execute(
                "DELETE FROM etl.counts WHERE \"table\" = ? AND scope = ?",
                &[Value::from(table), row[0].clone()],
            )?;
        }
    }
    Ok(())
}

impl Ledger<'_> {
    /// Rows of each table and scope.
    pub fn counts(&self) -> Result<Vec<CountRow>, LoadError> {
        let there = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'etl' AND \
                     table_name = 'counts' AND table_catalog = current_database()";
        if self.con.number(there, &[])? == 0 {
            // A ledger from before there were any.
            return Ok(Vec::new());
        }
        let rows = self.con.query(
            "SELECT \"table\", scope, rows, run, CAST(extract(epoch FROM counted) * 1000 AS BIGINT) \
             FROM etl.counts ORDER BY 1, 2",
            &[],
        )?;
        let row = |row: &Vec<Value>| CountRow {
            table: text(&row[0]),
            scope: read(&text(&row[1])),
            rows: unsigned(&row[2]),
            run: text(&row[3]),
            counted: moment(&row[4]).unwrap_or_default(),
        };
        Ok(rows.rows.iter().map(row).collect())
    }
}
