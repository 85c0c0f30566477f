//! Rows that only the server refuses: found among the others, kept as failed records, and loaded once
//! what stood in their way is gone.

use super::loaded::failed;
use super::pg_server::{Server, ask, consistent, load, loads, rows, started};
use super::roll::{self, parcel};
use super::support::Place;
use serde_json::Value;
use std::process::Stdio;

const SALES: &str = "SDF16P202501.csv";
const SMALL: [&str; 4] = ["--commit-rows", "1000", "--chunk-rows", "700"];
const EMPTY: &str = "DELETE FROM sales; DROP SCHEMA etl CASCADE";

/// What stands in the way of some rows: each in another way, at another moment.
const HURDLES: &str = "
CREATE TABLE public.allowed AS SELECT DISTINCT parcel_id FROM sales
  WHERE substr(parcel_id, 5)::int NOT IN (296, 2000);
ALTER TABLE public.allowed ADD PRIMARY KEY (parcel_id);
CREATE FUNCTION public.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.sale_prc % 1000 = 501 THEN RAISE EXCEPTION 'price % is odd', NEW.sale_prc; END IF;
  IF NEW.sale_prc % 1000 = 502 THEN RETURN NULL; END IF;
  RETURN NEW; END $$;";
const RAISED: &str = "
ALTER TABLE sales ADD CONSTRAINT no_hundreds CHECK (sale_prc % 1000 <> 500),
  ADD CONSTRAINT known FOREIGN KEY (parcel_id) REFERENCES public.allowed DEFERRABLE INITIALLY DEFERRED;
CREATE UNIQUE INDEX one_price ON sales (sale_prc) WHERE sale_prc % 1000 = 1 OR sale_prc = 100503;
CREATE TRIGGER watched BEFORE INSERT OR UPDATE ON sales FOR EACH ROW EXECUTE FUNCTION public.watch();";
const LOWERED: &str = "
ALTER TABLE sales DROP CONSTRAINT no_hundreds, DROP CONSTRAINT known; DROP INDEX one_price;
DROP TRIGGER watched ON sales";

/// Rules by how many failed records name them.
fn reasons(place: &Place) -> std::collections::BTreeMap<String, usize> {
    let mut all = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(place.path("")).expect("the folder of the test") {
        let path = entry.expect("a readable folder").path();
        if !path.to_string_lossy().ends_with(".failed.jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(&path).expect("a readable file").lines() {
            let record: Value = serde_json::from_str(line).expect("every line is a record");
            let error = &record["errors"][0];
            if error["code"] == "E404" {
                let rule = error["rule"].as_str().expect("a rule").to_owned();
                *all.entry(rule).or_default() += 1;
            }
        }
    }
    all
}

fn sales(rows: u32) -> Place {
    Place::new().file(SALES, &roll::sales(rows))
}

/// Rows without when and by whom they were refused or loaded.
fn content(place: &Place, to: &str) -> String {
    rows(place, to, "sales")
}

#[test]
fn refused_rows_are_found_and_the_rest_loads() {
    let server = Server::start();
    let (to, whole) = (server.url(), sales(9_000));
    let undisturbed = loads(&whole, &to, &[SALES], &SMALL);
    let everything = content(&whole, &to);
    server.psql(HURDLES);
    let by_hand = [
        ("23514 no_hundreds", "sale_prc % 1000 = 500"),
        ("23503 known", "parcel_id NOT IN (SELECT parcel_id FROM public.allowed)"),
        ("P0001", "sale_prc % 1000 = 501"),
        ("kept out", "sale_prc % 1000 = 502"),
    ];
    let mut expected = std::collections::BTreeMap::new();
    for (rule, condition) in by_hand {
        let count = server.psql(&format!("SELECT count(*) FROM sales WHERE {condition}"));
        expected.insert(rule.to_owned(), count.parse::<usize>().expect("a number"));
    }
    server.psql(EMPTY);
    server.psql(RAISED);
    for more in [&SMALL[..], &["--writers", "2"]] {
        let place = sales(9_000);
        let summary = loads(&place, &to, &[SALES], more);
        assert_eq!(reasons(&place), expected, "{more:?}");
        let refused: usize = expected.values().sum();
        let count = |summary: &Value, fate: &str| summary["tally"][fate].as_u64().expect("a count");
        let all = count(&undisturbed, "rejected") + refused as u64;
        assert_eq!(count(&summary, "rejected"), all, "{summary}");
        assert_eq!(count(&summary, "inserted") + refused as u64, count(&undisturbed, "inserted"));
        assert_eq!(
            server.psql("SELECT count(*) FROM sales"),
            count(&summary, "inserted").to_string()
        );
        let problems = summary["inputs"][0]["problems"].as_array().expect("a list");
        let odd = problems.iter().find(|problem| problem["rule"] == "P0001").expect("counted");
        assert!(odd["message"].as_str().expect("text").contains("is odd"), "{odd}");
        consistent(&server, "sales");
        // Nothing has changed, and again: nothing new is refused.
        assert_eq!(loads(&place, &to, &[SALES], more)["status"], "already_loaded");
        server.psql(LOWERED);
        let again = ["reprocess-failures", "--to", &to, "--format", "json", "--progress", "none"];
        let output = place.output(&again);
        let replayed: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(count(&replayed, "inserted"), refused as u64, "{replayed}");
        assert_eq!(content(&place, &to), everything, "{more:?}");
        assert_eq!(reasons(&place).len(), 0);
        server.psql(EMPTY);
        server.psql(RAISED);
    }
}

#[test]
fn a_replay_that_the_server_refuses_is_a_failed_record_once_more() {
    let server = Server::start();
    let to = server.url();
    loads(&sales(2_000), &to, &[SALES], &SMALL);
    server.psql(HURDLES);
    server.psql(EMPTY);
    server.psql(RAISED);
    let place = sales(2_000);
    loads(&place, &to, &[SALES], &SMALL);
    let (records, refused) = (failed(&place), reasons(&place));
    server.psql("ALTER TABLE sales DROP CONSTRAINT no_hundreds");
    let again = ["reprocess-failures", "--to", &to, "--format", "json", "--progress", "none"];
    let first: Value = serde_json::from_slice(&place.output(&again).stdout).expect("a summary");
    let gone = refused["23514 no_hundreds"];
    assert_eq!(first["tally"]["inserted"].as_u64(), Some(gone as u64), "{first}");
    assert_eq!(failed(&place).len(), records.len() - gone);
    consistent(&server, "sales");
    // The same text under the same rules is not tried again.
    let second: Value = serde_json::from_slice(&place.output(&again).stdout).expect("a summary");
    assert_eq!(second["tally"]["read"].as_u64(), Some(0), "{second}");
}

#[test]
fn changed_rows_that_the_table_would_refuse_at_the_end_are_found_before() {
    let server = Server::start();
    let to = server.url();
    let nal = |values: &[(u32, i64)]| {
        let row = |(n, value): &(u32, i64)| parcel(16, *n, *value, "OWNER");
        roll::file("nal", &values.iter().map(row).collect::<Vec<_>>())
    };
    let rows = |add: i64| (1..400).map(|n| (n, i64::from(n) + add)).collect::<Vec<_>>();
    for mode in ["merge", "replace"] {
        let place = Place::new()
            .file("NAL16P202501.csv", &nal(&rows(0)))
            .file("NAL16F202501.csv", &nal(&rows(1_000)));
        loads(&place, &to, &["NAL16P202501.csv"], &[]);
        server.psql("ALTER TABLE parcels ADD CHECK (jv < 1000 OR jv % 100 <> 77)");
        let refused = server.psql("SELECT count(*) FROM parcels WHERE jv > 1000");
        assert_eq!(refused, "0");
        let summary = loads(&place, &to, &["NAL16F202501.csv"], &["--mode", mode]);
        assert_eq!(summary["tally"]["rejected"].as_u64(), Some(4), "{mode}: {summary}");
        let kept = if mode == "merge" { "399" } else { "395" };
        assert_eq!(server.psql("SELECT count(*) FROM parcels"), kept, "{mode}");
        assert_eq!(server.psql("SELECT count(*) FROM parcels WHERE jv > 1000"), "395", "{mode}");
        consistent(&server, "parcels");
        server.psql("DROP TABLE parcels; DROP SCHEMA etl CASCADE");
    }
}

#[test]
fn long_texts_are_refused_or_cut_and_counted() {
    let server = Server::start();
    let to = server.url();
    let names = ["SHORT", "EXACTLY10C", "ÄÖÜ ÄÖÜ ÄÖ", "ELEVEN CHARS", "ÄÖÜ ÄÖÜ ÄÖÜ"];
    let row = |(n, name): (usize, &&str)| parcel(16, n as u32 + 1, 10, name);
    let text = roll::file("nal", &names.iter().enumerate().map(row).collect::<Vec<_>>());
    let place = Place::new().file("NAL16P202501.csv", &text);
    let file = ["NAL16P202501.csv"];
    loads(&place, &to, &file, &[]);
    server.psql("DELETE FROM parcels; ALTER TABLE parcels ALTER own_name TYPE varchar(10)");
    server.psql("DROP SCHEMA etl CASCADE");
    let (code, summary, told) = load(&place, &to, &file, &[]);
    assert_eq!((code, summary["tally"]["rejected"].as_u64()), (3, Some(2)), "{told}");
    assert!(told.contains("own_name 10"), "{told}");
    let again = ["--too-long", "cut", "--fresh"];
    let summary = loads(&place, &to, &file, &again);
    assert_eq!(summary["tally"]["inserted"].as_u64(), Some(2), "{summary}");
    let problems = summary["inputs"][0]["problems"].as_array().expect("a list");
    let cut = problems.iter().find(|problem| problem["rule"] == "cut").expect("counted");
    assert_eq!((cut["count"].as_u64(), cut["column"].as_str()), (Some(2), Some("OWN_NAME")));
    let long = server.psql("SELECT string_agg(own_name, '|' ORDER BY parcel_id) FROM parcels");
    assert_eq!(long, "SHORT|EXACTLY10C|ÄÖÜ ÄÖÜ ÄÖ|ELEVEN CHA|ÄÖÜ ÄÖÜ ÄÖ");
}

#[test]
fn a_replay_killed_anywhere_loads_each_row_once() {
    let server = Server::start();
    let (to, whole) = (server.url(), sales(9_000));
    loads(&whole, &to, &[SALES], &SMALL);
    let everything = content(&whole, &to);
    let others = failed(&whole);
    server.psql(EMPTY);
    server.psql("ALTER TABLE sales ADD CONSTRAINT low CHECK (sale_prc < 103000)");
    let again = [
        "reprocess-failures",
        "--to",
        &to,
        "--format",
        "json",
        "--progress",
        "json",
        "--commit-rows",
        "500",
        "--chunk-rows",
        "100",
    ];
    let place = sales(9_000);
    loads(&place, &to, &[SALES], &SMALL);
    assert!(reasons(&place)["23514 low"] > 5_000);
    server.psql("ALTER TABLE sales DROP CONSTRAINT low");
    for pause in [60, 150, 250, 350] {
        let mut command = place.command(&again);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }
    assert!(place.output(&again).status.code().is_some_and(|code| code == 0 || code == 3));
    assert_eq!(content(&place, &to), everything);
    assert_eq!(failed(&place), others);
    consistent(&server, "sales");
    let (_, twice, _) = load(&place, &to, &[SALES], &SMALL);
    assert_eq!(twice["status"], "already_loaded");
    assert!(
        ask(&place, &to, "SELECT count(*) FROM etl.reprocessed")
            .trim()
            .ends_with(|c: char| c != '0')
    );
}

#[test]
fn a_load_killed_among_refused_rows_ends_as_if_undisturbed() {
    let server = Server::start();
    let (to, whole) = (server.url(), sales(16_000));
    loads(&whole, &to, &[SALES], &SMALL);
    server.psql(HURDLES);
    server.psql(EMPTY);
    server.psql(RAISED);
    let first = sales(16_000);
    let expected = loads(&first, &to, &[SALES], &SMALL);
    let (table, refused) = (content(&first, &to), failed(&first));
    server.psql(EMPTY);
    let place = sales(16_000);
    for commits in [1, 4, 9] {
        let mut child = started(&place, &to, SALES, &SMALL, commits);
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }
    let summary = loads(&place, &to, &[SALES], &SMALL);
    assert_eq!(summary["tally"], expected["tally"]);
    assert_eq!(content(&place, &to), table);
    assert_eq!(failed(&place), refused);
    consistent(&server, "sales");
}
