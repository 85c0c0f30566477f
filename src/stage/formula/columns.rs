//! Columns of a chunk as values of formulas, and back.

use super::check::Ty;
use super::eval::{Unfit, Vector};
use super::values::{Flags, TRUE, Texts, UNKNOWN, Values, mask_of};
use polars::prelude::{
    BooleanChunked, Column, DataType, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn,
    IntoSeries, StringChunked,
};
use polars_arrow::array::{ArrayCollectIterExt, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;

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
            let values = array.values().iter().map(|value| i64::from(*value)).collect();
            Vector::Wholes(Values::Each(values, mask_of(array.validity())))
        }
        DataType::Int64 => {
            let array = series.i64().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Wholes(Values::Each(array.values().clone(), mask_of(array.validity())))
        }
        DataType::Float64 => {
            let array = series.f64().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Reals(Values::Each(array.values().clone(), mask_of(array.validity())))
        }
        DataType::String => {
            let array = series.str().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Texts(Texts::Each(array.clone()))
        }
        _ => return Err(Unfit),
    })
}

/// The values as a column of a chunk.
pub(super) fn column(name: &str, rows: usize, vector: Vector, ty: Ty) -> Option<Column> {
    Some(match (vector, ty) {
        (Vector::Flags(flags), Ty::Flag) => {
            let values = (0..rows).map(|row| flags.get(row) == TRUE).collect::<Bitmap>();
            let valid = (0..rows).map(|row| flags.get(row) != UNKNOWN).collect::<Bitmap>();
            let valid = (valid.unset_bits() > 0).then_some(valid);
            let array =
                BooleanArray::new(polars_arrow::datatypes::ArrowDataType::Boolean, values, valid);
            BooleanChunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Wholes(values), Ty::Big) => {
            let array: PrimitiveArray<i64> = (0..rows).map(|row| values.get(row)).collect();
            Int64Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Wholes(values), Ty::Int) => {
            let array: PrimitiveArray<i32> =
                (0..rows).map(|row| values.get(row).map(|value| value as i32)).collect();
            Int32Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Reals(values), Ty::Double) => {
            let array: PrimitiveArray<f64> = (0..rows).map(|row| values.get(row)).collect();
            Float64Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Texts(texts), Ty::Text) => {
            let array: Utf8ViewArray = match texts {
                Texts::Each(array) => array,
                all => (0..rows).map(|row| all.get(row)).collect_arr(),
            };
            StringChunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Days(days), Ty::Date) => {
            let array: PrimitiveArray<i32> = (0..rows).map(|row| days.get(row)).collect();
            let days = Int32Chunked::with_chunk(name.into(), array);
            days.into_date().into_series().into_column()
        }
        _ => return None,
    })
}
