//! Sorted keys in a temporary file.
//!
//! Records of 20 bytes: the key, then the row, both little-endian, ascending by key. A fence in memory
//! for each [`PAGE`] of them says which page to read.

use super::table::Table;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Records of a page: what one search reads.
const PAGE: usize = 256;
const RECORD: usize = 20;

/// A file of keys, gone with this value.
#[derive(Debug)]
pub struct Run {
    file: File,
    len: u64,
    /// The first key of each page, its upper half.
    fences: Vec<u64>,
}

impl Run {
    /// Moves the keys of a table into a file.
    pub fn write(table: &mut Table, temp_dir: Option<&Path>) -> io::Result<Self> {
        let file = match temp_dir {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        let mut fences = Vec::with_capacity(table.len() / PAGE + 1);
        let mut len = 0u64;
        table.drain_sorted(|key, row| {
            if len.is_multiple_of(PAGE as u64) {
                fences.push(upper(key));
            }
            len += 1;
            out.write_all(&key.to_le_bytes())?;
            out.write_all(&row.to_le_bytes())
        })?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Self { file, len, fences })
    }

    /// Keys.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The row of a key.
    pub fn find(&self, key: u128) -> io::Result<Option<u32>> {
        let key = key.max(1);
        // Keys of one upper half may stand on both sides of a fence.
        let from = self.fences.partition_point(|fence| *fence < upper(key)).saturating_sub(1);
        let to = self.fences.partition_point(|fence| *fence <= upper(key));
        for page in from..to {
            let page = self.page(page)?;
            let records = page.as_chunks::<RECORD>().0;
            if let Ok(at) = records.binary_search_by_key(&key, |record| split(record).0) {
                return Ok(Some(split(&records[at]).1));
            }
        }
        Ok(None)
    }

    /// All keys, in order.
    pub fn each(&self, mut each: impl FnMut(u128)) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut record = [0; RECORD];
        for _ in 0..self.len {
            reader.read_exact(&mut record)?;
            each(split(&record).0);
        }
        Ok(())
    }

    fn page(&self, page: usize) -> io::Result<Vec<u8>> {
        let from = (page * PAGE) as u64;
        let records = (self.len - from).min(PAGE as u64) as usize;
        let mut bytes = vec![0; records * RECORD];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(from * RECORD as u64))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
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
