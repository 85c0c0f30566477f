//! Corrected sheets read back: rows of text with the numbers that the user sees.

use super::error::{DeadLetterError, Faults};
use super::sheet::{ID, READ_ME};
use crate::source::cell::Cell;
use crate::source::excel::{PlacedCell, every_cell};
use crate::source::{Content, SourceError, SourceErrorKind, SourceOptions};
use std::fs;
use std::path::Path;

/// One sheet or file.
pub(super) struct Grid {
    /// How a fault names it: `sheet "nal", ` or nothing.
    pub label: String,
    /// Cells of a text file carry guards against formulas.
    pub guarded: bool,
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

/// A row as the editor numbers it, and its cells.
type Row = (u64, Vec<String>);

/// Most text of a corrected workbook: few bytes may name a long text again and again.
const MOST_TEXT: usize = 256 << 20;

/// Reads the sheets of a workbook that hold records.
pub(super) fn read_workbook(
    path: &Path,
    faults: &mut Faults,
) -> Result<Vec<Grid>, DeadLetterError> {
    let mut sheets: Vec<(String, Vec<Row>)> = Vec::new();
    let mut held = 0;
    let read = every_cell(&Content::plain(path), &SourceOptions::default(), |placed| {
        let PlacedCell { sheet, row, column, cell } = placed;
        let text = text_of(cell).unwrap_or_else(|reason| {
            let column = column + 1;
            faults.add(format!("sheet \"{sheet}\", row {row}, column {column}: {reason}"));
            String::new()
        });
        if sheets.last().is_none_or(|(name, _)| name != sheet) {
            sheets.push((sheet.to_owned(), Vec::new()));
        }
        let rows = sheets.last_mut().map(|(_, rows)| rows).expect("one was just added");
        if rows.last().is_none_or(|(number, _)| *number != u64::from(row)) {
            rows.push((row.into(), Vec::new()));
        }
        let cells = rows.last_mut().map(|(_, cells)| cells).expect("one was just added");
        let more = (usize::from(column) + 1).saturating_sub(cells.len());
        held += text.len() + more * size_of::<String>();
        if held > MOST_TEXT {
            let message = "its sheets hold more than 256 MiB of text";
            return Err(SourceError::new(SourceErrorKind::Limit, "", message));
        }
        cells.resize(cells.len() + more, String::new());
        cells[usize::from(column)] = text;
        Ok(())
    });
    read.map_err(|error| DeadLetterError::Unreadable {
        path: path.to_owned(),
        message: format!("the workbook cannot be read ({}); save it again as .xlsx", error.message),
    })?;
    let mut grids = Vec::new();
    for (name, rows) in sheets {
        let label = format!("sheet \"{name}\", ");
        let grid = Grid { label, guarded: false, header: Vec::new(), rows };
        push_grid(path, grid, &name, &mut grids)?;
    }
    some(path, grids)
}

/// Takes the first row as header; leaves out what is no sheet of ours.
fn push_grid(
    path: &Path,
    mut grid: Grid,
    name: &str,
    grids: &mut Vec<Grid>,
) -> Result<(), DeadLetterError> {
    grid.rows.retain(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    if grid.rows.is_empty() || name == READ_ME {
        return Ok(());
    }
    grid.header = grid.rows.remove(0).1;
    while grid.header.last().is_some_and(String::is_empty) {
        grid.header.pop();
    }
    if !grid.header.iter().any(|header| header == ID) {
        let what = if name.is_empty() { "the file".into() } else { format!("sheet \"{name}\"") };
        return Err(DeadLetterError::Unreadable {
            path: path.to_owned(),
            message: format!(
                "{what} has no column {ID} in its first row, so its rows cannot be matched with \
                 failed records; export again, or delete what does not belong here"
            ),
        });
    }
    grids.push(grid);
    Ok(())
}

fn some(path: &Path, grids: Vec<Grid>) -> Result<Vec<Grid>, DeadLetterError> {
    if grids.is_empty() {
        let message =
            format!("no row with a column {ID}; give a sheet made by `etl failures export`");
        return Err(DeadLetterError::Unreadable { path: path.to_owned(), message });
    }
    Ok(grids)
}

/// The text of a cell; numbers that a spreadsheet made of typed text become what was typed.
fn text_of(cell: Cell<'_>) -> Result<String, String> {
    /// From here on a spreadsheet drops digits.
    const EXACT: f64 = 1e15;
    let number = match cell {
        Cell::Number(number) => Some(number),
        Cell::Digits(digits) => digits.parse().ok(),
        _ => None,
    };
    match cell {
        _ if number.is_some_and(|number| number.abs() >= EXACT) => Err(format!(
            "{} was stored as a number and may have lost digits; format the cell as Text and \
             type the value again",
            cell.text()
        )),
        Cell::Error(error) => Err(format!("the cell holds the error {error}; type the value")),
        other => Ok(other.text().into_owned()),
    }
}

/// Reads a corrected CSV: comma, semicolon or tab, as spreadsheets save it.
pub(super) fn read_csv(path: &Path) -> Result<Vec<Grid>, DeadLetterError> {
    let unreadable =
        |message: String| DeadLetterError::Unreadable { path: path.to_owned(), message };
    let length = path.metadata().map_err(DeadLetterError::io("read the file", path))?.len();
    if length > MOST_TEXT as u64 {
        return Err(unreadable("it is larger than 256 MiB; correct it in parts".into()));
    }
    let bytes = fs::read(path).map_err(DeadLetterError::io("read the file", path))?;
    let text = std::str::from_utf8(super::lines::without_bom(&bytes)).map_err(|_| {
        unreadable(
            "the file is not UTF-8, so letters with accents may be lost; in Excel choose \"CSV \
             UTF-8\" when saving, or correct the XLSX export instead"
                .into(),
        )
    })?;
    // The right delimiter leaves our id column whole.
    let first = text.lines().next().unwrap_or_default();
    let splits = |delimiter: &u8| {
        first.split(char::from(*delimiter)).any(|name| name.trim_matches('"') == ID)
    };
    let delimiter = [b',', b';', b'\t'].into_iter().find(splits).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push((line, record.iter().map(str::to_owned).collect()));
    }
    let mut grids = Vec::new();
    let grid = Grid { label: String::new(), guarded: true, header: Vec::new(), rows };
    push_grid(path, grid, "", &mut grids)?;
    some(path, grids)
}
