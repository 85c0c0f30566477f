//! `etl plan`: what would be done with each input, without doing it.

use super::agents;
use super::check::Checker;
use super::error::{Reach, RunError};
use super::fit::fit_all;
use super::geography;
use super::ingest::load_pack;
use super::inputs::{Bad, FailedInput, Inputs};
use super::memory;
use super::named;
use super::plan_state::{PlannedState, states};
use super::prepare::{Prepared, prepare};
use super::request::{Mode, Request};
use super::summary::ProblemSummary;
use super::whole::Whole;
use crate::chunk::Severity;
use crate::flow::{Meters, Observer, Stop};
use crate::pack::{Check, Origin, Pack};
use crate::source::Skipped;
use serde::Serialize;

/// What would be done.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Inputs in the order in which they would be loaded.
    pub inputs: Vec<InputPlan>,
    /// Target.
    pub target: String,
    /// Division of the memory limit: (share, bytes).
    pub memory: Vec<(String, u64)>,
    /// Worker threads.
    pub threads: usize,
    /// Files that are not read, and why.
    pub skipped: Vec<Skipped>,
    /// What the user should know of the files that were found.
    pub warnings: Vec<String>,
    /// Inputs that cannot be read, in the order of the arguments (`--keep-going`).
    pub failed_inputs: Vec<FailedInput>,
}

/// What would be done with one input.
#[derive(Debug, Clone, Serialize)]
pub struct InputPlan {
    /// File, member, sheet.
    pub input: String,
    /// Kind of file.
    pub kind: String,
    /// The kind in plain words.
    pub plain: String,
    /// Why it was taken for that.
    pub evidence: String,
    /// County, year, release: (name, value).
    pub facts: Vec<(String, String)>,
    /// Delimiter, encoding, header …
    pub format: Vec<(String, String)>,
    /// Table.
    pub table: String,
    /// Mode.
    pub mode: String,
    /// `new`, `resumes at row n`, `already loaded by run …`.
    pub state: String,
    /// Columns bound.
    pub columns: Vec<ColumnPlan>,
    /// Columns of the kind that the file does not have.
    pub missing: Vec<String>,
    /// Columns of the file that the kind does not know.
    pub unknown: Vec<String>,
    /// Columns that people look for and that no such file has: (words, answer).
    pub absent: Vec<(String, String)>,
    /// Agents: (name, what it does here).
    pub agents: Vec<(String, String)>,
    /// Statement that would make the table.
    pub ddl: String,
    /// Reader, chunk size, commits …
    pub strategy: Vec<(String, String)>,
    /// What a sample of the first records gives.
    pub sample: SampleResult,
    /// Rules that this input is not checked by: (rule, why).
    pub unchecked: Vec<(String, String)>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// A column as it would be read.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnPlan {
    /// Name in the target.
    pub name: String,
    /// Name in the source.
    pub header: String,
    /// Type in the target.
    pub kind: String,
    /// `id`, `code`, `money`, or plain.
    pub role: String,
    /// Why it has this type, where that is not plain.
    pub note: String,
}

/// What the first records would give.
#[derive(Debug, Clone, Serialize)]
pub struct SampleResult {
    /// Records tried.
    pub rows: u64,
    /// Rows that would be refused.
    pub rejected: u64,
    /// Rows with a warning, at most (a row may have several).
    pub warnings: u64,
    /// By kind.
    pub problems: Vec<ProblemSummary>,
}

/// Records that a plan tries.
const SAMPLE: u64 = 10_000;

/// Plans a run.
pub fn plan(request: &Request, observer: &dyn Observer) -> Result<Plan, RunError> {
    let pack = load_pack(&request.pack)?;
    let request = &*named::settled(request)?;
    let request = &*geography::opened(request, &pack)?;
    let Inputs { ready: mut inputs, mut aside } = prepare(request, &pack, observer)?;
    // A target that cannot be asked is no reason not to plan; its state says so.
    if let Ok(Some(target)) = request.target.look(64 << 20)
        && let Ok(con) = target.link()
    {
        fit_all(&mut inputs, &*con, request.changes)?;
    }
    let engine = agents::engine(&pack);
    let stop = Stop::default();
    let whole = Whole::default();
    let checker = Checker { request, pack: &pack, engine: &engine, stop: &stop, whole: &whole };
    let shares = memory::shares(request);
    let states = states(request, &pack, &inputs)?;
    let mut plans = Vec::new();
    for (input, state) in inputs.iter().zip(states) {
        match plan_input(request, &pack, input, state, &checker) {
            Ok(plan) => plans.push(plan),
            Err(error) if request.keep_going && error.reach == Reach::Input => {
                aside.bad.push(Bad { place: input.place, input: input.origin.label(), error });
            }
            Err(error) => return Err(error),
        }
    }
    aside.bad.sort_by_key(|bad| bad.place);
    Ok(Plan {
        inputs: plans,
        target: request.target.to_string(),
        memory: vec![
            ("limit".into(), request.limits.memory),
            ("target database".into(), shares.target),
            ("chunks in flight".into(), shares.chunks),
            ("agents' SQL engine".into(), agents::ENGINE_MEMORY),
        ],
        threads: request.limits.threads,
        skipped: aside.skipped,
        warnings: aside.warnings,
        failed_inputs: aside.bad.iter().map(Bad::told).collect(),
    })
}

fn plan_input(
    request: &Request,
    pack: &Pack,
    input: &Prepared,
    state: PlannedState,
    checker: &Checker<'_>,
) -> Result<InputPlan, RunError> {
    let kind = input.kind(pack);
    let specs = agents::agents(request, pack, input, checker.engine, checker.whole)?;
    let mut agents: Vec<_> =
        specs.iter().map(|spec| (spec.name().to_owned(), spec.describe())).collect();
    agents.push(("load".into(), load_words(input)));
    let sample = sample(input, checker)?;
    let absent = kind.map_or_else(Vec::new, |kind| {
        kind.absent.iter().map(|absent| (absent.words.join(", "), absent.answer.clone())).collect()
    });
    let binding = input.binding.as_ref();
    let of_values = input.reading.told.iter().filter(|_| !state.is_loaded);
    let told = input.warnings.iter().chain(of_values);
    Ok(InputPlan {
        input: input.origin.label(),
        kind: input.kind_id(pack),
        plain: kind.map_or_else(|| "a table of no known kind".into(), |kind| kind.plain.clone()),
        evidence: input.evidence.clone(),
        facts: facts(input, pack),
        format: format_facts(input),
        table: input.spec.name.clone(),
        mode: input.mode.to_string(),
        state: state.state,
        columns: columns(input),
        missing: binding.map_or_else(Vec::new, |binding| binding.missing.clone()),
        unknown: input.schema.extra.iter().map(|(_, name)| name.clone()).collect(),
        absent,
        agents,
        ddl: request.target.ddl(&input.spec, input.mode != Mode::Append),
        strategy: strategy(request, input),
        sample,
        unchecked: unchecked(request, pack, input)?,
        warnings: told.cloned().chain(state.warnings).collect(),
    })
}

/// Rules that are written down but cannot be asked here.
fn unchecked(
    request: &Request,
    pack: &Pack,
    input: &Prepared,
) -> Result<Vec<(String, String)>, RunError> {
    let mut left_out = Vec::new();
    let Some(kind) = input.kind(pack) else { return Ok(left_out) };
    for rule in pack.rules_for(&kind.id) {
        let absent: Vec<_> =
            rule.requires.iter().filter(|name| input.schema.position(name).is_none()).collect();
        let why = match &rule.check {
            _ if agents::severity(rule, request)?.is_none() => "switched off".to_owned(),
            Check::Later(reason) => reason.clone(),
            Check::Cross { .. } => continue,
            _ if absent.is_empty() => continue,
            _ => {
                let names: Vec<_> = absent.iter().map(|name| name.to_uppercase()).collect();
                format!("the file has no {}", names.join(", "))
            }
        };
        left_out.push((rule.id.clone(), format!("{}: {why}", rule.title)));
    }
    Ok(left_out)
}

fn load_words(input: &Prepared) -> String {
    match input.spec.key.as_slice() {
        [] => format!("{} into {}", input.mode, input.spec.name),
        key => format!("{} into {} by {}", input.mode, input.spec.name, key.join(" + ")),
    }
}

fn facts(input: &Prepared, pack: &Pack) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let settled = &input.settled;
    if let Some(number) = settled.county {
        let name = pack.counties.by_number(number).map_or("unknown", |county| county.name.as_str());
        facts.push(("county".into(), format!("{name} ({number}){}", whence(input, "county"))));
    }
    if let Some(year) = settled.year {
        facts.push(("year".into(), format!("{year}{}", whence(input, "year"))));
    }
    if input.kind.is_some() {
        let release = settled
            .release
            .map_or("unknown (ranks below preliminary)".into(), |r| format!("{} ({r})", r.word()));
        let release = format!("{release}{}", whence(input, "release"));
        facts.push(("release".into(), release));
    }
    if let Some(number) = settled.submission {
        let whence = whence(input, "submission");
        facts.push(("submission".into(), format!("{number:02}{whence}")));
    }
    facts
}

/// Where a fact comes from.
fn whence(input: &Prepared, fact: &str) -> &'static str {
    let found = input.settled.origins.iter().find(|(name, _)| *name == fact);
    match found.map(|(_, origin)| *origin) {
        Some(Origin::Flag) => ", as you say",
        Some(Origin::Columns) => ", from the rows",
        Some(Origin::Name) => ", from the file name",
        Some(Origin::Outer) => ", from the name of the archive or folder",
        None => "",
    }
}

fn format_facts(input: &Prepared) -> Vec<(String, String)> {
    let mut facts = vec![("format".into(), input.format.to_owned())];
    facts.extend(input.table.facts());
    let extent = input.table.extent();
    facts.extend(extent.bytes.map(|bytes| ("bytes".into(), bytes.to_string())));
    facts.extend(extent.rows.map(|rows| ("rows".into(), rows.to_string())));
    facts.push(("fingerprint".into(), input.origin.fingerprint.to_string()));
    facts
}

fn columns(input: &Prepared) -> Vec<ColumnPlan> {
    let note = |name: &str| {
        let found = input.column_notes.iter().find(|(column, _)| column == name);
        found.map_or_else(String::new, |(_, note)| note.clone())
    };
    let plan = |column: &crate::chunk::ReadColumn| ColumnPlan {
        name: input.fitted.name(&column.name).to_owned(),
        header: column.header.clone(),
        kind: column.kind.duckdb(),
        role: format!("{:?}", column.role).to_lowercase(),
        note: note(&column.name),
    };
    input.schema.columns.iter().map(plan).collect()
}

fn strategy(request: &Request, input: &Prepared) -> Vec<(String, String)> {
    let limits = &request.limits;
    let shares = memory::shares(request);
    let rows = limits.chunk_rows.map_or("by measured bytes a row".into(), |n| format!("{n} rows"));
    vec![
        ("reader".into(), input.format.to_owned()),
        ("chunks".into(), rows),
        ("workers".into(), limits.threads.to_string()),
        ("writers".into(), shares.writers.to_string()),
        ("commit".into(), format!("every {} new rows", request.target.commit_rows(shares.groups))),
        (
            "agents".into(),
            if limits.fuse { "fused on one core" } else { "threads of their own" }.into(),
        ),
    ]
}

fn sample(input: &Prepared, checker: &Checker<'_>) -> Result<SampleResult, RunError> {
    let meters = Meters::new(super::check::agent_names(checker.request, input));
    let checked = checker.run(input, Some(SAMPLE), &meters)?;
    let warnings = checked
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Warning)
        .map(|problem| problem.count);
    Ok(SampleResult {
        rows: checked.tally.read,
        rejected: checked.tally.rejected,
        warnings: warnings.sum(),
        problems: checked.problems,
    })
}
