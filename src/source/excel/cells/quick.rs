//! Cells as Excel and most libraries write them, read by their bytes alone.
//!
//! `<c r="B7" s="1" t="s"><v>12</v></c>`, numbers likewise, `t="str"`, `t="inlineStr"` with one
//! plain text, and empty ones. Everything else is left to the cursor, untouched.

use super::Scanner;
use super::place::MAX_COLUMNS;
use super::value::{Kind, Piece};
use crate::source::excel::text;
use memchr::memchr;

/// Most digits of a whole number that is certainly exact as a float.
const DIGITS: usize = 15;
/// Longest number read here.
const NUMBER: usize = 32;

/// The start tag of a cell.
struct Start {
    column: u32,
    style: Option<usize>,
    kind: Type,
    /// Offset behind the tag.
    end: usize,
    empty: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Number,
    Shared,
    Formula,
    Inline,
}

impl Scanner<'_> {
    /// Reads a cell if it is of a usual form, and moves behind it; else nothing happens.
    #[inline]
    pub(super) fn quick_cell(&mut self, column: &mut u32) -> bool {
        let Some(bytes) = self.bytes.get(self.at..) else { return false };
        let Some(start) = self.quick_start(bytes) else { return false };
        let at = start.column as u16;
        let length = match start {
            Start { empty: true, end, .. } => Some(end),
            Start { kind: Type::Shared, end, .. } => self.quick_shared(at, bytes, end),
            Start { kind: Type::Number, end, style, .. } => {
                self.quick_number(at, bytes, end, style)
            }
            Start { kind: Type::Formula, end, .. } => self.quick_text(at, bytes, end, V),
            Start { kind: Type::Inline, end, .. } => self
                .quick_text(at, bytes, end, T)
                .or_else(|| self.quick_text(at, bytes, end, T_PRESERVE)),
        };
        let Some(length) = length else { return false };
        self.at += length;
        *column = start.column + 1;
        true
    }

    #[inline]
    fn quick_start(&self, bytes: &[u8]) -> Option<Start> {
        let reference = bytes.strip_prefix(b"<c r=\"")?;
        let (mut column, mut at) = (0, 0);
        while let Some(letter @ b'A'..=b'Z') = reference.get(at).filter(|_| at < 3) {
            column = column * 26 + u32::from(letter - b'A') + 1;
            at += 1;
        }
        let digits = reference.get(at..)?;
        if column == 0 || column > MAX_COLUMNS || !self.digits.match_start(digits) {
            return None;
        }
        let mut start =
            Start { column: column - 1, style: None, kind: Type::Number, end: 0, empty: false };
        let mut rest = &digits[self.digits.length..];
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
                [b' ', b't', b'=', b'"', b's', b'"', rest @ ..] => {
                    start.kind = Type::Shared;
                    rest
                }
                [b' ', b't', b'=', b'"', b'n', b'"', rest @ ..] => rest,
                [b' ', b't', b'=', b'"', b's', b't', b'r', b'"', rest @ ..] => {
                    start.kind = Type::Formula;
                    rest
                }
                [b' ', b's', b'=', b'"', rest @ ..] => {
                    let (style, length) = whole(rest)?;
                    start.style = Some(style as usize);
                    rest.get(length..)?.strip_prefix(b"\"")?
                }
                _ => {
                    start.kind = Type::Inline;
                    rest.strip_prefix(b" t=\"inlineStr\"")?
                }
            }
        }
    }

    #[inline]
    fn quick_shared(&mut self, column: u16, bytes: &[u8], end: usize) -> Option<usize> {
        let value = bytes[end..].strip_prefix(b"<v>")?;
        let (index, length) = whole(value)?;
        let rest = value[length..].strip_prefix(b"</v></c>")?;
        self.push(column, Kind::Shared, index);
        Some(bytes.len() - rest.len())
    }

    #[inline]
    fn quick_number(
        &mut self,
        column: u16,
        bytes: &[u8],
        end: usize,
        style: Option<usize>,
    ) -> Option<usize> {
        let value = bytes[end..].strip_prefix(b"<v>")?;
        if let Some((number, length)) = whole(value)
            && let Some(rest) = value[length..].strip_prefix(b"</v></c>")
        {
            self.push_number(column, number as f64, style);
            return Some(bytes.len() - rest.len());
        }
        let length = memchr(b'<', &value[..value.len().min(NUMBER)])?;
        let rest = value[length..].strip_prefix(b"</v></c>")?;
        let number: f64 = std::str::from_utf8(&value[..length]).ok()?.parse().ok()?;
        if !number.is_finite() {
            return None;
        }
        self.push_number(column, number, style);
        Some(bytes.len() - rest.len())
    }

    fn quick_text(
        &mut self,
        column: u16,
        bytes: &[u8],
        end: usize,
        around: (&[u8], &[u8], bool),
    ) -> Option<usize> {
        let (before, behind, trimmed) = around;
        let value = bytes[end..].strip_prefix(before)?;
        let length = memchr(b'<', value)?;
        let rest = value[length..].strip_prefix(behind)?;
        if !text::is_plain(&value[..length]) {
            return None;
        }
        let valid = self.valid().ok()?;
        let start = self.at + end + before.len();
        let text = valid.get(start..start + length)?;
        let (start, text) = if trimmed {
            let shorter = text.trim_start_matches(text::BLANKS);
            (start + length - shorter.len(), shorter.trim_end_matches(text::BLANKS))
        } else {
            (start, text)
        };
        self.push_text(column, Kind::Text, Piece::Block(start, start + text.len()));
        Some(bytes.len() - rest.len())
    }
}

/// What stands around a plain text, and whether the blanks around it count for nothing.
type Around = (&'static [u8], &'static [u8], bool);
const V: Around = (b"<v>", b"</v></c>", false);
const T: Around = (b"<is><t>", b"</t></is></c>", true);
const T_PRESERVE: Around = (b"<is><t xml:space=\"preserve\">", b"</t></is></c>", false);

/// The digits at the start of `bytes`: their number, and how many there are.
#[inline(always)]
fn whole(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0;
    for (length, byte) in bytes.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (length > 0).then_some((number, length));
        }
        if length == DIGITS {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    None
}
