//! What the ledger knows of replayed failed records.
//!
//! `reprocessed` says of each record, known by its id and the run that refused it, which replay has
//! used it up. It is written in the transaction that commits the record's range, so it alone
//! decides what is still to be replayed; failed-record files follow it.

use super::inputs::INPUT;
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

/// What replays under one of some configurations have refused again: (record, the replay, content).
pub fn refused(
    con: &dyn Link,
    configs: &[String],
) -> Result<HashSet<(RecordId, String, u128)>, LoadError> {
    let marks = vec!["?"; configs.len()].join(", ");
    let configs: Vec<_> = configs.iter().map(|config| Value::from(config.as_str())).collect();
    let rows = con.query(
        &format!(
            "SELECT p.record, p.run, p.content FROM etl.reprocessed p \
             JOIN etl.inputs i ON i.run = p.run AND i.input = p.input \
             WHERE p.content IS NOT NULL AND i.config IN ({marks})"
        ),
        &configs,
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
    let sql = "SELECT run FROM etl.inputs WHERE status = ? AND \"table\" = ? \
               AND coalesce(\"schema\", ?) = ? LIMIT 1";
    let values = [InputState::Running.name(), table, con.schema(), con.schema()];
    let rows = con.query(sql, &values.map(Value::from))?;
    Ok(rows.scalar().map(Value::to_string))
}

/// Replays that have taken failed records of an input: (run, position).
pub(super) fn of_input(
    con: &dyn Link,
    run: &str,
    input: u32,
) -> Result<Vec<(String, u32)>, LoadError> {
    let rows = con.query(
        "SELECT DISTINCT n.run, n.input FROM etl.reprocessed p \
         JOIN etl.inputs n ON n.run = p.run AND n.input = p.input \
         JOIN etl.inputs o ON o.run = ? AND o.input = ? \
         WHERE p.refused_by = o.run AND n.\"table\" = o.\"table\" AND n.path = o.path \
           AND n.sheet IS NOT DISTINCT FROM o.sheet AND n.status = ?",
        &[Value::from(run), Value::from(input), Value::from(InputState::Done.name())],
    )?;
    let place = |row: &Vec<Value>| (row[0].to_string(), row[1].as_int().unwrap_or(0) as u32);
    Ok(rows.rows.iter().map(place).collect())
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
        &format!(
            "SELECT {INPUT}, i.replaces, i.\"table\", i.kind \
             FROM etl.inputs i JOIN etl.runs r ON r.run = i.run \
             WHERE i.status = ? AND r.command = ? AND coalesce(i.\"schema\", ?) = ? \
             ORDER BY i.run, i.input"
        ),
        &[InputState::Running.name(), COMMAND, con.schema(), con.schema()].map(Value::from),
    )?;
    let ledger = Ledger::new(con);
    let stopped = |row: &Vec<Value>| {
        Ok(Stopped {
            row: ledger.input(row)?,
            table: row[11].to_string(),
            kind: row[12].to_string(),
            release: (!row[9].is_null()).then(|| row[9].to_string()),
        })
    };
    rows.rows.iter().map(stopped).collect()
}
