//! Layers, origins and what the machine decides.

use super::*;
use crate::run::Mode;

const MACHINE: Machine = Machine { memory: None, threads: 3 };

fn call() -> Call {
    Call { inputs: vec!["a.csv".into()], version: "0".into(), ..Call::default() }
}

fn origin(loaded: &Loaded, key: &str) -> String {
    let entries = loaded.settings.entries();
    let entry = entries.iter().find(|entry| entry.key == key).expect("a known key");
    entry.origin.as_ref().map_or_else(String::new, ToString::to_string)
}

fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the temporary folder is writable");
    path
}

#[test]
fn the_stronger_layer_wins_and_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let user = written(
        &folder,
        "user.toml",
        "threads = 5\nwriters = 5\nmode = 'append'\nfuse = false\nprogress = 'none'",
    );
    let project = written(
        &folder,
        "etl.toml",
        "threads = 6\nwriters = 6\nmode = 'merge'\nprogress = 'log'\n[profile.ci]\nthreads = 7\n\
         writers = 7\nmode = 'replace'",
    );
    let env = Env::from([("ETL_THREADS".into(), "8".into()), ("ETL_WRITERS".into(), "8".into())]);
    let flags = Partial { threads: Some(9), ..Partial::default() };
    let sources = Sources {
        user_file: Some(user.clone()),
        project_file: Some(project.clone()),
        profile: Some("ci".into()),
        env: Some(&env),
        flags,
        ..Sources::default()
    };
    let loaded = load(&sources, &MACHINE).expect("valid");
    let request = loaded.settings.request(call(), &env).expect("complete");
    assert_eq!((request.limits.threads, request.limits.writers), (9, Some(8)));
    assert_eq!(request.mode, Some(Mode::Replace));
    assert!(!request.limits.fuse);
    assert_eq!(origin(&loaded, "threads"), "--threads");
    assert_eq!(origin(&loaded, "writers"), "ETL_WRITERS");
    assert_eq!(origin(&loaded, "mode"), format!("{} [profile.ci]", project.display()));
    assert_eq!(origin(&loaded, "progress"), project.display().to_string());
    assert_eq!(origin(&loaded, "fuse"), user.display().to_string());
    assert_eq!(origin(&loaded, "pack"), "default");
}

#[test]
fn the_defaults_alone_are_a_complete_request() {
    let loaded = load(&Sources::default(), &MACHINE).expect("valid");
    let request = loaded.settings.request(call(), &Env::new()).expect("complete");
    assert_eq!(request.target, TargetUrl::Duckdb("etl.duckdb".into()));
    assert_eq!(request.agents, ["validate", "transform", "enrich"]);
    assert_eq!(request.limits.memory, 512 << 20);
    assert_eq!(request.limits.threads, 3);
    assert_eq!((request.errors.max_errors, request.errors.max_rate), (None, None));
    assert!((request.errors.warn_rate - 0.01).abs() < 1e-12);
}

#[test]
fn agents_and_rules_can_be_switched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "[agent.enrich]\nenabled = false\n[rules]\n\"FILE-04\" = \"warning\"";
    let rules = written(&folder, "rules.toml", "[rules]\n\"FILE-04\" = \"off\"\nX = \"info\"");
    let sources = Sources {
        project_file: Some(written(&folder, "etl.toml", text)),
        rules_file: Some(rules),
        ..Sources::default()
    };
    let loaded = load(&sources, &MACHINE).expect("valid");
    let request = loaded.settings.request(call(), &Env::new()).expect("complete");
    assert_eq!(request.agents, ["validate", "transform"]);
    assert_eq!(request.rule_levels["FILE-04"], "off");
    assert_eq!(request.rule_levels["X"], "info");
    assert_eq!(origin(&loaded, "rules.FILE-04"), "--rules");
}

#[test]
fn a_container_lowers_the_default_but_not_a_choice() {
    let small = Machine { memory: Some(256 << 20), threads: 1 };
    let loaded = load(&Sources::default(), &small).expect("valid");
    assert_eq!(loaded.settings.memory(), Ok(192 << 20));
    assert!(origin(&loaded, "memory_limit").starts_with("default ("));
    let flags = Partial { memory_limit: Some(ByteSize(300 << 20)), ..Partial::default() };
    let loaded = load(&Sources { flags, ..Sources::default() }, &small).expect("valid");
    assert_eq!(loaded.settings.memory(), Ok(300 << 20));
}

#[test]
fn nonsense_is_refused_before_anything_is_touched() {
    let with = |flags| {
        let loaded = load(&Sources { flags, ..Sources::default() }, &MACHINE).expect("valid");
        loaded.settings.request(call(), &Env::new()).expect_err("nonsense").message
    };
    let small = with(Partial { memory_limit: Some(ByteSize(512)), ..Partial::default() });
    assert_eq!(small, "a memory limit of 512B is too small to work with");
    let none = with(Partial { threads: Some(0), ..Partial::default() });
    assert_eq!(none, "threads must be at least 1");
    let to = "mysql://ann:s3cret@host/db".parse().ok();
    let unknown = with(Partial { to, ..Partial::default() });
    assert!(!unknown.contains("s3cret"), "{unknown}");
}

#[test]
fn an_unknown_profile_names_the_known_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sources = Sources {
        project_file: Some(written(&folder, "etl.toml", "[profile.ci]\nthreads = 1")),
        profile: Some("cu".into()),
        ..Sources::default()
    };
    let error = load(&sources, &MACHINE).expect_err("no such profile");
    assert_eq!(error.hint.as_deref(), Some("known profiles: ci"));
}

#[test]
fn a_target_may_stand_in_a_variable_or_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secret = written(&folder, "target", "duckdb:there.duckdb\n");
    let target = |to: String, env: &Env| {
        let flags = Partial { to: to.parse().ok(), ..Partial::default() };
        load(&Sources { flags, ..Sources::default() }, &MACHINE)
            .expect("valid")
            .settings
            .target(env)
    };
    let env = Env::from([("WHERE".into(), "duckdb:here.duckdb".into())]);
    assert_eq!(target("env:WHERE".into(), &env), Ok(TargetUrl::Duckdb("here.duckdb".into())));
    let file = format!("file:{}", secret.display());
    assert_eq!(target(file, &env), Ok(TargetUrl::Duckdb("there.duckdb".into())));
    let missing = target("env:NOWHERE".into(), &env).expect_err("not set");
    assert_eq!(missing.message, "--to names the variable NOWHERE, which is not set");
}
