//! Every fixture, loaded by the program into a fresh database, against what `fixtures/catalog.toml`
//! says must come of it.

use crate::support::Place;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Counts = BTreeMap<String, u64>;

/// The catalogue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    fixture: Vec<Fixture>,
}

/// What must come of one file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// Path inside `fixtures`.
    file: String,
    /// The trouble it holds.
    why: String,
    /// Flags.
    #[serde(default)]
    args: Vec<String>,
    /// Exit code.
    exit: i32,
    /// Kind of all its tables.
    #[serde(default)]
    kind: String,
    /// Table that all of it goes into.
    #[serde(default)]
    table: String,
    /// How many tables (members, sheets) are loaded.
    #[serde(default = "one")]
    inputs: usize,
    #[serde(default)]
    read: u64,
    #[serde(default)]
    inserted: u64,
    #[serde(default)]
    duplicate: u64,
    /// Refused rows by code.
    #[serde(default)]
    rejected: Counts,
    /// Warnings by rule, or `rule COLUMN` where one rule speaks of several columns.
    #[serde(default)]
    warnings: Counts,
    /// Repairs and remarks, likewise.
    #[serde(default)]
    infos: Counts,
    /// What is said of the file as a whole: a phrase of each sentence, and of no other.
    #[serde(default)]
    told: Vec<String>,
    /// Types of target columns.
    #[serde(default)]
    types: BTreeMap<String, String>,
    /// A query of the target and its answer as CSV lines.
    #[serde(default)]
    holds: BTreeMap<String, Vec<String>>,
    /// Table of the generator with every damaged row.
    truth: Option<String>,
    /// What a failure says.
    error: Option<Failure>,
}

/// A refused file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    /// Stable code, where the error has one.
    code: Option<String>,
    /// Part of the message or of a hint.
    says: String,
}

/// A short, made-up file lacks columns of its kind and is not called as the DOR calls its files.
const WITHOUT_SAYING: [&str; 2] = ["are not in the file, empty in the table", "(rule FILE-01)"];

fn one() -> usize {
    1
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn catalog() -> Vec<Fixture> {
    let text = fs::read_to_string(folder().join("catalog.toml")).expect("the catalogue");
    toml::from_str::<Catalog>(&text).expect("a sound catalogue").fixture
}

#[test]
fn every_fixture_ends_as_the_catalogue_says() {
    let wrong: Vec<String> = catalog().par_iter().flat_map_iter(Fixture::check).collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_fixture_is_in_the_catalogue_and_vice_versa() {
    let catalog = catalog();
    let files = catalog.iter().map(|fixture| fixture.file.clone());
    let truths = catalog.iter().filter_map(|fixture| fixture.truth.clone());
    let listed: BTreeSet<String> = files.chain(truths).collect();
    let mut found = BTreeSet::new();
    walk(&folder(), &mut found);
    found.remove("catalog.toml");
    // What older programs have left has tests of its own.
    found.retain(|file| !file.starts_with("upgrade/"));
    assert_eq!(listed, found, "left: in the catalogue, right: in the folder");
    for fixture in &catalog {
        assert!(fixture.why.len() > 10, "{}: say why it exists", fixture.file);
    }
}

fn walk(path: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(path).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            let name = path.strip_prefix(folder()).expect("inside the folder");
            found.insert(name.to_string_lossy().replace('\\', "/"));
        }
    }
}

impl Fixture {
    /// Runs the program; returns each difference as a line.
    fn check(&self) -> Vec<String> {
        let place = Place::new();
        let input = folder().join(&self.file).display().to_string();
        let mut arguments = vec!["ingest", &input, "--to", "duckdb:t.duckdb"];
        arguments.extend(["--format", "json", "--progress", "none"]);
        arguments.extend(self.args.iter().map(String::as_str));
        let output = place.output(&arguments);
        let mut differences = Differences { fixture: self, lines: Vec::new() };
        differences.compare("exit", output.status.code(), Some(self.exit));
        if self.error.is_some() {
            differences.failure(&String::from_utf8_lossy(&output.stderr));
            return differences.lines;
        }
        match serde_json::from_slice(&output.stdout) {
            Ok(summary) => {
                differences.summary(&summary, &place);
                differences.again(&place.output(&arguments));
            }
            Err(_) => {
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                differences.compare("stderr", stderr, String::new());
            }
        }
        differences.lines
    }
}

struct Differences<'a> {
    fixture: &'a Fixture,
    lines: Vec<String>,
}

impl Differences<'_> {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, is: T, should: T) {
        if is != should {
            let Fixture { file, args, .. } = self.fixture;
            let args = args.join(" ");
            let shown: String = format!("{is:?}").chars().take(400).collect();
            self.lines.push(format!("{file} {args}: {what} is {shown}, should be {should:?}"));
        }
    }

    fn failure(&mut self, stderr: &str) {
        let Some(expected) = &self.fixture.error else { return };
        let error: Value = serde_json::from_str(stderr).unwrap_or(Value::Null);
        let error = &error["error"];
        self.compare("error code", error["code"].as_str(), expected.code.as_deref());
        let all = format!("{} {}", error["message"], error["hints"]);
        if !all.contains(&expected.says) {
            self.compare("error", stderr, &expected.says);
        }
    }

    fn summary(&mut self, summary: &Value, place: &Place) {
        let fixture = self.fixture;
        let inputs = summary["inputs"].as_array().expect("a list of inputs");
        self.compare("number of inputs", inputs.len(), fixture.inputs);
        for input in inputs {
            self.compare("kind", input["kind"].as_str(), Some(fixture.kind.as_str()));
            self.compare("table", input["table"].as_str(), Some(fixture.table.as_str()));
        }
        let tally = |fate: &str| summary["tally"][fate].as_u64().unwrap_or(0);
        self.compare("read", tally("read"), fixture.read);
        self.compare("inserted", tally("inserted"), fixture.inserted);
        self.compare("duplicate", tally("duplicate"), fixture.duplicate);
        let records = records(inputs, place);
        self.compare("rejected", tally("rejected"), records.len() as u64);
        self.compare("rejected by code", by_code(&records), fixture.rejected.clone());
        let (warnings, infos) = (noted(inputs, "warning"), noted(inputs, "info"));
        self.compare("warnings", warnings, fixture.warnings.clone());
        self.compare("infos", infos, fixture.infos.clone());
        self.told(inputs, summary);
        self.truth(&records);
        self.target(place);
    }

    /// The same command again finds everything loaded.
    fn again(&mut self, output: &std::process::Output) {
        self.compare("exit of the second run", output.status.code(), Some(0));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let status = summary["status"].as_str();
        self.compare("status of the second run", status, Some("already_loaded"));
    }

    /// Sentences about the file.
    fn told(&mut self, inputs: &[Value], summary: &Value) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let warnings = inputs.iter().flat_map(|input| list(&input["warnings"]));
        let all: Vec<String> = warnings
            .chain(list(&summary["skipped"]))
            .map(|text| text.as_str().unwrap_or_default().to_owned())
            .filter(|text| !WITHOUT_SAYING.iter().any(|known| text.contains(known)))
            .collect();
        let phrases = &self.fixture.told;
        let missing: Vec<_> =
            phrases.iter().filter(|p| !all.iter().any(|text| text.contains(*p))).collect();
        let surplus: Vec<_> =
            all.iter().filter(|text| !phrases.iter().any(|p| text.contains(p))).collect();
        self.compare("told: missing and surplus", (missing, surplus), (vec![], vec![]));
    }

    /// The rows refused are the rows damaged, each with the code that its damage must have.
    fn truth(&mut self, records: &[Value]) {
        let Some(truth) = &self.fixture.truth else { return };
        let mut reader = csv::Reader::from_path(folder().join(truth)).expect("the truth");
        let headers = reader.headers().expect("a header").clone();
        let at = |name| headers.iter().position(|header| header == name).expect("a column");
        let (row, end, code) = (at("row"), at("end"), at("code"));
        let damaged: BTreeSet<(u64, String)> = reader
            .records()
            .map(|record| record.expect("a sound truth"))
            .filter(|record| &record[end] == "rejected")
            .map(|record| (record[row].parse().expect("a number"), record[code].to_owned()))
            .collect();
        let refused = |record: &Value| {
            let number = record["row"].as_u64().unwrap_or(0);
            codes(record).into_iter().map(move |code| (number, code))
        };
        let refused: BTreeSet<_> = records.iter().flat_map(refused).collect();
        let wrong: Vec<_> = damaged.symmetric_difference(&refused).collect();
        self.compare("damaged and refused rows", wrong, vec![]);
    }

    fn target(&mut self, place: &Place) {
        let fixture = self.fixture;
        let ask = |sql: &str| {
            let arguments = ["sql", sql, "--to", "duckdb:t.duckdb", "--format", "csv"];
            let output = place.output(&arguments);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        if !fixture.types.is_empty() {
            let sql = format!(
                "SELECT column_name || ' ' || data_type FROM information_schema.columns \
                 WHERE table_name = '{}'",
                fixture.table
            );
            let found = ask(&sql);
            for (column, ty) in &fixture.types {
                let is = found.iter().find_map(|line| {
                    let line = line.trim_matches('"');
                    line.strip_prefix(&format!("{column} ")).map(str::to_owned)
                });
                self.compare(&format!("type of {column}"), is, Some(ty.clone()));
            }
        }
        for (sql, expected) in &fixture.holds {
            self.compare(sql, ask(sql), expected.clone());
        }
    }
}

/// The failed records of all inputs.
fn records(inputs: &[Value], place: &Place) -> Vec<Value> {
    let files: BTreeSet<&str> = inputs.iter().filter_map(|i| i["failed_file"].as_str()).collect();
    let mut records = Vec::new();
    for file in files {
        let text = fs::read_to_string(place.path(file))
            .expect("the failed-record file that the summary names");
        records.extend(text.lines().map(|line| {
            serde_json::from_str::<Value>(line).expect("a failed record is a line of JSON")
        }));
    }
    records
}

fn codes(record: &Value) -> BTreeSet<String> {
    let errors = record["errors"].as_array().expect("a record has errors");
    errors.iter().map(|error| error["code"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Records by code; a record with two codes counts for both.
fn by_code(records: &[Value]) -> Counts {
    let mut counts = Counts::new();
    for code in records.iter().flat_map(codes) {
        *counts.entry(code).or_default() += 1;
    }
    counts
}

/// Findings of a severity by rule; by rule and column where the rule is not one of a pack.
fn noted(inputs: &[Value], severity: &str) -> Counts {
    let mut counts = Counts::new();
    let problems = inputs.iter().filter_map(|input| input["problems"].as_array()).flatten();
    for problem in problems.filter(|problem| problem["severity"] == severity) {
        let rule = problem["rule"].as_str().unwrap_or_default();
        let column = problem["column"].as_str().unwrap_or_default();
        let of_pack = rule.contains('-') || column.is_empty();
        let name = if of_pack { rule.to_owned() } else { format!("{rule} {column}") };
        *counts.entry(name).or_default() += problem["count"].as_u64().unwrap_or(0);
    }
    counts
}
