//! Temporary: the signatures that `cli` is written against, until the real ones are merged.

use super::{ProblemSummary, Request, RunError, RunErrorKind, Summary, TargetUrl};
use crate::chunk::Tally;
use crate::flow::{Observer, Stop};
use serde::Serialize;
use std::path::{Path, PathBuf};

fn missing<T>(what: &str) -> Result<T, RunError> {
    Err(RunError::new(RunErrorKind::Failed, format!("{what} is not part of this build yet")))
}

/// Loads.
pub fn ingest(_: &Request, _: &dyn Observer, _: &Stop) -> Result<Summary, RunError> {
    missing("ingest")
}

/// Everything but the load.
pub fn check(_: &Request, _: &dyn Observer, _: &Stop) -> Result<Summary, RunError> {
    missing("check")
}

/// Tells what would be done.
pub fn plan(_: &Request, _: &dyn Observer) -> Result<Plan, RunError> {
    missing("plan")
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Inputs in order.
    pub inputs: Vec<InputPlan>,
    /// Target.
    pub target: String,
    /// Parts of the memory limit, in bytes.
    pub memory: Vec<(String, u64)>,
    /// Worker threads.
    pub threads: usize,
    /// Files that no format reads.
    pub skipped: Vec<String>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputPlan {
    /// Label.
    pub input: String,
    /// Kind.
    pub kind: String,
    /// Plain sentence about the kind.
    pub plain: String,
    /// Why it is held to be of this kind.
    pub evidence: String,
    /// County, year, release and where each comes from.
    pub facts: Vec<(String, String)>,
    /// Facts about the format.
    pub format: Vec<(String, String)>,
    /// Table.
    pub table: String,
    /// Mode.
    pub mode: String,
    /// New, resumed or already loaded.
    pub state: String,
    /// Columns bound.
    pub columns: Vec<ColumnPlan>,
    /// Columns of the kind that the file lacks.
    pub missing: Vec<String>,
    /// Columns that the kind does not know.
    pub unknown: Vec<String>,
    /// Wanted words and the plain answer.
    pub absent: Vec<(String, String)>,
    /// Agents and what each does.
    pub agents: Vec<(String, String)>,
    /// Statement that makes the table.
    pub ddl: String,
    /// Reader, chunk size, workers and the like.
    pub strategy: Vec<(String, String)>,
    /// What a sample shows.
    pub sample: SampleResult,
    /// Findings about the file.
    pub warnings: Vec<String>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnPlan {
    /// Name in the target.
    pub name: String,
    /// Name in the file.
    pub header: String,
    /// Type.
    pub kind: String,
    /// Key, money, code …
    pub role: String,
    /// Remark.
    pub note: String,
}

/// What a sample shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleResult {
    /// Rows looked at.
    pub rows: u64,
    /// Rows that would be refused.
    pub rejected: u64,
    /// Warnings.
    pub warnings: u64,
    /// Trouble by kind.
    pub problems: Vec<ProblemSummary>,
}

/// What to replay.
#[derive(Debug, Clone, PartialEq)]
pub enum ReprocessSource {
    /// The refused rows of a run.
    Run(String),
    /// Failed-record files or corrected sheets.
    Files(Vec<String>),
    /// Every failed-record file of the target.
    All,
}

/// A replay as asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ReprocessRequest {
    /// Settings.
    pub request: Request,
    /// What to replay.
    pub what: ReprocessSource,
}

/// Replays refused rows.
pub fn reprocess(_: &ReprocessRequest, _: &dyn Observer, _: &Stop) -> Result<Summary, RunError> {
    missing("reprocess-failures")
}

/// Runs of the past.
pub mod history {
    use super::*;

    /// One run.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct RunRow {
        /// Run id.
        pub run: String,
        /// Start, UTC.
        pub started: String,
        /// End, UTC, where it ended.
        pub finished: Option<String>,
        /// `done`, `unfinished`, `failed` …
        pub status: String,
        /// Tables.
        pub tables: Vec<String>,
        /// Account.
        pub tally: Tally,
        /// Wall time.
        pub seconds: f64,
    }

    /// All runs, newest first.
    pub fn list(_: &TargetUrl) -> Result<Vec<RunRow>, RunError> {
        missing("runs list")
    }

    /// One run; `latest` is the newest.
    pub fn show(_: &TargetUrl, _: &str) -> Result<Summary, RunError> {
        missing("runs show")
    }
}

/// How a column of an answer is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlKind {
    /// Text, dates, everything else.
    Text,
    /// A number: right aligned, bare in JSON.
    Number,
    /// `true` or `false`: bare in JSON.
    Boolean,
}

/// An answer comes as its columns, then its rows.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlRows {
    /// Names and kinds; first, and once.
    Columns(Vec<(String, SqlKind)>),
    /// Some rows as text; `None` is NULL.
    Rows(Vec<Vec<Option<String>>>),
}

/// Answers a question from the target, read-only. The sink returns `false` to stop.
pub fn sql(
    _: &TargetUrl,
    _: &str,
    _: u64,
    _: &mut dyn FnMut(SqlRows) -> bool,
) -> Result<(), RunError> {
    missing("sql")
}

/// What `etl doctor` wants to know about a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetState {
    /// Whether there is anything yet.
    pub exists: bool,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether it has a ledger.
    pub ledger: bool,
    /// Unfinished runs.
    pub unfinished: Vec<String>,
}

/// Looks at a target without changing it. An error says who holds it, or why it cannot be opened.
pub fn target_state(target: &TargetUrl) -> Result<TargetState, RunError> {
    let TargetUrl::Duckdb(path) = target;
    match path.metadata() {
        Err(_) => {
            Ok(TargetState { exists: false, bytes: 0, ledger: false, unfinished: Vec::new() })
        }
        Ok(_) => missing("looking into a target"),
    }
}

/// Name and version of a pack.
pub fn pack_version(_: &str) -> Result<String, RunError> {
    missing("pack")
}

/// Failed-record files.
pub mod failures {
    use super::*;
    use crate::chunk::Problem;

    /// One failed-record file.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct FailureFile {
        /// Path.
        pub path: String,
        /// Run.
        pub run: String,
        /// Inputs.
        pub inputs: Vec<String>,
        /// Records.
        pub records: u64,
        /// Records by code, most frequent first.
        pub codes: Vec<(String, u64)>,
    }

    /// One refused row.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct Failure {
        /// File, sheet.
        pub input: String,
        /// Row as an editor shows it.
        pub row: u64,
        /// Agent.
        pub stage: String,
        /// Times tried.
        pub attempt: u32,
        /// Why.
        pub problems: Vec<Problem>,
        /// Raw fields.
        pub raw: Vec<(String, String)>,
    }

    /// How to write.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum ExportFormat {
        /// Text.
        Csv,
        /// Workbook.
        Xlsx,
    }

    /// All failed-record files of a folder, newest first.
    pub fn list(_folder: &Path) -> Result<Vec<FailureFile>, RunError> {
        missing("failures list")
    }

    /// The rows of a run or file, in order; the sink returns `false` to stop.
    pub fn show(
        _folder: &Path,
        _source: &str,
        _sink: &mut dyn FnMut(Failure) -> bool,
    ) -> Result<(), RunError> {
        missing("failures show")
    }

    /// Writes a sheet to correct. Returns its path and the number of rows.
    pub fn export(
        _folder: &Path,
        _source: &str,
        _format: ExportFormat,
        _out: Option<&Path>,
    ) -> Result<(PathBuf, u64), RunError> {
        missing("failures export")
    }
}
