//! A failed-record file or a corrected sheet → what is to be replayed.

use super::corrections::{Content, Corrections};
use super::error::{DeadLetterError, Faults};
use super::lines::{At, without_bom};
use super::replay::{Entry, Replay, ReplayBuilder};
use super::{Record, RecordId, grid, read};
use crate::source::{Content as Watched, SourceError};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads `input` (JSONL, CSV or XLSX) and joins it by id with the failed-record files `originals`,
/// where the rows' provenance stands. Rows that `input` leaves out are not replayed, nor are those
/// whose record is gone because an earlier replay has used it up (`used`). With a JSONL of which no
/// record is in the originals (or which is one of them) its own records are replayed. Of several
/// attempts at one row the latest counts. All faults of a sheet are reported together, and then
/// nothing is replayed; nor is anything of an input that is written to meanwhile.
pub fn import(
    input: &Path,
    originals: &[PathBuf],
    used: impl Fn(RecordId) -> bool,
) -> Result<Replay, DeadLetterError> {
    let content = Watched::plain(input);
    let imported = import_from(input, originals, used);
    let changed = |error: SourceError| DeadLetterError::Unreadable {
        path: input.to_owned(),
        message: format!("{}; nothing of it was replayed", error.message),
    };
    content.unchanged().map_err(changed)?;
    imported
}

fn import_from(
    input: &Path,
    originals: &[PathBuf],
    used: impl Fn(RecordId) -> bool,
) -> Result<Replay, DeadLetterError> {
    let mut faults = Faults::default();
    let head = head(input)?;
    let corrections = if head.starts_with(b"PK\x03\x04") {
        Corrections::of_grids(grid::read_workbook(input, &mut faults)?, &mut faults)
    } else if without_bom(&head).trim_ascii_start().starts_with(b"{") {
        if originals.iter().any(|path| is_same_file(path, input)) {
            return import_records(&[input.to_owned()]);
        }
        let corrections = Corrections::of_records(numbered(input)?, &mut faults);
        if !has_any(originals, &corrections)? {
            return import_records(&[input.to_owned()]);
        }
        corrections
    } else if head.trim_ascii().is_empty() {
        return import_records(&[input.to_owned()]);
    } else {
        Corrections::of_grids(grid::read_csv(input)?, &mut faults)
    };
    joined(input, originals, corrections, faults, used)
}

fn head(path: &Path) -> Result<Vec<u8>, DeadLetterError> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(4096).read_to_end(&mut head))
        .map_err(DeadLetterError::io("open the file", path))?;
    Ok(head)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn numbered(path: &Path) -> Result<Vec<(u64, Record)>, DeadLetterError> {
    let mut records = read(path)?;
    std::iter::from_fn(|| records.next_at())
        .map(|found| found.map(|(at, record)| (at.line, record)))
        .collect()
}

/// Every record of failed-record files as it stands, the latest attempt of each row.
pub fn import_records(files: &[PathBuf]) -> Result<Replay, DeadLetterError> {
    let mut builder = ReplayBuilder::new(files.to_vec());
    for (file, path) in files.iter().enumerate() {
        each(path, |at, record| {
            builder.add(Entry {
                record: &record,
                file,
                at,
                content: Content::AsRecorded,
                changed: Vec::new(),
            });
        })?;
    }
    Ok(builder.finish())
}

/// Whether a correction belongs to one of the records.
fn has_any(originals: &[PathBuf], corrections: &Corrections) -> Result<bool, DeadLetterError> {
    for path in originals {
        for record in read(path)? {
            if corrections.contains(record?.id) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn joined(
    input: &Path,
    originals: &[PathBuf],
    mut corrections: Corrections,
    mut faults: Faults,
    used: impl Fn(RecordId) -> bool,
) -> Result<Replay, DeadLetterError> {
    let mut builder = ReplayBuilder::new(originals.to_vec());
    for (file, path) in originals.iter().enumerate() {
        each(path, |at, record| {
            if !corrections.contains(record.id) || !builder.is_latest(&record) {
                return;
            }
            match corrections.apply(&record) {
                Ok((content, changed)) => {
                    builder.add(Entry { record: &record, file, at, content, changed });
                }
                Err(found) => {
                    builder.saw(&record);
                    found.into_iter().for_each(|fault| faults.add(fault));
                }
            }
        })?;
    }
    corrections.unknown(|id| builder.knows(id) || used(id), &mut faults);
    faults.check(input)?;
    Ok(builder.finish())
}

fn each(path: &Path, mut with: impl FnMut(At, Record)) -> Result<(), DeadLetterError> {
    let mut records = read(path)?;
    while let Some(found) = records.next_at() {
        let (at, record) = found?;
        with(at, record);
    }
    Ok(())
}
