//! A database that is gone with its owner, for rows that are only looked at.

use super::error::{RunError, RunErrorKind};
use crate::load::TargetUrl;
use std::path::{Path, PathBuf};

/// A folder among the temporary files, with a DuckDB file in it.
pub struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    /// A new one, in `temp_dir` or where the system keeps such things.
    pub fn new(temp_dir: Option<&Path>) -> Result<Self, RunError> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("etl-scratch-");
        let made = match temp_dir {
            Some(folder) => builder.tempdir_in(folder),
            None => builder.tempdir(),
        };
        let folder = made.map_err(|error| {
            let told = format!("no temporary folder can be made: {error}");
            RunError::new(RunErrorKind::Limit, told).with_hint("name another one by --temp-dir")
        })?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("scratch.duckdb")
    }

    /// The file as a target.
    pub fn target(&self) -> TargetUrl {
        TargetUrl::Duckdb(self.file().into())
    }
}
