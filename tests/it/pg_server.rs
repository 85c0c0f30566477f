//! A PostgreSQL server of a test's own, thrown away with it.

use super::support::Place;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A running server. Its programs come from the distribution, installed where they are missing.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    programs: PathBuf,
}

fn script(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres.sh");
    let output = Command::new("sh").arg(script).args(arguments).output().expect("a shell");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

impl Server {
    /// An empty database on a free port.
    pub fn start() -> Self {
        let programs = String::from_utf8(script(&["bin"]).stdout).expect("a path");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Whoever comes in between finds another one: a port is free until somebody takes it.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        script(&["start", path(&folder), &port.to_string()]);
        Self { folder, port, programs: PathBuf::from(programs.trim()) }
    }

    /// As after a crash of the server.
    pub fn restart(&self) {
        script(&["restart", path(&self.folder)]);
    }

    /// Ends it as a crash does.
    pub fn stop(&self) {
        script(&["stop", path(&self.folder)]);
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The target.
    pub fn url(&self) -> String {
        format!("postgres://etl:etl@127.0.0.1:{}/etl", self.port)
    }

    /// Runs statements by `psql`; the answer without decoration.
    pub fn psql(&self, sql: &str) -> String {
        self.psql_as("etl", sql)
    }

    /// The same with another password.
    pub fn psql_as(&self, password: &str, sql: &str) -> String {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "etl"])
            .args(["-p", &self.port.to_string(), "-d", "etl", "-c", sql])
            .env("PGPASSWORD", password)
            .output()
            .expect("psql starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {told}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs the statements of a file, such as a dump.
    pub fn restore(&self, file: &Path) {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "etl"])
            .args(["-p", &self.port.to_string(), "-d", "etl", "-f"])
            .arg(file)
            .env("PGPASSWORD", "etl")
            .output()
            .expect("psql starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {told}", file.display());
    }

    /// From now on the server writes down what it is asked.
    pub fn listen(&self) {
        self.psql("ALTER SYSTEM SET log_statement = 'all'");
        self.psql("SELECT pg_reload_conf()");
    }

    /// How often it was asked something that holds these words.
    pub fn heard(&self, words: &str) -> usize {
        let log = self.psql(&format!("SELECT pg_read_file('{}/log')", path(&self.folder)));
        log.lines().filter(|line| line.contains(words)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::panic::catch_unwind(|| script(&["stop", path(&self.folder)]));
    }
}

fn path(folder: &tempfile::TempDir) -> &str {
    folder.path().to_str().expect("a plain path")
}

/// Runs a load into `to`. Exit code, summary, and what it said.
pub fn load(place: &Place, to: &str, inputs: &[&str], more: &[&str]) -> (i32, Value, String) {
    let output = place.output(&arguments(to, inputs, more));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!told.contains("panicked"), "{told}");
    let summary = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap_or(-1), summary, told)
}

/// The same where everything must be loaded or accounted for.
pub fn loads(place: &Place, to: &str, inputs: &[&str], more: &[&str]) -> Value {
    let (code, summary, told) = load(place, to, inputs, more);
    assert!(matches!(code, 0 | 3), "exit {code}: {told}");
    summary
}

/// A load that was started, with its events on the way.
pub fn arguments<'a>(to: &'a str, inputs: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["ingest", "--to", to, "--create", "--format", "json", "--progress", "json"];
    all.extend(inputs);
    all.extend(more);
    all
}

/// Starts a load and waits until it has committed `commits` times.
pub fn started(place: &Place, to: &str, input: &str, more: &[&str], commits: usize) -> Child {
    let mut command = place.command(&arguments(to, &[input], more));
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut told = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let (mut line, mut seen) = (String::new(), 0);
    while seen < commits {
        line.clear();
        if told.read_line(&mut line).expect("UTF-8") == 0 {
            break;
        }
        seen += usize::from(line.contains("\"committed\""));
    }
    // What it still has to say must not block it, nor kill it.
    std::thread::spawn(move || told.read_to_end(&mut Vec::new()));
    child
}

/// The answer of a target to a question, as CSV.
pub fn ask(place: &Place, to: &str, sql: &str) -> String {
    let output = place.output(&["sql", sql, "--to", to, "--format", "csv", "--quiet"]);
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("answers are UTF-8")
}

/// A whole table in the order of its rows, without what differs from run to run, and without the release:
/// a server keeps that of unchanged rows elsewhere. Columns by name: a server has provenance in front.
pub fn rows(place: &Place, to: &str, table: &str) -> String {
    let columns = ask(
        place,
        to,
        &format!(
            "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' \
             AND column_name NOT IN ('_etl_run', '_etl_loaded_at', '_etl_release') ORDER BY column_name"
        ),
    );
    let mut list = String::new();
    for name in columns.lines().skip(1) {
        write!(list, "{}\"{name}\"", if list.is_empty() { "" } else { ", " }).expect("memory");
    }
    assert!(!list.is_empty(), "there is no table {table}");
    ask(place, to, &format!("SELECT {list} FROM {table} ORDER BY _etl_source, _etl_row"))
}

/// The ledger agrees with itself and with the table, and nothing is left of finished inputs.
pub fn consistent(server: &Server, table: &str) {
    let gaps = server.psql(
        "SELECT run, input FROM etl.inputs i WHERE status = 'done' AND (read <> inserted + updated + \
           unchanged + superseded + duplicate + filtered + rejected OR read <> (SELECT \
           coalesce(sum(g.read), 0) FROM etl.ranges g WHERE g.run = i.run AND g.input = i.input))",
    );
    assert_eq!(gaps, "", "inputs with a gap");
    let overlaps = server.psql(
        "SELECT a.range, b.range FROM etl.ranges a JOIN etl.ranges b ON a.run = b.run \
           AND a.input = b.input AND a.range < b.range \
           AND a.from_record < b.to_record AND b.from_record < a.to_record",
    );
    assert_eq!(overlaps, "", "ranges that overlap");
    let left = server.psql(
        "SELECT (SELECT count(*) FROM etl.settled) + (SELECT count(*) FROM pg_tables \
           WHERE schemaname = 'etl' AND tablename LIKE 'side%')",
    );
    assert_eq!(left, "0", "what finished inputs needed");
    let twice = server
        .psql(&format!("SELECT count(*) - count(DISTINCT (_etl_source, _etl_row)) FROM {table}"));
    assert_eq!(twice, "0", "rows that stand twice");
}
