//! Members of zip archives.

use super::{Finder, Listed, Origin};
use crate::source::content::{ENTRIES, Extents, Member};
use crate::source::{Content, SourceError, SourceErrorKind};
use std::fs::File;
use std::io::BufReader;

type Archive = zip::ZipArchive<BufReader<File>>;

impl Finder<'_> {
    /// Lists the members of an archive.
    pub(super) fn open_archive(&mut self, content: &Content, origin: Origin) {
        let before = self.listed.len();
        if let Err(error) = self.members(content) {
            self.fail(error);
        }
        if self.has_found(before) || origin == Origin::Found && self.listed.len() > before {
            return;
        }
        let last = match self.listed.last() {
            Some(Listed::Skipped(last)) if self.listed.len() > before => Some(last.to_string()),
            _ => None,
        };
        match last {
            None => {
                let message = "the archive holds no file";
                let error = SourceError::new(SourceErrorKind::Empty, content.label(), message)
                    .with_hint("it is empty; download it again");
                self.listed.push(Listed::Empty(error));
            }
            Some(last) => {
                let message = "the archive holds no file that can be read";
                let error =
                    SourceError::new(SourceErrorKind::NotTheFormat, content.label(), message);
                self.fail(error.with_hint(format!("in it is {last}")));
            }
        }
    }

    fn members(&mut self, content: &Content) -> Result<(), SourceError> {
        let mut archive = archive(content)?;
        check_archive(content, &mut archive)?;
        for index in 0..archive.len() {
            match self.member(content, &mut archive, index) {
                Ok(Some(member)) => self.claim(member, Origin::Found),
                Ok(None) => {}
                Err(error) => self.fail(error),
            }
        }
        Ok(())
    }

    /// A member that is to be read; `None`: a folder, or one that is skipped.
    fn member(
        &mut self,
        outer: &Content,
        archive: &mut Archive,
        index: usize,
    ) -> Result<Option<Content>, SourceError> {
        let entry = archive.by_index_raw(index).map_err(|error| {
            let message = format!("damaged zip entry: {error}");
            SourceError::new(SourceErrorKind::Broken, outer.label(), message)
        })?;
        let full = member_name(&entry);
        let label = format!("{}/{full}", outer.label());
        let mut folders: Vec<&str> = full.split(['/', '\\']).collect();
        let name = folders.pop().unwrap_or_default().to_owned();
        if entry.is_dir() || name.is_empty() {
            return Ok(None);
        }
        let reason = folders
            .iter()
            .find_map(|folder| self.skipper.folder(folder))
            .or_else(|| self.skipper.by_name(&name));
        if let Some(reason) = reason.map(str::to_owned) {
            self.skip(label, reason);
            return Ok(None);
        }
        let place = place(&entry, &label)?;
        Ok(Some(outer.member(&full, name, place)))
    }
}

/// The name of a member, with its folders. What is no UTF-8 is read as the code page of DOS, in which
/// different names stay different.
fn member_name<R: std::io::Read + ?Sized>(entry: &zip::read::ZipFile<'_, R>) -> String {
    match std::str::from_utf8(entry.name_raw()) {
        Ok(name) => name.to_owned(),
        Err(_) => entry.name().map_or_else(|_| latin(entry.name_raw()), |name| name.into_owned()),
    }
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Where the bytes of a member lie, where they can be read.
fn place<R: std::io::Read + ?Sized>(
    entry: &zip::read::ZipFile<'_, R>,
    label: &str,
) -> Result<Member, SourceError> {
    if entry.encrypted() {
        let message = "the archive member is password protected";
        return Err(SourceError::new(SourceErrorKind::Password, label, message)
            .with_hint("unpack it with its password first"));
    }
    let deflated = match entry.compression() {
        zip::CompressionMethod::Stored => false,
        zip::CompressionMethod::Deflated => true,
        other => {
            let message = format!("packed by a method that is not read here ({other:?})");
            return Err(SourceError::new(SourceErrorKind::NotTheFormat, label, message)
                .with_hint("unpack the archive and give the file itself"));
        }
    };
    let start = entry.data_start().ok_or_else(|| {
        SourceError::new(SourceErrorKind::Broken, label, "the zip entry has no data")
    })?;
    Ok(Member {
        start,
        packed: entry.compressed_size(),
        unpacked: entry.size(),
        crc: entry.crc32(),
        deflated,
    })
}

/// What a zip container is.
pub(super) enum Zip {
    /// An archive of files.
    Archive,
    /// One workbook (or another document): it holds `[Content_Types].xml` or what ODF asks for.
    Workbook,
    /// A workbook in Excel's binary format. Its telling part may lie far behind the head.
    Binary,
}

/// Looks into the directory of a zip container.
pub(super) fn zip_kind(content: &Content) -> Result<Zip, SourceError> {
    let archive = archive(content)?;
    let holds = |wanted: &str| {
        let mut names = archive.file_names().filter_map(Result::ok);
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    // One damaged name of the directory must not make a heap of XML of a workbook.
    let office =
        ["[content_types].xml", "xl/workbook.xml", "xl/workbook.bin"].into_iter().any(holds);
    Ok(if office && holds("xl/workbook.bin") {
        Zip::Binary
    } else if office || holds("mimetype") || holds("META-INF/manifest.xml") && holds("content.xml")
    {
        Zip::Workbook
    } else {
        Zip::Archive
    })
}

fn archive(content: &Content) -> Result<Archive, SourceError> {
    let label = content.label();
    let file = File::open(content.path()).map_err(|error| SourceError::io(label, error))?;
    zip::ZipArchive::new(BufReader::new(file)).map_err(|error| {
        SourceError::new(
            SourceErrorKind::Broken,
            label,
            format!("the zip directory cannot be read; the file is cut off or damaged ({error})"),
        )
        .with_hint("download the file again")
    })
}

/// Refuses an archive that is made to unpack to far more than it holds.
fn check_archive(content: &Content, archive: &mut Archive) -> Result<(), SourceError> {
    if archive.len() > ENTRIES {
        let message = format!("the archive has {} members; {ENTRIES} are read", archive.len());
        return Err(SourceError::new(SourceErrorKind::Limit, content.label(), message)
            .with_hint("unpack it and give the files themselves"));
    }
    if archive.has_duplicate_names() {
        let message =
            "two members of the archive have one name: only the last one can be found by it";
        return Err(SourceError::new(SourceErrorKind::Broken, content.label(), message)
            .with_hint("pack the files again, each under a name of its own"));
    }
    let mut extents = Extents::default();
    for index in 0..archive.len() {
        // What cannot be looked at is refused when it is opened.
        let Ok(entry) = archive.by_index_raw(index) else { continue };
        if let Some(data) = entry.data_start() {
            extents.add(entry.header_start(), data, entry.compressed_size());
        }
    }
    if extents.overlap() {
        let message = "members of the archive lie over each other: it is damaged or hostile";
        return Err(SourceError::new(SourceErrorKind::Broken, content.label(), message)
            .with_hint("download the file again"));
    }
    Ok(())
}
