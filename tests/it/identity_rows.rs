//! What becomes of rows that are there already: somebody has taken them away, the file of their path has
//! other content now, or a replace is given again. In a file and on a server.

use super::identity::{DUCK, SMALL, answer, change, clear, long, plan, targets, warnings};
use super::pg_proxy::{Cut, Proxy};
use super::pg_server::{Server, load, loads};
use super::roll::{self, parcel};
use super::support::Place;

#[test]
fn rows_that_somebody_has_taken_away_are_not_already_loaded() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = Place::new().file("t.csv", "k,v\n1,a\n2,b\n").file("other.csv", "k,v\n9,z\n");
        clear(&place, server, &["t"]);
        loads(&place, &to, &["t.csv"], &[]);
        let rows = "SELECT k, v FROM t ORDER BY k";
        for (sql, there) in [
            ("DROP TABLE t", "the table is gone"),
            ("DELETE FROM t", "gone from the table"),
            ("TRUNCATE t", "gone from the table"),
            ("DROP TABLE t;CREATE TABLE t (k integer, v varchar)", "another table"),
        ] {
            sql.split(';').for_each(|sql| change(&place, server, sql));
            let (code, _, told) = load(&place, &to, &["t.csv"], &[]);
            assert_eq!(code, 1, "{sql}: {told}");
            assert!(told.contains(there) && told.contains("--fresh"), "{to} {sql}: {told}");
            let state = plan(&place, &to, "t.csv", &[])["inputs"][0]["state"].to_string();
            assert!(state.contains(there), "{sql}: {state}");
            let verified = place.output(&["verify", "--to", &to, "--progress", "none"]);
            assert_eq!(verified.status.code(), Some(1), "{sql}");
            loads(&place, &to, &["t.csv"], &["--fresh", "--evolve"]);
            assert_eq!(answer(&place, &to, rows), "1,a\n2,b", "{sql}");
            assert_eq!(loads(&place, &to, &["t.csv"], &[])["status"], "already_loaded", "{sql}");
        }
        // Only its own rows, among others.
        loads(&place, &to, &["other.csv"], &["--table", "t"]);
        change(&place, server, "DELETE FROM t WHERE _etl_source = 't.csv'");
        let (code, _, told) = load(&place, &to, &["t.csv"], &[]);
        assert_eq!(code, 1, "{told}");
        loads(&place, &to, &["t.csv"], &["--fresh"]);
        assert_eq!(answer(&place, &to, rows), "1,a\n2,b\n9,z");
        // Some of them: loaded it is, and it is told.
        change(&place, server, "DELETE FROM t WHERE k = 1");
        let summary = loads(&place, &to, &["t.csv"], &[]);
        assert_eq!(summary["status"], "already_loaded");
        assert!(warnings(&summary).contains("holds 1"), "{}", warnings(&summary));
    }
}

#[test]
fn an_unfinished_load_whose_table_is_gone_begins_anew() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = Place::new().file("long.csv", &long(200));
        clear(&place, server, &["long"]);
        load(&place, &to, &["long.csv"], &[&SMALL[..], &["--max-errors", "0"]].concat());
        change(&place, server, "DROP TABLE long");
        let summary = loads(&place, &to, &["long.csv"], &SMALL);
        assert_eq!(summary["tally"]["inserted"], 199);
        assert_eq!(answer(&place, &to, "SELECT count(DISTINCT k) FROM long"), "199");
    }
}

#[test]
fn the_scope_of_a_roll_that_was_deleted_is_told() {
    let server = Server::start();
    let county =
        |county: u8| roll::file("nal", &[parcel(county, 1, 10, "A"), parcel(county, 2, 20, "B")]);
    for (to, server) in targets(&server) {
        let place = Place::new()
            .file("NAL16P202501.csv", &county(16))
            .file("NAL23P202501.csv", &county(23));
        let both = ["NAL16P202501.csv", "NAL23P202501.csv"];
        clear(&place, server, &["parcels"]);
        loads(&place, &to, &both, &[]);
        change(&place, server, "DELETE FROM parcels WHERE co_no = 16");
        let (code, _, told) = load(&place, &to, &both, &[]);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("NAL16P202501.csv") && told.contains("gone"), "{told}");
        assert_eq!(loads(&place, &to, &both[1..], &[])["status"], "already_loaded");
        loads(&place, &to, &both, &["--fresh"]);
        let counts = "SELECT co_no, count(*) FROM parcels GROUP BY 1 ORDER BY 1";
        assert_eq!(answer(&place, &to, counts), "16,2\n23,2");
    }
}

#[test]
fn other_content_of_the_same_path_is_told_and_can_give_way() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = Place::new().file("t.csv", "k,v\n1,a\n2,b\n").file("other.csv", "k,v\n9,z\n");
        clear(&place, server, &["t"]);
        loads(&place, &to, &["t.csv"], &[]);
        loads(&place, &to, &["other.csv"], &["--table", "t"]);
        let place = place.file("t.csv", "k,v\n1,a\n2,c\n3,d\n");
        let told = "loaded before with other content: 2 rows of run";
        let planned = plan(&place, &to, "t.csv", &["--replaces-previous"])["inputs"][0].clone();
        assert!(planned["warnings"].to_string().contains(told), "{planned}");
        // Named from elsewhere it is the same path.
        let absolute = place.path("t.csv").display().to_string();
        let summary = loads(&place, &to, &[&absolute], &["--replaces-previous"]);
        assert!(warnings(&summary).contains(told), "{summary}");
        assert_eq!(summary["inputs"][0]["replaced"], 2);
        let rows = "SELECT k, v FROM t ORDER BY k, v";
        assert_eq!(answer(&place, &to, rows), "1,a\n2,c\n3,d\n9,z");
        let states = "SELECT status, count(*) FROM etl.inputs GROUP BY 1 ORDER BY 1";
        assert_eq!(answer(&place, &to, states), "done,2\nreplaced,1");
        let counts = "SELECT rows FROM etl.counts WHERE \"table\" = 't'";
        assert_eq!(answer(&place, &to, counts), "4");
        let verified = place.output(&["verify", "--to", &to, "--progress", "none"]);
        assert_eq!(verified.status.code(), Some(0));
        // Without the flag both stand there, and it is told.
        let place = place.file("t.csv", "k,v\n1,e\n");
        let summary = loads(&place, &to, &["./t.csv"], &[]);
        assert!(warnings(&summary).contains("with other content: 3 rows"), "{summary}");
        assert_eq!(answer(&place, &to, "SELECT count(*) FROM t"), "5");
        // A setting of the project does the same, and both earlier loads go.
        let place =
            place.file("t.csv", "k,v\n1,f\n").file("etl.toml", "replaces_previous = true\n");
        let summary = loads(&place, &to, &["t.csv"], &[]);
        assert_eq!(summary["inputs"][0]["replaced"], 4);
        assert_eq!(answer(&place, &to, rows), "1,f\n9,z");
        assert_eq!(loads(&place, &to, &["t.csv"], &[])["status"], "already_loaded");
    }
}

#[test]
fn a_replacement_is_whole_or_not_there() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = Place::new().file("long.csv", "k,v\n7,old\n8,old\n");
        clear(&place, server, &["long"]);
        loads(&place, &to, &["long.csv"], &[]);
        let place = place.file("long.csv", &long(200));
        let more = [&SMALL[..], &["--replaces-previous"]].concat();
        let stop = [&more[..], &["--max-errors", "0"]].concat();
        let (code, _, told) = load(&place, &to, &["long.csv"], &stop);
        assert_eq!(code, 4, "{told}");
        let rows = "SELECT count(*), max(v) FROM long";
        assert_eq!(answer(&place, &to, rows), "2,old");
        // It goes on as it was begun, though the flag is not there any more.
        let summary = loads(&place, &to, &["long.csv"], &SMALL);
        assert!(summary["inputs"][0]["resumed_from"].is_u64(), "{summary}");
        assert_eq!(summary["inputs"][0]["replaced"], 2);
        assert_eq!(answer(&place, &to, rows), "199,x");
    }
}

#[test]
fn corrected_rows_of_an_input_go_with_it_and_stale_records_are_not_replayed() {
    let server = Server::start();
    for (to, server) in targets(&server) {
        let place = Place::new().file("t.csv", "k,v\n1,a\n2,b,c\n3,d,e\n4,f,g\n");
        clear(&place, server, &["t"]);
        let summary = loads(&place, &to, &["t.csv"], &[]);
        let failed = summary["inputs"][0]["failed_file"].as_str().expect("a file").to_owned();
        let replay = |file: &str| {
            let all =
                ["reprocess-failures", file, "--to", &to, "--format", "json", "--progress", "none"];
            place.output(&all)
        };
        let text = std::fs::read_to_string(place.path(&failed)).expect("records");
        // Two of the three are tried again, one of them corrected.
        let mended: Vec<_> =
            text.lines().take(2).map(|line| line.replace("2,b,c", "2,b")).collect();
        std::fs::write(place.path("mended.failed.jsonl"), mended.join("\n") + "\n").expect("room");
        let first = replay("mended.failed.jsonl");
        assert_eq!(first.status.code(), Some(3), "{}", String::from_utf8_lossy(&first.stderr));
        let rows = "SELECT k, v FROM t ORDER BY k, v";
        assert_eq!(answer(&place, &to, rows), "1,a\n2,b");
        // The file is loaded anew: the corrected row does not stand there beside the one of the file.
        let fresh = loads(&place, &to, &["t.csv"], &["--fresh", "--csv", "lenient", "--evolve"]);
        assert_eq!(fresh["inputs"][0]["replaced"], 2, "{fresh}");
        assert_eq!(answer(&place, &to, rows), "1,a\n2,b\n3,d\n4,f");
        let all = ["reprocess-failures", "--to", &to, "--format", "json"];
        place.output(&all);
        assert_eq!(answer(&place, &to, rows), "1,a\n2,b\n3,d\n4,f");
        std::fs::write(place.path(&failed), text).expect("room");
        let refused = replay(&failed);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains("replaced by a later load"), "{told}");
        assert_eq!(answer(&place, &to, rows), "1,a\n2,b\n3,d\n4,f");
    }
}

#[test]
fn a_replace_holds_as_long_as_nothing_else_is_there() {
    let place = Place::new()
        .file("a.csv", "k,v\n1,a\n")
        .file("b.csv", "k,v\n2,b\n")
        .file("c.csv", "k,v\n3,c\n");
    let rows = || answer(&place, DUCK, "SELECT k, v FROM t ORDER BY k, v");
    let run = |inputs: &[&str], more: &[&str]| {
        loads(&place, DUCK, inputs, &[&["--table", "t"], more].concat())
    };
    let replace = ["--mode", "replace"];
    run(&["a.csv", "b.csv"], &replace);
    assert_eq!(run(&["a.csv", "b.csv"], &replace)["status"], "already_loaded");
    assert_eq!(rows(), "1,a\n2,b");
    // Appended rows of the same file would be there twice.
    assert_eq!(run(&["a.csv"], &[])["status"], "already_loaded");
    run(&["c.csv"], &[]);
    assert_eq!(rows(), "1,a\n2,b\n3,c");
    let state = plan(&place, DUCK, "a.csv", &["--table", "t", "--mode", "replace"]);
    assert!(state["inputs"][0]["state"].as_str().is_some_and(|state| state.starts_with("new")));
    run(&["a.csv", "b.csv"], &replace);
    assert_eq!(rows(), "1,a\n2,b");
    // One more file: the others stay.
    run(&["a.csv", "b.csv", "c.csv"], &replace);
    assert_eq!(rows(), "1,a\n2,b\n3,c");
    // One less.
    run(&["a.csv", "c.csv"], &replace);
    assert_eq!(rows(), "1,a\n3,c");
    assert_eq!(run(&["c.csv", "a.csv"], &replace)["status"], "already_loaded");
}

#[test]
fn a_connection_that_is_lost_at_commit_makes_no_rows_twice() {
    let server = Server::start();
    let place = Place::new().file("long.csv", &long(200));
    for (cut, every) in [(Cut::AfterCommit, 3), (Cut::BeforeCommit, 4), (Cut::AfterCommit, 5)] {
        clear(&place, Some(&server), &["long"]);
        loads(&place, &server.url(), &["long.csv"], &SMALL);
        let proxy = Proxy::start(server.port(), cut, every);
        let to = format!("postgres://etl:etl@127.0.0.1:{}/etl", proxy.port);
        let summary = loads(&place, &to, &["long.csv"], &[&SMALL[..], &["--fresh"]].concat());
        assert!(proxy.cuts() >= 2, "{cut:?} {every}: {} cuts", proxy.cuts());
        assert_eq!(summary["tally"]["inserted"], 199, "{cut:?} {every}");
        let rows = "SELECT count(*), count(DISTINCT k), count(DISTINCT _etl_run) FROM long";
        assert_eq!(answer(&place, &server.url(), rows), "199,199,1", "{cut:?} {every}");
    }
}

/// Older programs have stored a path as it was named: whether it is this one is not known.
#[test]
fn rows_of_a_path_without_its_folder_are_told_and_stay() {
    let place = Place::new().file("t.csv", "k,v\n1,a\n");
    loads(&place, DUCK, &["t.csv"], &[]);
    change(&place, None, "UPDATE etl.inputs SET absolute_path = NULL");
    let place = place.file("t.csv", "k,v\n2,b\n");
    let summary = loads(&place, DUCK, &["t.csv"], &["--replaces-previous"]);
    assert!(warnings(&summary).contains("named alike"), "{summary}");
    assert_eq!(answer(&place, DUCK, "SELECT k FROM t ORDER BY k"), "1\n2");
    // One that was named from the root is known.
    let path = place.path("t.csv").display().to_string();
    change(&place, None, &format!("UPDATE etl.inputs SET absolute_path = NULL, path = '{path}'"));
    change(&place, None, &format!("UPDATE t SET _etl_source = '{path}'"));
    let place = place.file("t.csv", "k,v\n3,c\n");
    let summary = loads(&place, DUCK, &["t.csv"], &["--replaces-previous"]);
    assert_eq!(summary["inputs"][0]["replaced"], 2, "{summary}");
    assert_eq!(answer(&place, DUCK, "SELECT k FROM t ORDER BY k"), "3");
}

/// Rows that are to go must not be in the way of those that come for them.
#[test]
fn a_corrected_file_replaces_its_rows_under_a_unique_index() {
    let server = Server::start();
    server.psql("CREATE TABLE public.t (k integer UNIQUE, v varchar)");
    let (place, to) = (Place::new().file("t.csv", "k,v\n1,a\n2,b\n"), server.url());
    let place = place.file("other.csv", "k,v\n9,z\n");
    loads(&place, &to, &["t.csv"], &["--evolve"]);
    loads(&place, &to, &["other.csv"], &["--table", "t"]);
    let place = place.file("t.csv", "k,v\n1,a\n2,c\n3,d\n");
    let summary = loads(&place, &to, &["t.csv"], &["--replaces-previous"]);
    assert_eq!(summary["tally"]["rejected"], 0, "{summary}");
    let rows = "SELECT k, v FROM t ORDER BY k";
    assert_eq!(answer(&place, &to, rows), "1,a\n2,c\n3,d\n9,z");
    loads(&place, &to, &["t.csv"], &["--fresh", "--limit", "2"]);
    assert_eq!(answer(&place, &to, rows), "1,a\n2,c\n9,z");
    // A row of somebody else with the same key: nothing is changed.
    let place = place.file("t.csv", "k,v\n1,a\n9,x\n");
    let (code, _, told) = load(&place, &to, &["t.csv"], &["--replaces-previous"]);
    assert!(code != 0 && told.contains("duplicate key"), "{code}: {told}");
    assert_eq!(answer(&place, &to, rows), "1,a\n2,c\n9,z");
}

/// A corrected workbook that has lost a sheet says that its rows stay.
#[test]
fn a_sheet_that_is_no_longer_there_is_told() {
    let place = Place::new();
    let book = |names: &[&str]| {
        let mut book = rust_xlsxwriter::Workbook::new();
        for name in names {
            let sheet = book.add_worksheet().set_name(*name).expect("a name");
            for (row, text) in ["k", *name, "x"].iter().enumerate() {
                sheet.write(row as u32, 0, *text).expect("a cell");
            }
        }
        book.save(place.path("two.xlsx")).expect("room");
    };
    book(&["A", "B"]);
    let first = loads(&place, DUCK, &["two.xlsx"], &["--table", "u"]);
    assert!(!warnings(&first).contains("its rows stay"), "{first}");
    book(&["A", "C"]);
    let run = first["run"].as_str().expect("a run");
    let line = format!(
        "sheet B of this path was loaded before (2 rows of run {run}, into table u); it is not among what is \
         read of the file now, and its rows stay"
    );
    let plan =
        place.output(&["plan", "two.xlsx", "--to", DUCK, "--table", "u", "--format", "json"]);
    assert!(String::from_utf8_lossy(&plan.stdout).contains(&line));
    // One sheet of it says nothing of the others.
    let one = loads(&place, DUCK, &["two.xlsx"], &["--table", "u", "--sheet", "A"]);
    assert!(!warnings(&one).contains("its rows stay"), "{one}");
    let summary = loads(&place, DUCK, &["two.xlsx"], &["--table", "u"]);
    assert!(warnings(&summary).contains(&line), "{summary}");
    let rows = "SELECT k, count(*) FROM u WHERE k <> 'x' GROUP BY k ORDER BY k";
    assert_eq!(answer(&place, DUCK, rows), "A,2\nB,1\nC,1");
}
