//! Where rows go: the one place that knows which targets there are.
//!
//! A new target is a variant here, with an arm in each method; nothing above asks what it is.

use super::duckdb::{DuckTarget, MAIN, ROW_GROUP};
use super::ledger::{self, Ledger};
use super::postgres::{self, Address, COMMIT_ROWS, PgTarget, Sources, Unreadable};
use super::table::TableSpec;
use super::target::{Opening, Target, TargetState, folder_of};
use super::{LoadError, LoadErrorKind};
use crate::duck::quote;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetUrl {
    /// A DuckDB file.
    Duckdb(DuckFile),
    /// A PostgreSQL server.
    Postgres(Box<Address>),
}

/// A DuckDB file, and the schema of the tables in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuckFile {
    /// Where it is.
    pub path: PathBuf,
    /// Schema of the tables; else `main`.
    #[serde(default)]
    pub schema: Option<String>,
}

impl<P: Into<PathBuf>> From<P> for DuckFile {
    fn from(path: P) -> Self {
        Self { path: path.into(), schema: None }
    }
}

/// A target that is being reached, while something else is done. Nothing of it is changed before it is
/// opened.
pub struct Approach<'u> {
    url: &'u TargetUrl,
    server: Option<postgres::Approach>,
}

impl Approach<'_> {
    /// Opens the target for loading. Its ledger stays as it is until [`Target::prepare_ledger`].
    pub fn open(self, opening: &Opening) -> Result<Box<dyn Target>, LoadError> {
        match self.server {
            Some(server) => Ok(Box::new(server.open()?)),
            None => self.url.reach(opening),
        }
    }
}

impl TargetUrl {
    /// Sets out for a target that will be asked for as many connections.
    pub fn approach(&self, connections: usize) -> Approach<'_> {
        let server = match self {
            Self::Duckdb(_) => None,
            Self::Postgres(address) => Some(postgres::Approach::begin(address, connections)),
        };
        Approach { url: self, server }
    }

    /// Opens the target for loading, with its ledger.
    pub fn open(&self, opening: &Opening) -> Result<Box<dyn Target>, LoadError> {
        let target = self.reach(opening)?;
        target.prepare_ledger()?;
        Ok(target)
    }

    fn reach(&self, opening: &Opening) -> Result<Box<dyn Target>, LoadError> {
        match self {
            Self::Duckdb(file) => match DuckTarget::open(&file.path, opening)
                .and_then(|target| target.in_schema(file.schema.as_deref()))
            {
                Ok(target) => Ok(Box::new(target)),
                Err(error) => Err(at(error, &file.path)),
            },
            Self::Postgres(address) => Ok(Box::new(PgTarget::look(address)?)),
        }
    }

    /// Opens what is there for questions; `None` where there is nothing yet.
    pub fn look(&self, memory: u64) -> Result<Option<Box<dyn Target>>, LoadError> {
        match self {
            Self::Duckdb(file) if !file.path.exists() => Ok(None),
            Self::Duckdb(file) => match DuckTarget::read_only(&file.path, memory)
                .and_then(|target| target.in_schema(file.schema.as_deref()))
            {
                Ok(target) => Ok(Some(Box::new(target))),
                Err(error) => Err(at(error, &file.path)),
            },
            Self::Postgres(address) => Ok(Some(Box::new(PgTarget::look(address)?))),
        }
    }

    /// The same where there must be something.
    pub fn look_there(&self, memory: u64) -> Result<Box<dyn Target>, LoadError> {
        self.look(memory)?.ok_or_else(|| {
            let message = match self {
                Self::Duckdb(file) => {
                    format!("{}: there is no such database", file.path.display())
                }
                Self::Postgres(address) => format!("{address}: there is nothing"),
            };
            LoadError::new(LoadErrorKind::Target, message)
                .with_hint(match self {
                    // A load looks at all of its inputs first.
                    Self::Duckdb(_) => {
                        "where a load has just begun, ask again in a moment: it makes the file once it \
                         has looked at its inputs; else load something: etl ingest FILE --to duckdb:PATH"
                    }
                    Self::Postgres(_) => {
                        "load something first: etl ingest FILE --to postgres://USER@HOST/DATABASE"
                    }
                })
        })
    }

    /// Looks at the target without changing it. An error says who holds it, or why it cannot be
    /// opened.
    pub fn state(&self, memory: u64) -> Result<TargetState, LoadError> {
        let Some(target) = self.look(memory)? else {
            let (unfinished, findings) = (Vec::new(), Vec::new());
            return Ok(TargetState {
                exists: false,
                bytes: 0,
                ledger: false,
                unfinished,
                counts: Vec::new(),
                findings,
            });
        };
        let con = target.link()?;
        let ledger = ledger::has_ledger(&*con)?;
        let unfinished = if ledger { Ledger::new(&*con).unfinished_runs()? } else { Vec::new() };
        let counts = if ledger { Ledger::new(&*con).counts()? } else { Vec::new() };
        let bytes = match self {
            Self::Duckdb(file) => file.path.metadata().map_or(0, |meta| meta.len()),
            Self::Postgres(_) => con.number("SELECT pg_database_size(current_database())", &[])?,
        };
        let findings = target.examine()?;
        Ok(TargetState { exists: true, bytes, ledger, unfinished, counts, findings })
    }

    /// Folder of what is kept beside the target.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Duckdb(file) => folder_of(&file.path),
            Self::Postgres(_) => Path::new("."),
        }
    }

    /// The file that the target is, where it is one on this machine.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Duckdb(file) => Some(&file.path),
            Self::Postgres(_) => None,
        }
    }

    /// The schema that the tables are in, where one is named.
    pub fn schema(&self) -> Option<&str> {
        match self {
            Self::Duckdb(file) => file.schema.as_deref(),
            Self::Postgres(address) => address.schema.as_deref(),
        }
    }

    /// The same database, with tables in another schema.
    #[must_use]
    pub fn in_schema(&self, schema: Option<&str>) -> Self {
        let mut url = self.clone();
        if let Some(schema) = schema {
            match &mut url {
                // What no schema is named for lies in `main` anyway.
                Self::Duckdb(file) => {
                    let other = !schema.eq_ignore_ascii_case(MAIN);
                    file.schema = other.then(|| schema.to_owned());
                }
                Self::Postgres(address) => address.schema = Some(schema.to_owned()),
            }
        }
        url
    }

    /// Most bytes of a name; `None`: as long as one likes.
    pub fn longest_name(&self) -> Option<usize> {
        match self {
            Self::Duckdb(_) => None,
            Self::Postgres(_) => Some(postgres::LONGEST_NAME),
        }
    }

    /// The dialect of a user's own questions, and how to find out what there is.
    pub fn dialect(&self) -> &'static str {
        match self {
            Self::Duckdb(_) => "the dialect is DuckDB's; `SHOW TABLES` lists what there is",
            Self::Postgres(_) => "the dialect is PostgreSQL's; pg_tables lists what there is",
        }
    }

    /// New rows of a commit at which the target is fastest; `groups` is how many of its own units the
    /// memory allows.
    pub fn commit_rows(&self, groups: u64) -> u64 {
        match self {
            Self::Duckdb(_) => ROW_GROUP * groups,
            Self::Postgres(_) => COMMIT_ROWS,
        }
    }

    /// Whether it works in this program, in its memory.
    pub fn is_embedded(&self) -> bool {
        match self {
            Self::Duckdb(_) => true,
            Self::Postgres(_) => false,
        }
    }

    /// Whether commits may be of any size. DuckDB keeps whole row groups.
    pub fn tapers(&self) -> bool {
        match self {
            Self::Duckdb(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// The statement that would make a table.
    pub fn ddl(&self, spec: &TableSpec, unique: bool) -> String {
        match self {
            Self::Duckdb(_) => spec.ddl_as(&self.named(&spec.name)),
            Self::Postgres(_) => postgres::ddl(&self.named(&spec.name), spec, unique),
        }
    }
}

fn at(mut error: LoadError, path: &Path) -> LoadError {
    error.message = format!("{}: {}", path.display(), error.message);
    error
}

impl TargetUrl {
    /// A table as SQL names it, with the schema where one is named.
    fn named(&self, table: &str) -> String {
        let schema = self.schema().map_or_else(String::new, |schema| quote(schema) + ".");
        schema + &quote(table)
    }

    /// From what a user has written, with the environment that libpq would look at. An error repeats no
    /// part of the text.
    pub fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Self, Unreadable> {
        match Meant::of(text) {
            Meant::File("") => Err(Unreadable::new(
                "the path of the DuckDB file is empty",
                "write it like duckdb:rolls.duckdb",
            )),
            Meant::File(path) => Ok(Self::Duckdb(path.into())),
            Meant::Server => {
                let sources = Sources::of(environment.clone());
                Ok(Self::Postgres(Box::new(Address::parse(text, &sources)?)))
            }
            Meant::Stranger => Err(Unreadable::new(
                "this kind of target is not known",
                "use duckdb:PATH for a file, or postgres://USER@HOST/DATABASE for a server",
            )),
        }
    }

    /// What a user has written, as it may be shown to everybody: without a password, and where it cannot
    /// be read, without anything that may be one.
    pub fn shown(text: &str) -> String {
        match Meant::of(text) {
            Meant::File(_) => text.trim().to_owned(),
            Meant::Server => postgres::shown(text),
            Meant::Stranger => "***".into(),
        }
    }

    /// Whether what a user has written may hold a secret.
    pub fn may_hold_secret(text: &str) -> bool {
        match Meant::of(text) {
            Meant::File(_) => false,
            Meant::Server => !postgres::is_open(text),
            Meant::Stranger => true,
        }
    }
}

/// What kind of target a text names.
enum Meant<'t> {
    /// A DuckDB file, by its path.
    File(&'t str),
    /// A PostgreSQL server.
    Server,
    /// The address of something else, or one whose beginning is missing.
    Stranger,
}

impl<'t> Meant<'t> {
    fn of(text: &'t str) -> Self {
        let text = text.trim();
        match text.split_once(':') {
            Some((scheme, path)) if scheme.eq_ignore_ascii_case("duckdb") => {
                return Self::File(path.strip_prefix("///").unwrap_or(path));
            }
            _ => {}
        }
        // `user:password@host` without `postgres://` would make a file with the password as its name.
        let is_login = |text: &str| {
            let login = text.split_once('@').map(|(login, _)| login);
            login.is_some_and(|login| login.trim_start_matches('/').contains(':'))
        };
        let is_drive = |text: &str| matches!(text.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
        match () {
            () if Address::is_meant(text) => Self::Server,
            () if is_drive(text) => Self::File(text),
            () if text.contains("://") || is_login(text) => Self::Stranger,
            () => Self::File(text),
        }
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duckdb(DuckFile { path, schema }) => {
                write!(f, "duckdb:{}", path.display())?;
                match schema {
                    Some(schema) => write!(f, " (schema {schema})"),
                    None => Ok(()),
                }
            }
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Option<PathBuf> {
        match TargetUrl::parse(text, &BTreeMap::new()) {
            Ok(TargetUrl::Duckdb(file)) => Some(file.path),
            _ => None,
        }
    }

    #[test]
    fn paths_stay_paths() {
        for (text, path) in [
            ("duckdb:a.duckdb", "a.duckdb"),
            (" DuckDB:a.duckdb\n", "a.duckdb"),
            ("a.duckdb", "a.duckdb"),
            ("C:\\data\\a.duckdb", "C:\\data\\a.duckdb"),
            ("c:/ann@home/a.duckdb", "c:/ann@home/a.duckdb"),
            ("year=2024/a=b.duckdb", "year=2024/a=b.duckdb"),
            ("ann@home.duckdb", "ann@home.duckdb"),
            ("duckdb:host=1 password=x.duckdb", "host=1 password=x.duckdb"),
        ] {
            assert_eq!(file(text), Some(path.into()), "{text}");
            assert!(!TargetUrl::may_hold_secret(text) && TargetUrl::shown(text) == text.trim());
        }
    }

    #[test]
    fn what_may_be_an_address_makes_no_file_and_is_not_shown() {
        for text in [
            "ann:S3CR3T@h/db",
            "//ann:S3CR3T@h/db",
            "mysql://ann:S3CR3T@h/db",
            "jdbc:postgresql://h/db?user=ann&password=S3CR3T",
            "postgress://ann:S3CR3T@h/db",
            "hots=h user=ann password=S3CR3T",
            "password = S3CR3T",
            "Postgres://ann:S3CR3T@h:x/db",
            "postgres://ann:5/S3CR3T@h/db",
            "postgres://ann:a/b?S3CR3T@h/db",
            "postgres://ann:%S3CR3T@h/db",
            "host=h password=my S3CR3T=x user=ann",
            "host=h password=my S3CR3T user=ann",
            "host=h password='S3CR3T user=ann",
            "postgres://h/db?password=a&S3CR3T=x",
            "postgres://h/db?user=ann&sslpassword=S3CR3T",
            "",
        ] {
            let error = TargetUrl::parse(text, &BTreeMap::new()).expect_err(text);
            let told = format!("{error:?} {}", TargetUrl::shown(text));
            assert!(!told.contains("S3CR3T"), "{told}");
            assert!(text.is_empty() || TargetUrl::may_hold_secret(text), "{text}");
        }
    }

    #[test]
    fn a_schema_is_part_of_the_target() {
        let target = TargetUrl::Duckdb("a.duckdb".into());
        assert_eq!(target.in_schema(Some("main")), target);
        assert_eq!(target.in_schema(None), target);
        let other = target.in_schema(Some("b"));
        assert_eq!(other.schema(), Some("b"));
        assert_eq!(other.to_string(), "duckdb:a.duckdb (schema b)");
        assert_eq!(other.named("a\"b"), "\"b\".\"a\"\"b\"");
    }
}
