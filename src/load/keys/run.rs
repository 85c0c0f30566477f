//! Sorted keys in a temporary file.
//!
//! Records of 20 bytes: the key, then the row, both little-endian, ascending by key. A fence in memory
//! for each [`PAGE`] of them says which page to read.

use super::table::Table;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Records of a page: what one search reads.
const PAGE: usize = 256;
const RECORD: usize = 20;

/// Bytes read or written at a time where all records pass.
const BUFFER: usize = 1 << 16;

/// A file of keys, gone with this value.
#[derive(Debug)]
pub struct Run {
    file: File,
    len: u64,
    /// The first key of each page, its upper half.
    fences: Vec<u64>,
    /// How often its keys have been merged.
    merges: u32,
}

impl Run {
    /// Moves the keys of a table into a file.
    pub fn write(table: &mut Table, temp_dir: Option<&Path>) -> io::Result<Self> {
        let mut writer = RunWriter::new(temp_dir)?;
        table.drain_sorted(|key, row| writer.add(key, row))?;
        writer.finish(0)
    }

    /// One run of all keys of several; no key is in two of them.
    pub fn merge(runs: &[Self], temp_dir: Option<&Path>) -> io::Result<Self> {
        let mut writer = RunWriter::new(temp_dir)?;
        let mut readers = runs.iter().map(Self::records).collect::<io::Result<Vec<_>>>()?;
        let mut next = BinaryHeap::with_capacity(readers.len());
        for (which, reader) in readers.iter_mut().enumerate() {
            next.extend(reader.next().transpose()?.map(|record| Reverse((record, which))));
        }
        while let Some(Reverse(((key, row), which))) = next.pop() {
            writer.add(key, row)?;
            let following = readers[which].next().transpose()?;
            next.extend(following.map(|record| Reverse((record, which))));
        }
        writer.finish(1 + runs.iter().map(|run| run.merges).max().unwrap_or_default())
    }

    /// Keys.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// How often its keys have been merged.
    pub fn merges(&self) -> u32 {
        self.merges
    }

    /// The row of a key.
    pub fn find(&self, key: u128) -> io::Result<Option<u32>> {
        let key = key.max(1);
        // Keys of one upper half may stand on both sides of a fence.
        let from = self.fences.partition_point(|fence| *fence < upper(key)).saturating_sub(1);
        let to = self.fences.partition_point(|fence| *fence <= upper(key));
        for page in from..to {
            let mut page_bytes = [0; PAGE * RECORD];
            let page = self.page(page, &mut page_bytes)?;
            let records = page.as_chunks::<RECORD>().0;
            if let Ok(at) = records.binary_search_by_key(&key, |record| split(record).0) {
                return Ok(Some(split(&records[at]).1));
            }
        }
        Ok(None)
    }

    /// All keys with their rows, in order.
    pub fn records(&self) -> io::Result<impl Iterator<Item = io::Result<(u128, u32)>> + use<'_>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let record = move |_| {
            let mut record = [0; RECORD];
            reader.read_exact(&mut record)?;
            Ok(split(&record))
        };
        Ok((0..self.len).map(record))
    }

    fn page<'b>(&self, page: usize, bytes: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let from = (page * PAGE) as u64;
        let records = (self.len - from).min(PAGE as u64) as usize;
        let bytes = &mut bytes[..records * RECORD];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(from * RECORD as u64))?;
        file.read_exact(bytes)?;
        Ok(bytes)
    }
}

/// A run as it is written.
struct RunWriter {
    out: BufWriter<File>,
    len: u64,
    fences: Vec<u64>,
}

impl RunWriter {
    fn new(temp_dir: Option<&Path>) -> io::Result<Self> {
        let file = match temp_dir {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }?;
        Ok(Self { out: BufWriter::with_capacity(BUFFER, file), len: 0, fences: Vec::new() })
    }

    /// Adds a key that is greater than all before it.
    fn add(&mut self, key: u128, row: u32) -> io::Result<()> {
        if self.len.is_multiple_of(PAGE as u64) {
            self.fences.push(upper(key));
        }
        self.len += 1;
        self.out.write_all(&key.to_le_bytes())?;
        self.out.write_all(&row.to_le_bytes())
    }

    fn finish(mut self, merges: u32) -> io::Result<Run> {
        self.fences.shrink_to_fit();
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Run { file, len: self.len, fences: self.fences, merges })
    }
}

fn upper(key: u128) -> u64 {
    (key >> 64) as u64
}

fn split(record: &[u8; RECORD]) -> (u128, u32) {
    let (key, row) = record.split_at(16);
    let key = u128::from_le_bytes(key.try_into().expect("16 of 20 bytes"));
    (key, u32::from_le_bytes(row.try_into().expect("4 of 20 bytes")))
}
