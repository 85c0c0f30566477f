//! Lines of a failed-record file → typed columns, with the corrections put in.
//!
//! What a reader knew beyond the text must not be forgotten: an id that a workbook held as an
//! inexact number is plain digits in the record and would pass as text. So a cell that was refused
//! for such a reason stays refused until its text changes.

use super::corrections::Content;
use super::lines::without_bom;
use super::record::{LINE, Record};
use super::table::{Inner, changed, file_of};
use crate::chunk::{
    Code, Earlier, LineGrammar, Mark, Misfit, MisfitKind, Notes, Place, Problem, RawRows,
    ReadColumn, ReadSchema, Reject, quotable,
};
use crate::source::columns::ColumnBuilder;
use crate::source::csv::split_line;
use crate::source::{Decoded, SourceError, SourceErrorKind, Undecoded};
use polars::prelude::DataFrame;
use std::sync::Arc;

/// Lines of consecutive records.
pub(super) struct ReplayBlock {
    pub inner: Arc<Inner>,
    pub schema: Arc<ReadSchema>,
    /// Position of the first in `Inner::rows`.
    pub first: usize,
    pub text: Vec<u8>,
    /// Where each line ends in `text`.
    pub ends: Vec<usize>,
}

/// The records behind a decoded chunk.
#[derive(Debug)]
struct ReplayRows {
    headers: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    place: Place,
    earlier: Earlier,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Fields(Vec<String>),
    /// Still not to be split.
    Line {
        text: String,
        grammar: LineGrammar,
    },
}

impl RawRows for ReplayRows {
    fn place(&self, record: u32) -> Place {
        self.rows[record as usize].place
    }

    fn fields(&self, record: u32) -> Vec<(String, String)> {
        match &self.rows[record as usize].values {
            Values::Fields(values) => {
                self.headers.iter().cloned().zip(values.iter().cloned()).collect()
            }
            Values::Line { text, .. } => vec![(LINE.to_owned(), text.clone())],
        }
    }

    fn field(&self, record: u32, field: usize) -> Option<String> {
        match &self.rows[record as usize].values {
            Values::Fields(values) => values.get(field).cloned(),
            Values::Line { .. } => None,
        }
    }

    fn grammar(&self) -> Option<LineGrammar> {
        // All records of a table come from one file, so they share its grammar.
        self.rows.iter().find_map(|row| match &row.values {
            Values::Line { grammar, .. } => Some(*grammar),
            Values::Fields(_) => None,
        })
    }

    fn earlier(&self, record: u32) -> Option<Earlier> {
        Some(self.rows[record as usize].earlier.clone())
    }

    fn after(&self, record: u32) -> Mark {
        Mark { record: 0, byte: 0, row: self.place(record).row.saturating_add(1) }
    }
}

/// Where the text of a field goes.
#[derive(Clone, Copy)]
enum Slot {
    Column(usize),
    Extra(usize),
    Skip,
}

struct Decoder<'a> {
    schema: &'a ReadSchema,
    slots: Vec<Slot>,
    builders: Vec<ColumnBuilder>,
    extra: Option<ColumnBuilder>,
    rows: Vec<Row>,
    index: Vec<u32>,
    misfits: Vec<Misfit>,
    broken: Vec<(u32, Problem)>,
}

impl Undecoded for ReplayBlock {
    fn decode(self: Box<Self>) -> Result<Decoded, SourceError> {
        let mut decoder = Decoder::new(&self.schema, self.inner.headers.len(), self.ends.len());
        let mut start = 0;
        for (position, end) in (self.first..).zip(&self.ends) {
            let row = &self.inner.rows[position];
            let line = without_bom(&self.text[start..*end]);
            let record: Record = serde_json::from_slice(line)
                .ok()
                .filter(|record: &Record| record.id == row.id && row.is_still(record))
                .ok_or_else(|| changed(file_of(&self.inner, row)))?;
            decoder.record(record, &row.content, &self.inner);
            start = *end;
        }
        let Decoder { builders, extra, rows, index, misfits, broken, .. } = decoder;
        let (mut columns, altered) = ColumnBuilder::finish_all(builders);
        columns.extend(extra.map(ColumnBuilder::finish));
        let frame = DataFrame::new(index.len(), columns).map_err(|error| {
            let label = self.inner.origin.label();
            SourceError::new(SourceErrorKind::Header, label, error.to_string())
                .with_hint("two columns have one name")
        })?;
        let raw = Arc::new(ReplayRows { headers: self.inner.headers.clone(), rows });
        let reject = |(record, problem)| Reject {
            record,
            place: raw.place(record),
            stage: "read",
            problems: vec![problem],
        };
        let rejects = broken.into_iter().map(reject).collect();
        let records = raw.rows.len() as u32;
        let notes = Notes::default();
        Ok(Decoded { records, frame, index, raw, misfits, altered, rejects, notes })
    }
}

impl<'a> Decoder<'a> {
    fn new(schema: &'a ReadSchema, width: usize, capacity: usize) -> Self {
        let mut slots = vec![Slot::Skip; width];
        for (i, (field, _)) in schema.extra.iter().enumerate() {
            if let Some(slot) = slots.get_mut(*field) {
                *slot = Slot::Extra(i);
            }
        }
        for (i, column) in schema.columns.iter().enumerate() {
            if let Some(slot) = slots.get_mut(column.field) {
                *slot = Slot::Column(i);
            }
        }
        let extra = (!schema.extra.is_empty()).then(|| ColumnBuilder::new(&extra_spec(), capacity));
        Self {
            schema,
            slots,
            builders: schema.columns.iter().map(|c| ColumnBuilder::new(c, capacity)).collect(),
            extra,
            rows: Vec::with_capacity(capacity),
            index: Vec::with_capacity(capacity),
            misfits: Vec::new(),
            broken: Vec::new(),
        }
    }

    fn record(&mut self, record: Record, content: &Content, inner: &Inner) {
        let number = self.rows.len() as u32;
        let (values, problem) = values_of(&record, content, &inner.headers);
        let problem = problem.or_else(|| still_unreadable(&record, &values));
        match (&values, problem) {
            (Values::Fields(fields), None) => {
                self.index.push(number);
                self.push(number, fields, &record.errors, &inner.headers);
            }
            (_, problem) => self.broken.extend(problem.map(|problem| (number, problem))),
        }
        self.rows.push(Row {
            place: Place { row: record.row, byte: record.byte },
            earlier: record.earlier(Arc::clone(&inner.origin)),
            values,
        });
    }

    fn push(&mut self, record: u32, fields: &[String], errors: &[Problem], headers: &[String]) {
        let mut json = serde_json::Map::new();
        for (i, text) in fields.iter().enumerate() {
            match self.slots[i] {
                Slot::Skip => {}
                Slot::Extra(extra) if text.trim().is_empty() => {
                    let _ = extra;
                }
                Slot::Extra(extra) => {
                    let name = self.schema.extra[extra].1.clone();
                    json.insert(name, text.as_str().into());
                }
                Slot::Column(column) => {
                    let builder = &mut self.builders[column];
                    let pushed = match distrusted(&headers[i], text, errors) {
                        Some(kind) => {
                            builder.push_null();
                            Err(kind)
                        }
                        None => builder.push_text(text),
                    };
                    if let Err(kind) = pushed {
                        self.misfits.push(Misfit { record, column: column as u16, kind });
                    }
                }
            }
        }
        if let Some(extra) = &mut self.extra {
            if json.is_empty() {
                extra.push_null();
            } else {
                // Plain text without limits always fits.
                let _ = extra.push_text(&serde_json::Value::Object(json).to_string());
            }
        }
    }
}

/// The values of a record with its correction, and why a line still cannot be split.
fn values_of(record: &Record, content: &Content, headers: &[String]) -> (Values, Option<Problem>) {
    let (text, grammar) = match (content, record.line()) {
        (Content::Fields(fields), _) => return (Values::Fields(fields.clone()), None),
        (Content::Line(text), Some((_, split))) => (text.as_str(), split.grammar()),
        (_, Some((text, split))) => (text, split.grammar()),
        (_, None) => {
            let values = record.raw.iter().map(|(_, value)| value.clone()).collect();
            return (Values::Fields(values), None);
        }
    };
    match split_line(text, grammar, headers) {
        Ok(fields) => (Values::Fields(fields), None),
        Err(problem) => (Values::Line { text: text.to_owned(), grammar }, Some(*problem)),
    }
}

/// Bytes that were no text are gone from the record: it must be corrected, or the file read again.
fn still_unreadable(record: &Record, values: &Values) -> Option<Problem> {
    let refused = record.errors.iter().find(|error| error.code == Code::E201)?;
    let lost = match values {
        Values::Fields(fields) => fields.iter().any(|text| text.contains('\u{fffd}')),
        Values::Line { text, .. } => text.contains('\u{fffd}'),
    };
    lost.then(|| {
        Problem::new(Code::E201, refused.message.clone())
            .with_expected("text without the replacement character \u{fffd}")
            .with_hint("type the value, or load the source file again with the right --encoding")
    })
}

/// Whether a cell was refused for what the reader knew besides its text, and still has that text.
fn distrusted(header: &str, text: &str, errors: &[Problem]) -> Option<MisfitKind> {
    errors.iter().find_map(|error| {
        let same = error.column.as_deref() == Some(header)
            && error.value.as_deref() == Some(quotable(text).as_str());
        match error.code {
            Code::E306 if same && is_inexact(text) => Some(MisfitKind::IdInexact),
            Code::E301 if same && is_cell_error(text) => Some(MisfitKind::CellError),
            _ => None,
        }
    })
}

/// A number that a workbook cannot hold exactly. Other damage to ids shows in their text.
fn is_inexact(text: &str) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    text.trim().parse::<f64>().is_ok_and(|number| number.abs() >= EXACT)
}

fn is_cell_error(text: &str) -> bool {
    const ERRORS: [&str; 14] = [
        "#N/A",
        "#REF!",
        "#DIV/0!",
        "#VALUE!",
        "#NAME?",
        "#NULL!",
        "#NUM!",
        "#SPILL!",
        "#CALC!",
        "#FIELD!",
        "#BLOCKED!",
        "#CONNECT!",
        "#UNKNOWN!",
        "#GETTING_DATA",
    ];
    ERRORS.contains(&text)
}

fn extra_spec() -> ReadColumn {
    ReadColumn::text("_extra", "_extra", 0)
}
