//! The seam by which workers ask a target what it holds under a key.

use crate::chunk::Existing;
use crate::stage::StageError;
use polars::prelude::DataFrame;

/// Makes finders, one a worker.
pub trait Lookup: Send + Sync {
    /// A finder with a connection of its own.
    fn finder(&self) -> Result<Box<dyn Finder>, StageError>;
}

/// Finds existing rows of a chunk's keys.
pub trait Finder: Send {
    /// (frame row, what the target holds), ordered by row; rows not listed are new.
    fn find(&mut self, frame: &DataFrame) -> Result<Vec<(u32, Existing)>, StageError>;
}
