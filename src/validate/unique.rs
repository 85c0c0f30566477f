//! Columns that together name a row: no combination of values may come twice in the files that are seen.

use super::order::InOrder;
use super::whole::{FactInput, FactRule, FileFact, RowNumbers};
use crate::chunk::{Chunk, Example, Notes, RawRows, ReadSchema, quotable};
use crate::stage::StageError;
use polars::prelude::{AnyValue, Column, DataType};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A set of keys that may be larger than memory.
pub trait SeenKeys: Send {
    /// Adds a key of a row; the row of its first occurrence where it was there already.
    fn insert(&mut self, key: u128, row: u64) -> Result<Option<u64>, String>;
}

/// Columns of which no combination may repeat. Rows with a blank among them are not compared.
pub struct FileUnique {
    rule: FactRule,
    state: Mutex<State>,
}

struct State {
    order: InOrder<Part>,
    rows: RowNumbers,
    seen: Box<dyn SeenKeys>,
    /// Of the current input.
    notes: Notes,
}

/// The keys of a chunk, each with its record.
struct Part {
    raw: Arc<dyn RawRows>,
    keys: Vec<(u32, u128)>,
}

impl FileUnique {
    /// Nothing seen yet.
    pub fn new(rule: FactRule, seen: Box<dyn SeenKeys>) -> Self {
        let (order, rows, notes) = (InOrder::default(), RowNumbers::default(), Notes::default());
        Self { rule, state: Mutex::new(State { order, rows, seen, notes }) }
    }

    fn take(&self, state: &mut State, part: Part, schema: &ReadSchema) -> Result<(), StageError> {
        let State { seen, notes, rows, .. } = state;
        for (record, key) in part.keys {
            let number = rows.number(part.raw.place(record).row);
            let first = seen.insert(key, number).map_err(|e| self.rule.error(e))?;
            // A row that is shown once more meets itself.
            let Some(first) = first.filter(|first| *first != number) else { continue };
            let (row, other) = rows.row(first);
            let of = other.map_or_else(String::new, |input| format!(" of {}", input.name));
            let example = || {
                let columns = self.rule.bound(schema);
                let text = |field| part.raw.field(record, field).unwrap_or_default();
                let values: Vec<_> =
                    columns.iter().map(|column| text(column.field).trim().to_owned()).collect();
                let value = format!("{} (first in row {row}{of})", quotable(&values.join(", ")));
                Example { place: part.raw.place(record), cell: None, value: Some(value) }
            };
            let message = || self.rule.wording(&self.rule.message);
            notes.add(self.rule.key(schema), self.rule.severity, message, example);
        }
        Ok(())
    }
}

impl FileFact for FileUnique {
    fn begin(&self, input: &FactInput, _schema: &ReadSchema) -> Result<(), StageError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.order, state.notes) = (InOrder::default(), Notes::default());
        state.rows.begin(input);
        Ok(())
    }

    fn see(&self, chunk: &Chunk, schema: &ReadSchema) -> Result<(), StageError> {
        let keys = keys(chunk, &self.rule.columns).map_err(|e| self.rule.error(e))?;
        let part = Part { raw: Arc::clone(&chunk.raw), keys };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for part in state.order.push(chunk.seq, part) {
            self.take(&mut state, part, schema)?;
        }
        Ok(())
    }

    fn finding(&self, _schema: &ReadSchema) -> Notes {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).notes.clone()
    }
}

/// A hash of the values of each row, where none is blank.
fn keys(chunk: &Chunk, names: &[String]) -> Result<Vec<(u32, u128)>, String> {
    let mut keys: Vec<Option<u128>> = vec![Some(0); chunk.kept()];
    for name in names {
        let column = chunk.frame.column(name).map_err(|error| error.to_string())?;
        each_bytes(column, |row, bytes| {
            let before = keys[row];
            keys[row] = bytes.zip(before).map(|(bytes, before)| {
                let seed = (before as u64) ^ ((before >> 64) as u64).rotate_left(1);
                xxh3_128_with_seed(bytes, seed).wrapping_add(before.rotate_left(17))
            });
        })?;
    }
    let keys = keys.into_iter().zip(&chunk.index);
    Ok(keys.filter_map(|(key, record)| Some((*record, key?))).collect())
}

/// Calls `each` with the bytes of every value; equal values have equal bytes.
fn each_bytes(column: &Column, mut each: impl FnMut(usize, Option<&[u8]>)) -> Result<(), String> {
    let wrong = |error: polars::prelude::PolarsError| error.to_string();
    if column.dtype() == &DataType::String {
        let texts = column.str().map_err(wrong)?;
        texts.iter().enumerate().for_each(|(row, text)| each(row, text.map(str::as_bytes)));
        return Ok(());
    }
    let series = column.as_materialized_series().to_physical_repr().into_owned();
    for (row, value) in series.iter().enumerate() {
        match value {
            AnyValue::Null => each(row, None),
            AnyValue::Int32(value) => each(row, Some(&i64::from(value).to_le_bytes())),
            AnyValue::Int64(value) => each(row, Some(&value.to_le_bytes())),
            // The same column may be of whole numbers in another file.
            AnyValue::Float64(value) if value == (value as i64) as f64 => {
                each(row, Some(&(value as i64).to_le_bytes()));
            }
            AnyValue::Float64(value) => each(row, Some(&value.to_le_bytes())),
            other => each(row, Some(other.to_string().as_bytes())),
        }
    }
    Ok(())
}
