//! The account of cells on loads as users run them: numbers in the ledger, and tables that change cells by
//! themselves.

use super::pg_server::{Server, ask, load, loads};
use super::support::Place;
use std::fmt::Write as _;

/// `rows` people; each fourth has no age, each tenth no name.
fn people(rows: usize) -> String {
    let mut text = "id,name,age,born\n".to_owned();
    for id in 0..rows {
        let name = if id % 10 == 0 { String::new() } else { format!("n{id}") };
        let age = if id % 4 == 0 { String::new() } else { (id % 90 + 1).to_string() };
        writeln!(text, "{id},{name},{age},1970-01-{:02}", id % 28 + 1).expect("memory");
    }
    text
}

/// The cells that the ledger has of a table's inputs, of one column.
fn kept(place: &Place, to: &str, column: &str) -> u64 {
    let answer = ask(place, to, "SELECT cells FROM etl.ranges WHERE cells IS NOT NULL");
    let cells = answer.lines().skip(1).map(|line| {
        let json = line.trim_matches('"').replace("\"\"", "\"");
        let cells: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        cells[column].as_u64().unwrap_or(0)
    });
    cells.sum()
}

fn count(place: &Place, to: &str, what: &str) -> u64 {
    let answer = ask(place, to, &format!("SELECT count({what}) AS n FROM people"));
    answer.lines().nth(1).and_then(|line| line.trim_matches('"').parse().ok()).expect("a number")
}

fn numbers_are_those_of_the_table(place: &Place, to: &str) {
    let small = ["--chunk-rows", "300", "--verify", "cells"];
    loads(place, to, &["people.csv"], &small);
    for column in ["id", "name", "age", "born", "_extra"] {
        assert_eq!(kept(place, to, column), count(place, to, column), "{column}");
    }
    assert_eq!((count(place, to, "name"), count(place, to, "age")), (1_800, 1_500));
}

#[test]
fn each_range_keeps_the_cells_that_the_table_has_of_it() {
    let place = Place::new().file("people.csv", &people(2_000));
    numbers_are_those_of_the_table(&place, "duckdb:p.duckdb");
    let server = Server::start();
    numbers_are_those_of_the_table(&place, &server.url());
}

#[test]
fn merges_and_replaces_hold_their_account_of_cells() {
    let server = Server::start();
    let changed = people(1_000).replace(",n7,", ",,").replace(",n15,", ",other,");
    let place = Place::new()
        .file("people.csv", &people(1_000))
        .file("again.csv", &changed)
        .file("more.csv", &people(1_200));
    for to in ["duckdb:p.duckdb".to_owned(), server.url()] {
        let table = ["--table", "people", "--verify", "cells"];
        loads(&place, &to, &["people.csv"], &table);
        loads(&place, &to, &["again.csv"], &[&table[..], &["--mode", "replace"]].concat());
        assert_eq!(count(&place, &to, "name"), 899);
        loads(&place, &to, &["more.csv"], &[&table[..], &["--mode", "append"]].concat());
        assert_eq!(count(&place, &to, "*"), 2_200);
    }
}

#[test]
fn a_file_that_fills_columns_by_itself_is_loaded() {
    let place = Place::new().file("people.csv", &people(500));
    let to = "duckdb:p.duckdb";
    loads(&place, to, &["people.csv"], &["--table", "people"]);
    // A default of a column that no file has, and of one that the file has.
    let sql = place.path("p.duckdb");
    let database = etl::duck::Database::open(&sql, &etl::duck::Settings::default()).expect("opens");
    let con = database.connect().expect("connects");
    con.execute(
        "ALTER TABLE people ADD COLUMN state VARCHAR DEFAULT 'FL'; \
         ALTER TABLE people ALTER COLUMN name SET DEFAULT 'nobody'; CHECKPOINT",
    )
    .expect("changed");
    drop((con, database));
    let second = place.file("more.csv", &people(700));
    loads(&second, to, &["more.csv"], &["--table", "people", "--mode", "append"]);
    assert_eq!(count(&second, to, "name"), 450 + 630);
    // That of the column that no file has is used; 500 rows have got it when the column was made.
    assert_eq!(count(&second, to, "state"), 500 + 700);
}

#[test]
fn a_server_that_changes_cells_by_itself_is_left_out_and_named() {
    let server = Server::start();
    let (place, to) = (Place::new().file("people.csv", &people(600)), server.url());
    loads(&place, &to, &["people.csv"], &["--limit", "1"]);
    server.psql(
        "DELETE FROM people; DROP SCHEMA etl CASCADE; \
         ALTER TABLE people ADD COLUMN number int GENERATED ALWAYS AS IDENTITY, \
           ADD COLUMN twice bigint GENERATED ALWAYS AS (id * 2) STORED, \
           ADD COLUMN state text DEFAULT 'FL', ALTER COLUMN name SET DEFAULT 'nobody'",
    );
    let (code, _, told) = load(&place, &to, &["people.csv"], &["--verify", "cells"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(
        server.psql("SELECT count(name), count(state), count(twice) FROM people"),
        "540|600|600"
    );
    assert_eq!(kept(&place, &to, "name"), 540);
    server.psql(
        "DELETE FROM people; DROP SCHEMA etl CASCADE; \
         CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS \
           $$ BEGIN NEW.age := NULL; RETURN NEW; END $$; \
         CREATE TRIGGER tidy BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION tidy()",
    );
    let (code, _, told) = load(&place, &to, &["people.csv"], &["--verify", "cells"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("trigger tidy") && told.contains("filled cells"), "{told}");
    assert_eq!(server.psql("SELECT count(*), count(age) FROM people"), "600|0");
    assert_eq!(server.psql("SELECT count(cells) FROM etl.ranges"), "0");
}

#[test]
fn cells_of_rows_that_the_server_refuses_are_not_claimed() {
    let server = Server::start();
    let (place, to) = (Place::new().file("people.csv", &people(600)), server.url());
    loads(&place, &to, &["people.csv"], &["--limit", "1"]);
    server.psql(
        "DELETE FROM people; DROP SCHEMA etl CASCADE; ALTER TABLE people ADD CHECK (id % 50 <> 1)",
    );
    let more = ["--verify", "cells", "--max-error-rate", "50%"];
    let (code, summary, told) = load(&place, &to, &["people.csv"], &more);
    assert_eq!((code, summary["tally"]["rejected"].as_u64()), (3, Some(12)), "{told}");
    assert_eq!(server.psql("SELECT count(*) FROM people"), "588");
    for column in ["id", "name", "age"] {
        assert_eq!(kept(&place, &to, column), count(&place, &to, column), "{column}");
    }
}
