//! Tells whether a damaged roll was loaded as its truth file says. `scripts/damage.sh` runs it.

mod compare;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use compare::{Case, compare};

/// Compares a loaded roll with its truth file.
#[derive(Parser)]
#[command(name = "damage")]
struct Args {
    /// Truth file of the damaged roll
    truth: PathBuf,
    /// Table of the roll
    table: String,
    /// Database with the damaged roll; its failed rows lie beside it
    damaged: PathBuf,
    /// Database with the clean roll
    clean: PathBuf,
    /// The roll is a workbook: cells have addresses
    #[arg(long)]
    workbook: bool,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]
fn main() -> ExitCode {
    let Args { truth, table, damaged, clean, workbook } = Args::parse();
    match compare(&Case { truth, table, damaged, clean, workbook }) {
        Ok(report) => {
            println!("{report}");
            println!("{} kinds of damage", report.kinds());
            if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("damage: {error}");
            ExitCode::from(2)
        }
    }
}
