//! Street addresses as the postal service writes them (USPS Publication 28): capitals, no full stops,
//! the usual abbreviations of suffix, direction and unit.
//!
//! Words are the pack's (`address_words`). A word is only shortened where it has that part in the
//! address: the suffix is the last word of the street, a direction stands before or behind the street,
//! a unit has a number. `12 NORTH ST` is a street of that name, `12 AVENUE C` another. A line that does
//! not begin with a house number may be the name of a firm or of a place: of such only boxes and units
//! are written anew.

use super::Done;
use super::words::Filter;
use hashbrown::{HashMap, HashSet};
use std::borrow::Cow;

/// The part that a word can have in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Suffix,
    Direction,
    Unit,
}

/// Words of addresses.
#[derive(Debug, Clone, Default)]
pub struct AddressWords {
    words: HashMap<String, Vec<(Part, String)>>,
    known: Filter,
    /// Those that may be written shorter.
    long: HashSet<String>,
    may_be_long: Filter,
}

/// Other ways to write the two words before the number of a box.
const BOXES: [&[&str]; 5] =
    [&["PO", "BOX"], &["P", "O", "BOX"], &["POST", "OFFICE", "BOX"], &["POBOX"], &["PO", "BX"]];
/// The first word of a line that names somebody.
const NAMES: [&str; 4] = ["C/O", "ATTN", "%", "ATTENTION"];

impl AddressWords {
    /// Words as they may be written, the standard form, and the part: `suffix`, `direction`, `unit`.
    pub fn new<'a>(rows: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let mut known = Self::default();
        for (written, standard, part) in rows {
            let part = match part {
                "direction" => Part::Direction,
                "unit" => Part::Unit,
                _ => Part::Suffix,
            };
            let written = written.to_uppercase();
            known.known.add(&written);
            if standard != written {
                known.may_be_long.add(&written);
                known.long.insert(written.clone());
            }
            known.words.entry(written).or_default().push((part, standard.into()));
        }
        known
    }

    /// The standard form of a word in this part.
    fn standard(&self, word: &str, part: Part) -> Option<&str> {
        let forms = self.known.may_hold(word).then(|| self.words.get(word))??;
        forms.iter().find(|(known, _)| *known == part).map(|(_, standard)| standard.as_str())
    }

    /// Whether nothing in the text could be written otherwise: no small letter, no mark that goes, no
    /// run of blanks, and no word that has a shorter form.
    fn is_settled(&self, text: &str) -> bool {
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'/' | b'#' => {}
                b' ' if self.is_short(&text[from..at]) => from = at + 1,
                _ => return false,
            }
        }
        self.is_short(&text[from..]) && !text.contains("BOX")
    }

    /// Whether a word stays as it is.
    fn is_short(&self, word: &str) -> bool {
        !(word.is_empty() || self.may_be_long.may_hold(word) && self.long.contains(word))
    }

    pub(super) fn apply(&self, text: &str, out: &mut String) -> Done {
        if self.is_settled(text) {
            return Done::Same;
        }
        let capitals = text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_lowercase());
        let upper = if capitals { Cow::Borrowed(text) } else { Cow::Owned(text.to_uppercase()) };
        let marks = |c: char| c.is_whitespace() || c == ',';
        let words = upper.split(marks).map(without_stops).filter(|word| !word.is_empty());
        let mut words: Vec<Cow<'_, str>> = words.collect();
        if !words.first().is_some_and(|first| NAMES.contains(&&**first)) {
            self.rewrite(&mut words);
        }
        for word in &words {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
        match out.as_str() {
            "" => Done::Blank,
            same if same == text => Done::Same,
            _ => Done::Changed,
        }
    }

    fn rewrite<'w>(&'w self, words: &mut Vec<Cow<'w, str>>) {
        if post_box(words) {
            return;
        }
        let mut street = self.units(words);
        let numbered = words[..street].first().is_some_and(|first| is_house_number(first));
        if !numbered || street < 3 {
            return;
        }
        // Behind the suffix: `12 5TH ST NORTHWEST`.
        let behind = self.standard(&words[street - 1], Part::Direction);
        let before_it = self.standard(&words[street - 2], Part::Suffix).is_some();
        if let (Some(short), true, true) = (behind, before_it, street > 3) {
            words[street - 1] = short.into();
            street -= 1;
        }
        let suffix = self.standard(&words[street - 1], Part::Suffix);
        let is_suffix = suffix.is_some();
        // A direction alone before the suffix is the name of the street.
        let name_from = 1 + usize::from(self.standard(&words[1], Part::Direction).is_some());
        if let Some(short) = suffix {
            words[street - 1] = short.into();
        }
        let named = street > name_from + usize::from(is_suffix);
        if let (Some(short), true) = (self.standard(&words[1], Part::Direction), named) {
            words[1] = short.into();
        }
    }

    /// Shortens the units at the end; returns where they begin.
    fn units<'w>(&'w self, words: &mut [Cow<'w, str>]) -> usize {
        let mut end = words.len();
        while end >= 2 && is_unit_number(&words[end - 1]) {
            let Some(short) = self.standard(&words[end - 2], Part::Unit) else { break };
            // `12 LOT 5` has no street.
            words[end - 2] = short.into();
            end -= 2;
        }
        if end > 0 && words[end - 1].len() > 1 && words[end - 1].starts_with('#') {
            end -= 1;
        }
        end
    }
}

/// `P. O. BOX 12` → `PO BOX 12`.
fn post_box(words: &mut Vec<Cow<'_, str>>) -> bool {
    let found = BOXES.iter().find(|form| {
        words.len() == form.len() + 1
            && words.iter().zip(form.iter()).all(|(word, part)| word == part)
    });
    let Some(form) = found else { return false };
    words.splice(..form.len(), ["PO".into(), "BOX".into()]);
    true
}

/// A word without full stops, but those between digits (`12.5`).
fn without_stops(word: &str) -> Cow<'_, str> {
    if !word.contains('.') {
        return word.into();
    }
    let digit = |at: Option<usize>| {
        at.and_then(|at| word.as_bytes().get(at)).is_some_and(u8::is_ascii_digit)
    };
    let kept =
        |(at, c): &(usize, char)| *c != '.' || digit(at.checked_sub(1)) && digit(Some(at + 1));
    word.char_indices().filter(kept).map(|(_, c)| c).collect::<String>().into()
}

/// `12`, `12A`, `12-14`, `1/2`.
fn is_house_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && !word.ends_with("TH")
        && !word.ends_with("ND")
        && !word.ends_with("RD")
        && !word.ends_with("ST")
}

/// `12`, `C`, `12B`, `PH2`.
fn is_unit_number(word: &str) -> bool {
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    word.len() == 1 || digits && word.len() <= 8 && !word.starts_with('#')
}
