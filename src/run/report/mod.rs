//! Fills a report: from a run that a target remembers, or from files that go nowhere.
//!
//! Everything is asked in one read-only transaction, in SQL that all targets understand, by their own
//! engine and within its memory.

mod charts;
mod counties;
mod enriched;
mod tables;

use super::error::RunError;
use super::history;
use super::ingest::{ingest, load_pack};
use super::inputs::FailedInput;
use super::memory;
use super::request::Request;
use super::scratch::Scratch;
use super::summary::{InputSummary, RunStatus, Summary};
use crate::chunk::Severity;
use crate::duck::Value;
use crate::flow::{MeterReading, Observer, Stop};
use crate::load::ledger::{Ledger, RunRow};
use crate::load::{Link, TargetUrl};
use crate::pack::Pack;
use crate::report::{AgentReport, FailedReport, FindingReport, InputReport, PastRun, Report};
use crate::rules::{Level, UserRule};
use std::collections::BTreeMap;

/// Runs of the trend.
const TREND: usize = 20;
/// The code of notes about changed cells.
const CHANGED: &str = "E301";
/// Examples of a finding over all inputs.
const EXAMPLES: usize = 5;

/// The report of a run, by its id or `latest`. `memory` is that of the whole program.
pub fn of_run(target: &TargetUrl, run: &str, pack: &str, memory: u64) -> Result<Report, RunError> {
    let row = history::find(target, run)?;
    let summary = history::show(target, &row.run)?;
    gather(&target.in_schema(row.schema.as_deref()), &summary, &load_pack(pack)?, memory)
}

/// The report of files that are read, checked and measured, and leave nothing behind. Their rows stand
/// in a database of its own meanwhile, among the temporary files.
pub fn of_files(
    request: &Request,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Report, RunError> {
    let scratch = Scratch::new(request.limits.temp_dir.as_deref())?;
    let mut own = request.clone();
    own.target = scratch.target();
    own.failed.folder = Some(scratch.folder().to_owned());
    // A report is wanted of all of it, the bad rows first.
    own.errors.max_errors = None;
    own.errors.max_rate = None;
    own.rules.iter_mut().for_each(|rule| only_tell(rule, &mut own.rule_levels));
    let mut summary = ingest(&own, observer, stop)?;
    summary.status = RunStatus::Checked;
    for input in &mut summary.inputs {
        input.failed_file = None;
    }
    let pack = load_pack(&own.pack)?;
    let mut report = gather(&own.target, &summary, &pack, own.limits.memory)?;
    report.run = None;
    report.target = None;
    report.command = "report".into();
    report.trend.clear();
    Ok(report)
}

/// A critical rule about all rows would end the load before there is anything to look at.
fn only_tell(rule: &mut UserRule, levels: &mut BTreeMap<String, String>) {
    if !rule.check.is_of_file() {
        return;
    }
    if rule.level == Level::Critical {
        rule.level = Level::Warning;
    }
    if let Some(level) = levels.get_mut(&rule.id).filter(|level| *level == "critical") {
        *level = "warning".into();
    }
}

fn gather(
    target: &TargetUrl,
    summary: &Summary,
    pack: &Pack,
    memory: u64,
) -> Result<Report, RunError> {
    let share = memory.saturating_sub(memory::FIXED).max(64 << 20);
    let con = target.look_there(share)?.link()?;
    let con = &*con;
    let runs = Ledger::new(con).runs()?;
    let version = Ledger::new(con).version(&summary.run)?;
    con.begin_checking()?;
    let measured = tables::tables(con, summary, pack)
        .and_then(|tables| Ok((tables, counties::maps(con, summary, pack)?)));
    con.rollback()?;
    let (tables, maps) = measured?;
    let (changes, findings) = findings(summary).into_iter().partition(is_change);
    let row = runs.iter().find(|row| row.run == summary.run);
    Ok(Report {
        title: title(summary),
        run: Some(summary.run.clone()),
        status: status(summary.status),
        command: row.map_or_else(String::new, |row| row.command.clone()),
        version,
        target: Some(summary.target.clone()),
        started: row.map_or_else(String::new, |row| row.started.clone()),
        made: chrono::Utc::now().format("%Y-%m-%d %H:%M:%S").to_string(),
        seconds: summary.seconds,
        peak_memory: summary.peak_memory,
        memory_limit: summary.memory_limit,
        retries: summary.retries,
        tally: summary.tally,
        gap: summary.tally.gap(),
        inputs: summary.inputs.iter().map(InputReport::from).collect(),
        skipped: summary.skipped.iter().map(ToString::to_string).collect(),
        warnings: summary.warnings.clone(),
        failed_inputs: summary.failed_inputs.iter().map(FailedReport::from).collect(),
        findings,
        changes,
        tables,
        maps,
        trend: trend(&runs, summary),
    })
}

fn title(summary: &Summary) -> String {
    let name = |input: &InputSummary| {
        let name = &input.input;
        name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned()
    };
    match summary.inputs.as_slice() {
        [] => "nothing".into(),
        [only] => name(only),
        [first, rest @ ..] => {
            let more = rest.len();
            format!("{} and {more} more file{}", name(first), if more == 1 { "" } else { "s" })
        }
    }
}

fn status(status: RunStatus) -> String {
    let text = serde_json::to_value(status).ok();
    text.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl From<&MeterReading> for AgentReport {
    fn from(read: &MeterReading) -> Self {
        Self {
            agent: read.agent.clone(),
            rows: read.rows,
            busy_ms: read.busy_ms,
            waiting_ms: read.waiting_ms,
            longest_queue: read.longest_queue,
        }
    }
}

impl From<&FailedInput> for FailedReport {
    fn from(failed: &FailedInput) -> Self {
        let FailedInput { input, code, message, hints, kind: _, causes: _, kept: _ } =
            failed.clone();
        Self { input, code, message, hints }
    }
}

/// All of it but the problems, which a report tells of all inputs together.
impl From<&InputSummary> for InputReport {
    fn from(input: &InputSummary) -> Self {
        let agents = input.agents.iter().map(AgentReport::from).collect();
        let it = input.clone();
        Self {
            name: it.input,
            fingerprint: it.fingerprint,
            kind: it.kind,
            plain: it.plain,
            county: it.county,
            year: it.year,
            release: it.release,
            table: it.table,
            mode: it.mode.to_string(),
            bytes: it.bytes,
            tally: it.tally,
            seconds: it.seconds,
            warnings: it.warnings,
            failed_file: it.failed_file,
            resumed_from: it.resumed_from,
            already_loaded_by: it.already_loaded_by,
            agents,
            facts: it.facts,
        }
    }
}

/// Findings of all inputs by kind, the worst and most frequent first.
fn findings(summary: &Summary) -> Vec<FindingReport> {
    let mut kinds: BTreeMap<_, FindingReport> = BTreeMap::new();
    for input in &summary.inputs {
        for problem in &input.problems {
            let key = (&problem.code, &problem.rule, &problem.column, problem.severity);
            let found = kinds.entry(key).or_insert_with(|| FindingReport {
                severity: problem.severity,
                code: problem.code.clone(),
                rule: problem.rule.clone(),
                column: problem.column.clone(),
                message: problem.message.clone(),
                hint: problem.hint.clone(),
                count: 0,
                examples: Vec::new(),
            });
            found.count += problem.count;
            let examples = problem.examples.iter().cloned();
            found.examples.extend(examples.map(|example| (input.input.clone(), example)));
            found.examples.truncate(EXAMPLES);
        }
    }
    let mut all: Vec<_> = kinds.into_values().collect();
    all.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.count)));
    all
}

/// Whether it tells of cells that were brought into another form, and of no doubt.
fn is_change(finding: &FindingReport) -> bool {
    finding.severity == Severity::Info && finding.code == CHANGED
}

/// This run and those before it that wrote to one of its tables, oldest first.
fn trend(runs: &[RunRow], summary: &Summary) -> Vec<PastRun> {
    let shares = |row: &&RunRow| {
        row.run == summary.run
            || summary.inputs.iter().any(|input| row.tables.contains(&input.table))
    };
    let from = runs.iter().position(|row| row.run == summary.run).unwrap_or(runs.len());
    let past = |row: &RunRow| PastRun {
        run: row.run.clone(),
        started: row.started.clone(),
        status: row.status.to_string(),
        tally: row.tally,
        seconds: row.seconds,
    };
    let mut trend: Vec<_> = runs[from..].iter().filter(shares).take(TREND).map(past).collect();
    trend.reverse();
    trend
}

/// A number of rows as a question has counted them.
fn rows_of(value: &Value) -> u64 {
    value.as_int().and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
}

/// A table of the user with the columns that `con` finds in it; `None` where it is gone.
fn columns_of(con: &dyn Link, table: &str) -> Result<Option<Vec<(String, String)>>, RunError> {
    let columns = con.columns(table)?;
    Ok((!columns.is_empty()).then_some(columns))
}
