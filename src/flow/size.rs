//! Chunk size from what rows are measured to cost.
//!
//! A chunk may hold at most its share of the budget: what all workers decode, what waits in the
//! queues and what the loader holds must fit together. The row limit comes from the format (50,000
//! for Excel, 100,000 for text), the byte limit from the budget; wide rolls meet the byte limit
//! first. It moves by measurement, so it needs no tuning by the user. Before anything is measured
//! chunks are small, and dearer rows count at once, cheaper ones by and by: a file of which every row
//! is refused costs many times what its rows do.

use std::sync::Mutex;

/// Chooses how many rows the next block should have.
#[derive(Debug)]
pub struct Sizer {
    /// Most rows a chunk may have.
    rows: usize,
    /// Most bytes a chunk may hold once decoded.
    bytes: u64,
    cost: Mutex<Cost>,
}

/// Most rows of a chunk before anything is measured.
const FIRST_ROWS: usize = 1_000;

#[derive(Debug, Clone, Copy)]
struct Cost {
    measured: bool,
    /// Bytes a decoded row holds, raw text included.
    row: f64,
    /// Decoded bytes a raw byte.
    expansion: f64,
}

/// What a reader should ask its source for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Rows.
    pub rows: usize,
    /// Raw bytes, at most.
    pub raw_bytes: usize,
    /// Bytes to acquire from the budget.
    pub memory: u64,
}

impl Sizer {
    /// A sizer for a budget shared by `in_flight` chunks.
    pub fn new(rows: usize, budget: u64, in_flight: usize) -> Self {
        let bytes = (budget / in_flight.max(1) as u64).max(1 << 20);
        // Before anything is measured: a text row of a roll, decoded, as seen on real files.
        let cost = Mutex::new(Cost { measured: false, row: 2_500.0, expansion: 4.0 });
        Self { rows: rows.max(1), bytes, cost }
    }

    /// The next request.
    pub fn ask(&self) -> Ask {
        let Cost { measured, row, expansion } = *self.lock();
        let most = if measured { self.rows } else { self.rows.min(FIRST_ROWS) };
        let rows = ((self.bytes as f64 / row) as usize).clamp(1, most);
        let raw_bytes = (self.bytes as f64 / expansion) as usize;
        let memory = ((rows as f64 * row) as u64).min(self.bytes).max(64 << 10);
        Ask { rows, raw_bytes: raw_bytes.max(64 << 10), memory }
    }

    /// Learns from a chunk that all agents of its worker are done with.
    pub fn learn(&self, rows: usize, raw_bytes: u64, decoded: u64) {
        if rows < 100 || raw_bytes == 0 {
            return;
        }
        let mut cost = self.lock();
        let blend = |old: f64, new: f64| new.max(old * 0.5 + new * 0.5);
        cost.measured = true;
        cost.row = blend(cost.row, decoded as f64 / rows as f64).max(16.0);
        cost.expansion = blend(cost.expansion, decoded as f64 / raw_bytes as f64).max(1.0);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cost> {
        self.cost.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_rows_make_small_chunks_and_narrow_rows_meet_the_row_limit() {
        let sizer = Sizer::new(100_000, 80 << 20, 8);
        assert_eq!(sizer.ask().rows, FIRST_ROWS);
        for _ in 0..20 {
            sizer.learn(10_000, 5_000_000, 20_000_000);
        }
        assert!((4_000..6_000).contains(&sizer.ask().rows), "{:?}", sizer.ask());
        for _ in 0..30 {
            sizer.learn(10_000, 100_000, 200_000);
        }
        assert_eq!(sizer.ask().rows, 100_000);
        assert!(sizer.ask().memory <= 10 << 20);
        // Rows that are all refused.
        sizer.learn(10_000, 100_000, 400_000_000);
        assert!(sizer.ask().rows < 300, "{:?}", sizer.ask());
    }
}
