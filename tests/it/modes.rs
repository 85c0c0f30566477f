//! How rows meet what the target holds: merge by release, append, replace, the error budget.

use super::loaded::{ask, count, failed, fails, ingest, loads, table};
use super::roll::{self, Row, parcel};
use super::support::Place;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const P: &str = "NAL16P202501.csv";
const S: &str = "NAL16S202501.csv";
const F: &str = "NAL16F202501.csv";

/// Provenance that may differ with the order in which equal rows came.
const WHENCE: &str = ", _etl_source, _etl_row";

fn nal(rows: &[Row]) -> String {
    roll::file("nal", rows)
}

/// Three releases: parcel 1 never changes, 2 changes with each, 3 changes back, 4 to 6 stand in one
/// release each, 7 is missing in the middle.
fn releases() -> Place {
    let roll = |values: &[(u32, i64)]| {
        nal(&values.iter().map(|(n, value)| parcel(16, *n, *value, "OWNER")).collect::<Vec<_>>())
    };
    Place::new()
        .file(P, &roll(&[(1, 10), (2, 20), (3, 30), (4, 40), (7, 70)]))
        .file(S, &roll(&[(1, 10), (2, 21), (3, 31), (5, 50)]))
        .file(F, &roll(&[(7, 71), (1, 10), (2, 22), (3, 30), (6, 60)]))
}

#[test]
fn the_highest_release_wins_in_any_order_of_files_and_runs() {
    let final_table = |runs: &[&[&str]]| {
        let place = releases();
        for files in runs {
            loads(&place, files, &[]);
        }
        let rows = "SELECT right(parcel_id, 1) || ':' || jv || ' ' || _etl_release FROM parcels ORDER BY 1";
        (ask(&place, rows).replace('\n', ", "), table(&place, "parcels", WHENCE))
    };
    let expected = final_table(&[&[P], &[S], &[F]]);
    assert_eq!(
        expected.0,
        "1:10 2025F01, 2:22 2025F01, 3:30 2025F01, 4:40 2025P01, 5:50 2025S01, 6:60 2025F01, \
         7:71 2025F01"
    );
    let orders: [&[&[&str]]; 8] = [
        &[&[P], &[F], &[S]],
        &[&[S], &[P], &[F]],
        &[&[S], &[F], &[P]],
        &[&[F], &[P], &[S]],
        &[&[F], &[S], &[P]],
        &[&[P, S, F]],
        &[&[F, P], &[S]],
        &[&[P], &[S, F]],
    ];
    for order in orders {
        assert_eq!(final_table(order), expected, "{order:?}");
    }
}

#[test]
fn every_fate_is_counted() {
    let place = releases();
    let first = loads(&place, &[P], &[]);
    assert_eq!((count(&first, "read"), count(&first, "inserted")), (5, 5));
    let higher = loads(&place, &[F], &[]);
    let fates = ["inserted", "updated", "unchanged", "superseded", "duplicate"];
    let counts = |summary| fates.map(|fate| count(summary, fate));
    // 6 is new; 2 and 7 changed; 1 and 3 are as they were.
    assert_eq!(counts(&higher), [1, 2, 2, 0, 0]);
    let lower = loads(&place, &[S], &[]);
    // 5 is new; 1, 2 and 3 stand there from a higher release, whether equal or not.
    assert_eq!(counts(&lower), [1, 0, 0, 3, 0]);
    assert_eq!(ask(&place, "SELECT count(*) FROM parcels"), "7");
    let before = table(&place, "parcels", "");
    let (code, again) = ingest(&place, &[P, S, F], &[]);
    assert_eq!((code, &again["status"]), (0, &"already_loaded".into()));
    assert_eq!(table(&place, "parcels", ""), before);
    let forced = loads(&place, &[F], &["--fresh"]);
    assert_eq!(counts(&forced), [0, 0, 5, 0, 0]);
    assert_eq!(table(&place, "parcels", ""), before);
}

#[test]
fn the_first_of_a_duplicate_key_wins_and_both_rows_are_named() {
    let rows = [parcel(16, 1, 10, "FIRST"), parcel(16, 2, 20, "X"), parcel(16, 1, 11, "SECOND")];
    let place = Place::new().file(P, &nal(&rows));
    let summary = loads(&place, &[P], &[]);
    assert_eq!((count(&summary, "inserted"), count(&summary, "duplicate")), (2, 1));
    let owners = "SELECT own_name FROM parcels ORDER BY parcel_id";
    assert_eq!(ask(&place, owners), "FIRST\nX");
    let problems = summary["inputs"][0]["problems"].as_array().expect("problems").clone();
    let found = problems.iter().find(|problem| problem["rule"] == "duplicate").expect("told");
    let example = &found["examples"][0];
    assert_eq!(example["place"]["row"], 4, "{found}");
    assert!(example["value"].as_str().is_some_and(|text| text.ends_with("row 2")), "{found}");
}

#[test]
fn append_adds_every_row() {
    let rows = nal(&[parcel(16, 1, 10, "A"), parcel(16, 1, 10, "A")]);
    let place = Place::new().file(P, &rows);
    let summary = loads(&place, &[P], &["--mode", "append"]);
    assert_eq!((count(&summary, "inserted"), count(&summary, "duplicate")), (2, 0));
    let (_, again) = ingest(&place, &[P], &["--mode", "append"]);
    assert_eq!(again["status"], "already_loaded");
    // The rows of the same content give way: they do not stand there twice.
    let fresh = loads(&place, &[P], &["--mode", "append", "--fresh"]);
    assert_eq!(fresh["inputs"][0]["replaced"], 2);
    assert_eq!(ask(&place, "SELECT count(*) FROM parcels"), "2");
}

#[test]
fn replace_takes_the_place_of_one_county_only() {
    let county = |county: u8, range: std::ops::Range<u32>, value| {
        nal(&range.map(|n| parcel(county, n, value, "A")).collect::<Vec<_>>())
    };
    let place = Place::new()
        .file(P, &county(16, 0..30, 1))
        .file("NAL23P202501.csv", &county(23, 0..20, 1))
        .file(S, &county(16, 5..30, 2));
    loads(&place, &[P, "NAL23P202501.csv"], &[]);
    let summary = loads(&place, &[S], &["--mode", "replace"]);
    assert_eq!(count(&summary, "inserted"), 25);
    let counts = "SELECT co_no, count(*), sum(jv)::BIGINT FROM parcels GROUP BY 1 ORDER BY 1";
    assert_eq!(ask(&place, counts), "16,25,50\n23,20,20");
    // What was replaced is no longer loaded, so the same command brings it back.
    let back = loads(&place, &[P], &["--mode", "replace"]);
    assert_eq!((back["status"].as_str(), count(&back, "inserted")), (Some("done"), 30));
    assert_eq!(ask(&place, counts), "16,30,30\n23,20,20");
    let (_, other) = ingest(&place, &["NAL23P202501.csv"], &[]);
    assert_eq!(other["status"], "already_loaded", "the other county was not touched");
}

#[test]
fn files_of_one_scope_together_replace_it() {
    let part = |range: std::ops::Range<u32>| {
        nal(&range.map(|n| parcel(16, n, 5, "A")).collect::<Vec<_>>())
    };
    let (one, two) = ("1/NAL16S202501.csv", "2/NAL16S202501.csv");
    let place = Place::new().file(P, &part(0..50)).file(one, &part(0..6)).file(two, &part(4..10));
    loads(&place, &[P], &[]);
    let summary = loads(&place, &[one, two], &["--mode", "replace"]);
    assert_eq!((count(&summary, "inserted"), count(&summary, "duplicate")), (10, 2));
    assert_eq!(ask(&place, "SELECT count(*) FROM parcels"), "10");
}

#[test]
fn an_unknown_release_does_not_meet_known_ones() {
    let place = releases();
    loads(&place, &[P], &[]);
    let changed = nal(&[parcel(16, 1, 99, "B")]);
    let place = place.file("broward.csv", &changed);
    let (code, text) = fails(&place, &["broward.csv"], &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("--release"), "{text}");
    loads(&place, &["broward.csv"], &["--release", "F"]);
    assert_eq!(ask(&place, "SELECT own_name FROM parcels WHERE jv = 99"), "B");
}

#[test]
fn files_with_one_header_are_one_table() {
    let place = Place::new()
        .file("a/permits.csv", "permit,cost\nA1,10\nA2,20\n")
        .file("b/permits.csv", "permit,cost\nB1,30\n");
    let summary = loads(&place, &["a/permits.csv", "b/permits.csv"], &[]);
    assert_eq!(count(&summary, "inserted"), 3);
    assert_eq!(ask(&place, "SELECT sum(cost)::BIGINT FROM permits"), "60");
    let place = place.file("c.csv", "permit,cost\nC1,5\n");
    loads(&place, &["c.csv"], &["--table", "permits", "--mode", "replace"]);
    assert_eq!(ask(&place, "SELECT string_agg(permit, ' ') FROM permits"), "C1");
}

#[test]
fn a_limit_holds_for_each_file() {
    let place = releases();
    let summary = loads(&place, &[P, S], &["--limit", "2"]);
    assert_eq!(count(&summary, "read"), 4, "{summary}");
}

#[test]
fn the_error_budget_keeps_or_rolls_back() {
    for (on_abort, said) in [("keep", "the same command goes on"), ("rollback", "were deleted")] {
        let place = Place::new().file("SDF16P202501.csv", &roll::sales(4_000));
        let small = ["--commit-rows", "1000", "--chunk-rows", "500", "--on-abort", on_abort];
        let more = [&small[..], &["--max-errors", "12"]].concat();
        let (code, text) = fails(&place, &["SDF16P202501.csv"], &more);
        assert_eq!(code, 4, "{text}");
        assert!(text.contains(said), "{on_abort}: {text}");
        let left: u64 = ask(&place, "SELECT count(*) FROM sales").parse().expect("a count");
        assert_eq!(left % 1_000, 0);
        assert!(if on_abort == "keep" { left > 0 } else { left == 0 }, "{on_abort}: {left}");
        assert_eq!(failed(&place).is_empty(), on_abort == "rollback");
        // With a larger budget the same command ends as one that was never stopped.
        let summary = loads(&place, &["SDF16P202501.csv"], &["--max-errors", "100"]);
        assert_eq!(count(&summary, "read"), 4_000);
        let whole = Place::new().file("SDF16P202501.csv", &roll::sales(4_000));
        loads(&whole, &["SDF16P202501.csv"], &[]);
        assert_eq!(table(&place, "sales", ""), table(&whole, "sales", ""));
        assert_eq!(failed(&place), failed(&whole));
    }
    let place = Place::new().file("SDF16P202501.csv", &roll::sales(4_000));
    let (code, text) = fails(&place, &["SDF16P202501.csv"], &["--max-error-rate", "0.1%"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("0.10 %"), "{text}");
}

#[test]
fn a_fact_about_the_file_found_late_ends_it_as_the_user_wants() {
    for (on_abort, left) in [("keep", "1000"), ("rollback", "0")] {
        let mut rows: Vec<_> = (0..1_500).map(|n| parcel(16, n, 1, "A")).collect();
        rows[1_400] = parcel(23, 1_400, 1, "A");
        let place = Place::new().file(P, &nal(&rows));
        // One thread: else the error may come before anything is committed.
        let small = [
            "--commit-rows",
            "500",
            "--chunk-rows",
            "50",
            "--threads",
            "1",
            "--on-abort",
            on_abort,
        ];
        let (code, text) = fails(&place, &[P], &small);
        assert_eq!(code, 1, "{text}");
        assert!(
            text.contains("FILE-04") && text.contains("1,402") || text.contains("1402"),
            "{text}"
        );
        let count = ask(&place, "SELECT count(*) FROM parcels");
        let rolled = on_abort == "rollback";
        assert!(if rolled {
            count == left
        } else {
            count == left || count == "500" || count == "0"
        });
    }
}

#[test]
fn the_default_target_works_and_its_name_is_no_trouble() {
    let place = releases();
    let output = place.output(&["ingest", P]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = place.output(&["sql", "SELECT count(*) AS n FROM etl.runs", "--format", "csv"]);
    assert_eq!(String::from_utf8_lossy(&rows.stdout), "n\n1\n");
    let again = place.output(&["ingest", P, "--to", "duckdb:etl.duckdb", "--format", "json"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("already_loaded"));
}

/// Chunks, threads, fusing, writers and commits decide how fast it goes, never what comes out.
#[test]
fn the_machine_settings_never_change_a_row() {
    let files = ["SDF16S202501.csv", "SDF16P202501.csv"];
    let place = || {
        let text = roll::sales(2_500);
        let changed = text.replace(",1000", ",2000").replace(",1010", ",much");
        Place::new().file(files[0], &text).file(files[1], &changed)
    };
    let outcome = |more: &[&str]| {
        let place = place();
        // One after the other, so that the second load has something to compare with.
        let summaries = [files[1], files[0]].map(|file| loads(&place, &[file], more));
        let told = summaries
            .map(|summary| (summary["tally"].clone(), summary["inputs"][0]["problems"].clone()));
        (told, table(&place, "sales", ""), failed(&place))
    };
    let expected = outcome(&[]);
    let settings = (1_usize..3_000, 1_usize..4, any::<bool>(), 1_usize..4, 50_u64..3_000);
    let mut runner =
        TestRunner::new(Config { cases: 10, failure_persistence: None, ..Config::default() });
    runner
        .run(&settings, |(chunk, threads, fuse, writers, commit)| {
            let texts = [
                chunk.to_string(),
                threads.to_string(),
                fuse.to_string(),
                writers.to_string(),
                commit.to_string(),
            ];
            let names = ["--chunk-rows", "--threads", "--fuse", "--writers", "--commit-rows"];
            let more: Vec<_> =
                names.iter().zip(&texts).flat_map(|(name, text)| [*name, text]).collect();
            prop_assert_eq!(outcome(&more), expected.clone());
            Ok(())
        })
        .expect("the same rows for all settings");
}
