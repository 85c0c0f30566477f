//! The process that reads old workbooks, as the program starts it.

use super::support::Place;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    folder.join(name).display().to_string()
}

fn reader(place: &Place, kind: &str, path: &str) -> Child {
    let limits = ["--memory", "200000000", "--seconds", "60"];
    let arguments = [&["read-legacy", "--kind", kind][..], &limits, &["--", path]].concat();
    place
        .command(&arguments)
        .env("MIMALLOC_ARENA_RESERVE", "32MiB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

fn ended(child: &mut Child, within: Duration) -> bool {
    let until = Instant::now() + within;
    while Instant::now() < until {
        if child.try_wait().expect("a child").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// It waits for a workbook that never comes; what ends it is that nobody holds its stdin any more.
#[cfg(unix)]
#[test]
fn it_does_not_outlive_its_caller() {
    let place = Place::new();
    let pipe = place.path("never.xls");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let mut child = reader(&place, "xls", &pipe.display().to_string());
    assert!(!ended(&mut child, Duration::from_millis(500)), "it waits as long as its caller lives");
    drop(child.stdin.take());
    assert!(ended(&mut child, Duration::from_secs(10)), "its caller is gone");
}

#[test]
fn it_ends_when_nobody_takes_what_it_tells() {
    let place = Place::new();
    let mut child = reader(&place, "xls", &fixture("excel/SDF16P202501_old.xls"));
    drop(child.stdout.take());
    assert!(ended(&mut child, Duration::from_secs(10)));
}

#[test]
fn it_is_not_among_the_commands_of_the_help() {
    let place = Place::new();
    assert!(!place.run(&["--help"]).contains("read-legacy"));
}

/// A workbook cut off anywhere is refused, or holds all its rows.
#[test]
fn an_old_workbook_cut_off_anywhere_never_has_fewer_rows() {
    let place = Place::new();
    for (name, kind) in [
        ("excel/SDF16P202501_old.xls", "xls"),
        ("excel/SDF16P202501_binary.xlsb", "xlsb"),
        ("excel/SDF16P202501_open.ods", "ods"),
    ] {
        let bytes = std::fs::read(fixture(name)).expect("a fixture");
        let told = |bytes: &[u8]| {
            let path = place.path("cut");
            std::fs::write(&path, bytes).expect("writable");
            let mut child = reader(&place, kind, &path.display().to_string());
            let mut out = Vec::new();
            let stdout = child.stdout.as_mut().expect("piped");
            stdout.read_to_end(&mut out).expect("readable");
            child.wait().expect("it ends");
            out
        };
        let whole = told(&bytes);
        let is_done = |out: &[u8]| out.len() >= 9 && out[out.len() - 9] == b'Z';
        assert!(is_done(&whole), "{name}");
        for percent in (2..100).step_by(7) {
            let out = told(&bytes[..bytes.len() * percent / 100]);
            assert!(!is_done(&out) || out == whole, "{name} cut at {percent} %");
        }
    }
}

/// Inside an archive, packed, and through a pipe: an old workbook is one like any other.
#[test]
fn an_old_workbook_is_read_wherever_it_lies() {
    let place = Place::new();
    let bytes = std::fs::read(fixture("excel/dates.xlsb")).expect("a fixture");
    let mut zip =
        zip::ZipWriter::new(std::fs::File::create(place.path("a.zip")).expect("writable"));
    zip.start_file("inner/dates.xlsb", zip::write::SimpleFileOptions::default()).expect("a member");
    std::io::Write::write_all(&mut zip, &bytes).expect("writable");
    zip.finish().expect("writable");
    let seen = place.run(&["ingest", "a.zip", "--to", "duckdb:t.duckdb"]);
    assert!(seen.starts_with("exit: 0"), "{seen}");
    let rows = place.run(&["sql", "SELECT count(*), max(took) FROM dates", "--to", "t.duckdb"]);
    assert!(rows.contains('3') && rows.contains("72:00:00"), "{rows}");
}
