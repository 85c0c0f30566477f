//! The unsafe half for whole columns: Arrow arrays into an appender and into a table function, and
//! the cells of a result column.
//!
//! Promises: array memory stays ours. DuckDB is lent a copy of the C struct whose `release` does
//! nothing, and the real one is released only after DuckDB's chunk is destroyed; DuckDB's own
//! bookkeeping hangs all columns on the first one and frees them with it.

#![expect(unsafe_code, reason = "the only rooms that talk to DuckDB's C API")]

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use libduckdb_sys::*;
use polars_arrow::array::{Array, StructArray, new_null_array};
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_arrow::ffi;

use super::error::Failure;
use super::frame::Frame;
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
    ptr: duckdb_data_chunk,
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

/// The frames that SQL can read just now, by number.
#[derive(Default)]
pub(super) struct Frames {
    next: AtomicU64,
    live: Mutex<HashMap<u64, Arc<Shared>>>,
}

struct Shared {
    frame: Frame,
    con: Weak<RawCon>,
}

impl Shared {
    fn con(&self) -> Result<Arc<RawCon>, Failure> {
        self.con.upgrade().ok_or_else(|| Failure::text("the frame's connection is closed"))
    }
}

impl Frames {
    fn live(&self) -> MutexGuard<'_, HashMap<u64, Arc<Shared>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, frame: Frame, con: &Arc<RawCon>) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.live().insert(id, Arc::new(Shared { frame, con: Arc::downgrade(con) }));
        id
    }

    pub fn remove(&self, id: u64) {
        self.live().remove(&id);
    }

    /// Puts another frame in the place of `id`; statements prepared before read the new one.
    pub fn replace(&self, id: u64, frame: Frame, con: &Arc<RawCon>) {
        self.live().insert(id, Arc::new(Shared { frame, con: Arc::downgrade(con) }));
    }
}

/// What a bound query knows of its frame.
struct Bound {
    frames: Arc<Frames>,
    id: u64,
    /// The frame at binding time. It is held until the query ends, as its vectors refer to it.
    shared: Arc<Shared>,
}

impl Bound {
    /// The frame to read: the present one of the number, which for a prepared statement may be
    /// another than when it was prepared.
    fn present(&self) -> Result<Arc<Shared>, Failure> {
        let present = self.frames.live().get(&self.id).cloned();
        let present = present.unwrap_or_else(|| Arc::clone(&self.shared));
        let (now, then) = (present.frame.fields(), self.shared.frame.fields());
        let same = now.len() == then.len()
            && now.iter().zip(then).all(|(a, b)| a.name == b.name && a.dtype == b.dtype);
        if same { Ok(present) } else { Err(Failure::text("the frame has other columns now")) }
    }
}

/// The name of the table function that reads a frame.
pub(super) const FRAME_FUNCTION: &str = "etl_frame";

/// Makes frames readable in every connection of the database.
pub(super) fn register(con: &RawCon, frames: &Arc<Frames>) -> Result<(), Failure> {
    let name = c_string(FRAME_FUNCTION)?;
    let extra = Box::into_raw(Box::new(Arc::clone(frames)));
    // SAFETY: the callbacks have the signatures the API asks for; `extra` is handed over together
    // with the function that frees it; the API copies name and types.
    let state = unsafe {
        let mut function = duckdb_create_table_function();
        duckdb_table_function_set_name(function, name.as_ptr());
        let mut number = duckdb_create_logical_type(DUCKDB_TYPE_DUCKDB_TYPE_BIGINT);
        duckdb_table_function_add_parameter(function, number);
        duckdb_destroy_logical_type(&mut number);
        duckdb_table_function_set_extra_info(function, extra.cast(), Some(free::<Arc<Frames>>));
        duckdb_table_function_set_bind(function, Some(bind));
        duckdb_table_function_set_init(function, Some(init));
        duckdb_table_function_set_function(function, Some(scan));
        duckdb_table_function_supports_projection_pushdown(function, true);
        let state = duckdb_register_table_function(con.ptr, function);
        duckdb_destroy_table_function(&mut function);
        state
    };
    if state == DuckDBSuccess { Ok(()) } else { Err(Failure::text("cannot register etl_frame")) }
}

/// Frees a box that was handed to DuckDB as `T`.
unsafe extern "C" fn free<T>(data: *mut c_void) {
    // SAFETY: DuckDB gives back, once, the pointer that came from `Box::into_raw` of the same `T`.
    drop(unsafe { Box::from_raw(data.cast::<T>()) });
}

/// Runs a callback's body; a failure or a panic becomes an error text for DuckDB.
fn guarded(body: impl FnOnce() -> Result<(), Failure>) -> Option<CString> {
    let message = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return None,
        Ok(Err(failure)) => failure.message,
        Err(_) => "a panic while a frame was read".to_string(),
    };
    Some(CString::new(message.replace('\0', " ")).unwrap_or_default())
}

/// Names and types of the frame's columns.
unsafe extern "C" fn bind(info: duckdb_bind_info) {
    let error = guarded(|| {
        // SAFETY: DuckDB passes the extra info set in `register`; the value is ours to destroy.
        let (frames, id) = unsafe {
            let frames = &*duckdb_bind_get_extra_info(info).cast::<Arc<Frames>>();
            let mut value = duckdb_bind_get_parameter(info, 0);
            let id = duckdb_get_int64(value);
            duckdb_destroy_value(&mut value);
            (frames, id)
        };
        let shared = frames.live().get(&(id as u64)).cloned();
        let shared = shared.ok_or_else(|| Failure::text("this frame is no longer there"))?;
        let fields = shared.frame.fields();
        // One row of NULLs tells DuckDB's types without a second table of types here.
        let nulls = fields.iter().map(|field| new_null_array(field.dtype().clone(), 1)).collect();
        let sample = Schema::new(&shared.con()?, fields)?.chunk(nulls, 1)?;
        for (at, field) in fields.iter().enumerate() {
            let name = c_string(&field.name)?;
            // SAFETY: `at` is a column of the chunk; the type is ours to destroy, and copied.
            unsafe {
                let vector = duckdb_data_chunk_get_vector(sample.ptr, at as idx_t);
                let mut logical = duckdb_vector_get_column_type(vector);
                duckdb_bind_add_result_column(info, name.as_ptr(), logical);
                duckdb_destroy_logical_type(&mut logical);
            }
        }
        let rows = shared.frame.len() as idx_t;
        let bound = Bound { frames: Arc::clone(frames), id: id as u64, shared };
        let data = Box::into_raw(Box::new(bound));
        // SAFETY: the box is handed over together with the function that frees it.
        unsafe {
            duckdb_bind_set_cardinality(info, rows, true);
            duckdb_bind_set_bind_data(info, data.cast(), Some(free::<Bound>));
        }
        Ok(())
    });
    if let Some(error) = error {
        // SAFETY: the text is copied during the call.
        unsafe { duckdb_bind_set_error(info, error.as_ptr()) }
    }
}

/// One reading of a frame: the wanted columns, and how far it got.
struct Scan {
    /// For each output column its column in the frame; none for the row counter DuckDB may ask for.
    wanted: Vec<Option<usize>>,
    schema: Option<Schema>,
    shared: Arc<Shared>,
    next: AtomicUsize,
}

/// Notes which columns are wanted.
unsafe extern "C" fn init(info: duckdb_init_info) {
    let error = guarded(|| {
        // SAFETY: DuckDB passes the bind data set in `bind`.
        let shared = unsafe { &*duckdb_init_get_bind_data(info).cast::<Bound>() }.present()?;
        let fields = shared.frame.fields();
        // SAFETY: indexes within the count.
        let wanted: Vec<_> = unsafe {
            let index = |at| duckdb_init_get_column_index(info, at) as usize;
            (0..duckdb_init_get_column_count(info)).map(index).collect()
        };
        let wanted: Vec<_> =
            wanted.into_iter().map(|at| (at < fields.len()).then_some(at)).collect();
        let picked: Vec<_> = wanted.iter().flatten().map(|at| fields[*at].clone()).collect();
        let schema = match picked.is_empty() {
            true => None,
            false => Some(Schema::new(&shared.con()?, &picked)?),
        };
        let next = AtomicUsize::new(0);
        let scan = Box::into_raw(Box::new(Scan { wanted, schema, shared, next }));
        // SAFETY: the box is handed over together with the function that frees it. One thread:
        // rows must come in the frame's order.
        unsafe {
            duckdb_init_set_init_data(info, scan.cast(), Some(free::<Scan>));
            duckdb_init_set_max_threads(info, 1);
        }
        Ok(())
    });
    if let Some(error) = error {
        // SAFETY: the text is copied during the call.
        unsafe { duckdb_init_set_error(info, error.as_ptr()) }
    }
}

/// Gives the next slice.
unsafe extern "C" fn scan(info: duckdb_function_info, output: duckdb_data_chunk) {
    let error = guarded(|| {
        // SAFETY: DuckDB passes what `init` set.
        let scan = unsafe { &*duckdb_function_get_init_data(info).cast::<Scan>() };
        let shared = &scan.shared;
        let total = shared.frame.len();
        let start = scan.next.fetch_add(SLICE_ROWS, Ordering::Relaxed).min(total);
        let rows = SLICE_ROWS.min(total - start);
        if let (Some(schema), true) = (&scan.schema, rows > 0) {
            let columns = shared.frame.columns();
            let slices = scan.wanted.iter().flatten();
            let slices = slices.map(|at| columns[*at].sliced(start, rows)).collect();
            let chunk = schema.chunk(slices, rows)?;
            let outputs = scan.wanted.iter().enumerate().filter(|(_, column)| column.is_some());
            for (from, (to, _)) in outputs.enumerate() {
                // SAFETY: both are columns of their chunks and of one type. The reference outlives
                // `chunk`, but not the arrays: the bind data of a view's query, or the slot of a
                // prepared one, holds the frame until the result is read.
                unsafe {
                    let to = duckdb_data_chunk_get_vector(output, to as idx_t);
                    let from = duckdb_data_chunk_get_vector(chunk.ptr, from as idx_t);
                    duckdb_vector_reference_vector(to, from);
                }
            }
        }
        // SAFETY: at most the vector size.
        unsafe { duckdb_data_chunk_set_size(output, rows as idx_t) };
        Ok(())
    });
    if let Some(error) = error {
        // SAFETY: the text is copied during the call.
        unsafe { duckdb_function_set_error(info, error.as_ptr()) }
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
