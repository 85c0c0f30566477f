//! Refused rows of earlier runs: which files hold them, what is in them, sheets to correct them.

use super::error::{RunError, RunErrorKind};
use crate::load::dead_letter::{
    DeadLetterError, FailedFile, Record, SUFFIX, export_csv, export_xlsx, list as list_files, read,
};
use std::path::{Path, PathBuf};

/// How a sheet is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetKind {
    /// Text.
    Csv,
    /// Workbook.
    Xlsx,
}

/// A sheet that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Files, or the workbook.
    pub files: Vec<PathBuf>,
    /// Records in them.
    pub records: u64,
}

impl From<DeadLetterError> for RunError {
    fn from(error: DeadLetterError) -> Self {
        let kind = match &error {
            _ if error.is_disk_full() => RunErrorKind::Limit,
            DeadLetterError::Exists(_) | DeadLetterError::Export { .. } => RunErrorKind::Usage,
            DeadLetterError::Torn(_) | DeadLetterError::Poisoned(_) => RunErrorKind::Failed,
            DeadLetterError::Io { .. }
            | DeadLetterError::Damaged { .. }
            | DeadLetterError::Unreadable { .. }
            | DeadLetterError::Rows { .. } => RunErrorKind::Input,
        };
        let code = error.is_disk_full().then_some("E501");
        let mut out = Self::new(kind, error.to_string());
        out.code = code;
        out
    }
}

/// The failed-record files of a folder; the newest run first.
pub fn list(folder: &Path) -> Result<Vec<FailedFile>, RunError> {
    let mut files = list_files(folder)?;
    // Run ids sort by time.
    files.sort_by(|left, right| right.runs.iter().max().cmp(&left.runs.iter().max()));
    Ok(files)
}

/// The files that a user names by a path or by a run; `latest` is the newest run that has some.
pub fn find(folder: &Path, source: &str) -> Result<Vec<PathBuf>, RunError> {
    let path = Path::new(source);
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let inside = folder.join(source);
    if source.ends_with(SUFFIX) && inside.is_file() {
        return Ok(vec![inside]);
    }
    let there = if folder.is_dir() { list(folder)? } else { Vec::new() };
    let newest = there.first().and_then(|file| file.runs.iter().max().cloned());
    let run = match newest.as_deref() {
        Some(newest) if source == "latest" => newest,
        _ => source,
    };
    let wanted = |file: &&FailedFile| file.runs.iter().any(|known| known.eq_ignore_ascii_case(run));
    let files: Vec<_> = there.iter().filter(wanted).map(|file| file.path.clone()).collect();
    if files.is_empty() {
        let message =
            format!("{source}: no such file, and no run with refused rows in {}", folder.display());
        return Err(RunError::new(RunErrorKind::Input, message)
            .with_hint("`etl failures list` shows what there is"));
    }
    Ok(files)
}

/// The records of files, one after the other; stops behind the first that cannot be read.
pub fn records(files: Vec<PathBuf>) -> impl Iterator<Item = Result<Record, DeadLetterError>> {
    files.into_iter().flat_map(|path| {
        let (records, error) = match read(&path) {
            Ok(records) => (Some(records), None),
            Err(error) => (None, Some(Err(error))),
        };
        records.into_iter().flatten().chain(error)
    })
}

/// Writes a sheet to correct. Never overwrites a file: it may hold corrections.
pub fn export(
    files: Vec<PathBuf>,
    kind: SheetKind,
    out: Option<&Path>,
) -> Result<Exported, RunError> {
    let out = out.map_or_else(|| beside(&files, kind), Path::to_owned);
    let parts = match kind {
        SheetKind::Csv => export_csv(records(files), &out)?,
        SheetKind::Xlsx => export_xlsx(records(files), &out)?,
    };
    let records = parts.iter().map(|part| part.records).sum();
    let files = match kind {
        SheetKind::Csv => parts.into_iter().map(|part| part.name.into()).collect(),
        SheetKind::Xlsx => vec![out],
    };
    Ok(Exported { files, records })
}

/// `roll.01J….failed.jsonl` → `roll.01J….corrected.xlsx` in the same folder.
fn beside(files: &[PathBuf], kind: SheetKind) -> PathBuf {
    let first = files.first().cloned().unwrap_or_default();
    let name = first.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(SUFFIX).unwrap_or(&name);
    let ending = match kind {
        SheetKind::Csv => "csv",
        SheetKind::Xlsx => "xlsx",
    };
    first.with_file_name(format!("{stem}.corrected.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_lies_beside_the_records() {
        let file = PathBuf::from("out/roll.01J.failed.jsonl");
        let path = beside(&[file], SheetKind::Xlsx);
        assert_eq!(path, Path::new("out").join("roll.01J.corrected.xlsx"));
    }

    #[test]
    fn nothing_found_says_where_to_look() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = find(folder.path(), "01J").expect_err("nothing there");
        assert_eq!(error.kind, RunErrorKind::Input);
        assert_eq!(error.hints, ["`etl failures list` shows what there is"]);
    }
}
