//! The unsafe half of frames in SQL: a table function of DuckDB's that reads one.
//!
//! Promises: a query sees the frame of its number as it was when the query began, and holds it until its
//! result is read; a failure or a panic in here is an error of the query. Cells are written into DuckDB's
//! own vectors ([`super::fill`]); columns of rare types are lent as Arrow ([`super::arrow`]).

#![expect(unsafe_code, reason = "the only rooms that talk to DuckDB's C API")]

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use libduckdb_sys::*;
use polars_arrow::array::new_null_array;

use super::arrow::{SLICE_ROWS, Schema};
use super::error::Failure;
use super::fill::{can_fill, fill};
use super::frame::Frame;
use super::raw::{RawCon, c_string};

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
    /// Output columns and their columns in the frame, whose cells are written here. An output column may
    /// have none: the row counter that DuckDB may ask for.
    filled: Vec<(usize, usize)>,
    /// The same for those that go through DuckDB's own reading of Arrow.
    lent: Vec<(usize, usize)>,
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
        let wanted = unsafe {
            let index = |at| (at as usize, duckdb_init_get_column_index(info, at) as usize);
            (0..duckdb_init_get_column_count(info)).map(index)
        };
        let (filled, lent): (Vec<_>, Vec<_>) = wanted
            .filter(|(_, column)| *column < fields.len())
            .partition(|(_, column)| can_fill(&fields[*column]));
        let picked: Vec<_> = lent.iter().map(|(_, column)| fields[*column].clone()).collect();
        let schema = match picked.is_empty() {
            true => None,
            false => Some(Schema::new(&shared.con()?, &picked)?),
        };
        let next = AtomicUsize::new(0);
        let scan = Box::into_raw(Box::new(Scan { filled, lent, schema, shared, next }));
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
        let columns = shared.frame.columns();
        for (to, column) in &scan.filled {
            // SAFETY: the output's vectors are flat and empty, have room for a slice, and are of the type
            // that `bind` told DuckDB for this field. The bind data of a view's query, or the slot of a
            // prepared one, holds the frame until the result is read.
            let done = unsafe {
                let to = duckdb_data_chunk_get_vector(output, *to as idx_t);
                fill(to, columns[*column].as_ref(), start..start + rows)
            };
            if !done {
                return Err(Failure::text("a column is not laid out as its type says"));
            }
        }
        if let (Some(schema), true) = (&scan.schema, rows > 0) {
            let slices = scan.lent.iter();
            let slices = slices.map(|(_, at)| columns[*at].sliced(start, rows)).collect();
            let chunk = schema.chunk(slices, rows)?;
            for (from, (to, _)) in scan.lent.iter().enumerate() {
                // SAFETY: both are columns of their chunks and of one type. The reference outlives
                // `chunk`, but not the arrays, as above.
                unsafe {
                    let to = duckdb_data_chunk_get_vector(output, *to as idx_t);
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
