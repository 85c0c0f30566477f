//! All blocks of a table as texts: read by one thread, folded by many, taken in order by the caller.
//!
//! Where blocks end depends on the table alone, never on memory or threads. A permit for each block in
//! flight bounds the memory; it is given back when the caller has taken what the block gave.

use crate::chunk::{Budget, Mark, Permit};
use crate::flow::{Meters, Stop};
use crate::run::error::{RunError, RunErrorKind};
use crate::run::request::Limits;
use crate::source::{Block, Decoded, Source, Table, infer};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::scope;

/// Cells of a block, about, and the most rows and bytes: what it holds as texts stays below 30 MB.
const CELLS: usize = 1 << 20;
const ROWS: usize = 1 << 16;
const BYTES: usize = 6 << 20;

/// What a block takes while it is in flight, about.
const BLOCK_MEMORY: u64 = 30 << 20;
/// What the program takes beside.
const FIXED: u64 = 110 << 20;

/// A pass over a table.
pub struct Scan<'a> {
    /// The table.
    pub table: &'a dyn Table,
    /// Threads and memory.
    pub limits: &'a Limits,
    /// The flag that ends it.
    pub stop: &'a Stop,
    /// Counters.
    pub meters: &'a Meters,
}

type Taken<T> = (u64, Permit, Result<T, RunError>);

impl Scan<'_> {
    /// Reads some fields of all rows, folds each block, and takes what the blocks gave in order.
    pub fn each<S: Default, T: Send>(
        &self,
        fields: impl IntoIterator<Item = usize>,
        fold: impl Fn(&mut S, Decoded) -> Result<T, RunError> + Sync,
        mut take: impl FnMut(T) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let fields: Vec<usize> = fields.into_iter().collect();
        let rows = (CELLS / self.table.headers().len().max(1)).clamp(1_024, ROWS);
        let source = self.table.open(infer::texts(self.table, fields, false), Mark::default())?;
        let threads = self.limits.threads.max(1);
        let blocks = (self.limits.memory.saturating_sub(FIXED) / BLOCK_MEMORY).max(2);
        let in_flight = blocks.min(threads as u64 + 2);
        let budget = Budget::new(in_flight);
        let stop = self.stop.child();
        stop.watch(&budget);
        let taken = scope(|scope| {
            // As long as all permits: whoever has one never waits for a queue.
            let (work_in, work_out) = bounded::<(u64, Permit, Block)>(in_flight as usize);
            let (done_in, done_out) = bounded::<Taken<T>>(in_flight as usize);
            let failed = done_in.clone();
            scope.spawn(|| self.read(source, rows, &budget, work_in, failed));
            for _ in 0..threads {
                let (work, done) = (work_out.clone(), done_in.clone());
                scope.spawn(|| self.fold(work, done, &fold));
            }
            drop((work_out, done_in));
            let taken = in_order(&done_out, &mut take);
            // Whoever still waits for a permit, or has a block to give, ends.
            budget.close();
            taken
        });
        match self.stop.cause() {
            Some(cause) if taken.is_ok() => {
                Err(RunError::new(RunErrorKind::Interrupted(cause), "interrupted"))
            }
            _ => taken,
        }
    }

    fn read<T>(
        &self,
        mut source: Box<dyn Source>,
        rows: usize,
        budget: &Arc<Budget>,
        work: Sender<(u64, Permit, Block)>,
        failed: Sender<Taken<T>>,
    ) {
        for seq in 0.. {
            let Some(permit) = budget.acquire(1) else { return };
            match source.next_block(rows, BYTES) {
                Ok(None) => return,
                Ok(Some(block)) => {
                    self.meters.consumed.store(block.consumed, Ordering::Relaxed);
                    if work.send((seq, permit, block)).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    // Nobody listens where another failure came first.
                    let _ = failed.send((seq, permit, Err(error.into())));
                    return;
                }
            }
        }
    }

    fn fold<S: Default, T>(
        &self,
        work: Receiver<(u64, Permit, Block)>,
        done: Sender<Taken<T>>,
        fold: &impl Fn(&mut S, Decoded) -> Result<T, RunError>,
    ) {
        let mut state = S::default();
        for (seq, permit, block) in work {
            let work = AssertUnwindSafe(|| {
                let decoded = block.body.decode()?;
                self.meters.read.fetch_add(u64::from(decoded.records), Ordering::Relaxed);
                fold(&mut state, decoded)
            });
            // A block that never comes would be waited for without end.
            let folded = catch_unwind(work).unwrap_or_else(|_| Err(panicked()));
            if done.send((seq, permit, folded)).is_err() {
                return;
            }
        }
    }
}

fn panicked() -> RunError {
    RunError::new(RunErrorKind::Failed, "internal error while a block was profiled")
        .with_hint("please report this with the file")
}

/// Hands over what blocks gave in their order; the first failure ends it.
fn in_order<T>(
    done: &Receiver<Taken<T>>,
    take: &mut impl FnMut(T) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut order = crate::flow::Reorder::default();
    for (seq, permit, folded) in done {
        order.push(seq, (permit, folded?));
        while let Some((_permit, folded)) = order.pop() {
            take(folded)?;
        }
    }
    Ok(())
}
