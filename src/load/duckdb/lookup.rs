//! What the table holds under the keys of a chunk: one join, on the worker's own connection.
//!
//! It reads the state before the input (commits of this input are seen too, but their keys are in
//! the gate's set, which speaks first).

use super::turns::Turns;
use crate::chunk::{Chunk, Existing};
use crate::duck::{Connection, Database, DuckError, Frame, quote};
use crate::load::encode::NAME;
use crate::load::lookup::{Finder, Lookup, RANK_SQL};
use crate::load::target::KeyQuestion;
use crate::stage::{StageError, literal};
use polars::prelude::DataFrame;
use polars_arrow::array::{Array, FixedSizeBinaryArray, PrimitiveArray};
use std::sync::Arc;

/// Finds rows of one table by key.
pub struct KeyLookup {
    db: Database,
    turns: Arc<Turns>,
    of: KeyQuestion,
}

impl KeyLookup {
    /// A lookup in a file.
    pub(super) fn new(db: Database, turns: Arc<Turns>, of: KeyQuestion) -> Self {
        Self { db, turns, of }
    }
}

impl Lookup for KeyLookup {
    fn finder(&self) -> Result<Box<dyn Finder>, StageError> {
        let con = self.turns.ask(|| self.db.connect()).map_err(|error| failed(&error))?;
        let KeyQuestion { spec, run, source } = &self.of;
        let columns: Vec<_> =
            spec.key.iter().map(|column| format!("k.{}", quote(column))).collect();
        let row = source.as_deref().map_or("CAST(NULL AS BIGINT)".to_owned(), |source| {
            format!("CASE WHEN t._etl_source = {} THEN t._etl_row END", literal(source))
        });
        let sql = format!(
            "SELECT k._i, t._etl_hash AS _etl_hash, CAST({RANK_SQL} AS BIGINT) AS rank, \
             t._etl_run = {} AS this_run, {row} AS row \
             FROM etl_keys AS k JOIN {} AS t ON {} WHERE {} AND {}",
            literal(run),
            con.named(&spec.name),
            spec.key_join("k", "t"),
            spec.scope_of("t"),
            columns.iter().map(|c| format!("{c} IS NOT NULL")).collect::<Vec<_>>().join(" AND "),
        );
        let turns = Arc::clone(&self.turns);
        Ok(Box::new(KeyFinder { con, turns, sql, key: spec.key.clone() }))
    }
}

struct KeyFinder {
    con: Connection,
    turns: Arc<Turns>,
    sql: String,
    key: Vec<String>,
}

impl Finder for KeyFinder {
    fn find(&mut self, chunk: &Chunk) -> Result<Vec<(u32, Existing)>, StageError> {
        let keys = chunk
            .frame
            .select(self.key.iter().map(String::as_str))
            .map_err(|error| StageError::new(NAME, error.to_string()))?;
        let result = self.turns.ask(|| self.query(&keys)).map_err(|error| failed(&error))?;
        read(&result).ok_or_else(|| StageError::new(NAME, "the lookup gave unexpected types"))
    }
}

impl KeyFinder {
    fn query(&self, keys: &DataFrame) -> Result<Frame, DuckError> {
        let mut view = Frame::from_polars(keys)?;
        let rows = PrimitiveArray::<i32>::from_vec((0..keys.height() as i32).collect());
        view.push("_i", Box::new(rows))?;
        let _view = self.con.frame_view("etl_keys", &view)?;
        self.con.query_columns(&self.sql)
    }
}

fn read(result: &Frame) -> Option<Vec<(u32, Existing)>> {
    let rows = result.column("_i")?.as_any().downcast_ref::<PrimitiveArray<i32>>()?;
    let hashes = result.column("_etl_hash")?.as_any().downcast_ref::<FixedSizeBinaryArray>()?;
    let ranks = result.column("rank")?.as_any().downcast_ref::<PrimitiveArray<i64>>()?;
    let ours =
        result.column("this_run")?.as_any().downcast_ref::<polars_arrow::array::BooleanArray>()?;
    let places = result.column("row")?.as_any().downcast_ref::<PrimitiveArray<i64>>()?;
    let mut found: Vec<_> = (0..result.len())
        .map(|at| {
            let bytes = hashes.value(at).try_into().unwrap_or([0; 16]);
            let existing = Existing {
                hash: u128::from_be_bytes(bytes),
                rank: ranks.value(at),
                this_run: ours.value(at),
                row: if places.is_valid(at) { u64::try_from(places.value(at)).ok() } else { None },
                held: None,
            };
            (rows.value(at) as u32, existing)
        })
        .collect();
    // Should the table hold a key twice (made by `append`), the highest release speaks.
    found.sort_by_key(|(row, existing)| (*row, std::cmp::Reverse(existing.rank)));
    found.dedup_by_key(|(row, _)| *row);
    Some(found)
}

fn failed(error: &DuckError) -> StageError {
    StageError::new(NAME, format!("the target could not be asked: {}", error.message))
}
