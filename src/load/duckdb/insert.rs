//! Rows into one table: an INSERT that is prepared once and reads each frame where it lies.
//!
//! An appender would copy every row into a buffer of its own first, outside DuckDB's memory limit;
//! without it a roll of 750,000 rows takes a tenth less of the writer's time and 20-30 MB less
//! (measured).

use super::table::{filled, in_table_order, listed};
use crate::duck::{Connection, Frame, Prepared, quote};
use crate::load::table::{Provenance, TableSpec};
use crate::load::{Link, LoadError, LoadErrorKind, Rows};
use polars_arrow::datatypes::Field;

/// Inserts into one table on one connection.
pub(super) struct Inserter {
    table: String,
    /// The table as SQL names it.
    relation: String,
    /// Columns that rows are given for.
    columns: Vec<(String, String)>,
    /// One statement for each shape of frame; all chunks of an input have the same.
    prepared: Vec<(Vec<Field>, Prepared)>,
}

impl Inserter {
    pub fn new(
        con: &Connection,
        schema: &str,
        table: &str,
        spec: &TableSpec,
    ) -> Result<Self, LoadError> {
        let columns = filled(con, schema, table, spec)?;
        let relation = match Link::schema(con) == schema {
            true => con.named(table),
            false => format!("{}.{}", quote(schema), quote(table)),
        };
        Ok(Self { table: table.into(), relation, columns, prepared: Vec::new() })
    }

    /// The table as SQL names it.
    pub fn relation(&self) -> &str {
        &self.relation
    }

    /// The columns that rows are given for, with their types.
    pub fn columns(&self) -> &[(String, String)] {
        &self.columns
    }

    /// Rows with these columns, in the order of the table.
    pub fn in_order(&self, rows: &Rows, provenance: &Provenance) -> Result<Frame, LoadError> {
        in_table_order(rows, &self.columns, provenance)
    }

    /// Adds rows within the connection's transaction.
    pub fn insert(&mut self, con: &Connection, frame: Frame) -> Result<(), LoadError> {
        let given = frame.len() as u64;
        let inserted = self.statement(con, &frame)?.execute(frame)?;
        if inserted != given {
            let message = format!("{inserted} of {given} rows went into table {}", self.table);
            return Err(LoadError::new(LoadErrorKind::Account, message));
        }
        Ok(())
    }

    fn statement(&mut self, con: &Connection, frame: &Frame) -> Result<&mut Prepared, LoadError> {
        let known = self.prepared.iter().position(|(fields, _)| fields == frame.fields());
        let at = match known {
            Some(at) => at,
            None => {
                let view = format!("rows of {} {}", self.table, self.prepared.len());
                let (relation, columns) = (&self.relation, listed(&self.columns));
                let sql =
                    format!("INSERT INTO {relation} ({columns}) SELECT * FROM {}", quote(&view));
                let prepared = con.prepare_over(&view, frame, &sql)?;
                self.prepared.push((frame.fields().to_vec(), prepared));
                self.prepared.len() - 1
            }
        };
        Ok(&mut self.prepared[at].1)
    }
}
