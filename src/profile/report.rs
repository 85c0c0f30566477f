//! A profile as it is printed, stored and compared: plain data, the same for every run over the same
//! file.

use serde::{Deserialize, Serialize};

/// Version of the form.
pub const FORM: u32 = 1;

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Version of this form.
    pub form: u32,
    /// The file, with the sheet where there is one.
    pub input: String,
    /// Content identity.
    pub fingerprint: String,
    /// What the columns look like: `nal`, …, or `generic`.
    pub kind: String,
    /// Rows that could be split into fields.
    pub rows: u64,
    /// Rows that could not.
    pub refused: u64,
    /// Columns in the order of the file.
    pub columns: Vec<ColumnProfile>,
    /// Columns, or pairs of them, that name every row: checked on all rows.
    pub keys: Vec<Vec<String>>,
    /// What the reader has to say about the file.
    pub notes: Vec<String>,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Name in a table.
    pub name: String,
    /// Name in the file.
    pub header: String,
    /// DuckDB type that every cell fits.
    #[serde(rename = "type")]
    pub ty: String,
    /// Cells that hold something.
    pub filled: u64,
    /// Cells that do not.
    pub blank: u64,
    /// Different texts.
    pub distinct: u64,
    /// Whether `distinct` was counted; else it is estimated (standard error 0.8 %).
    pub distinct_exact: bool,
    /// Least value in the order of the type.
    pub min: Option<String>,
    /// Greatest value in the order of the type.
    pub max: Option<String>,
    /// Mean, of numbers.
    pub mean: Option<f64>,
    /// Standard deviation, of numbers.
    pub deviation: Option<f64>,
    /// Values below which a share of the cells lies, of numbers and moments.
    pub quantiles: Vec<Quantile>,
    /// Characters: fewest, most, mean.
    pub length: Option<Length>,
    /// The most frequent values.
    pub top: Vec<Frequent>,
    /// By how much their counts may be too low.
    pub top_error: u64,
    /// The most frequent shapes: 9 a digit, A a capital, a any other letter, {n} so many of them.
    pub shapes: Vec<Frequent>,
    /// By how much their counts may be too low.
    pub shapes_error: u64,
    /// Every row has another value; `None`: not checked.
    pub unique: Option<bool>,
    /// What looks wrong.
    pub findings: Vec<Finding>,
}

/// A value with the share of the cells below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// Between 0 and 1.
    pub share: f64,
    /// The value, as a number or a date is written.
    pub value: String,
}

/// Lengths of texts in characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Length {
    /// Fewest.
    pub min: u64,
    /// Most.
    pub max: u64,
    /// Mean.
    pub mean: f64,
}

/// A text with the number of its cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frequent {
    /// The text.
    pub value: String,
    /// Cells.
    pub count: u64,
}

/// Something that looks wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable word for programs: `mixed_types`, `null_word`, …
    pub kind: String,
    /// In a sentence.
    pub message: String,
    /// Cells concerned.
    pub cells: u64,
    /// The first of them.
    pub examples: Vec<FindingExample>,
}

/// A cell that shows a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingExample {
    /// Row as an editor shows it; `None` where only the value is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row: Option<u64>,
    /// The text.
    pub value: String,
}

impl Profile {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl ColumnProfile {
    /// Share of the rows that hold something.
    pub fn filled_share(&self) -> f64 {
        self.filled as f64 / (self.filled + self.blank).max(1) as f64
    }

    /// Whether the type is one of numbers.
    pub fn is_number(&self) -> bool {
        ["INTEGER", "BIGINT", "DOUBLE"].contains(&self.ty.as_str())
            || self.ty.starts_with("DECIMAL")
    }

    /// Whether the type is one of days or moments.
    pub fn is_moment(&self) -> bool {
        ["DATE", "TIMESTAMP"].contains(&self.ty.as_str())
    }

    /// A quantile, as a number.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let found = self.quantiles.iter().find(|quantile| quantile.share == share)?;
        found.value.parse().ok()
    }
}
