//! The way of an input's records: read, through the agents, to whoever takes the chunks. The same for a
//! load, a check and a comparison, so that none of them sees other rows.

use super::error::RunError;
use super::memory::Shares;
use super::prepare::Prepared;
use super::request::Request;
use crate::chunk::{Budget, Mark};
use crate::flow::{Consumer, FlowError, FlowInput, FlowPlan, Meters, Stop, drive};
use crate::load::{LoadError, LoadErrorKind};
use crate::stage::StageSpec;
use std::sync::Arc;

/// One passage.
pub(super) struct Passage<'a> {
    pub request: &'a Request,
    pub shares: &'a Shares,
    pub input: &'a Prepared,
    /// What the chunks pass.
    pub stages: &'a [Arc<dyn StageSpec>],
    /// Most rows of a chunk.
    pub chunk_rows: usize,
    pub meters: &'a Arc<Meters>,
    pub stop: &'a Stop,
}

impl Passage<'_> {
    /// Sends what stands behind `from`. Whoever has enough (`--limit`) ends the passage and not the run.
    /// E502 where the file is not what was surveyed when all is read.
    pub fn run<C>(&self, from: Mark, consumer: &mut C) -> Result<(), RunError>
    where
        C: Consumer<Error = LoadError>,
    {
        let (input, limits) = (self.input, &self.request.limits);
        let budget = Budget::new(self.shares.chunks_of(input.format));
        let stop = self.stop.child();
        stop.watch(&budget);
        let plan = FlowPlan {
            stages: self.stages,
            workers: limits.threads.max(1),
            fuse: limits.fuse,
            chunk_rows: self.chunk_rows,
            budget,
            meters: Arc::clone(self.meters),
            stop,
        };
        let source = input.table.open(input.cleaning.reads(&input.schema), from)?;
        let flow_input = FlowInput { source, origin: Arc::clone(&input.origin) };
        match drive(flow_input, &plan, consumer) {
            Err(FlowError::Consumer(error)) if error.kind == LoadErrorKind::Enough => {}
            // What a changed file looks like to a decoder is not what is wrong with it.
            Err(FlowError::Source(error)) => {
                input.table.unchanged()?;
                return Err(error.into());
            }
            driven => driven?,
        }
        Ok(input.table.unchanged()?)
    }
}
