//! Types of a table that no pack knows, found over the whole file.
//!
//! A column gets a type only if every cell that is not blank fits it: a table typed here loads
//! without a misfit. The table's own source reads everything as text; workers fold the columns into
//! finders that merge in any order, so the answer does not depend on chunks or threads.

mod common;
mod finder;
mod kinds;

pub use common::{Common, Slashes};
pub use finder::TypeFinder;
pub use kinds::{Fit, fit, inexact};

use super::{Block, Decoded, SourceError, Table};
use crate::chunk::{ColumnKind, Mark, Marks, MisfitKind, Place, ReadColumn, ReadSchema, Role};
use crossbeam_channel::{Receiver, bounded};
use std::collections::HashSet;
use std::sync::Arc;

/// Records and bytes of a block; small, since only counts are kept, and so that its texts are still in
/// the processor's cache when they are looked at.
const ROWS: usize = 2_048;
const BYTES: usize = 1 << 20;

/// What was found out about a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Inferred {
    /// The type that every cell fits.
    pub kind: ColumnKind,
    /// What all cells have in common, to be joined with columns of other files.
    pub common: Common,
    /// Blank cells. Not counted where the file declares its types.
    pub nulls: u64,
    /// Of a text column: the type that at least half of its cells have.
    pub nearly: Option<ColumnKind>,
    /// Cells that are not of that type.
    pub outside: u64,
    /// The first cells that kept the column from that type.
    pub first_misfits: Vec<(Place, String)>,
}

/// The types of all columns of a table, in the order of its fields.
pub fn infer(table: &dyn Table, threads: usize) -> Result<Vec<Inferred>, SourceError> {
    if let Some(declared) = table.declared() {
        let known = |kind| Inferred {
            kind,
            common: Common::declared(kind),
            nulls: 0,
            nearly: None,
            outside: 0,
            first_misfits: Vec::new(),
        };
        return Ok(declared.into_iter().map(known).collect());
    }
    let mut source = table.open(schema(table), Mark::default())?;
    let width = table.headers().len();
    let threads = threads.max(1);
    let (blocks, queue) = bounded::<Block>(threads);
    let (read, folded) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let queue = queue.clone();
                scope.spawn(move || fold(&queue, width))
            })
            .collect();
        // When the last worker has failed, sending fails too.
        drop(queue);
        let read = loop {
            match source.next_block(ROWS, BYTES) {
                Ok(Some(block)) => {
                    if blocks.send(block).is_err() {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(blocks);
        let folded: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        (read, folded)
    });
    let mut finders = vec![TypeFinder::default(); width];
    for worker in folded {
        let found = worker.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        finders.iter_mut().zip(found).for_each(|(mine, found)| mine.merge(found));
    }
    read?;
    Ok(finders.iter().map(TypeFinder::finish).collect())
}

/// Every field as text. Ids, so that numbers a spreadsheet has rounded are told apart.
fn schema(table: &dyn Table) -> Arc<ReadSchema> {
    texts(table, 0..table.headers().len(), true)
}

/// Some fields of a table as texts, `clean`: trimmed.
pub fn texts(
    table: &dyn Table,
    fields: impl IntoIterator<Item = usize>,
    clean: bool,
) -> Arc<ReadSchema> {
    let headers = table.headers();
    let column = |field: usize| ReadColumn {
        role: Role::Id,
        clean,
        ..ReadColumn::text(format!("c{field}"), headers[field].clone(), field)
    };
    Arc::new(ReadSchema {
        columns: fields.into_iter().map(column).collect(),
        extra: Vec::new(),
        headers: table.headers().to_vec(),
    })
}

/// One worker: blocks → finders.
fn fold(queue: &Receiver<Block>, width: usize) -> Result<Vec<TypeFinder>, SourceError> {
    let mut finders = vec![TypeFinder::default(); width];
    while let Ok(block) = queue.recv() {
        block.body.find_types(&mut finders)?;
    }
    Ok(finders)
}

/// Tells the texts of a block to finders.
pub(super) fn add(finders: &mut [TypeFinder], decoded: &Decoded) {
    add_with_digits(finders, decoded, &[]);
}

/// The same of a workbook. `digits`: rows of each column whose cells are numbers of which the digits tell more.
/// A code by its number format makes its column text; a number that may have lost digits has at least those
/// that stand there.
pub(super) fn add_with_digits(finders: &mut [TypeFinder], decoded: &Decoded, digits: &[Marks]) {
    let digits: Vec<HashSet<_>> = digits.iter().map(|rows| rows.iter().collect()).collect();
    let is_digits = |at: usize, row| digits.get(at).is_some_and(|rows| rows.contains(&row));
    for (at, (finder, column)) in finders.iter_mut().zip(decoded.frame.columns()).enumerate() {
        let Ok(texts) = column.str() else { continue };
        for (row, text) in texts.iter().enumerate() {
            let place = || decoded.raw.place(decoded.index[row]);
            match text {
                Some(text) if is_digits(at, row) => {
                    finder.add_many(kinds::SHOWN, text, 1, place);
                }
                Some(text) => finder.add(text, place),
                None => finder.add_nulls(1),
            }
        }
    }
    // Cells that could not be text are null in the frame, and counted there as blanks.
    for misfit in &decoded.misfits {
        let at = usize::from(misfit.column);
        let finder = &mut finders[at];
        let place = || decoded.raw.place(misfit.record);
        let text = || decoded.raw.field(misfit.record, at).unwrap_or_default();
        match misfit.kind {
            MisfitKind::IdInexact => {
                let row = decoded.index.binary_search(&misfit.record);
                match row.is_ok_and(|row| is_digits(at, row)) {
                    true => finder.replace_null(&text(), place),
                    false => finder.replace_null_inexact(&text(), place),
                }
            }
            MisfitKind::IdScientific | MisfitKind::Unstorable => {
                finder.replace_null(text().trim(), place);
            }
            // The error of a formula has no type: it is refused or null whatever the column is.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
