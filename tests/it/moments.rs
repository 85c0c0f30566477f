//! Moments: an offset is kept, no digit is dropped untold, and a clock without an offset is of the database's zone.

use super::column_names::duck;
use super::loaded::{ask, count, ingest, loads};
use super::pg_server::{self, Server};
use super::support::Place;

const TYPE: &str =
    "SELECT data_type FROM information_schema.columns WHERE table_name = 't' AND column_name = 'a'";

/// Type of the column, and its values in UTC.
fn loaded(values: &[&str]) -> (String, String, String) {
    let rows = values.iter().enumerate().map(|(at, value)| format!("{at},{value}\n"));
    let place = Place::new().file("t.csv", &format!("k,a\n{}", rows.collect::<String>()));
    let summary = loads(&place, &["t.csv"], &[]);
    let ty = ask(&place, TYPE);
    let value = match ty.as_str() {
        "TIMESTAMP WITH TIME ZONE" => "epoch_us(a)",
        _ => "a::VARCHAR",
    };
    (ty, ask(&place, &format!("SELECT {value} FROM t ORDER BY k")), summary.to_string())
}

#[test]
fn offsets_are_kept() {
    let (ty, rows, _) = loaded(&[
        "2020-06-28T22:17:33+02:00",
        "2020-06-28 20:17:33.5Z",
        "2020-06-28 15:17:33-0500",
    ]);
    assert_eq!(ty, "TIMESTAMP WITH TIME ZONE");
    assert_eq!(rows, "1593375453000000\n1593375453500000\n1593375453000000");
    let (ty, rows, told) = loaded(&["2020-06-28 22:17:33+02:00", "2020-06-28 20:17:33"]);
    assert_eq!(
        (ty.as_str(), rows.as_str()),
        ("VARCHAR", "2020-06-28 22:17:33+02:00\n2020-06-28 20:17:33")
    );
    assert!(told.contains("offset"), "{told}");
}

#[test]
fn digits_of_seconds_are_kept() {
    let (ty, rows, _) = loaded(&["2020-06-28 22:17:33.123456", "2020-06-28 22:17:33.100000000"]);
    assert_eq!(
        (ty.as_str(), rows.as_str()),
        ("TIMESTAMP", "2020-06-28 22:17:33.123456\n2020-06-28 22:17:33.1")
    );
    let (ty, rows, _) = loaded(&["2020-06-28 22:17:33.1234567", "1969-12-31 23:59:59.999999999"]);
    assert_eq!(ty, "TIMESTAMP_NS");
    assert_eq!(rows, "2020-06-28 22:17:33.1234567\n1969-12-31 23:59:59.999999999");
    // No type holds a second 60, or a year that 64 bits have no nanoseconds for.
    let (ty, rows, _) = loaded(&["2016-12-31 23:59:60", "2017-01-01 00:00:00"]);
    assert_eq!(
        (ty.as_str(), rows.as_str()),
        ("VARCHAR", "2016-12-31 23:59:60\n2017-01-01 00:00:00")
    );
    let (ty, rows, _) = loaded(&["9999-12-31 23:59:59.1234567", "2017-01-01 00:00:00"]);
    assert_eq!(
        (ty.as_str(), rows.as_str()),
        ("VARCHAR", "9999-12-31 23:59:59.1234567\n2017-01-01 00:00:00")
    );
}

#[test]
fn a_table_that_holds_less_refuses_or_counts() {
    let place = Place::new().file(
        "t.csv",
        "k,a\n1,2020-06-28 22:17:33.1234567\n2,2020-06-28 22:17:33.5\n3,2016-12-31 23:59:60\n",
    );
    duck(&place, "CREATE TABLE t (k INTEGER, a TIMESTAMP)");
    let (code, summary) = ingest(&place, &["t.csv"], &[]);
    assert_eq!(code, 3, "{summary}");
    let rows = ask(&place, "SELECT k, a FROM t ORDER BY k");
    let told = summary.to_string();
    assert!(told.contains("23:59:60") && told.contains("33.1234567"), "{told}");
    assert!(rows.ends_with("2,2020-06-28 22:17:33.5"), "{rows}");
    assert_eq!(count(&summary, "rejected") + rows.lines().count() as u64, 3);
}

#[test]
fn a_clock_without_an_offset_is_taken_in_the_zone_of_the_database() {
    let server = Server::start();
    server.psql("ALTER DATABASE etl SET TimeZone = 'America/New_York'");
    server.psql("CREATE TABLE t (k integer, a timestamptz)");
    server.psql("CREATE TABLE u (k integer, a timestamptz)");
    let url = server.url();
    let place = Place::new().file(
        "t.csv",
        "k,a\n1,2020-01-15 12:00:00\n2,2020-07-15 12:00:00\n3,2020-07-15 12:00:00Z\n",
    );
    let summary = pg_server::loads(&place, &url, &["t.csv"], &["--table", "t", "--evolve"]);
    assert!(summary.to_string().contains("America/New_York"), "{summary}");
    server.psql(
        "INSERT INTO u VALUES (1, '2020-01-15 12:00:00'), (2, '2020-07-15 12:00:00'), \
         (3, '2020-07-15 12:00:00Z')",
    );
    let rows = |table: &str| {
        server.psql(&format!("SELECT k, extract(epoch FROM a)::bigint FROM {table} ORDER BY k"))
    };
    assert_eq!(rows("t"), rows("u"));
    let more = ["--table", "t", "--evolve", "--fresh", "--mode", "replace", "--time-zone", "UTC"];
    pg_server::loads(&place, &url, &["t.csv"], &more);
    let right = "1,1579089600\n2,1594814400\n3,1594814400";
    assert_eq!(rows("t").replace('|', ",").trim(), right);
    let verify = ["verify", "latest", "--to", &url, "--table", "t", "--time-zone", "UTC"];
    let output = place.output(&verify);
    assert!(output.status.success(), "{output:?}");
}
