//! Facts about a file as a whole: what stops it, what is only told, and the way out.

use crate::support::{Place, roll};

/// A place with a sound roll of parcels, each record split at its commas: no sound value holds one
/// in the columns that the tests change, because they come before the owner's name.
fn place_with(name: &str, change: impl Fn(&mut Vec<Vec<String>>)) -> Place {
    let place = Place::new();
    roll(&place, &["nal", "--rows", "120", "--out", "sound.csv"]);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(place.path("sound.csv"))
        .expect("the roll was written");
    let texts = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    let mut rows: Vec<Vec<String>> = reader
        .records()
        .map(|record| texts(record.expect("a sound roll is a sound CSV")))
        .collect();
    change(&mut rows);
    let mut writer = csv::Writer::from_path(place.path(name)).expect("the folder is writable");
    rows.iter().for_each(|row| writer.write_record(row).expect("the folder is writable"));
    writer.flush().expect("the folder is writable");
    place
}

fn column(rows: &[Vec<String>], name: &str) -> usize {
    rows[0].iter().position(|header| header == name).expect("a column of the roll")
}

/// Exit code, and all that was said on both streams.
fn ingest(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.output(&[&["ingest", "-v", "--progress", "none"], arguments].concat());
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code(), text.concat())
}

const NAME: &str = "NAL16P202501.csv";

#[test]
fn a_second_county_stops_the_file_and_the_way_out_works() {
    let place = place_with(NAME, |rows| {
        let county = column(rows, "CO_NO");
        rows[100][county] = "26".into();
    });
    let (code, text) = ingest(&place, &[NAME]);
    assert_eq!(code, Some(1));
    for part in [NAME, "row 101", "CO_NO", "\"26\"", "FILE-04", "--rule FILE-04=warning"] {
        assert!(text.contains(part), "{part} is not told:\n{text}");
    }
    let (code, text) = ingest(&place, &[NAME, "--rule", "FILE-04=warning"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1  E304 FILE-04 CO_NO"), "{text}");
}

#[test]
fn rounded_ids_stop_the_file_before_a_row_is_loaded() {
    let place = place_with(NAME, |rows| {
        let id = column(rows, "PARCEL_ID");
        rows[1..].iter_mut().for_each(|row| row[id].replace_range(6.., "000000"));
    });
    let (code, text) = ingest(&place, &[NAME]);
    assert_eq!(code, Some(1));
    assert!(text.contains("FILE-09") && text.contains("000000"), "{text}");
    assert!(!place.path("etl.duckdb").exists(), "nothing was to be made");
}

#[test]
fn a_lost_row_is_seen_by_the_numbers_of_the_others() {
    let place = place_with(NAME, |rows| drop(rows.remove(50)));
    let (code, text) = ingest(&place, &[NAME]);
    assert_eq!(code, Some(0));
    assert!(text.contains("FILE-08 SEQ_NO"), "{text}");
    let place = place_with(NAME, |rows| rows[1..].reverse());
    let (_, text) = ingest(&place, &[NAME]);
    assert!(!text.contains("FILE-08"), "another order is no loss:\n{text}");
}

#[test]
fn a_renamed_key_is_no_reason_to_load_a_plain_table() {
    let place = place_with(NAME, |rows| rows[0][1] = "PARCELID_X".into());
    let (code, text) = ingest(&place, &[NAME]);
    assert_eq!(code, Some(6), "{text}");
    assert!(text.contains("PARCEL_ID") && text.contains("--type generic"), "{text}");
}

#[test]
fn names_and_submissions_are_told_and_load() {
    let place = place_with("broward.csv", |rows| {
        let submission = column(rows, "RS_ID");
        rows[7][submission] = "ABCD".into();
    });
    let (code, text) = ingest(&place, &["broward.csv"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("FILE-01") && text.contains("1  E304 FILE-07 RS_ID"), "{text}");
    let (_, text) =
        ingest(&place, &["broward.csv", "--to", "duckdb:b.duckdb", "--rule", "FILE-01=off"]);
    assert!(!text.contains("FILE-01"), "{text}");
}

#[test]
fn sales_without_their_parcel_are_told_where_the_parcels_are_loaded() {
    let place = Place::new();
    roll(&place, &["nal", "--rows", "150", "--out", "NAL16P202501.csv"]);
    roll(&place, &["sdf", "--rows", "300", "--out", "SDF16P202501.csv"]);
    let (code, text) = ingest(&place, &["SDF16P202501.csv", "--to", "duckdb:sales.duckdb"]);
    assert_eq!(code, Some(0));
    assert!(!text.contains("SDF-03"), "no parcels are loaded there:\n{text}");
    let (code, text) = ingest(&place, &["NAL16P202501.csv", "SDF16P202501.csv"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("SDF-03"), "{text}");
}
