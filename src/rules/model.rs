//! A rule as it is understood.

use super::place::TextPlace;
use serde::{Deserialize, Serialize};

/// What a broken rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The row is refused.
    Critical,
    /// Counted and shown.
    Warning,
    /// Counted.
    Info,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRule {
    /// Id for messages and `--rule ID=LEVEL`.
    pub id: String,
    /// What a break does.
    pub level: Level,
    /// Kinds of file it is about; empty: all.
    pub kinds: Vec<String>,
    /// Columns it speaks of, by their names in the table.
    pub columns: Vec<String>,
    /// What it demands.
    pub check: Check,
    /// What a finding says, where the rule says it itself.
    pub message: Option<String>,
    /// What to do.
    pub hint: String,
    /// Where it stands.
    #[serde(skip)]
    pub place: Option<TextPlace>,
}

/// What a rule demands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A DuckDB expression over the row is not false.
    Ok(String),
    /// No column is blank.
    NotNull,
    /// Every column lies between the two, as SQL literals.
    Range {
        /// The least allowed.
        min: Option<String>,
        /// The greatest allowed.
        max: Option<String>,
    },
    /// Every column matches a regular expression as a whole.
    Pattern(String),
    /// Every column holds one of the values.
    Set(Vec<String>),
    /// No two rows have the same values in all columns together. Rows with a blank are not compared.
    Unique,
    /// The newest day in the column is at most so many days ago.
    FreshDays(u32),
    /// No value is further from the median than so many robust standard deviations
    /// (|x - median| / (1.4826 × median absolute deviation)).
    Outlier(f64),
}

impl Check {
    /// Known only when all rows were seen, so that no row can be refused for it.
    pub fn is_of_file(&self) -> bool {
        matches!(self, Self::Unique | Self::FreshDays(_) | Self::Outlier(_))
    }

    /// The field that a file writes for it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::NotNull => "not_null",
            Self::Range { .. } => "range",
            Self::Pattern(_) => "pattern",
            Self::Set(_) => "set",
            Self::Unique => "unique",
            Self::FreshDays(_) => "fresh_days",
            Self::Outlier(_) => "outlier",
        }
    }
}
