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

/// Cells of some rows.
pub struct Lanes<'a> {
    /// Column of the first field on the sheet.
    first: u16,
    fields: usize,
    /// Cells beside these count for nothing.
    area: Option<Area>,
    /// Shared strings that there are.
    strings: u64,
    texts: Option<&'a SharedTexts>,
    rows: usize,
    /// Kind and value of each cell: [`ROWS`] of a field behind each other.
    kinds: Vec<u8>,
    values: Vec<u64>,
    /// The row being taken has a value that is no text.
    solid: bool,
    probe: Probe,
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

impl<'a> Lanes<'a> {
    /// For the rows of a table in a workbook of these shared strings.
    pub fn new(layout: &Layout, strings: &'a Strings) -> Self {
        let fields = layout.headers.len();
        Self {
            first: layout.first_column,
            fields,
            area: layout.area,
            strings: strings.len(),
            texts: strings.in_memory(),
            rows: 0,
            kinds: vec![0; fields * ROWS],
            values: vec![0; fields * ROWS],
            solid: false,
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

    /// Adds a cell to the row being taken. `false`: it is not usual, and so the row is not.
    #[inline(always)]
    pub fn put(&mut self, column: u16, kind: Kind, value: u64) -> bool {
        let field = usize::from(column.wrapping_sub(self.first));
        if field >= self.fields {
            return self.area.is_some_and(|area| !area.holds_column(column));
        }
        if (kind == Kind::Shared) & (value >= self.strings) {
            return false;
        }
        let at = field * ROWS + self.rows;
        self.kinds[at] = kind as u8;
        self.values[at] = value;
        self.solid |= !matches!(kind, Kind::Shared | Kind::Text);
        true
    }

    /// Forgets the row being taken.
    pub fn clear_row(&mut self) {
        self.kinds.iter_mut().skip(self.rows).step_by(ROWS).for_each(|kind| *kind = 0);
        self.solid = false;
    }

    /// Keeps the row being taken.
    pub fn end_row(&mut self) {
        self.rows += 1;
        self.solid = false;
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.kinds.fill(0);
        self.rows = 0;
    }

    /// Whether the row being taken holds more than blanks.
    #[inline]
    pub fn has_value(
        &self,
        scanner: &Scanner<'_>,
        strings: &mut Lookup<'_>,
    ) -> Result<bool, Fault> {
        if self.solid {
            return Ok(true);
        }
        for field in 0..self.fields {
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
            Probe::Field(field, header) => match self.kinds[field * ROWS + self.rows] {
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
        let at = field * ROWS + row;
        let value = self.values[at];
        Ok(match self.kinds[at] {
            SHARED => Cell::Text(strings.get(value)?),
            WHOLE => Cell::Number(value as f64),
            NUMBER => Cell::Number(f64::from_bits(value)),
            TEXT => Cell::Text(scanner.block_text(value)),
            ERROR => Cell::Error(scanner.block_text(value)),
            BOOL => Cell::Bool(value != 0),
            MOMENT => Cell::Moment(value.cast_signed()),
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
        let lane = field * ROWS..field * ROWS + self.rows;
        let (kinds, values) = (&self.kinds[lane.clone()], &self.values[lane]);
        let seen = kinds.iter().fold(0, |seen, kind| seen | kind);
        if seen == 0 {
            builder.push_nulls(kinds.len());
            return Ok(0);
        }
        if seen == WHOLE && push_wholes(builder, kinds, values) {
            return Ok(0);
        }
        if seen == SHARED
            && builder.spec().kind == ColumnKind::Text
            && let Some(texts) = self.texts
        {
            let filled = filled(kinds, SHARED.trailing_zeros());
            if let Some(bytes) = builder.push_shared(texts, values, filled) {
                return Ok(bytes);
            }
            let mut bytes = 0;
            let cells = kinds.iter().zip(values).map(|(kind, value)| {
                let text = if *kind == SHARED { texts.get(*value as usize) } else { None };
                bytes += text.map_or(0, str::len);
                text
            });
            builder.push_texts(cells, texts.may_hold_nul(), misfit);
            return Ok(bytes);
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

/// Pushes cells that are whole numbers or empty.
fn push_wholes(builder: &mut ColumnBuilder, kinds: &[u8], values: &[u64]) -> bool {
    let mut wholes = [0; ROWS];
    // What stands at an empty cell is left from another batch.
    for ((whole, kind), value) in wholes.iter_mut().zip(kinds).zip(values) {
        *whole = value.cast_signed() & -i64::from(*kind);
    }
    builder.push_wholes(&wholes[..kinds.len()], filled(kinds, WHOLE.trailing_zeros()))
}
