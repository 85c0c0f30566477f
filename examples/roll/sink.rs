//! Where rows go: CSV as the DOR writes it, plain or zipped, or a workbook.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use clap::ValueEnum;
use zip::write::SimpleFileOptions;

use crate::columns::Columns;
use crate::row::{Cell, Row, Shape};
use crate::xlsx::Workbook;

/// The format of a roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Csv,
    Xlsx,
    /// A zip with the CSV in it.
    Zip,
}

/// A roll being written.
pub enum Sink {
    Csv(BufWriter<File>, Vec<u8>),
    Zip(Box<zip::ZipWriter<BufWriter<File>>>, Vec<u8>),
    Xlsx(Box<Workbook>),
}

const BUFFER: usize = 1 << 20;

impl Format {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Zip => "zip",
        }
    }
}

impl Sink {
    /// A new file with its header; `stem` names what is inside.
    pub fn create(path: &Path, format: Format, stem: &str, columns: &Columns) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER, File::create(path)?);
        let mut sink = match format {
            Format::Csv => Self::Csv(file, Vec::new()),
            Format::Zip => {
                let mut zip = zip::ZipWriter::new(file);
                zip.start_file(format!("{stem}.csv"), SimpleFileOptions::default())?;
                Self::Zip(Box::new(zip), Vec::new())
            }
            Format::Xlsx => {
                return Ok(Self::Xlsx(Box::new(Workbook::create(file, stem, columns)?)));
            }
        };
        sink.line(|line| line.extend_from_slice(columns.names().join(",").as_bytes()))?;
        Ok(sink)
    }

    /// Writes a row.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        match self {
            Self::Xlsx(workbook) => workbook.row(row),
            _ => self.line(|line| fields(row, line)),
        }
    }

    /// Finishes the file.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv(mut file, lines) => {
                file.write_all(&lines)?;
                file.flush()
            }
            Self::Zip(mut zip, lines) => {
                zip.write_all(&lines)?;
                zip.finish()?.flush()
            }
            Self::Xlsx(workbook) => workbook.finish(),
        }
    }

    fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let (out, line): (&mut dyn Write, _) = match self {
            Self::Csv(file, line) => (file, line),
            Self::Zip(zip, line) => (zip.as_mut(), line),
            Self::Xlsx(_) => return Ok(()),
        };
        write(line);
        line.extend_from_slice(b"\r\n");
        if line.len() >= BUFFER / 16 {
            out.write_all(line)?;
            line.clear();
        }
        Ok(())
    }
}

/// The fields of a row: texts quoted, numbers bare, NULL empty.
fn fields(row: &Row<'_>, line: &mut Vec<u8>) {
    let cells = match row.shape() {
        Shape::Short => &row.cells()[..row.cells().len() - 1],
        _ => row.cells(),
    };
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        match cell {
            Cell::Blank => {}
            Cell::Int(value) => {
                line.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes());
            }
            Cell::Text(span) => quoted(row.str(*span).bytes(), line),
            Cell::Bare(span) | Cell::Number(span) => {
                line.extend_from_slice(row.str(*span).as_bytes());
            }
            // Every character of such a text is below U+0100.
            Cell::Latin1(span) => quoted(row.str(*span).chars().map(|c| c as u8), line),
        }
    }
    if row.shape() == Shape::Long {
        line.extend_from_slice(b",\"X\"");
    }
}

fn quoted(bytes: impl Iterator<Item = u8>, line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in bytes {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    line.push(b'"');
}
