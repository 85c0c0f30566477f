//! Trouble with failed-record files and corrected sheets, with the place and the way out.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a failed-record file or a corrected sheet cannot be written, read or used.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot …".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line that is no record, where nothing may be dropped.
    #[error("{}:{line}: not a failed record: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line from 1.
        line: u64,
        /// What the parser said.
        message: String,
    },
    /// The file ends inside a record, so that appending would glue two records together.
    #[error("{}: the last line is cut off; the run must be recovered before it goes on", .0.display())]
    Torn(PathBuf),
    /// An earlier write failed and could not be undone.
    #[error("{}: an earlier write failed half-way; start the command again to resume", .0.display())]
    Poisoned(PathBuf),
    /// The export would overwrite a file that may hold someone's corrections.
    #[error("{}: exists already and may hold corrections; choose another name", .0.display())]
    Exists(PathBuf),
    /// The records do not go into what was asked for.
    #[error("{message}")]
    Export {
        /// What does not fit, and the way out.
        message: String,
    },
    /// The corrected file cannot be read at all.
    #[error("{}: {message}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why, and the way out.
        message: String,
    },
    /// Rows of the corrected sheet that cannot be used; nothing was replayed.
    #[error("{}: {} of the corrected rows cannot be used:\n  {}{}", path.display(), count,
        faults.join("\n  "), more(*count, faults.len()))]
    Rows {
        /// The corrected file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The first of them, one sentence each.
        faults: Vec<String>,
    },
}

fn more(count: usize, shown: usize) -> String {
    if count > shown { format!("\n  … and {} more", count - shown) } else { String::new() }
}

impl DeadLetterError {
    /// For `map_err`: what was tried with which file.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether the disk is full (E501).
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// Collects faults of a corrected sheet: all are counted, the first are kept.
#[derive(Debug, Default)]
pub(super) struct Faults {
    count: usize,
    first: Vec<String>,
}

impl Faults {
    const SHOWN: usize = 20;

    pub(super) fn add(&mut self, fault: String) {
        self.count += 1;
        if self.first.len() < Self::SHOWN {
            self.first.push(fault);
        }
    }

    pub(super) fn check(self, path: &Path) -> Result<(), DeadLetterError> {
        if self.count == 0 {
            return Ok(());
        }
        let Self { count, first: faults } = self;
        Err(DeadLetterError::Rows { path: path.to_owned(), count, faults })
    }
}
