//! Compares what became of a damaged roll with the truth that its generator wrote: each damaged row
//! must end where the truth says, with the right code, rule, column and cell, and no other row may.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use etl::duck::{Connection, Database, Settings, Value};
use serde_json::Value as Json;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is compared.
pub struct Case {
    /// The truth file of the damaged roll.
    pub truth: PathBuf,
    /// Table of the roll.
    pub table: String,
    /// Database into which the damaged roll was loaded; failed rows lie beside it.
    pub damaged: PathBuf,
    /// Database into which its clean twin was loaded.
    pub clean: PathBuf,
    /// Whether cells have addresses.
    pub workbook: bool,
    /// Whether the refused rows were corrected and loaded since: then nothing may be missing.
    pub corrected: bool,
}

/// The kind under which trouble without damage is told.
const NO_DAMAGE: &str = "(no damage)";

/// What was expected and found, by kind of damage.
#[derive(Default)]
pub struct Report {
    kinds: BTreeMap<String, Line>,
}

#[derive(Default)]
struct Line {
    expected: usize,
    found: usize,
    missing: Vec<String>,
    extra: Vec<String>,
}

impl Report {
    /// Whether every damaged row ended as it should, and no other.
    pub fn is_sound(&self) -> bool {
        self.kinds.values().all(|line| line.missing.is_empty() && line.extra.is_empty())
    }

    /// Kinds of damage that the truth holds.
    pub fn kinds(&self) -> usize {
        self.kinds.values().filter(|line| line.expected > 0).count()
    }

    fn judge(&mut self, harm: &Harm, wrong: Option<String>) {
        let line = self.kinds.entry(harm.kind.clone()).or_default();
        line.expected += 1;
        match wrong {
            None => line.found += 1,
            Some(why) => line.missing.push(format!("row {}: {why}", harm.row)),
        }
    }

    fn extra(&mut self, kind: &str, what: String) {
        self.kinds.entry(kind.to_owned()).or_default().extra.push(what);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["kind", "expected", "found", "missing", "extra"];
        writeln!(f, "{:24}{:>9}{:>9}{:>9}{:>9}", head[0], head[1], head[2], head[3], head[4])?;
        for (kind, line) in &self.kinds {
            let (missing, extra) = (line.missing.len(), line.extra.len());
            writeln!(f, "{kind:24}{:>9}{:>9}{missing:>9}{extra:>9}", line.expected, line.found)?;
            for what in line.missing.iter().chain(&line.extra).take(3) {
                writeln!(f, "    {what}")?;
            }
        }
        Ok(())
    }
}

/// A damaged row of the truth file.
struct Harm {
    row: u64,
    kind: String,
    column: String,
    cell: String,
    written: String,
    end: String,
    code: String,
    rule: String,
}

/// What a load left behind.
struct Loaded {
    con: Connection,
    hashes: HashMap<u64, Value>,
    /// Counts of findings by (code, rule).
    findings: BTreeMap<(String, String), u64>,
    summary: String,
}

/// Compares.
///
/// # Errors
/// If a file or database cannot be read.
pub fn compare(case: &Case) -> Outcome<Report> {
    let truth = read_truth(&case.truth)?;
    let damaged = loaded(&case.damaged, &case.table)?;
    let clean = loaded(&case.clean, &case.table)?;
    let refused = dead_letters(&damaged.con, &case.damaged)?;
    let mut report = Report::default();
    let by_row: HashMap<u64, &Harm> = truth.iter().map(|harm| (harm.row, harm)).collect();
    let clean_row = clean_rows(&truth);
    for harm in &truth {
        let expected = clean.hashes.get(&clean_row(harm.row));
        let wrong = judge(harm, case, &damaged, expected, refused.get(&harm.row))?;
        report.judge(harm, wrong);
    }
    for row in refused.keys().filter(|row| !by_row.contains_key(row)) {
        report.extra(NO_DAMAGE, format!("row {row} is refused"));
    }
    for (row, hash) in damaged.hashes.iter().filter(|(row, _)| !by_row.contains_key(row)) {
        if clean.hashes.get(&clean_row(*row)) != Some(hash) {
            report.extra(NO_DAMAGE, format!("row {row} differs from the clean roll"));
        }
    }
    let rejected = if case.corrected { 0 } else { rejected(&truth) };
    if damaged.hashes.len() + rejected != clean.hashes.len() {
        let rows = damaged.hashes.len();
        report.extra(NO_DAMAGE, format!("{rows} rows are loaded of {}", clean.hashes.len()));
    }
    if !case.corrected {
        judge_counts(&truth, &damaged, &clean, &mut report);
    }
    Ok(report)
}

fn read_truth(path: &Path) -> Outcome<Vec<Harm>> {
    let mut reader = csv::Reader::from_path(path)?;
    let headers = reader.headers()?.clone();
    let mut all = Vec::new();
    for record in reader.records() {
        let record = record?;
        let cell = |name: &str| {
            let at = headers.iter().position(|header| header == name);
            at.and_then(|at| record.get(at)).unwrap_or_default().to_owned()
        };
        all.push(Harm {
            row: cell("row").parse()?,
            kind: cell("kind"),
            column: cell("column"),
            cell: cell("cell"),
            written: cell("written"),
            end: cell("end"),
            code: cell("code"),
            rule: cell("rule"),
        });
    }
    Ok(all)
}

/// Row numbers of the clean roll: repeated rows are not in it.
fn clean_rows(truth: &[Harm]) -> impl Fn(u64) -> u64 {
    let mut repeated: Vec<u64> =
        truth.iter().filter(|harm| harm.end == "duplicate").map(|harm| harm.row).collect();
    repeated.sort_unstable();
    move |row| row - repeated.partition_point(|other| *other < row) as u64
}

fn rejected(truth: &[Harm]) -> usize {
    truth.iter().filter(|harm| harm.end == "rejected").count()
}

fn loaded(path: &Path, table: &str) -> Outcome<Loaded> {
    let settings = Settings { read_only: true, ..Settings::default() };
    let con = Database::open(path, &settings)?.connect()?;
    let rows = con.query(&format!("SELECT _etl_row, _etl_hash FROM {table}"), &[])?;
    let number = |value: &Value| value.as_int().unwrap_or(-1) as u64;
    let hashes = rows.rows.iter().map(|row| (number(&row[0]), row[1].clone())).collect();
    let sql = "SELECT code, rule, sum(count)::BIGINT FROM etl.problems GROUP BY ALL";
    let found = con.query(sql, &[])?;
    let findings = found
        .rows
        .iter()
        .map(|row| ((row[0].to_string(), row[1].to_string()), number(&row[2])))
        .collect();
    let summary = con.query("SELECT summary FROM etl.runs", &[])?;
    let summary = summary.scalar().map(ToString::to_string).unwrap_or_default();
    Ok(Loaded { con, hashes, findings, summary })
}

/// Refused rows with their errors.
fn dead_letters(con: &Connection, database: &Path) -> Outcome<HashMap<u64, Vec<Json>>> {
    let rows = con.query("SELECT failed_file FROM etl.inputs WHERE rejected > 0", &[])?;
    let mut refused = HashMap::new();
    for row in &rows.rows {
        let name = row[0].to_string();
        let name = Path::new(&name).file_name().ok_or("a failed-record file has a name")?;
        let path = database.with_file_name(name);
        // A replay that has used up all records leaves no file.
        if !path.exists() {
            continue;
        }
        let file = File::open(path)?;
        for line in BufReader::new(file).lines() {
            let record: Json = serde_json::from_str(&line?)?;
            let row = record["row"].as_u64().ok_or("a record has a row")?;
            let errors = record["errors"].as_array().cloned().unwrap_or_default();
            if refused.insert(row, errors).is_some() {
                return Err(format!("row {row} is refused twice").into());
            }
        }
    }
    Ok(refused)
}

/// What is wrong with the end of a damaged row, if anything.
fn judge(
    harm: &Harm,
    case: &Case,
    damaged: &Loaded,
    clean: Option<&Value>,
    refused: Option<&Vec<Json>>,
) -> Outcome<Option<String>> {
    let hash = damaged.hashes.get(&harm.row);
    let end = match harm.end.as_str() {
        "rejected" if case.corrected => "repaired",
        end => end,
    };
    let wrong = match (end, hash, refused) {
        ("rejected", None, Some(errors)) => wrong_error(harm, errors, case.workbook),
        ("duplicate", None, None) => None,
        ("repaired", Some(hash), None) if Some(hash) == clean => None,
        ("warning", Some(hash), None) if Some(hash) != clean => {
            let value = loaded_value(&damaged.con, &case.table, harm)?;
            (value != harm.written).then(|| format!("{} holds {value:?}", harm.column))
        }
        (end, hash, refused) => Some(format!(
            "should be {end}, is {}",
            match (hash, refused) {
                (Some(hash), _) if Some(hash) == clean => "loaded as right",
                (Some(_), _) => "loaded, but not as right",
                (None, Some(_)) => "refused",
                (None, None) => "gone",
            }
        )),
    };
    Ok(wrong)
}

fn loaded_value(con: &Connection, table: &str, harm: &Harm) -> Outcome<String> {
    let column = harm.column.to_lowercase();
    let sql = format!("SELECT CAST({column} AS VARCHAR) FROM {table} WHERE _etl_row = ?");
    let rows = con.query(&sql, &[Value::from(harm.row)])?;
    Ok(rows.scalar().map(ToString::to_string).unwrap_or_default())
}

/// The first error must be the one expected, at the right cell.
fn wrong_error(harm: &Harm, errors: &[Json], workbook: bool) -> Option<String> {
    let first = errors.first()?;
    let is = |name: &str, expected: &str| first[name].as_str().unwrap_or_default() == expected;
    // Damage that no rule speaks of may be told under any name; a ragged row has no column.
    let sound = is("code", &harm.code)
        && (harm.rule.is_empty() || is("rule", &harm.rule))
        && (harm.code == "E202" || is("column", &harm.column))
        && (!workbook || is("cell", &harm.cell));
    let all = || errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    (!sound).then(|| format!("{} {} {}: {}", harm.code, harm.rule, harm.cell, all()))
}

/// Findings must be as many as there are damaged rows, and no others but those of the clean roll.
fn judge_counts(truth: &[Harm], damaged: &Loaded, clean: &Loaded, report: &mut Report) {
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    let told = |harm: &&Harm| harm.end != "rejected";
    for harm in truth.iter().filter(told) {
        *expected.entry((harm.code.clone(), harm.rule.clone())).or_default() += 1;
    }
    let refusals: HashSet<&str> =
        truth.iter().filter(|harm| harm.end == "rejected").map(|harm| harm.code.as_str()).collect();
    for (key, count) in &expected {
        let (code, rule) = (key.0.as_str(), key.1.as_str());
        let found = damaged.findings.get(key).copied().unwrap_or(0);
        let before = clean.findings.get(key).copied().unwrap_or(0);
        // Bytes that are no UTF-8 are a finding about the file, with their number in its words.
        let about_file = code == "E201" && damaged.summary.contains(&format!("E201: {count} "));
        if found != count + before && !about_file {
            report.extra(NO_DAMAGE, format!("{code} {rule}: {found} told, {count} expected"));
        }
    }
    let repeats = truth.iter().any(|harm| harm.end == "duplicate");
    for ((code, rule), count) in &damaged.findings {
        let key = (code.clone(), rule.clone());
        let known = expected.contains_key(&key)
            || clean.findings.contains_key(&key)
            || refusals.contains(code.as_str()) && is_refusal(truth, code, rule)
            || matches!(rule.as_str(), "FILE-08" | "NAL-08") && repeats;
        if !known {
            report.extra(NO_DAMAGE, format!("{code} {rule}: {count} told, none expected"));
        }
    }
}

fn is_refusal(truth: &[Harm], code: &str, rule: &str) -> bool {
    let mut refused = truth.iter().filter(|harm| harm.end == "rejected" && harm.code == code);
    refused.any(|harm| harm.rule.is_empty() || harm.rule == rule)
}
