//! Looks at a workbook's zip directory before anything is unpacked: a file of some kilobytes must
//! not cost gigabytes of memory. The sizes it claims hold: the zip reader stops where they are
//! exceeded.

use crate::source::input::read_full;
use crate::source::{SourceError, SourceErrorKind};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Most unpacked bytes of the parts that are held in memory as a whole.
const IN_MEMORY: u64 = 512 << 20;
/// A sheet above this size may not be packed tighter than [`RATIO`].
const LARGE: u64 = 256 << 20;
/// Real sheets are packed 5:1 to 50:1; zeros reach 1000:1.
const RATIO: u64 = 300;
/// More entries than any workbook has.
const ENTRIES: usize = 100_000;
/// Shortest shared string: `<si/>`.
const SHORTEST_STRING: u64 = 5;

type Archive = zip::ZipArchive<BufReader<File>>;

/// Checks the workbook at `path`, and that it is one that can be read here.
pub fn check(path: &Path, label: &str) -> Result<(), SourceError> {
    let file = File::open(path).map_err(|error| SourceError::io(label, error))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| {
        let message = format!("the zip directory is missing or damaged ({error})");
        SourceError::new(SourceErrorKind::Broken, label, message)
            .with_hint("the file is cut off or changed; download it again")
    })?;
    if archive.len() > ENTRIES {
        return Err(limit(label, format!("the workbook has {} parts", archive.len())));
    }
    let mut in_memory = 0;
    let mut workbook = false;
    for index in 0..archive.len() {
        let part = Part::read(&mut archive, index, label)?;
        workbook |= part.name.ends_with("workbook.xml");
        if part.name.ends_with("workbook.bin") {
            return Err(binary(label));
        }
        in_memory += part.check(&mut archive, index, label)?;
        if in_memory > IN_MEMORY {
            return Err(limit(
                label,
                format!(
                    "its shared strings and styles unpack to more than {} MiB",
                    IN_MEMORY >> 20
                ),
            ));
        }
    }
    if workbook { Ok(()) } else { Err(no_workbook(label)) }
}

/// One entry of the directory.
struct Part {
    /// Lower case, with forward slashes.
    name: String,
    packed: u64,
    unpacked: u64,
}

impl Part {
    fn read(archive: &mut Archive, index: usize, label: &str) -> Result<Self, SourceError> {
        let entry = archive.by_index_raw(index).map_err(|error| damaged(label, &error))?;
        if entry.encrypted() {
            return Err(super::password(label));
        }
        let name = String::from_utf8_lossy(entry.name_raw()).to_lowercase().replace('\\', "/");
        Ok(Self { name, packed: entry.compressed_size(), unpacked: entry.size() })
    }

    /// Bytes of the part that stay in memory.
    fn check(&self, archive: &mut Archive, index: usize, label: &str) -> Result<u64, SourceError> {
        if self.name.contains("worksheets/") {
            if self.unpacked > LARGE && self.unpacked / self.packed.max(1) > RATIO {
                let message = format!(
                    "the part {} unpacks to {} MiB, {} times its size",
                    self.name,
                    self.unpacked >> 20,
                    self.unpacked / self.packed.max(1)
                );
                return Err(limit(label, message));
            }
            return Ok(0);
        }
        let whole = ["sharedstrings.xml", "styles.xml", "workbook.xml", ".rels"];
        if !whole.iter().any(|end| self.name.ends_with(end)) {
            return Ok(0);
        }
        if self.name.ends_with("sharedstrings.xml") {
            check_count(archive, index, label, self.unpacked)?;
        }
        Ok(self.unpacked)
    }
}

/// The library reserves room for as many strings as the part claims.
fn check_count(
    archive: &mut Archive,
    index: usize,
    label: &str,
    bytes: u64,
) -> Result<(), SourceError> {
    let mut entry = archive.by_index(index).map_err(|error| damaged(label, &error))?;
    let mut head = vec![0; 8 << 10];
    let read = read_full(&mut entry, &mut head).map_err(|error| SourceError::io(label, error))?;
    let head = String::from_utf8_lossy(&head[..read]);
    let claimed = head
        .split_once("uniqueCount")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1))
        .and_then(|count| count.trim().parse::<u64>().ok());
    match claimed {
        Some(count) if count > 1_000 && count > bytes / SHORTEST_STRING => Err(limit(
            label,
            format!("the workbook claims {count} shared strings in a part of {bytes} bytes"),
        )),
        _ => Ok(()),
    }
}

fn limit(label: &str, message: String) -> SourceError {
    SourceError::new(SourceErrorKind::Limit, label, message)
        .with_hint("if you trust the file, open it in Excel and save it as .csv")
}

fn damaged(label: &str, error: &dyn std::fmt::Display) -> SourceError {
    let message = format!("the workbook is cut off or damaged ({error})");
    SourceError::new(SourceErrorKind::Broken, label, message).with_hint("download it again")
}

fn binary(label: &str) -> SourceError {
    let message = "a binary workbook (.xlsb), which is not read here";
    SourceError::new(SourceErrorKind::NotTheFormat, label, message)
        .with_hint("open it in Excel and save it as .xlsx")
}

fn no_workbook(label: &str) -> SourceError {
    let message = "an Office file without a workbook in it";
    SourceError::new(SourceErrorKind::NotTheFormat, label, message)
        .with_hint("give an .xlsx or .xlsm file")
}
