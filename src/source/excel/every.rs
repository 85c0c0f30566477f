//! Every cell of a workbook in order: for those who want its sheets as they stand, not its tables.

use super::book::{Book, Sheet};
use super::cells::{Kind, Scanner};
use super::cut::Cutter;
use super::strings::Loader;
use crate::source::cell::Cell;
use crate::source::{Content, SourceError, SourceOptions};

/// Bytes of a sheet's XML that are looked at together.
const BLOCK: usize = 256 << 10;

/// A cell with its place.
#[derive(Debug, Clone, Copy)]
pub struct PlacedCell<'a> {
    /// Name of the sheet.
    pub sheet: &'a str,
    /// Row, from 1.
    pub row: u32,
    /// Column, from 0.
    pub column: u16,
    /// Its value.
    pub cell: Cell<'a>,
}

/// Calls `each` with every cell that holds something, hidden sheets included, until it says no.
/// Memory follows the shared strings, never the size of a sheet. E502 where the file changes meanwhile.
pub fn every_cell(
    content: &Content,
    options: &SourceOptions,
    each: impl FnMut(PlacedCell<'_>) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    read_all(content, options, each).map_err(|error| content.blame(error))?;
    content.unchanged()
}

fn read_all(
    content: &Content,
    options: &SourceOptions,
    mut each: impl FnMut(PlacedCell<'_>) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    super::survey::refuse_ole(content)?;
    let file = content.seekable(options.temp_dir.as_deref())?;
    let book = Book::open(&file, content.label(), options)?;
    let mut strings = book.loader()?;
    for sheet in book.sheets().iter().filter(|sheet| sheet.cells) {
        read_sheet(&book, &mut strings, sheet, content.label(), &mut each)?;
    }
    Ok(())
}

fn read_sheet(
    book: &Book,
    strings: &mut Loader,
    sheet: &Sheet,
    file: &str,
    each: &mut impl FnMut(PlacedCell<'_>) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let label = format!("{file}, sheet \"{}\"", sheet.name);
    let cutter = Cutter::open(book.sheet(sheet)?, b"sheetData", b"row", |_| Ok(()));
    let Some(mut cutter) = cutter.map_err(|fault| fault.into_error(&label))? else {
        return Ok(());
    };
    let mut before = 0;
    while let Some(block) = cutter.next(BLOCK).map_err(|fault| fault.behind(&label, before))? {
        load_strings(book, strings, &block.bytes, before, &label)?;
        let mut lookup = strings.lookup();
        let mut scanner = Scanner::new(&block.bytes, book.styles(), before);
        loop {
            let row = scanner.next_row().map_err(|fault| fault.behind(&label, scanner.row()))?;
            let Some(row) = row else { break };
            for raw in scanner.cells() {
                let cell = scanner.resolve(raw, &mut lookup);
                let cell = cell.map_err(|fault| fault.behind(&label, row.number))?;
                if cell != Cell::Blank {
                    let (sheet, row, column) = (&*sheet.name, row.number, raw.column);
                    each(PlacedCell { sheet, row, column, cell })?;
                }
            }
        }
        before = scanner.row();
    }
    Ok(())
}

/// Loads the shared strings that a block names.
fn load_strings(
    book: &Book,
    strings: &mut Loader,
    bytes: &[u8],
    before: u32,
    label: &str,
) -> Result<(), SourceError> {
    let mut scanner = Scanner::new(bytes, book.styles(), before);
    let mut needed = None;
    while scanner.next_row().map_err(|fault| fault.behind(label, scanner.row()))?.is_some() {
        let shared = scanner.cells().iter().filter(|cell| cell.kind == Kind::Shared);
        needed = needed.max(shared.map(|cell| cell.bits()).max());
    }
    match needed {
        Some(index) => strings.load_to(index).map_err(|fault| book.strings_error(fault)),
        None => Ok(()),
    }
}
