//! Which sheets of a workbook are tables, and what they look like.

use super::asked::{Bounds, HeaderAt, asked};
use super::book::{Book, Sheet};
use super::cells::{MAX_ROWS, letters};
use super::head::Head;
use super::layout::Layout;
use super::page::Page;
use super::stream::ExcelSource;
use super::{OLE, directory_offset, password};
use crate::chunk::{Fingerprint, Mark, Part, ReadSchema};
use crate::source::resolve::{SNIFF, read_full};
use crate::source::watch::WatchedSource;
use crate::source::{Content, Extent, Source, SourceError, SourceErrorKind, SourceOptions, Table};
use std::sync::Arc;

/// Records kept as a sample.
pub(in crate::source) const SAMPLE: usize = 1_000;
/// Memory the first rows of a sheet may take before no more are looked at.
pub(in crate::source) const SAMPLE_BYTES: usize = 64 << 20;

/// A sheet that holds rows.
pub struct SheetTable {
    pub(super) book: Arc<Book>,
    pub(super) sheet: Sheet,
    content: Content,
    pub(super) layout: Arc<Layout>,
    fingerprint: Fingerprint,
    sample: Vec<Vec<String>>,
    last_row: Option<u32>,
    /// How people call the part of the sheet that they ask for.
    bounds: Option<String>,
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
    let book = Arc::new(Book::open(&file, label, options)?);
    // The content is hashed while the first rows are looked at, and the strings that they need.
    let (fingerprint, found) =
        rayon::join(|| file.blake3(label), || find_tables(&book, options, label));
    let (fingerprint, mut found) = (fingerprint?, found?);
    let (bounds, content) = (found.bounds.as_ref(), &file.watched(content));
    let mut result = Vec::<Arc<dyn Table>>::new();
    for (sheet, head) in found.tables {
        let mut table = SheetTable::new(head, &book, content, sheet, fingerprint, options, bounds)?;
        table.notes.append(&mut found.notes);
        result.push(Arc::new(table));
    }
    Ok(result)
}

/// What a workbook holds of what is asked for.
struct Found<'b> {
    /// Sheets, and how each begins.
    tables: Vec<(&'b Sheet, Head)>,
    bounds: Option<Bounds>,
    notes: Vec<String>,
}

fn find_tables<'b>(
    book: &'b Arc<Book>,
    options: &SourceOptions,
    label: &str,
) -> Result<Found<'b>, SourceError> {
    let asked = asked(book, options, label)?;
    let (chosen, mut notes) = match &asked {
        Some((sheet, bounds)) => (vec![*sheet], bounds.notes.clone()),
        None => choose(book.sheets(), options, label)?,
    };
    let bounds = asked.as_ref().map(|(_, bounds)| bounds);
    let mut strings = book.loader()?;
    let mut tables = Vec::new();
    for sheet in chosen {
        let name = sheet_label(label, sheet);
        match Head::read(book, &mut strings, sheet, &name, options, bounds)? {
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
            format!("no visible sheet holds rows (sheets: {})", listed(book.sheets())),
        ));
    }
    Ok(Found { tables, bounds: asked.map(|(_, bounds)| bounds), notes })
}

/// Says what an OLE container is: a password, or a format of before 2007.
pub(super) fn refuse_ole(content: &Content) -> Result<(), SourceError> {
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

pub(in crate::source) fn listed(sheets: &[Sheet]) -> String {
    let name = |sheet: &Sheet| {
        let hidden = if sheet.visible { "" } else { " (hidden)" };
        format!("\"{}\"{hidden}", sheet.name)
    };
    sheets.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The sheets asked for, or all that are visible, with notes on the others.
pub(in crate::source) fn choose<'a>(
    sheets: &'a [Sheet],
    options: &SourceOptions,
    label: &str,
) -> Result<(Vec<&'a Sheet>, Vec<String>), SourceError> {
    let mut notes = Vec::new();
    if options.sheets.is_empty() {
        let wanted = |sheet: &&Sheet| sheet.visible && sheet.cells;
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
    let mut chosen: Vec<&Sheet> = Vec::new();
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
pub(super) fn find<'a>(sheets: &'a [Sheet], wanted: &str) -> Option<&'a Sheet> {
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

fn sheet_label(label: &str, sheet: &Sheet) -> String {
    format!("{label}, sheet \"{}\"", sheet.name)
}

/// Where the table lies in the cells that the user asks for.
fn within(
    head: &Head,
    bounds: &Bounds,
    options: &SourceOptions,
    label: &str,
) -> Result<Layout, SourceError> {
    let (area, asked) = (bounds.area, &bounds.label);
    if head.page.is_empty() {
        let end = match head.last_row {
            1 => String::new(),
            last => format!("; the sheet says that it ends at row {last}"),
        };
        let message = format!("the {asked} holds no values{end}");
        return Err(SourceError::new(SourceErrorKind::Empty, label, message)
            .with_hint("give the cells of the table, its header among them"));
    }
    Layout::within(&head.page, bounds, options.headers.as_ref()).ok_or_else(|| {
        let row = area.first_row;
        let message = format!("row {row}, the first one of the {asked}, is blank: no header");
        let hint = match bounds.header {
            HeaderAt::First => "begin the range at its header, or add --header-row 0",
            _ => "open it in Excel and save it again",
        };
        SourceError::new(SourceErrorKind::Header, label, message).with_hint(hint)
    })
}

impl SheetTable {
    fn new(
        head: Head,
        book: &Arc<Book>,
        content: &Content,
        sheet: &Sheet,
        workbook: blake3::Hash,
        options: &SourceOptions,
        bounds: Option<&Bounds>,
    ) -> Result<Self, SourceError> {
        let (page, label) = (&head.page, content.label());
        let layout = match bounds {
            Some(bounds) => within(&head, bounds, options, &sheet_label(label, sheet))?,
            None => Layout::find(page, options)
                .ok_or_else(|| no_header(label, &sheet.name, options.header_row.unwrap_or(1)))?,
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(workbook.as_bytes()).update(sheet.name.as_bytes());
        let mut notes = Vec::new();
        if let Some(last) = layout.preamble.last() {
            let rows = layout.preamble.len();
            notes.push(format!(
                "{rows} row(s) above the header (up to row {last}) are not read as data"
            ));
        }
        let last_seen = page.number(page.len() - 1);
        Ok(Self {
            book: Arc::clone(book),
            sheet: sheet.clone(),
            content: content.clone(),
            fingerprint: Fingerprint(*hasher.finalize().as_bytes()),
            sample: sample(page, &layout),
            bounds: bounds.map(|bounds| bounds.label.clone()),
            last_row: Some(head.last_row).filter(|last| *last >= last_seen),
            layout: Arc::new(layout),
            notes,
        })
    }

    /// How messages name the sheet.
    pub(super) fn sheet_label(&self) -> String {
        sheet_label(self.content.label(), &self.sheet)
    }
}

pub(in crate::source) fn sample(page: &Page, layout: &Layout) -> Vec<Vec<String>> {
    (0..page.len())
        .filter(|record| page.number(*record) >= layout.first_row)
        .filter(|record| {
            let same = |column, header: &str| page.at(*record, column).text().trim() == header;
            !layout.is_header(same)
        })
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
        Part::Sheet(self.sheet.name.clone())
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
        let end = self.layout.area.map_or(MAX_ROWS, |area| area.last_row);
        let rows = self.last_row.map(|last| u64::from(last.min(end).saturating_sub(before)));
        Extent { bytes: None, rows }
    }

    fn facts(&self) -> Vec<(String, String)> {
        let layout = &self.layout;
        let header = layout.header_row.map_or("none".into(), |row| format!("row {row}"));
        let last = layout.column(layout.headers.len().max(1) - 1);
        let columns = format!("{} to {}", letters(layout.first_column), letters(last));
        let mut facts = vec![("sheet".into(), self.sheet.name.clone())];
        facts.extend(self.bounds.iter().map(|bounds| ("only".into(), bounds.clone())));
        facts.extend([("header".into(), header), ("columns".into(), columns)]);
        facts
    }

    fn reading(&self) -> Vec<(&'static str, String)> {
        vec![("header-row", self.layout.header_row.unwrap_or(0).to_string())]
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn read_ahead(&self) {
        self.book.read_ahead();
    }

    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError> {
        WatchedSource::open(&self.content, || ExcelSource::open(self, schema, from))
    }

    fn unchanged(&self) -> Result<(), SourceError> {
        self.content.unchanged()
    }
}
