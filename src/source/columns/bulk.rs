//! Many cells of one column at once: no question is asked of a cell that can be asked of all.

use super::altered::judge as is_no_value;
use super::{ColumnBuilder, Judged, Values, filled_with, judge, trim};
use crate::chunk::{ColumnKind, MisfitKind};
use polars_arrow::bitmap::MutableBitmap;

/// Most cells of a push: one bit of a word each.
pub const MOST: usize = 64;

impl ColumnBuilder {
    /// Pushes `count` blanks.
    #[inline]
    pub fn push_nulls(&mut self, count: usize) {
        self.pending += count;
    }

    /// Pushes up to [`MOST`] whole numbers without a sign, each exact as a float; those whose bit is
    /// not in `filled` are blank, and 0. `false`: the column takes them only one by one.
    pub fn push_wholes(&mut self, wholes: &[i64], filled: u64) -> bool {
        let kind = self.spec.kind;
        let fits = |whole: &i64| *whole <= i64::from(i32::MAX);
        let takes = match kind {
            ColumnKind::Int => wholes.iter().all(fits),
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
            Values::Int(values) => values.extend(wholes.iter().map(|whole| *whole as i32)),
            Values::BigInt(values) => values.extend_from_slice(wholes),
            Values::Double(values) => values.extend(wholes.iter().map(|whole| *whole as f64)),
            _ => return false,
        }
        self.extend_validity(filled, wholes.len());
        true
    }

    /// Pushes up to [`MOST`] texts into a text column; `None` is a blank. `nul`: some may hold NUL.
    /// What [`ColumnBuilder::push_text`] would return goes to `misfit`, with the position.
    pub fn push_texts<'t>(
        &mut self,
        texts: impl Iterator<Item = Option<&'t str>>,
        nul: bool,
        mut misfit: impl FnMut(usize, MisfitKind),
    ) {
        self.begin_texts();
        let Self { spec, values, scratch, altered, len, .. } = self;
        let Values::Text(values) = values else { return };
        let (mut filled, mut count) = (0_u64, 0);
        for text in texts {
            let whole = text.map_or(0, str::len);
            let text = text.map(|text| if spec.clean { trim(text) } else { text });
            let text = text.filter(|text| !text.is_empty());
            let text = text.filter(|text| !is_no_value(spec, text, whole, altered, *len + count));
            let stored = text.and_then(|text| match judge(spec, text, nul) {
                Judged::Stored(None) => Some(text),
                Judged::Stored(Some(kind)) => {
                    misfit(count, kind);
                    Some(text)
                }
                Judged::Padded(width) => {
                    scratch.clear();
                    scratch.resize(width - text.len(), b'0');
                    scratch.extend_from_slice(text.as_bytes());
                    misfit(count, MisfitKind::Padded);
                    std::str::from_utf8(scratch).ok()
                }
                Judged::Refused(kind) => {
                    misfit(count, kind);
                    None
                }
            });
            filled |= u64::from(stored.is_some()) << count;
            values.push_value_ignore_validity(stored.unwrap_or_default());
            count += 1;
        }
        self.extend_validity(filled, count);
    }

    /// Ends `count` cells, of which those in `filled` are no nulls.
    pub(super) fn extend_validity(&mut self, filled: u64, count: usize) {
        if count == 0 {
            return;
        }
        let all = u64::MAX >> (MOST - count);
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
