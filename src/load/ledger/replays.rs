//! What the ledger knows of replayed failed records.
//!
//! `reprocessed` says of each record, known by its id and the run that refused it, which replay has
//! used it up. It is written in the transaction that commits the record's range, so it alone
//! decides what is still to be replayed; failed-record files follow it.

use super::{InputRow, InputState, Ledger};
use crate::duck::Value;
use crate::load::dead_letter::RecordId;
use crate::load::{Link, LoadError};
use std::collections::{HashMap, HashSet};

/// Command of runs that replay.
pub const COMMAND: &str = "reprocess-failures";

/// Records that replays have used up, asked for by the run that refused them.
#[derive(Default)]
pub struct Used {
    by_run: HashMap<String, HashSet<RecordId>>,
}

impl Used {
    /// Those of some runs.
    pub fn of<'r>(
        con: &dyn Link,
        runs: impl IntoIterator<Item = &'r str>,
    ) -> Result<Self, LoadError> {
        let mut used = Self::default();
        for run in runs {
            if used.by_run.contains_key(run) {
                continue;
            }
            let sql = "SELECT record FROM etl.reprocessed WHERE refused_by = ?";
            let rows = con.query(sql, &[Value::from(run)])?;
            let ids = rows.rows.iter().filter_map(|row| id(&row[0])).collect();
            used.by_run.insert(run.to_owned(), ids);
        }
        Ok(used)
    }

    /// Whether a record is used up.
    pub fn contains(&self, id: RecordId, refused_by: &str) -> bool {
        self.by_run.get(refused_by).is_some_and(|ids| ids.contains(&id))
    }
}

fn id(value: &Value) -> Option<RecordId> {
    match value {
        Value::Uuid(id) => Some(RecordId(*id)),
        _ => None,
    }
}

/// All ids that were ever used up.
pub fn ids(con: &dyn Link) -> Result<HashSet<RecordId>, LoadError> {
    let rows = con.query("SELECT DISTINCT record FROM etl.reprocessed", &[])?;
    Ok(rows.rows.iter().filter_map(|row| id(&row[0])).collect())
}

/// What replays under a configuration have refused again: (record, the replay, content).
pub fn refused(
    con: &dyn Link,
    config: &str,
) -> Result<HashSet<(RecordId, String, u128)>, LoadError> {
    let rows = con.query(
        "SELECT p.record, p.run, p.content FROM etl.reprocessed p \
         JOIN etl.inputs i ON i.run = p.run AND i.input = p.input \
         WHERE p.content IS NOT NULL AND i.config = ?",
        &[Value::from(config)],
    )?;
    let record = |row: &Vec<Value>| match row[2] {
        Value::Uuid(content) => Some((id(&row[0])?, row[1].to_string(), content)),
        _ => None,
    };
    Ok(rows.rows.iter().filter_map(record).collect())
}

/// Ids of all runs.
pub fn runs(con: &dyn Link) -> Result<HashSet<String>, LoadError> {
    let rows = con.query("SELECT run FROM etl.runs", &[])?;
    Ok(rows.rows.iter().map(|row| row[0].to_string()).collect())
}

/// A run that has begun to load into a table and not finished.
pub fn busy(con: &dyn Link, table: &str) -> Result<Option<String>, LoadError> {
    let sql = "SELECT run FROM etl.inputs WHERE status = ? AND \"table\" = ? LIMIT 1";
    let rows = con.query(sql, &[InputState::Running.name(), table].map(Value::from))?;
    Ok(rows.scalar().map(Value::to_string))
}

/// A replay that was stopped.
pub struct Stopped {
    /// The input, with what it has committed.
    pub row: InputRow,
    /// Its table, kind and release.
    pub table: String,
    /// Kind.
    pub kind: String,
    /// Release.
    pub release: Option<String>,
}

/// Replays that were stopped. The caller holds the target, so none of them is still at work.
pub fn stopped(con: &dyn Link) -> Result<Vec<Stopped>, LoadError> {
    let rows = con.query(
        "SELECT i.run, i.input, i.strategy, i.status, i.rows_before, i.failed_file, i.path, \
           i.sheet, i.config, i.release, i.\"table\", i.kind \
         FROM etl.inputs i JOIN etl.runs r ON r.run = i.run \
         WHERE i.status = ? AND r.command = ? ORDER BY i.run, i.input",
        &[InputState::Running.name(), COMMAND].map(Value::from),
    )?;
    let ledger = Ledger::new(con);
    let stopped = |row: &Vec<Value>| {
        Ok(Stopped {
            row: ledger.input(row)?,
            table: row[10].to_string(),
            kind: row[11].to_string(),
            release: (!row[9].is_null()).then(|| row[9].to_string()),
        })
    };
    rows.rows.iter().map(stopped).collect()
}
