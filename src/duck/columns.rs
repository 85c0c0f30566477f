//! Results as columns: reads DuckDB's vectors straight into Arrow arrays.

use libduckdb_sys::{duckdb_hugeint, duckdb_uhugeint};
use polars_arrow::array::{
    Array, BinaryViewArrayGeneric, BooleanArray, MutableBinaryViewArray, NullArray, PrimitiveArray,
};
use polars_arrow::bitmap::{Bitmap, MutableBitmap};
use polars_arrow::datatypes::{ArrowDataType, TimeUnit};
use polars_arrow::types::NativeType;

use super::arrow::{Cells, Plain};
use super::error::{DuckError, DuckErrorKind};
use super::frame::Frame;
use super::raw::RawChunk;
use super::value::{ColumnType, Physical, Value};

/// Collects one column over all chunks.
pub(super) struct Builder {
    kind: ColumnType,
    valid: MutableBitmap,
    data: Data,
}

enum Data {
    Nulls,
    Bool(MutableBitmap),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    Uuid(Vec<u8>),
    Text(MutableBinaryViewArray<str>),
    Blob(MutableBinaryViewArray<[u8]>),
}

/// The widest DECIMAL: HUGEINT travels as one, for lack of an Arrow type of its own.
const DECIMAL_DIGITS: usize = 38;
const DECIMAL_LIMIT: u128 = 10u128.pow(DECIMAL_DIGITS as u32);

impl Builder {
    pub fn new(kind: ColumnType) -> Builder {
        let data = match (kind, kind.physical()) {
            (ColumnType::Bool, _) => Data::Bool(MutableBitmap::new()),
            (ColumnType::Uuid, _) => Data::Uuid(Vec::new()),
            (ColumnType::Blob, _) => Data::Blob(MutableBinaryViewArray::new()),
            (ColumnType::Decimal { .. }, _) => Data::I128(Vec::new()),
            (_, Physical::I8) => Data::I8(Vec::new()),
            (_, Physical::I16) => Data::I16(Vec::new()),
            (_, Physical::I32) => Data::I32(Vec::new()),
            (_, Physical::I64) => Data::I64(Vec::new()),
            (_, Physical::U8) => Data::U8(Vec::new()),
            (_, Physical::U16) => Data::U16(Vec::new()),
            (_, Physical::U32) => Data::U32(Vec::new()),
            (_, Physical::U64) => Data::U64(Vec::new()),
            (_, Physical::F32) => Data::F32(Vec::new()),
            (_, Physical::F64) => Data::F64(Vec::new()),
            (_, Physical::I128 | Physical::U128) => Data::I128(Vec::new()),
            (_, Physical::Bytes) => Data::Text(MutableBinaryViewArray::new()),
            (_, Physical::Unknown) => Data::Nulls,
        };
        Builder { kind, valid: MutableBitmap::new(), data }
    }

    /// Adds the column's cells of one chunk.
    pub fn add(&mut self, cells: &Cells<'_>, rows: usize) -> Result<(), DuckError> {
        if cells.all_valid() && !matches!(self.data, Data::Nulls) {
            self.valid.extend_constant(rows, true);
        } else {
            (0..rows).for_each(|row| self.valid.push(cells.is_valid(row)));
        }
        match &mut self.data {
            Data::Nulls => {}
            Data::Bool(bits) => plain::<u8>(cells)?.iter().for_each(|byte| bits.push(*byte != 0)),
            Data::I8(to) => to.extend_from_slice(plain(cells)?),
            Data::I16(to) => to.extend_from_slice(plain(cells)?),
            Data::I32(to) => to.extend_from_slice(plain(cells)?),
            Data::I64(to) => to.extend_from_slice(plain(cells)?),
            Data::U8(to) => to.extend_from_slice(plain(cells)?),
            Data::U16(to) => to.extend_from_slice(plain(cells)?),
            Data::U32(to) => to.extend_from_slice(plain(cells)?),
            Data::U64(to) => to.extend_from_slice(plain(cells)?),
            Data::F32(to) => to.extend_from_slice(plain(cells)?),
            Data::F64(to) => to.extend_from_slice(plain(cells)?),
            Data::I128(to) => add_wide(to, cells, rows)?,
            Data::Uuid(to) => plain::<duckdb_hugeint>(cells)?
                .iter()
                .for_each(|raw| to.extend_from_slice(&uuid(*raw).to_be_bytes())),
            Data::Text(to) => {
                for row in 0..rows {
                    to.push(cells.bytes(row).map(utf8).transpose()?);
                }
            }
            Data::Blob(to) => (0..rows).for_each(|row| to.push(cells.bytes(row))),
        }
        Ok(())
    }

    /// Adds the finished column to a frame.
    pub fn finish(self, name: &str, frame: &mut Frame) -> Result<(), DuckError> {
        let rows = self.valid.len();
        let valid = (self.valid.unset_bits() > 0).then(|| Bitmap::from(self.valid));
        let dtype = arrow_type(self.kind);
        let array: Box<dyn Array> = match self.data {
            Data::Uuid(bytes) => return frame.push_uuid_bytes(name, bytes, valid),
            Data::Nulls => Box::new(NullArray::new(dtype, rows)),
            Data::Bool(bits) => Box::new(BooleanArray::new(dtype, bits.into(), valid)),
            Data::I8(values) => numbers(dtype, values, valid),
            Data::I16(values) => numbers(dtype, values, valid),
            Data::I32(values) => numbers(dtype, values, valid),
            Data::I64(values) => numbers(dtype, values, valid),
            Data::U8(values) => numbers(dtype, values, valid),
            Data::U16(values) => numbers(dtype, values, valid),
            Data::U32(values) => numbers(dtype, values, valid),
            Data::U64(values) => numbers(dtype, values, valid),
            Data::F32(values) => numbers(dtype, values, valid),
            Data::F64(values) => numbers(dtype, values, valid),
            Data::I128(values) => numbers(dtype, values, valid),
            Data::Text(texts) => Box::new(BinaryViewArrayGeneric::<str>::from(texts)),
            Data::Blob(blobs) => Box::new(BinaryViewArrayGeneric::<[u8]>::from(blobs)),
        };
        frame.push(name, array)
    }
}

fn numbers<T: NativeType>(
    dtype: ArrowDataType,
    values: Vec<T>,
    valid: Option<Bitmap>,
) -> Box<dyn Array> {
    Box::new(PrimitiveArray::new(dtype, values.into(), valid))
}

fn arrow_type(kind: ColumnType) -> ArrowDataType {
    use ColumnType::*;
    match kind {
        Null | Other(_) => ArrowDataType::Null,
        Bool => ArrowDataType::Boolean,
        TinyInt => ArrowDataType::Int8,
        SmallInt => ArrowDataType::Int16,
        Integer => ArrowDataType::Int32,
        BigInt => ArrowDataType::Int64,
        UTinyInt => ArrowDataType::UInt8,
        USmallInt => ArrowDataType::UInt16,
        UInteger => ArrowDataType::UInt32,
        UBigInt => ArrowDataType::UInt64,
        HugeInt | UHugeInt => ArrowDataType::Decimal(DECIMAL_DIGITS, 0),
        Float => ArrowDataType::Float32,
        Double => ArrowDataType::Float64,
        Decimal { width, scale } => ArrowDataType::Decimal(width.into(), scale.into()),
        Varchar => ArrowDataType::Utf8View,
        Blob => ArrowDataType::BinaryView,
        Date => ArrowDataType::Date32,
        Timestamp => ArrowDataType::Timestamp(TimeUnit::Microsecond, None),
        TimestampTz => ArrowDataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        TimestampS => ArrowDataType::Timestamp(TimeUnit::Second, None),
        TimestampMs => ArrowDataType::Timestamp(TimeUnit::Millisecond, None),
        TimestampNs => ArrowDataType::Timestamp(TimeUnit::Nanosecond, None),
        Uuid => ArrowDataType::FixedSizeBinary(16),
    }
}

/// The cells as `T`. An error here is a fault of ours, but no reason to crash.
fn plain<'a, T: Plain>(cells: &Cells<'a>) -> Result<&'a [T], DuckError> {
    cells.plain().ok_or_else(|| {
        let text = format!("a {:?} column is not laid out as expected", cells.kind());
        DuckError::new(DuckErrorKind::Other, text, "")
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, DuckError> {
    std::str::from_utf8(bytes)
        .map_err(|_| DuckError::new(DuckErrorKind::Corrupt, "a text in DuckDB is not UTF-8", ""))
}

/// Adds numbers that travel as 128 bits: decimals of every width, and huge integers.
fn add_wide(to: &mut Vec<i128>, cells: &Cells<'_>, rows: usize) -> Result<(), DuckError> {
    let exact = matches!(cells.kind(), ColumnType::Decimal { .. });
    for row in 0..rows {
        let value = if cells.is_valid(row) { wide(cells, row)? } else { Some(0) };
        let fits = |value: &i128| exact || value.unsigned_abs() < DECIMAL_LIMIT;
        to.push(value.filter(fits).ok_or_else(|| {
            let text = "an integer has more than 38 digits; cast the column to VARCHAR";
            DuckError::new(DuckErrorKind::Conversion, text, "")
        })?);
    }
    Ok(())
}

/// One number of up to 128 bits; `None` when a UHUGEINT has no signed form.
fn wide(cells: &Cells<'_>, row: usize) -> Result<Option<i128>, DuckError> {
    Ok(match cells.kind().physical() {
        Physical::I16 => Some(plain::<i16>(cells)?[row].into()),
        Physical::I32 => Some(plain::<i32>(cells)?[row].into()),
        Physical::I64 => Some(plain::<i64>(cells)?[row].into()),
        Physical::U128 => {
            let raw = plain::<duckdb_uhugeint>(cells)?[row];
            i128::try_from(u128::from(raw.upper) << 64 | u128::from(raw.lower)).ok()
        }
        _ => Some(joined(plain::<duckdb_hugeint>(cells)?[row])),
    })
}

fn joined(raw: duckdb_hugeint) -> i128 {
    i128::from(raw.upper) << 64 | i128::from(raw.lower)
}

/// DuckDB stores a UUID with its top bit flipped, so that signed order is the text's order.
fn uuid(raw: duckdb_hugeint) -> u128 {
    joined(raw) as u128 ^ (1 << 127)
}

/// The rows of a chunk as single values.
pub(super) fn values(chunk: &RawChunk, columns: usize) -> Result<Vec<Vec<Value>>, DuckError> {
    let cells: Vec<_> = (0..columns).map(|at| chunk.column(at)).collect();
    let row = |row| cells.iter().map(|cells| value(cells, row)).collect();
    (0..chunk.rows()).map(row).collect()
}

fn value(cells: &Cells<'_>, row: usize) -> Result<Value, DuckError> {
    use ColumnType::*;
    if !cells.is_valid(row) {
        return Ok(Value::Null);
    }
    Ok(match cells.kind() {
        Null | Other(_) => Value::Null,
        Bool => Value::Bool(plain::<u8>(cells)?[row] != 0),
        TinyInt => Value::Int(plain::<i8>(cells)?[row].into()),
        SmallInt => Value::Int(plain::<i16>(cells)?[row].into()),
        Integer => Value::Int(plain::<i32>(cells)?[row].into()),
        BigInt => Value::Int(plain::<i64>(cells)?[row]),
        UTinyInt => Value::Int(plain::<u8>(cells)?[row].into()),
        USmallInt => Value::Int(plain::<u16>(cells)?[row].into()),
        UInteger => Value::Int(plain::<u32>(cells)?[row].into()),
        UBigInt => Value::from(plain::<u64>(cells)?[row]),
        HugeInt => Value::HugeInt(joined(plain::<duckdb_hugeint>(cells)?[row])),
        UHugeInt => match wide(cells, row)? {
            Some(value) => Value::HugeInt(value),
            None => {
                let raw = plain::<duckdb_uhugeint>(cells)?[row];
                let whole = u128::from(raw.upper) << 64 | u128::from(raw.lower);
                Value::Text(whole.to_string())
            }
        },
        Float => Value::Double(plain::<f32>(cells)?[row].into()),
        Double => Value::Double(plain::<f64>(cells)?[row]),
        Decimal { scale, .. } => Value::Decimal { value: wide(cells, row)?.unwrap_or(0), scale },
        Varchar => Value::Text(utf8(cells.bytes(row).unwrap_or_default())?.to_string()),
        Blob => Value::Blob(cells.bytes(row).unwrap_or_default().to_vec()),
        Date => Value::Date(plain::<i32>(cells)?[row]),
        Timestamp | TimestampTz => Value::Timestamp(plain::<i64>(cells)?[row]),
        TimestampS => Value::Timestamp(plain::<i64>(cells)?[row].saturating_mul(1_000_000)),
        TimestampMs => Value::Timestamp(plain::<i64>(cells)?[row].saturating_mul(1_000)),
        TimestampNs => nanoseconds(plain::<i64>(cells)?[row]),
        Uuid => Value::Uuid(uuid(plain::<duckdb_hugeint>(cells)?[row])),
    })
}
/// A moment in nanoseconds since 1970: a text where microseconds do not hold it.
fn nanoseconds(nanos: i64) -> Value {
    const SECOND: i64 = 1_000_000_000;
    if nanos % 1_000 == 0 {
        return Value::Timestamp(nanos / 1_000);
    }
    let second = Value::Timestamp(nanos.div_euclid(SECOND) * 1_000_000);
    let digits = format!("{second}.{:09}", nanos.rem_euclid(SECOND));
    Value::Text(digits.trim_end_matches('0').to_owned())
}
