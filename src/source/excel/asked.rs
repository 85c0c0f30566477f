//! The part of a workbook that the user asks for by its cells, by a name, or as an Excel table.

use super::book::{Book, Sheet};
use super::cells::MAX_COLUMNS;
use super::fault::Fault;
use super::range::{Area, SheetRange};
use super::survey::{find, listed};
use super::tags::{Edge, Tags};
use super::text;
use super::xml::{Cursor, Tag, Token};
use crate::source::{SourceError, SourceErrorKind, SourceOptions};
use std::io::Read;

/// Most bytes of the part that lists the names.
const MOST: u64 = 64 << 20;

/// Cells of a sheet that alone are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The cells, the header among them.
    pub area: Area,
    /// How people call it: `range A3:F200`.
    pub label: String,
    /// What names the columns.
    pub header: HeaderAt,
    /// What is left out.
    pub notes: Vec<String>,
}

/// What names the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderAt {
    /// The first row.
    First,
    /// Nothing.
    None,
    /// The workbook, without a row of its own.
    Names(Vec<String>),
}

/// An Excel table.
struct ExcelTable<'a> {
    name: String,
    sheet: &'a Sheet,
    bounds: Bounds,
}

/// The sheet and the cells that the options ask for; `None` where they name neither.
pub fn asked<'a>(
    book: &'a Book,
    options: &SourceOptions,
    label: &str,
) -> Result<Option<(&'a Sheet, Bounds)>, SourceError> {
    if let Some(name) = &options.excel_table {
        return table(book, name, label).map(Some);
    }
    let Some(range) = &options.range else { return Ok(None) };
    let headless = options.header_row == Some(0) || options.headers.is_some();
    let header = if headless { HeaderAt::None } else { HeaderAt::First };
    let bounds = |area: &Area, label: String| Bounds { area: *area, label, header, notes: vec![] };
    Ok(Some(match range {
        SheetRange::Cells { sheet, area } => {
            let sheet = sheet_of(book, sheet.as_deref(), options, label)?;
            (sheet, bounds(area, format!("range {area}")))
        }
        SheetRange::Name(name) => {
            let (sheet, area) = named(book, name, label)?;
            (sheet, bounds(&area, format!("range {name} ({area})")))
        }
    }))
}

fn refused(label: &str, message: String, hint: String) -> SourceError {
    SourceError::new(SourceErrorKind::Header, label, message).with_hint(hint)
}

/// The sheet that is named, with the range or beside it, or the only one that is visible.
fn sheet_of<'a>(
    book: &'a Book,
    named: Option<&str>,
    options: &SourceOptions,
    label: &str,
) -> Result<&'a Sheet, SourceError> {
    let sheets = book.sheets();
    let wanted = match (named, options.sheets.as_slice()) {
        (Some(name), []) => name,
        (None, [name]) => name,
        (None, []) => {
            let mut visible = sheets.iter().filter(|sheet| sheet.visible && sheet.cells);
            return match (visible.next(), visible.next()) {
                (Some(only), None) => Ok(only),
                _ => {
                    let message = "the workbook has several sheets; the range does not say which";
                    let hint = format!(
                        "write it like 'Sheet'!A3:F200, or add --sheet (the sheets are {})",
                        listed(sheets)
                    );
                    Err(refused(label, message.into(), hint))
                }
            };
        }
        _ => {
            let message = "a range is of one sheet, and here several are named";
            return Err(refused(label, message.into(), "name one of them".into()));
        }
    };
    find(sheets, wanted).filter(|sheet| sheet.cells).ok_or_else(|| {
        let message = format!("there is no sheet `{wanted}` that holds rows");
        refused(label, message, format!("the sheets are {}", listed(sheets)))
    })
}

/// What the workbook calls by a name.
fn named<'a>(book: &'a Book, name: &str, label: &str) -> Result<(&'a Sheet, Area), SourceError> {
    let names = defined_names(book).map_err(|fault| fault.into_error(label))?;
    let Some((_, means)) = names.iter().find(|(known, _)| same(known, name)) else {
        let known = names.iter().map(|(name, _)| name.as_str());
        let message = format!("the workbook calls no range `{name}`");
        return Err(refused(label, message, known_ones("its names are", known, "it has no names")));
    };
    let found = match means.trim_start_matches('=').parse() {
        Ok(SheetRange::Cells { sheet: Some(sheet), area }) => {
            let named = book.sheets().iter().find(|it| it.name == sheet && it.cells);
            named.map(|sheet| (sheet, area))
        }
        _ => None,
    };
    found.ok_or_else(|| {
        let message = format!("the name `{name}` means `{means}`, which is no range of one sheet");
        refused(label, message, "give the range itself, like Sheet!A3:F200".into())
    })
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn known_ones<'n>(lead: &str, names: impl Iterator<Item = &'n str>, none: &str) -> String {
    let names: Vec<_> = names.take(20).collect();
    if names.is_empty() { none.to_owned() } else { format!("{lead} {}", names.join(", ")) }
}

/// Names that users gave, and what they mean.
fn defined_names(book: &Book) -> Result<Vec<(String, String)>, Fault> {
    let part = book.workbook().map_err(|error| Fault::Io(std::io::Error::other(error)))?;
    let mut bytes = Vec::new();
    part.take(MOST).read_to_end(&mut bytes)?;
    let mut cursor = Cursor::new(&bytes, 0);
    let mut names = Vec::new();
    while let Some(token) = cursor.next()? {
        let Token::Open(tag) = token else { continue };
        if tag.name != b"definedName" || tag.empty {
            continue;
        }
        let name = tag.get(b"name")?.map(text::attribute).transpose()?.unwrap_or_default();
        let mut means = String::new();
        text::append_until(&mut cursor, b"definedName", &mut means)?;
        // Excel's own (print areas, filters) begin so.
        if !name.starts_with("_xlnm.") {
            names.push((name, means));
        }
    }
    Ok(names)
}

/// The Excel table of a name.
fn table<'a>(book: &'a Book, name: &str, label: &str) -> Result<(&'a Sheet, Bounds), SourceError> {
    let mut tables = Vec::new();
    for sheet in book.sheets().iter().filter(|sheet| sheet.cells) {
        for (part, reader) in book.table_parts(sheet)? {
            let read = read_table(reader, sheet);
            let label = || format!("{label}, part {part}");
            tables.extend(read.map_err(|fault| fault.into_error(&label()))?);
        }
    }
    if let Some(at) = tables.iter().position(|table| same(&table.name, name)) {
        let table = tables.swap_remove(at);
        return Ok((table.sheet, table.bounds));
    }
    let known = tables.iter().map(|table| table.name.as_str());
    let hint = known_ones("its tables are", known, "it has none; give a range or a sheet");
    Err(refused(label, format!("the workbook has no table `{name}`"), hint))
}

/// Reads the part of a table; `None` where it names no cells.
fn read_table(part: Box<dyn Read + Send>, sheet: &Sheet) -> Result<Option<ExcelTable<'_>>, Fault> {
    let mut tags = Tags::new(part);
    let mut found = None;
    let mut columns = Vec::new();
    while let Some(edge) = tags.next()? {
        match edge {
            Edge::Open(tag) if tag.name == b"table" && found.is_none() => {
                found = Some(TableTag::read(&tag)?);
            }
            Edge::Open(tag) if tag.name == b"tableColumn" => {
                let name = tag.get(b"name")?.map(text::attribute).transpose()?;
                let mut name = name.unwrap_or_default();
                text::unescape(&mut name, 0);
                if columns.len() == MAX_COLUMNS as usize {
                    return Err(Fault::TooLarge("a table has more columns than a sheet".into()));
                }
                columns.push(name);
            }
            _ => {}
        }
    }
    Ok(found.and_then(|tag| tag.bounds(sheet, columns)))
}

/// The attributes of a table that matter.
struct TableTag {
    name: String,
    range: String,
    headers: u32,
    totals: u32,
}

impl TableTag {
    fn read(tag: &Tag<'_>) -> Result<Self, Fault> {
        let value = |name: &[u8]| tag.get(name)?.map(text::attribute).transpose();
        let count = |name: &[u8], usual: u32| -> Result<u32, Fault> {
            let text = value(name)?;
            Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(usual))
        };
        let name = match value(b"displayName")? {
            Some(name) => name,
            None => value(b"name")?.unwrap_or_default(),
        };
        let range = value(b"ref")?.unwrap_or_default();
        let (headers, totals) = (count(b"headerRowCount", 1)?, count(b"totalsRowCount", 0)?);
        Ok(Self { name, range, headers, totals })
    }

    fn bounds(self, sheet: &Sheet, columns: Vec<String>) -> Option<ExcelTable<'_>> {
        let Ok(SheetRange::Cells { sheet: None, mut area }) = self.range.parse() else {
            return None;
        };
        let label = format!("table {} ({area})", self.name);
        let mut notes = Vec::new();
        if self.totals > 0 {
            let last = area.last_row;
            area.last_row = last.saturating_sub(self.totals).max(area.first_row);
            let rows = if self.totals == 1 { "row" } else { "rows" };
            let first = area.last_row + 1;
            notes.push(format!(
                "the totals of the table {} ({rows} from {first} to {last}) are no data and left \
                 out",
                self.name
            ));
        }
        let header = match self.headers {
            0 => HeaderAt::Names(columns),
            _ => HeaderAt::First,
        };
        let bounds = Bounds { area, label, header, notes };
        Some(ExcelTable { name: self.name, sheet, bounds })
    }
}
