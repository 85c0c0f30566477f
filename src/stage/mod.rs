//! What an agent is: a plain function chunk → chunk, built once a worker from a shared spec.
//!
//! A stage never blocks, never prints and never drops a row: it refuses rows with
//! [`Chunk::reject`], leaves them out with [`Chunk::filter_out`], and returns `Err` only when the
//! run cannot go on. To add one: a file with a spec and a stage, and one line where `run::agents`
//! lists them.

mod formula;
mod projection;
mod sql;

pub use projection::{Expression, Joined, Projection};
pub use sql::{Engine, Session, literal, substitute};

use sql::StoredTable;

use crate::chunk::{Chunk, Notes};
use thiserror::Error;

/// Builds the stage of one worker.
pub trait StageSpec: Send + Sync {
    /// Name in configuration, metrics and `etl plan`.
    fn name(&self) -> &'static str;
    /// One line for `etl plan`: what it will do with this input.
    fn describe(&self) -> String;
    /// A stage for one worker thread. Fails before a row is read, never in the middle.
    fn build(&self) -> Result<Box<dyn Stage>, StageError>;
    /// Whether its findings need every row of the input, also where a load goes on half-way.
    fn looks_at_all_rows(&self) -> bool {
        false
    }
    /// What is known of the input as a whole once all its chunks went through the stages of this
    /// spec; it means nothing where only a part did.
    fn findings(&self) -> Notes {
        Notes::default()
    }
    /// What the stages of this spec have counted so far, for the summary.
    fn facts(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}

/// Works on chunks, one at a time.
pub trait Stage: Send {
    /// Takes a balanced chunk and returns a balanced chunk.
    fn apply(&mut self, chunk: Chunk) -> Result<Chunk, StageError>;
}

/// Why a run cannot go on.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct StageError {
    /// The agent.
    pub stage: &'static str,
    /// What happened.
    pub message: String,
    /// A fact about the file as a whole that a critical rule forbids (exit 1, `--on-abort`), and
    /// not trouble of our own.
    pub rule: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// Whether going on later may succeed by itself: a server was asked and has gone away.
    pub transient: bool,
}

impl StageError {
    /// Trouble of our own.
    pub fn new(stage: &'static str, message: impl Into<String>) -> Self {
        Self { stage, message: message.into(), rule: None, hint: None, transient: false }
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
