//! The set of keys seen in an input, to find duplicates, in bounded memory for any number of rows.
//!
//! Keys are 128-bit hashes. A collision of two has a chance of 1 in 10^24 for eleven million rows
//! (the whole state), so a hit is taken as the same key.
//!
//! # Where they are
//!
//! The newest in a table in memory. When that has reached its share, its keys are sorted into a run: a
//! temporary file that is searched by a key for each few kilobytes of it. Eight runs become one, and
//! eight of those again, so that few are searched however many keys there are. A filter over all runs,
//! of one and a half to two bytes a key, says for all but 3 of 1,000 new keys that none need be.

mod filter;
mod run;
mod table;

use self::filter::Filter;
use self::run::Run;
use self::table::Table;
use super::{LoadError, LoadErrorKind};
use std::io;
use std::path::PathBuf;

/// Memory of the newest keys where nothing else is said: 419,430 keys.
pub const SHARE: u64 = 10 << 20;

/// Runs that become one.
const FAN: usize = 8;

/// Keys with the row they were first seen in.
#[derive(Debug)]
pub struct KeySet {
    newest: Table,
    /// Slots that the newest may take.
    most: usize,
    runs: Vec<Run>,
    filter: Filter,
    temp_dir: Option<PathBuf>,
}

impl Default for KeySet {
    fn default() -> Self {
        Self::new(SHARE, None)
    }
}

impl KeySet {
    /// An empty set that keeps about `share` bytes of keys in memory, the others in files of
    /// `temp_dir`, or of the system's folder for such files.
    pub fn new(share: u64, temp_dir: Option<PathBuf>) -> Self {
        let most = Table::slots_within(share);
        let filter = Filter::for_keys(0);
        Self { newest: Table::default(), most, runs: Vec::new(), filter, temp_dir }
    }

    /// Adds a key. The row of its first occurrence where it is there already.
    pub fn insert(&mut self, key: u128, row: u64) -> Result<Option<u64>, LoadError> {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        if self.filter.may_hold(key) {
            for run in &self.runs {
                if let Some(first) = run.find(key).map_err(failed)? {
                    return Ok(Some(u64::from(first)));
                }
            }
        }
        if self.newest.is_full() {
            self.make_room().map_err(failed)?;
        }
        Ok(self.newest.insert(key, row).map(u64::from))
    }

    /// Keys held.
    pub fn len(&self) -> u64 {
        self.newest.len() as u64 + self.runs.iter().map(Run::len).sum::<u64>()
    }

    /// No key yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.newest.slots() < self.most {
            self.newest.grow();
            return Ok(());
        }
        let run = Run::write(&mut self.newest, self.temp_dir.as_deref())?;
        self.runs.push(run);
        self.extend_filter()?;
        self.merge_runs()
    }

    /// Adds the newest run to the filter, or all runs to a larger one.
    fn extend_filter(&mut self) -> io::Result<()> {
        let keys = self.len();
        let mut unknown = self.runs.len() - 1;
        if keys > self.filter.capacity() {
            // The old one goes first: both together are memory that nobody has counted.
            self.filter = Filter::for_keys(0);
            self.filter = Filter::for_keys(keys + keys / 3);
            unknown = 0;
        }
        for run in &self.runs[unknown..] {
            for record in run.records()? {
                self.filter.add(record?.0);
            }
        }
        Ok(())
    }

    /// Makes one run of the last eight that were merged equally often, and so on.
    fn merge_runs(&mut self) -> io::Result<()> {
        while let Some(from) = self.runs.len().checked_sub(FAN)
            && self.runs[from].merges() == self.runs[self.runs.len() - 1].merges()
        {
            let merged = Run::merge(&self.runs[from..], self.temp_dir.as_deref())?;
            self.runs.truncate(from);
            self.runs.push(merged);
        }
        Ok(())
    }
}

fn failed(error: io::Error) -> LoadError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LoadErrorKind::DiskFull,
        _ => LoadErrorKind::Target,
    };
    LoadError::new(kind, format!("keys of rows cannot be kept in a temporary file: {error}"))
        .with_hint("name a folder with room for 20 bytes a row by --temp-dir")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> u128 {
        u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }

    fn remembers(keys: &mut KeySet, count: u64) {
        for n in 0..count {
            assert_eq!(keys.insert(key(n), n + 2).expect("room"), None, "{n}");
        }
        assert_eq!(keys.len(), count);
        for n in (0..count).step_by(7) {
            assert_eq!(keys.insert(key(n), 99).expect("room"), Some(n + 2), "{n}");
        }
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn the_first_occurrence_is_remembered_through_growth() {
        let mut keys = KeySet::default();
        remembers(&mut keys, 50_000);
        assert!(keys.runs.is_empty());
    }

    #[test]
    fn the_first_occurrence_is_remembered_through_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut keys = KeySet::new(40_000, Some(folder.path().to_owned()));
        remembers(&mut keys, 60_000);
        // 73 tables full: eight eights, eight and one.
        let merges: Vec<_> = keys.runs.iter().map(Run::merges).collect();
        assert_eq!(merges, [2, 1, 0]);
        assert!(keys.newest.slots() * Table::SLOT <= 40_960);
    }

    #[test]
    fn few_new_keys_ask_the_files() {
        let mut filter = Filter::for_keys(1 << 16);
        (0..1 << 16).for_each(|n| filter.add(key(n)));
        assert!((0..1 << 16).all(|n| filter.may_hold(key(n))));
        let wrong = (1 << 16..1 << 18).filter(|n| filter.may_hold(key(*n))).count();
        assert!(wrong < 3 * 196 * 3, "{wrong} of 196,608");
        assert!(!Filter::for_keys(0).may_hold(key(1)));
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut keys = KeySet::new(40_000, Some(folder.path().join("gone")));
        let error = (0..60_000).find_map(|n| keys.insert(key(n), n).err()).expect("no room");
        assert!(error.message.contains("temporary file"), "{error}");
    }
}
