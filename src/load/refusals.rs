//! Rows that a table does not take, found while they are written: failed records, and what they change in the
//! account of their group.

use super::cells::Handed;
use super::dead_letter::{DeadLetterError, Record};
use super::encode::NAME;
use super::target::WritePlan;
use super::{Behind, LoadError, LoadErrorKind, Replayed, Rows, Seal, Settled};
use crate::chunk::{
    Earlier, Example, Fate, NoteKey, Notes, Place, Problem, Reject, Severity, Wording,
};
use std::sync::atomic::Ordering;

/// Failed records that are made and written at a time.
const RECORDS: usize = 256;

/// Refused rows of the open group of a writer.
#[derive(Default)]
pub struct Refusals {
    /// Rows that were to go into the table, and beside it.
    not_inserted: u64,
    not_updated: u64,
    /// Their cells.
    cells: Handed,
    /// Findings about them, and about texts that were cut.
    notes: Notes,
}

/// What a writer keeps until the seal of its group, and refused rows change.
pub struct Kept<'w> {
    /// Keys of rows that are not inserted.
    pub settled: &'w mut Vec<Settled>,
    /// Failed records of earlier runs.
    pub replayed: &'w mut Vec<Replayed>,
}

impl Refusals {
    /// Makes failed records of rows and writes them; `put` gets them, too. `beside`: the rows were to replace others.
    pub fn add(
        &mut self,
        plan: &WritePlan,
        rows: &Rows,
        refused: &[(u32, Problem)],
        beside: bool,
        kept: &mut Kept<'_>,
        mut put: impl FnMut(&[Record]) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let Some((first, problem)) = refused.first() else { return Ok(()) };
        let Some(behind) = &rows.behind else {
            let message = format!("row {}: {}", rows.places[*first as usize], problem.message);
            return Err(LoadError::new(LoadErrorKind::Refused, message));
        };
        for some in refused.chunks(RECORDS) {
            let mut records = Vec::new();
            for (row, problem) in some {
                let at = *row as usize;
                self.cells.part(beside).add_row(&rows.frame, at);
                let reject = reject(plan, behind, at, problem);
                let context = plan.head.context(&behind.range);
                let record = Record::of(&reject, behind.raw.as_ref(), &context);
                self.note(&reject);
                if let Some(key) = behind.keys.get(at) {
                    let (key, row) = (*key, reject.place.row);
                    kept.settled.push(Settled { key, row, raise: None, held: None });
                }
                if let Some(earlier) = behind.raw.earlier(reject.record) {
                    refuse_again(kept.replayed, &earlier, record.content());
                }
                records.push(record);
            }
            plan.dead.append(&records).map_err(dead)?;
            put(&records)?;
        }
        let count = refused.len() as u64;
        *if beside { &mut self.not_updated } else { &mut self.not_inserted } += count;
        plan.refused.fetch_add(count, Ordering::Relaxed);
        plan.meters.rejected.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    fn note(&mut self, reject: &Reject) {
        for problem in &reject.problems {
            let key = NoteKey {
                code: problem.code,
                rule: problem.rule.clone().unwrap_or_default(),
                column: problem.column.clone().unwrap_or_default(),
            };
            let value = problem.value.clone();
            let hint = problem.hint.as_deref().unwrap_or_default();
            let message = || Wording::new(problem.message.as_str(), hint);
            let example = || Example { place: reject.place, cell: problem.cell.clone(), value };
            self.notes.add(key, Severity::Critical, message, example);
        }
    }

    /// Adds a finding about the row at a position that is loaded.
    pub fn warn(&mut self, key: NoteKey, rows: &Rows, row: u32, message: String) {
        let place = Place { row: rows.places[row as usize] as u64, byte: None };
        let example = || Example { place, cell: None, value: None };
        self.notes.add(key, Severity::Warning, || message, example);
    }

    /// Corrects what the gate has counted as loaded, and the table did not take.
    pub fn settle(&mut self, seal: &mut Seal) {
        let Self { not_inserted, not_updated, cells, notes } = std::mem::take(self);
        seal.tally.inserted -= not_inserted;
        seal.tally.updated -= not_updated;
        seal.tally.rejected += not_inserted + not_updated;
        seal.cells.iter_mut().for_each(|handed| handed.take(&cells));
        seal.notes.merge(notes);
    }
}

/// A replayed row that the target refuses is a failed record once more.
fn refuse_again(replayed: &mut [Replayed], earlier: &Earlier, content: u128) {
    let same = |replayed: &&mut Replayed| {
        replayed.id.0 == earlier.id && replayed.refused_by == earlier.run
    };
    if let Some(replayed) = replayed.iter_mut().find(same) {
        replayed.fate = Fate::Rejected;
        replayed.content = Some(content);
    }
}

/// The error of a file of failed records.
pub fn dead(error: DeadLetterError) -> LoadError {
    LoadError::new(LoadErrorKind::DeadLetters, error.to_string())
}

/// A refused row, with the column as the source calls it.
fn reject(plan: &WritePlan, behind: &Behind, at: usize, problem: &Problem) -> Reject {
    let record = behind.records[at];
    let mut problem = problem.clone();
    if let Some(column) = problem.column.take() {
        let header = source_name(plan, &column);
        let fields = behind.raw.fields(record);
        if let Some((_, value)) = fields.iter().find(|(name, _)| *name == header) {
            problem = problem.with_value(value);
        }
        problem.column = Some(header);
    }
    Reject { record, place: behind.raw.place(record), stage: NAME, problems: vec![problem] }
}

/// The header of a column of the table; its own name where the file has none of that name.
pub fn source_name(plan: &WritePlan, column: &str) -> String {
    let found = plan.head.headers.iter().find(|header| header.eq_ignore_ascii_case(column));
    found.map_or_else(|| column.to_owned(), Clone::clone)
}
