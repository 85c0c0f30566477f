//! Does to loads what machines, networks and people do to them, and looks at what is left:
//! `scripts/reliability.sh` calls it.
//!
//! Each trial begins with an empty target, loads a made-up roll of sales while something goes wrong,
//! gives the same command until it ends, and compares with a load that nobody disturbed: every row
//! once, the same failed records, an account without a gap.

mod changed;
#[path = "../../tests/it/pg_proxy.rs"]
mod pg_proxy;
mod place;
mod report;
mod server;
mod trials;

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a step comes to.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Faults for loads.
#[derive(Debug, Clone, Parser)]
#[command(name = "faults")]
pub struct Args {
    /// The built program
    #[arg(long)]
    pub etl: PathBuf,
    /// The built example that makes rolls
    #[arg(long)]
    pub roll: PathBuf,
    /// scripts/postgres.sh
    #[arg(long)]
    pub postgres: PathBuf,
    /// What chooses the moments: the same number, the same choices
    #[arg(long)]
    pub seed: u64,
    /// Rows of the roll
    #[arg(long, default_value_t = 16_000)]
    pub rows: u32,
    /// Kills of each target
    #[arg(long, default_value_t = 8)]
    pub kills: u32,
    /// Kills and restarts of the server, and connections that it ends
    #[arg(long, default_value_t = 2)]
    pub restarts: u32,
    /// Cuts of the line at a COMMIT, of each kind
    #[arg(long, default_value_t = 6)]
    pub cuts: u32,
    /// Disks that are full, of each kind
    #[arg(long, default_value_t = 1)]
    pub full: u32,
    /// Two runs at once
    #[arg(long, default_value_t = 2)]
    pub pairs: u32,
    /// Failed-record files that were damaged behind their last commit
    #[arg(long, default_value_t = 2)]
    pub torn: u32,
    /// Kills of a replay of failed records
    #[arg(long, default_value_t = 2)]
    pub replays: u32,
    /// Kills through a pooler in transaction mode
    #[arg(long, default_value_t = 2)]
    pub pooled: u32,
    /// Files that change while they are loaded, of each target
    #[arg(long, default_value_t = 4)]
    pub changes: u32,
    /// Where the table goes; else to the terminal
    #[arg(long)]
    pub out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match trials::all(&args).and_then(|found| report::write(&args, &found)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
