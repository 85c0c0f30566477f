//! `etl config`: values, origins, mistakes.

use super::support::Place;

fn place() -> Place {
    // What the machine would decide is said, so that the answer is the same everywhere.
    Place::new().env("ETL_THREADS", "2").env("ETL_MEMORY_LIMIT", "256MiB")
}

#[test]
fn every_value_names_its_origin() {
    let place =
        place().file("home/.config/etl/config.toml", "progress = 'log'\nwriters = 2\n").file(
            "etl.toml",
            "to = 'duckdb:rolls.duckdb'\nwriters = 3\n[profile.nightly]\nmode = 'merge'\n\
             [agent.enrich]\nenabled = false\n[rules]\n'FILE-04' = 'warning'\n",
        );
    let place = if cfg!(target_os = "linux") {
        place
    } else {
        let home = place.path("home/.config").display().to_string();
        place.env("XDG_CONFIG_HOME", &home)
    };
    let shown = place.run(&[
        "config",
        "show",
        "--profile",
        "nightly",
        "--max-error-rate",
        "5%",
        "--rule",
        "SDF-01=off",
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn settings_are_also_json() {
    let output = place().output(&["config", "show", "--format", "json", "--year", "2025"]);
    let entries: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let find = |key: &str| {
        let entries = entries.as_array().expect("a list");
        entries.iter().find(|entry| entry["key"] == key).cloned().expect("a known key")
    };
    assert_eq!(find("year")["value"], 2025);
    assert_eq!(find("year")["origin"], "--year");
    assert_eq!(find("threads")["origin"], "ETL_THREADS");
    assert_eq!(find("memory_limit")["value"], "256MiB");
    assert_eq!(find("county")["origin"], serde_json::Value::Null);
}

#[test]
fn a_mistake_in_the_file_is_drawn() {
    let shown =
        place().file("etl.toml", "threads = 2\n\nmemry_limit = \"1g\"\n").run(&["config", "show"]);
    insta::assert_snapshot!(shown);
}

#[test]
fn a_mistake_is_json_for_scripts() {
    let place = place().file("etl.toml", "mode = \"merg\"\n");
    insta::assert_snapshot!(place.run(&["config", "show", "--format", "json"]));
}

#[test]
fn a_slip_in_a_variable_is_told() {
    let output = place().env("ETL_TABEL", "x").output(&["config", "show"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told.trim_end(), "warning: ETL_TABEL is not read; did you mean ETL_TABLE?");
    assert!(output.status.success());
}

#[test]
fn a_named_file_must_exist() {
    let shown = place().run(&["config", "show", "--config", "nowhere.toml"]);
    assert!(shown.starts_with("exit: 2\n"), "{shown}");
    assert!(shown.contains("error: nowhere.toml: there is no such file"), "{shown}");
}

#[test]
fn secrets_are_never_shown() {
    let place = place().env("ETL_TO", "postgres://ann:s3cret@host/db");
    for arguments in [&["config", "show"][..], &["ingest", "a.csv"], &["doctor"], &["runs", "list"]]
    {
        let shown = place.run(arguments);
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    assert!(place.run(&["config", "show"]).contains("postgres://ann:***@host/db"));
}

#[test]
fn the_schema_is_the_committed_one() {
    let output = place().output(&["config", "schema"]);
    let printed = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    let committed = include_str!("../../src/config/schema.json").replace("\r\n", "\n");
    // The two texts would fill the screen many times over.
    assert!(printed == committed, "run `etl config schema > src/config/schema.json`");
}
