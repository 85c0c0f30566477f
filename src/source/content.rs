//! Bytes of one file or archive member, unpacked, from the start or from an offset.
//!
//! The seam for later byte sources (object stores, HTTP): everything above sees only `open`,
//! `open_at`, `seekable` and `len`.

use super::zstd::ZstdReader;
use super::{SourceError, SourceErrorKind};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How messages call what came from standard input.
pub const STDIN: &str = "stdin";

/// How the bytes are packed.
#[derive(Debug, Clone)]
pub enum Packing {
    /// A plain file.
    Plain,
    /// A gzip stream.
    Gzip,
    /// Zstandard frames.
    Zstd,
    /// A member of a zip archive.
    Zip(Member),
}

/// Where a zip member lies in its archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// Offset of the packed bytes.
    pub start: u64,
    /// Packed length.
    pub packed: u64,
    /// Unpacked length, as the directory claims; checked while reading.
    pub unpacked: u64,
    /// CRC-32 of the unpacked bytes; checked while reading.
    pub crc: u32,
    /// Deflated, or stored as is.
    pub deflated: bool,
}

/// Unpacked bytes from which on a table may not be packed tighter than [`RATIO`] where it must lie on
/// disk as a whole.
const LARGE: u64 = 256 << 20;
/// Workbooks and Parquet are packed themselves; zeros reach 1000:1.
const RATIO: u64 = 300;

/// More entries than any archive of tables or any workbook has.
pub(super) const ENTRIES: usize = 100_000;

/// Where the entries of a zip lie. Entries over each other are how a small file claims to hold
/// without end.
#[derive(Debug, Default)]
pub(super) struct Extents(Vec<(u64, u64)>);

impl Extents {
    /// Adds an entry: from its header to the end of its data.
    pub fn add(&mut self, from: u64, data: u64, packed: u64) {
        self.0.push((from, data.saturating_add(packed)));
    }

    /// Whether two of them share bytes.
    pub fn overlap(mut self) -> bool {
        self.0.sort_unstable();
        self.0.windows(2).any(|pair| pair[1].0 < pair[0].1)
    }
}

/// A file or member whose unpacked bytes can be read any number of times.
#[derive(Debug, Clone)]
pub struct Content {
    path: PathBuf,
    label: String,
    name: String,
    outer: Option<String>,
    packing: Packing,
}

impl Content {
    /// Content of a file, or of something packed in it. `label` is how messages name it, `name` is
    /// the innermost file name, `outer` the archive's.
    pub fn new(
        path: &Path,
        label: String,
        name: String,
        outer: Option<String>,
        packing: Packing,
    ) -> Self {
        Self { path: path.to_owned(), label, name, outer, packing }
    }

    /// A plain file.
    pub fn plain(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::new(path, path.display().to_string(), name, None, Packing::Plain)
    }

    /// What came from standard input and now lies at `path`.
    pub fn stdin(path: &Path) -> Self {
        Self::new(path, STDIN.to_owned(), STDIN.to_owned(), None, Packing::Plain)
    }

    /// The same bytes, packed: what they are called without the ending of the packer.
    pub(super) fn packed(&self, packing: Packing) -> Self {
        let stem = Path::new(&self.name).file_stem().unwrap_or_default().to_string_lossy();
        let (name, outer) = (stem.into_owned(), Some(self.name.clone()));
        Self::new(&self.path, self.label.clone(), name, outer, packing)
    }

    /// A member of this archive.
    pub(super) fn member(&self, full_name: &str, name: String, member: Member) -> Self {
        let (label, outer) = (format!("{}/{full_name}", self.label), Some(self.name.clone()));
        Self::new(&self.path, label, name, outer, Packing::Zip(member))
    }

    /// The file that holds the bytes, packed as they are.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it lies, from the root, with the member behind it; `None` for what is no file of the user
    /// (standard input). Links of folders are followed, that of the file itself is not: a link that
    /// points to another file now is the same path.
    pub fn absolute_path(&self) -> Option<String> {
        let inside = self.label.strip_prefix(&self.path.display().to_string())?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(format!("{}{inside}", folder.join(self.path.file_name()?).display()))
    }

    /// How messages name it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Innermost file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the archive around it.
    pub fn outer(&self) -> Option<&str> {
        self.outer.as_deref()
    }

    /// Unpacked length, where it is known without reading.
    pub fn len(&self) -> Option<u64> {
        match &self.packing {
            Packing::Plain => self.path.metadata().ok().map(|meta| meta.len()),
            Packing::Gzip | Packing::Zstd => None,
            Packing::Zip(member) => Some(member.unpacked),
        }
    }

    /// Whether there are no bytes at all (as far as known without reading).
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// A reader of the unpacked bytes from the start.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, SourceError> {
        self.open_at(0)
    }

    /// A reader of the unpacked bytes from `offset`: a seek in a plain file, else by reading over
    /// what comes before.
    pub fn open_at(&self, offset: u64) -> Result<Box<dyn Read + Send>, SourceError> {
        self.try_open_at(offset).map_err(|error| SourceError::io(&self.label, error))
    }

    fn try_open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.path)?;
        let mut reader: Box<dyn Read + Send> = match &self.packing {
            Packing::Plain => {
                file.seek(SeekFrom::Start(offset))?;
                return Ok(Box::new(file));
            }
            Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 18, file))),
            Packing::Zstd => Box::new(ZstdReader::new(BufReader::with_capacity(1 << 18, file))),
            Packing::Zip(member) => {
                file.seek(SeekFrom::Start(member.start))?;
                let packed = BufReader::with_capacity(1 << 18, file.take(member.packed));
                let inner: Box<dyn Read + Send> = if member.deflated {
                    Box::new(DeflateDecoder::new(packed))
                } else {
                    Box::new(packed)
                };
                Box::new(MemberReader {
                    inner,
                    crc: crc32fast::Hasher::new(),
                    expected: member.crc,
                    left: member.unpacked,
                })
            }
        };
        let skipped = io::copy(&mut reader.by_ref().take(offset), &mut io::sink())?;
        if skipped < offset {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(reader)
    }

    /// The first bytes, for recognition.
    pub fn head(&self, bytes: usize) -> Result<Vec<u8>, SourceError> {
        let mut head = Vec::new();
        self.open()?
            .take(bytes as u64)
            .read_to_end(&mut head)
            .map_err(|error| SourceError::io(&self.label, error))?;
        Ok(head)
    }

    /// Unpacked bytes that are too many for the packed ones.
    fn most(&self) -> io::Result<u64> {
        let packed = match &self.packing {
            Packing::Zip(member) => member.packed,
            _ => self.path.metadata()?.len(),
        };
        Ok(packed.saturating_mul(RATIO).max(LARGE))
    }

    /// The content as a file that can be read at any place: the file itself, or a temporary copy
    /// of what is packed, removed when the last handle goes.
    pub fn seekable(&self, temp_dir: Option<&Path>) -> Result<Spooled, SourceError> {
        if matches!(self.packing, Packing::Plain) {
            return Ok(Spooled { path: self.path.clone(), _temp: None });
        }
        let spool = || -> io::Result<Option<tempfile::TempPath>> {
            let mut builder = tempfile::Builder::new();
            builder.prefix("etl-spool-");
            let mut file = match temp_dir {
                Some(dir) => builder.tempfile_in(dir)?,
                None => builder.tempfile()?,
            };
            let most = self.most()?;
            let copied = io::copy(&mut self.try_open_at(0)?.take(most), &mut file)?;
            Ok((copied < most).then(|| file.into_temp_path()))
        };
        let temp = spool().map_err(|error| SourceError::io(&self.label, error))?;
        temp.map(Spooled::temporary).ok_or_else(|| {
            let message = format!("it unpacks to more than {RATIO} times its size");
            SourceError::new(SourceErrorKind::Limit, &self.label, message)
                .with_hint("unpack it and look at what it holds")
        })
    }
}

/// A file on disk that holds unpacked content.
#[derive(Debug, Clone)]
pub struct Spooled {
    path: PathBuf,
    _temp: Option<Arc<tempfile::TempPath>>,
}

impl Spooled {
    /// A temporary file, removed when the last handle goes.
    pub(super) fn temporary(temp: tempfile::TempPath) -> Self {
        Self { path: temp.to_path_buf(), _temp: Some(Arc::new(temp)) }
    }

    /// Where it is; valid as long as this value lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// BLAKE3 of all bytes; `label` is how messages name the file.
    pub fn blake3(&self, label: &str) -> Result<blake3::Hash, SourceError> {
        let mut hasher = blake3::Hasher::new();
        File::open(&self.path)
            .and_then(|file| hasher.update_reader(file).map(drop))
            .map_err(|error| SourceError::io(label, error))?;
        Ok(hasher.finalize())
    }
}

/// Checks length and CRC of a member while it is read, so that a cut or changed archive is an
/// error and never silently fewer rows.
struct MemberReader {
    inner: Box<dyn Read + Send>,
    /// Takes a quarter of the time of flate2's own, which is told in a large workbook.
    crc: crc32fast::Hasher,
    expected: u32,
    left: u64,
}

impl Read for MemberReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        if read == 0 && !buf.is_empty() {
            if self.left > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.crc.clone().finalize() != self.expected {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "CRC mismatch"));
            }
            return Ok(0);
        }
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "more bytes than the directory says")
        })?;
        self.crc.update(&buf[..read]);
        Ok(read)
    }
}
