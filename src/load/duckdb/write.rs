//! One writer: one connection, one transaction a group.

use super::ROW_GROUP;
use super::count::{Commits, Counter};
use super::insert::Inserter;
use super::replayed;
use super::turns::Turns;
use crate::duck::{Appender, Connection, Database, Frame};
use crate::load::cells::Handed;
use crate::load::dead_letter;
use crate::load::ledger;
use crate::load::table::Strategy;
use crate::load::target::{SCHEMA, WritePlan};
use crate::load::{Link, LoadError, LoadErrorKind, Piece, Replayed, Rows, Seal, Settled, Writer};
use polars_arrow::array::Utf8ViewArray;
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
}

impl Into {
    fn new(
        con: &Connection,
        schema: &str,
        table: &str,
        plan: &WritePlan,
        commits: &Arc<Commits>,
    ) -> Result<Self, LoadError> {
        let inserter = Inserter::new(con, schema, table, &plan.spec)?;
        let counter = Counter::new(schema, table, inserter.columns(), plan, Arc::clone(commits));
        Ok(Self { inserter, counter })
    }

    fn insert(&mut self, con: &Connection, rows: &Rows, plan: &WritePlan) -> Result<(), LoadError> {
        let frame = self.inserter.in_order(rows, &plan.provenance)?;
        self.counter.given(&frame);
        self.inserter.insert(con, frame)
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
}

impl DuckWriter {
    /// A writer with its own connection.
    pub(super) fn new(
        con: Connection,
        file: File,
        plan: Arc<WritePlan>,
    ) -> Result<Self, LoadError> {
        let beside = |side: Option<String>| {
            side.map(|side| Into::new(&con, SCHEMA, &side, &plan, &file.commits)).transpose()
        };
        let (inserts, changes) = match plan.strategy {
            Strategy::Replace => (beside(plan.side())?, None),
            Strategy::Insert | Strategy::Merge => (None, beside(plan.side())?),
        };
        let inserts = match inserts {
            Some(inserts) => inserts,
            None => {
                let (schema, table) = (Link::schema(&con), &plan.spec.name);
                Into::new(&con, schema, table, &plan, &file.commits)?
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
        for rows in std::mem::take(&mut self.pending.changes) {
            changes.insert(&self.con, &rows, &self.plan)?;
        }
        self.pending.changed_rows = 0;
        Ok(())
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
        if let Some(rows) = piece.inserts {
            written += rows.len();
            self.inserted += rows.len() as u64;
            self.inserts.insert(&self.con, &rows, &self.plan)?;
        }
        if !piece.rejects.is_empty() {
            self.plan.dead.append(&piece.rejects).map_err(dead)?;
            self.pending.rejects = true;
            if self.plan.failed_rows {
                for (sql, values) in ledger::failed_statements(&piece.rejects) {
                    self.con.execute_with(&sql, &values)?;
                }
            }
        }
        self.pending.settled.extend(piece.settled);
        self.pending.replayed.extend(piece.replayed);
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

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        let started = Instant::now();
        self.begin()?;
        self.flush_changes()?;
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

fn dead(error: dead_letter::DeadLetterError) -> LoadError {
    LoadError::new(LoadErrorKind::DeadLetters, error.to_string())
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
