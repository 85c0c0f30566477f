//! The zip around a workbook: its parts by name, each as a checked stream.
//!
//! Only the directory is read. A part is inflated while it is read, and its length and CRC are
//! compared with the directory at its end, so a lying, cut or changed container is an error and
//! never fewer rows. A part that unpacks to many times its size is refused before it is touched.

use super::encoding;
use super::fault::Fault;
use crate::source::content::{ENTRIES, Extents, Member, Spooled};
use crate::source::{Content, SourceError, SourceErrorKind};
use hashbrown::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};

/// A part above this size may not be packed tighter than [`RATIO`].
const LARGE: u64 = 256 << 20;
/// Real sheets are packed 5:1 to 50:1; zeros reach 1000:1.
const RATIO: u64 = 300;

/// The parts of a workbook.
#[derive(Debug)]
pub struct Container {
    file: Spooled,
    label: String,
    parts: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    member: Member,
    /// Stored or deflated.
    readable: bool,
}

impl Container {
    /// Reads the directory of `file`, which messages call `label`.
    pub fn open(file: &Spooled, label: &str) -> Result<Self, SourceError> {
        let zip = File::open(file.path()).map_err(|error| SourceError::io(label, error))?;
        let mut archive = zip::ZipArchive::new(BufReader::new(zip)).map_err(|error| {
            let message = format!("the zip directory is missing or damaged ({error})");
            SourceError::new(SourceErrorKind::Broken, label, message)
                .with_hint("the file is cut off or changed; download it again")
        })?;
        if archive.len() > ENTRIES {
            let parts = archive.len();
            let fault = Fault::TooLarge(format!("the workbook has {parts} parts"));
            return Err(fault.into_error(label));
        }
        let mut parts = HashMap::new();
        let mut extents = Extents::default();
        // Of parts of one name the archive keeps the last one.
        let mut twins = archive.has_duplicate_names();
        for index in 0..archive.len() {
            if let Some((name, entry)) = entry(&mut archive, index, &mut extents, label)? {
                twins |= parts.insert(name, entry).is_some();
            }
        }
        if twins {
            let message = "two parts of the workbook have one name: it is damaged or hostile";
            return Err(SourceError::new(SourceErrorKind::Broken, label, message)
                .with_hint("download it again, or open it in Excel and save it again"));
        }
        if extents.overlap() {
            let message = "parts of the workbook lie over each other: it is damaged or hostile";
            return Err(SourceError::new(SourceErrorKind::Broken, label, message)
                .with_hint("download it again, or open it in Excel and save it again"));
        }
        Ok(Self { file: file.clone(), label: label.to_owned(), parts })
    }

    /// How messages name the workbook.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether there is such a part, in any case of its letters.
    pub fn has(&self, name: &str) -> bool {
        self.parts.contains_key(&normal(name))
    }

    /// Whether any part's name ends so.
    pub fn has_ending(&self, end: &str) -> bool {
        self.parts.keys().any(|name| name.ends_with(end))
    }

    /// A stream of the part's text as UTF-8.
    pub fn part(&self, name: &str) -> Result<Box<dyn Read + Send>, SourceError> {
        let label = format!("{}, part {name}", self.label);
        let entry = self.parts.get(&normal(name)).ok_or_else(|| {
            let message = format!("the workbook lacks its part `{name}`");
            SourceError::new(SourceErrorKind::Broken, &self.label, message)
                .with_hint("download it again, or open it in Excel and save it again")
        })?;
        entry.check(&label)?;
        let content = Content::part_of(&self.file, label.clone(), name, entry.member.clone());
        encoding::utf8(content.open()?).map_err(|error| Fault::Io(error).into_error(&label))
    }
}

impl Entry {
    fn check(&self, label: &str) -> Result<(), SourceError> {
        if !self.readable {
            let message = "packed by a method that is not read here";
            return Err(SourceError::new(SourceErrorKind::NotTheFormat, label, message)
                .with_hint("open it in Excel and save it again"));
        }
        let Member { packed, unpacked, .. } = self.member;
        let ratio = unpacked / packed.max(1);
        if unpacked > LARGE && ratio > RATIO {
            let size = unpacked >> 20;
            let fault = Fault::TooLarge(format!("unpacks to {size} MiB, {ratio} times its size"));
            return Err(fault.into_error(label));
        }
        Ok(())
    }
}

type Archive = zip::ZipArchive<BufReader<File>>;

fn entry(
    archive: &mut Archive,
    index: usize,
    extents: &mut Extents,
    label: &str,
) -> Result<Option<(String, Entry)>, SourceError> {
    let entry = archive.by_index_raw(index).map_err(|error| {
        let message = format!("the workbook is cut off or damaged ({error})");
        SourceError::new(SourceErrorKind::Broken, label, message).with_hint("download it again")
    })?;
    if entry.encrypted() {
        return Err(super::password(label));
    }
    let (Some(start), false) = (entry.data_start(), entry.is_dir()) else { return Ok(None) };
    extents.add(entry.header_start(), start, entry.compressed_size());
    let method = entry.compression();
    let member = Member {
        start,
        packed: entry.compressed_size(),
        unpacked: entry.size(),
        crc: entry.crc32(),
        deflated: method == zip::CompressionMethod::Deflated,
    };
    let readable = member.deflated || method == zip::CompressionMethod::Stored;
    let name = normal(&String::from_utf8_lossy(entry.name_raw()));
    Ok(Some((name, Entry { member, readable })))
}

/// Part names differ in case and in slashes between writers.
fn normal(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_ascii_lowercase()
}
