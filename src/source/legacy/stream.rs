//! Rows of one sheet from the spool, in order, packed into blocks.

use super::decode::PageBlock;
use super::frame::{self, Cells, Told};
use super::spool::{SheetSpan, Spool};
use super::survey::LegacyTable;
use crate::chunk::{Mark, ReadSchema};
use crate::source::excel::layout::Layout;
use crate::source::excel::page::Packer;
use crate::source::feed::Wanted;
use crate::source::{Block, Source, SourceError, SourceErrorKind};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};
use std::sync::Arc;

/// Text of a page up to which one more row is packed.
const MOST_TEXT: usize = 256 << 20;

/// The rows of a sheet from some row on.
pub struct Rows {
    frames: Take<BufReader<File>>,
    /// Keeps the file.
    _spool: Spool,
    from: u64,
    buffer: Vec<u8>,
    length: u64,
}

impl Rows {
    /// Starts at the first row that is not before `from`.
    pub fn open(spool: &Spool, span: &SheetSpan, from: u64) -> io::Result<Self> {
        let mut file = File::open(spool.path())?;
        file.seek(SeekFrom::Start(span.start))?;
        let length = span.end - span.start;
        let frames = BufReader::with_capacity(1 << 18, file).take(length);
        Ok(Self { frames, _spool: spool.clone(), from, buffer: Vec::new(), length })
    }

    /// Packs the next row; false at the end.
    pub fn pack_next(&mut self, packer: &mut Packer) -> io::Result<bool> {
        loop {
            let row = match frame::read(&mut self.frames, &mut self.buffer)? {
                Some(Told::Row { number }) => number,
                Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                None => return Ok(false),
            };
            if u64::from(row) < self.from {
                continue;
            }
            packer.begin_row(row);
            let mut cells = Cells(&self.buffer[4..]);
            while let Some((column, cell)) = cells.next()? {
                if !packer.push(column, cell) {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
            packer.end_row();
            return Ok(true);
        }
    }

    /// Bytes of the sheet read so far.
    fn consumed(&self) -> u64 {
        self.length - self.frames.limit()
    }

    /// Whether the next row certainly has room in the page.
    fn has_room(packer: &Packer) -> bool {
        packer.page.bytes() + frame::LARGEST <= MOST_TEXT
    }
}

/// Reads one sheet in order.
pub struct SheetSource {
    rows: Rows,
    schema: Arc<ReadSchema>,
    layout: Arc<Layout>,
    label: String,
    packer: Packer,
    /// Rows that repeat the header, each with the record of the page behind it.
    repeated: Vec<(u32, u32)>,
    ended: bool,
}

impl SheetSource {
    pub(super) fn open(
        table: &LegacyTable,
        schema: Arc<ReadSchema>,
        from: Mark,
    ) -> Result<Self, SourceError> {
        let from = u64::from(table.layout.first_row).max(from.row);
        let rows = Rows::open(&table.spool, &table.span, from)
            .map_err(|error| gone(&table.label, error))?;
        Ok(Self {
            rows,
            schema,
            layout: Arc::clone(&table.layout),
            label: table.label.clone(),
            packer: Packer::default(),
            repeated: Vec::new(),
            ended: false,
        })
    }

    /// Packs the next row that is a record; false at the end.
    fn pack_record(&mut self) -> Result<bool, SourceError> {
        let packed =
            self.rows.pack_next(&mut self.packer).map_err(|error| gone(&self.label, error))?;
        let page = &self.packer.page;
        if let (true, Some(last)) = (packed, page.len().checked_sub(1)) {
            let same = |column, header: &str| page.at(last, column).text().trim() == header;
            if self.layout.is_header(same) {
                self.repeated.push((last as u32, page.number(last)));
                self.packer.drop_last();
            }
        }
        Ok(packed)
    }
}

/// The temporary file was complete when it was written.
fn gone(label: &str, error: io::Error) -> SourceError {
    let mut error = SourceError::io(label, error);
    error.kind = SourceErrorKind::Changed;
    error.message = "its temporary copy has gone or changed while it was read".into();
    error.with_hint("run the same command again")
}

impl Source for SheetSource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let wanted = Wanted::new(rows, bytes);
        while !self.ended
            && !wanted.is_met(self.packer.page.len(), self.packer.page.bytes())
            && Rows::has_room(&self.packer)
        {
            self.ended = !self.pack_record()?;
        }
        let page = self.packer.take();
        if page.is_empty() {
            return Ok(None);
        }
        Ok(Some(Block {
            bytes: page.bytes() as u64,
            consumed: self.rows.consumed(),
            body: Box::new(PageBlock {
                page,
                repeated: std::mem::take(&mut self.repeated),
                layout: Arc::clone(&self.layout),
                schema: Arc::clone(&self.schema),
                label: self.label.clone(),
            }),
        }))
    }
}
