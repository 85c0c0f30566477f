//! The unsafe half of the DuckDB wrapper: database, connection, statement, result, chunk.
//!
//! Promises to the rest of the module: every handle is freed exactly once, in the order DuckDB
//! wants; no pointer leaves this file and `arrow.rs`; a null or failed call becomes a [`Failure`];
//! cell memory is only lent for as long as its chunk lives.

#![expect(unsafe_code, reason = "the only rooms that talk to DuckDB's C API")]

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::Arc;

use libduckdb_sys::*;

use super::arrow::Cells;
use super::error::Failure;
use super::files::OpenFile;
use super::value::{ColumnType, Value};

/// A C string for the engine, or a refusal: a zero byte would silently cut the text.
pub(super) fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::text("text for the database holds a zero byte"))
}

/// Copies a message the engine owns.
///
/// # Safety
/// `text` is null or points to a zero-terminated string that lives during the call.
pub(super) unsafe fn owned_text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and zero-terminated by the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Takes over an error report of the engine; no report means success.
///
/// # Safety
/// `data` is null or an error report that nobody else frees.
pub(super) unsafe fn take_error(mut data: duckdb_error_data) -> Result<(), Failure> {
    if data.is_null() {
        return Ok(());
    }
    // SAFETY: a live report by the caller's promise; the message is copied before it is destroyed.
    unsafe {
        let failed = duckdb_error_data_has_error(data);
        let code = duckdb_error_data_error_type(data);
        let message = owned_text(duckdb_error_data_message(data)).unwrap_or_default();
        duckdb_destroy_error_data(&mut data);
        if failed { Err(Failure { code, message }) } else { Ok(()) }
    }
}

/// An open database; closes when the last connection lets go of it.
pub(super) struct RawDb {
    ptr: duckdb_database,
    // Fields drop after `Drop::drop`: the file is free for others only once it is closed.
    _file: Option<OpenFile>,
}

// SAFETY: DuckDB documents the database handle as usable from any thread.
unsafe impl Send for RawDb {}
// SAFETY: as above; the only call made on a shared handle is `duckdb_connect`.
unsafe impl Sync for RawDb {}

impl RawDb {
    /// Opens `path` (`None`: in memory) with the given options.
    /// An engine without a file of its own; `file` is the claim on the one it will attach.
    pub fn open(options: &[(&str, String)], file: Option<OpenFile>) -> Result<RawDb, Failure> {
        let config = Config::new(options)?;
        let mut ptr: duckdb_database = ptr::null_mut();
        let mut error: *mut c_char = ptr::null_mut();
        // SAFETY: the config lives during the call; the error text is ours to free.
        unsafe {
            if duckdb_open_ext(ptr::null(), &mut ptr, config.0, &mut error) != DuckDBSuccess {
                let message = owned_text(error).unwrap_or_else(|| "cannot open".to_string());
                duckdb_free(error.cast());
                return Err(Failure::text(message));
            }
        }
        Ok(RawDb { ptr, _file: file })
    }
}

impl Drop for RawDb {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once; every connection holds an `Arc` of this.
        unsafe { duckdb_close(&mut self.ptr) }
    }
}

struct Config(duckdb_config);

impl Config {
    fn new(options: &[(&str, String)]) -> Result<Config, Failure> {
        let mut config = Config(ptr::null_mut());
        // SAFETY: out-pointer to our own field; `Drop` destroys it on every path.
        if unsafe { duckdb_create_config(&mut config.0) } != DuckDBSuccess {
            return Err(Failure::text("cannot make a database configuration"));
        }
        for (name, value) in options {
            let (c_name, c_value) = (c_string(name)?, c_string(value)?);
            // SAFETY: all three live during the call.
            let state = unsafe { duckdb_set_config(config.0, c_name.as_ptr(), c_value.as_ptr()) };
            if state != DuckDBSuccess {
                return Err(Failure::text(format!("DuckDB refuses the setting {name} = {value}")));
            }
        }
        Ok(config)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { duckdb_destroy_config(&mut self.0) }
    }
}

/// A connection; keeps its database open.
pub(super) struct RawCon {
    pub(super) ptr: duckdb_connection,
    _db: Arc<RawDb>,
}

// SAFETY: a connection is not tied to a thread, and DuckDB takes the connection's own lock in every
// call that runs a statement.
unsafe impl Send for RawCon {}
// SAFETY: what other threads reach through a shared handle is `interrupt` (an atomic flag) and the
// last drop; `Connection`, which does the rest, is not `Sync`.
unsafe impl Sync for RawCon {}

impl RawCon {
    pub fn open(db: &Arc<RawDb>) -> Result<Arc<RawCon>, Failure> {
        let mut ptr: duckdb_connection = ptr::null_mut();
        // SAFETY: the database is open while we hold it.
        if unsafe { duckdb_connect(db.ptr, &mut ptr) } != DuckDBSuccess {
            return Err(Failure::text("cannot connect to the open database"));
        }
        Ok(Arc::new(RawCon { ptr, _db: Arc::clone(db) }))
    }

    /// Asks the running statement to stop; may be called from any thread.
    pub fn interrupt(&self) {
        // SAFETY: the connection is open while we hold it; the call only sets an atomic flag.
        unsafe { duckdb_interrupt(self.ptr) }
    }

    /// Takes a text apart into its statements.
    pub fn parse(self: &Arc<Self>, sql: &str) -> Result<RawScript, Failure> {
        let sql = c_string(sql)?;
        let mut script = RawScript { ptr: ptr::null_mut(), count: 0, con: Arc::clone(self) };
        // SAFETY: connection and text live during the call; the script destroys itself, also
        // without statements; the error text belongs to it and is copied.
        unsafe {
            script.count = duckdb_extract_statements(self.ptr, sql.as_ptr(), &mut script.ptr);
            match owned_text(duckdb_extract_statements_error(script.ptr)) {
                Some(message) if script.count == 0 => Err(Failure::text(message)),
                _ => Ok(script),
            }
        }
    }

    pub fn prepare(self: &Arc<Self>, sql: &str) -> Result<RawStatement, Failure> {
        let sql = c_string(sql)?;
        let mut statement = RawStatement { ptr: ptr::null_mut(), con: Arc::clone(self) };
        // SAFETY: connection and text live during the call.
        unsafe {
            let state = duckdb_prepare(self.ptr, sql.as_ptr(), &mut statement.ptr);
            statement.checked(state)
        }
    }
}

impl Drop for RawCon {
    fn drop(&mut self) {
        // SAFETY: ours, disconnected once; statements, results and appenders hold an `Arc` of this
        // or a borrow of its owner.
        unsafe { duckdb_disconnect(&mut self.ptr) }
    }
}

/// The statements of a text.
pub(super) struct RawScript {
    ptr: duckdb_extracted_statements,
    count: idx_t,
    con: Arc<RawCon>,
}

impl RawScript {
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Prepares a statement; each at most once, and not before those it depends on have run.
    pub fn prepare(&self, at: u64) -> Result<RawStatement, Failure> {
        let mut statement = RawStatement { ptr: ptr::null_mut(), con: Arc::clone(&self.con) };
        // SAFETY: the engine checks the index; the rest as in `RawCon::prepare`.
        unsafe {
            let to = &mut statement.ptr;
            let state = duckdb_prepare_extracted_statement(self.con.ptr, self.ptr, at, to);
            statement.checked(state)
        }
    }
}

impl Drop for RawScript {
    fn drop(&mut self) {
        // SAFETY: ours (or null, which the call ignores), destroyed once.
        unsafe { duckdb_destroy_extracted(&mut self.ptr) }
    }
}

/// A prepared statement.
pub(super) struct RawStatement {
    ptr: duckdb_prepared_statement,
    con: Arc<RawCon>,
}

// SAFETY: the C API does not tie a statement to a thread; it is used by one thread at a time,
// because it is not Sync.
unsafe impl Send for RawStatement {}

impl RawStatement {
    /// The statement, if preparing it went well.
    ///
    /// # Safety
    /// `self.ptr` is what the engine made of a call that returned `state`.
    unsafe fn checked(self, state: duckdb_state) -> Result<RawStatement, Failure> {
        if state == DuckDBSuccess {
            return Ok(self);
        }
        // SAFETY: null or a failed statement, whose text belongs to it and is copied.
        let message = unsafe { owned_text(duckdb_prepare_error(self.ptr)) };
        Err(Failure::text(message.unwrap_or_else(|| "cannot prepare the statement".into())))
    }

    /// True for a plain query, which may be wrapped in another one.
    pub fn is_select(&self) -> bool {
        // SAFETY: prepared and alive.
        let kind = unsafe { duckdb_prepared_statement_type(self.ptr) };
        kind == duckdb_statement_type_DUCKDB_STATEMENT_TYPE_SELECT
    }

    pub fn bind_all(&self, params: &[Value]) -> Result<(), Failure> {
        // SAFETY: prepared and alive.
        let wanted = unsafe { duckdb_nparams(self.ptr) };
        if wanted != params.len() as u64 {
            let given = params.len();
            let text = format!("the statement has {wanted} parameters, {given} were given");
            return Err(Failure::text(text));
        }
        for (at, value) in params.iter().enumerate() {
            if self.bind(at as u64 + 1, value) != DuckDBSuccess {
                return Err(Failure::text(format!("cannot bind parameter {}", at + 1)));
            }
        }
        Ok(())
    }

    fn bind(&self, at: idx_t, value: &Value) -> duckdb_state {
        // SAFETY: the statement is alive and `at` within its parameters; text and blob are copied
        // by the engine during the call.
        unsafe {
            match value {
                Value::Null => duckdb_bind_null(self.ptr, at),
                Value::Bool(value) => duckdb_bind_boolean(self.ptr, at, *value),
                Value::Int(value) => duckdb_bind_int64(self.ptr, at, *value),
                Value::HugeInt(value) => duckdb_bind_hugeint(self.ptr, at, huge(*value)),
                Value::Decimal { value, scale } => {
                    let decimal = duckdb_decimal { width: 38, scale: *scale, value: huge(*value) };
                    duckdb_bind_decimal(self.ptr, at, decimal)
                }
                Value::Double(value) => duckdb_bind_double(self.ptr, at, *value),
                Value::Text(text) => {
                    let len = text.len() as idx_t;
                    duckdb_bind_varchar_length(self.ptr, at, text.as_ptr().cast(), len)
                }
                Value::Blob(bytes) => {
                    let len = bytes.len() as idx_t;
                    duckdb_bind_blob(self.ptr, at, bytes.as_ptr().cast(), len)
                }
                Value::Date(days) => duckdb_bind_date(self.ptr, at, duckdb_date { days: *days }),
                Value::Timestamp(micros) => {
                    let moment = duckdb_timestamp { micros: *micros };
                    duckdb_bind_timestamp_tz(self.ptr, at, moment)
                }
                Value::Uuid(uuid) => {
                    let (lower, upper) = (*uuid as u64, (*uuid >> 64) as u64);
                    let mut value = duckdb_create_uuid(duckdb_uhugeint { lower, upper });
                    let state = duckdb_bind_value(self.ptr, at, value);
                    duckdb_destroy_value(&mut value);
                    state
                }
            }
        }
    }

    /// Starts the statement. `streaming`: rows are made as they are fetched, so memory is bounded.
    pub fn execute(&self, streaming: bool) -> Result<RawResult, Failure> {
        let mut pending: duckdb_pending_result = ptr::null_mut();
        let mut result = RawResult::empty(&self.con);
        // SAFETY: statement alive; `pending` is destroyed on both paths, as the API demands; the
        // result destroys itself.
        unsafe {
            let state = if streaming {
                duckdb_pending_prepared_streaming(self.ptr, &mut pending)
            } else {
                duckdb_pending_prepared(self.ptr, &mut pending)
            };
            if state != DuckDBSuccess {
                let message = owned_text(duckdb_pending_error(pending));
                duckdb_destroy_pending(&mut pending);
                return Err(Failure::text(message.unwrap_or_else(|| "cannot execute".into())));
            }
            let state = duckdb_execute_pending(pending, &mut result.raw);
            duckdb_destroy_pending(&mut pending);
            if state != DuckDBSuccess {
                return Err(result.failure());
            }
        }
        result.types = result.column_types().into();
        Ok(result)
    }
}

impl Drop for RawStatement {
    fn drop(&mut self) {
        // SAFETY: ours (or null, which the call ignores), destroyed once.
        unsafe { duckdb_destroy_prepare(&mut self.ptr) }
    }
}

/// A result, read chunk by chunk.
pub(super) struct RawResult {
    raw: duckdb_result,
    types: Arc<[ColumnType]>,
    // A streaming result pulls its rows through the connection.
    _con: Arc<RawCon>,
}

impl RawResult {
    fn empty(con: &Arc<RawCon>) -> RawResult {
        let raw = duckdb_result {
            deprecated_column_count: 0,
            deprecated_row_count: 0,
            deprecated_rows_changed: 0,
            deprecated_columns: ptr::null_mut(),
            deprecated_error_message: ptr::null_mut(),
            internal_data: ptr::null_mut(),
        };
        RawResult { raw, types: Arc::new([]), _con: Arc::clone(con) }
    }

    fn failure(&mut self) -> Failure {
        // SAFETY: the result is ours; the text belongs to it and is copied.
        unsafe {
            let code = duckdb_result_error_type(&mut self.raw);
            let message = owned_text(duckdb_result_error(&mut self.raw)).unwrap_or_default();
            Failure { code, message }
        }
    }

    pub fn names(&mut self) -> Vec<String> {
        // SAFETY: indexes are within the column count; names belong to the result and are copied.
        unsafe {
            let count = duckdb_column_count(&mut self.raw);
            let name = |at| owned_text(duckdb_column_name(&mut self.raw, at)).unwrap_or_default();
            (0..count).map(name).collect()
        }
    }

    pub fn types(&self) -> &Arc<[ColumnType]> {
        &self.types
    }

    fn column_types(&mut self) -> Vec<ColumnType> {
        // SAFETY: indexes are within the column count; each logical type is ours to destroy.
        unsafe {
            let count = duckdb_column_count(&mut self.raw);
            let one = |at| {
                let mut logical = duckdb_column_logical_type(&mut self.raw, at);
                let id = duckdb_get_type_id(logical);
                let decimal = (duckdb_decimal_width(logical), duckdb_decimal_scale(logical));
                duckdb_destroy_logical_type(&mut logical);
                ColumnType::from_id(id, decimal)
            };
            (0..count).map(one).collect()
        }
    }

    pub fn rows_changed(&mut self) -> u64 {
        // SAFETY: the call reads a filled, materialised result only; both are asked for first.
        unsafe {
            if self.raw.internal_data.is_null() || duckdb_result_is_streaming(self.raw) {
                return 0;
            }
            duckdb_rows_changed(&mut self.raw)
        }
    }

    /// The next rows; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<RawChunk>, Failure> {
        // SAFETY: the result is alive; the chunk is ours. A failure while streaming shows as a null
        // chunk with an error on the result.
        unsafe {
            let ptr = duckdb_fetch_chunk(self.raw);
            if ptr.is_null() {
                let failure = self.failure();
                return if failure.message.is_empty() { Ok(None) } else { Err(failure) };
            }
            let rows = duckdb_data_chunk_get_size(ptr) as usize;
            Ok(Some(RawChunk { ptr, rows, types: Arc::clone(&self.types) }))
        }
    }
}

impl Drop for RawResult {
    fn drop(&mut self) {
        // SAFETY: ours (or never filled, which the call ignores), destroyed once.
        unsafe { duckdb_destroy_result(&mut self.raw) }
    }
}

/// A chunk of result rows.
pub(super) struct RawChunk {
    ptr: duckdb_data_chunk,
    rows: usize,
    types: Arc<[ColumnType]>,
}

impl RawChunk {
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The cells of a column, lent for as long as the chunk lives.
    pub fn column(&self, at: usize) -> Cells<'_> {
        assert!(at < self.types.len(), "column index within the result");
        // SAFETY: `at` is a column of this chunk. Result chunks are flat, so data holds `rows`
        // cells of the column's physical type and the mask, where there is one, a bit for each;
        // both live as long as the chunk, which the lifetime of `Cells` borrows.
        unsafe {
            let vector = duckdb_data_chunk_get_vector(self.ptr, at as idx_t);
            let mask = duckdb_vector_get_validity(vector);
            let mask = (!mask.is_null())
                .then(|| std::slice::from_raw_parts(mask.cast_const(), self.rows.div_ceil(64)));
            let data = duckdb_vector_get_data(vector).cast_const();
            Cells::lend(self, data, mask, self.types[at])
        }
    }
}

impl Drop for RawChunk {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; lent cells cannot outlive `self`.
        unsafe { duckdb_destroy_data_chunk(&mut self.ptr) }
    }
}

fn huge(value: i128) -> duckdb_hugeint {
    duckdb_hugeint { lower: value as u64, upper: (value >> 64) as i64 }
}

/// Settings of DuckDB's own allocator (jemalloc), which looks for this symbol when it starts: few
/// pools, and freed memory goes back to the system soon. By default it keeps pages for ten seconds
/// in four pools a processor, 70 MB and more of the memory limit for nothing (measured).
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
#[used]
static duckdb_je_malloc_conf_2_conf_harder: AllocatorSettings =
    AllocatorSettings(c"narenas:2,dirty_decay_ms:500,muzzy_decay_ms:0".as_ptr());

#[cfg(target_os = "linux")]
#[repr(transparent)]
struct AllocatorSettings(*const c_char);

// SAFETY: points to a constant text.
#[cfg(target_os = "linux")]
unsafe impl Sync for AllocatorSettings {}
