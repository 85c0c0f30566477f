//! Parts of chunks in the order of the file, though workers bring them in any.

use std::collections::BTreeMap;

/// Hands parts on in the order of their chunks. What waits is bounded by the chunks in flight.
#[derive(Debug)]
pub(super) struct InOrder<T> {
    next: u64,
    waiting: BTreeMap<u64, T>,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }
}

impl<T> InOrder<T> {
    /// Puts the part of chunk `seq` in; what can now go on comes out.
    pub fn push(&mut self, seq: u64, part: T) -> Vec<T> {
        self.waiting.insert(seq, part);
        let mut ready = Vec::new();
        while let Some(part) = self.waiting.remove(&self.next) {
            self.next += 1;
            ready.push(part);
        }
        ready
    }
}
