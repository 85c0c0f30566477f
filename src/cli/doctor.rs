//! `etl doctor`: memory, disk and target, before they become a problem.

use super::args::{Format, TargetArgs};
use super::context::Context;
use super::error::CliError;
use super::text::{Align, Paint, binary, count, plural, safe, table};
use super::{exit, machine, output};
use crate::config::{Partial, Settings};
use crate::run::history::CountRow;
use crate::run::{self, RunError, TargetState, TargetUrl};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Free space below this is worth a warning: one checkpoint of a large roll needs as much.
const TIGHT_DISK: u64 = 2 << 30;

const EXAMPLES: &str = "\
Examples:
  etl doctor
  etl doctor --to duckdb:rolls.duckdb --format json

Exit code 0 when nothing stands in the way of a load, else 1.";

/// Look at memory, disk and target
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    #[command(flatten)]
    target: TargetArgs,
    /// Folder of spill files; else beside the target
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Error,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    told: String,
    hint: Option<String>,
}

impl Finding {
    fn new(what: &'static str, state: State, told: impl Into<String>) -> Self {
        Self { what, state, told: told.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Doctor {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Looks, and tells.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let flags = Partial { temp_dir: self.temp_dir.clone(), ..self.target.partial() };
        let settings = context.settings(flags, None)?;
        let target = settings.target(&context.env)?;
        let mut findings = vec![
            Finding::new("version", State::Ok, format!("etl {}", env!("CARGO_PKG_VERSION"))),
            pack(&settings),
            processors(&settings),
            memory(&settings, context)?,
        ];
        findings.extend(disks(&settings, &target));
        findings.extend(target_findings(&target));
        if self.json() {
            output::json(&findings)?;
        } else {
            output::stdout(&render(&findings, context.paint(&settings)))?;
        }
        let bad = findings.iter().any(|finding| finding.state == State::Error);
        Ok(if bad { exit::FAILED } else { exit::DONE })
    }
}

fn render(findings: &[Finding], paint: Paint) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            let word = match finding.state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Error => "error",
            };
            vec![word.to_owned(), finding.what.to_owned(), safe(&finding.told)]
        })
        .collect();
    let mut lines = Vec::new();
    for (line, finding) in table(&rows, &[Align::Left; 3], "").into_iter().zip(findings) {
        lines.push(match finding.state {
            State::Ok => line,
            State::Warning => paint.yellow(&line),
            State::Error => paint.red(&line),
        });
        lines.extend(finding.hint.iter().map(|hint| format!("{:9}hint: {}", "", safe(hint))));
    }
    lines.join("\n") + "\n"
}

fn pack(settings: &Settings) -> Finding {
    let name = settings.pack.as_ref().map_or("", |pack| pack.value.as_str());
    match run::pack_version(name) {
        Ok(version) => Finding::new("pack", State::Ok, version),
        Err(error) => failed("pack", &error),
    }
}

fn failed(what: &'static str, error: &RunError) -> Finding {
    let finding = Finding::new(what, State::Error, error.message.clone());
    match error.hints.first() {
        Some(hint) => finding.hint(hint.clone()),
        None => finding,
    }
}

fn processors(settings: &Settings) -> Finding {
    let there = machine::threads();
    let used = settings.threads.as_ref().map_or(there, |threads| threads.value);
    let told = format!("{}, {} used", plural(there as u64, "processor"), used);
    if used > there * 2 {
        let hint = "more than twice as many threads as processors only cost memory";
        return Finding::new("cpu", State::Warning, told).hint(hint);
    }
    Finding::new("cpu", State::Ok, told)
}

fn memory(settings: &Settings, context: &Context) -> Result<Finding, CliError> {
    let limit = settings.memory()?;
    let seen = context.memory;
    let mut parts = vec![format!("limit {}", binary(limit))];
    parts.extend(seen.container.map(|bytes| format!("container allows {}", binary(bytes))));
    parts.extend(seen.total.map(|bytes| format!("built in {}", binary(bytes))));
    parts.extend(seen.available.map(|bytes| format!("available {}", binary(bytes))));
    let told = parts.join(", ");
    if seen.allowed().is_some_and(|allowed| limit > allowed) {
        return Ok(Finding::new("memory", State::Error, told)
            .hint("lower --memory-limit: the system would end the program before it is reached"));
    }
    if seen.available.is_some_and(|available| limit > available) {
        return Ok(Finding::new("memory", State::Warning, told)
            .hint("other programs hold the memory; close some, or lower --memory-limit"));
    }
    Ok(Finding::new("memory", State::Ok, told))
}

fn disks(settings: &Settings, target: &TargetUrl) -> Vec<Finding> {
    let file = target.file().map(|path| disk("disk of target", &existing(path)));
    let mut findings: Vec<_> = file.into_iter().collect();
    if let Some(temp) = &settings.temp_dir {
        findings.push(disk("disk of temp", &existing(&temp.value)));
    }
    findings
}

/// The nearest folder that exists.
fn existing(path: &Path) -> PathBuf {
    let here = Path::new(".");
    let folder = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(here);
    if folder.as_os_str().is_empty() { here.to_owned() } else { folder.to_owned() }
}

fn disk(what: &'static str, folder: &Path) -> Finding {
    match fs4::available_space(folder) {
        Err(error) => Finding::new(what, State::Warning, format!("{}: {error}", folder.display())),
        Ok(free) => {
            let told = format!("{} free at {}", binary(free), folder.display());
            if let Err(error) = tempfile::tempfile_in(folder) {
                return Finding::new(what, State::Error, format!("{told}, but {error}"))
                    .hint("choose a folder in which files can be written");
            }
            if free < TIGHT_DISK {
                let hint = "a large roll needs about the size of its text, and half again to spill";
                Finding::new(what, State::Warning, told).hint(hint)
            } else {
                Finding::new(what, State::Ok, told)
            }
        }
    }
}

fn target_findings(target: &TargetUrl) -> Vec<Finding> {
    match run::target_state(target) {
        Err(error) => vec![failed("target", &error)],
        Ok(state) if !state.exists => {
            vec![Finding::new("target", State::Ok, format!("{target} will be made"))]
        }
        Ok(state) => existing_target(target, &state),
    }
}

fn existing_target(target: &TargetUrl, state: &TargetState) -> Vec<Finding> {
    let ledger = if state.ledger { "with a ledger" } else { "without a ledger of etl yet" };
    let told = format!("{target}, {}, {ledger}", binary(state.bytes));
    let mut findings = vec![Finding::new("target", State::Ok, told)];
    if !state.unfinished.is_empty() {
        let told = format!("unfinished: {}", state.unfinished.join(", "));
        findings.push(Finding::new("runs", State::Warning, told).hint(
            "give the same command again: it goes on from the last commit; `etl runs show` tells more",
        ));
    }
    findings.extend(rows(&state.counts));
    findings.extend(state.findings.iter().map(of_target));
    findings
}

/// One line a table; `etl runs counts` has each county.
fn rows(counts: &[CountRow]) -> Vec<Finding> {
    let mut tables: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in counts {
        let (rows, scopes) = tables.entry(&row.table).or_default();
        (*rows, *scopes) = (*rows + row.rows, *scopes + 1);
    }
    let told = |(table, (rows, scopes)): (&str, (u64, u64))| {
        let scopes = match scopes {
            0 | 1 => String::new(),
            more => format!(" in {}", plural(more, "part")),
        };
        Finding::new("rows", State::Ok, format!("{table}: {}{scopes}", count(rows)))
    };
    tables.into_iter().map(told).collect()
}

fn of_target(found: &run::TargetFinding) -> Finding {
    let state = match found.health {
        run::Health::Good => State::Ok,
        run::Health::Odd => State::Warning,
        run::Health::Bad => State::Error,
    };
    let finding = Finding::new(found.what, state, found.told.clone());
    match &found.hint {
        Some(hint) => finding.hint(hint.clone()),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_that_exists_is_asked_for_its_space() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let deep = folder.path().join("a/b/c.duckdb");
        assert_eq!(existing(&deep), folder.path());
        assert_eq!(existing(Path::new("x.duckdb")), Path::new("."));
        assert_eq!(disk("d", folder.path()).what, "d");
    }

    #[test]
    fn unfinished_runs_and_errors_say_what_to_do() {
        let state = TargetState {
            exists: true,
            bytes: 3 << 20,
            ledger: true,
            unfinished: vec!["01JD".into()],
            counts: Vec::new(),
            findings: Vec::new(),
        };
        let target = TargetUrl::Duckdb("a.duckdb".into());
        let text = render(&existing_target(&target, &state), Paint(false));
        assert!(
            text.starts_with("ok       target  duckdb:a.duckdb, 3 MiB, with a ledger\n"),
            "{text}"
        );
        assert!(text.contains("warning  runs    unfinished: 01JD\n         hint: give"), "{text}");
    }
}
