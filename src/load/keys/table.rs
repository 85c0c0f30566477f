//! Keys in memory: open addressing, 16 bytes a slot plus 4 for the row.

/// Keys with their rows. A key of zero counts as one: zero marks a free slot.
#[derive(Debug)]
pub struct Table {
    hashes: Vec<u128>,
    rows: Vec<u32>,
    len: usize,
}

/// Slots at the start.
const FEWEST: usize = 1 << 10;

impl Default for Table {
    fn default() -> Self {
        Self { hashes: vec![0; FEWEST], rows: vec![0; FEWEST], len: 0 }
    }
}

impl Table {
    /// Bytes of a slot.
    pub const SLOT: usize = 20;

    /// The most slots that `bytes` hold: a power of two.
    pub fn slots_within(bytes: u64) -> usize {
        let slots = usize::try_from(bytes).unwrap_or(usize::MAX) / Self::SLOT;
        (slots + 1).next_power_of_two().max(2 * FEWEST) / 2
    }

    pub fn slots(&self) -> usize {
        self.hashes.len()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it must grow or give its keys away before the next one.
    pub fn is_full(&self) -> bool {
        self.len * 5 >= self.hashes.len() * 4
    }

    /// Adds a key; its row where it is there already.
    pub fn insert(&mut self, key: u128, row: u32) -> Option<u32> {
        let key = key.max(1);
        let slot = self.slot(key);
        if self.hashes[slot] == key {
            return Some(self.rows[slot]);
        }
        self.hashes[slot] = key;
        self.rows[slot] = row;
        self.len += 1;
        None
    }

    /// Takes twice the room.
    pub fn grow(&mut self) {
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

    /// Gives all keys away, in order.
    pub fn drain_sorted(
        &mut self,
        mut each: impl FnMut(u128, u32) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        // Slots and not keys are put in order: a third of the memory.
        let mut slots: Vec<u32> = (0u32..)
            .zip(&self.hashes)
            .filter(|(_, key)| **key != 0)
            .map(|(slot, _)| slot)
            .collect();
        slots.sort_unstable_by_key(|slot| self.hashes[*slot as usize]);
        for slot in slots {
            each(self.hashes[slot as usize], self.rows[slot as usize])?;
        }
        self.hashes.fill(0);
        self.len = 0;
        Ok(())
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
}
