//! `etl report`: the page and the JSON of a run, and of files that are only looked at.

use super::pg_server::{Server, loads};
use super::roll::{self, parcel};
use super::support::Place;
use serde_json::Value;

const ROLL: &str = "NAL16P202501.csv";
const TO: &str = "duckdb:etl.duckdb";
/// A cell that would run in a page that does not escape.
const HOSTILE: &str = "\"<script>alert('x')</script>\"";

/// 40 parcels: 30 sound, one twice, nine refused for a use code and a value that is none, both hostile.
fn parcels() -> String {
    let mut rows: Vec<_> =
        (0..40).map(|n| parcel(16, n % 39, 1_000 * i64::from(n), HOSTILE)).collect();
    for row in rows.iter_mut().take(30).skip(21) {
        row.iter_mut().filter(|(name, _)| *name == "JV").for_each(|cell| cell.1 = HOSTILE.into());
    }
    roll::file("nal", &rows)
}

fn place() -> Place {
    Place::new().file(ROLL, &parcels())
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    let output = place.output(&[&["report", "--json"], arguments].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_page_of_a_run_is_one_harmless_file() {
    let place = place();
    loads(&place, TO, &[ROLL], &[]);
    let output = place.output(&["report", "--out", "report.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(place.path("report.html")).expect("a page");
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"), "the refused value is shown");
    for bad in ["<script", "http://", "https://", "src=", "@import"] {
        assert!(!page.contains(bad), "{bad}");
    }
    for id in [
        "account",
        "findings",
        "counties",
        "distributions",
        "enrichment",
        "columns",
        "trend",
        "agents",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    assert!(page.contains("Every row is accounted for."));
    // Without a name it says where it wrote.
    let told = place.run(&["report"]);
    assert!(told.contains("report-") && told.contains(".html"), "{told}");
}

#[test]
fn the_numbers_add_up() {
    let place = place();
    let summary = loads(&place, TO, &[ROLL], &[]);
    let report = json(&place, &["latest"]);
    assert_eq!(report["tally"], summary["tally"]);
    assert_eq!(report["gap"], 0);
    let (read, rejected) = (&report["tally"]["read"], &report["tally"]["rejected"]);
    assert_eq!((number(read), number(rejected)), (40, 9));
    assert_eq!(report["inputs"][0]["fingerprint"], summary["inputs"][0]["fingerprint"]);
    let table = &report["tables"][0];
    assert_eq!(number(&table["rows"]), 30);
    let columns = table["columns"].as_array().expect("columns");
    let column = |name: &str| columns.iter().find(|c| c["name"] == name).expect("a column");
    assert_eq!(number(&column("jv")["refused"]), 9);
    assert_eq!(number(&column("jv")["filled"]), 30);
    assert_eq!(number(&column("own_addr1")["filled"]), 0);
    for chart in table["charts"].as_array().expect("charts") {
        let (filled, empty) = (number(&chart["filled"]), number(&chart["empty"]));
        assert_eq!(filled + empty, 30, "{chart}");
        if let Some(bins) = chart["shape"]["bins"].as_array() {
            assert_eq!(bins.iter().map(|bin| number(&bin["rows"])).sum::<u64>(), filled, "{chart}");
        }
    }
    let counties = report["maps"][0]["counties"].as_array().expect("counties");
    assert_eq!(counties.len(), 67);
    let broward = counties.iter().find(|county| county["number"] == 16).expect("Broward");
    assert_eq!((number(&broward["rows"]), number(&broward["rejected"])), (30, 9));
    assert_eq!(counties.iter().map(|county| number(&county["rows"])).sum::<u64>(), 30);
    let agents = report["inputs"][0]["agents"].as_array().expect("agents");
    let agents: Vec<_> = agents.iter().filter_map(|agent| agent["agent"].as_str()).collect();
    assert_eq!(agents, ["read", "clean", "validate", "transform", "enrich", "load"]);
    assert_eq!(report["trend"].as_array().map(Vec::len), Some(1));
}

/// Three parcels: one whose address is changed, one with a code that no table has, one whose id stands
/// among the places with hyphens.
fn three() -> Place {
    let mut rows: Vec<_> = (0..3).map(|n| parcel(16, n, 100_000, "SMITH JOHN")).collect();
    rows[0].push(("OWN_ADDR1", "12 Northwest 5th Street".into()));
    rows[1].push(("QUAL_CD1", "77".into()));
    rows[2].push(("QUAL_CD1", "01".into()));
    let places =
        "parcel_id,latitude,longitude\n474100000000,26.07,-80.22\n4741-00000002,26.07,-80.22\n";
    Place::new().file(ROLL, &roll::file("nal", &rows)).file("places.csv", places)
}

#[test]
fn what_was_changed_and_what_was_found_is_told_in_numbers() {
    let (place, server) = (three(), Server::start());
    let places = ["--locations", "places.csv"];
    let url = server.url();
    for to in [TO, &url] {
        loads(&place, to, &[ROLL], &places);
        let report = json(&place, &["--to", to]);
        let changes = report["changes"].as_array().expect("changes");
        let one = changes.iter().find(|one| one["column"] == "OWN_ADDR1").expect("a change");
        assert_eq!((&one["rule"], number(&one["count"])), (&Value::from("address"), 1));
        let shown = &one["examples"][0][1]["value"];
        assert_eq!(shown, "12 Northwest 5th Street → 12 NW 5TH ST");
        assert!(!report["findings"].to_string().contains("OWN_ADDR1"), "a change is no finding");
        let table = &report["tables"][0];
        let lookups = table["lookups"].as_array().expect("lookups");
        let of = |column: &str| lookups.iter().find(|one| one["column"] == column).expect("told");
        assert_eq!((number(&of("dor_uc")["asked"]), number(&of("dor_uc")["found"])), (3, 3));
        assert_eq!((number(&of("qual_cd1")["asked"]), number(&of("qual_cd1")["found"])), (2, 1));
        assert_eq!(of("qual_cd1")["unknown"][0], serde_json::json!({ "value": "77", "rows": 1 }));
        let found = |status: &str| {
            let all = table["places"].as_array().expect("places");
            all.iter()
                .filter(|one| one["match_status"] == status)
                .map(|one| number(&one["rows"]))
                .sum()
        };
        let counts: [u64; 3] = ["matched", "matched_loosely", "roll_only"].map(found);
        assert_eq!(counts, [1, 1, 1]);
        let facts = report["inputs"][0]["facts"].to_string();
        assert!(facts.contains("[\"places matched\",1]"), "{facts}");
    }
    let output = place.output(&["report", "--out", "report.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(place.path("report.html")).expect("a page");
    for told in ["12 NW 5TH ST", "matched_loosely", "<q>77</q>", "places matched loosely"] {
        assert!(page.contains(told), "{told}");
    }
}

#[test]
fn a_file_is_looked_at_and_leaves_nothing() {
    let place = place();
    let temp = place.path("temp");
    std::fs::create_dir(&temp).expect("the folder is writable");
    let folder = temp.to_str().expect("a plain path");
    let report = json(&place, &[ROLL, "--temp-dir", folder, "--max-errors", "1"]);
    assert_eq!(report["run"], Value::Null);
    assert_eq!(report["status"], "checked");
    loads(&place, TO, &[ROLL], &[]);
    let loaded = json(&place, &[]);
    for same in ["tally", "findings", "changes", "tables"] {
        assert_eq!(report[same], loaded[same], "{same}");
    }
    assert_eq!(std::fs::read_dir(&temp).expect("a folder").count(), 0);
    std::fs::remove_file(place.path("etl.duckdb")).expect("ours");
    let told = place.output(&["report", ROLL, "--quiet"]);
    assert!(told.status.success());
    assert!(!place.path("etl.duckdb").exists(), "no target was made");
    assert!(place.path(&format!("{ROLL}.report.html")).exists());
}

#[test]
fn a_table_of_no_known_kind_has_charts_that_say_something() {
    let rows: String =
        (0..200).map(|n| format!("{n},{},{}.5,x{n}\n", ["a", "b"][n & 1], n % 7)).collect();
    let place = Place::new().file("things.csv", &format!("id,colour,size,note\n{rows}"));
    let report = json(&place, &["things.csv"]);
    let charts = report["tables"][0]["charts"].as_array().expect("charts");
    let named: Vec<_> = charts.iter().map(|chart| chart["column"].as_str()).collect();
    assert_eq!(named, [Some("colour"), Some("size")], "neither the id nor the free text");
    assert!(report["maps"].as_array().is_some_and(Vec::is_empty));
}

/// A Parquet file may hold numbers that have no place on an axis.
/// Names with blanks and capitals, and a file that an earlier run has loaded into the same table.
#[test]
fn rows_of_all_runs_and_findings_of_all_names_are_counted() {
    let file = |from: u32| -> String {
        let row = |n: u32| format!("{n},{},{n}\n", if n.is_multiple_of(5) { "many" } else { "7" });
        "Id,Sale Price,x\n".to_owned() + &(from..from + 60).map(row).collect::<String>()
    };
    let rules = "[[rule]]\nid = \"seven\"\nlevel = \"critical\"\ncolumn = \"sale_price\"\n\
                 set = [7]\n";
    let place = Place::new().file("a.csv", &file(1)).file("b.csv", &file(101));
    let place = place.file("rules.toml", rules);
    let more = ["--table", "t", "--rules", "rules.toml"];
    loads(&place, TO, &["a.csv"], &more);
    let both = [&["ingest", "a.csv", "b.csv", "--mode", "append"][..], &more].concat();
    let output = place.output(&both);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&place, &[]);
    let table = &report["tables"][0];
    assert_eq!((number(&table["rows"]), number(&table["all_rows"])), (96, 96));
    let columns = table["columns"].as_array().expect("columns");
    let price = columns.iter().find(|column| column["name"] == "sale_price").expect("a column");
    assert_eq!((number(&price["filled"]), number(&price["refused"])), (96, 12));
}

#[test]
fn numbers_without_an_end_are_counted_and_do_not_stretch_the_axis() {
    let place = Place::new();
    let path = place.path("sizes.parquet");
    let con = etl::duck::Database::memory(&etl::duck::Settings::default()).expect("memory");
    let rows = "SELECT CASE WHEN n % 10 = 3 THEN 'inf'::DOUBLE WHEN n % 10 = 5 THEN 'nan'::DOUBLE \
                WHEN n % 10 = 7 THEN '-inf'::DOUBLE ELSE n % 13 END AS size, n % 2 AS colour FROM range(200) t(n)";
    let copy = format!("COPY ({rows}) TO '{}' (FORMAT parquet)", path.display());
    con.connect().expect("a connection").execute(&copy).expect("a file");
    let report = json(&place, &["sizes.parquet"]);
    let charts = report["tables"][0]["charts"].as_array().expect("charts");
    let chart = charts.iter().find(|chart| chart["column"] == "size").expect("drawn");
    assert_eq!((number(&chart["filled"]), &chart["shape"]["max"]), (200, &Value::from(12.0)));
    let bins = chart["shape"]["bins"].as_array().expect("bins");
    assert_eq!(bins.iter().map(|bin| number(&bin["rows"])).sum::<u64>(), 200);
}

#[test]
fn a_run_that_is_not_there_is_an_error_with_a_way_out() {
    let place = place();
    loads(&place, TO, &[ROLL], &[]);
    let told = place.run(&["report", "01JD7Q4Z8W3M5N6P7R8S9T0V1X"]);
    assert!(told.starts_with("exit: 2") && told.contains("etl runs list"), "{told}");
    let told = place.run(&["report", "latest", "--out", "no/such/folder/r.html"]);
    assert!(told.starts_with("exit: 2") && told.contains("--out"), "{told}");
}

#[test]
fn a_server_tells_the_same() {
    let server = Server::start();
    let (to, place) = (server.url(), place());
    loads(&place, &to, &[ROLL], &[]);
    let there = json(&place, &["--to", &to]);
    loads(&place, TO, &[ROLL], &[]);
    let here = json(&place, &[]);
    for same in ["tally", "findings", "changes", "maps"] {
        assert_eq!(there[same], here[same], "{same}");
    }
    assert_eq!(there["tables"][0]["charts"], here["tables"][0]["charts"]);
    assert_eq!(there["tables"][0]["columns"], here["tables"][0]["columns"]);
}
