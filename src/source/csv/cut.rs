//! Cuts the text into blocks that end at true record ends, at memory speed.

use super::decode::CsvBlock;
use super::grammar::{Dialect, Escape};
use super::split::{self, Ending, LONGEST_QUOTED, Searched};
use super::survey::CsvTable;
use super::text;
use crate::chunk::{Mark, ReadSchema};
use crate::source::{Block, Source, SourceError, SourceErrorKind};
use memchr::{memchr, memchr_iter, memrchr};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Longest record; a longer one is a limit error rather than all of memory.
pub const LONGEST_RECORD: usize = 16 << 20;

/// Reads one text file in order.
pub struct CsvSource {
    reader: io::Take<Box<dyn Read + Send>>,
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
        // Broken UTF-16 was counted in the survey.
        let replaced = Arc::new(AtomicU64::new(0));
        let reader = text::reader(&table.content, table.transport, from.byte, &replaced)?;
        Ok(Self {
            reader: reader.take(table.data_end.saturating_sub(from.byte)),
            dialect: Arc::clone(&table.dialect),
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
        self.rest.reserve_exact(bytes - have);
        let read = self
            .reader
            .by_ref()
            .take((bytes - have) as u64)
            .read_to_end(&mut self.rest)
            .map_err(|error| SourceError::io(&self.label, error))?;
        self.ended = have + read < bytes;
        Ok(())
    }

    /// Where a block of about `wanted` bytes ends: behind the last whole record in `rest`. Where more
    /// had to be read to find one, the lines behind it wait for the next block: there may be millions.
    fn record_end(&self, wanted: usize) -> Option<usize> {
        let quote = self.dialect.grammar.quote;
        let grown = self.rest.len() > wanted;
        match quote {
            _ if self.ended && !grown => Some(self.rest.len()),
            Some(quote) if self.regular && grown => self.even_line_end_behind(quote, wanted),
            Some(quote) if self.regular => self.last_even_line_end(quote),
            Some(quote) => self.walked_end(quote, wanted),
            None => self.line_end(0, self.rest.len(), wanted),
        }
        .or_else(|| self.ended.then_some(self.rest.len()))
    }

    /// Behind the last line end from `from` on that is not behind `wanted`, else behind the first.
    fn line_end(&self, from: usize, to: usize, wanted: usize) -> Option<usize> {
        let end = self.dialect.grammar.end;
        let near = from..to.min(wanted).max(from);
        let last = memrchr(end, &self.rest[near]).map(|at| from + at + 1);
        last.or_else(|| memchr(end, &self.rest[from..to]).map(|at| from + at + 1))
    }

    /// The first line end behind `wanted` with an even number of quotes before it.
    fn even_line_end_behind(&self, quote: u8, wanted: usize) -> Option<usize> {
        let mut outside = memchr_iter(quote, &self.rest[..wanted]).count().is_multiple_of(2);
        let end = self.dialect.grammar.end;
        for at in memchr::memchr2_iter(quote, end, &self.rest[wanted..]) {
            if self.rest[wanted + at] == quote {
                outside = !outside;
            } else if outside {
                return Some(wanted + at + 1);
            }
        }
        None
    }

    /// The last line end with an even number of quotes before it. Correct because the survey found
    /// that every quote opens, closes or doubles, and a block starts outside quotes.
    fn last_even_line_end(&self, quote: u8) -> Option<usize> {
        let mut outside = memchr_iter(quote, &self.rest).count().is_multiple_of(2);
        let mut until = self.rest.len();
        loop {
            let at = memrchr(self.dialect.grammar.end, &self.rest[..until])?;
            outside ^= memchr_iter(quote, &self.rest[at..until]).count() % 2 == 1;
            if outside {
                return Some(at + 1);
            }
            until = at;
        }
    }

    /// Goes from quote to quote: lines without one end where they end.
    fn walked_end(&self, quote: u8, wanted: usize) -> Option<usize> {
        let grammar = &self.dialect.grammar;
        let text = &self.rest[..];
        let (mut spans, mut searched) = (Vec::new(), Searched::default());
        let (mut at, mut whole) = (0, None);
        while at < text.len() && at < wanted {
            // A quote behind the escape opens nothing, but the record is split with care anyway.
            let next = match grammar.escape {
                Escape::Byte(escape) => memchr::memchr2(quote, escape, &text[at..]),
                _ => memchr(quote, &text[at..]),
            };
            let Some(next) = next else {
                return self.line_end(at, text.len(), wanted).or(whole);
            };
            if let Some(last) = memrchr(grammar.end, &text[at..at + next]) {
                if at + last + 1 > wanted {
                    return self.line_end(at, at + next, wanted);
                }
                at += last + 1;
                whole = Some(at);
            }
            let (next, ending) = split::split_on(text, at, grammar, &mut spans, &mut searched);
            let opens = spans.last().map_or(at, |span| span.start as usize);
            // What runs into the end of the buffer may go on behind it.
            let open = ending == Ending::Unclosed && text.len() < opens + LONGEST_QUOTED;
            let cut_off = next == text.len() && text.last() != Some(&grammar.end);
            if !self.ended && (open || cut_off) {
                break;
            }
            whole = Some(next);
            at = next;
        }
        whole
    }
}

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
            match self.record_end(wanted) {
                Some(cut) => break cut,
                None if size >= LONGEST_RECORD => return Err(too_long(&self.label, self.row)),
                None => size *= 2,
            }
        };
        // Only what was carried over is copied; the block keeps the buffer it was read into.
        let carried = self.rest[cut..].to_vec();
        let mut block = std::mem::replace(&mut self.rest, carried);
        block.truncate(cut);
        block.shrink_to_fit();
        let lines = memchr_iter(self.dialect.grammar.end, &block).count();
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
                regular: self.regular,
                dialect: Arc::clone(&self.dialect),
                schema: Arc::clone(&self.schema),
                label: self.label.clone(),
            }),
        }))
    }
}

/// A record that is longer than any record.
pub fn too_long(label: &str, row: u64) -> SourceError {
    SourceError::new(
        SourceErrorKind::Limit,
        label,
        format!("the record at row {row} is longer than {} MiB", LONGEST_RECORD >> 20),
    )
    .with_hint("look for a quote that is never closed near that row, or for missing line ends")
}
