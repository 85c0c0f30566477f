//! A real roll: the sales of one county and year as published, loaded twice.
//!
//! The file is public but not part of this project. `ROLLS_DIR` names the folder that holds it;
//! without it the test says that it had nothing to do.

use crate::support::Place;
use serde_json::Value;
use std::path::{Path, PathBuf};

const FILE: &str = "SDF16P202501.zip";
const ROWS: u64 = 95_332;

fn roll() -> Option<PathBuf> {
    let folder = std::env::var_os("ROLLS_DIR").filter(|folder| !folder.is_empty())?;
    // Relative to the project: that is where the scripts stand.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(FILE);
    assert!(path.is_file(), "ROLLS_DIR is set, but there is no {}", path.display());
    Some(path)
}

fn ingest(place: &Place, file: &Path) -> Value {
    let file = file.display().to_string();
    let output = place.output(&["ingest", &file, "--to", "duckdb:t.duckdb", "--format", "json"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("a summary")
}

fn answer(place: &Place, sql: &str) -> String {
    let output = place.output(&["sql", sql, "--to", "duckdb:t.duckdb", "--format", "csv"]);
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that had nothing to do must say so")]
fn the_sales_of_broward_2025_load_whole_and_once() {
    let Some(file) = roll() else {
        eprintln!("NOT RUN: set ROLLS_DIR to a folder with {FILE} to test with the real roll");
        return;
    };
    let place = Place::new();
    let first = ingest(&place, &file);
    assert_eq!(first["tally"]["read"], ROWS);
    assert_eq!(first["tally"]["inserted"], ROWS);
    assert_eq!(first["tally"]["rejected"], 0);
    let keys = "SELECT count(*), count(DISTINCT (co_no, parcel_id, sale_id_cd)) FROM sales";
    assert_eq!(answer(&place, keys), format!("{ROWS},{ROWS}"));
    let types = "SELECT data_type FROM information_schema.columns \
                 WHERE table_name = 'sales' AND column_name = 'sale_prc'";
    assert_eq!(answer(&place, types), "BIGINT", "whole dollars");
    assert_eq!(answer(&place, "SELECT count(*) FROM sales WHERE sale_prc < 0"), "0");

    let again = ingest(&place, &file);
    assert_eq!(again["status"], "already_loaded");
    assert_eq!(answer(&place, keys), format!("{ROWS},{ROWS}"));
}
