//! What a run did: the account and what a person needs to know, as data.

use super::inputs::FailedInput;
use super::request::Mode;
use crate::chunk::{Example, Severity, Tally};
use crate::flow::MeterReading;
use crate::source::Skipped;
use serde::{Deserialize, Serialize};

/// How a run ended (when it did not fail).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Everything is loaded or accounted for.
    Done,
    /// Some inputs could not be read or loaded; the others are (`--keep-going`).
    Partial,
    /// Every input had been loaded before.
    AlreadyLoaded,
    /// Begun and not finished (`runs show`).
    Unfinished,
    /// Nothing was to be loaded (`check`).
    Checked,
}

/// One kind of trouble, counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemSummary {
    /// Stable code.
    pub code: String,
    /// Rule id or repair.
    pub rule: String,
    /// Column as the source names it; may be empty.
    pub column: String,
    /// How bad: critical rows were refused, others loaded.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// What to do about it; may be empty.
    #[serde(default)]
    pub hint: String,
    /// Rows.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Example>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSummary {
    /// `file`, `archive/member` or `file, sheet "x"`.
    pub input: String,
    /// Content identity.
    pub fingerprint: String,
    /// Pack kind or `generic`.
    pub kind: String,
    /// Plain sentence about the kind.
    pub plain: String,
    /// County name, year, release as settled, where the kind has them.
    pub county: Option<String>,
    /// Roll year.
    pub year: Option<u16>,
    /// `2025P01` and the like.
    pub release: Option<String>,
    /// Schema of the table; `None` where nothing was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Table loaded into.
    pub table: String,
    /// Mode used.
    pub mode: Mode,
    /// The account.
    pub tally: Tally,
    /// Rows of earlier loads in whose place its own were put.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replaced: u64,
    /// Trouble by kind, most frequent first, critical before the rest.
    pub problems: Vec<ProblemSummary>,
    /// Findings about the file as a whole.
    pub warnings: Vec<String>,
    /// Failed-record file, where rows were refused.
    pub failed_file: Option<String>,
    /// Agents: rows, time at work, time waiting.
    pub agents: Vec<MeterReading>,
    /// What agents have counted: (what, how many).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, u64)>,
    /// First row read in this run, where earlier ones were already loaded.
    pub resumed_from: Option<u64>,
    /// The run that had loaded this content before.
    pub already_loaded_by: Option<String>,
    /// Unpacked bytes.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl InputSummary {
    /// Whether a run has loaded it, now or before it was interrupted.
    pub fn is_of(&self, run: &str) -> bool {
        self.already_loaded_by.as_deref().is_none_or(|by| by == run)
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Run id.
    pub run: String,
    /// How it ended.
    pub status: RunStatus,
    /// Target as given.
    pub target: String,
    /// Sum of the inputs.
    pub tally: Tally,
    /// Inputs in the order in which they were loaded.
    pub inputs: Vec<InputSummary>,
    /// Files of archives and folders that are not read, and why.
    pub skipped: Vec<Skipped>,
    /// What the user should know of the files that were found.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Inputs that could not be read or loaded, in the order of the arguments.
    #[serde(default)]
    pub failed_inputs: Vec<FailedInput>,
    /// Why it ended early, where it did (`runs show`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often the run went on by itself after a failure that may pass.
    #[serde(default)]
    pub retries: u64,
    /// Peak resident memory of the process in bytes, where the system tells.
    pub peak_memory: Option<u64>,
    /// The limit in bytes.
    pub memory_limit: u64,
    /// Wall time.
    pub seconds: f64,
}
