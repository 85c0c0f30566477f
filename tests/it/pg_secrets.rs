//! A password is in no output, log, ledger, failed record or list of processes of a run that fails.

use super::pg_server::{Server, started};
use super::roll;
use super::support::Place;
use std::path::Path;
use std::process::Stdio;

const SALES: &str = "SDF16P202501.csv";
const SENTINEL: &str = "s3ntinel-Pa55";

/// Everything in the files of a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        match path.is_dir() {
            true => files(&path, found),
            false => {
                found.push((path.display().to_string(), std::fs::read(&path).expect("readable")))
            }
        }
    }
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(SENTINEL.len()).any(|window| window == SENTINEL.as_bytes())
}

#[test]
fn no_failing_run_lets_the_password_out() {
    let server = Server::start();
    let port = server.port();
    let place = Place::new()
        .file(SALES, &roll::sales(4_000))
        .env("ETL_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .env("PGCONNECT_TIMEOUT", "3");
    server.psql(&format!("ALTER ROLE etl PASSWORD '{SENTINEL}'"));
    let good = format!("postgres://etl:{SENTINEL}@127.0.0.1:{port}/etl");
    let bad = [
        format!("postgres://etl:{SENTINEL}x@127.0.0.1:{port}/etl"),
        format!("postgres://etl:{SENTINEL}@127.0.0.1:1/etl"),
        format!("postgres://etl:{SENTINEL}@127.0.0.1:{port}/nowhere"),
        format!("postgres://etl:{SENTINEL}@127.0.0.1:{port}/etl?sslmode=verify-full"),
        format!("postgres://etl:{SENTINEL}%ff/@127.0.0.1:{port}/etl"),
        format!("postgres://etl@127.0.0.1:{port}/etl?password={SENTINEL}&connect_timeout=x"),
    ];
    let verbs: [&[&str]; 8] = [
        &["ingest", SALES],
        &["ingest", SALES, "--create", "--max-errors", "1"],
        &["plan", SALES],
        &["doctor"],
        &["runs", "list"],
        &["sql", "SELECT nonsense"],
        &["config", "show"],
        &["reprocess-failures", "--format", "json"],
    ];
    let mut seen = Vec::new();
    for to in bad.iter().chain([&good]) {
        for verb in verbs {
            let output = place.output(&[verb, &["--to", to, "-vv"]].concat());
            seen.push((format!("{verb:?}"), [output.stdout, output.stderr].concat()));
        }
    }
    // A run that is killed, and one whose server goes away.
    server
        .psql_as(SENTINEL, "DROP SCHEMA IF EXISTS etl CASCADE; DROP TABLE IF EXISTS public.sales");
    let small = ["--commit-rows", "500", "--chunk-rows", "100", "-vv"];
    let mut child = started(&place, &good, SALES, &small, 1);
    seen.push(("cmdline".into(), command_line(child.id())));
    assert!(!seen.last().expect("just put there").1.is_empty() || !cfg!(target_os = "linux"));
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    for table in ["runs", "inputs", "ranges", "problems"] {
        let text = server.psql_as(SENTINEL, &format!("SELECT * FROM etl.{table}"));
        seen.push((table.into(), text.into_bytes()));
    }
    let arguments = ["ingest", SALES, "--to", &good, "-vv", "--retry-attempts", "1"];
    server.stop();
    let gone = place.command(&arguments).stdout(Stdio::piped()).output().expect("it starts");
    seen.push(("gone".into(), [gone.stdout, gone.stderr].concat()));
    files(&place.path(""), &mut seen);
    for (what, bytes) in seen {
        assert!(!holds(&bytes), "{what}: {}", String::from_utf8_lossy(&bytes));
    }
}

/// The arguments of a process as everybody can read them.
fn command_line(pid: u32) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// What a panic could say of the things that hold a password: their own texts, and what an error of the
/// program makes of them.
#[test]
fn no_panic_can_let_the_password_out() {
    let text = format!("postgres://etl:{SENTINEL}@127.0.0.1:1/etl?sslmode=require");
    let environment = [("PGPASSWORD".to_owned(), SENTINEL.to_owned())].into();
    let target = etl::load::TargetUrl::parse(&text, &environment).expect("an address");
    let denied = target.look(1 << 20).err().expect("nobody is there");
    let stored = serde_json::to_string(&target).expect("JSON");
    let panicked = std::panic::catch_unwind(|| {
        panic!("{target:?} {denied:?} {target} {denied} {stored}");
    });
    let payload = panicked.expect_err("it panics");
    let said = payload.downcast_ref::<String>().expect("a formatted text");
    assert!(said.contains("127.0.0.1") && !said.contains(SENTINEL), "{said}");
}
