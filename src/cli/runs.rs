//! `etl runs`: the runs of a target.

use super::args::{Format, TargetArgs};
use super::context::Context;
use super::error::CliError;
use super::summary::{Style, render};
use super::text::{Align, Paint, count, safe, table};
use super::{exit, output};
use crate::load::ledger::{CountRow, RunRow};
use crate::run::{TargetUrl, history};
use clap::{Args, Subcommand};
use std::collections::BTreeSet;

/// List or show the runs of a target
#[derive(Debug, Args)]
pub struct Runs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All runs, newest first
    List(List),
    /// The summary of one run
    Show(Show),
    /// How many rows the tables hold of each county and year, without scanning them
    Counts(List),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    target: TargetArgs,
    /// How the result is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Args)]
struct Show {
    /// Run, or `latest`
    #[arg(default_value = "latest", value_name = "RUN")]
    run: String,
    #[command(flatten)]
    target: TargetArgs,
    /// How the result is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

impl Runs {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        let format = match &self.command {
            Command::List(list) | Command::Counts(list) => list.format,
            Command::Show(show) => show.format,
        };
        format == Format::Json
    }

    /// Lists or shows.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let target = match &self.command {
            Command::List(list) | Command::Counts(list) => &list.target,
            Command::Show(show) => &show.target,
        };
        let settings = context.settings(target.partial(), None)?;
        let target = settings.target(&context.env)?;
        let paint = context.paint(&settings);
        match &self.command {
            Command::List(_) => {
                let runs = history::list(&target)?;
                if self.json() {
                    output::json(&runs)?
                } else {
                    output::stdout(&listed(&runs, paint))?
                }
            }
            Command::Counts(_) => {
                let counts = history::counts(&target)?;
                if self.json() {
                    output::json(&counts)?
                } else {
                    output::stdout(&counted(&counts, paint))?
                }
            }
            Command::Show(show) => self.show(context, &target, &show.run, paint)?,
        }
        Ok(exit::DONE)
    }

    fn show(
        &self,
        context: &Context,
        target: &TargetUrl,
        run: &str,
        paint: Paint,
    ) -> Result<(), CliError> {
        let summary = history::show(target, run)?;
        if self.json() {
            return output::json(&summary);
        }
        let style = Style { paint, width: context.width(), verbose: true };
        output::stdout(&render(&summary, style))
    }
}

fn listed(runs: &[RunRow], paint: Paint) -> String {
    if runs.is_empty() {
        return "no runs yet\n".to_owned();
    }
    let head = ["run", "started", "status", "tables", "read", "inserted", "rejected"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|run| {
        vec![
            safe(&run.run),
            safe(&run.started),
            run.status.to_string(),
            safe(&run.tables.join(", ")),
            count(run.tally.read),
            count(run.tally.inserted),
            count(run.tally.rejected),
        ]
    }));
    let (left, right) = (Align::Left, Align::Right);
    let mut lines = table(&rows, &[left, left, left, left, right, right, right], "");
    lines[0] = paint.bold(&lines[0]);
    lines.join("\n") + "\n"
}

fn counted(counts: &[CountRow], paint: Paint) -> String {
    if counts.is_empty() {
        return "nothing is loaded yet\n".to_owned();
    }
    let head = ["table", "of", "rows", "counted", "run"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let schemas: BTreeSet<_> = counts.iter().filter_map(|row| row.schema.as_ref()).collect();
    let table_of = |row: &CountRow| match &row.schema {
        Some(schema) if schemas.len() > 1 => format!("{schema}.{}", row.table),
        _ => row.table.clone(),
    };
    rows.extend(counts.iter().map(|row| {
        let scope: Vec<_> =
            row.scope.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let scope = if scope.is_empty() { "all".to_owned() } else { scope.join(", ") };
        let texts = [&row.counted, &row.run].map(|text| safe(text));
        let [counted, run] = texts;
        vec![safe(&table_of(row)), safe(&scope), count(row.rows), counted, run]
    }));
    let (left, right) = (Align::Left, Align::Right);
    let mut lines = table(&rows, &[left, left, right, left, left], "");
    lines[0] = paint.bold(&lines[0]);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Tally;
    use crate::load::ledger::RunState;

    #[test]
    fn runs_stand_in_a_table() {
        let run = RunRow {
            run: "01JD7Q4Z8W3M5N6P7R8S9T0V1X".into(),
            started: "2025-07-01 10:00:00".into(),
            finished: None,
            schema: None,
            status: RunState::Running,
            error: None,
            command: "etl ingest sdf.csv".into(),
            inputs: 1,
            tables: vec!["sales".into()],
            tally: Tally { read: 95_332, inserted: 95_000, rejected: 332, ..Tally::default() },
            seconds: 1.0,
        };
        insta::assert_snapshot!(listed(&[run], Paint(false)));
        assert_eq!(listed(&[], Paint(false)), "no runs yet\n");
    }
}
