//! Rules of the user's own: what they find, what they refuse, and where a mistake in them stands.

use crate::support::Place;
use serde_json::Value;
use std::fmt::Write as _;

const RULES: &str = r#"
[rules]
"day_fresh_days" = "info"

[[rule]]
id = "dear"
level = "critical"
columns = ["price", "kind"]
ok = "kind <> 'land' OR price < 900000"
message = "land for {price}"

[[rule]]
columns = ["name", "kind"]
not_null = true

[[rule]]
column = "price"
min = 1
max = 2000000

[[rule]]
column = "zip"
pattern = "[0-9]{5}"

[[rule]]
column = "kind"
set = ["land", "house"]

[[rule]]
id = "town"
column = "town"
reference = "towns.csv"
reference_column = "name"

[[rule]]
columns = ["name", "zip"]
unique = true

[[rule]]
column = "day"
fresh_days = 30

[[rule]]
column = "price"
outlier = 50.0
"#;

/// 2,000 sound rows, then some that are not.
fn listings() -> String {
    let mut text = "name,kind,price,zip,town,day\n".to_owned();
    for n in 0..2_000 {
        let kind = ["land", "house"][n % 2];
        let price = 100_000 + n * 7_919 % 1_000 * 300;
        writeln!(text, "n{n},{kind},{price},33{:03},DAVIE,2020-01-{:02}", n % 1_000, n % 28 + 1)
            .expect("memory takes all");
    }
    text + ",house,200000,33001,DAVIE,2020-01-01\n\
        x1,barn,200000,33001,DAVIE,2020-01-01\n\
        x2,house,0,3300,DAVIE,2020-01-01\n\
        x3,house,999000000,33001,DAVY,2020-01-01\n\
        n5,land,950000,33005,DAVIE,2020-01-01\n\
        n7,house,200000,33007,DAVIE,2020-01-01\n"
}

fn place(rules: &str) -> Place {
    let towns = "code,name\n1,DAVIE\n2,PLANTATION\n";
    Place::new().file("a.csv", &listings()).file("rules.toml", rules).file("towns.csv", towns)
}

fn told(summary: &Value) -> Vec<(String, String, u64)> {
    let problems = summary["inputs"][0]["problems"].as_array().expect("problems");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |problem: &Value| {
        let severity = text(&problem["severity"]);
        (text(&problem["rule"]), severity, problem["count"].as_u64().unwrap_or_default())
    };
    let mut told: Vec<_> = problems.iter().map(one).collect();
    told.sort();
    told
}

#[test]
fn every_check_finds_its_rows() {
    let place = place(RULES);
    let arguments = ["check", "a.csv", "--rules", "rules.toml", "--format", "json"];
    let output = place.output(&[&arguments[..], &["--chunk-rows", "300"]].concat());
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    let expected = [
        ("day_fresh_days", "info", 1),
        ("dear", "critical", 1),
        ("kind_set", "warning", 1),
        // The row of `dear` is refused: only n7 is left to repeat a key.
        ("name_kind_not_null", "warning", 1),
        ("name_zip_unique", "warning", 1),
        ("price_outlier", "warning", 1),
        ("price_range", "warning", 2),
        ("town", "warning", 1),
        ("zip_pattern", "warning", 1),
    ];
    let expected = expected.map(|(rule, level, count)| (rule.to_owned(), level.to_owned(), count));
    assert_eq!(told(&summary), expected);
    let problems = summary["inputs"][0]["problems"].as_array().expect("problems");
    let of = |rule: &str| problems.iter().find(|problem| problem["rule"] == rule).expect("told");
    assert_eq!(of("price_outlier")["examples"][0]["place"]["row"], 2_005);
    assert_eq!(of("name_zip_unique")["examples"][0]["place"]["row"], 2_007);
    let value = of("name_zip_unique")["examples"][0]["value"].as_str().expect("a value");
    assert!(value.contains("n7, 33007") && value.contains("row 9"), "{value}");
}

#[test]
fn findings_do_not_depend_on_threads_and_chunks() {
    let found = |more: &[&str]| {
        let place = place(RULES);
        let arguments = ["check", "a.csv", "--rules", "rules.toml", "--format", "json"];
        let output = place.output(&[&arguments[..], more].concat());
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        summary["inputs"][0]["problems"].clone()
    };
    let alone = found(&["-j", "1"]);
    assert_eq!(alone, found(&["-j", "4", "--chunk-rows", "37"]));
}

#[test]
fn a_critical_rule_refuses_the_row_and_a_changed_one_loads_the_file_again() {
    let place = place(RULES);
    let arguments = ["ingest", "a.csv", "--rules", "rules.toml", "--mode", "replace"];
    let output = place.output(&arguments);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let files = std::fs::read_dir(place.path("")).expect("the folder");
    let mut files = files.map(|file| file.expect("an entry").path());
    let failed = files.find(|file| file.to_string_lossy().ends_with(".failed.jsonl"));
    let failed = std::fs::read_to_string(failed.expect("a file")).expect("failed records");
    assert!(failed.contains("land for 950000") && failed.contains("\"dear\""), "{failed}");
    let again = place.output(&[&arguments[..], &["--rule", "dear=warning"]].concat());
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn a_mistake_is_found_before_a_row_is_read_and_drawn() {
    for (rules, place_of, parts) in [
        ("[[rule]]\ncolumn = \"prise\"\nnot_null = true\n", "rules.toml:3:12", ["prise", "price"]),
        (
            "[[rule]]\ncolumn = \"price\"\nok = \"price >> 'x' +\"\n",
            "rules.toml:3:6",
            ["price_ok", "DuckDB"],
        ),
        (
            "[[rule]]\ncolumn = \"price\"\nok = \"prise > 1\"\n",
            "rules.toml:3:6",
            ["prise", "DuckDB"],
        ),
        ("[[rule]]\ncolumn = \"name\"\noutlier = 5.0\n", "rules.toml:3:11", ["numbers", "VARCHAR"]),
        ("[[rule]]\ncolumn = \"name\"\npatern = \"x\"\n", "rules.toml:3:1", ["patern", "rule"]),
        (
            "[[rule]]\ncolumn = \"name\"\nlevel = \"critical\"\nunique = true\n",
            "rules.toml:4:10",
            ["all rows", "warning"],
        ),
    ] {
        let place = place(rules);
        let output = place.output(&["ingest", "a.csv", "--rules", "rules.toml"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(place_of) && text.contains('╭'), "{place_of}:\n{text}");
        parts.iter().for_each(|part| assert!(text.contains(part), "{part}:\n{text}"));
    }
}
