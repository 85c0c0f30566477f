//! What the user named → the files to read: paths, folders, globs, members of archives.

use super::content::Member;
use super::{Confidence, Content, FORMATS, Format, Packing, SourceError, SourceErrorKind};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// One file or member with the format that claims it.
pub struct InputFile {
    /// The bytes.
    pub content: Content,
    /// Who reads them.
    pub format: &'static dyn Format,
}

/// Expands the arguments and finds a format for each file. Members of an archive that no format
/// reads are named in `skipped`, a file named outright that no format reads is an error.
pub fn resolve(arguments: &[String]) -> Result<(Vec<InputFile>, Vec<String>), SourceError> {
    let mut files = Vec::new();
    let mut skipped = Vec::new();
    for argument in arguments {
        for path in expand(argument)? {
            open_path(&path, &mut files, &mut skipped)?;
        }
    }
    Ok((files, skipped))
}

fn expand(argument: &str) -> Result<Vec<PathBuf>, SourceError> {
    let path = Path::new(argument);
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        return folder(path);
    }
    let missing = || {
        SourceError::new(SourceErrorKind::Unreadable, argument, "there is no such file")
            .with_hint("check the path; a pattern such as data/*.csv must match at least one file")
    };
    if !argument.contains(['*', '?', '[']) {
        return Err(missing());
    }
    let matches = glob::glob(argument).map_err(|error| {
        SourceError::new(SourceErrorKind::Unreadable, argument, format!("bad pattern: {error}"))
    })?;
    let mut paths: Vec<_> = matches.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    paths.sort();
    if paths.is_empty() { Err(missing()) } else { Ok(paths) }
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let entries =
        path.read_dir().map_err(|error| SourceError::io(path.display().to_string(), error))?;
    let visible = |path: &PathBuf| {
        path.is_file()
            && !path.file_name().unwrap_or_default().to_string_lossy().starts_with(['.', '~'])
    };
    let mut paths: Vec<_> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(visible).collect();
    paths.sort();
    if paths.is_empty() {
        let label = path.display().to_string();
        return Err(SourceError::new(SourceErrorKind::Empty, label, "the folder holds no file"));
    }
    Ok(paths)
}

fn open_path(
    path: &Path,
    files: &mut Vec<InputFile>,
    skipped: &mut Vec<String>,
) -> Result<(), SourceError> {
    let plain = Content::plain(path);
    let head = plain.head(SNIFF)?;
    if head.starts_with(b"PK\x03\x04") && !is_workbook(path)? {
        return open_archive(path, files, skipped);
    }
    let content = if head.starts_with(&[0x1f, 0x8b]) { gzip(path) } else { plain };
    files.push(with_format(content)?);
    Ok(())
}

/// Bytes looked at to recognise a format.
pub const SNIFF: usize = 64 * 1024;

fn gzip(path: &Path) -> Content {
    let outer = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Content::new(path, path.display().to_string(), name, Some(outer), Packing::Gzip)
}

/// A zip that holds `[Content_Types].xml` (or an ODS mimetype) is one workbook, not an archive of
/// files.
fn is_workbook(path: &Path) -> Result<bool, SourceError> {
    let archive = archive(path)?;
    Ok(archive
        .file_names()
        .filter_map(Result::ok)
        .any(|name| name.eq_ignore_ascii_case("[content_types].xml") || name == "mimetype"))
}

fn archive(path: &Path) -> Result<zip::ZipArchive<BufReader<File>>, SourceError> {
    let label = path.display().to_string();
    let file = File::open(path).map_err(|error| SourceError::io(&label, error))?;
    zip::ZipArchive::new(BufReader::new(file)).map_err(|error| {
        SourceError::new(
            SourceErrorKind::Broken,
            label,
            format!("the zip directory cannot be read; the file is cut off or damaged ({error})"),
        )
        .with_hint("download the file again")
    })
}

fn open_archive(
    path: &Path,
    files: &mut Vec<InputFile>,
    skipped: &mut Vec<String>,
) -> Result<(), SourceError> {
    let mut archive = archive(path)?;
    let before = files.len();
    for index in 0..archive.len() {
        let Some(content) = member(path, &mut archive, index)? else { continue };
        match with_format(content) {
            Ok(file) => files.push(file),
            Err(error) if error.kind == SourceErrorKind::NotTheFormat => {
                skipped.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    if files.len() == before {
        let label = path.display().to_string();
        let message = "the archive holds no file that can be read";
        let error = SourceError::new(SourceErrorKind::NotTheFormat, label, message);
        let found = skipped.last().map(|last| format!("in it is {last}"));
        return Err(
            error.with_hint(found.unwrap_or_else(|| "it is empty; download it again".into()))
        );
    }
    Ok(())
}

fn member(
    path: &Path,
    archive: &mut zip::ZipArchive<BufReader<File>>,
    index: usize,
) -> Result<Option<Content>, SourceError> {
    let label = path.display().to_string();
    let entry = archive.by_index_raw(index).map_err(|error| {
        SourceError::new(SourceErrorKind::Broken, &label, format!("damaged zip entry: {error}"))
    })?;
    let full = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let name = full.rsplit(['/', '\\']).next().unwrap_or(&full).to_owned();
    if entry.is_dir() || name.is_empty() || name.starts_with('.') || full.starts_with("__MACOSX") {
        return Ok(None);
    }
    let label = format!("{label}/{full}");
    if entry.encrypted() {
        return Err(SourceError::new(
            SourceErrorKind::Password,
            label,
            "the archive member is password protected",
        )
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
        SourceError::new(SourceErrorKind::Broken, &label, "the zip entry has no data")
    })?;
    let packing = Packing::Zip(Member {
        start,
        packed: entry.compressed_size(),
        unpacked: entry.size(),
        crc: entry.crc32(),
        deflated,
    });
    let outer = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Content::new(path, label, name, Some(outer), packing)))
}

fn with_format(content: Content) -> Result<InputFile, SourceError> {
    let head = content.head(SNIFF)?;
    let format = FORMATS
        .iter()
        .map(|format| (format.sniff(&head, content.name()), *format))
        .filter(|(confidence, _)| *confidence > Confidence::No)
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    match format {
        Some((_, format)) => Ok(InputFile { content, format }),
        None => Err(unknown(&content, &head)),
    }
}

/// Says what the content looks like instead.
fn unknown(content: &Content, head: &[u8]) -> SourceError {
    let text = String::from_utf8_lossy(&head[..head.len().min(512)]).to_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let (looks, hint) = if head.is_empty() {
        ("it is empty".to_owned(), "download it again")
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        (
            "it starts with \"<html\": a web page, not a table".to_owned(),
            "the portal has answered with a page instead of the file; download it again",
        )
    } else if text.starts_with("<?xml") || text.starts_with('<') {
        ("it is XML".to_owned(), "open it in Excel and save it as .xlsx")
    } else if head.starts_with(b"%PDF") {
        ("it is a PDF".to_owned(), "ask for the file as CSV or XLSX")
    } else if head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        (
            "it is an old Excel file (.xls) or a password-protected workbook".to_owned(),
            "open it in Excel, remove the password if there is one, and save it as .xlsx",
        )
    } else {
        let bytes: Vec<_> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        (format!("it starts with the bytes {}", bytes.join(" ")), "give CSV, XLSX or Parquet")
    };
    SourceError::new(
        SourceErrorKind::NotTheFormat,
        content.label(),
        format!("not a table that can be read: {looks}"),
    )
    .with_hint(hint)
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
