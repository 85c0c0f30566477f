//! How the memory limit is divided, and the peak as the system tells it.

/// Shares of the limit, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// DuckDB's own limit for the target.
    pub target: u64,
    /// Chunks in flight, and for a workbook its shared strings.
    pub chunks: u64,
    /// Of these, at most: shared strings in memory; more go to a temporary file.
    pub strings: u64,
    /// Inserted rows of a commit, in row groups.
    pub groups: u64,
    /// Writers at the same time.
    pub writers: usize,
}

/// What the program takes beside its shares: code and libraries (85 MB), the agents' engine, what
/// DuckDB holds beyond its own limit, the keys of a roll, and what the allocators keep. Measured on a
/// roll of 165 columns and 750,000 rows with two workers: 471 MiB at a limit of 512. Below 384 MiB the
/// least shares are more than what is left: 377 MiB at a limit of 320.
pub const FIXED: u64 = 315 << 20;

/// Divides a limit. Below 384 MiB one writer must do.
pub fn shares(limit: u64, writers: usize) -> Shares {
    let free = limit.saturating_sub(FIXED).max(110 << 20);
    let writers = if limit < 384 << 20 { 1 } else { writers.max(1) };
    // A chunk in flight holds about one and a half times what its columns and text add up to.
    let chunks = (free / 4).max(24 << 20);
    Shares {
        target: (free - chunks * 3 / 2).max(72 << 20),
        chunks,
        strings: chunks / 3,
        groups: 1,
        writers,
    }
}

impl Shares {
    /// What is left for the chunks of an input of this format.
    pub fn chunks_of(&self, format: &str) -> u64 {
        self.chunks - if format == "xlsx" { self.strings } else { 0 }
    }
}

/// Peak resident memory of this process in bytes, where the system tells.
pub fn peak() -> Option<u64> {
    let status = std::fs::File::open("/proc/self/status").ok()?;
    use std::io::BufRead;
    std::io::BufReader::new(status).lines().map_while(Result::ok).find_map(|line| {
        let kib = line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?;
        kib.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    })
}
