//! Which database files this process has open.
//!
//! DuckDB's file lock is the operating system's, and on Unix that does not keep a process out of a
//! file it holds itself: two engines on one file would destroy it. This register refuses that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::error::{DuckError, DuckErrorKind};

#[derive(Default)]
struct Uses {
    readers: usize,
    writers: usize,
}

static OPEN: LazyLock<Mutex<HashMap<PathBuf, Uses>>> = LazyLock::new(Default::default);

fn open_files() -> MutexGuard<'static, HashMap<PathBuf, Uses>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A claim on a file; given back on drop.
pub(super) struct OpenFile {
    path: PathBuf,
    read_only: bool,
}

impl OpenFile {
    pub fn claim(path: &Path, read_only: bool) -> Result<OpenFile, DuckError> {
        let path = real_path(path);
        let mut open = open_files();
        let uses = open.entry(path.clone()).or_default();
        if uses.writers > 0 || (uses.readers > 0 && !read_only) {
            let pid = Some(std::process::id());
            let kind = DuckErrorKind::Locked { pid, program: Some("this process".into()) };
            let message = format!("{} is already open in this process", path.display());
            return Err(DuckError::new(kind, message, ""));
        }
        if read_only {
            uses.readers += 1;
        } else {
            uses.writers += 1;
        }
        Ok(OpenFile { path, read_only })
    }

    /// Whether nothing else in this process has the file open.
    pub fn is_only_use(&self) -> bool {
        open_files().get(&self.path).is_none_or(|uses| uses.readers + uses.writers == 1)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut open = open_files();
        let Some(uses) = open.get_mut(&self.path) else { return };
        if self.read_only {
            uses.readers -= 1;
        } else {
            uses.writers -= 1;
        }
        if uses.readers + uses.writers == 0 {
            open.remove(&self.path);
        }
    }
}

/// One name for one file, also while the file does not exist yet.
fn real_path(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}
