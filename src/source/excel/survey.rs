//! Which sheets of a workbook are tables, and what they look like.

use super::layout::{self, Layout};
use super::page::{Packer, Page};
use super::stream::ExcelSource;
use super::walk::{SheetInfo, Visit, Walked, Workbook};
use super::{OLE, directory_offset, guard, password};
use crate::chunk::{Fingerprint, Mark, Part, ReadSchema};
use crate::source::cell::Cell;
use crate::source::content::Spooled;
use crate::source::input::{SNIFF, read_full};
use crate::source::{Content, Extent, Source, SourceError, SourceErrorKind, SourceOptions, Table};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Records kept as a sample.
pub(in crate::source) const SAMPLE: usize = 1_000;
/// Memory the first rows of a sheet may take before no more are looked at.
pub(in crate::source) const SAMPLE_BYTES: usize = 64 << 20;

/// A sheet that holds rows.
pub struct SheetTable {
    pub(super) file: Spooled,
    pub(super) label: String,
    pub(super) sheet: String,
    pub(super) layout: Arc<Layout>,
    fingerprint: Fingerprint,
    sample: Vec<Vec<String>>,
    last_row: Option<u32>,
    notes: Vec<String>,
}

/// Finds the tables of a workbook.
pub fn survey(
    content: &Content,
    options: &SourceOptions,
) -> Result<Vec<Arc<dyn Table>>, SourceError> {
    let label = content.label();
    refuse_ole(content)?;
    let file = content.seekable(options.temp_dir.as_deref())?;
    guard::check(file.path(), label)?;
    let fingerprint = file.blake3(label)?;
    let mut workbook = Workbook::open(file.path(), label)?;
    let sheets = workbook.sheets();
    let (chosen, mut notes) = choose(&sheets, options, label)?;
    let mut tables = Vec::new();
    for sheet in chosen {
        match Head::read(&mut workbook, sheet, options)? {
            Some(head) => tables.push((sheet, head)),
            None if options.sheets.is_empty() => {
                notes.push(format!("sheet \"{}\" holds no rows and is left out", sheet.name));
            }
            None => return Err(empty(label, &sheet.name)),
        }
    }
    if tables.is_empty() {
        return Err(SourceError::new(
            SourceErrorKind::Empty,
            label,
            format!("no visible sheet holds rows (sheets: {})", listed(&sheets)),
        ));
    }
    let mut result = Vec::<Arc<dyn Table>>::new();
    for (sheet, head) in tables {
        let mut table = head.into_table(&file, label, sheet, fingerprint, options)?;
        table.notes.append(&mut notes);
        result.push(Arc::new(table));
    }
    Ok(result)
}

/// Says what an OLE container is: a password, or a format of before 2007.
fn refuse_ole(content: &Content) -> Result<(), SourceError> {
    let head = content.head(SNIFF)?;
    if !head.starts_with(OLE) {
        return Ok(());
    }
    let mut sector = head.clone();
    if let Some(offset) = directory_offset(&head).filter(|offset| *offset >= head.len() as u64) {
        let mut reader = content.open_at(offset)?;
        let start = sector.len();
        sector.resize(start + 4_096, 0);
        let read = read_full(&mut reader, &mut sector[start..])
            .map_err(|error| SourceError::io(content.label(), error))?;
        sector.truncate(start + read);
    }
    if super::sniff_ole(&sector) == super::Confidence::Certain {
        return Err(password(content.label()));
    }
    let message =
        "not a table that can be read: it is an old Excel file (.xls) or another OLE file";
    Err(SourceError::new(SourceErrorKind::NotTheFormat, content.label(), message)
        .with_hint("open it in Excel and save it as .xlsx"))
}

pub(in crate::source) fn listed(sheets: &[SheetInfo]) -> String {
    let name = |sheet: &SheetInfo| {
        let hidden = if sheet.visible { "" } else { " (hidden)" };
        format!("\"{}\"{hidden}", sheet.name)
    };
    sheets.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The sheets asked for, or all that are visible, with notes on the others.
pub(in crate::source) fn choose<'a>(
    sheets: &'a [SheetInfo],
    options: &SourceOptions,
    label: &str,
) -> Result<(Vec<&'a SheetInfo>, Vec<String>), SourceError> {
    let mut notes = Vec::new();
    if options.sheets.is_empty() {
        let wanted = |sheet: &&SheetInfo| sheet.visible && sheet.cells;
        for sheet in sheets.iter().filter(|sheet| !wanted(sheet)) {
            let (name, why) =
                (&sheet.name, if sheet.cells { "hidden" } else { "a chart or macro" });
            notes.push(match sheet.cells {
                true => {
                    format!("sheet \"{name}\" is {why} and left out; --sheet \"{name}\" reads it")
                }
                false => format!("sheet \"{name}\" is {why} and left out"),
            });
        }
        return Ok((sheets.iter().filter(wanted).collect(), notes));
    }
    let mut chosen: Vec<&SheetInfo> = Vec::new();
    for wanted in &options.sheets {
        let sheet = find(sheets, wanted).filter(|sheet| sheet.cells).ok_or_else(|| {
            let message = format!("there is no sheet `{wanted}` that holds rows");
            SourceError::new(SourceErrorKind::Header, label, message)
                .with_hint(format!("the sheets are {}", listed(sheets)))
        })?;
        if !chosen.contains(&sheet) {
            chosen.push(sheet);
        }
    }
    Ok((chosen, notes))
}

/// By name, else by name in any case, else by number from 1.
fn find<'a>(sheets: &'a [SheetInfo], wanted: &str) -> Option<&'a SheetInfo> {
    let by_number = || wanted.parse::<usize>().ok().and_then(|n| sheets.get(n.checked_sub(1)?));
    sheets
        .iter()
        .find(|sheet| sheet.name == wanted)
        .or_else(|| sheets.iter().find(|s| s.name.to_lowercase() == wanted.to_lowercase()))
        .or_else(by_number)
}

pub(in crate::source) fn empty(label: &str, sheet: &str) -> SourceError {
    let label = format!("{label}, sheet \"{sheet}\"");
    SourceError::new(SourceErrorKind::Empty, label, "the sheet holds no rows")
}

/// The first rows of a sheet.
struct Head {
    packer: Packer,
    from: u32,
    /// The last row that the sheet says it has.
    last_row: u32,
    /// Something stands above `from`.
    above: bool,
}

impl Head {
    fn read(
        workbook: &mut Workbook,
        sheet: &SheetInfo,
        options: &SourceOptions,
    ) -> Result<Option<Self>, SourceError> {
        let from = options.header_row.unwrap_or(0).min(u64::from(u32::MAX)) as u32;
        let mut head = Self { packer: Packer::new(None), from, last_row: 0, above: false };
        let walked = workbook.walk(&sheet.name, &mut head)?;
        head.packer.end_row();
        let rows = walked == Walked::Done && (head.above || !head.packer.page.is_empty());
        Ok(rows.then_some(head))
    }

    fn is_full(&self) -> bool {
        let page = &self.packer.page;
        let enough_bytes = page.bytes() > SAMPLE_BYTES && page.len() > layout::PREAMBLE;
        page.len() > SAMPLE + layout::PREAMBLE || enough_bytes
    }

    fn into_table(
        self,
        file: &Spooled,
        label: &str,
        sheet: &SheetInfo,
        workbook: blake3::Hash,
        options: &SourceOptions,
    ) -> Result<SheetTable, SourceError> {
        let page = self.packer.page;
        let layout = Layout::find(&page, options)
            .ok_or_else(|| no_header(label, &sheet.name, options.header_row.unwrap_or(1)))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(workbook.as_bytes()).update(sheet.name.as_bytes());
        let mut notes = Vec::new();
        if let Some(last) = layout.preamble.last() {
            let rows = layout.preamble.len();
            notes.push(format!(
                "{rows} row(s) above the header (up to row {last}) are not read as data"
            ));
        }
        Ok(SheetTable {
            file: file.clone(),
            label: label.to_owned(),
            sheet: sheet.name.clone(),
            fingerprint: Fingerprint(*hasher.finalize().as_bytes()),
            sample: sample(&page, &layout),
            last_row: Some(self.last_row).filter(|last| *last >= page.number(page.len() - 1)),
            layout: Arc::new(layout),
            notes,
        })
    }
}

impl Visit for Head {
    fn begin(&mut self, last_row: u32) {
        self.last_row = last_row;
    }

    fn cell(&mut self, row: u32, column: u16, cell: Cell<'_>) -> ControlFlow<()> {
        if row < self.from {
            self.above |= !cell.is_blank();
            return ControlFlow::Continue(());
        }
        if row != self.packer.row() {
            self.packer.end_row();
            if self.is_full() {
                return ControlFlow::Break(());
            }
            self.packer.begin_row(row);
        }
        self.packer.push(column, cell);
        ControlFlow::Continue(())
    }
}

pub(in crate::source) fn sample(page: &Page, layout: &Layout) -> Vec<Vec<String>> {
    (0..page.len())
        .filter(|record| page.number(*record) >= layout.first_row)
        .filter(|record| !layout.is_header(page, *record))
        .take(SAMPLE)
        .map(|record| {
            let text = |field| page.at(record, layout.column(field)).text().into_owned();
            (0..layout.headers.len()).map(text).collect()
        })
        .collect()
}

pub(in crate::source) fn no_header(label: &str, sheet: &str, wanted: u64) -> SourceError {
    let label = format!("{label}, sheet \"{sheet}\"");
    let message = format!("no header found at row {wanted}: the row is blank or behind the end");
    SourceError::new(SourceErrorKind::Header, label, message)
        .with_hint("give the row of the header with --header-row, or 0 where there is none")
}

impl Table for SheetTable {
    fn part(&self) -> Part {
        Part::Sheet(self.sheet.clone())
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
        Extent {
            bytes: None,
            rows: self.last_row.map(|last| u64::from(last.saturating_sub(before))),
        }
    }

    fn facts(&self) -> Vec<(String, String)> {
        let layout = &self.layout;
        let header = layout.header_row.map_or("none".into(), |row| format!("row {row}"));
        let last = layout.column(layout.headers.len().max(1) - 1);
        let columns =
            format!("{} to {}", layout::letters(layout.first_column), layout::letters(last));
        vec![
            ("sheet".into(), self.sheet.clone()),
            ("header".into(), header),
            ("columns".into(), columns),
        ]
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(ExcelSource::open(self, schema, from)?))
    }
}
