//! Pages of columns as the file stores them → columns as the schema wants them.

use super::types::Select;
use super::values::{self, Values};
use crate::chunk::{Mark, Misfit, Notes, Place, RawRows, ReadSchema};
use crate::duck::Frame;
use crate::source::columns::ColumnBuilder;
use crate::source::extra::ExtraBuilder;
use crate::source::{Decoded, SourceError, SourceErrorKind, Undecoded};
use polars::prelude::DataFrame;
use std::sync::Arc;

/// Consecutive rows, as DuckDB handed them over.
#[derive(Debug, Default)]
pub struct Page {
    frames: Vec<Frame>,
    /// First record of each frame.
    starts: Vec<usize>,
    records: usize,
    bytes: usize,
}

impl Page {
    /// Adds the rows that follow.
    pub fn push(&mut self, frame: Frame) {
        if frame.is_empty() {
            return;
        }
        self.starts.push(self.records);
        self.records += frame.len();
        self.bytes +=
            frame.columns().iter().map(|array| values::bytes(array.as_ref())).sum::<usize>();
        self.frames.push(frame);
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Rows not yet typed.
pub struct ParquetBlock {
    pub(super) page: Page,
    /// Row number of the first record, from 1.
    pub(super) first_row: u64,
    /// Fields of the file, in the order of the page's columns.
    pub(super) fields: Arc<Vec<usize>>,
    /// How they were selected.
    pub(super) selects: Arc<Vec<Select>>,
    pub(super) schema: Arc<ReadSchema>,
    pub(super) label: String,
}

/// The values behind a decoded chunk: of the columns that are loaded.
#[derive(Debug)]
struct ParquetRows {
    page: Page,
    first_row: u64,
    fields: Arc<Vec<usize>>,
    selects: Arc<Vec<Select>>,
    schema: Arc<ReadSchema>,
}

impl ParquetRows {
    fn text(&self, record: u32, column: usize) -> Option<String> {
        let record = record as usize;
        let at = self.page.starts.partition_point(|start| *start <= record).checked_sub(1)?;
        let array = self.page.frames[at].columns().get(column)?;
        let values = Values::selected(array.as_ref(), *self.selects.get(column)?)?;
        let datum = values.get(record - self.page.starts[at]);
        Some(datum.text().into_owned())
    }
}

impl RawRows for ParquetRows {
    fn place(&self, record: u32) -> Place {
        Place { row: self.first_row + u64::from(record), byte: None }
    }

    fn fields(&self, record: u32) -> Vec<(String, String)> {
        let named = self.fields.iter().enumerate().filter_map(|(column, field)| {
            let name = self.schema.headers.get(*field)?;
            Some((name.clone(), self.text(record, column)?))
        });
        named.collect()
    }

    fn field(&self, record: u32, field: usize) -> Option<String> {
        let column = self.fields.iter().position(|known| *known == field)?;
        self.text(record, column)
    }

    fn after(&self, record: u32) -> Mark {
        Mark { record: 0, byte: 0, row: self.first_row + u64::from(record) + 1 }
    }
}

impl ParquetBlock {
    /// The column of the page that holds a field.
    fn column(&self, field: usize) -> Result<usize, SourceError> {
        self.fields.iter().position(|known| *known == field).ok_or_else(|| {
            let message = format!("the schema asks for field {field}, which is not read");
            SourceError::new(SourceErrorKind::Header, &self.label, message)
        })
    }

    fn values(
        &self,
        column: usize,
    ) -> impl Iterator<Item = Result<(usize, Values<'_>), SourceError>> {
        self.page.frames.iter().map(move |frame| {
            let array = frame.columns()[column].as_ref();
            let values = Values::selected(array, self.selects[column]).ok_or_else(|| {
                let message = format!("a column of the type {:?} cannot be read", array.dtype());
                SourceError::new(SourceErrorKind::NotTheFormat, &self.label, message)
            })?;
            Ok((frame.len(), values))
        })
    }

    fn typed(&self, misfits: &mut Vec<Misfit>) -> Result<Vec<ColumnBuilder>, SourceError> {
        let mut builders = Vec::with_capacity(self.schema.columns.len());
        for (column, spec) in (0..).zip(&self.schema.columns) {
            let mut builder = ColumnBuilder::new(spec, self.page.len());
            let mut record = 0;
            for values in self.values(self.column(spec.field)?) {
                let (rows, values) = values?;
                for row in 0..rows {
                    if let Err(kind) = values.get(row).push(&mut builder) {
                        misfits.push(Misfit { record, column, kind });
                    }
                    record += 1;
                }
            }
            builders.push(builder);
        }
        misfits.sort_by_key(|misfit| misfit.record);
        Ok(builders)
    }

    fn extra(&self) -> Result<Option<ExtraBuilder>, SourceError> {
        let Some(mut extra) = ExtraBuilder::new(&self.schema, self.page.len()) else {
            return Ok(None);
        };
        let columns: Vec<_> = self
            .schema
            .extra
            .iter()
            .map(|(field, _)| self.values(self.column(*field)?).collect::<Result<Vec<_>, _>>())
            .collect::<Result<_, SourceError>>()?;
        for (at, frame) in self.page.frames.iter().enumerate() {
            for row in 0..frame.len() {
                for (position, column) in (0..).zip(&columns) {
                    extra.add(position, &column[at].1.get(row).text());
                }
                extra.end_record();
            }
        }
        Ok(Some(extra))
    }
}

impl Undecoded for ParquetBlock {
    fn decode(self: Box<Self>) -> Result<Decoded, SourceError> {
        let mut misfits = Vec::new();
        let builders = self.typed(&mut misfits)?;
        let extra = self.extra()?;
        let (mut columns, altered) = ColumnBuilder::finish_all(builders);
        columns.extend(extra.map(ExtraBuilder::finish));
        let records = self.page.len() as u32;
        let frame = DataFrame::new(records as usize, columns).map_err(|error| {
            SourceError::new(SourceErrorKind::Header, &self.label, error.to_string())
                .with_hint("two columns have one name")
        })?;
        let raw = Arc::new(ParquetRows {
            page: self.page,
            first_row: self.first_row,
            fields: self.fields,
            selects: self.selects,
            schema: self.schema,
        });
        Ok(Decoded {
            records,
            frame,
            index: (0..records).collect(),
            raw,
            misfits,
            altered,
            rejects: Vec::new(),
            notes: Notes::default(),
        })
    }
}
