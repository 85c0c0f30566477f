//! What a load has left: summary, table, ledger, failed records.

use super::support::Place;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Output;

/// The database of a test.
pub const TO: &str = "duckdb:rolls.duckdb";

/// Arguments of a load that answers in JSON.
pub fn arguments<'a>(inputs: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["ingest", "--to", TO, "--format", "json", "--progress", "json"];
    all.extend(inputs);
    all.extend(more);
    all
}

/// Exit code and summary (null where there is none).
pub fn ingest(place: &Place, inputs: &[&str], more: &[&str]) -> (i32, Value) {
    told(&place.output(&arguments(inputs, more)))
}

/// The same of a program that has ended.
pub fn told(output: &Output) -> (i32, Value) {
    let code = output.status.code().unwrap_or(-1);
    (code, serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

/// The same, where everything must be loaded.
pub fn loads(place: &Place, inputs: &[&str], more: &[&str]) -> Value {
    let output = place.output(&arguments(inputs, more));
    let (code, summary) = told(&output);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(code, 0 | 3), "exit {code}: {text}");
    consistent(place);
    summary
}

/// What the program says when it fails, with its exit code.
pub fn fails(place: &Place, inputs: &[&str], more: &[&str]) -> (i32, String) {
    let mut all = vec!["ingest", "--to", TO, "--progress", "none"];
    all.extend(inputs);
    all.extend(more);
    let output = place.output(&all);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A count of the run's account.
pub fn count(summary: &Value, fate: &str) -> u64 {
    summary["tally"][fate].as_u64().unwrap_or_else(|| panic!("no {fate} in {summary}"))
}

/// The answer to a question, as CSV without its header.
pub fn ask(place: &Place, sql: &str) -> String {
    let output = place.output(&["sql", sql, "--to", TO, "--format", "csv", "--quiet"]);
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("answers are UTF-8");
    text.split_once('\n').map_or("", |(_, rows)| rows).trim_end().to_owned()
}

/// Rows and a hash of them in which their order does not matter.
pub fn table(place: &Place, table: &str, without: &str) -> String {
    ask(
        place,
        &format!(
            "SELECT count(*), sum(hash(r)::HUGEINT), bit_xor(hash(r)) FROM \
             (SELECT * EXCLUDE (_etl_run, _etl_loaded_at{without}) FROM {table}) r"
        ),
    )
}

/// All failed records as (fingerprint, sheet, row, codes, raw), in order.
pub fn failed(place: &Place) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir(place.path("")).expect("the folder of the test") {
        let path = entry.expect("a readable folder").path();
        if !path.to_string_lossy().ends_with(".failed.jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(&path).expect("a readable file").lines() {
            let record: Value = serde_json::from_str(line).expect("every line is a record");
            let errors = record["errors"].as_array().expect("a list of errors");
            let codes: Vec<_> = errors.iter().map(|error| &error["code"]).collect();
            let (sheet, row) = (&record["sheet"], &record["row"]);
            let text =
                format!("{} {sheet} {row} {codes:?} {}", record["fingerprint"], record["raw"]);
            assert!(all.insert(text), "a record stands twice: {line}");
        }
    }
    all
}

/// The ledger agrees with itself, and nothing is left of what finished inputs needed.
pub fn consistent(place: &Place) {
    let gaps = ask(
        place,
        "SELECT run, input, read - inserted - updated - unchanged - superseded - duplicate - \
           filtered - rejected AS gap FROM etl.inputs WHERE status = 'done' AND (gap <> 0 OR read <> \
           (SELECT coalesce(sum(g.read), 0) FROM etl.ranges g WHERE g.run = inputs.run \
             AND g.input = inputs.input))",
    );
    assert_eq!(gaps, "", "inputs with a gap");
    let overlaps = ask(
        place,
        "SELECT a.range, b.range FROM etl.ranges a JOIN etl.ranges b ON a.run = b.run \
           AND a.input = b.input AND a.range < b.range \
           AND a.from_record < b.to_record AND b.from_record < a.to_record",
    );
    assert_eq!(overlaps, "", "ranges that overlap");
    let open = ask(
        place,
        "SELECT run, status FROM etl.runs r WHERE status NOT IN ('done', 'partial') AND NOT EXISTS \
           (SELECT 1 FROM etl.inputs i WHERE i.run = r.run AND i.status <> 'done')",
    );
    assert_eq!(open, "", "runs that are not done though their inputs are");
    let left = ask(
        place,
        "SELECT count(*) FROM etl.settled s JOIN etl.inputs i USING (run, input) \
         WHERE i.status = 'done'",
    );
    assert_eq!(left, "0", "keys of finished inputs");
}
