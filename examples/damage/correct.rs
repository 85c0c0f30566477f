//! Corrects an exported sheet of refused rows as an analyst would who has the right values at hand:
//! in the cell that the truth file names, and in no other.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use calamine::Reader;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Puts the right values into the workbook `sheet`. Returns the number of cells corrected.
///
/// # Errors
/// If a file cannot be read or written, or the sheet lacks a column that the truth names.
pub fn correct(truth: &Path, sheet: &Path) -> Outcome<usize> {
    let right = right_cells(truth)?;
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(sheet)?;
    let mut out = rust_xlsxwriter::Workbook::new();
    let mut corrected = 0;
    for (name, range) in book.worksheets() {
        let mut cells: Vec<Vec<String>> =
            range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let head = cells.first().cloned().unwrap_or_default();
        let at = |name: &str| head.iter().position(|header| header == name);
        if let Some(place) = at("_etl_row") {
            for row in cells.iter_mut().skip(1) {
                let Some((column, value)) = right.get(&row[place]) else { continue };
                let field = at(column).ok_or_else(|| format!("the sheet has no {column}"))?;
                row[field].clone_from(value);
                corrected += 1;
            }
        }
        let page = out.add_worksheet().set_name(&name)?;
        for (row, line) in (0..).zip(&cells) {
            for (column, cell) in (0..).zip(line) {
                page.write_string(row, column, cell)?;
            }
        }
    }
    out.save(sheet)?;
    Ok(corrected)
}

/// Column and right value of the refused rows, by row.
fn right_cells(truth: &Path) -> Outcome<HashMap<String, (String, String)>> {
    let mut reader = csv::Reader::from_path(truth)?;
    let headers = reader.headers()?.clone();
    let at = |name: &str| headers.iter().position(|header| header == name).ok_or("no such column");
    let (row, column, right, end) = (at("row")?, at("column")?, at("right")?, at("end")?);
    let mut cells = HashMap::new();
    for record in reader.records() {
        let record = record?;
        if &record[end] == "rejected" {
            cells.insert(record[row].into(), (record[column].into(), record[right].into()));
        }
    }
    Ok(cells)
}
