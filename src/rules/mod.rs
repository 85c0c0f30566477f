//! Rules that a user writes for any table: TOML with DuckDB expressions and the usual checks.
//!
//! A mistake is an error with its place in the file, found before a row is read: here what the text
//! alone shows, in `run` what the columns of a file show. What a rule demands of a row becomes SQL
//! (`sql`); what it demands of a file as a whole is checked by `validate` as the rows go by.

mod model;
mod parse;
mod place;
mod sql;

pub use model::{Check, Level, UserRule};
pub use parse::{RuleError, parse, read};
pub use place::TextPlace;
pub use sql::{RowCheck, name};
