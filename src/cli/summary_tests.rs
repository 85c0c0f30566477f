//! The screen that ends a run.

use super::super::sample::summary;
use super::*;

const STYLE: Style = Style { paint: Paint(false), width: 80, verbose: false };

#[test]
fn one_input_with_a_bit_of_everything_fits_the_screen() {
    let text = render(&summary(), STYLE);
    insta::assert_snapshot!(text);
    assert!(text.lines().count() <= 24, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    assert!(!text.contains('\u{1b}'), "values cannot drive the terminal");
}

#[test]
fn scripts_get_every_field() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&summary()).expect("JSON"));
}

#[test]
fn a_clean_run_is_short_and_still_states_the_equation() {
    let mut clean = summary();
    clean.tally = Tally { read: 5, inserted: 5, ..Tally::default() };
    let input = &mut clean.inputs[0];
    input.tally = clean.tally;
    input.problems.clear();
    input.warnings.clear();
    input.failed_file = None;
    input.resumed_from = None;
    clean.skipped.clear();
    insta::assert_snapshot!(render(&clean, STYLE));
}

#[test]
fn several_inputs_are_rows_of_one_table() {
    let mut many = summary();
    let mut second = many.inputs[0].clone();
    second.input = "a/very/long/folder/that/does/not/end/NAL16P202501.csv".into();
    second.failed_file = Some("NAL16P202501.01JD7Q.failed.jsonl".into());
    second.tally = Tally { read: 750_000, inserted: 749_000, updated: 1_000, ..Tally::default() };
    many.tally += second.tally;
    many.inputs.push(second);
    insta::assert_snapshot!(render(&many, STYLE));
}

#[test]
fn an_equation_that_is_too_wide_stands_upright() {
    let mut wide = summary();
    wide.tally = Tally {
        read: 28,
        inserted: 1,
        updated: 2,
        unchanged: 3,
        superseded: 4,
        duplicate: 5,
        filtered: 6,
        rejected: 7,
    };
    let text = render(&wide, STYLE);
    assert!(
        text.contains("    read        28\n  = inserted     1\n  + updated      2\n"),
        "{text}"
    );
}

#[test]
fn a_gap_is_never_hidden() {
    let mut gap = summary();
    gap.tally.read += 3;
    assert!(render(&gap, STYLE).contains("the account does not hold: 3 rows"));
}

#[test]
fn a_file_loaded_before_says_by_which_run() {
    let mut again = summary();
    again.status = RunStatus::AlreadyLoaded;
    again.inputs[0].already_loaded_by = Some("01JC".into());
    let text = render(&again, STYLE);
    assert!(text.starts_with("already loaded: rolls.zip/SDF16P202501.csv"), "{text}");
    assert!(text.contains("already loaded by run 01JC"), "{text}");
    assert!(!text.contains("rows/s"), "{text}");
}

#[test]
fn advice_comes_from_the_message_else_from_the_code() {
    let mut problem = summary().inputs.remove(0).problems.remove(0);
    assert_eq!(why_and_hint(&problem), ("not a number", Some("correct the cell")));
    problem.message = "not a number".into();
    problem.hint = "leave the cell blank".into();
    assert_eq!(why_and_hint(&problem), ("not a number", Some("leave the cell blank")));
}

#[test]
fn without_refused_rows_there_is_nothing_to_correct() {
    let mut clean = summary();
    clean.inputs[0].tally.rejected = 0;
    assert!(!render(&clean, STYLE).contains("etl failures"));
}
