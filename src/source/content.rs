//! Bytes of one file or archive member, unpacked, from the start or from an offset.
//!
//! The seam for later byte sources (object stores, HTTP): everything above sees only `open`,
//! `open_at`, `seekable` and `len`.

use super::resolve::{Stream, label, read_full};
use super::watch::{Change, Recorder, Watch};
use super::zstd::ZstdReader;
use super::{SourceError, SourceErrorKind};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use std::fs::File;
use std::io::{self, BufReader, Read};
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

impl Packing {
    /// First byte and length on disk, where that is not the whole file.
    fn part(&self) -> Option<(u64, u64)> {
        match self {
            Self::Plain | Self::Gzip | Self::Zstd => None,
            Self::Zip(member) => Some((member.start, member.packed)),
        }
    }
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
    /// A copy of what can be read only once.
    stream: bool,
    /// The bytes as they lie on disk.
    watch: Arc<Watch>,
    /// Unpacked bytes that are looked at; `None`: all.
    until: Option<u64>,
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
        let watch = Watch::whole(path).part(packing.part());
        let (path, watch) = (path.to_owned(), Arc::new(watch));
        Self { path, label, name, outer, packing, stream: false, watch, until: None }
    }

    /// A plain file.
    pub fn plain(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::new(path, label(path), name, None, Packing::Plain)
    }

    /// The copy of what can be read only once.
    pub fn stream(stream: &Stream) -> Self {
        let (label, name) = (stream.label.clone(), stream.name.clone());
        let plain = Self::new(&stream.copy, label, name, None, Packing::Plain);
        Self { stream: true, ..plain }
    }

    /// Whether it is the copy of what can be read only once: its label says nothing about a later run.
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// Whether the bytes lie in their file as they are.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.packing, Packing::Plain)
    }

    /// The same bytes, packed: what they are called without the ending of the packer.
    pub(super) fn packed(&self, packing: Packing) -> Self {
        let stem = Path::new(&self.name).file_stem().unwrap_or_default().to_string_lossy();
        self.within(self.label.clone(), stem.into_owned(), packing)
    }

    /// A member of this archive.
    pub(super) fn member(&self, full_name: &str, name: String, member: Member) -> Self {
        self.within(format!("{}/{full_name}", self.label), name, Packing::Zip(member))
    }

    /// Something packed in this file, watched since the same moment.
    fn within(&self, label: String, name: String, packing: Packing) -> Self {
        let watch = Arc::new(self.watch.part(packing.part()));
        let (path, outer) = (self.path.clone(), Some(self.name.clone()));
        let stream = self.stream;
        Self { path, label, name, outer, packing, stream, watch, until: None }
    }

    /// A part of a container that lies in `file`, read by what is known of the whole file.
    pub(super) fn part_of(file: &Spooled, label: String, name: &str, member: Member) -> Self {
        let packing = Packing::Zip(member);
        match &file.watch {
            Some(watch) => {
                let (path, name) = (file.path.clone(), name.to_owned());
                let watch = Arc::clone(watch);
                Self { path, label, name, outer: None, packing, stream: false, watch, until: None }
            }
            None => Self::new(&file.path, label, name.to_owned(), None, packing),
        }
    }

    /// The same file as if it held only its first unpacked bytes.
    pub(super) fn first(&self, bytes: u64) -> Self {
        Self { until: Some(bytes), ..self.clone() }
    }

    /// E502 unless the file holds what was surveyed; see [`Watch::check`].
    pub fn unchanged(&self) -> Result<(), SourceError> {
        self.watch.check().map_err(|change| self.changed(&change))
    }

    /// E502 unless nobody has touched the file since it was first looked at.
    pub(super) fn untouched(&self) -> Result<(), SourceError> {
        self.watch.check_untouched().map_err(|change| self.changed(&change))
    }

    fn changed(&self, change: &Change) -> SourceError {
        let message = format!("the file has changed while it was read: {change}");
        SourceError::new(SourceErrorKind::Changed, &self.label, message)
            .with_hint("wait until nothing writes to it any more")
    }

    /// The same content, watched from now on.
    pub(super) fn anew(&self) -> Self {
        let watch = Arc::new(Watch::whole(&self.path).part(self.packing.part()));
        Self { watch, ..self.clone() }
    }

    /// The error that a reader met, or E502 where it met it because the file has changed.
    pub fn blame(&self, error: SourceError) -> SourceError {
        self.unchanged().err().unwrap_or(error)
    }

    /// Whether it lies in an archive among others.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.packing, Packing::Zip(_))
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
        let left = self.until.map_or(u64::MAX, |until| until.saturating_sub(offset));
        if matches!(self.packing, Packing::Plain) {
            return Ok(Box::new(self.watch.open(offset)?.take(left)));
        }
        let start = self.packing.part().map_or(0, |(start, _)| start);
        let mut reader = self.unpack(self.watch.open(start)?);
        let skipped = io::copy(&mut reader.by_ref().take(offset), &mut io::sink())?;
        if skipped < offset {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Box::new(reader.take(left)))
    }

    /// The first pass over all bytes, unpacked. When it has read them, [`Recorder::finish`] keeps the
    /// checksums by which later readers know that they read the same; there is no recorder where they are
    /// known.
    pub(super) fn record(&self) -> Result<(Box<dyn Read + Send>, Option<Recorder>), SourceError> {
        if self.until.is_some() || self.watch.is_known() {
            return Ok((self.open()?, None));
        }
        let recorder = self.watch.record().map_err(|error| SourceError::io(&self.label, error))?;
        Ok((self.unpack(recorder.reader()), Some(recorder)))
    }

    /// Unpacks what lies on disk from where this content begins.
    fn unpack(&self, raw: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        let buffered = |raw| BufReader::with_capacity(1 << 18, raw);
        match &self.packing {
            Packing::Plain => Box::new(raw),
            Packing::Gzip => Box::new(MultiGzDecoder::new(buffered(raw))),
            Packing::Zstd => Box::new(ZstdReader::new(buffered(raw))),
            Packing::Zip(member) => {
                let packed = BufReader::with_capacity(1 << 18, raw.take(member.packed));
                let inner: Box<dyn Read + Send> = match member.deflated {
                    true => Box::new(DeflateDecoder::new(packed)),
                    false => Box::new(packed),
                };
                Box::new(MemberReader {
                    inner,
                    crc: crc32fast::Hasher::new(),
                    expected: member.crc,
                    left: member.unpacked,
                })
            }
        }
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
            let watch = Some(Arc::clone(&self.watch));
            return Ok(Spooled { path: self.path.clone(), watch, _temp: None });
        }
        let spool = || -> io::Result<Option<tempfile::TempPath>> {
            let mut builder = tempfile::Builder::new();
            builder.prefix("etl-spool-");
            let mut file = match temp_dir {
                Some(dir) => builder.tempfile_in(dir)?,
                None => builder.tempfile()?,
            };
            let most = self.most()?;
            let recorder = self.watch.record()?;
            let copied = io::copy(&mut self.unpack(recorder.reader()).take(most), &mut file)?;
            recorder.finish()?;
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
    /// Of a file that is not ours, which others may write to.
    watch: Option<Arc<Watch>>,
    _temp: Option<Arc<tempfile::TempPath>>,
}

impl Spooled {
    /// A temporary file, removed when the last handle goes.
    pub(super) fn temporary(temp: tempfile::TempPath) -> Self {
        Self { path: temp.to_path_buf(), watch: None, _temp: Some(Arc::new(temp)) }
    }

    /// The content to be watched while this file is read: the one it was made for, or the copy, which is
    /// whole and nobody else's.
    pub(super) fn watched(&self, of: &Content) -> Content {
        match self.watch {
            Some(_) => of.clone(),
            None => {
                let watch = Arc::new(Watch::whole(&self.path));
                Content { path: self.path.clone(), packing: Packing::Plain, watch, ..of.clone() }
            }
        }
    }

    /// Where it is; valid as long as this value lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// BLAKE3 of all bytes, and the checksums for later readers; `label` is how messages name the file.
    pub fn blake3(&self, label: &str) -> Result<blake3::Hash, SourceError> {
        let hash = || -> io::Result<blake3::Hash> {
            let mut hasher = blake3::Hasher::new();
            let Some(watch) = &self.watch else {
                return hasher.update_reader(File::open(&self.path)?).map(|it| it.finalize());
            };
            let recorder = watch.record()?;
            let (mut reader, mut block) = (recorder.reader(), vec![0; 1 << 20]);
            loop {
                match read_full(&mut reader, &mut block)? {
                    0 => break,
                    read => hasher.update(&block[..read]),
                };
            }
            recorder.finish()?;
            Ok(hasher.finalize())
        };
        hash().map_err(|error| SourceError::io(label, error))
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
