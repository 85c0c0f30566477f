//! Rolls into tables that were there before, with names and types of their own.

use super::pg_server::{Server, ask, consistent, load, loads};
use super::roll::{self, Row, parcel, sale};
use super::support::Place;
use serde_json::Value;

/// As somebody else has made them: names, lengths, floats, defaults, generated columns.
const PARCELS: &str = "
CREATE TABLE public.florida_parcels (
  id bigserial PRIMARY KEY, parcel_id varchar(50) NOT NULL, county varchar(50) NOT NULL,
  year int NOT NULL, geometry jsonb, owner_name varchar(255), owner_addr1 varchar(255),
  owner_addr2 varchar(255), owner_city varchar(100), owner_state varchar(2), owner_zip varchar(10),
  phy_addr1 varchar(255), phy_addr2 varchar(255), phy_city varchar(100),
  phy_state varchar(2) DEFAULT 'FL', phy_zipcd varchar(10), legal_desc text, property_use varchar(10),
  just_value float, assessed_value float, taxable_value float, land_value float, building_value float,
  year_built int, total_living_area float, units int, land_sqft float, land_acres float,
  sale_date timestamp, sale_price float, sale_qualification varchar(10), data_source varchar(20),
  import_date timestamp DEFAULT now(), UNIQUE (parcel_id, county, year))";
const SALES: &str = "
CREATE TABLE public.property_sales_history (
  id bigserial PRIMARY KEY, county_no varchar(10) NOT NULL, parcel_id varchar(50) NOT NULL,
  state_parcel_id varchar(50), assessment_year int, atv_start varchar(10), group_no varchar(10),
  dor_use_code varchar(10), neighborhood_code varchar(20), market_area varchar(10),
  census_block varchar(20), sale_id_code varchar(50), sale_change_code varchar(10),
  verification_code varchar(10), or_book varchar(20), or_page varchar(20), clerk_no varchar(50),
  quality_code varchar(10), sale_year int NOT NULL, sale_month int NOT NULL, sale_price bigint,
  multi_parcel_sale varchar(5), rs_id varchar(20), mp_id varchar(20),
  sale_date date GENERATED ALWAYS AS (make_date(sale_year, sale_month, 1)) STORED)";

fn with(mut row: Row, cells: &[(&'static str, &str)]) -> Row {
    for (name, value) in cells {
        row.retain(|(known, _)| known != name);
        row.push((name, (*value).to_owned()));
    }
    row
}

fn parcels(value: i64) -> String {
    let more = [
        ("LND_VAL", "100"),
        ("LND_SQFOOT", "87120"),
        ("SALE_PRC1", "350000"),
        ("SALE_YR1", "2024"),
        ("SALE_MO1", "05"),
        ("QUAL_CD1", "01"),
        ("ACT_YR_BLT", "1999"),
        ("PHY_CITY", "DAVIE"),
    ];
    let rows = [
        with(parcel(16, 1, 1_000, "SMITH"), &more),
        with(parcel(16, 2, value, "JONES"), &more),
        with(parcel(16, 3, 3_000, "DOE"), &[("DOR_UC", "bad")]),
    ];
    roll::file("nal", &rows)
}

#[test]
fn a_parcel_roll_goes_into_a_table_of_other_names() {
    let server = Server::start();
    let to = server.url();
    server.psql(PARCELS);
    let place = Place::new()
        .file("NAL16P202501.csv", &parcels(2_000))
        .file("NAL16F202501.csv", &parcels(2_500));
    let mapped = ["--mapping", "florida_parcels"];
    // What is missing is one list, with the statement.
    let output =
        place.output(&[&["ingest", "NAL16P202501.csv", "--to", &to][..], &mapped].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{told}");
    assert!(
        told.contains("--evolve adds what is missing") && told.contains("\"_etl_hash\""),
        "{told}"
    );
    assert!(!told.contains("own_name"), "{told}");
    let more = [&mapped[..], &["--evolve"]].concat();
    let summary = loads(&place, &to, &["NAL16P202501.csv"], &more);
    assert_eq!(summary["tally"]["inserted"].as_u64(), Some(2), "{summary}");
    assert_eq!(
        server.psql(
            "SELECT parcel_id, county, year, owner_name, just_value, land_value, building_value, \
               land_acres, sale_date, sale_price, year_built, phy_state, data_source, _etl_release, id \
             FROM florida_parcels ORDER BY parcel_id LIMIT 1"
        ),
        "474100000001|BROWARD|2025|SMITH|1000|100|900|2|2024-05-01 00:00:00|350000|1999|FL|\
         DOR_NAL_P1_2025|2025P01|1"
    );
    let again = loads(&place, &to, &["NAL16P202501.csv"], &more);
    assert_eq!(again["status"], "already_loaded");
    // The final release changes one parcel, and the tag of no other: that which it confirms is not written.
    let summary = loads(&place, &to, &["NAL16F202501.csv"], &more);
    let count = |fate: &str| summary["tally"][fate].as_u64();
    assert_eq!(
        (count("updated"), count("unchanged"), count("inserted")),
        (Some(1), Some(1), Some(0))
    );
    assert_eq!(
        server.psql(
            "SELECT string_agg(just_value || ' ' || data_source || ' ' || _etl_release, ', ' ORDER BY \
               parcel_id) FROM florida_parcels"
        ),
        "1000 DOR_NAL_P1_2025 2025P01, 2500 DOR_NAL_F1_2025 2025F01"
    );
    consistent(&server, "florida_parcels");
    // A corrected row comes back through the same mapping, without its name.
    let failed = place.output(&["failures", "export", "latest", "--to", &to, "--format", "csv"]);
    let told = String::from_utf8_lossy(&[failed.stdout, failed.stderr].concat()).into_owned();
    assert!(failed.status.success(), "{told}");
    let rule = ["--rule", "NAL-14=warning", "--format", "json", "--progress", "none"];
    let output = place.output(&[&["reprocess-failures", "--to", &to][..], &rule].concat());
    let replayed: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(replayed["tally"]["inserted"].as_u64(), Some(1), "{replayed}");
    assert_eq!(server.psql("SELECT count(*) FROM florida_parcels"), "3");
}

#[test]
fn sales_have_a_key_that_survives_empty_books_and_pages() {
    let server = Server::start();
    let to = server.url();
    server.psql(SALES);
    let file = |price: &str| {
        // No book, no page, no clerk's number; one sale without its month.
        let rows = [
            sale(1, price),
            sale(2, "200"),
            with(sale(4, "300"), &[("SALE_MO", "")]),
            sale(5, "200"),
        ];
        roll::file("sdf", &rows)
    };
    let place =
        Place::new().file("SDF16P202501.csv", &file("100")).file("SDF16F202501.csv", &file("150"));
    let more = ["--mapping", "property_sales_history", "--evolve", "--rule", "SDF-09=off"];
    let (code, _, told) = load(&place, &to, &["SDF16P202501.csv"], &more);
    assert_eq!(code, 7, "{told}");
    assert!(told.contains("CREATE UNIQUE INDEX ON") && !told.contains("pkey"), "{told}");
    server
        .psql("CREATE UNIQUE INDEX ON property_sales_history (county_no, parcel_id, sale_id_code)");
    let summary = loads(&place, &to, &["SDF16P202501.csv"], &more);
    let count = |summary: &Value, fate: &str| summary["tally"][fate].as_u64().expect("a count");
    assert_eq!((count(&summary, "inserted"), count(&summary, "rejected")), (3, 1), "{summary}");
    assert_eq!(
        server.psql(
            "SELECT string_agg(concat_ws(' ', county_no, sale_price, sale_date), ', ' ORDER BY \
               sale_id_code) FROM property_sales_history"
        ),
        "16 100 2024-05-01, 16 200 2024-05-01, 16 200 2024-05-01"
    );
    let summary = loads(&place, &to, &["SDF16F202501.csv"], &more);
    assert_eq!((count(&summary, "updated"), count(&summary, "unchanged")), (1, 2), "{summary}");
    assert_eq!(
        server.psql("SELECT count(*), sum(sale_price) FROM property_sales_history"),
        "3|550"
    );
    consistent(&server, "property_sales_history");
    let wrong =
        place.output(&["ingest", "SDF16P202501.csv", "--to", &to, "--mapping", "florida_parcels"]);
    assert_eq!(wrong.status.code(), Some(2));
}

/// Names of a table's own for where a row came from.
const MINE: &str = r#"
table = "mine"
kind = "nal"
key = ["parcel_id"]
[columns]
parcel_id = { sql = "parcel_id" }
value = { sql = "jv", type = "BIGINT" }
loaded_by = { provenance = "run" }
file = { provenance = "source" }
line = { provenance = "row" }
of_release = { provenance = "release" }
fingerprint = { provenance = "hash" }
loaded_at = { provenance = "loaded_at" }
"#;

#[test]
fn columns_of_ones_own_repeat_where_a_row_came_from() {
    let server = Server::start();
    let url = server.url();
    let place = Place::new()
        .file("mine.toml", MINE)
        .file("NAL16P202501.csv", &parcels(2_000))
        .file("NAL16F202501.csv", &parcels(2_500));
    let mapped = ["--mapping", "mine.toml"];
    let repeated = "SELECT count(*) AS n, count(DISTINCT loaded_by) AS runs FROM mine WHERE \
                    loaded_by = _etl_run AND file = _etl_source AND line = _etl_row AND of_release = \
                    _etl_release AND fingerprint = _etl_hash AND loaded_at = _etl_loaded_at";
    for to in ["duckdb:rolls.duckdb", url.as_str()] {
        for (file, left) in [("NAL16P202501.csv", "2,1"), ("NAL16F202501.csv", "2,2")] {
            loads(&place, to, &[file], &mapped);
            // In a file the release of the unchanged row is raised, and what repeats it is not.
            let expected = if to == url || left == "2,1" { left } else { "1,1" };
            assert_eq!(ask(&place, to, repeated), format!("n,runs\n{expected}\n"), "{to} {file}");
            let verify = ["verify", "--to", to, "--mapping", "mine.toml", "--quiet"];
            let output = place.output(&verify);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
}
