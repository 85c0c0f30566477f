//! Facts about the days of a column, and about the number of rows.

use super::whole::{FactInput, FactRule, FileFact};
use crate::chunk::{Chunk, NoteKey, Notes, ReadSchema};
use crate::stage::StageError;
use polars::prelude::{Column, DataType, TimeUnit};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// The newest day of a column is not too long ago.
pub struct FileFresh {
    rule: FactRule,
    /// Today, and how many days back are fine.
    today: i64,
    days: u32,
    newest: AtomicI64,
    /// The input that went by last.
    told_of: Mutex<Option<(usize, NoteKey)>>,
}

impl FileFresh {
    /// Nothing seen yet; `today` in days since 1970-01-01.
    pub fn new(rule: FactRule, today: i64, days: u32) -> Self {
        let newest = AtomicI64::new(i64::MIN);
        Self { rule, today, days, newest, told_of: Mutex::default() }
    }
}

impl FileFact for FileFresh {
    /// The newest day stays the newest, however often it is shown.
    fn begin(&self, input: &FactInput, schema: &ReadSchema) -> Result<(), StageError> {
        let key = self.rule.key(schema);
        let mut told_of = self.told_of.lock().unwrap_or_else(PoisonError::into_inner);
        *told_of = Some((input.place, key));
        Ok(())
    }

    fn see(&self, chunk: &Chunk, _schema: &ReadSchema) -> Result<(), StageError> {
        let moments = chunk.frame.column(&self.rule.columns[0]).map(Column::dtype);
        let scale = match moments {
            Ok(DataType::Datetime(TimeUnit::Nanoseconds, _)) => DAY * 1e3,
            Ok(DataType::Datetime(..)) => DAY,
            _ => 1.0,
        };
        each_number(chunk, &self.rule, |_, number| {
            self.newest.fetch_max((number / scale).floor() as i64, Ordering::Relaxed);
        })
    }

    fn conclusion(&self) -> Vec<(usize, Notes)> {
        let told_of = self.told_of.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((place, key)) = told_of else { return Vec::new() };
        let newest = self.newest.load(Ordering::Relaxed);
        let told = |message: &str| vec![(place, self.rule.told(key, message))];
        if newest == i64::MIN {
            return told(&format!("{}: no row has a day", self.rule.message));
        }
        let age = self.today - newest;
        if age <= i64::from(self.days) {
            return Vec::new();
        }
        let day = chrono::DateTime::from_timestamp(newest.saturating_mul(86_400), 0);
        let day = day.map_or_else(String::new, |day| day.format("%Y-%m-%d").to_string());
        told(&format!("{}: the newest is {day}, {age} days ago", self.rule.message))
    }
}

/// About as many rows as such a file has had before.
pub struct FileRows {
    rule: FactRule,
    expected: u64,
    /// Share by which the number may differ.
    within: f64,
    seen: AtomicU64,
}

/// Fewer rows are a sample, and known to be one.
const SAMPLE: u64 = 1_000;

impl FileRows {
    /// Nothing seen yet.
    pub fn new(rule: FactRule, expected: u64, within: f64) -> Self {
        Self { rule, expected, within, seen: AtomicU64::new(0) }
    }
}

impl FileFact for FileRows {
    fn begin(&self, _input: &FactInput, _schema: &ReadSchema) -> Result<(), StageError> {
        self.seen.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn see(&self, chunk: &Chunk, _schema: &ReadSchema) -> Result<(), StageError> {
        self.seen.fetch_add(u64::from(chunk.records), Ordering::Relaxed);
        Ok(())
    }

    fn finding(&self, schema: &ReadSchema) -> Notes {
        let (seen, expected) = (self.seen.load(Ordering::Relaxed), self.expected);
        let apart = seen.abs_diff(expected) as f64 / expected.max(1) as f64;
        if seen < SAMPLE || apart <= self.within {
            return Notes::default();
        }
        let message = format!("{}: {seen} rows, before {expected}", self.rule.message);
        self.rule.told(self.rule.key(schema), &message)
    }
}

/// Calls `each` with every number of the rule's column: days of dates, microseconds of moments.
pub(super) fn each_number(
    chunk: &Chunk,
    rule: &FactRule,
    mut each: impl FnMut(usize, f64),
) -> Result<(), StageError> {
    let column = chunk.frame.column(&rule.columns[0]).map_err(|error| rule.error(error))?;
    // An unscaled decimal would be another number.
    let plain = match column.dtype() {
        DataType::Decimal(..) => column.as_materialized_series().clone(),
        _ => column.as_materialized_series().to_physical_repr().into_owned(),
    };
    let numbers = plain.cast(&DataType::Float64).map_err(|error| rule.error(error))?;
    let numbers = numbers.f64().map_err(|error| rule.error(error))?;
    for (row, number) in numbers.iter().enumerate() {
        if let Some(number) = number.filter(|number| number.is_finite()) {
            each(row, number);
        }
    }
    Ok(())
}
