//! What a commit leaves in the ledger: its range of records, the account of it, and what was found there.

use super::tally_values;
use crate::chunk::Notes;
use crate::duck::Value;
use crate::load::{Link, LoadError, Seal};

/// Columns of a finding.
const PROBLEM: [&str; 11] = [
    "run",
    "input",
    "range",
    "code",
    "rule",
    "\"column\"",
    "severity",
    "message",
    "hint",
    "count",
    "examples",
];

/// Columns of a range, before the moment of its commit.
const RANGE: &str = "run, input, range, from_record, from_byte, from_row, to_record, to_byte, to_row, \
    read, inserted, updated, unchanged, superseded, duplicate, filtered, rejected, cells";

/// A statement with its values.
pub type Statement = (String, Vec<Value>);

/// What puts a range and its findings down, to be run in the transaction that holds its rows.
pub fn range_statements(run: &str, input: u32, seal: &Seal) -> Vec<Statement> {
    let mut values = vec![Value::from(run), Value::from(input), Value::from(seal.range.as_str())];
    for mark in [seal.from, seal.to] {
        values.extend([mark.record, mark.byte, mark.row].map(Value::from));
    }
    values.extend(tally_values(&seal.tally).map(Value::from));
    values.push(Value::from(seal.cells.as_ref().map(|cells| cells.all().to_json())));
    let marks = vec!["?"; values.len()].join(", ");
    let mut all = vec![(
        format!("INSERT INTO etl.ranges ({RANGE}, committed) VALUES ({marks}, now())"),
        values,
    )];
    all.extend(finding_statements(run, input, &seal.range, &seal.notes));
    all
}

/// Runs the statements of a range.
pub fn insert_range(con: &dyn Link, run: &str, input: u32, seal: &Seal) -> Result<(), LoadError> {
    run_all(con, range_statements(run, input, seal))
}

/// Puts findings down that belong to no range of records: about the file, about tables, about all files
/// of the run. They take the place of those that stand under this name.
pub fn replace_findings(
    con: &dyn Link,
    run: &str,
    input: u32,
    range: &str,
    notes: &Notes,
) -> Result<(), LoadError> {
    let known = [Value::from(run), Value::from(input), Value::from(range)];
    con.execute("DELETE FROM etl.problems WHERE run = ? AND input = ? AND range = ?", &known)?;
    run_all(con, finding_statements(run, input, range, notes))
}

fn run_all(con: &dyn Link, statements: Vec<Statement>) -> Result<(), LoadError> {
    statements.iter().try_for_each(|(sql, values)| con.execute(sql, values).map(drop))
}

/// Many findings a statement: to a server far away each one takes a round trip.
fn finding_statements(run: &str, input: u32, range: &str, notes: &Notes) -> Vec<Statement> {
    let mut rows = Vec::new();
    for (key, note) in notes.iter() {
        let examples = serde_json::to_string(&note.examples).unwrap_or_default();
        rows.push([
            Value::from(run),
            Value::from(input),
            Value::from(range),
            Value::from(key.code.to_string()),
            Value::from(key.rule.as_str()),
            Value::from(key.column.as_str()),
            Value::from(note.severity.name()),
            Value::from(note.message.as_str()),
            Value::from(note.hint.clone()),
            Value::from(note.count),
            Value::from(examples),
        ]);
    }
    let columns = PROBLEM.join(", ");
    let marks = format!("({})", vec!["?"; PROBLEM.len()].join(", "));
    let statement = |rows: &[[Value; PROBLEM.len()]]| {
        let all = vec![marks.as_str(); rows.len()].join(", ");
        (format!("INSERT INTO etl.problems ({columns}) VALUES {all}"), rows.concat())
    };
    rows.chunks(100).map(statement).collect()
}
