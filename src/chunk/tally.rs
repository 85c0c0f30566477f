//! The account of a chunk, a range, an input or a run, and the one law it obeys.

use super::named;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

named! {
    /// What became of a source row. Each row has exactly one fate.
    pub enum Fate {
        /// A new row of the target.
        Inserted = "inserted",
        /// Replaces a row of the target that differed and did not rank higher.
        Updated = "updated",
        /// The target holds the same content already.
        Unchanged = "unchanged",
        /// The target holds the row from a higher release.
        Superseded = "superseded",
        /// Its key stood in an earlier row of the same run.
        Duplicate = "duplicate",
        /// Left out on purpose.
        Filtered = "filtered",
        /// Refused, and written to the failed-record file.
        Rejected = "rejected",
    }
}

/// Row counts by fate. `read` is counted at the source, the others where the fate is decided, so
/// that [`Tally::gap`] compares two independent counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows the source delivered.
    pub read: u64,
    /// New rows.
    pub inserted: u64,
    /// Changed rows.
    pub updated: u64,
    /// Rows the target already holds.
    pub unchanged: u64,
    /// Rows of an older release.
    pub superseded: u64,
    /// Rows whose key was already seen in this run.
    pub duplicate: u64,
    /// Rows left out on purpose.
    pub filtered: u64,
    /// Refused rows.
    pub rejected: u64,
}

impl Tally {
    /// Counts `rows` rows of one fate.
    pub fn count(&mut self, fate: Fate, rows: u64) {
        *self.slot(fate) += rows;
    }

    fn slot(&mut self, fate: Fate) -> &mut u64 {
        match fate {
            Fate::Inserted => &mut self.inserted,
            Fate::Updated => &mut self.updated,
            Fate::Unchanged => &mut self.unchanged,
            Fate::Superseded => &mut self.superseded,
            Fate::Duplicate => &mut self.duplicate,
            Fate::Filtered => &mut self.filtered,
            Fate::Rejected => &mut self.rejected,
        }
    }

    /// Rows whose fate is known.
    pub fn settled(&self) -> u64 {
        self.inserted
            + self.updated
            + self.unchanged
            + self.superseded
            + self.duplicate
            + self.filtered
            + self.rejected
    }

    /// Rows read whose fate is not known (negative: rows that appeared from nowhere). The account
    /// holds when this is zero.
    pub fn gap(&self) -> i64 {
        self.read as i64 - self.settled() as i64
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.superseded += other.superseded;
        self.duplicate += other.duplicate;
        self.filtered += other.filtered;
        self.rejected += other.rejected;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gap_is_zero_only_when_every_row_has_a_fate() {
        let mut tally = Tally { read: 10, ..Tally::default() };
        tally.count(Fate::Inserted, 7);
        tally.count(Fate::Rejected, 2);
        assert_eq!(tally.gap(), 1);
        tally.count(Fate::Duplicate, 1);
        assert_eq!(tally.gap(), 0);
        tally.count(Fate::Unchanged, 1);
        assert_eq!(tally.gap(), -1);
    }
}
