//! The unsafe half for whole columns: Arrow arrays as DuckDB's chunks and into an appender, and the
//! cells of a result column.
//!
//! Promises: array memory stays ours. DuckDB is lent a copy of the C struct whose `release` does
//! nothing, and the real one is released only after DuckDB's chunk is destroyed; DuckDB's own
//! bookkeeping hangs all columns on the first one and frees them with it.

#![expect(unsafe_code, reason = "the only rooms that talk to DuckDB's C API")]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use libduckdb_sys::*;
use polars_arrow::array::{Array, StructArray};
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_arrow::ffi;

use super::error::Failure;
use super::raw::{RawChunk, RawCon, c_string, owned_text, take_error};
use super::value::{ColumnType, Physical};

/// Rows per slice: DuckDB's vector size. A larger slice that needs a cast would overrun the buffer
/// that the appender casts into, which has room for one vector.
pub(super) const SLICE_ROWS: usize = 2048;

/// The columns of an Arrow schema in DuckDB's terms.
pub(super) struct Schema {
    ptr: duckdb_arrow_converted_schema,
    fields: Vec<Field>,
    con: Arc<RawCon>,
}

// SAFETY: a plain table of types without ties to a thread.
unsafe impl Send for Schema {}
// SAFETY: only read after it is made.
unsafe impl Sync for Schema {}

impl Schema {
    pub fn new(con: &Arc<RawCon>, fields: &[Field]) -> Result<Schema, Failure> {
        let dtype = ArrowDataType::Struct(fields.to_vec());
        let mut exported = ffi::export_field_to_c(&Field::new("".into(), dtype, false));
        let (con, fields) = (Arc::clone(con), fields.to_vec());
        let mut schema = Schema { ptr: ptr::null_mut(), fields, con };
        // SAFETY: both crates define the struct by the Arrow C data interface; it lives during the
        // call and releases itself afterwards; the connection is open.
        unsafe {
            let from = (&raw mut exported).cast::<ArrowSchema>();
            take_error(duckdb_schema_from_arrow(schema.con.ptr, from, &mut schema.ptr))?;
        }
        Ok(schema)
    }

    pub fn is_for(&self, fields: &[Field]) -> bool {
        self.fields == fields
    }

    /// Lends `columns` to DuckDB as a chunk.
    pub fn chunk(&self, columns: Vec<Box<dyn Array>>, rows: usize) -> Result<Lent, Failure> {
        let fits = columns.len() == self.fields.len()
            && columns.iter().zip(&self.fields).all(|(c, f)| c.dtype() == f.dtype());
        if !fits {
            return Err(Failure::text("the columns are not those of the schema"));
        }
        let dtype = ArrowDataType::Struct(self.fields.clone());
        let array = StructArray::try_new(dtype, rows, columns, None)
            .map_err(|error| Failure::text(error.to_string()))?;
        let real = ffi::export_array_to_c(Box::new(array));
        let mut lent = Lent { ptr: ptr::null_mut(), real };
        // SAFETY: both crates define the struct by the Arrow C data interface. The copy shares the
        // pointers of `real`, which `Lent` keeps alive longer than the chunk, and its `release`
        // frees nothing. Types were compared with the schema above.
        unsafe {
            let mut copy = ptr::read((&raw const lent.real).cast::<ArrowArray>());
            copy.release = Some(keep);
            copy.private_data = ptr::null_mut();
            let (con, to) = (self.con.ptr, &mut lent.ptr);
            take_error(duckdb_data_chunk_from_arrow(con, &mut copy, self.ptr, to))?;
        }
        Ok(lent)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // SAFETY: ours (or null, which the call ignores), destroyed once.
        unsafe { duckdb_destroy_arrow_converted_schema(&mut self.ptr) }
    }
}

/// The `release` of a lent array: marks it released, as the interface asks, and frees nothing.
unsafe extern "C" fn keep(array: *mut ArrowArray) {
    // SAFETY: called by DuckDB with the struct it was given.
    unsafe { (*array).release = None }
}

/// Our columns, seen by DuckDB as a data chunk.
pub(super) struct Lent {
    pub ptr: duckdb_data_chunk,
    /// Held for its memory: `ptr` points into it.
    real: ffi::ArrowArray,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: ours (or null), destroyed once, and before `real`, which is a field.
        unsafe { duckdb_destroy_data_chunk(&mut self.ptr) }
    }
}

/// DuckDB's appender to one table.
pub(super) struct RawAppender {
    ptr: duckdb_appender,
    _con: Arc<RawCon>,
}

// SAFETY: not tied to a thread; it reaches the engine through the connection's own lock.
unsafe impl Send for RawAppender {}

impl RawAppender {
    pub fn open(con: &Arc<RawCon>, schema: &str, table: &str) -> Result<RawAppender, Failure> {
        let (schema, table) = (c_string(schema)?, c_string(table)?);
        let mut appender = RawAppender { ptr: ptr::null_mut(), _con: Arc::clone(con) };
        // SAFETY: connection open, names alive during the call; also a failed appender is
        // destroyed by `Drop`.
        let state = unsafe {
            let to = &mut appender.ptr;
            duckdb_appender_create_ext(con.ptr, ptr::null(), schema.as_ptr(), table.as_ptr(), to)
        };
        appender.check(state)?;
        Ok(appender)
    }

    fn check(&self, state: duckdb_state) -> Result<(), Failure> {
        if state == DuckDBSuccess {
            return Ok(());
        }
        // SAFETY: the appender exists (null gives an empty report); the report is ours.
        unsafe { take_error(duckdb_appender_error_data(self.ptr))? };
        Err(Failure::text("the appender failed without saying why"))
    }

    pub fn column_count(&self) -> usize {
        // SAFETY: the appender is alive.
        unsafe { duckdb_appender_column_count(self.ptr) as usize }
    }

    pub fn append(&self, chunk: &Lent) -> Result<(), Failure> {
        // SAFETY: both alive; DuckDB copies the rows into the appender's own buffer.
        self.check(unsafe { duckdb_append_data_chunk(self.ptr, chunk.ptr) })
    }

    pub fn flush(&self) -> Result<(), Failure> {
        // SAFETY: alive.
        self.check(unsafe { duckdb_appender_flush(self.ptr) })
    }
}

impl Drop for RawAppender {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once. Destroying flushes what is buffered, which after a rollback
        // would commit rows that were given up: so the buffer is cleared first.
        unsafe {
            duckdb_appender_clear(self.ptr);
            duckdb_appender_destroy(&mut self.ptr);
        }
    }
}

/// A plain fixed-width cell type: any bytes are a value, so reading the slot of a NULL is harmless.
pub(super) trait Plain: Copy {
    /// The physical type this reads.
    const PHYSICAL: Physical;
}

macro_rules! plain {
    ($($type:ty => $physical:ident),*) => {
        $(impl Plain for $type { const PHYSICAL: Physical = Physical::$physical; })*
    };
}
plain!(u8 => U8, i8 => I8, i16 => I16, u16 => U16, i32 => I32, u32 => U32, i64 => I64, u64 => U64,
       f32 => F32, f64 => F64, duckdb_hugeint => I128, duckdb_uhugeint => U128);

/// The cells of one column of one chunk.
pub(super) struct Cells<'a> {
    data: *const c_void,
    mask: Option<&'a [u64]>,
    rows: usize,
    kind: ColumnType,
    chunk: PhantomData<&'a RawChunk>,
}

impl<'a> Cells<'a> {
    /// Lends the cells of a column for as long as its chunk is borrowed.
    ///
    /// # Safety
    /// `data` and `mask` are those of a flat vector of `chunk` whose type is `kind`.
    pub unsafe fn lend(
        chunk: &'a RawChunk,
        data: *const c_void,
        mask: Option<&'a [u64]>,
        kind: ColumnType,
    ) -> Cells<'a> {
        Cells { data, mask, rows: chunk.rows(), kind, chunk: PhantomData }
    }

    pub fn kind(&self) -> ColumnType {
        self.kind
    }

    pub fn is_valid(&self, row: usize) -> bool {
        self.mask.is_none_or(|mask| mask[row / 64] >> (row % 64) & 1 == 1)
    }

    /// True when no cell can be NULL.
    pub fn all_valid(&self) -> bool {
        self.mask.is_none()
    }

    /// The column as plain values; the slot of a NULL holds anything. `None` when the column does
    /// not hold `T`.
    pub fn plain<T: Plain>(&self) -> Option<&'a [T]> {
        if self.kind.physical() != T::PHYSICAL || (self.data.is_null() && self.rows > 0) {
            return None;
        }
        if self.rows == 0 {
            return Some(&[]);
        }
        // SAFETY: the engine keeps `rows` cells of exactly this physical type here, aligned for it.
        Some(unsafe { std::slice::from_raw_parts(self.data.cast::<T>(), self.rows) })
    }

    /// The bytes of a text or blob cell; `None` for NULL and for other columns.
    pub fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        let readable = self.kind.physical() == Physical::Bytes && row < self.rows;
        if !readable || !self.is_valid(row) {
            return None;
        }
        // SAFETY: the column holds `rows` string headers and this one is not NULL, so it is filled:
        // up to 12 bytes lie in the header itself, longer ones behind its pointer; both live as
        // long as the chunk.
        unsafe {
            let header = &*self.data.cast::<duckdb_string_t>().add(row);
            let len = header.value.inlined.length as usize;
            let start = if len <= 12 {
                (&raw const header.value.inlined.inlined).cast::<u8>()
            } else {
                header.value.pointer.ptr.cast_const().cast::<u8>()
            };
            Some(std::slice::from_raw_parts(start, len))
        }
    }
}

/// The version of the linked library, such as `v1.5.6`.
pub(super) fn library_version() -> String {
    // SAFETY: a constant text of the library.
    unsafe { owned_text(duckdb_library_version()) }.unwrap_or_default()
}
