//! The fields of a column in the binary form of COPY, for some rows at a time.
//!
//! A column after the other, because the rows of a chunk do not fit into the processor: row by row, each
//! field waited for its column's memory (10 ns of a field). So the lengths of all fields come first; then
//! it is known where each row stands, and its fields are put there.
//!
//! A field is written whether there is a value or not, and counts as long as it is: which of both it is
//! depends on the data, and guessing wrong costs more than a few bytes. What was written too much is
//! written over by what stands behind it; so the last fields of a row are such that are always as long.

use super::messages::SLACK;
use super::types::Form;
use polars_arrow::array::{Array, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::{Bitmap, MutableBitmap};
use polars_arrow::types::NativeType;

/// Days from 1970 to 2000, where the server begins to count.
const DAYS: i32 = 10_957;
/// The same in microseconds.
pub const MICROS: i64 = DAYS as i64 * 86_400_000_000;
/// The length of a field without a value.
const NULL: u32 = u32::MAX;
/// Most bytes of a number with its length: a head of eight bytes and eleven digits.
const NUMBER: usize = 34;

/// A column's values, each written in one way. The arrays are shared, not copied.
#[derive(Clone)]
pub enum Cells<'r> {
    /// No row has a value.
    Null,
    /// The same field in every row, with its length.
    Constant(Vec<u8>),
    /// Whole numbers.
    Int(PrimitiveArray<i32>, Form),
    /// Whole numbers.
    BigInt(PrimitiveArray<i64>, Form),
    /// Numbers with a fraction.
    Double(PrimitiveArray<f64>),
    /// Whole numbers in units of a power of ten.
    Decimal(PrimitiveArray<i128>, u16),
    /// True or false.
    Bool(BooleanArray),
    /// Texts, with the most characters of one.
    Text(Utf8ViewArray, Option<usize>),
    /// Days since 1970.
    Date(PrimitiveArray<i32>),
    /// A date where the column knows times.
    Midnight(PrimitiveArray<i32>),
    /// Microseconds since 1970.
    Moment(PrimitiveArray<i64>),
    /// Hashes of rows.
    Hashes(&'r [u128]),
    /// Row numbers.
    Places(&'r [i64]),
    /// Values that were put into their form before.
    Fields(Fields),
}

/// Values of a column in binary form, each without its length.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    /// Where each value ends; a value begins where the one before it ends.
    ends: Vec<usize>,
    valid: MutableBitmap,
}

impl Fields {
    /// Adds the value of the next row.
    pub fn push(&mut self, value: Option<&[u8]>) {
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.ends.push(self.bytes.len());
        self.valid.push(value.is_some());
    }

    fn get(&self, row: u32) -> Option<&[u8]> {
        let row = row as usize;
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.valid.get(row).then(|| &self.bytes[begin..self.ends[row]])
    }
}

/// Where the next fields of some rows stand.
pub struct Slots<'b> {
    /// The message.
    pub bytes: &'b mut [u8],
    /// For each row.
    pub at: &'b mut [usize],
    /// Whether nothing may be written but what counts.
    pub exact: bool,
}

impl Slots<'_> {
    /// Writes `field` for a row, of which `count` bytes count.
    #[inline]
    fn put<const N: usize>(&mut self, slot: usize, field: [u8; N], count: usize) {
        const { assert!(N - 4 <= SLACK, "what does not count is written over by what comes next") };
        let at = self.at[slot];
        if self.exact {
            self.bytes[at..at + count].copy_from_slice(&field[..count]);
        } else {
            self.bytes[at..at + N].copy_from_slice(&field);
        }
        self.at[slot] = at + count;
    }

    /// Writes a field that counts.
    #[inline]
    fn put_all(&mut self, slot: usize, field: &[u8]) {
        let at = self.at[slot];
        self.bytes[at..at + field.len()].copy_from_slice(field);
        self.at[slot] = at + field.len();
    }

    #[inline]
    fn null(&mut self, slot: usize) {
        self.put_all(slot, &NULL.to_be_bytes());
    }
}

/// What a field begins with.
#[inline]
fn length(valid: bool, bytes: u32) -> [u8; 4] {
    (if valid { bytes } else { NULL }).to_be_bytes()
}

/// How much of a field counts, its length included.
#[inline]
fn counts(valid: bool, bytes: usize) -> usize {
    4 + if valid { bytes } else { 0 }
}

/// Whether there is a value.
#[inline]
fn is_valid(validity: Option<&Bitmap>, row: u32) -> bool {
    validity.is_none_or(|valid| valid.get_bit(row as usize))
}

impl Cells<'_> {
    /// Bytes of its fields, where all are of one length and always there.
    pub fn steady(&self) -> Option<usize> {
        match self {
            Self::Constant(field) => Some(field.len()),
            Self::Hashes(_) => Some(20),
            Self::Places(_) => Some(12),
            _ => None,
        }
    }

    /// Which rows have a value; `None` where all have one, or it is not known.
    pub fn validity(&self) -> Option<&Bitmap> {
        match self {
            Self::Int(array, _) => array.validity(),
            Self::BigInt(array, _) => array.validity(),
            Self::Double(array) => array.validity(),
            Self::Decimal(array, _) => array.validity(),
            Self::Bool(array) => array.validity(),
            Self::Text(array, _) => array.validity(),
            Self::Date(array) | Self::Midnight(array) => array.validity(),
            Self::Moment(array) => array.validity(),
            Self::Null
            | Self::Constant(_)
            | Self::Hashes(_)
            | Self::Places(_)
            | Self::Fields(_) => None,
        }
    }

    /// Adds the lengths of the fields of `rows`.
    pub fn measure(&self, rows: &[u32], lengths: &mut [usize]) {
        let mut fixed = |bytes: usize, validity: Option<&Bitmap>| match validity {
            None => lengths.iter_mut().for_each(|length| *length += 4 + bytes),
            Some(_) => {
                for (length, row) in lengths.iter_mut().zip(rows) {
                    *length += counts(is_valid(validity, *row), bytes);
                }
            }
        };
        match self {
            Self::Null => fixed(0, None),
            Self::Constant(_) | Self::Hashes(_) | Self::Places(_) => {
                fixed(self.steady().unwrap_or_default() - 4, None);
            }
            Self::Fields(fields) => {
                for (length, row) in lengths.iter_mut().zip(rows) {
                    *length += 4 + fields.get(*row).map_or(0, <[u8]>::len);
                }
            }
            Self::Bool(array) => fixed(1, array.validity()),
            Self::Double(array) => fixed(8, array.validity()),
            Self::Date(array) => fixed(4, array.validity()),
            Self::Midnight(array) => fixed(8, array.validity()),
            Self::Moment(array) => fixed(8, array.validity()),
            Self::Int(array, Form::Int4) => fixed(4, array.validity()),
            Self::BigInt(array, Form::Int4) => fixed(4, array.validity()),
            Self::Int(array, form) if *form != Form::Numeric => fixed(8, array.validity()),
            Self::BigInt(array, form) if *form != Form::Numeric => fixed(8, array.validity()),
            Self::Int(..) | Self::BigInt(..) | Self::Decimal(..) => {
                for (length, row) in lengths.iter_mut().zip(rows) {
                    *length += self.number(*row).map_or(4, |(_, count)| count);
                }
            }
            Self::Text(array, limit) => {
                let validity = array.validity();
                for (length, row) in lengths.iter_mut().zip(rows) {
                    let valid = is_valid(validity, *row);
                    *length += counts(valid, text_length(array, *row, limit.filter(|_| valid)));
                }
            }
        }
    }

    /// Writes the fields of `rows`.
    pub fn write(&self, rows: &[u32], out: &mut Slots<'_>) {
        match self {
            Self::Null => (0..rows.len()).for_each(|slot| out.null(slot)),
            Self::Constant(field) => (0..rows.len()).for_each(|slot| out.put_all(slot, field)),
            Self::Int(_, Form::Numeric) | Self::BigInt(_, Form::Numeric) | Self::Decimal(..) => {
                for (slot, row) in rows.iter().enumerate() {
                    match self.number(*row) {
                        Some((field, count)) => out.put_all(slot, &field[..count]),
                        None => out.null(slot),
                    }
                }
            }
            // Preflight has seen to it that the column is wide enough.
            Self::Int(array, Form::Int4) => four(array, rows, out, |value| value),
            Self::BigInt(array, Form::Int4) => four(array, rows, out, |value| value as i32),
            Self::Int(array, _) => eight(array, rows, out, |value| i64::from(value).to_be_bytes()),
            Self::BigInt(array, _) => eight(array, rows, out, i64::to_be_bytes),
            Self::Double(array) => eight(array, rows, out, f64::to_be_bytes),
            Self::Bool(array) => {
                for (slot, row) in rows.iter().enumerate() {
                    let valid = is_valid(array.validity(), *row);
                    let [a, b, c, d] = length(valid, 1);
                    let bit = array.values().get_bit(*row as usize);
                    out.put(slot, [a, b, c, d, u8::from(bit)], counts(valid, 1));
                }
            }
            Self::Text(array, limit) => texts(array, *limit, rows, out),
            Self::Date(array) => four(array, rows, out, |days| days.saturating_sub(DAYS)),
            Self::Midnight(array) => eight(array, rows, out, |days| {
                ((i64::from(days) - i64::from(DAYS)) * 86_400_000_000).to_be_bytes()
            }),
            Self::Moment(array) => {
                eight(array, rows, out, |micros| micros.saturating_sub(MICROS).to_be_bytes());
            }
            Self::Fields(fields) => {
                for (slot, row) in rows.iter().enumerate() {
                    match fields.get(*row) {
                        Some(value) => {
                            out.put_all(slot, &length(true, value.len() as u32));
                            out.put_all(slot, value);
                        }
                        None => out.null(slot),
                    }
                }
            }
            Self::Hashes(hashes) => {
                for (slot, row) in rows.iter().enumerate() {
                    out.put_all(slot, &length(true, 16));
                    out.put_all(slot, &hashes[*row as usize].to_be_bytes());
                }
            }
            Self::Places(places) => {
                for (slot, row) in rows.iter().enumerate() {
                    out.put_all(slot, &length(true, 8));
                    out.put_all(slot, &places[*row as usize].to_be_bytes());
                }
            }
        }
    }

    /// A field of a column of numbers without a bound.
    fn number(&self, row: u32) -> Option<([u8; NUMBER], usize)> {
        let (valid, value, scale) = match self {
            Self::Int(array, _) => {
                (is_valid(array.validity(), row), i128::from(array.values()[row as usize]), 0)
            }
            Self::BigInt(array, _) => {
                (is_valid(array.validity(), row), i128::from(array.values()[row as usize]), 0)
            }
            Self::Decimal(array, scale) => {
                (is_valid(array.validity(), row), array.values()[row as usize], *scale)
            }
            _ => (false, 0, 0),
        };
        valid.then(|| numeric(value, scale))
    }
}

#[inline]
fn four<T: NativeType>(
    array: &PrimitiveArray<T>,
    rows: &[u32],
    out: &mut Slots<'_>,
    value: impl Fn(T) -> i32,
) {
    let (validity, values) = (array.validity(), array.values());
    for (slot, row) in rows.iter().enumerate() {
        let valid = is_valid(validity, *row);
        let mut field = [0; 8];
        field[..4].copy_from_slice(&length(valid, 4));
        field[4..].copy_from_slice(&value(values[*row as usize]).to_be_bytes());
        out.put(slot, field, counts(valid, 4));
    }
}

#[inline]
fn eight<T: NativeType>(
    array: &PrimitiveArray<T>,
    rows: &[u32],
    out: &mut Slots<'_>,
    value: impl Fn(T) -> [u8; 8],
) {
    let (validity, values) = (array.validity(), array.values());
    for (slot, row) in rows.iter().enumerate() {
        let valid = is_valid(validity, *row);
        let mut field = [0; 12];
        field[..4].copy_from_slice(&length(valid, 8));
        field[4..].copy_from_slice(&value(values[*row as usize]));
        out.put(slot, field, counts(valid, 8));
    }
}

/// Bytes of a text as it is sent.
#[inline]
fn text_length(array: &Utf8ViewArray, row: u32, limit: Option<usize>) -> usize {
    let bytes = array.views()[row as usize].length as usize;
    match limit {
        Some(limit) if bytes > limit => shortened(array.value(row as usize), limit).len(),
        _ => bytes,
    }
}

/// Up to twelve bytes of a text stand in the array's view of it, behind their number: that is a field but
/// for the order of that number's bytes.
fn texts(array: &Utf8ViewArray, limit: Option<usize>, rows: &[u32], out: &mut Slots<'_>) {
    let (validity, views) = (array.validity(), array.views());
    for (slot, row) in rows.iter().enumerate() {
        let (valid, view) = (is_valid(validity, *row), views[*row as usize]);
        let bytes = view.length;
        if view.is_inline() && limit.is_none_or(|limit| bytes as usize <= limit) {
            let mut field = view.as_u128().to_ne_bytes();
            field[..4].copy_from_slice(&length(valid, bytes));
            out.put(slot, field, counts(valid, bytes as usize));
        } else if valid {
            let text = array.value(*row as usize);
            let text = limit.map_or(text, |limit| shortened(text, limit));
            out.put_all(slot, &length(true, text.len() as u32));
            out.put_all(slot, text.as_bytes());
        } else {
            out.null(slot);
        }
    }
}

/// The first `limit` characters.
fn shortened(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    text.char_indices().nth(limit).map_or(text, |(at, _)| &text[..at])
}

/// The field of `value` / 10^`scale` in digits to the base of 10,000, as the server keeps them.
fn numeric(value: i128, scale: u16) -> ([u8; NUMBER], usize) {
    const BASE: u128 = 10_000;
    let behind = scale.div_ceil(4);
    let (mut rest, mut digits, mut count) = (value.unsigned_abs(), [0u16; 11], 0);
    // The point must stand between two digits of the base.
    let last = 10u128.pow(u32::from(scale % 4));
    if last > 1 {
        digits[0] = (rest % last * (BASE / last)) as u16;
        (rest, count) = (rest / last, 1);
    }
    while rest > 0 {
        digits[count] = (rest % BASE) as u16;
        (rest, count) = (rest / BASE, count + 1);
    }
    let zeros = digits[..count].iter().take_while(|digit| **digit == 0).count();
    let kept = count - zeros;
    let weight = if kept == 0 { 0 } else { count as i16 - 1 - behind as i16 };
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    let mut field = [0; NUMBER];
    field[..4].copy_from_slice(&(8 + kept as u32 * 2).to_be_bytes());
    let head = [kept as u16, weight as u16, sign, scale];
    let words = head.into_iter().chain(digits[zeros..count].iter().rev().copied());
    for (at, word) in words.enumerate() {
        field[4 + at * 2..6 + at * 2].copy_from_slice(&word.to_be_bytes());
    }
    (field, 12 + kept * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a column, as they stand where each row has only this one.
    fn fields(cells: &Cells<'_>, rows: &[u32]) -> Vec<Vec<u8>> {
        let mut lengths = vec![0; rows.len()];
        cells.measure(rows, &mut lengths);
        let mut at: Vec<usize> = lengths
            .iter()
            .scan(0, |end, length| Some(std::mem::replace(end, *end + length)))
            .collect();
        let begun = at.clone();
        let mut bytes = vec![0xee; lengths.iter().sum::<usize>() + SLACK];
        cells.write(rows, &mut Slots { bytes: &mut bytes, at: &mut at, exact: true });
        let ends: Vec<_> = begun.iter().zip(&lengths).map(|(from, length)| from + length).collect();
        assert_eq!(at, ends, "each field is as long as was said");
        begun.iter().zip(&at).map(|(from, to)| bytes[*from..*to].to_vec()).collect()
    }

    fn digits(value: i128, scale: u16) -> Vec<i16> {
        let array = PrimitiveArray::from_slice([value]);
        let out = &fields(&Cells::Decimal(array, scale), &[0])[0];
        let words: Vec<_> =
            out[4..].chunks(2).map(|two| i16::from_be_bytes([two[0], two[1]])).collect();
        assert_eq!(out[..4], (words.len() as u32 * 2).to_be_bytes());
        words
    }

    #[test]
    fn numerics_are_digits_to_the_base_of_ten_thousand() {
        // Count, weight, sign, scale, digits: as numeric_send gives them.
        assert_eq!(digits(0, 2), [0, 0, 0, 2]);
        assert_eq!(digits(1, 0), [1, 0, 0, 0, 1]);
        assert_eq!(digits(-1_234_567, 2), [3, 1, 0x4000, 2, 1, 2_345, 6_700]);
        assert_eq!(digits(5, 4), [1, -1, 0, 4, 5]);
        assert_eq!(digits(50_000, 0), [1, 1, 0, 0, 5]);
        assert_eq!(digits(100, 2), [1, 0, 0, 2, 1]);
        assert_eq!(digits(5, 6), [1, -2, 0, 6, 500]);
        // As many digits as there can be, and a point that is not between two of ours.
        let mut wanted = vec![11, 9, 0, 1, 9];
        wanted.extend([9_999; 9]);
        wanted.push(9_000);
        assert_eq!(digits(10i128.pow(38) - 1, 1), wanted);
    }

    #[test]
    fn a_text_is_written_as_long_as_it_is() {
        let long = "é".repeat(40_000);
        let texts = [
            Some("short"),
            None,
            Some(""),
            Some("twelve bytes"),
            Some("thirteen here"),
            Some(&long),
        ];
        let array = Utf8ViewArray::from_slice(texts);
        for limit in [None, Some(4)] {
            let found = fields(&Cells::Text(array.clone(), limit), &[5, 0, 1, 2, 3, 4]);
            for (at, found) in [5, 0, 1, 2, 3, 4].into_iter().zip(found) {
                let text = texts[at].map(|of| limit.map_or(of, |limit| shortened(of, limit)));
                let length = text.map_or(NULL, |text| text.len() as u32);
                let wanted = [&length.to_be_bytes(), text.unwrap_or_default().as_bytes()].concat();
                assert_eq!(found, wanted, "{at} {limit:?}");
            }
        }
    }

    #[test]
    fn a_field_without_a_value_is_its_length_alone() {
        let null = vec![0xff; 4];
        let field = |value: &[u8]| [&(value.len() as u32).to_be_bytes(), value].concat();
        let whole = PrimitiveArray::<i64>::from([Some(-2), None, Some(7)]);
        let cells = Cells::BigInt(whole.clone(), Form::Int8);
        let wanted = [field(&7i64.to_be_bytes()), null.clone(), field(&(-2i64).to_be_bytes())];
        assert_eq!(fields(&cells, &[2, 1, 0]), wanted);
        let wanted = [field(&(-2i32).to_be_bytes()), null.clone(), field(&7i32.to_be_bytes())];
        assert_eq!(fields(&Cells::BigInt(whole.clone(), Form::Int4), &[0, 1, 2]), wanted);
        assert_eq!(fields(&Cells::BigInt(whole, Form::Numeric), &[1])[0], null);
        let flags = BooleanArray::from_slice([true, false]);
        assert_eq!(fields(&Cells::Bool(flags), &[0, 1]), [field(&[1]), field(&[0])]);
        let days = PrimitiveArray::<i32>::from([Some(DAYS + 1), None]);
        let day = 86_400_000_000i64.to_be_bytes();
        assert_eq!(fields(&Cells::Midnight(days.clone()), &[0, 1]), [field(&day), null.clone()]);
        assert_eq!(fields(&Cells::Date(days), &[0, 1]), [field(&1i32.to_be_bytes()), null]);
    }
}
