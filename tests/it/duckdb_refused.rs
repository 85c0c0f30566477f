//! Rows that a DuckDB table made by others does not take: each becomes a failed record, the rest is loaded.

use super::column_names::duck;
use super::loaded::{TO, ask, consistent, count, ingest};
use super::support::Place;
use serde_json::Value;
use std::collections::BTreeMap;

/// Row number in the file → reason, from the file of failed records of a summary.
fn refused(place: &Place, summary: &Value) -> BTreeMap<u64, String> {
    let file = summary["inputs"][0]["failed_file"].as_str().expect("a file of failed records");
    let text = std::fs::read_to_string(place.path(file)).expect("readable");
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    let reason = |record: &Value| record["errors"][0]["message"].as_str().unwrap_or("").to_owned();
    records.map(|record| (record["row"].as_u64().expect("a row"), reason(&record))).collect()
}

#[test]
fn rows_that_break_a_constraint_are_failed_records() {
    let place = Place::new().file(
        "t.csv",
        "k,name,price,county,code\n\
         1,a,10,16,x1\n\
         2,,20,16,x2\n\
         3,c,-5,16,x3\n\
         4,d,30,99,x4\n\
         1,e,40,16,x5\n\
         6,f,50,16,x1\n\
         7,g,60,16,old\n\
         ,h,70,16,x8\n\
         9,i,80,16,x9\n",
    );
    duck(
        &place,
        "CREATE TABLE counties (co INTEGER PRIMARY KEY); INSERT INTO counties VALUES (16); \
         CREATE TABLE t (k INTEGER PRIMARY KEY, name VARCHAR NOT NULL, price INTEGER CHECK (price >= 0), \
           county INTEGER REFERENCES counties (co), code VARCHAR UNIQUE, state VARCHAR DEFAULT 'FL'); \
         INSERT INTO t VALUES (100, 'old', 1, 16, 'old', 'GA')",
    );
    let (code, summary) = ingest(&place, &["t.csv"], &[]);
    assert_eq!(
        (code, count(&summary, "inserted"), count(&summary, "rejected")),
        (3, 2, 7),
        "{summary}"
    );
    let rows = "SELECT k, name, price, county, code, state FROM t ORDER BY k";
    assert_eq!(ask(&place, rows), "1,a,10,16,x1,FL\n9,i,80,16,x9,FL\n100,old,1,16,old,GA");
    let refused = refused(&place, &summary);
    assert_eq!(refused.keys().copied().collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9]);
    for (row, words) in
        [(3, "name"), (4, "price"), (5, "county"), (6, "k"), (7, "code"), (8, "code"), (9, "k")]
    {
        assert!(refused[&row].contains(words), "row {row}: {}", refused[&row]);
    }
    consistent(&place);
    let output = place.output(&["verify", "latest", "--table", "t", "--to", TO]);
    assert!(output.status.success(), "{output:?}");
    // What stood in the way of one row is gone: that row is loaded, the others are refused again.
    duck(&place, "INSERT INTO counties VALUES (99)");
    let file = summary["inputs"][0]["failed_file"].as_str().expect("a file");
    let more = ["reprocess-failures", file, "--to", TO, "--format", "json", "--progress", "none"];
    let output = place.output(&more);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(ask(&place, "SELECT k, county FROM t WHERE county = 99"), "4,99");
    assert_eq!(ask(&place, "SELECT count(*) FROM t"), "4");
    consistent(&place);
}

#[test]
fn many_rows_of_few_bad_ones_are_loaded_in_any_size_of_commit() {
    let rows = (0..20_000).map(|row| match row % 4_000 {
        17 => format!("{row},-1\n"),
        18 => format!("{},5\n", row - 1_000),
        _ => format!("{row},{}\n", row % 7),
    });
    let place = Place::new().file("t.csv", &format!("k,v\n{}", rows.collect::<String>()));
    duck(&place, "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER CHECK (v >= 0))");
    let more = ["--commit-rows", "3000", "--chunk-rows", "700"];
    let (code, summary) = ingest(&place, &["t.csv"], &more);
    // 5 of -1, and 5 whose key is that of an earlier row; one of them is no row: 18 - 1000.
    assert_eq!((code, count(&summary, "rejected")), (3, 9), "{summary}");
    let sums = ask(&place, "SELECT count(*), sum(k), min(v), count(DISTINCT k) FROM t");
    let kept = |row: &i64| !matches!(row % 4_000, 17 | 18);
    let sum: i64 = (0..20_000).filter(kept).sum::<i64>() + (18 - 1_000);
    assert_eq!(sums, format!("19991,{sum},0,19991"));
    consistent(&place);
}

#[test]
fn values_are_cast_or_refused_and_never_changed() {
    let cases: [(&str, &[&str], &[&str], &str); 9] = [
        ("HUGEINT", &["170141183460469231731687303715884105727", "-5"], &["1.5", "x"], "v"),
        ("TINYINT", &["127", "-128", "5.0"], &["128", "1.5"], "v"),
        ("UBIGINT", &["18446744073709551615", "0"], &["-1"], "v"),
        ("DECIMAL(5,1)", &["1234.5", "-0.5", "7.0"], &["1.25", "12345"], "v"),
        ("FLOAT", &["0.5", "16777216", "-2.25"], &["16777217", "0.123456789"], "v"),
        ("UUID", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], &["a0eebc99", "x"], "v"),
        ("TIME", &["10:00:00", "23:59:59.5"], &["25:00:00", "x"], "v"),
        ("ENUM ('red', 'green')", &["red", "green"], &["blue", "Red"], "v"),
        ("VARCHAR", &["02035", " x", "1e3", "true"], &[], "v"),
    ];
    for (ty, good, bad, column) in cases {
        let cells = good.iter().chain(bad).enumerate();
        let rows: String = cells.map(|(at, cell)| format!("{at},{cell}\n")).collect();
        let place = Place::new().file("t.csv", &format!("k,{column}\n{rows}"));
        duck(&place, &format!("CREATE TABLE t (k INTEGER, v {ty})"));
        let (code, summary) = ingest(&place, &["t.csv"], &["--no-fix"]);
        assert_eq!(code, if bad.is_empty() { 0 } else { 3 }, "{ty}: {summary}");
        let right: String =
            good.iter().enumerate().map(|(at, cell)| format!("({at}, '{cell}'::{ty}),")).collect();
        let wrong = format!(
            "SELECT count(*) FROM (VALUES {}) AS r(k, v) FULL JOIN t USING (k) WHERE r.v IS DISTINCT FROM t.v",
            right.trim_end_matches(',')
        );
        assert_eq!(
            ask(&place, &wrong),
            "0",
            "{ty}: {}",
            ask(&place, "SELECT k, v::VARCHAR FROM t")
        );
        if !bad.is_empty() {
            let rows: Vec<_> = refused(&place, &summary).into_keys().collect();
            let first = good.len() as u64 + 2;
            assert_eq!(rows, (first..first + bad.len() as u64).collect::<Vec<_>>(), "{ty}");
        }
        consistent(&place);
        let output = place.output(&["verify", "latest", "--table", "t", "--no-fix", "--to", TO]);
        assert!(output.status.success(), "{ty}: {output:?}");
    }
}

#[test]
fn a_file_without_rows_or_values_goes_into_any_table() {
    let make = "CREATE TABLE t (k INTEGER, d DATE, b BLOB, u UUID); INSERT INTO t (k) VALUES (1)";
    let place = Place::new().file("t.csv", "k,d,b,u\n").file("u.csv", "k,d,u\n2,,\n3,,\n");
    duck(&place, make);
    let (code, _) = ingest(&place, &["t.csv"], &[]);
    assert!(matches!(code, 0 | 6), "{code}");
    let (code, summary) = ingest(&place, &["u.csv"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "inserted")), (0, 2), "{summary}");
    assert_eq!(ask(&place, "SELECT k, d, u FROM t ORDER BY k"), "1,,\n2,,\n3,,");
    consistent(&place);
}

/// Constraints compare values, though the cells of such columns come as texts.
#[test]
fn constraints_compare_the_values_of_casts() {
    let place =
        Place::new().file("t.csv", "id,lo,hi\n7,9.00,10.00\n+7,1,2\n8,10.00,9.00\n9.0,-5,-4.5\n");
    duck(
        &place,
        "CREATE TABLE t (id SMALLINT PRIMARY KEY, lo DECIMAL(10,2), hi DECIMAL(10,2), CHECK (lo <= hi))",
    );
    let (code, summary) = ingest(&place, &["t.csv"], &[]);
    assert_eq!((code, count(&summary, "rejected")), (3, 2), "{summary}");
    assert_eq!(ask(&place, "SELECT id, lo, hi FROM t ORDER BY id"), "7,9.00,10.00\n9,-5.00,-4.50");
    assert_eq!(refused(&place, &summary).into_keys().collect::<Vec<_>>(), [3, 4]);
    consistent(&place);
}
