//! What `etl profile` tells of files of every format, what it proposes, and what has changed.

use crate::support::{Place, roll};
use serde_json::Value;
use std::path::Path;

fn profile(place: &Place, arguments: &[&str]) -> Value {
    let output = place.output(&[&["profile", "--format", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a profile")
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}

const FORMATS: [&str; 11] = [
    "csv/SDF16P202501_clean.csv",
    "excel/SDF16P202501_ids_as_numbers.xlsx",
    "excel/SDF16P202501_binary.xlsb",
    "excel/SDF16P202501_old.xls",
    "excel/SDF16P202501_open.ods",
    "excel/SDF16P202501_cell_errors.xlsx",
    "packed/SDF16P202501.csv.gz",
    "packed/SDF16P202501.csv.zst",
    "packed/two_members.zip",
    "parquet/types.parquet",
    "parquet/nested.parquet",
];

#[test]
fn every_format_has_a_profile() {
    for name in FORMATS {
        let told = profile(&Place::new(), &[&fixture(name)]);
        let rows = told["profiles"][0]["rows"].as_u64().expect("rows");
        let columns = told["profiles"][0]["columns"].as_array().expect("columns");
        assert!(rows > 0 && !columns.is_empty(), "{name}: {told}");
    }
}

#[test]
fn a_roll_is_known_by_its_columns_and_keys() {
    let place = Place::new();
    roll(&place, &["nal", "--rows", "3000", "--out", "NAL16P202501.csv"]);
    let told = profile(&place, &["NAL16P202501.csv"]);
    let told = &told["profiles"][0];
    assert_eq!((told["kind"].as_str(), told["rows"].as_u64()), (Some("nal"), Some(3_000)));
    assert_eq!(told["keys"][0][0], "parcel_id");
    let text = place.run(&["profile", "NAL16P202501.csv"]);
    for part in ["exit: 0", "3,000 rows · 165 columns", "every row has its own parcel_id", "jv "] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn the_file_keeps_the_rules_that_are_proposed_from_it() {
    let place = Place::new();
    roll(&place, &["nal", "--rows", "3000", "--out", "NAL16P202501.csv"]);
    let plain = "code,name,price,day,left,right,sold,size\n".to_owned()
        + &(0..600)
            .map(|n| {
                format!(
                    "A{:03},o'x{n},{}.5,2025-01-{:02},{},{},{}/{}/2025,{}E+20\n",
                    n % 9,
                    n * 31 % 900,
                    n % 28 + 1,
                    n / 30,
                    n % 30,
                    n % 12 + 1,
                    n % 28 + 1,
                    n % 7
                )
            })
            .collect::<String>();
    let place = place.file("plain.csv", &plain);
    for file in ["NAL16P202501.csv", "plain.csv"] {
        let rules = format!("{file}.rules.toml");
        profile(&place, &[file, "--write-rules", &rules]);
        let text = std::fs::read_to_string(place.path(&rules)).expect("rules");
        assert!(text.contains("unique = true") && text.contains("not_null"), "{text}");
        // What cleaning changes is told too, but is no rule.
        let arguments = ["check", file, "--rules", &rules, "--no-fix", "--format", "json"];
        let output = place.output(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        let problems = summary["inputs"][0]["problems"].as_array().expect("problems");
        // Rules of the pack have capitals.
        let own = |problem: &&Value| !problem["rule"].as_str().unwrap_or_default().contains('-');
        let own: Vec<_> = problems.iter().filter(own).collect();
        assert!(own.is_empty(), "{file}: {own:?}\n{text}");
        let again = place.output(&["profile", file, "--write-rules", &rules]);
        assert_eq!(again.status.code(), Some(2), "rules may have been edited");
    }
}

#[test]
fn drift_against_an_earlier_profile_is_told() {
    let place = Place::new();
    roll(&place, &["sdf", "--rows", "900", "--out", "SDF16P202501.csv"]);
    let first = profile(&place, &["SDF16P202501.csv"]);
    let text = serde_json::to_string(&first).expect("JSON");
    let place = place.file("old.json", &text);
    let same = profile(&place, &["SDF16P202501.csv", "--against", "old.json"]);
    assert_eq!(same["drift"][0], Value::Array(Vec::new()), "nothing has changed");
    let sold = std::fs::read_to_string(place.path("SDF16P202501.csv")).expect("the roll");
    // Every price in cents, and a qualification code that was not there.
    let mut reader = csv::Reader::from_reader(sold.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let at = |name: &str| header.iter().position(|h| h == name).expect("a column");
    let (price, code) = (at("SALE_PRC"), at("QUAL_CD"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).expect("memory takes all");
    for record in reader.records() {
        let record = record.expect("a sound roll");
        let cells = record.iter().enumerate().map(|(field, cell)| match field {
            _ if field == price && cell != "0" => format!("{cell}00"),
            _ if field == code => "77".to_owned(),
            _ => cell.to_owned(),
        });
        writer.write_record(cells).expect("memory takes all");
    }
    let changed = String::from_utf8(writer.into_inner().expect("memory")).expect("UTF-8");
    let place = place.file("SDF16P202502.csv", &changed);
    let told = profile(&place, &["SDF16P202502.csv", "--against", "old.json"]);
    let drift = told["drift"][0].as_array().expect("changes");
    let has = |column: &str, kind: &str| {
        drift.iter().any(|change| change["column"] == column && change["kind"] == kind)
    };
    assert!(has("sale_prc", "median") && has("qual_cd", "new_values"), "{drift:#?}");
}
