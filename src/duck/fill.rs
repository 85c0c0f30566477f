//! Cells of Arrow arrays written into a vector that DuckDB lends.
//!
//! DuckDB's own way from Arrow makes a new vector for each column of each slice, 7 MB for 2,048 rows of a
//! roll, and touches all of it. The vectors of a table function's output are the same ones each time, and
//! most cells are laid out alike on both sides. So whole numbers are copied, and a text becomes a header
//! that refers to the array's bytes; short texts are all header, in Arrow's views as in DuckDB's strings.
//! Types that are not here go DuckDB's way.

#![expect(unsafe_code, reason = "the only rooms that talk to DuckDB's C API")]

use super::frame::is_uuid;
use libduckdb_sys::*;
use polars_arrow::array::{
    Array, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, Field, TimeUnit};
use polars_arrow::types::NativeType;
use std::ops::Range;

/// Whether columns of this kind, as DuckDB takes them over from Arrow, can be written here.
pub(super) fn can_fill(field: &Field) -> bool {
    use ArrowDataType::*;
    let plain = match field.dtype() {
        Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => true,
        Float32 | Float64 | Date32 | Timestamp(TimeUnit::Microsecond, _) | Utf8View => true,
        FixedSizeBinary(16) => is_uuid(field),
        _ => false,
    };
    // Texts and UUIDs are put together of words.
    plain && cfg!(target_endian = "little")
}

/// Writes some cells of an array; `false` where the array is of another kind than its type says.
///
/// # Safety
/// `vector` is a flat one of DuckDB's with room for the rows and with nothing NULL in it yet, and of the
/// type that DuckDB makes of the array's, which [`can_fill`]. The array outlives every use of the vector's
/// cells: texts refer to it.
pub(super) unsafe fn fill(vector: duckdb_vector, array: &dyn Array, rows: Range<usize>) -> bool {
    // SAFETY: passed on as promised by the caller; numbers of each type are written as that type.
    unsafe {
        if let Some(valid) = array.validity()
            && !fill_validity(vector, valid, rows.clone())
        {
            return true;
        }
        macro_rules! numbers {
            ($($number:ty),*) => {
                $(if let Some(numbers) = array.as_any().downcast_ref::<PrimitiveArray<$number>>() {
                    fill_numbers(vector, &numbers.values()[rows]);
                    return true;
                })*
            };
        }
        numbers!(i64, i32, f64, i8, i16, u8, u16, u32, u64, f32);
        if let Some(texts) = array.as_any().downcast_ref::<Utf8ViewArray>() {
            fill_texts(vector, texts, rows);
        } else if let Some(truths) = array.as_any().downcast_ref::<BooleanArray>() {
            fill_truths(vector, truths, rows);
        } else if let Some(uuids) = array.as_any().downcast_ref::<FixedSizeBinaryArray>() {
            fill_uuids(vector, &uuids.values()[16 * rows.start..16 * rows.end]);
        } else {
            return false;
        }
        true
    }
}

/// Marks what is NULL; whether anything is not.
///
/// # Safety
/// As [`fill`].
unsafe fn fill_validity(vector: duckdb_vector, valid: &Bitmap, rows: Range<usize>) -> bool {
    let valid = valid.clone().sliced(rows.start, rows.len());
    if valid.unset_bits() == 0 {
        return true;
    }
    // SAFETY: a flat vector has a bit for each row it has room for, in whole words.
    let words = unsafe {
        duckdb_vector_ensure_validity_writable(vector);
        let mask = duckdb_vector_get_validity(vector);
        std::slice::from_raw_parts_mut(mask, rows.len().div_ceil(64))
    };
    let bits = valid.chunks::<u64>();
    let last = bits.remainder();
    for (word, bits) in words.iter_mut().zip(bits.chain([last])) {
        *word = bits;
    }
    valid.unset_bits() < rows.len()
}

/// # Safety
/// As [`fill`]; the vector's cells are of type `T`.
unsafe fn fill_numbers<T: NativeType>(vector: duckdb_vector, numbers: &[T]) {
    // SAFETY: there is room for the rows, and nobody else writes there.
    unsafe {
        let to = duckdb_vector_get_data(vector).cast::<T>();
        std::ptr::copy_nonoverlapping(numbers.as_ptr(), to, numbers.len());
    }
}

/// # Safety
/// As [`fill`]; the vector's cells are truth values, a byte each.
unsafe fn fill_truths(vector: duckdb_vector, truths: &BooleanArray, rows: Range<usize>) {
    let bits = truths.values().clone().sliced(rows.start, rows.len());
    // SAFETY: there is room for the rows, and a byte of any value is initialised when it is written.
    let to = unsafe {
        let to = duckdb_vector_get_data(vector).cast::<u8>();
        std::ptr::write_bytes(to, 0, rows.len());
        std::slice::from_raw_parts_mut(to, rows.len())
    };
    for (to, bit) in to.iter_mut().zip(bits.iter()) {
        *to = u8::from(bit);
    }
}

/// # Safety
/// As [`fill`]; the vector's cells are UUIDs.
unsafe fn fill_uuids(vector: duckdb_vector, bytes: &[u8]) {
    let (uuids, _) = bytes.as_chunks::<16>();
    // SAFETY: there is room for the rows.
    unsafe {
        let to = duckdb_vector_get_data(vector).cast::<duckdb_hugeint>();
        for (at, bytes) in uuids.iter().enumerate() {
            // Kept with the top bit flipped, so that signed order is the text's order.
            let uuid = u128::from_be_bytes(*bytes) ^ (1 << 127);
            let (lower, upper) = (uuid as u64, (uuid >> 64) as i64);
            to.add(at).write(duckdb_hugeint { lower, upper });
        }
    }
}

/// The header of a text in DuckDB. Up to 12 bytes lie in the header itself, padded with zeros, as in an
/// Arrow view; of a longer one the header has the length, the first four bytes, and where it lies.
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    length: u32,
    prefix: u32,
    rest: u64,
}

/// Bytes of a text that is all header.
const INLINE: u32 = 12;

/// # Safety
/// As [`fill`]; the vector's cells are texts.
unsafe fn fill_texts(vector: duckdb_vector, texts: &Utf8ViewArray, rows: Range<usize>) {
    const { assert!(size_of::<Header>() == size_of::<duckdb_string_t>()) };
    let buffers = texts.data_buffers();
    // SAFETY: there is room for the rows.
    let to = unsafe { duckdb_vector_get_data(vector).cast::<Header>() };
    for (at, view) in texts.views()[rows].iter().enumerate() {
        let (length, prefix) = (view.length, view.prefix);
        let header = if length <= INLINE {
            let rest = u64::from(view.buffer_idx) | u64::from(view.offset) << 32;
            Header { length, prefix, rest }
        } else {
            // A view behind a NULL may refer to anything.
            let text = buffers.get(view.buffer_idx as usize).and_then(|buffer| {
                let from = view.offset as usize;
                buffer.get(from..from + length as usize)
            });
            text.map_or(Header { length: 0, prefix: 0, rest: 0 }, |text| Header {
                length,
                prefix,
                rest: text.as_ptr() as u64,
            })
        };
        // SAFETY: within the rows.
        unsafe { to.add(at).write(header) };
    }
}
