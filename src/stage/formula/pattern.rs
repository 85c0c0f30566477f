//! Patterns of regular expressions that mean the same to DuckDB's engine (RE2) and to ours.
//!
//! Everything a pattern names is ASCII, so matching bytes is matching characters; the few places where
//! the engines go apart are rewritten or left to DuckDB:
//!
//! - `\s` holds no vertical tab in RE2.
//! - "None of these" is one character in RE2 and one byte here: the same only where it is repeated
//!   without end.
//! - Without regard to case, RE2 takes the long s (U+017F) for an s and the Kelvin sign (U+212A) for a
//!   k: texts with either are DuckDB's.
//! - `.`, flags in the pattern, classes by name and what else is not listed here are not understood.

use super::anchored::{Anchored, Found};
use super::eval::Unfit;
use memchr::memmem;
use regex::bytes::Regex;
use std::iter::Peekable;
use std::str::Chars;

/// A pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    folds: bool,
    /// As it is written for the engine, without flags.
    source: String,
    /// The same as plain steps, if it is so simple.
    anchored: Option<Anchored>,
}

impl Pattern {
    /// One for whole texts.
    pub fn whole(pattern: &str) -> Option<Self> {
        Self::new(&format!(r"\A(?:{})\z", rewritten(pattern)?), false)
    }

    /// One that may match anywhere. `folds`: without regard to case.
    pub fn anywhere(pattern: &str, folds: bool) -> Option<Self> {
        Self::new(&rewritten(pattern)?, folds)
    }

    fn new(pattern: &str, folds: bool) -> Option<Self> {
        let flags = if folds { "(?i-u)" } else { "(?-u)" };
        let flagged = format!("{flags}{pattern}");
        let regex = Regex::new(&flagged).ok()?;
        let anchored = Anchored::new(&flagged);
        Some(Self { regex, folds, source: pattern.to_owned(), anchored })
    }

    /// One that matches where any of several does, all with or all without regard to case.
    pub fn any<'p>(patterns: impl Iterator<Item = &'p Self> + Clone) -> Option<Self> {
        let folds = patterns.clone().next()?.folds;
        let same = patterns.clone().all(|pattern| pattern.folds == folds);
        let sources: Vec<_> = patterns.map(|pattern| format!("(?:{})", pattern.source)).collect();
        same.then(|| Self::new(&sources.join("|"), folds)).flatten()
    }

    /// Whether it may match far into a text, so that all of it must be looked at.
    pub fn roams(&self) -> bool {
        !self.source.starts_with('^') && !self.source.starts_with(r"\A")
    }

    /// How many groups it has.
    pub fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Whether it matches.
    pub fn matches(&self, text: &str) -> Result<bool, Unfit> {
        self.check(text)?;
        match self.anchored.as_ref().map_or(Found::Unsure, |steps| steps.find(text.as_bytes())) {
            Found::Match(_) => Ok(true),
            Found::Nothing => Ok(false),
            Found::Unsure => Ok(self.regex.is_match(text.as_bytes())),
        }
    }

    /// What a group holds of the first match; nothing where there is none.
    pub fn group<'t>(&self, text: &'t str, group: usize) -> Result<&'t str, Unfit> {
        self.check(text)?;
        if group == 0 {
            let found = self.regex.find(text.as_bytes());
            return Ok(found.map_or("", |found| &text[found.range()]));
        }
        if let Some(steps) = self.anchored.as_ref().filter(|_| group == 1) {
            match steps.find(text.as_bytes()) {
                Found::Match(range) => return text.get(range).ok_or(Unfit),
                Found::Nothing => return Ok(""),
                Found::Unsure => {}
            }
        }
        let found = self.regex.captures(text.as_bytes()).and_then(|found| found.get(group));
        Ok(found.map_or("", |found| &text[found.range()]))
    }

    fn check(&self, text: &str) -> Result<(), Unfit> {
        let bytes = text.as_bytes();
        let has = |needle: &str| memmem::find(bytes, needle.as_bytes()).is_some();
        if self.folds && !text.is_ascii() && (has("\u{17f}") || has("\u{212a}")) {
            return Err(Unfit);
        }
        Ok(())
    }
}

/// The pattern as ours is written, if both mean the same.
fn rewritten(pattern: &str) -> Option<String> {
    let mut ours = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next()? {
                's' => ours.push_str(r"[\t\n\f\r ]"),
                c @ ('b' | 'd' | '.' | '?' | '*' | '+' | '(' | ')' | '[' | ']' | '$' | '^'
                | '|') => {
                    ours.extend(['\\', c]);
                }
                _ => return None,
            },
            '[' => {
                let class = class(&mut rest)?;
                let none_of = class.starts_with('^');
                let repeated = matches!(rest.peek(), Some('*' | '+'));
                let set = class.trim_start_matches('^');
                let odd = |c: char| !(c.is_ascii_graphic() || c == ' ') || "\\[^".contains(c);
                // Sets of sets, here only.
                let nested = ["&&", "--", "~~"].iter().any(|both| set.contains(both));
                if set.is_empty() || none_of && !repeated || nested || set.chars().any(odd) {
                    return None;
                }
                ours.extend(["[", &class, "]"]);
            }
            '(' if rest.peek() == Some(&'?') => return None,
            c if c.is_ascii_alphanumeric() || " ;,'-_|(){}?*+&^$/=:#@!%\"<>".contains(c) => {
                ours.push(c);
            }
            _ => return None,
        }
    }
    Some(ours)
}

/// What stands between brackets, the first of which was taken.
fn class(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut class = String::new();
    loop {
        match rest.next()? {
            ']' => return Some(class),
            c => class.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_engines_take_alike_is_a_pattern() {
        for pattern in [
            r"\b(L\.?L\.?C|INC)\b|, ?L P\s*$",
            "[12](0[1-9]|1[0-2])[0-9]{2}",
            "[A-Za-z][^0-9 ]* +[A-Za-z&]?[^0-9]*",
            r"^\s*0*(\d+)",
        ] {
            assert!(Pattern::anywhere(pattern, true).is_some(), "{pattern}");
        }
        for pattern in
            ["a.b", "(?i)a", "[^a]", "[[:alpha:]]", r"\w", r"\x41", "é", "[a", "a\\", r"[\d]"]
        {
            assert!(Pattern::anywhere(pattern, false).is_none(), "{pattern}");
        }
    }

    #[test]
    fn groups_hold_what_they_match() {
        let number = Pattern::anywhere(r"^\s*0*(\d+)(x)?", false).expect("understood");
        assert_eq!(number.groups(), 2);
        let of = |text, group| number.group(text, group).expect("ASCII");
        assert_eq!((of(" 0012 Main", 1), of(" 0012 Main", 2), of("Main", 1)), ("12", "", ""));
        assert_eq!((of("7x", 2), of("7x", 0)), ("x", "7x"));
        let vertical = Pattern::anywhere(r"\s", false).expect("understood");
        assert_eq!(vertical.matches("\u{b}").ok(), Some(false));
    }

    #[test]
    fn letters_that_fold_into_ascii_are_left_to_duckdb() {
        let folding = Pattern::anywhere("trust", true).expect("understood");
        assert_eq!(folding.matches("The Mu\u{f1}oz TRUST").ok(), Some(true));
        assert!(folding.matches("tru\u{17f}t").is_err() && folding.matches("\u{212a}").is_err());
        let plain = Pattern::anywhere("trust", false).expect("understood");
        assert_eq!(plain.matches("tru\u{17f}t").ok(), Some(false));
    }
}
