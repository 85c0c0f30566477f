//! Which columns, or pairs of them, name every row: found on all rows, in bounded memory.
//!
//! Keys are 64-bit hashes of texts: among eleven million rows the chance that a key is missed for a
//! collision is 3 in a million.

use super::RunError;
use crate::load::KeySet;
use crate::profile::{Column, Folded};
use crate::source::Decoded;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Columns whose hashes are kept for long.
const MOST: usize = 12;
/// Rows after which no more than these are kept.
const MANY: u64 = 100_000;
/// Memory of the newest hashes of one column; older ones go to a temporary file.
const SHARE: u64 = 4 << 20;

/// Single columns.
pub struct Singles {
    states: Vec<State>,
    rows: u64,
}

#[derive(Debug)]
enum State {
    /// No value came twice so far.
    Open(KeySet),
    /// One did, or a row has none.
    Repeats,
    /// There were too many such columns.
    Unchecked,
}

impl Singles {
    /// All columns may be keys.
    pub fn new(width: usize, temp_dir: Option<PathBuf>) -> Self {
        let open = |_| State::Open(KeySet::new(SHARE, temp_dir.clone()));
        Self { states: (0..width).map(open).collect(), rows: 0 }
    }

    /// Looks at the next block.
    pub fn see(&mut self, block: &[Folded]) -> Result<(), RunError> {
        for (state, folded) in self.states.iter_mut().zip(block) {
            let State::Open(keys) = state else { continue };
            if !folded.unique || !all_new(keys, folded.hashes.iter().copied())? {
                *state = State::Repeats;
            }
        }
        let rows = block.first().map_or(0, |folded| folded.sketch.cells + folded.sketch.blanks);
        self.rows += rows;
        if self.rows > MANY {
            let open = self.states.iter_mut().filter(|state| matches!(state, State::Open(_)));
            open.skip(MOST).for_each(|state| *state = State::Unchecked);
        }
        Ok(())
    }

    /// Whether the column names every one of `rows` rows.
    pub fn answer(&self, column: usize, rows: u64) -> Option<bool> {
        match &self.states[column] {
            State::Open(_) => Some(rows > 0),
            State::Repeats => Some(false),
            State::Unchecked => None,
        }
    }
}

fn all_new(keys: &mut KeySet, hashes: impl Iterator<Item = u64>) -> Result<bool, RunError> {
    for hash in hashes {
        // The set wants 128 bits that are all good.
        let key = u128::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        if keys.insert(key, 0)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Columns of which pairs are tried.
const TRIED: usize = 5;

/// Pairs of columns.
#[derive(Default)]
pub struct Pairs {
    pairs: Vec<(usize, usize)>,
    sets: Vec<Option<KeySet>>,
}

impl Pairs {
    /// Pairs of the columns with most values that are never blank, where both together have enough.
    pub fn likely(columns: &[Column], rows: u64) -> Self {
        let full = columns.iter().enumerate().filter(|(_, column)| column.is_full());
        let mut full: Vec<_> = full.map(|(at, column)| (column.distinct().0, at)).collect();
        full.sort_by_key(|(distinct, at)| (std::cmp::Reverse(*distinct), *at));
        full.truncate(TRIED);
        let mut pairs = Vec::new();
        for (at, (left_distinct, left)) in full.iter().enumerate() {
            for (right_distinct, right) in &full[at + 1..] {
                // Estimates are a little wrong.
                if left_distinct.saturating_mul(*right_distinct) >= rows / 10 * 9 {
                    pairs.push((*left.min(right), *left.max(right)));
                }
            }
        }
        Self { pairs, sets: Vec::new() }
    }

    /// Nothing to try.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The fields that must be read.
    pub fn fields(&self) -> Vec<usize> {
        let mut fields: Vec<_> = self.pairs.iter().flat_map(|(l, r)| [*l, *r]).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// The pairs as positions among the fields.
    pub fn places(&self, fields: &[usize]) -> Vec<(usize, usize)> {
        let place = |field: usize| fields.partition_point(|known| *known < field);
        self.pairs.iter().map(|(left, right)| (place(*left), place(*right))).collect()
    }

    /// Begins.
    pub fn open(&mut self, temp_dir: Option<PathBuf>) {
        let open = |_: &(usize, usize)| Some(KeySet::new(SHARE, temp_dir.clone()));
        self.sets = self.pairs.iter().map(open).collect();
    }

    /// Looks at the hashes of the next block, pair by pair.
    pub fn see(&mut self, hashes: &[Vec<u64>]) -> Result<(), RunError> {
        for (set, hashes) in self.sets.iter_mut().zip(hashes) {
            if let Some(keys) = set
                && !all_new(keys, hashes.iter().copied())?
            {
                *set = None;
            }
        }
        Ok(())
    }

    /// The pairs that never came twice.
    pub fn unique(&self) -> Vec<(usize, usize)> {
        let found = self.pairs.iter().zip(&self.sets).filter(|(_, set)| set.is_some());
        found.map(|(pair, _)| *pair).collect()
    }
}

/// The hashes of pairs of columns of a block, pair by pair.
pub fn hashes(decoded: &Decoded, pairs: &[(usize, usize)]) -> Vec<Vec<u64>> {
    let columns = decoded.frame.columns();
    let of_pair = |(left, right): &(usize, usize)| {
        let (Ok(left), Ok(right)) = (columns[*left].str(), columns[*right].str()) else {
            return Vec::new();
        };
        let hash = |(left, right): (Option<&str>, Option<&str>)| {
            let seed = xxh3_64_with_seed(left.unwrap_or_default().trim().as_bytes(), 0);
            xxh3_64_with_seed(right.unwrap_or_default().trim().as_bytes(), seed)
        };
        left.iter().zip(right.iter()).map(hash).collect()
    };
    pairs.iter().map(of_pair).collect()
}
