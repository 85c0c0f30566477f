//! Cuts the text into blocks that end at true record ends, at memory speed.

use super::decode::CsvBlock;
use super::dialect::Dialect;
use super::split;
use super::survey::{CsvTable, text_reader};
use crate::chunk::{Mark, ReadSchema};
use crate::source::input::read_full;
use crate::source::{Block, Source, SourceError, SourceErrorKind};
use memchr::{memchr_iter, memrchr};
use std::io::Read;
use std::sync::Arc;

/// Longest record; a longer one is a limit error rather than all of memory.
const LONGEST_RECORD: usize = 64 << 20;

/// Reads one text file in order.
pub struct CsvSource {
    reader: Box<dyn Read + Send>,
    dialect: Arc<Dialect>,
    schema: Arc<ReadSchema>,
    regular: bool,
    label: String,
    /// Bytes read but not yet cut off.
    rest: Vec<u8>,
    /// Offset of `rest` in the content.
    byte: u64,
    /// Row number of the first line in `rest`.
    row: u64,
    /// Measured bytes a record, for turning rows into bytes.
    record_bytes: f64,
    ended: bool,
}

impl CsvSource {
    pub(super) fn open(
        table: &CsvTable,
        schema: Arc<ReadSchema>,
        from: Mark,
    ) -> Result<Self, SourceError> {
        Ok(Self {
            reader: text_reader(&table.content, table.utf16, from.byte)?,
            dialect: Arc::new(table.dialect.clone()),
            schema,
            regular: table.regular,
            label: table.content.label().to_owned(),
            rest: Vec::new(),
            byte: from.byte,
            row: from.row,
            record_bytes: 0.0,
            ended: false,
        })
    }

    /// Fills `rest` up to `bytes`.
    fn fill(&mut self, bytes: usize) -> Result<(), SourceError> {
        let have = self.rest.len();
        if self.ended || have >= bytes {
            return Ok(());
        }
        self.rest.resize(bytes, 0);
        let read = read_full(&mut self.reader, &mut self.rest[have..])
            .map_err(|error| SourceError::io(&self.label, error))?;
        self.rest.truncate(have + read);
        self.ended = have + read < bytes;
        Ok(())
    }

    /// Behind the last whole record in `rest`.
    fn last_record_end(&self) -> Option<usize> {
        if self.ended {
            return Some(self.rest.len());
        }
        if self.regular { self.last_even_line_end() } else { self.last_walked_end() }
    }

    /// The last line end with an even number of quotes before it. Correct because the survey found
    /// that every quote opens, closes or doubles, and a block starts outside quotes.
    fn last_even_line_end(&self) -> Option<usize> {
        let mut outside = memchr_iter(b'"', &self.rest).count().is_multiple_of(2);
        let mut until = self.rest.len();
        loop {
            let at = memrchr(self.dialect.end, &self.rest[..until])?;
            outside ^= memchr_iter(b'"', &self.rest[at..until]).count() % 2 == 1;
            if outside {
                return Some(at + 1);
            }
            until = at;
        }
    }

    fn last_walked_end(&self) -> Option<usize> {
        let mut spans = Vec::new();
        let mut at = 0;
        let mut whole = None;
        while at < self.rest.len() {
            let Dialect { delimiter, end, .. } = *self.dialect;
            let (next, ending) = split::split(&self.rest, at, delimiter, end, &mut spans);
            // What runs into the end of the buffer may go on behind it.
            let open = ending == split::Ending::Unclosed && self.rest.len() - at < LONGEST_QUOTED;
            if open || (next == self.rest.len() && self.rest.last() != Some(&end)) {
                break;
            }
            whole = Some(next);
            at = next;
        }
        whole
    }
}

/// How far an opening quote may look for its end before its line is given up as broken.
const LONGEST_QUOTED: usize = 1 << 20;

impl Source for CsvSource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let wanted = if self.record_bytes > 0.0 {
            ((rows as f64 * self.record_bytes) as usize).clamp(4 << 10, bytes.max(4 << 10))
        } else {
            // The first block is small: it measures the bytes of a record.
            bytes.clamp(4 << 10, 256 << 10)
        };
        let mut size = wanted;
        let cut = loop {
            self.fill(size)?;
            if self.rest.is_empty() {
                return Ok(None);
            }
            if let Some(cut) = self.last_record_end() {
                break cut;
            }
            if size >= LONGEST_RECORD {
                return Err(too_long(&self.label, self.row));
            }
            size *= 2;
        };
        // Only what was carried over is copied; the block keeps the buffer it was read into.
        let carried = self.rest[cut..].to_vec();
        let mut block = std::mem::replace(&mut self.rest, carried);
        block.truncate(cut);
        block.shrink_to_fit();
        let lines = memchr_iter(self.dialect.end, &block).count();
        self.record_bytes = cut as f64 / lines.max(1) as f64;
        let (byte, row) = (self.byte, self.row);
        self.byte += cut as u64;
        self.row += lines as u64;
        Ok(Some(Block {
            bytes: cut as u64,
            consumed: self.byte,
            body: Box::new(CsvBlock {
                bytes: block,
                byte,
                row,
                dialect: Arc::clone(&self.dialect),
                schema: Arc::clone(&self.schema),
                label: self.label.clone(),
            }),
        }))
    }
}

fn too_long(label: &str, row: u64) -> SourceError {
    SourceError::new(
        SourceErrorKind::Limit,
        label,
        format!("the record at row {row} is longer than 64 MiB"),
    )
    .with_hint("look for a quote that is never closed near that row")
}
