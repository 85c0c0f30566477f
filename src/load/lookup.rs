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

/// SQL for the rank of a row's release: year, then P < S < F, then submission. A row without a
/// release ranks below all. The table is `t`. DuckDB's dialect.
pub const RANK_SQL: &str = "coalesce(try_cast(left(t._etl_release, 4) AS BIGINT), 0) * 1000 \
     + CASE substr(t._etl_release, 5, 1) WHEN 'P' THEN 100 WHEN 'S' THEN 200 WHEN 'F' THEN 300 \
       ELSE 0 END \
     + coalesce(try_cast(substr(t._etl_release, 6) AS BIGINT), 0)";
