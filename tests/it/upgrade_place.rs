//! Targets as an old build has left them (`fixtures/upgrade`), with the files and commands that made them.
//!
//! `scripts/upgrade-fixtures.sh` writes them; `fixtures/upgrade/loaded.commands` explains the lists of
//! commands.

use super::pg_server::Server;
use super::support::Place;
use etl::duck::{Database, Settings};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// The fixtures that are restored: those of builds with version 1 of the ledger.
const NAME: &str = "ledger-1";
const DUCKDB: &str = "duckdb:rolls.duckdb";

/// Which target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Duckdb,
    Postgres,
}

/// Both of them.
pub const BOTH: [Kind; 2] = [Kind::Duckdb, Kind::Postgres];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Duckdb => "duckdb",
            Self::Postgres => "postgres",
        }
    }
}

/// One line of a list.
#[derive(Debug, Clone)]
pub struct Given {
    /// Schema of a server, where the line names one.
    pub schema: Option<String>,
    /// What became of it under the old build: its exit code, `kill:3` and the like, `sheet`, `sql`.
    pub exit: String,
    /// What the same command does under the new build.
    pub again: String,
    /// Arguments.
    pub words: Vec<String>,
    /// Standard input.
    pub stdin: Option<String>,
}

impl Given {
    /// Whether it is a command of `etl` that has begun a run.
    pub fn is_run(&self) -> bool {
        !matches!(self.exit.as_str(), "sheet" | "sql")
    }

    /// Whether that run has ended as it should.
    pub fn is_done(&self) -> bool {
        matches!(self.exit.as_str(), "0" | "3")
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/upgrade")
}

/// The lines of a list that are for a target.
pub fn commands(list: &str, kind: Kind) -> Vec<Given> {
    let text = fs::read_to_string(folder().join(format!("{list}.commands"))).expect("a list");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let given = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let target = words.next().expect("a target");
        let (name, schema) = match target.split_once(':') {
            Some((name, schema)) => (name.to_owned(), Some(schema.to_owned())),
            None => (target, None),
        };
        let (exit, again) = (words.next().expect("an exit"), words.next().expect("a word"));
        let (input, words): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with('<'));
        let stdin = input.first().map(|word| word[1..].to_owned());
        let ours = name == "both" || name == kind.name();
        ours.then_some(Given { schema, exit, again, words, stdin })
    };
    lines.filter_map(given).collect()
}

/// A target in a place of its own.
pub struct Old {
    pub place: Place,
    pub kind: Kind,
    pub server: Option<Server>,
}

/// Both targets of a list, each restored.
pub fn restored(list: &str) -> impl Iterator<Item = Old> {
    let list = list.to_owned();
    BOTH.into_iter().map(move |kind| Old::restore(&list, kind))
}

impl Old {
    /// An empty target, with the inputs.
    pub fn empty(kind: Kind) -> Self {
        let place = Place::new().env("MASK_KEY", "pepper");
        copy(&folder().join("inputs"), &place.path(""));
        let server = (kind == Kind::Postgres).then(Server::start);
        Self { place, kind, server }
    }

    /// A target as the old build has left it.
    pub fn restore(list: &str, kind: Kind) -> Self {
        let old = Self::empty(kind);
        let archive = folder().join(NAME).join(format!("{list}-{}.zip", kind.name()));
        let archive = fs::File::open(archive).expect("a fixture");
        let mut archive = zip::ZipArchive::new(archive).expect("an archive");
        archive.extract(old.place.path("")).expect("it can be unpacked");
        if let Some(server) = &old.server {
            server.restore(&old.place.path("dump.sql"));
        }
        old
    }

    /// Its address.
    pub fn to(&self, schema: Option<&str>) -> String {
        match (&self.server, schema) {
            (None, _) => DUCKDB.to_owned(),
            (Some(server), None) => server.url(),
            (Some(server), Some(schema)) => format!("{}?schema={schema}", server.url()),
        }
    }

    /// Runs `etl` on this target.
    pub fn etl(&self, words: &[&str]) -> Output {
        self.etl_in(words, None, None)
    }

    fn etl_in(&self, words: &[&str], schema: Option<&str>, stdin: Option<&str>) -> Output {
        let to = self.to(schema);
        let mut all = words.to_vec();
        if words.first() == Some(&"ingest") && self.kind == Kind::Postgres {
            all.push("--create");
        }
        all.extend(["--to", &to]);
        let mut command = self.place.command(&all);
        if let Some(file) = stdin {
            let file = fs::File::open(self.place.path(file)).expect("an input");
            command.stdin(Stdio::from(file));
        }
        command.output().expect("the program starts")
    }

    /// Gives a command again. Exit code, summary, what it said.
    pub fn again(&self, given: &Given) -> (i32, Value, String) {
        let json = ["--format", "json", "--progress", "none"];
        let words: Vec<_> = given.words.iter().map(String::as_str).chain(json).collect();
        told(&self.etl_in(&words, given.schema.as_deref(), given.stdin.as_deref()))
    }

    /// Loads or replays; the summary as JSON.
    pub fn does(&self, words: &[&str]) -> (i32, Value, String) {
        let json = ["--format", "json", "--progress", "none"];
        told(&self.etl(&words.iter().copied().chain(json).collect::<Vec<_>>()))
    }

    /// Answers of the target's own program, one row a line. DuckDB's is its library.
    pub fn ask(&self, sql: &str) -> Vec<String> {
        match &self.server {
            Some(server) => server.psql(sql).lines().map(str::to_owned).collect(),
            None => {
                let database =
                    Database::open(&self.place.path("rolls.duckdb"), &Settings::default());
                let con = database.expect("it opens").connect().expect("a connection");
                let rows = con.query(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
                let cells = |row: &Vec<etl::duck::Value>| -> Vec<String> {
                    row.iter().map(ToString::to_string).collect()
                };
                rows.rows.iter().map(|row| cells(row).join("|")).collect()
            }
        }
    }

    /// The first answer.
    pub fn one(&self, sql: &str) -> String {
        self.ask(sql).into_iter().next().unwrap_or_default()
    }

    /// Tables of the users, with their schemas.
    pub fn names(&self) -> Vec<String> {
        let sql = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE \
                   table_type = 'BASE TABLE' AND table_schema NOT IN ('etl', 'pg_catalog', \
                   'information_schema', 'gold') ORDER BY 1";
        self.ask(sql)
    }

    /// All tables of the users, each as its columns and its rows in an order of their own: every cell,
    /// provenance included.
    pub fn tables(&self) -> BTreeMap<String, Vec<String>> {
        self.names().into_iter().map(|name| (name.clone(), self.table(&name, &[]))).collect()
    }

    /// One table without some columns.
    pub fn table(&self, name: &str, without: &[&str]) -> Vec<String> {
        let (schema, table) = name.split_once('.').expect("a schema");
        let columns = self.ask(&format!(
            "SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE \
             table_schema = '{schema}' AND table_name = '{table}' ORDER BY column_name"
        ));
        let name_of = |column: &String| column.split_once(' ').expect("a type").0.to_owned();
        let kept: Vec<_> = columns
            .into_iter()
            .filter(|column| !without.contains(&name_of(column).as_str()))
            .collect();
        let cell = |column: &String| {
            let name = name_of(column);
            format!("coalesce('{name}=' || CAST(\"{name}\" AS VARCHAR) || ' · ', '')")
        };
        let cells: Vec<_> = kept.iter().map(cell).collect();
        let sql = format!(
            "SELECT replace({}, chr(10), '\\n') FROM \"{schema}\".\"{table}\" ORDER BY 1",
            cells.join(" || ")
        );
        [kept.join(", ")].into_iter().chain(self.ask(&sql)).collect()
    }

    /// Ids of all runs in the order of their beginning.
    pub fn runs(&self) -> Vec<String> {
        self.ask("SELECT run FROM etl.runs ORDER BY run")
    }

    /// What the old build has said of each run.
    pub fn shown(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.place.path("shown.jsonl")).expect("part of a fixture");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The newest or, with `at`, another failed-record file of an input.
    pub fn failed_file(&self, stem: &str, at: usize) -> String {
        let entries = fs::read_dir(self.place.path("")).expect("the folder of the test");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("a readable folder").file_name().to_string_lossy().into_owned()
        };
        let ours = |name: &String| {
            name.starts_with(&format!("{stem}.")) && name.ends_with(".failed.jsonl")
        };
        let mut found: Vec<_> = entries.map(name).filter(ours).collect();
        found.sort();
        found.swap_remove(at)
    }
}

fn told(output: &Output) -> (i32, Value, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    let summary = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap_or(-1), summary, text)
}

/// Copies a folder; what is kept gzipped is unpacked.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("the inputs") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        match name.strip_suffix(".gz") {
            _ if path.is_dir() => copy(&path, &to.join(name)),
            None => drop(fs::copy(&path, to.join(name)).expect("writable")),
            Some(unpacked) => {
                let mut bytes = Vec::new();
                let file = fs::File::open(&path).expect("readable");
                let mut file = flate2::read::GzDecoder::new(file);
                file.read_to_end(&mut bytes).expect("a sound file");
                fs::write(to.join(unpacked), bytes).expect("writable");
            }
        }
    }
}
