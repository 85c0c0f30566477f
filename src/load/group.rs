//! A group of rows, which one transaction of a writer makes durable: where it begins, what it holds, and how
//! many rows it may take.

use super::gate::GatePlan;
use crate::chunk::{Mark, Notes, Tally};
use crate::source::Extent;

/// Rows of the smallest group towards the end: a commit waits for the disk, about as long as a thousand rows
/// take.
const SMALLEST: u64 = 5_000;

/// The group being filled.
pub struct Group {
    /// Where it begins.
    pub from: Mark,
    /// Its name in the ledger.
    pub range: String,
    /// Inserted rows that make it full.
    pub full: u64,
    /// Inserted rows so far.
    pub inserted: u64,
    /// Account of its rows.
    pub tally: Tally,
    /// Findings about them.
    pub notes: Notes,
}

impl Group {
    /// A group that begins at `from` and goes to one of so many writers.
    pub fn new(plan: &GatePlan, from: Mark, writers: usize) -> Self {
        Self {
            from,
            range: format!("{}.{}.{}", plan.head.run, plan.input, from.record),
            full: match &plan.taper {
                Some(extent) => tapered(plan.group_rows, left(extent, from), writers),
                None => plan.group_rows,
            },
            inserted: 0,
            tally: Tally::default(),
            notes: Notes::default(),
        }
    }
}

/// Rows of the next group. The last ones become smaller and smaller, so that all writers end at about the
/// same time: with whole groups one of them was alone at work at the end for half a group's time.
fn tapered(rows: u64, left: Option<u64>, writers: usize) -> u64 {
    let share = left.map_or(rows, |left| left / writers.max(1) as u64);
    share.clamp(SMALLEST.min(rows), rows)
}

/// Records behind a point: as the file says, or as many to a byte as there were up to there.
fn left(extent: &Extent, from: Mark) -> Option<u64> {
    if let Some(rows) = extent.rows {
        return Some(rows.saturating_sub(from.record));
    }
    let bytes = extent.bytes?.saturating_sub(from.byte);
    let left = u128::from(bytes) * u128::from(from.record) / u128::from(from.byte.max(1));
    // Before the first record nothing is known of their length.
    (from.record > 0 && from.byte > 0).then_some(u64::try_from(left).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_become_smaller_towards_the_end() {
        let extent = Extent { bytes: Some(10_000_000), rows: None };
        let (mut from, mut sizes) = (Mark::default(), Vec::new());
        while from.record < 100_000 {
            let rows = tapered(25_000, left(&extent, from), 2).min(100_000 - from.record);
            sizes.push(rows);
            from.record += rows;
            from.byte += rows * 100;
        }
        // Before anything is read it is not known how much there is.
        assert_eq!(sizes, [25_000, 25_000, 25_000, 12_500, 6_250, 5_000, 1_250]);
    }

    #[test]
    fn what_is_not_known_changes_nothing() {
        let nothing = Extent { bytes: None, rows: None };
        let middle = Mark { record: 50, byte: 0, row: 52 };
        assert_eq!(left(&nothing, middle), None);
        assert_eq!(left(&Extent { bytes: Some(90), rows: None }, middle), None);
        assert_eq!(left(&Extent { bytes: Some(90), rows: Some(60) }, middle), Some(10));
        assert_eq!(tapered(25_000, None, 2), 25_000);
        // Groups that were asked for to be small stay so.
        assert_eq!(tapered(100, Some(10), 2), 100);
    }
}
