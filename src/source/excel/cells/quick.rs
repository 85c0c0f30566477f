//! Cells as Excel and most libraries write them, read by their bytes alone.
//!
//! `<c r="B7" s="1" t="s"><v>12</v></c>`, numbers likewise, booleans, `t="str"`, `t="inlineStr"`
//! with one plain text, and empty ones. Everything else is left to the cursor, untouched.
//!
//! A cell that holds a whole number or a shared string, which is nearly every cell, is read from
//! one window by comparing words of eight bytes; its digits become a number together.

use super::place::{MAX_COLUMNS, MAX_ROWS, RowDigits};
use super::value::{Kind, Shape};
use super::{RowAt, Scanner};
use crate::source::excel::styles::Shown;
use crate::source::excel::text;
use memchr::memchr;
use std::num::NonZero;

/// Longest number read here.
const NUMBER: usize = 32;
/// Bytes in which a whole number or a shared string fits with all around it: no word of one begins
/// behind the 64th.
const WINDOW: usize = 64 + 8;

const OPEN: &[u8; 6] = b"<c r=\"";
const VALUE: u32 = u32::from_le_bytes(*b"><v>");
const STYLE: u32 = u32::from_le_bytes(*b" s=\"");
const SHARED: u64 = u64::from_le_bytes(*b" t=\"s\"><");
const SHARED_END: u16 = u16::from_le_bytes(*b"v>");
const CLOSE: u64 = u64::from_le_bytes(*b"</v></c>");

/// A cell that was read here.
pub(super) struct Found {
    pub column: u32,
    pub shape: Shape,
    pub length: usize,
}

/// Types of cells, by their `t`.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    Number,
    Shared,
    Bool,
    Formula,
    Inline,
}

/// Reads the cell at the start of `bytes` if it holds a number of up to seven digits or a shared string,
/// has no style, and stands in a column of one or two `LETTERS`: the fewest instructions for nearly all
/// cells of a roll. How many letters there are is not asked of the bytes, because every cell would wait
/// for the answer to know where it goes on, and its successor for it.
#[inline(always)]
fn plain<const LETTERS: usize>(bytes: &[u8], digits: &RowDigits) -> Option<Found> {
    let window = bytes.first_chunk::<WINDOW>()?;
    if window.first_chunk() != Some(OPEN) {
        return None;
    }
    let letter = |at: usize| u32::from(window[at].wrapping_sub(b'A'));
    let (first, second) = (letter(6), letter(7));
    let column = if LETTERS == 1 { first } else { (first + 1) * 26 + second };
    let is_letter = first < 26 && (LETTERS == 1 || second < 26);
    if !is_letter || !digits.match_word(word(window, 6 + LETTERS)) {
        return None;
    }
    let at = 6 + LETTERS + digits.length;
    let next = word(window, at);
    let (kind, at) = if next as u32 == VALUE {
        (Kind::Whole, at + 4)
    } else if next == SHARED && word(window, at + 8) as u16 == SHARED_END {
        (Kind::Shared, at + 10)
    } else {
        return None;
    };
    let (value, length) = short(word(window, at))?;
    let end = at + length;
    let shape = Shape { kind, value };
    (word(window, end) == CLOSE).then_some(Found { column, shape, length: end + 8 })
}

/// Where the next cell of a row begins, and in which column it may stand at the earliest.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    next: u32,
}

impl Place {
    #[inline(always)]
    fn behind(self, found: &Found) -> Self {
        Self { at: self.at + found.length, next: found.column + 1 }
    }
}

/// Takes the [`plain`] cells that stand behind each other; where they end. `None`: one is not wanted, or
/// its column is not behind the one before.
#[inline(never)]
fn plain_cells<const LETTERS: usize>(
    bytes: &[u8],
    digits: &RowDigits,
    mut place: Place,
    take: &mut impl FnMut(u16, Kind, u64) -> bool,
) -> Option<Place> {
    let digits = *digits;
    while let Some(found) = plain::<LETTERS>(bytes.get(place.at..)?, &digits) {
        let Shape { kind, value } = found.shape;
        if found.column < place.next || !take(found.column as u16, kind, value) {
            return None;
        }
        place = place.behind(&found);
    }
    Some(place)
}

/// A cell like a [`plain`] one in any column, with any whole number, and with a style, which the caller looks up.
#[inline(always)]
fn styled(bytes: &[u8], digits: &RowDigits) -> Option<(Found, Option<usize>)> {
    let window = bytes.first_chunk::<WINDOW>()?;
    let (column, mut at) = reference(window, digits)?;
    let mut style = None;
    if word(window, at) as u32 == STYLE {
        let (digits, length) = leading_digits(word(window, at + 4));
        at += 4 + length + 1;
        if !(1..8).contains(&length) || word(window, at - 1) as u8 != b'"' {
            return None;
        }
        style = Some(eight_digits(digits << (64 - 8 * length)) as usize);
    }
    let kind = match word(window, at) {
        next if next as u32 == VALUE => Kind::Whole,
        SHARED if word(window, at + 8) as u16 == SHARED_END => Kind::Shared,
        _ => return None,
    };
    at += if kind == Kind::Whole { 4 } else { 10 };
    let (value, length) = whole(window, at)?;
    let found = Found { column, shape: Shape { kind, value }, length: at + length + 8 };
    (word(window, at + length) == CLOSE).then_some((found, style))
}

/// The column of `<c r="B7"` in the row with these digits, and where its attribute ends.
#[inline(always)]
fn reference(window: &[u8; WINDOW], digits: &RowDigits) -> Option<(u32, usize)> {
    if window.first_chunk() != Some(OPEN) {
        return None;
    }
    let (column, letters) = column(&window[6..9])?;
    let at = 6 + letters;
    digits.match_word(word(window, at)).then_some((column, at + digits.length))
}

/// The eight bytes at `at`. (What follows on each other in a cell never reaches the 64th byte; cutting
/// the offset off there says so without a question.)
#[inline(always)]
fn word(window: &[u8; WINDOW], at: usize) -> u64 {
    debug_assert!(at < 64);
    let at = at % 64;
    u64::from_le_bytes(*window[at..].first_chunk().expect("a word begins before the 64th byte"))
}

/// The column that one to three letters name, and how many they are.
#[inline(always)]
fn column(letters: &[u8]) -> Option<(u32, usize)> {
    let letter = |at: usize| u32::from(letters[at].wrapping_sub(b'A'));
    let first = letter(0);
    if first > 25 {
        return None;
    }
    let second = letter(1);
    if second > 25 {
        return Some((first, 1));
    }
    let two = (first + 1) * 26 + second;
    let third = letter(2);
    if third > 25 {
        return Some((two, 2));
    }
    let three = (two + 1) * 26 + third;
    (three < MAX_COLUMNS).then_some((three, 3))
}

/// Up to seven digits in front of a `<`: their number, and how many they are. (There are other bytes that
/// end them: that it was a `<` is for the caller to see.)
#[inline(always)]
fn short(word: u64) -> Option<(u64, usize)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // No digit has both of the bits that `<` has beside those of `0`.
    let end = NonZero::new(word & word >> 1 & (ONES * 0x04))?.trailing_zeros();
    // What is behind the digits is pushed out, and zeros come before them. Where there is no digit,
    // nothing is pushed, and the first byte is none.
    let digits = (word ^ (ONES * 0x30)).wrapping_shl(64 + 2 - end);
    let others = (digits.wrapping_add(ONES * 0x76) | digits) & (ONES * 0x80);
    (others == 0).then(|| (eight_digits(digits), (end / 8) as usize))
}

/// The digits at `at`: their number, and how many there are; at most 15, which are certainly exact
/// as a float.
#[inline(always)]
fn whole(window: &[u8; WINDOW], at: usize) -> Option<(u64, usize)> {
    let (digits, count) = leading_digits(word(window, at));
    if count == 0 {
        return None;
    }
    if count < 8 {
        return Some((eight_digits(digits << (64 - 8 * count)), count));
    }
    let (more, rest) = leading_digits(word(window, at + 8));
    match rest {
        0 => Some((eight_digits(digits), 8)),
        8 => None,
        _ => {
            let high = eight_digits(digits) * 10_u64.pow(rest as u32);
            Some((high + eight_digits(more << (64 - 8 * rest)), 8 + rest))
        }
    }
}

/// Bytes of a word less `0`, and how many of them, from the first on, are digits.
#[inline(always)]
fn leading_digits(word: u64) -> (u64, usize) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let digits = word ^ (ONES * 0x30);
    // A carry out of a byte that is no digit reaches only bytes behind it.
    let others = (digits.wrapping_add(ONES * 0x76) | digits) & (ONES * 0x80);
    (digits, (others.trailing_zeros() / 8) as usize)
}

/// The number of eight digits, the first in the lowest byte.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    const PAIR: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let high = (pairs & PAIR).wrapping_mul(100 + (1_000_000 << 32));
    let low = ((pairs >> 16) & PAIR).wrapping_mul(1 + (10_000 << 32));
    high.wrapping_add(low) >> 32
}

/// The same for any slice.
fn whole_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = bytes[..length].iter().map(|byte| u64::from(byte - b'0'));
    let number = || digits.fold(0, |number, digit| number * 10 + digit);
    (1..=15).contains(&length).then(|| (number(), length))
}

/// A start tag in any order of its usual attributes.
struct Start {
    column: u32,
    style: Option<usize>,
    kind: Type,
    /// Offset behind the tag.
    end: usize,
    empty: bool,
}

fn start(bytes: &[u8], row: &RowDigits) -> Option<Start> {
    let reference = bytes.strip_prefix(b"<c r=\"")?;
    let (column, letters) = column(reference.first_chunk::<3>()?)?;
    let digits = &reference[letters..];
    if !row.match_start(digits) {
        return None;
    }
    let mut start = Start { column, style: None, kind: Type::Number, end: 0, empty: false };
    let mut rest = &digits[row.length..];
    let mut typed = false;
    loop {
        rest = match rest {
            [b'>', rest @ ..] => {
                start.end = bytes.len() - rest.len();
                return Some(start);
            }
            [b'/', b'>', rest @ ..] => {
                start.empty = true;
                start.end = bytes.len() - rest.len();
                return Some(start);
            }
            [b' ', b's', b'=', b'"', rest @ ..] if start.style.is_none() => {
                let (style, length) = whole_number(rest)?;
                start.style = Some(style as usize);
                rest.get(length..)?.strip_prefix(b"\"")?
            }
            [b' ', b't', b'=', b'"', rest @ ..] if !typed => {
                let (kind, length) = cell_type(rest)?;
                (start.kind, typed) = (kind, true);
                &rest[length..]
            }
            _ => return None,
        }
    }
}

fn cell_type(bytes: &[u8]) -> Option<(Type, usize)> {
    let known: [(&[u8], Type); 5] = [
        (b"s\"", Type::Shared),
        (b"str\"", Type::Formula),
        (b"n\"", Type::Number),
        (b"b\"", Type::Bool),
        (b"inlineStr\"", Type::Inline),
    ];
    let found = known.iter().find(|(word, _)| bytes.starts_with(word));
    found.map(|(word, kind)| (*kind, word.len()))
}

impl<'a> Scanner<'a> {
    /// The cell at `at` if it is of a usual form.
    #[inline(always)]
    pub(super) fn quick_cell(&mut self, at: usize, digits: &RowDigits) -> Option<Found> {
        let bytes = self.bytes.get(at..)?;
        let found = plain::<1>(bytes, digits).or_else(|| plain::<2>(bytes, digits));
        if found.is_some() { found } else { self.quick_other(at, digits) }
    }

    /// The rarer of the usual forms.
    #[inline(never)]
    fn quick_other(&mut self, at: usize, digits: &RowDigits) -> Option<Found> {
        let bytes = &self.bytes[at..];
        if let Some((mut found, style)) = styled(bytes, digits) {
            if found.shape.kind == Kind::Whole {
                found.shape = self.shape_of_whole(found.shape.value, style)?;
            }
            return Some(found);
        }
        let start = start(bytes, digits)?;
        let Start { column, style, kind, end, empty } = start;
        if empty {
            return Some(Found { column, shape: Shape::EMPTY, length: end });
        }
        let rest = &bytes[end..];
        let (shape, length) = match kind {
            Type::Number => self.quick_number(at + end, style)?,
            Type::Formula => self.quick_text(at + end, V)?,
            Type::Inline => {
                self.quick_text(at + end, T).or_else(|| self.quick_text(at + end, T_PRESERVE))?
            }
            Type::Shared | Type::Bool => {
                let (value, length) = whole_number(rest.strip_prefix(b"<v>")?)?;
                rest[3 + length..].strip_prefix(b"</v></c>")?;
                let kind = match (kind, value) {
                    (Type::Shared, _) => Kind::Shared,
                    (_, 0 | 1) if length == 1 => Kind::Bool,
                    _ => return None,
                };
                (Shape { kind, value }, 3 + length + 8)
            }
        };
        Some(Found { column, shape, length: end + length })
    }

    fn quick_number(&mut self, at: usize, style: Option<usize>) -> Option<(Shape, usize)> {
        let bytes: &[u8] = self.bytes;
        let value = bytes[at..].strip_prefix(b"<v>")?;
        let length = memchr(b'<', &value[..value.len().min(NUMBER)])?;
        value[length..].strip_prefix(b"</v></c>")?;
        let shape = match whole_number(value) {
            Some((number, digits)) if digits == length => self.shape_of_whole(number, style)?,
            _ => {
                let long =
                    if length > 15 { self.long(at + 3, &value[..length], style) } else { None };
                match long {
                    Some(digits) => digits,
                    None => {
                        let text = std::str::from_utf8(&value[..length]).ok()?;
                        let number: f64 = text.parse().ok()?;
                        self.shape_of(Some(number).filter(|number| number.is_finite())?, style)?
                    }
                }
            }
        };
        Some((shape, 3 + length + 8))
    }

    #[inline]
    fn shape_of_whole(&mut self, number: u64, style: Option<usize>) -> Option<Shape> {
        match self.shown(style) {
            Shown::Number => Some(Shape { kind: Kind::Whole, value: number }),
            _ => self.shape_of(number as f64, style),
        }
    }

    fn quick_text(&mut self, at: usize, around: Around) -> Option<(Shape, usize)> {
        let (before, behind, trimmed) = around;
        let value = self.bytes[at..].strip_prefix(before)?;
        let length = memchr(b'<', value)?;
        value[length..].strip_prefix(behind)?;
        if !text::is_plain(&value[..length]) {
            return None;
        }
        let valid = self.valid().ok()?;
        let start = at + before.len();
        let text = valid.get(start..start + length)?;
        let (start, text) = if trimmed {
            let shorter = text.trim_start_matches(text::BLANKS);
            (start + length - shorter.len(), shorter.trim_end_matches(text::BLANKS))
        } else {
            (start, text)
        };
        let shape = match text.len() {
            0 => Shape::EMPTY,
            length => Shape::text(start, start + length),
        };
        Some((shape, before.len() + length + behind.len()))
    }

    /// Reads the next row if it is of the usual form in all its cells, and gives each to `take` as
    /// (column, kind, value): ascending, none of them empty. Nothing happens to the scanner where the
    /// row has another form, or no cells, or `take` does not want a cell.
    #[inline(never)]
    pub fn quick_row(&mut self, mut take: impl FnMut(u16, Kind, u64) -> bool) -> Option<RowAt> {
        let start = self.at;
        let (row, mut at) = quick_row_tag(self.bytes.get(start..)?)?;
        if row <= self.row || row > MAX_ROWS {
            return None;
        }
        let digits = RowDigits::of(row);
        at += start;
        let mut place = Place { at, next: 0 };
        loop {
            place = plain_cells::<1>(self.bytes, &digits, place, &mut take)?;
            place = plain_cells::<2>(self.bytes, &digits, place, &mut take)?;
            let Some(found) = self.quick_other(place.at, &digits) else { break };
            let Shape { kind, value } = found.shape;
            let taken = kind == Kind::Empty || take(found.column as u16, kind, value);
            if found.column < place.next || !taken {
                return None;
            }
            place = place.behind(&found);
        }
        let Place { at, next } = place;
        if next == 0 || !self.bytes[at..].starts_with(b"</row>") {
            return None;
        }
        self.at = at + b"</row>".len();
        self.row = row;
        Some(RowAt { number: row, start })
    }
}

/// The number of a row and the length of its start tag: `<row r="7">`, perhaps with attributes in
/// double quotes behind.
#[inline]
fn quick_row_tag(bytes: &[u8]) -> Option<(u32, usize)> {
    let (row, digits) = whole_number(bytes.strip_prefix(b"<row r=\"")?)?;
    let at = b"<row r=\"".len() + digits;
    let rest = bytes[at..].strip_prefix(b"\"")?;
    let end = memchr(b'>', rest)?;
    let attributes = &rest[..end];
    let quotes = attributes.iter().filter(|byte| **byte == b'"').count();
    let odd = attributes.iter().any(|byte| matches!(byte, b'<' | b'\'' | b'/'));
    let sound = quotes % 2 == 0 && !odd;
    sound.then_some((u32::try_from(row).ok()?, at + 1 + end + 1))
}

/// What stands around a plain text, and whether the blanks around it count for nothing.
type Around = (&'static [u8], &'static [u8], bool);
const V: Around = (b"<v>", b"</v></c>", false);
const T: Around = (b"<is><t>", b"</t></is></c>", true);
const T_PRESERVE: Around = (b"<is><t xml:space=\"preserve\">", b"</t></is></c>", false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_taken_together_as_one_by_one() {
        for text in ["0", "7", "42", "1234567", "12345678", "123456789", "999999999999999", "007"] {
            for behind in ["<", "/", ":", "\u{e9}", "\0"] {
                let mut window = [b'5'; WINDOW];
                let written = format!("{text}{behind}");
                window[3..3 + written.len()].copy_from_slice(written.as_bytes());
                let expected = text.parse().expect("digits");
                assert_eq!(whole(&window, 3), Some((expected, text.len())), "{written:?}");
                let found = short(word(&window, 3));
                let known = found.is_none_or(|it| it == (expected, text.len()));
                let fits = text.len() < 8 && behind == "<";
                assert!(known && (found.is_some() || !fits), "{written:?}: {found:?}");
                assert_eq!(whole_number(&window[3..]), Some((expected, text.len())));
            }
        }
        for text in ["-1", "<", "1234567890123456<", ".5"] {
            let mut window = [b' '; WINDOW];
            window[..text.len()].copy_from_slice(text.as_bytes());
            assert_eq!(whole(&window, 0), None, "{text}");
            assert_eq!(short(word(&window, 0)), None, "{text}");
            assert_eq!(whole_number(&window), None, "{text}");
        }
    }

    #[test]
    fn tags_of_rows_with_other_quotes_are_left_to_the_cursor() {
        assert_eq!(quick_row_tag(b"<row r=\"12\"><c"), Some((12, 12)));
        assert_eq!(quick_row_tag(b"<row r=\"12\" spans=\"1:3\"><c"), Some((12, 24)));
        for tag in ["<row r=\"1\" a=\">\">", "<row r=\"1\"/>", "<row r='1'>", "<row r=\"1\" a='>'>"]
        {
            assert_eq!(quick_row_tag(tag.as_bytes()), None, "{tag}");
        }
    }
}
