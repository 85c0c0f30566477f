//! A PostgreSQL server as target: the same rows, account and failed records as a DuckDB file, whatever
//! is killed, restarted or cut off on the way.

use super::loaded::failed;
use super::pg_proxy::{Cut, Proxy};
use super::pg_server::{Server, ask, consistent, load, loads, rows, started};
use super::roll::{self, parcel};
use super::support::{self, Place};
use serde_json::Value;

const DUCK: &str = "duckdb:rolls.duckdb";
const SALES: &str = "SDF16P202501.csv";
const SMALL: [&str; 4] = ["--commit-rows", "1000", "--chunk-rows", "300"];

fn sales(rows: u32) -> Place {
    Place::new().file(SALES, &roll::sales(rows))
}

/// Problems and account, which must be the same on every target.
fn outcome(summary: &Value) -> (Value, Value) {
    (summary["inputs"][0]["problems"].clone(), summary["tally"].clone())
}

/// Failed records, and the folder without them.
fn failed_and_gone(place: &Place) -> std::collections::BTreeSet<String> {
    let records = failed(place);
    for entry in std::fs::read_dir(place.path("")).expect("the folder of the test") {
        let path = entry.expect("a readable folder").path();
        if path.to_string_lossy().ends_with(".failed.jsonl") {
            std::fs::remove_file(path).expect("ours");
        }
    }
    records
}

#[test]
fn rolls_are_the_same_as_in_a_file_and_twice_is_once() {
    let server = Server::start();
    let (to, place) = (server.url(), sales(5_000));
    support::roll(
        &place,
        &["nal", "--rows", "2000", "--out", "NAL16P202501.csv", "--damage", "2%"],
    );
    let cases = [(SALES, "sales"), ("NAL16P202501.csv", "parcels")];
    for (file, table) in cases {
        let expected = loads(&place, DUCK, &[file], &[]);
        let refused = failed_and_gone(&place);
        let summary = loads(&place, &to, &[file], &SMALL);
        assert_eq!(outcome(&summary), outcome(&expected), "{file}");
        assert_eq!(rows(&place, &to, table), rows(&place, DUCK, table), "{file}");
        assert!(!refused.is_empty());
        assert_eq!(failed_and_gone(&place), refused, "{file}");
        consistent(&server, table);
        let again = loads(&place, &to, &[file], &SMALL);
        assert_eq!(again["status"], "already_loaded");
        assert_eq!(outcome(&again).1, outcome(&summary).1);
    }
    let runs =
        String::from_utf8(place.output(&["runs", "list", "--to", &to]).stdout).expect("text");
    assert!(runs.contains("sales") && runs.contains("parcels") && runs.contains("done"), "{runs}");
}

#[test]
fn releases_meet_as_in_a_file() {
    let server = Server::start();
    let nal = |values: &[(u32, i64)]| {
        let row = |(n, value): &(u32, i64)| parcel(16, *n, *value, "OWNER \\ O'NEIL\tJR");
        roll::file("nal", &values.iter().map(row).collect::<Vec<_>>())
    };
    let files = ["NAL16P202501.csv", "NAL16S202501.csv", "NAL16F202501.csv"];
    let place = Place::new()
        .file(files[0], &nal(&[(1, 10), (2, 20), (3, 30), (4, 40), (7, 70)]))
        .file(files[1], &nal(&[(1, 10), (2, 21), (3, 31), (5, 50)]))
        .file(files[2], &nal(&[(7, 71), (1, 10), (2, 22), (3, 30), (6, 60)]));
    let to = server.url();
    // Low to high, high to low, replaced as a whole.
    for (order, mode) in [([0, 1, 2], "merge"), ([2, 0, 1], "merge"), ([1, 0, 2], "replace")] {
        for at in order {
            let more = ["--mode", mode];
            let expected = loads(&place, DUCK, &[files[at]], &more);
            let summary = loads(&place, &to, &[files[at]], &more);
            assert_eq!(outcome(&summary), outcome(&expected), "{mode} {order:?} {at}");
        }
        assert_eq!(rows(&place, &to, "parcels"), rows(&place, DUCK, "parcels"), "{mode} {order:?}");
        consistent(&server, "parcels");
        server.psql("DROP TABLE parcels; DROP SCHEMA etl CASCADE");
        std::fs::remove_file(place.path("rolls.duckdb")).expect("ours");
    }
}

#[test]
fn any_table_with_any_type() {
    let server = Server::start();
    let text = "id,name,price,share,day,moment,ok,big\n\
                1,Ünïcode \u{1f3e0},12.50,0.1,2024-02-29,2024-02-29 12:34:56.789,true,9007199254740993\n\
                2,\"a\\b\ttab \"\"q\"\"\nline\",-0.05,-1e-7,1899-12-31,1970-01-01 00:00:00,false,-1\n\
                3,,,,,,,\n\
                4,\\N,99999999999.99,1e300,2999-01-01,2038-01-19 03:14:08,true,0\n";
    let place = Place::new().file("things.csv", text);
    let to = server.url();
    for (run, mode) in ["append", "append", "replace"].into_iter().enumerate() {
        let more = ["--mode", mode, "--fresh"];
        let expected = loads(&place, DUCK, &["things.csv"], &more);
        let summary = loads(&place, &to, &["things.csv"], &more);
        assert_eq!(outcome(&summary), outcome(&expected), "{run}");
        let sorted = |to: &str| {
            let text = rows(&place, to, "things");
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&to), sorted(DUCK), "{run} {mode}");
    }
    assert_eq!(server.psql("SELECT count(*) FROM things"), "4");
    let types = server.psql(
        "SELECT string_agg(data_type, ',' ORDER BY ordinal_position) FROM information_schema.columns \
         WHERE table_name = 'things' AND column_name IN ('id', 'price', 'day', 'moment', 'ok')",
    );
    assert!(types.contains("integer,numeric,date,timestamp"), "{types}");
}

#[test]
fn killed_anywhere_the_same_command_ends_as_if_undisturbed() {
    let server = Server::start();
    let (to, whole) = (server.url(), sales(16_000));
    let expected = loads(&whole, DUCK, &[SALES], &SMALL);
    let (table, refused) = (rows(&whole, DUCK, "sales"), failed(&whole));
    for (writers, kills) in [("1", [0, 3, 6]), ("2", [1, 4, 8])] {
        let place = sales(16_000);
        let more = [&SMALL[..], &["--writers", writers]].concat();
        for commits in kills {
            let mut child = started(&place, &to, SALES, &more, commits);
            child.kill().expect("it can be killed");
            child.wait().expect("it has ended");
        }
        let summary = loads(&place, &to, &[SALES], &more);
        assert!(summary["inputs"][0]["resumed_from"].as_u64().is_some(), "{summary}");
        assert_eq!(outcome(&summary), outcome(&expected), "{writers} writers");
        assert_eq!(rows(&place, &to, "sales"), table, "{writers} writers");
        assert_eq!(failed(&place), refused, "{writers} writers");
        assert_eq!(server.psql("SELECT count(*) FROM etl.inputs"), "1");
        consistent(&server, "sales");
        server.psql("DROP TABLE sales; DROP SCHEMA etl CASCADE");
    }
}

#[test]
fn a_load_goes_on_by_itself_when_the_server_restarts_or_hangs_up() {
    let server = Server::start();
    let (to, whole) = (server.url(), sales(16_000));
    let expected = loads(&whole, DUCK, &[SALES], &SMALL);
    let (table, refused) = (rows(&whole, DUCK, "sales"), failed(&whole));
    let hang_up = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE application_name = 'etl'";
    for (restart, commits) in [(true, 1), (true, 5), (false, 2), (false, 7)] {
        let place = sales(16_000);
        let child = started(&place, &to, SALES, &SMALL, commits);
        if restart {
            server.restart();
        } else {
            server.psql(hang_up);
        }
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(3), "restart {restart} behind {commits}");
        let summary = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(outcome(&summary), outcome(&expected), "restart {restart} behind {commits}");
        assert_eq!(rows(&place, &to, "sales"), table, "restart {restart} behind {commits}");
        assert_eq!(failed(&place), refused, "restart {restart} behind {commits}");
        consistent(&server, "sales");
        server.psql("DROP TABLE sales; DROP SCHEMA etl CASCADE");
    }
}

#[test]
fn an_answer_to_commit_that_never_comes_is_settled_by_the_ledger() {
    let server = Server::start();
    let whole = sales(12_000);
    let expected = loads(&whole, DUCK, &[SALES], &SMALL);
    let (table, refused) = (rows(&whole, DUCK, "sales"), failed(&whole));
    for (cut, every) in [(Cut::AfterCommit, 3), (Cut::BeforeCommit, 4), (Cut::AfterCommit, 5)] {
        let proxy = Proxy::start(server.port(), cut, every);
        let to = format!("postgres://etl:etl@127.0.0.1:{}/etl", proxy.port);
        let place = sales(12_000);
        let summary = loads(&place, &to, &[SALES], &SMALL);
        assert!(proxy.cuts() >= 2, "{cut:?} {every}: {} cuts", proxy.cuts());
        assert_eq!(outcome(&summary), outcome(&expected), "{cut:?} {every}");
        let to = server.url();
        assert_eq!(rows(&place, &to, "sales"), table, "{cut:?} {every}");
        assert_eq!(failed(&place), refused, "{cut:?} {every}");
        assert_eq!(loads(&place, &to, &[SALES], &SMALL)["status"], "already_loaded");
        consistent(&server, "sales");
        server.psql("DROP TABLE sales; DROP SCHEMA etl CASCADE");
    }
}

#[test]
fn a_second_run_is_told_who_loads_the_table() {
    let server = Server::start();
    let (to, place) = (server.url(), sales(30_000));
    let mut child = started(&place, &to, SALES, &SMALL, 1);
    let (code, _, told) = load(&place, &to, &[SALES], &[]);
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    assert_eq!(code, 7, "{told}");
    assert!(told.contains("E504") && told.contains("of user etl"), "{told}");
    // Questions are answered all the while.
    assert!(ask(&place, &to, "SELECT count(*) FROM etl.runs").contains('1'));
}

#[test]
fn what_does_not_fit_is_one_list_before_a_row_is_read() {
    let server = Server::start();
    let (to, place) = (server.url(), sales(100));
    let without = ["ingest", "--to", &to, SALES, "--progress", "none"];
    let refusal = |arguments: &[&str]| {
        let output = place.output(arguments);
        assert_eq!(output.status.code(), Some(7));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let told = refusal(&without);
    assert!(told.contains("no table sales") && told.contains("--create"), "{told}");
    loads(&place, &to, &[SALES], &[]);
    server.psql(
        "DELETE FROM sales; DELETE FROM etl.inputs; ALTER TABLE sales DROP CONSTRAINT sales_pkey; \
         ALTER TABLE sales ALTER sale_prc TYPE integer, ALTER or_book TYPE varchar(4), \
           ALTER sale_yr SET NOT NULL, DROP COLUMN clerk_no, ADD COLUMN mine int NOT NULL, \
           ADD COLUMN twice int GENERATED ALWAYS AS (sale_yr * 2) STORED",
    );
    let told = refusal(&without);
    for part in [
        "sale_prc is integer, needed bigint",
        "limited to so many characters: or_book 4",
        "mine must not be NULL, and nothing is loaded into it",
        "a column is missing; --evolve",
        "no unique index",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    // What fills itself is no obstacle, and a blank where a value is wanted refuses its row alone.
    assert!(!told.contains("twice") && !told.contains("sale_yr must"), "{told}");
    server.psql(
        "ALTER TABLE sales ALTER sale_prc TYPE numeric, ALTER or_book TYPE varchar, \
           ALTER sale_yr DROP NOT NULL, ALTER mine SET DEFAULT 7; \
         CREATE UNIQUE INDEX ON sales (sale_id_cd, parcel_id, co_no)",
    );
    let told = refusal(&without);
    assert!(told.contains("ADD COLUMN \"clerk_no\" text"), "{told}");
    let summary = loads(&place, &to, &[SALES], &["--evolve"]);
    let loaded = summary["tally"]["inserted"].to_string();
    assert_eq!(server.psql("SELECT count(*) FROM sales WHERE mine = 7"), loaded);
    assert_eq!(
        server.psql("SELECT bool_and(twice = sale_yr * 2 OR sale_yr IS NULL) FROM sales"),
        "t"
    );
}

#[test]
fn failures_name_the_cause_and_never_the_password() {
    let server = Server::start();
    let place = sales(50).env("PGCONNECT_TIMEOUT", "3");
    let sentinel = "s3ntinel";
    let port = server.url().rsplit(':').next().expect("a port").to_owned();
    let at = |place: &str| format!("postgres://etl:{sentinel}@{place}");
    let cases = [
        (at(&format!("127.0.0.1:{port}")), "E402", "password"),
        (at("127.0.0.1:1/etl"), "E401", "nothing listens there"),
        (at("no-such-host.invalid/etl"), "E401", "cannot be resolved"),
        (at(&format!("127.0.0.1:{port}?sslmode=require")), "E403", "offers none"),
        (at(&format!("127.0.0.1:{port}?sslmode=never")), "", "one of disable, allow"),
    ];
    for (to, code, words) in cases {
        for verb in [&["ingest", SALES][..], &["doctor"], &["runs", "list"], &["plan", SALES]] {
            let output = place.output(&[verb, &["--to", &to]].concat());
            let told =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!told.contains(sentinel), "{verb:?}: {told}");
            // A plan is made all the same, without what the ledger would say.
            assert!(
                verb[0] == "plan" || told.contains(words),
                "{verb:?}: {words} is not in {told}"
            );
            assert!(verb[0] != "ingest" || told.contains(code), "{code} is not in {told}");
        }
    }
    server.psql(&format!("ALTER ROLE etl PASSWORD '{sentinel}'; CREATE TABLE kept AS SELECT 1"));
    let place = place.env("PGPASSWORD", sentinel);
    let (code, _, told) = load(&place, &format!("postgres://etl@127.0.0.1:{port}"), &[SALES], &[]);
    assert!(matches!(code, 0 | 3), "{told}");
    let kept: String = std::fs::read_dir(place.path(""))
        .expect("the folder of the test")
        .filter_map(|entry| std::fs::read_to_string(entry.expect("readable").path()).ok())
        .collect();
    assert!(!(kept + &told).contains(sentinel));
}

#[test]
fn corrected_rows_come_back() {
    let server = Server::start();
    let (to, place) = (server.url(), sales(3_000));
    let first = loads(&place, &to, &[SALES], &[]);
    let refused = first["tally"]["rejected"].as_u64().expect("a number");
    assert!(refused > 5, "{first}");
    let record = failed(&place);
    let arguments = ["reprocess-failures", "--to", &to, "--format", "json", "--progress", "none"];
    let output = place.output(&arguments);
    let again: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(again["tally"]["read"].as_u64(), Some(refused), "{again}");
    assert_eq!(failed(&place).len(), record.len());
    let twice: Value = serde_json::from_slice(&place.output(&arguments).stdout).expect("a summary");
    assert_eq!(twice["tally"]["read"].as_u64(), Some(0), "{twice}");
    assert_eq!(server.psql("SELECT count(*) FROM etl.reprocessed"), refused.to_string());
    consistent(&server, "sales");
}
