//! `etl diff`: the same changes whether two rolls are years of a target, files, or one of each.

use super::pg_server::{Server, ask, loads};
use super::roll::{self, Row, parcel};
use super::support::Place;
use serde_json::Value;

const TO: &str = "duckdb:etl.duckdb";
const OLD: &str = "NAL16F202401.csv";
const NEW: &str = "NAL16P202501.csv";

fn row(year: &str, n: u32, value: i64, owner: &str, area: u32, section: &str) -> Row {
    let mut row = parcel(16, n, value, owner);
    let area = area.to_string();
    let cells = [("LND_SQFOOT", area.as_str()), ("TWN", "50S"), ("RNG", "41E"), ("SEC", section)];
    for (name, text) in cells.into_iter().chain([("ASMNT_YR", year)]) {
        row.retain(|(known, _)| *known != name);
        row.push((name, text.to_owned()));
    }
    row
}

/// 1: nothing · 2: 4 % · 3: 6 % · 4: 50 % and 500,000 · 5: 50 % and 2,000,000 · 6: another owner · 7: gone ·
/// 8: new · 10000: loses half of its area, which 10001 and 10002 have · 9: split by the roll's flag ·
/// 11: has no value any more.
fn rolls() -> Place {
    let old = |n, value, owner: &str| row("2024", n, value, owner, 1_000, "01");
    let new = |n, value, owner: &str| row("2025", n, value, owner, 1_000, "01");
    let before = vec![
        old(1, 100_000, "A"),
        old(2, 100_000, "A"),
        old(3, 100_000, "A"),
        old(4, 1_000_000, "A"),
        old(5, 4_000_000, "A"),
        old(6, 100_000, "old <owner>"),
        old(7, 70_000, "A"),
        old(9, 100_000, "A"),
        old(11, 100_000, "A"),
        row("2024", 10_000, 100_000, "A", 9_000, "02"),
    ];
    let mut flagged = new(9, 100_000, "A");
    flagged.push(("PAR_SPLT", "10624".to_owned()));
    let mut valueless = new(11, 0, "A");
    valueless.retain(|(name, _)| *name != "JV");
    let after = vec![
        new(1, 100_000, " a "),
        new(2, 104_000, "A"),
        new(3, 94_000, "A"),
        new(4, 1_500_000, "A"),
        new(5, 6_000_000, "A"),
        new(6, 100_000, "new | owner"),
        new(8, 80_000, "A"),
        flagged,
        valueless,
        row("2025", 10_000, 100_000, "A", 4_500, "02"),
        row("2025", 10_001, 50_000, "A", 2_200, "02"),
        row("2025", 10_002, 50_000, "A", 2_300, "02"),
    ];
    Place::new().file(OLD, &roll::file("nal", &before)).file(NEW, &roll::file("nal", &after))
}

fn diff(place: &Place, arguments: &[&str]) -> Value {
    let output = place.output(&[&["diff", "--json"], arguments].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn log(place: &Place, arguments: &[&str]) -> String {
    diff(place, &[arguments, &["--out", "changes.csv"]].concat());
    std::fs::read_to_string(place.path("changes.csv")).expect("a log")
}

const EXPECTED: &str = "co_no,parcel_id,change,level,was,is_now,amount,share,note\n\
    16,474100000005,value,alert,4000000,6000000,2000000,0.5,\n\
    16,474100000008,new,listed,,A,80000,,\n\
    16,474100010001,new,listed,,A,50000,,\n\
    16,474100010002,new,listed,,A,50000,,\n\
    16,474100000006,owner,listed,old <owner>,new | owner,0,,\n\
    16,474100000007,retired,listed,A,,-70000,,\n\
    16,474100000009,split,listed,,,,,flag 10624\n\
    16,474100010000,split,listed,,,,,\"by area, into 2 new parcels of 47410001\"\n\
    16,474100000003,value,listed,100000,94000,-6000,-0.06,\n\
    16,474100000004,value,listed,1000000,1500000,500000,0.5,\n\
    16,474100000011,value,listed,100000,,,,\n";

#[test]
fn two_years_of_a_target() {
    let place = rolls();
    loads(&place, TO, &[OLD, NEW], &[]);
    assert_eq!(log(&place, &["2024", "2025"]), EXPECTED);
    let table = ask(
        &place,
        TO,
        "SELECT count(*) AS n, count(DISTINCT change) AS kinds FROM gold.parcel_changes",
    );
    assert_eq!(table, "n,kinds\n11,5\n");
    let summary = diff(&place, &["2024F", "2025P01", "--set", "alert_dollars=400000"]);
    assert_eq!(summary["table"], "gold.parcel_changes");
    assert_eq!(summary["alerts"].as_array().map(Vec::len), Some(2));
    assert_eq!(summary["alerts"][0]["parcel_id"], "474100000005");
    assert_eq!(summary["before"]["rows"], 10);
    let back = diff(&place, &["2025", "2024"]);
    let counts = back["counts"].to_string();
    assert!(counts.contains("\"retired\"") && counts.contains("\"parcels\":3"), "{counts}");
}

#[test]
fn files_say_the_same_as_years_and_leave_nothing() {
    let place = rolls();
    assert_eq!(log(&place, &[OLD, NEW]), EXPECTED);
    assert!(!place.path("etl.duckdb").exists());
    loads(&place, TO, &[OLD], &[]);
    assert_eq!(log(&place, &["2024", NEW]), EXPECTED, "one of each");
    let summary = diff(&place, &["2024", NEW, "--table", "changes"]);
    assert_eq!(summary["table"], "gold.changes");
    assert_eq!(ask(&place, TO, "SELECT sum(amount) AS s FROM gold.changes"), "s\n2604000\n");
    assert_eq!(
        ask(&place, TO, "SELECT count(*) AS n FROM parcels"),
        "n\n10\n",
        "nothing was loaded"
    );
}

#[test]
fn people_get_a_text() {
    let place = rolls();
    loads(&place, TO, &[OLD, NEW], &[]);
    let told = place.run(&["diff", "2024", "2025", "--out", "changes.md", "--county", "Broward"]);
    assert!(told.starts_with("exit: 0"), "{told}");
    for part in
        ["largest alerts:", "+$2,000,000 (+50 %)", "table gold.parcel_changes", "changes.md"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let text = std::fs::read_to_string(place.path("changes.md")).expect("a log");
    assert!(text.contains("## value: alerts (1)"), "{text}");
    assert!(text.contains("old &lt;owner> | new \\| owner"), "{text}");
}

/// Who is refused is not compared, and that is told.
#[test]
fn rows_that_a_file_loses_are_told() {
    let place = rolls();
    let text = std::fs::read_to_string(place.path(NEW)).expect("the roll");
    let place = place.file("broken.csv", &text.replace(",94000,", ",many,"));
    let summary = diff(&place, &[OLD, "broken.csv"]);
    assert_eq!(
        (&summary["before"]["refused"], &summary["after"]["refused"]),
        (&0.into(), &1.into())
    );
    let told = place.run(&["diff", OLD, "broken.csv"]);
    assert!(told.contains("refused in broken.csv: 1 row"), "{told}");
}

#[test]
fn rolls_are_found_under_any_name() {
    let place = rolls();
    loads(&place, TO, &[OLD, NEW], &["--table", "my_parcels"]);
    assert_eq!(log(&place, &["2024", "2025"]), EXPECTED);
    assert_eq!(log(&place, &["2024", NEW]), EXPECTED);
    loads(&place, TO, &[NEW], &["--table", "newer"]);
    let told = place.run(&["diff", "2024", "2025"]);
    assert!(told.starts_with("exit: 2") && told.contains("--rolls nal=my_parcels"), "{told}");
    assert_eq!(log(&place, &["2024", "2025", "--rolls", "nal=my_parcels"]), EXPECTED);
}

#[test]
fn mistakes_have_a_way_out() {
    let place = rolls();
    loads(&place, TO, &[OLD], &[]);
    for (arguments, told) in [
        (&["diff", "2024", "2024"][..], "both sides are the same"),
        (&["diff", "2024", "2025"], "no rows of roll 2025"),
        (&["diff", "2024", "2025", "--county", "Nowhere"], "`Nowhere` is no county"),
        (&["diff", "2023P", "nothing.csv"], "nothing.csv"),
        (&["diff", "2024", "2025", "--set", "alert_precent=25"], "no number `alert_precent`"),
        (&["diff", "2024", "2025", "--schema", "ETL"], "is the ledger's"),
    ] {
        let text = place.run(arguments);
        assert!(!text.starts_with("exit: 0") && text.contains(told), "{arguments:?}: {text}");
    }
}

#[test]
fn a_server_says_the_same() {
    let server = Server::start();
    let (to, place) = (server.url(), rolls());
    loads(&place, &to, &[OLD, NEW], &[]);
    assert_eq!(log(&place, &["2024", "2025", "--to", &to]), EXPECTED);
    assert_eq!(server.psql("SELECT count(*) FROM gold.parcel_changes"), "11");
    assert_eq!(log(&place, &[OLD, "2025", "--to", &to, "--table", "changes"]), EXPECTED);
    assert_eq!(server.psql("SELECT sum(amount) FROM gold.changes"), "2604000");
}
