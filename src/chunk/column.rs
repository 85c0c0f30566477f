//! What the reader is told about each column before the first row: it parses straight into types.

use super::Zone;
use serde::{Deserialize, Serialize};

/// Type of a loaded column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// 32-bit whole number.
    Int,
    /// 64-bit whole number; money in whole dollars.
    BigInt,
    /// 64-bit floating point.
    Double,
    /// Decimal with 18 digits and the given scale.
    Decimal(u8),
    /// true / false.
    Bool,
    /// A day.
    Date,
    /// A day with a time, in microseconds: of a clock of which nobody knows the zone, or UTC.
    Timestamp,
    /// A moment: microseconds in UTC.
    TimestampTz,
    /// As [`Self::Timestamp`], in nanoseconds.
    TimestampNs,
}

impl ColumnKind {
    /// Type name in DuckDB.
    pub fn duckdb(self) -> String {
        match self {
            Self::Text => "VARCHAR".into(),
            Self::Int => "INTEGER".into(),
            Self::BigInt => "BIGINT".into(),
            Self::Double => "DOUBLE".into(),
            Self::Decimal(scale) => format!("DECIMAL(18,{scale})"),
            Self::Bool => "BOOLEAN".into(),
            Self::Date => "DATE".into(),
            Self::Timestamp => "TIMESTAMP".into(),
            Self::TimestampTz => "TIMESTAMP WITH TIME ZONE".into(),
            Self::TimestampNs => "TIMESTAMP_NS".into(),
        }
    }

    /// The kind whose type name in DuckDB this is.
    pub fn from_duckdb(name: &str) -> Option<Self> {
        let plain = [
            Self::Text,
            Self::Int,
            Self::BigInt,
            Self::Double,
            Self::Bool,
            Self::Date,
            Self::Timestamp,
            Self::TimestampTz,
            Self::TimestampNs,
        ];
        let scale = || name.strip_prefix("DECIMAL(18,")?.strip_suffix(')')?.parse().ok();
        let found = plain.into_iter().find(|kind| kind.duckdb() == name);
        found.or_else(|| scale().map(Self::Decimal))
    }

    /// The kind that a user may mean by a type name, in any case: `text`, `int`, `decimal(18,2)`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name: String = name.to_uppercase().split_whitespace().collect();
        match name.as_str() {
            "TEXT" => Some(Self::Text),
            "INT" => Some(Self::Int),
            "BOOL" => Some(Self::Bool),
            "DATETIME" => Some(Self::Timestamp),
            "TIMESTAMPTZ" | "TIMESTAMPWITHTIMEZONE" => Some(Self::TimestampTz),
            name => Self::from_duckdb(name).filter(|kind| match kind {
                Self::Decimal(scale) => *scale <= 18,
                _ => true,
            }),
        }
    }

    /// Whether it is a day with a time.
    pub fn is_moment(self) -> bool {
        matches!(self, Self::Timestamp | Self::TimestampTz | Self::TimestampNs)
    }

    /// In plain words, for messages: "is not …".
    pub fn plain(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int | Self::BigInt => "a whole number",
            Self::Double | Self::Decimal(_) => "a number",
            Self::Bool => "true or false",
            Self::Date => "a date",
            Self::Timestamp | Self::TimestampNs => "a date and time",
            Self::TimestampTz => "a date and time with its offset from UTC",
        }
    }
}

/// What the text of a column means, where that decides how it may be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Nothing special.
    Plain,
    /// An identifier: never repaired, never padded; spreadsheet damage refuses the row.
    Id,
    /// A code of fixed width: zero-padded when digits were lost.
    Code,
    /// Whole dollars, never negative unless a rule allows it.
    Money,
}

/// Which part of a date with slashes comes first; the year is always last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Month, day, year.
    #[default]
    Mdy,
    /// Day, month, year.
    Dmy,
}

impl DateOrder {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mdy, Self::Dmy];

    /// `mdy` or `dmy`, as settings and the ledger write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mdy => "mdy",
            Self::Dmy => "dmy",
        }
    }

    /// In words, for messages.
    pub fn plain(self) -> &'static str {
        match self {
            Self::Mdy => "month/day/year",
            Self::Dmy => "day/month/year",
        }
    }

    /// The other order.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Mdy => Self::Dmy,
            Self::Dmy => Self::Mdy,
        }
    }
}

/// One column to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadColumn {
    /// Name in the target.
    pub name: String,
    /// Name in the source.
    pub header: String,
    /// Index of the field in a source record.
    pub field: usize,
    /// Type to parse into.
    pub kind: ColumnKind,
    /// Meaning.
    pub role: Role,
    /// Fixed width of a code.
    pub width: Option<usize>,
    /// Longest value in characters; longer ones are noted (refused in keys).
    pub max_len: Option<usize>,
    /// Texts that mean "no value", besides the empty one; compared after trimming.
    pub nulls: Vec<String>,
    /// Part of the key: a blank one refuses the row.
    pub key: bool,
    /// Trim blanks at both ends (the transform agent's lexical half, done while the bytes are hot).
    pub clean: bool,
    /// How dates with slashes are read.
    #[serde(default)]
    pub order: DateOrder,
    /// A column of ids or codes that a program has kept as floats: `33076.0` is read as `33076`.
    #[serde(default)]
    pub float: bool,
    /// Zone of times without an offset, in a column of moments; `None`: UTC.
    #[serde(default)]
    pub zone: Option<Zone>,
    /// A number whose digits its type would lose is refused: zeros in front, or those that a float rounds.
    #[serde(default)]
    pub exact: bool,
}

impl ReadColumn {
    /// A field as it stands: text without a meaning, not trimmed.
    pub fn text(name: impl Into<String>, header: impl Into<String>, field: usize) -> Self {
        Self {
            name: name.into(),
            header: header.into(),
            field,
            kind: ColumnKind::Text,
            role: Role::Plain,
            width: None,
            max_len: None,
            nulls: Vec::new(),
            key: false,
            clean: false,
            order: DateOrder::default(),
            float: false,
            zone: None,
            exact: false,
        }
    }
}

/// All columns of an input, in target order, and what to do with the rest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadSchema {
    /// Columns that are loaded typed.
    pub columns: Vec<ReadColumn>,
    /// Fields carried in the `_extra` JSON column: (field index, name).
    pub extra: Vec<(usize, String)>,
    /// Names of all fields of a source record, for dead letters and ragged rows.
    pub headers: Vec<String>,
}

impl ReadSchema {
    /// Position of a target column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}
