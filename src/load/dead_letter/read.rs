//! Failed-record files read in order, and the files of a folder with what is in them.

use super::error::DeadLetterError;
use super::lines::{At, Lines, without_bom};
use super::{Record, SUFFIX};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The records of one file, in order; ends behind the first error.
pub struct Records {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
    ended: bool,
}

/// Opens a failed-record file.
pub fn read(path: &Path) -> Result<Records, DeadLetterError> {
    let file = File::open(path).map_err(DeadLetterError::io("open the file", path))?;
    let lines = Lines::new(BufReader::with_capacity(1 << 18, file));
    Ok(Records { path: path.to_owned(), lines, ended: false })
}

impl Records {
    /// The next record and where it stands. Blank lines, which editors leave, are passed over.
    pub(super) fn next_at(&mut self) -> Option<Result<(At, Record), DeadLetterError>> {
        loop {
            let at = match self.lines.advance() {
                Ok(at) => at?,
                Err(error) => {
                    return Some(Err(DeadLetterError::io("read the file", &self.path)(error)));
                }
            };
            let text = without_bom(&self.lines.text);
            if text.trim_ascii().is_empty() {
                continue;
            }
            return Some(match serde_json::from_slice(text) {
                Ok(record) => Ok((at, record)),
                Err(error) => Err(damaged(&self.path, at, &error)),
            });
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, DeadLetterError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_at().map(|found| found.map(|(_, record)| record));
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

pub(super) fn damaged(path: &Path, at: At, error: &serde_json::Error) -> DeadLetterError {
    let mut message = error.to_string();
    if !at.whole {
        message.push_str(" (the file ends inside this line)");
    }
    DeadLetterError::Damaged { path: path.to_owned(), line: at.line, message }
}

/// What a failed-record file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedFile {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Readable records.
    pub records: u64,
    /// Records by problem code; a record with two codes counts for both.
    pub by_code: BTreeMap<String, u64>,
    /// Runs that wrote it.
    pub runs: BTreeSet<String>,
    /// Lines that are no record: how many, and the first.
    pub damaged: Option<(u64, u64)>,
}

/// As much of a record as a listing needs; codes of later versions are welcome.
#[derive(Deserialize)]
struct Summary {
    run: String,
    errors: Vec<JustCode>,
    #[serde(rename = "id")]
    _id: IgnoredAny,
}

#[derive(Deserialize)]
struct JustCode {
    code: String,
}

/// The failed-record files of a folder, by name. A damaged file is listed, not an error.
pub fn list(folder: &Path) -> Result<Vec<FailedFile>, DeadLetterError> {
    let trouble = || DeadLetterError::io("list the folder", folder);
    let mut paths = Vec::new();
    for entry in folder.read_dir().map_err(trouble())? {
        let path = entry.map_err(trouble())?.path();
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX));
        if named && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| inspect(path)).collect()
}

/// What a failed-record file holds; damage is told, not an error.
pub fn inspect(path: &Path) -> Result<FailedFile, DeadLetterError> {
    let file = File::open(path).map_err(DeadLetterError::io("open the file", path))?;
    let mut found = FailedFile {
        path: path.to_owned(),
        bytes: file.metadata().map_or(0, |meta| meta.len()),
        records: 0,
        by_code: BTreeMap::new(),
        runs: BTreeSet::new(),
        damaged: None,
    };
    let mut lines = Lines::new(BufReader::with_capacity(1 << 18, file));
    while let Some(at) = lines.advance().map_err(DeadLetterError::io("read the file", path))? {
        let text = without_bom(&lines.text);
        if text.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Summary>(text) {
            Ok(summary) => {
                found.records += 1;
                let codes: BTreeSet<_> =
                    summary.errors.into_iter().map(|error| error.code).collect();
                for code in codes {
                    *found.by_code.entry(code).or_default() += 1;
                }
                if !found.runs.contains(&summary.run) {
                    found.runs.insert(summary.run);
                }
            }
            Err(_) => found.damaged.get_or_insert((0, at.line)).0 += 1,
        }
    }
    Ok(found)
}
