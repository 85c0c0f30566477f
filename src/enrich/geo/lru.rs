//! The answers of late: as many as fit, the one that was not asked for longest goes first.

use hashbrown::HashMap;
use std::hash::Hash;

/// A map of bounded size.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    places: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    /// Asked for last, and not for longest.
    newest: usize,
    oldest: usize,
    room: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    newer: usize,
    older: usize,
}

/// No slot.
const NONE: usize = usize::MAX;

impl<K: Hash + Eq + Clone, V: Clone> Lru<K, V> {
    /// A map of at most `room` answers.
    pub fn new(room: usize) -> Self {
        let places = HashMap::new();
        Self { places, slots: Vec::new(), newest: NONE, oldest: NONE, room: room.max(1) }
    }

    /// An answer, which now counts as asked for.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let at = *self.places.get(key)?;
        self.unlink(at);
        self.link(at);
        Some(self.slots[at].value.clone())
    }

    /// Keeps an answer.
    pub fn put(&mut self, key: K, value: V) {
        if let Some(at) = self.places.get(&key).copied() {
            self.slots[at].value = value;
            self.unlink(at);
            return self.link(at);
        }
        let slot = Slot { key: key.clone(), value, newer: NONE, older: NONE };
        let at = if self.slots.len() < self.room {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let at = self.oldest;
            self.unlink(at);
            self.places.remove(&self.slots[at].key);
            self.slots[at] = slot;
            at
        };
        self.places.insert(key, at);
        self.link(at);
    }

    fn link(&mut self, at: usize) {
        (self.slots[at].newer, self.slots[at].older) = (NONE, self.newest);
        match self.newest {
            NONE => self.oldest = at,
            newest => self.slots[newest].newer = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: usize) {
        let (newer, older) = (self.slots[at].newer, self.slots[at].older);
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older].newer = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_not_asked_for_longest_goes_first() {
        let mut lru = Lru::new(2);
        lru.put("a", 1);
        lru.put("b", 2);
        assert_eq!(lru.get(&"a"), Some(1));
        lru.put("c", 3);
        assert_eq!((lru.get(&"a"), lru.get(&"b"), lru.get(&"c")), (Some(1), None, Some(3)));
        lru.put("a", 4);
        lru.put("d", 5);
        assert_eq!((lru.get(&"a"), lru.get(&"c"), lru.get(&"d")), (Some(4), None, Some(5)));
    }

    #[test]
    fn it_agrees_with_a_list_that_is_searched() {
        let (mut lru, mut list) = (Lru::new(5), Vec::<(u32, u32)>::new());
        let mut state = 7_u32;
        for round in 0..5_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (state >> 24) % 9;
            let known = list.iter().position(|(have, _)| *have == key).map(|at| list.remove(at));
            assert_eq!(lru.get(&key), known.map(|(_, value)| value));
            let value = known.map_or(round, |(_, value)| value);
            lru.put(key, value);
            list.push((key, value));
            if list.len() > 5 {
                list.remove(0);
            }
        }
    }
}
