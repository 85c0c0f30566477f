//! Facts about all rows of a file, or of all files of a run, that are known when every row was seen: rows
//! that repeat a key, values far from the others, the newest day, the number of rows.
//!
//! A chunk gives its part on the worker that has it; the parts are put together in the order of the
//! file, so that findings and their examples are the same for any number of threads. A load that goes on
//! half-way shows its facts the rows before once more: they [begin](FileFact::begin) the input again, and
//! know nothing of how often that happened. Only rows that are loaded count. No row can be refused for
//! such a fact any more: a critical one ends the input before it is closed.

use super::NAME;
use crate::chunk::{Chunk, Code, NoteKey, Notes, ReadColumn, ReadSchema, Severity, Wording};
use crate::stage::StageError;

/// An input that shows its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactInput {
    /// Its place among those of the run.
    pub place: usize,
    /// Its name.
    pub name: String,
}

/// A fact about all rows.
pub trait FileFact: Send + Sync {
    /// An input begins. Where it had begun before, what was seen of it since does not count.
    fn begin(&self, input: &FactInput, schema: &ReadSchema) -> Result<(), StageError>;
    /// Looks at the rows of a chunk that are loaded.
    fn see(&self, chunk: &Chunk, schema: &ReadSchema) -> Result<(), StageError>;
    /// What was found in the input that went by last, once every chunk of it was seen.
    fn finding(&self, _schema: &ReadSchema) -> Notes {
        Notes::default()
    }
    /// What is known of all inputs together once the last of them was seen; each finding with the place
    /// of the input that it is told of.
    fn conclusion(&self) -> Vec<(usize, Notes)> {
        Vec::new()
    }
}

/// What all facts say about themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct FactRule {
    /// Rule id.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// Columns, by their names in the table.
    pub columns: Vec<String>,
    /// What a finding says.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl FactRule {
    /// The columns that the file has.
    pub(super) fn bound<'a>(&self, schema: &'a ReadSchema) -> Vec<&'a ReadColumn> {
        let bound = |name: &String| schema.position(name).map(|at| &schema.columns[at]);
        self.columns.iter().filter_map(bound).collect()
    }

    pub(super) fn key(&self, schema: &ReadSchema) -> NoteKey {
        let headers: Vec<_> = self.bound(schema).iter().map(|column| &*column.header).collect();
        NoteKey { code: Code::E304, rule: self.id.clone(), column: headers.join(", ") }
    }

    /// One finding about the file, and nothing about a row.
    pub(super) fn told(&self, key: NoteKey, message: &str) -> Notes {
        let mut notes = Notes::default();
        notes.add_count(key, self.severity, self.wording(message), 1);
        notes
    }

    /// A sentence with what to do.
    pub(super) fn wording(&self, message: &str) -> Wording {
        Wording::new(message, &self.hint)
    }

    pub(super) fn error(&self, what: impl std::fmt::Display) -> StageError {
        StageError::new(NAME, format!("rule {}: {what}", self.id))
    }
}

/// Rows of several inputs under numbers that go on from one input to the next.
#[derive(Debug, Default)]
pub(super) struct RowNumbers {
    /// Inputs with the number before that of their first row.
    inputs: Vec<(FactInput, u64)>,
    current: usize,
    most: u64,
}

impl RowNumbers {
    /// Rows of this input come now; one that was there before keeps its numbers.
    pub fn begin(&mut self, input: &FactInput) {
        let known = self.inputs.iter().position(|(known, _)| known.place == input.place);
        self.current = known.unwrap_or_else(|| {
            self.inputs.push((input.clone(), self.most));
            self.inputs.len() - 1
        });
    }

    /// The number of a row of the current input.
    pub fn number(&mut self, row: u64) -> u64 {
        let number = self.inputs.get(self.current).map_or(0, |(_, before)| *before) + row;
        self.most = self.most.max(number);
        number
    }

    /// The row with a number: its place in its input, and that input where it is not the current one.
    pub fn row(&self, number: u64) -> (u64, Option<&FactInput>) {
        let at = self.inputs.partition_point(|(_, before)| *before < number).saturating_sub(1);
        let Some((input, before)) = self.inputs.get(at) else { return (number, None) };
        (number - before, (at != self.current).then_some(input))
    }

    /// The input of a row.
    pub fn place(&self, number: u64) -> usize {
        let at = self.inputs.partition_point(|(_, before)| *before < number).saturating_sub(1);
        self.inputs.get(at).map_or(0, |(input, _)| input.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(place: usize) -> FactInput {
        FactInput { place, name: format!("{place}.csv") }
    }

    #[test]
    fn rows_of_several_inputs_have_numbers_of_their_own_that_stay() {
        let mut rows = RowNumbers::default();
        rows.begin(&input(0));
        assert_eq!([2, 9].map(|row| rows.number(row)), [2, 9]);
        rows.begin(&input(3));
        assert_eq!([2, 5].map(|row| rows.number(row)), [11, 14]);
        assert_eq!(rows.row(9), (9, Some(&input(0))));
        assert_eq!(rows.row(11), (2, None));
        assert_eq!((rows.place(9), rows.place(14)), (0, 3));
        rows.begin(&input(0));
        assert_eq!((rows.number(2), rows.row(11)), (2, (2, Some(&input(3)))));
    }
}
