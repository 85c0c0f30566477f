//! What a cell holds, by its type and its style.

use super::{Head, Scanner};
use crate::source::excel::fault::Fault;
use crate::source::excel::moment::{self, Serial};
use crate::source::excel::styles::Shown;
use crate::source::excel::text;
use crate::source::excel::xml::{Cursor, Token};

/// A scanned cell: 16 bytes, texts by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw {
    /// Bits of a number, number of a shared string, microseconds, or the place of a text.
    pub(super) value: u64,
    /// From 0.
    pub column: u16,
    /// What it is.
    pub kind: Kind,
    /// The text is in the scanner's own memory and not in the block.
    own: bool,
}

impl Raw {
    /// The number of a shared string, or the bits of a number.
    #[inline]
    pub fn bits(&self) -> u64 {
        self.value
    }
}

/// Kinds of cells: each a bit, so that the kinds of many cells fit in a byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// No value.
    #[default]
    Empty = 0,
    /// A whole number without a sign, of at most 15 digits.
    Whole = 1,
    /// The number of a shared string.
    Shared = 2,
    /// A number.
    Number = 4,
    /// Text.
    Text = 8,
    /// An error such as `#N/A`.
    Error = 16,
    /// TRUE or FALSE.
    Bool = 32,
    /// A date or time.
    Moment = 64,
}

/// What a cell holds, where that needs no text of the scanner's own.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What it is.
    pub kind: Kind,
    /// As in [`Raw`]; a text stands in the block.
    pub value: u64,
}

impl Shape {
    /// Nothing.
    pub const EMPTY: Self = Self { kind: Kind::Empty, value: 0 };

    /// A text of the block. (Blocks are far below 4 GiB.)
    pub fn text(start: usize, end: usize) -> Self {
        Self { kind: Kind::Text, value: place_of(start, end) }
    }
}

fn place_of(start: usize, end: usize) -> u64 {
    (start as u64) << 32 | end as u64
}

/// A text: in the block, or among the scanner's own, from start to end.
#[derive(Debug, Clone, Copy)]
pub enum Piece {
    /// In the block as it is, and valid.
    Block(usize, usize),
    /// Put together.
    Own(usize, usize),
}

/// A whole number of digits only.
pub fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits.trim_ascii()).ok()?.parse().ok()
}

impl<'a> Scanner<'a> {
    /// The text up to `</v>`: as it stands in the block where it needs no decoding.
    pub(super) fn piece(&mut self, cursor: &mut Cursor<'a>) -> Result<Piece, Fault> {
        let start = cursor.at;
        let mut ahead = cursor.clone();
        let plain = match ahead.next()? {
            Some(Token::Text(raw)) if !raw.contains(&b'&') && !raw.contains(&b'\r') => {
                let end = start + raw.len();
                (ahead.next()? == Some(Token::Close(b"v"))).then_some((start, end))
            }
            _ => None,
        };
        // A comment before the text is part of what lies between.
        if let Some((start, end)) = plain.filter(|(start, _)| self.bytes[*start] != b'<') {
            self.valid()?;
            *cursor = ahead;
            return Ok(Piece::Block(start, end));
        }
        let start = self.texts.len();
        text::append_until(cursor, b"v", &mut self.texts)?;
        Ok(Piece::Own(start, self.texts.len()))
    }

    /// The block as text.
    pub(super) fn valid(&mut self) -> Result<&'a str, Fault> {
        let valid = match self.valid {
            Some(valid) => valid,
            None => std::str::from_utf8(self.bytes).map_err(|_| Fault::Utf8)?,
        };
        self.valid = Some(valid);
        Ok(valid)
    }

    fn str_of(&self, piece: Piece) -> &str {
        let found = match piece {
            Piece::Block(start, end) => self.valid.and_then(|text| text.get(start..end)),
            Piece::Own(start, end) => self.texts.get(start..end),
        };
        found.unwrap_or_default()
    }

    /// The text of a cell of the kinds text and error.
    #[inline]
    pub(super) fn text_of(&self, raw: &Raw) -> &str {
        let (start, end) = ((raw.value >> 32) as usize, (raw.value & 0xffff_ffff) as usize);
        self.str_of(if raw.own { Piece::Own(start, end) } else { Piece::Block(start, end) })
    }

    #[inline]
    pub(super) fn push(&mut self, column: u16, kind: Kind, value: u64) {
        self.cells.push(Raw { value, column, kind, own: false });
    }

    /// Pushes a text unless it is empty. (Blocks and rows are far below 4 GiB.)
    #[inline]
    pub(super) fn push_text(&mut self, column: u16, kind: Kind, piece: Piece) {
        let (start, end, own) = match piece {
            Piece::Block(start, end) => (start, end, false),
            Piece::Own(start, end) => (start, end, true),
        };
        if start < end {
            self.cells.push(Raw { value: place_of(start, end), column, kind, own });
        }
    }

    /// Pushes what `<v>` holds. A value that does not have the form of its type is text: it will
    /// fit its column or be refused there, with its place.
    pub(super) fn value(
        &mut self,
        column: u16,
        head: &Head<'_>,
        piece: Piece,
    ) -> Result<(), Fault> {
        match head.kind {
            Some(b"str") => {
                let piece = self.unescaped(piece);
                self.push_text(column, Kind::Text, piece);
                return Ok(());
            }
            Some(b"e") => {
                self.push_text(column, Kind::Error, piece);
                return Ok(());
            }
            _ => {}
        }
        let text = self.str_of(piece).trim_matches(text::BLANKS);
        let known = match head.kind {
            _ if text.is_empty() => return Ok(()),
            Some(b"s") => {
                let index =
                    text.parse().map_err(|_| Fault::Malformed("a cell names no shared string"))?;
                Some((Kind::Shared, index))
            }
            Some(b"b") => boolean(text).map(|value| (Kind::Bool, u64::from(value))),
            Some(b"d") => moment::from_iso(text).map(|it| (Kind::Moment, it.cast_unsigned())),
            Some(b"n") | None => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                if let Some(number) = number {
                    self.push_number(column, number, head.style);
                    return Ok(());
                }
                None
            }
            _ => None,
        };
        match known {
            Some((kind, value)) => self.push(column, kind, value),
            None => self.push_text(column, Kind::Text, piece),
        }
        Ok(())
    }

    /// Whether numbers of this style are shown as they are.
    #[inline]
    pub(super) fn is_plain_number(&self, style: Option<usize>) -> bool {
        style.is_none_or(|style| self.styles.shown(style) == Shown::Number)
    }

    /// A number as its style shows it; `None` where that is a text of its own.
    #[inline]
    pub(super) fn shape_of(&self, number: f64, style: Option<usize>) -> Option<Shape> {
        if self.is_plain_number(style) {
            return Some(Shape { kind: Kind::Number, value: number.to_bits() });
        }
        match self.moment(number, style) {
            Serial::Moment(micros) => {
                Some(Shape { kind: Kind::Moment, value: micros.cast_unsigned() })
            }
            Serial::Number(number) => Some(Shape { kind: Kind::Number, value: number.to_bits() }),
            Serial::Text(_) => None,
        }
    }

    fn moment(&self, number: f64, style: Option<usize>) -> Serial {
        let duration = style.is_some_and(|style| self.styles.shown(style) == Shown::Duration);
        moment::from_serial(number, duration, self.styles.from_1904)
    }

    /// Pushes a number as its style shows it.
    fn push_number(&mut self, column: u16, number: f64, style: Option<usize>) {
        if let Some(Shape { kind, value }) = self.shape_of(number, style) {
            self.push(column, kind, value);
        } else if let Serial::Text(text) = self.moment(number, style) {
            let start = self.texts.len();
            self.texts.push_str(&text);
            self.push_text(column, Kind::Text, Piece::Own(start, self.texts.len()));
        }
    }

    fn unescaped(&mut self, piece: Piece) -> Piece {
        if !self.str_of(piece).contains("_x") {
            return piece;
        }
        let text = self.str_of(piece).to_owned();
        let start = self.texts.len();
        self.texts.push_str(&text);
        text::unescape(&mut self.texts, start);
        Piece::Own(start, self.texts.len())
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
