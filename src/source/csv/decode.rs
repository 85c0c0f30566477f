//! A block of text → typed columns, with the raw records kept for what must be refused.
//!
//! Records are split first, a batch at a time, then each column takes its cells of the whole batch:
//! a column's builder and its type stay in the processor while it works, and a roll, whose cells are
//! mostly blank, costs little more than counting them. Records out of the ordinary (another number
//! of fields, broken quotes, the header again) leave this path and are read one by one.

use super::batch::{Batch, Taker};
use super::grammar::{Dialect, Grammar};
use super::index::{Indexer, Sink};
use super::repair::{self, Reading, Repair};
use super::rows::CsvRows;
use super::split::{self, Ending, Searched, Span};
use crate::chunk::{
    Code, Example, LineGrammar, Note, NoteKey, Notes, Place, Problem, RawRows, ReadColumn,
    ReadSchema, Reject, Severity,
};
use crate::source::columns::{ColumnBuilder, Pushed, trim};
use crate::source::infer::TypeFinder;
use crate::source::{Decoded, SourceError, SourceErrorKind, Undecoded};
use encoding_rs::UTF_8;
use memchr::{memchr, memrchr};
use polars::prelude::DataFrame;
use std::sync::Arc;

/// Undecoded lines.
pub struct CsvBlock {
    pub(super) bytes: Vec<u8>,
    pub(super) byte: u64,
    pub(super) row: u64,
    /// Every quote of the file opens, closes or doubles.
    pub(super) regular: bool,
    pub(super) dialect: Arc<Dialect>,
    pub(super) schema: Arc<ReadSchema>,
    pub(super) label: String,
}

impl Undecoded for CsvBlock {
    fn decode(self: Box<Self>) -> Result<Decoded, SourceError> {
        let text = self.text()?;
        let builder = |spec: &ReadColumn, rows: usize| ColumnBuilder::new(spec, rows);
        let mut decoder = Decoder::new(&self, text, builder);
        decoder.run();
        let notes = decoder.notes();
        let Decoder { batch, starts, rows, index, broken, .. } = decoder;
        let (columns, misfits, altered) = batch.finish();
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
        let reject = |(record, problem)| Reject {
            record,
            place: raw.place(record),
            stage: "read",
            problems: vec![problem],
        };
        let rejects = broken.into_iter().map(reject).collect();
        let records = raw.starts.len() as u32;
        Ok(Decoded { records, frame, index, raw, misfits, altered, rejects, notes })
    }

    fn find_types(self: Box<Self>, finders: &mut [TypeFinder]) -> Result<(), SourceError> {
        let looked =
            |spec: &ReadColumn, _| Looked { clean: spec.clean, finder: TypeFinder::default() };
        let mut decoder = Decoder::new(&self, self.text()?, looked);
        decoder.run();
        let Decoder { batch, starts, rows, .. } = decoder;
        let place = |place: Place| Place {
            row: self.row + u64::from(rows[place.row as usize]),
            byte: Some(self.byte + u64::from(starts[place.row as usize])),
        };
        for (mine, looked) in finders.iter_mut().zip(batch.into_takers()) {
            mine.merge(looked.finder.placed(place));
        }
        Ok(())
    }
}

impl CsvBlock {
    /// The block as text where it is UTF-8; an error where it is too large for spans.
    fn text(&self) -> Result<Option<&str>, SourceError> {
        if self.bytes.len() > Span::MOST {
            let message = "a block is larger than 2 GiB";
            return Err(SourceError::new(SourceErrorKind::Limit, &self.label, message));
        }
        Ok(std::str::from_utf8(&self.bytes).ok())
    }
}

/// The cells of a column on their way to a finder of its type; places are numbers of records for now.
struct Looked {
    clean: bool,
    finder: TypeFinder,
}

impl Taker for Looked {
    #[inline(always)]
    fn push_nulls(&mut self, cells: usize) {
        self.finder.add_nulls(cells as u64);
    }

    #[inline]
    fn push_text(&mut self, record: u32, text: &str) -> Pushed {
        match if self.clean { trim(text) } else { text } {
            "" => self.finder.add_nulls(1),
            text => self.finder.add(text, || Place { row: u64::from(record), byte: None }),
        }
        Ok(())
    }
}

/// Something done to a row that is loaded, or a line that is no row.
struct Mention {
    /// The record, or the one before the line.
    record: u32,
    place: Place,
    code: Code,
    rule: &'static str,
    message: &'static str,
    severity: Severity,
}

struct Decoder<'a, T> {
    block: &'a CsvBlock,
    reading: Reading<'a>,
    batch: Batch<'a, T>,
    /// Every record must be read with care: the block is not the UTF-8 it should be.
    careful: bool,
    starts: Vec<u32>,
    rows: Vec<u32>,
    index: Vec<u32>,
    broken: Vec<(u32, Problem)>,
    mentions: Vec<Mention>,
    /// Blank lines: the record before each, and where the first few stand.
    blanks: Vec<u32>,
    blank_places: Vec<Place>,
    /// Row of the record to come, relative to the block.
    row: u32,
    scratch: Vec<Span>,
    searched: Searched,
}

/// Splits one line of a text by the same grammar as a whole file, for lines that were refused and
/// corrected by hand.
pub fn split_line(
    line: &str,
    grammar: LineGrammar,
    headers: &[String],
) -> Result<Vec<String>, Box<Problem>> {
    let Some(grammar) = Grammar::of(grammar) else {
        return Err(Box::new(Problem::new(Code::E203, "the delimiter is not a single byte")));
    };
    let mut spans = Vec::new();
    let (next, ending) = split::split(line.as_bytes(), 0, &grammar, &mut spans);
    match ending {
        Ending::Stray => return Err(Box::new(repair::stray())),
        Ending::Unclosed => return Err(Box::new(repair::unclosed())),
        Ending::Whole if next < line.len() => {
            let problem = Problem::new(Code::E202, "two lines stand where one record is expected")
                .with_expected("one record")
                .with_hint("quote a value that holds a line end");
            return Err(Box::new(problem));
        }
        Ending::Whole => {}
    }
    if spans.len() != headers.len() {
        return Err(Box::new(repair::ragged(spans.len(), headers)));
    }
    let text = |span: &Span| {
        let raw = line[span.range()].into();
        if span.is_escaped() { grammar.unescape(raw).into_owned() } else { raw.into_owned() }
    };
    Ok(spans.iter().map(text).collect())
}

impl<'a, T: Taker> Decoder<'a, T> {
    /// `taker`: what takes the cells of a column of about so many rows.
    fn new(
        block: &'a CsvBlock,
        text: Option<&'a str>,
        taker: impl Fn(&ReadColumn, usize) -> T,
    ) -> Self {
        let (schema, dialect) = (&*block.schema, &*block.dialect);
        let capacity = memchr::memchr_iter(dialect.grammar.end, &block.bytes).count() + 1;
        let takers = schema.columns.iter().map(|spec| taker(spec, capacity)).collect();
        Self {
            block,
            reading: Reading { dialect, headers: &schema.headers, byte: block.byte },
            batch: Batch::new(&block.bytes, text, schema, dialect, capacity, takers),
            careful: dialect.encoding == UTF_8 && text.is_none(),
            starts: Vec::with_capacity(capacity),
            rows: Vec::with_capacity(capacity),
            index: Vec::with_capacity(capacity),
            broken: Vec::new(),
            mentions: Vec::new(),
            blanks: Vec::new(),
            blank_places: Vec::new(),
            row: 0,
            scratch: Vec::new(),
            searched: Searched::default(),
        }
    }

    fn run(&mut self) {
        let bytes = &self.block.bytes;
        let grammar = self.block.dialect.grammar;
        let simple = self.block.regular || grammar.quote.is_none();
        let simple = simple && !grammar.padded && !matches!(grammar.escape, super::Escape::Byte(_));
        let mut at = 0;
        while at < bytes.len() {
            let calm = if simple { bytes.len() } else { self.calm(at, &grammar) };
            if calm > at {
                let mut indexer = Indexer::new(bytes, grammar, simple);
                indexer.run(at, calm, self);
                at = calm;
            } else {
                at = self.with_care(at, bytes.len());
            }
        }
        self.batch.flush();
    }

    /// How far lines without any quote (or escape) go on.
    fn calm(&self, at: usize, grammar: &Grammar) -> usize {
        let bytes = &self.block.bytes;
        if grammar.padded {
            return at;
        }
        let quote = grammar.quote.unwrap_or(b'"');
        let next = match grammar.escape {
            super::Escape::Byte(escape) => memchr::memchr2(quote, escape, &bytes[at..]),
            _ => memchr(quote, &bytes[at..]),
        };
        match next {
            None => bytes.len(),
            Some(next) => {
                memrchr(grammar.end, &bytes[at..at + next]).map_or(at, |end| at + end + 1)
            }
        }
    }

    /// Reads the record at `at` alone, not beyond `until`; returns where the next one begins.
    fn with_care(&mut self, at: usize, until: usize) -> usize {
        let mut spans = std::mem::take(&mut self.scratch);
        let bytes = &self.block.bytes[..until];
        // What was searched of a part of the block says nothing of all of it.
        let mut alone = Searched::default();
        let whole = until == self.block.bytes.len();
        let searched = if whole { &mut self.searched } else { &mut alone };
        let found = self.reading.read_on(bytes, at, &mut spans, searched);
        let lines =
            split::count_lines(&self.block.bytes[at..found.next], self.block.dialect.grammar.end);
        let leave_out = found.header && found.problem.is_none();
        if leave_out {
            self.mention_header(at);
        } else if found.blank {
            self.pass_over(at);
        } else {
            let record = self.begin(at);
            for repair in &found.repairs {
                self.mention(record, *repair);
            }
            match found.problem {
                Some(problem) => self.broken.push((record, problem)),
                None => {
                    self.index.push(record);
                    self.batch.push(record, &spans);
                }
            }
        }
        self.row += lines;
        self.scratch = spans;
        found.next
    }

    /// Opens the account of a record.
    fn begin(&mut self, at: usize) -> u32 {
        self.starts.push(at as u32);
        self.rows.push(self.row);
        self.starts.len() as u32 - 1
    }

    fn here(&self, at: usize) -> Place {
        Place { row: self.block.row + u64::from(self.row), byte: Some(self.block.byte + at as u64) }
    }

    fn mention(&mut self, record: u32, repair: Repair) {
        let (code, rule, message) = repair.words();
        let place = self.here(self.starts[record as usize] as usize);
        let severity = Severity::Warning;
        self.mentions.push(Mention { record, place, code, rule, message, severity });
    }

    /// Lines that repeat the header are no records; they are told with the record before them.
    fn mention_header(&mut self, at: usize) {
        self.mentions.push(Mention {
            record: self.before(),
            place: self.here(at),
            code: Code::E202,
            rule: "repeated_header",
            message: "the header is repeated among the rows; these rows are not loaded",
            severity: Severity::Info,
        });
    }

    /// A blank line is no record; it is counted with the record before it.
    fn pass_over(&mut self, at: usize) {
        if self.blanks.len() < Note::EXAMPLES {
            let place = self.here(at);
            self.blank_places.push(place);
        }
        self.blanks.push(self.before());
    }

    /// The record that a line between records goes with: the one before it, because reading goes on
    /// behind both. At the head of a block it is the first.
    fn before(&self) -> u32 {
        (self.starts.len() as u32).saturating_sub(1)
    }

    fn notes(&mut self) -> Notes {
        let mut notes = Notes::default();
        for mention in std::mem::take(&mut self.mentions) {
            let key =
                NoteKey { code: mention.code, rule: mention.rule.into(), column: String::new() };
            let example = || Example { place: mention.place, cell: None, value: None };
            let message = || mention.message;
            notes.add_at(mention.record, key, mention.severity, message, example);
        }
        for (at, record) in self.blanks.iter().enumerate() {
            let key =
                NoteKey { code: Code::E202, rule: "blank_line".into(), column: String::new() };
            let message = || "blank lines are no rows";
            let place = || self.blank_places[at];
            let example = || Example { place: place(), cell: None, value: None };
            notes.add_at(*record, key, Severity::Info, message, example);
        }
        self.batch.notes(&mut notes, |record| Place {
            row: self.block.row + u64::from(self.rows[record as usize]),
            byte: Some(self.block.byte + u64::from(self.starts[record as usize])),
        });
        notes
    }
}

impl<T: Taker> Sink for Decoder<'_, T> {
    #[inline(always)]
    fn field(&mut self, span: Span) {
        self.batch.field(span);
    }

    #[inline(always)]
    fn fields(&mut self, spans: &[Span]) {
        self.batch.fields(spans);
    }

    #[inline(always)]
    fn end(&mut self, start: usize, next: usize, broken: bool, lines: u32) {
        let bytes = &self.block.bytes;
        let header = &self.block.dialect.header_line;
        let first = bytes[start];
        let odd = broken
            || self.careful
            || first == 0xef
            || (header.first() == Some(&first) && self.reading.is_header(&bytes[start..next]));
        if odd || !self.batch.fits() {
            let blank = !odd && self.batch.is_blank();
            self.batch.discard();
            if blank {
                self.pass_over(start);
                self.row += lines;
                return;
            }
            // What looked like one record may be several once it is read with care.
            let mut at = start;
            while at < next {
                at = self.with_care(at, next);
            }
            return;
        }
        let record = self.begin(start);
        self.row += lines;
        self.index.push(record);
        self.batch.close(record);
    }
}
