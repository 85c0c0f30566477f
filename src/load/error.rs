//! Why rows cannot be stored.

use crate::duck::{DuckError, DuckErrorKind};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// What can be done about it follows from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadErrorKind {
    /// Another process holds the database (E504).
    Locked,
    /// No space left (E501).
    DiskFull,
    /// The memory limit does not suffice.
    Memory,
    /// The target's table does not fit what is to be loaded.
    Mismatch,
    /// The account does not hold.
    Account,
    /// More rows refused than allowed.
    ErrorBudget,
    /// The unfinished input has changed (E502).
    Changed,
    /// Wrong use: the request contradicts what the target holds.
    Usage,
    /// The target refuses or fails otherwise.
    Target,
    /// The target cannot be reached (E401).
    Unreachable,
    /// The target lets nobody in: password, user, database (E402).
    Denied,
    /// No encryption as it is wanted (E403).
    Tls,
    /// The target refuses rows: constraint, type, length (E404).
    Refused,
    /// The connection is lost, or the target is restarting (E405): what is committed stays, and going on
    /// later may succeed.
    Lost,
    /// The target gives this user no further connection now (E405): those that there are can be used.
    NoConnection,
    /// A statement ran into the target's limit of time (E406): smaller ones may not.
    Slow,
    /// The limit of rows is reached: not a failure.
    Enough,
    /// The failed-record file cannot be written.
    DeadLetters,
}

/// A failure to load.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct LoadError {
    /// Kind.
    pub kind: LoadErrorKind,
    /// One sentence.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The target was not asked at all, and is not to be before so long.
    pub wait: Option<Duration>,
}

impl LoadError {
    /// An error with a sentence.
    pub fn new(kind: LoadErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, wait: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file of ours cannot be written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        let path: PathBuf = path.into();
        let full = error.kind() == io::ErrorKind::StorageFull;
        let kind = if full { LoadErrorKind::DiskFull } else { LoadErrorKind::DeadLetters };
        Self::new(kind, format!("{}: {error}", path.display()))
    }
}

impl From<DuckError> for LoadError {
    fn from(error: DuckError) -> Self {
        match &error.kind {
            DuckErrorKind::Locked { pid, program } => {
                let who = match (program, pid) {
                    (Some(program), Some(pid)) => format!(" by {program} (process {pid})"),
                    (None, Some(pid)) => format!(" by process {pid}"),
                    (Some(program), None) => format!(" by {program}"),
                    (None, None) => String::new(),
                };
                Self::new(LoadErrorKind::Locked, format!("the database is in use{who}"))
                    .with_hint("close the other program, or load into another file with --to")
            }
            DuckErrorKind::DiskFull => {
                Self::new(LoadErrorKind::DiskFull, "no space left on the disk").with_hint(
                    "free some space and run the same command again: it goes on from the last \
                     commit",
                )
            }
            DuckErrorKind::OutOfMemory => Self::new(
                LoadErrorKind::Memory,
                format!("the database needs more memory than its share: {}", error.message),
            )
            .with_hint("raise --memory-limit and run the same command again"),
            DuckErrorKind::NotADatabase => {
                Self::new(LoadErrorKind::Target, "the file is not a DuckDB database")
                    .with_hint("give another path with --to")
            }
            DuckErrorKind::Corrupt => Self::new(
                LoadErrorKind::Target,
                format!("the database file is damaged: {}", error.message),
            )
            .with_hint("restore a copy, or load into a new file with --to"),
            _ => Self::new(LoadErrorKind::Target, error.message.clone()),
        }
    }
}
