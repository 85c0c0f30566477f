//! Nothing is left out in silence: whatever a folder, a pattern or an archive lists is read, is an error, or
//! is skipped with its reason.

use super::loaded::{TO, ask, consistent, fails, ingest, loads};
use super::pg_server::{self, Server};
use super::support::Place;
use serde_json::Value;
use std::io::Write as _;

/// Texts of a list in a document.
fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is a list"));
    list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}

/// Inputs that have failed, each with its code.
fn failed(summary: &Value) -> Vec<(String, String)> {
    let list = summary["failed_inputs"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    list.iter().map(|failed| (text(&failed["input"]), text(&failed["code"]))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn write(place: &Place, name: &str, content: &[u8]) {
    let path = place.path(name);
    std::fs::create_dir_all(path.parent().expect("inside")).expect("writable");
    std::fs::write(path, content).expect("writable");
}

fn zip(place: &Place, name: &str, members: &[(&str, &[u8])]) {
    let file = std::fs::File::create(place.path(name)).expect("writable");
    let mut archive = zip::ZipWriter::new(file);
    for (member, content) in members {
        archive.start_file(*member, zip::write::SimpleFileOptions::default()).expect("a name");
        archive.write_all(content).expect("room");
    }
    archive.finish().expect("room");
}

/// Documents of a run in every place that tells of skipped files.
fn everywhere(place: &Place, input: &str) -> Vec<(&'static str, Value)> {
    let json = |arguments: &[&str]| -> Value {
        let output = place.output(arguments);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    };
    vec![
        ("plan", json(&["plan", input, "--to", "duckdb:other.duckdb", "--format", "json"])),
        ("check", json(&["check", input, "--to", "duckdb:other.duckdb", "--format", "json"])),
        ("ingest", ingest(place, &[input], &[]).1),
        ("runs show", json(&["runs", "show", "--to", TO, "--format", "json"])),
        ("report RUN", json(&["report", "latest", "--to", TO, "--json"])),
        ("report FILE", json(&["report", input, "--json"])),
    ]
}

#[test]
fn a_delivery_loads_its_table_and_names_the_rest() {
    let place = Place::new()
        .file("d/sales.csv", "k,v\n1,a\n2,b\n")
        .file("d/readme.txt", "Layout of the fields\n\nsee Layout.pdf\n")
        .file("d/README_fields.txt", "field,type\nk,number\nv,text\n")
        .file("d/empty.csv", "")
        .file("d/.hidden.csv", "k\n9\n")
        .file("d/2023/old.csv", "k\n9\n");
    write(&place, "d/Layout.pdf", b"%PDF-1.4\n%\xe2\xe3\n...");
    write(&place, "d/Map.PNG", b"\x89PNG\r\n");
    write(&place, "d/Thumbs.db", b"\xd0\xcf\x11\xe0junk");
    write(&place, "d/.DS_Store", b"\0\0\0\x01Bud1");
    write(&place, "d/~$sales.xlsx", b"\x05owner");
    let expected = [
        "d/.DS_Store: made by macOS beside the files",
        "d/.hidden.csv: hidden",
        "d/2023: a folder; --recursive reads what is in it",
        "d/Layout.pdf: a PDF",
        "d/Map.PNG: an image",
        "d/Thumbs.db: made by Windows beside the files",
        "d/readme.txt: a text that holds no table",
        "d/~$sales.xlsx: a lock file of an office program",
        "d/empty.csv: E205: the file is empty",
    ];
    for (of, document) in everywhere(&place, "d") {
        assert_eq!(texts(&document["skipped"]), expected, "{of}");
        assert_eq!(texts(&document["warnings"]), ["E205: d/empty.csv holds no rows"], "{of}");
    }
    assert_eq!(ask(&place, "SELECT k, v FROM sales ORDER BY k"), "1,a\n2,b");
    // A table that is called a readme is one.
    assert_eq!(
        ask(
            &place,
            "SELECT * EXCLUDE (_extra, _etl_run, _etl_source, _etl_row, \
             _etl_release, _etl_hash, _etl_loaded_at) FROM readme_fields ORDER BY 1"
        ),
        "k,number\nv,text"
    );
    let shown = place.run(&["runs", "show", "--to", TO]);
    assert!(shown.contains("not read: d/Layout.pdf: a PDF"), "{shown}");
}

#[test]
fn a_pattern_lists_the_same_and_what_is_named_is_read() {
    let place = Place::new().file("d/x.csv", "k\n1\n").file("d/readme.txt", "k\n2\n");
    write(&place, "d/Layout.pdf", b"%PDF-1.4\n");
    let summary = loads(&place, &["d/*"], &["--table", "t"]);
    let expected = ["d/Layout.pdf: a PDF", "d/readme.txt: a text that holds no table"];
    assert_eq!(texts(&summary["skipped"]), expected);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1");
    loads(&place, &["d/readme.txt"], &["--table", "t"]);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2");
    let (code, told) = fails(&place, &["d/x.csv", "d/Layout.pdf"], &["--table", "t"]);
    assert_eq!(code, 6);
    assert!(told.contains("error[E101]: d/Layout.pdf: ") && told.contains("a PDF"), "{told}");
}

#[test]
fn folders_within_folders_are_read_when_asked_for() {
    let place = Place::new()
        .file("d/x.csv", "k\n1\n")
        .file("d/2023/x.csv", "k\n2\n")
        .file("d/2024/q1/x.csv", "k\n3\n")
        .file("d/2024/y.csv", "k\n4\n")
        .file("d/.git/x.csv", "k\n9\n");
    let summary = loads(&place, &["d"], &["--recursive"]);
    assert_eq!(texts(&summary["skipped"]), ["d/.git: hidden"]);
    assert_eq!(ask(&place, "SELECT k FROM x ORDER BY k"), "1\n2\n3");
    assert_eq!(ask(&place, "SELECT k FROM y ORDER BY k"), "4");
    let told = "3 files go into one table, x, because of their names: d/2023/x.csv, \
        d/2024/q1/x.csv, d/x.csv; --table names another one";
    let warned = |document: &Value| {
        let inputs = document["inputs"].as_array().expect("inputs");
        inputs.iter().flat_map(|input| texts(&input["warnings"])).collect::<Vec<_>>()
    };
    assert_eq!(warned(&summary), [told]);
    let plan = place.output(&["plan", "d", "--recursive", "--format", "json"]);
    assert_eq!(warned(&serde_json::from_slice(&plan.stdout).expect("a plan")), [told]);
    // The same by a variable and by the file of settings.
    for place in [
        Place::new().env("ETL_RECURSIVE", "true"),
        Place::new().file("etl.toml", "recursive = true\n"),
    ] {
        let place = place.file("d/a/x.csv", "k\n5\n");
        loads(&place, &["d"], &[]);
        assert_eq!(ask(&place, "SELECT k FROM x"), "5");
    }
}

#[test]
fn a_folder_of_folders_says_how_they_are_read() {
    let place = Place::new().file("d/2023/x.csv", "k\n1\n");
    let (code, told) = fails(&place, &["d"], &[]);
    assert_eq!(code, 6);
    assert!(told.contains("d/2023: a folder") && told.contains("--recursive"), "{told}");
}

#[test]
fn all_that_is_bad_is_told_at_once_and_the_rest_loads_when_asked_for() {
    let place = Place::new().file("d/a.csv", "k\n1\n").file("d/d.csv", "k\n2\n");
    write(&place, "d/b.xlsx", b"PK\x03\x04junk");
    write(&place, "d/c.csv", &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    write(&place, "d/e.docb", &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let (code, told) = fails(&place, &["d"], &["--table", "t"]);
    assert_eq!(code, 6);
    for part in
        ["error[E103]: d/b.xlsx", "error[E101]: d/c.csv", "error[E101]: d/e.docb", "--keep-going"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!place.path("rolls.duckdb").exists(), "nothing was begun");
    let (code, summary) = ingest(&place, &["d"], &["--table", "t", "--keep-going"]);
    assert_eq!((code, summary["status"].as_str()), (6, Some("partial")));
    let expected = pairs(&[("d/b.xlsx", "E103"), ("d/c.csv", "E101"), ("d/e.docb", "E101")]);
    assert_eq!(failed(&summary), expected);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2");
    consistent(&place);
    // As the ledger and a report of the run have it.
    let shown = place.output(&["runs", "show", "--to", TO, "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("a run");
    assert_eq!((failed(&shown), shown["status"].as_str()), (expected.clone(), Some("partial")));
    let report = place.output(&["report", "latest", "--to", TO, "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).expect("a report");
    assert_eq!(failed(&report), expected);
    // Mended, the same command ends the run.
    write(&place, "d/c.csv", b"k\n3\n");
    std::fs::remove_file(place.path("d/b.xlsx")).expect("there");
    std::fs::remove_file(place.path("d/e.docb")).expect("there");
    let (code, summary) = ingest(&place, &["d"], &["--table", "t", "--keep-going"]);
    assert_eq!((code, summary["status"].as_str()), (0, Some("done")));
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2\n3");
    assert_eq!(ask(&place, "SELECT status FROM etl.runs"), "done");
}

#[test]
fn the_exit_code_is_that_of_the_first_bad_input() {
    let place = Place::new().file("good.csv", "k\n1\n");
    let conflict = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/csv/SDF16P202401_year_conflict.csv");
    let conflict = conflict.to_str().expect("Unicode");
    for more in [&[][..], &["--keep-going"]] {
        assert_eq!(ingest(&place, &[conflict, "none.csv", "good.csv"], more).0, 2, "{more:?}");
        assert_eq!(ingest(&place, &["none.csv", conflict, "good.csv"], more).0, 6, "{more:?}");
    }
    assert_eq!(ask(&place, "SELECT k FROM good"), "1");
    let output = place.output(&["ingest", conflict, "none.csv", "--to", TO, "--format", "json"]);
    let told = String::from_utf8_lossy(&output.stderr);
    let error: Value = told.lines().find_map(|line| serde_json::from_str(line).ok()).expect("JSON");
    let also = &error["error"]["also"][0];
    assert_eq!((error["error"]["exit"].as_u64(), also["exit"].as_u64()), (Some(2), Some(6)));
    assert_eq!(also["input"], "none.csv");
}

#[test]
fn files_without_rows_are_told_and_are_errors_when_asked_for() {
    let place = Place::new()
        .file("d/jan.csv", "k,v\n1,2\n")
        .file("d/feb.csv", "k,v\n")
        .file("d/mar.txt", "")
        .file("d/apr.csv", "\n\n")
        .file("d/may.xlsx", "");
    let summary = loads(&place, &["d"], &["--table", "t"]);
    let skipped = [
        "d/apr.csv: E205: the file holds blank lines only",
        "d/mar.txt: E205: the file is empty",
        "d/may.xlsx: E205: the file is empty",
        "d/feb.csv: E205: a header and no rows",
    ];
    assert_eq!(texts(&summary["skipped"]), skipped);
    let told = texts(&summary["warnings"]);
    let all = ["d/apr.csv", "d/mar.txt", "d/may.xlsx", "d/feb.csv"];
    assert!(all.iter().all(|name| told.iter().any(|told| told.contains(name))), "{told:?}");
    // The file without rows comes first by its name, and does not decide the types.
    let types = "SELECT typeof(k), typeof(v), k, v FROM t";
    assert_eq!(ask(&place, types), "INTEGER,INTEGER,1,2");
    // It meets the table that is there without a word about types.
    let place = place.file("e/t.csv", "k,v\n").file("e/u.csv", "z\n3\n");
    loads(&place, &["e"], &[]);
    assert_eq!(ask(&place, types), "INTEGER,INTEGER,1,2");
    assert_eq!(ask(&place, "SELECT z FROM u"), "3");
    let (code, summary) =
        ingest(&place, &["d"], &["--table", "x", "--require-rows", "--keep-going"]);
    assert_eq!(code, 6);
    let expected = ["d/apr.csv", "d/feb.csv", "d/mar.txt", "d/may.xlsx"].map(|name| (name, "E205"));
    assert_eq!(failed(&summary), pairs(&expected));
    assert_eq!(ask(&place, "SELECT k FROM x"), "1");
    let (code, told) = fails(&place, &["d"], &["--table", "y", "--require-rows"]);
    assert!(code == 6 && told.contains("d/feb.csv has a header and no rows"), "{code} {told}");
    // Alone, an empty file is an error, and so it is where its name promises something else.
    assert_eq!(fails(&place, &["d/mar.txt"], &[]).0, 6);
    write(&place, "d/jun.parquet", b"");
    let (code, told) = fails(&place, &["d"], &["--table", "y"]);
    assert!(code == 6 && told.contains("d/jun.parquet"), "{code} {told}");
}

#[test]
fn members_of_archives_are_read_or_told() {
    let place = Place::new();
    zip(&place, "inner.zip", &[("x.csv", b"k\n9\n")]);
    let inner = std::fs::read(place.path("inner.zip")).expect("readable");
    let members: [(&str, &[u8]); 8] = [
        ("a/x.csv", b"k\n1\n"),
        ("b/x.csv", b"k\n2\n"),
        ("__MACOSX/._x.csv", b"\0"),
        ("a/.hidden.csv", b"k\n9\n"),
        ("Layout.pdf", b"%PDF"),
        ("b/empty.csv", b""),
        ("readme.txt", b"all about it\n"),
        ("bin.csv", &[0, 1, 2, 3, 4, 5, 6, 7]),
    ];
    zip(&place, "z.zip", &members[..7]);
    let summary = loads(&place, &["z.zip"], &[]);
    let skipped = [
        "z.zip/__MACOSX/._x.csv: made by macOS beside the files",
        "z.zip/a/.hidden.csv: hidden",
        "z.zip/Layout.pdf: a PDF",
        "z.zip/readme.txt: a text that holds no table",
        "z.zip/b/empty.csv: E205: the file is empty",
    ];
    assert_eq!(texts(&summary["skipped"]), skipped);
    assert_eq!(ask(&place, "SELECT k FROM x ORDER BY k"), "1\n2");
    let nested: Vec<_> =
        members.iter().copied().chain([("in.zip", inner.as_slice())]).skip(1).collect();
    zip(&place, "n.zip", &nested);
    let (code, told) = fails(&place, &["n.zip"], &["--table", "n"]);
    assert_eq!(code, 6);
    assert!(
        told.contains("n.zip/bin.csv") && told.contains("an archive within an archive"),
        "{told}"
    );
    let (code, summary) = ingest(&place, &["n.zip"], &["--table", "n", "--keep-going"]);
    let expected = pairs(&[("n.zip/bin.csv", "E101"), ("n.zip/in.zip", "E101")]);
    assert_eq!((code, failed(&summary)), (6, expected));
    assert_eq!(ask(&place, "SELECT k FROM n"), "2");
    let locked = std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/packed/password.zip"),
    );
    write(&place, "d/locked.zip", &locked.expect("a fixture"));
    write(&place, "d/open.csv", b"k\n4\n");
    let (code, summary) = ingest(&place, &["d"], &["--table", "o", "--keep-going"]);
    assert_eq!((code, failed(&summary)[0].1.as_str()), (6, "E102"));
    assert_eq!(ask(&place, "SELECT k FROM o"), "4");
}

#[test]
fn an_input_that_fails_while_loading_does_not_keep_the_others() {
    let place = Place::new()
        .file("d/a.csv", "k,v\n1,a\n")
        .file("d/b.csv", "k,v\n2\n4,b\n")
        .file("d/c.csv", "k,v\n3,c\n");
    let more = ["--table", "t", "--keep-going", "--max-errors", "0"];
    let (code, summary) = ingest(&place, &["d"], &more);
    assert_eq!(code, 4, "a row of b.csv is refused: {summary}");
    assert_eq!(failed(&summary), pairs(&[("d/b.csv", "-")]));
    assert_eq!(summary["tally"]["inserted"], 2);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n3");
    consistent(&place);
    write(&place, "d/b.csv", b"k,v\n2,b\n");
    assert_eq!(ingest(&place, &["d"], &more).0, 0);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2\n3");
    assert_eq!(ask(&place, "SELECT count(*), max(status) FROM etl.runs"), "2,done");
    consistent(&place);
    // Without the flag the run ends there.
    let place = Place::new()
        .file("d/a.csv", "k,v\n1,a\n")
        .file("d/b.csv", "k,v\n2\n4,b\n")
        .file("d/c.csv", "k,v\n3,c\n");
    assert_eq!(ingest(&place, &["d"], &["--table", "t", "--max-errors", "0"]).0, 4);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1");
}

#[test]
fn what_was_to_replace_others_and_failed_replaces_nothing_later() {
    let place = Place::new().file("old.csv", "k,v\n9,z\n");
    loads(&place, &["old.csv"], &["--table", "t"]);
    // Two rows of the first file are refused, which is more than is allowed.
    let place = place.file("d/a.csv", "k,v\n1,a\n2\n3\n").file("d/b.csv", "k,v\n4,d\n");
    let more = ["--table", "t", "--mode", "replace", "--max-errors", "1", "--keep-going"];
    let (code, summary) = ingest(&place, &["d"], &more);
    assert_eq!((code, failed(&summary).len()), (4, 1), "{summary}");
    assert_eq!(ask(&place, "SELECT k, v FROM t ORDER BY k"), "4,d");
    consistent(&place);
    write(&place, "d/a.csv", b"k,v\n1,a\n2,b\n");
    assert_eq!(ingest(&place, &["d"], &more).0, 0);
    assert_eq!(ask(&place, "SELECT k, v FROM t ORDER BY k"), "1,a\n2,b\n4,d");
    consistent(&place);
}

#[test]
fn a_skip_list_of_the_users_own_takes_the_place_of_ours() {
    let list = "tables = [\"csv\"]\n[[skip]]\nreason = \"not ours\"\nnames = [\"other_*\"]\n";
    let place = Place::new()
        .file("skip.toml", list)
        .file("d/other_x.csv", "k\n9\n")
        .file("d/x.csv", "k\n1\n")
        .file("d/notes.md", "k\n2\n");
    let summary = loads(&place, &["d"], &["--table", "t", "--skip-list", "skip.toml"]);
    assert_eq!(texts(&summary["skipped"]), ["d/other_x.csv: not ours"]);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2");
    let place = place.file("bad.toml", "tables = []\n[[skip]]\nname = [\"x\"]\n");
    let (code, told) = fails(&place, &["d"], &["--skip-list", "bad.toml"]);
    assert!(code == 2 && told.contains("bad.toml"), "{code} {told}");
}

#[test]
fn a_server_that_refuses_one_input_takes_the_others() {
    let server = Server::start();
    server.psql("CREATE TABLE t (k integer, v varchar(3))");
    let place = Place::new()
        .file("d/a.csv", "k,v\n1,a\n")
        .file("d/b.csv", "k,other\n2,b\n")
        .file("d/c.csv", "k,v\n")
        .file("d/d.csv", "k,v\n3,c\n");
    let url = server.url();
    let to = ["--table", "t", "--keep-going", "--evolve"];
    // Without --evolve a table without columns of provenance is refused as a whole.
    let (code, summary, told) = pg_server::load(&place, &url, &["d/a.csv", "d/d.csv"], &to);
    assert_eq!(code, 0, "{summary} {told}");
    let (code, summary, told) = pg_server::load(&place, &url, &["d"], &to[..3]);
    assert_eq!((code, failed(&summary)), (7, pairs(&[("d/b.csv", "-")])), "{told}");
    assert_eq!(texts(&summary["skipped"]), ["d/c.csv: E205: a header and no rows"]);
    assert_eq!(server.psql("SELECT k, v FROM t ORDER BY k"), "1|a\n3|c");
    // Alone, the file without rows meets the table without a word about types.
    let (code, _, told) = pg_server::load(&place, &url, &["d/c.csv"], &["--table", "t"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(server.psql("SELECT k, v FROM t ORDER BY k"), "1|a\n3|c");
    assert_eq!(server.psql("SELECT DISTINCT status FROM etl.runs ORDER BY 1"), "done");
}

/// Among others it is told, also where it is the only one for its table; the table is made.
#[test]
fn a_header_alone_for_its_table_is_told() {
    let place = Place::new().file("d/a.csv", "k\n1\n").file("d/h.csv", "k,v\n");
    let summary = loads(&place, &["d"], &[]);
    assert_eq!(texts(&summary["warnings"]), ["E205: d/h.csv has a header and no rows"]);
    assert_eq!(ask(&place, "SELECT count(*) FROM h"), "0");
    assert_eq!(ask(&place, "SELECT k FROM a"), "1");
}
