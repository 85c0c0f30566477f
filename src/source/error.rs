//! Trouble with a file as a whole. (Trouble with one row is a `Reject`.)

use std::io;
use thiserror::Error;

/// Stable codes of file-level trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceErrorKind {
    /// The file is missing or cannot be opened.
    Unreadable,
    /// E101: the content is not of the format its name says, or of none we read.
    NotTheFormat,
    /// E102: password protected.
    Password,
    /// E103: the container is cut off or damaged.
    Broken,
    /// E104: a limit was exceeded.
    Limit,
    /// E105: the reader itself failed on this file.
    ReaderDied,
    /// E107: written by a version that is too old.
    OldFormat,
    /// E201: the bytes are not text.
    Encoding,
    /// E203: a quote is never closed.
    Quote,
    /// E204: the header cannot be used.
    Header,
    /// E205: no rows.
    Empty,
    /// E502: the content changed while it was read.
    Changed,
}

impl SourceErrorKind {
    /// Stable code, documented in the README.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "E100",
            Self::NotTheFormat => "E101",
            Self::Password => "E102",
            Self::Broken => "E103",
            Self::Limit => "E104",
            Self::ReaderDied => "E105",
            Self::OldFormat => "E107",
            Self::Encoding => "E201",
            Self::Quote => "E203",
            Self::Header => "E204",
            Self::Empty => "E205",
            Self::Changed => "E502",
        }
    }
}

/// A file that cannot be read, with the way out.
#[derive(Debug, Error)]
#[error("{file}: {message}")]
pub struct SourceError {
    /// What kind of trouble.
    pub kind: SourceErrorKind,
    /// The file, member or sheet.
    pub file: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The cause, where the operating system gave one.
    #[source]
    pub source: Option<io::Error>,
}

impl SourceError {
    /// An error with a sentence.
    pub fn new(kind: SourceErrorKind, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, file: file.into(), message: message.into(), hint: None, source: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An error of the operating system while reading `file`.
    pub fn io(file: impl Into<String>, error: io::Error) -> Self {
        let kind = match error.kind() {
            // A corrupt deflate stream is reported as invalid input.
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput => SourceErrorKind::Broken,
            _ => SourceErrorKind::Unreadable,
        };
        let message = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput => {
                "the compressed data are damaged or cut off".to_owned()
            }
            _ => "cannot be read".to_owned(),
        };
        let hint = match error.kind() {
            _ if kind == SourceErrorKind::Broken => Some("download the file again".to_owned()),
            io::ErrorKind::PermissionDenied => {
                Some("look who may read it, and the folders that lead to it".to_owned())
            }
            _ => None,
        };
        Self { kind, file: file.into(), message, hint, source: Some(error) }
    }
}
