//! A DuckDB file as target.
//!
//! # What is in the file
//!
//! The user's tables, and the schema `etl`: `runs`, `inputs`, `ranges`, `problems` (the ledger),
//! `reprocessed` (failed records that a replay has used up), `settled` (keys of rows that were not
//! inserted, while an input is unfinished), `rewritten` (whose rows later inputs took the place of),
//! and for an
//! unfinished merge or replace a side table with the rows to be applied at its end.
//!
//! # Rules
//!
//! * A range's rows, its ledger row and its findings are one transaction; the dead letters of the
//!   range are on disk before it commits. So the ledger row alone says that the range is loaded.
//! * A commit holds whole row groups of new rows but for the last one of an input: other sizes cost up
//!   to twice the time and bloat the file (measured).
//! * New rows go straight into the table. Changed rows go into the side table and are applied by
//!   one DELETE + INSERT when the input is finished (an UPDATE of wide rows is ten times slower).
//! * No index or key on the table: DuckDB's are lost or stale after a hard kill (open reports), and
//!   they cost more than the lookups they save. Uniqueness is decided by the gate.
//! * The account is checked in the transaction that finishes the input; a gap rolls it back.

mod constraints;
mod count;
mod insert;
mod last;
mod link;
mod lookup;
mod replayed;
mod table;
mod target;
mod turns;
mod write;

pub use target::DuckTarget;

/// The schema of tables for which none is named.
pub const MAIN: &str = "main";

/// Rows of a row group, of DuckDB's 122,880 a tenth: a writer holds a group in memory before it is
/// compressed (250 MB of a wide roll at DuckDB's size), and two of them fit only with small groups. With
/// 16,384 rows two writers of a roll's 223 columns spill under 512 MiB and take half as long again. With
/// [`STORAGE`] the file is nearly as large as with DuckDB's size (3 % more than with 16,384, measured).
pub const ROW_GROUP: u64 = 12_288;

/// Version of the storage of a new file: every DuckDB from 1.3 (May 2025) on reads it. Its texts
/// (`dict_fsst`) cost the writer up to a quarter less time and take a third less room than those of
/// the oldest version, which DuckDB takes where none is named.
const STORAGE: &str = "v1.3.0";
