//! What the user named → the files to read: paths, folders, globs, members of archives.

use super::content::{ENTRIES, Extents, Member, STDIN};
use super::{
    Confidence, Content, FORMATS, Format, Packing, SourceError, SourceErrorKind, SourceOptions,
    Table, legacy, zstd,
};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file or member with the format that claims it.
pub struct InputFile {
    /// The bytes.
    pub content: Content,
    /// Who reads them.
    pub format: &'static dyn Format,
}

impl InputFile {
    /// The tables of the file. E502 where it changes meanwhile: what was found out would be true of no
    /// content that there ever was.
    pub fn survey(&self, options: &SourceOptions) -> Result<Vec<Arc<dyn Table>>, SourceError> {
        let content = &self.as_it_is()?;
        let found = self.format.survey(content, options);
        // What a survey makes of a file that changes is not what is wrong with it.
        content.untouched()?;
        found
    }

    /// The content, which may have been looked at long ago, when many files were named. A file that
    /// still has the same format is read as it is now; a member may lie elsewhere in its archive.
    fn as_it_is(&self) -> Result<Content, SourceError> {
        let Err(changed) = self.content.untouched() else { return Ok(self.content.clone()) };
        let content = self.content.anew();
        let is_member = self.content.is_member();
        let format = (!is_member).then(|| with_format(content.clone()).ok()).flatten();
        match format.filter(|file| file.format.name() == self.format.name()) {
            Some(_) => Ok(content),
            None => Err(changed),
        }
    }
}

/// Expands the arguments and finds a format for each file. Members of an archive that no format
/// reads are named in `skipped`, a file named outright that no format reads is an error. `-` is
/// what `options` say came from standard input.
pub fn resolve(
    arguments: &[String],
    options: &SourceOptions,
) -> Result<(Vec<InputFile>, Vec<String>), SourceError> {
    let mut found = Found::default();
    for argument in arguments {
        if argument == "-" {
            let path = options.stdin.as_deref().ok_or_else(no_stdin)?;
            found.open(&Content::stdin(path))?;
            continue;
        }
        for path in expand(argument)? {
            found.open(&Content::plain(&path))?;
        }
    }
    Ok((found.files, found.skipped))
}

fn no_stdin() -> SourceError {
    let message = "standard input was not taken in before the run";
    SourceError::new(SourceErrorKind::Unreadable, STDIN, message)
        .with_hint("write it into a file and give its path")
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

/// The files found so far.
#[derive(Default)]
struct Found {
    files: Vec<InputFile>,
    skipped: Vec<String>,
}

impl Found {
    fn open(&mut self, plain: &Content) -> Result<(), SourceError> {
        let head = plain.head(SNIFF)?;
        let file = if head.starts_with(b"PK\x03\x04") {
            match zip_kind(plain)? {
                Zip::Archive => return self.open_archive(plain),
                Zip::Workbook => with_format(plain.clone())?,
                Zip::Binary => InputFile { content: plain.clone(), format: &legacy::XLSB },
            }
        } else if head.starts_with(&[0x1f, 0x8b]) {
            with_format(plain.packed(Packing::Gzip))?
        } else if zstd::is_zstd(&head) {
            with_format(plain.packed(Packing::Zstd))?
        } else {
            with_format(plain.clone())?
        };
        self.files.push(file);
        Ok(())
    }

    fn open_archive(&mut self, content: &Content) -> Result<(), SourceError> {
        let mut archive = archive(content)?;
        check_archive(content, &mut archive)?;
        let before = self.files.len();
        for index in 0..archive.len() {
            let Some(member) = member(content, &mut archive, index)? else { continue };
            match with_format(member) {
                Ok(file) => self.files.push(file),
                Err(error)
                    if matches!(
                        error.kind,
                        SourceErrorKind::NotTheFormat | SourceErrorKind::Empty
                    ) =>
                {
                    self.skipped.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        if self.files.len() > before {
            return Ok(());
        }
        let message = "the archive holds no file that can be read";
        let error = SourceError::new(SourceErrorKind::NotTheFormat, content.label(), message);
        let found = self.skipped.last().map(|last| format!("in it is {last}"));
        Err(error.with_hint(found.unwrap_or_else(|| "it is empty; download it again".into())))
    }
}

/// Bytes looked at to recognise a format.
pub const SNIFF: usize = 64 * 1024;

/// What a zip container is.
enum Zip {
    /// An archive of files.
    Archive,
    /// One workbook (or another document): it holds `[Content_Types].xml` or what ODF asks for.
    Workbook,
    /// A workbook in Excel's binary format. Its telling part may lie far behind the head.
    Binary,
}

fn zip_kind(content: &Content) -> Result<Zip, SourceError> {
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

fn archive(content: &Content) -> Result<zip::ZipArchive<BufReader<File>>, SourceError> {
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
fn check_archive(
    content: &Content,
    archive: &mut zip::ZipArchive<BufReader<File>>,
) -> Result<(), SourceError> {
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

fn member(
    outer: &Content,
    archive: &mut zip::ZipArchive<BufReader<File>>,
    index: usize,
) -> Result<Option<Content>, SourceError> {
    let entry = archive.by_index_raw(index).map_err(|error| {
        let message = format!("damaged zip entry: {error}");
        SourceError::new(SourceErrorKind::Broken, outer.label(), message)
    })?;
    let full = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let name = full.rsplit(['/', '\\']).next().unwrap_or(&full).to_owned();
    if entry.is_dir() || name.is_empty() || name.starts_with('.') || full.starts_with("__MACOSX") {
        return Ok(None);
    }
    let label = format!("{}/{full}", outer.label());
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
    let place = Member {
        start,
        packed: entry.compressed_size(),
        unpacked: entry.size(),
        crc: entry.crc32(),
        deflated,
    };
    Ok(Some(outer.member(&full, name, place)))
}

fn with_format(content: Content) -> Result<InputFile, SourceError> {
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

/// Says what the content looks like instead.
fn unknown(content: &Content, head: &[u8]) -> SourceError {
    let text = String::from_utf8_lossy(&head[..head.len().min(512)]).to_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if head.is_empty() {
        return empty(content);
    }
    let (looks, hint) = if text.starts_with("<!doctype html") || text.starts_with("<html") {
        (
            "it starts with \"<html\": a web page, not a table".to_owned(),
            "the portal has answered with a page instead of the file; download it again",
        )
    } else if text.starts_with("<?xml") || text.starts_with('<') {
        ("it is XML".to_owned(), "open it in Excel and save it as .xlsx")
    } else if head.starts_with(b"%PDF") {
        ("it is a PDF".to_owned(), "ask for the file as CSV or XLSX")
    } else if head.starts_with(b"PK\x03\x04") {
        (
            "it is a zip container that is no workbook (a document, perhaps)".to_owned(),
            "give CSV, XLSX or Parquet",
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
