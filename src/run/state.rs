//! What `etl doctor` wants to know: the state of a target, the version of a pack.

use super::error::RunError;
use super::ingest::load_pack;
use super::request::TargetUrl;
use crate::load::duckdb::{DuckTarget, Ledger, has_ledger};
use serde::Serialize;

/// Memory for a look, in bytes.
const MEMORY: u64 = 128 << 20;

/// A target as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetState {
    /// Whether there is anything yet.
    pub exists: bool,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether it has a ledger.
    pub ledger: bool,
    /// Runs that have begun and not ended.
    pub unfinished: Vec<String>,
}

/// Looks at a target without changing it. An error says who holds it, or why it cannot be opened.
pub fn target_state(target: &TargetUrl) -> Result<TargetState, RunError> {
    let TargetUrl::Duckdb(path) = target;
    let Ok(file) = path.metadata() else {
        return Ok(TargetState { exists: false, bytes: 0, ledger: false, unfinished: vec![] });
    };
    let con = DuckTarget::read_only(path, MEMORY)?.connect()?;
    let ledger = has_ledger(&con)?;
    let runs = if ledger { Ledger::new(&con).runs()? } else { Vec::new() };
    let open = runs.into_iter().filter(|run| run.finished.is_none()).map(|run| run.run);
    Ok(TargetState { exists: true, bytes: file.len(), ledger, unfinished: open.collect() })
}

/// Name and version of a pack.
pub fn pack_version(name: &str) -> Result<String, RunError> {
    let pack = load_pack(name)?;
    Ok(format!("{} {}", pack.name, pack.version))
}
