//! The rows that came last to a table, for the account of cells.
//!
//! A scan of the whole table for each input would make many small inputs cost as the square of their
//! number. DuckDB gives rows their ids in the order in which they come, and leaves row groups out by a
//! condition on ids. A checkpoint may close gaps of deleted rows, so an id says nothing the next day.

use crate::duck::{Connection, Value};
use crate::load::target::{Counts, LastRows, Stretch};
use crate::load::{Link, LoadError};

/// The first id of rows that are not committed (`MAX_ROW_ID` in DuckDB's `constants.hpp`).
pub(super) const OPEN: u64 = 36_028_797_018_960_000;
/// Most places at which rows are looked at: to read some rows of a wide table costs as much as to read two
/// thousand.
const PLACES: u64 = 16;
/// Rows that are looked at in a place.
const FEW: u64 = 4;

/// Answers a question about the last rows of a table from the beginning of a stretch on.
pub(super) fn count(
    con: &Connection,
    table: &str,
    counts: &Counts<'_>,
    near: Stretch,
) -> Result<Vec<u64>, LoadError> {
    let first = committed(con, table)?.saturating_sub(near.input.committed) + near.from;
    let condition = format!("rowid >= {first} AND {}", counts.condition);
    Counts { condition: &condition, ..*counts }.ask(con)
}

/// SQL conditions for some of the last rows: the first ones of each place, in equal steps.
pub(super) fn spots(
    con: &Connection,
    table: &str,
    rows: LastRows,
) -> Result<Vec<String>, LoadError> {
    let first = committed(con, table)?.saturating_sub(rows.committed);
    let places = |from: u64, rows: u64| {
        let count = rows.div_ceil(super::ROW_GROUP).min(PLACES);
        (0..count).map(move |at| from + rows * at / count)
    };
    let few = |from: u64| format!("rowid >= {from} AND rowid < {}", from + FEW);
    Ok(places(first, rows.committed).chain(places(OPEN, rows.open)).map(few).collect())
}

/// Rows of a table that are committed, with deleted ones that still have their ids.
fn committed(con: &Connection, table: &str) -> Result<u64, LoadError> {
    let sql = "SELECT estimated_size FROM duckdb_tables() WHERE database_name = current_database() \
               AND schema_name = ? AND table_name = ?";
    (con as &dyn Link).number(sql, &[Value::from(Link::schema(con)), Value::from(table)])
}
