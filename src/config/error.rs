//! What is wrong with a setting, where it stands, and what to write instead.

use crate::rules::{RuleError, TextPlace};
use std::ops::Range;
use thiserror::Error;

/// A setting that cannot be used. Ends the program with exit code 2 before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ConfigError {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where it stands, when it stands in a file.
    pub place: Option<ConfigPlace>,
    /// What to do.
    pub hint: Option<String>,
}

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPlace {
    /// The file as named.
    pub file: String,
    /// Its text, to draw the place.
    pub text: String,
    /// Bytes of the text concerned.
    pub span: Range<usize>,
}

impl ConfigError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<RuleError> for ConfigError {
    fn from(error: RuleError) -> Self {
        let RuleError { message, place, hint } = error;
        Self { message, place: place.map(ConfigPlace::from), hint }
    }
}

impl From<TextPlace> for ConfigPlace {
    fn from(place: TextPlace) -> Self {
        let TextPlace { file, text, span } = place;
        Self { file, text: text.to_string(), span }
    }
}

impl ConfigPlace {
    /// Line and column as an editor shows them, from 1.
    pub fn line_and_column(&self) -> (usize, usize) {
        let start = self.span.start.min(self.text.len());
        let before = &self.text.as_bytes()[..start];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (line, column)
    }
}

/// The known word nearest to `word`, when it is near enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let width = right.len() + 1;
    let mut table = vec![0; (left.len() + 1) * width];
    for row in 0..=left.len() {
        for column in 0..=right.len() {
            let at = |r: usize, c: usize| r * width + c;
            table[at(row, column)] = if row == 0 || column == 0 {
                row + column
            } else {
                let same = usize::from(left[row - 1] != right[column - 1]);
                let mut best = (table[at(row - 1, column)] + 1)
                    .min(table[at(row, column - 1)] + 1)
                    .min(table[at(row - 1, column - 1)] + same);
                let swapped = row > 1
                    && column > 1
                    && left[row - 1] == right[column - 2]
                    && left[row - 2] == right[column - 1];
                if swapped {
                    best = best.min(table[at(row - 2, column - 2)] + 1);
                }
                best
            };
        }
    }
    table[table.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = ["memory_limit", "threads", "mode"];
        assert_eq!(nearest("memry_limit", known), Some("memory_limit"));
        assert_eq!(nearest("thraeds", known), Some("threads"));
        assert_eq!(nearest("banana", known), None);
    }

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let place =
            ConfigPlace { file: "x".into(), text: "a = 1\nß = é x\n".into(), span: 14..15 };
        assert_eq!(place.line_and_column(), (2, 7));
    }
}
