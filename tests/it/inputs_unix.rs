//! Links, pipes, descriptors and rights: what only Unix has.
#![cfg(unix)]

use super::loaded::{TO, ask, consistent, fails, ingest, loads, told};
use super::support::Place;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Far above what any of these needs, also on a busy machine.
const HANG: Duration = Duration::from_secs(60);

/// Runs a command to its end, which must come.
fn ended(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > HANG {
            let _ = child.kill();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().expect("the program ends")
}

/// The program without the rights of root to read what its owner may not read. Another user could be kept
/// from starting it by the rights of the folder that it lies in.
fn without_rights(place: &Place, arguments: &[&str]) -> Output {
    let plain = place.command(arguments);
    if !rustix::process::geteuid().is_root() {
        return ended(plain);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-dac_override,-dac_read_search", "--"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.env_clear().current_dir(plain.get_current_dir().expect("commands run in the place"));
    let given = plain.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(given);
    ended(command)
}

fn pipe(place: &Place, name: &str) {
    let made = Command::new("mkfifo").arg(place.path(name)).status().expect("mkfifo starts");
    assert!(made.success());
}

/// A shell in the place.
fn shell(place: &Place, script: &str) -> (i32, String) {
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(place.path("")).env("ETL", env!("CARGO_BIN_EXE_etl"));
    let output = ended(command);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), told)
}

#[test]
fn links_that_lead_nowhere_are_errors() {
    let place = Place::new().file("d/jan.csv", "k\n1\n").file("d/feb.csv", "k\n2\n");
    symlink("nowhere/mar.csv", place.path("d/mar.csv")).expect("a link");
    symlink("round.csv", place.path("d/round.csv")).expect("a link");
    for input in ["d/*.csv", "d", "d/**/*.csv", "*/*.csv"] {
        let (code, told) = fails(&place, &[input], &["--table", "t"]);
        assert_eq!(code, 6, "{input}: {told}");
        let nowhere = "d/mar.csv: it is a link that leads nowhere: nowhere/mar.csv is not there";
        assert!(told.contains(nowhere), "{input}: {told}");
        assert!(
            told.contains("d/round.csv: it is a link that leads in a circle"),
            "{input}: {told}"
        );
    }
    let (code, told) = fails(&place, &["d/mar.csv"], &["--table", "t"]);
    assert!(code == 6 && told.contains("leads nowhere"), "{told}");
    let (code, _) = ingest(&place, &["d/*.csv"], &["--table", "t", "--keep-going"]);
    assert_eq!(code, 6);
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2");
    consistent(&place);
    let place = Place::new().file("a/x.csv", "k\n1\n");
    symlink("gone", place.path("b")).expect("a link");
    let (code, told) = fails(&place, &["[ab]/x.csv"], &["--table", "t"]);
    assert!(code == 6 && told.contains("b: it is a link that leads nowhere"), "{told}");
}

#[test]
fn links_that_lead_in_circles_end() {
    let place = Place::new().file("d/a/x.csv", "k\n1\n").file("d/b/y.csv", "k\n2\n");
    // Two ways back at each level would be as many paths as there are atoms.
    for name in ["one", "two", "three"] {
        symlink("..", place.path(&format!("d/a/{name}"))).expect("a link");
        symlink("../a", place.path(&format!("d/b/{name}"))).expect("a link");
    }
    for (input, more) in [("d", &["--recursive"][..]), ("d/**/*.csv", &[]), ("d/**", &[])] {
        std::fs::remove_file(place.path("rolls.duckdb")).ok();
        let begun = Instant::now();
        let more: Vec<_> = more.iter().copied().chain(["--table", "t"]).collect();
        let summary = loads(&place, &[input], &more);
        assert!(begun.elapsed() < HANG, "{input}");
        assert_eq!(summary["inputs"].as_array().map(Vec::len), Some(2), "{input}: {summary}");
        assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2", "{input}");
    }
}

#[test]
fn what_may_not_be_read_says_so() {
    let place = Place::new()
        .file("d/open.csv", "k\n1\n")
        .file("d/shut.csv", "k\n2\n")
        .file("d/sub/x.csv", "k\n3\n");
    let shut = |name: &str| {
        let path = place.path(name);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).expect("ours");
        path
    };
    let paths = [shut("d/shut.csv"), shut("d/sub")];
    let to = ["--to", TO, "--table", "t"];
    let run = |input: &str, more: &[&str]| {
        let mut all = vec!["ingest", input];
        all.extend(to);
        all.extend(more);
        let output = without_rights(&place, &all);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = run("d/shut.csv", &[]);
    assert_eq!(code, Some(6), "{told}");
    assert!(told.contains("error[E100]: d/shut.csv: permission denied"), "{told}");
    let (code, told) = run("d/sub/x.csv", &[]);
    assert!(code == Some(6) && told.contains("d/sub/x.csv: permission denied"), "{told}");
    for input in ["d/**/*.csv", "d/*/*.csv", "d/sub/*.csv", "d/sub"] {
        let (code, told) = run(input, &[]);
        assert_eq!(code, Some(6), "{input}: {told}");
        let folder = "d/sub: permission denied: the folder cannot be read";
        assert_eq!(told.matches(folder).count(), 1, "{input}: {told}");
    }
    let (code, told) = run("d", &["--recursive", "--keep-going"]);
    assert_eq!(code, Some(6), "{told}");
    paths.iter().for_each(|path| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("ours");
    });
    assert_eq!(ask(&place, "SELECT k FROM t"), "1");
}

#[test]
fn a_pipe_is_read_like_standard_input() {
    let place = Place::new();
    pipe(&place, "p.csv");
    let (code, told) = shell(
        &place,
        "printf 'k,v\\n1,a\\n2,b\\n' > p.csv & $ETL ingest p.csv --to duckdb:rolls.duckdb",
    );
    assert_eq!(code, 0, "{told}");
    assert_eq!(ask(&place, "SELECT k, v, _etl_source FROM p ORDER BY k"), "1,a,p.csv\n2,b,p.csv");
    // In a folder nobody may be at its other end.
    let place = Place::new().file("d/x.csv", "k\n1\n");
    pipe(&place, "d/p.csv");
    let mut command = place.command(&["ingest", "d", "--to", TO, "--format", "json"]);
    command.stdin(Stdio::null());
    let (code, summary) = told_of(ended(command));
    assert_eq!(code, 0, "{summary}");
    assert_eq!(summary["skipped"][0], "d/p.csv: a named pipe; it is read only where it is named");
}

fn told_of(output: Output) -> (i32, serde_json::Value) {
    told(&output)
}

#[test]
fn several_pipes_are_read_at_the_same_time() {
    let place = Place::new();
    pipe(&place, "a.csv");
    pipe(&place, "b.csv");
    // The writer needs both ends at once.
    let script = "(exec 3> b.csv 4> a.csv; for i in 1 2 3; do printf 'n\\n' >&3; done; \
        printf 'k\\n1\\n' >&4) & $ETL ingest a.csv b.csv --to duckdb:rolls.duckdb --headers k --table t";
    let (code, told) = shell(&place, script);
    assert_eq!(code, 0, "{told}");
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k, _etl_row"), "1\nk\nn\nn\nn");
}

#[test]
fn what_a_shell_hands_over_is_read() {
    let place = Place::new();
    let script =
        "$ETL ingest <(printf 'k\\n1\\n') <(printf 'k\\n2\\n') --table t --to duckdb:rolls.duckdb";
    let (code, told) = shell(&place, script);
    assert_eq!(code, 0, "{told}");
    assert_eq!(ask(&place, "SELECT k FROM t ORDER BY k"), "1\n2");
    let script = "printf 'k\\n3\\n' | $ETL ingest /dev/stdin --to duckdb:rolls.duckdb && \
        printf 'k\\n4\\n' > x && $ETL ingest /dev/fd/0 < x --to duckdb:rolls.duckdb && \
        $ETL ingest /dev/fd/7 7< x --to duckdb:rolls.duckdb";
    let (code, told) = shell(&place, script);
    assert_eq!(code, 0, "{told}");
    assert_eq!(ask(&place, "SELECT k, _etl_source FROM stdin ORDER BY k"), "3,stdin\n4,stdin");
    assert_eq!(ask(&place, "SELECT k, _etl_source FROM fd_7"), "4,/dev/fd/7");
    let (code, told) = shell(&place, "echo k | $ETL check - /dev/stdin");
    assert!(code == 2 && told.contains("given twice"), "{told}");
    let (code, told) = shell(&place, "$ETL check /dev/null");
    assert!(code == 6 && told.contains("a device"), "{told}");
    assert!(Path::new("/dev/null").exists());
}

#[test]
fn names_that_are_no_unicode_stay_apart() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new().file("d/x.csv", "k\n1\n");
    for (byte, value) in [(0xfe_u8, 2), (0xff, 3)] {
        let name = [b"a".as_slice(), &[byte], b".csv"].concat();
        let path = place.path("d").join(std::ffi::OsStr::from_bytes(&name));
        std::fs::write(path, format!("k\n{value}\n")).expect("writable");
    }
    loads(&place, &["d"], &["--table", "t"]);
    let rows = ask(&place, "SELECT k, _etl_source FROM t ORDER BY k");
    assert_eq!(rows, "1,d/x.csv\n2,d/a\\xFE.csv\n3,d/a\\xFF.csv");
}

#[test]
fn a_link_that_may_be_a_folder_is_told_where_a_pattern_looks_below() {
    let place = Place::new().file("d/x.csv", "k\n1\n");
    symlink("gone", place.path("d/2024")).expect("a link");
    symlink("ann@host.1234", place.path("d/.#x.csv")).expect("a link");
    let (code, told) = fails(&place, &["d/**/*.csv"], &[]);
    assert!(code == 6 && told.contains("d/2024: it is a link that leads nowhere"), "{told}");
    assert_eq!(told.matches("error[").count(), 1, "{told}");
    std::fs::remove_file(place.path("d/2024")).expect("there");
    let summary = loads(&place, &["d/**/*.csv"], &[]);
    assert_eq!(summary["skipped"], serde_json::json!(["d/.#x.csv: hidden"]));
    assert_eq!(ask(&place, "SELECT k FROM x"), "1");
}
