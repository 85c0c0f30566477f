//! A page of cells → typed columns, with the page kept for what must be refused.

use crate::chunk::{Mark, Misfit, Place, Problem, RawRows, ReadSchema, Reject};
use crate::source::cell::Cell;
use crate::source::columns::ColumnBuilder;
use crate::source::excel::cells::letters;
use crate::source::excel::decode::{repeated_notes, stray_problem};
use crate::source::excel::layout::Layout;
use crate::source::excel::page::Page;
use crate::source::extra::ExtraBuilder;
use crate::source::{Decoded, SourceError, SourceErrorKind, Undecoded};
use polars::prelude::DataFrame;
use std::sync::Arc;

/// Cells not yet typed.
pub(super) struct PageBlock {
    pub page: Page,
    /// Rows that repeat the header, each with the record behind it; they are no records.
    pub repeated: Vec<(u32, u32)>,
    pub layout: Arc<Layout>,
    pub schema: Arc<ReadSchema>,
    pub label: String,
}

/// The raw cells behind a decoded chunk.
#[derive(Debug)]
struct PageRows {
    page: Page,
    layout: Arc<Layout>,
}

impl RawRows for PageRows {
    fn place(&self, record: u32) -> Place {
        Place { row: u64::from(self.page.number(record as usize)), byte: None }
    }

    fn fields(&self, record: u32) -> Vec<(String, String)> {
        let record = record as usize;
        let named = self.layout.headers.iter().enumerate().map(|(field, header)| {
            let cell = self.page.at(record, self.layout.column(field));
            (header.clone(), cell.text().into_owned())
        });
        let cells = self.page.cells(record).iter();
        let beside = cells.filter(|cell| self.layout.field(cell.column).is_none()).map(|cell| {
            let name = format!("_column_{}", letters(cell.column));
            (name, self.page.value(cell).text().into_owned())
        });
        named.chain(beside).collect()
    }

    fn field(&self, record: u32, field: usize) -> Option<String> {
        if field >= self.layout.headers.len() {
            return None;
        }
        let cell = self.page.at(record as usize, self.layout.column(field));
        Some(cell.text().into_owned())
    }

    fn after(&self, record: u32) -> Mark {
        Mark { record: 0, byte: 0, row: u64::from(self.page.number(record as usize)) + 1 }
    }

    fn address(&self, record: u32, field: usize) -> Option<String> {
        let column = letters(self.layout.column(field));
        Some(format!("{column}{}", self.page.number(record as usize)))
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
    page: &'a Page,
    layout: &'a Layout,
    slots: Vec<Slot>,
    builders: Vec<ColumnBuilder>,
    extra: Option<ExtraBuilder>,
    index: Vec<u32>,
    misfits: Vec<Misfit>,
    broken: Vec<(u32, Problem)>,
}

impl Undecoded for PageBlock {
    fn decode(self: Box<Self>) -> Result<Decoded, SourceError> {
        let mut decoder = Decoder::new(&self);
        (0..self.page.len()).for_each(|record| decoder.record(record as u32));
        let Decoder { builders, extra, index, misfits, broken, .. } = decoder;
        let (mut columns, altered) = ColumnBuilder::finish_all(builders);
        columns.extend(extra.map(ExtraBuilder::finish));
        let frame = DataFrame::new(index.len(), columns).map_err(|error| {
            SourceError::new(SourceErrorKind::Header, &self.label, error.to_string())
                .with_hint("two columns have one name")
        })?;
        let notes = repeated_notes(&self.repeated, self.page.len());
        let raw = Arc::new(PageRows { page: self.page, layout: self.layout });
        let rejects = broken
            .into_iter()
            .map(|(record, problem)| Reject {
                record,
                place: raw.place(record),
                stage: "read",
                problems: vec![problem],
            })
            .collect();
        let records = raw.page.len() as u32;
        Ok(Decoded { records, frame, index, raw, misfits, altered, rejects, notes })
    }
}

impl<'a> Decoder<'a> {
    fn new(block: &'a PageBlock) -> Self {
        let (schema, capacity) = (&block.schema, block.page.len());
        let mut slots = vec![Slot::Skip; block.layout.headers.len()];
        for (i, column) in schema.columns.iter().enumerate() {
            slots[column.field] = Slot::Column(i as u16);
        }
        for (i, (field, _)) in schema.extra.iter().enumerate() {
            slots[*field] = Slot::Extra(i as u16);
        }
        Self {
            page: &block.page,
            layout: &block.layout,
            slots,
            builders: schema.columns.iter().map(|c| ColumnBuilder::new(c, capacity)).collect(),
            extra: ExtraBuilder::new(schema, capacity),
            index: Vec::with_capacity(capacity),
            misfits: Vec::new(),
            broken: Vec::new(),
        }
    }

    fn record(&mut self, record: u32) {
        let (page, layout) = (self.page, self.layout);
        let cells = page.cells(record as usize);
        let beside = |column| layout.field(column).is_none();
        let stray = cells.iter().find(|c| beside(c.column) && !page.value(c).is_blank());
        if let Some(stray) = stray {
            let cell = format!("{}{}", letters(stray.column), page.number(record as usize));
            let problem = stray_problem(stray.column, page.value(stray), layout).with_cell(cell);
            self.broken.push((record, problem));
            return;
        }
        self.index.push(record);
        let mut cells = cells.iter().filter(|cell| !beside(cell.column)).peekable();
        for field in 0..self.slots.len() {
            let column = layout.column(field);
            let cell = match cells.next_if(|cell| cell.column == column) {
                Some(cell) => page.value(cell),
                None => Cell::Blank,
            };
            match self.slots[field] {
                Slot::Skip => {}
                Slot::Column(column) => {
                    if let Err(kind) = self.builders[usize::from(column)].push_cell(cell) {
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
    }
}
