//! The cells of a column as DuckDB hands them over, and their way into a column builder.

use super::decimals;
use super::types::Select;
use crate::chunk::{ColumnKind, Moment, Role};
use crate::source::cell::Cell;
use crate::source::columns::{ColumnBuilder, Pushed};
use polars_arrow::array::{Array, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, TimeUnit};
use polars_arrow::types::NativeType;
use std::borrow::Cow;

const DAY: i64 = 86_400_000_000;

/// A column of a page, its type known.
pub enum Values<'a> {
    Nulls,
    Bool(&'a BooleanArray),
    I8(&'a PrimitiveArray<i8>),
    I16(&'a PrimitiveArray<i16>),
    I32(&'a PrimitiveArray<i32>),
    I64(&'a PrimitiveArray<i64>),
    U8(&'a PrimitiveArray<u8>),
    U16(&'a PrimitiveArray<u16>),
    U32(&'a PrimitiveArray<u32>),
    U64(&'a PrimitiveArray<u64>),
    F32(&'a PrimitiveArray<f32>),
    F64(&'a PrimitiveArray<f64>),
    Decimal(&'a PrimitiveArray<i128>, u8),
    Text(&'a Utf8ViewArray),
    /// Bytes of decimals in hexadecimal digits, and the digits behind the point.
    Wide(&'a Utf8ViewArray, u8),
    Date(&'a PrimitiveArray<i32>),
    /// Whether they are in UTC.
    Moment(&'a PrimitiveArray<i64>, TimeUnit, bool),
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum<'a> {
    /// As in any format that stores types.
    Cell(Cell<'a>),
    /// An exact whole number.
    Whole(i64),
    /// Exact digits, with a point where there are decimals.
    Digits(String),
    /// A day with a time.
    Moment(Moment),
}

impl<'a> Values<'a> {
    /// The column as what it is; `None` for a type that the queries here never ask for.
    pub fn of(array: &'a dyn Array) -> Option<Self> {
        fn numbers<T: NativeType>(array: &dyn Array) -> Option<&PrimitiveArray<T>> {
            array.as_any().downcast_ref()
        }
        Some(match array.dtype() {
            ArrowDataType::Null => Self::Nulls,
            ArrowDataType::Boolean => Self::Bool(array.as_any().downcast_ref()?),
            ArrowDataType::Int8 => Self::I8(numbers(array)?),
            ArrowDataType::Int16 => Self::I16(numbers(array)?),
            ArrowDataType::Int32 => Self::I32(numbers(array)?),
            ArrowDataType::Int64 => Self::I64(numbers(array)?),
            ArrowDataType::UInt8 => Self::U8(numbers(array)?),
            ArrowDataType::UInt16 => Self::U16(numbers(array)?),
            ArrowDataType::UInt32 => Self::U32(numbers(array)?),
            ArrowDataType::UInt64 => Self::U64(numbers(array)?),
            ArrowDataType::Float32 => Self::F32(numbers(array)?),
            ArrowDataType::Float64 => Self::F64(numbers(array)?),
            ArrowDataType::Decimal(_, scale) => Self::Decimal(numbers(array)?, *scale as u8),
            ArrowDataType::Utf8View => Self::Text(array.as_any().downcast_ref()?),
            ArrowDataType::Date32 => Self::Date(numbers(array)?),
            ArrowDataType::Timestamp(unit, zone) => {
                Self::Moment(numbers(array)?, *unit, zone.is_some())
            }
            _ => return None,
        })
    }

    /// The column as what it was selected as.
    pub fn selected(array: &'a dyn Array, select: Select) -> Option<Self> {
        Some(match (Self::of(array)?, select) {
            (Self::Text(texts), Select::Wide(scale)) => Self::Wide(texts, scale),
            (values, _) => values,
        })
    }

    /// The value of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Datum<'a> {
        let value = match self {
            Self::Nulls => None,
            Self::Bool(array) => array.get(row).map(|value| Datum::Cell(Cell::Bool(value))),
            Self::I8(array) => at(array, row).map(|value| Datum::Whole(value.into())),
            Self::I16(array) => at(array, row).map(|value| Datum::Whole(value.into())),
            Self::I32(array) => at(array, row).map(|value| Datum::Whole(value.into())),
            Self::I64(array) => at(array, row).map(Datum::Whole),
            Self::U8(array) => at(array, row).map(|value| Datum::Whole(value.into())),
            Self::U16(array) => at(array, row).map(|value| Datum::Whole(value.into())),
            Self::U32(array) => at(array, row).map(|value| Datum::Whole(value.into())),
            Self::U64(array) => at(array, row).map(|value| match i64::try_from(value) {
                Ok(value) => Datum::Whole(value),
                Err(_) => Datum::Digits(value.to_string()),
            }),
            Self::F32(array) => at(array, row).map(|value| Datum::Cell(Cell::Number(value.into()))),
            Self::F64(array) => at(array, row).map(|value| Datum::Cell(Cell::Number(value))),
            Self::Decimal(array, scale) => {
                at(array, row).map(|value| Datum::Digits(decimal_text(value, *scale)))
            }
            Self::Text(array) => array.get(row).map(|text| Datum::Cell(Cell::Text(text))),
            Self::Wide(array, scale) => {
                array.get(row).and_then(|hex| decimals::text(hex, *scale)).map(Datum::Digits)
            }
            Self::Date(array) => at(array, row).map(date),
            Self::Moment(array, unit, is_utc) => {
                at(array, row).map(|value| moment(value, *unit, *is_utc))
            }
        };
        value.unwrap_or(Datum::Cell(Cell::Blank))
    }
}

fn at<T: NativeType>(array: &PrimitiveArray<T>, row: usize) -> Option<T> {
    array.is_valid(row).then(|| array.value(row))
}

/// DuckDB knows days before and behind all others.
fn date(days: i32) -> Datum<'static> {
    match i64::from(days).checked_mul(DAY) {
        Some(micros) if days.unsigned_abs() < i32::MAX as u32 => Datum::Cell(Cell::Moment(micros)),
        _ => Datum::Cell(Cell::Text(infinity(days > 0))),
    }
}

/// DuckDB knows moments before and behind all others.
fn moment(value: i64, unit: TimeUnit, is_utc: bool) -> Datum<'static> {
    if value.unsigned_abs() >= i64::MAX as u64 {
        return Datum::Cell(Cell::Text(infinity(value > 0)));
    }
    let micros = match unit {
        TimeUnit::Nanosecond => return Datum::Moment(Moment::from_nanos(value, is_utc)),
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1_000),
        TimeUnit::Microsecond => Some(value),
    };
    match micros {
        Some(micros) => Datum::Moment(Moment::from_micros(micros, is_utc)),
        None => Datum::Cell(Cell::Text(infinity(value > 0))),
    }
}

fn infinity(positive: bool) -> &'static str {
    if positive { "infinity" } else { "-infinity" }
}

fn decimal_text(value: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    if scale == 0 {
        return value.to_string();
    }
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (head, tail) = digits.split_at(digits.len() - scale);
    format!("{}{head}.{tail}", if value < 0 { "-" } else { "" })
}

impl Datum<'_> {
    /// The text by which people name the value.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Cell(cell) => cell.text(),
            Self::Whole(value) => Cow::Owned(value.to_string()),
            Self::Digits(digits) => Cow::Borrowed(digits),
            Self::Moment(moment) => Cow::Owned(moment.text()),
        }
    }

    /// Into a column, by the column's rules.
    #[inline]
    pub fn push(&self, builder: &mut ColumnBuilder) -> Pushed {
        match self {
            Self::Cell(cell) => builder.push_cell(*cell),
            Self::Whole(value) => builder.push_whole(*value),
            Self::Digits(digits) => builder.push_text(without_zeros(digits, builder)),
            Self::Moment(moment) => builder.push_clock(*moment),
        }
    }
}

/// `125000.00` is a whole number, and an id is the same with and without its decimals.
fn without_zeros<'a>(digits: &'a str, builder: &ColumnBuilder) -> &'a str {
    let spec = builder.spec();
    let whole = matches!(spec.kind, ColumnKind::Int | ColumnKind::BigInt)
        || matches!(spec.role, Role::Id | Role::Code);
    match digits.split_once('.') {
        Some((head, tail)) if whole && tail.bytes().all(|digit| digit == b'0') => head,
        _ => digits,
    }
}

/// Memory that a column of a page holds, about.
pub fn bytes(array: &dyn Array) -> usize {
    let width = match array.dtype() {
        ArrowDataType::Null => 0,
        ArrowDataType::Boolean | ArrowDataType::Int8 | ArrowDataType::UInt8 => 1,
        ArrowDataType::Int16 | ArrowDataType::UInt16 => 2,
        ArrowDataType::Int32
        | ArrowDataType::UInt32
        | ArrowDataType::Float32
        | ArrowDataType::Date32 => 4,
        ArrowDataType::Decimal(..) | ArrowDataType::Utf8View => 16,
        _ => 8,
    };
    let texts = array.as_any().downcast_ref::<Utf8ViewArray>();
    array.len() * width + texts.map_or(0, |texts| texts.total_buffer_len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_in_full() {
        let cases = [(1250, 2, "12.50"), (-5, 2, "-0.05"), (0, 3, "0.000"), (-7, 0, "-7")];
        for (value, scale, text) in cases {
            assert_eq!(decimal_text(value, scale), text);
        }
    }

    #[test]
    fn days_without_an_end_are_text() {
        assert_eq!(date(i32::MAX).text(), "infinity");
        assert_eq!(date(1).text(), "1970-01-02");
        assert_eq!(moment(-i64::MAX, TimeUnit::Microsecond, false).text(), "-infinity");
        assert_eq!(moment(1_500, TimeUnit::Millisecond, false).text(), "1970-01-01 00:00:01.500");
        assert_eq!(moment(-1, TimeUnit::Nanosecond, false).text(), "1969-12-31 23:59:59.999999999");
        assert_eq!(moment(0, TimeUnit::Second, true).text(), "1970-01-01 00:00:00+00:00");
    }
}
