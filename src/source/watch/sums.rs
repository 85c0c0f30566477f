//! A checksum of each block of a file, taken in one pass and compared in all later ones.

use super::{Change, Watch};
use crate::source::resolve::read_full;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Bytes of a block. A reader holds one; a file of a terabyte has 8 MB of checksums.
pub(super) const BLOCK: usize = 1 << 20;

/// The checksums of a stretch of a file.
#[derive(Debug)]
pub(super) struct Sums {
    start: u64,
    length: u64,
    blocks: Vec<u64>,
}

impl Sums {
    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// The block that holds `offset`: its number, its first byte, its length. `None` behind the end.
    fn block(&self, offset: u64) -> Option<(usize, u64, usize)> {
        let behind = offset.checked_sub(self.start).filter(|behind| *behind < self.length)?;
        let number = behind / BLOCK as u64;
        let from = number * BLOCK as u64;
        let length = (self.length - from).min(BLOCK as u64);
        Some((number as usize, self.start + from, length as usize))
    }

    fn fits(&self, number: usize, bytes: &[u8]) -> bool {
        self.blocks.get(number) == Some(&xxh3_64(bytes))
    }

    /// Where the first block begins whose bytes are others, or not all there.
    pub fn find_difference(&self, mut file: File) -> io::Result<Option<u64>> {
        let mut buffer = vec![0; BLOCK];
        let mut offset = self.start;
        file.seek(SeekFrom::Start(offset))?;
        while let Some((number, from, length)) = self.block(offset) {
            let read = read_full(&mut file, &mut buffer[..length])?;
            if read < length || !self.fits(number, &buffer[..length]) {
                return Ok(Some(from));
            }
            offset = from + length as u64;
        }
        Ok(None)
    }
}

/// Reads a file; once its checksums are known, only bytes that are right.
pub struct CheckedReader {
    watch: Arc<Watch>,
    file: File,
    /// The checksums were known when it was opened.
    is_checked: bool,
    /// Offset in the file of the next byte to be given; unused where nothing is compared.
    at: u64,
    /// The block that was read last, from `given` on not yet given.
    buffer: Vec<u8>,
    given: usize,
}

impl CheckedReader {
    pub(super) fn open(watch: &Arc<Watch>, mut file: File, offset: u64) -> io::Result<Self> {
        let (sums, watch) = (watch.sums.get(), Arc::clone(watch));
        let block = sums.and_then(|sums| sums.block(offset));
        file.seek(SeekFrom::Start(block.map_or(offset, |(_, from, _)| from)))?;
        let is_checked = sums.is_some();
        Ok(Self { watch, file, is_checked, at: offset, buffer: Vec::new(), given: 0 })
    }

    /// Reads the next block whole and compares it; false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        let Some((number, from, length)) = self.watch.sums.get().and_then(|s| s.block(self.at))
        else {
            return Ok(false);
        };
        self.buffer.resize(length, 0);
        let read = read_full(&mut self.file, &mut self.buffer)?;
        let sums = self.watch.sums.get();
        if read == length && sums.is_some_and(|sums| sums.fits(number, &self.buffer)) {
            self.given = (self.at - from) as usize;
            return Ok(true);
        }
        self.buffer.clear();
        self.given = 0;
        Err(self.changed(from, read < length))
    }

    /// What is wrong with the block at `from`, noted for whoever tells the user.
    fn changed(&self, from: u64, is_short: bool) -> io::Error {
        let change = match self.watch.check() {
            Err(change) => change,
            // The name leads to the right bytes again, but those that were read here are not.
            Ok(()) => Change::Rewritten(Some(from)),
        };
        self.watch.note(change.clone());
        let kind = match is_short {
            true => io::ErrorKind::UnexpectedEof,
            false => io::ErrorKind::Other,
        };
        io::Error::new(kind, change.to_string())
    }
}

impl Read for CheckedReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.is_checked {
            return self.file.read(buf);
        }
        if self.given == self.buffer.len() && (buf.is_empty() || !self.next_block()?) {
            return Ok(0);
        }
        let count = buf.len().min(self.buffer.len() - self.given);
        buf[..count].copy_from_slice(&self.buffer[self.given..self.given + count]);
        self.given += count;
        self.at += count as u64;
        Ok(count)
    }
}

/// The first pass: a reader that takes the checksums of what it gives.
pub struct Recorder {
    watch: Arc<Watch>,
    pass: Arc<Mutex<Pass>>,
}

/// A clone of the recorder that readers can be built on.
pub struct RecordingReader(Arc<Mutex<Pass>>);

struct Pass {
    file: io::Take<File>,
    start: u64,
    length: u64,
    blocks: Vec<u64>,
    open: Xxh3,
    /// Bytes of the block that is not complete.
    in_open: usize,
}

impl Recorder {
    pub(super) fn start(watch: &Arc<Watch>, mut file: File) -> io::Result<Self> {
        let (start, length) = watch.part.unwrap_or((0, u64::MAX));
        file.seek(SeekFrom::Start(start))?;
        let pass = Pass {
            file: file.take(length),
            start,
            length: 0,
            blocks: Vec::new(),
            open: Xxh3::new(),
            in_open: 0,
        };
        Ok(Self { watch: Arc::clone(watch), pass: Arc::new(Mutex::new(pass)) })
    }

    /// The reader of the file, or of its part.
    pub fn reader(&self) -> RecordingReader {
        RecordingReader(Arc::clone(&self.pass))
    }

    /// Reads what an unpacker has left at the end, and keeps the checksums.
    pub fn finish(self) -> io::Result<()> {
        io::copy(&mut self.reader(), &mut io::sink())?;
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        if pass.in_open > 0 {
            let last = pass.open.digest();
            pass.blocks.push(last);
        }
        let blocks = std::mem::take(&mut pass.blocks);
        let sums = Sums { start: pass.start, length: pass.length, blocks };
        // A second survey of the same content keeps to the first one.
        let _ = self.watch.sums.set(sums);
        Ok(())
    }
}

impl Read for RecordingReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut pass = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = pass.file.read(buf)?;
        pass.add(&buf[..read]);
        Ok(read)
    }
}

impl Pass {
    fn add(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            let (fresh, rest) = bytes.split_at(bytes.len().min(BLOCK - self.in_open));
            if fresh.len() == BLOCK {
                self.blocks.push(xxh3_64(fresh));
            } else {
                self.open.update(fresh);
                self.in_open += fresh.len();
                if self.in_open == BLOCK {
                    self.blocks.push(self.open.digest());
                    self.open.reset();
                    self.in_open = 0;
                }
            }
            bytes = rest;
        }
    }
}
