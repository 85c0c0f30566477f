//! Drives one input through reader, workers and consumer.

use super::event::Meters;
use super::order::Reorder;
use super::priority::give_way;
use super::size::Sizer;
use super::stop::{Stop, StopCause};
use crate::chunk::{Budget, Chunk, Origin, Permit, Reject};
use crate::source::{Block, Source, SourceError};
use crate::stage::{Stage, StageError, StageSpec};
use crossbeam_channel::{Receiver, Sender, bounded};
use polars::prelude::DataFrame;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, Scope};
use std::time::Instant;
use thiserror::Error;

/// What a flow is made of.
pub struct FlowPlan<'a> {
    /// Agents in order.
    pub stages: &'a [Arc<dyn StageSpec>],
    /// Worker threads (per agent, when agents are not fused).
    pub workers: usize,
    /// All agents of a chunk on one core.
    pub fuse: bool,
    /// Most rows of a chunk.
    pub chunk_rows: usize,
    /// Memory for chunks in flight.
    pub budget: Arc<Budget>,
    /// Counters.
    pub meters: Arc<Meters>,
    /// The flag that ends everything.
    pub stop: Stop,
}

/// What flows.
pub struct FlowInput {
    /// Cut on the reader thread.
    pub source: Box<dyn Source>,
    /// Whose rows they are.
    pub origin: Arc<Origin>,
}

/// Takes chunks in the order of the input, on the calling thread.
pub trait Consumer {
    /// What can go wrong.
    type Error;
    /// The next chunk.
    fn take(&mut self, chunk: Chunk) -> Result<(), Self::Error>;
}

/// Why a flow ended early.
#[derive(Debug, Error)]
pub enum FlowError<E> {
    /// The file.
    #[error(transparent)]
    Source(SourceError),
    /// An agent.
    #[error(transparent)]
    Stage(StageError),
    /// The consumer.
    #[error("the consumer failed")]
    Consumer(E),
    /// Somebody raised the stop flag.
    #[error("stopped")]
    Stopped(StopCause),
    /// A bug of ours: an agent panicked. The run ends, nothing of the chunk is committed.
    #[error("internal error in agent `{agent}`: {message}")]
    Panicked {
        /// Which.
        agent: &'static str,
        /// What the panic said.
        message: String,
    },
}

/// What workers may fail with.
enum Failure {
    Source(SourceError),
    Stage(StageError),
    Panicked { agent: &'static str, message: String },
}

struct Work {
    seq: u64,
    block: Block,
    permit: Permit,
}

/// First failure of any thread.
struct Failures {
    first: Mutex<Option<Failure>>,
    stop: Stop,
}

impl Failures {
    fn record(&self, failure: Failure) {
        self.first.lock().unwrap_or_else(|p| p.into_inner()).get_or_insert(failure);
        self.stop.raise(StopCause::Failure);
    }
}

/// Runs the input to its end, or until something fails or the stop flag is raised. Returns when all
/// threads have ended.
pub fn drive<C: Consumer>(
    input: FlowInput,
    plan: &FlowPlan<'_>,
    consumer: &mut C,
) -> Result<(), FlowError<C::Error>> {
    let failures = Failures { first: Mutex::new(None), stop: plan.stop.clone() };
    let segments = segments(plan).map_err(FlowError::Stage)?;
    // One chunk at each worker, one being read, one at the consumer, one between.
    let in_flight = plan.workers * segments.len() + 4;
    let sizer = Sizer::new(plan.chunk_rows, plan.budget.limit(), in_flight);
    let FlowInput { source, origin } = input;
    let outcome = std::thread::scope(|scope| {
        let (work_in, work_out) = bounded::<Work>(plan.workers);
        let (failures, sizer, origin) = (&failures, &sizer, &origin);
        let reader = move || guarded("read", failures, || read(source, work_in, plan, sizer));
        named(scope, "read", failures, reader);
        let mut chunks: Option<Receiver<Chunk>> = None;
        for segment in segments {
            let (chunk_in, chunk_out) = bounded::<Chunk>(plan.workers * 2);
            let feed = chunks.replace(chunk_out);
            for mut stages in segment {
                let (feed, work, out) = (feed.clone(), work_out.clone(), chunk_in.clone());
                let agent = stages.first().map_or("decode", |(name, _)| *name);
                let worker = move || {
                    give_way();
                    guarded(agent, failures, || match &feed {
                        None => decode_loop(&work, &mut stages, &out, plan, origin, sizer),
                        Some(feed) => stage_loop(feed, &mut stages, &out, plan),
                    });
                };
                named(scope, if plan.fuse { "agents" } else { agent }, failures, worker);
            }
        }
        drop(work_out);
        chunks.map_or(Ok(()), |chunks| consume(&chunks, plan, consumer))
    });
    let first = failures.first.into_inner().unwrap_or_else(|p| p.into_inner());
    match (outcome, first) {
        (Err(error), _) => Err(FlowError::Consumer(error)),
        (Ok(()), Some(Failure::Source(error))) => Err(FlowError::Source(error)),
        (Ok(()), Some(Failure::Stage(error))) => Err(FlowError::Stage(error)),
        (Ok(()), Some(Failure::Panicked { agent, message })) => {
            Err(FlowError::Panicked { agent, message })
        }
        (Ok(()), None) => match plan.stop.cause() {
            Some(cause) if plan.stop.is_raised() => Err(FlowError::Stopped(cause)),
            _ => Ok(()),
        },
    }
}

/// Starts a thread that debuggers and process lists show by its name. A system that gives no more
/// threads ends the flow.
fn named<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    failures: &Failures,
    work: impl FnOnce() + Send + 'scope,
) {
    if let Err(error) = Builder::new().name(name.into()).spawn_scoped(scope, work) {
        let error = StageError::new(name, format!("cannot start a thread: {error}"));
        failures.record(Failure::Stage(error));
    }
}

type Built = Vec<(&'static str, Box<dyn Stage>)>;

/// Groups of agents that share threads: per segment, one set of stages a worker. The first segment
/// also decodes.
fn segments(plan: &FlowPlan<'_>) -> Result<Vec<Vec<Built>>, StageError> {
    let groups: Vec<&[Arc<dyn StageSpec>]> = if plan.fuse || plan.stages.is_empty() {
        vec![plan.stages]
    } else {
        std::iter::once(&plan.stages[..0]).chain(plan.stages.chunks(1)).collect()
    };
    let build = |specs: &[Arc<dyn StageSpec>]| -> Result<Built, StageError> {
        specs.iter().map(|spec| Ok((spec.name(), spec.build()?))).collect()
    };
    groups
        .into_iter()
        .map(|specs| (0..plan.workers.max(1)).map(|_| build(specs)).collect())
        .collect()
}

/// Runs a thread's work; an error or a panic stops the flow from inside the thread. Without that,
/// the order would wait for ever for the chunk that was lost.
fn guarded(agent: &'static str, failures: &Failures, work: impl FnOnce() -> Result<(), Failure>) {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => failures.record(failure),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "unknown panic".into());
            failures.record(Failure::Panicked { agent, message });
        }
    }
}

fn read(
    mut source: Box<dyn Source>,
    work: Sender<Work>,
    plan: &FlowPlan<'_>,
    sizer: &Sizer,
) -> Result<(), Failure> {
    let meter = plan.meters.of("read");
    for seq in 0.. {
        let ask = sizer.ask();
        let started = Instant::now();
        let Some(permit) = plan.budget.acquire(ask.memory) else { return Ok(()) };
        let waited = started.elapsed();
        let started = Instant::now();
        let block = source.next_block(ask.rows, ask.raw_bytes).map_err(Failure::Source)?;
        let Some(block) = block else { return Ok(()) };
        if let Some(meter) = meter {
            meter.waited(waited);
            meter.worked(0, started.elapsed());
        }
        plan.meters.consumed.store(block.consumed, Ordering::Relaxed);
        if work.send(Work { seq, block, permit }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn decode_loop(
    work: &Receiver<Work>,
    stages: &mut Built,
    out: &Sender<Chunk>,
    plan: &FlowPlan<'_>,
    origin: &Arc<Origin>,
    sizer: &Sizer,
) -> Result<(), Failure> {
    for Work { seq, block, mut permit } in work {
        if plan.stop.is_raised() {
            return Ok(());
        }
        if let Some(meter) = plan.meters.of("read") {
            meter.queue(work.len());
        }
        let raw_bytes = block.bytes;
        let started = Instant::now();
        let decoded = block.body.decode().map_err(Failure::Source)?;
        let size = raw_bytes + held_bytes(&decoded.frame);
        permit.resize(size);
        let records = u64::from(decoded.records);
        if let Some(meter) = plan.meters.of("read") {
            meter.worked(records, started.elapsed());
        }
        plan.meters.read.fetch_add(records, Ordering::Relaxed);
        let chunk = Chunk {
            seq,
            records: decoded.records,
            index: decoded.index,
            misfits: decoded.misfits,
            altered: decoded.altered,
            rejects: decoded.rejects,
            notes: decoded.notes,
            permit: Some(permit),
            raw_bytes,
            ..Chunk::empty(decoded.frame, Arc::clone(origin), decoded.raw)
        };
        let mut chunk = apply(stages, chunk, plan)?;
        let refused: usize = chunk.rejects.iter().map(Reject::held_bytes).sum();
        let mut held = size;
        if let Some(permit) = &mut chunk.permit {
            // An agent that adds much has told the permit.
            held = permit.bytes() + refused as u64;
            permit.resize(held);
        }
        sizer.learn(chunk.records as usize, raw_bytes, held);
        if out.send(chunk).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Bytes that a frame holds. Blank columns share their memory.
fn held_bytes(frame: &DataFrame) -> u64 {
    let filled = frame.columns().iter().filter(|column| column.null_count() < column.len());
    filled.map(|column| column.as_materialized_series().estimated_size() as u64).sum()
}

fn stage_loop(
    feed: &Receiver<Chunk>,
    stages: &mut Built,
    out: &Sender<Chunk>,
    plan: &FlowPlan<'_>,
) -> Result<(), Failure> {
    for chunk in feed {
        if plan.stop.is_raised() {
            return Ok(());
        }
        if let Some(meter) = stages.first().and_then(|(name, _)| plan.meters.of(name)) {
            meter.queue(feed.len());
        }
        let chunk = apply(stages, chunk, plan)?;
        if out.send(chunk).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn apply(stages: &mut Built, mut chunk: Chunk, plan: &FlowPlan<'_>) -> Result<Chunk, Failure> {
    for (name, stage) in stages {
        let started = Instant::now();
        let rows = chunk.kept() as u64;
        chunk = stage.apply(chunk).map_err(Failure::Stage)?;
        if !chunk.balances() {
            // A bug of ours must end the run here, not as a missing row in the target.
            let message = format!("the account of chunk {} does not balance", chunk.seq);
            return Err(Failure::Stage(StageError::new(name, message)));
        }
        if let Some(meter) = plan.meters.of(name) {
            meter.worked(rows, started.elapsed());
        }
    }
    Ok(chunk)
}

fn consume<C: Consumer>(
    chunks: &Receiver<Chunk>,
    plan: &FlowPlan<'_>,
    consumer: &mut C,
) -> Result<(), C::Error> {
    let mut order = Reorder::default();
    let meter = plan.meters.of("load");
    for chunk in chunks {
        order.push(chunk.seq, chunk);
        while let Some(chunk) = order.pop() {
            if plan.stop.is_raised() {
                return Ok(());
            }
            if let Some(meter) = meter {
                meter.queue(order.len() + chunks.len());
            }
            let rejected = chunk.rejects.len() as u64;
            plan.meters.rejected.fetch_add(rejected, Ordering::Relaxed);
            if let Err(error) = consumer.take(chunk) {
                plan.stop.raise(StopCause::Failure);
                return Err(error);
            }
        }
    }
    Ok(())
}
