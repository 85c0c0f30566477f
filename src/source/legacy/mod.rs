//! Workbooks of other formats than XLSX: XLS, XLSB, ODS. Each sheet with rows is a table.
//!
//! They are parsed by a library that a hostile file can make panic, abort, fill the memory or run for
//! ever. So it works in a process of its own, under limits of memory and time, before a row is loaded:
//! it writes the cells of all sheets as a stream of frames ([`frame`]), which lands in a temporary
//! file once it is found complete, and is read from there. Whatever becomes of that process is an
//! error of this file and of nothing else.

mod child;
mod decode;
mod formulas;
mod frame;
mod read;
mod spool;
mod stream;
mod survey;
#[cfg(test)]
mod tests;

pub use read::serve;

use super::excel::{OLE, local_names};
use super::{Confidence, Content, Format, SourceError, SourceOptions, Table};
use std::path::PathBuf;
use std::sync::Arc;

/// The program that parses old workbooks for us.
///
/// It is called with `arguments`, then `--kind KIND --memory BYTES --seconds N -- PATH`; it must limit
/// itself to these, write what [`serve`] writes to its stdout, and end when its stdin is closed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReaderProgram {
    /// The executable.
    pub program: PathBuf,
    /// What stands before the arguments named above.
    pub arguments: Vec<String>,
    /// Most bytes of memory it may take.
    pub memory: u64,
    /// Seconds it may go on without handing anything over.
    pub patience: u64,
}

/// Which of the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Excel 97 to 2003, and Excel 5 and 95.
    Xls,
    /// Excel's binary format since 2007.
    Xlsb,
    /// OpenDocument (LibreOffice).
    Ods,
}

impl Kind {
    /// The name by which the reader's process is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xls => "xls",
            Self::Xlsb => "xlsb",
            Self::Ods => "ods",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Xls, Self::Xlsb, Self::Ods].into_iter().find(|kind| kind.name() == name)
    }
}

/// Workbooks of one of these kinds.
pub struct Legacy(Kind);

/// Excel 97 to 2003.
pub static XLS: Legacy = Legacy(Kind::Xls);
/// Excel's binary format.
pub static XLSB: Legacy = Legacy(Kind::Xlsb);
/// OpenDocument.
pub static ODS: Legacy = Legacy(Kind::Ods);

impl Format for Legacy {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn sniff(&self, head: &[u8], _name: &str) -> Confidence {
        match self.0 {
            Kind::Xls => sniff_xls(head),
            Kind::Xlsb => sniff_xlsb(head),
            Kind::Ods => sniff_ods(head),
        }
    }

    fn survey(
        &self,
        content: &Content,
        options: &SourceOptions,
    ) -> Result<Vec<Arc<dyn Table>>, SourceError> {
        survey::survey(self.0, content, options)
    }
}

/// An OLE container, unless it is known to hold an encrypted package (which is a workbook of today
/// behind a password), or bare records of Excel.
fn sniff_xls(head: &[u8]) -> Confidence {
    if version_without_container(head).is_some() {
        return Confidence::Certain;
    }
    if !head.starts_with(OLE) || holds_stream(head, "EncryptedPackage") {
        return Confidence::No;
    }
    if WORKBOOK.iter().any(|name| holds_stream(head, name)) {
        Confidence::Certain
    } else {
        // Its directory may lie anywhere.
        Confidence::Fallback
    }
}

/// How the stream of a workbook is called.
const WORKBOOK: [&str; 4] = ["Workbook", "WORKBOOK", "Book", "BOOK"];

/// Whether the name of a stream stands in these bytes of an OLE container.
fn holds_stream(bytes: &[u8], name: &str) -> bool {
    let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    memchr::memmem::find(bytes, &wide).is_some()
}

/// Excel's version, where its records begin without a container around them.
fn version_without_container(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x09, 0x00, 0x04 | 0x06, 0x00, ..] => Some("Excel 2"),
        [0x09, 0x02, 0x06, 0x00, ..] => Some("Excel 3"),
        [0x09, 0x04, 0x06, 0x00, ..] => Some("Excel 4"),
        [0x09, 0x08, 0x08 | 0x10, 0x00, ..] => Some("Excel 5"),
        _ => None,
    }
}

fn sniff_xlsb(head: &[u8]) -> Confidence {
    let binary = |name: String| {
        let part = name.starts_with("xl/workbook.bin") || name.starts_with("xl/worksheets/");
        part && name.ends_with(".bin")
    };
    if head.starts_with(ZIP) && local_names(head).any(binary) {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

fn sniff_ods(head: &[u8]) -> Confidence {
    if !head.starts_with(ZIP) {
        return Confidence::No;
    }
    let mime = b"application/vnd.oasis.opendocument.spreadsheet";
    if memchr::memmem::find(&head[..head.len().min(256)], mime).is_some() {
        return Confidence::Certain;
    }
    let mut names = local_names(head);
    let other_document = names.any(|name| name == "mimetype");
    if !other_document && local_names(head).any(|name| name == "content.xml") {
        Confidence::Fallback
    } else {
        Confidence::No
    }
}

/// First bytes of a zip container.
const ZIP: &[u8] = b"PK\x03\x04";
