//! Names of tables: schemas, quotes, dots and lengths, on both targets.

use super::pg_server::{Server, ask, load, loads};
use super::support::Place;

const LONG: &str = "broward_county_preliminary_tangible_property_exemption_audit_for_year";

fn place() -> Place {
    Place::new().file("x.csv", "a,b\n1,x\n2,xx\n").file("y.csv", "a,b\n9,y\n")
}

/// A load without `--create`: exit code and what it said.
fn plainly(place: &Place, to: &str, input: &str, table: &str) -> (i32, String) {
    let output = place.output(&["ingest", input, "--to", to, "--table", table]);
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&told).into_owned())
}

/// `--table schema.table` on a target: the schema is made on demand, and each table is a table of its own.
fn schemas(to: &str) {
    let place = place();
    let (code, told) = plainly(&place, to, "x.csv", "staging.parcels");
    assert!(code == 7 && told.contains("no schema staging") && told.contains("--create"), "{told}");
    loads(&place, to, &["x.csv"], &["--table", "staging.parcels"]);
    let parcels = "SELECT a, b FROM staging.parcels ORDER BY a";
    assert_eq!(ask(&place, to, parcels), "a,b\n1,x\n2,xx\n");
    // Another file goes into the same table, and the same one is known.
    loads(&place, to, &["y.csv"], &["--table", "\"staging\".parcels"]);
    let again = loads(&place, to, &["x.csv"], &["--table", "staging.parcels"]);
    assert_eq!(again["status"], "already_loaded", "{again}");
    assert_eq!(ask(&place, to, parcels), "a,b\n1,x\n2,xx\n9,y\n");
    // A name with dots and quotes, in quotes; a replace of it touches nothing else.
    loads(&place, to, &["x.csv"], &["--table", "staging.\"p.\"\"q\"\"\""]);
    loads(&place, to, &["y.csv"], &["--table", "staging.\"p.\"\"q\"\"\"", "--mode", "replace"]);
    assert_eq!(ask(&place, to, "SELECT a FROM staging.\"p.\"\"q\"\"\""), "a\n9\n");
    assert_eq!(ask(&place, to, "SELECT count(*) AS n FROM staging.parcels"), "n\n3\n");
    let homes = "SELECT DISTINCT \"schema\", \"table\" FROM etl.inputs ORDER BY 2";
    assert_eq!(ask(&place, to, homes), "schema,table\nstaging,\"p.\"\"q\"\"\"\nstaging,parcels\n");
    let (code, told) = plainly(&place, to, "x.csv", "etl.runs");
    assert!(code == 2 && told.contains("ledger"), "{told}");
}

#[test]
fn a_schema_stands_before_the_table_in_duckdb() {
    schemas("duckdb:d.duckdb");
}

/// DuckDB finds schemas and tables in capitals or not: such a load is known again.
#[test]
fn capitals_of_a_schema_make_no_other_schema_in_duckdb() {
    let (place, to) = (place(), "duckdb:d.duckdb");
    loads(&place, to, &["x.csv"], &["--table", "staging.parcels"]);
    let again = loads(&place, to, &["x.csv"], &["--table", "STAGING.Parcels"]);
    assert_eq!(again["status"], "already_loaded", "{again}");
    let main = loads(&place, to, &["x.csv"], &["--table", "Main.other"]);
    assert_eq!(main["tally"]["inserted"], 2);
    assert_eq!(ask(&place, to, "SELECT count(*) AS n FROM main.other"), "n\n2\n");
}

#[test]
fn a_schema_stands_before_the_table_on_a_server() {
    let server = Server::start();
    schemas(&server.url());
    let place = place();
    let to = format!("{}?schema=c", server.url());
    let (code, told) = plainly(&place, &to, "x.csv", "a.b");
    assert!(code == 2 && told.contains("?schema="), "{told}");
    loads(&place, &to, &["x.csv"], &["--table", "\"a.b\""]);
    assert_eq!(server.psql("SELECT count(*) FROM c.\"a.b\""), "2");
    let (code, told) = plainly(&place, &format!("{}?schema=d", server.url()), "x.csv", "b");
    assert!(code == 7 && told.contains("no schema d"), "{told}");
}

/// A table with a dot in its name that an earlier load has made stays what the name means.
fn dots(to: &str) {
    let place = place();
    loads(&place, to, &["x.csv"], &["--table", "\"a.b\""]);
    let summary = loads(&place, to, &["y.csv"], &["--table", "a.b"]);
    assert_eq!(ask(&place, to, "SELECT a FROM \"a.b\" ORDER BY a"), "a\n1\n2\n9\n");
    let warned = summary["inputs"][0]["warnings"].to_string();
    assert!(warned.contains("holds a dot"), "{summary}");
    let output = place.output(&["plan", "y.csv", "--to", to, "--table", "a.b"]);
    let plan = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
    assert!(plan.contains("holds a dot"), "{plan}");
}

#[test]
fn a_dot_that_was_loaded_stays_in_duckdb() {
    dots("duckdb:d.duckdb");
}

#[test]
fn a_dot_that_was_loaded_stays_on_a_server() {
    dots(&Server::start().url());
}

#[test]
fn long_names_of_the_user_are_refused_by_a_server_and_kept_by_duckdb() {
    let server = Server::start();
    let place = place().file("m.toml", "");
    let long = |year: u16| format!("{LONG}_{year}");
    for (table, words) in [
        (long(2024), "74 bytes"),
        (format!("{}.t", long(2024)), "schema"),
        ("ö".repeat(32), "64 bytes"),
    ] {
        let (code, _, told) = load(&place, &server.url(), &["x.csv"], &["--table", &table]);
        assert!(code == 2 && told.contains(words) && told.contains("63"), "{told}");
    }
    let schema = format!("{}?schema={}", server.url(), "s".repeat(64));
    let (code, _, told) = load(&place, &schema, &["x.csv"], &[]);
    assert!(code == 2 && told.contains("64 bytes"), "{told}");
    assert_eq!(server.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    loads(&place, &server.url(), &["x.csv"], &["--table", &"n".repeat(63)]);
    let duck = "duckdb:d.duckdb";
    loads(&place, duck, &["x.csv"], &["--table", &long(2024)]);
    loads(&place, duck, &["y.csv"], &["--table", &long(2025), "--mode", "replace"]);
    assert_eq!(ask(&place, duck, &format!("SELECT a FROM {LONG}_2024 ORDER BY a")), "a\n1\n2\n");
    assert_eq!(ask(&place, duck, &format!("SELECT a FROM {LONG}_2025")), "a\n9\n");
}

/// Two files whose long names begin alike are two tables; a file that was loaded under the name as it was
/// cut before keeps that table.
fn files(to: &str) {
    let (three, four) = (format!("{LONG}_v3.csv"), format!("{LONG}_v4.csv"));
    let place = place().file(&three, "a,b\n1,x\n").file(&four, "a,b\n2,y\n");
    let table = |summary: &serde_json::Value| {
        summary["inputs"][0]["table"].as_str().expect("a name").to_owned()
    };
    let first = table(&loads(&place, to, &[&three], &[]));
    let second = table(&loads(&place, to, &[&four], &["--mode", "replace"]));
    assert!(first != second && first.len() <= 63 && second.len() <= 63, "{first} {second}");
    assert_eq!(ask(&place, to, &format!("SELECT a FROM {first}")), "a\n1\n");
    assert_eq!(ask(&place, to, &format!("SELECT a FROM {second}")), "a\n2\n");
    // The next delivery of a file that an older program has loaded: same name, other content.
    let cut = &LONG[..63];
    let five = format!("{LONG}_v5.csv");
    let place = place.file(&five, "a,b\n5,z\n");
    loads(&place, to, &[&five], &["--table", cut]);
    let place = place.file(&five, "a,b\n6,z\n");
    assert_eq!(table(&loads(&place, to, &[&five], &[])), cut);
    assert_eq!(ask(&place, to, &format!("SELECT a FROM {cut} ORDER BY a")), "a\n5\n6\n");
}

#[test]
fn long_names_of_files_do_not_meet_in_duckdb() {
    files("duckdb:d.duckdb");
}

#[test]
fn long_names_of_files_do_not_meet_on_a_server() {
    files(&Server::start().url());
}

#[test]
fn a_name_that_is_none_is_told_in_words() {
    let place = place().file("etl.toml", "table = ' '\n");
    for table in ["", " ", "a.", ".b", "\"a", "a.b.c", "\"\""] {
        let (code, told) = plainly(&place, "duckdb:d.duckdb", "x.csv", table);
        assert!(code == 2 && told.contains("name"), "{table}: {told}");
    }
    let output = place.output(&["ingest", "x.csv"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("empty"), "{told}");
    assert!(!place.path("d.duckdb").exists() && !place.path("etl.duckdb").exists());
}

#[test]
fn rows_of_a_schema_are_merged_and_replayed_there() {
    let roll = super::roll::sales(3_000);
    let place = Place::new().file("SDF16P202501.csv", &roll);
    let to = "duckdb:d.duckdb";
    let table = ["--table", "rolls.sales"];
    loads(&place, to, &["SDF16P202501.csv"], &table);
    let count = "SELECT count(*) AS n FROM rolls.sales";
    let before = ask(&place, to, count);
    // The final roll of the same rows changes some of them, by key, in that schema.
    let other = roll.replace(",Q,", ",U,");
    let place = place.file("SDF16F202501.csv", &other);
    let merged = loads(&place, to, &["SDF16F202501.csv"], &table);
    assert_eq!(merged["tally"]["inserted"], 0, "{merged}");
    assert_eq!(ask(&place, to, count), before);
    let gold = place.output(&["gold", "--to", to, "--rolls", "sdf=rolls.sales"]);
    assert!(gold.status.success(), "{}", String::from_utf8_lossy(&gold.stderr));
}

#[test]
fn refused_rows_are_replayed_into_their_schema() {
    let server = Server::start();
    for to in ["duckdb:d.duckdb", &server.url()] {
        // A row with a field too many is refused, and repaired by hand.
        let place = Place::new().file("f.csv", "k,v\na,1\nb,2,3\n");
        let summary = loads(&place, to, &["f.csv"], &["--table", "s.t", "--failed", "failed"]);
        let file = summary["inputs"][0]["failed_file"].as_str().expect("refused rows").to_owned();
        let export =
            ["failures", "export", &file, "--to", to, "--failed", "failed", "--out", "c.csv"];
        let sheet = place.output(&export);
        assert!(sheet.status.success(), "{}", String::from_utf8_lossy(&sheet.stderr));
        let text = std::fs::read_to_string(place.path("c.csv")).expect("a sheet");
        // The line that could not be split, without the field too many.
        let repaired = text.replacen("\"b,2,3\"", "\"b,2\"", 1);
        assert_ne!(text, repaired, "{text}");
        std::fs::write(place.path("c.csv"), repaired).expect("writable");
        let again = ["reprocess-failures", "c.csv", "--to", to, "--failed", "failed"];
        let replay = place.output(&again);
        let told = [replay.stdout, replay.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert_eq!(ask(&place, to, "SELECT k, v FROM s.t ORDER BY k"), "k,v\na,1\nb,2\n", "{told}");
        let tables = "SELECT count(*) AS n FROM information_schema.tables WHERE table_name = 't'";
        assert_eq!(ask(&place, to, tables), "n\n1\n", "{told}");
        place.output(&["reprocess-failures", "--to", to, "--failed", "failed"]);
        assert_eq!(ask(&place, to, "SELECT count(*) AS n FROM s.t"), "n\n2\n");
    }
}
