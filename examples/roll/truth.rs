//! The truth beside a damaged roll: what was done to which row, and where it must end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::columns::Columns;
use crate::damage::Change;
use crate::harm::{Expected, Harm};

const HEADER: [&str; 11] = [
    "row",
    "key",
    "kind",
    "column",
    "cell",
    "right",
    "written",
    "end",
    "code",
    "rule",
    "first_row",
];

/// Writes one record for each damaged row.
pub struct Truth(csv::Writer<BufWriter<File>>);

/// A damaged row.
pub struct Harmed<'a> {
    /// The row number as an editor shows it: the header is row 1.
    pub row: u64,
    pub key: &'a str,
    pub harm: Harm,
    pub place: usize,
    pub change: &'a Change,
    pub expected: Expected,
    /// For a repetition, the row that comes first.
    pub first_row: Option<u64>,
}

impl Truth {
    /// A new truth file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
        writer.write_record(HEADER)?;
        Ok(Self(writer))
    }

    /// Tells of a damaged row.
    pub fn tell(&mut self, harmed: &Harmed<'_>) -> io::Result<()> {
        let row = harmed.row.to_string();
        let cell = format!("{}{row}", Columns::letters(harmed.place));
        let first_row = harmed.first_row.map(|row| row.to_string()).unwrap_or_default();
        self.0.write_record([
            row.as_str(),
            harmed.key,
            harmed.harm.name(),
            &harmed.change.column,
            &cell,
            &harmed.change.right,
            &harmed.change.written,
            harmed.expected.end.name(),
            harmed.expected.code,
            harmed.expected.rule,
            &first_row,
        ])?;
        Ok(())
    }

    /// Writes what is left.
    pub fn finish(self) -> io::Result<()> {
        self.0.into_inner().map_err(|error| io::Error::other(error.to_string()))?.flush()
    }
}
