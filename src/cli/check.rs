//! `etl check`: everything but the load.

use super::args::LoadArgs;
use super::context::Context;
use super::error::CliError;
use super::exit;
use super::ingest::perform;
use crate::flow::{Observer, Stop};
use crate::run;
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  etl check broward_2025.xlsx
  etl check rolls/ --format json

Exit code 0 when every row would be loaded, 5 when rows would be refused.";

/// Do everything but the load, and say what is wrong
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Check {
    /// Files, folders or patterns, - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    load: LoadArgs,
}

impl Check {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.load.json()
    }

    /// Checks, and tells what was found.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let settings = context.settings(self.load.partial(), self.load.rules_file())?;
        let asked = self.load.ask(&self.inputs, &settings, context)?;
        let work =
            |observer: &dyn Observer, stop: &Stop| run::check(&asked.request, observer, stop);
        perform(context, &settings, self.json(), work)
    }
}
