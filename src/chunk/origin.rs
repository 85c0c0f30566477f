//! Where rows came from: the input, its part, and the place of one row in it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// BLAKE3 of the unpacked content, so that a file is known again under another name or packing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// From the text that it is stored and printed as.
    pub fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Which part of a file an input is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The whole file or archive member.
    Whole,
    /// One sheet of a workbook.
    Sheet(String),
}

/// An input as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The path as given on the command line, `archive.zip/member.csv` for a member.
    pub path: String,
    /// Sheet, where there is one.
    pub part: Part,
    /// Content, not name.
    pub fingerprint: Fingerprint,
}

impl Origin {
    /// `broward.xlsx, sheet "NAL"` or the bare path.
    pub fn label(&self) -> String {
        match &self.part {
            Part::Whole => self.path.clone(),
            Part::Sheet(name) => format!("{}, sheet \"{name}\"", self.path),
        }
    }

    /// Sheet name, where there is one.
    pub fn sheet(&self) -> Option<&str> {
        match &self.part {
            Part::Whole => None,
            Part::Sheet(name) => Some(name),
        }
    }
}

/// The place of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Row or line number as an editor or Excel shows it, from 1; the header counts.
    pub row: u64,
    /// Byte offset of the row in the unpacked content, where rows have one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub byte: Option<u64>,
}

/// A point between two records of an input, from which reading can go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Data records before this point (the header is none).
    pub record: u64,
    /// Bytes before this point, in the unpacked content; 0 where the format has no bytes to seek.
    pub byte: u64,
    /// Row or line number of the record that follows.
    pub row: u64,
}
