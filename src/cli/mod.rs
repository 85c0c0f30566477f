//! The command line: flags and settings in, text and exit codes out.
//!
//! The only room that prints, reads the environment and the home folder, and ends the program.

mod alert;
mod args;
mod check;
mod completions;
mod conceal;
mod config;
mod context;
mod diff;
mod doctor;
mod error;
pub mod exit;
mod failures;
mod files;
mod gold;
mod ingest;
mod insight;
mod machine;
mod output;
mod plan;
mod pressure;
mod profile;
mod progress;
mod read_legacy;
mod report;
mod report_error;
mod reprocess;
mod runs;
#[cfg(test)]
mod sample;
mod signals;
mod sql;
mod stdin;
mod summary;
mod text;
mod verify;
mod watched;
mod webhook;

use crate::config::may_hold_secret;
use args::GlobalArgs;
use clap::error::{ContextKind, ErrorKind};
use clap::{Parser, Subcommand};
use context::Context;
use error::CliError;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  etl plan broward_2025.xlsx              what would be done, without loading
  etl ingest broward_2025.xlsx            load into ./etl.duckdb
  etl ingest 'rolls/*.zip' --to duckdb:rolls.duckdb
  etl sql \"SELECT county, count(*) FROM parcels GROUP BY county\"
  etl failures export broward_2025.failed.jsonl --format xlsx
  etl reprocess-failures broward_2025.corrected.xlsx

Flags are also keys of etl.toml and variables: --memory-limit is memory_limit
and ETL_MEMORY_LIMIT. `etl config show` prints each value and its origin.
";

/// Loads property rolls and other tables into a database: exactly once, in bounded memory, with
/// every row accounted for
#[derive(Debug, Parser)]
#[command(name = "etl", version, max_term_width = 100, after_help = after_help())]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

fn after_help() -> String {
    format!("{EXAMPLES}\n{}", exit::HELP)
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load files into the target
    Ingest(Box<ingest::Ingest>),
    /// Show what ingest would do, without loading
    Plan(Box<plan::Plan>),
    /// Do everything but the load, and say what is wrong
    Check(Box<check::Check>),
    /// Say what the columns of files hold, and what looks wrong
    Profile(Box<profile::Profile>),
    /// Load refused rows again, after they or the rules were corrected
    ReprocessFailures(Box<reprocess::Reprocess>),
    /// List, show or export refused rows
    Failures(failures::Failures),
    /// Make a page of what a run did, or of what is in a file
    Report(Box<report::Report>),
    /// Build views and tables for analysts in the target
    Gold(gold::Gold),
    /// Tell what changed between two rolls: years of the target, or files
    Diff(Box<diff::Diff>),
    /// List or show the runs of a target
    Runs(runs::Runs),
    /// Read the source of a run again and compare it with the target
    Verify(Box<verify::Verify>),
    /// Look at memory, disk and target
    Doctor(doctor::Doctor),
    /// Ask the target a question, read-only
    Sql(sql::Sql),
    /// Show the settings and where they come from
    Config(config::Config),
    /// Write a completion script for a shell
    Completions(completions::Completions),
    /// Parse an old workbook for another process of this program
    #[command(hide = true)]
    ReadLegacy(read_legacy::ReadLegacy),
}

impl Command {
    fn json(&self) -> bool {
        match self {
            Self::Ingest(verb) => verb.json(),
            Self::Plan(verb) => verb.json(),
            Self::Check(verb) => verb.json(),
            Self::Profile(verb) => verb.json(),
            Self::ReprocessFailures(verb) => verb.json(),
            Self::Failures(verb) => verb.json(),
            Self::Report(verb) => verb.json(),
            Self::Gold(verb) => verb.json(),
            Self::Diff(verb) => verb.json(),
            Self::Runs(verb) => verb.json(),
            Self::Verify(verb) => verb.json(),
            Self::Doctor(verb) => verb.json(),
            Self::Sql(verb) => verb.json(),
            Self::Config(verb) => verb.json(),
            Self::Completions(_) | Self::ReadLegacy(_) => false,
        }
    }

    fn run(&self, context: &Context) -> Result<u8, CliError> {
        match self {
            Self::Ingest(verb) => verb.run(context),
            Self::Plan(verb) => verb.run(context),
            Self::Check(verb) => verb.run(context),
            Self::Profile(verb) => verb.run(context),
            Self::ReprocessFailures(verb) => verb.run(context),
            Self::Failures(verb) => verb.run(context),
            Self::Report(verb) => verb.run(context),
            Self::Gold(verb) => verb.run(context),
            Self::Diff(verb) => verb.run(context),
            Self::Runs(verb) => verb.run(context),
            Self::Verify(verb) => verb.run(context),
            Self::Doctor(verb) => verb.run(context),
            Self::Sql(verb) => verb.run(context),
            Self::Config(verb) => verb.run(context),
            Self::Completions(verb) => verb.run(),
            Self::ReadLegacy(verb) => verb.run(),
        }
    }
}

/// Runs the program. `give_back` gives what its allocator keeps of freed memory back to the system.
pub fn main(give_back: fn()) -> ExitCode {
    conceal::conceal();
    crate::duck::few_memory_pools();
    report_error::install_panic_hook();
    // A panic on this thread has been told by the hook; what is left is the exit code.
    let code = std::panic::catch_unwind(|| run(give_back)).unwrap_or(exit::FAILED);
    ExitCode::from(code)
}

fn run(give_back: fn()) -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(error),
    };
    let context = Context::new(cli.global, give_back);
    context.start_log();
    match cli.command.run(&context) {
        Ok(code) => code,
        Err(error) => report_error::report(&error, cli.command.json(), context.paint_stderr()),
    }
}

/// Help and version go to stdout and are no errors.
fn usage(mut error: clap::Error) -> u8 {
    if error.kind() == ErrorKind::UnknownArgument {
        // How to give a file of that name: nobody who has mistyped a flag has one.
        error.remove(ContextKind::Suggested);
    }
    // An address in the wrong place would be repeated with its password.
    let given = std::env::args_os().skip(1).filter_map(|argument| argument.into_string().ok());
    let secrets: Vec<_> = given.filter(|text| may_hold_secret(text)).collect();
    let printed = match secrets.as_slice() {
        [] => error.print(),
        secrets => {
            let hide = |text: String, secret: &String| text.replace(secret.as_str(), "***");
            let text = secrets.iter().fold(error.render().to_string(), hide);
            output::stderr(text.trim_end());
            Ok(())
        }
    };
    match printed {
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => exit::FAILED,
        _ if error.use_stderr() => exit::USAGE,
        _ => exit::DONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_is_a_flag_of_ingest() {
        let cli = Cli::command();
        let ingest = cli.find_subcommand("ingest").expect("a command");
        let longs: Vec<_> = ingest
            .get_arguments()
            .chain(cli.get_arguments())
            .filter_map(|arg| arg.get_long())
            .collect();
        for key in KEYS {
            let flag = key.name.replace('_', "-");
            assert!(longs.contains(&flag.as_str()), "--{flag}");
        }
    }
}
