//! Which types the text of one cell fits, as a set of bits.

use crate::chunk::ColumnKind;
use crate::source::number;

/// A set of types.
pub type Kinds = u8;

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
/// A day.
pub const DATE: Kinds = 1 << 5;
/// A moment.
pub const TIMESTAMP: Kinds = 1 << 6;
/// Number of different sets.
pub const SETS: usize = 1 << 7;

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
    /// Digits that a number would lose: leading zeros, a plus.
    pub is_code: bool,
}

/// What all filled cells of one or more columns have in common. Joining is associative and commutative, so
/// the type does not depend on which file a cell stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// Types that every cell fits; `None` where there are no cells.
    kinds: Option<Kinds>,
    /// Most digits before the point, of the cells that are decimals.
    whole: u8,
    /// Most digits behind it.
    scale: u8,
    /// Whether one of them is a code: digits that a number would lose.
    has_codes: bool,
}

impl Common {
    /// No cells.
    pub const NOTHING: Self = Self { kinds: None, whole: 0, scale: 0, has_codes: false };

    /// Cells that fit all of these types.
    pub fn of(kinds: Kinds, whole: u8, scale: u8) -> Self {
        Self { kinds: Some(kinds), whole, scale, has_codes: false }
    }

    /// The same, where some cells are codes.
    #[must_use]
    pub fn with_codes(self, has_codes: bool) -> Self {
        Self { has_codes: self.has_codes || has_codes, ..self }
    }

    /// Cells of a type that a file declares.
    pub fn declared(kind: ColumnKind) -> Self {
        let digits = DIGITS as u8;
        match kind {
            ColumnKind::Text => Self::of(0, 0, 0),
            ColumnKind::Int => Self::of(INT | BIGINT | DECIMAL | DOUBLE, 10, 0),
            // Up to 19 digits: more than a decimal takes, or a float keeps.
            ColumnKind::BigInt => Self::of(BIGINT, digits + 1, 0),
            ColumnKind::Decimal(scale) => Self::of(DECIMAL, digits.saturating_sub(scale), scale),
            ColumnKind::Double => Self::of(DOUBLE, 0, 0),
            ColumnKind::Bool => Self::of(BOOL, 0, 0),
            ColumnKind::Date => Self::of(DATE | TIMESTAMP, 0, 0),
            ColumnKind::Timestamp => Self::of(TIMESTAMP, 0, 0),
        }
    }

    /// What these cells and others have in common.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let kinds = match (self.kinds, other.kinds) {
            (Some(mine), Some(theirs)) => Some(mine & theirs),
            (mine, theirs) => mine.or(theirs),
        };
        Self {
            kinds,
            whole: self.whole.max(other.whole),
            scale: self.scale.max(other.scale),
            has_codes: self.has_codes || other.has_codes,
        }
    }

    /// Whether a number would lose digits of some cells: the zeros of `02035`.
    pub fn has_codes(self) -> bool {
        self.has_codes
    }

    /// Whether there are no cells.
    pub fn is_empty(self) -> bool {
        self.kinds.is_none()
    }

    /// The narrowest type that all cells fit.
    pub fn kind(self) -> ColumnKind {
        let Some(kinds) = self.kinds else { return ColumnKind::Text };
        let candidates = self.candidates();
        let found = candidates.iter().find(|(kind, _)| kinds & kind != 0);
        found.map_or(ColumnKind::Text, |(_, kind)| *kind)
    }

    /// Types from narrow to wide. A decimal needs room for all digits of all cells.
    pub fn candidates(self) -> Vec<(Kinds, ColumnKind)> {
        let mut candidates =
            vec![(BOOL, ColumnKind::Bool), (INT, ColumnKind::Int), (BIGINT, ColumnKind::BigInt)];
        if usize::from(self.whole) + usize::from(self.scale) <= DIGITS {
            candidates.push((DECIMAL, ColumnKind::Decimal(self.scale)));
        }
        candidates.extend([
            (DOUBLE, ColumnKind::Double),
            (DATE, ColumnKind::Date),
            (TIMESTAMP, ColumnKind::Timestamp),
        ]);
        candidates
    }
}

const TEXT: Fit = Fit { kinds: 0, whole: 0, scale: 0, is_code: false };
const CODE: Fit = Fit { is_code: true, ..TEXT };
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
            number::date(bytes).ok().map(|day| f64::from(day) * DAY)
        } else if self.kinds & TIMESTAMP != 0 {
            number::timestamp(bytes).ok().map(|micros| micros as f64)
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
            Fit { kinds: INT | BIGINT | DECIMAL | DOUBLE, whole, ..TEXT }
        }
        [b'0'..=b'9' | b'-' | b'.', ..] => match numeric(bytes) {
            TEXT => moment(bytes),
            fit => fit,
        },
        [b'+', rest @ ..] if number::real(rest).is_ok() => CODE,
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

fn moment(bytes: &[u8]) -> Fit {
    if number::date(bytes).is_ok() {
        Fit { kinds: DATE | TIMESTAMP, ..TEXT }
    } else if number::timestamp(bytes).is_ok() {
        Fit { kinds: TIMESTAMP, ..TEXT }
    } else {
        TEXT
    }
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
        return CODE;
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
    Fit { kinds, whole: whole.min(255) as u8, scale: tail.len().min(255) as u8, is_code: false }
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

    #[test]
    fn columns_together_have_the_type_that_all_cells_fit() {
        use ColumnKind::{BigInt, Bool, Date, Decimal, Double, Int, Text, Timestamp};
        let of = |text: &str| {
            let Fit { kinds, whole, scale, is_code } = fit(text);
            Common::of(kinds, whole, scale).with_codes(is_code)
        };
        let cases = [
            ("1", "12345678901", BigInt),
            ("1", "1.25", Decimal(2)),
            ("1.5", "1.25", Decimal(2)),
            // No decimal has room for both; the float keeps them.
            ("123456789012345", "0.12345", Double),
            ("123456789012345678", "0.5", Text),
            ("9007199254740993", "1.5E+7", Text),
            ("9007199254740992", "1.5E+7", Double),
            ("2025-01-31", "2025-01-31 10:00:00", Timestamp),
            ("2025-01-31", "1", Text),
            ("true", "1", Text),
            ("1", "007", Text),
        ];
        for (one, other, kind) in cases {
            assert_eq!(of(one).with(of(other)).kind(), kind, "{one} {other}");
            assert_eq!(of(other).with(of(one)).kind(), kind, "{other} {one}");
        }
        assert_eq!(Common::NOTHING.kind(), Text);
        assert_eq!(Common::NOTHING.with(of("7")).kind(), Int);
        for kind in [Text, Int, BigInt, Decimal(2), Double, Bool, Date, Timestamp] {
            assert_eq!(Common::declared(kind).kind(), if kind == BigInt { BigInt } else { kind });
            assert_eq!(Common::declared(kind).with(Common::declared(Text)).kind(), Text);
        }
        assert_eq!(Common::declared(BigInt).with(Common::declared(Decimal(2))).kind(), Text);
        assert_eq!(Common::declared(Int).with(Common::declared(Double)).kind(), Double);
    }

    #[test]
    fn texts_fit_what_they_can_be_read_as() {
        const WHOLE: Kinds = BIGINT | DECIMAL | DOUBLE;
        let cases = [
            ("0", INT | WHOLE),
            ("-12", INT | WHOLE),
            ("2147483648", WHOLE),
            ("999999999", INT | WHOLE),
            ("123456789012345678", BIGINT | DECIMAL),
            ("9007199254740993", BIGINT | DECIMAL),
            ("-9007199254740994", WHOLE),
            ("100000000000000000000000", DOUBLE),
            ("90071992547409930001", 0),
            ("12 N 20 STREET 10:00", 0),
            ("1234567890123456789", 0),
            ("12.50", DECIMAL | DOUBLE),
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
            ("2025-01-31", DATE | TIMESTAMP),
            ("1/31/2025", DATE | TIMESTAMP),
            ("2025-01-31 10:00:00", TIMESTAMP),
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
            assert_eq!(fit(text).is_code, is_code, "{text}");
        }
    }
}
