//! Records that are split but not yet typed, and the columns they go to.

use super::grammar::{CsvPolicy, Dialect};
use super::split::{self, Span};
use crate::chunk::{
    Altered, Code, ColumnKind, Example, Misfit, MisfitKind, NoteKey, Notes, Place, ReadSchema,
    Severity,
};
use crate::source::columns::{ColumnBuilder, MOST, Pushed};
use crate::source::extra::ExtraBuilder;
use encoding_rs::UTF_8;
use memchr::memchr;
use polars::prelude::Column;
use std::borrow::Cow;

/// Fields of a batch, about: they and the text behind them should stay in a core's cache.
const FIELDS: usize = 16_384;

/// Takes the cells of a column, in the order of the records.
pub trait Taker {
    /// Blanks.
    fn push_nulls(&mut self, cells: usize);
    /// The text of a cell; what does not fit is null, with the reason.
    fn push_text(&mut self, record: u32, text: &str) -> Pushed;
    /// The cells of up to [`MOST`] records, `None` for a blank; what does not fit is told with its place
    /// among them. `nul`: some may hold NUL.
    fn push_cells<'t>(
        &mut self,
        records: &[u32],
        cells: impl Iterator<Item = Option<&'t str>>,
        _nul: bool,
        mut misfit: impl FnMut(usize, MisfitKind),
    ) {
        one_by_one(self, records, cells, &mut misfit);
    }
}

fn one_by_one<'t, T: Taker + ?Sized>(
    taker: &mut T,
    records: &[u32],
    cells: impl Iterator<Item = Option<&'t str>>,
    misfit: &mut impl FnMut(usize, MisfitKind),
) {
    for (at, (record, cell)) in records.iter().zip(cells).enumerate() {
        match cell.map(|text| taker.push_text(*record, text)) {
            None => taker.push_nulls(1),
            Some(Ok(())) => {}
            Some(Err(kind)) => misfit(at, kind),
        }
    }
}

impl Taker for ColumnBuilder {
    #[inline(always)]
    fn push_nulls(&mut self, cells: usize) {
        Self::push_nulls(self, cells);
    }

    #[inline(always)]
    fn push_text(&mut self, _record: u32, text: &str) -> Pushed {
        Self::push_text(self, text)
    }

    #[inline(always)]
    fn push_cells<'t>(
        &mut self,
        records: &[u32],
        cells: impl Iterator<Item = Option<&'t str>>,
        nul: bool,
        mut misfit: impl FnMut(usize, MisfitKind),
    ) {
        if self.spec().kind == ColumnKind::Text {
            return self.push_texts(cells, nul, misfit);
        }
        one_by_one(self, records, cells, &mut misfit);
    }
}

/// A batch, and what has become of those before it.
pub struct Batch<'a, T> {
    cells: Cells<'a>,
    width: usize,
    most: usize,
    /// `width` fields for each record of the batch, then those of the record being split.
    spans: Vec<Span>,
    /// The records of the batch.
    records: Vec<u32>,
    /// For each field whether any record of the batch has a value there.
    filled: Vec<bool>,
    /// Some field of the batch holds escapes.
    escaped: bool,
    takers: Vec<T>,
    schema: &'a ReadSchema,
    /// Field of each taker.
    fields: Vec<usize>,
    extra: Option<ExtraBuilder>,
    extra_fields: Vec<usize>,
    /// Fields behind the last column: record of the batch, position, text.
    overflow: Vec<(usize, usize, Span)>,
    misfits: Vec<Misfit>,
    fresh_misfits: Vec<Misfit>,
    /// The block holds NUL.
    nul: bool,
    /// Trim NULs, which pad fields in files of old machines.
    nuls: bool,
    trimmed: Vec<(u16, u32)>,
}

/// From spans to text.
#[derive(Clone, Copy)]
struct Cells<'a> {
    bytes: &'a [u8],
    /// The same where it is valid UTF-8 and meant as that.
    text: Option<&'a str>,
    dialect: &'a Dialect,
}

impl<'a> Cells<'a> {
    #[inline]
    fn text(&self, span: Span) -> Cow<'a, str> {
        let text = match self.text.and_then(|text| text.get(span.range())) {
            Some(text) => Cow::Borrowed(text),
            None => self.decode(span),
        };
        if span.is_escaped() { self.dialect.grammar.unescape(text) } else { text }
    }

    #[cold]
    fn decode(&self, span: Span) -> Cow<'a, str> {
        self.dialect.encoding.decode_without_bom_handling(&self.bytes[span.range()]).0
    }
}

impl<'a, T: Taker> Batch<'a, T> {
    /// A batch of a block; `takers`: one for each column of the schema.
    pub fn new(
        bytes: &'a [u8],
        text: Option<&'a str>,
        schema: &'a ReadSchema,
        dialect: &'a Dialect,
        capacity: usize,
        takers: Vec<T>,
    ) -> Self {
        let width = schema.headers.len();
        let text = text.filter(|_| dialect.encoding == UTF_8);
        let lenient = dialect.policy == CsvPolicy::Lenient;
        let extra = if lenient {
            Some(ExtraBuilder::always(schema, capacity))
        } else {
            ExtraBuilder::new(schema, capacity)
        };
        let nul = memchr(0, bytes).is_some();
        let most = (FIELDS / width.max(1)).clamp(16, 1_024);
        Self {
            cells: Cells { bytes, text, dialect },
            width,
            most,
            spans: Vec::with_capacity((most + 1) * width),
            records: Vec::with_capacity(most),
            filled: Vec::new(),
            escaped: false,
            takers,
            schema,
            fields: schema.columns.iter().map(|column| column.field).collect(),
            extra,
            extra_fields: schema.extra.iter().map(|(field, _)| *field).collect(),
            overflow: Vec::new(),
            misfits: Vec::new(),
            fresh_misfits: Vec::new(),
            nul,
            nuls: lenient && nul,
            trimmed: Vec::new(),
        }
    }

    /// Adds a field to the record being split.
    #[inline(always)]
    pub fn field(&mut self, span: Span) {
        self.spans.push(span);
    }

    /// Adds fields to the record being split.
    #[inline(always)]
    pub fn fields(&mut self, spans: &[Span]) {
        self.spans.extend_from_slice(spans);
    }

    fn open(&self) -> &[Span] {
        &self.spans[self.records.len() * self.width..]
    }

    /// Whether the record being split has as many fields as the header, and is no blank line.
    #[inline(always)]
    pub fn fits(&self) -> bool {
        let open = self.spans.len() - self.records.len() * self.width;
        open == self.width && (self.width > 1 || !split::is_blank(self.open()))
    }

    /// Whether the record being split is a line with nothing on it.
    pub fn is_blank(&self) -> bool {
        split::is_blank(self.open())
    }

    /// Forgets the record being split.
    pub fn discard(&mut self) {
        self.spans.truncate(self.records.len() * self.width);
    }

    /// Ends the record being split.
    #[inline(always)]
    pub fn close(&mut self, record: u32) {
        self.records.push(record);
        if self.records.len() == self.most {
            self.flush();
        }
    }

    /// Adds a record that was split elsewhere; it has at least as many fields as the header.
    pub fn push(&mut self, record: u32, spans: &[Span]) {
        let (known, more) = spans.split_at(self.width.min(spans.len()));
        self.spans.extend_from_slice(known);
        let row = self.records.len();
        let more = more.iter().enumerate().filter(|(_, span)| !span.is_empty());
        self.overflow.extend(more.map(|(at, span)| (row, self.width + at, *span)));
        self.close(record);
    }

    /// Types the records of the batch.
    pub fn flush(&mut self) {
        self.look();
        for column in 0..self.takers.len() {
            if !self.filled[self.fields[column]] {
                self.takers[column].push_nulls(self.records.len());
            } else if self.nuls {
                self.padded_column(column)
            } else {
                self.column(column)
            }
        }
        self.extra();
        // Columns were taken one after the other; misfits are told record by record.
        self.fresh_misfits.sort_by_key(|misfit| misfit.record);
        self.misfits.append(&mut self.fresh_misfits);
        self.spans.clear();
        self.records.clear();
        self.overflow.clear();
    }

    /// Finds the fields that are blank throughout, as most of a roll are, in one pass over the records:
    /// going through the records of a column costs more, one by one.
    fn look(&mut self) {
        self.filled.clear();
        self.filled.resize(self.width, false);
        let mut escaped = false;
        for row in self.spans.chunks_exact(self.width.max(1)) {
            for (filled, span) in self.filled.iter_mut().zip(row) {
                *filled |= !span.is_empty();
                escaped |= span.is_escaped();
            }
        }
        self.escaped = escaped;
    }

    fn column(&mut self, column: usize) {
        match self.cells.text {
            // A separator of ASCII never stands within a character.
            Some(text) if !self.escaped && self.cells.dialect.grammar.delimiter.is_ascii() => {
                self.plain_column(column, text)
            }
            _ => self.odd_column(column),
        }
    }

    /// Every field is a piece of the text as it stands.
    fn plain_column(&mut self, column: usize, text: &str) {
        let Self { takers, fields, spans, records, width, fresh_misfits, nul, .. } = self;
        let (taker, field) = (&mut takers[column], fields[column]);
        let rows = spans.chunks((*width).max(1) * MOST);
        for (rows, records) in rows.zip(records.chunks(MOST)) {
            let rows = rows.chunks_exact((*width).max(1));
            let cells =
                rows.map(|row| text.get(row[field].range()).filter(|text| !text.is_empty()));
            taker.push_cells(records, cells, *nul, |at, kind| {
                let record = records[at];
                fresh_misfits.push(Misfit { record, column: column as u16, kind });
            });
        }
    }

    /// Some fields must be decoded, or hold escapes.
    fn odd_column(&mut self, column: usize) {
        let Self { takers, fields, spans, records, cells, width, fresh_misfits, .. } = self;
        let (taker, field) = (&mut takers[column], fields[column]);
        for (row, record) in spans.chunks_exact((*width).max(1)).zip(records.iter()) {
            let span = row[field];
            if span.is_empty() {
                taker.push_nulls(1);
                continue;
            }
            if let Err(kind) = taker.push_text(*record, &cells.text(span)) {
                fresh_misfits.push(Misfit { record: *record, column: column as u16, kind });
            }
        }
    }

    /// The same where NULs may stand around values.
    fn padded_column(&mut self, column: usize) {
        let Self { takers, fields, spans, records, cells, width, fresh_misfits, trimmed, .. } =
            self;
        let (taker, field) = (&mut takers[column], fields[column]);
        for (row, record) in spans.chunks_exact((*width).max(1)).zip(records.iter()) {
            let text = cells.text(row[field]);
            let kept = text.trim_matches('\0');
            if kept.len() < text.len() {
                trimmed.push((column as u16, *record));
            }
            if let Err(kind) = taker.push_text(*record, kept) {
                fresh_misfits.push(Misfit { record: *record, column: column as u16, kind });
            }
        }
    }

    fn extra(&mut self) {
        let Some(extra) = &mut self.extra else { return };
        let mut overflow = self.overflow.iter().peekable();
        for (at, row) in self.spans.chunks_exact(self.width.max(1)).enumerate() {
            for (position, field) in self.extra_fields.iter().enumerate() {
                let span = row[*field];
                if !span.is_empty() {
                    extra.add(position as u16, &self.cells.text(span));
                }
            }
            while let Some((_, field, span)) = overflow.next_if(|(row, ..)| *row == at) {
                extra.add_beyond(*field, &self.cells.text(*span));
            }
            extra.end_record();
        }
    }

    /// Tells of the repairs made while typing.
    pub fn notes(&mut self, notes: &mut Notes, place: impl Fn(u32) -> Place) {
        let mut trimmed = std::mem::take(&mut self.trimmed);
        trimmed.sort_unstable();
        for (column, record) in trimmed {
            let column = self.schema.columns[usize::from(column)].header.clone();
            let key = NoteKey { code: Code::E303, rule: "nul_padding".into(), column };
            let message = || "NUL characters around the value are left out";
            let example = || Example { place: place(record), cell: None, value: None };
            notes.add_at(record, key, Severity::Warning, message, example);
        }
    }

    /// What has taken the cells.
    pub fn into_takers(self) -> Vec<T> {
        self.takers
    }
}

impl Batch<'_, ColumnBuilder> {
    /// The columns, the cells that did not fit, and those that were changed.
    pub fn finish(self) -> (Vec<Column>, Vec<Misfit>, Vec<Altered>) {
        let (mut columns, altered) = ColumnBuilder::finish_all(self.takers);
        columns.extend(self.extra.map(ExtraBuilder::finish));
        (columns, self.misfits, altered)
    }
}
