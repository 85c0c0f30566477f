//! Columns of numbers that become wider because a later file needs it, and what was loaded before holds.

use super::column_names::duck;
use super::loaded::{TO, ask, consistent, count, ingest, loads};
use super::pg_server::{self, Server};
use super::support::Place;

const TYPES: &str = "SELECT data_type FROM information_schema.columns WHERE table_name = 't' \
                     AND column_name IN ('n', 'v') ORDER BY ordinal_position";
const ROWS: &str = "SELECT k, n, v FROM t ORDER BY k";

fn verified(place: &Place, runs: usize) {
    let all = ask(place, "SELECT DISTINCT run FROM etl.runs ORDER BY run");
    assert_eq!(all.lines().count(), runs);
    for run in all.lines() {
        let output = place.output(&["verify", run, "--table", "t", "--to", TO]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{run}: {told}");
    }
}

#[test]
fn numbers_become_wider_in_a_folder_that_grows() {
    let place = Place::new().file("d/1.csv", "k,n,v\n1,10,1\n2,-20,\n");
    let steps = [
        ("d/2.csv", "k,n,v\n3,3000000000,2\n", "BIGINT\nINTEGER"),
        ("d/3.csv", "k,n,v\n4,5,-2.5\n", "BIGINT\n\"DECIMAL(18,1)\""),
        ("d/4.csv", "k,n,v\n5,0.125,2.25\n", "\"DECIMAL(18,3)\"\n\"DECIMAL(18,2)\""),
    ];
    loads(&place, &["d"], &["--table", "t"]);
    assert_eq!(ask(&place, TYPES), "INTEGER\nINTEGER");
    let mut place = place;
    for (at, (file, content, types)) in steps.into_iter().enumerate() {
        place = place.file(file, content);
        let plan = place.run(&["plan", "d", "--table", "t", "--to", TO]);
        let words = plan.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("of table t becomes"), "{plan}");
        let summary = loads(&place, &["d"], &["--table", "t"]);
        assert!(summary.to_string().contains("no stored value changes"), "{summary}");
        assert_eq!(ask(&place, TYPES), types);
        assert_eq!(ask(&place, "SELECT count(DISTINCT _etl_run) FROM t"), (at + 2).to_string());
    }
    let right = "1,10.000,1.00\n2,-20.000,\n3,3000000000.000,2.00\n4,5.000,-2.50\n5,0.125,2.25";
    assert_eq!(ask(&place, ROWS), right);
    verified(&place, 4);
    let (code, summary) = ingest(&place, &["d"], &["--table", "t"]);
    assert_eq!((code, summary["status"].as_str()), (0, Some("already_loaded")), "{summary}");
    // A cell that somebody changes is still found.
    duck(&place, "UPDATE t SET n = 10.5 WHERE k = 1");
    let first = ask(&place, "SELECT min(run) FROM etl.runs");
    assert!(!place.output(&["verify", &first, "--table", "t", "--to", TO]).status.success());
}

#[test]
fn a_decimal_that_has_no_room_for_what_is_stored_refuses_cells() {
    let place = Place::new().file("1.csv", "k,n,v\n1,123456789012345678,1\n");
    loads(&place, &["1.csv"], &["--table", "t"]);
    let place = place.file("2.csv", "k,n,v\n2,1.5,2\n3,7,3\n");
    let (code, summary) = ingest(&place, &["2.csv"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    assert_eq!(ask(&place, ROWS), "1,123456789012345678,1\n3,7,3");
    assert_eq!(ask(&place, TYPES), "BIGINT\nINTEGER");
    verified(&place, 2);
}

#[test]
fn a_column_becomes_text_only_where_it_is_asked_for() {
    let place = Place::new()
        .file("1.csv", "k,n,v\n1,10,2025-01-31\n2,-5,2025-02-01\n")
        .file("2.csv", "k,n,v\n3,many,soon\n4,8,2025-03-01\n");
    loads(&place, &["1.csv"], &["--table", "t"]);
    let (code, summary) = ingest(&place, &["2.csv"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    assert!(summary.to_string().contains("--evolve makes a column VARCHAR"), "{summary}");
    let place = place.file("3.csv", "k,n,v\n5,02035,2025-03-02\n6,x,later\n");
    let (code, summary) = ingest(&place, &["3.csv"], &["--table", "t", "--evolve"]);
    // A date is never made a text.
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    assert_eq!(ask(&place, TYPES), "VARCHAR\nDATE");
    let right = "1,10,2025-01-31\n2,-5,2025-02-01\n4,8,2025-03-01\n5,02035,2025-03-02";
    assert_eq!(ask(&place, ROWS), right);
    verified(&place, 3);
    consistent(&place);
}

#[test]
fn a_table_that_is_replaced_becomes_wider_too() {
    let place = Place::new()
        .file("1.csv", "k,n,v\n1,10,1\n2,20,2\n")
        .file("2.csv", "k,n,v\n1,10,1\n3000000000,30,2.5\n");
    loads(&place, &["1.csv"], &["--table", "t"]);
    loads(&place, &["2.csv"], &["--table", "t", "--mode", "replace"]);
    assert_eq!(ask(&place, ROWS), "1,10,1.0\n3000000000,30,2.5");
}

#[test]
fn a_table_of_others_keeps_its_types() {
    let place = Place::new().file("t.csv", "k,n,v\n1,3000000000,1\n2,7,2\n");
    duck(&place, "CREATE TABLE t (k INTEGER, n INTEGER, v INTEGER)");
    for more in [&[][..], &["--evolve", "--fresh"]] {
        let (code, summary) = ingest(&place, &["t.csv"], more);
        assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
        assert_eq!(ask(&place, TYPES), "INTEGER\nINTEGER");
    }
}

#[test]
fn an_index_of_the_user_keeps_the_types() {
    let place = Place::new().file("1.csv", "k,n,v\n1,10,1\n");
    loads(&place, &["1.csv"], &["--table", "t"]);
    duck(&place, "CREATE INDEX by_n ON t (n)");
    let place = place.file("2.csv", "k,n,v\n2,3000000000,1\n3,7,2\n");
    let (code, summary) = ingest(&place, &["2.csv"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    assert_eq!(ask(&place, ROWS), "1,10,1\n3,7,2");
}

#[test]
fn a_column_of_a_server_becomes_wider_only_where_it_is_asked_for() {
    let server = Server::start();
    let url = server.url();
    let place = Place::new().file("1.csv", "k,n,v\n1,10,1\n2,20,\n");
    pg_server::loads(&place, &url, &["1.csv"], &["--table", "t"]);
    let place = place.file("2.csv", "k,n,v\n3,3000000000,2.5\n4,8,x\n");
    let (code, summary, _) = pg_server::load(&place, &url, &["2.csv"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (3, 2), "{summary}");
    let more = ["--table", "t", "--evolve", "--fresh"];
    let summary = pg_server::loads(&place, &url, &["2.csv"], &more);
    assert!(summary.to_string().contains("becomes VARCHAR"), "{summary}");
    let rows = "SELECT k, n, v FROM t ORDER BY k, n";
    assert_eq!(
        pg_server::ask(&place, &url, rows),
        "k,n,v\n1,10,1\n2,20,\n3,3000000000,2.5\n4,8,x\n"
    );
    let runs = pg_server::ask(&place, &url, "SELECT DISTINCT run FROM etl.runs ORDER BY run");
    for run in [runs.lines().nth(1), runs.lines().last()].into_iter().flatten() {
        let output = place.output(&["verify", run, "--table", "t", "--to", &url]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
