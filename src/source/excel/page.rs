//! The first records of a sheet, in which its table is found: one arena of text and 16 bytes a cell.

use crate::source::cell::Cell;

/// Most text of a page.
const MOST_TEXT: usize = 256 << 20;

/// Records of a sheet in order.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    cells: Vec<Packed>,
    rows: Vec<Row>,
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
    Digits,
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
            Kind::Digits => Cell::Digits(self.slice(cell.value)),
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
#[derive(Debug, Default)]
pub struct Packer {
    /// What has been packed.
    pub page: Page,
    /// Row being packed.
    row: u32,
    /// Where the cells and the text of that row begin.
    begin: (usize, usize),
    has_value: bool,
}

impl Packer {
    /// Begins a row; the one before must have been ended.
    pub fn begin_row(&mut self, row: u32) {
        self.row = row;
        self.begin = (self.page.cells.len(), self.page.text.len());
        self.has_value = false;
    }

    /// Adds a cell to the row begun, behind those before it. `false`: the text is more than a page
    /// can hold.
    pub fn push(&mut self, column: u16, cell: Cell<'_>) -> bool {
        if let Cell::Text(text) | Cell::Digits(text) | Cell::Error(text) = cell
            && self.page.text.len() + text.len() > MOST_TEXT
        {
            return false;
        }
        let (kind, value) = match cell {
            Cell::Blank | Cell::Text("") => return true,
            Cell::Text(text) => (Kind::Text, self.page.store(text)),
            Cell::Digits(text) => (Kind::Digits, self.page.store(text)),
            Cell::Error(text) => (Kind::Error, self.page.store(text)),
            Cell::Number(value) => (Kind::Number, value.to_bits()),
            Cell::Bool(value) => (Kind::Bool, u64::from(value)),
            Cell::Moment(micros) => (Kind::Moment, micros.cast_unsigned()),
        };
        self.has_value |= !cell.is_blank();
        self.page.cells.push(Packed { value, column, kind });
        true
    }

    /// Ends the row: it becomes a record unless it is blank.
    pub fn end_row(&mut self) {
        let (first_cell, text) = self.begin;
        if self.has_value {
            self.page.rows.push(Row { number: self.row, first_cell: first_cell as u32 });
        } else {
            self.page.cells.truncate(first_cell);
            self.page.text.truncate(text);
        }
    }

    /// Takes the record that has just been ended off again.
    pub fn drop_last(&mut self) {
        if self.page.rows.pop().is_some() {
            let (first_cell, text) = self.begin;
            self.page.cells.truncate(first_cell);
            self.page.text.truncate(text);
        }
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
    fn cells_come_back_as_they_were() {
        let mut packer = Packer::default();
        packer.begin_row(7);
        let cells = [
            Cell::Number(0.5),
            Cell::Bool(true),
            Cell::Moment(-5),
            Cell::Digits("02035"),
            Cell::Error("#N/A"),
            Cell::Text("é"),
        ];
        for (column, cell) in (0..).zip(cells) {
            assert!(packer.push(column, cell));
        }
        packer.end_row();
        packer.begin_row(8);
        packer.push(0, Cell::Text("  "));
        packer.end_row();
        let page = packer.page;
        assert_eq!((page.len(), page.number(0)), (1, 7), "a row of blanks is no record");
        let values: Vec<_> = page.cells(0).iter().map(|cell| page.value(cell)).collect();
        assert_eq!(values, cells);
        assert_eq!(page.at(0, 9), Cell::Blank);
    }
}
