//! Parts of a chunk: some of its records, rows at some positions, its refused rows, what lies behind.

use super::{Behind, LoadError, LoadErrorKind, Rows};
use crate::chunk::{Chunk, Mark, Reject};
use polars::prelude::{IdxCa, NewChunkedArray};
use std::ops::Range;
use std::sync::Arc;

/// Keeps the first `records` records of a chunk.
pub fn cut_off(chunk: &mut Chunk, records: u64) {
    if u64::from(chunk.records) <= records {
        return;
    }
    let records = records as u32;
    let rows = chunk.index.partition_point(|record| *record < records);
    chunk.frame = chunk.frame.slice(0, rows);
    chunk.index.truncate(rows);
    chunk.hashes.truncate(rows);
    chunk.keys.truncate(rows);
    chunk.existing.retain(|(row, _)| (*row as usize) < rows);
    chunk.rejects.retain(|reject| reject.record < records);
    chunk.records = records;
}

/// The point of the source behind the first `to` records.
pub(super) fn mark_after(chunk: &Chunk, to: u32) -> Mark {
    let mut mark = if to == 0 { Mark::default() } else { chunk.raw.after(to - 1) };
    mark.record = chunk.first_record + u64::from(to);
    mark
}

/// The refused rows among some records.
pub(super) fn rejects(chunk: &Chunk, records: Range<u32>) -> impl Iterator<Item = &Reject> {
    chunk.rejects.iter().filter(move |reject| records.contains(&reject.record))
}

/// The rows of a chunk at some positions; whole chunks and runs of rows without a copy. Where the
/// target may refuse some of them, `range` says with which range they go.
pub(super) fn pick(
    chunk: &Chunk,
    rows: &[u32],
    range: Option<&String>,
) -> Result<Option<Rows>, LoadError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
    let consecutive = (last - first) as usize + 1 == rows.len();
    let frame = if consecutive {
        chunk.frame.slice(i64::from(*first), rows.len())
    } else {
        let index = IdxCa::from_slice("".into(), rows);
        chunk
            .frame
            .take(&index)
            .map_err(|error| LoadError::new(LoadErrorKind::Account, error.to_string()))?
    };
    let hashes = rows.iter().map(|row| chunk.hashes[*row as usize]).collect();
    let place = |row: &u32| chunk.raw.place(chunk.index[*row as usize]).row as i64;
    let places = rows.iter().map(place).collect();
    let behind = range.map(|range| Behind {
        raw: Arc::clone(&chunk.raw),
        range: range.clone(),
        records: rows.iter().map(|row| chunk.index[*row as usize]).collect(),
        keys: rows.iter().filter_map(|row| chunk.keys.get(*row as usize).copied()).collect(),
    });
    Ok(Some(Rows { frame, hashes, places, behind }))
}
