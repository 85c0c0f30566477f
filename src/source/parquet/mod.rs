//! Parquet, read by DuckDB's own reader in a database in memory.
//!
//! Values keep the types that the file declares; where a schema wants another type, they go by the
//! same rules as any other cell, so that an id stored as a number is text only where it is exact.
//! Bytes that no annotation names are text where all of them are valid UTF-8 (`bytes`, `nested`), and
//! decimals with more digits than DuckDB holds are read here (`decimals`).
//! Rows come in the file's order, from any row on, and only the columns that are loaded.

mod bytes;
mod decimals;
mod decode;
mod elements;
mod int96;
mod lz4;
mod mend;
mod nested;
mod stream;
mod survey;
#[cfg(test)]
mod tests;
mod thrift;
mod types;
mod values;

use super::{Confidence, Content, Format, SourceError, SourceErrorKind, SourceOptions, Table};
use crate::duck::{Connection, Database, DuckError, DuckErrorKind, Settings};
use std::path::Path;
use std::sync::Arc;

/// Parquet files.
pub struct Parquet;

/// Most memory that reading one file may take; a page is decoded as a whole, and what a damaged
/// file says about its size must not be believed.
const MEMORY: u64 = 1 << 30;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn sniff(&self, head: &[u8], _name: &str) -> Confidence {
        // `PARE`: the footer is encrypted.
        if head.starts_with(b"PAR1") || head.starts_with(b"PARE") {
            Confidence::Certain
        } else {
            Confidence::No
        }
    }

    fn survey(
        &self,
        content: &Content,
        options: &SourceOptions,
    ) -> Result<Vec<Arc<dyn Table>>, SourceError> {
        Ok(vec![Arc::new(survey::survey(content, options)?)])
    }
}

/// A database in memory that reads in order.
fn connect() -> Result<Connection, DuckError> {
    let settings = Settings { memory_limit: Some(MEMORY), threads: Some(1), ..Settings::default() };
    Database::memory(&settings)?.connect()
}

/// The table function over exactly this file, with the columns named `c0`, `c1`, …
fn scan(path: &Path, columns: usize) -> Result<String, String> {
    let names: Vec<_> = (0..columns).map(|at| format!("c{at}")).collect();
    let names = if columns == 0 { String::new() } else { format!("({})", names.join(", ")) };
    Ok(format!("read_parquet({}, hive_partitioning = false) AS t{names}", literal(path)?))
}

/// A path as an SQL text that no pattern character in it can widen to other files.
fn literal(path: &Path) -> Result<String, String> {
    let absolute = std::path::absolute(path).map_err(|error| error.to_string())?;
    let text = absolute.to_str().ok_or("the path is not valid Unicode")?;
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '*' | '?' | '[' => quoted.extend(['[', c, ']']),
            '\'' => quoted.push_str("''"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    Ok(quoted)
}

fn encrypted(label: &str) -> SourceError {
    SourceError::new(SourceErrorKind::Password, label, "the Parquet file is encrypted")
        .with_hint("write it again without encryption")
}

/// What an error of the engine means to the user.
fn explain(label: &str, error: &DuckError) -> SourceError {
    let message = error.message.lines().next().unwrap_or_default();
    let unsupported = ["Not implemented", "not supported", "nsupported", "ncrypt"];
    let (kind, message, hint) = match error.kind {
        DuckErrorKind::OutOfMemory => (
            SourceErrorKind::Limit,
            format!("reading needs more than {} MiB: {message}", MEMORY >> 20),
            "write the file again with smaller row groups",
        ),
        DuckErrorKind::Permission => {
            (SourceErrorKind::Unreadable, message.to_owned(), "check who may read the file")
        }
        _ if unsupported.iter().any(|word| message.contains(word)) => (
            SourceErrorKind::NotTheFormat,
            format!("the Parquet file is written in a way that is not read here: {message}"),
            "write it again with another codec (Snappy, Gzip, Zstd, LZ4_RAW or none)",
        ),
        _ => (
            SourceErrorKind::Broken,
            format!("the Parquet file is cut off or damaged: {message}"),
            "download it again",
        ),
    };
    SourceError::new(kind, label, message).with_hint(hint)
}
