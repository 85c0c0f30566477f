//! What an input is known by: settings that change rows, its part of a file, and the table that they go
//! to. In a file and on a server.

use super::pg_server::{Server, ask, load, loads};
use super::roll::{self, parcel};
use super::support::Place;
use serde_json::Value;

pub const DUCK: &str = "duckdb:rolls.duckdb";
/// Small commits on one connection, so that a load that ends early has committed something.
pub const SMALL: [&str; 6] = ["--commit-rows", "10", "--chunk-rows", "5", "--writers", "1"];

/// Both targets.
pub fn targets(server: &Server) -> [(String, Option<&Server>); 2] {
    [(DUCK.to_owned(), None), (server.url(), Some(server))]
}

/// The answer of a target without its header.
pub fn answer(place: &Place, to: &str, sql: &str) -> String {
    ask(place, to, sql).split_once('\n').map_or("", |(_, rows)| rows).trim_end().to_owned()
}

/// Changes a table behind the program's back.
pub fn change(place: &Place, server: Option<&Server>, sql: &str) {
    match server {
        // The user is called as the schema of the ledger, which would be the first.
        Some(server) => drop(server.psql(&format!("SET search_path = public; {sql}"))),
        None => {
            let path = place.path("rolls.duckdb");
            let settings = etl::duck::Settings::default();
            let database = etl::duck::Database::open(&path, &settings).expect("it opens");
            database.connect().expect("connects").execute(sql).expect("it is done");
        }
    }
}

/// Empties the target of a test.
pub fn clear(place: &Place, server: Option<&Server>, tables: &[&str]) {
    match server {
        Some(server) => {
            for table in tables {
                server.psql(&format!("DROP TABLE IF EXISTS {table}"));
            }
            server.psql("DROP SCHEMA IF EXISTS etl CASCADE");
        }
        None => drop(std::fs::remove_file(place.path("rolls.duckdb"))),
    }
    for entry in std::fs::read_dir(place.path("")).expect("the folder of the test") {
        let path = entry.expect("a readable folder").path();
        if path.to_string_lossy().ends_with(".failed.jsonl") {
            std::fs::remove_file(path).expect("ours");
        }
    }
}

pub fn warnings(summary: &Value) -> String {
    summary["inputs"][0]["warnings"].to_string()
}

pub fn plan(place: &Place, to: &str, input: &str, more: &[&str]) -> Value {
    let all = [&["plan", input, "--to", to, "--format", "json"], more].concat();
    let output = place.output(&all);
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"))
}

/// Files and settings that make other rows of them: (file, setting, its value, what is named).
const SETTINGS: &[(&str, &[&str], &str)] = &[
    ("broken.csv", &["--csv", "lenient"], "--csv was strict and is lenient now"),
    ("quoted.csv", &["--quote", "none"], "--quote was \" (found out) and is none now"),
    (
        "quoted.csv",
        &["--escape", "backslash"],
        "--escape was doubled (found out) and is backslash now",
    ),
    (
        "latin.csv",
        &["--encoding", "windows-1252"],
        "--encoding was utf-8 (found out) and is windows-1252",
    ),
    ("quoted.csv", &["--delimiter", ";"], "--delimiter was , (found out) and is ; now"),
    ("quoted.csv", &["--header-row", "2"], "--header-row was 1 (found out) and is 2 now"),
    ("quoted.csv", &["--header-rows", "2"], "--header-rows was 1 and is 2 now"),
    ("quoted.csv", &["--headers", "k,v"], "--headers was not given and is k,v now"),
    ("quoted.csv", &["--limit", "1"], "--limit was all rows and is 1 now"),
    ("quoted.csv", &["--no-fix"], "--no-fix was off and is true now"),
    ("quoted.csv", &["--keep-raw"], "--keep-raw was off and is true now"),
    ("quoted.csv", &["--provenance", "minimal"], "--provenance was full and is minimal now"),
    ("quoted.csv", &["--mask", "v:partial"], "--mask was not given and is v:partial now"),
    ("quoted.csv", &["--clean", "clean.toml"], "--clean is given and was not then"),
    ("quoted.csv", &["--rules", "rules.toml"], "--rules is given and was not then"),
    ("book.xlsx", &["--header-row", "2"], "--header-row was 1 (found out) and is 2 now"),
];

fn with_files() -> Place {
    let place = Place::new()
        .file("broken.csv", "k,v\na,one\nb,two\nc,\"x\"y\n")
        .file("quoted.csv", "k,v\na, \"x\"\nb,y\nc,\"z\"\n")
        .file("latin.csv", "k,v\na,café\n")
        .file("clean.toml", "[[clean]]\ncolumns = [\"k\"]\ncase = \"upper\"\n")
        .file("rules.toml", "[[rule]]\nlevel = \"critical\"\ncolumn = \"k\"\nset = [\"a\"]\n");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in [["k", "v"], ["a", "one"], ["b", "two"]].iter().enumerate() {
        for (column, text) in cells.iter().enumerate() {
            sheet.write(row as u32, column as u16, *text).expect("a cell");
        }
    }
    book.save(place.path("book.xlsx")).expect("room");
    place
}

/// All rows of a table without what differs from run to run, whatever its columns.
fn content(place: &Place, to: &str, table: &str) -> String {
    super::pg_server::rows(place, to, table)
}

#[test]
fn what_was_appended_under_other_settings_stays_alone_and_fresh_takes_its_place() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = with_files();
        for (file, setting, told) in SETTINGS {
            let own = ["--table", "t", "--evolve"];
            let set = [&own[..], setting].concat();
            clear(&place, server, &["t"]);
            loads(&place, &to, &[file], &set);
            let expected = content(&place, &to, "t");
            clear(&place, server, &["t"]);
            loads(&place, &to, &[file], &own);
            let before = content(&place, &to, "t");
            let (code, _, said) = load(&place, &to, &[file], &set);
            assert_eq!(code, 2, "{setting:?}: {said}");
            // As it stands in JSON.
            let said = said.replace("\\\\", "\\").replace("\\\"", "\"");
            assert!(said.contains(told) && said.contains("--fresh"), "{setting:?}: {said}");
            assert_eq!(content(&place, &to, "t"), before, "{setting:?}");
            let state = plan(&place, &to, file, &set)["inputs"][0]["state"].to_string();
            assert!(state.contains("would not be loaded"), "{setting:?}: {state}");
            let rows = before.lines().count() as u64 - 1;
            let fresh = loads(&place, &to, &[file], &[&set[..], &["--fresh"]].concat());
            assert_eq!(fresh["inputs"][0]["replaced"], rows, "{setting:?}");
            let (sql, kept) = ("SELECT count(*) FROM t", expected.lines().count() - 1);
            assert_eq!(answer(&place, &to, sql), kept.to_string(), "{setting:?}");
            let again = loads(&place, &to, &[file], &set);
            assert_eq!(again["status"], "already_loaded", "{setting:?}");
            // Columns of the earlier settings may stay, empty.
            let sql = "SELECT string_agg(_etl_row::text, ' ' ORDER BY _etl_row) FROM t";
            let numbers = answer(&place, &to, sql);
            clear(&place, server, &["t"]);
            loads(&place, &to, &[file], &set);
            assert_eq!(answer(&place, &to, sql), numbers, "{setting:?}");
        }
    }
}

#[test]
fn settings_that_change_no_row_are_no_other_load() {
    let place = with_files();
    let own = ["--table", "t"];
    loads(&place, DUCK, &["quoted.csv"], &own);
    let before = content(&place, DUCK, "t");
    std::fs::copy(place.path("quoted.csv"), place.path("copy.csv")).expect("room");
    let pack = place.path("pack");
    copy(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/florida"), &pack);
    let mut text = std::fs::read_to_string(pack.join("sdf.toml")).expect("the pack");
    text.insert_str(0, "# a comment\n");
    std::fs::write(pack.join("sdf.toml"), text).expect("room");
    let same: &[(&str, &[&str])] = &[
        ("quoted.csv", &["--delimiter", ",", "--encoding", "utf-8", "--header-row", "1"]),
        ("quoted.csv", &["--quote", "double", "--header-rows", "1"]),
        ("quoted.csv", &["--pack", "pack"]),
        ("quoted.csv", &["--agents", "none"]),
        ("quoted.csv", &["--rule", "SDF-04=off"]),
        ("quoted.csv", &["--threads", "1", "--memory-limit", "400MiB", "--chunk-rows", "1"]),
        ("quoted.csv", &["--too-long", "cut", "--evolve"]),
        ("quoted.csv", &["--sheet", "7"]),
        ("copy.csv", &[]),
    ];
    for (file, more) in same {
        let summary = loads(&place, DUCK, &[file], &[&own[..], more].concat());
        assert_eq!(summary["status"], "already_loaded", "{file} {more:?}");
        assert_eq!(content(&place, DUCK, "t"), before, "{file} {more:?}");
    }
    let other: &[(&str, &[&str])] = &[("book.xlsx", &["--csv", "lenient", "--delimiter", ";"])];
    for (file, more) in other {
        loads(&place, DUCK, &[file], &["--table", "u"]);
        let summary = loads(&place, DUCK, &[file], &[&["--table", "u"], *more].concat());
        assert_eq!(summary["status"], "already_loaded", "{file} {more:?}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("room");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("a folder").path();
        let into = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &into),
            false => drop(std::fs::copy(&path, &into).expect("room")),
        }
    }
}

/// A table of which the last but one row is refused.
pub fn long(rows: u32) -> String {
    let mut text = "k,v\n".to_owned();
    for n in 0..rows {
        text.push_str(&format!("{n},{}\n", if n + 2 == rows { "a,b" } else { "x" }));
    }
    text
}

#[test]
fn an_unfinished_load_goes_on_under_its_own_settings_only() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = Place::new().file("long.csv", &long(200));
        clear(&place, server, &["long"]);
        let stop = [&SMALL[..], &["--max-errors", "0"]].concat();
        let (code, _, told) = load(&place, &to, &["long.csv"], &stop);
        assert_eq!(code, 4, "{told}");
        let count = || answer(&place, &to, "SELECT count(*) FROM long");
        let half = count();
        assert!(half != "0" && half != "199", "{half}");
        for (more, named) in [
            (&["--csv", "lenient"][..], "--csv was strict and is lenient now"),
            (&["--limit", "150"], "--limit was all rows and is 150 now"),
            (&["--mode", "replace"], "--mode was append and is replace now"),
        ] {
            let (code, _, told) = load(&place, &to, &["long.csv"], &[&SMALL[..], more].concat());
            assert_eq!(code, 6, "{told}");
            assert!(told.contains("E502") && told.contains(named), "{told}");
            assert_eq!(count(), half);
        }
        // Under another name, too.
        std::fs::copy(place.path("long.csv"), place.path("other.csv")).expect("room");
        let more = [&SMALL[..], &["--table", "long", "--csv", "lenient"]].concat();
        let (code, _, told) = load(&place, &to, &["other.csv"], &more);
        assert_eq!(code, 6, "{told}");
        // A flag that says what was found is no other setting.
        let summary =
            loads(&place, &to, &["long.csv"], &[&SMALL[..], &["--delimiter", ","]].concat());
        assert!(summary["inputs"][0]["resumed_from"].is_u64(), "{summary}");
        assert_eq!(count(), "199");
        let sums = "SELECT count(DISTINCT k), min(k), max(k) FROM long";
        assert_eq!(answer(&place, &to, sums), "199,0,199");
    }
}

#[test]
fn members_sheets_and_ranges_are_inputs_of_their_own() {
    let place = with_files();
    let zip = |one: &str, two: &str| {
        let file = std::fs::File::create(place.path("a.zip")).expect("room");
        let mut zip = zip::ZipWriter::new(file);
        for (name, text) in [("one.csv", one), ("two.csv", two)] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("a member");
            std::io::Write::write_all(&mut zip, text.as_bytes()).expect("room");
        }
        zip.finish().expect("room");
    };
    zip("k,v\n1,a\n", "k,v\n2,b\n");
    let own = ["--table", "t", "--replaces-previous"];
    loads(&place, DUCK, &["a.zip"], &own);
    zip("k,v\n1,a\n", "k,v\n2,c\n");
    let summary = loads(&place, DUCK, &["a.zip"], &own);
    assert!(summary["inputs"][0]["already_loaded_by"].is_string(), "{summary}");
    assert_eq!(summary["inputs"][1]["replaced"], 1);
    let rows = "SELECT k, v, _etl_source FROM t ORDER BY k";
    assert_eq!(answer(&place, DUCK, rows), "1,a,a.zip/one.csv\n2,c,a.zip/two.csv");

    let book = |last: &str| {
        let mut book = rust_xlsxwriter::Workbook::new();
        for name in ["A", "B"] {
            let sheet = book.add_worksheet().set_name(name).expect("a name");
            for (row, cells) in [["k", "v"], ["1", name], ["2", last]].iter().enumerate() {
                for (column, text) in cells.iter().enumerate() {
                    sheet.write(row as u32, column as u16, *text).expect("a cell");
                }
            }
        }
        book.save(place.path("two.xlsx")).expect("room");
    };
    book("x");
    let own = ["--table", "u", "--replaces-previous"];
    loads(&place, DUCK, &["two.xlsx"], &own);
    // Another part of the same sheet is another input.
    let part = ["--table", "u", "--range", "A!A1:B2"];
    let summary = loads(&place, DUCK, &["two.xlsx"], &part);
    assert_eq!(summary["tally"]["inserted"], 1);
    assert!(warnings(&summary).contains("stand there twice"), "{summary}");
    assert_eq!(loads(&place, DUCK, &["two.xlsx"], &part)["status"], "already_loaded");
    book("y");
    loads(&place, DUCK, &["two.xlsx"], &own);
    let rows = "SELECT k, v FROM u ORDER BY k, v";
    assert_eq!(answer(&place, DUCK, rows), "1,A\n1,A\n1,B\n2,y\n2,y");
}

#[test]
fn standard_input_has_no_path_and_merges_are_decided_by_keys() {
    let place = Place::new();
    let pipe = |text: &str| {
        let mut command = place.command(&[
            "ingest",
            "-",
            "--to",
            DUCK,
            "--table",
            "s",
            "--format",
            "json",
            "--progress",
            "none",
        ]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, text.as_bytes()).expect("taken");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        serde_json::from_slice::<Value>(&output.stdout).expect("a summary")
    };
    pipe("k,v\n1,a\n");
    let summary = pipe("k,v\n2,b\n");
    assert_eq!(summary["inputs"][0]["warnings"], serde_json::json!([]), "{summary}");
    assert_eq!(answer(&place, DUCK, "SELECT k FROM s ORDER BY k"), "1\n2");

    let file = "NAL16P202501.csv";
    let nal = |value| roll::file("nal", &[parcel(16, 1, value, "A"), parcel(16, 2, 20, "B")]);
    let place = place.file(file, &nal(10));
    loads(&place, DUCK, &[file], &[]);
    let place = place.file(file, &nal(11));
    let summary = loads(&place, DUCK, &[file], &["--replaces-previous"]);
    assert!(warnings(&summary).contains("with other content"), "{summary}");
    let fates = ["updated", "unchanged", "inserted"].map(|fate| summary["tally"][fate].clone());
    assert_eq!(fates, [1, 1, 0].map(Value::from));
}

#[test]
fn other_settings_of_a_merge_are_a_new_run() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/csv");
    let broken = std::fs::read_to_string(fixtures.join("SDF16P202501_broken_rows.csv"));
    let (file, lenient) = ("SDF16P202501.csv", ["--csv", "lenient"]);
    let place = Place::new().file(file, &broken.expect("a fixture"));
    loads(&place, DUCK, &[file], &lenient);
    let expected = content(&place, DUCK, "sales");
    clear(&place, None, &[]);
    loads(&place, DUCK, &[file], &[]);
    let fewer = content(&place, DUCK, "sales");
    assert!(fewer.lines().count() < expected.lines().count());
    let summary = loads(&place, DUCK, &[file], &lenient);
    assert_eq!(summary["status"], "done", "{summary}");
    assert_eq!(content(&place, DUCK, "sales"), expected);
    assert_eq!(loads(&place, DUCK, &[file], &lenient)["status"], "already_loaded");
    // The first settings again: their rows are there.
    assert_eq!(loads(&place, DUCK, &[file], &[])["status"], "already_loaded");
    // A comment in the pack is no other setting, another derived column is.
    let pack = place.path("pack");
    copy(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/florida"), &pack);
    let own = ["--csv", "lenient", "--pack", "pack"];
    for (from, to, status) in [
        ("id = \"sdf\"", "# a comment\nid = \"sdf\"", "already_loaded"),
        ("ELSE 'year' END", "ELSE 'years' END", "done"),
    ] {
        let text = std::fs::read_to_string(pack.join("sdf.toml")).expect("the pack");
        assert!(text.contains(from), "{from}");
        std::fs::write(pack.join("sdf.toml"), text.replacen(from, to, 1)).expect("room");
        assert_eq!(loads(&place, DUCK, &[file], &own)["status"], status, "{to}");
    }
}

#[test]
fn what_a_replay_has_refused_again_is_not_tried_twice() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = Place::new().file("t.csv", "k,v\n1,a\n2,b,c\n3,d,e\n");
        clear(&place, server, &["t"]);
        loads(&place, &to, &["t.csv"], &[]);
        // How files are read does not matter to records.
        for (more, status) in [
            (&[][..], "done"),
            (&[], "already_loaded"),
            (&["--csv", "lenient", "--header-row", "3", "--limit", "1"], "already_loaded"),
            (&["--no-fix"], "done"),
            (&["--no-fix"], "already_loaded"),
        ] {
            let all = ["reprocess-failures", "--to", &to, "--format", "json", "--progress", "none"];
            let output = place.output(&[&all[..], more].concat());
            let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
            assert_eq!(summary["status"], status, "{more:?}: {summary}");
        }
    }
}

#[test]
fn the_schema_of_a_server_is_part_of_an_input() {
    let server = Server::start();
    server.psql("CREATE SCHEMA staging; CREATE SCHEMA prod");
    let place = Place::new()
        .file("t.csv", "k,v\n1,a\n2,b,c\n")
        .file("u.csv", "k,v\n9,z\n")
        .file("long.csv", &long(200));
    let [staging, prod] =
        ["staging", "prod"].map(|schema| format!("{}?schema={schema}", server.url()));
    let rows = |schema: &str| server.psql(&format!("SELECT k, v FROM {schema}.t ORDER BY k"));
    let mut failed = Vec::new();
    for to in [&staging, &prod] {
        let summary = loads(&place, to, &["t.csv"], &[]);
        failed.push(summary["inputs"][0]["failed_file"].as_str().expect("a file").to_owned());
        assert_eq!(loads(&place, to, &["t.csv"], &[])["status"], "already_loaded");
    }
    assert_eq!((rows("staging"), rows("prod")), ("1|a".into(), "1|a".into()));
    for to in [&staging, &prod, &server.url()] {
        let verified = place.output(&["verify", "--to", to, "--progress", "none"]);
        assert_eq!(verified.status.code(), Some(0), "{to}");
    }
    let counts = place.output(&["runs", "counts", "--to", &staging, "--format", "json"]);
    let counts: Value = serde_json::from_slice(&counts.stdout).expect("counts");
    let homes: Vec<_> = [0, 1].map(|at| counts[at]["schema"].to_string()).into();
    assert_eq!(homes, ["\"prod\"", "\"staging\""]);
    let shown = place.output(&["runs", "show", "--to", &staging, "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("a summary");
    assert_eq!(shown["inputs"][0]["schema"], "staging");

    // Failed records go where they belong, or nowhere.
    let text = std::fs::read_to_string(place.path(&failed[0])).expect("records");
    std::fs::write(place.path("mended.failed.jsonl"), text.replace("2,b,c", "2,b")).expect("room");
    let replay = |to: &str| {
        let all = ["reprocess-failures", "mended.failed.jsonl", "--to", to, "--progress", "none"];
        place.output(&all).status.code()
    };
    assert_eq!(replay(&prod), Some(2));
    assert_eq!((rows("staging"), rows("prod")), ("1|a".into(), "1|a".into()));
    assert_eq!(replay(&staging), Some(0));
    assert_eq!((rows("staging"), rows("prod")), ("1|a\n2|b".into(), "1|a".into()));

    // A replace in one schema says nothing of the other.
    loads(&place, &prod, &["u.csv"], &["--table", "t", "--mode", "replace"]);
    assert_eq!(loads(&place, &staging, &["t.csv"], &[])["status"], "already_loaded");
    assert_eq!((rows("staging"), rows("prod")), ("1|a\n2|b".into(), "9|z".into()));

    // An unfinished load of one schema is none of the other's.
    let stop = [&SMALL[..], &["--max-errors", "0"]].concat();
    load(&place, &staging, &["long.csv"], &stop);
    let more = [&SMALL[..], &["--csv", "lenient"]].concat();
    loads(&place, &prod, &["long.csv"], &more);
    let (code, ..) = load(&place, &staging, &["long.csv"], &more);
    assert_eq!(code, 6);
    loads(&place, &staging, &["long.csv"], &SMALL);
    let count = |schema: &str| server.psql(&format!("SELECT count(*) FROM {schema}.long"));
    assert_eq!((count("staging"), count("prod")), ("199".into(), "200".into()));
}

#[test]
fn schemas_that_an_older_ledger_has_not_stored_are_found() {
    let server = Server::start();
    server.psql("CREATE SCHEMA staging; CREATE SCHEMA prod");
    let place = Place::new().file("t.csv", "k,v\n1,a\n").file("u.csv", "k,v\n9,z\n");
    let [staging, prod] =
        ["staging", "prod"].map(|schema| format!("{}?schema={schema}", server.url()));
    loads(&place, &staging, &["t.csv"], &["--table", "t"]);
    loads(&place, &prod, &["u.csv"], &["--table", "t"]);
    loads(&place, &prod, &["u.csv"], &["--table", "gone"]);
    server.psql(
        "DROP TABLE etl.ledger; UPDATE etl.inputs SET \"schema\" = NULL, identity = NULL, config = 'x'; \
         UPDATE etl.counts SET \"schema\" = NULL; UPDATE etl.rewritten SET \"schema\" = NULL; \
         DROP TABLE prod.gone",
    );
    let again = loads(&place, &staging, &["t.csv"], &["--table", "t"]);
    assert_eq!(again["status"], "already_loaded");
    // Its settings are not known: that is told.
    assert!(warnings(&again).contains("older version"), "{again}");
    let homes = server
        .psql("SELECT \"table\", path, coalesce(\"schema\", '-') FROM etl.inputs ORDER BY 1, 2, 3");
    assert_eq!(homes, "gone|u.csv|-\nt|t.csv|staging\nt|u.csv|prod");
    loads(&place, &prod, &["t.csv"], &["--table", "t"]);
    let rows = |schema: &str| server.psql(&format!("SELECT k, v FROM {schema}.t ORDER BY k"));
    assert_eq!((rows("staging"), rows("prod")), ("1|a".into(), "1|a\n9|z".into()));
    // What lies in no schema is taken for the one that is asked for: it is gone.
    let (code, _, told) = load(&place, &prod, &["u.csv"], &["--table", "gone"]);
    assert_eq!(code, 1, "{told}");
}
