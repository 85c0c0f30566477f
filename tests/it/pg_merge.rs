//! Rolls that meet rows which a server holds already: what is unchanged costs no write, and ranks,
//! duplicates and kills come out as in a DuckDB file.

use super::pg_proxy::{Cut, Proxy};
use super::pg_server::{Server, ask, consistent, load, loads, rows, started};
use super::roll::{self, sale};
use super::support::Place;

const DUCK: &str = "duckdb:rolls.duckdb";
const FIRST: &str = "SDF16P202501.csv";
const SECOND: &str = "SDF16S202501.csv";
const FINAL: &str = "SDF16F202501.csv";
const SMALL: [&str; 4] = ["--commit-rows", "200", "--chunk-rows", "150"];

/// Each row's id with the release that it ranks as.
const RELEASES: &str =
    "SELECT string_agg(sale_id_cd || ' ' || release, ',' ORDER BY sale_id_cd) FROM (
  SELECT t.sale_id_cd, coalesce((SELECT c.release FROM etl.confirmed c
      JOIN etl.inputs i ON i.run = c.run AND i.input = c.input AND i.status = 'done'
    WHERE c.of_run = t._etl_run AND c.of_source = t._etl_source
      AND t._etl_row BETWEEN c.first AND c.last AND c.release IS NOT NULL
    ORDER BY translate(c.release, 'PSF', '123') DESC LIMIT 1), t._etl_release) AS release
  FROM sales t) AS known";

fn same(place: &Place, server: &Server, what: &str) {
    let to = server.url();
    let (one, other) = (rows(place, &to, "sales"), rows(place, DUCK, "sales"));
    let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    assert_eq!(differs, None, "{what}");
    assert_eq!(one.lines().count(), other.lines().count(), "{what}");
    ranked(place, server, what);
}

fn ranked(place: &Place, server: &Server, what: &str) {
    let own =
        "SELECT string_agg(sale_id_cd || ' ' || _etl_release, ',' ORDER BY sale_id_cd) FROM sales";
    let duck = ask(place, DUCK, own);
    let expected = duck.lines().nth(1).expect("an answer").trim_matches('"');
    assert_eq!(server.psql(RELEASES), expected, "{what}");
    consistent(server, "sales");
}

/// The sales as a later release has them: some changed, some new, some again, some refused.
fn later(rows: u32, changed: u32) -> String {
    let row = |number: u32| match number {
        n if n % 211 == 7 => sale(n, "much"),
        n if n % 307 == 11 => sale(n - 11, "1"),
        n if n % 53 == changed => sale(n, &(200_000 + n).to_string()),
        n => sale(n, &(100_000 + n).to_string()),
    };
    roll::file("sdf", &(0..rows + 60).map(row).collect::<Vec<_>>())
}

fn place(rows: u32) -> Place {
    Place::new()
        .file(FIRST, &roll::sales(rows))
        .file(SECOND, &later(rows, 5))
        .file(FINAL, &later(rows, 9))
}

#[test]
fn what_is_unchanged_is_not_written_and_ranks_all_the_same() {
    let server = Server::start();
    let (to, place) = (server.url(), place(3_000));
    let place = place.file("copy/SDF16F202501.csv", &roll::sales(3_000));
    loads(&place, &to, &[FIRST], &SMALL);
    loads(&place, DUCK, &[FIRST], &SMALL);
    let where_they_lie =
        "SELECT md5(string_agg(ctid::text || xmin::text, ',' ORDER BY _etl_row)) FROM sales";
    let before = server.psql(where_they_lie);
    let again = "copy/SDF16F202501.csv";
    let expected = loads(&place, DUCK, &[again], &SMALL);
    let summary = loads(&place, &to, &[again], &SMALL);
    assert_eq!(summary["tally"], expected["tally"]);
    assert!(summary["tally"]["unchanged"].as_u64() > Some(2_900), "{summary}");
    assert_eq!(server.psql(where_they_lie), before);
    let stretches: u64 =
        server.psql("SELECT count(*) FROM etl.confirmed").parse().expect("a number");
    assert!(stretches < 100, "{stretches}");
    same(&place, &server, "raised");
    // A lower release that comes late is held up by ranks that stand in no row.
    let expected = loads(&place, DUCK, &[SECOND], &SMALL);
    let summary = loads(&place, &to, &[SECOND], &SMALL);
    assert_eq!(summary["tally"], expected["tally"]);
    assert!(summary["tally"]["superseded"].as_u64() > Some(2_900), "{summary}");
    same(&place, &server, "superseded");
}

#[test]
fn rows_that_moved_are_met_without_being_told_one_by_one() {
    let server = Server::start();
    let to = server.url();
    let file = |numbers: Vec<u32>, changed: u32| {
        let price = |n: u32| if n == changed { 700 } else { 100_000 + n };
        let rows: Vec<_> = numbers.into_iter().map(|n| sale(n, &price(n).to_string())).collect();
        roll::file("sdf", &rows)
    };
    // One row is put in, one is taken out, one is another one.
    let first = (0..10).chain(11..6_000).collect();
    let last = (0..2_000).chain(2_001..6_000).collect();
    let place = Place::new().file(FIRST, &file(first, 6_000)).file(FINAL, &file(last, 3_500));
    loads(&place, &to, &[FIRST], &[]);
    server.listen();
    let summary = loads(&place, &to, &[FINAL], &[]);
    for file in [FIRST, FINAL] {
        loads(&place, DUCK, &[file], &[]);
    }
    // 62 are refused, in the one as in the other.
    assert_eq!(summary["tally"]["unchanged"], 5_935);
    same(&place, &server, "moved");
    assert_ne!(server.heard("uuid_hash_extended"), 0);
    // A walk along the index begins with the key.
    assert_eq!(server.heard("SELECT t.\"co_no\""), 0);
}

#[test]
fn a_merge_that_is_killed_ends_as_if_undisturbed() {
    let server = Server::start();
    let (to, whole) = (server.url(), place(6_000));
    loads(&whole, DUCK, &[FIRST], &SMALL);
    let expected = loads(&whole, DUCK, &[FINAL], &SMALL);
    for (writers, kills) in [("1", [0, 3]), ("2", [1, 5])] {
        let place = place(6_000);
        loads(&place, DUCK, &[FIRST], &SMALL);
        loads(&place, DUCK, &[FINAL], &SMALL);
        loads(&place, &to, &[FIRST], &SMALL);
        let more = [&SMALL[..], &["--writers", writers]].concat();
        for commits in kills {
            let mut child = started(&place, &to, FINAL, &more, commits);
            child.kill().expect("it can be killed");
            child.wait().expect("it has ended");
        }
        let summary = loads(&place, &to, &[FINAL], &more);
        assert_eq!(summary["tally"], expected["tally"], "{writers} writers");
        same(&place, &server, writers);
        server.psql("DROP TABLE sales; DROP SCHEMA etl CASCADE");
    }
}

#[test]
fn who_was_overtaken_looks_at_everything_anew() {
    let server = Server::start();
    let (to, place) = (server.url(), place(4_000));
    for file in [FIRST, SECOND, FINAL] {
        loads(&place, DUCK, &[file], &SMALL);
    }
    loads(&place, &to, &[FIRST], &SMALL);
    // Left unfinished behind a few commits.
    let proxy = Proxy::start(server.port(), Cut::BeforeCommit, 5);
    let line = format!("postgres://etl:etl@127.0.0.1:{}/etl", proxy.port);
    let (code, _, told) =
        load(&place, &line, &[FINAL], &[&SMALL[..], &["--retry-attempts", "0"]].concat());
    assert_eq!(code, 7, "{told}");
    assert_ne!(server.psql("SELECT count(*) FROM etl.confirmed"), "0");
    loads(&place, &to, &[SECOND], &SMALL);
    let (_, _, told) = load(&place, &to, &[FINAL], &SMALL);
    assert!(told.contains("were loaded since this load was left unfinished"), "{told}");
    // New rows are the final's here, and there the second release's, confirmed.
    let content = "SELECT md5(string_agg(_etl_hash::text, ',' ORDER BY sale_id_cd)) FROM sales";
    assert_eq!(ask(&place, &to, content).lines().nth(1), ask(&place, DUCK, content).lines().nth(1));
    ranked(&place, &server, "overtaken");
}

#[test]
fn keys_in_no_order_are_found_as_well() {
    let server = Server::start();
    let to = server.url();
    // 7,919 and the number of rows have no common divisor: each row once, far from its neighbours.
    let mixed = |price: u32| {
        let row = |n: u32| sale(n * 7_919 % 9_000, &(price + n % 2).to_string());
        roll::file("sdf", &(0..9_000).map(row).collect::<Vec<_>>())
    };
    let place =
        Place::new().file(FIRST, &mixed(500)).file(FINAL, &mixed(500).replace(",501,", ",700,"));
    for (to, chunk) in [(DUCK, "9000"), (to.as_str(), "250")] {
        for file in [FIRST, FINAL] {
            loads(&place, to, &[file], &["--chunk-rows", chunk]);
        }
    }
    same(&place, &server, "mixed");
}

/// A row that is written anew by a run without agents keeps nothing of what another run derived from its
/// old values; a table that such a run makes has none of those columns.
#[test]
fn columns_of_agents_that_do_not_run_are_not_stale() {
    let server = Server::start();
    let (to, place) = (server.url(), place(300));
    let derived = "SELECT count(*) FROM sales WHERE sale_date IS NOT NULL";
    loads(&place, &to, &[FIRST], &SMALL);
    let before: u64 = server.psql(derived).parse().expect("a number");
    assert!(before > 200, "{before}");
    let bare = ["--agents", "none", "--commit-rows", "200", "--chunk-rows", "150"];
    let summary = loads(&place, &to, &[FINAL], &bare);
    let written = summary["tally"]["updated"].as_u64().expect("a number");
    assert!(written > 200, "{summary}");
    assert_eq!(
        server.psql(
            "SELECT count(*) FROM sales WHERE sale_date IS NOT NULL AND _etl_release LIKE '%F%'"
        ),
        "0"
    );
    server.psql("DROP TABLE sales; DROP SCHEMA etl CASCADE");
    loads(&place, &to, &[FIRST], &bare);
    let there = "SELECT count(*) FROM information_schema.columns \
        WHERE table_name = 'sales' AND column_name = 'sale_date'";
    assert_eq!(server.psql(there), "0");
    consistent(&server, "sales");
}
