//! Dropping records from a file: after a stop those whose range was never committed, after a replay
//! those that it has used up.

use super::RecordId;
use super::error::DeadLetterError;
use super::lines::{At, Lines, without_bom};
use super::read::damaged;
use super::write::sync_folder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What recovery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Records of committed ranges.
    pub kept: u64,
    /// Records of ranges that were never committed, and lines cut off by the stop.
    pub dropped: u64,
}

#[derive(Deserialize)]
struct JustRange {
    range: String,
}

#[derive(Deserialize)]
struct JustId {
    id: RecordId,
    run: String,
}

/// Brings one run's file to the state of the ledger: `keep` says whether a range is in it. Kept
/// lines stay byte for byte; a file that needs no change is not written; one without a record left
/// is removed, as if it had never been begun. Safe to stop and to repeat.
pub fn recover(path: &Path, keep: impl Fn(&str) -> bool) -> Result<Recovered, DeadLetterError> {
    filter(path, Broken::LeftOver, |stub: &JustRange| keep(&stub.range))
}

/// Drops the records that a replay has used up, known by their id and the run that refused them. As
/// careful as [`recover`], but a line that is no record is an error: somebody may be editing it.
pub fn discard(
    path: &Path,
    used: impl Fn(RecordId, &str) -> bool,
) -> Result<Recovered, DeadLetterError> {
    filter(path, Broken::Error, |stub: &JustId| !used(stub.id, &stub.run))
}

/// What a line that is no record means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// Left over from a commit that never happened, where no record follows that was committed.
    LeftOver,
    /// Damage.
    Error,
}

fn filter<T: DeserializeOwned>(
    path: &Path,
    broken: Broken,
    keep: impl Fn(&T) -> bool,
) -> Result<Recovered, DeadLetterError> {
    let spare = spare_path(path);
    match fs::remove_file(&spare) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(DeadLetterError::io("remove the left-over", &spare)(error));
        }
        _ => {}
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Recovered::default());
        }
        opened => opened.map_err(DeadLetterError::io("open the file", path))?,
    };
    let permissions = file.metadata().map(|meta| meta.permissions());
    let survey = survey(path, broken, &keep)?;
    drop(file);
    if survey.clean {
        return Ok(survey.recovered);
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if survey.recovered.kept == 0 {
        fs::remove_file(path).map_err(DeadLetterError::io("remove the file", path))?;
    } else {
        write_kept(path, &spare, &keep)?;
        if let Ok(permissions) = permissions {
            // As far as the system lets us: the content matters more than its mode.
            let _ = fs::set_permissions(&spare, permissions);
        }
        fs::rename(&spare, path).map_err(DeadLetterError::io("replace the file", path))?;
    }
    sync_folder(folder)?;
    Ok(survey.recovered)
}

/// A fixed name, so that a stop during recovery leaves at most one left-over.
fn spare_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".recovering");
    path.with_file_name(name)
}

struct Survey {
    recovered: Recovered,
    /// Nothing to change.
    clean: bool,
}

/// First pass: counts, and refuses a file that is damaged where it was once durable.
fn survey<T: DeserializeOwned>(
    path: &Path,
    tolerance: Broken,
    keep: &impl Fn(&T) -> bool,
) -> Result<Survey, DeadLetterError> {
    let mut survey = Survey { recovered: Recovered::default(), clean: true };
    let mut broken: Option<(At, serde_json::Error)> = None;
    each_line(path, |at, text| {
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        match serde_json::from_slice::<T>(without_bom(text)) {
            Ok(stub) if keep(&stub) => {
                if let Some((at, error)) = &broken {
                    // This record was synced, and with it all before it.
                    return Err(damaged(path, *at, error));
                }
                survey.recovered.kept += 1;
                survey.clean &= at.whole;
                return Ok(());
            }
            Ok(_) => {}
            Err(error) if tolerance == Broken::Error => return Err(damaged(path, at, &error)),
            Err(error) => {
                broken.get_or_insert((at, error));
            }
        }
        survey.recovered.dropped += 1;
        survey.clean = false;
        Ok(())
    })?;
    Ok(survey)
}

/// Second pass: copies what is kept.
fn write_kept<T: DeserializeOwned>(
    path: &Path,
    spare: &Path,
    keep: &impl Fn(&T) -> bool,
) -> Result<(), DeadLetterError> {
    let trouble = || DeadLetterError::io("write", spare);
    let mut out = BufWriter::new(File::create(spare).map_err(trouble())?);
    each_line(path, |_, text| match serde_json::from_slice::<T>(without_bom(text)) {
        Ok(stub) if keep(&stub) => {
            out.write_all(text).and_then(|()| out.write_all(b"\n")).map_err(trouble())
        }
        _ => Ok(()),
    })?;
    let file = out.into_inner().map_err(|error| trouble()(error.into_error()))?;
    file.sync_all().map_err(trouble())
}

fn each_line(
    path: &Path,
    mut with: impl FnMut(At, &[u8]) -> Result<(), DeadLetterError>,
) -> Result<(), DeadLetterError> {
    let file = File::open(path).map_err(DeadLetterError::io("open the file", path))?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 18, file));
    while let Some(at) = lines.advance().map_err(DeadLetterError::io("read the file", path))? {
        with(at, &lines.text)?;
    }
    Ok(())
}
