//! Formats and the seam between them and everything else.
//!
//! A [`Format`] recognises content and surveys it: which tables it holds, their headers, a sample,
//! the fingerprint. A [`Table`] is one readable part (a file, a member, a sheet). A [`Source`] cuts
//! it into [`Block`]s of consecutive records on one thread; decoding a block into typed columns is
//! done by many. To add a format: one file here, one line in [`FORMATS`].

pub mod cell;
pub mod columns;
mod content;
pub mod csv;
mod error;
pub mod excel;
mod extra;
mod feed;
pub mod infer;
pub mod legacy;
pub(crate) mod number;
pub mod parquet;
mod resolve;
mod watch;
mod zstd;

pub use content::{Content, Packing, STDIN};
pub use error::{SourceError, SourceErrorKind};
pub use resolve::{
    InputFile, Listed, Listing, SNIFF, SkipList, Skipped, Stream, readable, resolve,
};

use crate::chunk::{Altered, Fingerprint, Mark, Misfit, Notes, Part, RawRows, ReadSchema, Reject};
use polars::prelude::DataFrame;
use std::sync::Arc;

/// Every format, in the order in which they are asked.
pub static FORMATS: &[&dyn Format] =
    &[&parquet::Parquet, &legacy::XLS, &legacy::XLSB, &legacy::ODS, &excel::Excel, &csv::Csv];

/// More columns than any table has; each costs memory and time in everything that takes part. (A misfit
/// names its column in 16 bits.)
pub const MOST_COLUMNS: usize = 50_000;

/// Refuses a table of more than [`MOST_COLUMNS`]; `label` is how messages name it.
fn check_width(label: &str, columns: usize) -> Result<(), SourceError> {
    if columns <= MOST_COLUMNS {
        return Ok(());
    }
    let message = format!("the table has more than {MOST_COLUMNS} columns");
    Err(SourceError::new(SourceErrorKind::Limit, label, message)
        .with_hint("look for missing line ends in its header, or turn columns into rows"))
}

/// How sure a format is that content is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Certainly not.
    No,
    /// Nothing speaks against it.
    Fallback,
    /// A signature says so.
    Certain,
}

/// What the user said about reading; `None` means "find out".
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceOptions {
    /// Sheets by name or 1-based number; empty: every visible sheet that holds rows.
    pub sheets: Vec<String>,
    /// The part of a workbook that alone is read; its first row is the header, unless `header_row`
    /// is 0.
    pub range: Option<excel::range::SheetRange>,
    /// The Excel table that alone is read.
    pub excel_table: Option<String>,
    /// Row of the header as an editor shows it; 0: the file has none.
    pub header_row: Option<u64>,
    /// Rows that the header takes; the texts of a column are joined by a blank. `None`: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_rows: Option<u64>,
    /// Encoding label (`utf-8`, `windows-1252`, `utf-16`).
    pub encoding: Option<String>,
    /// Field delimiter.
    pub delimiter: Option<char>,
    /// Quote of delimited text.
    pub quote: Option<csv::Quoting>,
    /// How a quote stands inside a quoted value of delimited text.
    pub escape: Option<csv::Escaping>,
    /// What becomes of rows that break the grammar of delimited text.
    pub csv: csv::CsvPolicy,
    /// Names for the fields of a file without a header.
    pub headers: Option<Vec<String>>,
    /// Where spill and spool files may be written.
    pub temp_dir: Option<std::path::PathBuf>,
    /// The program that reads old workbooks, in a process of its own.
    pub reader: Option<legacy::ReaderProgram>,
    /// Bytes of a workbook's shared strings kept in memory; more go to a temporary file. Changes no
    /// row, so it is no part of a run's identity.
    #[serde(skip)]
    pub strings_in_memory: Option<u64>,
}

/// A kind of file.
pub trait Format: Sync {
    /// Name as users write it.
    fn name(&self) -> &'static str;
    /// Looks at the first bytes of the unpacked content (up to 64 KiB) and the name.
    fn sniff(&self, head: &[u8], name: &str) -> Confidence;
    /// Whether a range of cells or a named table can be asked for.
    fn has_ranges(&self) -> bool {
        false
    }
    /// Finds the tables, reading as much as it must (a text file is read once whole, for the
    /// fingerprint and the encoding).
    fn survey(
        &self,
        content: &Content,
        options: &SourceOptions,
    ) -> Result<Vec<Arc<dyn Table>>, SourceError>;
}

/// One readable part, known but not yet read.
pub trait Table: Send + Sync {
    /// Which part of its file.
    fn part(&self) -> Part;
    /// Content identity.
    fn fingerprint(&self) -> Fingerprint;
    /// Field names in source order.
    fn headers(&self) -> &[String];
    /// The first records as text, for recognition and for `etl plan`.
    fn sample(&self) -> &[Vec<String>];
    /// How much there is to read, for progress.
    fn extent(&self) -> Extent;
    /// What was found out about the format, as (name, value) lines: delimiter, encoding, sheet.
    fn facts(&self) -> Vec<(String, String)>;
    /// How the table is read, by the names of the flags that could have said it: `delimiter`, `quote`,
    /// `escape`, `encoding`, `header-row`. Only for comparing one reading with another.
    fn reading(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Findings about the file as a whole (bytes that are not UTF-8, hidden sheets left out).
    fn notes(&self) -> Vec<String>;
    /// Types that the file itself declares (Parquet), by field; `None` where it has none.
    fn declared(&self) -> Option<Vec<crate::chunk::ColumnKind>> {
        None
    }
    /// Begins on a thread of its own what [`Table::open`] would have to wait for.
    fn read_ahead(&self) {}
    /// Starts reading behind `from`.
    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError>;
    /// Whether the file has only grown since it was surveyed as `earlier`: it begins with that content, and
    /// all of it that was committed is read now as it was then.
    fn continues(&self, _earlier: &Earlier) -> Result<bool, SourceError> {
        Ok(false)
    }
    /// E502 unless the file still holds what was surveyed. To be asked when everything is read and
    /// nothing of it is final yet; a table that is no file does not change.
    fn unchanged(&self) -> Result<(), SourceError> {
        Ok(())
    }
}

/// What is known of an earlier content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Of all of it.
    pub fingerprint: Fingerprint,
    /// Its unpacked length, as [`Extent::bytes`] has it.
    pub bytes: u64,
    /// No committed record ends behind this offset.
    pub committed: u64,
}

/// Size of what is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Unpacked bytes, where known.
    pub bytes: Option<u64>,
    /// Records, where the file says so.
    pub rows: Option<u64>,
}

/// Cuts one table into blocks, on one thread.
pub trait Source: Send {
    /// The next block of about `rows` records, at most about `bytes` raw bytes, in order; `None` at
    /// the end.
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError>;
}

/// Consecutive records, cut at true record ends, not yet decoded.
pub struct Block {
    /// Raw bytes held by the block.
    pub bytes: u64,
    /// Bytes of the table consumed up to the end of this block (for progress).
    pub consumed: u64,
    /// How to decode it.
    pub body: Box<dyn Undecoded>,
}

/// The part of a block that a worker decodes.
pub trait Undecoded: Send {
    /// Parses into typed columns. `Err` only for trouble that ends the run.
    fn decode(self: Box<Self>) -> Result<Decoded, SourceError>;

    /// Tells the cells to finders of their types, one a column; all columns are read as text.
    fn find_types(self: Box<Self>, finders: &mut [infer::TypeFinder]) -> Result<(), SourceError> {
        infer::add(finders, &self.decode()?);
        Ok(())
    }
}

/// A decoded block: what a chunk is made of.
#[derive(Debug)]
pub struct Decoded {
    /// Source records in the block.
    pub records: u32,
    /// Typed columns of the records that could be split into fields.
    pub frame: DataFrame,
    /// Row i of the frame is record `index[i]`.
    pub index: Vec<u32>,
    /// Raw records.
    pub raw: Arc<dyn RawRows>,
    /// Cells that did not fit.
    pub misfits: Vec<Misfit>,
    /// Cells that were changed.
    pub altered: Vec<Altered>,
    /// Records that could not be split into fields.
    pub rejects: Vec<Reject>,
    /// Findings that refuse nothing.
    pub notes: Notes,
}

/// A chunk of no records with the columns of a schema, for trying agents out before a row is read.
pub fn empty_chunk(schema: &ReadSchema, origin: &Arc<crate::chunk::Origin>) -> crate::chunk::Chunk {
    let columns = schema.columns.iter().map(|spec| columns::ColumnBuilder::new(spec, 0).finish());
    let frame = DataFrame::new(0, columns.collect()).unwrap_or_default();
    crate::chunk::Chunk::empty(frame, Arc::clone(origin), Arc::new(NoRows))
}

/// The raw records of an empty chunk.
#[derive(Debug)]
struct NoRows;

impl RawRows for NoRows {
    fn place(&self, _record: u32) -> crate::chunk::Place {
        crate::chunk::Place { row: 0, byte: None }
    }

    fn fields(&self, _record: u32) -> Vec<(String, String)> {
        Vec::new()
    }

    fn field(&self, _record: u32, _field: usize) -> Option<String> {
        None
    }

    fn after(&self, _record: u32) -> Mark {
        Mark::default()
    }
}
