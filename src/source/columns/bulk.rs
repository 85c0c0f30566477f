//! Many cells of one column at once: no question is asked of a cell that can be asked of all.

use super::altered::{AlteredCells, judge as is_no_value};
use super::{ColumnBuilder, Judged, Values, filled_with, judge, trim};
use crate::chunk::{ColumnKind, MisfitKind, ReadColumn};
use polars_arrow::array::MutableBinaryViewArray;
use polars_arrow::bitmap::MutableBitmap;

/// Most cells of a push: one bit of a word each.
pub const MOST: usize = 64;

impl ColumnBuilder {
    /// Pushes `count` blanks.
    #[inline]
    pub fn push_nulls(&mut self, count: usize) {
        self.pending += count;
    }

    /// Pushes up to [`MOST`] whole numbers, each exact as a float; those whose bit is not in `filled`
    /// are blank, whatever they are. `false`: the column takes them only one by one.
    pub fn push_wholes(&mut self, wholes: &[u64], filled: u64) -> bool {
        let kind = self.spec.kind;
        let cells = || wholes.iter().enumerate().map(|(at, whole)| whole & bit(filled, at));
        let takes = match kind {
            ColumnKind::Int => cells().all(|whole| i32::try_from(whole).is_ok()),
            ColumnKind::BigInt | ColumnKind::Double => true,
            _ => false,
        };
        if !takes {
            return false;
        }
        self.settle();
        if matches!(self.values, Values::Blank) {
            self.begin(match kind {
                ColumnKind::Int => Values::Int(filled_with(self.len, self.capacity, 0)),
                ColumnKind::BigInt => Values::BigInt(filled_with(self.len, self.capacity, 0)),
                _ => Values::Double(filled_with(self.len, self.capacity, 0.0)),
            });
        }
        match &mut self.values {
            Values::Int(values) => values.extend(cells().map(|whole| whole as i32)),
            Values::BigInt(values) if filled == all(wholes.len()) => {
                values.extend(wholes.iter().map(|whole| whole.cast_signed()));
            }
            Values::BigInt(values) => values.extend(cells().map(u64::cast_signed)),
            Values::Double(values) => values.extend(cells().map(|whole| whole as f64)),
            _ => return false,
        }
        self.extend_validity(filled, wholes.len());
        true
    }

    /// The same for a text column, which takes their digits. What [`ColumnBuilder::push_text`] would
    /// return goes to `misfit`, with the position.
    pub fn push_whole_texts(
        &mut self,
        wholes: &[u64],
        filled: u64,
        misfit: impl FnMut(usize, MisfitKind),
    ) {
        let Some(mut texts) = self.texts(misfit) else { return };
        let mut digits = itoa::Buffer::new();
        for (at, whole) in wholes.iter().enumerate() {
            let cell = (bit(filled, at) != 0).then(|| digits.format(*whole));
            texts.push(cell, false);
        }
        let (filled, count) = (texts.filled, texts.count);
        self.extend_validity(filled, count);
    }

    /// Pushes up to [`MOST`] texts into a text column; `None` is a blank. `nul`: some may hold NUL.
    /// What [`ColumnBuilder::push_text`] would return goes to `misfit`, with the position.
    pub fn push_texts<'t>(
        &mut self,
        cells: impl Iterator<Item = Option<&'t str>>,
        nul: bool,
        misfit: impl FnMut(usize, MisfitKind),
    ) {
        let Some(mut texts) = self.texts(misfit) else { return };
        cells.for_each(|cell| texts.push(cell, nul));
        let (filled, count) = (texts.filled, texts.count);
        self.extend_validity(filled, count);
    }

    /// The column as one that takes texts of its own.
    fn texts<M: FnMut(usize, MisfitKind)>(&mut self, misfit: M) -> Option<Texts<'_, M>> {
        self.begin_texts();
        let Self { spec, values, scratch, altered, len, .. } = self;
        let Values::Text(values) = values else { return None };
        Some(Texts { spec, values, scratch, altered, len: *len, filled: 0, count: 0, misfit })
    }

    /// Ends `count` cells, of which those in `filled` are no nulls.
    pub(super) fn extend_validity(&mut self, filled: u64, count: usize) {
        if count == 0 {
            return;
        }
        let all = all(count);
        if self.validity.is_none() && filled & all == all {
            self.len += count;
            return;
        }
        let (len, capacity) = (self.len, self.capacity);
        let bits = self.validity.get_or_insert_with(|| {
            let mut bits = MutableBitmap::with_capacity(capacity);
            bits.extend_constant(len, true);
            bits
        });
        bits.extend_from_slice(&filled.to_le_bytes(), 0, count);
        self.len += count;
    }
}

/// A text column while many cells are pushed.
struct Texts<'c, M> {
    spec: &'c ReadColumn,
    values: &'c mut MutableBinaryViewArray<str>,
    scratch: &'c mut Vec<u8>,
    altered: &'c mut AlteredCells,
    /// Cells before these.
    len: usize,
    /// Cells pushed, and a bit for each that is no null.
    count: usize,
    filled: u64,
    misfit: M,
}

impl<M: FnMut(usize, MisfitKind)> Texts<'_, M> {
    #[inline(always)]
    fn push(&mut self, cell: Option<&str>, nul: bool) {
        let stored = cell.is_some_and(|text| self.push_text(text, nul));
        if !stored {
            self.values.push_value_ignore_validity("");
        }
        self.filled |= u64::from(stored) << self.count;
        self.count += 1;
    }

    /// Whether the text is stored, as it is or repaired.
    #[inline(always)]
    fn push_text(&mut self, cell: &str, nul: bool) -> bool {
        let text = if self.spec.clean { trim(cell) } else { cell };
        let at = self.len + self.count;
        if text.is_empty() || is_no_value(self.spec, text, cell.len(), self.altered, at) {
            return false;
        }
        let text = match self.spec.float {
            true => match self.altered.without_zeros(text, at) {
                Ok(text) => text,
                Err(kind) => {
                    (self.misfit)(self.count, kind);
                    return false;
                }
            },
            false => text,
        };
        let kind = match judge(self.spec, text, nul) {
            Judged::Stored(kind) => {
                self.values.push_value_ignore_validity(text);
                kind
            }
            Judged::Padded(width) => {
                self.scratch.clear();
                self.scratch.resize(width - text.len(), b'0');
                self.scratch.extend_from_slice(text.as_bytes());
                let padded = std::str::from_utf8(self.scratch).unwrap_or(text);
                self.values.push_value_ignore_validity(padded);
                Some(MisfitKind::Padded)
            }
            Judged::Refused(kind) => {
                (self.misfit)(self.count, kind);
                return false;
            }
        };
        if let Some(kind) = kind {
            (self.misfit)(self.count, kind);
        }
        true
    }
}

/// All bits where a word has this one, else none.
#[inline(always)]
pub(super) fn bit(word: u64, at: usize) -> u64 {
    (word >> at & 1).wrapping_neg()
}

/// The bits of `count` cells.
pub(super) fn all(count: usize) -> u64 {
    u64::MAX.checked_shr((MOST - count) as u32).unwrap_or_default()
}
