//! Texts that many cells share, such as the shared strings of a workbook: each is held once, and a
//! column of them only points to them.

use super::bulk::{MOST, all, bit};
use super::{ColumnBuilder, Values};
use crate::chunk::{ColumnKind, MisfitKind, ReadColumn, Role};
use crate::source::number;
use polars::prelude::*;
use polars_arrow::array::{MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray, View};
use polars_arrow::bitmap::Bitmap;
use polars_buffer::Buffer;

/// Texts of this length or more are of [`LONG`] in `SharedTexts::lengths`.
const LONG: u8 = u8::MAX;

/// Texts by their numbers, from 0. A clone shares them.
#[derive(Debug, Clone)]
pub struct SharedTexts {
    texts: Utf8ViewArray,
    /// Their lengths once more, close together: they are asked for at every cell.
    lengths: Buffer<u8>,
    plain: bool,
    scientific: bool,
}

impl SharedTexts {
    /// Of `texts`. `plain`: none is empty, has a blank at an end or holds NUL. `scientific`: some may
    /// look like a number that a spreadsheet has shortened.
    pub fn new(texts: MutableBinaryViewArray<str>, plain: bool, scientific: bool) -> Self {
        let length = |view: &View| u8::try_from(view.length).unwrap_or(LONG);
        let lengths = texts.views().iter().map(length).collect::<Vec<_>>().into();
        Self { texts: texts.freeze(), lengths, plain, scientific }
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

    /// Bytes of the texts with these numbers, if a column takes all of them as they are.
    fn fit(&self, spec: &ReadColumn, cells: impl Iterator<Item = usize> + Clone) -> Option<usize> {
        if !self.plain || spec.kind != ColumnKind::Text || spec.float {
            return None;
        }
        let (mut least, mut most, mut bytes) = (LONG, 0, 0);
        for number in cells.clone() {
            let length = *self.lengths.get(number)?;
            (least, most, bytes) =
                (least.min(length), most.max(length), bytes + usize::from(length));
        }
        let (least, mut most) = (usize::from(least), usize::from(most));
        if most == usize::from(LONG) {
            let lengths = || cells.clone().map(|number| self.texts.views()[number].length as usize);
            (most, bytes) = (lengths().max()?, lengths().sum());
        }
        let texts = || cells.clone().filter_map(|number| self.get(number));
        let long = spec.max_len.is_some_and(|max| most > max);
        let short = spec.role == Role::Code && spec.width.is_some_and(|width| least < width);
        let is_null = |text: &str| spec.nulls.iter().any(|token| token == text);
        let maybe_null = spec.nulls.iter().any(|token| (least..=most).contains(&token.len()));
        let null = || maybe_null && texts().any(is_null);
        let damaged = |text: &str| number::is_scientific(text.as_bytes());
        let refused = || self.scientific && spec.role == Role::Id && texts().any(damaged);
        (!long && !short && !null() && !refused()).then_some(bytes)
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
    /// Pushes up to [`MOST`] cells into a text column: the texts with these numbers where `filled` has a
    /// bit, blanks elsewhere, whatever stands there. Returns the bytes of the texts. What
    /// [`ColumnBuilder::push_text`] would return goes to `misfit`, with the position.
    pub fn push_shared(
        &mut self,
        shared: &SharedTexts,
        numbers: &[u64],
        filled: u64,
        misfit: impl FnMut(usize, MisfitKind),
    ) -> usize {
        debug_assert!(numbers.len() <= MOST);
        if let Some(bytes) = self.share(shared, numbers, filled) {
            return bytes;
        }
        let text = |at: usize| shared.get(numbers[at] as usize).filter(|_| bit(filled, at) != 0);
        let cells = (0..numbers.len()).map(text);
        let bytes = cells.clone().flatten().map(str::len).sum();
        self.push_texts(cells, !shared.plain, misfit);
        bytes
    }

    /// Pushes the numbers alone, if the column takes all of their texts as they are.
    fn share(&mut self, shared: &SharedTexts, numbers: &[u64], filled: u64) -> Option<usize> {
        let mut rest = filled;
        let bytes = shared.fit(
            &self.spec,
            std::iter::from_fn(move || {
                let at = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(numbers[at as usize] as usize)
            }),
        )?;
        self.settle();
        if matches!(self.values, Values::Blank) {
            let before = super::filled_with(self.len, self.capacity, 0);
            self.begin(Values::Shared(shared.clone(), before));
        }
        let Values::Shared(_, places) = &mut self.values else { return None };
        if filled == all(numbers.len()) {
            places.extend(numbers.iter().map(|number| *number as IdxSize));
        } else {
            let number = |(at, number): (usize, &u64)| (number & bit(filled, at)) as IdxSize;
            places.extend(numbers.iter().enumerate().map(number));
        }
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
