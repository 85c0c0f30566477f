//! A block of rows → typed columns, with the block kept for what must be refused.

use super::buffer::Buffer;
use super::cells::{RowAt, Scanner, letters};
use super::fault::Fault;
use super::lanes::Lanes;
use super::layout::Layout;
use super::strings::{Lookup, Strings};
use super::styles::Styles;
use crate::chunk::{
    Code, Example, Mark, Marks, Misfit, NoteKey, Notes, Place, Problem, RawRows, ReadSchema,
    Reject, Severity,
};
use crate::source::cell::Cell;
use crate::source::columns::ColumnBuilder;
use crate::source::extra::ExtraBuilder;
use crate::source::infer::{self, TypeFinder};
use crate::source::{Decoded, SourceError, SourceErrorKind, Undecoded};
use polars::prelude::DataFrame;
use std::sync::Arc;

/// Most text of one block: few bytes of XML may name a long shared string again and again.
const MOST_TEXT: usize = 256 << 20;

/// What all blocks of a sheet share.
#[derive(Debug)]
pub struct SheetParts {
    pub(super) layout: Arc<Layout>,
    pub(super) strings: Arc<Strings>,
    pub(super) styles: Arc<Styles>,
    /// How messages name the sheet.
    pub(super) label: String,
    /// First and last row that are wanted.
    pub(super) from: u32,
    pub(super) to: u32,
}

/// Rows not yet scanned.
pub struct ExcelBlock {
    pub(super) bytes: Buffer,
    /// The last row before the block.
    pub(super) before: u32,
    /// Its own last row.
    pub(super) last: u32,
    pub(super) sheet: Arc<SheetParts>,
    pub(super) schema: Arc<ReadSchema>,
}

/// The raw rows behind a decoded chunk.
#[derive(Debug)]
struct ExcelRows {
    bytes: Buffer,
    /// Where each record begins, and its row.
    records: Vec<(u32, u32)>,
    sheet: Arc<SheetParts>,
}

impl ExcelRows {
    fn row(&self, record: u32) -> u32 {
        self.records[record as usize].1
    }

    /// Scans a record once more. It was scanned before, so only the temporary file of the shared
    /// strings can fail; the text then says so.
    fn scan<T: Default>(
        &self,
        record: u32,
        take: impl FnOnce(&Scanner<'_>, &mut Lookup<'_>) -> T,
    ) -> T {
        let (start, row) = self.records[record as usize];
        let next = self.records.get(record as usize + 1);
        let end = next.map_or(self.bytes.len(), |(start, _)| *start as usize);
        let bytes = &self.bytes[start as usize..end];
        let mut scanner = Scanner::new(bytes, &self.sheet.styles, row - 1);
        match scanner.next_row() {
            Ok(Some(_)) => take(&scanner, &mut self.sheet.strings.lookup()),
            _ => T::default(),
        }
    }
}

/// The text of a cell, or why it has none.
fn text_of(cell: Result<Cell<'_>, Fault>) -> String {
    cell.map_or_else(|fault| format!("({fault})"), |cell| cell.text().into_owned())
}

impl RawRows for ExcelRows {
    fn place(&self, record: u32) -> Place {
        Place { row: u64::from(self.row(record)), byte: None }
    }

    fn fields(&self, record: u32) -> Vec<(String, String)> {
        let layout = &self.sheet.layout;
        self.scan(record, |scanner, strings| {
            let mut fields = Vec::new();
            for (field, header) in layout.headers.iter().enumerate() {
                let cell = scanner.at_column(layout.column(field), strings);
                fields.push((header.clone(), text_of(cell)));
            }
            let beside = |column| layout.field(column).is_none() && !layout.is_outside(column);
            for cell in scanner.cells().iter().filter(|cell| beside(cell.column)) {
                let name = format!("_column_{}", letters(cell.column));
                fields.push((name, text_of(scanner.resolve(cell, strings))));
            }
            fields
        })
    }

    fn field(&self, record: u32, field: usize) -> Option<String> {
        if field >= self.sheet.layout.headers.len() {
            return None;
        }
        let column = self.sheet.layout.column(field);
        Some(self.scan(record, |scanner, strings| text_of(scanner.at_column(column, strings))))
    }

    fn after(&self, record: u32) -> Mark {
        Mark { record: 0, byte: 0, row: u64::from(self.row(record)) + 1 }
    }

    fn address(&self, record: u32, field: usize) -> Option<String> {
        let column = letters(self.sheet.layout.column(field));
        Some(format!("{column}{}", self.row(record)))
    }
}

/// Where the cell of a field goes.
#[derive(Clone, Copy)]
enum Slot {
    Column(u16),
    Extra(u16),
    Skip,
}

struct Decoder<'a> {
    scanner: Scanner<'a>,
    strings: Lookup<'a>,
    sheet: &'a SheetParts,
    /// Rows of the usual form that are not typed yet.
    lanes: Lanes<'a>,
    /// Rows of another form since the last usual one.
    odd: u32,
    slots: Vec<Slot>,
    builders: Vec<ColumnBuilder>,
    extra: Option<ExtraBuilder>,
    records: Vec<(u32, u32)>,
    index: Vec<u32>,
    misfits: Vec<Misfit>,
    broken: Vec<(u32, Problem)>,
    /// Rows that repeat the header, with the record that follows.
    repeated: Vec<(u32, u32)>,
    text: usize,
}

impl Undecoded for ExcelBlock {
    fn decode(self: Box<Self>) -> Result<Decoded, SourceError> {
        self.decode_with_digits().map(|(decoded, _)| decoded)
    }

    fn find_types(self: Box<Self>, finders: &mut [TypeFinder]) -> Result<(), SourceError> {
        let (decoded, digits) = self.decode_with_digits()?;
        infer::add_with_digits(finders, &decoded, &digits);
        Ok(())
    }
}

impl ExcelBlock {
    /// The rows, and for each column the cells of which the digits tell more than their number.
    fn decode_with_digits(self) -> Result<(Decoded, Vec<Marks>), SourceError> {
        let label = &self.sheet.label;
        let mut decoder = Decoder::new(&self);
        if let Err(fault) = decoder.run() {
            return Err(fault.behind(label, decoder.scanner.row()));
        }
        let Decoder { mut builders, extra, records, index, misfits, broken, repeated, .. } =
            decoder;
        let digits = builders.iter_mut().map(ColumnBuilder::take_digits).collect();
        builders.iter_mut().for_each(|builder| builder.pad(index.len()));
        let (mut columns, altered) = ColumnBuilder::finish_all(builders);
        columns.extend(extra.map(ExtraBuilder::finish));
        let frame = DataFrame::new(index.len(), columns).map_err(|error| {
            SourceError::new(SourceErrorKind::Header, label, error.to_string())
                .with_hint("two columns have one name")
        })?;
        let notes = repeated_notes(&repeated, records.len());
        let count = records.len() as u32;
        let raw = Arc::new(ExcelRows { bytes: self.bytes, records, sheet: self.sheet });
        let rejects = broken
            .into_iter()
            .map(|(record, problem)| Reject {
                record,
                place: raw.place(record),
                stage: "read",
                problems: vec![problem],
            })
            .collect();
        let decoded =
            Decoded { records: count, frame, index, raw, misfits, altered, rejects, notes };
        Ok((decoded, digits))
    }
}

impl<'a> Decoder<'a> {
    fn new(block: &'a ExcelBlock) -> Self {
        let (schema, sheet) = (&block.schema, &*block.sheet);
        let mut slots = vec![Slot::Skip; sheet.layout.headers.len()];
        for (i, column) in schema.columns.iter().enumerate() {
            slots[column.field] = Slot::Column(i as u16);
        }
        for (i, (field, _)) in schema.extra.iter().enumerate() {
            slots[*field] = Slot::Extra(i as u16);
        }
        // Rows may be far apart, but not closer than their shortest form.
        let capacity = ((block.last - block.before) as usize).min(block.bytes.len() / 64);
        Self {
            scanner: Scanner::new(&block.bytes, &sheet.styles, block.before),
            strings: sheet.strings.lookup(),
            sheet,
            lanes: Lanes::new(&sheet.layout, &sheet.strings),
            odd: 0,
            slots,
            builders: schema.columns.iter().map(|c| ColumnBuilder::new(c, capacity)).collect(),
            extra: ExtraBuilder::new(schema, capacity),
            records: Vec::new(),
            index: Vec::new(),
            misfits: Vec::new(),
            broken: Vec::new(),
            repeated: Vec::new(),
            text: 0,
        }
    }

    fn run(&mut self) -> Result<(), Fault> {
        loop {
            if self.lanes.is_full() {
                self.flush()?;
            }
            if self.usual_row()? {
                continue;
            }
            let row = self.scanner.next_row()?.filter(|row| row.number <= self.sheet.to);
            let Some(row) = row else { return self.flush() };
            if row.number >= self.sheet.from {
                self.flush()?;
                self.row(row)?;
            }
        }
    }

    /// Takes the next row if it and all its cells are of the usual form.
    fn usual_row(&mut self) -> Result<bool, Fault> {
        // A sheet whose rows are all unusual is not tried at each of them.
        let tired = self.odd > 8 && !self.odd.is_multiple_of(32);
        if self.scanner.row() + 1 < self.sheet.from || tired {
            self.odd += 1;
            return Ok(false);
        }
        let before = self.scanner.place();
        let (lanes, mut seen) = (&mut self.lanes, 0);
        let take = |column, kind, value| lanes.put(column, kind, value, &mut seen);
        let row = self.scanner.quick_row(take);
        let sure = |lanes: &Lanes<'_>, scanner: &Scanner<'_>, strings: &mut Lookup<'_>| {
            let has_value = lanes.has_value(seen, scanner, strings)?;
            Ok::<bool, Fault>(has_value && !lanes.may_be_header(scanner, strings)?)
        };
        match row {
            Some(row)
                if row.number <= self.sheet.to
                    && sure(&self.lanes, &self.scanner, &mut self.strings)? =>
            {
                self.odd = 0;
                self.index.push(self.records.len() as u32);
                self.records.push((row.start as u32, row.number));
                self.lanes.end_row();
                Ok(true)
            }
            _ => {
                self.odd += 1;
                self.lanes.clear_row();
                self.scanner.back_to(before);
                Ok(false)
            }
        }
    }

    /// Types the rows that wait, a column after the other, so that a builder stays in the processor
    /// while it works.
    fn flush(&mut self) -> Result<(), Fault> {
        let rows = self.lanes.rows();
        if rows == 0 {
            return Ok(());
        }
        let begin = self.index.len() - rows;
        let (misfits, scanner) = (self.misfits.len(), &self.scanner);
        for field in 0..self.slots.len() {
            let Slot::Column(column) = self.slots[field] else { continue };
            // Half of a roll's columns are blank: they are padded in the end.
            if self.lanes.is_blank(field) {
                continue;
            }
            let builder = &mut self.builders[usize::from(column)];
            builder.pad(begin);
            let (index, found) = (&self.index[begin..], &mut self.misfits);
            let misfit = |row: usize, kind| {
                found.push(Misfit { record: index[row], column, kind });
            };
            self.text +=
                self.lanes.type_column(field, builder, scanner, &mut self.strings, misfit)?;
        }
        self.misfits[misfits..].sort_by_key(|misfit| misfit.record);
        self.flush_extra(rows)?;
        self.lanes.clear();
        self.check_text()
    }

    fn flush_extra(&mut self, rows: usize) -> Result<(), Fault> {
        let Some(extra) = &mut self.extra else { return Ok(()) };
        for row in 0..rows {
            for (field, slot) in self.slots.iter().enumerate() {
                if let Slot::Extra(position) = slot {
                    let cell = self.lanes.cell(field, row, &self.scanner, &mut self.strings)?;
                    extra.add(*position, &cell.text());
                }
            }
            extra.end_record();
        }
        Ok(())
    }

    fn check_text(&self) -> Result<(), Fault> {
        if self.text > MOST_TEXT {
            let message = "its cells repeat long texts: some rows hold more than 256 MiB";
            return Err(Fault::TooLarge(message.into()));
        }
        Ok(())
    }

    fn row(&mut self, row: RowAt) -> Result<(), Fault> {
        if !self.has_value()? {
            return Ok(());
        }
        let record = self.records.len() as u32;
        if self.repeats_header() {
            self.repeated.push((record, row.number));
            return Ok(());
        }
        self.records.push((row.start as u32, row.number));
        match self.stray(row.number)? {
            Some(problem) => self.broken.push((record, problem)),
            None => self.push_cells(record)?,
        }
        Ok(())
    }

    fn has_value(&mut self) -> Result<bool, Fault> {
        let layout = &self.sheet.layout;
        for cell in self.scanner.cells().iter().filter(|it| !layout.is_outside(it.column)) {
            if !self.scanner.resolve(cell, &mut self.strings)?.is_blank() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn repeats_header(&mut self) -> bool {
        let (scanner, strings) = (&self.scanner, &mut self.strings);
        self.sheet.layout.is_header(|column, header| {
            let cell = scanner.at_column(column, strings);
            cell.is_ok_and(|cell| cell.text().trim() == header)
        })
    }

    /// A value beside the columns of the table.
    fn stray(&mut self, row: u32) -> Result<Option<Problem>, Fault> {
        let layout = &self.sheet.layout;
        let beside = |column| layout.field(column).is_none() && !layout.is_outside(column);
        let cells = self.scanner.cells();
        let ends = [cells.first(), cells.last()];
        if layout.area.is_none() && ends.iter().flatten().all(|cell| !beside(cell.column)) {
            return Ok(None);
        }
        for cell in cells.iter().filter(|cell| beside(cell.column)) {
            let value = self.scanner.resolve(cell, &mut self.strings)?;
            if !value.is_blank() {
                let address = format!("{}{row}", letters(cell.column));
                return Ok(Some(stray_problem(cell.column, value, layout).with_cell(address)));
            }
        }
        Ok(None)
    }

    fn push_cells(&mut self, record: u32) -> Result<(), Fault> {
        let at = self.index.len();
        self.index.push(record);
        for raw in self.scanner.cells() {
            let Some(field) = self.sheet.layout.field(raw.column) else { continue };
            let slot = self.slots[field];
            if matches!(slot, Slot::Skip) {
                continue;
            }
            let cell = self.scanner.resolve(raw, &mut self.strings)?;
            if let Cell::Text(text) = cell {
                self.text += text.len();
            }
            match slot {
                Slot::Skip => {}
                Slot::Column(column) => {
                    let builder = &mut self.builders[usize::from(column)];
                    builder.pad(at);
                    if let Err(kind) = builder.push_cell(cell) {
                        self.misfits.push(Misfit { record, column, kind });
                    }
                }
                Slot::Extra(position) => {
                    if let Some(extra) = &mut self.extra {
                        extra.add(position, &cell.text());
                    }
                }
            }
        }
        if let Some(extra) = &mut self.extra {
            extra.end_record();
        }
        self.check_text()
    }
}

pub(in crate::source) fn stray_problem(column: u16, cell: Cell<'_>, layout: &Layout) -> Problem {
    let last = letters(layout.column(layout.headers.len().max(1) - 1));
    let first = letters(layout.first_column);
    let message = format!("column {} has a value but no header", letters(column));
    Problem::new(Code::E202, message)
        .with_value(&cell.text())
        .with_expected(format!("values in the columns {first} to {last} only"))
        .with_hint("name the column in the header row, or clear the cell")
}

/// Rows that repeat the header (sheets pasted together) are no records; they are told with the record
/// behind them.
pub(in crate::source) fn repeated_notes(repeated: &[(u32, u32)], records: usize) -> Notes {
    let mut notes = Notes::default();
    let last = records.saturating_sub(1) as u32;
    for (record, row) in repeated {
        let key =
            NoteKey { code: Code::E202, rule: "repeated_header".into(), column: String::new() };
        let message = || "the header is repeated among the rows; these rows are not loaded";
        notes.add_at((*record).min(last), key, Severity::Info, message, || Example {
            place: Place { row: u64::from(*row), byte: None },
            cell: None,
            value: None,
        });
    }
    notes
}
