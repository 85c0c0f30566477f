//! Earlier runs, and questions to a target, read-only.

use super::error::{RunError, RunErrorKind};
use super::memory;
use super::problems::read_problems;
use super::request::Mode;
use super::summary::{InputSummary, RunStatus, Summary};
use crate::chunk::Tally;
pub use crate::load::ledger::{CountRow, RunRow};
use crate::load::ledger::{Ledger, PastInput, RunState, has_ledger};
pub use crate::load::target::EachRows;
use crate::load::target::TargetState;
use crate::load::{Link, TargetUrl};

/// Memory for questions to the ledger, in bytes.
const MEMORY: u64 = 64 << 20;

/// All runs of a target, newest first.
pub fn list(target: &TargetUrl) -> Result<Vec<RunRow>, RunError> {
    let con = target.look_there(MEMORY)?.link()?;
    if !has_ledger(&*con)? {
        return Ok(Vec::new());
    }
    Ok(Ledger::new(&*con).runs()?)
}

/// Rows of each table and scope, as the last loads have left them.
pub fn counts(target: &TargetUrl) -> Result<Vec<CountRow>, RunError> {
    let con = target.look_there(MEMORY)?.link()?;
    if !has_ledger(&*con)? {
        return Ok(Vec::new());
    }
    Ok(Ledger::new(&*con).counts()?)
}

/// A run by its id; `latest` is the newest that has loaded into the schema of the target, or where none
/// has, the newest of all.
pub fn find(target: &TargetUrl, run: &str) -> Result<RunRow, RunError> {
    let con = target.look_there(MEMORY)?.link()?;
    let mut runs = match has_ledger(&*con)? {
        true => Ledger::new(&*con).runs()?,
        false => Vec::new(),
    };
    let at = match run {
        "latest" => {
            let here = |row: &RunRow| row.schema.as_deref() == Some(con.schema());
            runs.iter().position(here).or((!runs.is_empty()).then_some(0))
        }
        run => runs.iter().position(|row| row.run.eq_ignore_ascii_case(run)),
    };
    let found = at.map(|at| runs.swap_remove(at));
    found.ok_or_else(|| {
        RunError::new(RunErrorKind::Usage, format!("{target} has no run {run}"))
            .with_hint("`etl runs list` shows the runs")
    })
}

/// One run, as its ledger tells it; `latest` is the newest.
pub fn show(target: &TargetUrl, run: &str) -> Result<Summary, RunError> {
    let row = &find(target, run)?;
    let con = target.look_there(MEMORY)?.link()?;
    // A finished run has left its summary; one that did not finish is told from the ledger.
    let stored = Ledger::new(&*con).summary(&row.run)?;
    match stored.as_deref().map(serde_json::from_str) {
        Some(Ok(summary)) => Ok(summary),
        _ => summary_of(&*con, row, target),
    }
}

fn summary_of(con: &dyn Link, row: &RunRow, target: &TargetUrl) -> Result<Summary, RunError> {
    let past = Ledger::new(con).inputs(&row.run)?;
    let inputs = past.iter().map(|past| input_summary(con, &row.run, past));
    let inputs: Vec<_> = inputs.collect::<Result<_, _>>()?;
    let mut tally = Tally::default();
    inputs.iter().for_each(|input| tally += input.tally);
    Ok(Summary {
        run: row.run.clone(),
        status: if row.status == RunState::Done { RunStatus::Done } else { RunStatus::Unfinished },
        target: target.to_string(),
        tally,
        inputs,
        skipped: Vec::new(),
        warnings: Vec::new(),
        failed_inputs: Vec::new(),
        error: row.error.clone(),
        retries: 0,
        peak_memory: None,
        memory_limit: 0,
        seconds: row.seconds,
    })
}

fn input_summary(con: &dyn Link, run: &str, past: &PastInput) -> Result<InputSummary, RunError> {
    Ok(InputSummary {
        input: past.label(),
        fingerprint: past.fingerprint.clone(),
        kind: past.kind.clone(),
        plain: String::new(),
        county: None,
        year: None,
        release: past.release.clone(),
        schema: past.schema.clone(),
        table: past.table.clone(),
        mode: past.mode.unwrap_or(Mode::Merge),
        tally: past.tally,
        replaced: 0,
        problems: read_problems(con, run, past.input)?,
        warnings: Vec::new(),
        failed_file: past.failed_file.clone().filter(|_| past.tally.rejected > 0),
        facts: Vec::new(),
        agents: Vec::new(),
        resumed_from: None,
        already_loaded_by: None,
        bytes: 0,
        seconds: past.seconds,
    })
}

/// Answers a question from the target, in bounded memory. `each` gets the columns and some rows, at
/// least once, and may stop the query.
pub fn sql(
    target: &TargetUrl,
    question: &str,
    memory: u64,
    each: EachRows<'_>,
) -> Result<(), RunError> {
    let share = memory.saturating_sub(memory::FIXED).max(64 << 20);
    let con = target.look_there(share)?.link()?;
    con.begin_reading(question)?;
    con.query_each(question, &[], each).map_err(|error| {
        RunError::new(RunErrorKind::Usage, error.message.trim().to_owned())
            .with_hint(target.dialect())
    })?;
    Ok(())
}

/// Looks at a target without changing it. An error says who holds it, or why it cannot be opened.
pub fn target_state(target: &TargetUrl) -> Result<TargetState, RunError> {
    Ok(target.state(MEMORY)?)
}

/// Name and version of a pack.
pub fn pack_version(name: &str) -> Result<String, RunError> {
    let pack = super::ingest::load_pack(name)?;
    Ok(format!("{} {}", pack.name, pack.version))
}
