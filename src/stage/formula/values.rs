//! Columns of values on their way through a formula: one value for all rows, or one for each.

use super::coded::Coded;
use polars_arrow::array::{Array, ArrayCollectIterExt, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_buffer::Buffer;
use std::sync::Arc;

/// One byte a row: 1 where there is a value. Bytes and not bits, so that loops over them vectorise.
pub(super) type Mask = Arc<Vec<u8>>;

/// Values of a fixed width. A slot behind a null holds anything.
#[derive(Debug, Clone)]
pub(super) enum Values<T> {
    /// The same in every row; `None` is NULL.
    All(Option<T>),
    /// One in each row.
    Each(Buffer<T>, Option<Mask>),
}

/// False, unknown and true, so that AND is the least, OR the greatest and NOT the mirror.
pub(super) const FALSE: u8 = 0;
/// NULL.
pub(super) const UNKNOWN: u8 = 1;
/// See [`FALSE`].
pub(super) const TRUE: u8 = 2;

/// Truth values.
#[derive(Debug, Clone)]
pub(super) enum Flags {
    All(u8),
    Each(Arc<Vec<u8>>),
}

/// Texts.
#[derive(Debug, Clone)]
pub(super) enum Texts {
    /// The same in every row; `None` is NULL.
    All(Option<Arc<str>>),
    /// One in each row, and where there is one.
    Each(Utf8ViewArray, Option<Mask>),
    /// The same where the flag is [`TRUE`], NULL elsewhere.
    Where(Arc<Vec<u8>>, Arc<str>),
    /// Of few different ones.
    Coded(Coded),
}

/// The validity of a column as a mask.
pub(super) fn mask_of(validity: Option<&Bitmap>) -> Option<Mask> {
    let bits = validity.filter(|bits| bits.unset_bits() > 0)?;
    let mut mask = Vec::with_capacity(bits.len() + 64);
    let words = bits.chunks::<u64>();
    let last = words.remainder();
    for word in words.chain([last]) {
        mask.extend(word.to_le_bytes().iter().flat_map(|byte| BYTES[usize::from(*byte)]));
    }
    mask.truncate(bits.len());
    Some(Arc::new(mask))
}

/// The bits of a byte as bytes, the lowest first.
const BYTES: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut at = 0;
    while at < 8 * 256 {
        table[at / 8][at % 8] = (at / 8 >> (at % 8) & 1) as u8;
        at += 1;
    }
    table
};

/// Where both are.
fn joined(a: &Option<Mask>, b: &Option<Mask>) -> Option<Mask> {
    match (a, b) {
        (None, mask) | (mask, None) => mask.clone(),
        (Some(a), Some(b)) => Some(Arc::new(a.iter().zip(b.iter()).map(|(a, b)| a & b).collect())),
    }
}

/// Flags where there are values, unknown elsewhere; in one pass, without a branch.
fn flags_of(flags: impl Iterator<Item = u8>, mask: Option<&Mask>) -> Flags {
    match mask {
        None => Flags::each(flags),
        Some(mask) => {
            let known = |(flag, valid): (u8, &u8)| flag * valid + (1 - valid) * UNKNOWN;
            Flags::each(flags.zip(mask.iter()).map(known))
        }
    }
}

impl<T: Copy + Default> Values<T> {
    /// A function of each value.
    pub fn map<C>(&self, mut f: impl FnMut(T) -> C) -> Values<C> {
        match self {
            Self::All(value) => Values::All(value.map(f)),
            Self::Each(values, mask) => {
                Values::Each(values.iter().map(|value| f(*value)).collect(), mask.clone())
            }
        }
    }

    /// A function of the values of two columns; NULL where either is.
    pub fn zip<B: Copy, C>(&self, other: &Values<B>, mut f: impl FnMut(T, B) -> C) -> Values<C> {
        match (self, other) {
            (Self::All(None), _) | (_, Values::All(None)) => Values::All(None),
            (Self::All(Some(a)), Values::All(Some(b))) => Values::All(Some(f(*a, *b))),
            (Self::All(Some(a)), Values::Each(values, mask)) => {
                Values::Each(values.iter().map(|b| f(*a, *b)).collect(), mask.clone())
            }
            (Self::Each(values, mask), Values::All(Some(b))) => {
                Values::Each(values.iter().map(|a| f(*a, *b)).collect(), mask.clone())
            }
            (Self::Each(a, first), Values::Each(b, second)) => {
                let values = a.iter().zip(b.iter()).map(|(a, b)| f(*a, *b)).collect();
                Values::Each(values, joined(first, second))
            }
        }
    }

    /// A truth of each pair of values of two columns; unknown where either is NULL.
    pub fn test<B: Copy>(&self, other: &Values<B>, is: impl Fn(T, B) -> bool) -> Flags {
        let flag = |is: bool| u8::from(is) * TRUE;
        match (self, other) {
            (Self::All(None), _) | (_, Values::All(None)) => Flags::All(UNKNOWN),
            (Self::All(Some(a)), Values::All(Some(b))) => Flags::known(is(*a, *b)),
            (Self::All(Some(a)), Values::Each(values, mask)) => {
                flags_of(values.iter().map(|b| flag(is(*a, *b))), mask.as_ref())
            }
            (Self::Each(values, mask), Values::All(Some(b))) => {
                flags_of(values.iter().map(|a| flag(is(*a, *b))), mask.as_ref())
            }
            (Self::Each(a, first), Values::Each(b, second)) => {
                let mask = joined(first, second);
                let both = a.iter().zip(b.iter());
                flags_of(both.map(|(a, b)| flag(is(*a, *b))), mask.as_ref())
            }
        }
    }

    /// The value of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        match self {
            Self::All(value) => *value,
            Self::Each(values, mask) => {
                mask.as_ref().is_none_or(|mask| mask[row] == 1).then(|| values[row])
            }
        }
    }

    /// This where it is not NULL, else the other.
    pub fn or(self, rows: usize, other: &Self) -> Self {
        let (values, mask) = match &self {
            Self::All(None) => return other.clone(),
            Self::All(Some(_)) | Self::Each(_, None) => return self,
            Self::Each(values, Some(mask)) => (values, mask),
        };
        if let Self::All(Some(other)) = other {
            let pick = |(value, valid): (&T, &u8)| if *valid == 1 { *value } else { *other };
            return Self::Each(values.iter().zip(mask.iter()).map(pick).collect(), None);
        }
        Self::from_rows((0..rows).map(|row| self.get(row).or_else(|| other.get(row))))
    }

    /// `yes` where the condition is true, else `no`.
    pub fn pick(rows: usize, condition: &Flags, yes: &Self, no: &Self) -> Self {
        match condition {
            Flags::All(TRUE) => yes.clone(),
            Flags::All(_) => no.clone(),
            Flags::Each(flags) => {
                if let (Self::All(Some(yes)), Self::All(Some(no))) = (yes, no) {
                    let pick = |flag: &u8| if *flag == TRUE { *yes } else { *no };
                    return Self::Each(flags.iter().map(pick).collect(), None);
                }
                Self::from_rows((0..rows).map(|row| match flags[row] {
                    TRUE => yes.get(row),
                    _ => no.get(row),
                }))
            }
        }
    }

    /// The better of the values of two columns; NULLs lose.
    pub fn better(&self, other: &Self, rows: usize, pick: impl Fn(T, T) -> T) -> Self {
        let (Self::Each(a, first), Self::Each(b, second)) = (self, other) else {
            return Self::from_rows((0..rows).map(|row| match (self.get(row), other.get(row)) {
                (Some(a), Some(b)) => Some(pick(a, b)),
                (a, b) => a.or(b),
            }));
        };
        let all = || Arc::new(vec![1; rows]);
        let (first, second) =
            (first.clone().unwrap_or_else(all), second.clone().unwrap_or_else(all));
        let values = a.iter().zip(b.iter()).zip(first.iter().zip(second.iter()));
        let values = values.map(|((a, b), valid)| match valid {
            (1, 1) => pick(*a, *b),
            (1, _) => *a,
            _ => *b,
        });
        let mask = first.iter().zip(second.iter()).map(|(a, b)| a | b).collect();
        Self::Each(values.collect(), Some(Arc::new(mask)))
    }

    /// From one value a row.
    pub fn from_rows(rows: impl Iterator<Item = Option<T>>) -> Self {
        let (mut values, mut mask) = (Vec::with_capacity(rows.size_hint().0), Vec::new());
        for (at, value) in rows.enumerate() {
            values.push(value.unwrap_or_default());
            if value.is_none() && mask.is_empty() {
                mask.resize(at, 1);
            }
            if value.is_none() || !mask.is_empty() {
                mask.push(u8::from(value.is_some()));
            }
        }
        let mask = (!mask.is_empty()).then(|| Arc::new(mask));
        Self::Each(values.into(), mask)
    }

    /// True in the rows that are NULL.
    pub fn is_null(&self) -> Flags {
        match self {
            Self::All(value) => Flags::known(value.is_none()),
            Self::Each(_, None) => Flags::All(FALSE),
            Self::Each(_, Some(mask)) => {
                Flags::each(mask.iter().map(|valid| if *valid == 1 { FALSE } else { TRUE }))
            }
        }
    }
}

impl Values<bool> {
    /// As truth values.
    pub fn flags(&self) -> Flags {
        match self {
            Self::All(value) => Flags::All(value.map_or(UNKNOWN, |value| u8::from(value) * TRUE)),
            Self::Each(values, None) => {
                Flags::each(values.iter().map(|value| u8::from(*value) * TRUE))
            }
            Self::Each(values, Some(mask)) => {
                let both = values.iter().zip(mask.iter());
                Flags::each(both.map(|(value, valid)| match valid {
                    1 => u8::from(*value) * TRUE,
                    _ => UNKNOWN,
                }))
            }
        }
    }
}

impl Flags {
    /// The same, known, in all rows.
    pub fn known(flag: bool) -> Self {
        Self::All(if flag { TRUE } else { FALSE })
    }

    /// One a row.
    pub fn each(flags: impl Iterator<Item = u8>) -> Self {
        Self::Each(Arc::new(flags.collect()))
    }

    /// The truth value of a row.
    #[inline]
    pub fn get(&self, row: usize) -> u8 {
        match self {
            Self::All(flag) => *flag,
            Self::Each(flags) => flags[row],
        }
    }

    pub fn map(&self, f: impl Fn(u8) -> u8) -> Self {
        match self {
            Self::All(flag) => Self::All(f(*flag)),
            Self::Each(flags) => Self::each(flags.iter().map(|flag| f(*flag))),
        }
    }

    pub fn zip(&self, other: &Self, f: impl Fn(u8, u8) -> u8) -> Self {
        match (self, other) {
            (Self::All(a), Self::All(b)) => Self::All(f(*a, *b)),
            (Self::All(a), Self::Each(b)) => Self::each(b.iter().map(|b| f(*a, *b))),
            (Self::Each(a), Self::All(b)) => Self::each(a.iter().map(|a| f(*a, *b))),
            (Self::Each(a), Self::Each(b)) => {
                Self::each(a.iter().zip(b.iter()).map(|(a, b)| f(*a, *b)))
            }
        }
    }

    /// `yes` where the condition is true, else `no`.
    pub fn pick(condition: &Self, yes: &Self, no: &Self, rows: usize) -> Self {
        match condition {
            Self::All(TRUE) => yes.clone(),
            Self::All(_) => no.clone(),
            Self::Each(flags) => Self::each(
                (0..rows).map(|row| if flags[row] == TRUE { yes.get(row) } else { no.get(row) }),
            ),
        }
    }
}

impl Texts {
    /// Those of a column: coded where few differ.
    pub fn of_column(array: &Utf8ViewArray) -> Self {
        match Coded::of(array) {
            Some(coded) => Self::coded(coded),
            None => Self::of(array.clone()),
        }
    }

    /// Of few different ones, perhaps of one.
    pub fn coded(coded: Coded) -> Self {
        match coded.single() {
            Some(text) => Self::All(text.map(Into::into)),
            None => Self::Coded(coded),
        }
    }

    /// Those of an array.
    pub fn of(array: Utf8ViewArray) -> Self {
        let mask = mask_of(array.validity());
        Self::Each(array, mask)
    }

    /// The text of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::All(text) => text.as_deref(),
            Self::Each(array, None) => Some(array.value(row)),
            Self::Each(array, Some(mask)) => (mask[row] == 1).then(|| array.value(row)),
            Self::Where(flags, text) => (flags[row] == TRUE).then_some(text),
            Self::Coded(coded) => coded.get(row),
        }
    }

    /// Where there is a text.
    fn mask(&self) -> Option<Mask> {
        match self {
            Self::All(_) | Self::Coded(_) => None,
            Self::Each(_, mask) => mask.clone(),
            Self::Where(flags, _) => {
                Some(Arc::new(flags.iter().map(|flag| u8::from(*flag == TRUE)).collect()))
            }
        }
    }

    /// A value of each text.
    pub fn map<C: Default + Copy>(&self, mut f: impl FnMut(&str) -> C) -> Values<C> {
        match self {
            Self::All(text) => Values::All(text.as_deref().map(f)),
            Self::Each(array, None) => {
                Values::Each((0..array.len()).map(|row| f(array.value(row))).collect(), None)
            }
            Self::Each(array, Some(mask)) => {
                let value = |(row, valid): (usize, &u8)| match valid {
                    1 => f(array.value(row)),
                    _ => C::default(),
                };
                let values = mask.iter().enumerate().map(value).collect();
                Values::Each(values, Some(Arc::clone(mask)))
            }
            Self::Where(flags, text) => {
                Values::Each(vec![f(text); flags.len()].into(), self.mask())
            }
            Self::Coded(coded) => coded.values(f),
        }
    }

    /// A truth of each text in the rows that count; unknown where there is none.
    pub fn test(&self, live: Option<&Mask>, mut is: impl FnMut(&str) -> bool) -> Flags {
        match self {
            Self::Coded(coded) => coded.test(is),
            Self::Where(flags, text) => {
                let truth = u8::from(is(text)) * TRUE;
                Flags::each(flags.iter().map(|flag| if *flag == TRUE { truth } else { UNKNOWN }))
            }
            _ => self.map_live(live, is).flags(),
        }
    }

    /// A value of each text in the rows that count; in the others there is none.
    fn map_live<C: Default + Copy>(
        &self,
        live: Option<&Mask>,
        mut f: impl FnMut(&str) -> C,
    ) -> Values<C> {
        let Some(live) = live.filter(|_| !matches!(self, Self::All(_))) else {
            return self.map(f);
        };
        let value = |(row, live): (usize, &u8)| match live {
            1 => self.get(row).map(&mut f),
            _ => None,
        };
        Values::from_rows(live.iter().enumerate().map(value))
    }

    /// A truth of each pair of texts.
    pub fn compare(&self, other: &Self, rows: usize, is: impl Fn(&str, &str) -> bool) -> Flags {
        match (self, other) {
            (Self::All(None), _) | (_, Self::All(None)) => Flags::All(UNKNOWN),
            (Self::All(Some(a)), _) => other.test(None, |b| is(a, b)),
            (_, Self::All(Some(b))) => self.test(None, |a| is(a, b)),
            _ => Flags::each((0..rows).map(|row| match (self.get(row), other.get(row)) {
                (Some(a), Some(b)) => u8::from(is(a, b)) * TRUE,
                _ => UNKNOWN,
            })),
        }
    }

    pub fn is_null(&self) -> Flags {
        match (self, self.mask()) {
            (Self::All(text), _) => Flags::known(text.is_none()),
            (Self::Coded(coded), _) => coded.is_null(),
            (_, None) => Flags::All(FALSE),
            (_, Some(mask)) => {
                Flags::each(mask.iter().map(|valid| if *valid == 1 { FALSE } else { TRUE }))
            }
        }
    }

    /// From one text a row.
    pub fn from_rows<'t>(rows: impl Iterator<Item = Option<&'t str>>) -> Self {
        Self::of(rows.collect_arr())
    }
}
