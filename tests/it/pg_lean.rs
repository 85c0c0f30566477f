//! Columns that few rows use are sent only with those rows, which may be seen by nothing but the server's log.

use super::pg_server::{Server, consistent, loads, rows};
use super::support::{Place, roll};

const ROLL: &str = "NAL16P202501.csv";
const COPIES: &str = "COPY \"public\".\"parcels\"";
const NARROW: &str = "SELECT count(*) FROM parcels WHERE jv % 500 = 0 AND sale_prc2 IS NULL";
const WIDE: &str = "SELECT count(*) FROM parcels WHERE sale_prc2 % 200 <> 0";

/// A roll in which second sales are rare.
fn parcels() -> Place {
    let place = Place::new();
    roll(&place, &["nal", "--rows", "12000", "--out", ROLL]);
    place
}

/// COPYs of parcels so far, and those of them that name a column of second sales.
fn copies(server: &Server) -> (usize, usize) {
    (server.heard(COPIES), server.heard("\"sale_prc2\", "))
}

#[test]
fn rows_are_the_same_whatever_columns_were_left_out() {
    let server = Server::start();
    server.listen();
    let (place, to) = (parcels(), server.url());
    loads(&place, &to, &[ROLL], &[]);
    let (all, with) = copies(&server);
    assert!(with > 1 && all > with, "{with} of {all} COPYs have all columns");
    let expected = loads(&place, "duckdb:rolls.duckdb", &[ROLL], &[]);
    let inserted = server.psql("SELECT count(*) FROM parcels");
    assert_eq!(expected["tally"]["inserted"].as_u64().map(|n| n.to_string()), Some(inserted));
    let of_server = rows(&place, &to, "parcels");
    // Chunks of 300 rows are too small for it.
    server.psql("DROP TABLE parcels; DROP SCHEMA etl CASCADE");
    loads(&place, &to, &[ROLL], &["--chunk-rows", "300"]);
    let (all, with) = copies(&server);
    assert!(rows(&place, &to, "parcels") == of_server, "rows differ ({with} of {all} COPYs)");
    consistent(&server, "parcels");
}

#[test]
fn rows_that_the_server_refuses_are_found_with_and_without_rare_columns() {
    let server = Server::start();
    server.listen();
    let (place, to) = (parcels(), server.url());
    loads(&place, &to, &[ROLL], &[]);
    let count = |sql: &str| server.psql(sql).parse::<u64>().expect("a number");
    let (narrow, wide) = (count(NARROW), count(WIDE));
    let whole = count("SELECT count(*) FROM parcels");
    assert!(narrow > 0 && wide > 0, "{narrow} and {wide} rows to refuse");
    server.psql(
        "DELETE FROM parcels; DROP SCHEMA etl CASCADE; \
         ALTER TABLE parcels ADD CHECK (jv % 500 <> 0 OR sale_prc2 IS NOT NULL), \
         ADD CHECK (sale_prc2 IS NULL OR sale_prc2 % 200 = 0)",
    );
    let (all, with) = copies(&server);
    let summary = loads(&parcels(), &to, &[ROLL], &[]);
    let (all, with) = (copies(&server).0 - all, copies(&server).1 - with);
    assert!(all > with, "{with} of {all} COPYs have all columns");
    assert_eq!(summary["tally"]["inserted"].as_u64(), Some(whole - narrow - wide), "{summary}");
    assert_eq!((count(NARROW), count(WIDE)), (0, 0));
    consistent(&server, "parcels");
}
