//! Earlier runs and questions to the target, read-only.

use super::error::{RunError, RunErrorKind};
use super::request::TargetUrl;
use crate::duck::{ResultColumn, Value};
use crate::load::LoadError;
use crate::load::duckdb::{DuckTarget, Ledger, RunRow, has_ledger};
use std::ops::ControlFlow;
use std::path::Path;

/// Memory for questions, in bytes.
const MEMORY: u64 = 256 << 20;

/// All runs of a target, newest first.
pub fn list(target: &TargetUrl) -> Result<Vec<RunRow>, RunError> {
    let target = open(target, MEMORY)?;
    let con = target.connect()?;
    if !has_ledger(&con)? {
        return Ok(Vec::new());
    }
    Ok(Ledger::new(&con).runs()?)
}

/// One run: its row in the ledger, and the summary it left (JSON), if it finished.
pub fn show(target: &TargetUrl, run: &str) -> Result<(RunRow, Option<String>), RunError> {
    let found = list(target)?.into_iter().find(|row| row.run.eq_ignore_ascii_case(run));
    let Some(row) = found else {
        return Err(RunError::new(RunErrorKind::Usage, format!("{target} has no run {run}"))
            .with_hint("`etl runs list` shows the runs"));
    };
    let con = open(target, MEMORY)?.connect()?;
    let summary = Ledger::new(&con).summary(&row.run)?;
    Ok((row, summary))
}

/// Answers a question from the target, in bounded memory. `each` gets the columns and some rows, at
/// least once, and may stop the query.
pub fn sql(
    target: &TargetUrl,
    question: &str,
    memory: u64,
    each: &mut dyn FnMut(&[ResultColumn], Vec<Vec<Value>>) -> ControlFlow<()>,
) -> Result<(), RunError> {
    let con = open(target, memory)?.connect()?;
    con.query_each(question, &[], |columns, rows| each(columns, rows)).map_err(|error| {
        RunError::new(RunErrorKind::Usage, error.message.trim().to_owned())
            .with_hint("the dialect is DuckDB's; `SHOW TABLES` lists what there is")
    })?;
    Ok(())
}

fn open(target: &TargetUrl, memory: u64) -> Result<DuckTarget, RunError> {
    let TargetUrl::Duckdb(path) = target;
    if !path.exists() {
        return Err(missing(path));
    }
    DuckTarget::read_only(path, memory).map_err(|error: LoadError| {
        let mut error = RunError::from(error);
        error.message = format!("{}: {}", path.display(), error.message);
        error
    })
}

fn missing(path: &Path) -> RunError {
    RunError::new(RunErrorKind::Target, format!("{}: there is no such database", path.display()))
        .with_hint("load something first: etl ingest FILE --to duckdb:PATH")
}
