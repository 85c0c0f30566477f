//! Columns on their way into DuckDB and out of it.

use polars::prelude::{CompatLevel, DataFrame, Series};
use polars_arrow::array::{Array, FixedSizeBinaryArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, Field, Metadata};

use super::error::DuckError;

/// How Arrow marks the bytes of a field as a UUID.
const EXTENSION: &str = "ARROW:extension:name";
const UUID: &str = "arrow.uuid";

/// Whether the bytes of a field are UUIDs.
pub(super) fn is_uuid(field: &Field) -> bool {
    let marks = field.metadata.as_ref();
    marks.and_then(|marks| marks.get(EXTENSION)).is_some_and(|kind| kind.as_str() == UUID)
}

/// Named columns of one length. A clone shares the data.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    fields: Vec<Field>,
    columns: Vec<Box<dyn Array>>,
    len: usize,
}

impl Frame {
    /// An empty frame, to which columns are added.
    pub fn new() -> Frame {
        Frame::default()
    }

    /// The columns of a polars frame, without a copy where a column is one chunk.
    pub fn from_polars(frame: &DataFrame) -> Result<Frame, DuckError> {
        let mut result = Frame::new();
        for column in frame.columns() {
            let series = column.as_materialized_series().rechunk();
            let array = series.to_arrow(0, CompatLevel::newest());
            let field = Field::new(series.name().clone(), array.dtype().clone(), true);
            result.push_field(field, array)?;
        }
        result.len = frame.height();
        Ok(result)
    }

    /// Back to polars. Fails for types polars was built without.
    pub fn into_polars(self) -> Result<DataFrame, DuckError> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (field, array) in self.fields.into_iter().zip(self.columns) {
            let series = Series::from_arrow(field.name, array)
                .map_err(|error| DuckError::usage(error.to_string()))?;
            columns.push(series.into());
        }
        DataFrame::new(self.len, columns).map_err(|error| DuckError::usage(error.to_string()))
    }

    /// Adds a column.
    pub fn push(&mut self, name: &str, array: Box<dyn Array>) -> Result<(), DuckError> {
        let field = Field::new(name.into(), array.dtype().clone(), true);
        self.push_field(field, array)
    }

    /// Adds a UUID column. A `None` is NULL.
    pub fn push_uuids(
        &mut self,
        name: &str,
        uuids: impl IntoIterator<Item = Option<u128>>,
    ) -> Result<(), DuckError> {
        let (mut bytes, mut valid) = (Vec::new(), Vec::new());
        for uuid in uuids {
            bytes.extend_from_slice(&uuid.unwrap_or_default().to_be_bytes());
            valid.push(uuid.is_some());
        }
        let validity = valid.contains(&false).then(|| Bitmap::from(valid));
        self.push_uuid_bytes(name, bytes, validity)
    }

    pub(super) fn push_uuid_bytes(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        validity: Option<Bitmap>,
    ) -> Result<(), DuckError> {
        let dtype = ArrowDataType::FixedSizeBinary(16);
        let array = FixedSizeBinaryArray::try_new(dtype.clone(), bytes.into(), validity)
            .map_err(|error| DuckError::usage(error.to_string()))?;
        let mark = (EXTENSION.into(), UUID.into());
        let field = Field::new(name.into(), dtype, true).with_metadata(Metadata::from_iter([mark]));
        self.push_field(field, Box::new(array))
    }

    /// Adds a column with its own field, for types that need metadata.
    pub fn push_field(&mut self, field: Field, array: Box<dyn Array>) -> Result<(), DuckError> {
        if field.name.contains('\0') {
            return Err(DuckError::usage("a column name holds a zero byte"));
        }
        if field.dtype() != array.dtype() {
            return Err(DuckError::usage(format!("column {}: field and data differ", field.name)));
        }
        if !self.columns.is_empty() && array.len() != self.len {
            let (name, has, wants) = (&field.name, array.len(), self.len);
            return Err(DuckError::usage(format!("column {name} has {has} rows, not {wants}")));
        }
        self.len = array.len();
        self.fields.push(field);
        self.columns.push(array);
        Ok(())
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The fields, in column order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The column names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// The arrays, in column order.
    pub fn columns(&self) -> &[Box<dyn Array>] {
        &self.columns
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&dyn Array> {
        let at = self.names().position(|have| have == name)?;
        Some(self.columns[at].as_ref())
    }

    /// Some of the rows, without a copy. Cut to the rows there are.
    pub fn slice(&self, offset: usize, len: usize) -> Frame {
        let offset = offset.min(self.len);
        let len = len.min(self.len - offset);
        let columns = self.columns.iter().map(|array| array.sliced(offset, len)).collect();
        Frame { fields: self.fields.clone(), columns, len }
    }
}
