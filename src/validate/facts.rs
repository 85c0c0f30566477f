//! Facts about the file as a whole: a column with one value throughout, a column that counts rows.

use super::NAME;
use crate::chunk::{Chunk, Code, NoteKey, Notes, ReadSchema, Severity, Wording, quotable};
use crate::stage::StageError;
use std::sync::{Arc, Mutex, PoisonError};

/// A column that must hold one value throughout the file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileConstant {
    /// Rule id.
    pub id: String,
    /// Critical: another value ends the input. Else such rows are counted.
    pub severity: Severity,
    /// Column.
    pub column: String,
    /// The value, as text, known from the first records and the settled facts.
    pub expected: String,
    /// What another value means.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl FileConstant {
    /// Another value than the expected one: an error with the row that shows it, or notes.
    pub(super) fn check(&self, chunk: &mut Chunk, schema: &ReadSchema) -> Result<(), StageError> {
        let rows = others(chunk, self);
        let Some(first) = rows.first() else { return Ok(()) };
        let Some(position) = schema.position(&self.column) else { return Ok(()) };
        let column = &schema.columns[position];
        if self.severity == Severity::Critical {
            return Err(self.error(chunk, *first, &column.header, column.field));
        }
        for row in rows {
            let key =
                NoteKey { code: Code::E304, rule: self.id.clone(), column: column.header.clone() };
            let told = format!("{}; the first record has {}", self.message, self.expected);
            let message = || Wording::new(told.as_str(), &self.hint);
            chunk.note(row, key, self.severity, message, |raw, record| {
                raw.field(record, column.field)
            });
        }
        Ok(())
    }

    fn error(&self, chunk: &Chunk, row: usize, header: &str, field: usize) -> StageError {
        let record = chunk.index[row];
        let cell = chunk.raw.address(record, field);
        let cell = cell.map_or_else(String::new, |cell| format!(" (cell {cell})"));
        let message = format!(
            "{}, row {}, column {header}{cell}: \"{}\", but the file is of {}: {} (rule {})",
            chunk.origin.label(),
            chunk.raw.place(record).row,
            quotable(&chunk.raw.field(record, field).unwrap_or_default()),
            self.expected,
            self.message,
            self.id
        );
        let mut error = StageError::new(NAME, message).with_hint(&self.hint);
        error.rule = Some(self.id.clone());
        error
    }
}

fn others(chunk: &Chunk, constant: &FileConstant) -> Vec<usize> {
    let Ok(column) = chunk.frame.column(&constant.column) else { return Vec::new() };
    if let (Ok(values), Ok(expected)) = (column.i32(), constant.expected.parse::<i32>()) {
        let rows = values.iter().enumerate();
        return rows.filter(|(_, v)| v.is_some_and(|v| v != expected)).map(|(at, _)| at).collect();
    }
    let Ok(values) = column.str() else { return Vec::new() };
    let rows = values.iter().enumerate();
    rows.filter(|(_, v)| v.is_some_and(|v| v != constant.expected)).map(|(at, _)| at).collect()
}

/// A column that must run from 1 to the number of rows, each number once, in any order.
#[derive(Debug, Clone)]
pub struct FileSequence {
    /// Rule id.
    pub id: String,
    /// How bad; never critical, because it is known only at the end.
    pub severity: Severity,
    /// Column.
    pub column: String,
    /// What a finding says.
    pub message: String,
    /// What to do.
    pub hint: String,
    found: Arc<Mutex<Numbers>>,
}

/// What was seen of the numbers; the same for any order of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    records: u64,
    known: u64,
    least: i64,
    most: i64,
    /// Sum of scrambled numbers: equal to that of 1..n if the numbers are 1..n, and to nothing else
    /// but by a chance of 2^-64.
    sum: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { records: 0, known: 0, least: i64::MAX, most: i64::MIN, sum: 0 }
    }
}

impl Numbers {
    fn add(&mut self, number: i64) {
        self.known += 1;
        self.least = self.least.min(number);
        self.most = self.most.max(number);
        self.sum = self.sum.wrapping_add(scrambled(number));
    }

    fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.known += other.known;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Whether the numbers can be 1..n. Those of unreadable rows are given the benefit of the doubt.
    fn may_be_all(&self) -> bool {
        let Ok(records) = i64::try_from(self.records) else { return true };
        if self.known == 0 {
            return true;
        }
        if self.known < self.records {
            return self.least >= 1 && self.most <= records;
        }
        let all = (1..=records).fold(0, |sum: u64, number| sum.wrapping_add(scrambled(number)));
        self.least == 1 && self.most == records && self.sum == all
    }
}

/// The finisher of SplitMix64.
fn scrambled(number: i64) -> u64 {
    let mut z = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl FileSequence {
    /// Nothing seen yet.
    pub fn new(id: &str, severity: Severity, column: &str, message: &str, hint: &str) -> Self {
        let severity = severity.min(Severity::Warning);
        let [id, column, message, hint] = [id, column, message, hint].map(str::to_owned);
        Self { id, severity, column, message, hint, found: Arc::default() }
    }

    /// Looks at the numbers of a chunk.
    pub(super) fn see(&self, chunk: &Chunk) {
        let mut numbers = Numbers { records: u64::from(chunk.records), ..Numbers::default() };
        let column = chunk.frame.column(&self.column).ok();
        if let Some(values) = column.and_then(|column| column.i32().ok()) {
            values.iter().flatten().for_each(|number| numbers.add(i64::from(number)));
        }
        self.found.lock().unwrap_or_else(PoisonError::into_inner).merge(&numbers);
    }

    /// The finding, once every chunk was seen.
    pub(super) fn finding(&self, schema: &ReadSchema) -> Notes {
        let mut notes = Notes::default();
        let numbers = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if numbers.may_be_all() {
            return notes;
        }
        let header = schema
            .position(&self.column)
            .map_or_else(|| self.column.clone(), |at| schema.columns[at].header.clone());
        let message = format!(
            "{}: {} rows with numbers from {} to {}",
            self.message, numbers.records, numbers.least, numbers.most
        );
        let key = NoteKey { code: Code::E304, rule: self.id.clone(), column: header };
        notes.add_count(key, self.severity, Wording::new(message, &self.hint), 1);
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(records: u64, seen: &[i64]) -> Numbers {
        let mut numbers = Numbers { records, ..Numbers::default() };
        seen.iter().for_each(|number| numbers.add(*number));
        numbers
    }

    #[test]
    fn only_one_to_n_is_a_sequence_in_any_order_of_chunks() {
        let mut merged = numbers(2, &[4, 1]);
        merged.merge(&numbers(2, &[3, 2]));
        assert!(merged.may_be_all());
        for wrong in [[1, 2, 3, 5], [0, 1, 2, 3], [1, 2, 2, 4], [1, 1, 4, 4]] {
            assert!(!numbers(4, &wrong).may_be_all(), "{wrong:?}");
        }
    }

    #[test]
    fn rows_that_cannot_be_read_are_not_held_against_the_file() {
        assert!(numbers(4, &[1, 2, 4]).may_be_all());
        assert!(numbers(4, &[]).may_be_all());
        assert!(!numbers(4, &[1, 2, 9]).may_be_all());
    }
}
