//! DuckDB, behind a small safe wrapper over its C API.
//!
//! One connection does it all: statements, transactions, an appender, and columns both ways without
//! a copy where DuckDB allows it. That is why this is not the `duckdb` crate: there the appender
//! cannot take columns inside the caller's transaction without a second Arrow library beside
//! polars' own. All `unsafe` of the program is in `raw.rs` (statements and results), `arrow.rs`
//! (columns), `fill.rs` (their cells) and `scan.rs` (frames in SQL).
//!
//! Promises: extensions are never fetched or loaded by themselves; no file is opened twice in one
//! process; the session's time zone is UTC wherever the program runs; an error says what kind of
//! trouble it is; nothing here panics on bad SQL or bad data.

mod appender;
mod arrow;
mod columns;
mod connection;
mod error;
mod files;
mod fill;
mod frame;
mod heap;
mod log;
mod raw;
mod scan;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use appender::Appender;
pub use connection::{Connection, FrameView, InterruptHandle, Prepared, Question, quote};
pub use error::{DuckError, DuckErrorKind, Place};
pub use frame::Frame;
pub use heap::{few_memory_pools, trim_memory_pools};
pub use value::{ColumnType, ResultColumn, Rows, Value};

use files::OpenFile;
use raw::{RawCon, RawDb};
use scan::Frames;

/// DuckDB's row group: a commit of a multiple of this many rows is stored once, any other is
/// rewritten by later ones.
pub const ROW_GROUP: usize = 122_880;

/// The version of the linked library, such as `v1.5.6`.
pub fn library_version() -> String {
    arrow::library_version()
}

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Upper bound of the memory DuckDB manages, in bytes; default: DuckDB's own (80 % of all).
    pub memory_limit: Option<u64>,
    /// Worker threads; default: one a core.
    pub threads: Option<usize>,
    /// Where it spills; default: beside the file, and for a database in memory nowhere.
    pub temp_dir: Option<PathBuf>,
    /// Upper bound of the spill files, in bytes.
    pub max_temp_bytes: Option<u64>,
    /// Open for reading: several processes may, as long as none writes.
    pub read_only: bool,
    /// No access to files or network from SQL, and the configuration cannot be changed: for SQL
    /// that comes from a user's rules.
    pub sandboxed: bool,
    /// Keep the order of rows without ORDER BY. Costs memory in large statements.
    pub preserve_order: bool,
    /// Joins as written: the right side is built, the left side streams through in order. For
    /// lookups in small tables from a stream whose size the optimizer cannot know.
    pub joins_as_written: bool,
    /// Block size of a file that is made anew, in bytes; default: DuckDB's 256 KiB. A commit pins
    /// about four blocks a column, which for a roll of 200 columns is 200 MB at the default.
    pub block_size: Option<u64>,
    /// Rows of a row group written from here; default: DuckDB's 122,880. Each writer holds one
    /// uncompressed in memory, and compresses it at one go.
    pub row_group: Option<u64>,
    /// Oldest DuckDB that can read a file that is made anew, such as `v1.3.0`; default: DuckDB's own
    /// choice, which reads back to 1.0 and packs texts less well.
    pub storage: Option<&'static str>,
    /// Size of the write-ahead log, in bytes, from which a commit makes a checkpoint by itself.
    pub checkpoint_threshold: Option<u64>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            memory_limit: None,
            threads: None,
            temp_dir: None,
            max_temp_bytes: None,
            read_only: false,
            sandboxed: false,
            preserve_order: true,
            joins_as_written: false,
            block_size: None,
            row_group: None,
            storage: None,
            checkpoint_threshold: None,
        }
    }
}

impl Settings {
    fn options(&self, path: Option<&str>) -> Result<Vec<(&'static str, String)>, DuckError> {
        let mut options = vec![
            ("autoinstall_known_extensions", "false".to_string()),
            ("autoload_known_extensions", "false".to_string()),
            ("preserve_insertion_order", self.preserve_order.to_string()),
        ];
        let mut add = |name, value: Option<String>| {
            options.extend(value.map(|value| (name, value)));
        };
        add("memory_limit", self.memory_limit.map(|bytes| format!("{bytes}B")));
        add("threads", self.threads.map(|count| count.max(1).to_string()));
        add("max_temp_directory_size", self.max_temp_bytes.map(|bytes| format!("{bytes}B")));
        add("checkpoint_threshold", self.checkpoint_threshold.map(|bytes| format!("{bytes}B")));
        add("default_block_size", self.block_size.map(|bytes| bytes.to_string()));
        let fixed = "join_order,build_side_probe_side".to_string();
        add("disabled_optimizers", self.joins_as_written.then_some(fixed));
        // Left alone, DuckDB would make a folder `.tmp` where the program happens to stand.
        let folder = match (&self.temp_dir, path) {
            (Some(folder), _) => utf8(folder)?.to_string(),
            (None, Some(path)) => format!("{path}.tmp"),
            (None, None) => String::new(),
        };
        add("temp_directory", Some(folder));
        if self.sandboxed {
            add("enable_external_access", Some("false".to_string()));
        }
        Ok(options)
    }

    /// What is said where the file is attached.
    fn attach_options(&self, path: &str) -> String {
        if self.read_only {
            return " (READ_ONLY)".into();
        }
        // A file that is there keeps the storage that it has.
        let is_new = std::fs::metadata(path).map_or(true, |file| file.len() == 0);
        let storage = self.storage.filter(|_| is_new);
        let options: Vec<_> = self
            .row_group
            .map(|rows| format!("ROW_GROUP_SIZE {rows}"))
            .into_iter()
            .chain(storage.map(|version| format!("STORAGE_VERSION '{version}'")))
            .collect();
        if options.is_empty() { String::new() } else { format!(" ({})", options.join(", ")) }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn utf8(path: &Path) -> Result<&str, DuckError> {
    path.to_str().ok_or_else(|| {
        let text = format!("DuckDB needs a path that is valid Unicode, not {}", path.display());
        DuckError::usage(text)
    })
}

/// An open database. Clones and connections share it; it closes when the last of them is dropped.
#[derive(Clone)]
pub struct Database {
    raw: Arc<RawDb>,
    frames: Arc<Frames>,
    /// What attaches the file again; nothing for a database in memory.
    attach: Option<Arc<str>>,
    /// Schema in which connections name tables; else `main`.
    schema: Option<Arc<str>>,
}

/// The catalog of an opened file. DuckDB would name it after the file, and a file `etl.duckdb` would
/// make `etl.runs` ambiguous: schema or catalog?
const CATALOG: &str = "etl_target";

/// The catalog that every instance begins with.
const IN_MEMORY: &str = "memory";

impl Database {
    /// Opens a file, and makes it where it is missing (unless read-only).
    pub fn open(path: &Path, settings: &Settings) -> Result<Database, DuckError> {
        let text = utf8(path)?;
        if text.is_empty() || text == ":memory:" {
            return Err(DuckError::usage("the path of the database is empty"));
        }
        let file = OpenFile::claim(path, settings.read_only)?;
        if file.is_only_use() {
            log::cut_torn_end(path);
        }
        Database::start(Some(text), settings, Some(file))
    }

    /// A database in memory only.
    pub fn memory(settings: &Settings) -> Result<Database, DuckError> {
        Database::start(None, settings, None)
    }

    fn start(
        path: Option<&str>,
        settings: &Settings,
        file: Option<OpenFile>,
    ) -> Result<Database, DuckError> {
        let raw = RawDb::open(&settings.options(path)?, file).map_err(|e| e.on(""))?;
        let raw = Arc::new(raw);
        let frames = Arc::<Frames>::default();
        if let Some(path) = path {
            let first = Connection::new(RawCon::open(&raw).map_err(|e| e.on(""))?, frames.clone());
            let how = settings.attach_options(path);
            first.execute(&format!("ATTACH {} AS {CATALOG}{how}", literal(path)))?;
        }
        // By now the file is there and keeps the storage that it has.
        let again = |path| {
            let how = settings.attach_options(path);
            format!("ATTACH {} AS {CATALOG}{how}", literal(path)).into()
        };
        let database = Database { raw, frames, attach: path.map(again), schema: None };
        let con = database.connect()?;
        scan::register(&con.raw, &database.frames).map_err(|e| e.on(""))?;
        // Without ICU there is neither the setting nor a zone other than UTC.
        if let Err(error) = con.execute("SET GLOBAL TimeZone = 'UTC'")
            && !matches!(error.kind, DuckErrorKind::Missing(_))
            && !error.message.contains("nrecognized configuration")
        {
            return Err(error);
        }
        if settings.sandboxed {
            con.execute("SET GLOBAL lock_configuration = true")?;
        }
        Ok(database)
    }

    /// The same database, whose connections name tables of another schema than `main`.
    #[must_use]
    pub fn in_schema(&self, schema: Option<&str>) -> Database {
        Database { schema: schema.map(Arc::from), ..self.clone() }
    }

    /// A new connection, with a transaction state of its own.
    pub fn connect(&self) -> Result<Connection, DuckError> {
        let raw = RawCon::open(&self.raw).map_err(|e| e.on(""))?;
        let mut con = Connection::new(raw, Arc::clone(&self.frames));
        con.schema = self.schema.clone();
        if self.attach.is_some() {
            con.catalog = CATALOG;
            con.execute(&format!("USE {CATALOG}"))?;
        }
        Ok(con)
    }

    /// Closes the file and opens it again, by one of its connections; the others may stay, and so may
    /// what they have prepared. DuckDB keeps in memory, outside its limit, what it has once known of
    /// each column of each row group (2 KB, measured); this forgets it. No connection may be in a
    /// transaction on the file, nor begin one meanwhile.
    pub fn reopen(&self, con: &Connection) -> Result<(), DuckError> {
        let Some(attach) = &self.attach else { return Ok(()) };
        con.execute(&format!("CHECKPOINT {CATALOG}; USE {IN_MEMORY}; DETACH {CATALOG}"))?;
        con.execute(&format!("{attach}; USE {CATALOG}"))?;
        Ok(())
    }
}
