//! A damaged roll: every damaged row ends where the generator's truth says, and no other row does.

use crate::damage_compare::{Case, compare};
use crate::support::{Place, roll};

/// Loads a damaged roll and its clean twin, and compares.
fn judged(kind: &str, table: &str, format: &str, rows: &str, kinds_of_damage: usize) {
    let place = Place::new();
    let name = format!("{}16P202501.{format}", kind.to_uppercase());
    std::fs::create_dir(place.path("clean")).expect("the folder is writable");
    let clean = format!("clean/{name}");
    let options = [kind, "--rows", rows, "--format", format, "--damage", "4%"];
    roll(&place, &[&options[..], &["--out", &name, "--clean", &clean]].concat());
    let loaded = place.output(&["ingest", &clean, "--to", "duckdb:clean.duckdb"]);
    assert_eq!(loaded.status.code(), Some(0), "a clean roll is loaded without refusals");
    let loaded = place.output(&["ingest", &name, "--to", "duckdb:damaged.duckdb"]);
    assert_eq!(loaded.status.code(), Some(3), "some rows are refused");
    let report = compare(&Case {
        truth: place.path(&format!("{name}.truth.csv")),
        table: table.to_owned(),
        damaged: place.path("damaged.duckdb"),
        clean: place.path("clean.duckdb"),
        workbook: format == "xlsx",
        corrected: false,
    })
    .expect("both databases can be read");
    assert!(report.is_sound(), "{kind} {format}\n{report}");
    assert_eq!(report.kinds(), kinds_of_damage, "{report}");
}

#[test]
fn parcels_in_csv() {
    judged("nal", "parcels", "csv", "1500", 16);
}

#[test]
fn sales_in_csv() {
    judged("sdf", "sales", "csv", "1500", 15);
}

#[test]
fn accounts_in_csv() {
    judged("nap", "tangible_property", "csv", "1500", 11);
}

#[test]
fn parcels_in_a_workbook_with_the_address_of_each_cell() {
    judged("nal", "parcels", "xlsx", "1500", 15);
}
