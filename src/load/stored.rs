//! Rows of an input as they stand in its table, in the order of the source, and single cells of them beside
//! those of a frame.
//!
//! The table is read once, by a connection of its own on a thread of its own, in bounded memory: whoever reads the
//! source takes each row when its turn has come.

use super::rehash::Hashed;
use super::table::TableSpec;
use super::{Link, LoadError, Target};
use crate::duck::{Value, quote};
use crossbeam_channel::{Receiver, bounded};
use polars::prelude::{AnyValue, Column, TimeUnit};
use std::collections::VecDeque;
use std::ops::ControlFlow;

/// Columns that can be compared cell by cell, and the statement that reads them.
pub struct Compared {
    columns: Vec<Hashed>,
    /// Names of columns whose type has no common form in all targets (TIME, nested types).
    pub left_out: Vec<String>,
    /// Whether the table keeps the content hash of each row.
    pub has_hash: bool,
    sql: String,
}

impl Compared {
    /// Of a table whose rows are those of `spec`; `not_compared` are columns in which equal rows may differ. A
    /// column that the table does not have is empty.
    pub fn of(
        con: &dyn Link,
        spec: &TableSpec,
        not_compared: &[String],
    ) -> Result<Self, LoadError> {
        let there = con.columns(&spec.name)?;
        let rule = con.names();
        let has = |name: &str| there.iter().any(|(known, _)| rule.same(known, name));
        let (mut columns, mut left_out, mut selected) = (Vec::new(), Vec::new(), Vec::new());
        let all = spec.columns.iter().map(|column| (column.name.as_str(), column.ty.as_str()));
        for (name, ty) in all.chain([("_extra", "VARCHAR")]) {
            if not_compared.iter().any(|left_out| left_out == name) {
                continue;
            }
            let Some(column) = Hashed::of(name, ty) else {
                left_out.push(name.to_owned());
                continue;
            };
            selected.push(if has(name) {
                column.sql()
            } else {
                format!("NULL AS {}", quote(name))
            });
            columns.push(column);
        }
        let has_hash = has("_etl_hash");
        selected.insert(0, if has_hash { "_etl_hash" } else { "NULL" }.to_owned());
        let sql = format!(
            "SELECT _etl_row, {} FROM {} WHERE _etl_run = ? AND _etl_source = ? ORDER BY _etl_row",
            selected.join(", "),
            con.table(&spec.name)
        );
        Ok(Self { columns, left_out, has_hash, sql })
    }

    /// The columns, in the order of [`StoredRow::cells`].
    pub fn columns(&self) -> &[Hashed] {
        &self.columns
    }
}

/// A row of the table.
pub struct StoredRow {
    /// Its number in the source.
    pub row: u64,
    /// Its content hash, where the table keeps one.
    pub hash: Option<u128>,
    /// Its cells, as [`Hashed`] reads them.
    pub cells: Vec<Value>,
}

/// The rows of an input, in the order of their numbers.
pub struct StoredRows {
    batches: Receiver<Vec<Vec<Value>>>,
    batch: VecDeque<Vec<Value>>,
}

impl StoredRows {
    fn front(&mut self) -> Option<u64> {
        while self.batch.is_empty() {
            self.batch = self.batches.recv().ok()?.into();
        }
        let row = self.batch.front().and_then(|row| row.first()).and_then(Value::as_int);
        Some(row.and_then(|row| u64::try_from(row).ok()).unwrap_or(0))
    }

    /// The next row whose number is less than `end`; `None`: there is no such row.
    pub fn next_before(&mut self, end: u64) -> Option<StoredRow> {
        let row = self.front().filter(|row| *row < end)?;
        let mut cells = self.batch.pop_front()?;
        let hash = match cells.get(1) {
            Some(Value::Uuid(hash)) => Some(*hash),
            _ => None,
        };
        cells.drain(..2);
        Some(StoredRow { row, hash, cells })
    }

    /// The row of this number, where it is the next one.
    pub fn take(&mut self, row: u64) -> Option<StoredRow> {
        if self.front() == Some(row) { self.next_before(row.saturating_add(1)) } else { None }
    }
}

/// Reads the rows of an input (`own`: its run and source) beside `work`, which takes them one by one. An error of
/// the target comes before one of the work, which may be its consequence.
pub fn beside<T, E: From<LoadError>>(
    target: &dyn Target,
    compared: &Compared,
    own: &[Value],
    work: impl FnOnce(StoredRows) -> Result<T, E>,
) -> Result<T, E> {
    // One batch is on its way, one is waiting, one is being compared.
    let (tell, batches) = bounded(1);
    std::thread::scope(|scope| {
        let read = move || -> Result<(), LoadError> {
            let con = target.link()?;
            con.query_each(&compared.sql, own, &mut |_, rows| match tell.send(rows) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
            .map(drop)
        };
        let reading = scope.spawn(read);
        let done = work(StoredRows { batches, batch: VecDeque::new() });
        match reading.join() {
            Ok(read) => read?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        done
    })
}

/// A cell of a frame in the form in which a column of the table is read.
pub fn cell(column: &Column, row: usize) -> Value {
    match column.get(row) {
        Ok(AnyValue::Boolean(value)) => Value::Bool(value),
        Ok(AnyValue::String(text)) => Value::from(text),
        Ok(AnyValue::StringOwned(text)) => Value::from(text.as_str()),
        Ok(AnyValue::Int32(value)) => Value::from(value),
        Ok(AnyValue::Int64(value)) => Value::from(value),
        Ok(AnyValue::Float64(value)) => Value::from(value),
        Ok(AnyValue::Decimal(value, _, scale)) => {
            Value::Decimal { value, scale: u8::try_from(scale).unwrap_or(0) }
        }
        // As whole numbers: that is how they are read from the table.
        Ok(AnyValue::Date(days)) => Value::from(days),
        Ok(AnyValue::Datetime(moment, unit, _)) => Value::from(match unit {
            TimeUnit::Nanoseconds | TimeUnit::Microseconds => moment,
            TimeUnit::Milliseconds => moment.saturating_mul(1_000),
        }),
        Ok(AnyValue::Null) | Err(_) => Value::Null,
        Ok(other) => Value::Text(other.to_string()),
    }
}
