//! The write-ahead log of a file that was not closed, cut back to its last commit before DuckDB
//! reads it.
//!
//! # Why
//!
//! A process that is killed in the middle of a commit leaves the beginning of that transaction at
//! the end of the log. DuckDB (1.5.6 and before; github.com/duckdb/duckdb/pull/25931 is about it)
//! rolls it back when it replays the log, but for row groups that were written ahead of the commit:
//! those are put into the table for good. So rows of a range would be there without the range in
//! the ledger, or changed rows beside the ones that they take the place of. Seen once in sixteen
//! kills of a load of 750,000 rows, and at will by cutting a log between a transaction's row groups
//! and its end.
//!
//! # The log
//!
//! One entry that names the version, then entries as (length, checksum, content), both numbers of
//! 8 bytes, little-endian. Content begins with field 100, the kind of the entry, and a transaction
//! ends with an entry of kind 100. Whatever does not look like that (another version, an encrypted
//! log, one with the mark of a checkpoint) is left to DuckDB as it is.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The only version of the log whose entries are read here.
const VERSION: u64 = 2;

/// Length and checksum before an entry.
const HEAD: u64 = 16;

/// Field 100 as it stands before the kind of each entry.
const KIND_FIELD: [u8; 2] = [100, 0];

const KIND_VERSION: u8 = 98;
const KIND_CHECKPOINT: u8 = 99;
const KIND_COMMIT: u8 = 100;

/// Takes an unfinished transaction off the end of the log of a database, if nobody else has it open.
/// Trouble with the files is left for DuckDB to tell when it opens them.
pub(super) fn cut_torn_end(database: &Path) {
    let _ = try_cut(database);
}

fn try_cut(database: &Path) -> io::Result<()> {
    let log = beside(database, ".wal");
    // With a second log beside it, entries of both belong together.
    if !log.exists() || beside(database, ".wal.checkpoint").exists() {
        return Ok(());
    }
    let Some(_alone) = claim(database) else { return Ok(()) };
    let log = OpenOptions::new().read(true).write(true).open(log)?;
    let length = log.metadata()?.len();
    if let Some(end) = last_commit(&log, length)?
        && end < length
    {
        log.set_len(end)?;
        log.sync_all()?;
    }
    Ok(())
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The database file, locked as DuckDB locks it, or nothing where another process has it. Must be
/// dropped before DuckDB opens the file: on Unix, closing a file gives up all locks of the process.
fn claim(database: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).write(true).open(database).ok()?;
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, fcntl_lock};
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    }
    // On Windows, DuckDB shares the file with nobody, so it could not have been opened.
    Some(file)
}

/// Where the last whole transaction ends, 0 where there is none; nothing if the log is not ours to
/// read.
fn last_commit(log: &File, length: u64) -> io::Result<Option<u64>> {
    let mut log = BufReader::new(log);
    let Some(mut at) = version_end(&mut log, length)? else { return Ok(None) };
    let mut end = 0;
    while length - at >= HEAD {
        let size = number(&mut log)?;
        let _checksum = number(&mut log)?;
        at += HEAD;
        if size > length - at {
            break;
        }
        let mut kind = [0; 3];
        if size < kind.len() as u64 {
            return Ok(None);
        }
        log.read_exact(&mut kind)?;
        if kind[..2] != KIND_FIELD || kind[2] == KIND_CHECKPOINT {
            return Ok(None);
        }
        at += size;
        log.seek(SeekFrom::Start(at))?;
        if kind[2] == KIND_COMMIT {
            end = at;
        }
    }
    Ok(Some(end))
}

/// Where the first entry ends: kind, version, then fields that newer files add, up to the mark
/// 0xffff. It alone has neither length nor checksum.
fn version_end(log: &mut (impl BufRead + Seek), length: u64) -> io::Result<Option<u64>> {
    let mut begin = [0; 5];
    if length < begin.len() as u64 + 2 {
        return Ok(None);
    }
    log.read_exact(&mut begin)?;
    if begin != [KIND_FIELD[0], KIND_FIELD[1], KIND_VERSION, 101, 0] || varint(log)? != VERSION {
        return Ok(None);
    }
    loop {
        let mut field = [0; 2];
        log.read_exact(&mut field)?;
        match u16::from_le_bytes(field) {
            // Bytes of the database's id.
            102 => {
                for _ in 0..varint(log)? {
                    varint(log)?;
                }
            }
            // Number of the checkpoint.
            103 => _ = varint(log)?,
            u16::MAX => return log.stream_position().map(Some),
            _ => return Ok(None),
        }
    }
}

fn number(log: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    log.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Seven bits a byte, lowest first, the eighth says that more follow.
fn varint(log: &mut impl Read) -> io::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        log.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
