//! Which sheets of an old workbook are tables, and what they look like. The rules are those of
//! [`crate::source::excel`]; only where cells come from differs.

use super::child::{self, SAVE};
use super::spool::{SheetSpan, Spool};
use super::stream::{Rows, SheetSource};
use super::{Kind, version_without_container};
use crate::chunk::{Fingerprint, Mark, Part, ReadSchema};
use crate::source::excel::book::Sheet;
use crate::source::excel::cells::letters;
use crate::source::excel::layout::{self, Layout};
use crate::source::excel::page::Packer;
use crate::source::excel::survey::{
    SAMPLE, SAMPLE_BYTES, choose, empty, listed, no_header, sample,
};
use crate::source::{Content, Extent, Source, SourceError, SourceErrorKind, SourceOptions, Table};
use std::sync::Arc;

/// A sheet that holds rows.
pub struct LegacyTable {
    pub(super) spool: Spool,
    pub(super) span: SheetSpan,
    /// The file and the sheet.
    pub(super) label: String,
    pub(super) layout: Arc<Layout>,
    fingerprint: Fingerprint,
    sample: Vec<Vec<String>>,
    notes: Vec<String>,
}

/// Finds the tables of a workbook.
pub fn survey(
    kind: Kind,
    content: &Content,
    options: &SourceOptions,
) -> Result<Vec<Arc<dyn Table>>, SourceError> {
    let label = content.label();
    refuse_ancient(content)?;
    let reader = options.reader.as_ref().ok_or_else(|| {
        let message = format!("no program was named that reads .{} files", kind.name());
        SourceError::new(SourceErrorKind::NotTheFormat, label, message).with_hint(SAVE)
    })?;
    let file = content.seekable(options.temp_dir.as_deref())?;
    let workbook = file.blake3(label)?;
    let spool = child::convert(kind, file.path(), label, reader, options.temp_dir.as_ref())?;
    let sheets: Vec<_> = spool.sheets.iter().map(info).collect();
    let (chosen, mut notes) = choose(&sheets, options, label)?;
    let mut tables = Vec::<Arc<dyn Table>>::new();
    for sheet in chosen {
        let span = spool.sheets.iter().find(|span| span.name == sheet.name);
        let Some(span) = span else { continue };
        if let Some(fault) = &span.fault {
            let label = format!("{label}, sheet \"{}\"", span.name);
            return Err(child::told(&label, fault.kind, fault.message.clone()));
        }
        if span.rows == 0 {
            if !options.sheets.is_empty() {
                return Err(empty(label, &span.name));
            }
            notes.push(format!("sheet \"{}\" holds no rows and is left out", span.name));
            continue;
        }
        let mut table = LegacyTable::new(&spool, span, label, workbook, options)?;
        table.notes.append(&mut notes);
        tables.push(Arc::new(table));
    }
    if tables.is_empty() {
        let message = format!("no visible sheet holds rows (sheets: {})", listed(&sheets));
        return Err(SourceError::new(SourceErrorKind::Empty, label, message));
    }
    Ok(tables)
}

fn info(span: &SheetSpan) -> Sheet {
    Sheet::plain(span.name.clone(), span.cells, span.visible)
}

/// E107: what Excel wrote before it used containers.
fn refuse_ancient(content: &Content) -> Result<(), SourceError> {
    let head = content.head(8)?;
    let Some(version) = version_without_container(&head) else { return Ok(()) };
    let message = format!("a workbook of {version}, which is too old to be read here");
    Err(SourceError::new(SourceErrorKind::OldFormat, content.label(), message).with_hint(SAVE))
}

impl LegacyTable {
    fn new(
        spool: &Spool,
        span: &SheetSpan,
        label: &str,
        workbook: blake3::Hash,
        options: &SourceOptions,
    ) -> Result<Self, SourceError> {
        let sheet_label = format!("{label}, sheet \"{}\"", span.name);
        let from = options.header_row.unwrap_or(0);
        let mut rows = Rows::open(spool, span, from).map_err(|e| SourceError::io(label, e))?;
        let mut packer = Packer::default();
        let full = |packer: &Packer| {
            let (rows, bytes) = (packer.page.len(), packer.page.bytes());
            rows > SAMPLE + layout::PREAMBLE || bytes > SAMPLE_BYTES && rows > layout::PREAMBLE
        };
        while !full(&packer)
            && rows.pack_next(&mut packer).map_err(|error| SourceError::io(label, error))?
        {}
        let page = packer.take();
        let layout = Layout::find(&page, options)
            .ok_or_else(|| no_header(label, &span.name, options.header_row.unwrap_or(1)))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(workbook.as_bytes()).update(span.name.as_bytes());
        let notes = layout.preamble.last().map(|last| {
            let rows = layout.preamble.len();
            format!("{rows} row(s) above the header (up to row {last}) are not read as data")
        });
        Ok(Self {
            spool: spool.clone(),
            span: span.clone(),
            label: sheet_label,
            fingerprint: Fingerprint(*hasher.finalize().as_bytes()),
            sample: sample(&page, &layout),
            layout: Arc::new(layout),
            notes: notes.into_iter().collect(),
        })
    }
}

impl Table for LegacyTable {
    fn part(&self) -> Part {
        Part::Sheet(self.span.name.clone())
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn headers(&self) -> &[String] {
        &self.layout.headers
    }

    fn sample(&self) -> &[Vec<String>] {
        &self.sample
    }

    fn extent(&self) -> Extent {
        let before = self.layout.first_row - 1;
        let rows = u64::from(self.span.last_row.saturating_sub(before));
        Extent { bytes: Some(self.span.end - self.span.start), rows: Some(rows) }
    }

    fn facts(&self) -> Vec<(String, String)> {
        let layout = &self.layout;
        let header = layout.header_row.map_or("none".into(), |row| format!("row {row}"));
        let last = layout.column(layout.headers.len().max(1) - 1);
        let columns = format!("{} to {}", letters(layout.first_column), letters(last));
        vec![
            ("sheet".into(), self.span.name.clone()),
            ("header".into(), header),
            ("columns".into(), columns),
        ]
    }

    fn reading(&self) -> Vec<(&'static str, String)> {
        vec![("header-row", self.layout.header_row.unwrap_or(0).to_string())]
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(SheetSource::open(self, schema, from)?))
    }
}
