//! Which format claims the first bytes of a file, and what a file that none claims looks like.

use super::archive::{Zip, zip_kind};
use super::{Finder, InputFile, Listed, Origin, Skipped};
use crate::source::content::STDIN;
use crate::source::{
    Confidence, Content, FORMATS, Packing, SourceError, SourceErrorKind, csv, legacy, zstd,
};
use std::io::Read;

/// Bytes looked at to recognise a format.
pub const SNIFF: usize = 64 * 1024;

impl Finder<'_> {
    /// Finds the format of a file, or the members of an archive.
    pub(super) fn open(&mut self, plain: &Content, origin: Origin) {
        let opened = match plain.head(SNIFF) {
            Err(error) => Err(error),
            Ok(head) if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") => {
                match zip_kind(plain) {
                    Ok(Zip::Archive) => return self.open_archive(plain, origin),
                    Ok(Zip::Workbook) => with_format(plain.clone()),
                    Ok(Zip::Binary) => {
                        Ok(InputFile { content: plain.clone(), format: &legacy::XLSB })
                    }
                    Err(error) => Err(error),
                }
            }
            Ok(head) if head.starts_with(&[0x1f, 0x8b]) => {
                return self.claim(plain.packed(Packing::Gzip), origin);
            }
            Ok(head) if zstd::is_zstd(&head) => {
                return self.claim(plain.packed(Packing::Zstd), origin);
            }
            Ok(_) => with_format(plain.clone()),
        };
        self.add(opened, plain.name(), origin);
    }

    /// Finds the format of unpacked content.
    pub(super) fn claim(&mut self, content: Content, origin: Origin) {
        let name = content.name().to_owned();
        self.add(with_format(content), &name, origin);
    }

    fn add(&mut self, opened: Result<InputFile, SourceError>, name: &str, origin: Origin) {
        let reason = match origin {
            Origin::Named => None,
            Origin::Found => self.skipper.without_table(name).map(str::to_owned),
        };
        let found = match (opened, reason) {
            (Ok(file), None) => Listed::File(file),
            (Ok(file), Some(reason)) => match holds_table(&file) {
                Ok(true) => Listed::File(file),
                Ok(false) => {
                    Listed::Skipped(Skipped { path: file.content.label().to_owned(), reason })
                }
                Err(error) => Listed::Failed(error),
            },
            (Err(error), Some(reason)) if is_no_table(error.kind) => {
                Listed::Skipped(Skipped { path: error.file, reason })
            }
            (Err(error), _)
                if error.kind == SourceErrorKind::Empty && self.skipper.is_called_table(name) =>
            {
                Listed::Empty(error)
            }
            (Err(error), _) => Listed::Failed(error),
        };
        self.listed.push(found);
    }
}

/// Whether the content is known, and no table.
fn is_no_table(kind: SourceErrorKind) -> bool {
    matches!(kind, SourceErrorKind::NotTheFormat | SourceErrorKind::Empty)
}

/// Only texts can be read as a table without being one.
fn holds_table(file: &InputFile) -> Result<bool, SourceError> {
    Ok(file.format.name() != csv::NAME || csv::holds_table(&file.content.head(SNIFF)?))
}

/// The format that is surest of the content.
pub(super) fn with_format(content: Content) -> Result<InputFile, SourceError> {
    let head = content.head(SNIFF)?;
    let format = FORMATS
        .iter()
        .map(|format| (format.sniff(&head, content.name()), *format))
        .filter(|(confidence, _)| *confidence > Confidence::No)
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    match format {
        Some((Confidence::Fallback, _)) if is_parquet(content.name()) => Err(no_parquet(&content)),
        Some((_, format)) => Ok(InputFile { content, format }),
        None => Err(unknown(&content, &head)),
    }
}

fn is_parquet(name: &str) -> bool {
    name.to_lowercase().ends_with(".parquet")
}

/// What happens to look like text would be loaded as a table of rubbish.
fn no_parquet(content: &Content) -> SourceError {
    let message = "it is called .parquet, but does not begin with \"PAR1\" as Parquet does";
    SourceError::new(SourceErrorKind::NotTheFormat, content.label(), message)
        .with_hint("download it again; if it is a text, call it .csv")
}

/// Not one byte: no table, and nobody's format.
fn empty(content: &Content) -> SourceError {
    let hint = if content.label() == STDIN {
        "look at what the command before the pipe says"
    } else {
        "it may have been cut off on its way; download it again"
    };
    SourceError::new(SourceErrorKind::Empty, content.label(), "the file is empty").with_hint(hint)
}

/// Archives and packers that are not read, by their first bytes.
const PACKED: [(&[u8], &str); 6] = [
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "packed by bzip2"),
    (b"\xfd7zXZ\x00", "packed by xz"),
    (b"\x1f\x8b", "packed by gzip within something packed"),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard within something packed"),
];

/// Says what the content looks like instead.
fn unknown(content: &Content, head: &[u8]) -> SourceError {
    if head.is_empty() {
        return empty(content);
    }
    let (looks, hint) = looks_like(content, head);
    SourceError::new(
        SourceErrorKind::NotTheFormat,
        content.label(),
        format!("not a table that can be read: {looks}"),
    )
    .with_hint(hint)
}

fn looks_like(content: &Content, head: &[u8]) -> (String, &'static str) {
    let text = String::from_utf8_lossy(&head[..head.len().min(512)]).to_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let packed = PACKED.iter().find(|(start, _)| head.starts_with(start));
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        (
            "it starts with \"<html\": a web page, not a table".to_owned(),
            "the portal has answered with a page instead of the file; download it again",
        )
    } else if text.starts_with("<?xml") || text.starts_with('<') {
        ("it is XML".to_owned(), "open it in Excel and save it as .xlsx")
    } else if head.starts_with(b"%PDF") {
        ("it is a PDF".to_owned(), "ask for the file as CSV or XLSX")
    } else if head.starts_with(b"PK\x03\x04") && !content.is_plain() {
        (
            "it is an archive within an archive (or a document)".to_owned(),
            "unpack the outer archive and give the folder or the inner archives",
        )
    } else if head.starts_with(b"PK\x03\x04") {
        (
            "it is a zip container that is no workbook (a document, perhaps)".to_owned(),
            "give CSV, XLSX or Parquet",
        )
    } else if let Some((_, what)) = packed {
        (format!("it is {what}"), "unpack it and give the files themselves")
    } else if head.get(257..262) == Some(b"ustar") {
        ("it is a tar archive".to_owned(), "unpack it and give the files themselves")
    } else {
        let bytes: Vec<_> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        (format!("it starts with the bytes {}", bytes.join(" ")), "give CSV, XLSX or Parquet")
    }
}

/// Reads up to `buf.len()` bytes, fewer only at the end.
pub fn read_full(reader: &mut dyn Read, buf: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match reader.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
