//! The loop that walks the cells of a sheet, and the source that asks it for pages.
//!
//! The library's reader borrows its workbook, so both live on the stack of one thread.

use super::decode::ExcelBlock;
use super::layout::Layout;
use super::page::{Packer, Page};
use super::survey::SheetTable;
use super::walk::{Visit, Workbook};
use crate::chunk::{Mark, ReadSchema};
use crate::source::cell::Cell;
use crate::source::content::Spooled;
use crate::source::feed::{Feed, Taker, Wanted};
use crate::source::{Block, Source, SourceError, SourceErrorKind};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Reads one sheet in order.
pub struct ExcelSource {
    schema: Arc<ReadSchema>,
    layout: Arc<Layout>,
    label: String,
    feed: Feed<Page>,
    consumed: u64,
}

impl ExcelSource {
    pub(super) fn open(
        table: &SheetTable,
        schema: Arc<ReadSchema>,
        from: Mark,
    ) -> Result<Self, SourceError> {
        let label = format!("{}, sheet \"{}\"", table.label, table.sheet);
        let reader = Reader {
            file: table.file.clone(),
            file_label: table.label.clone(),
            label: label.clone(),
            sheet: table.sheet.clone(),
            from: u64::from(table.layout.first_row).max(from.row),
            layout: Arc::clone(&table.layout),
        };
        let feed = Feed::start("Excel", &label, move |taker, wanted| reader.run(taker, wanted))?;
        Ok(Self { schema, layout: Arc::clone(&table.layout), label, feed, consumed: 0 })
    }
}

impl Source for ExcelSource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let Some(page) = self.feed.ask(Wanted::new(rows, bytes))? else { return Ok(None) };
        let bytes = page.bytes() as u64;
        self.consumed += bytes;
        Ok(Some(Block {
            bytes,
            consumed: self.consumed,
            body: Box::new(ExcelBlock {
                page,
                layout: Arc::clone(&self.layout),
                schema: Arc::clone(&self.schema),
                label: self.label.clone(),
            }),
        }))
    }
}

/// What the thread owns.
struct Reader {
    file: Spooled,
    file_label: String,
    label: String,
    sheet: String,
    /// First row to read.
    from: u64,
    layout: Arc<Layout>,
}

struct Feeder<'a> {
    packer: Packer,
    taker: &'a mut Taker<Page>,
    from: u64,
    wanted: Wanted,
    /// A row that cannot be held.
    too_large: Option<u32>,
}

impl Reader {
    fn run(self, taker: &mut Taker<Page>, wanted: Wanted) -> Result<Option<Page>, SourceError> {
        let mut feeder = Feeder {
            packer: Packer::new(Some(self.layout)),
            taker,
            from: self.from,
            wanted,
            too_large: None,
        };
        Workbook::open(self.file.path(), &self.file_label)?.walk(&self.sheet, &mut feeder)?;
        if let Some(row) = feeder.too_large {
            return Err(too_large(&self.label, row));
        }
        feeder.packer.end_row();
        Ok(Some(feeder.packer.take()).filter(|page| !page.is_empty()))
    }
}

impl Visit for Feeder<'_> {
    fn cell(&mut self, row: u32, column: u16, cell: Cell<'_>) -> ControlFlow<()> {
        if u64::from(row) < self.from {
            return ControlFlow::Continue(());
        }
        if row != self.packer.row() {
            self.packer.end_row();
            let page = &self.packer.page;
            if self.wanted.is_met(page.len(), page.bytes()) {
                let page = self.packer.take();
                match self.taker.give(page) {
                    Some(wanted) => self.wanted = wanted,
                    None => return ControlFlow::Break(()),
                }
            }
            self.packer.begin_row(row);
        }
        if let Cell::Text(text) = cell
            && !self.packer.has_room(text.len())
        {
            self.too_large = Some(row);
            return ControlFlow::Break(());
        }
        self.packer.push(column, cell);
        ControlFlow::Continue(())
    }
}

fn too_large(label: &str, row: u32) -> SourceError {
    let message = format!("row {row} holds more than 4 GiB of text");
    SourceError::new(SourceErrorKind::Limit, label, message)
}
