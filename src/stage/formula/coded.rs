//! Texts of which few differ: most text columns of a roll hold codes.
//!
//! A chunk has thousands of rows and its code columns a few dozen different texts, so each row becomes
//! the place of its text in a short list. What a formula asks of a text (is it in a set, does it match,
//! which row of a table has it) is then asked once for each different one, and costs a byte's look-up a
//! row. On a roll of 165 columns this takes a third off the time of all formulas.

use super::values::{FALSE, Flags, TRUE, UNKNOWN, Values};
use polars::prelude::{ChunkTake, IdxCa, IdxSize, NewChunkedArray, StringChunked};
use polars_arrow::array::{Array, Utf8ViewArray, View};
use std::sync::Arc;

/// The most texts that a list has, NULL among them; behind it texts are better taken one by one.
const MOST: usize = 128;

/// For each row one of a few texts.
#[derive(Debug, Clone)]
pub(super) struct Coded {
    rows: Arc<Vec<u8>>,
    /// `None` is NULL. At most 256.
    each: Arc<[Option<Box<str>>]>,
}

impl Coded {
    /// The texts of an array, where they are short and few differ.
    pub fn of(array: &Utf8ViewArray) -> Option<Self> {
        let mut places = Places::new();
        let mut rows = Vec::with_capacity(array.len());
        match array.validity() {
            None => {
                for view in array.views().iter() {
                    rows.push(places.of(*view)?);
                }
            }
            Some(valid) => {
                for (view, valid) in array.views().iter().zip(valid.iter()) {
                    rows.push(if valid { places.of(*view)? } else { places.null() });
                }
            }
        }
        Some(Self { rows: Arc::new(rows), each: places.texts()? })
    }

    /// Rows as places of these texts.
    pub fn new(rows: Vec<u8>, each: Vec<Option<Box<str>>>) -> Self {
        Self { rows: Arc::new(rows), each: each.into() }
    }

    /// The text that all rows have, if they do.
    pub fn single(&self) -> Option<Option<&str>> {
        (self.each.len() == 1).then(|| self.each[0].as_deref())
    }

    /// The place of each row's text.
    pub fn rows(&self) -> &[u8] {
        &self.rows
    }

    /// The different texts.
    pub fn each(&self) -> &[Option<Box<str>>] {
        &self.each
    }

    /// The text of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.each[usize::from(self.rows[row])].as_deref()
    }

    /// A truth of each text; unknown where there is none.
    pub fn test(&self, mut is: impl FnMut(&str) -> bool) -> Flags {
        self.flags(|text| match text {
            Some(text) => u8::from(is(text)) * TRUE,
            None => UNKNOWN,
        })
    }

    /// Where there is no text.
    pub fn is_null(&self) -> Flags {
        self.flags(|text| if text.is_none() { TRUE } else { FALSE })
    }

    fn flags(&self, flag: impl FnMut(Option<&str>) -> u8) -> Flags {
        let table = self.table(flag);
        Flags::each(self.rows.iter().map(|place| table[usize::from(*place)]))
    }

    /// A value of each text.
    pub fn values<C: Copy + Default>(&self, mut value: impl FnMut(&str) -> C) -> Values<C> {
        let table = self.table(|text| text.map(&mut value).unwrap_or_default());
        let values = self.rows.iter().map(|place| table[usize::from(*place)]).collect();
        let known = self.each.iter().all(Option::is_some);
        let mask = (!known).then(|| {
            let valid = self.table(|text| u8::from(text.is_some()));
            Arc::new(self.rows.iter().map(|place| valid[usize::from(*place)]).collect())
        });
        Values::Each(values, mask)
    }

    /// Other texts for those there are, in their order.
    pub fn replaced<'t>(&self, each: impl Iterator<Item = Option<&'t str>>) -> Self {
        Self { rows: Arc::clone(&self.rows), each: each.map(|text| text.map(Into::into)).collect() }
    }

    /// As an array.
    pub fn array(&self) -> Option<Utf8ViewArray> {
        let each =
            StringChunked::from_iter_options("".into(), self.each.iter().map(Option::as_deref));
        let places: Vec<_> = self.rows.iter().map(|place| IdxSize::from(*place)).collect();
        let taken = each.take(&IdxCa::from_vec("".into(), places)).ok()?;
        taken.rechunk().downcast_iter().next().cloned()
    }

    /// So wide that a byte is always within it.
    fn table<C: Copy + Default>(&self, mut value: impl FnMut(Option<&str>) -> C) -> [C; 256] {
        let mut table = [C::default(); 256];
        for (to, text) in table.iter_mut().zip(self.each.iter()) {
            *to = value(text.as_deref());
        }
        table
    }
}

/// Finds the place of a text by its view, which of a short text is all of it.
struct Places {
    slots: [u8; Self::SLOTS],
    views: Vec<View>,
    null: Option<u8>,
    /// The text before, most often the same again.
    last: Option<(View, u8)>,
}

impl Places {
    const SLOTS: usize = 512;
    const FREE: u8 = u8::MAX;
    /// Stands for NULL among the views; no view of a text has this length.
    const NULL: View = View { length: u32::MAX, prefix: 0, buffer_idx: 0, offset: 0 };

    fn new() -> Self {
        Self { slots: [Self::FREE; Self::SLOTS], views: Vec::new(), null: None, last: None }
    }

    #[inline]
    fn of(&mut self, view: View) -> Option<u8> {
        match self.last {
            Some((last, place)) if last == view => Some(place),
            _ => self.find(view),
        }
    }

    fn find(&mut self, view: View) -> Option<u8> {
        let bits = view.as_u128();
        let mixed = (bits as u64 ^ (bits >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = (mixed >> 55) as usize;
        let place = loop {
            match self.slots[at] {
                Self::FREE => break self.add(view, at)?,
                place if self.views[usize::from(place)] == view => break place,
                _ => at = (at + 1) % Self::SLOTS,
            }
        };
        self.last = Some((view, place));
        Some(place)
    }

    fn add(&mut self, view: View, slot: usize) -> Option<u8> {
        if !view.is_inline() || self.views.len() >= MOST {
            return None;
        }
        self.slots[slot] = self.views.len() as u8;
        self.views.push(view);
        Some(self.slots[slot])
    }

    fn null(&mut self) -> u8 {
        *self.null.get_or_insert_with(|| {
            self.views.push(Self::NULL);
            self.views.len() as u8 - 1
        })
    }

    fn texts(&self) -> Option<Arc<[Option<Box<str>>]>> {
        let text = |view: &View| match *view == Self::NULL {
            true => Some(None),
            false => Some(Some(std::str::from_utf8(view.get_inlined_slice()?).ok()?.into())),
        };
        self.views.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_codes_comes_back_as_it_was() {
        let given = [Some("001"), None, Some(""), Some("001"), Some("twelve bytes"), None];
        let coded = Coded::of(&Utf8ViewArray::from_slice(given)).expect("few short texts");
        assert_eq!((0..given.len()).map(|row| coded.get(row)).collect::<Vec<_>>(), given);
        assert_eq!(coded.array().expect("an array").iter().collect::<Vec<_>>(), given);
        assert_eq!(coded.each().len(), 4);
        let flags = coded.test(|text| text == "001");
        let flags: Vec<_> = (0..given.len()).map(|row| flags.get(row)).collect();
        assert_eq!(flags, [TRUE, UNKNOWN, FALSE, TRUE, FALSE, UNKNOWN]);
    }

    #[test]
    fn long_texts_and_many_are_left_as_they_are() {
        assert!(Coded::of(&Utf8ViewArray::from_slice([Some("thirteen byte")])).is_none());
        let many: Vec<_> = (0..=MOST).map(|number| Some(number.to_string())).collect();
        assert!(Coded::of(&Utf8ViewArray::from_slice(many.as_slice())).is_none());
        assert!(Coded::of(&Utf8ViewArray::from_slice(&many[1..])).is_some());
    }
}
