//! Values go into the columns that are meant, whatever these are called and whoever has made the table.

use super::loaded::{TO, ask, fails, loads};
use super::pg_server::{self, Server};
use super::roll::{self, parcel};
use super::support::Place;
use etl::duck::{Database, Settings};

/// Runs statements on the test's file as another program would.
pub fn duck(place: &Place, sql: &str) {
    let path = place.path("rolls.duckdb");
    let database = Database::open(&path, &Settings::default()).expect("opens");
    database.connect().expect("connects").execute(sql).expect("runs");
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn a_table_of_other_case_gets_the_values_and_not_null() {
    let place = Place::new().file("people.csv", "id,owner,amount\n1,Ann,10.25\n2,Bob,11.50\n");
    duck(&place, "CREATE TABLE People (ID INTEGER, \"OWNER\" VARCHAR, Amount DECIMAL(18,2))");
    duck(&place, "INSERT INTO People VALUES (0, 'Zoe', 1)");
    loads(&place, &["people.csv"], &[]);
    let rows = ask(&place, "SELECT ID, OWNER, Amount FROM People ORDER BY ID");
    assert_eq!(lines(&rows), ["0,Zoe,1.00", "1,Ann,10.25", "2,Bob,11.50"]);
    // The table is the one that the ledger knows, under any writing of its name.
    let again = loads(&place, &["people.csv"], &["--table", "PEOPLE"]);
    assert_eq!(again["status"], "already_loaded");
}

#[test]
fn a_table_made_by_ctas_takes_a_roll_and_merges_it() {
    let first = roll::file("nal", &[parcel(16, 1, 10, "A"), parcel(16, 2, 20, "B")]);
    let second = roll::file("nal", &[parcel(16, 1, 10, "A"), parcel(16, 2, 25, "B")]);
    let place = Place::new().file("NAL16P202501.csv", &first).file("NAL16F202501.csv", &second);
    loads(&place, &["NAL16P202501.csv"], &["--table", "made"]);
    // All names in capitals, provenance too; other types stay as they are.
    let columns = ask(
        &place,
        "SELECT string_agg('\"' || column_name || '\" AS \"' || upper(column_name) || '\"', ', ') \
         FROM information_schema.columns WHERE table_name = 'made'",
    );
    let columns = columns.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let columns = columns.expect("quoted in CSV").replace("\"\"", "\"");
    duck(&place, &format!("CREATE TABLE PARCELS AS SELECT {columns} FROM made LIMIT 0"));
    loads(&place, &["NAL16P202501.csv"], &["--table", "parcels"]);
    let summary = loads(&place, &["NAL16F202501.csv"], &["--table", "parcels"]);
    assert_eq!(summary["tally"]["unchanged"], 1, "{summary}");
    let rows = "SELECT right(parcel_id, 1), jv, own_name, _etl_release FROM parcels ORDER BY 1";
    assert_eq!(lines(&ask(&place, rows)), ["1,10,A,2025F01", "2,25,B,2025F01"]);
    let verified = place.output(&["verify", "--table", "parcels", "--to", TO]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn headers_of_one_plain_name_have_columns_of_their_own() {
    let place = Place::new()
        .file("a.csv", "id,Sale $\n1,500\n")
        .file("b.csv", "id,Sale %\n2,6\n")
        .file("c.csv", "Sale %,id,sale $\n7,3,700\n");
    let summary = loads(&place, &["a.csv", "b.csv"], &["--table", "t"]);
    let warnings = summary["inputs"][1]["warnings"].to_string();
    assert!(warnings.contains("sale_2") && warnings.contains("Sale $"), "{warnings}");
    loads(&place, &["c.csv"], &["--table", "t"]);
    let rows = ask(&place, "SELECT id, sale, sale_2 FROM t ORDER BY id");
    assert_eq!(lines(&rows), ["1,500,", "2,,6", "3,700,7"]);
    // Besides, it is recorded that the program has made the table.
    let records = ask(
        &place,
        "SELECT \"column\", header FROM etl.columns WHERE \"table\" = 't' AND header <> '' ORDER BY 1",
    );
    assert_eq!(lines(&records), ["id,id", "sale,Sale $", "sale_2,Sale %"]);
}

#[test]
fn a_cut_name_is_not_the_column_of_another_header() {
    let long = "assessed value of the improvements and of the land as of january the first";
    let (a, b) = (format!("{long} 2023"), format!("{long} 2024"));
    let place = Place::new()
        .file("a.csv", &format!("id,{a}\n1,10\n"))
        .file("b.csv", &format!("id,{b}\n2,20\n"))
        .file("both.csv", &format!("id,{b},{a}\n3,30,31\n"));
    for file in ["a.csv", "b.csv", "both.csv"] {
        loads(&place, &[file], &["--table", "t"]);
    }
    let rows = ask(
        &place,
        "SELECT * EXCLUDE (_extra, _etl_run, _etl_source, _etl_row, _etl_release, \
        _etl_hash, _etl_loaded_at) FROM t ORDER BY id",
    );
    // Columns that are added stand behind those of the first file.
    assert_eq!(lines(&rows), ["1,10,", "2,,20", "3,31,30"]);
    let longest = ask(&place, "SELECT max(strlen(\"column\")) FROM etl.columns");
    assert!(longest.parse::<u32>().expect("a number") <= 63, "{longest}");
}

#[test]
fn records_of_a_table_that_was_dropped_say_nothing() {
    let place = Place::new().file("a.csv", "id,Sale $\n1,500\n").file("b.csv", "id,Sale %\n2,6\n");
    loads(&place, &["a.csv"], &["--table", "t"]);
    duck(&place, "DROP TABLE t");
    loads(&place, &["b.csv"], &["--table", "t"]);
    assert_eq!(ask(&place, "SELECT id, sale FROM t"), "2,6");
    let header = "SELECT header FROM etl.columns WHERE \"column\" = 'sale'";
    assert_eq!(ask(&place, header), "Sale %");
}

#[test]
fn failed_records_go_back_into_the_columns_of_their_headers() {
    let place =
        Place::new().file("a.csv", "id,Sale $\n1,500\n").file("b.csv", "id,Sale %\n2,6\n3\n");
    loads(&place, &["a.csv"], &["--table", "t"]);
    loads(&place, &["b.csv"], &["--table", "t"]);
    let exported = place.output(&["failures", "export", "latest", "--to", TO, "--out", "fix.csv"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let sheet = std::fs::read_to_string(place.path("fix.csv")).expect("exported");
    let mut rows = csv::Reader::from_reader(sheet.trim_start_matches('\u{feff}').as_bytes());
    let header = rows.headers().expect("a header").clone();
    let mut fixed = csv::Writer::from_path(place.path("fixed.csv")).expect("writable");
    fixed.write_record(&header).expect("written");
    for record in rows.records() {
        let record = record.expect("a row");
        let cell = |(at, text): (usize, &str)| match &header[at] {
            "id" => "3".to_owned(),
            "Sale %" => "9".to_owned(),
            _ => text.to_owned(),
        };
        fixed.write_record(record.iter().enumerate().map(cell)).expect("written");
    }
    fixed.flush().expect("written");
    let replayed = place.output(&["reprocess-failures", "fixed.csv", "--to", TO]);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    let rows = ask(&place, "SELECT id, sale, sale_2 FROM t ORDER BY id");
    assert_eq!(lines(&rows), ["1,500,", "2,,6", "3,,9"]);
}

#[test]
fn a_plan_shows_the_columns_of_the_table() {
    let place = Place::new().file("a.csv", "id,Sale $\n1,500\n").file("b.csv", "id,Sale %\n2,6\n");
    loads(&place, &["a.csv"], &["--table", "t"]);
    let output = place.output(&["plan", "b.csv", "--table", "t", "--to", TO, "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a plan");
    assert_eq!(plan["inputs"][0]["columns"][1]["name"], "sale_2", "{plan}");
    assert!(plan["inputs"][0]["warnings"].to_string().contains("Sale $"), "{plan}");
}

#[test]
fn a_server_keeps_quoted_names_and_refuses_what_would_be_mixed() {
    let server = Server::start();
    let place = Place::new()
        .file("l.csv", "parcelId,Sale Price,ownerName\nP1,100,Ann\nP2,200,Bob\n")
        .file("two.csv", "PARCELID,x\nP3,1\n")
        .file("a.csv", "id,Sale $\n1,500\n")
        .file("b.csv", "id,Sale %\n2,6\n");
    let to = server.url();
    server.psql(
        "CREATE TABLE listings (\"parcelId\" text, \"Sale Price\" integer, \"ownerName\" text)",
    );
    pg_server::loads(&place, &to, &["l.csv"], &["--table", "listings", "--evolve"]);
    let rows = "SELECT \"parcelId\", \"Sale Price\", \"ownerName\" FROM public.listings ORDER BY 1";
    assert_eq!(server.psql(rows), "P1|100|Ann\nP2|200|Bob");
    let verified = place.output(&["verify", "--table", "listings", "--to", &to]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    server.psql("CREATE TABLE public.two (\"ParcelID\" text, \"parcelId\" text, x integer)");
    let refused = place.output(&["ingest", "two.csv", "--table", "two", "--to", &to]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(7), "{told}");
    assert!(told.contains("ParcelID") && told.contains("parcelId"), "{told}");

    pg_server::loads(&place, &to, &["a.csv"], &["--table", "t"]);
    let refused = place.output(&["ingest", "b.csv", "--table", "t", "--to", &to]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(7), "{told}");
    assert!(told.contains("Sale $") && told.contains("Sale %"), "{told}");
    pg_server::loads(&place, &to, &["b.csv"], &["--table", "t", "--evolve"]);
    let rows = server.psql("SELECT id, sale, sale_2 FROM public.t ORDER BY id");
    assert_eq!(rows, "1|500|\n2||6");
}

#[test]
fn what_the_ledger_cannot_place_is_refused_before_a_row_is_loaded() {
    let place = Place::new().file("t.csv", "É,n\nx,1\n");
    // Two columns that only the wider comparison takes for one.
    duck(&place, "CREATE TABLE t (\"É-\" VARCHAR, \"é.\" VARCHAR, n INTEGER)");
    let (code, told) = fails(&place, &["t.csv"], &[]);
    assert_eq!(code, 7, "{told}");
    assert!(told.contains("É-") && told.contains("é."), "{told}");
    assert_eq!(ask(&place, "SELECT count(*) FROM t"), "0");
}
