//! Formulas of a binary sheet whose result is an error.
//!
//! The library reads values and formulas separately, and among the values it passes over the results
//! that are errors: a cell that shows `#N/A` would be loaded as blank. A cell with a formula and
//! without a value is such a cell.

use calamine::{Reader, Xlsb, XlsbError};
use crossbeam_channel::{Receiver, bounded};
use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Row and column, from 0.
pub type Place = (u32, u32);

/// Places told at once.
const BATCH: usize = 4_096;

/// The places of the formulas of a sheet in order, found on a thread beside the values.
pub struct Formulas {
    batches: Receiver<Vec<Place>>,
    batch: std::iter::Peekable<std::vec::IntoIter<Place>>,
}

impl Formulas {
    /// Starts to look.
    pub fn start(path: &Path, sheet: &str) -> Self {
        let (found, batches) = bounded(2);
        let (path, sheet): (PathBuf, String) = (path.to_owned(), sheet.to_owned());
        let work = move || {
            // What the library cannot parse is no formula that we could know of.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let mut batch = Vec::new();
                walk(&path, &sheet, |place| {
                    batch.push(place);
                    batch.len() < BATCH || found.send(std::mem::take(&mut batch)).is_ok()
                });
                let _ = found.send(batch);
            }));
        };
        // Without a thread there is nothing to compare with.
        let _ = std::thread::Builder::new().name("formulas".into()).spawn(work);
        Self { batches, batch: Vec::new().into_iter().peekable() }
    }

    /// The formulas before the next value; one at its place has that value.
    pub fn until(&mut self, value: Option<Place>) -> Vec<Place> {
        let mut missing = Vec::new();
        loop {
            match (self.batch.peek().copied(), value) {
                (Some(place), Some(value)) if place > value => return missing,
                (Some(place), _) => {
                    self.batch.next();
                    if Some(place) == value {
                        return missing;
                    }
                    missing.push(place);
                }
                (None, _) => match self.batches.recv() {
                    Ok(batch) => self.batch = batch.into_iter().peekable(),
                    Err(_) => return missing,
                },
            }
        }
    }
}

/// Hands over the place of every formula, as long as it is taken.
fn walk(path: &Path, sheet: &str, mut take: impl FnMut(Place) -> bool) {
    let Ok(file) = File::open(path) else { return };
    let Ok(mut book) = Xlsb::new(BufReader::with_capacity(1 << 18, file)) else { return };
    let Ok(mut cells) = book.worksheet_cells_reader(sheet) else { return };
    loop {
        match cells.next_formula() {
            Ok(Some(cell)) if take(cell.get_position()) => {}
            // The formula is of a sort that is not known; the next one may be.
            Err(error) if !matches!(error, XlsbError::Io(_)) => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_without_a_value_is_missing() {
        let (found, batches) = bounded(4);
        found.send(vec![(0, 1), (1, 0), (1, 2)]).expect("room");
        found.send(vec![(5, 5)]).expect("room");
        drop(found);
        let mut formulas = Formulas { batches, batch: Vec::new().into_iter().peekable() };
        assert_eq!(formulas.until(Some((0, 0))), []);
        assert_eq!(formulas.until(Some((0, 1))), []);
        assert_eq!(formulas.until(Some((1, 1))), [(1, 0)]);
        assert_eq!(formulas.until(Some((2, 0))), [(1, 2)]);
        assert_eq!(formulas.until(None), [(5, 5)]);
        assert_eq!(formulas.until(None), []);
    }
}
