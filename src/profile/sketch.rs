//! What is remembered of one column: enough for its profile, in bounded memory.
//!
//! A block of rows is folded by one worker: equal texts are found first, so that everything else is
//! asked of a text once and not of every cell. Sketches of blocks are merged in the order of the file;
//! blocks are cut by rows and bytes alone, so the result does not depend on threads.

use super::counts::Counts;
use super::digest::Digest;
use super::odd::{Oddities, Oddity};
use super::shape::{digits, shape};
use crate::chunk::Place;
use crate::source::columns::trim;
use crate::source::infer::{Fit, TypeFinder, fit};
use hashbrown::HashMap;
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// What is remembered.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    /// Cells that hold something.
    pub cells: u64,
    /// Cells that do not.
    pub blanks: u64,
    /// Whole numbers among the cells.
    pub wholes: u64,
    /// What types the cells fit.
    pub types: TypeFinder,
    /// The most frequent texts.
    pub values: Counts,
    /// The most frequent shapes.
    pub shapes: Counts,
    /// Numbers, days or moments.
    pub digest: Digest,
    /// The least and the most of them, with their texts.
    pub range: Option<(Extreme, Extreme)>,
    /// The first and the last text in the order of their bytes.
    pub order: Option<(String, String)>,
    /// Characters: the fewest, the most and all of them.
    pub lengths: Option<(u64, u64, u64)>,
    /// Suspicious cells.
    pub odd: Oddities,
}

/// A number with the text it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Extreme {
    /// The number.
    pub number: f64,
    /// Its text.
    pub text: String,
}

/// The texts of one column of a block that are not blank, folded.
#[derive(Debug, Default)]
pub struct Folded {
    /// What is remembered.
    pub sketch: Sketch,
    /// A hash of every text that differs from the others of the block.
    pub hashes: Vec<u64>,
    /// Whether there is a cell for each of them and no other one: a key may look like this.
    pub unique: bool,
}

impl Folded {
    /// A column of a block without a value.
    pub fn blank(rows: usize) -> Self {
        let sketch = Sketch { blanks: rows as u64, ..Sketch::default() };
        Self { sketch, hashes: Vec::new(), unique: false }
    }

    /// One cell that the reader could not take as text, counted as blank so far; it stays so where it
    /// fits nothing.
    pub fn add_refused(&mut self, kind: Oddity, text: &str, fit: Option<Fit>, place: Place) {
        let sketch = &mut self.sketch;
        sketch.odd.add(kind, 1, text, || place);
        let Some(fit) = fit.filter(|_| !text.is_empty()) else { return };
        self.hashes.push(xxh3_64(text.as_bytes()));
        sketch.blanks = sketch.blanks.saturating_sub(1);
        sketch.cells += 1;
        sketch.types.add_many(fit, text, 1, || place);
        if let Some(number) = fit.measure(text) {
            sketch.digest.merge(&Digest::of(vec![(number, 1)]));
            sketch.measured(number, text);
        }
        sketch.length(characters(text), 1);
        let short = in_short(text, xxh3_64(text.as_bytes()));
        sketch.values.merge(Counts::of(vec![(&short, 1)]));
        sketch.shapes.merge(Counts::of(vec![(&shape_of(text), 1)]));
        sketch.order(&short, &short);
    }
}

/// Bytes of a text that is kept whole. Of longer ones the beginning is kept with what tells them apart:
/// a thousand are kept for each column.
pub const WHOLE: usize = 256;
/// Characters of the beginning.
const BEGINNING: usize = 80;

fn in_short(text: &str, hash: u64) -> Cow<'_, str> {
    if text.len() <= WHOLE {
        return text.into();
    }
    let beginning: String = text.chars().take(BEGINNING).collect();
    format!("{beginning}… ({} characters, {hash:016x})", characters(text)).into()
}

/// A text of a block.
struct Text<'a> {
    text: &'a str,
    hash: u64,
    first: usize,
    cells: u32,
}

/// Finds equal texts; used for one column after the other.
#[derive(Default)]
pub struct Folder {
    /// Place of a text in the list behind it, plus one; 0: none. Twice as many as cells at least.
    slots: Vec<u32>,
    shape: String,
}

impl Folder {
    /// Folds the cells of a column of a block; `None` is a blank. `place` says where a row stands.
    pub fn fold<'a>(
        &mut self,
        cells: impl Iterator<Item = Option<&'a str>>,
        count: usize,
        place: impl Fn(usize) -> Place,
    ) -> Folded {
        self.slots.clear();
        self.slots.resize((count * 2).next_power_of_two(), 0);
        let mut texts: Vec<Text<'a>> = Vec::new();
        let mut sketch = Sketch::default();
        let mut last = usize::MAX;
        for (row, cell) in cells.enumerate() {
            let Some(raw) = cell else { continue };
            let text = trim(raw);
            if text.len() < raw.len() {
                let kind = if text.is_empty() { Oddity::BlankText } else { Oddity::Padded };
                sketch.odd.add(kind, 1, raw, || place(row));
            }
            if text.is_empty() {
                continue;
            }
            sketch.cells += 1;
            // Rows are often sorted by one column, and many columns have one text throughout.
            match texts.get_mut(last) {
                Some(same) if same.text == text => same.cells += 1,
                _ => last = self.find(&mut texts, text, row),
            }
        }
        sketch.blanks = count as u64 - sketch.cells;
        self.describe(&mut sketch, &texts, &place);
        let unique = sketch.blanks == 0 && texts.len() == count;
        Folded { sketch, hashes: texts.iter().map(|text| text.hash).collect(), unique }
    }

    /// Counts a text and says its place in the list.
    #[inline]
    fn find<'a>(&mut self, texts: &mut Vec<Text<'a>>, text: &'a str, row: usize) -> usize {
        let hash = xxh3_64(text.as_bytes());
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 => {
                    texts.push(Text { text, hash, first: row, cells: 1 });
                    self.slots[slot] = texts.len() as u32;
                    return texts.len() - 1;
                }
                found => {
                    let at = found as usize - 1;
                    let known = &mut texts[at];
                    if known.hash == hash && known.text == text {
                        known.cells += 1;
                        return at;
                    }
                    slot = (slot + 1) & mask;
                }
            }
        }
    }

    /// Asks everything of every text.
    fn describe(
        &mut self,
        sketch: &mut Sketch,
        texts: &[Text<'_>],
        place: &impl Fn(usize) -> Place,
    ) {
        let mut shapes = HashMap::<String, u64>::new();
        let mut of_digits = [0_u64; 64];
        let mut numbers = Vec::new();
        for text in texts {
            let cells = u64::from(text.cells);
            let fit = fit(text.text);
            let place = || place(text.first);
            sketch.types.add_many(fit, text.text, cells, place);
            sketch.odd.look(text.text, fit, cells, place);
            sketch.wholes += if fit.is_whole() { cells } else { 0 };
            if let Some(number) = fit.measure(text.text) {
                if number < 0.0 && text.text.starts_with('-') {
                    sketch.odd.add(Oddity::Negative, cells, text.text, place);
                }
                numbers.push((number, text.cells));
                sketch.measured(number, text.text);
            }
            let length = characters(text.text);
            sketch.length(length, cells);
            if fit.is_whole() && !text.text.starts_with('-') {
                of_digits[length as usize] += cells;
            } else {
                shape(text.text, &mut self.shape);
                *shapes.entry_ref(self.shape.as_str()).or_default() += cells;
            }
        }
        for (count, cells) in of_digits.iter().enumerate().filter(|(_, cells)| **cells > 0) {
            digits(count, &mut self.shape);
            *shapes.entry_ref(self.shape.as_str()).or_default() += cells;
        }
        sketch.shapes = Counts::of(shapes.iter().map(|(text, n)| (text.as_str(), *n)).collect());
        sketch.digest = Digest::of(numbers);
        let short = texts.iter().map(|text| in_short(text.text, text.hash)).collect::<Vec<_>>();
        let counts = short.iter().zip(texts).map(|(short, text)| (&**short, text.cells.into()));
        sketch.values = Counts::of(counts.collect());
        let first = short.iter().min().map(ToString::to_string);
        sketch.order = first.zip(short.iter().max().map(ToString::to_string));
    }
}

impl Sketch {
    /// Takes over what is known of the rows behind.
    pub fn merge(&mut self, later: Self) {
        self.cells += later.cells;
        self.blanks += later.blanks;
        self.wholes += later.wholes;
        self.types.merge(later.types);
        self.values.merge(later.values);
        self.shapes.merge(later.shapes);
        self.digest.merge(&later.digest);
        self.odd.merge(later.odd);
        if let Some((least, most)) = later.range {
            self.measured(least.number, &least.text);
            self.measured(most.number, &most.text);
        }
        if let Some((first, last)) = later.order {
            self.order(&first, &last);
        }
        if let Some((fewest, most, all)) = later.lengths {
            let mine = self.lengths.get_or_insert((fewest, most, 0));
            *mine = (mine.0.min(fewest), mine.1.max(most), mine.2 + all);
        }
    }

    #[inline]
    fn length(&mut self, characters: u64, cells: u64) {
        let mine = self.lengths.get_or_insert((characters, characters, 0));
        *mine = (mine.0.min(characters), mine.1.max(characters), mine.2 + characters * cells);
    }

    #[inline]
    fn measured(&mut self, number: f64, text: &str) {
        let extreme = || Extreme { number, text: text.to_owned() };
        match &mut self.range {
            None => self.range = Some((extreme(), extreme())),
            Some((least, _)) if number < least.number => *least = extreme(),
            Some((_, most)) if number > most.number => *most = extreme(),
            Some(_) => {}
        }
    }

    fn order(&mut self, first: &str, last: &str) {
        match &mut self.order {
            None => self.order = Some((first.to_owned(), last.to_owned())),
            Some((least, most)) => {
                if first < least.as_str() {
                    *least = first.to_owned();
                }
                if last > most.as_str() {
                    *most = last.to_owned();
                }
            }
        }
    }
}

fn shape_of(text: &str) -> String {
    let mut out = String::new();
    shape(text, &mut out);
    out
}

#[inline]
fn characters(text: &str) -> u64 {
    if text.is_ascii() { text.len() as u64 } else { text.chars().count() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fold(cells: &[Option<String>], from: usize) -> Folded {
        let place = |row| Place { row: (from + row) as u64, byte: None };
        Folder::default().fold(cells.iter().map(Option::as_deref), cells.len(), place)
    }

    fn cell() -> impl Strategy<Value = Option<String>> {
        proptest::option::weighted(0.9, "[ ]?(-?[0-9]{1,4}|[A-C]{1,2}|2025-01-[0-9]{2})[ ]?")
    }

    proptest! {
        #[test]
        fn what_few_texts_tell_does_not_depend_on_the_cuts(
            cells in proptest::collection::vec(cell(), 1..200),
            cut in 0_usize..200,
        ) {
            let cut = cut.min(cells.len());
            let whole = fold(&cells, 0).sketch;
            let mut parts = fold(&cells[..cut], 0).sketch;
            parts.merge(fold(&cells[cut..], cut).sketch);
            prop_assert_eq!(parts.cells, whole.cells);
            prop_assert_eq!(parts.blanks, whole.blanks);
            prop_assert_eq!(parts.types.finish(), whole.types.finish());
            prop_assert_eq!(parts.values.sorted(), whole.values.sorted());
            prop_assert_eq!(parts.shapes.sorted(), whole.shapes.sorted());
            prop_assert_eq!(&parts.order, &whole.order);
            prop_assert_eq!(parts.lengths, whole.lengths);
            let range = |sketch: &Sketch| {
                sketch.range.clone().map(|(least, most)| (least.number, most.number))
            };
            prop_assert_eq!(range(&parts), range(&whole));
            let odd = |sketch: &Sketch| -> Vec<_> {
                sketch.odd.iter().map(|(kind, seen)| (kind, seen.cells, seen.examples.clone())).collect()
            };
            prop_assert_eq!(odd(&parts), odd(&whole));
        }
    }

    #[test]
    fn long_texts_are_told_apart_and_not_kept() {
        let long = |n: u32| Some(format!("{}{n}", "x".repeat(100_000)));
        let cells: Vec<_> = (0..8).map(|n| long(n % 4)).collect();
        let sketch = fold(&cells, 0).sketch;
        assert_eq!(sketch.values.sorted().iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2; 4]);
        assert!(sketch.values.sorted().iter().all(|(text, _)| text.len() < WHOLE));
        assert!(sketch.order.is_some_and(|(first, last)| first.len().max(last.len()) < WHOLE));
        assert_eq!(sketch.lengths.map(|(_, most, _)| most), Some(100_001));
    }

    #[test]
    fn a_key_repeats_nothing_and_leaves_nothing_out() {
        let cells = |texts: &[&str]| -> Vec<Option<String>> {
            texts.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
        };
        assert!(fold(&cells(&["a", "b"]), 0).unique);
        assert!(!fold(&cells(&["a", "b", "a"]), 0).unique);
        assert!(!fold(&cells(&["a", "b", ""]), 0).unique);
        assert!(!fold(&cells(&["a", "b", " a"]), 0).unique);
    }
}
