//! The chunk itself, and the only ways to take rows out of it.

use super::{
    Altered, Example, Mark, Note, NoteKey, Notes, Origin, Permit, Place, Problem, Reject, Severity,
    Tally, Wording, quotable,
};
use polars::prelude::{BooleanChunked, DataFrame, NewChunkedArray};
use std::fmt;
use std::sync::Arc;

/// The raw records behind a chunk, for messages and dead letters.
pub trait RawRows: Send + Sync + fmt::Debug {
    /// Where record `record` of the chunk stands.
    fn place(&self, record: u32) -> Place;
    /// Its fields as they came, by name, in source order.
    fn fields(&self, record: u32) -> Vec<(String, String)>;
    /// The text of one field.
    fn field(&self, record: u32, field: usize) -> Option<String>;
    /// The texts of several fields.
    fn texts(&self, record: u32, fields: &[usize]) -> Vec<Option<String>> {
        fields.iter().map(|field| self.field(record, *field)).collect()
    }
    /// What would split a record whose only field is `_line`.
    fn grammar(&self) -> Option<LineGrammar> {
        None
    }
    /// What a replayed record was when it failed before; `None` for a record read from its source.
    fn earlier(&self, record: u32) -> Option<Earlier> {
        let _ = record;
        None
    }
    /// Byte and row position behind record `record` (its `record` count is left 0: only the order
    /// gate knows how many records came before the chunk).
    fn after(&self, record: u32) -> Mark;
    /// How the format's own program names the cell (`F1842`); `None` where it has no such name.
    fn address(&self, record: u32, field: usize) -> Option<String> {
        let _ = (record, field);
        None
    }
}

/// How a line of delimited text is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineGrammar {
    /// Between fields.
    pub delimiter: char,
    /// Around fields; `None`: quotes are text.
    pub quote: Option<char>,
    /// Before a quote inside quotes; `None`: it is doubled.
    pub escape: Option<char>,
}

/// Where a replayed record came from in the first place, and how often it has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Id of the failed record; the same for every attempt.
    pub id: u128,
    /// The run that wrote it.
    pub run: String,
    /// The file it was read from.
    pub origin: Arc<Origin>,
    /// Attempts so far, from 1.
    pub attempt: u32,
    /// When it failed for the first time.
    pub first_failed: chrono::DateTime<chrono::Utc>,
}

/// A cell whose text did not fit its column; the cell is null in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    /// Record index within the chunk.
    pub record: u32,
    /// Index into `ReadSchema::columns`.
    pub column: u16,
    /// Why.
    pub kind: MisfitKind,
}

/// Why a cell did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MisfitKind {
    /// Not of the column's type.
    Type,
    /// A whole number was expected and decimals came.
    Fraction,
    /// More digits than the type holds.
    Overflow,
    /// An id in scientific notation: a spreadsheet has rounded it.
    IdScientific,
    /// An id that came as a number too large to be exact (2^53 or more).
    IdInexact,
    /// A number with zeros in front, which its type has no room for.
    LeadingZeros,
    /// A whole number that a 64-bit float would round.
    Rounded,
    /// An error value of a formula (`#N/A`).
    CellError,
    /// Holds NUL or another character that no database stores.
    Unstorable,
    /// A code that was padded to its width: loaded, counted as a repair.
    Padded,
    /// Longer than the column's limit: loaded, noted (refused in keys).
    TooLong,
}

/// What the target holds under the key of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// Content hash.
    pub hash: u128,
    /// Release rank.
    pub rank: i64,
    /// Written by this run.
    pub this_run: bool,
    /// Its row number, where a replay finds that it comes from the same source.
    pub row: Option<u64>,
    /// Where it came from, for a target that remembers by that which of its rows were met again.
    pub held: Option<Held>,
}

/// A row of the target by where it came from. That names it until it is rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What had loaded it.
    pub of: Arc<Loaded>,
    /// Its row number there.
    pub row: u64,
}

/// A run with one of its sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Loaded {
    /// Run id.
    pub run: String,
    /// Source, as the rows bear it.
    pub source: String,
}

/// A closed account of consecutive source records.
#[derive(Debug)]
pub struct Chunk {
    /// Position in the input's order; no gaps.
    pub seq: u64,
    /// The input.
    pub origin: Arc<Origin>,
    /// Source records of this chunk.
    pub records: u32,
    /// Records of the input before this chunk; set by the order gate.
    pub first_record: u64,
    /// Typed columns of the kept rows.
    pub frame: DataFrame,
    /// Row i of the frame is record `index[i]` of the chunk.
    pub index: Vec<u32>,
    /// The raw records.
    pub raw: Arc<dyn RawRows>,
    /// Bytes that they hold, which are part of the permit.
    pub raw_bytes: u64,
    /// Cells that did not fit, ordered by record; `validate` turns them into rejects and notes.
    pub misfits: Vec<Misfit>,
    /// Cells that the reader has changed, by rows of the frame; `validate` turns them into notes.
    pub altered: Vec<Altered>,
    /// Refused rows.
    pub rejects: Vec<Reject>,
    /// Rows left out on purpose.
    pub filtered: u64,
    /// Findings that refuse nothing.
    pub notes: Notes,
    /// 128-bit content hash of each kept row; filled by the last agent.
    pub hashes: Vec<u128>,
    /// 128-bit hash of the key of each kept row; filled by the last agent where there is a key.
    pub keys: Vec<u128>,
    /// The target's row of the same key, as (frame row, what is there), ordered by row; filled by
    /// the last agent where the target already holds rows of this scope.
    pub existing: Vec<(u32, Existing)>,
    /// Memory held until the rows have reached the sink.
    pub permit: Option<Permit>,
}

impl Chunk {
    /// A chunk of no records.
    pub fn empty(frame: DataFrame, origin: Arc<Origin>, raw: Arc<dyn RawRows>) -> Self {
        Self {
            seq: 0,
            origin,
            records: 0,
            first_record: 0,
            frame,
            index: Vec::new(),
            raw,
            raw_bytes: 0,
            misfits: Vec::new(),
            altered: Vec::new(),
            rejects: Vec::new(),
            filtered: 0,
            notes: Notes::default(),
            hashes: Vec::new(),
            keys: Vec::new(),
            existing: Vec::new(),
            permit: None,
        }
    }

    /// Kept rows.
    pub fn kept(&self) -> usize {
        self.index.len()
    }

    /// Whether every source record is kept, rejected or filtered, and the frame agrees.
    pub fn balances(&self) -> bool {
        self.frame.height() == self.index.len()
            && self.index.len() + self.rejects.len() + self.filtered as usize
                == self.records as usize
    }

    /// What of the account is known so far.
    pub fn tally(&self) -> Tally {
        Tally {
            read: u64::from(self.records),
            rejected: self.rejects.len() as u64,
            filtered: self.filtered,
            ..Tally::default()
        }
    }

    /// Refuses rows: `problems` are (frame row, what is wrong), in any order, several a row allowed.
    pub fn reject(&mut self, stage: &'static str, problems: Vec<(usize, Problem)>) {
        if problems.is_empty() {
            return;
        }
        let mut keep = vec![true; self.kept()];
        let mut by_row: std::collections::BTreeMap<usize, Vec<Problem>> = Default::default();
        for (row, problem) in problems {
            keep[row] = false;
            by_row.entry(row).or_default().push(problem);
        }
        for (row, problems) in by_row {
            let record = self.index[row];
            let raw = self.raw.fields(record);
            self.rejects.push(Reject {
                record,
                place: self.raw.place(record),
                stage,
                problems: addressed(problems, self.raw.as_ref(), record, &raw),
            });
        }
        self.retain(&keep);
    }

    /// Keeps the rows whose flag is set. The caller has accounted for the others.
    fn retain(&mut self, keep: &[bool]) {
        let mask = BooleanChunked::from_slice("keep".into(), keep);
        self.frame = self
            .frame
            .filter(&mask)
            .expect("the mask is as long as the frame: both follow `index`");
        let mut flags = keep.iter();
        self.index.retain(|_| *flags.next().expect("one flag per row"));
    }

    /// Leaves rows out on purpose.
    pub fn filter_out(&mut self, keep: &[bool]) {
        let before = self.kept();
        self.retain(keep);
        self.filtered += (before - self.kept()) as u64;
    }

    /// Notes the same finding about the records behind several frame rows.
    pub fn note_rows(
        &mut self,
        rows: &[usize],
        key: NoteKey,
        severity: Severity,
        wording: impl Into<Wording>,
        value: impl Fn(&dyn RawRows, u32) -> Option<String>,
    ) {
        let raw = self.raw.as_ref();
        let example = |row: &usize| {
            let record = self.index[*row];
            let cell = address(raw, record, &raw.fields(record), &key.column);
            Example { place: raw.place(record), cell, value: value(raw, record) }
        };
        let examples = rows.iter().take(Note::EXAMPLES).map(example).collect();
        let records = rows.iter().map(|row| self.index[*row] as usize).collect();
        self.notes.add_marked(key, severity, wording, records, examples);
    }

    /// Notes a finding about the record behind frame row `row`.
    pub fn note<W: Into<Wording>>(
        &mut self,
        row: usize,
        key: NoteKey,
        severity: Severity,
        message: impl FnOnce() -> W,
        value: impl FnOnce(&dyn RawRows, u32) -> Option<String>,
    ) {
        let record = self.index[row];
        let raw = &self.raw;
        let column = key.column.clone();
        self.notes.add_at(record, key, severity, message, || Example {
            place: raw.place(record),
            cell: address(raw.as_ref(), record, &raw.fields(record), &column),
            value: value(raw.as_ref(), record).map(|value| quotable(&value)),
        });
    }
}

/// Adds the cells of a workbook to problems that name a column.
fn addressed(
    mut problems: Vec<Problem>,
    rows: &dyn RawRows,
    record: u32,
    fields: &[(String, String)],
) -> Vec<Problem> {
    for problem in &mut problems {
        if let (None, Some(column)) = (&problem.cell, &problem.column) {
            problem.cell = address(rows, record, fields, column);
        }
    }
    problems
}

fn address(
    rows: &dyn RawRows,
    record: u32,
    fields: &[(String, String)],
    column: &str,
) -> Option<String> {
    let field = fields.iter().position(|(name, _)| name == column)?;
    rows.address(record, field)
}
