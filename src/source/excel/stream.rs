//! Reads one sheet: inflates its part and cuts it into blocks of rows; workers do the rest.

use super::cells;
use super::cut::Cutter;
use super::decode::{ExcelBlock, SheetParts};
use super::fault::Fault;
use super::survey::SheetTable;
use crate::chunk::{Mark, ReadSchema};
use crate::source::{Block, Source, SourceError};
use std::sync::Arc;

/// Least and most bytes of a block.
const BLOCK: (usize, usize) = (1 << 10, 1 << 30);

/// Reads one sheet in order.
pub struct ExcelSource {
    schema: Arc<ReadSchema>,
    sheet: Arc<SheetParts>,
    cutter: Option<Cutter>,
    /// The last row handed out.
    before: u32,
    /// Mean length of the first rows, for turning rows into bytes.
    row_bytes: f64,
}

impl ExcelSource {
    pub(super) fn open(
        table: &SheetTable,
        schema: Arc<ReadSchema>,
        from: Mark,
    ) -> Result<Self, SourceError> {
        let from = u64::from(table.layout.first_row).max(from.row);
        let sheet = SheetParts {
            layout: Arc::clone(&table.layout),
            strings: table.book.strings()?,
            styles: Arc::clone(table.book.styles()),
            label: table.sheet_label(),
            from: u32::try_from(from).unwrap_or(u32::MAX),
            to: table.layout.area.map_or(u32::MAX, |area| area.last_row),
        };
        let mut source =
            Self { schema, sheet: Arc::new(sheet), cutter: None, before: 0, row_bytes: 0.0 };
        let part = table.book.sheet(&table.sheet)?;
        source.cutter = Cutter::open(part, b"sheetData", b"row", |_| Ok(()))
            .map_err(|fault| source.error(fault))?;
        if let Some(cutter) = &mut source.cutter {
            let measured = cutter.item_bytes();
            source.row_bytes = measured.map_err(|fault| source.error(fault))?;
        }
        Ok(source)
    }

    fn error(&self, fault: Fault) -> SourceError {
        fault.behind(&self.sheet.label, self.before)
    }
}

impl Source for ExcelSource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let (least, most) = BLOCK;
        let wanted = (rows as f64 * self.row_bytes) as usize;
        let wanted = wanted.min(bytes).clamp(least, most);
        while let Some(cutter) = &mut self.cutter {
            if self.before >= self.sheet.to {
                cutter.leave();
            }
            let (items, consumed) = (cutter.next(wanted), cutter.consumed());
            let Some(items) = items.map_err(|fault| self.error(fault))? else {
                self.cutter = None;
                break;
            };
            let before = self.before;
            self.before = cells::last_row(&items.bytes, items.last, before)
                .map_err(|(fault, row)| fault.behind(&self.sheet.label, row))?;
            // Behind a resume, and where there are only blanks between rows, nothing is wanted.
            if self.before == before || self.before < self.sheet.from {
                continue;
            }
            return Ok(Some(Block {
                bytes: items.bytes.len() as u64,
                consumed,
                body: Box::new(ExcelBlock {
                    bytes: items.bytes,
                    before,
                    last: self.before,
                    sheet: Arc::clone(&self.sheet),
                    schema: Arc::clone(&self.schema),
                }),
            }));
        }
        Ok(None)
    }
}
