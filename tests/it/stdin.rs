//! `-`: standard input as a file.

use super::support::Place;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::read(folder.join(name)).expect("a fixture")
}

fn piped(place: &Place, bytes: &[u8], arguments: &[&str]) -> Output {
    let mut child = place
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // One that refuses its arguments does not read.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const TO: [&str; 2] = ["--to", "duckdb:t.duckdb"];

#[test]
fn the_same_bytes_twice_are_loaded_once() {
    let place = Place::new();
    let spool = place.path("spool");
    std::fs::create_dir(&spool).expect("writable");
    let arguments = ["ingest", "-", TO[0], TO[1], "--temp-dir", "spool"];
    let bytes = fixture("csv/SDF16P202501_clean.csv");
    let first = piped(&place, &bytes, &arguments);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(stdout(&first).starts_with("loaded stdin into"), "{}", stdout(&first));
    assert!(stdout(&first).contains("SDF = sales · Broward"), "kind and county by the columns");
    let again = piped(&place, &bytes, &arguments);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(stdout(&again).starts_with("already loaded: stdin"), "{}", stdout(&again));
    let left: Vec<_> = std::fs::read_dir(&spool).expect("readable").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn packed_bytes_are_known_by_their_content() {
    for (name, label) in [
        ("packed/SDF16P202501.csv.gz", "loaded stdin into"),
        ("packed/SDF16P202501.csv.zst", "loaded stdin into"),
        ("excel/SDF16P202501_preamble.xlsx", "stdin, sheet \"Sheet1\""),
        ("parquet/types.parquet", "loaded stdin into"),
    ] {
        let place = Place::new();
        let output = piped(&place, &fixture(name), &["ingest", "-", TO[0], TO[1]]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert!(stdout(&output).contains(label), "{name}: {}", stdout(&output));
    }
    let place = Place::new();
    let output = piped(&place, &fixture("packed/two_members.zip"), &["ingest", "-", TO[0], TO[1]]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("stdin/rolls/SDF16P202501.csv"), "{}", stdout(&output));
}

#[test]
fn refused_rows_go_where_the_name_says() {
    let place = Place::new();
    let bytes = fixture("csv/SDF16P202501_ragged.csv");
    let output = piped(&place, &bytes, &["ingest", "-", TO[0], TO[1]]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let files = std::fs::read_dir(place.path("")).expect("readable");
    let names: Vec<_> =
        files.map(|entry| entry.expect("readable").file_name().into_string()).collect();
    let failed = |name: &str| name.starts_with("stdin.") && name.ends_with(".failed.jsonl");
    assert!(names.iter().flatten().any(|name| failed(name)), "{names:?}");
}

#[test]
fn plan_and_check_take_it_too() {
    let place = Place::new();
    let bytes = fixture("csv/SDF16P202501_ragged.csv");
    let plan = piped(&place, &bytes, &["plan", "-", TO[0], TO[1]]);
    assert_eq!(plan.status.code(), Some(0), "{}", stderr(&plan));
    assert!(stdout(&plan).starts_with("stdin\n"), "{}", stdout(&plan));
    let check = piped(&place, &bytes, &["check", "-", TO[0], TO[1]]);
    assert_eq!(check.status.code(), Some(5), "{}", stderr(&check));
    assert!(!place.path("t.duckdb").exists());
}

#[test]
fn nothing_and_nonsense_are_refused() {
    let place = Place::new();
    let empty = piped(&place, b"", &["ingest", "-", TO[0], TO[1]]);
    assert_eq!(empty.status.code(), Some(6), "{}", stderr(&empty));
    assert!(stderr(&empty).contains("stdin: "), "{}", stderr(&empty));
    assert!(stderr(&empty).contains("command before the pipe"), "{}", stderr(&empty));
    let twice = piped(&place, b"a,b\n", &["ingest", "-", "-", TO[0], TO[1]]);
    assert_eq!(twice.status.code(), Some(2), "{}", stderr(&twice));
    let nowhere =
        piped(&place, b"a,b\n1,2\n", &["ingest", "-", TO[0], TO[1], "--temp-dir", "nowhere"]);
    assert_eq!(nowhere.status.code(), Some(8), "{}", stderr(&nowhere));
}
