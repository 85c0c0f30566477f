//! Refused rows as rows of the target, and indexes that are set aside.

use super::pg_server::{Server, ask, consistent, load, loads, started};
use super::roll;
use super::support::Place;
use std::thread::sleep;
use std::time::{Duration, Instant};

const SALES: &str = "SDF16P202501.csv";
const FINAL: &str = "SDF16F202501.csv";
const OTHER: &str = "SDF11P202501.csv";
/// What a part of a table's pages is asked for by.
const PART: &str = "AND ctid <";
const SMALL: [&str; 4] = ["--commit-rows", "500", "--chunk-rows", "200"];

#[test]
fn refused_rows_are_rows_too_until_a_replay_takes_them() {
    let server = Server::start();
    let url = server.url();
    for to in ["duckdb:rolls.duckdb", url.as_str()] {
        let place = Place::new().file(SALES, &roll::sales(2_000));
        let left = || {
            let sql = "SELECT count(*) AS n, count(DISTINCT record) AS d FROM etl.failed_rows";
            ask(&place, to, sql).lines().nth(1).expect("an answer").to_owned()
        };
        let summary = loads(&place, to, &[SALES], &[&SMALL[..], &["--failed-rows"]].concat());
        let refused = summary["tally"]["rejected"].as_u64().expect("a number");
        assert!(refused > 20, "{summary}");
        assert_eq!(left(), format!("{refused},{refused}"), "{to}");
        let sql = "SELECT code, \"column\", source, row FROM etl.failed_rows ORDER BY row LIMIT 1";
        assert_eq!(ask(&place, to, sql).lines().nth(1), Some(&*format!("E304,QUAL_CD,{SALES},2")));
        let replay = [
            "reprocess-failures",
            "--to",
            to,
            "--rule",
            "SDF-08=warning",
            "--failed-rows",
            "--quiet",
        ];
        place.output(&replay);
        // The prices that are none are refused again.
        let again = ask(
            &place,
            to,
            "SELECT count(*) AS n FROM etl.failed_rows WHERE \"column\" <> 'SALE_PRC'",
        );
        let still = left();
        assert_eq!(again, "n\n0\n", "{to}");
        assert_ne!(still, "0,0", "{to}");
        assert_ne!(still, format!("{refused},{refused}"), "{to}");
    }
}

#[test]
fn indexes_that_are_set_aside_come_back_whatever_happens() {
    let server = Server::start();
    let to = server.url();
    let place = Place::new()
        .file(SALES, &roll::sales(6_000))
        .file(FINAL, &roll::sales(6_000).replace("01", "02"));
    loads(&place, &to, &[SALES], &[]);
    server.psql(
        "CREATE INDEX mine ON sales (sale_prc DESC) WHERE sale_prc > 5; CREATE INDEX \"Other\" ON sales \
         (lower(parcel_id)); CREATE UNIQUE INDEX kept ON sales (sale_id_cd, parcel_id, co_no)",
    );
    let indexes = "SELECT string_agg(indexdef, '; ' ORDER BY indexname) FROM pg_indexes \
                   WHERE tablename = 'sales'";
    let before = server.psql(indexes);
    let more = [&SMALL[..], &["--indexes-after"]].concat();
    let mut child = started(&place, &to, FINAL, &more, 1);
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    let aside = server.psql("SELECT count(*) FROM etl.indexes");
    // Where it was quicker than the kill, all is done already.
    if aside == "2" {
        assert_eq!(server.psql(indexes).matches("CREATE").count(), 2);
        let doctor = place.output(&["doctor", "--to", &to]);
        let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(told.contains("set aside by --indexes-after: sales.Other, sales.mine"), "{told}");
    }
    // Without being told again.
    loads(&place, &to, &[FINAL], &SMALL);
    assert_eq!(server.psql(indexes), before);
    assert_eq!(server.psql("SELECT count(*) FROM etl.indexes"), "0");
}

#[test]
fn a_large_load_is_counted_by_several_connections_and_a_missing_row_is_seen() {
    let server = Server::start();
    server.listen();
    let to = server.url();
    let small = roll::sales(40).replace("\r\n16,", "\r\n11,");
    let place = Place::new().file(SALES, &roll::sales(80_000)).file(OTHER, &small);
    loads(&place, &to, &[OTHER], &[]);
    // Somebody takes a row away while the load goes on.
    server.psql(
        "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           DELETE FROM sales WHERE ctid = (SELECT max(ctid) FROM sales WHERE co_no = 16); RETURN NULL; \
         END $$; CREATE TRIGGER gone AFTER INSERT ON etl.ranges EXECUTE FUNCTION gone()",
    );
    let (code, _, told) = load(&place, &to, &[SALES], &[]);
    assert!(code == 1 && told.contains("the account does not hold"), "{code}: {told}");
    server.psql("DROP TRIGGER gone ON etl.ranges");
    let before = server.heard(PART);
    assert!(before > 0, "its rows were counted in parts");
    // The table does not hold what the ledger says, so all is loaded anew.
    let summary = loads(&place, &to, &[SALES], &[]);
    let inserted = summary["tally"]["inserted"].as_u64().expect("a number").to_string();
    assert!(server.heard(PART) > before);
    assert_eq!(server.psql("SELECT count(*) FROM sales WHERE co_no = 16"), inserted);
    assert_eq!(server.psql("SELECT rows FROM etl.counts WHERE scope LIKE '%16%'"), inserted);
    // Few rows among many are found by the index.
    let before = server.heard(PART);
    loads(&place, &to, &[OTHER], &["--fresh"]);
    assert_eq!(server.heard(PART), before);
}

/// A server without statistics of a new table would look up each of its rows by the key, for each part anew. The
/// cells of some ranges are counted by the index.
#[test]
fn a_large_load_is_counted_page_by_page() {
    let server = Server::start();
    let place = Place::new().file(SALES, &roll::sales(80_000));
    let summary = loads(&place, &server.url(), &[SALES], &[]);
    let inserted = summary["tally"]["inserted"].as_u64().expect("a number");
    // A connection hands in its figures when it ends.
    let others = "SELECT count(*) FROM pg_stat_activity \
                  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let begun = Instant::now();
    while server.psql(others) != "0" {
        assert!(begun.elapsed() < Duration::from_secs(60), "connections of the load are left");
        sleep(Duration::from_millis(20));
    }
    let read = "SELECT sum(n_tup_ins), sum(coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables \
                WHERE relname = 'sales'";
    let figures = server.psql(read);
    let (put, looked_up) = figures.split_once('|').expect("two figures");
    assert_eq!(put, inserted.to_string());
    assert!(looked_up.parse::<u64>().expect("a number") < inserted, "{figures}");
}

/// A user who may have three connections: one for the lock, one that writes, one that all questions share.
#[test]
fn three_connections_load_merge_and_verify_a_roll() {
    let server = Server::start();
    server.psql(
        "CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 3; GRANT CREATE ON DATABASE etl TO few; \
         GRANT CREATE, USAGE ON SCHEMA public TO few",
    );
    let to = server.url().replace("etl:etl@", "few:few@");
    let more = ["--writers", "4", "--threads", "4", "--commit-rows", "1000", "--chunk-rows", "700"];
    let place = Place::new().file("SDF16P202501.csv", &roll::sales(12_000));
    let first = loads(&place, &to, &["SDF16P202501.csv"], &more);
    let inserted = first["tally"]["inserted"].as_u64().expect("a count");
    assert!(inserted > 11_000, "{first}");
    let place = place.file("SDF16F202501.csv", &roll::sales(12_500));
    let second = loads(&place, &to, &["SDF16F202501.csv"], &more);
    let tally = &second["tally"];
    assert_eq!(tally["unchanged"].as_u64(), Some(inserted), "{second}");
    assert!(tally["inserted"].as_u64().is_some_and(|rows| rows > 400), "{second}");
    let output = place.output(&["verify", "latest", "--to", &to]);
    assert!(output.status.success(), "{output:?}");
    consistent(&server, "sales");
    // Two are one too few, and that is said in words within the waiting time.
    server.psql("ALTER ROLE few CONNECTION LIMIT 1");
    let place = place.file("SDF16S202501.csv", &roll::sales(300));
    let (code, _, told) =
        load(&place, &to, &["SDF16S202501.csv"], &["--fresh", "--retry-attempts", "0"]);
    assert!(code == 7 && told.contains("a load needs three connections"), "{code} {told}");
}
