//! How the memory limit is divided, and the peak as the system tells it.

use super::request::Request;
use crate::load::keys;

/// Shares of the limit, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// DuckDB's own limit for the target.
    pub target: u64,
    /// Chunks in flight, and for a workbook its shared strings.
    pub chunks: u64,
    /// Of these, at most: shared strings in memory; more go to a temporary file.
    pub strings: u64,
    /// Keys of an input's rows in memory; more go to temporary files.
    pub keys: u64,
    /// Inserted rows of a commit, in row groups.
    pub groups: u64,
    /// Writers at the same time.
    pub writers: usize,
}

/// What the program takes beside its shares: code and libraries (85 MB), the agents' engine, what
/// DuckDB holds beyond its own limit, and what the allocators keep. Measured on a roll of 223
/// columns, derived ones included, with two workers; the least shares below are more than what is left at
/// 320 MiB.
pub const FIXED: u64 = 275 << 20;

/// The same for a second writer.
const SECOND_WRITER: u64 = 33 << 20;

/// Row groups of a commit where one writer works alone: fewer commits, each waits for the disk.
const GROUPS_ALONE: u64 = 8;

/// Row groups of a commit where two writers share the commits. DuckDB compresses the last one of a
/// commit under a lock of the table and those before it beside the other writer; a third one makes
/// both spill under 512 MiB (5.4 s, with one row group 6.1 s, with three 7.3 s; types only, 750,000
/// rows, measured).
const GROUPS_BESIDE: u64 = 2;

/// Two writers from here on: each holds a row group and what its commit writes.
const TWO_WRITERS: u64 = 512 << 20;

/// Divides the memory among what a request does.
pub fn shares(request: &Request) -> Shares {
    let limits = &request.limits;
    let limit = limits.memory.saturating_sub(limits.reserved);
    // A server holds rows and commits in its own memory; those of DuckDB are held in ours.
    let embedded = request.target.is_embedded();
    let several = limits.threads > 1 && (!embedded || limit >= TWO_WRITERS);
    let writers = limits.writers.unwrap_or(if several { 2 } else { 1 });
    let writers = if embedded && limit < 384 << 20 { 1 } else { writers };
    let fixed = FIXED + if writers > 1 { SECOND_WRITER } else { 0 };
    let free = limit.saturating_sub(fixed).max(100 << 20);
    // A chunk in flight holds about one and a half times what its columns and text add up to.
    let chunks = free / 4;
    Shares {
        target: (free - chunks * 3 / 2).max(72 << 20),
        chunks,
        strings: if limit < TWO_WRITERS { chunks / 3 } else { chunks },
        keys: if limit >= 384 << 20 { keys::SHARE } else { keys::SHARE / 2 },
        groups: if writers > 1 { GROUPS_BESIDE } else { GROUPS_ALONE },
        writers,
    }
}

impl Shares {
    /// What is left for the chunks of an input of this format.
    pub fn chunks_of(&self, format: &str) -> u64 {
        let beside = self.strings >= self.chunks;
        self.chunks - if format == "xlsx" && !beside { self.strings } else { 0 }
    }
}

/// Peak resident memory of this process in bytes, where the system tells.
pub fn peak() -> Option<u64> {
    told("VmHWM:")
}

/// Resident memory of this process in bytes, where the system tells.
pub fn resident() -> Option<u64> {
    told("VmRSS:")
}

fn told(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB"))?;
    Some(kib.trim().parse::<u64>().ok()? * 1024)
}
