//! The one place that knows the library which parses workbooks: opening, sheets, cells in order.
//!
//! What the library may do wrong stays here: its panics become E105, references outside a sheet's
//! bounds and rows out of order become errors, and nothing is sized by what a file merely claims.

use super::moment;
use crate::source::cell::Cell;
use crate::source::feed::died;
use crate::source::{SourceError, SourceErrorKind};
use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Rows of a sheet in Excel.
const MAX_ROWS: u32 = 1_048_576;
/// Columns of a sheet in Excel (XFD).
const MAX_COLUMNS: u32 = 16_384;

/// A sheet as the workbook lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetInfo {
    /// Its name.
    pub name: String,
    /// Holds cells (no chart, dialog or macro sheet).
    pub cells: bool,
    /// Shown in Excel.
    pub visible: bool,
}

/// Takes the cells of a sheet in order of their rows.
pub trait Visit {
    /// The last row the sheet says it has (often wrong; 1 where it says nothing).
    fn begin(&mut self, last_row: u32) {
        let _ = last_row;
    }
    /// A cell that is not empty: row from 1, column from 0. `Break` ends the walk.
    fn cell(&mut self, row: u32, column: u16, cell: Cell<'_>) -> ControlFlow<()>;
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// At the end of the sheet, or where the visitor broke off.
    Done,
    /// The part behind the sheet is no worksheet.
    NoCells,
}

/// An open workbook; shared strings and number formats are in memory.
pub struct Workbook {
    inner: Xlsx<BufReader<File>>,
    label: String,
}

impl Workbook {
    /// Opens the file at `path`, which messages call `label`.
    pub fn open(path: &Path, label: &str) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|error| SourceError::io(label, error))?;
        let reader = BufReader::with_capacity(1 << 18, file);
        let inner = guarded(label, || Xlsx::new(reader).map_err(|error| explain(label, error)))?;
        Ok(Self { inner, label: label.to_owned() })
    }

    /// All sheets in the workbook's order.
    pub fn sheets(&self) -> Vec<SheetInfo> {
        let sheets = self.inner.sheets_metadata().iter();
        sheets
            .map(|sheet| SheetInfo {
                name: sheet.name.clone(),
                cells: sheet.typ == SheetType::WorkSheet,
                visible: sheet.visible == SheetVisible::Visible,
            })
            .collect()
    }

    /// Hands every cell of a sheet to `visitor`.
    pub fn walk(&mut self, sheet: &str, visitor: &mut dyn Visit) -> Result<Walked, SourceError> {
        let label = format!("{}, sheet \"{sheet}\"", self.label);
        guarded(&label, || walk(&mut self.inner, sheet, &label, visitor))
    }
}

fn walk(
    workbook: &mut Xlsx<BufReader<File>>,
    sheet: &str,
    label: &str,
    visitor: &mut dyn Visit,
) -> Result<Walked, SourceError> {
    let from_1904 = workbook.has_1904_epoch();
    let mut cells = match workbook.worksheet_cells_reader(sheet) {
        Ok(cells) => cells,
        Err(XlsxError::NotAWorksheet(_)) => return Ok(Walked::NoCells),
        Err(error) => return Err(explain(label, error)),
    };
    visitor.begin(cells.dimensions().end.0.min(MAX_ROWS - 1) + 1);
    let mut last = 0;
    loop {
        let cell = match cells.next_cell() {
            Ok(Some(cell)) => cell,
            Ok(None) => return Ok(Walked::Done),
            Err(error) => {
                let mut error = explain(label, error);
                error.message.push_str(&format!(" (behind row {last})"));
                return Err(error);
            }
        };
        let (row, column) = cell.get_position();
        if row >= MAX_ROWS || column >= MAX_COLUMNS {
            return Err(out_of_bounds(label, row, column));
        }
        let row = row + 1;
        if row < last {
            return Err(out_of_order(label, row, last));
        }
        last = row;
        if visit(cell.get_value(), (row, column as u16), from_1904, visitor).is_break() {
            return Ok(Walked::Done);
        }
    }
}

fn visit(
    value: &DataRef<'_>,
    (row, column): (u32, u16),
    from_1904: bool,
    visitor: &mut dyn Visit,
) -> ControlFlow<()> {
    let mut pass = |cell: Cell<'_>| visitor.cell(row, column, cell);
    match value {
        DataRef::Empty => ControlFlow::Continue(()),
        DataRef::String(text) => pass(Cell::Text(text)),
        DataRef::SharedString(text) => pass(Cell::Text(text)),
        DataRef::DurationIso(text) => pass(Cell::Text(text)),
        DataRef::DateTimeIso(text) => match moment::from_iso(text) {
            Some(micros) => pass(Cell::Moment(micros)),
            None => pass(Cell::Text(text)),
        },
        DataRef::Bool(value) => pass(Cell::Bool(*value)),
        DataRef::Float(value) if value.is_finite() => pass(Cell::Number(*value)),
        DataRef::Float(value) => pass(Cell::Text(&value.to_string())),
        DataRef::Int(value) => pass(Cell::Text(&value.to_string())),
        DataRef::DateTime(stored) => {
            match moment::from_serial(stored.as_f64(), stored.is_duration(), from_1904) {
                moment::Serial::Moment(micros) => pass(Cell::Moment(micros)),
                moment::Serial::Text(text) => pass(Cell::Text(&text)),
                moment::Serial::Number(value) => pass(Cell::Number(value)),
            }
        }
        DataRef::Error(error) => pass(Cell::Error(&error.to_string())),
    }
}

/// Runs library code; a panic in it is an error of this file, not of the program.
fn guarded<T>(
    label: &str,
    work: impl FnOnce() -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(died("Excel", label)))
}

fn out_of_bounds(label: &str, row: u32, column: u32) -> SourceError {
    let message = format!(
        "a cell claims row {}, column {}; a sheet ends at XFD1048576",
        u64::from(row) + 1,
        u64::from(column) + 1
    );
    SourceError::new(SourceErrorKind::Limit, label, message)
        .with_hint("the file was not written by Excel; open it there and save it again")
}

fn out_of_order(label: &str, row: u32, last: u32) -> SourceError {
    let message = format!("row {row} stands behind row {last}: the rows are not in order");
    SourceError::new(SourceErrorKind::Broken, label, message)
        .with_hint("open it in Excel and save it again")
}

/// What a library error means to the user.
fn explain(label: &str, error: XlsxError) -> SourceError {
    const AGAIN: &str = "download it again, or open it in Excel and save it again";
    match error {
        XlsxError::Password => super::password(label),
        XlsxError::Io(error) => SourceError::io(label, error).with_hint(AGAIN),
        XlsxError::Zip(error) => {
            let message = format!("the workbook is cut off or damaged ({error})");
            SourceError::new(SourceErrorKind::Broken, label, message).with_hint(AGAIN)
        }
        XlsxError::FileNotFound(part) => {
            let message = format!("the workbook lacks its part `{part}`");
            SourceError::new(SourceErrorKind::Broken, label, message).with_hint(AGAIN)
        }
        other => {
            let message = format!("the workbook is damaged: {other}");
            SourceError::new(SourceErrorKind::Broken, label, message).with_hint(AGAIN)
        }
    }
}
