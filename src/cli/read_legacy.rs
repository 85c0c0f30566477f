//! `etl read-legacy`, which the program calls itself: parses one old workbook under limits.
//!
//! What it must not do is outlive its caller or take the machine with it: it limits its memory and
//! time before it looks at the file, and ends when its stdin is closed.

use super::error::CliError;
use super::exit;
use crate::source::legacy::{Kind, serve};
use clap::Args;
use std::io::{Read, Write};
use std::path::PathBuf;

/// The processor time is a last resort, for when nobody watches any more.
const CPU_FACTOR: u64 = 10;

/// Parse an old workbook for another process of this program
#[derive(Debug, Args)]
pub struct ReadLegacy {
    /// xls, xlsb or ods
    #[arg(long, value_parser = kind)]
    kind: Kind,
    /// Most bytes of memory
    #[arg(long)]
    memory: u64,
    /// Seconds that the caller waits for a word
    #[arg(long)]
    seconds: u64,
    /// The workbook
    path: PathBuf,
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::named(name).ok_or_else(|| format!("`{name}` is no kind of old workbook"))
}

impl ReadLegacy {
    /// Parses, and writes frames to stdout.
    pub fn run(&self) -> Result<u8, CliError> {
        limit(self.memory, self.seconds.saturating_mul(CPU_FACTOR));
        std::thread::Builder::new().name("caller".into()).spawn(end_with_caller)?;
        let mut out = std::io::BufWriter::with_capacity(1 << 18, std::io::stdout().lock());
        serve(self.kind, &self.path, &mut out)?;
        out.flush()?;
        Ok(exit::DONE)
    }
}

/// The caller holds our stdin and says nothing on it: its end is the caller's.
#[expect(clippy::exit, reason = "the parser cannot be asked to stop, and nobody waits for it")]
fn end_with_caller() {
    let mut byte = [0; 1];
    while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
    std::process::exit(i32::from(exit::FAILED));
}

/// Limits this process. Where the system refuses, the caller's watch over time remains.
#[cfg(unix)]
fn limit(memory: u64, seconds: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Code, libraries and stacks, which the address space counts as well.
    const PROGRAM: u64 = 1 << 30;
    let wanted = [
        (Resource::Data, memory),
        (Resource::As, memory.saturating_add(PROGRAM)),
        (Resource::Cpu, seconds),
        (Resource::Core, 0),
    ];
    for (resource, most) in wanted {
        let most = getrlimit(resource).maximum.map_or(most, |allowed| allowed.min(most));
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        if let Err(error) = setrlimit(resource, limit) {
            tracing::warn!(?resource, %error, "a limit cannot be set");
        }
    }
}

#[cfg(not(unix))]
fn limit(_memory: u64, _seconds: u64) {}
