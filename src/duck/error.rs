//! What can go wrong in DuckDB, sorted by what the caller can do about it.

use libduckdb_sys as sys;
use thiserror::Error;

/// What kind of trouble it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DuckErrorKind {
    /// Another process (or this one) has the file open.
    Locked {
        /// Its process id, where DuckDB tells it.
        pid: Option<u32>,
        /// Its program, where DuckDB tells it.
        program: Option<String>,
    },
    /// No space left, for the file or for spilling.
    DiskFull,
    /// DuckDB's memory limit is too small for the statement.
    OutOfMemory,
    /// A row violates a constraint.
    Constraint,
    /// A value does not fit its type.
    Conversion,
    /// The SQL is not SQL.
    Syntax(Option<Place>),
    /// The SQL names something that is not there, or puts types together that do not go.
    Binder(Option<Place>),
    /// A table, schema, function or file does not exist.
    Missing(Option<Place>),
    /// Another transaction was faster; a retry may work.
    Conflict,
    /// The transaction failed before; only ROLLBACK helps.
    Aborted,
    /// Stopped by an [`InterruptHandle`](super::InterruptHandle).
    Interrupted,
    /// The file is damaged.
    Corrupt,
    /// The file is something else.
    NotADatabase,
    /// The file was written by a DuckDB that this one cannot read.
    Version,
    /// The database was opened for reading only.
    ReadOnly,
    /// The operating system, or our own sandbox, refuses access.
    Permission,
    /// DuckDB gave up on the open database; it must be closed and opened anew.
    Invalidated,
    /// A parameter or column given by the caller does not fit.
    Usage,
    /// Reading or writing failed otherwise.
    Io,
    /// Anything else.
    Other,
}

/// Where in the SQL text, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column; `None` where DuckDB shortened the line.
    pub column: Option<u32>,
}

/// A failure of the database.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct DuckError {
    /// What can be done about it follows from this.
    pub kind: DuckErrorKind,
    /// DuckDB's own words.
    pub message: String,
    /// The statement, shortened; empty where there is none.
    pub sql: String,
}

impl DuckError {
    pub(super) fn new(kind: DuckErrorKind, message: impl Into<String>, sql: &str) -> DuckError {
        DuckError { kind, message: message.into(), sql: shorten(sql) }
    }

    pub(super) fn usage(message: impl Into<String>) -> DuckError {
        DuckError::new(DuckErrorKind::Usage, message, "")
    }

    /// True when the same statement may succeed in a new transaction.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, DuckErrorKind::Conflict)
    }
}

/// A failure as the C API reports it: a number where it gives one, and a text.
#[derive(Debug)]
pub(super) struct Failure {
    pub code: u32,
    pub message: String,
}

impl Failure {
    pub fn text(message: impl Into<String>) -> Failure {
        Failure { code: sys::duckdb_error_type_DUCKDB_ERROR_INVALID, message: message.into() }
    }

    pub fn on(self, sql: &str) -> DuckError {
        DuckError {
            kind: classify(self.code, &self.message),
            message: self.message,
            sql: shorten(sql),
        }
    }
}

const SHOWN_SQL: usize = 400;

fn shorten(sql: &str) -> String {
    let sql = sql.trim();
    match sql.char_indices().nth(SHOWN_SQL) {
        Some((end, _)) => format!("{}…", &sql[..end]),
        None => sql.to_string(),
    }
}

/// Words that decide whatever the error's class says: DuckDB uses one class for many troubles.
fn by_words(message: &str) -> Option<DuckErrorKind> {
    use DuckErrorKind::*;
    let has = |words: &str| message.contains(words);
    if has("Could not set lock on file")
        || has("File is already open in")
        || has("used by another process")
        || has("already held in current process")
    {
        return Some(locked(message));
    }
    let disk =
        ["No space left on device", "max_temp_directory_size", "not enough space on the disk"];
    if disk.iter().any(|words| has(words)) {
        return Some(DiskFull);
    }
    if has("database has been invalidated") {
        return Some(Invalidated);
    }
    if has("not a valid DuckDB database file") {
        return Some(NotADatabase);
    }
    if has("read a database file with version number") {
        return Some(Version);
    }
    let damage =
        ["Corrupt database file", "hecksum", "could not replay WAL", "Failure while replaying"];
    if damage.iter().any(|words| has(words)) {
        return Some(Corrupt);
    }
    if has("database does not exist") {
        return Some(Missing(None));
    }
    if has("read-only mode") || has("readonly database") {
        return Some(ReadOnly);
    }
    if has("Current transaction is aborted") {
        return Some(Aborted);
    }
    None
}

fn classify(code: u32, message: &str) -> DuckErrorKind {
    use DuckErrorKind::*;
    if let Some(kind) = by_words(message) {
        return kind;
    }
    let code = if code == sys::duckdb_error_type_DUCKDB_ERROR_INVALID {
        code_of_prefix(message)
    } else {
        code
    };
    match code {
        sys::duckdb_error_type_DUCKDB_ERROR_OUT_OF_MEMORY => OutOfMemory,
        sys::duckdb_error_type_DUCKDB_ERROR_CONSTRAINT => Constraint,
        sys::duckdb_error_type_DUCKDB_ERROR_CONVERSION
        | sys::duckdb_error_type_DUCKDB_ERROR_OUT_OF_RANGE
        | sys::duckdb_error_type_DUCKDB_ERROR_MISMATCH_TYPE
        | sys::duckdb_error_type_DUCKDB_ERROR_DECIMAL => Conversion,
        sys::duckdb_error_type_DUCKDB_ERROR_PARSER | sys::duckdb_error_type_DUCKDB_ERROR_SYNTAX => {
            Syntax(place(message))
        }
        sys::duckdb_error_type_DUCKDB_ERROR_BINDER => Binder(place(message)),
        sys::duckdb_error_type_DUCKDB_ERROR_CATALOG if message.contains("does not exist") => {
            Missing(place(message))
        }
        sys::duckdb_error_type_DUCKDB_ERROR_CATALOG if message.contains("could not be found") => {
            Missing(None)
        }
        sys::duckdb_error_type_DUCKDB_ERROR_TRANSACTION => Conflict,
        sys::duckdb_error_type_DUCKDB_ERROR_INTERRUPT => Interrupted,
        sys::duckdb_error_type_DUCKDB_ERROR_PERMISSION => Permission,
        sys::duckdb_error_type_DUCKDB_ERROR_SERIALIZATION => Corrupt,
        sys::duckdb_error_type_DUCKDB_ERROR_FATAL => Invalidated,
        sys::duckdb_error_type_DUCKDB_ERROR_IO if message.contains("Permission denied") => {
            Permission
        }
        sys::duckdb_error_type_DUCKDB_ERROR_IO if message.contains("No such file") => Missing(None),
        sys::duckdb_error_type_DUCKDB_ERROR_IO => Io,
        sys::duckdb_error_type_DUCKDB_ERROR_INVALID_INPUT => Usage,
        _ => Other,
    }
}

/// Opening and preparing report a text only; it begins with the name of its class.
fn code_of_prefix(message: &str) -> u32 {
    let names = [
        ("Parser Error", sys::duckdb_error_type_DUCKDB_ERROR_PARSER),
        ("Syntax Error", sys::duckdb_error_type_DUCKDB_ERROR_SYNTAX),
        ("Binder Error", sys::duckdb_error_type_DUCKDB_ERROR_BINDER),
        ("Catalog Error", sys::duckdb_error_type_DUCKDB_ERROR_CATALOG),
        ("Conversion Error", sys::duckdb_error_type_DUCKDB_ERROR_CONVERSION),
        ("Out of Range Error", sys::duckdb_error_type_DUCKDB_ERROR_OUT_OF_RANGE),
        ("Constraint Error", sys::duckdb_error_type_DUCKDB_ERROR_CONSTRAINT),
        ("Out of Memory Error", sys::duckdb_error_type_DUCKDB_ERROR_OUT_OF_MEMORY),
        ("TransactionContext Error", sys::duckdb_error_type_DUCKDB_ERROR_TRANSACTION),
        ("INTERRUPT Error", sys::duckdb_error_type_DUCKDB_ERROR_INTERRUPT),
        ("Permission Error", sys::duckdb_error_type_DUCKDB_ERROR_PERMISSION),
        ("Serialization Error", sys::duckdb_error_type_DUCKDB_ERROR_SERIALIZATION),
        ("FATAL Error", sys::duckdb_error_type_DUCKDB_ERROR_FATAL),
        ("IO Error", sys::duckdb_error_type_DUCKDB_ERROR_IO),
        ("Invalid Input Error", sys::duckdb_error_type_DUCKDB_ERROR_INVALID_INPUT),
    ];
    names
        .iter()
        .find(|(name, _)| message.starts_with(name))
        .map_or(sys::duckdb_error_type_DUCKDB_ERROR_INVALID, |(_, code)| *code)
}

/// Who holds the lock: `… held in /usr/bin/python3 (PID 42) by user …`, `… held in PID 42 …`, or
/// on Windows `File is already open in` and a list of programs, a line each.
fn locked(message: &str) -> DuckErrorKind {
    let pid = message.split("PID ").nth(1).and_then(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    });
    let holder = message
        .split("lock is held in ")
        .nth(1)
        .or_else(|| message.split("already open in").nth(1));
    let program = holder
        .and_then(|rest| rest.split("(PID").next())
        .map(|name| name.trim().to_string())
        .filter(|name| !name.is_empty() && !name.starts_with("PID ") && name.len() < 4096);
    let program = if message.contains("already held in current process") {
        Some("this process".to_string())
    } else {
        program
    };
    DuckErrorKind::Locked { pid, program }
}

/// Reads the place from DuckDB's picture of it: `LINE 2: … text` and a `^` below.
fn place(message: &str) -> Option<Place> {
    let mut lines = message.lines().skip_while(|line| !line.starts_with("LINE "));
    let shown = lines.next()?;
    let caret = lines.find(|line| line.trim_start() == "^")?.len() as u32;
    let (number, text) = shown.strip_prefix("LINE ")?.split_once(": ")?;
    let line = number.parse().ok()?;
    let indent = (shown.len() - text.len()) as u32;
    let column = if text.starts_with("...") { None } else { caret.checked_sub(indent) };
    Some(Place { line, column })
}
