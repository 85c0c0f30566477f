//! The plan as text.

use super::super::sample::summary;
use super::*;
use crate::run::ColumnPlan;
use crate::source::Skipped;

fn pair(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

fn plan() -> run::Plan {
    let column = |at: usize| ColumnPlan {
        name: format!("column_{at}"),
        header: format!("COLUMN_{at}"),
        kind: "BIGINT".into(),
        role: if at == 0 { "key".into() } else { String::new() },
        note: String::new(),
    };
    let input = InputPlan {
        input: "SDF16P202501.csv".into(),
        kind: "sdf".into(),
        plain: "SDF, the sales of a county".into(),
        evidence: "23 of 23 columns".into(),
        facts: vec![
            pair("county", "16 Broward (column CO_NO)"),
            pair("release", "P01 (file name)"),
        ],
        format: vec![pair("delimiter", ",")],
        table: "sales".into(),
        mode: "merge".into(),
        state: "new".into(),
        columns: (0..23).map(column).collect(),
        missing: vec!["NBRHD_CD".into()],
        unknown: vec!["NOTE".into()],
        absent: vec![pair("bedrooms", "no roll of the department holds them")],
        agents: vec![pair("validate", "31 rules"), pair("load", "merge by key")],
        ddl: "CREATE TABLE sales (\n  co_no VARCHAR\n)".into(),
        strategy: vec![pair("chunks", "100,000 rows")],
        sample: SampleResult {
            rows: 1_000,
            rejected: 220,
            warnings: 7,
            problems: summary().inputs.remove(0).problems,
        },
        unchecked: vec![],
        warnings: vec!["the file has no final newline".into()],
    };
    run::Plan {
        inputs: vec![input],
        target: "duckdb:etl.duckdb".into(),
        memory: vec![("chunks".into(), 128 << 20), ("DuckDB".into(), 256 << 20)],
        threads: 2,
        skipped: vec![Skipped { path: "readme.pdf".into(), reason: "a PDF".into() }],
        warnings: vec!["E205: empty.csv holds no rows".into()],
        failed_inputs: Vec::new(),
    }
}

#[test]
fn a_plan_says_what_it_is_and_what_would_happen() {
    let style = Style { paint: Paint(false), width: 80, all: false, ddl: false };
    let text = render(&plan(), style);
    insta::assert_snapshot!(text);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn all_columns_and_the_statement_are_shown_when_asked_for() {
    let style = Style { paint: Paint(false), width: 80, all: true, ddl: true };
    let text = render(&plan(), style);
    assert!(text.contains("COLUMN_22"), "{text}");
    assert!(text.contains("CREATE TABLE sales"), "{text}");
}
