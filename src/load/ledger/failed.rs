//! Refused rows as rows of the target: `etl.failed_rows`, for whom the files are too far away.
//!
//! They are written with the range that they belong to and taken away when a replay has used them up,
//! as in the failed-record files; those remain what a replay reads.

use super::{InputRow, Statement};
use crate::duck::Value;
use crate::load::dead_letter::Record;
use crate::load::{Link, LoadError};

/// Rows of a statement.
const ROWS: usize = 100;

const COLUMNS: [&str; 10] = [
    "record",
    "run",
    "range",
    "\"table\"",
    "source",
    "row",
    "code",
    "\"column\"",
    "message",
    "content",
];

/// What puts records down, to be run in the transaction of their range.
pub fn failed_statements(records: &[Record]) -> Vec<Statement> {
    let marks = format!("({})", vec!["?"; COLUMNS.len()].join(", "));
    let columns = COLUMNS.join(", ");
    let statement = |records: &[Record]| {
        let all = vec![marks.as_str(); records.len()].join(", ");
        let values = records.iter().flat_map(values).collect();
        (format!("INSERT INTO etl.failed_rows ({columns}) VALUES {all}"), values)
    };
    records.chunks(ROWS).map(statement).collect()
}

fn values(record: &Record) -> [Value; COLUMNS.len()] {
    let first = record.errors.first();
    let source = match &record.sheet {
        Some(sheet) => format!("{}, sheet \"{sheet}\"", record.file),
        None => record.file.clone(),
    };
    [
        Value::Uuid(record.id.0),
        Value::from(record.run.as_str()),
        Value::from(record.range.as_str()),
        Value::from(record.table.as_str()),
        Value::from(source),
        Value::from(record.row),
        Value::from(first.map(|problem| problem.code.to_string())),
        Value::from(first.and_then(|problem| problem.column.clone())),
        Value::from(first.map(|problem| problem.message.clone())),
        // A database holds no NUL in a text.
        Value::from(serde_json::to_string(record).unwrap_or_default().replace("\\u0000", "")),
    ]
}

/// Takes away what a replay has used up.
pub fn forget_replayed(con: &dyn Link, run: &str) -> Result<(), LoadError> {
    con.execute(
        "DELETE FROM etl.failed_rows WHERE EXISTS (SELECT 1 FROM etl.reprocessed AS p \
         WHERE p.record = failed_rows.record AND p.refused_by = failed_rows.run AND p.run = ?)",
        &[Value::from(run)],
    )
    .map(drop)
}

/// Takes away those of an input that is given up, before its ranges.
pub fn forget_failed(con: &dyn Link, row: &InputRow) -> Result<(), LoadError> {
    con.execute(
        "DELETE FROM etl.failed_rows WHERE range IN (SELECT range FROM etl.ranges WHERE run = ? \
         AND input = ?)",
        &[Value::from(row.run.as_str()), Value::from(row.input)],
    )
    .map(drop)
}
