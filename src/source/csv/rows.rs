//! The raw lines behind a decoded chunk.

use super::grammar::Dialect;
use super::repair::Reading;
use super::split::{self, Span};
use crate::chunk::{Code, LineGrammar, Mark, Place, RawRows, ReadSchema};
use std::sync::Arc;

/// Lines and where each record begins.
#[derive(Debug)]
pub struct CsvRows {
    /// The block.
    pub bytes: Vec<u8>,
    /// Its offset in the text.
    pub byte: u64,
    /// Row of its first line.
    pub first_row: u64,
    /// Start of each record in `bytes`.
    pub starts: Vec<u32>,
    /// Row of each record relative to `first_row`, where records and lines differ.
    pub rows: Option<Vec<u32>>,
    /// How the text is written.
    pub dialect: Arc<Dialect>,
    /// What is read from it.
    pub schema: Arc<ReadSchema>,
}

impl CsvRows {
    fn end(&self, record: u32) -> usize {
        self.starts.get(record as usize + 1).map_or(self.bytes.len(), |start| *start as usize)
    }

    fn row(&self, record: u32) -> u64 {
        let offset = self.rows.as_ref().map_or(record, |rows| rows[record as usize]);
        self.first_row + u64::from(offset)
    }

    /// The fields of a record as it was loaded, and where it ends; no fields where it could not be
    /// split, or has more of them than the header has names.
    fn split(&self, record: u32) -> (Option<Vec<Span>>, usize) {
        let headers = &self.schema.headers;
        let reading = Reading { dialect: &self.dialect, headers, byte: self.byte };
        let mut spans = Vec::new();
        let start = self.starts[record as usize] as usize;
        let found = reading.read(&self.bytes[..self.end(record)], start, &mut spans);
        let broken = found.problem.is_some_and(|problem| problem.code == Code::E203);
        ((spans.len() == headers.len() && !broken).then_some(spans), found.next)
    }

    fn text(&self, span: &Span) -> String {
        let text = self.dialect.encoding.decode_without_bom_handling(&self.bytes[span.range()]).0;
        if span.is_escaped() {
            self.dialect.grammar.unescape(text).into_owned()
        } else {
            text.into_owned()
        }
    }

    /// The line as it stands, for records that cannot be split.
    fn line(&self, record: u32, end: usize) -> String {
        let raw = &self.bytes[self.starts[record as usize] as usize..end];
        let text = self.dialect.encoding.decode_without_bom_handling(raw).0;
        text.trim_end_matches(['\r', '\n']).to_owned()
    }
}

impl RawRows for CsvRows {
    fn place(&self, record: u32) -> Place {
        let byte = self.byte + u64::from(self.starts[record as usize]);
        Place { row: self.row(record), byte: Some(byte) }
    }

    fn fields(&self, record: u32) -> Vec<(String, String)> {
        match self.split(record) {
            (None, end) => vec![("_line".into(), self.line(record, end))],
            (Some(spans), _) => {
                let headers = self.schema.headers.iter().cloned();
                headers.zip(spans.iter().map(|span| self.text(span))).collect()
            }
        }
    }

    fn field(&self, record: u32, field: usize) -> Option<String> {
        self.split(record).0?.get(field).map(|span| self.text(span))
    }

    fn texts(&self, record: u32, fields: &[usize]) -> Vec<Option<String>> {
        let spans = self.split(record).0.unwrap_or_default();
        fields.iter().map(|field| spans.get(*field).map(|span| self.text(span))).collect()
    }

    fn grammar(&self) -> Option<LineGrammar> {
        Some(self.dialect.grammar.of_lines())
    }

    fn after(&self, record: u32) -> Mark {
        let end = self.end(record);
        let next = record as usize + 1;
        let row = if next < self.starts.len() {
            self.row(next as u32)
        } else {
            let start = self.starts[record as usize] as usize;
            let lines = split::count_lines(&self.bytes[start..], self.dialect.grammar.end);
            self.row(record) + u64::from(lines)
        };
        Mark { record: 0, byte: self.byte + end as u64, row }
    }
}
