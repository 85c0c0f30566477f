//! The records to be replayed, as tables that are read like files.

use super::RecordId;
use super::corrections::Content;
use super::lines::At;
use super::record::Record;
use super::table::{Inner, ReplayTable};
use crate::chunk::{Fingerprint, Origin};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// Records kept as a sample.
const SAMPLE: usize = 100;

/// One record to be replayed. Its text stays in the file until it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRow {
    /// Identity of the row.
    pub id: RecordId,
    /// Row in the source that it came from.
    pub row: u64,
    /// The run that refused it last.
    pub run: String,
    /// Attempts so far.
    pub attempt: u32,
    /// Fields that differ from the record, `_line` for a corrected line.
    pub changed: Vec<String>,
    pub(super) content: Content,
    pub(super) file: u32,
    pub(super) byte: u64,
    pub(super) length: u64,
    digest: [u8; 16],
}

impl ReplayRow {
    /// Hash of the id and of the text that will be read: the same text fails in the same way.
    pub fn content(&self) -> u128 {
        u128::from_be_bytes(self.digest)
    }

    /// Whether a record that is replayed as it stands says what it said when it was found; what is
    /// corrected takes nothing but its origin from the record.
    pub(super) fn is_still(&self, record: &Record) -> bool {
        self.content != Content::AsRecorded || content(record) == self.content()
    }
}

/// What is to be replayed, one table for each input that the records came from.
#[derive(Debug, Default)]
pub struct Replay {
    /// The tables, by file, sheet and kind.
    pub tables: Vec<ReplayTable>,
}

impl Replay {
    /// All records.
    pub fn records(&self) -> impl Iterator<Item = &ReplayRow> {
        self.tables.iter().flat_map(|table| table.rows())
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.rows().len()).sum()
    }

    /// Nothing to replay.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Leaves out records, for instance those that an earlier replay has consumed; returns how many
    /// went. The rest has the fingerprint that it would have had alone.
    pub fn retain(&mut self, keep: impl Fn(&ReplayRow) -> bool) -> usize {
        let before = self.len();
        for table in &mut self.tables {
            table.retain(&keep);
        }
        self.tables.retain(|table| !table.rows().is_empty());
        before - self.len()
    }
}

/// One record as it is found.
pub(super) struct Entry<'a> {
    pub record: &'a Record,
    pub file: usize,
    pub at: At,
    pub content: Content,
    pub changed: Vec<String>,
}

/// Records of one key are read as one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    file: String,
    sheet: Option<String>,
    fingerprint: [u8; 32],
    kind: String,
    table: String,
    facts: BTreeMap<String, String>,
    headers: Vec<String>,
}

#[derive(Default)]
struct Group {
    origin: Option<Origin>,
    rows: Vec<ReplayRow>,
    sample: Vec<Vec<String>>,
}

/// Collects records, the latest attempt of each.
pub(super) struct ReplayBuilder {
    files: Arc<Vec<PathBuf>>,
    groups: BTreeMap<Key, Group>,
    latest: HashMap<RecordId, u32>,
}

impl ReplayBuilder {
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { files: Arc::new(files), groups: BTreeMap::new(), latest: HashMap::new() }
    }

    /// Whether no later attempt was seen.
    pub fn is_latest(&self, record: &Record) -> bool {
        self.latest.get(&record.id).is_none_or(|attempt| *attempt <= record.attempt)
    }

    /// Remembers that the record exists.
    pub fn saw(&mut self, record: &Record) {
        let attempt = self.latest.entry(record.id).or_default();
        *attempt = record.attempt.max(*attempt);
    }

    pub fn knows(&self, id: RecordId) -> bool {
        self.latest.contains_key(&id)
    }

    pub fn add(&mut self, entry: Entry<'_>) {
        let Entry { record, file, at, content, changed } = entry;
        if !self.is_latest(record) {
            return;
        }
        self.saw(record);
        let headers = record.headers();
        let group = self.groups.entry(Key {
            file: record.file.clone(),
            sheet: record.sheet.clone(),
            fingerprint: record.fingerprint.0,
            kind: record.kind.clone(),
            table: record.table.clone(),
            facts: record.facts.clone(),
            headers,
        });
        let group = group.or_default();
        group.origin.get_or_insert_with(|| record.origin());
        let values: Option<Vec<&str>> = match &content {
            Content::Fields(fields) => Some(fields.iter().map(String::as_str).collect()),
            Content::AsRecorded if record.line().is_none() => {
                Some(record.raw.iter().map(|(_, value)| value.as_str()).collect())
            }
            _ => None,
        };
        if let Some(values) = values.as_ref().filter(|_| group.sample.len() < SAMPLE) {
            group.sample.push(values.iter().map(|value| (*value).to_owned()).collect());
        }
        let line = match &content {
            Content::Line(text) => Some(text.as_str()),
            _ => record.line().map(|(text, _)| text),
        };
        group.rows.push(ReplayRow {
            id: record.id,
            row: record.row,
            run: record.run.clone(),
            attempt: record.attempt,
            changed,
            digest: digest(record.id, values.as_deref(), line),
            content,
            file: u32::try_from(file).unwrap_or(u32::MAX),
            byte: at.byte,
            length: at.length,
        });
    }

    pub fn finish(self) -> Replay {
        let Self { files, groups, latest } = self;
        let mut tables = Vec::new();
        for (key, mut group) in groups {
            // An earlier attempt may have been added before its successor was found.
            group.rows.retain(|row| latest.get(&row.id) == Some(&row.attempt));
            // Loaders write in any order; the source's own order makes a replay repeatable. A later
            // copy of the same attempt wins.
            group.rows.reverse();
            group.rows.sort_by_key(|row| (row.row, row.id));
            group.rows.dedup_by_key(|row| row.id);
            let (Some(origin), false) = (group.origin, group.rows.is_empty()) else { continue };
            tables.push(ReplayTable::new(Inner {
                origin: Arc::new(origin),
                kind: key.kind,
                table: key.table,
                facts: key.facts,
                headers: key.headers,
                files: Arc::clone(&files),
                rows: group.rows,
                sample: group.sample,
            }));
        }
        Replay { tables }
    }
}

/// What a replay of a record as it stands would have as its [`ReplayRow::content`].
pub(super) fn content(record: &Record) -> u128 {
    let values: Vec<_> = record.raw.iter().map(|(_, value)| value.as_str()).collect();
    let line = record.line().map(|(text, _)| text);
    u128::from_be_bytes(digest(record.id, line.is_none().then_some(values.as_slice()), line))
}

/// What a record brings, so that the same corrections are the same input.
fn digest(id: RecordId, values: Option<&[&str]>, line: Option<&str>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&id.0.to_be_bytes());
    let line = line.filter(|_| values.is_none());
    for value in values.unwrap_or_default().iter().copied().chain(line) {
        hasher.update(&(value.len() as u64).to_le_bytes());
        hasher.update(value.as_bytes());
    }
    let mut half = [0; 16];
    hasher.finalize_xof().fill(&mut half);
    half
}

/// Content identity of rows in order.
pub(super) fn fingerprint(headers: &[String], rows: &[ReplayRow]) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"replay");
    for header in headers {
        hasher.update(&(header.len() as u64).to_le_bytes());
        hasher.update(header.as_bytes());
    }
    for row in rows {
        hasher.update(&row.digest);
    }
    Fingerprint(*hasher.finalize().as_bytes())
}
