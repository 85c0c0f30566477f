//! Versions of the rules by which texts become values: cleaning, dates, numbers, "no value".
//!
//! The ledger keeps with each input the version under which it was loaded (`etl.inputs.rules`; NULL is
//! version 1, from ledgers that did not store it). It decides two things:
//!
//! * An unfinished input with committed rows goes on only under the version that it was begun with (E502).
//! * `etl verify` reads the source again by the rules of today. A cell of an input of an older version that
//!   differs is held against the changes since then: a difference that one of them explains is counted, any
//!   other is a fault.
//!
//! A change of a rule raises [`VERSION`] by one, once for each release of the program, and is an entry in
//! [`CHANGES`]:
//!
//! | version | what has changed |
//! |---|---|
//! | 1 | the rules of the first ledgers |
//! | 2 | a year of a date with slashes has four digits; `180.0` is a whole number; ids and codes that were kept as floats lose `.0`; numbers may have a plus, U+2212, U+00A0 and U+202F; columns of numbers take exponents, zeros at the end and 19 digits, those of truth values other words |

use crate::chunk::{ColumnKind, Moment};
use crate::duck::Value;
use crate::source::infer::Common;
use crate::source::number::without_zeros;

/// The version of the rules of this program.
pub const VERSION: u32 = 2;

/// What has changed since version 1, oldest first.
const CHANGES: &[Change] = &[
    Change {
        version: 2,
        what: "a year has four digits",
        touches: |kind, cells| {
            let is_date = kind == ColumnKind::Date || kind.is_moment();
            is_date && cells.is_none_or(Common::has_short_years)
        },
        explains: is_short_year,
    },
    Change {
        version: 2,
        what: "decimals of zero are left out of whole numbers, ids and codes",
        // Such numbers were refused, and so were the ids of most counties.
        touches: |_, _| false,
        explains: is_zero_fraction,
    },
    Change {
        version: 2,
        what: "times may have offsets such as -05, and a minute has 60 seconds",
        // Such offsets were refused, and a second 60 was the next minute, at which no clock has stood since 2016.
        touches: |_, _| false,
        explains: is_offset_or_leap_second,
    },
    Change {
        version: 2,
        what: "numbers may have a plus, a minus sign and no-break spaces",
        touches: |_, _| false,
        explains: is_number_with_signs,
    },
    Change {
        version: 2,
        what: "columns of numbers take exponents, zeros at the end and 19 digits, those of truth values other words",
        // All of these were refused.
        touches: |_, _| false,
        explains: is_other_form,
    },
];

/// `04/15/91` was a day of the year 91, and is no date now: the row is refused, or cleaning has another way to
/// read it.
fn is_short_year(difference: &Difference<'_>) -> bool {
    let Outcome::Value(Value::Date(_) | Value::Timestamp(_)) = difference.old else { return false };
    let year = difference.raw.and_then(|raw| raw.trim().rsplit_once('/')).map(|(_, year)| year);
    year.is_some_and(|year| year.len() < 4 || year.starts_with('0'))
}

/// `180.0` was refused or a text, and is 180 now.
fn is_zero_fraction(difference: &Difference<'_>) -> bool {
    let Some(digits) = difference.raw.and_then(|raw| without_zeros(raw.trim().as_bytes())) else {
        return false;
    };
    let was_as_written = match difference.old {
        Outcome::Refused => true,
        Outcome::Value(old) => difference.raw.is_some_and(|raw| old.to_string() == raw.trim()),
    };
    let is_shorter = match difference.new {
        // By another rule: as an id it is too short, or has more digits than a float keeps.
        Outcome::Refused => true,
        Outcome::Value(new) => {
            let (new, digits) = (new.to_string(), String::from_utf8_lossy(digits));
            new == digits.trim_start_matches('+') || new.trim_start_matches('0') == digits
        }
    };
    was_as_written && is_shorter
}

/// `10:00:00-05` was refused, `23:59:60` was the next day.
fn is_offset_or_leap_second(difference: &Difference<'_>) -> bool {
    let Some(raw) = difference.raw.map(str::trim) else { return false };
    let is_moment = |outcome| matches!(outcome, Outcome::Value(Value::Timestamp(_)));
    let has_offset = || Moment::of(raw.as_bytes()).is_some_and(Moment::has_offset);
    match (difference.old, difference.new) {
        (Outcome::Refused, new) => is_moment(new) && has_offset(),
        (old, Outcome::Refused) => is_moment(old) && raw.contains(":60"),
        _ => false,
    }
}

/// `+160.00` and `1 234` with a no-break space were refused by cleaning, and are numbers now.
fn is_number_with_signs(difference: &Difference<'_>) -> bool {
    let has_sign = |raw: &str| raw.contains(['+', '\u{2212}', '\u{a0}', '\u{202f}']);
    difference.old == Outcome::Refused
        && matches!(difference.new, Outcome::Value(_))
        && difference.raw.is_some_and(has_sign)
}

/// `1.5e3`, `1.500` with two decimals, `9223372036854775807` and `yes` were refused, and are values now.
fn is_other_form(difference: &Difference<'_>) -> bool {
    let Some(raw) = difference.raw.map(str::trim) else { return false };
    let number: Option<f64> = raw.parse().ok();
    let is_it = |new: &Value| number.is_some() && new.to_string().parse().ok() == number;
    let digits = raw.bytes().filter(u8::is_ascii_digit).count();
    let has_form =
        raw.contains(['e', 'E']) || raw.contains('.') && raw.ends_with('0') || digits > 18;
    difference.old == Outcome::Refused
        && match difference.new {
            Outcome::Value(Value::Bool(_)) => true,
            Outcome::Value(new) => has_form && is_it(new),
            Outcome::Refused => false,
        }
}

/// What becomes of a cell under one version of the rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome<'a> {
    /// The row is loaded, with this value in the column.
    Value(&'a Value),
    /// The row is refused because of this cell.
    Refused,
}

/// A cell that comes out differently under the rules of today.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference<'a> {
    /// Column of the table.
    pub column: &'a str,
    /// The cell as the source has it. `None`: the column is not read from the source (derived columns, those
    /// of a mapping), or is masked.
    pub raw: Option<&'a str>,
    /// As it was loaded.
    pub old: Outcome<'a>,
    /// As it would be loaded today.
    pub new: Outcome<'a>,
}

/// One change of a rule.
#[derive(Debug)]
pub struct Change {
    /// The version that it came with.
    pub version: u32,
    /// What has changed, in a few words for the user: "a year needs four digits".
    pub what: &'static str,
    /// Whether values of a column of this type, loaded under older rules, may be others now; what the cells of its
    /// file have in common is known for plain tables. A load that has begun under those does not go on then (E502).
    pub touches: fn(ColumnKind, Option<Common>) -> bool,
    /// Whether a difference is what the change does to such a cell. Where an earlier change may have had a part
    /// in it, this says so, too.
    pub explains: fn(&Difference<'_>) -> bool,
}

/// A version of the rules, with the changes that led to it.
#[derive(Debug, Clone, Copy)]
pub struct ValueRules {
    /// The version.
    pub version: u32,
    /// The changes, oldest first.
    pub changes: &'static [Change],
}

impl ValueRules {
    /// Those of this program.
    pub const fn current() -> Self {
        Self { version: VERSION, changes: CHANGES }
    }

    /// What has changed since a version, in a few words each.
    pub fn since(&self, version: u32) -> impl Iterator<Item = &'static str> {
        let newer = self.changes.iter().filter(move |change| change.version > version);
        newer.map(|change| change.what)
    }

    /// Whether an unfinished load that was begun under version `under` may go on, with columns of these types and
    /// cells.
    pub fn go_on(
        &self,
        under: u32,
        mut columns: impl Iterator<Item = (ColumnKind, Option<Common>)>,
    ) -> bool {
        let since: Vec<_> = self.changes.iter().filter(|change| change.version > under).collect();
        let touched = |(kind, cells)| since.iter().any(|change| (change.touches)(kind, cells));
        under <= self.version && !columns.any(touched)
    }

    /// The first change since version `under` that explains a difference.
    pub fn explains(&self, under: u32, difference: &Difference<'_>) -> Option<&'static Change> {
        let since = self.changes.iter().filter(|change| change.version > under);
        since.into_iter().find(|change| (change.explains)(difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE_UP: ValueRules = ValueRules {
        version: 3,
        changes: &[
            Change {
                version: 2,
                what: "blanks around a text are left out",
                touches: |kind, _| kind == ColumnKind::Text,
                explains: |difference| match (difference.old, difference.new) {
                    (Outcome::Value(Value::Text(old)), Outcome::Value(Value::Text(new))) => {
                        old.trim() == new
                    }
                    _ => false,
                },
            },
            Change {
                version: 3,
                what: "a year needs four digits",
                touches: |kind, _| kind == ColumnKind::Date,
                explains: |difference| {
                    let short = |raw: &str| raw.len() < "2024-01-01".len();
                    matches!(difference.old, Outcome::Value(Value::Date(_)))
                        && difference.new == Outcome::Refused
                        && difference.raw.is_some_and(short)
                },
            },
        ],
    };

    fn version_of(under: u32, difference: &Difference<'_>) -> Option<u32> {
        MADE_UP.explains(under, difference).map(|change| change.version)
    }

    #[test]
    fn a_difference_is_explained_by_a_change_since_the_load_and_by_no_other() {
        let (old, new) = (Value::from(" a "), Value::from("a"));
        let padded = Difference {
            column: "name",
            raw: Some(" a "),
            old: Outcome::Value(&old),
            new: Outcome::Value(&new),
        };
        assert_eq!(version_of(1, &padded), Some(2));
        assert_eq!(version_of(2, &padded), None, "it was loaded with that change");
        let other = Value::from("b");
        assert_eq!(version_of(1, &Difference { new: Outcome::Value(&other), ..padded }), None);
    }

    #[test]
    fn a_row_may_be_refused_that_was_loaded() {
        let day = Value::Date(8_766);
        let short = Difference {
            column: "opened",
            raw: Some("94-01-01"),
            old: Outcome::Value(&day),
            new: Outcome::Refused,
        };
        assert_eq!(version_of(1, &short), Some(3));
        assert_eq!(version_of(2, &short), Some(3));
        assert_eq!(version_of(1, &Difference { raw: Some("1994-01-01"), ..short }), None);
        assert_eq!(version_of(1, &Difference { raw: None, ..short }), None);
    }

    #[test]
    fn a_year_of_fewer_than_four_digits_is_no_date_since_version_2() {
        let (old, new) = (Value::Date(-686_209), Value::Date(7_774));
        let short = Difference {
            column: "sold",
            raw: Some(" 04/15/91"),
            old: Outcome::Value(&old),
            new: Outcome::Refused,
        };
        let under = |rules: u32, difference: &Difference<'_>| {
            ValueRules::current().explains(rules, difference).map(|change| change.version)
        };
        assert_eq!(under(1, &short), Some(2));
        assert_eq!(under(2, &short), None);
        // With a format of two digits of its own.
        assert_eq!(under(1, &Difference { new: Outcome::Value(&new), ..short }), Some(2));
        for raw in [Some("04/15/1991"), Some("1991-04-15"), None] {
            assert_eq!(under(1, &Difference { raw, ..short }), None, "{raw:?}");
        }
    }

    #[test]
    fn decimals_of_zero_are_left_out_since_version_2() {
        let under = |raw, old, new| {
            let difference = Difference { column: "jv", raw: Some(raw), old, new };
            ValueRules::current().explains(1, &difference).map(|change| change.version)
        };
        let (whole, zip, text) = (Value::Int(180), Value::from("33076"), Value::from("33076.0"));
        assert_eq!(under("180.0", Outcome::Refused, Outcome::Value(&whole)), Some(2));
        assert_eq!(under("33076.0", Outcome::Value(&text), Outcome::Value(&zip)), Some(2));
        assert_eq!(under("33076.0", Outcome::Value(&zip), Outcome::Value(&text)), None);
        assert_eq!(under("180.5", Outcome::Refused, Outcome::Value(&whole)), None);
        assert_eq!(under("181.0", Outcome::Refused, Outcome::Value(&whole)), None);
    }

    #[test]
    fn an_unfinished_load_goes_on_where_no_change_touches_its_columns() {
        use ColumnKind::{Date, Int, Text};
        let go_on = |under, kinds: &[ColumnKind]| {
            MADE_UP.go_on(under, kinds.iter().map(|kind| (*kind, None)))
        };
        assert!(go_on(3, &[Text, Date]));
        assert!(go_on(1, &[Int]));
        assert!(!go_on(1, &[Int, Text]));
        assert!(go_on(2, &[Int, Text]));
        assert!(!go_on(2, &[Date]));
        assert!(!go_on(4, &[Int]), "a newer program has begun it");
    }

    #[test]
    fn the_list_of_today_leads_from_version_1_to_the_version_of_today() {
        let rules = ValueRules::current();
        let versions: Vec<_> = rules.changes.iter().map(|change| change.version).collect();
        assert!(versions.is_sorted(), "oldest first");
        assert!(versions.iter().all(|version| *version > 1), "version 1 has changed nothing");
        assert_eq!(versions.last().copied().unwrap_or(1), VERSION, "the last change raised it");
    }
}
