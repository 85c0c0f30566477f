//! Types of plain tables: those that the table has, else those that all files of a run have in common.

use super::column_names::duck;
use super::loaded::{TO, ask, consistent, count, fails, ingest, loads};
use super::pg_server::{self, Server};
use super::support::Place;

const TYPES: &str = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't' \
                     AND column_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY ordinal_position";

/// Months whose types differ: whole numbers, decimals, a text, nothing.
fn months() -> Place {
    Place::new()
        .file("d/1.csv", "folio,price,note\n1,10,\n")
        .file("d/2.csv", "folio,price,note\n2,20.5,7\n")
        .file("d/3.csv", "folio,price,note\n003,3000000000,8\n")
        .file("d/4.csv", "folio,price,note\nA4,,\n")
}

#[test]
fn files_of_a_run_share_their_types_in_any_order() {
    let rows = "SELECT folio, price, note FROM t ORDER BY _etl_source";
    let right = "1,10.0,\n2,20.5,7\n003,3000000000.0,8\nA4,,";
    let whole =
        Place::new().file("t.csv", "folio,price,note\n1,10,\n2,20.5,7\n003,3000000000,8\nA4,,\n");
    loads(&whole, &["t.csv"], &[]);
    let types = ask(&whole, TYPES);
    assert_eq!(types, "folio,VARCHAR\nprice,\"DECIMAL(18,1)\"\nnote,INTEGER");
    for files in
        [["d/1.csv", "d/2.csv", "d/3.csv", "d/4.csv"], ["d/4.csv", "d/2.csv", "d/3.csv", "d/1.csv"]]
    {
        let place = months();
        loads(&place, &files, &["--table", "t"]);
        assert_eq!(ask(&place, TYPES), types);
        assert_eq!(ask(&place, rows), right);
        consistent(&place);
    }
    // The plan shows them before there is a table.
    let place = months();
    let plan = place.run(&["plan", "d", "--table", "t"]);
    let words = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("plain DECIMAL(18,1): other files need it"), "{plan}");
}

#[test]
fn a_file_that_is_added_is_the_only_one_loaded_and_keeps_to_the_table() {
    let place = Place::new().file("d/1.csv", "k,v\n1,10\n").file("d/2.csv", "k,v\n2,20\n");
    loads(&place, &["d"], &["--table", "t"]);
    let place = place.file("d/3.csv", "k,v\n3,many\n4,40\n");
    let (code, summary) = ingest(&place, &["d"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1));
    let runs = "SELECT count(DISTINCT _etl_run), count(*) FROM t";
    assert_eq!(ask(&place, runs), "2,3", "the others are not loaded again");
    assert_eq!(ask(&place, "SELECT k, v FROM t ORDER BY k"), "1,10\n2,20\n4,40");
    let told = summary.to_string();
    assert!(
        told.contains("column v of table t is INTEGER, and this file's values are VARCHAR"),
        "{told}"
    );
    assert!(told.contains("is not a whole number"), "{told}");
    consistent(&place);
    let earlier = ask(&place, "SELECT _etl_run FROM t WHERE k = 1");
    for run in [earlier.as_str(), "latest"] {
        assert!(
            place.output(&["verify", run, "--table", "t", "--to", TO]).status.success(),
            "{run}"
        );
    }
}

#[test]
fn a_duckdb_table_of_others_decides_by_its_types() {
    let place = Place::new().file(
        "t.csv",
        "n,price,zip,seen,empty,flag\n1,2,02035,2025-01-31,,true\n7,2.5,33601,2025-02-01,,false\n",
    );
    duck(
        &place,
        "CREATE TABLE t (n BIGINT, price DECIMAL(18,4), zip VARCHAR, seen TIMESTAMP, empty DATE, flag VARCHAR)",
    );
    loads(&place, &["t.csv"], &[]);
    assert_eq!(
        ask(&place, "SELECT n, price, zip, seen, empty, flag FROM t ORDER BY n"),
        "1,2.0000,02035,2025-01-31 00:00:00,,true\n7,2.5000,33601,2025-02-01 00:00:00,,false"
    );
    let place =
        place.file("more.csv", "n,price,zip\nx,1,1\n3000000000,1.23456,2\n3000000001,9,5.0\n");
    let (code, summary) = ingest(&place, &["more.csv"], &["--table", "t"]);
    let told = summary["inputs"][0]["problems"].to_string();
    assert!(code == 3 && told.contains("\"x\"") && told.contains("1.23456"), "{code} {told}");
    assert_eq!(ask(&place, "SELECT n, price, zip FROM t WHERE n > 9"), "3000000001,9.0000,5.0");
    consistent(&place);
}

#[test]
fn columns_of_a_duckdb_table_that_fill_themselves_are_left_to_it() {
    let make = "CREATE TABLE t (k VARCHAR, n INTEGER, twice INTEGER GENERATED ALWAYS AS (n * 2), \
                state VARCHAR DEFAULT 'FL', made INTEGER DEFAULT 7)";
    let rows = "SELECT k, n, twice, state, made FROM t ORDER BY k";
    let place = Place::new().file("t.csv", "k,n,state\na,1,GA\nb,2,\n");
    duck(&place, make);
    loads(&place, &["t.csv"], &[]);
    // A blank of the file is one in the table.
    assert_eq!(ask(&place, rows), "a,1,2,GA,7\nb,2,4,,7");
    loads(&place, &["t.csv"], &["--mode", "replace"]);
    assert_eq!(ask(&place, rows), "a,1,2,GA,7\nb,2,4,,7");
    consistent(&place);
}

#[test]
fn leading_zeros_are_never_lost_in_a_number() {
    let place = Place::new().file("d/1.csv", "code\n33601\n");
    loads(&place, &["d"], &["--table", "t"]);
    let place = place.file("d/2.csv", "code\n02035\n33602\n");
    let (code, summary) = ingest(&place, &["d"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    assert!(summary.to_string().contains("has zeros in front"), "{summary}");
    assert_eq!(ask(&place, "SELECT code FROM t ORDER BY code"), "33601\n33602");
    // Together from the beginning they are text.
    loads(&place, &["d"], &["--table", "u"]);
    assert_eq!(ask(&place, "SELECT code FROM u ORDER BY code"), "02035\n33601\n33602");
}

#[test]
fn a_number_that_a_float_would_round_is_never_put_into_one() {
    let place = Place::new().file("t.csv", "v\n123456789012345678\n");
    duck(&place, "CREATE TABLE t (v DOUBLE)");
    let (code, summary) = ingest(&place, &["t.csv"], &[]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    let place = Place::new().file("t.csv", "v\n12\n9007199254740993\n9007199254740992\n0.1\n007\n");
    duck(&place, "CREATE TABLE t (v DOUBLE)");
    let (code, summary) = ingest(&place, &["t.csv"], &[]);
    assert_eq!((code, count(&summary, "rejected")), (3, 2), "{summary}");
    assert_eq!(ask(&place, "SELECT v FROM t ORDER BY v"), "0.1\n12.0\n9007199254740992.0");
}

#[test]
fn what_lies_in_the_targets_place_is_named() {
    let place = Place::new().file("t.csv", "a\n1\n");
    duck(&place, "CREATE TABLE u (a INTEGER); CREATE VIEW t AS SELECT * FROM u");
    let (code, text) = fails(&place, &["t.csv"], &[]);
    assert!(code == 7 && text.contains("t is a view"), "{code} {text}");
    let place = Place::new().file("t.csv", "a\n1\n").file("z.duckdb", "");
    let output = place.output(&["ingest", "t.csv", "--to", "duckdb:z.duckdb"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(7) && text.contains("is empty (0 bytes)"), "{text}");
    assert_eq!(std::fs::read(place.path("z.duckdb")).expect("it is there"), b"");
}

#[test]
fn a_table_of_a_server_decides_by_its_types() {
    let server = Server::start();
    let place =
        Place::new().file("t.csv", "id,zip,code,at,n\n1,33601,7,2025-01-31,5\n2,,8,2025-02-01,6\n");
    let to = server.url();
    server.psql(
        "CREATE TABLE t (id integer PRIMARY KEY, zip varchar(5), code text NOT NULL, at timestamp, n bigint, \
         _etl_run text, _etl_source text, _etl_release text, _etl_row bigint, _etl_hash uuid, \
         _etl_loaded_at timestamptz, _extra text)",
    );
    pg_server::loads(&place, &to, &["t.csv"], &[]);
    let rows = "SELECT id, zip, code, at, n FROM t ORDER BY id";
    let right = "1|33601|7|2025-01-31 00:00:00|5\n2||8|2025-02-01 00:00:00|6";
    assert_eq!(server.psql(rows), right);
    // A blank where the table wants a value, and a key that is there already, refuse their rows alone.
    let place = place.file(
        "u.csv",
        "id,zip,code,at,n\n3,1,,2025-01-31,5\n1,1,x,2025-01-31,5\n4,123456,y,,\n5,,z,,1\n",
    );
    let (code, summary, _) = pg_server::load(&place, &to, &["u.csv"], &["--table", "t"]);
    let told = summary["inputs"][0]["problems"].to_string();
    assert!(code == 3 && told.contains("null value in column"), "{code} {told}");
    assert_eq!(server.psql(rows), format!("{right}\n5||z||1"));
    // All names and types in quotes.
    server.psql("ALTER DATABASE etl SET quote_all_identifiers = on");
    let place = place.file("w.csv", "id,code\n9,w\n");
    pg_server::loads(&place, &to, &["w.csv"], &["--table", "t"]);
    assert_eq!(server.psql("SELECT code FROM t WHERE id = 9"), "w");
}

#[test]
fn a_row_that_a_trigger_refuses_with_a_code_of_its_own_does_not_end_the_file() {
    let server = Server::start();
    let rows: String = (1..=3_000).map(|n| format!("{n},v{n}\n")).collect();
    let place = Place::new().file("t.csv", &format!("n,v\n{rows}"));
    let to = server.url();
    pg_server::loads(&place, &to, &["t.csv"], &["--limit", "1"]);
    for state in ["PT400", "ZZ001", "45000", "42501", "0A000", "42883", "54000"] {
        server.psql(&format!(
            "TRUNCATE t; DROP SCHEMA etl CASCADE; CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE \
             plpgsql AS $$ BEGIN IF NEW.n IN (1, 1700, 3000) THEN RAISE EXCEPTION 'no' USING ERRCODE = \
             '{state}'; END IF; RETURN NEW; END $$; \
             CREATE OR REPLACE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"
        ));
        let (code, summary, _) = pg_server::load(&place, &to, &["t.csv"], &[]);
        let told = summary["inputs"][0]["problems"].to_string();
        assert!(
            code == 3 && told.contains("the server refuses the row: no"),
            "{state}: {code} {told}"
        );
        assert_eq!(server.psql("SELECT count(*), sum(n) FROM t"), "2997|4496799", "{state}");
    }
    // One that refuses every row is the fault of the run, not of the rows.
    server.psql(
        "TRUNCATE t; DROP SCHEMA etl CASCADE; CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'not your table' USING ERRCODE = '42501'; END $$",
    );
    let (code, _, text) = pg_server::load(&place, &to, &["t.csv"], &[]);
    assert!(code == 7 && text.contains("not your table (42501)"), "{code} {text}");
    assert_eq!(server.psql("SELECT count(*) FROM t"), "0");
}

/// Each proposal is done, and then keeps what the table holds and lets the file in.
#[test]
fn advice_for_a_column_never_narrows_it() {
    let server = Server::start();
    for (ty, stored) in [("integer", "33601"), ("numeric(10,2)", "1234.56")] {
        // Points that may stand between thousands.
        let place = Place::new().file("t.csv", "v;p\n1.234;1,5\n2.500;2,5\n");
        server.psql(&format!(
            "DROP TABLE IF EXISTS public.t; CREATE TABLE public.t (v {ty}, p text); \
             INSERT INTO public.t VALUES ({stored}, '')"
        ));
        let (code, _, text) =
            pg_server::load(&place, &server.url(), &["t.csv"], &["--evolve", "--fresh"]);
        assert_eq!(code, 7, "{ty}: {text}");
        let advice = text.split("TYPE ").nth(1).unwrap_or_else(|| panic!("no advice: {text}"));
        let wider = advice.split(['"', '\\', '\n', ';']).next().expect("a type").trim();
        server.psql(&format!("ALTER TABLE public.t ALTER COLUMN v TYPE {wider}"));
        pg_server::loads(&place, &server.url(), &["t.csv"], &["--evolve", "--fresh"]);
        let right = format!("1.234\n2.500\n{stored}");
        assert_eq!(
            server.psql("SELECT v FROM public.t ORDER BY length(v::text), v::text"),
            right,
            "{ty}"
        );
    }
    // A column that takes the cells needs none.
    let place = Place::new().file("t.csv", "v\n12\n0.5\n");
    server.psql("DROP TABLE public.t; CREATE TABLE public.t (v numeric(10,2)); INSERT INTO public.t VALUES (1234.56)");
    pg_server::loads(&place, &server.url(), &["t.csv"], &["--evolve", "--fresh"]);
    assert_eq!(server.psql("SELECT v FROM public.t ORDER BY v"), "0.50\n12.00\n1234.56");
}
