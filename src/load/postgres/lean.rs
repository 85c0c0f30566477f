//! Which columns most rows of a chunk have no value in.
//!
//! The server looks at each field that is sent, though there be nothing in it: a third of what is sent of a
//! roll are second sales and exemptions that hardly any parcel has. Rows without a value in any of those
//! columns go in a COPY of their own that does not name them.

use polars_arrow::bitmap::Bitmap;

/// Fields left out that are worth another COPY: it takes the server half a millisecond, and a field without
/// a value 12 ns (300,000 parcels, measured).
const WORTH: usize = 40_000;
/// Columns in which more than one row of so many has a value are not looked at.
const SELDOM: usize = 4;

/// Columns to leave out, and the rows for which that can be done.
#[derive(Debug, PartialEq)]
pub struct Lean {
    /// Numbers of columns, of those that were asked about.
    pub columns: Vec<usize>,
    /// Marks the rows with a value in one of them.
    used: Bitmap,
}

impl Lean {
    /// Whether a row has no value in any of the columns.
    pub fn holds(&self, row: u32) -> bool {
        !self.used.get_bit(row as usize)
    }
}

/// The best choice among columns given with their number and the rows that have a value. `None` where there
/// is none that is worth it.
pub fn lean(rows: usize, columns: impl Iterator<Item = (usize, Bitmap)>) -> Option<Lean> {
    let seldom = |values: &Bitmap| values.set_bits() * SELDOM <= rows;
    let mut columns: Vec<_> = columns.filter(|(_, values)| seldom(values)).collect();
    columns.sort_by_key(|(_, values)| values.set_bits());
    let mut used = Bitmap::new_zeroed(rows);
    let mut best = (WORTH, 0, used.clone());
    for (at, (_, values)) in columns.iter().enumerate() {
        used = &used | values;
        let saved = used.unset_bits() * (at + 1);
        if saved >= best.0 {
            best = (saved, at + 1, used.clone());
        }
    }
    let (_, count, used) = best;
    columns.truncate(count);
    let columns = columns.into_iter().map(|(column, _)| column).collect::<Vec<_>>();
    (!columns.is_empty()).then_some(Lean { columns, used })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(step: usize, rows: usize) -> Bitmap {
        (0..rows).map(|row| row % step == 0).collect()
    }

    #[test]
    fn columns_that_few_rows_use_are_left_out_together() {
        let rows = 8_000;
        // One that half of the rows use, ten that always go together, one that nearly none uses.
        let mut columns = vec![(0, every(2, rows)), (11, every(1_000, rows))];
        columns.extend((1..11).map(|column| (column, every(10, rows))));
        let found = lean(rows, columns.into_iter()).expect("worth it");
        assert_eq!(found.columns, [11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let held: Vec<_> = (0..rows as u32).filter(|row| found.holds(*row)).collect();
        assert!(held.iter().all(|row| row % 10 != 0) && held.len() == rows / 10 * 9);
    }

    #[test]
    fn a_column_that_would_cost_too_many_rows_stays() {
        let rows = 8_000;
        // Ten columns for 1 % of the rows, and one that would take a fifth of the others away.
        let mut columns: Vec<_> = (0..10).map(|column| (column, every(100, rows))).collect();
        columns.push((10, every(5, rows)));
        let found = lean(rows, columns.into_iter()).expect("worth it");
        assert_eq!(found.columns.len(), 10);
        assert!(found.holds(5) && !found.holds(0));
    }

    #[test]
    fn few_rows_are_not_worth_a_copy() {
        let columns = |rows| (0..10).map(move |column| (column, every(100, rows)));
        assert_eq!(lean(1_000, columns(1_000)), None);
        assert_eq!(lean(8_000, std::iter::empty()), None);
        assert!(lean(8_000, columns(8_000)).is_some());
    }
}
