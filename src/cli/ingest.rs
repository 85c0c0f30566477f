//! `etl ingest`: load files into the target.

use super::args::LoadArgs;
use super::context::Context;
use super::error::CliError;
use super::summary::{Style, render};
use super::watched::watched;
use super::{alert, exit, output, plan};
use crate::config::Settings;
use crate::flow::{Observer, Stop};
use crate::run::{self, RunError, RunErrorKind, Summary};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  etl ingest broward_2025.xlsx
  etl ingest NAL16P202501.csv SDF16P202501.csv --to duckdb:rolls.duckdb
  etl ingest 'rolls/*.zip' --mode merge --max-error-rate 1%
  etl ingest listings.csv --type generic --table listings --mode replace
  etl ingest broward_2025.xlsx --dry-run
  unzip -p roll.zip | etl ingest - --type nal --county broward --year 2025

Stop it anywhere and run the same command again: it goes on from the last
commit. A file that is loaded already is known by its content and changes
nothing. Refused rows go to *.failed.jsonl beside the target.";

/// Load files into the target
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Ingest {
    /// Files, folders or patterns (CSV, TXT, XLSX, XLS, XLSB, ODS, Parquet; also in .zip, .gz and
    /// .zst), - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Show what would be done, like `etl plan`
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    load: LoadArgs,
}

impl Ingest {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.load.json()
    }

    /// Loads, and tells what was done.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        if self.dry_run {
            return plan::show(context, &self.load, &self.inputs, false);
        }
        let settings = context.settings(self.load.partial(), self.load.rules_file())?;
        let asked = self.load.ask(&self.inputs, &settings, context)?;
        let work =
            |observer: &dyn Observer, stop: &Stop| run::ingest(&asked.request, observer, stop);
        perform(context, &settings, self.json(), work)
    }
}

/// Runs work that ends in a summary, under signals and with progress.
pub fn perform(
    context: &Context,
    settings: &Settings,
    json: bool,
    work: impl FnOnce(&dyn Observer, &Stop) -> Result<Summary, RunError>,
) -> Result<u8, CliError> {
    let result = watched(context, settings, work);
    match &result {
        Ok(summary) => alert::after(summary, settings, &context.env),
        Err(error) => alert::given_up(error, settings, &context.env),
    }
    let summary = result.map_err(explain_interrupt)?;
    if json {
        output::json(&summary)?;
    } else if !context.global.quiet {
        let paint = context.paint(settings);
        let verbose = context.global.verbose > 0;
        output::stdout(&render(&summary, Style { paint, width: context.width(), verbose }))?;
    }
    Ok(exit::of_summary(&summary, settings.ui().rejects_ok))
}

fn explain_interrupt(error: RunError) -> RunError {
    if matches!(error.kind, RunErrorKind::Interrupted(_)) && error.hints.is_empty() {
        error.with_hint("resume with the same command")
    } else {
        error
    }
}
