//! The rows of a source beside those of the table by their hashes, as a load compares them.

use super::{EXAMPLES, VerifiedInput};
use crate::chunk::{Chunk, Existing};
use crate::flow::Consumer;
use crate::load::{KeySet, LoadError, LoadErrorKind, cut_off};

/// Takes the rows of the source in order, each with what the target holds under its key.
pub(super) struct Compare {
    seen: KeySet,
    rank: i64,
    /// As many records of the source were loaded at most.
    limit: Option<u64>,
    read: u64,
    /// Rows that would be loaded.
    pub kept: u64,
    refused: u64,
    repeated: u64,
    same: u64,
    later: u64,
    missing: u64,
    different: u64,
    /// Keys whose row in the table is of this input.
    pub ours: u64,
    /// Of the hashes of all kept rows.
    pub sum: u128,
    rows: Vec<u64>,
}

impl Compare {
    /// Before the first row.
    pub fn new(seen: KeySet, rank: i64, limit: Option<u64>) -> Self {
        let (read, kept, refused, repeated) = (0, 0, 0, 0);
        let (same, later, missing, different, ours) = (0, 0, 0, 0, 0);
        let (sum, rows) = (0, Vec::new());
        Self {
            seen,
            rank,
            limit,
            read,
            kept,
            refused,
            repeated,
            same,
            later,
            missing,
            different,
            ours,
            sum,
            rows,
        }
    }

    fn row(&mut self, place: u64, hash: u128, found: Option<&Existing>) {
        self.ours += u64::from(found.is_some_and(|found| found.this_run && found.row.is_some()));
        match found {
            Some(found) if found.hash == hash => self.same += 1,
            Some(found) if found.rank > self.rank || !found.this_run => self.later += 1,
            Some(_) => self.different += 1,
            None => self.missing += 1,
        }
        let wrong = self.missing + self.different;
        if wrong > self.rows.len() as u64 && self.rows.len() < EXAMPLES {
            self.rows.push(place);
        }
    }

    /// Puts the counts of rows down.
    pub fn tell(&self, found: &mut VerifiedInput) {
        (found.read, found.same, found.later) = (self.read, self.same, self.later);
        (found.refused, found.repeated) = (self.refused, self.repeated);
        (found.missing, found.different) = (self.missing, self.different);
        found.rows = self.rows.clone();
    }
}

impl Consumer for Compare {
    type Error = LoadError;

    fn take(&mut self, mut chunk: Chunk) -> Result<(), LoadError> {
        if let Some(limit) = self.limit {
            cut_off(&mut chunk, limit.saturating_sub(self.read));
        }
        self.read += u64::from(chunk.records);
        self.refused += chunk.rejects.len() as u64;
        self.kept += chunk.hashes.len() as u64;
        let mut existing = chunk.existing.iter().peekable();
        for (row, hash) in chunk.hashes.iter().enumerate() {
            self.sum = self.sum.wrapping_add(*hash);
            let Some(key) = chunk.keys.get(row) else { continue };
            let found = existing.next_if(|(at, _)| *at as usize == row).map(|(_, found)| found);
            let place = chunk.raw.place(chunk.index[row]).row;
            match self.seen.insert(*key, place)? {
                Some(_) => self.repeated += 1,
                None => self.row(place, *hash, found),
            }
        }
        match self.limit {
            Some(limit) if self.read >= limit => {
                Err(LoadError::new(LoadErrorKind::Enough, "enough rows"))
            }
            _ => Ok(()),
        }
    }
}
