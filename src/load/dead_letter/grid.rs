//! Corrected sheets read back: rows of text with the numbers that the user sees.

use super::error::{DeadLetterError, Faults};
use super::sheet::{ID, READ_ME};
use calamine::{Data, Reader, Sheets, open_workbook_auto};
use std::fs;
use std::path::Path;

/// One sheet or file.
pub(super) struct Grid {
    /// How a fault names it: `sheet "nal", ` or nothing.
    pub label: String,
    /// Cells of a text file carry guards against formulas.
    pub guarded: bool,
    pub header: Vec<String>,
    /// (row as the editor shows it, cells).
    pub rows: Vec<(u64, Vec<String>)>,
}

/// Reads the sheets of a workbook that hold records.
pub(super) fn read_workbook(
    path: &Path,
    faults: &mut Faults,
) -> Result<Vec<Grid>, DeadLetterError> {
    let trouble = |error: calamine::Error| DeadLetterError::Unreadable {
        path: path.to_owned(),
        message: format!("the workbook cannot be read ({error}); save it again as .xlsx"),
    };
    let mut workbook: Sheets<_> = open_workbook_auto(path).map_err(trouble)?;
    let mut grids = Vec::new();
    for name in workbook.sheet_names() {
        let range = workbook.worksheet_range(&name).map_err(trouble)?;
        let first = range.start().map_or(0, |(row, _)| row);
        let label = format!("sheet \"{name}\", ");
        let mut rows = Vec::new();
        for (number, cells) in (u64::from(first) + 1..).zip(range.rows()) {
            let mut texts = Vec::with_capacity(cells.len());
            for (column, cell) in (1..).zip(cells) {
                texts.push(text_of(cell).unwrap_or_else(|reason| {
                    faults.add(format!("{label}row {number}, column {column}: {reason}"));
                    String::new()
                }));
            }
            rows.push((number, texts));
        }
        push_grid(
            path,
            Grid { label, guarded: false, header: Vec::new(), rows },
            &name,
            &mut grids,
        )?;
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
fn text_of(cell: &Data) -> Result<String, String> {
    /// From here on a spreadsheet drops digits.
    const EXACT: f64 = 1e15;
    Ok(match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) if number.abs() >= EXACT => {
            return Err(format!(
                "{number} was stored as a number and may have lost digits; format the cell as Text \
                 and type the value again"
            ));
        }
        Data::Float(number) => number.to_string(),
        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        Data::DateTime(moment) => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            let time = format!("{hour:02}:{minute:02}:{second:02}");
            match (moment.is_duration(), time.as_str()) {
                (true, _) => time,
                (false, "00:00:00") => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02} {time}"),
            }
        }
        Data::Error(error) => {
            return Err(format!("the cell holds the error {error}; type the value"));
        }
    })
}

/// Reads a corrected CSV: comma, semicolon or tab, as spreadsheets save it.
pub(super) fn read_csv(path: &Path) -> Result<Vec<Grid>, DeadLetterError> {
    let unreadable =
        |message: String| DeadLetterError::Unreadable { path: path.to_owned(), message };
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
