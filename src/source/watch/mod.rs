//! Whether a file still holds the bytes that its survey has read.
//!
//! A survey reads a file from end to end, and what is known of it afterwards (fingerprint, grammar, types)
//! is true of these bytes only. So that pass takes a checksum of each block ([`Recorder`]). Every later
//! reader gets a block only after its checksum was found to be the same ([`CheckedReader`]), at whatever
//! place of the file it begins. Where a library reads the file itself (Parquet), [`Watch::check`] asks the
//! file system instead: size, times and inode before a block is handed over, and the checksums again where
//! one of these differs.
//!
//! Blocks are those of the file as it lies on disk, before unpacking: one rule for plain, packed and
//! archived content, and damage never reaches a decoder.

mod source;
mod sums;

pub(super) use source::WatchedSource;
pub use sums::{CheckedReader, Recorder};

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;
use sums::Sums;

/// What the file system says of a file without its content being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and inode; another file under the same name has others.
    #[cfg(unix)]
    node: (u64, u64),
    /// Seconds and nanoseconds of the last change of content or inode, which programs cannot set back.
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        let meta = path.metadata()?;
        Ok(Self {
            length: meta.len(),
            modified: meta.modified().ok(),
            #[cfg(unix)]
            node: (meta.dev(), meta.ino()),
            #[cfg(unix)]
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    /// Whether both are of one file, as far as the system tells.
    fn is_same_file(&self, other: &Self) -> bool {
        #[cfg(unix)]
        return self.node == other.node;
        #[cfg(not(unix))]
        {
            let _ = other;
            true
        }
    }

    /// What happened to a file that has this stamp now and had `before`.
    fn change_since(&self, before: Option<&Self>) -> Change {
        match before.map(|before| (before.is_same_file(self), before.length)) {
            Some((false, _)) => Change::Replaced,
            Some((true, was)) if self.length < was => Change::Shorter { was, is: self.length },
            Some((true, was)) if self.length > was => Change::Longer { was, is: self.length },
            Some(_) | None => Change::Rewritten(None),
        }
    }
}

/// How a file differs from what was surveyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It cannot be opened any more; why.
    Gone(String),
    /// Bytes at its end are missing.
    Shorter {
        /// Length at the survey.
        was: u64,
        /// Length now.
        is: u64,
    },
    /// It has more bytes.
    Longer {
        /// Length at the survey.
        was: u64,
        /// Length now.
        is: u64,
    },
    /// Another file stands under its name.
    Replaced,
    /// Bytes are others, from some place on where that is known.
    Rewritten(Option<u64>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(why) => write!(f, "it cannot be opened any more ({why})"),
            Self::Shorter { was, is } => write!(f, "it was cut off, from {was} to {is} bytes"),
            Self::Longer { was, is } => write!(f, "it has grown, from {was} to {is} bytes"),
            Self::Replaced => f.write_str("another file was put in its place"),
            Self::Rewritten(None) => f.write_str("it was written anew"),
            Self::Rewritten(Some(at)) => {
                write!(f, "its content is other than it was, in the MiB from byte {at} on")
            }
        }
    }
}

/// A file, or a part of one, that must stay as it was surveyed.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// First byte and length, where only a part of the file matters (a member of an archive).
    part: Option<(u64, u64)>,
    /// The checksums, once the first pass has ended.
    sums: OnceLock<Sums>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the file system said when the content was last known to be right. `None`: the file could not
    /// be asked.
    stamp: Option<Stamp>,
    /// The first difference that was found.
    found: Option<Change>,
}

impl Watch {
    /// Watches a whole file from now on.
    pub fn whole(path: &Path) -> Self {
        let state = State { stamp: Stamp::of(path).ok(), found: None };
        Self { path: path.to_owned(), part: None, sums: OnceLock::new(), state: Mutex::new(state) }
    }

    /// Watches a part of the same file, since the same moment. `None`: all of it, on its own account.
    pub fn part(&self, part: Option<(u64, u64)>) -> Self {
        let stamp = self.state().stamp;
        let state = Mutex::new(State { stamp, found: None });
        Self { path: self.path.clone(), part, sums: OnceLock::new(), state }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader of the file from `offset` on. Behind the first pass it gives right bytes only, and ends
    /// where that pass has ended.
    pub fn open(self: &Arc<Self>, offset: u64) -> io::Result<CheckedReader> {
        CheckedReader::open(self, File::open(&self.path)?, offset)
    }

    /// Begins the pass that takes the checksums.
    pub fn record(self: &Arc<Self>) -> io::Result<Recorder> {
        Recorder::start(self, File::open(&self.path)?)
    }

    /// Whether the first pass has ended.
    pub fn is_known(&self) -> bool {
        self.sums.get().is_some()
    }

    fn note(&self, change: Change) {
        self.state().found.get_or_insert(change);
    }

    /// Whether the content is as it was surveyed: by what the file system says, and where that differs by
    /// reading it again. Without checksums (during the survey) any difference counts.
    pub fn check(&self) -> Result<(), Change> {
        let mut state = self.state();
        if let Some(change) = &state.found {
            return Err(change.clone());
        }
        let compared = match (Stamp::of(&self.path), state.stamp) {
            (Ok(now), Some(before)) if now == before => return Ok(()),
            (Ok(now), before) => self.compare(&now, before.as_ref()).map(|()| now),
            (Err(error), _) => Err(Change::Gone(error.to_string())),
        };
        match compared {
            Ok(now) => state.stamp = Some(now),
            Err(change) => {
                state.found = Some(change.clone());
                return Err(change);
            }
        }
        Ok(())
    }

    /// Whether nobody has even touched the file. For the survey, of which not every reader compares
    /// checksums.
    pub fn check_untouched(&self) -> Result<(), Change> {
        let before = self.state().stamp;
        match Stamp::of(&self.path) {
            Ok(now) if before == Some(now) => Ok(()),
            Ok(now) => Err(now.change_since(before.as_ref())),
            Err(error) => Err(Change::Gone(error.to_string())),
        }
    }

    /// Reads the file again, where it is known what it held. Another length needs no reading.
    fn compare(&self, now: &Stamp, before: Option<&Stamp>) -> Result<(), Change> {
        let change = now.change_since(before);
        let Some(sums) = self.sums.get() else { return Err(change) };
        if self.part.is_none() && now.length != sums.end() {
            let (was, is) = (sums.end(), now.length);
            return Err(match change {
                Change::Replaced => change,
                _ if is < was => Change::Shorter { was, is },
                _ => Change::Longer { was, is },
            });
        }
        match File::open(&self.path).and_then(|file| sums.find_difference(file)) {
            Err(error) => Err(Change::Gone(error.to_string())),
            Ok(None) => Ok(()),
            Ok(Some(_)) if change == Change::Replaced => Err(change),
            Ok(Some(at)) => Err(Change::Rewritten(Some(at))),
        }
    }
}

#[cfg(test)]
mod tests;
