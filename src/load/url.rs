//! Where rows go: the one place that knows which targets there are.
//!
//! A new target is a variant here, with an arm in each method; nothing above asks what it is.

use super::duckdb::{DuckTarget, ROW_GROUP};
use super::ledger::{self, Ledger};
use super::postgres::{self, Address, COMMIT_ROWS, PgTarget, Sources};
use super::table::TableSpec;
use super::target::{Opening, Target, TargetState, folder_of};
use super::{LoadError, LoadErrorKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetUrl {
    /// A DuckDB file.
    Duckdb(PathBuf),
    /// A PostgreSQL server.
    Postgres(Box<Address>),
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
            Self::Duckdb(path) => match DuckTarget::open(path, opening) {
                Ok(target) => Ok(Box::new(target)),
                Err(error) => Err(at(error, path)),
            },
            Self::Postgres(address) => Ok(Box::new(PgTarget::look(address)?)),
        }
    }

    /// Opens what is there for questions; `None` where there is nothing yet.
    pub fn look(&self, memory: u64) -> Result<Option<Box<dyn Target>>, LoadError> {
        match self {
            Self::Duckdb(path) if !path.exists() => Ok(None),
            Self::Duckdb(path) => match DuckTarget::read_only(path, memory) {
                Ok(target) => Ok(Some(Box::new(target))),
                Err(error) => Err(at(error, path)),
            },
            Self::Postgres(address) => Ok(Some(Box::new(PgTarget::look(address)?))),
        }
    }

    /// The same where there must be something.
    pub fn look_there(&self, memory: u64) -> Result<Box<dyn Target>, LoadError> {
        self.look(memory)?.ok_or_else(|| {
            let message = match self {
                Self::Duckdb(path) => format!("{}: there is no such database", path.display()),
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
            Self::Duckdb(path) => path.metadata().map_or(0, |meta| meta.len()),
            Self::Postgres(_) => con.number("SELECT pg_database_size(current_database())", &[])?,
        };
        let findings = target.examine()?;
        Ok(TargetState { exists: true, bytes, ledger, unfinished, counts, findings })
    }

    /// The same database, with tables in another schema.
    #[must_use]
    pub fn in_schema(&self, schema: Option<&str>) -> Self {
        let mut url = self.clone();
        if let (Self::Postgres(address), Some(schema)) = (&mut url, schema) {
            address.schema = Some(schema.to_owned());
        }
        url
    }

    /// Folder of what is kept beside the target.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Duckdb(path) => folder_of(path),
            Self::Postgres(_) => Path::new("."),
        }
    }

    /// The file that the target is, where it is one on this machine.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Duckdb(path) => Some(path),
            Self::Postgres(_) => None,
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
            Self::Duckdb(_) => spec.ddl(),
            Self::Postgres(_) => postgres::ddl(&crate::duck::quote(&spec.name), spec, unique),
        }
    }
}

fn at(mut error: LoadError, path: &Path) -> LoadError {
    error.message = format!("{}: {}", path.display(), error.message);
    error
}

impl TargetUrl {
    /// From what a user has written, with the environment that libpq would look at.
    pub fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("duckdb:") {
            let path = path.strip_prefix("///").map_or(path, |rest| rest);
            return if path.is_empty() {
                Err("duckdb: needs a path, such as duckdb:rolls.duckdb".into())
            } else {
                Ok(Self::Duckdb(path.into()))
            };
        }
        if Address::is_meant(text) {
            let sources = Sources::of(environment.clone());
            return Ok(Self::Postgres(Box::new(Address::parse(text, &sources)?)));
        }
        if text.contains("://") {
            return Err("this kind of target is unknown; use duckdb:PATH or postgres://…".into());
        }
        Ok(Self::Duckdb(text.into()))
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duckdb(path) => write!(f, "duckdb:{}", path.display()),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}
