//! Whole columns into a table.

use std::sync::Arc;

use super::arrow::{RawAppender, SLICE_ROWS, Schema};
use super::connection::Connection;
use super::error::DuckError;
use super::frame::Frame;

/// Appends frames to one table, within the connection's transaction.
///
/// Rows wait in a buffer until [`flush`](Self::flush) or [`close`](Self::close) (DuckDB flushes by
/// itself only every 204,800 rows): so flush before COMMIT, and often enough to bound memory. An
/// appender that is dropped without `close` forgets what it still holds, and so does one that
/// failed.
pub struct Appender<'c> {
    raw: RawAppender,
    con: &'c Connection,
    schema: Option<Schema>,
    table: String,
    failed: bool,
}

impl<'c> Appender<'c> {
    pub(super) fn open(
        con: &'c Connection,
        schema: &str,
        table: &str,
    ) -> Result<Appender<'c>, DuckError> {
        let name = format!("append to {schema}.{table}");
        let raw = RawAppender::open(&con.raw, schema, table).map_err(|e| e.on(&name))?;
        Ok(Appender { raw, con, schema: None, table: name, failed: false })
    }

    /// Appends the rows of a frame, whose columns stand in the table's order. Types are cast where
    /// DuckDB can. After an error only dropping it, and ROLLBACK, make sense.
    pub fn append(&mut self, frame: &Frame) -> Result<(), DuckError> {
        self.usable()?;
        let wanted = self.raw.column_count();
        if frame.width() != wanted {
            let (table, given) = (&self.table, frame.width());
            let text = format!("{table}: the table has {wanted} columns, the frame {given}");
            return Err(DuckError::usage(text));
        }
        self.failed = true;
        self.append_slices(frame)?;
        self.failed = false;
        Ok(())
    }

    fn append_slices(&mut self, frame: &Frame) -> Result<(), DuckError> {
        let schema = match self.schema.take() {
            Some(schema) if schema.is_for(frame.fields()) => schema,
            _ => Schema::new(&Arc::clone(&self.con.raw), frame.fields())
                .map_err(|e| e.on(&self.table))?,
        };
        let schema = self.schema.insert(schema);
        for start in (0..frame.len()).step_by(SLICE_ROWS) {
            let rows = SLICE_ROWS.min(frame.len() - start);
            let slices = frame.columns().iter().map(|array| array.sliced(start, rows)).collect();
            let chunk = schema.chunk(slices, rows).map_err(|e| e.on(&self.table))?;
            self.raw.append(&chunk).map_err(|e| e.on(&self.table))?;
        }
        Ok(())
    }

    /// Hands what is buffered to the transaction. Constraints are checked here.
    pub fn flush(&mut self) -> Result<(), DuckError> {
        self.usable()?;
        let done = self.raw.flush().map_err(|e| e.on(&self.table));
        self.failed = done.is_err();
        done
    }

    /// Flushes and ends it.
    pub fn close(mut self) -> Result<(), DuckError> {
        self.flush()
    }

    fn usable(&self) -> Result<(), DuckError> {
        if self.failed {
            return Err(DuckError::usage(format!("{}: it failed before", self.table)));
        }
        Ok(())
    }
}
