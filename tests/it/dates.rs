//! Dates: a year has four digits, and the order of day and month is decided by evidence for the whole column.

use super::loaded::{TO, ask, consistent, count, ingest, loads};
use super::support::Place;

const TYPES: &str = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't' \
                     AND column_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY ordinal_position";

/// Loads one file as table `t` and returns its rows, in the order of `k`, and all that was said.
fn loaded(content: &str, columns: &str, more: &[&str]) -> (String, String) {
    let place = Place::new().file("t.csv", content);
    let summary = loads(&place, &["t.csv"], more);
    (ask(&place, &format!("SELECT {columns} FROM t ORDER BY k")), summary.to_string())
}

#[test]
fn a_year_has_four_digits() {
    let content = "k,a,b,c\n1,04/15/91,12/28/19,04/15/199\n2,12/31/99,01/02/20,12/31/1999\n";
    let (rows, _) = loaded(content, "a, b, c", &[]);
    assert_eq!(rows, "04/15/91,12/28/19,04/15/199\n12/31/99,01/02/20,12/31/1999");
    let plan = Place::new().file("t.csv", content).run(&["plan", "t.csv", "-v", "--to", TO]);
    assert!(plan.contains("a year has four digits"), "{plan}");
    let more = ["--date-format", "a=%m/%d/%y"];
    let (rows, told) = loaded(content, "a, b", &more);
    assert_eq!(rows, "1991-04-15,12/28/19\n1999-12-31,01/02/20", "{told}");
    // Years of old are written with four digits.
    let (rows, _) = loaded("k,a\n1,0001-01-01\n2,1582-10-10\n", "a", &[]);
    assert_eq!(rows, "0001-01-01\n1582-10-10");
}

#[test]
fn one_order_that_fits_all_rows_is_used_wherever_the_proof_stands() {
    let mut content = String::from("k,a,b\n");
    for row in 0..30_000 {
        let (a, b) =
            if row == 29_999 { ("25/12/2012", "12/25/2012") } else { ("02/01/2013", "02/01/2013") };
        content.push_str(&format!("{row:05},{a},{b}\n"));
    }
    let place = Place::new().file("t.csv", &content);
    loads(&place, &["t.csv"], &[]);
    // Each proves its own order.
    let rows = "SELECT min(a), max(a), min(b), max(b), count(*) FROM t";
    assert_eq!(ask(&place, rows), "2012-12-25,2013-01-02,2012-12-25,2013-02-01,30000");
}

#[test]
fn evidence_decides_in_its_order() {
    let day = |told: &str| told.contains("no row proves");
    // A sibling column proves the day in front.
    let (rows, told) = loaded("k,a,b\n1,02/01/2014,31/12/2013\n2,03/04/2014,\n", "a, b", &[]);
    assert_eq!(rows, "2014-01-02,2013-12-31\n2014-04-03,");
    assert!(!day(&told), "{told}");
    // Two siblings that prove opposite orders prove nothing for a third.
    let content =
        "k,a,b,c\n1,02/01/2014,31/12/2013,12/31/2013\n2,03/04/2014,30/12/2013,12/30/2013\n";
    let (rows, told) = loaded(content, "a, b, c", &[]);
    assert_eq!(rows, "2014-02-01,2013-12-31,2013-12-31\n2014-03-04,2013-12-30,2013-12-30");
    assert!(day(&told), "{told}");
    // A decimal comma.
    let (rows, told) = loaded("k;a;p\n1;02/01/2014;1,5\n2;03/04/2014;12,25\n", "a, p", &[]);
    assert_eq!(rows, "2014-01-02,\"1,5\"\n2014-04-03,\"12,25\"");
    assert!(!day(&told), "{told}");
    // The header.
    let (rows, told) =
        loaded("k,a (dd/mm/yyyy)\n1,02/01/2014\n2,03/04/2014\n", "a_dd_mm_yyyy", &[]);
    assert_eq!(rows, "2014-01-02\n2014-04-03");
    assert!(!day(&told), "{told}");
    // The first of each month.
    let (rows, told) = loaded("k,a\n1,01/02/2014\n2,01/03/2014\n3,01/04/2014\n", "a", &[]);
    assert_eq!(rows, "2014-02-01\n2014-03-01\n2014-04-01");
    assert!(!day(&told), "{told}");
}

#[test]
fn without_evidence_the_setting_decides_and_it_is_always_told() {
    let content = "k,a\n1,02/01/2014\n2,03/04/2014\n";
    for (order, right) in [
        ("mdy", "2014-02-01\n2014-03-04"),
        ("dmy", "2014-01-02\n2014-04-03"),
        ("text", "02/01/2014\n03/04/2014"),
    ] {
        let (rows, told) = loaded(content, "a", &["--date-order", order]);
        assert_eq!(rows, right);
        assert!(told.contains("--date-order"), "{order}: {told}");
    }
    let place = Place::new().file("t.csv", content);
    let plan = place.run(&["plan", "t.csv", "--to", TO]);
    assert!(plan.contains("--date-order"), "{plan}");
}

#[test]
fn the_order_of_files_makes_no_difference() {
    let files = [
        ("d/a.csv", "k,a\n1,02/01/2014\n"),
        ("d/b.csv", "k,a\n2,31/12/2014\n"),
        ("d/c.csv", "k,a\n3,\n"),
    ];
    let right = "1,2014-01-02\n2,2014-12-31\n3,";
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let place = files.iter().fold(Place::new(), |place, (name, text)| place.file(name, text));
        let inputs: Vec<_> = order.iter().map(|at| files[*at].0).collect();
        loads(&place, &inputs, &["--table", "t"]);
        assert_eq!(ask(&place, "SELECT k, a FROM t ORDER BY k"), right);
    }
    let one = Place::new().file("t.csv", "k,a\n1,02/01/2014\n2,31/12/2014\n3,\n");
    loads(&one, &["t.csv"], &[]);
    assert_eq!(ask(&one, "SELECT k, a FROM t ORDER BY k"), right);
    assert_eq!(ask(&one, TYPES), "k,INTEGER\na,DATE");
}

#[test]
fn a_replay_and_a_verification_read_the_order_of_the_load() {
    let place = Place::new().file("t.csv", "k,a\n1,02/01/2014\n2,31/12/2014\n");
    loads(&place, &["t.csv"], &[]);
    // Into the table of dates: a cell that is none is refused, the others prove the day in front.
    let place = place.file("u.csv", "k,a\n3,05/06/2014\n4,30/06/2014\n5,7/8/14\n");
    let (code, summary) = ingest(&place, &["u.csv"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    let file =
        summary["inputs"][0]["failed_file"].as_str().expect("a file of failed records").to_owned();
    let text = std::fs::read_to_string(place.path(&file)).expect("readable");
    assert!(text.contains("7/8/14"), "{text}");
    std::fs::write(place.path(&file), text.replace("7/8/14", "07/08/2014")).expect("writable");
    let output = place.output(&["reprocess-failures", &file, "--to", TO, "--table", "t"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        ask(&place, "SELECT k, a FROM t ORDER BY k"),
        "1,2014-01-02\n2,2014-12-31\n3,2014-06-05\n4,2014-06-30\n5,2014-08-07"
    );
    consistent(&place);
    let runs = ask(&place, "SELECT DISTINCT _etl_run FROM t WHERE k < 5 ORDER BY 1");
    for run in runs.lines() {
        let output = place.output(&["verify", run, "--to", TO, "--table", "t"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn earlier_loads_are_followed_and_what_they_assumed_is_told_once_it_is_wrong() {
    let place = Place::new().file("d/1.csv", "k,a\n1,02/01/2014\n");
    let summary = loads(&place, &["d"], &["--table", "t"]);
    assert!(summary["inputs"][0]["warnings"].to_string().contains("no row proves it"), "{summary}");
    let place = place.file("d/2.csv", "k,a\n2,31/12/2014\n");
    let plan = place.run(&["plan", "d", "--table", "t", "--to", TO]);
    let words = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("its dates were read as month/day/year when it was loaded"), "{plan}");
    let summary = loads(&place, &["d"], &["--table", "t"]);
    let told = summary["inputs"][0]["warnings"].to_string();
    assert!(told.contains("--fresh loads it again") && !told.contains("date_order"), "{told}");
    // Alone, a file of which nothing proves the order is read as those before it.
    let place = place.file("3.csv", "k,a\n3,05/06/2014\n");
    let summary = loads(&place, &["3.csv"], &["--table", "t"]);
    let told = summary["inputs"][0]["warnings"].to_string();
    assert!(told.contains("as in earlier loads of this table"), "{told}");
    loads(&place, &["d/1.csv", "d/2.csv"], &["--table", "t", "--fresh"]);
    assert_eq!(
        ask(&place, "SELECT k, a FROM t ORDER BY k"),
        "1,2014-01-02\n2,2014-12-31\n3,2014-06-05"
    );
    let (code, summary) = ingest(&place, &["3.csv"], &["--table", "t"]);
    assert_eq!((code, summary["status"].as_str()), (0, Some("already_loaded")), "{summary}");
    let output = place.output(&["verify", "latest", "--to", TO, "--table", "t"]);
    assert!(output.status.success(), "{output:?}");
    // And turned, where that is wrong.
    let place = place.file("4.csv", "k,a\n4,05/06/2014\n");
    loads(&place, &["4.csv"], &["--table", "t", "--date-format", "a=%m/%d/%Y"]);
    assert_eq!(ask(&place, "SELECT a FROM t WHERE k = 4"), "2014-05-06");
}

/// A file whose own rows prove an order is read in it, whatever stands in files beside it.
#[test]
fn a_file_that_proves_its_order_is_not_overruled_by_another() {
    let place = Place::new()
        .file("0.csv", "k,a\n0,2024-01-01\n")
        .file("d/1.csv", "k,a\n1,13/01/2024\n2,05/06/2024\n")
        .file("d/2.csv", "k,a\n3,04/13/2024\n4,05/06/2024\n");
    loads(&place, &["0.csv"], &["--table", "t"]);
    let summary = loads(&place, &["d"], &["--table", "t"]);
    assert_eq!(count(&summary, "rejected"), 0, "{summary}");
    let right = "0,2024-01-01\n1,2024-01-13\n2,2024-06-05\n3,2024-04-13\n4,2024-05-06";
    assert_eq!(ask(&place, "SELECT k, a FROM t ORDER BY k"), right);
    // What is asked for goes before earlier loads.
    let place = place.file("5.csv", "k,a\n5,02/01/2015\n");
    loads(&place, &["5.csv"], &["--table", "t", "--date-order", "mdy"]);
    assert_eq!(ask(&place, "SELECT a FROM t WHERE k = 5"), "2015-02-01");
}
