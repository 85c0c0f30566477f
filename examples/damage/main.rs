//! Tells whether a damaged roll was loaded as its truth file says, and corrects the refused rows.
//! `scripts/damage.sh` runs it.

mod compare;
mod correct;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use compare::{Case, compare};
use correct::correct;

#[derive(Parser)]
#[command(name = "damage")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Compares a loaded roll with its truth file
    Compare {
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
        /// The refused rows were corrected and loaded since
        #[arg(long)]
        corrected: bool,
    },
    /// Puts the right values into an exported sheet of refused rows
    Correct {
        /// Truth file of the damaged roll
        truth: PathBuf,
        /// The sheet, an XLSX workbook
        sheet: PathBuf,
    },
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]
fn main() -> ExitCode {
    let done = match Args::parse().what {
        What::Compare { truth, table, damaged, clean, workbook, corrected } => {
            let case = Case { truth, table, damaged, clean, workbook, corrected };
            compare(&case).map(|report| {
                println!("{report}");
                println!("{} kinds of damage", report.kinds());
                report.is_sound()
            })
        }
        What::Correct { truth, sheet } => correct(&truth, &sheet).map(|cells| {
            println!("{cells} cells corrected");
            true
        }),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("damage: {error}");
            ExitCode::from(2)
        }
    }
}
