//! Texts that many cells share, such as the shared strings of a workbook: each is held once, and a
//! column of them only points to them.

use super::bulk::MOST;
use super::{ColumnBuilder, Values};
use crate::chunk::{ColumnKind, ReadColumn, Role};
use polars::prelude::*;
use polars_arrow::array::{MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;

/// Texts by their numbers, from 0. A clone shares them.
#[derive(Debug, Clone)]
pub struct SharedTexts {
    texts: Utf8ViewArray,
    plain: bool,
}

impl SharedTexts {
    /// Of `texts`. `plain`: none is empty, has a blank at an end or holds NUL.
    pub fn new(texts: MutableBinaryViewArray<str>, plain: bool) -> Self {
        Self { texts: texts.freeze(), plain }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text with this number.
    #[inline(always)]
    pub fn get(&self, number: usize) -> Option<&str> {
        (number < self.texts.len()).then(|| self.texts.value(number))
    }

    /// Whether some text may hold NUL.
    pub fn may_hold_nul(&self) -> bool {
        !self.plain
    }

    /// Bytes of the texts with these numbers, if a column takes all of them as they are.
    fn fit(
        &self,
        spec: &ReadColumn,
        numbers: impl Iterator<Item = usize> + Clone,
    ) -> Option<usize> {
        if !self.plain || spec.kind != ColumnKind::Text || spec.role == Role::Id {
            return None;
        }
        let (mut least, mut most, mut bytes) = (usize::MAX, 0, 0);
        for number in numbers.clone() {
            let length = self.texts.views().get(number)?.length as usize;
            (least, most, bytes) = (least.min(length), most.max(length), bytes + length);
        }
        let long = spec.max_len.is_some_and(|max| most > max);
        let short = spec.role == Role::Code && spec.width.is_some_and(|width| least < width);
        let is_null = |text: &str| spec.nulls.iter().any(|token| token == text);
        let maybe_null = spec.nulls.iter().any(|token| (least..=most).contains(&token.len()));
        let null = maybe_null && numbers.filter_map(|number| self.get(number)).any(is_null);
        (!long && !short && !null).then_some(bytes)
    }

    /// A column of the texts with these numbers.
    pub(super) fn column(
        &self,
        name: PlSmallStr,
        numbers: Vec<IdxSize>,
        validity: Option<Bitmap>,
    ) -> StringChunked {
        let numbers = PrimitiveArray::from_vec(numbers).with_validity(validity);
        let numbers = IdxCa::with_chunk(PlSmallStr::EMPTY, numbers);
        let texts = StringChunked::with_chunk(name, self.texts.clone());
        texts.take(&numbers).expect("every number was found among the texts when it was pushed")
    }
}

impl ColumnBuilder {
    /// Pushes up to [`MOST`] cells: the texts with these numbers where `filled` has a bit, blanks
    /// elsewhere. Returns the bytes of the texts; `None`, and nothing is pushed, where the column does
    /// not take all of them as they are.
    pub fn push_shared(
        &mut self,
        shared: &SharedTexts,
        numbers: &[u64],
        filled: u64,
    ) -> Option<usize> {
        debug_assert!(numbers.len() <= MOST);
        let is_filled = move |at: &usize| filled >> at & 1 == 1;
        let cells = (0..numbers.len()).filter(is_filled).map(|at| numbers[at] as usize);
        let bytes = shared.fit(&self.spec, cells)?;
        self.settle();
        if matches!(self.values, Values::Blank) {
            let before = super::filled_with(self.len, self.capacity, 0);
            self.begin(Values::Shared(shared.clone(), before));
        }
        let Values::Shared(_, all) = &mut self.values else { return None };
        // What stands at a blank is left from elsewhere.
        let number =
            |at: usize| numbers[at] as IdxSize & 0_u32.wrapping_sub((filled >> at & 1) as u32);
        all.extend((0..numbers.len()).map(number));
        self.extend_validity(filled, numbers.len());
        Some(bytes)
    }

    /// Copies the texts that the column shares so far, because others join them.
    pub(super) fn unshare(&mut self) {
        let Values::Shared(shared, numbers) = &self.values else { return };
        let mut values = MutableBinaryViewArray::with_capacity(self.capacity.max(numbers.len()));
        let texts = numbers.iter().map(|number| shared.get(*number as usize).unwrap_or_default());
        texts.for_each(|text| values.push_value_ignore_validity(text));
        self.values = Values::Text(values);
    }
}
