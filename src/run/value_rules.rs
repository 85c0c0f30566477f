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

use crate::duck::Value;

/// The version of the rules of this program.
pub const VERSION: u32 = 1;

/// What has changed since version 1, oldest first.
const CHANGES: &[Change] = &[];

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
    fn the_list_of_today_leads_from_version_1_to_the_version_of_today() {
        let rules = ValueRules::current();
        let versions: Vec<_> = rules.changes.iter().map(|change| change.version).collect();
        assert!(versions.is_sorted(), "oldest first");
        assert!(versions.iter().all(|version| *version > 1), "version 1 has changed nothing");
        assert_eq!(versions.last().copied().unwrap_or(1), VERSION, "the last change raised it");
    }
}
