//! Runs the program and its readers over folders of public test files and writes what came of it as
//! one Markdown table. scripts/scores.sh calls it.
//!
//! Files are loaded by the built program itself, each in a process of its own with a time limit, so
//! that a crash or a hang is counted and not suffered. Values are compared through the library.

mod answers;
mod floors;
mod pollock;
mod read;
mod report;
mod sweep;

use clap::Parser;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a step comes to.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Scores over folders of test files.
#[derive(Parser)]
#[command(name = "scores")]
struct Args {
    /// Folder of the sets
    corpora: PathBuf,
    /// The built program
    #[arg(long)]
    etl: PathBuf,
    /// File to write
    #[arg(long)]
    out: PathBuf,
    /// Date at the head of the file
    #[arg(long)]
    date: String,
    /// File of scores that may not be undercut; also a crash, a hang or a refusal without a code
    /// is then a failure
    #[arg(long)]
    floors: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if this fails.
            let _ = writeln!(std::io::stderr(), "scores: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Outcome {
    if !args.corpora.is_dir() {
        let folder = args.corpora.display();
        writeln!(std::io::stderr(), "scores: there is no folder {folder}; nothing is scored")?;
        return Ok(());
    }
    let sweeps = sweep::all(&args.corpora, &args.etl)?;
    let spectrum = answers::spectrum(&args.corpora.join("csv-spectrum"))?;
    let pollock = pollock::score(&args.corpora.join("pollock"))?;
    let report = report::Report { date: &args.date, sweeps, spectrum, pollock };
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&args.out, report.to_string())?;
    writeln!(std::io::stdout(), "{}", args.out.display())?;
    let Some(floors) = &args.floors else { return Ok(()) };
    let failures = floors::read(floors)?.failures(&report);
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}
