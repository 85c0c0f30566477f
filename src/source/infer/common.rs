//! What all cells of a column have in common, and the type that follows from it.

use super::kinds::{
    AMBIGUOUS, BIGINT, BOOL, CLOCK, CODE, COMMA, COMMA_PROOF, DATE, DAY_FIRST, DECIMAL, DIGITS,
    DOUBLE, Fit, INT, Kinds, NANOS, OFFSET, SHORT_YEAR, TIME, TIMESTAMP,
};
use crate::chunk::{ColumnKind, DateOrder};

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

/// The dates with slashes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slashes {
    /// Whether all of them are dates that begin with the month.
    pub month_first: bool,
    /// Whether all of them are dates that begin with the day.
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

    /// Values of a column of numbers that a table holds: `digits` before the point at most. Wider types keep each of
    /// them as it is, but for floats.
    pub fn stored(kind: ColumnKind, digits: u8) -> Self {
        match kind {
            ColumnKind::Int => Self::of(INT | BIGINT | DECIMAL, digits, 0),
            ColumnKind::BigInt => Self::of(BIGINT | DECIMAL, digits, 0),
            ColumnKind::Decimal(scale) => Self::of(DECIMAL, digits, scale),
            other => Self::declared(other),
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

    /// Whether all cells are dates, in one order at least.
    pub fn are_dates(self) -> bool {
        self.kinds.is_some_and(|kinds| kinds & (TIMESTAMP | DAY_FIRST) != 0)
    }

    /// The dates with slashes, where some cells are such dates. Cells that are no dates say nothing.
    pub fn slashes(self) -> Option<Slashes> {
        let Signs { first, second, unequal, .. } = self.signs;
        let kinds = self.kinds.filter(|_| first != 0)?;
        // No month has a number above 12.
        const LATE: u32 = u32::MAX << 13;
        let (month_first, day_first) = match self.are_dates() {
            true => (kinds & TIMESTAMP != 0, kinds & DAY_FIRST != 0),
            false => (first & LATE == 0, second & LATE == 0),
        };
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
        let signs = Signs { marks: self.signs.marks | AMBIGUOUS, ..self.signs };
        Self { kinds: self.kinds.map(|_| 0), signs, ..self }
    }

    /// Whether nothing says what its dates or points mean: they must stay text.
    pub fn is_ambiguous(self) -> bool {
        self.signs.has(AMBIGUOUS)
    }

    /// The same cells as texts that must not be read as numbers or dates.
    #[must_use]
    pub fn as_text(self) -> Self {
        self.without_order()
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

#[cfg(test)]
mod tests {
    use super::super::kinds::fit;
    use super::*;

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
        // Cells that are no dates say nothing.
        assert_eq!(orders(&["02/01/2014", "n/a"]), Some((true, true, true)));
        assert_eq!(orders(&["31/12/2014", "n/a"]), Some((false, true, true)));
        assert_eq!(orders(&["n/a"]), None);
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
