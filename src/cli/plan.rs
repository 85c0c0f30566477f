//! `etl plan`: what ingest would do, without loading.

use super::args::LoadArgs;
use super::context::Context;
use super::error::CliError;
use super::progress::Progress;
use super::text::{Align, Paint, binary, clip, count, hang, plural, safe, table, wrap};
use super::{exit, files, output};
use crate::run::{self, InputPlan, SampleResult};
use clap::Args;

/// Most columns that are printed without `-v`.
const COLUMNS: usize = 12;
/// Characters of the longest name that has its text beside it.
const LONGEST_NAME: usize = 14;

const EXAMPLES: &str = "\
Examples:
  etl plan broward_2025.xlsx
  etl plan broward_2025.xlsx -v              with every column
  etl plan broward_2025.xlsx --ddl           the statement that makes the table
  etl plan rolls/*.zip --format json

Nothing is written: neither to the target nor beside it.";

/// Show what ingest would do, without loading
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Plan {
    /// Files, folders or patterns, - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Show the statement that makes each table
    #[arg(long)]
    ddl: bool,
    #[command(flatten)]
    load: LoadArgs,
}

impl Plan {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.load.json()
    }

    /// Plans, and tells.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        show(context, &self.load, &self.inputs, self.ddl)
    }
}

/// Plans a load and prints the plan; also `etl ingest --dry-run`.
pub fn show(
    context: &Context,
    load: &LoadArgs,
    inputs: &[String],
    ddl: bool,
) -> Result<u8, CliError> {
    let settings = context.settings(load.partial(), load.rules_file())?;
    let asked = load.ask(inputs, &settings, context)?;
    let progress = Progress::start(context.progress(&settings));
    let result = run::plan(&asked.request, &progress);
    drop(progress);
    let plan = result?;
    if load.json() {
        output::json(&plan)?;
    } else {
        let style = Style {
            paint: context.paint(&settings),
            width: context.width(),
            all: context.global.verbose > 0,
            ddl,
        };
        output::stdout(&render(&plan, style))?;
    }
    Ok(exit::of_failed(&plan.failed_inputs))
}

#[derive(Debug, Clone, Copy)]
struct Style {
    paint: Paint,
    width: usize,
    all: bool,
    ddl: bool,
}

fn render(plan: &run::Plan, style: Style) -> String {
    let mut lines = Vec::new();
    for input in &plan.inputs {
        lines.extend(one(input, style));
        lines.push(String::new());
    }
    lines.extend(files::skipped(&plan.skipped, style.width, style.all));
    lines.extend(files::warnings(&plan.warnings, style.paint, style.width));
    lines.extend(files::failed(&plan.failed_inputs, style.paint));
    let threads = plural(plan.threads as u64, "thread");
    let parts: Vec<_> = plan
        .memory
        .iter()
        .map(|(name, bytes)| format!("{} {}", safe(name), binary(*bytes)))
        .collect();
    lines.push(format!("target {} · {threads} · memory: {}", safe(&plan.target), parts.join(", ")));
    lines.push(style.paint.dim("nothing was loaded; `etl ingest` with the same arguments does it"));
    lines.join("\n") + "\n"
}

fn one(input: &InputPlan, style: Style) -> Vec<String> {
    let paint = style.paint;
    let mut lines = vec![paint.bold(&safe(&input.input))];
    let mut facts = vec![
        ("is".to_owned(), format!("{} ({})", safe(&input.plain), safe(&input.evidence))),
        ("goes to".to_owned(), format!("table {}, mode {}", safe(&input.table), safe(&input.mode))),
        ("state".to_owned(), safe(&input.state)),
    ];
    facts.extend(pairs(&input.facts));
    facts.extend(pairs(&input.format));
    facts.extend(pairs(&input.strategy));
    lines.extend(aligned(&facts, style.width));
    lines.extend(columns(input, style));
    lines.extend(section("agents", &pairs(&input.agents), style));
    lines.extend(section("not in such a file", &pairs(&input.absent), style));
    lines.extend(sample(&input.sample, style));
    if style.all {
        lines.extend(section("rules that are not checked", &pairs(&input.unchecked), style));
    }
    for warning in &input.warnings {
        lines.push(format!("  {} {}", paint.yellow("warning:"), safe(warning)));
    }
    if style.ddl {
        lines.push(String::new());
        lines.extend(input.ddl.lines().map(|line| format!("  {}", safe(line))));
    }
    lines
}

fn pairs(pairs: &[(String, String)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| (safe(name), safe(text))).collect()
}

/// Names at the left, their texts wrapped beside them.
fn aligned(pairs: &[(String, String)], width: usize) -> Vec<String> {
    let longest = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let left = longest.min(LONGEST_NAME);
    let mut lines = Vec::new();
    for (name, text) in pairs {
        let mut texts = wrap(text, width.saturating_sub(left + 4).max(20));
        // A name that is too long stands above its text.
        if name.chars().count() > left {
            lines.extend(wrap(name, width - 2).iter().map(|line| format!("  {line}")));
            lines.extend(texts.iter().map(|line| format!("  {:left$}  {line}", "")));
            continue;
        }
        let first = texts.remove(0);
        lines.push(format!("  {name:<left$}  {first}").trim_end().to_owned());
        lines.extend(texts.iter().map(|line| format!("  {:left$}  {line}", "")));
    }
    lines
}

fn section(title: &str, pairs: &[(String, String)], style: Style) -> Vec<String> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("  {}", style.paint.bold(title))];
    lines.extend(aligned(pairs, style.width - 2).iter().map(|line| format!("  {line}")));
    lines
}

fn columns(input: &InputPlan, style: Style) -> Vec<String> {
    let most = if style.all { usize::MAX } else { COLUMNS };
    let number = input.columns.len();
    let mut lines = vec![format!("  {} bound", style.paint.bold(&plural(number as u64, "column")))];
    let rows: Vec<_> = input
        .columns
        .iter()
        .take(most)
        .map(|column| {
            let texts = [&column.header, &column.name, &column.kind, &column.role, &column.note];
            texts.map(|text| safe(text)).to_vec()
        })
        .collect();
    let table = table(&rows, &[Align::Left; 5], "    ");
    lines.extend(table.into_iter().map(|line| match style.all {
        true => line,
        false => clip(&line, style.width),
    }));
    if number > most {
        lines.push(format!("    … and {} more (-v lists all)", count((number - most) as u64)));
    }
    for (what, names) in [("missing", &input.missing), ("unknown, to _extra", &input.unknown)] {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(|name| safe(name)).collect();
            let line = format!("  {what}: {}", names.join(", "));
            lines.push(if style.all { line } else { clip(&line, style.width) });
        }
    }
    lines
}

fn sample(sample: &SampleResult, style: Style) -> Vec<String> {
    if sample.rows == 0 {
        return Vec::new();
    }
    let rows = plural(sample.rows, "row");
    let (rejected, warnings) = (count(sample.rejected), plural(sample.warnings, "warning"));
    let mut lines = vec![format!(
        "  {} of {rows}: {rejected} rejected, {warnings}",
        style.paint.bold("sample")
    )];
    for problem in &sample.problems {
        let example = problem.examples.first().map_or_else(String::new, |example| {
            let value = example.value.as_deref().map(safe);
            let value = value.map_or_else(String::new, |value| format!(" \"{value}\""));
            format!(" ({}{value})", super::summary::place(example))
        });
        let names = [&problem.code, &problem.rule, &problem.column];
        let names: Vec<_> =
            names.iter().filter(|name| !name.is_empty()).map(|name| safe(name)).collect();
        let number = count(problem.count);
        let told = format!("{}: {}{example}", names.join(" "), safe(&problem.message));
        lines.extend(hang(&format!("    {number}  "), &told, style.width));
    }
    lines
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
