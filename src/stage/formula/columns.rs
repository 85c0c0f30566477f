//! Columns of a chunk as values of formulas, and back.

use super::check::Ty;
use super::eval::{Unfit, Vector};
use super::values::{FALSE, Flags, TRUE, Texts, UNKNOWN, Values, mask_of};
use polars::prelude::{
    BooleanChunked, ChunkFull, Column, DataType, Float64Chunked, Int32Chunked, Int64Chunked,
    IntoColumn, IntoSeries, StringChunked,
};
use polars_arrow::array::{
    Array, ArrayCollectIterExt, BooleanArray, PrimitiveArray, Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::ArrowDataType;
use polars_arrow::types::NativeType;

/// The values of a column.
pub(super) fn vector_of(column: &Column) -> Result<Vector, Unfit> {
    let blank = column.null_count() == column.len();
    let series = column.as_materialized_series().rechunk();
    Ok(match column.dtype() {
        DataType::Boolean if blank => Vector::Flags(Flags::All(UNKNOWN)),
        DataType::Int32 | DataType::Int64 if blank => Vector::Wholes(Values::All(None)),
        DataType::Float64 if blank => Vector::Reals(Values::All(None)),
        DataType::String if blank => Vector::Texts(Texts::All(None)),
        DataType::Boolean => {
            let array = series.bool().map_err(|_| Unfit)?;
            let flag = |value: Option<bool>| value.map_or(UNKNOWN, |value| u8::from(value) * TRUE);
            Vector::Flags(Flags::each(array.iter().map(flag)))
        }
        DataType::Int32 => {
            let array = series.i32().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            match single(array) {
                Some(value) => Vector::Wholes(Values::All(Some(value.into()))),
                None => {
                    let values = array.values().iter().map(|value| i64::from(*value)).collect();
                    Vector::Wholes(Values::Each(values, mask_of(array.validity())))
                }
            }
        }
        DataType::Int64 => {
            let array = series.i64().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Wholes(match single(array) {
                Some(value) => Values::All(Some(value)),
                None => Values::Each(array.values().clone(), mask_of(array.validity())),
            })
        }
        DataType::Float64 => {
            let array = series.f64().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Reals(Values::Each(array.values().clone(), mask_of(array.validity())))
        }
        DataType::String => {
            let array = series.str().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Texts(Texts::of_column(array))
        }
        _ => return Err(Unfit),
    })
}

/// The number that all rows have, as county and year of a roll: then formulas have nothing to do a row.
fn single<T: NativeType>(array: &PrimitiveArray<T>) -> Option<T> {
    let (first, rest) = array.values().split_first()?;
    (array.null_count() == 0 && rest.iter().all(|value| value == first)).then_some(*first)
}

/// The values as a column of a chunk.
pub(super) fn column(name: &str, rows: usize, vector: Vector, ty: Ty) -> Option<Column> {
    Some(match (vector, ty) {
        (Vector::Flags(flags), Ty::Flag) => {
            BooleanChunked::with_chunk(name.into(), truths(&flags, rows)).into_column()
        }
        (Vector::Wholes(values), Ty::Big) => {
            let array = fixed(values, rows);
            Int64Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Wholes(values), Ty::Int) => {
            let array = fixed(values.map(|value| value as i32), rows);
            Int32Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Reals(values), Ty::Double) => {
            let array = fixed(values, rows);
            Float64Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Texts(texts), Ty::Text) => {
            let array: Utf8ViewArray = match texts {
                Texts::Each(array, _) => array,
                Texts::All(Some(text)) => {
                    let all = StringChunked::full(name.into(), &text, rows);
                    return Some(all.into_column());
                }
                Texts::Coded(coded) => coded.array()?,
                all => (0..rows).map(|row| all.get(row)).collect_arr(),
            };
            StringChunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Days(days), Ty::Date) => {
            let array = fixed(days, rows);
            let days = Int32Chunked::with_chunk(name.into(), array);
            days.into_date().into_series().into_column()
        }
        _ => return None,
    })
}

/// Values of a fixed width, those of many rows without a copy.
fn fixed<T: NativeType>(values: Values<T>, rows: usize) -> PrimitiveArray<T> {
    match values {
        Values::All(None) => PrimitiveArray::new_null(T::PRIMITIVE.into(), rows),
        Values::All(Some(value)) => PrimitiveArray::from_vec(vec![value; rows]),
        Values::Each(values, mask) => {
            let valid = mask.map(|mask| bits(&mask, |valid| valid == 1));
            PrimitiveArray::new(T::PRIMITIVE.into(), values, valid)
        }
    }
}

/// Truth values; most often all are the same.
fn truths(flags: &Flags, rows: usize) -> BooleanArray {
    let all = |value| Bitmap::new_with_value(value, rows);
    let (values, valid) = match flags {
        Flags::All(flag) => (all(*flag == TRUE), (*flag == UNKNOWN).then(|| all(false))),
        Flags::Each(flags) => {
            let some = |flag| memchr::memchr(flag, flags).is_some();
            let unknown = some(UNKNOWN);
            let values = match unknown || some(FALSE) {
                true => bits(flags, |flag| flag == TRUE),
                false => all(true),
            };
            (values, unknown.then(|| bits(flags, |flag| flag != UNKNOWN)))
        }
    };
    BooleanArray::new(ArrowDataType::Boolean, values, valid)
}

fn bits(bytes: &[u8], is: impl Fn(u8) -> bool) -> Bitmap {
    bytes.iter().map(|byte| is(*byte)).collect()
}
