//! Restores the order that parallel workers lose.

use std::collections::BTreeMap;

/// Holds back items until all before them have come.
#[derive(Debug)]
pub struct Reorder<T> {
    next: u64,
    waiting: BTreeMap<u64, T>,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }
}

impl<T> Reorder<T> {
    /// Puts an item in.
    pub fn push(&mut self, seq: u64, item: T) {
        self.waiting.insert(seq, item);
    }

    /// Takes the next item in order, if it is there.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(item)
    }

    /// Items held back.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Nothing held back.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_order() {
        let mut order = Reorder::default();
        order.push(1, 'b');
        assert_eq!(order.pop(), None);
        order.push(0, 'a');
        assert_eq!((order.pop(), order.pop(), order.pop()), (Some('a'), Some('b'), None));
    }
}
