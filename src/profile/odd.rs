//! Cells that are rarely meant as they stand: what spreadsheets, exports and wrong encodings leave.
//!
//! Only what a single text shows; what needs the whole column is in `findings`.

use crate::chunk::Place;
use crate::source::infer::Fit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kind of suspicion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// A word that means "nothing": `NULL`, `N/A`, `-`.
    NullWord,
    /// An error of a spreadsheet formula, or `####`.
    FormulaError,
    /// A number that a spreadsheet has shortened: `4.74119E+11`.
    Scientific,
    /// A code that a spreadsheet took for a date: `1-Feb`.
    MonthDay,
    /// A whole number of ten digits or more that ends in six zeros.
    Rounded,
    /// A number below zero.
    Negative,
    /// UTF-8 that was read as Windows-1252: `CafÃ©`.
    Mojibake,
    /// U+FFFD: a character that was destroyed.
    Replacement,
    /// A tab, a line end or another control character.
    Control,
    /// Blanks before or behind the text.
    Padded,
    /// Blanks and nothing else.
    BlankText,
}

/// The first cells of a kind.
const EXAMPLES: usize = 3;
/// Characters kept of one.
const CHARS: usize = 80;

/// Cells of one kind of suspicion.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// How many.
    pub cells: u64,
    /// The first ones: row and text.
    pub examples: Vec<(Place, String)>,
}

/// Suspicious cells of a column, by kind.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    kinds: BTreeMap<Oddity, Seen>,
}

impl Oddities {
    /// Counts cells of one text.
    pub fn add(&mut self, kind: Oddity, cells: u64, text: &str, place: impl FnOnce() -> Place) {
        let seen = self.kinds.entry(kind).or_default();
        seen.cells += cells;
        if seen.examples.len() < EXAMPLES {
            keep(&mut seen.examples, text.chars().take(CHARS).collect(), place);
        }
    }

    /// Takes over those of later rows.
    pub fn merge(&mut self, later: Self) {
        for (kind, seen) in later.kinds {
            let mine = self.kinds.entry(kind).or_default();
            mine.cells += seen.cells;
            for (place, text) in seen.examples {
                if mine.examples.len() < EXAMPLES {
                    keep(&mut mine.examples, text, || place);
                }
            }
        }
    }

    /// Cells of a kind.
    pub fn of(&self, kind: Oddity) -> Option<&Seen> {
        self.kinds.get(&kind)
    }

    /// All kinds seen.
    pub fn iter(&self) -> impl Iterator<Item = (Oddity, &Seen)> {
        self.kinds.iter().map(|(kind, seen)| (*kind, seen))
    }

    /// Looks at a text, of which `fit` is what it fits, that stands in `cells` cells.
    #[inline]
    pub fn look(&mut self, text: &str, fit: Fit, cells: u64, place: impl Fn() -> Place) {
        let bytes = text.as_bytes();
        if fit.is_whole() {
            if bytes.len() >= 10 && bytes.ends_with(b"000000") {
                self.add(Oddity::Rounded, cells, text, place);
            }
            return;
        }
        if bytes.iter().any(|byte| *byte < b' ' || *byte >= 0x7f) {
            self.look_at_characters(text, cells, &place);
        }
        if let Some(kind) = word(bytes) {
            self.add(kind, cells, text, place);
        }
    }

    #[cold]
    fn look_at_characters(&mut self, text: &str, cells: u64, place: &impl Fn() -> Place) {
        if text.contains(char::is_control) {
            self.add(Oddity::Control, cells, text, place);
        }
        if text.contains('\u{fffd}') {
            self.add(Oddity::Replacement, cells, text, place);
        } else if is_mojibake(text) {
            self.add(Oddity::Mojibake, cells, text, place);
        }
    }
}

/// One example of a text is enough.
fn keep(examples: &mut Vec<(Place, String)>, text: String, place: impl FnOnce() -> Place) {
    if examples.iter().all(|(_, known)| *known != text) {
        examples.push((place(), text));
    }
}

/// A lead byte of UTF-8 as Windows-1252 shows it, with what can only be a byte behind it.
fn is_mojibake(text: &str) -> bool {
    let mut before = ' ';
    for c in text.chars() {
        let behind =
            matches!(c, '\u{80}'..='\u{bf}' | 'Œ' | 'œ' | 'Š' | 'š' | 'Ÿ' | 'Ž' | 'ž' | 'ƒ')
                || matches!(c, 'ˆ' | '˜' | '\u{2013}'..='\u{203a}' | '€' | '™');
        if behind && matches!(before, 'Â' | 'Ã' | 'â' | 'Å' | 'Ä' | 'ï') {
            return true;
        }
        before = c;
    }
    false
}

/// What a short text of plain characters is known for.
#[inline]
fn word(text: &[u8]) -> Option<Oddity> {
    match text {
        [b'#', rest @ ..] => formula_error(rest).then_some(Oddity::FormulaError),
        [
            b'-' | b'.' | b'?' | b'n' | b'N' | b'u' | b'U' | b't' | b'T' | b'\\' | b'm' | b'M',
            ..,
        ] if text.len() <= 9 && is_null_word(text) => Some(Oddity::NullWord),
        [.., _, _, _, _] if text.len() <= 6 && is_month_day(text) => Some(Oddity::MonthDay),
        _ => None,
    }
}

fn formula_error(rest: &[u8]) -> bool {
    const ERRORS: [&[u8]; 10] = [
        b"N/A", b"REF!", b"VALUE!", b"DIV/0!", b"NAME?", b"NULL!", b"NUM!", b"SPILL!", b"CALC!",
        b"ERROR!",
    ];
    ERRORS.contains(&rest) || (rest.len() >= 2 && rest.iter().all(|byte| *byte == b'#'))
}

/// Whether a text says that there is nothing: a word that databases, people or programs write.
pub fn is_null_word(text: &[u8]) -> bool {
    const WORDS: [&str; 18] = [
        "null",
        "n/a",
        "na",
        "none",
        "nan",
        "nil",
        "\\n",
        "-",
        "--",
        "---",
        ".",
        "?",
        "unknown",
        "tbd",
        "missing",
        "not avail",
        "unk",
        "n.a.",
    ];
    WORDS.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(text))
}

/// `1-Feb`, `12-Jan`, `Feb-01`.
fn is_month_day(text: &[u8]) -> bool {
    const MONTHS: [&[u8]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let Some(dash) = memchr::memchr(b'-', text) else { return false };
    let (left, right) = (&text[..dash], &text[dash + 1..]);
    let month = |part: &[u8]| MONTHS.iter().any(|month| month.eq_ignore_ascii_case(part));
    let day = |part: &[u8]| (1..=2).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    (day(left) && month(right)) || (month(left) && day(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::infer::fit;

    fn kinds(text: &str) -> Vec<Oddity> {
        let mut odd = Oddities::default();
        odd.look(text, fit(text), 1, || Place { row: 2, byte: None });
        odd.iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn what_is_odd_is_named_and_nothing_else_is() {
        for (text, kind) in [
            ("N/A", Oddity::NullWord),
            ("null", Oddity::NullWord),
            ("-", Oddity::NullWord),
            ("#REF!", Oddity::FormulaError),
            ("#####", Oddity::FormulaError),
            ("1-Feb", Oddity::MonthDay),
            ("Feb-01", Oddity::MonthDay),
            ("474119000000", Oddity::Rounded),
            ("CafÃ©", Oddity::Mojibake),
            ("Oâ€™Brien", Oddity::Mojibake),
            ("O\u{fffd}Brien", Oddity::Replacement),
            ("A\tB", Oddity::Control),
        ] {
            assert_eq!(kinds(text), [kind], "{text}");
        }
        for sound in ["Café", "O’Brien", "# 12", "NANCY", "1-800", "474119030010", "N", "#1", "Âme"]
        {
            assert_eq!(kinds(sound), [], "{sound}");
        }
    }
}
