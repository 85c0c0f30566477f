//! What a cell holds, by its type and its style.

use super::{Head, Scanner};
use crate::source::cell::EXACT;
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
    /// A number that is kept as its digits.
    Digits = 128,
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

/// The bit of a place that says: among the codes, and not in the block. (Both are far below 2 GiB.)
pub(super) const OF_CODES: u64 = 1 << 63;
/// Most bytes of codes of a block.
const MOST_CODES: usize = 1 << 30;

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
        if raw.kind == Kind::Digits && !raw.own {
            return self.digits(raw.value);
        }
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
                if let Some(digits) = long_digits(text.as_bytes()) {
                    let digits = text[..digits].to_owned();
                    if self.push_digits(column, &digits, head.style) {
                        return Ok(());
                    }
                }
                let text = self.str_of(piece).trim_matches(text::BLANKS);
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

    /// How numbers of this style are shown.
    #[inline]
    pub(super) fn shown(&self, style: Option<usize>) -> Shown {
        style.map_or(Shown::Number, |style| self.styles.shown(style))
    }

    /// A number as its style shows it; `None` where that is a text of its own.
    #[inline]
    pub(super) fn shape_of(&mut self, number: f64, style: Option<usize>) -> Option<Shape> {
        let plain = Shape { kind: Kind::Number, value: number.to_bits() };
        match self.shown(style) {
            Shown::Number => return Some(plain),
            Shown::Code(pattern) => {
                let whole = number as u64;
                return match (0.0..EXACT).contains(&number) && whole as f64 == number {
                    true => self.code(itoa::Buffer::new().format(whole), pattern),
                    // A code has no sign and no fraction.
                    false => Some(plain),
                };
            }
            Shown::Moment | Shown::Duration => {}
        }
        match self.moment(number, style) {
            Serial::Moment(micros) => {
                Some(Shape { kind: Kind::Moment, value: micros.cast_unsigned() })
            }
            Serial::Number(number) => Some(Shape { kind: Kind::Number, value: number.to_bits() }),
            Serial::Text(_) => None,
        }
    }

    /// The code that these digits are by a pattern. `None`: the block holds more of them than there is room
    /// for.
    #[inline(never)]
    pub(super) fn code(&mut self, digits: &str, pattern: u16) -> Option<Shape> {
        let pattern = self.styles.pattern(pattern)?;
        let start = self.codes.len();
        if start > MOST_CODES {
            return None;
        }
        pattern.write(digits, &mut self.codes);
        Some(Shape { kind: Kind::Digits, value: OF_CODES | place_of(start, self.codes.len()) })
    }

    pub(super) fn code_text(&self, value: u64) -> &str {
        let place = value & !OF_CODES;
        let (start, end) = ((place >> 32) as usize, (place & 0xffff_ffff) as usize);
        self.codes.get(start..end).unwrap_or_default()
    }

    /// The digits that begin `value`, which stands at `at` in the block, if a float would lose some of them.
    #[inline(never)]
    pub(super) fn long(&mut self, at: usize, value: &[u8], style: Option<usize>) -> Option<Shape> {
        let length = long_digits(value)?;
        let digits = self.valid().ok()?.get(at..at + length)?;
        match self.shown(style) {
            Shown::Number => Some(Shape { kind: Kind::Digits, value: place_of(at, at + length) }),
            Shown::Code(pattern) if !digits.starts_with('-') => self.code(digits, pattern),
            Shown::Code(_) | Shown::Moment | Shown::Duration => None,
        }
    }

    /// Pushes a number that is kept as its digits; `false`: its style wants something else.
    fn push_digits(&mut self, column: u16, digits: &str, style: Option<usize>) -> bool {
        let start = self.texts.len();
        match self.shown(style) {
            Shown::Moment | Shown::Duration => return false,
            Shown::Code(pattern) if !digits.starts_with('-') => {
                let Some(pattern) = self.styles.pattern(pattern) else { return false };
                pattern.write(digits, &mut self.texts);
            }
            Shown::Number | Shown::Code(_) => self.texts.push_str(digits),
        }
        self.push_text(column, Kind::Digits, Piece::Own(start, self.texts.len()));
        true
    }

    fn moment(&self, number: f64, style: Option<usize>) -> Serial {
        let duration = style.is_some_and(|style| self.styles.shown(style) == Shown::Duration);
        moment::from_serial(number, duration, self.styles.from_1904)
    }

    /// Pushes a number as its style shows it.
    fn push_number(&mut self, column: u16, number: f64, style: Option<usize>) {
        if let Some(Shape { kind, value }) = self.shape_of(number, style) {
            self.push(column, kind, value);
        } else if matches!(self.shown(style), Shown::Code(_)) {
            let digits = (number as u64).to_string();
            self.push_digits(column, &digits, style);
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

/// The length of a whole number of 2^53 or more, of which a float may not keep all digits: without a
/// fraction of zeros behind it. `None`: a float keeps it, or it is written in another way.
fn long_digits(value: &[u8]) -> Option<usize> {
    const FIRST: &[u8] = b"9007199254740992";
    let sign = usize::from(value.first() == Some(&b'-'));
    let digits = &value[sign..];
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(length);
    let long = length > FIRST.len() || length == FIRST.len() && digits >= FIRST;
    let fraction = rest.strip_prefix(b".").unwrap_or(rest);
    let whole = fraction.iter().all(|byte| *byte == b'0');
    (long && whole && digits[0] != b'0').then_some(sign + length)
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
