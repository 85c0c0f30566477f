//! The failed-record file: every refused row, complete, in a form that can be corrected and
//! replayed.
//!
//! # The file
//!
//! `<input stem>.<run id>.failed.jsonl`: one JSON object a line, UTF-8, LF, fields in the order of
//! [`Record`]. The run id in the name means that no run ever writes into another's file.
//!
//! * `id` is a hash of (fingerprint, sheet, row): the same row has the same id in every run and
//!   every attempt, whatever the file was called.
//! * `raw` is a *list* of `[name, value]` pairs, not an object: source order survives, and so do two
//!   columns of one name, which JSON objects lose silently in most readers.
//! * A text line that could not be split has the single pair `["_line", text]`, and `split` keeps the
//!   delimiter and the header, so that a corrected line can be split as the file would have been.
//! * `range` is the ledger range whose transaction commits the record.
//!
//! # Exactly once
//!
//! The loader appends the records of a range, calls [`Writer::sync`], then commits the range. So a
//! range in the ledger has all its records on disk, and a record without a range in the ledger is
//! left over from a commit that never happened. [`recover`] drops those and a torn tail. It follows
//! that everything in front of a committed record was synced with it: damage there is not ours and
//! is reported instead of dropped.
//!
//! # Correcting and replaying
//!
//! [`export_csv`] and [`export_xlsx`] write sheets for people. [`import`] takes the corrected sheet
//! (or the JSONL itself), joins it with the records by `_etl_id` and gives a [`Replay`]: one
//! [`ReplayTable`] for each input that the records came from, which the same agents read as they
//! read a file. Rows stay on disk until they are read: a replay holds an index and the corrections.

mod corrections;
mod decode;
mod error;
mod export;
mod grid;
mod import;
mod lines;
mod read;
mod record;
mod recover;
mod replay;
mod sheet;
mod table;
mod write;
mod xlsx;

#[cfg(test)]
mod tests;

pub use error::DeadLetterError;
pub use export::{ExportedPart, export_csv, export_csv_to};
pub use import::{import, import_records};
pub use read::{FailedFile, Records, inspect, list, read};
pub use record::{Context, Letterhead, Record, RecordId, Split};
pub use recover::{Recovered, discard, recover};
pub use replay::{Replay, ReplayRow};
pub use table::ReplayTable;
pub use write::{Writer, file_name};
pub use xlsx::export_xlsx;

/// How the names of failed-record files end.
pub const SUFFIX: &str = ".failed.jsonl";
