//! Files that change while they are loaded or looked at: E502, and never rows of two contents together.

use super::hostile_make::{cell, workbook, zipped};
use super::loaded::{arguments, ask, consistent, fails, ingest, loads, table, told};
use super::pg_server::{self, Server};
use super::support::Place;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

/// Rows of a file: many commits, and one of them at a time.
const ROWS: u32 = 12_000;
const SMALL: [&str; 8] =
    ["--commit-rows", "1000", "--chunk-rows", "300", "--writers", "1", "--table", "t"];

/// A format, the name of a file of it, and how rows with a word in each become one.
type Format = (&'static str, fn(&str, u32) -> Vec<u8>);

const FORMATS: [Format; 6] = [
    ("f.csv", csv),
    ("f.csv.gz", |word, rows| gzipped(&csv(word, rows))),
    ("f.csv.zst", |word, rows| zstd(&csv(word, rows))),
    ("f.zip", |word, rows| zipped(&[("other.txt.png", b"\x89PNG"), ("f.csv", &csv(word, rows))])),
    ("f.xlsx", sheet),
    ("f.parquet", parquet),
];

fn csv(word: &str, rows: u32) -> Vec<u8> {
    let mut text = String::from("id,name,amount\n");
    (1..=rows).for_each(|n| text.push_str(&format!("{n},{word} {},{}\n", n * 31, n * 7)));
    text.into_bytes()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("memory takes all");
    packer.finish().expect("memory takes all")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn sheet(word: &str, rows: u32) -> Vec<u8> {
    let header = ["id", "name", "amount"].iter().zip(["A1", "B1", "C1"]);
    let mut text: String = header.map(|(name, at)| cell(at, name)).collect();
    text = format!("<sheetData><row r=\"1\">{text}</row>");
    for n in 1..=rows {
        let row = n + 1;
        let name = cell(&format!("B{row}"), &format!("{word} {}", n * 31));
        text.push_str(&format!(
            "<row r=\"{row}\"><c r=\"A{row}\"><v>{n}</v></c>{name}<c r=\"C{row}\"><v>{}</v></c></row>",
            n * 7
        ));
    }
    workbook(&format!("{text}</sheetData>"), &[])
}

fn parquet(word: &str, rows: u32) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.parquet");
    let database = etl::duck::Database::memory(&etl::duck::Settings::default()).expect("memory");
    let sql = format!(
        "COPY (SELECT n AS id, '{word} ' || n * 31 AS name, n * 7 AS amount FROM range(1, {}) t(n)) \
         TO '{}' (FORMAT parquet, ROW_GROUP_SIZE 2048)",
        rows + 1,
        path.display()
    );
    database.connect().expect("a connection").execute(&sql).expect("sound SQL");
    std::fs::read(path).expect("it was written")
}

/// A way in which a file with the old bytes changes, perhaps into the new ones.
type Change = (&'static str, fn(&Path, &[u8], &[u8]));

const CHANGES: [Change; 3] = [
    ("cut off", |path, old, _| put(path, &old[..old.len() / 3])),
    ("replaced", |path, _, new| {
        put(&path.with_extension("new"), new);
        std::fs::rename(path.with_extension("new"), path).expect("movable");
    }),
    ("written anew", |path, _, new| put(path, new)),
];

fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("writable");
}

fn place(name: &str, bytes: &[u8]) -> Place {
    let place = Place::new();
    put(&place.path(name), bytes);
    place
}

/// Starts the program and waits until it has told `count` events of a name.
fn started(
    place: &Place,
    arguments: &[&str],
    event: &str,
    count: usize,
) -> (Child, JoinHandle<String>) {
    let mut command = place.command(arguments);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let (mut line, mut seen) = (String::new(), 0);
    let event = format!("\"{event}\"");
    while seen < count {
        line.clear();
        assert!(lines.read_line(&mut line).expect("UTF-8") > 0, "it ended before the event");
        seen += usize::from(line.contains(&event));
    }
    let rest = std::thread::spawn(move || {
        let mut text = String::new();
        lines.read_to_string(&mut text).map(|_| text).expect("UTF-8")
    });
    (child, rest)
}

/// Its exit code and what it had still to say.
fn ended((child, rest): (Child, JoinHandle<String>)) -> (i32, String) {
    let output = child.wait_with_output().expect("it ends");
    (told(&output).0, rest.join().expect("it has read all"))
}

/// Rows that must stand in the table when `bytes` are loaded and nothing happens.
fn undisturbed(name: &str, bytes: &[u8]) -> String {
    let whole = place(name, bytes);
    loads(&whole, &[name], &SMALL);
    table(&whole, "t", "")
}

#[test]
fn whatever_changes_under_a_load_is_never_mixed_with_what_was() {
    for (name, make) in FORMATS {
        let (old, new) = (make("old", ROWS), make("new", ROWS));
        let (all_old, all_new) = (undisturbed(name, &old), undisturbed(name, &new));
        for (what, change) in CHANGES {
            let place = place(name, &old);
            let path = place.path(name);
            let load = started(&place, &arguments(&[name], &SMALL), "committed", 2);
            change(&path, &old, &new);
            let (code, text) = ended(load);
            assert_eq!(code, 6, "{name} {what}: {text}");
            assert!(text.contains("E502") && text.contains("--fresh"), "{name} {what}: {text}");
            assert!(text.contains("are committed") && text.contains("changed"), "{name}: {text}");
            assert_eq!(
                ask(&place, "SELECT DISTINCT status FROM etl.inputs"),
                "running",
                "{name} {what}"
            );
            assert_eq!(ask(&place, "SELECT count(*) FROM t WHERE name NOT LIKE 'old %'"), "0");
            // What the file is now is refused, the old one goes on behind what is committed.
            put(&path, &new);
            let (code, text) = fails(&place, &[name], &SMALL);
            assert!(code == 6 && text.contains("E502"), "{name} {what}: {code} {text}");
            put(&path, &old);
            let summary = loads(&place, &[name], &SMALL);
            let from = summary["inputs"][0]["resumed_from"].as_u64();
            assert!(from > Some(1_000), "{name} {what}: {summary}");
            assert_eq!(table(&place, "t", ""), all_old, "{name} {what}");
        }
        let place = place(name, &old);
        let load = started(&place, &arguments(&[name], &SMALL), "committed", 2);
        put(&place.path(name), &new);
        assert_eq!(ended(load).0, 6, "{name}");
        loads(&place, &[name], &[&SMALL[..], &["--fresh"]].concat());
        assert_eq!(table(&place, "t", ""), all_new, "{name} --fresh");
    }
}

#[test]
fn a_load_that_goes_on_in_the_middle_checks_its_part() {
    for (name, make) in FORMATS {
        let (old, new) = (make("old", ROWS), make("new", ROWS));
        let place = place(name, &old);
        let path = place.path(name);
        let (mut child, _) = started(&place, &arguments(&[name], &SMALL), "committed", 2);
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
        let load = started(&place, &arguments(&[name], &SMALL), "committed", 2);
        put(&path, &new);
        let (code, text) = ended(load);
        assert!(code == 6 && text.contains("E502"), "{name}: {code} {text}");
        put(&path, &old);
        loads(&place, &[name], &SMALL);
        assert_eq!(table(&place, "t", ""), undisturbed(name, &old), "{name}");
    }
}

#[test]
fn a_file_that_is_written_anew_as_it_was_has_not_changed() {
    for (name, make) in FORMATS {
        let old = make("old", ROWS);
        let place = place(name, &old);
        let load = started(&place, &arguments(&[name], &SMALL), "committed", 2);
        put(&place.path("copy"), &old);
        std::fs::rename(place.path("copy"), place.path(name)).expect("movable");
        let (code, text) = ended(load);
        assert_eq!(code, 0, "{name}: {text}");
        assert_eq!(table(&place, "t", ""), undisturbed(name, &old), "{name}");
        consistent(&place);
    }
}

#[test]
fn a_limit_or_a_range_is_watched_too() {
    let (old, new) = (sheet("old", ROWS), sheet("new", ROWS));
    for more in [["--limit", "9000"], ["--range", "A1:C9001"]] {
        let place = place("f.xlsx", &old);
        let more = [&SMALL[..], &more].concat();
        let load = started(&place, &arguments(&["f.xlsx"], &more), "committed", 2);
        put(&place.path("f.xlsx"), &new);
        let (code, text) = ended(load);
        assert!(code == 6 && text.contains("E502"), "{more:?}: {code} {text}");
        assert_eq!(ask(&place, "SELECT count(*) FROM t WHERE name NOT LIKE 'old %'"), "0");
        put(&place.path("f.xlsx"), &old);
        loads(&place, &["f.xlsx"], &more);
        assert_eq!(
            ask(&place, "SELECT count(*), count(DISTINCT id), max(id) FROM t"),
            "9000,9000,9000"
        );
        assert_eq!(ask(&place, "SELECT count(*) FROM t WHERE name NOT LIKE 'old %'"), "0");
    }
}

#[test]
fn where_a_text_file_has_only_grown_the_load_goes_on() {
    let grown = |make: fn(&str, u32) -> Vec<u8>| (make("old", ROWS), make("old", ROWS + 900));
    for (name, make) in &FORMATS[..3] {
        let (old, new) = grown(*make);
        let place = place(name, &old);
        let load = started(&place, &arguments(&[name], &SMALL), "committed", 2);
        put(&place.path(name), &new);
        let (code, text) = ended(load);
        assert!(code == 6 && text.contains("E502"), "{name}: {code} {text}");
        let output = place.output(&arguments(&[name], &SMALL));
        let (code, summary) = told(&output);
        let warned = summary["inputs"][0]["warnings"][0].as_str().unwrap_or_default();
        assert!(code == 0 && warned.contains("has grown since run"), "{name}: {code} {summary}");
        assert!(summary["inputs"][0]["resumed_from"].as_u64() > Some(1_000), "{name}: {summary}");
        assert_eq!(
            ask(&place, "SELECT DISTINCT run FROM etl.runs"),
            summary["run"].as_str().expect("a run")
        );
        consistent(&place);
        assert_eq!(table(&place, "t", ""), undisturbed(name, &new), "{name}");
        let (code, summary) = told(&place.output(&arguments(&[name], &SMALL)));
        assert_eq!((code, &summary["status"]), (0, &"already_loaded".into()), "{name}");
    }
}

#[test]
fn growth_with_a_value_of_another_type_has_that_row_refused() {
    let old = csv("old", ROWS);
    let place = place("f.csv", &old);
    let load = started(&place, &arguments(&["f.csv"], &SMALL), "committed", 2);
    put(&place.path("f.csv"), &[&old[..], b"99999,old,many\n"].concat());
    assert_eq!(ended(load).0, 6);
    // The table has the type that the load was begun with.
    let (code, summary) = ingest(&place, &["f.csv"], &SMALL);
    let told = summary["inputs"][0]["problems"].to_string();
    assert!(code == 3 && told.contains("many"), "{code} {told}");
    assert_eq!(table(&place, "t", ""), undisturbed("f.csv", &old));
}

#[test]
fn a_look_at_a_changing_file_tells_of_no_mix() {
    let (old, new) = (csv("old", 400_000), csv("new", 400_000));
    for verb in ["check", "profile"] {
        let place = place("f.csv", &old);
        put(&place.path("new.csv"), &new);
        let look = started(&place, &[verb, "f.csv", "--progress", "json"], "input_started", 1);
        std::fs::rename(place.path("new.csv"), place.path("f.csv")).expect("movable");
        let (code, text) = ended(look);
        assert!(code == 6 && text.contains("E502"), "{verb}: {code} {text}");
    }
}

#[test]
fn a_file_that_goes_before_its_first_row_leaves_nothing_behind() {
    let (first, second) = (csv("old", 200_000), csv("old", 3_000));
    let place = place("a.csv", &first);
    put(&place.path("b.csv"), &second);
    let load = started(&place, &arguments(&["a.csv", "b.csv"], &["--table", "t"]), "committed", 1);
    put(&place.path("b.csv"), &csv("new", 2_000));
    let (code, text) = ended(load);
    assert!(code == 6 && text.contains("E502") && text.contains("b.csv"), "{code} {text}");
    assert!(text.contains("nothing of this file was committed"), "{text}");
    assert_eq!(ask(&place, "SELECT count(*) FROM t WHERE _etl_source = 'b.csv'"), "0");
    // The same command loads the file as it is now.
    loads(&place, &["a.csv", "b.csv"], &["--table", "t"]);
    let counted = "SELECT _etl_source, count(*), min(split_part(name, ' ', 1)), max(id) FROM t GROUP BY 1 ORDER BY 1";
    assert_eq!(ask(&place, counted), "a.csv,200000,old,200000\nb.csv,2000,new,2000");
}

#[test]
fn on_a_server_it_is_the_same() {
    let server = Server::start();
    let to = server.url();
    for (name, make) in [FORMATS[0], FORMATS[5]] {
        let (old, new) = (make("old", ROWS), make("new", ROWS));
        let place = place(name, &old);
        let asked = pg_server::arguments(&to, &[name], &SMALL);
        let load = started(&place, &asked, "committed", 2);
        put(&place.path(name), &new);
        let (code, text) = ended(load);
        assert!(code == 6 && text.contains("E502"), "{name}: {code} {text}");
        put(&place.path(name), &old);
        pg_server::loads(&place, &to, &[name], &SMALL);
        pg_server::consistent(&server, "t");
        let found = server.psql(
            "SELECT count(*), count(DISTINCT id), sum(amount), count(*) FILTER (WHERE name = \
             'old ' || id * 31) FROM t",
        );
        let sum: u64 = (1..=u64::from(ROWS)).map(|n| n * 7).sum();
        assert_eq!(found.trim(), format!("{ROWS}|{ROWS}|{sum}|{ROWS}"), "{name}");
        server.psql("DROP TABLE t; DROP SCHEMA etl CASCADE");
    }
}
