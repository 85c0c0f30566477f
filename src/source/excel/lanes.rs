//! Rows of the usual form, column by column, until they are typed together.

use super::cells::{Kind, Scanner};
use super::fault::Fault;
use super::layout::Layout;
use super::range::Area;
use super::strings::{Lookup, Strings};
use crate::chunk::{ColumnKind, MisfitKind};
use crate::source::cell::Cell;
use crate::source::columns::{ColumnBuilder, MOST, SharedTexts};

/// Rows of a batch.
const ROWS: usize = MOST;

/// [`Kind`]s as bytes.
const WHOLE: u8 = Kind::Whole as u8;
const SHARED: u8 = Kind::Shared as u8;
const NUMBER: u8 = Kind::Number as u8;
const TEXT: u8 = Kind::Text as u8;
const ERROR: u8 = Kind::Error as u8;
const BOOL: u8 = Kind::Bool as u8;
const MOMENT: u8 = Kind::Moment as u8;
const DIGITS: u8 = Kind::Digits as u8;

/// Cells of some rows.
pub struct Lanes<'a> {
    /// Column of the first field on the sheet.
    first: u16,
    /// Cells beside these count for nothing.
    area: Option<Area>,
    /// Shared strings that there are.
    strings: u64,
    texts: Option<&'a SharedTexts>,
    /// Rows taken; below [`ROWS`] while one is being taken.
    rows: usize,
    lanes: Vec<Lane>,
    probe: Probe,
}

/// Cells of one field. Kinds and values lie together, so that fields are no power of two apart: a row
/// is written across all of them, and they would drive each other out of the processor.
#[derive(Clone)]
struct Lane {
    kinds: [u8; ROWS],
    /// At an empty cell whatever stood there before.
    values: [u64; ROWS],
}

/// How to see quickly that a row does not repeat the header.
enum Probe {
    /// There is no header.
    None,
    /// The header of this field is a text that no number looks like.
    Field(usize, String),
    /// The whole row must be compared.
    Whole,
}

impl Probe {
    fn new(layout: &Layout) -> Self {
        if layout.header_row.is_none() {
            return Self::None;
        }
        let telling = |header: &str| !header.is_empty() && header.parse::<f64>().is_err();
        let found = layout.headers.iter().position(|header| telling(header));
        found.map_or(Self::Whole, |field| Self::Field(field, layout.headers[field].clone()))
    }
}

impl Lane {
    /// The kinds of all its cells together.
    #[inline(always)]
    fn seen(&self) -> u8 {
        self.kinds.iter().fold(0, |seen, kind| seen | kind)
    }
}

impl<'a> Lanes<'a> {
    /// For the rows of a table in a workbook of these shared strings.
    pub fn new(layout: &Layout, strings: &'a Strings) -> Self {
        let empty = Lane { kinds: [0; ROWS], values: [0; ROWS] };
        Self {
            first: layout.first_column,
            area: layout.area,
            strings: strings.len(),
            texts: strings.in_memory(),
            rows: 0,
            lanes: vec![empty; layout.headers.len()],
            probe: Probe::new(layout),
        }
    }

    /// Rows taken.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether they must be typed before another one is taken.
    pub fn is_full(&self) -> bool {
        self.rows == ROWS
    }

    /// Adds a cell to the row being taken, and its kind to `seen`. `false`: it is not usual, and so the row
    /// is not.
    #[inline(always)]
    pub fn put(&mut self, column: u16, kind: Kind, value: u64, seen: &mut u8) -> bool {
        let field = usize::from(column.wrapping_sub(self.first));
        let Some(lane) = self.lanes.get_mut(field) else {
            return self.area.is_some_and(|area| !area.holds_column(column));
        };
        if (kind == Kind::Shared) & (value >= self.strings) {
            return false;
        }
        lane.kinds[self.rows % ROWS] = kind as u8;
        lane.values[self.rows % ROWS] = value;
        *seen |= kind as u8;
        true
    }

    /// Forgets the row being taken.
    pub fn clear_row(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.kinds[self.rows % ROWS] = 0);
    }

    /// Keeps the row being taken.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.kinds = [0; ROWS]);
        self.rows = 0;
    }

    /// Whether no row has a value in a field.
    #[inline(always)]
    pub fn is_blank(&self, field: usize) -> bool {
        self.lanes[field].seen() == 0
    }

    /// Whether the row being taken, in which there are cells of the kinds `seen`, holds more than blanks.
    #[inline]
    pub fn has_value(
        &self,
        seen: u8,
        scanner: &Scanner<'_>,
        strings: &mut Lookup<'_>,
    ) -> Result<bool, Fault> {
        if seen & !(SHARED | TEXT) != 0 {
            return Ok(true);
        }
        for field in 0..self.lanes.len() {
            if !self.cell(field, self.rows, scanner, strings)?.is_blank() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the row being taken must be compared with the header.
    #[inline]
    pub fn may_be_header(
        &self,
        scanner: &Scanner<'_>,
        strings: &mut Lookup<'_>,
    ) -> Result<bool, Fault> {
        Ok(match &self.probe {
            Probe::None => false,
            Probe::Whole => true,
            Probe::Field(field, header) => match self.lanes[*field].kinds[self.rows % ROWS] {
                0 | WHOLE | NUMBER => false,
                _ => self.cell(*field, self.rows, scanner, strings)?.text().trim() == header,
            },
        })
    }

    /// A cell.
    #[inline(always)]
    pub fn cell<'s>(
        &self,
        field: usize,
        row: usize,
        scanner: &'s Scanner<'_>,
        strings: &'s mut Lookup<'_>,
    ) -> Result<Cell<'s>, Fault> {
        let Lane { kinds, values } = &self.lanes[field];
        let value = values[row];
        Ok(match kinds[row] {
            SHARED => Cell::Text(strings.get(value)?),
            WHOLE => Cell::Number(value as f64),
            NUMBER => Cell::Number(f64::from_bits(value)),
            TEXT => Cell::Text(scanner.block_text(value)),
            ERROR => Cell::Error(scanner.block_text(value)),
            BOOL => Cell::Bool(value != 0),
            MOMENT => Cell::Moment(value.cast_signed()),
            DIGITS => Cell::Digits(scanner.digits(value)),
            _ => Cell::Blank,
        })
    }

    /// Types all rows of a field and tells what does not fit, by its row in the batch. Returns the
    /// bytes of text.
    pub fn type_column(
        &self,
        field: usize,
        builder: &mut ColumnBuilder,
        scanner: &Scanner<'_>,
        strings: &mut Lookup<'_>,
        mut misfit: impl FnMut(usize, MisfitKind),
    ) -> Result<usize, Fault> {
        let Lane { kinds, values } = &self.lanes[field];
        let seen = self.lanes[field].seen();
        let (kinds, values) = (&kinds[..self.rows], &values[..self.rows]);
        let filled = if seen.is_power_of_two() { filled(kinds, seen.trailing_zeros()) } else { 0 };
        let is_text = builder.spec().kind == ColumnKind::Text;
        match (seen, is_text, self.texts) {
            (WHOLE, false, _) if builder.push_wholes(values, filled) => return Ok(0),
            (WHOLE, true, _) => {
                builder.push_whole_texts(values, filled, misfit);
                return Ok(0);
            }
            (SHARED, true, Some(texts)) => {
                return Ok(builder.push_shared(texts, values, filled, misfit));
            }
            _ => {}
        }
        let mut text = 0;
        for row in 0..kinds.len() {
            let cell = self.cell(field, row, scanner, strings)?;
            if let Cell::Text(it) = cell {
                text += it.len();
            }
            if let Err(kind) = builder.push_cell(cell) {
                misfit(row, kind);
            }
        }
        Ok(text)
    }
}

/// The cells that are not empty, where all of them are of the kind with this bit.
fn filled(kinds: &[u8], bit: u32) -> u64 {
    let mut filled = 0;
    for (at, eight) in kinds.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..eight.len()].copy_from_slice(eight);
        // The lowest bits of eight bytes, side by side.
        let lowest = u64::from_le_bytes(word) >> bit & 0x0101_0101_0101_0101;
        filled |= (lowest.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * at);
    }
    filled
}
