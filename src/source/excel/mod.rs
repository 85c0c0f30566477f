//! Excel workbooks (XLSX, XLSM): each sheet with rows is a table.
//!
//! Our own reader, because a workbook must be read in a stream, by many threads, and without trust:
//!
//! ```text
//! container   the zip directory; a part as a checked stream of UTF-8      encoding
//! book        workbook → sheets, styles, shared strings           rels tags styles pattern
//! strings     shared strings in one arena, or in a file                   spill
//! cut         a sheet's part → blocks of whole rows       (one thread)    stream buffer
//! cells       a block → cells with their places           (all workers)   xml text
//! decode      cells → typed columns, misfits, refusals
//! survey      which sheets, or which part of one, are tables; header      head page layout asked range
//! ```
//!
//! One thread inflates a sheet and cuts the XML at the ends of rows; everything else is done by the
//! workers, straight from the XML into column builders. Memory follows the blocks, and the shared
//! strings up to their limit; no count that a file claims sizes anything. Values stay what Excel
//! stores: numbers exact, dates by their number format, error values as errors. A file is known by
//! its content only, and a hostile one costs an error, not the memory.

mod asked;
pub(in crate::source) mod book;
mod buffer;
pub(in crate::source) mod cells;
mod container;
mod cut;
pub(in crate::source) mod decode;
mod encoding;
mod every;
mod fault;
mod head;
mod lanes;
pub(in crate::source) mod layout;
pub(in crate::source) mod moment;
pub(in crate::source) mod page;
mod pattern;
pub mod range;
mod rels;
mod spill;
mod stream;
mod strings;
mod styles;
pub(in crate::source) mod survey;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod xml;

pub use every::{PlacedCell, every_cell};

use super::{Confidence, Content, Format, SourceError, SourceErrorKind, SourceOptions, Table};
use std::sync::Arc;

/// Excel workbooks.
pub struct Excel;

impl Format for Excel {
    fn name(&self) -> &'static str {
        "xlsx"
    }

    fn sniff(&self, head: &[u8], _name: &str) -> Confidence {
        if head.starts_with(OLE) {
            return sniff_ole(head);
        }
        if !head.starts_with(b"PK\x03\x04") {
            return Confidence::No;
        }
        let names: Vec<_> = local_names(head).collect();
        let any = |test: fn(&str) -> bool| names.iter().any(|name| test(name));
        let foreign =
            |name: &str| ["word/", "ppt/", "visio/"].iter().any(|folder| name.starts_with(folder));
        let binary = |name: &str| name.starts_with("xl/") && name.ends_with(".bin");
        let is_binary = any(|name| name.starts_with("xl/workbook.bin"))
            || names.iter().any(|name| name.starts_with("xl/worksheets/") && binary(name));
        if names.iter().any(|name| foreign(name)) || is_binary {
            Confidence::No
        } else if any(|name| name.starts_with("xl/")) {
            Confidence::Certain
        } else if any(|name| name == "[content_types].xml" || name.starts_with("docprops/")) {
            // The parts that say more may lie behind the head.
            Confidence::Fallback
        } else {
            Confidence::No
        }
    }

    fn has_ranges(&self) -> bool {
        true
    }

    fn survey(
        &self,
        content: &Content,
        options: &SourceOptions,
    ) -> Result<Vec<Arc<dyn Table>>, SourceError> {
        survey::survey(content, options)
    }
}

/// First bytes of an OLE container: an old workbook, or a new one behind a password.
pub(in crate::source) const OLE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Only a container that holds an encrypted package is a workbook of this format.
fn sniff_ole(head: &[u8]) -> Confidence {
    let stream: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if memchr::memmem::find(head, &stream).is_some() {
        return Confidence::Certain;
    }
    match directory_offset(head) {
        Some(offset) if offset >= head.len() as u64 => Confidence::Fallback,
        _ => Confidence::No,
    }
}

/// Where the directory of an OLE container begins.
fn directory_offset(head: &[u8]) -> Option<u64> {
    let shift = u16::from_le_bytes(head.get(30..32)?.try_into().ok()?);
    let sector = u32::from_le_bytes(head.get(48..52)?.try_into().ok()?);
    matches!(shift, 9 | 12).then(|| (u64::from(sector) + 1) << shift)
}

/// Names of the zip entries whose headers lie in `head`, in lower case with forward slashes.
pub(in crate::source) fn local_names(head: &[u8]) -> impl Iterator<Item = String> {
    memchr::memmem::find_iter(head, b"PK\x03\x04").filter_map(|at| {
        let length = head.get(at + 26..at + 28)?;
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        let name = head.get(at + 30..at + 30 + length)?;
        Some(String::from_utf8_lossy(name).to_lowercase().replace('\\', "/"))
    })
}

fn password(label: &str) -> SourceError {
    SourceError::new(SourceErrorKind::Password, label, "the workbook is password protected")
        .with_hint("remove the password in Excel (File > Info > Protect Workbook) and try again")
}
