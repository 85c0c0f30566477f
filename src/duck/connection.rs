//! Statements, transactions, and frames as views.

use std::cell::{Cell, OnceCell};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use super::appender::Appender;
use super::columns::{Builder, values};
use super::error::{DuckError, DuckErrorKind};
use super::frame::Frame;
use super::raw::{RawCon, RawResult, RawStatement};
use super::scan::{FRAME_FUNCTION, Frames};
use super::value::{ColumnType, ResultColumn, Rows, Value};
use super::{CATALOG, IN_MEMORY};

/// An SQL identifier, quoted whatever it holds.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A connection to a database. One thread at a time.
pub struct Connection {
    pub(super) raw: Arc<RawCon>,
    frames: Arc<Frames>,
    /// Schema in which [`Connection::named`] names tables; else `main`.
    pub(super) schema: Option<Arc<str>>,
    /// Catalog of the tables.
    pub(super) catalog: &'static str,
    kept: OnceCell<u32>,
    // DuckDB would serialise calls from several threads, but their transactions would mix.
    _one_thread: PhantomData<Cell<()>>,
}

impl Connection {
    pub(super) fn new(raw: Arc<RawCon>, frames: Arc<Frames>) -> Connection {
        Connection {
            raw,
            frames,
            schema: None,
            catalog: IN_MEMORY,
            kept: OnceCell::new(),
            _one_thread: PhantomData,
        }
    }

    /// A number that the user of the connection keeps with it.
    pub fn kept(&self) -> &OnceCell<u32> {
        &self.kept
    }

    /// Columns of a table or view with their types; none where there is no such thing. The catalogue's own
    /// views list the columns of all tables first: four times the time.
    pub fn described(&self, schema: &str, table: &str) -> Result<Vec<(String, String)>, DuckError> {
        let of = format!("{}.{}.{}", self.catalog, quote(schema), quote(table));
        let sql = format!("SELECT column_name, column_type FROM (DESCRIBE {of})");
        let rows = match self.query(&sql, &[]) {
            Err(error) if matches!(error.kind, DuckErrorKind::Missing(_)) => return Ok(Vec::new()),
            found => found?.rows,
        };
        let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
        Ok(rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect())
    }

    /// Schema in which tables are named; `None`: `main`.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// A table of the schema as SQL names it. Without the catalog, which has another name in other
    /// programs, where views must hold; with it only where a schema is called like a catalog.
    pub fn named(&self, table: &str) -> String {
        let Some(schema) = self.schema.as_deref() else { return quote(table) };
        let is_catalog = [CATALOG, "memory", "system", "temp"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(schema));
        let catalog = if is_catalog { format!("{CATALOG}.") } else { String::new() };
        format!("{catalog}{}.{}", quote(schema), quote(table))
    }

    /// Runs any number of statements; the number of rows they changed. Statements before one that
    /// fails have run, unless a transaction holds them together.
    pub fn execute(&self, sql: &str) -> Result<u64, DuckError> {
        let script = self.raw.parse(sql).map_err(|e| e.on(sql))?;
        let mut changed = 0;
        for at in 0..script.len() {
            let statement = script.prepare(at).map_err(|e| e.on(sql))?;
            changed += statement.execute(false).map_err(|e| e.on(sql))?.rows_changed();
        }
        Ok(changed)
    }

    /// Runs one statement with parameters (`?` or `$1`); the number of rows it changed.
    pub fn execute_with(&self, sql: &str, params: &[Value]) -> Result<u64, DuckError> {
        Ok(self.start(sql, params, false)?.rows_changed())
    }

    fn start(&self, sql: &str, params: &[Value], streaming: bool) -> Result<RawResult, DuckError> {
        let statement = self.raw.prepare(sql).map_err(|e| e.on(sql))?;
        statement.bind_all(params).map_err(|e| DuckError::usage(e.message))?;
        statement.execute(streaming).map_err(|e| e.on(sql))
    }

    /// Starts a query so that every column has a type we read: where one has not (lists, structs,
    /// enums, times …), the query is wrapped and those columns are cast to text.
    fn start_query(
        &self,
        sql: &str,
        params: &[Value],
    ) -> Result<(RawResult, Vec<ResultColumn>), DuckError> {
        let mut result = self.start(sql, params, true)?;
        let columns = columns_of(&mut result);
        if columns.iter().all(|column| !matches!(column.kind, ColumnType::Other(_))) {
            return Ok((result, columns));
        }
        drop(result);
        let is_query = self.raw.prepare(sql).map_err(|e| e.on(sql))?.is_select();
        if !is_query {
            let text = "the statement returns a type that can only be read from a SELECT";
            return Err(DuckError::new(DuckErrorKind::Other, text, sql));
        }
        let mut result = self.start(&as_text(sql, &columns), params, true)?;
        let columns = columns_of(&mut result);
        Ok((result, columns))
    }

    /// Runs a query and hands over its rows as they come, about 2,048 at a time, in bounded memory.
    ///
    /// `each` gets the columns and the rows, at least once (an empty result: no rows), and may
    /// stop the query by `Break`. It must not use this connection for anything else meanwhile.
    pub fn query_each(
        &self,
        sql: &str,
        params: &[Value],
        mut each: impl FnMut(&[ResultColumn], Vec<Vec<Value>>) -> ControlFlow<()>,
    ) -> Result<Vec<ResultColumn>, DuckError> {
        let (mut result, columns) = self.start_query(sql, params)?;
        let mut called = false;
        while let Some(chunk) = result.next_chunk().map_err(|e| e.on(sql))? {
            called = true;
            if each(&columns, values(&chunk, columns.len())?).is_break() {
                return Ok(columns);
            }
        }
        if !called {
            // Nothing is left to stop.
            let _ = each(&columns, Vec::new());
        }
        Ok(columns)
    }

    /// Runs a query with a small result.
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows, DuckError> {
        let mut rows = Vec::new();
        let columns = self.query_each(sql, params, |_, mut more| {
            rows.append(&mut more);
            ControlFlow::Continue(())
        })?;
        Ok(Rows { columns, rows })
    }

    /// Runs a query and gives its result as columns, in the query's order.
    ///
    /// HUGEINT (what `sum` of integers gives) comes as DECIMAL(38,0); types without an Arrow
    /// counterpart here come as text.
    pub fn query_columns(&self, sql: &str) -> Result<Frame, DuckError> {
        let (result, columns) = self.start_query(sql, &[])?;
        read_columns(result, &columns, sql)
    }

    /// Runs a query and hands over its result as columns, about 2,048 rows at a time, in the query's
    /// order and in bounded memory. `each` may stop the query by `Break`; it must not use this
    /// connection for anything else meanwhile.
    pub fn query_frames(
        &self,
        sql: &str,
        mut each: impl FnMut(Frame) -> ControlFlow<()>,
    ) -> Result<(), DuckError> {
        let (mut result, columns) = self.start_query(sql, &[])?;
        while let Some(chunk) = result.next_chunk().map_err(|e| e.on(sql))? {
            let mut frame = Frame::new();
            for (at, column) in columns.iter().enumerate() {
                let mut builder = Builder::new(column.kind);
                builder.add(&chunk.column(at), chunk.rows())?;
                builder.finish(&column.name, &mut frame)?;
            }
            if each(frame).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Makes the columns of a frame readable as the temporary view `name` for as long as the
    /// returned guard lives. Nothing is copied; only the columns a query uses are touched; rows come
    /// in the frame's order; any number of queries may read it.
    pub fn frame_view(&self, name: &str, frame: &Frame) -> Result<FrameView<'_>, DuckError> {
        if frame.width() == 0 {
            return Err(DuckError::usage("a frame without columns cannot be a view"));
        }
        let id = self.frames.add(frame.clone(), &self.raw);
        let view = FrameView { con: self, name: name.to_string(), id };
        let name = quote(name);
        self.execute(&format!(
            "CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {FRAME_FUNCTION}({id})"
        ))?;
        Ok(view)
    }

    /// Prepares a statement over frames of one shape, which it sees as the view `name`: parsing and
    /// planning are done once (72 rules: 13 ms), each run costs only its work. `like` gives names
    /// and types of the columns.
    pub fn prepare_over(&self, name: &str, like: &Frame, sql: &str) -> Result<Prepared, DuckError> {
        let id = self.frames.add(like.slice(0, 0), &self.raw);
        let view = quote(name);
        self.execute(&format!(
            "CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {FRAME_FUNCTION}({id})"
        ))?;
        let statement = self.raw.prepare(sql).map_err(|e| e.on(sql))?;
        let slot = Slot { frames: Arc::clone(&self.frames), id, con: Arc::clone(&self.raw) };
        Ok(Prepared { statement, slot, sql: sql.to_owned() })
    }

    /// Prepares a question without parameters, whose columns are all of types that we read: parsing and
    /// planning of one over 200 columns cost as much as its answer over 4,000 rows.
    pub fn prepare(&self, sql: &str) -> Result<Question, DuckError> {
        let statement = self.raw.prepare(sql).map_err(|e| e.on(sql))?;
        Ok(Question { statement, sql: sql.to_owned() })
    }

    /// An appender to a table: the fast way in, within the connection's transaction.
    pub fn appender(&self, schema: &str, table: &str) -> Result<Appender<'_>, DuckError> {
        Appender::open(self, schema, table)
    }

    /// Starts a transaction.
    pub fn begin(&self) -> Result<(), DuckError> {
        self.execute("BEGIN TRANSACTION").map(drop)
    }

    /// Commits the transaction. Flush appenders first: what they hold is not part of it.
    pub fn commit(&self) -> Result<(), DuckError> {
        self.execute("COMMIT").map(drop)
    }

    /// Gives up the transaction.
    pub fn rollback(&self) -> Result<(), DuckError> {
        self.execute("ROLLBACK").map(drop)
    }

    /// Runs `work` in a transaction: committed when it succeeds, else rolled back.
    pub fn transaction<T, E: From<DuckError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin()?;
        let done = work(self).and_then(|value| Ok(self.commit().map(|()| value)?));
        if done.is_err() {
            // The first error tells more than one of the clean-up; after a failed COMMIT there is
            // no transaction left, which is an error here and no harm.
            let _ = self.rollback();
        }
        done
    }

    /// Writes everything committed into the file and empties the write-ahead log.
    pub fn checkpoint(&self) -> Result<(), DuckError> {
        self.execute("CHECKPOINT").map(drop)
    }

    /// A handle by which another thread can stop what runs here.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(Arc::downgrade(&self.raw))
    }
}

fn columns_of(result: &mut RawResult) -> Vec<ResultColumn> {
    let names = result.names();
    let column = |(name, kind): (String, &ColumnType)| ResultColumn { name, kind: *kind };
    names.into_iter().zip(result.types().iter()).map(column).collect()
}

/// The query again, with the columns that we cannot read cast to text.
fn as_text(sql: &str, columns: &[ResultColumn]) -> String {
    let inner = sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    let pick = |(at, column): (usize, &ResultColumn)| match column.kind {
        ColumnType::Other(_) => format!("CAST(c{at} AS VARCHAR) AS {}", quote(&column.name)),
        _ => format!("c{at} AS {}", quote(&column.name)),
    };
    let picks: Vec<_> = columns.iter().enumerate().map(pick).collect();
    let names: Vec<_> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    format!("SELECT {} FROM (\n{inner}\n) AS q({})", picks.join(", "), names.join(", "))
}

/// Stops the statement that runs on a connection; usable from any thread, and after the
/// connection is gone.
#[derive(Clone)]
pub struct InterruptHandle(Weak<RawCon>);

impl InterruptHandle {
    /// Asks the running statement to stop: it ends with [`DuckErrorKind::Interrupted`].
    pub fn interrupt(&self) {
        if let Some(con) = self.0.upgrade() {
            con.interrupt();
        }
    }
}

/// A question that is prepared once and asked many times.
pub struct Question {
    statement: RawStatement,
    sql: String,
}

impl Question {
    /// All rows of the answer.
    pub fn ask(&self) -> Result<Vec<Vec<Value>>, DuckError> {
        let mut result = self.statement.execute(true).map_err(|e| e.on(&self.sql))?;
        let columns = columns_of(&mut result).len();
        let mut rows = Vec::new();
        while let Some(chunk) = result.next_chunk().map_err(|e| e.on(&self.sql))? {
            rows.append(&mut values(&chunk, columns)?);
        }
        Ok(rows)
    }
}

/// A statement that is prepared once and run over many frames.
pub struct Prepared {
    statement: RawStatement,
    slot: Slot,
    sql: String,
}

/// The place whose frame a prepared query reads.
struct Slot {
    frames: Arc<Frames>,
    id: u64,
    con: Arc<RawCon>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.frames.remove(self.id);
    }
}

impl Prepared {
    /// Runs the query over a frame of the shape it was prepared for. The result is read to its end
    /// before this returns, so the frame outlives every vector that refers to it.
    pub fn run(&mut self, frame: Frame) -> Result<Frame, DuckError> {
        self.over(frame, Self::columns)
    }

    /// Runs a statement that changes a table; the number of rows it changed.
    pub fn execute(&mut self, frame: Frame) -> Result<u64, DuckError> {
        self.over(frame, |prepared| {
            let mut done = prepared.statement.execute(false).map_err(|e| e.on(&prepared.sql))?;
            Ok(done.rows_changed())
        })
    }

    fn over<T>(
        &mut self,
        frame: Frame,
        run: impl FnOnce(&Self) -> Result<T, DuckError>,
    ) -> Result<T, DuckError> {
        let empty = frame.slice(0, 0);
        self.slot.frames.replace(self.slot.id, frame, &self.slot.con);
        let result = run(self);
        self.slot.frames.replace(self.slot.id, empty, &self.slot.con);
        result
    }

    fn columns(&self) -> Result<Frame, DuckError> {
        let mut result = self.statement.execute(true).map_err(|e| e.on(&self.sql))?;
        let columns = columns_of(&mut result);
        read_columns(result, &columns, &self.sql)
    }
}

fn read_columns(
    mut result: RawResult,
    columns: &[ResultColumn],
    sql: &str,
) -> Result<Frame, DuckError> {
    let mut builders: Vec<_> = columns.iter().map(|column| Builder::new(column.kind)).collect();
    while let Some(chunk) = result.next_chunk().map_err(|e| e.on(sql))? {
        for (at, builder) in builders.iter_mut().enumerate() {
            builder.add(&chunk.column(at), chunk.rows())?;
        }
    }
    let mut frame = Frame::new();
    for (column, builder) in columns.iter().zip(builders) {
        builder.finish(&column.name, &mut frame)?;
    }
    Ok(frame)
}

/// A frame that SQL sees as a view. The view goes with it.
pub struct FrameView<'c> {
    con: &'c Connection,
    name: String,
    id: u64,
}

impl FrameView<'_> {
    /// The view's name, as given.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for FrameView<'_> {
    fn drop(&mut self) {
        self.con.frames.remove(self.id);
        // Where the view cannot be dropped (a failed transaction) it stays, and says when asked
        // that its frame is gone.
        let _ = self.con.execute(&format!("DROP VIEW IF EXISTS temp.{}", quote(&self.name)));
    }
}
