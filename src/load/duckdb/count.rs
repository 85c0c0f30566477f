//! What the open transaction has added to a table, counted before its commit.
//!
//! A scan of the whole table for each commit would make many small inputs cost as the square of their
//! number. DuckDB keeps what a transaction has added apart until the commit, under row ids that no row of
//! the file has; a condition on them leaves all other row groups out.

use super::table::columns_of;
use crate::duck::{Connection, Question, Value, quote};
use crate::load::cells::{Cells, compare, gap};
use crate::load::ledger::{count_cells, count_sql, counted};
use crate::load::rehash::Spots;
use crate::load::table::{Provenance, TableSpec};
use crate::load::target::WritePlan;
use crate::load::{LoadError, Rows};

/// The first row id of rows that are not committed (`MAX_ROW_ID` in DuckDB's `constants.hpp`).
const ADDED: u64 = 36_028_797_018_960_000;
/// Rows of a commit whose content is hashed again.
const SPOTS: u64 = 8;

/// Counts what one inserter has added in the open transaction.
pub(super) struct Counter {
    /// The table as SQL names it.
    sql: String,
    table: String,
    /// Columns that are compared.
    columns: Vec<String>,
    /// Columns that DuckDB fills where nothing is given.
    fills_itself: Vec<String>,
    content: Option<Spots>,
    /// Rows added since the transaction began.
    rows: u64,
    asked: Option<Asked>,
}

/// Questions about the rows that a transaction has added. They are prepared when there are some: before,
/// DuckDB would answer by what it knows of the rows in the file.
struct Asked {
    cells: Question,
    spots: Option<Question>,
}

impl Counter {
    /// For a table or side table, which has the columns of `spec`.
    pub fn new(
        con: &Connection,
        schema: &str,
        table: &str,
        plan: &WritePlan,
    ) -> Result<Self, LoadError> {
        let there = columns_of(con, schema, table)?;
        let is_there = |name: &str| there.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let columns = own_columns(&plan.spec, &plan.provenance).filter(|name| is_there(name));
        let content = Spots::of(&plan.spec, &plan.not_compared);
        Ok(Self {
            sql: format!("{}.{}", quote(schema), quote(table)),
            table: table.to_owned(),
            columns: columns.map(str::to_owned).collect(),
            fills_itself: filled_by_itself(con, schema, table)?,
            content: content.filter(|_| is_there("_etl_hash")),
            rows: 0,
            asked: None,
        })
    }

    /// Some rows were added.
    pub fn added(&mut self, rows: &Rows) {
        self.rows += rows.len() as u64;
    }

    /// Compares what was handed over with what the table holds of it, before the commit.
    pub fn check(&mut self, con: &Connection, handed: &Cells) -> Result<(), LoadError> {
        let is_own = |name: &str| self.columns.iter().any(|own| own == name);
        if let Some(name) = handed.columns().find(|name| handed.get(name) > 0 && !is_own(name)) {
            let filled = handed.get(name);
            return Err(gap(format!(
                "{filled} filled cells were handed over for column {name}, which table {} does not have",
                self.table
            )));
        }
        let added = std::mem::take(&mut self.rows);
        if added == 0 {
            return Ok(());
        }
        let asked = match &mut self.asked {
            Some(asked) => asked,
            none => none.insert(Asked::of(con, &self.sql, &self.columns, self.content.as_ref())?),
        };
        let (rows, found) = counted(&self.columns, &asked.cells.ask()?);
        if rows != added {
            let table = &self.table;
            return Err(gap(format!("{added} rows were added to table {table}, {rows} are there")));
        }
        let left_out = |name: &&String| {
            !handed.has(name) && self.fills_itself.iter().any(|own| own.eq_ignore_ascii_case(name))
        };
        let columns = self.columns.iter().filter(|name| !left_out(name)).map(String::as_str);
        compare(&self.table, columns, handed, &found)?;
        match (&self.content, &asked.spots) {
            (Some(content), Some(spots)) => content.check(&spots.ask()?),
            _ => Ok(()),
        }
    }
}

impl Asked {
    fn of(
        con: &Connection,
        table: &str,
        columns: &[String],
        content: Option<&Spots>,
    ) -> Result<Self, LoadError> {
        let condition = format!("rowid >= {ADDED}");
        let cells = con.prepare(&count_sql(table, columns, &condition))?;
        let few = format!("{condition} LIMIT {SPOTS}");
        let spots =
            content.map(|content| con.prepare(&content.question(table, &few))).transpose()?;
        Ok(Self { cells, spots })
    }
}

/// Rows that the open transaction has added to a table, and their filled cells.
pub(super) fn added(
    con: &Connection,
    schema: &str,
    table: &str,
    columns: &[String],
) -> Result<(u64, Cells), LoadError> {
    let table = format!("{}.{}", quote(schema), quote(table));
    count_cells(con, &table, columns, &format!("rowid >= {ADDED}"), &[])
}

/// Columns whose values come from the rows themselves.
pub(super) fn own_columns<'c>(
    spec: &'c TableSpec,
    provenance: &'c Provenance,
) -> impl Iterator<Item = &'c str> {
    let own = spec.columns.iter().map(|column| column.name.as_str()).chain(["_extra"]);
    own.filter(|name| provenance.meant(name) == *name)
}

/// Columns with a default or an expression.
fn filled_by_itself(con: &Connection, schema: &str, table: &str) -> Result<Vec<String>, LoadError> {
    let sql = "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() \
               AND schema_name = ? AND table_name = ? AND column_default IS NOT NULL";
    let found = con.query(sql, &[Value::from(schema), Value::from(table)])?;
    Ok(found.rows.iter().map(|row| row[0].to_string()).collect())
}
