//! Facts about the numbers and days of a column: values far from the others, the newest day; and the
//! number of rows.

use super::order::InOrder;
use super::whole::{FactRule, FileFact};
use crate::chunk::{Chunk, Example, Notes, Place, ReadSchema};
use crate::profile::Digest;
use crate::stage::StageError;
use polars::prelude::{Column, DataType};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The median distance from the median of a normal distribution, in standard deviations.
const NORMAL: f64 = 1.4826;
/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// Values further from the median than so many robust standard deviations.
///
/// The median is known at the end, so numbers and rows wait in a temporary file: 16 bytes a value.
pub struct FileOutliers {
    rule: FactRule,
    most: f64,
    state: Mutex<Outliers>,
}

struct Outliers {
    order: InOrder<Vec<(f64, u64)>>,
    digest: Digest,
    file: BufWriter<File>,
}

impl FileOutliers {
    /// Nothing seen yet.
    pub fn new(rule: FactRule, most: f64, temp_dir: Option<PathBuf>) -> Result<Self, StageError> {
        let file = match temp_dir {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let file = BufWriter::new(file.map_err(|error| no_room(&rule, &error))?);
        let (order, digest) = (InOrder::default(), Digest::default());
        Ok(Self { rule, most, state: Mutex::new(Outliers { order, digest, file }) })
    }

    fn found(&self, state: &mut Outliers, schema: &ReadSchema) -> io::Result<Notes> {
        let mut notes = Notes::default();
        // Where more than half of the values are the same there is no measure of distance.
        let Some((median, distance)) = state.digest.robust().filter(|(_, d)| *d > 0.0) else {
            return Ok(notes);
        };
        let far = self.most * NORMAL * distance;
        state.file.flush()?;
        let file = state.file.get_mut();
        file.rewind()?;
        let mut file = BufReader::new(file);
        let mut pair = [0; 16];
        while read_whole(&mut file, &mut pair)? {
            let (number, row) = pair.split_at(8);
            let [number, row] = [number, row].map(|b| b.try_into().unwrap_or_default());
            let (number, row) = (f64::from_le_bytes(number), u64::from_le_bytes(row));
            if (number - median).abs() > far {
                let place = Place { row, byte: None };
                let value = Some(number.to_string());
                let told = format!("{} (median {median:.0})", self.rule.message);
                let message = || self.rule.advised(&told);
                let example = || Example { place, cell: None, value };
                notes.add(self.rule.key(schema), self.rule.severity(), message, example);
            }
        }
        Ok(notes)
    }
}

/// `false` at the end.
fn read_whole(file: &mut impl Read, pair: &mut [u8; 16]) -> io::Result<bool> {
    match file.read_exact(pair) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn no_room(rule: &FactRule, error: &io::Error) -> StageError {
    rule.error(format!("values cannot be kept in a temporary file: {error}"))
        .with_hint("name a folder with room for 16 bytes a row by --temp-dir")
}

impl FileFact for FileOutliers {
    fn see(&self, chunk: &Chunk, _schema: &ReadSchema) -> Result<(), StageError> {
        let row = |at: usize| chunk.raw.place(chunk.index[at]).row;
        let mut part = Vec::new();
        each_number(chunk, &self.rule, |at, number| part.push((number, row(at))))?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for part in state.order.push(chunk.seq, part) {
            let numbers = part.iter().map(|(number, _)| (*number, 1)).collect();
            state.digest.merge(&Digest::of(numbers));
            for (number, row) in part {
                let written = state.file.write_all(&number.to_le_bytes());
                let written = written.and_then(|()| state.file.write_all(&row.to_le_bytes()));
                written.map_err(|error| no_room(&self.rule, &error))?;
            }
        }
        Ok(())
    }

    fn finding(&self, schema: &ReadSchema) -> Notes {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.found(&mut state, schema);
        found.unwrap_or_else(|error| {
            self.rule.told(schema, &format!("outliers could not be looked for: {error}"))
        })
    }
}

/// The newest day of a column is not too long ago.
pub struct FileFresh {
    rule: FactRule,
    /// Today, and how many days back are fine.
    today: i64,
    days: u32,
    newest: AtomicI64,
}

impl FileFresh {
    /// Nothing seen yet; `today` in days since 1970-01-01.
    pub fn new(rule: FactRule, today: i64, days: u32) -> Self {
        Self { rule, today, days, newest: AtomicI64::new(i64::MIN) }
    }
}

impl FileFact for FileFresh {
    fn see(&self, chunk: &Chunk, _schema: &ReadSchema) -> Result<(), StageError> {
        let moments = chunk.frame.column(&self.rule.columns[0]).map(Column::dtype);
        let scale = if matches!(moments, Ok(DataType::Datetime(..))) { DAY } else { 1.0 };
        each_number(chunk, &self.rule, |_, number| {
            self.newest.fetch_max((number / scale).floor() as i64, Ordering::Relaxed);
        })
    }

    fn finding(&self, schema: &ReadSchema) -> Notes {
        let newest = self.newest.load(Ordering::Relaxed);
        if newest == i64::MIN {
            return self.rule.told(schema, &format!("{}: no row has a day", self.rule.message));
        }
        let age = self.today - newest;
        if age <= i64::from(self.days) {
            return Notes::default();
        }
        let day = chrono::DateTime::from_timestamp(newest * 86_400, 0);
        let day = day.map_or_else(String::new, |day| day.format("%Y-%m-%d").to_string());
        let message = format!("{}: the newest is {day}, {age} days ago", self.rule.message);
        self.rule.told(schema, &message)
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
        self.rule.told(schema, &format!("{}: {seen} rows, before {expected}", self.rule.message))
    }
}

/// Calls `each` with every number of the rule's column: days of dates, microseconds of moments.
fn each_number(
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
        if let Some(number) = number {
            each(row, number);
        }
    }
    Ok(())
}
