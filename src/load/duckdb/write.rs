//! One writer: one connection, one transaction a group.

use super::ROW_GROUP;
use super::constraints::Guards;
use super::count::{Commits, Counter};
use super::insert::Inserter;
use super::replayed;
use super::turns::Turns;
use crate::chunk::Problem;
use crate::duck::{Appender, Connection, Database, Frame};
use crate::load::cells::Handed;
use crate::load::dead_letter::Record;
use crate::load::ledger;
use crate::load::refusals::{Kept, Refusals, dead};
use crate::load::table::Strategy;
use crate::load::target::{SCHEMA, WritePlan};
use crate::load::{Link, LoadError, Piece, Replayed, Rows, Seal, Settled, Writer};
use polars_arrow::array::Utf8ViewArray;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

/// Changed rows that wait before they go into the side table: few at a time would make every
/// statement cost more than its rows.
const CHANGED_ROWS: usize = 16_384;

/// The file that all writers share.
pub(super) struct File {
    pub db: Database,
    pub turns: Arc<Turns>,
    pub commits: Arc<Commits>,
}

/// Writes groups on one connection.
pub struct DuckWriter {
    con: Connection,
    file: File,
    plan: Arc<WritePlan>,
    inserts: Into,
    changes: Option<Into>,
    open: bool,
    /// Rows of the open transaction.
    inserted: u64,
    pending: Pending,
}

/// A table that rows go into, and what the open transaction has added to it.
struct Into {
    inserter: Inserter,
    counter: Counter,
    guards: Option<Guards>,
}

impl Into {
    /// `keys`: whether the constraints of the plan's table on several rows are to hold among rows that are here.
    fn new(
        con: &Connection,
        (schema, table): (&str, &str),
        plan: &WritePlan,
        commits: &Arc<Commits>,
        keys: bool,
    ) -> Result<Self, LoadError> {
        let inserter = Inserter::new(con, schema, table, &plan.spec)?;
        let counter = Counter::new(schema, table, inserter.columns(), plan, Arc::clone(commits));
        let relation = keys.then(|| inserter.relation().to_owned());
        let guards = Guards::of(con, (Link::schema(con), &plan.spec), relation)?;
        Ok(Self { inserter, counter, guards })
    }

    /// Inserts rows. Returns those that break a constraint of the table, by position.
    fn insert(
        &mut self,
        con: &Connection,
        rows: &Rows,
        plan: &WritePlan,
    ) -> Result<Vec<(u32, Problem)>, LoadError> {
        let refused = match &mut self.guards {
            Some(guards) => guards.refused(con, &self.inserter, rows, &plan.provenance)?,
            None => Vec::new(),
        };
        let frame = match refused.is_empty() {
            true => self.inserter.in_order(rows, &plan.provenance)?,
            false => {
                let bad: HashSet<u32> = refused.iter().map(|(row, _)| *row).collect();
                let good: Vec<_> =
                    (0..rows.len() as u32).filter(|row| !bad.contains(row)).collect();
                self.inserter.in_order(&rows.some(&good)?, &plan.provenance)?
            }
        };
        if !frame.is_empty() {
            self.counter.given(&frame);
            self.inserter.insert(con, frame)?;
        }
        Ok(refused)
    }
}

/// What a group holds that goes out with its seal.
#[derive(Default)]
struct Pending {
    rejects: bool,
    settled: Vec<Settled>,
    replayed: Vec<Replayed>,
    changes: Vec<Rows>,
    changed_rows: usize,
    /// Rows that the table does not take.
    refusals: Refusals,
}

impl DuckWriter {
    /// A writer with its own connection.
    pub(super) fn new(
        con: Connection,
        file: File,
        plan: Arc<WritePlan>,
    ) -> Result<Self, LoadError> {
        let beside = |side: Option<String>, keys: bool| {
            side.map(|side| Into::new(&con, (SCHEMA, &side), &plan, &file.commits, keys))
                .transpose()
        };
        let (inserts, changes) = match plan.strategy {
            Strategy::Replace => (beside(plan.side(), true)?, None),
            // Changed rows have the keys of rows that are there.
            Strategy::Insert | Strategy::Merge => (None, beside(plan.side(), false)?),
        };
        let inserts = match inserts {
            Some(inserts) => inserts,
            None => {
                let place = (Link::schema(&con), plan.spec.name.as_str());
                Into::new(&con, place, &plan, &file.commits, true)?
            }
        };
        let pending = Pending::default();
        Ok(Self { con, file, plan, inserts, changes, open: false, inserted: 0, pending })
    }

    fn begin(&mut self) -> Result<(), LoadError> {
        if !self.open {
            self.file.turns.enter();
            self.open = true;
            self.con.begin()?;
        }
        Ok(())
    }

    /// The transaction is over, in one way or the other.
    fn leave(&mut self) {
        self.open = false;
        let groups = std::mem::take(&mut self.inserted).div_ceil(ROW_GROUP);
        self.file.turns.leave(groups * self.plan.spec.all_columns().count() as u64);
    }

    fn flush_changes(&mut self) -> Result<(), LoadError> {
        let Some(changes) = &mut self.changes else { return Ok(()) };
        let mut all = Vec::new();
        for rows in std::mem::take(&mut self.pending.changes) {
            let refused = changes.insert(&self.con, &rows, &self.plan)?;
            all.push((rows, refused));
        }
        self.pending.changed_rows = 0;
        all.iter().try_for_each(|(rows, refused)| self.refuse(rows, refused, true))
    }

    /// Makes failed records of rows that the table does not take.
    fn refuse(
        &mut self,
        rows: &Rows,
        refused: &[(u32, Problem)],
        beside: bool,
    ) -> Result<(), LoadError> {
        let Self { con, plan, pending, .. } = self;
        let Pending { settled, replayed, refusals, rejects, .. } = pending;
        *rejects |= !refused.is_empty();
        let kept = &mut Kept { settled, replayed };
        refusals.add(plan, rows, refused, beside, kept, |records| put_beside(plan, con, records))
    }

    fn flush_settled(&mut self) -> Result<(), LoadError> {
        let settled = std::mem::take(&mut self.pending.settled);
        if settled.is_empty() {
            return Ok(());
        }
        let mut frame = Frame::new();
        let run = self.plan.run.as_str();
        let runs = Utf8ViewArray::from_slice_values(vec![run; settled.len()]);
        frame.push("run", Box::new(runs))?;
        let input = vec![self.plan.input as i32; settled.len()];
        frame.push("input", Box::new(polars_arrow::array::PrimitiveArray::from_vec(input)))?;
        frame.push_uuids("key", settled.iter().map(|settled| Some(settled.key)))?;
        let rows = settled.iter().map(|settled| settled.row as i64).collect();
        frame.push("row", Box::new(polars_arrow::array::PrimitiveArray::<i64>::from_vec(rows)))?;
        frame.push_uuids("raise", settled.iter().map(|settled| settled.raise))?;
        let mut appender: Appender<'_> = self.con.appender(SCHEMA, "settled")?;
        appender.append(&frame)?;
        Ok(appender.close()?)
    }

    /// Whether the tables have the cells that were handed over for them.
    fn count_cells(&mut self, handed: Option<&Handed>) -> Result<(), LoadError> {
        let changes = self.changes.as_mut().map(|changes| &mut changes.counter);
        let Some(handed) = handed else {
            self.inserts.counter.forget();
            changes.into_iter().for_each(Counter::forget);
            return Ok(());
        };
        self.inserts.counter.check(&self.con, &handed.inserted)?;
        changes.map_or(Ok(()), |changes| changes.check(&self.con, &handed.changed))
    }

    /// Ledger row and findings, in the open transaction.
    fn record(&self, seal: &Seal) -> Result<(), LoadError> {
        ledger::insert_range(&self.con, &self.plan.run, self.plan.input, seal)
    }
}

impl Writer for DuckWriter {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        let started = Instant::now();
        self.begin()?;
        let mut written = 0;
        self.pending.replayed.extend(piece.replayed);
        if let Some(rows) = piece.inserts {
            written += rows.len();
            self.inserted += rows.len() as u64;
            let refused = self.inserts.insert(&self.con, &rows, &self.plan)?;
            self.refuse(&rows, &refused, false)?;
        }
        if !piece.rejects.is_empty() {
            self.plan.dead.append(&piece.rejects).map_err(dead)?;
            self.pending.rejects = true;
            put_beside(&self.plan, &self.con, &piece.rejects)?;
        }
        self.pending.settled.extend(piece.settled);
        if let Some(rows) = piece.changes {
            self.pending.changed_rows += rows.len();
            self.pending.changes.push(rows);
            if self.pending.changed_rows >= CHANGED_ROWS {
                self.flush_changes()?;
            }
        }
        if let Some(meter) = self.plan.meters.of("load") {
            meter.worked(written as u64, started.elapsed());
        }
        Ok(())
    }

    fn seal(&mut self, mut seal: Seal) -> Result<(), LoadError> {
        let started = Instant::now();
        self.begin()?;
        self.flush_changes()?;
        self.pending.refusals.settle(&mut seal);
        self.count_cells(seal.cells.as_ref())?;
        self.flush_settled()?;
        let replayed = std::mem::take(&mut self.pending.replayed);
        replayed::insert(&self.con, &self.plan.run, self.plan.input, &replayed)?;
        if self.pending.rejects {
            self.plan.dead.sync().map_err(dead)?;
            self.pending.rejects = false;
        }
        self.record(&seal)?;
        self.con.commit()?;
        self.leave();
        self.file.turns.refresh(&self.file.db, &self.con)?;
        if let Some(meter) = self.plan.meters.of("load") {
            meter.worked(0, started.elapsed());
        }
        Ok(())
    }
}

/// Failed records as rows, where that is wanted.
fn put_beside(plan: &WritePlan, con: &Connection, records: &[Record]) -> Result<(), LoadError> {
    if !plan.failed_rows {
        return Ok(());
    }
    for (sql, values) in ledger::failed_statements(records) {
        con.execute_with(&sql, &values)?;
    }
    Ok(())
}

impl Drop for DuckWriter {
    fn drop(&mut self) {
        if self.open {
            // A group that was not sealed must leave no trace; what fails here fails with the
            // connection, which rolls back by itself.
            let _ = self.con.rollback();
            self.leave();
        }
    }
}
