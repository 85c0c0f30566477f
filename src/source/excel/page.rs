//! Consecutive records of a sheet as they came, packed: one arena of text and 16 bytes a cell.

use super::layout::Layout;
use crate::source::cell::Cell;
use std::sync::Arc;

/// Records of a sheet in order.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    cells: Vec<Packed>,
    rows: Vec<Row>,
    /// Rows that repeat the header; they are no records.
    pub repeated: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    number: u32,
    first_cell: u32,
}

/// One cell: its column on the sheet and its value.
#[derive(Debug, Clone, Copy)]
pub struct Packed {
    value: u64,
    /// From 0.
    pub column: u16,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Error,
    Number,
    Bool,
    Moment,
}

impl Page {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Memory held.
    pub fn bytes(&self) -> usize {
        self.text.len()
            + self.cells.len() * size_of::<Packed>()
            + self.rows.len() * size_of::<Row>()
    }

    /// Row number of a record, from 1.
    pub fn number(&self, record: usize) -> u32 {
        self.rows[record].number
    }

    /// The cells of a record, by column; blank ones may be missing.
    pub fn cells(&self, record: usize) -> &[Packed] {
        let start = self.rows[record].first_cell as usize;
        let end = self.rows.get(record + 1).map_or(self.cells.len(), |row| row.first_cell as usize);
        &self.cells[start..end]
    }

    /// The cell of a record at a column of the sheet.
    pub fn at(&self, record: usize, column: u16) -> Cell<'_> {
        let cells = self.cells(record);
        match cells.binary_search_by_key(&column, |cell| cell.column) {
            Ok(at) => self.value(&cells[at]),
            Err(_) => Cell::Blank,
        }
    }

    /// The value of a cell of this page.
    #[inline]
    pub fn value(&self, cell: &Packed) -> Cell<'_> {
        match cell.kind {
            Kind::Text => Cell::Text(self.slice(cell.value)),
            Kind::Error => Cell::Error(self.slice(cell.value)),
            Kind::Number => Cell::Number(f64::from_bits(cell.value)),
            Kind::Bool => Cell::Bool(cell.value != 0),
            Kind::Moment => Cell::Moment(cell.value.cast_signed()),
        }
    }

    fn slice(&self, value: u64) -> &str {
        let (start, len) = ((value >> 32) as usize, (value & u64::from(u32::MAX)) as usize);
        &self.text[start..start + len]
    }

    fn store(&mut self, text: &str) -> u64 {
        let start = self.text.len() as u64;
        self.text.push_str(text);
        start << 32 | text.len() as u64
    }
}

/// Packs cells into a page; decides which rows are records.
pub struct Packer {
    /// What has been packed.
    pub page: Page,
    /// Row being packed, 0 before the first.
    row: u32,
    /// Where the cells and the text of that row begin.
    begin: (usize, usize),
    in_order: bool,
    has_value: bool,
    /// The table whose header may come again.
    layout: Option<Arc<Layout>>,
}

impl Packer {
    /// An empty page for the table of `layout`, where that is known.
    pub fn new(layout: Option<Arc<Layout>>) -> Self {
        Self {
            page: Page::default(),
            row: 0,
            begin: (0, 0),
            in_order: true,
            has_value: false,
            layout,
        }
    }

    /// The row being packed.
    pub fn row(&self) -> u32 {
        self.row
    }

    /// Whether the text arena can take so many bytes more (its offsets have 32 bits).
    pub fn has_room(&self, bytes: usize) -> bool {
        self.page.text.len() + bytes <= u32::MAX as usize
    }

    /// Begins a row; the one before must have been ended.
    pub fn begin_row(&mut self, row: u32) {
        self.row = row;
        self.begin = (self.page.cells.len(), self.page.text.len());
        self.in_order = true;
        self.has_value = false;
    }

    /// Adds a cell to the row begun.
    pub fn push(&mut self, column: u16, cell: Cell<'_>) {
        let (kind, value) = match cell {
            Cell::Blank => return,
            Cell::Text("") => return,
            Cell::Text(text) => (Kind::Text, self.page.store(text)),
            Cell::Error(text) => (Kind::Error, self.page.store(text)),
            Cell::Number(value) => (Kind::Number, value.to_bits()),
            Cell::Bool(value) => (Kind::Bool, u64::from(value)),
            Cell::Moment(micros) => (Kind::Moment, micros.cast_unsigned()),
        };
        self.has_value |= !cell.is_blank();
        let cells = &mut self.page.cells;
        let last = cells[self.begin.0..].last();
        self.in_order &= last.is_none_or(|last| last.column < column);
        cells.push(Packed { value, column, kind });
    }

    /// Ends the row, if one was begun: it becomes a record unless it is blank or repeats the header.
    pub fn end_row(&mut self) {
        if self.row == 0 {
            return;
        }
        if !self.in_order {
            self.sort_row();
        }
        let (first_cell, text) = self.begin;
        let row = Row { number: self.row, first_cell: first_cell as u32 };
        self.page.rows.push(row);
        let record = self.page.rows.len() - 1;
        let layout = self.layout.as_ref();
        let repeats = layout.is_some_and(|layout| layout.is_header(&self.page, record));
        if repeats || !self.has_value {
            self.page.rows.pop();
            self.page.cells.truncate(first_cell);
            self.page.text.truncate(text);
        }
        if repeats {
            self.page.repeated.push(self.row);
        }
        self.row = 0;
    }

    /// Of two cells at one place the later one counts, as in Excel.
    fn sort_row(&mut self) {
        let mut row = self.page.cells.split_off(self.begin.0);
        row.reverse();
        row.sort_by_key(|cell| cell.column);
        row.dedup_by_key(|cell| cell.column);
        self.page.cells.append(&mut row);
    }

    /// The page so far; packing goes on with an empty one.
    pub fn take(&mut self) -> Page {
        std::mem::take(&mut self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_were_in_column_order() {
        let mut packer = Packer::new(None);
        packer.begin_row(7);
        packer.push(3, Cell::Text("é"));
        packer.push(0, Cell::Number(0.5));
        packer.push(3, Cell::Error("#N/A"));
        packer.push(2, Cell::Moment(-5));
        packer.push(1, Cell::Bool(true));
        packer.end_row();
        packer.begin_row(8);
        packer.push(0, Cell::Text("  "));
        packer.end_row();
        let page = packer.take();
        assert_eq!((page.len(), page.number(0)), (1, 7), "a row of blanks is no record");
        let values: Vec<_> = page.cells(0).iter().map(|cell| page.value(cell)).collect();
        let expected = [Cell::Number(0.5), Cell::Bool(true), Cell::Moment(-5), Cell::Error("#N/A")];
        assert_eq!(values, expected);
        assert_eq!(page.at(0, 9), Cell::Blank);
    }
}
