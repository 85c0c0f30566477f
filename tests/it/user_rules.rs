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
            "[[rule]]\ncolumn = \"name\"\nkinds = [\"nall\"]\nnot_null = true\n",
            "rules.toml:4:12",
            ["`nall`", "nal"],
        ),
        (
            "[[rule]]\nid = \"NAL-01\"\ncolumn = \"name\"\nnot_null = true\n",
            "rules.toml:4:12",
            ["the pack has a rule", "call it otherwise"],
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

/// A list says 1, and a column of numbers with decimals writes 1.0 or 1.00.
#[test]
fn a_list_of_numbers_holds_for_decimals() {
    let rules = "[[rule]]\ncolumns = [\"size\", \"rate\"]\nset = [1, 20, \"2.5\"]\n";
    let table = "size,rate\n1,1.000\n20,2.500\n2.5,20.000\n3,1.000\n1E+0,10.000\n";
    let place = Place::new().file("a.csv", table).file("rules.toml", rules);
    let output = place.output(&[&["check", "a.csv"], &TO[..]].concat());
    let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    // 3 in one column, 10.000 in the other.
    let one = ("size_rate_set".to_owned(), "warning".to_owned(), 1);
    assert_eq!(told(&summary), [one.clone(), one]);
}

/// Rules about all rows of a run.
const ALL: &str = "[[rule]]\nid = \"once\"\ncolumns = [\"name\", \"zip\"]\nunique = true\n\n\
    [[rule]]\nid = \"far\"\ncolumn = \"price\"\noutlier = 50.0\n\n\
    [[rule]]\nid = \"new\"\ncolumn = \"day\"\nfresh_days = 30\n";

const TO: [&str; 4] = ["--rules", "rules.toml", "--format", "json"];

/// Lines of `listings`, cut into two files: repeats and the outlier stand in the second.
fn two_files() -> Place {
    let text = listings();
    let lines: Vec<_> = text.lines().collect();
    let half = |rows: &[&str]| format!("{}\n{}\n", lines[0], rows.join("\n"));
    place(ALL).file("a.csv", &half(&lines[1..1_000])).file("b.csv", &half(&lines[1_000..]))
}

fn loaded(place: &Place, arguments: &[&str]) -> Value {
    let output = place.output(&[&["ingest"], arguments, &TO].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{told}");
    serde_json::from_slice(&output.stdout).expect("a summary")
}

/// Problems of an input, those of a rule.
fn of<'v>(summary: &'v Value, input: usize, rule: &str) -> Option<&'v Value> {
    let problems = summary["inputs"][input]["problems"].as_array().expect("problems");
    problems.iter().find(|problem| problem["rule"] == rule)
}

/// Findings as they are compared: those of all inputs.
fn findings(summary: &Value) -> Vec<Value> {
    let inputs = summary["inputs"].as_array().expect("inputs");
    inputs.iter().map(|input| input["problems"].clone()).collect()
}

#[test]
fn rules_about_all_rows_hold_over_all_files_of_a_run() {
    let place = two_files();
    let both = ["a.csv", "b.csv", "--table", "t", "--mode", "append"];
    let summary = loaded(&place, &both);
    assert_eq!(summary["tally"]["inserted"], 2_006);
    assert!(of(&summary, 0, "once").is_none(), "the first file repeats nothing");
    let once = of(&summary, 1, "once").expect("n5 and n7 stand in both files");
    assert_eq!((&once["count"], &once["severity"]), (&Value::from(2), &Value::from("warning")));
    let value = once["examples"][0]["value"].as_str().expect("a value");
    assert_eq!(value, "n5, 33005 (first in row 7 of a.csv)");
    let far = of(&summary, 1, "far").expect("the median is that of both files");
    assert_eq!((&far["count"], &far["examples"][0]["place"]["row"]), (&1.into(), &1_006.into()));
    assert!(of(&summary, 0, "new").is_none() && of(&summary, 1, "new").is_some());
    // A check tells the same.
    let output = place.output(&[&["check"], &both[..4], &TO].concat());
    let checked: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(findings(&checked), findings(&summary));
    // And so does the ledger.
    let output = place.output(&["runs", "show", "latest", "--format", "json"]);
    let stored: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(findings(&stored), findings(&summary));
}

#[test]
fn a_file_that_was_loaded_before_counts_where_it_is_named_again() {
    let place = two_files();
    let table = ["--table", "t", "--mode", "append"];
    loaded(&place, &[&["a.csv"][..], &table].concat());
    let summary = loaded(&place, &[&["a.csv", "b.csv"][..], &table].concat());
    assert!(summary["inputs"][0]["already_loaded_by"].is_string());
    assert_eq!(of(&summary, 1, "once").expect("told")["count"], 2);
    assert_eq!(of(&summary, 1, "far").expect("told")["count"], 1);
    // Alone it knows nothing of the other file.
    let alone = two_files();
    let summary = loaded(&alone, &[&["b.csv"][..], &table].concat());
    assert!(of(&summary, 0, "once").is_none());
}

/// A file whose last rows cannot be read, and settings by which a load commits now and then.
fn halves() -> (Place, [&'static str; 9]) {
    let place = place(ALL).file("a.csv", &(listings() + "too,few\n"));
    let small = ["--commit-rows", "500", "--chunk-rows", "200", "--writers", "1"];
    let [commit, rows, chunk, size, writers, one] = small;
    (place, ["a.csv", commit, rows, chunk, size, writers, one, "--mode", "append"])
}

#[test]
fn rules_about_all_rows_are_told_after_a_resume_as_without_one() {
    let (place, arguments) = halves();
    let stopped =
        place.output(&[&["ingest"], &arguments[..], &TO, &["--max-errors", "0"]].concat());
    assert_eq!(stopped.status.code(), Some(4), "{}", String::from_utf8_lossy(&stopped.stderr));
    let resumed = loaded(&place, &arguments);
    assert!(resumed["inputs"][0]["resumed_from"].as_u64().is_some_and(|row| row > 1_000));
    let (other, arguments) = halves();
    let whole = loaded(&other, &arguments);
    assert_eq!(whole["inputs"][0]["resumed_from"], Value::Null);
    assert_eq!(findings(&resumed), findings(&whole));
    assert_eq!(resumed["tally"], whole["tally"]);
    for rule in ["once", "far", "new"] {
        assert!(of(&resumed, 0, rule).is_some(), "{rule}");
    }
}

#[test]
fn a_critical_rule_about_all_rows_ends_a_file_before_its_last_commit() {
    for rule in ["once", "far", "new"] {
        let place = place(ALL);
        let level = format!("{rule}=critical");
        let critical = ["ingest", "a.csv", "--rules", "rules.toml", "--rule", &level];
        let output = place.output(&critical);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("(rule {rule})")), "{told}");
        assert!(told.contains(&format!("--rule {rule}=warning")), "{told}");
        assert!(told.contains("nothing of this file was committed"), "{told}");
        let output = place.output(&["check", "a.csv", "--rules", "rules.toml", "--rule", &level]);
        assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
        let output = place.output(&["ingest", "a.csv", "--rules", "rules.toml"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_was_committed_before_a_critical_rule_was_broken_can_be_taken_back() {
    for (on_abort, rows) in [("keep", "2000\n"), ("rollback", "0\n")] {
        let (place, arguments) = halves();
        let more = ["--rule", "once=critical", "--on-abort", on_abort];
        let output = place.output(&[&["ingest"], &arguments[..], &TO, &more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let told = place.output(&["sql", "SELECT count(*) FROM a", "--format", "csv"]);
        assert!(String::from_utf8_lossy(&told.stdout).ends_with(rows), "{on_abort}");
    }
}

#[test]
fn rules_that_nobody_would_check_are_refused() {
    let output =
        place(RULES).output(&["ingest", "a.csv", "--rules", "rules.toml", "--agents", "none"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--agents validate"), "{told}");
}

/// A rule that cannot be decided on some rows.
const CASTS: &str = "[[rule]]\nid = \"town_code\"\nlevel = \"critical\"\ncolumns = [\"town\", \"kind\"]\n\
    ok = \"CAST(town AS INTEGER) < 1_900 OR kind = 'barn'\"\n\n\
    [[rule]]\nid = \"dear\"\ncolumn = \"price\"\nok = \"price < 900000\"\n";

/// 2,000 towns by number, of which every hundredth is a name; 99 of those above 1,900 break the rule.
fn coded() -> Place {
    let mut text = "kind,price,town\n".to_owned();
    for n in 0..2_000 {
        let town = if n % 100 == 7 { format!("DAVIE {n}") } else { n.to_string() };
        writeln!(text, "land,{},{town}", if n == 3 { 950_000 } else { 1 }).expect("memory");
    }
    Place::new().file("a.csv", &text).file("rules.toml", CASTS)
}

#[test]
fn rows_on_which_a_rule_fails_are_counted_and_the_others_judged() {
    let run = |more: &[&str]| {
        let place = coded();
        let output = place.output(&[&["ingest", "a.csv"], &TO[..], more].concat());
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(
            (&summary["tally"]["rejected"], &summary["tally"]["inserted"]),
            (&99.into(), &1_901.into())
        );
        summary["inputs"][0]["problems"].clone()
    };
    let problems = run(&["-j", "1"]);
    let undecided = problems.as_array().expect("problems").iter();
    let undecided = undecided.clone().find(|one| one["rule"] == "town_code_undecided");
    let undecided = undecided.expect("it is told");
    assert_eq!(
        (&undecided["count"], &undecided["severity"], &undecided["examples"][0]["value"]),
        (&20.into(), &"warning".into(), &"DAVIE 7, land".into())
    );
    let message = undecided["message"].as_str().expect("a message");
    assert!(
        message.contains("the rule town_code cannot be decided: Conversion Error"),
        "{message}"
    );
    assert!(!message.contains("DAVIE"), "{message}");
    assert!(problems.as_array().expect("problems").iter().any(|one| one["rule"] == "dear"));
    assert_eq!(run(&["-j", "3", "--chunk-rows", "11"]), problems);
}
