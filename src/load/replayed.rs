//! Which failed records a part of a replay has used up, and what became of them.
//!
//! A record is known by its id and the run that refused it: a row that fails again is a new record
//! of the same id, and a file that is loaded anew may fail anew.

use super::dead_letter::{Record, RecordId};
use crate::chunk::{Chunk, Fate};
use std::ops::Range;

/// A failed record that was replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Identity of the row.
    pub id: RecordId,
    /// The run that had refused it.
    pub refused_by: String,
    /// What became of it.
    pub fate: Fate,
    /// Where it was refused again: what it says now, so that the same text is not tried again under
    /// the same rules.
    pub content: Option<u128>,
}

/// The records `records` of a replay; nothing for rows that were read from their source. `fates` are
/// those of kept rows and `rejects` the refused ones.
pub(super) fn replayed(
    chunk: &Chunk,
    records: Range<u32>,
    fates: &[(u32, Fate)],
    rejects: &[(u32, &Record)],
) -> Vec<Replayed> {
    let first = records.start;
    let earlier = |record| {
        let earlier = chunk.raw.earlier(record)?;
        let (id, refused_by) = (RecordId(earlier.id), earlier.run);
        // What is neither kept nor refused was left out.
        Some(Replayed { id, refused_by, fate: Fate::Filtered, content: None })
    };
    let Some(mut all) = records.map(earlier).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    for (record, fate) in fates {
        all[(record - first) as usize].fate = *fate;
    }
    for (record, refused) in rejects {
        let again = &mut all[(record - first) as usize];
        again.fate = Fate::Rejected;
        again.content = Some(refused.content());
    }
    all
}
