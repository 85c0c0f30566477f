//! A PostgreSQL server as target.
//!
//! # What is in the database
//!
//! The user's tables, in the schema of the address or the first of the search path, and the schema
//! `etl` with the ledger, as in every target. Side tables of unfinished inputs are ordinary tables: an
//! unlogged one would be empty after a crash of the server while the ledger says otherwise.
//!
//! # Rules
//!
//! * A range's rows, its ledger row and its findings are one transaction; the dead letters of the
//!   range are on disk before it commits. So the ledger row alone says that the range is loaded.
//! * An answer to COMMIT that never came is settled by looking there: whoever goes on holds the table
//!   first, and holding waits until no transaction that wrote to it is open (`target::hold`).
//! * Nothing is kept in a session from one transaction to the next: no prepared statements, settings,
//!   temporary tables or session locks. So a pooler in transaction mode may stand in between.
//! * New rows go straight into the table by COPY. Changed rows go beside it and are applied at the end
//!   of the input, in slices, within one transaction.
//! * A row that is met again as it is costs no write: `etl.confirmed` holds stretches of such rows, by
//!   where they came from, with the release that they rank as from then on.
//! * Rows of the table are found by its unique index over the key, which is made with the table and
//!   asked for where the table is there already.

mod address;
mod approach;
mod binding;
mod cast;
mod confirmed;
mod conninfo;
mod copy;
mod digest;
mod doctor;
mod encode;
mod error;
mod fields;
mod hazards;
mod homes;
mod indexes;
mod lean;
mod link;
mod login;
mod lookup;
mod messages;
mod pool;
mod preflight;
mod recount;
mod refuse;
mod secret;
mod session;
mod sources;
mod span;
mod target;
mod text;
mod tls;
mod types;
mod wire;
mod write;

pub use address::Address;
pub use approach::Approach;
pub use conninfo::{Unreadable, is_open, shown};
pub use preflight::ddl;
pub use sources::Sources;
pub use target::PgTarget;

/// New rows of a commit. More would be lost with a connection, and leave one of two connections without
/// work while the other one takes the last of them (0.4 s of 300,000 parcels, measured); fewer cost more
/// round trips.
pub const COMMIT_ROWS: u64 = 25_000;

/// Most bytes of a name: the server cuts longer ones in silence.
pub const LONGEST_NAME: usize = 63;
