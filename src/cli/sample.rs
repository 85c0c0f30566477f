//! A made-up summary for tests of everything that prints one.

use crate::chunk::{Example, Place, Severity, Tally};
use crate::flow::MeterReading;
use crate::run::{InputSummary, Mode, ProblemSummary, RunStatus, Summary};
use crate::source::Skipped;

/// A run with a few of everything.
pub fn summary() -> Summary {
    let tally =
        Tally { read: 95_332, inserted: 95_100, duplicate: 12, rejected: 220, ..Tally::default() };
    Summary {
        run: "01JD7Q4Z8W3M5N6P7R8S9T0V1X".into(),
        status: RunStatus::Done,
        target: "duckdb:etl.duckdb".into(),
        tally,
        inputs: vec![input(tally)],
        skipped: vec![Skipped { path: "rolls.zip/readme.pdf".into(), reason: "a PDF".into() }],
        warnings: Vec::new(),
        failed_inputs: Vec::new(),
        error: None,
        retries: 0,
        peak_memory: Some(210 << 20),
        memory_limit: 512 << 20,
        seconds: 4.2,
    }
}

fn input(tally: Tally) -> InputSummary {
    InputSummary {
        input: "rolls.zip/SDF16P202501.csv".into(),
        fingerprint: "ab".repeat(32),
        kind: "sdf".into(),
        plain: "SDF, the sales of a county".into(),
        county: Some("Broward".into()),
        year: Some(2025),
        release: Some("2025P01".into()),
        schema: None,
        table: "sales".into(),
        mode: Mode::Merge,
        tally,
        replaced: 0,
        problems: problems(),
        warnings: vec!["1 column is unknown and goes to _extra: NOTE".into()],
        failed_file: Some("SDF16P202501.01JD7Q.failed.jsonl".into()),
        facts: Vec::new(),
        agents: agents(),
        resumed_from: Some(40_962),
        already_loaded_by: None,
        bytes: 50_800_000,
        seconds: 4.0,
    }
}

fn problems() -> Vec<ProblemSummary> {
    let example = |row, value: &str| Example {
        place: Place { row, byte: Some(10) },
        cell: None,
        value: Some(value.into()),
    };
    let problem =
        |code: &str, rule: &str, column: &str, severity, message: &str, count, example| {
            ProblemSummary {
                code: code.into(),
                rule: rule.into(),
                column: column.into(),
                severity,
                message: message.into(),
                hint: String::new(),
                count,
                examples: vec![example],
            }
        };
    vec![
        problem(
            "E301",
            "",
            "SALE_PRC",
            Severity::Critical,
            "not a number",
            200,
            example(1_842, "N/A"),
        ),
        problem(
            "E306",
            "",
            "PARCEL_ID",
            Severity::Critical,
            "a spreadsheet has rounded this id",
            20,
            example(9_001, "5.04203E+11"),
        ),
        problem(
            "E304",
            "SDF-12",
            "QUAL_CD",
            Severity::Warning,
            "the code is not in the list of the department",
            7,
            example(31, "\u{1b}[2J"),
        ),
    ]
}

fn agents() -> Vec<MeterReading> {
    let names = ["read", "validate", "transform", "enrich", "load"];
    let agent = |(at, name): (usize, &&str)| MeterReading {
        agent: (*name).to_owned(),
        rows: 95_332,
        busy_ms: 400 * (at as u64 + 1),
        waiting_ms: 0,
        queued: 0,
        longest_queue: 2,
    };
    names.iter().enumerate().map(agent).collect()
}
