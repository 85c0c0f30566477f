//! Records to be replayed, read by the same agents as a file.

use super::decode::ReplayBlock;
use super::replay::{ReplayRow, fingerprint};
use crate::chunk::{Fingerprint, Mark, Origin, Part, ReadSchema};
use crate::source::{Block, Extent, Source, SourceError, SourceErrorKind, Table};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The failed records of one input. A [`Table`] like any other, whose rows keep the row numbers of
/// their source, whose fingerprint is that of the (corrected) rows, and whose chunks answer
/// [`crate::chunk::RawRows::earlier`].
///
/// A run over it takes [`ReplayTable::origin`] for `_etl_source` and for what messages name, and
/// [`Table::fingerprint`] for the ledger.
#[derive(Debug, Clone)]
pub struct ReplayTable {
    inner: Arc<Inner>,
    fingerprint: Fingerprint,
}

#[derive(Debug, Clone)]
pub(super) struct Inner {
    pub origin: Arc<Origin>,
    pub kind: String,
    pub table: String,
    pub facts: BTreeMap<String, String>,
    pub headers: Vec<String>,
    pub files: Arc<Vec<PathBuf>>,
    pub rows: Vec<ReplayRow>,
    pub sample: Vec<Vec<String>>,
}

impl ReplayTable {
    pub(super) fn new(inner: Inner) -> Self {
        let fingerprint = fingerprint(&inner.headers, &inner.rows);
        Self { inner: Arc::new(inner), fingerprint }
    }

    /// The input that the records came from.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.inner.origin
    }

    /// Kind of that input: a pack's kind or `generic`.
    pub fn kind(&self) -> &str {
        &self.inner.kind
    }

    /// Target table of the run that refused them.
    pub fn target(&self) -> &str {
        &self.inner.table
    }

    /// What that run knew of the input besides its rows.
    pub fn input_facts(&self) -> &BTreeMap<String, String> {
        &self.inner.facts
    }

    /// The records, by row.
    pub fn rows(&self) -> &[ReplayRow] {
        &self.inner.rows
    }

    /// Leaves out records; see [`super::Replay::retain`].
    pub fn retain(&mut self, keep: impl FnMut(&ReplayRow) -> bool) {
        let inner = Arc::make_mut(&mut self.inner);
        inner.rows.retain(keep);
        self.fingerprint = fingerprint(&inner.headers, &inner.rows);
    }
}

impl Table for ReplayTable {
    fn part(&self) -> Part {
        self.inner.origin.part.clone()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn headers(&self) -> &[String] {
        &self.inner.headers
    }

    fn sample(&self) -> &[Vec<String>] {
        &self.inner.sample
    }

    fn extent(&self) -> Extent {
        let bytes = self.inner.rows.iter().map(|row| row.length).sum();
        Extent { bytes: Some(bytes), rows: Some(self.inner.rows.len() as u64) }
    }

    fn facts(&self) -> Vec<(String, String)> {
        let corrected = self.inner.rows.iter().filter(|row| !row.changed.is_empty()).count();
        vec![
            ("replays".into(), self.inner.origin.label()),
            ("records".into(), self.inner.rows.len().to_string()),
            ("corrected".into(), corrected.to_string()),
        ]
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError> {
        let next = usize::try_from(from.record).unwrap_or(usize::MAX).min(self.inner.rows.len());
        let consumed = self.inner.rows[..next].iter().map(|row| row.length).sum();
        let inner = Arc::clone(&self.inner);
        Ok(Box::new(ReplaySource { inner, schema, next, consumed, open: None }))
    }
}

/// Fetches the lines of the records, in their order.
struct ReplaySource {
    inner: Arc<Inner>,
    schema: Arc<ReadSchema>,
    next: usize,
    consumed: u64,
    open: Option<OpenFile>,
}

struct OpenFile {
    index: u32,
    reader: BufReader<File>,
    at: u64,
}

impl fmt::Debug for ReplaySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplaySource").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Source for ReplaySource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let first = self.next;
        let mut text = Vec::new();
        let mut ends = Vec::new();
        while self.next < self.inner.rows.len()
            && ends.len() < rows.max(1)
            && (ends.is_empty() || text.len() < bytes)
        {
            self.fetch(&mut text)?;
            ends.push(text.len());
            self.next += 1;
        }
        if ends.is_empty() {
            return Ok(None);
        }
        self.consumed += text.len() as u64;
        Ok(Some(Block {
            bytes: text.len() as u64,
            consumed: self.consumed,
            body: Box::new(ReplayBlock {
                inner: Arc::clone(&self.inner),
                schema: Arc::clone(&self.schema),
                first,
                text,
                ends,
            }),
        }))
    }
}

impl ReplaySource {
    /// Appends the line of the next record.
    fn fetch(&mut self, text: &mut Vec<u8>) -> Result<(), SourceError> {
        let row = &self.inner.rows[self.next];
        let path = file_of(&self.inner, row);
        let trouble = |error| SourceError::io(path.display().to_string(), error);
        let reusable = self.open.take().filter(|open| open.index == row.file);
        let mut open = match reusable {
            Some(open) => open,
            None => OpenFile {
                index: row.file,
                reader: BufReader::with_capacity(1 << 18, File::open(path).map_err(trouble)?),
                at: 0,
            },
        };
        // Records mostly lie in order: stepping forward within the buffer costs nothing.
        match i64::try_from(row.byte.abs_diff(open.at)) {
            Ok(step) => {
                let step = if row.byte < open.at { -step } else { step };
                open.reader.seek_relative(step).map_err(trouble)?;
            }
            Err(_) => {
                open.reader.seek(SeekFrom::Start(row.byte)).map_err(trouble)?;
            }
        }
        let before = text.len();
        (&mut open.reader).take(row.length).read_to_end(text).map_err(trouble)?;
        if (text.len() - before) as u64 != row.length {
            return Err(changed(path));
        }
        open.at = row.byte + row.length;
        self.open = Some(open);
        Ok(())
    }
}

pub(super) fn file_of<'a>(inner: &'a Inner, row: &ReplayRow) -> &'a Path {
    inner.files.get(row.file as usize).map_or(Path::new(""), PathBuf::as_path)
}

pub(super) fn changed(path: &Path) -> SourceError {
    SourceError::new(
        SourceErrorKind::Changed,
        path.display().to_string(),
        "the failed-record file changed while it was replayed",
    )
    .with_hint("start the command again")
}
