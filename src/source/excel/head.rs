//! The first rows of a sheet: enough to find its table, and no more.

use super::asked::Bounds;
use super::book::{Book, Sheet};
use super::cells::{Kind, Scanner, last_row_of_range};
use super::cut::Cutter;
use super::fault::Fault;
use super::layout::PREAMBLE;
use super::page::{Packer, Page};
use super::strings::Loader;
use super::survey::SAMPLE;
use crate::source::{SourceError, SourceOptions};

/// Memory the first rows may take before no more are looked at.
const SAMPLE_BYTES: usize = 64 << 20;
/// Bytes of the part that are looked at together.
const BLOCK: usize = 256 << 10;

/// The first rows of a sheet.
pub struct Head {
    /// Those that hold something.
    pub page: Page,
    /// The last row that the sheet says it has; 1 where it says nothing.
    pub last_row: u32,
}

struct Reader<'a> {
    book: &'a Book,
    strings: &'a mut Loader,
    label: &'a str,
    packer: Packer,
    /// Rows above this one are only asked whether they hold anything.
    from: u32,
    /// The cells that alone are looked at.
    bounds: Option<&'a Bounds>,
    /// No row behind is wanted.
    ended: bool,
    above: bool,
    row: u32,
}

impl Head {
    /// Reads the first rows of a sheet; `None` where none holds anything.
    pub fn read(
        book: &Book,
        strings: &mut Loader,
        sheet: &Sheet,
        label: &str,
        options: &SourceOptions,
        bounds: Option<&Bounds>,
    ) -> Result<Option<Self>, SourceError> {
        let mut last_row = 1;
        let cutter = Cutter::open(book.sheet(sheet)?, b"sheetData", b"row", |tag| {
            if tag.name == b"dimension" {
                last_row = tag.get(b"ref")?.map_or(1, last_row_of_range);
            }
            Ok(())
        });
        let Some(mut cutter) = cutter.map_err(|fault| fault.into_error(label))? else {
            return Ok(None);
        };
        let from = options.header_row.unwrap_or(0).min(u64::from(u32::MAX)) as u32;
        let mut reader = Reader {
            book,
            strings,
            label,
            packer: Packer::default(),
            from: bounds.map_or(from, |bounds| bounds.area.first_row),
            bounds,
            ended: false,
            above: false,
            row: 0,
        };
        while !reader.is_full() {
            let items = cutter.next(BLOCK).map_err(|fault| reader.error(fault))?;
            let Some(items) = items else { break };
            reader.block(&items.bytes)?;
        }
        let page = reader.packer.page;
        let found = reader.above || !page.is_empty() || bounds.is_some();
        Ok(found.then_some(Self { page, last_row }))
    }
}

impl Reader<'_> {
    fn error(&self, fault: Fault) -> SourceError {
        fault.behind(self.label, self.row)
    }

    fn is_full(&self) -> bool {
        let page = &self.packer.page;
        let enough_bytes = page.bytes() > SAMPLE_BYTES && page.len() > PREAMBLE;
        page.len() > SAMPLE + PREAMBLE || enough_bytes || self.ended
    }

    /// Scans a block twice: first for the strings it needs.
    fn block(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let mut scanner = Scanner::new(bytes, self.book.styles(), self.row);
        let mut needed = None;
        while scanner.next_row().map_err(|fault| fault.behind(self.label, scanner.row()))?.is_some()
        {
            let shared = scanner.cells().iter().filter(|cell| cell.kind == Kind::Shared);
            needed = needed.max(shared.map(|cell| cell.bits()).max());
        }
        if let Some(index) = needed {
            let loaded = self.strings.load_to(index);
            loaded.map_err(|fault| self.book.strings_error(fault))?;
        }
        let mut scanner = Scanner::new(bytes, self.book.styles(), self.row);
        let packed = self.pack(&mut scanner);
        self.row = scanner.row();
        packed.map_err(|fault| self.error(fault))
    }

    fn pack(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        let mut strings = self.strings.lookup();
        while let Some(row) = scanner.next_row()? {
            if row.number < self.from {
                for cell in scanner.cells() {
                    self.above = self.above || !scanner.resolve(cell, &mut strings)?.is_blank();
                }
                continue;
            }
            let area = self.bounds.map(|bounds| bounds.area);
            self.ended |= area.is_some_and(|area| row.number > area.last_row);
            if self.is_full() {
                return Ok(());
            }
            self.packer.begin_row(row.number);
            let inside = |column| area.is_none_or(|area| area.holds_column(column));
            for cell in scanner.cells().iter().filter(|cell| inside(cell.column)) {
                if !self.packer.push(cell.column, scanner.resolve(cell, &mut strings)?) {
                    let message = "the first rows hold more than 256 MiB of text";
                    return Err(Fault::TooLarge(message.into()));
                }
            }
            self.packer.end_row();
        }
        Ok(())
    }
}
