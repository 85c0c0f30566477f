//! Which types the text of one cell fits, as a set of bits.

use crate::chunk::{DateOrder, Moment};
use crate::source::number::{self, Slashed};

/// A set of types.
pub type Kinds = u16;

/// 32-bit whole number.
pub const INT: Kinds = 1;
/// 64-bit whole number.
pub const BIGINT: Kinds = 1 << 1;
/// A number with at most [`SCALE`] decimals and 18 digits.
pub const DECIMAL: Kinds = 1 << 2;
/// A number that a 64-bit float keeps.
pub const DOUBLE: Kinds = 1 << 3;
/// true / false.
pub const BOOL: Kinds = 1 << 4;
/// A day; dates with slashes begin with the month.
pub const DATE: Kinds = 1 << 5;
/// A moment; dates with slashes begin with the month.
pub const TIMESTAMP: Kinds = 1 << 6;
/// A day or a moment where dates with slashes begin with the day.
pub const DAY_FIRST: Kinds = 1 << 7;
/// A number where decimals stand behind a comma and points between groups of digits: `1.234,50`, `1.234`, `7`.
pub const COMMA: Kinds = 1 << 8;
/// Number of different sets.
pub const SETS: usize = 1 << 9;

/// Most decimals of a decimal column.
pub const SCALE: usize = 6;
/// Most digits of a decimal or whole column.
pub const DIGITS: usize = 18;
/// Most digits that survive a 64-bit float and back.
const FLOAT_DIGITS: usize = 17;

/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// Digits before the point that any 64-bit float can have.
const FLOAT_RANGE: usize = 300;

/// What is known of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// The types it fits.
    pub kinds: Kinds,
    /// Digits before the point.
    pub whole: u8,
    /// Digits behind it.
    pub scale: u8,
    /// What else it shows: [`CODE`], [`COMMA_PROOF`], [`TIME`].
    pub marks: u8,
    /// First and second part of a date with slashes; zeros where it is none.
    pub slashed: (u8, u8),
}

/// Digits that a number would lose: leading zeros, a plus.
pub const CODE: u8 = 1;
/// A comma that can only stand before decimals: `10,5`.
pub const COMMA_PROOF: u8 = 1 << 1;
/// A moment with a time.
pub const TIME: u8 = 1 << 2;
/// Dates of which nothing says which part is the day, or points that may stand between thousands.
pub const AMBIGUOUS: u8 = 1 << 3;
/// A time with its offset from UTC.
pub const OFFSET: u8 = 1 << 4;
/// A day or a time without an offset.
pub const CLOCK: u8 = 1 << 5;
/// More decimals of a second than six.
pub const NANOS: u8 = 1 << 6;
/// A date with slashes whose year has fewer than four digits, or leading zeros.
pub const SHORT_YEAR: u8 = 1 << 7;

const TEXT: Fit = Fit { kinds: 0, whole: 0, scale: 0, marks: 0, slashed: (0, 0) };
const IS_CODE: Fit = Fit { marks: CODE, ..TEXT };
/// What a workbook shows as a code, of a cell that holds a number.
pub const SHOWN: Fit = TEXT;

/// Sets that a number may fit; such texts are no moments.
const NUMBERS: Kinds = INT | BIGINT | DECIMAL | DOUBLE;

impl Fit {
    /// A whole number, without a sign of being a code.
    pub fn is_whole(self) -> bool {
        self.kinds & BIGINT != 0
    }

    /// A point on the axis of the text's type: a number as it is, a day or a moment in microseconds since
    /// 1970-01-01, so that days among moments have their place.
    pub fn measure(self, text: &str) -> Option<f64> {
        let bytes = text.as_bytes();
        if self.kinds & BIGINT != 0 {
            number::whole(bytes).ok().map(|whole| whole as f64)
        } else if self.kinds & NUMBERS != 0 {
            number::real(bytes).ok()
        } else if self.kinds & DATE != 0 {
            number::date(bytes, DateOrder::Mdy).ok().map(|day| f64::from(day) * DAY)
        } else if self.kinds & TIMESTAMP != 0 {
            number::timestamp(bytes, DateOrder::Mdy).ok().map(|micros| micros as f64)
        } else {
            None
        }
    }
}

/// The types that a text fits. A leading zero or plus makes a code of a number.
pub fn fit(text: &str) -> Fit {
    let bytes = text.as_bytes();
    match bytes {
        // Most cells of most tables.
        [b'1'..=b'9', rest @ ..] if rest.len() < 9 && rest.iter().all(u8::is_ascii_digit) => {
            let whole = bytes.len() as u8;
            Fit { kinds: INT | BIGINT | DECIMAL | DOUBLE | COMMA, whole, ..TEXT }
        }
        [b'0'] => Fit { kinds: INT | BIGINT | DECIMAL | DOUBLE | COMMA, ..TEXT },
        [b'0'..=b'9' | b'-' | b'.', ..] => match numeric(bytes) {
            TEXT => other(bytes),
            fit => fit,
        },
        [b'+', rest @ ..] if number::real(rest).is_ok() => IS_CODE,
        [b't' | b'T' | b'f' | b'F', ..] if number::boolean(bytes).is_ok() => {
            Fit { kinds: BOOL, ..TEXT }
        }
        _ => TEXT,
    }
}

/// A number that the file itself has rounded: text, or a float, but no exact number.
pub fn inexact(text: &str) -> Fit {
    if number::real(text.as_bytes()).is_ok() { Fit { kinds: DOUBLE, ..TEXT } } else { TEXT }
}

/// A moment, or a number with a decimal comma.
fn other(bytes: &[u8]) -> Fit {
    // No moment, and no number of so few digits, does without one of these: most texts end here.
    const LONGEST: usize = 24;
    let is_sign = |byte: &u8| matches!(byte, b'/' | b'-' | b',' | b'.');
    if !bytes.iter().take(LONGEST).any(is_sign) {
        return TEXT;
    }
    if let Some(date) = Slashed::of(bytes) {
        let fits = |order, kinds: Kinds| date.days(order).map_or(0, |_| kinds);
        let kinds = fits(DateOrder::Mdy, DATE | TIMESTAMP) | fits(DateOrder::Dmy, DAY_FIRST);
        return match kinds {
            0 => TEXT,
            kinds => Fit { kinds, marks: CLOCK, slashed: (date.first, date.second), ..TEXT },
        };
    }
    if number::date(bytes, DateOrder::Mdy).is_ok() {
        return Fit { kinds: DATE | TIMESTAMP | DAY_FIRST, marks: CLOCK, ..TEXT };
    }
    let Some(moment) = Moment::of(bytes) else {
        return if is_short_date(bytes) {
            Fit { marks: SHORT_YEAR, ..TEXT }
        } else {
            with_comma(bytes)
        };
    };
    // Nanoseconds have less room than microseconds.
    let fits = if moment.has_nanos() { moment.nanos().is_ok() } else { moment.micros().is_ok() };
    let offset = if moment.has_offset() { OFFSET } else { CLOCK };
    let nanos = if moment.has_nanos() { NANOS } else { 0 };
    match fits {
        true => Fit { kinds: TIMESTAMP | DAY_FIRST, marks: TIME | offset | nanos, ..TEXT },
        false => TEXT,
    }
}

/// `04/15/91`, `1/2/0003`.
fn is_short_date(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|byte| *byte == b'/');
    let mut part = |most: usize| {
        let part = parts.next();
        part.is_some_and(|part| {
            (1..=most).contains(&part.len()) && part.iter().all(u8::is_ascii_digit)
        })
    };
    bytes.len() <= 10 && part(2) && part(2) && part(4) && parts.next().is_none()
}

/// A number with a decimal comma, points between groups of three digits, or both.
fn with_comma(bytes: &[u8]) -> Fit {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let comma = memchr::memchr(b',', digits);
    let tail = comma.map(|at| &digits[at + 1..]);
    let head = &digits[..comma.unwrap_or(digits.len())];
    let grouped = is_grouped(head);
    let plain = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if !(grouped || plain(head)) || tail.is_some_and(|tail| !plain(tail)) {
        return TEXT;
    }
    // `1,234` may be a thousand.
    let proves = tail.is_some_and(|tail| tail.len() != 3 || grouped);
    Fit { kinds: COMMA, marks: if proves { COMMA_PROOF } else { 0 }, ..TEXT }
}

/// Digits in groups of three with points between: `1.234.567`.
fn is_grouped(digits: &[u8]) -> bool {
    let mut groups = digits.split(|byte| *byte == b'.');
    let is_digits = |group: &[u8]| group.iter().all(u8::is_ascii_digit);
    let first = groups.next().is_some_and(|first| {
        matches!(first, [b'1'..=b'9', ..]) && first.len() <= 3 && is_digits(first)
    });
    let mut rest = groups.peekable();
    first && rest.peek().is_some() && rest.all(|group| group.len() == 3 && is_digits(group))
}

fn numeric(bytes: &[u8]) -> Fit {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let point = digits.iter().position(|b| *b == b'.');
    let head = &digits[..point.unwrap_or(digits.len())];
    let code = matches!(head, [b'0', _, ..]);
    let plain = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let tail = point.map_or(&[][..], |at| &digits[at + 1..]);
    if !plain(head) || !plain(tail) {
        return scientific(bytes, digits, code);
    }
    if code {
        return IS_CODE;
    }
    if head.len() + tail.len() == 0 || (point.is_some() && tail.is_empty()) {
        return TEXT;
    }
    let mut kinds = 0;
    if point.is_none() && head.len() <= DIGITS {
        kinds |= BIGINT;
        if number::whole(bytes).is_ok_and(|value| i32::try_from(value).is_ok()) {
            kinds |= INT;
        }
    }
    let whole = if head == b"0" { 0 } else { head.len() };
    if tail.len() <= SCALE && whole + tail.len() <= DIGITS {
        kinds |= DECIMAL;
    }
    // Plain digits are a finite number unless there are hundreds of them.
    let finite = || head.len() <= FLOAT_RANGE || number::real(bytes).is_ok();
    // A float shows 17 digits of any number, but does not hold every whole number of 16 of them.
    let rounded = || {
        let whole = std::str::from_utf8(bytes).ok().filter(|_| point.is_none());
        whole.is_some_and(|whole| !number::float_keeps(whole))
    };
    if significant(head, tail) <= FLOAT_DIGITS && finite() && !rounded() {
        kinds |= DOUBLE;
    }
    if point.is_none() || is_grouped(digits) {
        kinds |= COMMA;
    }
    Fit { kinds, whole: whole.min(255) as u8, scale: tail.len().min(255) as u8, ..TEXT }
}

/// `1.5E+7`, and not an id such as `12E3`.
fn scientific(bytes: &[u8], digits: &[u8], code: bool) -> Fit {
    let mantissa = digits.iter().take_while(|b| !matches!(b, b'e' | b'E'));
    let kept = mantissa.filter(|b| b.is_ascii_digit()).count() <= FLOAT_DIGITS;
    if !code && kept && number::is_scientific(bytes) && number::real(bytes).is_ok() {
        Fit { kinds: DOUBLE, ..TEXT }
    } else {
        TEXT
    }
}

/// Digits between the first and the last that are not zero.
fn significant(head: &[u8], tail: &[u8]) -> usize {
    let all = || head.iter().chain(tail);
    let leading = all().take_while(|digit| **digit == b'0').count();
    let trailing = all().rev().take_while(|digit| **digit == b'0').count();
    (head.len() + tail.len()).saturating_sub(leading + trailing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Kinds = BIGINT | DECIMAL | DOUBLE | COMMA;
    const ISO: Kinds = DATE | TIMESTAMP | DAY_FIRST;

    #[test]
    fn texts_fit_what_they_can_be_read_as() {
        let cases = [
            ("0", INT | WHOLE),
            ("-12", INT | WHOLE),
            ("2147483648", WHOLE),
            ("999999999", INT | WHOLE),
            ("123456789012345678", BIGINT | DECIMAL | COMMA),
            ("9007199254740993", BIGINT | DECIMAL | COMMA),
            ("-9007199254740994", WHOLE),
            ("100000000000000000000000", DOUBLE | COMMA),
            ("90071992547409930001", COMMA),
            ("12 N 20 STREET 10:00", 0),
            ("1234567890123456789", COMMA),
            ("12.50", DECIMAL | DOUBLE),
            ("1.234", DECIMAL | DOUBLE | COMMA),
            ("-1.234.567", COMMA),
            ("1.234,50", COMMA),
            ("10,5", COMMA),
            ("1.23,5", 0),
            ("1234.567,5", 0),
            ("10,", 0),
            ("1,2,3", 0),
            ("0.1234567", DOUBLE),
            ("0.30000000000000004", DOUBLE),
            ("007", 0),
            ("00.5", 0),
            ("+5", 0),
            ("5.", 0),
            ("-", 0),
            (".", 0),
            ("1.5E+7", DOUBLE),
            ("12E3", 0),
            ("4940252E0010", 0),
            ("TRUE", BOOL),
            ("truth", 0),
            ("2025-01-31", ISO),
            ("1/31/2025", DATE | TIMESTAMP),
            ("31/1/2025", DAY_FIRST),
            ("02/01/2025", ISO),
            ("31/31/2025", 0),
            ("04/15/91", 0),
            ("2025-01-31 10:00:00", TIMESTAMP | DAY_FIRST),
            ("2025-02-30", 0),
            ("N/A", 0),
        ];
        for (text, kinds) in cases {
            assert_eq!(fit(text).kinds, kinds, "{text}");
        }
        for (text, is_code) in [
            ("007", true),
            ("-00.5", true),
            ("+5", true),
            ("0", false),
            ("0.5", false),
            ("+", false),
            ("01/02/2025", false),
            ("12 N", false),
        ] {
            assert_eq!(fit(text).marks & CODE != 0, is_code, "{text}");
        }
    }

    #[test]
    fn a_comma_that_can_only_be_a_decimal_one_is_a_proof() {
        for (text, proves) in
            [("10,5", true), ("1.234,500", true), ("1,234", false), ("1.234", false), ("7", false)]
        {
            assert_eq!(fit(text).marks & COMMA_PROOF != 0, proves, "{text}");
        }
    }
}
