//! Scans a block of rows: XML → cells with their places, without an allocation a cell.
//!
//! Nearly every cell of nearly every workbook is written in one of a few ways, and those are read by
//! looking at their bytes alone ([`quick`]). Whatever else XML and the format allow goes through the
//! cursor, with the same results.

mod place;
mod quick;
mod value;

pub use place::{MAX_COLUMNS, MAX_ROWS, last_row_of_range, letters};
pub use value::{Kind, Raw};

use super::fault::Fault;
use super::strings::Lookup;
use super::styles::Styles;
use super::xml::{Cursor, Tag, Token};
use crate::source::cell::Cell;
use place::RowDigits;
use value::Piece;

/// Scans the rows of a block.
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    styles: &'a Styles,
    /// The block as text, once a cell wants its text from it.
    valid: Option<&'a str>,
    row: u32,
    /// Cells of the row, by column; empty ones are left out.
    cells: Vec<Raw>,
    /// Text of the row that does not stand in the block as it is.
    texts: String,
    /// Codes of all rows so far, as their number formats show them.
    codes: String,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowAt {
    /// Its number, from 1.
    pub number: u32,
    /// Offset of its start tag in the block.
    pub start: usize,
}

/// Attributes of a cell.
#[derive(Default)]
struct Head<'a> {
    kind: Option<&'a [u8]>,
    style: Option<usize>,
}

impl<'a> Scanner<'a> {
    /// A scanner of rows behind the one with the number `before`.
    pub fn new(bytes: &'a [u8], styles: &'a Styles, before: u32) -> Self {
        Self::at(bytes, 0, styles, before)
    }

    /// The same from an offset where a row begins.
    pub fn at(bytes: &'a [u8], at: usize, styles: &'a Styles, before: u32) -> Self {
        Self {
            bytes,
            at,
            styles,
            valid: None,
            row: before,
            cells: Vec::new(),
            texts: String::new(),
            codes: String::new(),
        }
    }

    /// The last row begun: where a fault is.
    pub fn row(&self) -> u32 {
        self.row
    }

    /// Cells of the row, by column, at most one each; empty ones are left out.
    pub fn cells(&self) -> &[Raw] {
        &self.cells
    }

    /// The next row that has cells.
    pub fn next_row(&mut self) -> Result<Option<RowAt>, Fault> {
        loop {
            let mut cursor = Cursor::new(self.bytes, self.at);
            let token = cursor.next()?;
            self.at = cursor.at;
            match token {
                None => return Ok(None),
                Some(Token::Open(tag)) if tag.name == b"row" => {
                    if self.begin(&tag)? {
                        return Ok(Some(RowAt { number: self.row, start: tag.start }));
                    }
                }
                Some(Token::Close(b"sheetData")) => {
                    return Err(Fault::Malformed("rows go on behind the end of the sheet's data"));
                }
                Some(_) => {}
            }
        }
    }

    /// Scans the row behind its start tag; whether it has cells.
    fn begin(&mut self, tag: &Tag<'_>) -> Result<bool, Fault> {
        self.cells.clear();
        self.texts.clear();
        let last = self.row;
        let told = tag.get(b"r")?.map(place::row_number).transpose()?;
        let told = match told {
            None if !tag.empty => place::row_of_first_cell(self.bytes, self.at)?,
            told => told,
        };
        let row = told.unwrap_or(u64::from(last) + 1);
        if row > u64::from(MAX_ROWS) {
            return Err(Fault::Outside { row, column: 1 });
        }
        self.row = row as u32;
        if self.row <= last {
            return Err(Fault::Disorder { row: self.row, last });
        }
        if !tag.empty {
            self.scan_cells()?;
        }
        if self.cells.is_sorted_by(|a, b| a.column < b.column) {
            return Ok(!self.cells.is_empty());
        }
        // Of two cells at one place the later one counts, as in Excel.
        self.cells.reverse();
        self.cells.sort_by_key(|cell| cell.column);
        self.cells.dedup_by_key(|cell| cell.column);
        Ok(true)
    }

    fn scan_cells(&mut self) -> Result<(), Fault> {
        let digits = RowDigits::of(self.row);
        let mut column = 0;
        loop {
            while let Some(found) = self.quick_cell(self.at, &digits) {
                self.at += found.length;
                column = found.column + 1;
                if found.shape.kind != Kind::Empty {
                    self.push(found.column as u16, found.shape.kind, found.shape.value);
                }
            }
            let mut cursor = Cursor::new(self.bytes, self.at);
            let token = cursor.next()?.ok_or(Fault::Cut)?;
            match token {
                Token::Open(tag) if tag.name == b"c" => {
                    self.cell(&tag, &mut cursor, &mut column)?;
                }
                Token::Open(tag) if tag.name == b"row" => {
                    return Err(Fault::Malformed("a row begins inside another"));
                }
                Token::Close(b"row") => {
                    self.at = cursor.at;
                    return Ok(());
                }
                Token::Close(b"sheetData") => return Err(Fault::Cut),
                _ => {}
            }
            self.at = cursor.at;
        }
    }

    /// A cell in any form. `column` is where one without a reference stands.
    fn cell(
        &mut self,
        tag: &Tag<'a>,
        cursor: &mut Cursor<'a>,
        column: &mut u32,
    ) -> Result<(), Fault> {
        let mut head = Head::default();
        let (mut has_reference, mut has_style) = (false, false);
        for attribute in tag.attributes() {
            let (name, value) = attribute?;
            match name {
                b"r" if !has_reference => {
                    has_reference = true;
                    *column = place::column_in_row(value, self.row)?;
                }
                b"t" if head.kind.is_none() => head.kind = Some(value),
                b"s" if !has_style => {
                    has_style = true;
                    head.style = Some(value::number(value).unwrap_or(0));
                }
                _ => {}
            }
        }
        place::check_column(self.row, *column)?;
        let at = *column as u16;
        *column += 1;
        if !tag.empty {
            self.content(at, &head, cursor)?;
        }
        Ok(())
    }

    /// What stands in a cell, up to its end tag.
    fn content(
        &mut self,
        column: u16,
        head: &Head<'a>,
        cursor: &mut Cursor<'a>,
    ) -> Result<(), Fault> {
        let before = self.cells.len();
        loop {
            match cursor.next()?.ok_or(Fault::Cut)? {
                Token::Open(tag) if tag.name == b"v" && !tag.empty => {
                    let piece = self.piece(cursor)?;
                    // Behind `t="inlineStr"` a plain value means nothing.
                    if !matches!(head.kind, Some(b"inlineStr" | b"is")) {
                        self.value(column, head, piece)?;
                    }
                }
                Token::Open(tag) if tag.name == b"is" && !tag.empty => {
                    let start = self.texts.len();
                    super::text::append_item(cursor, b"is", &mut self.texts)?;
                    self.push_text(column, Kind::Text, Piece::Own(start, self.texts.len()));
                }
                Token::Close(b"c") => break,
                Token::Close(b"row" | b"sheetData") => {
                    return Err(Fault::Malformed("a cell is not closed"));
                }
                _ => {}
            }
        }
        // Of several values in one cell the last one counts.
        if self.cells.len() > before + 1 {
            let end = self.cells.len() - 1;
            self.cells.drain(before..end);
        }
        Ok(())
    }

    /// The value of a scanned cell.
    #[inline]
    pub fn resolve<'s>(
        &'s self,
        raw: &Raw,
        strings: &'s mut Lookup<'_>,
    ) -> Result<Cell<'s>, Fault> {
        Ok(match raw.kind {
            Kind::Empty => Cell::Blank,
            Kind::Shared => Cell::Text(strings.get(raw.value)?),
            Kind::Whole => Cell::Number(raw.value as f64),
            Kind::Number => Cell::Number(f64::from_bits(raw.value)),
            Kind::Text => Cell::Text(self.text_of(raw)),
            Kind::Digits => Cell::Digits(self.text_of(raw)),
            Kind::Error => Cell::Error(self.text_of(raw)),
            Kind::Bool => Cell::Bool(raw.value != 0),
            Kind::Moment => Cell::Moment(raw.value.cast_signed()),
        })
    }

    /// A text of the block, as [`Self::quick_row`] has found it.
    #[inline]
    pub fn block_text(&self, value: u64) -> &str {
        let (start, end) = ((value >> 32) as usize, (value & 0xffff_ffff) as usize);
        self.valid.and_then(|text| text.get(start..end)).unwrap_or_default()
    }

    /// Digits, as [`Self::quick_row`] has found them.
    #[inline]
    pub fn digits(&self, value: u64) -> &str {
        match value & value::OF_CODES {
            0 => self.block_text(value),
            _ => self.code_text(value),
        }
    }

    /// Where the scanner is; [`Self::back_to`] goes there again.
    pub fn place(&self) -> (usize, u32) {
        (self.at, self.row)
    }

    /// Goes back to where it was before a row.
    pub fn back_to(&mut self, place: (usize, u32)) {
        (self.at, self.row) = place;
    }

    /// The value of the cell at a column; blank where there is none.
    pub fn at_column<'s>(
        &'s self,
        column: u16,
        strings: &'s mut Lookup<'_>,
    ) -> Result<Cell<'s>, Fault> {
        match self.cells.binary_search_by_key(&column, |cell| cell.column) {
            Ok(at) => self.resolve(&self.cells[at], strings),
            Err(_) => Ok(Cell::Blank),
        }
    }
}

/// The number of the last row in a block that begins behind row `before`.
pub fn last_row(bytes: &[u8], last: Option<usize>, before: u32) -> Result<u32, (Fault, u32)> {
    let told = |at: usize| -> Option<u32> {
        let Ok(Some(Token::Open(tag))) = Cursor::new(bytes, at).next() else { return None };
        let row = place::row_number(tag.get(b"r").ok()??).ok()?;
        u32::try_from(row).ok().filter(|row| *row <= MAX_ROWS)
    };
    if let Some(row) = last.and_then(told) {
        return Ok(row);
    }
    // Rows without numbers, or among comments: they are counted.
    let styles = Styles::default();
    let mut scanner = Scanner::new(bytes, &styles, before);
    loop {
        match scanner.next_row() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(scanner.row()),
            Err(fault) => return Err((fault, scanner.row())),
        }
    }
}

#[cfg(test)]
mod tests;
