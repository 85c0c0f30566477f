//! The ordered half of the `load` agent: one thread sees all chunks of an input in order and
//! decides the fate of each row.
//!
//! Groups: a group is a run of consecutive source records that ends where it holds exactly so many
//! inserted rows (`group_rows`, a multiple of DuckDB's row group; towards the end of an input fewer where
//! the target does not mind), so ranges may end inside a chunk. A group goes to the writer that has least
//! to do; each is one transaction. They may become durable in any order: the ledger holds ranges, and a
//! resumed run reads the gaps.
//!
//! Winner of a duplicate key: the first row in the order of the input. That holds for every chunk
//! size, thread count and kill, because only this thread decides, and a resumed run starts with the
//! keys of everything committed.

use super::dead_letter::{Letterhead, Record};
use super::group::Group;
use super::replayed::replayed;
use super::select::{cut_off, mark_after, pick, rejects};
use super::{KeySet, LoadError, LoadErrorKind, Piece, Seal, Settled, Writer};
use crate::chunk::{
    Chunk, Code, Example, Existing, Fate, Mark, NoteKey, Permit, Severity, Tally, Wording,
};
use crate::flow::{Consumer, Meters};
use crate::source::Extent;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Failed records of a piece.
const RECORDS: usize = 256;

/// What the gate must know of an input.
pub struct GatePlan {
    /// What all failed records share, the run's id among it.
    pub head: Arc<Letterhead>,
    /// Position of the input in the run.
    pub input: u32,
    /// Rows that the target has refused, where it may do that: counted by the writers.
    pub refused: Option<Arc<AtomicU64>>,
    /// Rank of the input's release.
    pub rank: i64,
    /// Inserted rows of a group.
    pub group_rows: u64,
    /// How much the input holds, where the last groups may be smaller.
    pub taper: Option<Extent>,
    /// Record ranges that are committed already.
    pub committed: Vec<Range<u64>>,
    /// Where reading starts.
    pub start: Mark,
    /// Refused rows so far in committed ranges, and rows read there.
    pub before: Tally,
    /// Most refused rows.
    pub max_errors: Option<u64>,
    /// Highest share of refused rows.
    pub max_rate: Option<f64>,
    /// Stop behind so many records.
    pub limit: Option<u64>,
}

/// Takes chunks in order and feeds the writers.
pub struct Gate<'a> {
    plan: GatePlan,
    writers: Vec<Box<dyn Writer + 'a>>,
    meters: Arc<Meters>,
    seen: KeySet,
    /// Keys that belong to a row of a gap, and not to the one behind it that was seen with them: no
    /// more than the rows of the groups that were lost.
    won: HashMap<u128, u64>,
    records: u64,
    end: Mark,
    group: Group,
    /// The writer of the last group, and of this one once it has rows.
    turn: usize,
    begun: bool,
    /// Account of what went through this gate.
    tally: Tally,
}

/// Rows of a chunk up to a group's end, by fate.
#[derive(Default)]
struct Part {
    inserts: Vec<u32>,
    changes: Vec<u32>,
    settled: Vec<Settled>,
    /// Fates by record, where records of an earlier run are replayed.
    fates: Option<Vec<(u32, Fate)>>,
}

impl<'a> Gate<'a> {
    /// A gate with the keys that committed ranges have seen.
    pub fn new(
        plan: GatePlan,
        writers: Vec<Box<dyn Writer + 'a>>,
        seen: KeySet,
        meters: Arc<Meters>,
    ) -> Self {
        let group = Group::new(&plan, plan.start, writers.len());
        let records = plan.start.record;
        let (end, tally) = (plan.start, Tally::default());
        Self {
            plan,
            writers,
            meters,
            seen,
            won: HashMap::new(),
            records,
            end,
            group,
            turn: 0,
            begun: false,
            tally,
        }
    }

    /// Seals the last group and ends the writers. Returns the account of what went through.
    pub fn finish(mut self) -> Result<Tally, LoadError> {
        if self.group.tally.read > 0 {
            self.seal(self.end)?;
        }
        for writer in &mut self.writers {
            writer.close()?;
        }
        self.check_budget(true)?;
        Ok(self.tally)
    }

    /// Point behind the last record seen.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The writer of this group: who has least to do when its first rows come, in turn where that is the
    /// same.
    fn writer(&mut self) -> &mut Box<dyn Writer + 'a> {
        if !std::mem::replace(&mut self.begun, true) {
            let count = self.writers.len();
            let next = (1..=count).map(|step| (self.turn + step) % count);
            self.turn = next.min_by_key(|at| self.writers[*at].open()).unwrap_or_default();
        }
        &mut self.writers[self.turn]
    }

    fn is_committed(&self, record: u64) -> bool {
        self.plan.committed.iter().any(|range| range.contains(&record))
    }

    fn take_chunk(&mut self, mut chunk: Chunk) -> Result<(), LoadError> {
        chunk.first_record = self.records;
        if let Some(limit) = self.plan.limit {
            cut_off(&mut chunk, limit.saturating_sub(self.records));
        }
        self.records += u64::from(chunk.records);
        let permit = self.permit(&mut chunk).map(Arc::new);
        let mut notes = std::mem::take(&mut chunk.notes);
        let mut from = 0;
        while from < chunk.records {
            if self.is_committed(chunk.first_record + u64::from(from)) {
                from = self.skip_committed(&chunk, from)?;
                continue;
            }
            let until = self.next_committed(&chunk, from);
            let (part, tally, to) = self.settle(&chunk, from..until)?;
            self.note_rejects(&chunk, from..to);
            self.group.tally += tally;
            self.tally += tally;
            self.group.notes.merge(match to - from == chunk.records {
                true => std::mem::take(&mut notes),
                false => notes.part(&(from..to)),
            });
            self.meters.settled.fetch_add(u64::from(to - from), Ordering::Relaxed);
            self.write_pieces(&chunk, from..to, part, &permit)?;
            if self.group.inserted == self.group.full || (to == until && to < chunk.records) {
                let mark = mark_after(&chunk, to);
                self.seal(mark)?;
            }
            from = to;
        }
        if chunk.records > 0 {
            self.end = mark_after(&chunk, chunk.records);
        } else {
            self.group.notes.merge(notes);
        }
        // A group of rows that are all unchanged never fills; it must become durable all the same.
        if self.group.tally.read >= self.plan.group_rows * 4 {
            self.seal(self.end)?;
        }
        self.check_budget(false)?;
        if self.plan.limit.is_some_and(|limit| self.records >= limit) {
            return Err(LoadError::new(LoadErrorKind::Enough, "enough rows"));
        }
        Ok(())
    }

    /// What a writer holds of a chunk: its raw records only where the target may refuse rows. Two writers
    /// are kept busy by what can be read instead of them; one has a small limit, which that would break
    /// (404 MiB of 384, measured).
    fn permit(&self, chunk: &mut Chunk) -> Option<Permit> {
        let mut permit = chunk.permit.take()?;
        if self.plan.refused.is_none() && self.writers.len() > 1 {
            permit.resize(permit.bytes().saturating_sub(chunk.raw_bytes));
        }
        Some(permit)
    }

    /// The first record at or behind `from` that is not committed; an open group ends before.
    fn skip_committed(&mut self, chunk: &Chunk, from: u32) -> Result<u32, LoadError> {
        let first = chunk.first_record;
        let to = (from..chunk.records)
            .find(|record| !self.is_committed(first + u64::from(*record)))
            .unwrap_or(chunk.records);
        if self.group.tally.read > 0 {
            // The group before reaches exactly to the first record of this chunk.
            self.seal(self.end)?;
        }
        let mark = mark_after(chunk, to);
        self.group = Group::new(&self.plan, mark, self.writers.len());
        Ok(to)
    }

    fn next_committed(&self, chunk: &Chunk, from: u32) -> u32 {
        let first = chunk.first_record;
        let next = self.plan.committed.iter().map(|range| range.start).filter(|start| {
            *start > first + u64::from(from) && *start < first + u64::from(chunk.records)
        });
        next.min().map_or(chunk.records, |start| (start - first) as u32)
    }

    /// Decides fates from record `range.start` on, until the range or the group is full. Returns
    /// the rows by fate, their account, and the record behind the last one settled.
    fn settle(
        &mut self,
        chunk: &Chunk,
        range: Range<u32>,
    ) -> Result<(Part, Tally, u32), LoadError> {
        let replay = chunk.raw.earlier(range.start).is_some();
        let mut part = Part { fates: replay.then(Vec::new), ..Part::default() };
        let mut tally = Tally::default();
        let begin = chunk.index.partition_point(|record| *record < range.start);
        let mut to = range.end;
        let mut existing = chunk.existing.as_slice();
        existing = &existing[existing.partition_point(|(row, _)| (*row as usize) < begin)..];
        for row in begin..chunk.index.len() {
            let record = chunk.index[row];
            if record >= range.end {
                break;
            }
            let found = match existing.first() {
                Some((at, found)) if *at as usize == row => {
                    existing = &existing[1..];
                    Some(found)
                }
                _ => None,
            };
            let fate = self.fate(chunk, row, found)?;
            tally.count(fate, 1);
            part.fates.iter_mut().for_each(|fates| fates.push((record, fate)));
            self.place(chunk, row, fate, found, &mut part);
            if self.group.inserted == self.group.full {
                to = record + 1;
                break;
            }
        }
        tally.read = u64::from(to - range.start);
        let rejected = rejects(chunk, range.start..to).count() as u64;
        tally.count(Fate::Rejected, rejected);
        // Filtered rows leave no trace in the chunk: what is neither kept nor rejected.
        let filtered = tally.read - tally.settled();
        tally.count(Fate::Filtered, filtered);
        Ok((part, tally, to))
    }

    fn fate(
        &mut self,
        chunk: &Chunk,
        row: usize,
        existing: Option<&Existing>,
    ) -> Result<Fate, LoadError> {
        if let Some(key) = chunk.keys.get(row) {
            let place = chunk.raw.place(chunk.index[row]);
            if let Some(known) = self.seen.insert(*key, place.row)? {
                let first = self.won.get(key).copied().unwrap_or(known);
                if !self.was_first(chunk, row, first) {
                    self.note_duplicate(chunk, row, first);
                    return Ok(Fate::Duplicate);
                }
                self.won.insert(*key, place.row);
            }
        }
        let Some(found) = existing else { return Ok(Fate::Inserted) };
        Ok(if found.rank > self.plan.rank {
            Fate::Superseded
        } else if found.this_run && found.rank == self.plan.rank {
            self.note_duplicate(chunk, row, 0);
            Fate::Duplicate
        } else if let Some(first) = self.earlier_row(chunk, row, found) {
            self.note_duplicate(chunk, row, first);
            Fate::Duplicate
        } else if found.hash == chunk.hashes[row] {
            Fate::Unchanged
        } else {
            Fate::Updated
        })
    }

    /// Whether a row of a gap stands before the one that is known to have its key. That one was its
    /// duplicate when both went through, and its group was committed while this row's was lost.
    fn was_first(&self, chunk: &Chunk, row: usize, known: u64) -> bool {
        let record = chunk.index[row];
        chunk.raw.place(record).row < known && chunk.raw.earlier(record).is_none()
    }

    /// The row that would have won over a replayed one, had that been sound from the beginning: it
    /// stands further up in the same source.
    fn earlier_row(&self, chunk: &Chunk, row: usize, found: &Existing) -> Option<u64> {
        let place = chunk.raw.place(chunk.index[row]).row;
        found.row.filter(|first| found.rank == self.plan.rank && *first < place)
    }

    /// Counts refused rows by their worst problem, with examples, so that the ledger can tell
    /// without the failed-record file.
    fn note_rejects(&mut self, chunk: &Chunk, records: Range<u32>) {
        for reject in rejects(chunk, records) {
            let Some(problem) = reject.problems.first() else { continue };
            let key = NoteKey {
                code: problem.code,
                rule: problem.rule.clone().unwrap_or_default(),
                column: problem.column.clone().unwrap_or_default(),
            };
            let example = || Example {
                place: reject.place,
                cell: problem.cell.clone(),
                value: problem.value.clone(),
            };
            self.group.notes.add(
                key,
                Severity::Critical,
                || Wording { message: problem.message.clone(), hint: problem.hint.clone() },
                example,
            );
        }
    }

    fn note_duplicate(&mut self, chunk: &Chunk, row: usize, first: u64) {
        let record = chunk.index[row];
        let key = NoteKey { code: Code::E302, rule: "duplicate".into(), column: String::new() };
        let value = match first {
            0 => "the key stands in an earlier file of this run".to_owned(),
            first => format!("the key stands first in row {first}"),
        };
        self.group.notes.add(
            key,
            Severity::Warning,
            || {
                Wording::new(
                    "the key stands in an earlier row; the first one counts",
                    "see which of the two rows is right, and keep only that one in the source",
                )
            },
            || Example { place: chunk.raw.place(record), cell: None, value: Some(value) },
        );
    }

    fn place(
        &mut self,
        chunk: &Chunk,
        row: usize,
        fate: Fate,
        found: Option<&Existing>,
        part: &mut Part,
    ) {
        match fate {
            Fate::Inserted => {
                part.inserts.push(row as u32);
                self.group.inserted += 1;
                return;
            }
            Fate::Updated => part.changes.push(row as u32),
            _ => {}
        }
        let raise = match (fate, found) {
            (Fate::Unchanged, Some(found)) if found.rank < self.plan.rank => Some(found.hash),
            _ => None,
        };
        let as_it_is = matches!(fate, Fate::Unchanged | Fate::Superseded);
        let held = found.filter(|_| as_it_is).and_then(|found| found.held.clone());
        if let Some(key) = chunk.keys.get(row) {
            let row = chunk.raw.place(chunk.index[row]).row;
            part.settled.push(Settled { key: *key, row, raise, held });
        }
    }

    /// What a writer gets of some records. Failed records come in pieces of their own where there are
    /// many: complete and by name, they are many times their rows.
    fn write_pieces(
        &mut self,
        chunk: &Chunk,
        records: Range<u32>,
        part: Part,
        permit: &Option<Arc<Permit>>,
    ) -> Result<(), LoadError> {
        let refused: Vec<_> = rejects(chunk, records.clone()).collect();
        // A replay needs all of its own at once.
        let at_once = if part.fates.is_some() { refused.len() } else { RECORDS };
        let (first, more) = refused.split_at(at_once.min(refused.len()));
        let range = self.plan.refused.is_some().then_some(&self.group.range);
        let mut piece = Piece {
            inserts: pick(chunk, &part.inserts, range)?,
            changes: pick(chunk, &part.changes, range)?,
            settled: part.settled,
            rejects: self.failed(chunk, first),
            replayed: Vec::new(),
            permit: permit.clone(),
        };
        if let Some(fates) = part.fates {
            let again: Vec<_> =
                first.iter().map(|reject| reject.record).zip(&piece.rejects).collect();
            piece.replayed = replayed(chunk, records, &fates, &again);
        }
        self.writer().write(piece)?;
        for some in more.chunks(RECORDS) {
            let rejects = self.failed(chunk, some);
            let piece = Piece { rejects, permit: permit.clone(), ..Piece::default() };
            self.writer().write(piece)?;
        }
        Ok(())
    }

    /// Failed records as they are written.
    fn failed(&self, chunk: &Chunk, rejects: &[&crate::chunk::Reject]) -> Vec<Record> {
        let context = self.plan.head.context(&self.group.range);
        rejects.iter().map(|reject| Record::of(reject, chunk.raw.as_ref(), &context)).collect()
    }

    fn seal(&mut self, to: Mark) -> Result<(), LoadError> {
        let next = Group::new(&self.plan, to, self.writers.len());
        let group = std::mem::replace(&mut self.group, next);
        let seal = Seal {
            range: group.range,
            from: group.from,
            to,
            tally: group.tally,
            notes: group.notes,
            cells: None,
        };
        self.writer().seal(seal)?;
        self.begun = false;
        Ok(())
    }

    /// Stops when too many rows are refused. The rate is looked at from 1,000 rows on, so that one
    /// bad first row is not 100 %, and at the end.
    fn check_budget(&self, last: bool) -> Result<(), LoadError> {
        let read = self.plan.before.read + self.tally.read;
        let refused = self.plan.refused.as_ref().map_or(0, |count| count.load(Ordering::Relaxed));
        let rejected = self.plan.before.rejected + self.tally.rejected + refused;
        if let Some(max) = self.plan.max_errors.filter(|max| rejected > *max) {
            return Err(over_budget(format!("{rejected} rows are refused, {max} are allowed")));
        }
        let rate = rejected as f64 / read.max(1) as f64;
        match self.plan.max_rate {
            Some(max) if rate > max && (last || read >= 1_000) => Err(over_budget(format!(
                "{rejected} of {read} rows are refused ({:.2} %), {:.2} % are allowed",
                rate * 100.0,
                max * 100.0
            ))),
            _ => Ok(()),
        }
    }
}

fn over_budget(message: String) -> LoadError {
    LoadError::new(LoadErrorKind::ErrorBudget, message).with_hint(
        "look at the failed records; raise --max-errors or --max-error-rate if they are to be \
         expected",
    )
}

impl Consumer for Gate<'_> {
    type Error = LoadError;

    fn take(&mut self, chunk: Chunk) -> Result<(), LoadError> {
        self.take_chunk(chunk)
    }
}
