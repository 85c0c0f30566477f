//! Every workbook at hand, cell by cell, against an independent reader (calamine).
//!
//! Always over the fixtures; over a folder of other workbooks too where `ETL_CORPORA` names one.
//! A difference is a failure unless it is listed with its reason.

use crate::source::cell::Cell;
use crate::source::excel::book::{Book, Sheet};
use crate::source::excel::cells::{Scanner, last_row};
use crate::source::excel::cut::Cutter;
use crate::source::excel::fault::Fault;
use crate::source::excel::moment;
use crate::source::excel::strings::Strings;
use crate::source::{Content, SourceError, SourceOptions};
use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx, open_workbook};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Workbooks that may differ: the end of their path, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("cells_numbers_edge.xlsx", "1E309 is no number; its text is kept as it stands, not `inf`"),
    ("out_of_grid_XFE.xlsx", "a column behind XFD is refused"),
    ("ref_overflow.xlsx", "row 99999999999 is refused; there it wraps around"),
];

/// Name, visible, and cells as (row, column, value), values as in the reader for users.
type Found = Vec<(String, bool, Vec<(u32, u32, String)>)>;

fn written(cell: Cell<'_>) -> String {
    match cell {
        Cell::Blank => String::new(),
        Cell::Text(text) => format!("'{text}'"),
        Cell::Error(text) => format!("!{text}"),
        Cell::Bool(value) => format!("?{value}"),
        Cell::Moment(micros) => format!("@{}", crate::source::cell::moment_text(micros)),
        Cell::Number(value) => format!("{value:?}"),
        Cell::Digits(digits) => number_of(digits),
    }
}

/// The number that calamine gives for what we keep as digits.
fn number_of(digits: &str) -> String {
    let plain: String = digits.chars().filter(|c| c.is_ascii_digit()).collect();
    let number: f64 = plain.parse().expect("digits");
    let negative = digits.starts_with('-');
    format!("{:?}", if negative { -number } else { number })
}

fn ours(path: &Path) -> Result<Found, SourceError> {
    let content = Content::plain(path);
    let options = SourceOptions::default();
    let book = Book::open(&content.seekable(None)?, content.label(), &options)?;
    let strings = book.strings()?;
    let sheets = book.sheets().iter().filter(|sheet| sheet.cells);
    sheets
        .map(|sheet| {
            let cells = our_cells(&book, sheet, &strings)?;
            Ok((sheet.name.clone(), sheet.visible, cells))
        })
        .collect()
}

fn our_cells(
    book: &Book,
    sheet: &Sheet,
    strings: &Strings,
) -> Result<Vec<(u32, u32, String)>, SourceError> {
    let fault = |fault: Fault| fault.into_error(&sheet.name);
    let cutter = Cutter::open(book.sheet(sheet)?, b"sheetData", b"row", |_| Ok(()));
    let Some(mut cutter) = cutter.map_err(fault)? else { return Ok(Vec::new()) };
    let (mut found, mut before) = (Vec::new(), 0);
    let mut lookup = strings.lookup();
    while let Some(items) = cutter.next(10_000).map_err(fault)? {
        let mut scanner = Scanner::new(&items.bytes, book.styles(), before);
        while let Some(row) = scanner.next_row().map_err(fault)? {
            for raw in scanner.cells() {
                let value = written(scanner.resolve(raw, &mut lookup).map_err(fault)?);
                if value != "''" {
                    found.push((row.number, u32::from(raw.column), value));
                }
            }
        }
        let last = last_row(&items.bytes, items.last, before);
        before = last.map_err(|(it, _)| fault(it))?;
        assert_eq!(before, scanner.row(), "the row in force");
    }
    Ok(found)
}

fn theirs(path: &Path) -> Result<Found, String> {
    let read = || {
        let mut book: Xlsx<_> =
            open_workbook(path).map_err(|error: calamine::XlsxError| error.to_string())?;
        let from_1904 = book.has_1904_epoch();
        let mut found = Vec::new();
        for sheet in book.sheets_metadata().to_vec() {
            if sheet.typ != SheetType::WorkSheet {
                continue;
            }
            let mut cells = Vec::new();
            match book.worksheet_cells_reader(&sheet.name) {
                Ok(mut reader) => {
                    while let Some(cell) = reader.next_cell().map_err(|error| error.to_string())? {
                        let (row, column) = cell.get_position();
                        let value = their_value(cell.get_value(), from_1904);
                        if !matches!(value.as_str(), "" | "''") {
                            cells.push((row.saturating_add(1), column, value));
                        }
                    }
                }
                Err(calamine::XlsxError::NotAWorksheet(_)) => {}
                Err(error) => return Err(error.to_string()),
            }
            cells.sort_by_key(|(row, column, _)| (*row, *column));
            found.push((sheet.name, sheet.visible == SheetVisible::Visible, cells));
        }
        Ok(found)
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("panicked".into()))
}

fn their_value(value: &DataRef<'_>, from_1904: bool) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DurationIso(text) => written(Cell::Text(text)),
        DataRef::SharedString(text) => written(Cell::Text(text)),
        DataRef::DateTimeIso(text) => match moment::from_iso(text) {
            Some(micros) => written(Cell::Moment(micros)),
            None => written(Cell::Text(text)),
        },
        DataRef::Bool(value) => written(Cell::Bool(*value)),
        DataRef::Float(value) if value.is_finite() => written(Cell::Number(*value)),
        DataRef::Float(value) => written(Cell::Text(&value.to_string())),
        DataRef::Int(value) => written(Cell::Text(&value.to_string())),
        DataRef::DateTime(it) => {
            match moment::from_serial(it.as_f64(), it.is_duration(), from_1904) {
                moment::Serial::Moment(micros) => written(Cell::Moment(micros)),
                moment::Serial::Text(text) => written(Cell::Text(&text)),
                moment::Serial::Number(value) => written(Cell::Number(value)),
            }
        }
        DataRef::Error(error) => written(Cell::Error(&error.to_string())),
    }
}

fn workbooks(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            workbooks(&path, found);
        } else if matches!(extension.as_str(), "xlsx" | "xlsm") {
            found.push(path);
        }
    }
}

/// The first difference between two workbooks.
fn difference(ours: &Found, theirs: &Found) -> Option<String> {
    let names = |found: &Found| -> Vec<_> {
        found.iter().map(|(name, visible, _)| (name.clone(), *visible)).collect()
    };
    if names(ours) != names(theirs) {
        return Some(format!("sheets {:?} against {:?}", names(ours), names(theirs)));
    }
    ours.iter().zip(theirs).find_map(|((name, _, ours), (_, _, theirs))| {
        let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        let (a, b) = (ours.get(same), theirs.get(same));
        (a != b).then(|| format!("sheet {name}: {a:?} against {b:?}").chars().take(300).collect())
    })
}

#[test]
fn all_workbooks_give_the_cells_that_calamine_gives() {
    let mut paths = Vec::new();
    workbooks(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &mut paths);
    assert!(!paths.is_empty(), "there are fixtures");
    if let Some(folder) = std::env::var_os("ETL_CORPORA") {
        workbooks(Path::new(&folder), &mut paths);
    }
    paths.sort();
    let (mut same, mut cells) = (0, 0);
    let mut unexplained = Vec::new();
    for path in &paths {
        let name = path.to_string_lossy().replace('\\', "/");
        // It reserves memory for as many strings as the file claims, and aborts.
        if name.ends_with("sst_uniquecount_max.xlsx") {
            continue;
        }
        let (ours, theirs) = (ours(path), theirs(path));
        let difference = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => difference(ours, theirs),
            (Err(ours), Ok(_)) => Some(format!("refused: {ours}; {:?}", ours.source)),
            (Ok(_), Err(theirs)) => Some(format!("read, where calamine says {theirs}")),
            (Err(_), Err(_)) => None,
        };
        match difference {
            None => {
                same += 1;
                let found = ours.iter().flatten();
                cells += found.map(|(_, _, cells)| cells.len()).sum::<usize>();
            }
            Some(_) if EXPLAINED.iter().any(|(end, _)| name.ends_with(end)) => {}
            Some(difference) => unexplained.push(format!("{name}: {difference}")),
        }
    }
    let total = paths.len();
    assert!(
        unexplained.is_empty(),
        "{same} of {total} the same, {cells} cells; not explained:\n{}",
        unexplained.join("\n")
    );
}
