//! `etl verify` finds what was done to a table behind the ledger's back, and counts of counties are
//! kept: in a file and on a server.

use super::pg_server::{Server, ask, loads};
use super::roll;
use super::support::Place;
use serde_json::Value;

const SALES: &str = "SDF16P202501.csv";
const FINAL: &str = "SDF16F202501.csv";

fn verify(place: &Place, to: &str, arguments: &[&str]) -> (i32, Value) {
    let all =
        [&["verify", "--to", to, "--format", "json", "--progress", "none"], arguments].concat();
    let output = place.output(&all);
    let told = String::from_utf8_lossy(&output.stderr);
    let verified = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"));
    (output.status.code().expect("an exit"), verified)
}

/// Changes the table by the programs of the target itself.
fn tamper(place: &Place, server: Option<&Server>, sql: &str) {
    match server {
        Some(server) => drop(server.psql(sql)),
        None => {
            let path = place.path("rolls.duckdb");
            let db =
                etl::duck::Database::open(&path, &etl::duck::Settings::default()).expect("opens");
            db.connect().expect("connects").execute(sql).expect("it is done");
        }
    }
}

#[test]
fn what_a_run_has_loaded_is_found_again_and_what_others_did_is_told() {
    let server = Server::start();
    let url = server.url();
    for (to, server) in [("duckdb:rolls.duckdb", None), (url.as_str(), Some(&server))] {
        let place = Place::new().file(SALES, &roll::sales(2_000));
        let loaded = loads(&place, to, &[SALES], &[]);
        let (code, verified) = verify(&place, to, &[]);
        assert_eq!((code, &verified["holds"]), (0, &Value::Bool(true)), "{to}: {verified}");
        let input = &verified["inputs"][0];
        assert_eq!(input["read"], loaded["tally"]["read"]);
        assert_eq!(input["same"], loaded["tally"]["inserted"]);
        assert_eq!(input["refused"], loaded["tally"]["rejected"]);
        assert_eq!(input["repeated"], loaded["tally"]["duplicate"]);
        let cases = [
            ("UPDATE sales SET sale_prc = 1 WHERE _etl_row = 20", "altered", 1),
            ("DELETE FROM sales WHERE _etl_row = 21", "missing", 1),
            (
                "UPDATE sales SET _etl_hash = '00000000-0000-0000-0000-000000000001' WHERE _etl_row = 22",
                "different",
                1,
            ),
            ("UPDATE sales SET sale_id_cd = 'new' WHERE _etl_row = 23", "extra", 1),
        ];
        for (sql, what, count) in cases {
            tamper(&place, server, sql);
            let (code, verified) = verify(&place, to, &["latest"]);
            assert_eq!(code, 1, "{to} {what}: {verified}");
            assert_eq!(verified["inputs"][0][what], count, "{to}: {verified}");
        }
        // Another file is no source of that run.
        std::fs::write(place.path(SALES), roll::sales(1_999)).expect("ours");
        let (code, verified) = verify(&place, to, &[]);
        let wrong = verified["inputs"][0]["wrong"].to_string();
        assert!(code == 1 && wrong.contains("its source is not among the inputs"), "{verified}");
    }
}

#[test]
fn later_runs_and_tables_without_a_key_are_no_mistake() {
    let server = Server::start();
    let url = server.url();
    let things = "id,name,price,share,day,moment,ok\n\
                  1,Ünïcode,12.50,0.1,2024-02-29,2024-02-29 12:34:56.789,true\n\
                  2,\"a\\b\ttab\",-0.05,-1e-7,1899-12-31,1970-01-01 00:00:00,false\n3,,,,,,\n";
    for to in ["duckdb:rolls.duckdb", url.as_str()] {
        let place = Place::new()
            .file(SALES, &roll::sales(500))
            .file(FINAL, &roll::sales(500).replace(",100020,", ",7,"))
            .file("things.csv", things);
        let first = loads(&place, to, &[SALES], &[])["run"].as_str().expect("an id").to_owned();
        loads(&place, to, &[FINAL], &[]);
        for (run, changed) in [(first.as_str(), 1), ("latest", 0)] {
            let (code, verified) = verify(&place, to, &[run]);
            assert_eq!(code, 0, "{to}: {verified}");
            assert_eq!(verified["inputs"][0]["later"], changed, "{to}: {verified}");
        }
        loads(&place, to, &["things.csv"], &[]);
        let (code, verified) = verify(&place, to, &[]);
        assert_eq!((code, &verified["inputs"][0]["same"]), (0, &3.into()), "{to}: {verified}");
    }
    server.psql("UPDATE things SET price = 12.51 WHERE id = 1");
    let place = Place::new().file("things.csv", things);
    let (code, verified) = verify(&place, &url, &[]);
    assert_eq!((code, &verified["inputs"][0]["altered"]), (1, &1.into()), "{verified}");
}

#[test]
fn rows_of_each_county_are_known_without_a_scan() {
    let server = Server::start();
    let url = server.url();
    let nal = |county: u8, rows: u32, value: i64| {
        let row = |n| roll::parcel(county, n, value, "X");
        roll::file("nal", &(0..rows).map(row).collect::<Vec<_>>())
    };
    for to in ["duckdb:rolls.duckdb", url.as_str()] {
        let place = Place::new()
            .file("NAL16P202501.csv", &nal(16, 30, 1))
            .file("NAL23P202501.csv", &nal(23, 20, 1))
            .file("NAL16F202501.csv", &nal(16, 35, 2))
            .file("again/NAL23F202501.csv", &nal(23, 5, 3));
        let counts = || -> Vec<(String, u64)> {
            let output = place.output(&["runs", "counts", "--to", to, "--format", "json"]);
            let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let one = |row: &Value| {
                let county = row["scope"]["co_no"].as_str().unwrap_or("all").to_owned();
                (county, row["rows"].as_u64().expect("a number"))
            };
            found.as_array().expect("a list").iter().map(one).collect()
        };
        let two = |broward, dade| vec![("16".to_owned(), broward), ("23".to_owned(), dade)];
        loads(&place, to, &["NAL16P202501.csv", "NAL23P202501.csv"], &[]);
        assert_eq!(counts(), two(30, 20), "{to}");
        loads(&place, to, &["NAL16F202501.csv"], &[]);
        assert_eq!(counts(), two(35, 20), "{to}");
        loads(&place, to, &["again/NAL23F202501.csv"], &["--mode", "replace"]);
        assert_eq!(counts(), two(35, 5), "{to}");
        assert_eq!(ask(&place, to, "SELECT count(*) AS n FROM parcels"), "n\n40\n");
        let doctor = place.output(&["doctor", "--to", to]);
        let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(told.contains("parcels: 40 in 2 parts"), "{told}");
    }
    assert!(
        String::from_utf8_lossy(&Place::new().output(&["doctor", "--to", &url]).stdout)
            .contains("what is free is not visible from here")
    );
}
