//! Wrong usage: what is wrong, what to do, exit code 2, nothing touched.

use super::support::Place;
use std::process::Stdio;

#[test]
fn wrong_usage_is_exit_2_with_a_way_out() {
    let place = Place::new();
    let mut all = String::new();
    for arguments in [
        &["ingst", "a.csv"][..],
        &["ingest"],
        &["ingest", "a.csv", "--no-fx"],
        &["ingest", "a.csv", "--upsert"],
        &["ingest", "a.csv", "--memory-limit", "much"],
        &["ingest", "a.csv", "--memory-limit", "512"],
        &["ingest", "a.csv", "--max-error-rate", "5"],
        &["ingest", "a.csv", "--mode", "upsert"],
        &["ingest", "a.csv", "--threads", "0"],
        &["ingest", "a.csv", "--to", "mysql://host/db"],
        &["ingest", "a.csv", "--rule", "FILE-04=loud"],
        &["ingest", "a.csv", "--to", "env:NOWHERE"],
        &["ingest", "a.csv", "--profile", "nightly"],
        &["ingest", "a.csv", "--rules", "nowhere.toml"],
        &["sql", ""],
        &["reprocess-failures", "01JD7Q4Z8W3M5N6P7R8S9T0V1X", "a.jsonl"],
    ] {
        let seen = place.run(arguments);
        assert!(seen.starts_with("exit: 2\n"), "{arguments:?}\n{seen}");
        all.push_str(&format!("$ etl {}\n{seen}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!(all);
    let left: Vec<_> = std::fs::read_dir(place.path("")).expect("readable").collect();
    assert_eq!(left.len(), 1, "only the home folder is there: {left:?}");
}

#[test]
fn nobody_reading_stdout_is_no_error() {
    let place = Place::new();
    let mut child = place
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn colours_only_where_they_are_asked_for() {
    let place = Place::new();
    let told = |arguments: &[&str]| place.output(arguments).stderr.contains(&0x1b);
    assert!(!told(&["ingest", "a.csv", "--to", "env:NOWHERE"]));
    assert!(told(&["ingest", "a.csv", "--to", "env:NOWHERE", "--color", "always"]));
}
