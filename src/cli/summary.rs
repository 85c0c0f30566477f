//! What a run did, on one screen.

use super::files;
use super::text::{
    Align, Paint, binary, count, decimal, duration, hang, plain_path, plural, safe, shell, shorten,
    table,
};
use crate::chunk::{Example, Severity, Tally};
use crate::run::{InputSummary, ProblemSummary, RunStatus, Summary};
use std::collections::BTreeMap;

/// Most inputs, refusal kinds and warning kinds that are printed.
const INPUTS: usize = 8;
const REFUSALS: usize = 4;
const WARNINGS: usize = 3;
/// Kinds of changes that are printed, and their code.
const CHANGES: usize = 2;
const CHANGED: &str = "E301";
/// Characters below which a shortened name says nothing.
const LEAST_NAME: usize = 12;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Colours.
    pub paint: Paint,
    /// Characters of a line.
    pub width: usize,
    /// Whether to go into detail.
    pub verbose: bool,
}

/// The summary as text, with a line end.
pub fn render(summary: &Summary, style: Style) -> String {
    let mut lines = headline(summary, style);
    if summary.status == RunStatus::AlreadyLoaded && summary.inputs.is_empty() {
        return lines.join("\n") + "\n";
    }
    lines.push(String::new());
    lines.extend(account(summary, style));
    lines.extend(problems(summary, style));
    lines.extend(next_steps(summary, style));
    let failed = files::failed(&summary.failed_inputs, style.paint);
    lines.extend((!failed.is_empty()).then(String::new));
    lines.extend(failed);
    lines.push(String::new());
    lines.extend(effort(summary, style));
    lines.join("\n") + "\n"
}

fn headline(summary: &Summary, style: Style) -> Vec<String> {
    let place = safe(&summary.target);
    let what = match summary.inputs.as_slice() {
        [only] => safe(&only.input),
        many => plural(many.len() as u64, "input"),
    };
    let line = match summary.status {
        RunStatus::Done => {
            format!("{} {what} into {place}", style.paint.green("loaded"))
        }
        RunStatus::Partial => {
            let all = summary.inputs.len() + summary.failed_inputs.len();
            let loaded = style.paint.yellow("loaded in part:");
            format!(
                "{loaded} {} of {} into {place}",
                summary.inputs.len(),
                plural(all as u64, "input")
            )
        }
        RunStatus::AlreadyLoaded if summary.inputs.is_empty() => {
            let why = "no refused row is left that could pass now";
            format!("{} in {place}: {why}", style.paint.green("nothing to do"))
        }
        RunStatus::AlreadyLoaded => {
            format!("{} {what} in {place}; nothing changed", style.paint.green("already loaded:"))
        }
        RunStatus::Unfinished => {
            format!(
                "{} {what} into {place}; the same command goes on",
                style.paint.red("unfinished:")
            )
        }
        RunStatus::Checked => {
            format!("{} {what}; nothing was loaded", style.paint.green("checked"))
        }
    };
    let mut lines = vec![line];
    if let Some(error) = &summary.error {
        lines.extend(hang("  ended by: ", &safe(error), style.width));
    }
    for input in summary.inputs.iter().take(INPUTS) {
        lines.extend(about(input, summary.inputs.len() > 1, style));
    }
    if summary.inputs.len() > INPUTS {
        let more = summary.inputs.len() - INPUTS;
        lines.push(format!("  … and {}", plural(more as u64, "more input")));
    }
    lines.extend(files::skipped(&summary.skipped, style.width, style.verbose));
    lines.extend(files::warnings(&summary.warnings, style.paint, style.width));
    lines
}

fn about(input: &InputSummary, several: bool, style: Style) -> Vec<String> {
    // What follows the colon explains the kind; there is room for its name only.
    let mut facts = vec![safe(input.plain.split(':').next().unwrap_or_default())];
    facts.extend(input.county.as_deref().map(safe));
    match (&input.release, input.year) {
        (Some(release), _) => facts.push(format!("release {}", safe(release))),
        (None, Some(year)) => facts.push(year.to_string()),
        (None, None) => {}
    }
    facts.push(format!("table {} ({})", safe(&input.table), input.mode));
    let name =
        if several { format!("{}: ", shorten(&safe(&input.input), 34)) } else { String::new() };
    let mut later = Vec::new();
    if let Some(run) = &input.already_loaded_by {
        later.push(format!("already loaded by run {}", safe(run)));
    }
    if input.replaced > 0 {
        let rows = plural(input.replaced, "row");
        later.push(format!("{rows} of earlier loads were deleted for these"));
    }
    if let Some(row) = input.resumed_from {
        later.push(format!("resumed at row {}; what is before it was loaded earlier", count(row)));
    }
    let mut lines = hang("  ", &format!("{name}{}", facts.join(" · ")), style.width);
    lines.extend(later.iter().flat_map(|line| hang("  ", line, style.width)));
    lines
}

/// Fates in the order of the equation.
fn fates(tally: &Tally) -> [(&'static str, u64); 7] {
    [
        ("inserted", tally.inserted),
        ("updated", tally.updated),
        ("unchanged", tally.unchanged),
        ("superseded", tally.superseded),
        ("duplicate", tally.duplicate),
        ("filtered", tally.filtered),
        ("rejected", tally.rejected),
    ]
}

/// The equation, side by side where it fits, else below each other.
fn account(summary: &Summary, style: Style) -> Vec<String> {
    let mut shown: Vec<usize> = (0..7).filter(|at| fates(&summary.tally)[*at].1 > 0).collect();
    if shown.is_empty() {
        shown.push(0);
    }
    let mut lines = if summary.inputs.len() > 1 {
        side_by_side(summary, &shown, style.width)
    } else {
        let rows = [equation_head(&shown), equation_row(&summary.tally, &shown)];
        table(&rows, &vec![Align::Right; rows[0].len()], "  ")
    };
    if lines.is_empty() || lines.iter().any(|line| line.chars().count() > style.width) {
        lines = upright(&summary.tally, &shown);
    }
    let gap = summary.tally.gap();
    if gap != 0 {
        let text = format!("the account does not hold: {} rows unaccounted for", gap.abs());
        lines.push(style.paint.red(&text));
    }
    lines
}

/// A row for each input, or nothing where names would have no room.
fn side_by_side(summary: &Summary, shown: &[usize], width: usize) -> Vec<String> {
    let mut rows = vec![equation_head(shown)];
    let mut names = vec![String::new()];
    for input in summary.inputs.iter().take(INPUTS) {
        rows.push(equation_row(&input.tally, shown));
        names.push(safe(&input.input));
    }
    if summary.inputs.len() > INPUTS {
        rows.push(Vec::new());
        names.push("…".to_owned());
    }
    rows.push(equation_row(&summary.tally, shown));
    names.push("all".to_owned());
    let numbers = table(&rows, &vec![Align::Right; rows[0].len()], "");
    let taken = numbers.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let room = width.saturating_sub(taken + 4);
    if room < LEAST_NAME {
        return Vec::new();
    }
    let rows: Vec<_> =
        names.iter().zip(numbers).map(|(name, line)| vec![shorten(name, room), line]).collect();
    table(&rows, &[Align::Left, Align::Left], "  ")
}

fn equation_head(shown: &[usize]) -> Vec<String> {
    let names = fates(&Tally::default());
    let mut head = vec!["read".to_owned()];
    for (at, fate) in shown.iter().enumerate() {
        head.push(format!("{} {}", if at == 0 { "=" } else { "+" }, names[*fate].0));
    }
    head
}

fn equation_row(tally: &Tally, shown: &[usize]) -> Vec<String> {
    let mut row = vec![count(tally.read)];
    row.extend(shown.iter().map(|fate| count(fates(tally)[*fate].1)));
    row
}

fn upright(tally: &Tally, shown: &[usize]) -> Vec<String> {
    let mut rows = vec![vec!["  read".to_owned(), count(tally.read)]];
    for (at, fate) in shown.iter().enumerate() {
        let (name, rows_of_it) = fates(tally)[*fate];
        let sign = if at == 0 { "=" } else { "+" };
        rows.push(vec![format!("{sign} {name}"), count(rows_of_it)]);
    }
    table(&rows, &[Align::Left, Align::Right], "  ")
}

/// Trouble of one kind in all inputs.
struct Kind<'a> {
    problem: &'a ProblemSummary,
    input: &'a str,
    count: u64,
}

fn kinds(summary: &Summary, wanted: impl Fn(Severity) -> bool) -> Vec<Kind<'_>> {
    let mut kinds: BTreeMap<(&str, &str, &str), Kind<'_>> = BTreeMap::new();
    for input in &summary.inputs {
        for problem in input.problems.iter().filter(|problem| wanted(problem.severity)) {
            let key = (problem.code.as_str(), problem.rule.as_str(), problem.column.as_str());
            kinds.entry(key).and_modify(|kind| kind.count += problem.count).or_insert(Kind {
                problem,
                input: &input.input,
                count: problem.count,
            });
        }
    }
    let mut kinds: Vec<_> = kinds.into_values().collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    kinds
}

fn problems(summary: &Summary, style: Style) -> Vec<String> {
    let mut lines = vec![String::new()];
    let refused = kinds(summary, |severity| severity == Severity::Critical);
    let rows = plural(summary.tally.rejected, "row");
    if !refused.is_empty() {
        lines.push(style.paint.red(&format!("{rows} refused:")));
        lines.extend(listed(&refused, REFUSALS, summary, style));
    } else if summary.tally.rejected > 0 {
        lines.push(format!("{rows} were refused when it was loaded"));
    }
    let doubtful = kinds(summary, |severity| severity == Severity::Warning);
    let mut about_files: Vec<_> = summary.inputs.iter().flat_map(|input| &input.warnings).collect();
    about_files.dedup();
    if !doubtful.is_empty() || !about_files.is_empty() {
        lines.push(style.paint.yellow("warnings (the rows are loaded, duplicates excepted):"));
        let most = if style.verbose { usize::MAX } else { WARNINGS };
        for warning in about_files.iter().take(most) {
            lines.extend(hang("  ", &safe(warning), style.width));
        }
        if about_files.len() > most {
            let more = plural((about_files.len() - most) as u64, "more finding");
            lines.push(format!("  … and {more} about files"));
        }
        lines.extend(listed(&doubtful, WARNINGS, summary, style));
    }
    let changed: Vec<_> = kinds(summary, |severity| severity == Severity::Info)
        .into_iter()
        .filter(|kind| kind.problem.code == CHANGED)
        .collect();
    if !changed.is_empty() {
        lines.push("changed to one form (--no-fix leaves values as they are written):".to_owned());
        lines.extend(listed(&changed, CHANGES, summary, style));
    }
    if lines.len() > 1 { lines } else { Vec::new() }
}

fn listed(kinds: &[Kind<'_>], most: usize, summary: &Summary, style: Style) -> Vec<String> {
    let most = if style.verbose { usize::MAX } else { most };
    let numbers: Vec<String> = kinds.iter().map(|kind| count(kind.count)).collect();
    let width = numbers.iter().take(most).map(String::len).max().unwrap_or(0).max(5);
    let mut lines = Vec::new();
    for (kind, number) in kinds.iter().zip(&numbers).take(most) {
        let problem = kind.problem;
        let names = [&problem.code, &problem.rule, &problem.column];
        let names: Vec<String> =
            names.iter().filter(|name| !name.is_empty()).map(|name| safe(name)).collect();
        let (why, hint) = why_and_hint(problem);
        let told = format!("{}: {}", names.join(" "), safe(why));
        lines.extend(hang(&format!("  {number:>width$}  "), &told, style.width));
        let detail = detail(kind, hint, summary.inputs.len() > 1);
        if !detail.is_empty() {
            let detail = hang(&" ".repeat(width + 4), &detail, style.width);
            lines.extend(detail.iter().map(|line| style.paint.dim(line)));
        }
    }
    if kinds.len() > most {
        let more = plural((kinds.len() - most) as u64, "more kind");
        lines.push(format!("  … and {more} (-v or --format json lists all)"));
    }
    lines
}

/// One example and what to do.
fn detail(kind: &Kind<'_>, hint: Option<&str>, several: bool) -> String {
    let mut parts = Vec::new();
    if let Some(example) = kind.problem.examples.first() {
        let value = example
            .value
            .as_ref()
            .map_or_else(String::new, |value| format!(": \"{}\"", safe(value)));
        let file =
            if several { format!("{} ", shorten(&safe(kind.input), 28)) } else { String::new() };
        parts.push(format!("{file}{}{value}", place(example)));
    }
    parts.extend(hint.map(safe));
    parts.join(" · ")
}

/// The cell of a workbook, else the row.
pub(super) fn place(example: &Example) -> String {
    match &example.cell {
        Some(cell) => format!("cell {}", safe(cell)),
        None => format!("row {}", count(example.place.row)),
    }
}

/// What to do stands with the finding; where it does not, the code may have some advice.
fn why_and_hint(problem: &ProblemSummary) -> (&str, Option<&str>) {
    let hint = match problem.hint.as_str() {
        "" if problem.severity == Severity::Critical => advice(&problem.code),
        "" => None,
        hint => Some(hint),
    };
    (&problem.message, hint)
}

/// What to do about a code, where there is one answer.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "E201" => "say --encoding, or mend the text",
        "E202" | "E203" => "mend the fields or quotes of the row",
        "E301" => "correct the cell",
        "E302" => "keep one of the two rows",
        "E305" => "fill in the key",
        "E306" => "enter the id again as text",
        _ => return None,
    })
}

fn next_steps(summary: &Summary, style: Style) -> Vec<String> {
    let refused = summary.inputs.iter().filter(|input| input.tally.rejected > 0);
    let files: Vec<&str> =
        refused.filter_map(|input| input.failed_file.as_deref()).map(plain_path).collect();
    let Some(first) = files.first() else {
        return Vec::new();
    };
    let to = match summary.target.as_str() {
        "duckdb:etl.duckdb" => String::new(),
        other => format!(" --to {}", shell(other)),
    };
    let mut distinct = files.clone();
    distinct.dedup();
    let (place, what) = match distinct.len() {
        1 => (shorten(&safe(first), style.width.saturating_sub(41)), shell(first)),
        many => (format!("{} and {} more", safe(first), many - 1), format!("{}{to}", summary.run)),
    };
    vec![
        format!("{} {place}; to correct and load them:", style.paint.bold("refused rows:")),
        format!("  etl failures export {what} --format xlsx"),
        format!("  etl reprocess-failures SHEET{to}"),
    ]
}

fn effort(summary: &Summary, style: Style) -> Vec<String> {
    let fresh: Vec<_> =
        summary.inputs.iter().filter(|input| input.already_loaded_by.is_none()).collect();
    let seconds = summary.seconds.max(1e-3);
    let mut parts = vec![duration(summary.seconds)];
    let rows: u64 = fresh.iter().map(|input| rows_read_now(input)).sum();
    if rows > 0 {
        parts.push(format!("{} rows/s", count((rows as f64 / seconds) as u64)));
        // The size of a resumed input is not what this run has read.
        if fresh.iter().all(|input| input.resumed_from.is_none()) {
            let bytes: u64 = fresh.iter().map(|input| input.bytes).sum();
            if bytes > 0 {
                parts.push(format!("{}/s read", decimal(bytes as f64 / seconds)));
            }
        }
    }
    let limit = binary(summary.memory_limit);
    parts.push(match summary.peak_memory {
        Some(peak) => format!("peak memory {} of {limit}", binary(peak)),
        None => format!("memory limit {limit}"),
    });
    if summary.retries > 0 {
        parts.push(format!("went on by itself {} times", summary.retries));
    }
    let mut lines = vec![parts.join(" · ")];
    let agents = agents(&fresh);
    if !agents.is_empty() {
        let work: Vec<_> =
            agents.iter().map(|(name, ms)| format!("{name} {}", work_time(*ms))).collect();
        lines.extend(hang("agents: ", &work.join(", "), style.width));
    }
    lines.extend(facts(&fresh).iter().flat_map(|told| hang("", told, style.width)));
    if !summary.run.is_empty() {
        lines.push(format!("run {}", safe(&summary.run)));
    }
    lines.iter().map(|line| style.paint.dim(line)).collect()
}

/// Time at work, all threads together.
fn work_time(ms: u64) -> String {
    match ms {
        0..60_000 => format!("{:.1} s", ms as f64 / 1e3),
        _ => duration(ms as f64 / 1e3),
    }
}

/// Rows that this run has read itself: a resumed input counts what was read before as well.
fn rows_read_now(input: &InputSummary) -> u64 {
    input.agents.first().map_or(input.tally.read, |agent| agent.rows)
}

/// What agents have counted, but for what there was none of.
fn facts(inputs: &[&InputSummary]) -> Option<String> {
    let mut facts: Vec<(&str, u64)> = Vec::new();
    for (name, number) in inputs.iter().flat_map(|input| &input.facts) {
        match facts.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += number,
            None => facts.push((name, *number)),
        }
    }
    let some = facts.iter().filter(|(_, number)| *number > 0);
    let told: Vec<_> = some.map(|(name, number)| format!("{name} {}", count(*number))).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn agents<'a>(inputs: &[&'a InputSummary]) -> Vec<(&'a str, u64)> {
    let mut agents: Vec<(&str, u64)> = Vec::new();
    for reading in inputs.iter().flat_map(|input| &input.agents) {
        match agents.iter_mut().find(|(name, _)| *name == reading.agent) {
            Some((_, ms)) => *ms += reading.busy_ms,
            None => agents.push((&reading.agent, reading.busy_ms)),
        }
    }
    agents
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
