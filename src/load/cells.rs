//! Filled cells by column: how many were handed over to be written, and how many the target has.
//!
//! The account of rows does not see a column that arrives empty. So the values that are not null are
//! counted where rows are handed to a target's writer ([`Weighing`]); the number travels with the seal of
//! the group, is kept with its range (`etl.ranges.cells`), and is compared with what the target counts.
//! Two columns that changed places and have the same number of values are not seen by numbers; for these
//! the content hash of a few rows of each commit is made again from what the table holds
//! ([`rehash`](super::rehash)).

use super::{LoadError, LoadErrorKind, Piece, Rows, Seal, Writer};
use polars::prelude::DataFrame;
use std::collections::BTreeMap;

/// Columns that an error names, before it only tells how many more there are.
const NAMED: usize = 10;

/// Filled cells of some rows, by column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells(BTreeMap<String, u64>);

impl Cells {
    /// Those of a frame; a column without a value has 0.
    pub fn of(frame: &DataFrame) -> Self {
        let filled = |column: &polars::prelude::Column| {
            (column.name().to_string(), (column.len() - column.null_count()) as u64)
        };
        Self(frame.columns().iter().map(filled).collect())
    }

    /// From names and numbers in the same order.
    pub fn counted(columns: &[String], numbers: &[u64]) -> Self {
        Self(columns.iter().cloned().zip(numbers.iter().copied()).collect())
    }

    /// Those of a column.
    pub fn get(&self, column: &str) -> u64 {
        self.0.get(column).copied().unwrap_or(0)
    }

    /// Whether the rows have the column, with or without values.
    pub fn has(&self, column: &str) -> bool {
        self.0.contains_key(column)
    }

    /// Names of the columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Adds those of other rows.
    pub fn add(&mut self, other: &Self) {
        for (column, filled) in &other.0 {
            *self.0.entry(column.clone()).or_default() += filled;
        }
    }

    /// Adds those of one row of a frame.
    pub fn add_row(&mut self, frame: &DataFrame, row: usize) {
        self.add(&Self::of(&frame.slice(row as i64, 1)));
    }

    /// Takes those of some of the rows away.
    pub fn take(&mut self, other: &Self) {
        for (column, filled) in &other.0 {
            let own = self.0.entry(column.clone()).or_default();
            *own = own.saturating_sub(*filled);
        }
    }

    /// As the ledger keeps them: columns without a value are left out.
    pub fn to_json(&self) -> String {
        let filled: BTreeMap<_, _> = self.0.iter().filter(|(_, filled)| **filled > 0).collect();
        serde_json::to_string(&filled).unwrap_or_default()
    }

    /// Reads what the ledger keeps; `None` where it is no object of numbers.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }
}

/// What was handed over in a group: rows for the table, and rows that replace others at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handed {
    /// Cells of new rows.
    pub inserted: Cells,
    /// Cells of changed rows.
    pub changed: Cells,
}

impl Handed {
    /// Both together.
    pub fn all(&self) -> Cells {
        let mut all = self.inserted.clone();
        all.add(&self.changed);
        all
    }

    /// The part for new or for changed rows.
    pub fn part(&mut self, changed: bool) -> &mut Cells {
        if changed { &mut self.changed } else { &mut self.inserted }
    }

    /// Takes the cells of rows away that the target has refused.
    pub fn take(&mut self, refused: &Self) {
        self.inserted.take(&refused.inserted);
        self.changed.take(&refused.changed);
    }

    fn add(&mut self, piece: &Piece) {
        let cells = |rows: &Rows| Cells::of(&rows.frame);
        if let Some(rows) = &piece.inserts {
            self.inserted.add(&cells(rows));
        }
        if let Some(rows) = &piece.changes {
            self.changed.add(&cells(rows));
        }
    }
}

/// Counts the cells that are handed to a writer, and gives the numbers to its seal.
pub struct Weighing<W> {
    writer: W,
    handed: Handed,
}

impl<W: Writer> Weighing<W> {
    /// Counts what goes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer, handed: Handed::default() }
    }
}

impl<W: Writer> Writer for Weighing<W> {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        self.handed.add(&piece);
        self.writer.write(piece)
    }

    fn seal(&mut self, mut seal: Seal) -> Result<(), LoadError> {
        seal.cells = Some(std::mem::take(&mut self.handed));
        self.writer.seal(seal)
    }

    fn open(&self) -> u64 {
        self.writer.open()
    }

    fn close(&mut self) -> Result<(), LoadError> {
        self.writer.close()
    }
}

/// Compares cells that were handed over with those that `table` has of them, for some columns. The
/// error names the columns with both numbers.
pub fn compare<'c>(
    table: &str,
    columns: impl IntoIterator<Item = &'c str>,
    handed: &Cells,
    found: &Cells,
) -> Result<(), LoadError> {
    let differs = |column: &&str| handed.get(column) != found.get(column);
    let wrong: Vec<_> = columns.into_iter().filter(differs).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let tell = |column: &&str| {
        format!("{column} ({} handed over, {} there)", handed.get(column), found.get(column))
    };
    let told: Vec<_> = wrong.iter().take(NAMED).map(tell).collect();
    let more = match wrong.len() - told.len() {
        0 => String::new(),
        more => format!(" and {more} more columns"),
    };
    Err(gap(format!(
        "table {table} does not hold the filled cells that were handed over for it, in {}{more}",
        told.join(", ")
    )))
}

/// Rows or cells that do not arrive as they were handed over.
pub fn gap(what: String) -> LoadError {
    LoadError::new(LoadErrorKind::Account, format!("the account does not hold: {what}")).with_hint(
        "nothing of the last step was committed; `--fresh` takes away what is there of this input and loads it \
         again; please report this with the output of `etl runs show`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn frame() -> DataFrame {
        df!("a" => [Some(1i64), None, Some(3)], "b" => [None::<&str>, None, Some("")])
            .expect("a frame")
    }

    #[test]
    fn an_empty_text_is_a_filled_cell_and_null_is_none() {
        let mut cells = Cells::of(&frame());
        assert_eq!((cells.get("a"), cells.get("b")), (2, 1));
        let mut refused = Cells::default();
        refused.add_row(&frame(), 2);
        refused.add_row(&frame(), 1);
        cells.take(&refused);
        assert_eq!((cells.get("a"), cells.get("b")), (1, 0));
        assert_eq!(cells.to_json(), r#"{"a":1}"#);
        assert_eq!(Cells::from_json(r#"{"a":1}"#).map(|cells| cells.get("a")), Some(1));
        assert!(Cells::from_json("[]").is_none());
    }

    #[test]
    fn a_part_of_a_frame_has_its_own_cells() {
        assert_eq!(Cells::of(&frame().slice(1, 2)).get("a"), 1);
        assert_eq!(Cells::of(&frame().slice(0, 1)).get("b"), 0);
    }

    #[test]
    fn a_gap_names_columns_with_both_numbers() {
        let handed = Cells::of(&frame());
        let found = Cells::counted(&["a".into(), "b".into()], &[2, 0]);
        let error = compare("t", ["a", "b"], &handed, &found).expect_err("a gap");
        assert_eq!(error.kind, LoadErrorKind::Account);
        assert!(error.message.contains("b (1 handed over, 0 there)"), "{}", error.message);
        assert!(!error.message.contains("a ("), "{}", error.message);
        compare("t", ["a"], &handed, &found).expect("the same");
    }
}
