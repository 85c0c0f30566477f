//! Failed-record files: what there is, what is in them, and sheets to correct.

use super::error::{RunError, RunErrorKind};
use crate::chunk::Problem;
use crate::load::dead_letter::{self, DeadLetterError, FailedFile, Record};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One failed-record file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureFile {
    /// Path.
    pub path: String,
    /// Run.
    pub run: String,
    /// Inputs.
    pub inputs: Vec<String>,
    /// Records.
    pub records: u64,
    /// Records by code, most frequent first.
    pub codes: Vec<(String, u64)>,
}

/// One refused row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// File, sheet.
    pub input: String,
    /// Row as an editor shows it.
    pub row: u64,
    /// Agent.
    pub stage: String,
    /// Times tried.
    pub attempt: u32,
    /// Why.
    pub problems: Vec<Problem>,
    /// Raw fields.
    pub raw: Vec<(String, String)>,
}

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Text.
    Csv,
    /// Workbook.
    Xlsx,
}

/// All failed-record files of a folder, newest first.
pub fn list(folder: &Path) -> Result<Vec<FailureFile>, RunError> {
    let mut files = dead_letter::list(folder)?;
    files.sort_by(|a, b| b.runs.cmp(&a.runs).then_with(|| a.path.cmp(&b.path)));
    files.iter().map(describe).collect()
}

fn describe(file: &FailedFile) -> Result<FailureFile, RunError> {
    let mut codes: Vec<_> =
        file.by_code.iter().map(|(code, count)| (code.to_string(), *count)).collect();
    codes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut inputs: Vec<String> = Vec::new();
    for record in dead_letter::read(&file.path)? {
        let label = record?.origin().label();
        if !inputs.contains(&label) {
            inputs.push(label);
        }
    }
    Ok(FailureFile {
        path: file.path.display().to_string(),
        run: file.runs.iter().next().cloned().unwrap_or_default(),
        inputs,
        records: file.records,
        codes,
    })
}

/// The rows of a run or file, in order; the sink returns `false` to stop.
pub fn show(
    folder: &Path,
    source: &str,
    sink: &mut dyn FnMut(Failure) -> bool,
) -> Result<(), RunError> {
    for path in find(folder, source)? {
        for record in dead_letter::read(&path)? {
            if !sink(failure(record?)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn failure(record: Record) -> Failure {
    Failure {
        input: record.origin().label(),
        row: record.row,
        stage: record.stage,
        attempt: record.attempt,
        problems: record.errors,
        raw: record.raw,
    }
}

/// Writes a sheet to correct. Returns its path and the number of rows.
pub fn export(
    folder: &Path,
    source: &str,
    format: ExportFormat,
    out: Option<&Path>,
) -> Result<(PathBuf, u64), RunError> {
    let paths = find(folder, source)?;
    let first = paths.first().cloned().unwrap_or_default();
    let ending = match format {
        ExportFormat::Csv => "csv",
        ExportFormat::Xlsx => "xlsx",
    };
    let out = match out {
        Some(out) => out.to_owned(),
        None => first.with_extension(ending),
    };
    let mut readers = Vec::new();
    for path in &paths {
        readers.push(dead_letter::read(path)?);
    }
    let records = readers.into_iter().flatten();
    let parts = match format {
        ExportFormat::Csv => dead_letter::export_csv(records, &out)?,
        ExportFormat::Xlsx => dead_letter::export_xlsx(records, &out)?,
    };
    Ok((out, parts.iter().map(|part| part.records).sum()))
}

/// The failed-record files that a run id, a path or `all` stands for.
pub(super) fn find(folder: &Path, source: &str) -> Result<Vec<PathBuf>, RunError> {
    let path = Path::new(source);
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let files = dead_letter::list(folder)?;
    let newest = files.iter().flat_map(|file| file.runs.iter()).max().cloned();
    let wanted = |file: &&FailedFile| match source {
        "all" => true,
        "latest" => newest.as_ref().is_some_and(|run| file.runs.contains(run)),
        run => file.runs.iter().any(|known| known.eq_ignore_ascii_case(run)),
    };
    let found: Vec<_> = files.iter().filter(wanted).map(|file| file.path.clone()).collect();
    if found.is_empty() {
        let message = format!("no failed records of {source} in {}", folder.display());
        return Err(RunError::new(RunErrorKind::Usage, message)
            .with_hint("`etl failures list` shows what there is"));
    }
    Ok(found)
}

impl From<DeadLetterError> for RunError {
    fn from(error: DeadLetterError) -> Self {
        let full = error.is_disk_full();
        let kind = if full { RunErrorKind::Limit } else { RunErrorKind::Failed };
        let out = Self::new(kind, error.to_string());
        if full { out.with_code("E501") } else { out }
    }
}
