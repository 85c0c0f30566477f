//! The rows of a source beside those of the table, cell by cell: for an input that was loaded under older rules
//! of values, and for a table that keeps no hashes.
//!
//! Both come in the order of their row numbers. A cell that differs is held against the changes of the rules since
//! the load. What one of them explains is counted with examples; so are rows that were refused then and are
//! loaded today, and the other way round.

use super::{EXAMPLES, VerifiedInput};
use crate::chunk::{Chunk, Existing, Problem, ReadColumn, Reject, quotable};
use crate::duck::Value;
use crate::flow::Consumer;
use crate::load::stored::{Compared, StoredRow, StoredRows, cell};
use crate::load::{KeySet, LoadError, LoadErrorKind, cut_off};
use crate::run::prepare::Prepared;
use crate::run::value_rules::{Change, Difference, Outcome, ValueRules};
use polars::prelude::Column;
use serde::Serialize;
use std::collections::BTreeMap;

/// Cells that differ because a rule has changed since they were loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleDifference {
    /// Version of the rules that has brought the change.
    pub version: u32,
    /// What has changed.
    pub rule: String,
    /// Cells.
    pub cells: u64,
    /// The first few.
    pub examples: Vec<CellDifference>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellDifference {
    /// Row of the source.
    pub row: u64,
    /// Column of the table.
    pub column: String,
    /// As it was loaded; null: no value.
    pub was: Option<String>,
    /// As it would be loaded today; null: no value.
    pub is: Option<String>,
}

/// In the place of a value: the row is refused.
const REFUSED: &str = "(refused)";

/// The source and the columns of its table.
pub(super) struct Sides<'a> {
    pub input: &'a Prepared,
    pub compared: &'a Compared,
    pub rules: &'a ValueRules,
    /// Version of the rules under which it was loaded.
    pub under: u32,
    /// Whether rows are told apart by a key.
    pub has_key: bool,
    /// As many records of the source were loaded at most.
    pub limit: Option<u64>,
    /// Rows that the load has refused.
    pub refused: u64,
    /// Of these, by the target itself.
    pub by_target: u64,
    /// As many rows of the input have given way to later ones.
    pub rewritten: u64,
}

impl Sides<'_> {
    /// What is read from the source for a column of the table; other columns follow from those.
    fn read(&self, column: &str) -> Option<&ReadColumn> {
        let Prepared { schema, fitted, mapping, .. } = self.input;
        let mut read = schema.columns.iter().filter(|_| mapping.is_none());
        read.find(|read| fitted.name(&read.name) == column)
    }

    /// What the source has for a column of the table, as it came.
    fn raw(&self, chunk: &Chunk, record: u32, column: &str) -> Option<String> {
        let read = self.read(column)?;
        let masked = self.input.masks.columns.iter().any(|masked| masked.name == read.name);
        if masked { None } else { chunk.raw.field(record, read.field) }
    }

    /// Position among the compared columns of the one that a finding names as the source does.
    fn position_of(&self, header: &str) -> Option<usize> {
        let mut read = self.input.schema.columns.iter();
        let read = read.find(|column| column.header == header || column.name == header)?;
        let name = self.input.fitted.name(&read.name);
        self.compared.columns().iter().position(|compared| compared.name == name)
    }
}

/// A row of the source that would be loaded today.
struct Row<'a> {
    chunk: &'a Chunk,
    /// Its cells: the columns of the frame, in the order of the compared ones.
    columns: &'a [Option<&'a Column>],
    /// Position in the frame.
    at: usize,
    record: u32,
    place: u64,
}

/// A cell of a row that differs.
struct Differing {
    /// Position among the compared columns.
    at: usize,
    raw: Option<String>,
    old: Value,
    new: Value,
}

/// Takes the rows of the source in order, each with what the target holds under its key.
pub(super) struct ByCells<'a> {
    sides: Sides<'a>,
    stored: StoredRows,
    seen: KeySet,
    /// Counts of rows, by the names of [`VerifiedInput`].
    found: VerifiedInput,
    /// Rows that were refused then and would be loaded today.
    accepted: u64,
    changes: BTreeMap<(u32, &'static str), RuleDifference>,
}

impl<'a> ByCells<'a> {
    /// Before the first row.
    pub fn new(sides: Sides<'a>, stored: StoredRows, seen: KeySet) -> Self {
        let (found, changes) = (VerifiedInput::default(), BTreeMap::new());
        Self { sides, stored, seen, found, accepted: 0, changes }
    }

    /// When the source is read.
    pub fn end(mut self) -> VerifiedInput {
        self.orphans(u64::MAX);
        let Self { sides, mut found, accepted, changes, .. } = self;
        // No more rows can have been refused then than the ledger knows of.
        let too_many = (accepted + found.refused).saturating_sub(sides.refused).min(accepted);
        found.by_rules -= too_many;
        found.missing += too_many;
        let by_target = sides.by_target.min(found.missing);
        found.refused += by_target;
        found.missing -= by_target;
        if !sides.has_key {
            // Without a key they cannot be found among the others.
            let later = found.missing.min(sides.rewritten);
            found.later = later;
            found.missing -= later;
        }
        found.changes = changes.into_values().collect();
        found
    }

    fn note(&mut self, row: u64) {
        if self.found.rows.len() < EXAMPLES {
            self.found.rows.push(row);
        }
    }

    /// Rows of the table before the row `end` that no row of the source has taken.
    fn orphans(&mut self, end: u64) {
        while let Some(stored) = self.stored.next_before(end) {
            self.extra(stored.row);
        }
    }

    fn extra(&mut self, row: u64) {
        self.found.extra += 1;
        self.note(row);
    }

    /// A row that would be loaded today.
    fn kept(
        &mut self,
        row: &Row<'_>,
        existing: Option<&Existing>,
        stored: Option<StoredRow>,
    ) -> Result<(), LoadError> {
        if let Some(key) = row.chunk.keys.get(row.at)
            && self.seen.insert(*key, row.place)?.is_some()
        {
            self.found.repeated += 1;
            if stored.is_some() {
                self.extra(row.place);
            }
            return Ok(());
        }
        match stored {
            Some(stored) => self.beside(row, stored),
            None => self.absent(row, existing),
        }
        Ok(())
    }

    /// A row that the table holds, too.
    fn beside(&mut self, row: &Row<'_>, stored: StoredRow) {
        if stored.hash == Some(row.chunk.hashes[row.at]) {
            self.found.same += 1;
            return;
        }
        let (differing, is_all) = self.differing(row, stored);
        match self.explained(&differing) {
            Some(_) if is_all && differing.is_empty() => self.found.same += 1,
            Some(changes) if is_all => {
                self.found.by_rules += 1;
                for (cell, change) in differing.iter().zip(changes) {
                    let column = self.sides.compared.columns()[cell.at].name.clone();
                    let (was, is) = (text(&cell.old), text(&cell.new));
                    self.count(change, CellDifference { row: row.place, column, was, is });
                }
            }
            _ => {
                self.found.different += 1;
                self.note(row.place);
            }
        }
    }

    /// The cells in which two rows differ, and whether these are all: what is left of the hashes of the rows tells
    /// whether there are others.
    fn differing(&self, row: &Row<'_>, stored: StoredRow) -> (Vec<Differing>, bool) {
        let hash = row.chunk.hashes[row.at];
        let (mut differing, mut rest) = (Vec::new(), stored.hash.map(|old| (old, hash)));
        let columns = self.sides.compared.columns();
        for (at, (column, old)) in columns.iter().zip(stored.cells).enumerate() {
            let new = row.columns[at].map_or(Value::Null, |column| cell(column, row.at));
            let hashes = column.hash(&old).zip(column.hash(&new));
            rest = rest.zip(hashes).map(|((old_rest, new_rest), (old, new))| {
                (old_rest.wrapping_sub(old), new_rest.wrapping_sub(new))
            });
            if hashes.is_none_or(|(old, new)| old != new) {
                let raw = self.sides.raw(row.chunk, row.record, &column.name);
                let (old, new) = (column.shown(&old), column.shown(&new));
                differing.push(Differing { at, raw, old, new });
            }
        }
        (differing, rest.is_none_or(|(old, new)| old == new))
    }

    /// The change that explains each of the cells of a row: what is not read from the source follows from what is.
    /// `None`: one of them is not explained.
    fn explained(&self, differing: &[Differing]) -> Option<Vec<&'static Change>> {
        let Sides { rules, under, compared, .. } = &self.sides;
        let name = |cell: &Differing| compared.columns()[cell.at].name.as_str();
        let direct = |cell: &Differing| {
            let (old, new) = (Outcome::Value(&cell.old), Outcome::Value(&cell.new));
            let raw = cell.raw.as_deref();
            rules.explains(*under, &Difference { column: name(cell), raw, old, new })
        };
        let found: Vec<_> = differing.iter().map(direct).collect();
        let lead = found.iter().flatten().next().copied();
        let change = |(cell, direct): (&Differing, &Option<&'static Change>)| {
            direct.or_else(|| lead.filter(|_| self.sides.read(name(cell)).is_none()))
        };
        differing.iter().zip(&found).map(change).collect()
    }

    fn count(&mut self, change: &'static Change, cell: CellDifference) {
        let entry = self.changes.entry((change.version, change.what));
        let counted = entry.or_insert_with(|| RuleDifference {
            version: change.version,
            rule: change.what.to_owned(),
            cells: 0,
            examples: Vec::new(),
        });
        counted.cells += 1;
        if counted.examples.len() < EXAMPLES {
            counted.examples.push(cell);
        }
    }

    /// A row of which the table has nothing under this input.
    fn absent(&mut self, row: &Row<'_>, existing: Option<&Existing>) {
        match existing {
            Some(found) if found.hash == row.chunk.hashes[row.at] => self.found.same += 1,
            Some(found) if found.rank > self.sides.input.rank() || !found.this_run => {
                self.found.later += 1;
            }
            Some(_) => {
                self.found.different += 1;
                self.note(row.place);
            }
            None => match self.was_refused(row) {
                Some((change, cell)) => {
                    (self.accepted, self.found.by_rules) =
                        (self.accepted + 1, self.found.by_rules + 1);
                    self.count(change, cell);
                }
                None => {
                    self.found.missing += 1;
                    self.note(row.place);
                }
            },
        }
    }

    /// The change without which a row would be refused.
    fn was_refused(&self, row: &Row<'_>) -> Option<(&'static Change, CellDifference)> {
        let Sides { rules, under, compared, .. } = &self.sides;
        let mut columns = compared.columns().iter().zip(row.columns);
        columns.find_map(|(column, cells)| {
            let raw = self.sides.raw(row.chunk, row.record, &column.name)?;
            let new = cells.map_or(Value::Null, |cells| cell(cells, row.at));
            let new = column.shown(&new);
            let difference = Difference {
                column: &column.name,
                raw: Some(&raw),
                old: Outcome::Refused,
                new: Outcome::Value(&new),
            };
            let change = rules.explains(*under, &difference)?;
            let (was, is) = (Some(REFUSED.to_owned()), text(&new));
            let column = column.name.clone();
            Some((change, CellDifference { row: row.place, column, was, is }))
        })
    }

    /// A row that would be refused today.
    fn refused(&mut self, chunk: &Chunk, reject: &Reject, stored: Option<StoredRow>) {
        let Some(stored) = stored else {
            self.found.refused += 1;
            return;
        };
        let cells: Option<Vec<_>> = reject
            .problems
            .iter()
            .map(|problem| self.refuses(chunk, reject, problem, &stored))
            .collect();
        match cells {
            Some(cells) if !cells.is_empty() => {
                self.found.by_rules += 1;
                cells.into_iter().for_each(|(change, cell)| self.count(change, cell));
            }
            _ => self.extra(stored.row),
        }
    }

    /// The change because of which a row that was loaded is refused.
    fn refuses(
        &self,
        chunk: &Chunk,
        reject: &Reject,
        problem: &Problem,
        stored: &StoredRow,
    ) -> Option<(&'static Change, CellDifference)> {
        let at = self.sides.position_of(problem.column.as_deref()?)?;
        let column = &self.sides.compared.columns()[at];
        let old = column.shown(stored.cells.get(at)?);
        let raw = self.sides.raw(chunk, reject.record, &column.name);
        let difference = Difference {
            column: &column.name,
            raw: raw.as_deref(),
            old: Outcome::Value(&old),
            new: Outcome::Refused,
        };
        let change = self.sides.rules.explains(self.sides.under, &difference)?;
        let (was, is) = (text(&old), Some(REFUSED.to_owned()));
        Some((change, CellDifference { row: stored.row, column: column.name.clone(), was, is }))
    }
}

/// A value for people and scripts, cut and safe for a terminal; `None`: there is none.
fn text(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| quotable(&value.to_string()))
}

/// What the agents made of a record.
enum Made<'a> {
    Row(usize),
    Reject(&'a Reject),
}

impl Consumer for ByCells<'_> {
    type Error = LoadError;

    fn take(&mut self, mut chunk: Chunk) -> Result<(), LoadError> {
        if let Some(limit) = self.sides.limit {
            cut_off(&mut chunk, limit.saturating_sub(self.found.read));
        }
        self.found.read += u64::from(chunk.records);
        let chunk = &chunk;
        let compared = self.sides.compared.columns().iter();
        let columns: Vec<_> =
            compared.map(|column| chunk.frame.column(&column.name).ok()).collect();
        let rows = chunk.index.iter().enumerate().map(|(at, record)| (*record, Made::Row(at)));
        let rejects = chunk.rejects.iter().map(|reject| (reject.record, Made::Reject(reject)));
        let mut made: Vec<_> = rows.chain(rejects).collect();
        made.sort_by_key(|(record, _)| *record);
        let mut existing = chunk.existing.iter().peekable();
        for (record, what) in made {
            let place = chunk.raw.place(record).row;
            self.orphans(place);
            let stored = self.stored.take(place);
            match what {
                Made::Row(at) => {
                    let found = existing.next_if(|(row, _)| *row as usize == at);
                    let row = Row { chunk, columns: &columns, at, record, place };
                    self.kept(&row, found.map(|(_, found)| found), stored)?;
                }
                Made::Reject(reject) => self.refused(chunk, reject, stored),
            }
        }
        match self.sides.limit {
            Some(limit) if self.found.read >= limit => {
                Err(LoadError::new(LoadErrorKind::Enough, "enough rows"))
            }
            _ => Ok(()),
        }
    }
}
