//! Which types the text of one cell fits, as a set of bits.

use crate::chunk::{ColumnKind, DateOrder, Moment};
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
/// Dates of which nothing says which part is the day.
const UNORDERED: u8 = 1 << 3;
/// A time with its offset from UTC.
const OFFSET: u8 = 1 << 4;
/// A day or a time without an offset.
const CLOCK: u8 = 1 << 5;
/// More decimals of a second than six.
const NANOS: u8 = 1 << 6;
/// A date with slashes whose year has fewer than four digits, or leading zeros.
const SHORT_YEAR: u8 = 1 << 7;

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
    /// What single cells show.
    signs: Signs,
}

/// What single cells of a column show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// Marks of all cells.
    marks: u8,
    /// Whether the parts of a date with slashes differ.
    unequal: bool,
    /// First and second parts of dates with slashes, a bit for each number below 32.
    first: u32,
    second: u32,
}

impl Signs {
    /// Adds those of a cell.
    #[inline]
    pub fn add(&mut self, fit: Fit) {
        let (first, second) = fit.slashed;
        self.marks |= fit.marks;
        if first != 0 {
            self.unequal |= first != second;
            self.first |= 1 << (first & 31);
            self.second |= 1 << (second & 31);
        }
    }

    /// Those of two columns.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            marks: self.marks | other.marks,
            unequal: self.unequal || other.unequal,
            first: self.first | other.first,
            second: self.second | other.second,
        }
    }

    fn has(self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// Dates with slashes of a column in which all cells are dates, in one order at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slashes {
    /// Whether all cells are dates that begin with the month.
    pub month_first: bool,
    /// Whether all cells are dates that begin with the day.
    pub day_first: bool,
    /// Whether the order makes a difference.
    pub unequal: bool,
    /// The order in which the day is always 1 and the month takes at least three values.
    pub series: Option<DateOrder>,
}

impl Common {
    /// No cells.
    pub const NOTHING: Self = Self {
        kinds: None,
        whole: 0,
        scale: 0,
        signs: Signs { marks: 0, unequal: false, first: 0, second: 0 },
    };

    /// Cells that fit all of these types.
    pub fn of(kinds: Kinds, whole: u8, scale: u8) -> Self {
        Self { kinds: Some(kinds), whole, scale, ..Self::NOTHING }
    }

    /// The same, where cells show these signs.
    #[must_use]
    pub fn with_signs(self, signs: Signs) -> Self {
        Self { signs: self.signs.with(signs), ..self }
    }

    fn marked(self, marks: u8) -> Self {
        self.with_signs(Signs { marks, ..Signs::default() })
    }

    /// Whether all cells are moments, of which some have an offset from UTC and some have none.
    pub fn has_mixed_offsets(self) -> bool {
        self.signs.has(OFFSET)
            && self.signs.has(CLOCK)
            && self.kinds.is_some_and(|kinds| kinds & TIMESTAMP != 0)
    }

    /// Whether all cells are moments or days.
    pub fn are_moments(self) -> bool {
        self.kinds.is_some_and(|kinds| kinds & TIMESTAMP != 0)
    }

    /// Whether some cells look like dates with a year of fewer than four digits: `04/15/91`.
    pub fn has_short_years(self) -> bool {
        self.signs.has(SHORT_YEAR)
    }

    /// Whether some moments have no offset from UTC.
    pub fn has_clocks(self) -> bool {
        self.signs.has(CLOCK)
    }

    /// The type that keeps all digits of moments, and their offsets; `None`: texts do.
    fn moment(self) -> Option<ColumnKind> {
        match (self.signs.has(OFFSET), self.signs.has(CLOCK), self.signs.has(NANOS)) {
            (false, _, false) => Some(ColumnKind::Timestamp),
            (false, _, true) => Some(ColumnKind::TimestampNs),
            (true, false, false) => Some(ColumnKind::TimestampTz),
            (true, ..) => None,
        }
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
            ColumnKind::Date => Self::of(DATE | TIMESTAMP | DAY_FIRST, 0, 0).marked(CLOCK),
            ColumnKind::Timestamp => Self::of(TIMESTAMP | DAY_FIRST, 0, 0).marked(CLOCK | TIME),
            ColumnKind::TimestampTz => Self::of(TIMESTAMP | DAY_FIRST, 0, 0).marked(OFFSET | TIME),
            ColumnKind::TimestampNs => {
                Self::of(TIMESTAMP | DAY_FIRST, 0, 0).marked(CLOCK | NANOS | TIME)
            }
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
            signs: self.signs.with(other.signs),
        }
    }

    /// Whether a number would lose digits of some cells: the zeros of `02035`.
    pub fn has_codes(self) -> bool {
        self.signs.has(CODE)
    }

    /// Most digits before the point.
    pub fn digits(self) -> usize {
        self.whole.into()
    }

    /// The dates with slashes, where all cells are dates and some have slashes.
    pub fn slashes(self) -> Option<Slashes> {
        let Signs { first, second, unequal, .. } = self.signs;
        let kinds = self.kinds.filter(|_| first != 0)?;
        let (month_first, day_first) = (kinds & TIMESTAMP != 0, kinds & DAY_FIRST != 0);
        const ONE: u32 = 1 << 1;
        let series = match (first, second) {
            (ONE, months) if months.count_ones() >= 3 => Some(DateOrder::Dmy),
            (months, ONE) if months.count_ones() >= 3 => Some(DateOrder::Mdy),
            _ => None,
        };
        (month_first || day_first).then_some(Slashes { month_first, day_first, unequal, series })
    }

    /// The same cells with dates in one order only.
    #[must_use]
    pub fn in_order(self, order: DateOrder) -> Self {
        let days = if self.signs.has(TIME) { 0 } else { DATE };
        let reordered = |kinds: Kinds| match kinds & DAY_FIRST {
            0 => kinds & !(DATE | TIMESTAMP),
            _ => kinds & !DATE | TIMESTAMP | days,
        };
        match order {
            DateOrder::Mdy => self,
            DateOrder::Dmy => Self { kinds: self.kinds.map(reordered), ..self },
        }
    }

    /// The same cells as texts, where nothing says which part of a date is the day.
    #[must_use]
    pub fn without_order(self) -> Self {
        let signs = Signs { marks: self.signs.marks | UNORDERED, ..self.signs };
        Self { kinds: self.kinds.map(|_| 0), signs, ..self }
    }

    /// Whether nothing says which part of its dates is the day.
    pub fn is_without_order(self) -> bool {
        self.signs.has(UNORDERED)
    }

    /// The same cells as texts that must not be read as numbers or dates.
    #[must_use]
    pub fn as_text(self) -> Self {
        let signs = Signs { marks: self.signs.marks | CODE, ..self.signs };
        Self { kinds: self.kinds.map(|_| 0), signs, ..self }
    }

    /// Whether all cells are numbers with a decimal comma, and one can be nothing else.
    pub fn proves_comma(self) -> bool {
        self.signs.has(COMMA_PROOF) && self.kinds.is_some_and(|kinds| kinds & COMMA != 0)
    }

    /// Whether the points of its numbers may stand between groups of digits: `1.234`.
    pub fn may_be_grouped(self) -> bool {
        self.scale == 3 && self.kinds.is_some_and(|kinds| kinds & COMMA != 0)
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
        candidates.extend([(DOUBLE, ColumnKind::Double), (DATE, ColumnKind::Date)]);
        candidates.extend(self.moment().map(|kind| (TIMESTAMP, kind)));
        candidates
    }
}

const TEXT: Fit = Fit { kinds: 0, whole: 0, scale: 0, marks: 0, slashed: (0, 0) };
const IS_CODE: Fit = Fit { marks: CODE, ..TEXT };

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
    if significant(head, tail) <= FLOAT_DIGITS && finite() {
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

    #[test]
    fn columns_together_have_the_type_that_all_cells_fit() {
        use ColumnKind::{BigInt, Bool, Date, Decimal, Double, Int, Text, Timestamp};
        let of = |text: &str| {
            let found = fit(text);
            let mut signs = Signs::default();
            signs.add(found);
            Common::of(found.kinds, found.whole, found.scale).with_signs(signs)
        };
        let cases = [
            ("1", "12345678901", BigInt),
            ("1", "1.25", Decimal(2)),
            ("1.5", "1.25", Decimal(2)),
            // No decimal has room for both; the float keeps them.
            ("123456789012345", "0.12345", Double),
            ("123456789012345678", "0.5", Text),
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
        const WHOLE: Kinds = BIGINT | DECIMAL | DOUBLE | COMMA;
        const ISO: Kinds = DATE | TIMESTAMP | DAY_FIRST;
        let cases = [
            ("0", INT | WHOLE),
            ("-12", INT | WHOLE),
            ("2147483648", WHOLE),
            ("999999999", INT | WHOLE),
            ("123456789012345678", BIGINT | DECIMAL | COMMA),
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

    /// What the cells of one column have in common.
    fn column(texts: &[&str]) -> Common {
        let cell = |text: &&str| {
            let found = fit(text);
            let mut signs = Signs::default();
            signs.add(found);
            Common::of(found.kinds, found.whole, found.scale).with_signs(signs)
        };
        texts.iter().map(cell).fold(Common::NOTHING, Common::with)
    }

    #[test]
    fn orders_of_dates_with_slashes_are_those_that_fit_all_cells() {
        let orders = |texts: &[&str]| {
            column(texts).slashes().map(|found| (found.month_first, found.day_first, found.unequal))
        };
        assert_eq!(orders(&["02/01/2014", "03/04/2014"]), Some((true, true, true)));
        assert_eq!(orders(&["02/01/2014", "31/12/2012"]), Some((false, true, true)));
        assert_eq!(orders(&["02/01/2014", "12/31/2012"]), Some((true, false, true)));
        assert_eq!(orders(&["31/12/2012", "12/31/2012"]), None);
        assert_eq!(orders(&["02/02/2014"]), Some((true, true, false)));
        assert_eq!(orders(&["2014-02-01"]), None);
        assert_eq!(orders(&["02/01/2014", "n/a"]), None);
        let kinds = |texts: &[&str], order| column(texts).in_order(order).kind();
        use ColumnKind::{Date, Text, Timestamp};
        assert_eq!(kinds(&["02/01/2014", "31/12/2012"], DateOrder::Dmy), Date);
        assert_eq!(kinds(&["02/01/2014", "31/12/2012"], DateOrder::Mdy), Text);
        assert_eq!(kinds(&["12/31/2012"], DateOrder::Dmy), Text);
        assert_eq!(kinds(&["31/12/2012", "2012-12-31 10:00:00"], DateOrder::Dmy), Timestamp);
        assert_eq!(kinds(&["2012-12-31"], DateOrder::Dmy), Date);
        assert_eq!(kinds(&["7"], DateOrder::Dmy), ColumnKind::Int);
    }

    #[test]
    fn a_part_that_is_always_one_is_the_day_of_a_monthly_series() {
        let series = |texts: &[&str]| column(texts).slashes().and_then(|found| found.series);
        let months = ["01/01/2012", "01/02/2012", "01/03/2012"];
        assert_eq!(series(&months), Some(DateOrder::Dmy));
        assert_eq!(series(&["1/1/2012", "2/1/2012", "3/1/2012"]), Some(DateOrder::Mdy));
        assert_eq!(series(&months[..2]), None);
        assert_eq!(series(&["01/01/2012", "01/02/2012", "02/03/2012"]), None);
    }
}
