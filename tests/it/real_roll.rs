//! A real roll: the sales of one county and year as published, loaded, loaded again, superseded by a
//! final release, and compared with their files; into a DuckDB file and into a server.
//!
//! The file is public but not part of this project. `ROLLS_DIR` names the folder that holds it;
//! without it the test says that it had nothing to do.

use super::pg_server::{Server, ask, loads};
use super::support::Place;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

const FILE: &str = "SDF16P202501.zip";
const FINAL: &str = "SDF16F202501.csv";
const ROWS: u64 = 95_332;

fn roll() -> Option<PathBuf> {
    let folder = std::env::var_os("ROLLS_DIR").filter(|folder| !folder.is_empty())?;
    // Relative to the project: that is where the scripts stand.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(FILE);
    assert!(path.is_file(), "ROLLS_DIR is set, but there is no {}", path.display());
    Some(path)
}

fn answer(place: &Place, to: &str, sql: &str) -> String {
    ask(place, to, sql).lines().nth(1).unwrap_or_default().to_owned()
}

/// The final release, made of the roll: every hundredth sale has another price, the last ten sales are
/// gone, and five are new. Gives the numbers of these.
fn make_final(place: &Place, file: &Path) -> (u64, u64, u64) {
    let mut archive =
        zip::ZipArchive::new(std::fs::File::open(file).expect("it is there")).expect("a zip");
    let mut text = String::new();
    archive.by_index(0).expect("a member").read_to_string(&mut text).expect("text");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let header: Vec<_> = lines[0].trim_end().split(',').map(str::to_owned).collect();
    let at = |name: &str| header.iter().position(|known| known == name).expect("a column");
    let (price, id) = (at("SALE_PRC"), at("SALE_ID_CD"));
    lines.truncate(lines.len() - 10);
    let set = |line: &str, field: usize, value: String| {
        let mut fields: Vec<_> = line.split(',').map(str::to_owned).collect();
        assert_eq!(fields.len(), header.len(), "a comma within a field");
        fields[field] = value;
        fields.join(",")
    };
    let changed: Vec<_> = (1..lines.len()).step_by(100).collect();
    for row in &changed {
        lines[*row] = set(&lines[*row], price, format!("{}", 7_000_000 + row));
    }
    let new: Vec<_> = (0..5).map(|n| set(&lines[n + 2], id, format!("\"NEW{n}\""))).collect();
    lines.extend(new);
    std::fs::write(place.path(FINAL), lines.join("\r\n") + "\r\n").expect("ours");
    (changed.len() as u64, 10, 5)
}

fn verified(place: &Place, to: &str, run: &Value) -> Value {
    let run = run["run"].as_str().expect("an id");
    let output =
        place.output(&["verify", run, "--to", to, "--format", "json", "--progress", "none"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let verified: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(output.status.code(), Some(0), "{verified}");
    verified["inputs"][0].clone()
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that had nothing to do must say so")]
fn the_sales_of_broward_2025_load_whole_and_once_and_are_superseded() {
    let Some(file) = roll() else {
        eprintln!("NOT RUN: set ROLLS_DIR to a folder with {FILE} to test with the real roll");
        return;
    };
    let server = Server::start();
    let url = server.url();
    for to in ["duckdb:t.duckdb", url.as_str()] {
        let place = Place::new();
        let (changed, gone, new) = make_final(&place, &file);
        let input = file.display().to_string();
        let first = loads(&place, to, &[&input], &[]);
        for (fate, count) in [("read", ROWS), ("inserted", ROWS), ("rejected", 0)] {
            assert_eq!(first["tally"][fate], count, "{to} {fate}");
        }
        let keys = "SELECT concat(count(*), ',', count(DISTINCT concat_ws('|', co_no, parcel_id, \
                    sale_id_cd))) AS n FROM sales";
        let both = |rows: u64| format!("\"{rows},{rows}\"");
        assert_eq!(answer(&place, to, keys), both(ROWS), "{to}");
        let types = "SELECT lower(data_type) AS t FROM information_schema.columns \
                     WHERE table_name = 'sales' AND column_name = 'sale_prc'";
        assert_eq!(answer(&place, to, types), "bigint", "whole dollars");
        assert_eq!(answer(&place, to, "SELECT count(*) AS n FROM sales WHERE sale_prc < 0"), "0");
        assert_eq!(verified(&place, to, &first)["same"], ROWS);

        let again = loads(&place, to, &[&input], &[]);
        assert_eq!(again["status"], "already_loaded", "{to}");
        assert_eq!(answer(&place, to, keys), both(ROWS), "{to}");

        let last = loads(&place, to, &[FINAL], &[]);
        let expected = [
            ("read", ROWS - gone + new),
            ("updated", changed),
            ("inserted", new),
            ("unchanged", ROWS - gone - changed),
        ];
        for (fate, count) in expected {
            assert_eq!(last["tally"][fate], count, "{to} {fate}: {}", last["tally"]);
        }
        assert_eq!(answer(&place, to, keys), both(ROWS + new), "{to}");
        assert_eq!(verified(&place, to, &last)["same"], ROWS - gone + new);
        let then = verified(&place, to, &first);
        assert_eq!(
            (&then["same"], &then["later"]),
            (&(ROWS - changed).into(), &changed.into()),
            "{to}"
        );
        // The preliminary release changes nothing any more, under whatever name and number it comes.
        let copy = place.path("SDF16P202502.csv");
        std::fs::write(&copy, std::fs::read(place.path(FINAL)).expect("made")).expect("ours");
        let late = loads(&place, to, &["SDF16P202502.csv"], &[]);
        assert_eq!(late["tally"]["superseded"], ROWS - gone + new, "{to}: {}", late["tally"]);
    }
}
