//! What happens in a run, as values. The library never prints: it tells an [`Observer`].

use crate::chunk::{Origin, Tally};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Something worth telling.
#[derive(Debug)]
pub enum Event<'a> {
    /// Surveying a file (fingerprint, header, types).
    Surveying {
        /// The file.
        file: &'a str,
    },
    /// The run begins to load an input.
    InputStarted {
        /// Position in the run, from 0.
        input: usize,
        /// Inputs of the run.
        of: usize,
        /// The input.
        origin: &'a Origin,
        /// Target table.
        table: &'a str,
        /// Bytes to read, where known.
        bytes: Option<u64>,
        /// First row read, where earlier ones are already loaded.
        resumed_from: Option<u64>,
        /// Live counters.
        meters: Arc<Meters>,
    },
    /// A range was committed.
    Committed {
        /// Position in the run.
        input: usize,
        /// Records up to here are durable (with several writers: in this range).
        to_record: u64,
    },
    /// An input is finished.
    InputFinished {
        /// Position in the run.
        input: usize,
        /// Its account.
        tally: &'a Tally,
    },
    /// An input was loaded by an earlier run.
    AlreadyLoaded {
        /// The input.
        origin: &'a Origin,
        /// The run that loaded it.
        run: &'a str,
    },
    /// A load goes on by itself after a failure that may pass.
    Retry {
        /// Attempts since the last commit, from 1.
        attempt: u64,
        /// As many are made.
        of: u64,
        /// Before it goes on.
        wait: Duration,
        /// What has failed.
        why: &'a str,
    },
    /// Something the user should know.
    Warning(&'a str),
    /// A step at the end of an input: applying changes, checking the account.
    Step(&'a str),
}

/// Receives events; called from the threads where they happen.
pub trait Observer: Sync {
    /// Something happened.
    fn on(&self, event: &Event<'_>);
}

/// Counters of one agent.
#[derive(Debug, Default)]
pub struct Meter {
    rows: AtomicU64,
    busy: AtomicU64,
    waiting: AtomicU64,
    queued: AtomicU64,
    longest: AtomicU64,
}

/// A copy of a meter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MeterReading {
    /// Agent.
    pub agent: String,
    /// Rows it has worked on.
    pub rows: u64,
    /// Time at work, all workers together, in milliseconds.
    pub busy_ms: u64,
    /// Time waiting for memory or for a full queue, in milliseconds.
    pub waiting_ms: u64,
    /// Chunks waiting before it now.
    pub queued: u64,
    /// Most chunks that ever waited before it.
    #[serde(default)]
    pub longest_queue: u64,
}

impl Meter {
    /// Counts work.
    pub fn worked(&self, rows: u64, time: Duration) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.busy.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// Counts waiting.
    pub fn waited(&self, time: Duration) {
        self.waiting.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// Sets the depth of the queue before the agent.
    pub fn queue(&self, chunks: usize) {
        self.queued.store(chunks as u64, Ordering::Relaxed);
        self.longest.fetch_max(chunks as u64, Ordering::Relaxed);
    }
}

/// Live counters of one input.
#[derive(Debug)]
pub struct Meters {
    names: Vec<&'static str>,
    meters: Vec<Meter>,
    /// Bytes of the input consumed.
    pub consumed: AtomicU64,
    /// Rows read.
    pub read: AtomicU64,
    /// Rows refused.
    pub rejected: AtomicU64,
    /// Rows written or settled otherwise.
    pub settled: AtomicU64,
}

impl Meters {
    /// Meters for the agents in flow order.
    pub fn new(names: Vec<&'static str>) -> Arc<Self> {
        let meters = names.iter().map(|_| Meter::default()).collect();
        Arc::new(Self {
            names,
            meters,
            consumed: AtomicU64::new(0),
            read: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        })
    }

    /// The meter of an agent.
    pub fn of(&self, name: &str) -> Option<&Meter> {
        self.names.iter().position(|known| *known == name).map(|at| &self.meters[at])
    }

    /// All meters now.
    pub fn readings(&self) -> Vec<MeterReading> {
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        self.names
            .iter()
            .zip(&self.meters)
            .map(|(name, meter)| MeterReading {
                agent: (*name).to_owned(),
                rows: read(&meter.rows),
                busy_ms: read(&meter.busy) / 1_000,
                waiting_ms: read(&meter.waiting) / 1_000,
                queued: read(&meter.queued),
                longest_queue: read(&meter.longest),
            })
            .collect()
    }
}
