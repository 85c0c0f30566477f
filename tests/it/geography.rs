//! Coordinates, zones and distances: from files of the user, with the precision said.

use crate::support::Place;
use std::process::Output;

const HEADER: &str = "CO_NO,PARCEL_ID,FILE_T,ASMNT_YR,JV,OWN_NAME,PHY_ADDR1,PHY_ZIPCD";
const ROWS: [&str; 5] = [
    "16,474119030010,R,2025,400000,SMITH JOHN,12 OAK ST,33314",
    "16,474119030020,R,2025,200000,SMITH JOHN,14 OAK ST,33314",
    "16,474119030030,R,2025,200000,JONES ANN,16 OAK ST,33314",
    "16,474119030040,R,2025,200000,JONES ANN,,",
    "16,474119030050,R,2025,200000,JONES ANN,20 OAK ST,33314",
];

/// The first as written, the second with hyphens, the fifth at the other end of the state, and one that no
/// row asks for. The first two share a point, as flats do.
const PLACES: &str = "FOLIO,lat,lon\n\
    474119030010,26.07,-80.22\n\
    4741-19-03-0020,26.07,-80.22\n\
    474119030050,30.44,-84.28\n\
    999999999999,26.0,-80.2\n";

const ZONES: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature",
    "properties":{"FLD_ZONE":"AE","name":"x"},"geometry":{"type":"Polygon","coordinates":
    [[[-80.3,26.0],[-80.2,26.0],[-80.2,26.1],[-80.3,26.1],[-80.3,26.0]]]}}]}"#;

const COAST: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},
    "geometry":{"type":"LineString","coordinates":[[-80.12,25.0],[-80.12,27.0]]}}]}"#;

fn place() -> Place {
    let text = format!("{HEADER}\r\n{}\r\n", ROWS.join("\r\n"));
    Place::new()
        .file("NAL16P202501.csv", &text)
        .file("places.csv", PLACES)
        .file("zones.geojson", ZONES)
        .file("coast.geojson", COAST)
}

const ALL: [&str; 6] = [
    "--locations",
    "places.csv",
    "--layer",
    "flood_zone=zones.geojson#FLD_ZONE",
    "--distance",
    "coast_metres=coast.geojson",
];

fn ingest(place: &Place, arguments: &[&str]) -> Output {
    let done = place.output(&[&["ingest", "NAL16P202501.csv"], arguments].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done
}

fn lines(place: &Place, sql: &str) -> Vec<String> {
    let told = place.output(&["sql", sql, "--format", "csv"]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).expect("the program writes UTF-8");
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn rows_get_their_places_and_what_lies_there() {
    let place = place();
    let done = ingest(&place, &[&ALL[..], &["--format", "json"]].concat());
    let sql = "SELECT match_status, location_precision, latitude, flood_zone, \
               CAST(coast_metres / 1000 AS INTEGER) FROM parcels ORDER BY parcel_id";
    assert_eq!(
        lines(&place, sql),
        [
            "matched,parcel,26.07,AE,10",
            "matched_loosely,parcel,26.07,AE,10",
            // In the middle of its ZIP code: nothing is said of zones and distances.
            "roll_only,zip,26.0679,,",
            "roll_only,,,,",
            "matched,parcel,30.44,,553"
        ]
    );
    let told: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let facts = told["inputs"][0]["facts"].to_string();
    for fact in [
        r#"["places matched",2]"#,
        r#"["places matched loosely",1]"#,
        r#"["places without a row",1]"#,
        r#"["points by ZIP",1]"#,
        r#"["rows without a point",1]"#,
        r#"["points asked of layers",3]"#,
        r#"["of these from memory",1]"#,
    ] {
        assert!(facts.contains(fact), "{fact} in {facts}");
    }
    // A point in Tallahassee is no parcel of Broward.
    let outside = "SELECT rule, count FROM etl.problems WHERE severity = 'warning'";
    assert!(lines(&place, outside).contains(&"county_of_location,1".to_owned()));
}

#[test]
fn chunks_and_threads_change_nothing() {
    let rows = |arguments: &[&str]| {
        let place = place();
        ingest(&place, &[&ALL[..], arguments].concat());
        lines(&place, "SELECT * EXCLUDE (_etl_run, _etl_loaded_at) FROM parcels ORDER BY parcel_id")
    };
    assert_eq!(rows(&["--chunk-rows", "1", "-j", "2"]), rows(&["-j", "1"]));
}

#[test]
fn zip_codes_alone_need_no_file() {
    let place = place();
    ingest(&place, &["--locations", "zip"]);
    let sql = "SELECT count(latitude), min(location_precision) FROM parcels";
    assert_eq!(lines(&place, sql), ["4,zip"]);
    let sql = "SELECT count(*) FROM (DESCRIBE parcels) WHERE column_name = 'match_status'";
    assert_eq!(lines(&place, sql), ["0"], "no ids were looked for");
}

#[test]
fn a_table_with_coordinates_of_its_own_is_held_against_layers() {
    let table = "shop,latitude,longitude\nA,26.05,-80.25\nB,27.5,-80.25\nC,,\n";
    let place = place().file("shops.csv", table);
    let layers = ["--layer", "zone=zones.geojson", "--distance", "coast_metres=coast.geojson"];
    let done = place.output(&[&["ingest", "shops.csv"][..], &layers].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let sql = "SELECT shop, zone, CAST(coast_metres AS INTEGER) // 1000 FROM shops ORDER BY shop";
    assert_eq!(lines(&place, sql), ["A,x,12", "B,,57", "C,,"]);
}

#[test]
fn another_file_of_places_is_another_load() {
    let place = place();
    ingest(&place, &ALL);
    let again = String::from_utf8_lossy(&ingest(&place, &ALL).stdout).into_owned();
    assert!(again.contains("already loaded"), "{again}");
    std::fs::write(place.path("places.csv"), PLACES.replace("30.44,-84.28", "26.1,-80.3"))
        .expect("written");
    ingest(&place, &ALL);
    let sql = "SELECT latitude FROM parcels WHERE parcel_id = '474119030050'";
    assert_eq!(lines(&place, sql), ["26.1"]);
}

#[test]
fn places_may_be_masked() {
    let place = place();
    let masks = ["--mask", "latitude:null", "--mask", "longitude:drop"];
    ingest(&place, &[&ALL[..], &masks].concat());
    assert_eq!(lines(&place, "SELECT count(latitude), count(flood_zone) FROM parcels"), ["0,2"]);
}

#[test]
fn mistakes_are_found_before_a_row_is_read() {
    let refused = |arguments: &[&str], code: i32, why: &str| {
        let place = place().file("feet.csv", "folio,x,y\n1,930000.5,640000\n");
        let done = place.output(&[&["ingest", "NAL16P202501.csv"], arguments].concat());
        let told = String::from_utf8_lossy(&done.stderr).replace('\n', " ");
        assert_eq!(done.status.code(), Some(code), "{told}");
        assert!(told.contains(why), "{told}");
        assert!(!place.path("etl.duckdb").exists(), "nothing was loaded");
    };
    refused(&["--layer", "zones.geojson"], 2, "not named");
    refused(&["--layer", "Zone=zones.geojson"], 2, "lower-case");
    refused(&["--layer", "zone=zones.geojson"], 2, "--locations FILE");
    refused(&["--locations", "none.csv"], 2, "cannot be read");
    refused(&["--locations", "feet.csv"], 6, "state-plane");
    refused(&["--locations", "zones.geojson", "--layer", "jv=zones.geojson"], 2, "is taken");
    refused(&["--locations", "places.csv", "--layer", "z=zones.geojson#ZONE"], 6, "property ZONE");
}

/// A file of places larger than the memory that is left ends the run before it begins.
#[test]
fn what_does_not_fit_into_memory_is_said() {
    let mut text = String::from("folio,lat,lon\n");
    for at in 0..400_000 {
        text.push_str(&format!("{at},26,-80\n"));
    }
    let place = place().file("many.csv", &text);
    let small = ["--locations", "many.csv", "--memory-limit", "320MiB"];
    let done = place.output(&[&["ingest", "NAL16P202501.csv"][..], &small].concat());
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(8), "{told}");
    assert!(told.contains("E104") && told.contains("does not fit"), "{told}");
    ingest(&place, &["--locations", "many.csv"]);
}

#[test]
fn a_load_with_places_is_verified_with_them() {
    let place = place();
    ingest(&place, &ALL);
    let held = place.output(&[&["verify"][..], &ALL].concat());
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    let other = place.output(&["verify"]);
    let told = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(2), "{told}");
    assert!(told.contains("other settings"), "{told}");
}

/// In a table of no kind an id and a ZIP code of digits may be numbers, and are found all the same.
#[test]
fn ids_of_digits_are_found_in_any_table() {
    let table = "folio,zip,price\n474119030010,33314,5\n474119030099,33314,6\n1,2,7\n";
    let place = place().file("listings.csv", table);
    let done = place.output(&[
        "ingest",
        "listings.csv",
        "--locations",
        "places.csv",
        "--type-of",
        "folio=BIGINT",
        "--type-of",
        "zip=INTEGER",
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let sql = "SELECT typeof(folio), match_status, location_precision FROM listings ORDER BY price";
    assert_eq!(
        lines(&place, sql),
        ["BIGINT,matched,parcel", "BIGINT,roll_only,zip", "BIGINT,roll_only,"]
    );
}
