//! The report as data; its JSON is what scripts read.

use crate::chunk::{Example, Severity, Tally};
use serde::Serialize;

/// Everything that a report tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was loaded, in a few words.
    pub title: String,
    /// Run id; `None` where a file was only checked.
    pub run: Option<String>,
    /// `done`, `checked`, `unfinished` and the like.
    pub status: String,
    /// The command.
    pub command: String,
    /// Version of the program that did it.
    pub version: String,
    /// The target as people name it; `None` where there is none.
    pub target: Option<String>,
    /// Start, UTC.
    pub started: String,
    /// When the report was made, UTC.
    pub made: String,
    /// Wall time of the run.
    pub seconds: f64,
    /// Peak resident memory in bytes, where known.
    pub peak_memory: Option<u64>,
    /// The limit in bytes; 0 where unknown.
    pub memory_limit: u64,
    /// How often it went on by itself.
    pub retries: u64,
    /// The account of all inputs.
    pub tally: Tally,
    /// Rows read that the account does not explain; anything but 0 is an error.
    pub gap: i64,
    /// Inputs in order.
    pub inputs: Vec<InputReport>,
    /// Files that are not read, each with its reason.
    pub skipped: Vec<String>,
    /// What the user should know of the files that were found.
    pub warnings: Vec<String>,
    /// Inputs that could not be read or loaded, each with its error.
    pub failed_inputs: Vec<FailedReport>,
    /// Findings of all inputs, the worst first.
    pub findings: Vec<FindingReport>,
    /// Cells that were changed on the way in, by kind of change.
    pub changes: Vec<FindingReport>,
    /// Tables that rows went into.
    pub tables: Vec<TableReport>,
    /// Counties, for tables that have them.
    pub maps: Vec<CountyMap>,
    /// Runs into the same tables, oldest first; the last one is this run.
    pub trend: Vec<PastRun>,
}

/// An input that could not be read or loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedReport {
    /// File, member or sheet.
    pub input: String,
    /// Stable code, where one applies.
    pub code: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputReport {
    /// File, member or sheet.
    pub name: String,
    /// BLAKE3 of the unpacked content.
    pub fingerprint: String,
    /// Kind of the pack, or `generic`.
    pub kind: String,
    /// What that is.
    pub plain: String,
    /// County, where the kind has one.
    pub county: Option<String>,
    /// Roll year.
    pub year: Option<u16>,
    /// Release.
    pub release: Option<String>,
    /// Table.
    pub table: String,
    /// Mode.
    pub mode: String,
    /// Unpacked bytes; 0 where unknown.
    pub bytes: u64,
    /// Account.
    pub tally: Tally,
    /// Wall time.
    pub seconds: f64,
    /// Findings about the file as a whole.
    pub warnings: Vec<String>,
    /// Refused rows.
    pub failed_file: Option<String>,
    /// First row of this run where earlier ones were loaded before.
    pub resumed_from: Option<u64>,
    /// The run that had loaded it before.
    pub already_loaded_by: Option<String>,
    /// Agents in flow order.
    pub agents: Vec<AgentReport>,
    /// What agents have counted: (what, how many). Of a load that was resumed, since then.
    pub facts: Vec<(String, u64)>,
}

/// One agent of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentReport {
    /// Name.
    pub agent: String,
    /// Rows it has worked on.
    pub rows: u64,
    /// Time at work of all its workers, in milliseconds.
    pub busy_ms: u64,
    /// Time waiting for memory or a full queue.
    pub waiting_ms: u64,
    /// Most chunks that ever waited before it.
    pub longest_queue: u64,
}

/// One kind of finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingReport {
    /// How bad.
    pub severity: Severity,
    /// Stable code.
    pub code: String,
    /// Rule or repair.
    pub rule: String,
    /// Column as the source names it.
    pub column: String,
    /// One sentence.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// Rows of all inputs.
    pub count: u64,
    /// The first few, with the input they stand in.
    pub examples: Vec<(String, Example)>,
}

/// One table, as far as it bears rows of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReport {
    /// Name.
    pub name: String,
    /// Rows of the run.
    pub rows: u64,
    /// All rows.
    pub all_rows: u64,
    /// Columns in the table's order.
    pub columns: Vec<ColumnReport>,
    /// Distributions.
    pub charts: Vec<Chart>,
    /// Code tables that its columns were looked up in.
    pub lookups: Vec<LookupReport>,
    /// How rows were found among places; empty where no places were given.
    pub places: Vec<PlaceCount>,
}

/// How often a code table had the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LookupReport {
    /// Code table of the pack.
    pub table: String,
    /// Column that is looked up.
    pub column: String,
    /// Rows with a code.
    pub asked: u64,
    /// Rows whose code the table has.
    pub found: u64,
    /// The most frequent codes that it does not have.
    pub unknown: Vec<TopValue>,
}

/// Rows whose place is known in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceCount {
    /// `matched`, `matched_loosely`, `ambiguous`, `roll_only`; `None` where no parcels were given.
    pub match_status: Option<String>,
    /// `parcel` or `zip`; `None`: no point.
    pub precision: Option<String>,
    /// Rows.
    pub rows: u64,
}

/// Completeness and validity of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    /// Name.
    pub name: String,
    /// Name in words; may be empty.
    pub label: String,
    /// Type in the target.
    pub ty: String,
    /// Rows of the run with a value.
    pub filled: u64,
    /// Rows refused because of this column.
    pub refused: u64,
    /// Findings about it in rows that were loaded.
    pub doubtful: u64,
}

/// How the values of a column are distributed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// Column.
    pub column: String,
    /// Name in words.
    pub label: String,
    /// Unit; may be empty. Dates are counted by `year`, or by `month` from the year 0 on.
    pub unit: String,
    /// Rows with a value.
    pub filled: u64,
    /// Rows without one.
    pub empty: u64,
    /// The values.
    pub shape: Shape,
}

/// Numbers or words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shape {
    /// Numbers by size.
    Numbers {
        /// Smallest.
        min: f64,
        /// Half of the values are no larger.
        median: f64,
        /// Largest.
        max: f64,
        /// Whether the bins grow: 1, 2, 5, 10, …
        growing: bool,
        /// Counts by size; the first and last take what lies beyond.
        bins: Vec<Bin>,
    },
    /// Words by frequency.
    Words {
        /// How many there are.
        distinct: u64,
        /// The most frequent.
        top: Vec<TopValue>,
    },
}

/// Values from `from` (included) to `to`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// Rows.
    pub rows: u64,
}

/// A frequent value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopValue {
    /// As text.
    pub value: String,
    /// Rows.
    pub rows: u64,
}

/// Counties of a table: what it holds, and what all loads into it have refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountyMap {
    /// Table.
    pub table: String,
    /// What the values are; may be empty, then there are none.
    pub measure: String,
    /// Their unit.
    pub unit: String,
    /// All counties.
    pub counties: Vec<CountyReport>,
}

/// One county.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountyReport {
    /// Number.
    pub number: u8,
    /// Name.
    pub name: String,
    /// Rows of the table.
    pub rows: u64,
    /// Median of the measure.
    pub value: Option<f64>,
    /// Rows read by finished loads.
    pub read: u64,
    /// Rows refused by them.
    pub rejected: u64,
    /// Outline as rings of points in a box 1,000 wide.
    #[serde(skip)]
    pub outline: Vec<Vec<(i32, i32)>>,
}

/// A run in the trend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastRun {
    /// Run id.
    pub run: String,
    /// Start, UTC.
    pub started: String,
    /// Status.
    pub status: String,
    /// Account.
    pub tally: Tally,
    /// Wall time.
    pub seconds: f64,
}
