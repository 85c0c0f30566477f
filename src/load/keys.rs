//! The set of keys seen in an input, to find duplicates: 128-bit hashes, open addressing, 16 bytes
//! a slot plus 4 for the row.
//!
//! A collision of two keys has a chance of 1 in 10^24 for eleven million rows (the whole state), so
//! a hit is taken as the same key. 750,000 keys take 21 MB.

/// Keys with the row they were first seen in.
#[derive(Debug)]
pub struct KeySet {
    hashes: Vec<u128>,
    rows: Vec<u32>,
    len: usize,
}

impl Default for KeySet {
    fn default() -> Self {
        Self { hashes: vec![0; 1 << 10], rows: vec![0; 1 << 10], len: 0 }
    }
}

impl KeySet {
    /// Adds a key. `Err` with the row of the first occurrence when it is there already.
    pub fn insert(&mut self, key: u128, row: u64) -> Result<(), u64> {
        if self.len * 5 >= self.hashes.len() * 4 {
            self.grow();
        }
        let key = nonzero(key);
        let slot = self.slot(key);
        if self.hashes[slot] == key {
            return Err(u64::from(self.rows[slot]));
        }
        self.hashes[slot] = key;
        self.rows[slot] = u32::try_from(row).unwrap_or(u32::MAX);
        self.len += 1;
        Ok(())
    }

    /// Gives a key that is held to another row.
    pub fn give(&mut self, key: u128, row: u64) {
        let slot = self.slot(nonzero(key));
        self.rows[slot] = u32::try_from(row).unwrap_or(u32::MAX);
    }

    /// Keys held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// No key yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        (self.hashes.len() * 20) as u64
    }

    /// The slot of a key, or the free slot where it belongs.
    fn slot(&self, key: u128) -> usize {
        let mask = self.hashes.len() - 1;
        let mut slot = key as usize & mask;
        while self.hashes[slot] != 0 && self.hashes[slot] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let size = self.hashes.len() * 2;
        let hashes = std::mem::replace(&mut self.hashes, vec![0; size]);
        let rows = std::mem::replace(&mut self.rows, vec![0; size]);
        for (key, row) in hashes.into_iter().zip(rows) {
            if key != 0 {
                let slot = self.slot(key);
                self.hashes[slot] = key;
                self.rows[slot] = row;
            }
        }
    }
}

/// Zero marks a free slot.
fn nonzero(key: u128) -> u128 {
    if key == 0 { 1 } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_occurrence_is_remembered_through_growth() {
        let mut keys = KeySet::default();
        let key = |n: u64| u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        for n in 0..50_000u64 {
            assert_eq!(keys.insert(key(n), n + 2), Ok(()));
        }
        for n in (0..50_000u64).step_by(7) {
            assert_eq!(keys.insert(key(n), 99), Err(n + 2));
        }
        assert_eq!(keys.len(), 50_000);
        keys.give(key(7), 1);
        assert_eq!((keys.insert(key(7), 99), keys.len()), (Err(1), 50_000));
    }
}
