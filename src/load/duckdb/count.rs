//! What the open transaction has added to a table, counted before its commit.
//!
//! A scan of the whole table for each commit would make many small inputs cost as the square of their
//! number. DuckDB keeps what a transaction has added apart until the commit, under row ids that no row of
//! the file has; a condition on them leaves all other row groups out.

use super::table::columns_of;
use crate::duck::{Connection, Value, quote};
use crate::load::cells::{Cells, compare, gap};
use crate::load::rehash;
use crate::load::table::{Provenance, TableSpec};
use crate::load::{LoadError, Rows};

/// The first row id of rows that are not committed (`MAX_ROW_ID` in DuckDB's `constants.hpp`).
const ADDED: u64 = 36_028_797_018_960_000;
/// Rows of a commit whose content is hashed again: the first ones of so many pieces.
const SPOTS: usize = 4;

/// Counts what one inserter has added in the open transaction.
pub(super) struct Counter {
    schema: &'static str,
    table: String,
    /// Columns that are compared.
    columns: Vec<String>,
    /// Columns that DuckDB fills where nothing is given.
    fills_itself: Vec<String>,
    /// Rows added since the transaction began.
    rows: u64,
    /// Places, among these, where a piece begins.
    begins: Vec<u64>,
}

impl Counter {
    /// For a table or side table, which has the columns of `spec`.
    pub fn new(
        con: &Connection,
        schema: &'static str,
        table: &str,
        spec: &TableSpec,
        provenance: &Provenance,
    ) -> Result<Self, LoadError> {
        let there = columns_of(con, schema, table)?;
        let is_there = |name: &str| there.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let columns = own_columns(spec, provenance).filter(|name| is_there(name));
        Ok(Self {
            schema,
            table: table.to_owned(),
            columns: columns.map(str::to_owned).collect(),
            fills_itself: filled_by_itself(con, schema, table)?,
            rows: 0,
            begins: Vec::new(),
        })
    }

    /// Some rows were added.
    pub fn added(&mut self, rows: &Rows) {
        if self.begins.len() < SPOTS {
            self.begins.push(self.rows);
        }
        self.rows += rows.len() as u64;
    }

    /// The transaction is over.
    pub fn forget(&mut self) {
        self.rows = 0;
        self.begins.clear();
    }

    /// Compares what was handed over with what the table holds of it, before the commit.
    pub fn check(
        &mut self,
        con: &Connection,
        handed: &Cells,
        spec: &TableSpec,
        not_compared: &[String],
    ) -> Result<(), LoadError> {
        let unknown = handed
            .columns()
            .find(|name| handed.get(name) > 0 && !self.columns.iter().any(|own| own == name));
        if let Some(name) = unknown {
            let filled = handed.get(name);
            return Err(gap(format!(
                "{filled} filled cells were handed over for column {name}, which table {} does not have",
                self.table
            )));
        }
        if self.rows == 0 {
            return Ok(());
        }
        let (rows, found) = self.count(con)?;
        if rows != self.rows {
            return Err(gap(format!(
                "{} rows were added to table {}, {rows} of them are there",
                self.rows, self.table
            )));
        }
        let left_out = |name: &&String| {
            !handed.has(name) && self.fills_itself.iter().any(|own| own.eq_ignore_ascii_case(name))
        };
        let columns = self.columns.iter().filter(|name| !left_out(name)).map(String::as_str);
        compare(&self.table, columns, handed, &found)?;
        self.look_at_spots(con, spec, not_compared)?;
        self.forget();
        Ok(())
    }

    /// Rows that the open transaction has added, and their filled cells.
    pub fn count(&self, con: &Connection) -> Result<(u64, Cells), LoadError> {
        let table = format!("{}.{}", quote(self.schema), quote(&self.table));
        count(con, &table, &self.columns, &format!("rowid >= {ADDED}"))
    }

    /// Makes the content hash of a few rows again.
    fn look_at_spots(
        &self,
        con: &Connection,
        spec: &TableSpec,
        not_compared: &[String],
    ) -> Result<(), LoadError> {
        let table = format!("{}.{}", quote(self.schema), quote(&self.table));
        let places: Vec<_> = self.begins.iter().map(|at| (ADDED + at).to_string()).collect();
        let condition = format!("rowid IN ({})", places.join(", "));
        rehash::spots(con, spec, not_compared, &table, &condition)
    }
}

/// Rows under a condition, and their filled cells.
pub(super) fn count(
    con: &Connection,
    table: &str,
    columns: &[String],
    condition: &str,
) -> Result<(u64, Cells), LoadError> {
    let counts: String = columns.iter().map(|name| format!(", count({})", quote(name))).collect();
    let sql = format!("SELECT count(*){counts} FROM {table} WHERE {condition}");
    let found = con.query(&sql, &[])?;
    let number = |value: &Value| value.as_int().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let numbers: Vec<_> =
        found.rows.first().map_or_else(Vec::new, |row| row.iter().map(number).collect());
    let (rows, cells) = numbers.split_first().map_or((0, &[][..]), |(rows, cells)| (*rows, cells));
    Ok((rows, Cells::counted(columns, cells)))
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
