//! A block of text → typed columns, with the raw records kept for what must be refused.

use super::dialect::{self, Dialect};
use super::split::{self, Ending, Span};
use crate::chunk::{
    Code, ColumnKind, Mark, Misfit, Notes, Place, Problem, RawRows, ReadColumn, ReadSchema, Reject,
    Role,
};
use crate::source::columns::ColumnBuilder;
use crate::source::{Decoded, SourceError, SourceErrorKind, Undecoded};
use encoding_rs::UTF_8;
use polars::prelude::DataFrame;
use std::borrow::Cow;
use std::sync::Arc;

/// Undecoded lines.
pub struct CsvBlock {
    pub(super) bytes: Vec<u8>,
    pub(super) byte: u64,
    pub(super) row: u64,
    pub(super) dialect: Arc<Dialect>,
    pub(super) schema: Arc<ReadSchema>,
    pub(super) label: String,
}

/// The raw lines behind a decoded chunk.
#[derive(Debug)]
struct CsvRows {
    bytes: Vec<u8>,
    byte: u64,
    first_row: u64,
    /// Start of each record in `bytes`.
    starts: Vec<u32>,
    /// Row of each record relative to `first_row`, where records and lines differ.
    rows: Option<Vec<u32>>,
    dialect: Arc<Dialect>,
    schema: Arc<ReadSchema>,
}

impl CsvRows {
    fn end(&self, record: u32) -> usize {
        self.starts.get(record as usize + 1).map_or(self.bytes.len(), |start| *start as usize)
    }

    fn row(&self, record: u32) -> u64 {
        let offset = self.rows.as_ref().map_or(record, |rows| rows[record as usize]);
        self.first_row + u64::from(offset)
    }

    fn split(&self, record: u32) -> Vec<Span> {
        let mut spans = Vec::new();
        let start = self.starts[record as usize] as usize;
        let bytes = &self.bytes[..self.end(record)];
        split::split(bytes, start, self.dialect.delimiter, self.dialect.end, &mut spans);
        spans
    }

    fn text(&self, span: &Span) -> String {
        let raw = &self.bytes[span.start as usize..span.end as usize];
        let text = self.dialect.encoding.decode_without_bom_handling(raw).0;
        if span.doubled { text.replace("\"\"", "\"") } else { text.into_owned() }
    }

    /// The line as it stands, for records that cannot be split.
    fn line(&self, record: u32) -> String {
        let raw = &self.bytes[self.starts[record as usize] as usize..self.end(record)];
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
        let spans = self.split(record);
        let headers = &self.schema.headers;
        if spans.len() != headers.len() {
            return vec![("_line".into(), self.line(record))];
        }
        headers.iter().cloned().zip(spans.iter().map(|span| self.text(span))).collect()
    }

    fn field(&self, record: u32, field: usize) -> Option<String> {
        self.split(record).get(field).map(|span| self.text(span))
    }

    fn delimiter(&self) -> Option<char> {
        Some(char::from(self.dialect.delimiter))
    }

    fn after(&self, record: u32) -> Mark {
        let end = self.end(record);
        let next = record as usize + 1;
        let row = if next < self.starts.len() {
            self.row(next as u32)
        } else {
            let start = self.starts[record as usize] as usize;
            let lines = memchr::memchr_iter(self.dialect.end, &self.bytes[start..]).count();
            self.row(record) + lines.max(1) as u64
        };
        Mark { record: 0, byte: self.byte + end as u64, row }
    }
}

/// Where the text of a field goes.
#[derive(Clone, Copy)]
enum Slot {
    Column(u16),
    Extra(u16),
    Skip,
}

struct Decoder<'a> {
    block: &'a CsvBlock,
    text: Option<&'a str>,
    slots: Vec<Slot>,
    builders: Vec<ColumnBuilder>,
    extra: Option<ColumnBuilder>,
    starts: Vec<u32>,
    rows: Vec<u32>,
    index: Vec<u32>,
    misfits: Vec<Misfit>,
    broken: Vec<(u32, Problem)>,
    json: String,
}

impl Undecoded for CsvBlock {
    fn decode(self: Box<Self>) -> Result<Decoded, SourceError> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(SourceError::new(
                SourceErrorKind::Limit,
                &self.label,
                "a block is larger than 4 GiB",
            ));
        }
        let text = std::str::from_utf8(&self.bytes).ok();
        let mut decoder = Decoder::new(&self, text);
        decoder.run();
        let Decoder { builders, extra, starts, rows, index, misfits, broken, .. } = decoder;
        let mut columns: Vec<_> = builders.into_iter().map(ColumnBuilder::finish).collect();
        columns.extend(extra.map(ColumnBuilder::finish));
        let frame = DataFrame::new(index.len(), columns).map_err(|error| {
            SourceError::new(SourceErrorKind::Header, &self.label, error.to_string())
                .with_hint("two columns have one name")
        })?;
        let block = *self;
        let lines_are_records = rows.iter().enumerate().all(|(i, row)| *row as usize == i);
        let raw = Arc::new(CsvRows {
            bytes: block.bytes,
            byte: block.byte,
            first_row: block.row,
            starts,
            rows: (!lines_are_records).then_some(rows),
            dialect: block.dialect,
            schema: block.schema,
        });
        let rejects = broken
            .into_iter()
            .map(|(record, problem)| Reject {
                record,
                place: raw.place(record),
                stage: "read",
                problems: vec![problem],
                raw: raw.fields(record),
            })
            .collect();
        Ok(Decoded {
            records: raw.starts.len() as u32,
            frame,
            index,
            raw,
            misfits,
            rejects,
            notes: Notes::default(),
        })
    }
}

impl<'a> Decoder<'a> {
    fn new(block: &'a CsvBlock, text: Option<&'a str>) -> Self {
        let schema = &block.schema;
        let capacity = memchr::memchr_iter(block.dialect.end, &block.bytes).count() + 1;
        let mut slots = vec![Slot::Skip; schema.headers.len()];
        for (i, column) in schema.columns.iter().enumerate() {
            slots[column.field] = Slot::Column(i as u16);
        }
        for (i, (field, _)) in schema.extra.iter().enumerate() {
            slots[*field] = Slot::Extra(i as u16);
        }
        let builders = schema.columns.iter().map(|c| ColumnBuilder::new(c, capacity)).collect();
        let extra = (!schema.extra.is_empty()).then(|| ColumnBuilder::new(&extra_spec(), capacity));
        Self {
            block,
            text: if block.dialect.encoding == UTF_8 { text } else { None },
            slots,
            builders,
            extra,
            starts: Vec::with_capacity(capacity),
            rows: Vec::with_capacity(capacity),
            index: Vec::with_capacity(capacity),
            misfits: Vec::new(),
            broken: Vec::new(),
            json: String::new(),
        }
    }

    fn run(&mut self) {
        let bytes = &self.block.bytes;
        let Dialect { delimiter, end, .. } = *self.block.dialect;
        let mut spans = Vec::with_capacity(self.slots.len());
        let (mut at, mut row) = (0, 0u32);
        while at < bytes.len() {
            let (next, ending) = split::split(bytes, at, delimiter, end, &mut spans);
            let lines = count_lines(&bytes[at..next], end);
            if !(ending == Ending::Whole && dialect::is_blank(&spans)) {
                self.starts.push(at as u32);
                self.rows.push(row);
                self.record(&spans, ending, (at, next));
            }
            row += lines;
            at = next;
        }
    }

    fn record(&mut self, spans: &[Span], ending: Ending, range: (usize, usize)) {
        let record = self.starts.len() as u32 - 1;
        let problem = self.trouble(spans, ending, range);
        if let Some(problem) = problem {
            self.broken.push((record, problem));
            return;
        }
        self.index.push(record);
        self.json.clear();
        for (span, i) in spans.iter().zip(0..) {
            match self.slots[i] {
                Slot::Skip => {}
                Slot::Column(column) if span.start == span.end => {
                    self.builders[usize::from(column)].push_null();
                }
                Slot::Column(column) => {
                    let text = self.field(span);
                    let pushed = self.builders[usize::from(column)].push_text(&text);
                    if let Err(kind) = pushed {
                        self.misfits.push(Misfit { record, column, kind });
                    }
                }
                Slot::Extra(extra) => self.add_extra(span, extra),
            }
        }
        self.finish_extra();
    }

    fn add_extra(&mut self, span: &Span, extra: u16) {
        let text = self.field(span);
        if !text.trim().is_empty() {
            let name = &self.block.schema.extra[usize::from(extra)].1;
            self.json.push(if self.json.is_empty() { '{' } else { ',' });
            self.json.push_str(&serde_json::Value::from(name.as_str()).to_string());
            self.json.push(':');
            self.json.push_str(&serde_json::Value::from(&*text).to_string());
        }
    }

    fn finish_extra(&mut self) {
        if let Some(builder) = &mut self.extra {
            if self.json.is_empty() {
                builder.push_null();
            } else {
                self.json.push('}');
                // Plain text without limits always fits.
                let _ = builder.push_text(&self.json);
            }
        }
    }

    #[inline]
    fn field(&self, span: &Span) -> Cow<'a, str> {
        let (start, end) = (span.start as usize, span.end as usize);
        let text = match self.text.and_then(|text| text.get(start..end)) {
            Some(text) => Cow::Borrowed(text),
            None => self.decode(&self.block.bytes[start..end]),
        };
        if span.doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { text }
    }

    #[cold]
    fn decode(&self, raw: &'a [u8]) -> Cow<'a, str> {
        self.block.dialect.encoding.decode_without_bom_handling(raw).0
    }

    fn trouble(&self, spans: &[Span], ending: Ending, range: (usize, usize)) -> Option<Problem> {
        match ending {
            Ending::Stray => return Some(stray()),
            Ending::Unclosed => return Some(unclosed()),
            Ending::Whole => {}
        }
        if spans.len() != self.slots.len() {
            return Some(ragged(spans.len(), &self.block.schema.headers));
        }
        let utf8 = self.block.dialect.encoding == UTF_8;
        if utf8 && self.text.is_none() {
            return self.bad_text(range);
        }
        None
    }

    /// Only where the user insists on UTF-8 and the block is not.
    #[cold]
    fn bad_text(&self, (start, end): (usize, usize)) -> Option<Problem> {
        let error = std::str::from_utf8(&self.block.bytes[start..end]).err()?;
        let at = start + error.valid_up_to();
        let message = format!(
            "invalid UTF-8 byte 0x{:02X} at byte {}",
            self.block.bytes[at],
            self.block.byte + at as u64
        );
        Some(
            Problem::new(Code::E201, message)
                .with_expected("UTF-8 text")
                .with_hint("--encoding windows-1252"),
        )
    }
}

fn count_lines(bytes: &[u8], end: u8) -> u32 {
    memchr::memchr_iter(end, bytes).count().max(1) as u32
}

fn extra_spec() -> ReadColumn {
    ReadColumn {
        name: "_extra".into(),
        header: "_extra".into(),
        field: 0,
        kind: ColumnKind::Text,
        role: Role::Plain,
        width: None,
        max_len: None,
        nulls: Vec::new(),
        key: false,
        clean: false,
    }
}

/// Splits one line of a text by the same grammar as a whole file, for lines that were refused and
/// corrected by hand.
pub fn split_line(
    line: &str,
    delimiter: char,
    headers: &[String],
) -> Result<Vec<String>, Box<Problem>> {
    let Ok(delimiter) = u8::try_from(delimiter) else {
        return Err(Box::new(Problem::new(Code::E203, "the delimiter is not a single byte")));
    };
    let mut spans = Vec::new();
    let (next, ending) = split::split(line.as_bytes(), 0, delimiter, b'\n', &mut spans);
    match ending {
        Ending::Stray => return Err(Box::new(stray())),
        Ending::Unclosed => return Err(Box::new(unclosed())),
        Ending::Whole if next < line.len() => {
            let problem = Problem::new(Code::E202, "two lines stand where one record is expected")
                .with_expected("one record")
                .with_hint("quote a value that holds a line end");
            return Err(Box::new(problem));
        }
        Ending::Whole => {}
    }
    if spans.len() != headers.len() {
        return Err(Box::new(ragged(spans.len(), headers)));
    }
    let text = |span: &Span| {
        let raw = &line[span.start as usize..span.end as usize];
        if span.doubled { raw.replace("\"\"", "\"") } else { raw.to_owned() }
    };
    Ok(spans.iter().map(text).collect())
}

fn stray() -> Problem {
    Problem::new(Code::E203, "text stands behind a closing quote")
        .with_expected("a delimiter or the end of the line behind a closing quote")
        .with_hint("double the quotes inside a quoted value")
}

fn unclosed() -> Problem {
    Problem::new(Code::E203, "a quote opens in this line and is never closed")
        .with_expected("a closing quote")
        .with_hint("close the quote, or double it where it is part of the value")
}

fn ragged(found: usize, headers: &[String]) -> Problem {
    let message = if found < headers.len() {
        let missing: Vec<_> = headers[found..].iter().take(3).map(String::as_str).collect();
        let more = if headers.len() - found > 3 { ", …" } else { "" };
        let missing = missing.join(", ");
        format!("{found} fields, the header has {} (missing: {missing}{more})", headers.len())
    } else {
        format!("{found} fields, the header has {}", headers.len())
    };
    Problem::new(Code::E202, message)
        .with_expected(format!("{} fields", headers.len()))
        .with_hint("look for a missing or an unquoted delimiter in this row")
}
