//! The thread that walks the cells of a sheet, and the source that asks it for pages.
//!
//! The library's reader borrows its workbook, so both live on the stack of one thread. It works only
//! while a page is asked for: nothing is read ahead, so memory follows the caller's permits.

use super::decode::ExcelBlock;
use super::layout::Layout;
use super::page::{Packer, Page};
use super::survey::SheetTable;
use super::walk::{self, Visit, Workbook};
use crate::chunk::{Mark, ReadSchema};
use crate::source::cell::Cell;
use crate::source::content::Spooled;
use crate::source::{Block, Source, SourceError, SourceErrorKind};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Size of the page asked for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    rows: usize,
    bytes: usize,
}

type Reply = Result<Option<Page>, SourceError>;

/// Reads one sheet in order.
pub struct ExcelSource {
    schema: Arc<ReadSchema>,
    layout: Arc<Layout>,
    label: String,
    requests: Option<Sender<Wanted>>,
    replies: Option<Receiver<Reply>>,
    thread: Option<JoinHandle<()>>,
    consumed: u64,
}

impl ExcelSource {
    pub(super) fn open(
        table: &SheetTable,
        schema: Arc<ReadSchema>,
        from: Mark,
    ) -> Result<Self, SourceError> {
        let (requests, asked) = bounded(1);
        let (answer, replies) = bounded(1);
        let label = format!("{}, sheet \"{}\"", table.label, table.sheet);
        let reader = Reader {
            file: table.file.clone(),
            file_label: table.label.clone(),
            label: label.clone(),
            sheet: table.sheet.clone(),
            from: u64::from(table.layout.first_row).max(from.row),
            packer: Packer::new(Some(Arc::clone(&table.layout))),
            asked,
            answer,
        };
        let thread = std::thread::Builder::new()
            .name("etl-excel".into())
            .spawn(move || reader.run())
            .map_err(|error| SourceError::io(&label, error))?;
        Ok(Self {
            schema,
            layout: Arc::clone(&table.layout),
            label,
            requests: Some(requests),
            replies: Some(replies),
            thread: Some(thread),
            consumed: 0,
        })
    }

    fn ask(&mut self, wanted: Wanted) -> Reply {
        let (Some(requests), Some(replies)) = (&self.requests, &self.replies) else {
            return Ok(None);
        };
        let reply = match requests.send(wanted) {
            Ok(()) => replies.recv().unwrap_or_else(|_| Err(walk::died(&self.label))),
            Err(_) => Err(walk::died(&self.label)),
        };
        if !matches!(reply, Ok(Some(_))) {
            self.close();
        }
        reply
    }

    fn close(&mut self) {
        self.requests = None;
        self.replies = None;
        if let Some(thread) = self.thread.take() {
            // The thread catches its own panics; what it had to say it has said.
            let _ = thread.join();
        }
    }
}

impl Drop for ExcelSource {
    fn drop(&mut self) {
        self.close();
    }
}

impl Source for ExcelSource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let wanted = Wanted { rows: rows.max(1), bytes: bytes.clamp(1 << 10, 1 << 30) };
        let Some(page) = self.ask(wanted)? else { return Ok(None) };
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
    packer: Packer,
    asked: Receiver<Wanted>,
    answer: Sender<Reply>,
}

/// Why the walk was broken off.
enum Stop {
    /// Nobody asks any more.
    Unwanted,
    /// A row that cannot be held.
    TooLarge(u32),
}

struct Feeder<'a> {
    packer: &'a mut Packer,
    asked: &'a Receiver<Wanted>,
    answer: &'a Sender<Reply>,
    from: u64,
    wanted: Wanted,
    stop: Option<Stop>,
}

impl Reader {
    fn run(mut self) {
        let Ok(wanted) = self.asked.recv() else { return };
        let mut feeder = Feeder {
            packer: &mut self.packer,
            asked: &self.asked,
            answer: &self.answer,
            from: self.from,
            wanted,
            stop: None,
        };
        let walked = Workbook::open(self.file.path(), &self.file_label)
            .and_then(|mut workbook| workbook.walk(&self.sheet, &mut feeder));
        let reply = match (walked, feeder.stop) {
            (_, Some(Stop::Unwanted)) => return,
            (_, Some(Stop::TooLarge(row))) => Err(too_large(&self.label, row)),
            (Err(error), None) => Err(error),
            (Ok(_), None) => Ok(()),
        };
        let last = match reply {
            Err(error) => Err(error),
            Ok(()) => Ok(self.last_page()),
        };
        // Whoever asked may have gone: then nobody needs the answer. The end itself is told by the
        // next reply, if it is asked for.
        let more = matches!(last, Ok(Some(_)));
        if self.answer.send(last).is_ok() && more && self.asked.recv().is_ok() {
            let _ = self.answer.send(Ok(None));
        }
    }

    fn last_page(&mut self) -> Option<Page> {
        if self.packer.row() > 0 {
            self.packer.end_row();
        }
        Some(self.packer.take()).filter(|page| !page.is_empty())
    }
}

impl Feeder<'_> {
    /// Ends the row before; hands the page over when it is full.
    fn next_row(&mut self, row: u32) -> ControlFlow<()> {
        if self.packer.row() > 0 {
            self.packer.end_row();
        }
        let page = &self.packer.page;
        if page.len() >= self.wanted.rows || page.bytes() >= self.wanted.bytes && !page.is_empty() {
            let page = self.packer.take();
            let next = self.answer.send(Ok(Some(page))).ok().and_then(|()| self.asked.recv().ok());
            match next {
                Some(wanted) => self.wanted = wanted,
                None => {
                    self.stop = Some(Stop::Unwanted);
                    return ControlFlow::Break(());
                }
            }
        }
        self.packer.begin_row(row);
        ControlFlow::Continue(())
    }
}

impl Visit for Feeder<'_> {
    fn cell(&mut self, row: u32, column: u16, cell: Cell<'_>) -> ControlFlow<()> {
        if u64::from(row) < self.from {
            return ControlFlow::Continue(());
        }
        if row != self.packer.row() {
            self.next_row(row)?;
        }
        if let Cell::Text(text) = cell
            && !self.packer.has_room(text.len())
        {
            self.stop = Some(Stop::TooLarge(row));
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
