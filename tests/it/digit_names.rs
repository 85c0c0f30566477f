//! Columns whose digits are names, and whole numbers that a float has given a fraction of zeros.

use super::column_names::duck;
use super::loaded::{TO, ask, count, ingest, loads};
use super::roll;
use super::support::Place;

const TYPES: &str = "SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_name = 't' \
                     AND column_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY ordinal_position";

#[test]
fn digits_that_are_names_stay_text() {
    let place = Place::new().file(
        "t.csv",
        "id,folio,Parcel No,ZIP Code,zip_count,parcel area,Account Balance,geoid,phone,long_id,fee\n\
         1,3141,77,33601,4,100,5,12086,8135551234,12345678901,7\n\
         2,3142,78,33602,5,200,6,12087,8135551235,12345678902,8\n",
    );
    loads(&place, &["t.csv"], &[]);
    assert_eq!(
        ask(&place, TYPES),
        "id INTEGER\nfolio VARCHAR\nparcel_no VARCHAR\nzip_code VARCHAR\nzip_count INTEGER\n\
         parcel_area INTEGER\naccount_balance INTEGER\ngeoid VARCHAR\nphone VARCHAR\nlong_id VARCHAR\nfee INTEGER"
    );
    let rows = "SELECT folio, parcel_no, zip_code, phone FROM t ORDER BY id";
    assert_eq!(ask(&place, rows), "3141,77,33601,8135551234\n3142,78,33602,8135551235");
    // What the user says comes first, and a table that is there before both.
    let place = Place::new().file("t.csv", "id,zip\n12345678901,33601\n12345678902,33602\n");
    loads(&place, &["t.csv"], &["--type-of", "zip=INTEGER"]);
    assert_eq!(ask(&place, TYPES), "id VARCHAR\nzip INTEGER");
    let place = Place::new().file("t.csv", "id,zip\n1,33601\n2,33602\n");
    duck(&place, "CREATE TABLE t (id VARCHAR, zip INTEGER)");
    loads(&place, &["t.csv"], &[]);
    assert_eq!(ask(&place, "SELECT id, zip FROM t ORDER BY 1"), "1,33601\n2,33602");
}

#[test]
fn a_table_of_whole_numbers_takes_fractions_of_zeros_and_counts_them() {
    let place = Place::new()
        .file("t.csv", "k,n,p\n1,180.0,250000.00\n2,7,2024.00000\n3,1.5,3\n4,-0.0,1000.0\n");
    duck(&place, "CREATE TABLE t (k INTEGER, n INTEGER, p BIGINT)");
    let (code, summary) = ingest(&place, &["t.csv"], &[]);
    assert_eq!((code, count(&summary, "rejected")), (3, 1), "{summary}");
    assert!(summary.to_string().contains("1.5"), "{summary}");
    assert_eq!(ask(&place, "SELECT k, n, p FROM t ORDER BY k"), "1,180,250000\n2,7,2024\n4,0,1000");
    // A plain column keeps the scale that it shows.
    let place = Place::new().file("t.csv", "k,n\n1,180.0\n2,7.5\n");
    loads(&place, &["t.csv"], &[]);
    assert_eq!(ask(&place, "SELECT n FROM t ORDER BY k"), "180.0\n7.5");
}

/// A real roll's files come out of pandas with `.0` behind every whole number.
#[test]
fn a_roll_that_went_through_floats_has_the_same_values() {
    let plain = roll::sales(400);
    let header = plain.lines().next().expect("a header");
    let whole = ["SALE_PRC", "SALE_YR", "SALE_MO", "ASMNT_YR", "CO_NO"];
    let names: Vec<_> = header.split(',').map(|name| name.trim_matches('"')).collect();
    let floats: String = plain
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let cells = line.split(',').zip(&names).map(|(cell, name)| {
                let is_number = at > 0 && whole.contains(name) && !cell.is_empty();
                if is_number && cell.bytes().all(|b| b.is_ascii_digit()) {
                    format!("{cell}.0")
                } else {
                    cell.to_owned()
                }
            });
            cells.collect::<Vec<_>>().join(",") + "\n"
        })
        .collect();
    assert_ne!(plain, floats);
    let rows = |content: &str| {
        let place = Place::new().file("SDF16P202501.csv", content);
        let summary = loads(&place, &["SDF16P202501.csv"], &[]);
        assert_eq!(count(&summary, "rejected"), 8, "{summary}");
        let output = place.output(&["verify", "latest", "--to", TO]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let columns = "parcel_id, sale_prc, sale_yr, sale_mo, asmnt_yr, co_no";
        ask(&place, &format!("SELECT {columns} FROM sales ORDER BY ALL"))
    };
    assert_eq!(rows(&floats), rows(&plain));
}
