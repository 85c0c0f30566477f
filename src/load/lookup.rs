//! The seam by which workers ask a target what it holds under a key.

use crate::chunk::{Chunk, Existing};
use crate::stage::StageError;

/// Makes finders, one a worker.
pub trait Lookup: Send + Sync {
    /// A finder with a connection of its own.
    fn finder(&self) -> Result<Box<dyn Finder>, StageError>;
}

/// Finds existing rows of a chunk's keys.
pub trait Finder: Send {
    /// (frame row, what the target holds), ordered by row; rows not listed are new. The hashes of the
    /// rows and of their keys are known by then.
    fn find(&mut self, chunk: &Chunk) -> Result<Vec<(u32, Existing)>, StageError>;
}

/// SQL for the rank of a row's release: year, then P < S < F, then submission. A row without a
/// release ranks below all. The table is `t`. DuckDB's dialect.
pub const RANK_SQL: &str = "coalesce(try_cast(left(t._etl_release, 4) AS BIGINT), 0) * 1000 \
     + CASE substr(t._etl_release, 5, 1) WHEN 'P' THEN 100 WHEN 'S' THEN 200 WHEN 'F' THEN 300 \
       ELSE 0 END \
     + coalesce(try_cast(substr(t._etl_release, 6) AS BIGINT), 0)";

/// The same rank of a release such as `2025P01`.
pub fn rank_of(release: &str) -> i64 {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let letter = match release.get(4..5) {
        Some("P") => 100,
        Some("S") => 200,
        Some("F") => 300,
        _ => 0,
    };
    number(release.get(..4)) * 1_000 + letter + number(release.get(5..))
}

#[cfg(test)]
mod tests {
    use super::rank_of;

    #[test]
    fn a_final_ranks_above_a_preliminary_of_the_same_year() {
        assert_eq!(rank_of("2025P01"), 2_025_101);
        assert!(rank_of("2025F00") > rank_of("2025S09") && rank_of("2025S00") > rank_of("2025P99"));
        assert!(rank_of("2026-00") > rank_of("2025F01"));
        assert_eq!(rank_of(""), 0);
    }
}
