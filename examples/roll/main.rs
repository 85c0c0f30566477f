//! Writes synthetic Florida DOR rolls of any size, clean or damaged, with the truth beside them.
//! The same arguments give the same bytes. See README.md beside this file.

mod columns;
mod county;
mod damage;
mod harm;
mod nal;
mod nap;
mod owner;
mod parcel;
mod places;
mod plan;
mod rng;
mod roll;
mod row;
mod sales;
mod sdf;
mod sink;
#[cfg(test)]
mod tests;
mod truth;
mod uses;
mod value;
mod write;
mod xlsx;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use county::County;
use roll::{Kind, Release, World};
use sink::Format;
use write::Job;

/// Writes a synthetic roll: deterministic by seed, clean or damaged, with the truth beside it.
#[derive(Parser)]
#[command(name = "roll")]
struct Args {
    /// Which roll
    kind: Kind,
    /// Rows of the clean roll; each `duplicate-key` adds one to the damaged roll
    #[arg(long)]
    rows: u64,
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// DOR county number, 11 to 77
    #[arg(long, default_value_t = 16)]
    county: u8,
    /// Roll year
    #[arg(long, default_value_t = 2025, value_parser = clap::value_parser!(i64).range(2015..=2099))]
    year: i64,
    #[arg(long, value_enum, default_value = "P")]
    release: Release,
    /// Submission number
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=99))]
    submission: u8,
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Share of damaged rows: `1%` or `0.01`
    #[arg(long, default_value = "0", value_parser = share)]
    damage: f64,
    /// Kinds of damage, by name or by end: `all`, `rejected`, `duplicate`, `warning`, `repaired`
    #[arg(long, default_value = "all")]
    kinds: String,
    /// The roll; by default the DOR's file name in the current folder
    #[arg(long)]
    out: Option<PathBuf>,
    /// The same roll without damage
    #[arg(long)]
    clean: Option<PathBuf>,
}

#[expect(clippy::print_stderr, reason = "a program of its own")]
fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(summary) => {
            eprintln!("{summary}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("roll: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<String, String> {
    let county = County::find(args.county)
        .ok_or_else(|| format!("no county {}; numbers run from 11 to 77", args.county))?;
    if args.rows > county.capacity() {
        return Err(format!("ids of {} end after {} rows", county.name, county.capacity()));
    }
    let harms = match args.damage {
        0.0 => Vec::new(),
        _ => harm::choose(&args.kinds, args.kind, args.format, &county)?,
    };
    let world = World {
        county,
        year: args.year,
        release: args.release,
        submission: args.submission,
        seed: args.seed,
    };
    let named = || PathBuf::from(format!("{}.{}", world.stem(args.kind), args.format.extension()));
    let job = Job {
        kind: args.kind,
        rows: args.rows,
        format: args.format,
        share: args.damage,
        harms,
        out: args.out.unwrap_or_else(named),
        clean: args.clean,
    };
    write::write(&world, &job)
}

/// `1%` or `0.01`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse::<f64>().map_err(|error| error.to_string())? / unit;
    if (0.0..=0.5).contains(&share) { Ok(share) } else { Err("from 0 to 50%".into()) }
}
