//! Where rows go: the one place that knows which targets there are.
//!
//! A new target is a variant here, with an arm in each method; nothing above asks what it is.

use super::duckdb::{DuckTarget, ROW_GROUP};
use super::ledger::{self, Ledger};
use super::table::TableSpec;
use super::target::{Opening, Target, TargetState, folder_of};
use super::{LoadError, LoadErrorKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetUrl {
    /// A DuckDB file.
    Duckdb(PathBuf),
}

impl TargetUrl {
    /// Opens the target for loading, with its ledger.
    pub fn open(&self, opening: &Opening) -> Result<Box<dyn Target>, LoadError> {
        match self {
            Self::Duckdb(path) => match DuckTarget::open(path, opening) {
                Ok(target) => Ok(Box::new(target)),
                Err(error) => Err(at(error, path)),
            },
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
        }
    }

    /// The same where there must be something.
    pub fn look_there(&self, memory: u64) -> Result<Box<dyn Target>, LoadError> {
        self.look(memory)?.ok_or_else(|| {
            let message = match self {
                Self::Duckdb(path) => format!("{}: there is no such database", path.display()),
            };
            LoadError::new(LoadErrorKind::Target, message)
                .with_hint(format!("load something first: etl ingest FILE --to {}", self.example()))
        })
    }

    /// Looks at the target without changing it. An error says who holds it, or why it cannot be
    /// opened.
    pub fn state(&self, memory: u64) -> Result<TargetState, LoadError> {
        let Some(target) = self.look(memory)? else {
            return Ok(TargetState { exists: false, bytes: 0, ledger: false, unfinished: vec![] });
        };
        let con = target.link()?;
        let ledger = ledger::has_ledger(&*con)?;
        let unfinished = if ledger { Ledger::new(&*con).unfinished_runs()? } else { Vec::new() };
        let bytes = match self {
            Self::Duckdb(path) => path.metadata().map_or(0, |meta| meta.len()),
        };
        Ok(TargetState { exists: true, bytes, ledger, unfinished })
    }

    /// Folder of what is kept beside the target.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Duckdb(path) => folder_of(path),
        }
    }

    /// The file that the target is, where it is one on this machine.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Duckdb(path) => Some(path),
        }
    }

    /// The dialect of a user's own questions, and how to find out what there is.
    pub fn dialect(&self) -> &'static str {
        match self {
            Self::Duckdb(_) => "the dialect is DuckDB's; `SHOW TABLES` lists what there is",
        }
    }

    /// New rows of a commit at which the target is fastest; `groups` is how many of its own units the
    /// memory allows.
    pub fn commit_rows(&self, groups: u64) -> u64 {
        match self {
            Self::Duckdb(_) => ROW_GROUP * groups,
        }
    }

    /// The statement that would make a table.
    pub fn ddl(&self, spec: &TableSpec) -> String {
        match self {
            Self::Duckdb(_) => spec.ddl(),
        }
    }

    fn example(&self) -> &'static str {
        match self {
            Self::Duckdb(_) => "duckdb:PATH",
        }
    }
}

fn at(mut error: LoadError, path: &Path) -> LoadError {
    error.message = format!("{}: {}", path.display(), error.message);
    error
}

impl FromStr for TargetUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("duckdb:") {
            let path = path.strip_prefix("///").map_or(path, |rest| rest);
            return if path.is_empty() {
                Err("duckdb: needs a path, such as duckdb:rolls.duckdb".into())
            } else {
                Ok(Self::Duckdb(path.into()))
            };
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Err("PostgreSQL targets are not built yet; use duckdb:PATH".into());
        }
        if text.contains("://") {
            return Err("this kind of target is unknown; use duckdb:PATH".into());
        }
        Ok(Self::Duckdb(text.into()))
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duckdb(path) => write!(f, "duckdb:{}", path.display()),
        }
    }
}
