//! One row of a roll: cells by column name, texts in one buffer that is used again for every row.

use std::fmt::{self, Write as _};

use crate::columns::Columns;

/// A stretch of the row's text buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    from: u32,
    to: u32,
}

/// What a cell holds and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// NULL: empty and unquoted in CSV, absent in XLSX.
    Blank,
    /// A whole number: bare in CSV, numeric in XLSX.
    Int(i64),
    /// A text: quoted in CSV, a shared string in XLSX.
    Text(Span),
    /// A text that the published files leave unquoted (`MULTI_PAR_SAL`, `TS_ID`).
    Bare(Span),
    /// A number as spelled: bare in CSV, numeric in XLSX. Only damage makes it.
    Number(Span),
    /// A text of which CSV gets the Latin-1 bytes. Only damage makes it.
    Latin1(Span),
}

/// How many fields a CSV row has. Only damage makes it other than `Whole`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As many as the header.
    #[default]
    Whole,
    /// The last field and its comma are missing.
    Short,
    /// One more field at the end.
    Long,
}

/// A row under the columns of its roll.
#[derive(Clone)]
pub struct Row<'c> {
    columns: &'c Columns,
    cells: Vec<Cell>,
    text: String,
    shape: Shape,
}

impl<'c> Row<'c> {
    /// A row of blanks.
    pub fn new(columns: &'c Columns) -> Self {
        let cells = vec![Cell::Blank; columns.len()];
        Self { columns, cells, text: String::with_capacity(1024), shape: Shape::Whole }
    }

    /// Blanks again, buffers kept.
    pub fn clear(&mut self) {
        self.cells.fill(Cell::Blank);
        self.text.clear();
        self.shape = Shape::Whole;
    }

    /// Becomes the same as another row of the same roll.
    pub fn copy_from(&mut self, other: &Row<'c>) {
        self.cells.copy_from_slice(&other.cells);
        self.text.clear();
        self.text.push_str(&other.text);
        self.shape = other.shape;
    }

    /// The columns it stands under.
    pub fn columns(&self) -> &'c Columns {
        self.columns
    }

    /// The cells in column order.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// How many fields CSV gets.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Makes it ragged.
    pub fn set_shape(&mut self, shape: Shape) {
        self.shape = shape;
    }

    /// The text of a span.
    pub fn str(&self, span: Span) -> &str {
        &self.text[span.from as usize..span.to as usize]
    }

    /// Writes a whole number.
    pub fn int(&mut self, column: &str, value: i64) {
        self.put(column, Cell::Int(value));
    }

    /// Writes a whole number, or leaves the cell blank.
    pub fn int_if(&mut self, column: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.int(column, value);
        }
    }

    /// Writes a text; an empty one is blank.
    pub fn text(&mut self, column: &str, value: &str) {
        if !value.is_empty() {
            let span = self.span(|text| text.push_str(value));
            self.put(column, Cell::Text(span));
        }
    }

    /// Writes a formatted text.
    pub fn format(&mut self, column: &str, value: fmt::Arguments<'_>) {
        let span = self.span(|text| text.write_fmt(value).expect("a String takes any text"));
        self.put(column, Cell::Text(span));
    }

    /// Writes a text that CSV leaves unquoted.
    pub fn bare(&mut self, column: &str, value: &str) {
        let span = self.span(|text| text.push_str(value));
        self.put(column, Cell::Bare(span));
    }

    /// Writes a number as spelled.
    pub fn number(&mut self, column: &str, value: &str) {
        let span = self.span(|text| text.push_str(value));
        self.put(column, Cell::Number(span));
    }

    /// Writes a text whose CSV bytes are Latin-1.
    pub fn latin1(&mut self, column: &str, value: &str) {
        let span = self.span(|text| text.push_str(value));
        self.put(column, Cell::Latin1(span));
    }

    /// Empties a cell.
    pub fn blank(&mut self, column: &str) {
        self.put(column, Cell::Blank);
    }

    /// The whole number in a cell, if it holds one.
    pub fn int_of(&self, column: &str) -> Option<i64> {
        match self.cell(column) {
            Cell::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The text in a cell, if it holds one.
    pub fn text_of(&self, column: &str) -> Option<&str> {
        match self.cell(column) {
            Cell::Text(span) | Cell::Bare(span) => Some(self.str(span)),
            _ => None,
        }
    }

    /// Whether a cell is blank.
    pub fn is_blank(&self, column: &str) -> bool {
        self.cell(column) == Cell::Blank
    }

    /// A cell's value as a person reads it.
    pub fn shown(&self, column: &str) -> String {
        match self.cell(column) {
            Cell::Blank => String::new(),
            Cell::Int(value) => value.to_string(),
            Cell::Text(span) | Cell::Bare(span) | Cell::Number(span) | Cell::Latin1(span) => {
                self.str(span).to_owned()
            }
        }
    }

    fn cell(&self, column: &str) -> Cell {
        self.cells[self.columns.place(column)]
    }

    fn put(&mut self, column: &str, cell: Cell) {
        let place = self.columns.place(column);
        self.cells[place] = cell;
    }

    fn span(&mut self, write: impl FnOnce(&mut String)) -> Span {
        let from = self.text.len() as u32;
        write(&mut self.text);
        Span { from, to: self.text.len() as u32 }
    }
}
