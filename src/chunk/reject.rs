//! What is wrong with a row, in the shape that the console, the log and the dead letter share.

use super::{Place, named};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Stable codes of trouble with one row. Codes of trouble with a file, the target or the machine
/// live with the errors that carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Code {
    /// Bytes that are not text in the file's encoding.
    E201,
    /// Fewer or more fields than the header.
    E202,
    /// A quote that is never closed, or stands where none may.
    E203,
    /// A value that does not fit its column.
    E301,
    /// The key stands in an earlier row.
    E302,
    /// Text that a database cannot store (NUL).
    E303,
    /// A rule of the pack or of the user is broken.
    E304,
    /// The key is missing.
    E305,
    /// An id that a spreadsheet has damaged.
    E306,
    /// A row that the target refuses: a constraint, a type, a trigger.
    E404,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

named! {
    /// How serious a finding is.
    pub enum Severity {
        /// Counted only.
        Info = "info",
        /// Counted, with examples; the row is loaded.
        Warning = "warning",
        /// The row is refused.
        Critical = "critical",
    }
}

/// One thing wrong with one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code.
    pub code: Code,
    /// Rule id, where a rule speaks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// Column as the source names it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<String>,
    /// The cell as the format's own program names it (`F1842`), where it has such names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cell: Option<String>,
    /// The offending text, cut to [`Problem::VALUE_CHARS`] characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// What would have been right.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<String>,
    /// One sentence for people.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl Problem {
    /// Longest value quoted in a message.
    pub const VALUE_CHARS: usize = 80;

    /// A problem with a code and a sentence; the rest is added by the `with_` methods.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            rule: None,
            column: None,
            cell: None,
            value: None,
            expected: None,
            message: message.into(),
            hint: None,
        }
    }

    /// Names the column.
    #[must_use]
    pub fn with_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Names the cell.
    #[must_use]
    pub fn with_cell(mut self, cell: impl Into<String>) -> Self {
        self.cell = Some(cell.into());
        self
    }

    /// Quotes the value, cut and with control characters escaped.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.value = Some(quotable(value));
        self
    }

    /// Says what would have been right.
    #[must_use]
    pub fn with_expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the rule.
    #[must_use]
    pub fn with_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }
}

/// A value made safe for a terminal and cut to [`Problem::VALUE_CHARS`].
pub fn quotable(value: &str) -> String {
    let mut out = String::new();
    for (count, c) in value.chars().enumerate() {
        if count == Problem::VALUE_CHARS {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// A refused row: its place, and why. Its raw fields stay with the chunk
/// ([`super::RawRows::fields`]): as texts of their own they would be many times the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reject {
    /// Record index within its chunk.
    pub record: u32,
    /// Place in the source.
    pub place: Place,
    /// The agent that refused it.
    pub stage: &'static str,
    /// Everything found wrong, worst first.
    pub problems: Vec<Problem>,
}

impl Reject {
    /// Memory held, about.
    pub fn held_bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let of = |problem: &Problem| {
            let Problem { rule, column, cell, value, expected, message, hint, .. } = problem;
            let texts = [rule, column, cell, value, expected, hint].map(text);
            size_of::<Problem>() + message.len() + texts.iter().sum::<usize>()
        };
        size_of::<Self>() + self.problems.iter().map(of).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_cannot_break_the_terminal() {
        assert_eq!(quotable("a\u{1b}[2Jb\tc"), "a\\u{1b}[2Jb\\tc");
        assert_eq!(quotable(&"x".repeat(200)).chars().count(), Problem::VALUE_CHARS + 1);
    }
}
