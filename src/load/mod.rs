//! From chunks to rows of a target, exactly once.
//!
//! The `load` agent has two halves. Workers hash rows and ask the target what it holds
//! ([`encode`]). Then one thread, in the order of the input, decides the fate of each row
//! ([`gate`]): duplicate, new, changed, unchanged, superseded; it cuts the stream into groups, each
//! of which one writer commits in one transaction together with the ledger entry that names its
//! range of the source, after the dead letters of that range are on disk. Only the ledger inside the
//! target says what is loaded; everything else is derived from it.
//!
//! What a database must be able to do stands in [`target`]; [`TargetUrl`] is the one place that knows
//! which there are.

pub mod breaker;
pub mod cells;
pub mod dead_letter;
mod duckdb;
pub mod encode;
mod error;
pub mod gate;
mod group;
pub mod keys;
pub mod ledger;
pub mod lookup;
pub mod names;
pub mod postgres;
mod refusals;
pub mod rehash;
mod replayed;
mod select;
pub mod stored;
pub mod table;
mod table_name;
pub mod target;
mod telling;
mod threaded;
mod url;

pub use error::{LoadError, LoadErrorKind};
pub use keys::KeySet;
pub use postgres::Unreadable;
pub use replayed::Replayed;
pub use select::cut_off;
pub use table_name::TableName;
pub use target::{Link, Target};
pub use telling::Telling;
pub use threaded::Threaded;
pub use url::{Approach, DuckFile, TargetUrl};

use crate::chunk::{Held, Mark, Notes, Permit, RawRows, Tally};
use dead_letter::Record;
use polars::prelude::{DataFrame, IdxCa, NewChunkedArray};
use std::sync::Arc;

/// Rows on their way into a table, with what the frame does not hold.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Business columns.
    pub frame: DataFrame,
    /// Content hash of each row.
    pub hashes: Vec<u128>,
    /// Row number of each row in its source.
    pub places: Vec<i64>,
    /// What a failed record is made from, where the target may refuse rows.
    pub behind: Option<Behind>,
}

/// What stands behind rows. It holds the raw bytes of their chunk, whose permit travels with them.
#[derive(Debug, Clone)]
pub struct Behind {
    /// The raw records of the chunk.
    pub raw: Arc<dyn RawRows>,
    /// Id of the range that commits the rows.
    pub range: String,
    /// Which record each row is.
    pub records: Vec<u32>,
    /// Key of each row; none where there is no key.
    pub keys: Vec<u128>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The rows at some positions, without what stands behind them.
    pub fn some(&self, rows: &[u32]) -> Result<Self, LoadError> {
        let index = IdxCa::from_slice("".into(), rows);
        let frame = self.frame.take(&index);
        let frame =
            frame.map_err(|error| LoadError::new(LoadErrorKind::Account, error.to_string()))?;
        let hashes = rows.iter().map(|row| self.hashes[*row as usize]).collect();
        let places = rows.iter().map(|row| self.places[*row as usize]).collect();
        Ok(Self { frame, hashes, places, behind: None })
    }
}

/// A settled row that is not inserted: remembered until the input is finished, so that a resumed
/// run finds the same duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Key hash.
    pub key: u128,
    /// Row number in the source.
    pub row: u64,
    /// Content hash, where the row is unchanged but comes from a higher release: the target's row
    /// is to be raised to it.
    pub raise: Option<u128>,
    /// The row of the target that stays as it is, where the target names it by where it came from.
    pub held: Option<Held>,
}

/// Part of a group, for one writer.
#[derive(Debug, Default)]
pub struct Piece {
    /// New rows.
    pub inserts: Option<Rows>,
    /// Rows that replace existing ones when the input is finished.
    pub changes: Option<Rows>,
    /// Keys of rows that are not inserted.
    pub settled: Vec<Settled>,
    /// Refused rows.
    pub rejects: Vec<Record>,
    /// Failed records of earlier runs that these rows were.
    pub replayed: Vec<Replayed>,
    /// Memory given back when the piece has reached the target; shared by the pieces of a chunk.
    pub permit: Option<Arc<Permit>>,
}

impl Piece {
    /// Rows that it brings to the target.
    pub fn rows(&self) -> u64 {
        let parts = [&self.inserts, &self.changes].into_iter().flatten();
        parts.map(|rows| rows.len() as u64).sum()
    }
}

/// The end of a group: what its transaction commits to the ledger.
#[derive(Debug, Clone)]
pub struct Seal {
    /// Id of the range, unique in the target.
    pub range: String,
    /// First point of the range.
    pub from: Mark,
    /// Point behind the range.
    pub to: Mark,
    /// Account of the range.
    pub tally: Tally,
    /// Findings of the range.
    pub notes: Notes,
    /// Filled cells that were handed over with its rows; [`cells::Weighing`] counts them. `None`: not
    /// known, and nothing is compared.
    pub cells: Option<cells::Handed>,
}

/// Writes groups. A writer gets the pieces of one group, then its seal, then the next group.
pub trait Writer: Send {
    /// Accepted, not durable.
    fn write(&mut self, piece: Piece) -> Result<(), LoadError>;
    /// Ends the group: rows, ledger and dead letters become durable together.
    fn seal(&mut self, seal: Seal) -> Result<(), LoadError>;
    /// Rows accepted that it has still to do.
    fn open(&self) -> u64 {
        0
    }
    /// Waits until everything sealed is durable. A group that was not sealed leaves no trace.
    fn close(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}

impl<W: Writer + ?Sized> Writer for Box<W> {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        (**self).write(piece)
    }

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        (**self).seal(seal)
    }

    fn open(&self) -> u64 {
        (**self).open()
    }

    fn close(&mut self) -> Result<(), LoadError> {
        (**self).close()
    }
}
