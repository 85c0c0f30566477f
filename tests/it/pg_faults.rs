//! A server that is slow or away: smaller parts, patience, and no hammering.

use super::loaded::failed;
use super::pg_proxy::{Cut, Proxy};
use super::pg_server::{Server, arguments, consistent, loads, rows, started};
use super::roll;
use super::support::Place;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

const SALES: &str = "SDF16P202501.csv";
const SMALL: [&str; 4] = ["--commit-rows", "1000", "--chunk-rows", "1000"];

fn sales(rows: u32) -> Place {
    Place::new().file(SALES, &roll::sales(rows))
}

#[test]
fn a_statement_that_takes_too_long_is_tried_in_halves() {
    let server = Server::start();
    let (to, whole) = (server.url(), sales(3_000));
    let expected = loads(&whole, &to, &[SALES], &SMALL);
    let (table, refused) = (rows(&whole, &to, "sales"), failed(&whole));
    server.psql(
        "DELETE FROM sales; DROP SCHEMA etl CASCADE;
         CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           PERFORM pg_sleep(0.001); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON sales FOR EACH ROW EXECUTE FUNCTION public.slow();
         ALTER ROLE etl SET statement_timeout = '700ms'",
    );
    let place = sales(3_000);
    let output = place.output(&arguments(&to, &[SALES], &SMALL));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert!(told.contains("\"event\":\"retry\"") && told.contains("57014"), "{told}");
    assert!(summary["retries"].as_u64().is_some_and(|retries| retries >= 1), "{summary}");
    assert_eq!(summary["tally"], expected["tally"]);
    assert_eq!(rows(&place, &to, "sales"), table);
    assert_eq!(failed(&place), refused);
    consistent(&server, "sales");
}

/// With two writers the group of a duplicate may be committed, and that of the row it repeats be lost.
#[test]
fn a_duplicate_whose_first_row_was_lost_does_not_stand_for_it() {
    let server = Server::start();
    let row = |n: u32| match n {
        n if n >= 2_000 && n % 40 == 0 => roll::sale(n - 1_390, "1"),
        n => roll::sale(n, &(100_000 + n).to_string()),
    };
    let text = roll::file("sdf", &(0..8_000).map(row).collect::<Vec<_>>());
    let whole = Place::new().file(SALES, &text);
    let more = [&SMALL[..], &["--writers", "2"]].concat();
    let expected = loads(&whole, "duckdb:rolls.duckdb", &[SALES], &[]);
    assert!(expected["tally"]["duplicate"].as_u64().is_some_and(|n| n > 100), "{expected}");
    for every in 3..8 {
        let proxy = Proxy::start(server.port(), Cut::BeforeCommit, every);
        let to = format!("postgres://etl:etl@127.0.0.1:{}/etl", proxy.port);
        let place = Place::new().file(SALES, &text);
        let summary = loads(&place, &to, &[SALES], &more);
        assert!(proxy.cuts() >= 1, "{every}");
        assert_eq!(summary["tally"], expected["tally"], "{every}");
        consistent(&server, "sales");
        server.psql("DROP TABLE sales; DROP SCHEMA etl CASCADE");
    }
}

#[test]
fn a_server_that_is_away_is_waited_for_and_asked_now_and_then() {
    let server = Server::start();
    let (to, whole) = (server.url(), sales(16_000));
    let expected = loads(&whole, &to, &[SALES], &SMALL);
    let table = rows(&whole, &to, "sales");
    server.psql("DROP TABLE sales; DROP SCHEMA etl CASCADE");
    let place = sales(16_000);
    let child = started(&place, &to, SALES, &SMALL, 2);
    server.stop();
    std::thread::sleep(Duration::from_secs(6));
    server.restart();
    let output = child.wait_with_output().expect("it ends");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(summary["tally"], expected["tally"]);
    // A loop without pauses would have tried hundreds of times.
    let retries = summary["retries"].as_u64().expect("a number");
    assert!((1..=30).contains(&retries), "{retries}");
    assert_eq!(rows(&place, &to, "sales"), table);
    consistent(&server, "sales");
}

#[test]
fn who_waits_for_a_server_still_listens_to_signals() {
    let server = Server::start();
    let (to, place) = (server.url(), sales(16_000));
    let mut command = place.command(&arguments(&to, &[SALES], &SMALL));
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let told = BufReader::new(child.stderr.take().expect("piped"));
    let mut stopped = false;
    for line in told.lines().map_while(Result::ok) {
        if line.contains("\"committed\"") && !stopped {
            server.stop();
            stopped = true;
        }
        if line.contains("\"retry\"") {
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("ours");
            break;
        }
    }
    let asked = Instant::now();
    let status = child.wait().expect("it ends");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(143));
}
