//! What can be wrong inside a workbook, in words for people; its place is added where it is known.

use crate::source::{SourceError, SourceErrorKind};
use std::io;
use thiserror::Error;

const AGAIN: &str = "download it again, or open it in Excel and save it again";

/// Trouble inside a part.
#[derive(Debug, Error)]
pub enum Fault {
    /// The bytes end inside a tag, an element or a text.
    #[error("the XML ends in the middle of an element")]
    Cut,
    /// No XML.
    #[error("the XML is damaged: {0}")]
    Malformed(&'static str),
    /// An entity that XML itself does not define; entities of the file's own are never expanded.
    #[error("the XML uses `&{0};`, which is not read here")]
    Entity(String),
    /// Bytes that are no text.
    #[error("the text is not valid UTF-8")]
    Utf8,
    /// Not of the form `B7`.
    #[error("`{0}` is no cell reference")]
    Reference(String),
    /// A cell that names another row than the one it stands in.
    #[error("the cell {cell} stands in row {row}")]
    Misplaced {
        /// What the cell says.
        cell: String,
        /// Where it is.
        row: u32,
    },
    /// Outside of what a sheet can hold; row and column from 1.
    #[error("a cell claims row {row}, column {column}; a sheet ends at XFD1048576")]
    Outside {
        /// Row.
        row: u64,
        /// Column.
        column: u64,
    },
    /// Rows that do not ascend.
    #[error("row {row} stands behind row {last}: the rows are not in order")]
    Disorder {
        /// The row.
        row: u32,
        /// The one before it.
        last: u32,
    },
    /// A shared string that is not there.
    #[error("a cell names the shared string {0}, which the workbook does not have")]
    NoString(u64),
    /// More than can be held.
    #[error("{0}")]
    TooLarge(String),
    /// The container: cut off, changed, or not readable.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Box<Self>> for Fault {
    fn from(fault: Box<Self>) -> Self {
        *fault
    }
}

impl Fault {
    /// The error of `label` (a file, a sheet, a part).
    pub fn into_error(self, label: &str) -> SourceError {
        let (kind, hint) = match &self {
            Self::TooLarge(_) => {
                let hint = "if you trust the file, open it in Excel and save it as .csv";
                (SourceErrorKind::Limit, hint)
            }
            Self::Outside { .. } => {
                let hint = "the file was not written by Excel; open it there and save it again";
                (SourceErrorKind::Limit, hint)
            }
            Self::Disorder { .. } | Self::Misplaced { .. } => {
                (SourceErrorKind::Broken, "open it in Excel and save it again")
            }
            _ => (SourceErrorKind::Broken, AGAIN),
        };
        match self {
            Self::Io(error) => SourceError::io(label, error).with_hint(hint),
            other => SourceError::new(kind, label, other.to_string()).with_hint(hint),
        }
    }

    /// The error of a sheet, with the last row that was read before it.
    pub fn behind(self, label: &str, row: u32) -> SourceError {
        let mut error = self.into_error(label);
        if row > 0 {
            error.message.push_str(&format!(" (behind row {row})"));
        }
        error
    }
}
