//! A part of a sheet as people write it: `A3:F200`, `A3:F`, `Sheet!$A$3:$F$200`, `'My sheet'!A:F`, or
//! the name that the workbook gives it.

use super::cells::{MAX_COLUMNS, MAX_ROWS, letters};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const LAST_COLUMN: u16 = (MAX_COLUMNS - 1) as u16;

/// A rectangle of cells, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// From 1.
    pub first_row: u32,
    /// The last row of all sheets: open, down to the last row that there is.
    pub last_row: u32,
    /// From 0.
    pub first_column: u16,
    /// The last column of all sheets: open, as far as there are values.
    pub last_column: u16,
}

impl Area {
    /// Whether it ends at a column that was named.
    pub fn has_last_column(&self) -> bool {
        self.last_column < LAST_COLUMN
    }

    /// Whether a column is in it.
    #[inline]
    pub fn holds_column(&self, column: u16) -> bool {
        (self.first_column..=self.last_column).contains(&column)
    }

    /// Whether a cell lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first_row <= other.last_row
            && other.first_row <= self.last_row
            && self.first_column <= other.last_column
            && other.first_column <= self.last_column
    }

    /// Two corners, of which row or column may be left open; `None`: no area.
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once(':')?;
        let (from, to) = (Corner::parse(from)?, Corner::parse(to)?);
        if from.is_open() && to.is_open() {
            return None;
        }
        let (rows, columns) = ((from.row, to.row), (from.column, to.column));
        let (first_row, last_row) = ordered(rows.0.unwrap_or(1), rows.1.unwrap_or(MAX_ROWS));
        let (first_column, last_column) =
            ordered(columns.0.unwrap_or(0), columns.1.unwrap_or(LAST_COLUMN));
        Some(Self { first_row, last_row, first_column, last_column })
    }
}

fn ordered<T: Ord>(a: T, b: T) -> (T, T) {
    if a <= b { (a, b) } else { (b, a) }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:", letters(self.first_column), self.first_row)?;
        if self.has_last_column() {
            f.write_str(&letters(self.last_column))?;
        }
        if self.last_row < MAX_ROWS {
            write!(f, "{}", self.last_row)?;
        }
        Ok(())
    }
}

/// `$A$3`, `A`, `3`, or nothing.
struct Corner {
    column: Option<u16>,
    row: Option<u32>,
}

impl Corner {
    fn is_open(&self) -> bool {
        self.column.is_none() && self.row.is_none()
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('$').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (name, digits) = text.split_at(end);
        let digits = match digits.strip_prefix('$') {
            // The `$` of a row stands behind its column.
            Some(digits) if !name.is_empty() && !digits.is_empty() => digits,
            Some(_) => return None,
            None => digits,
        };
        let column = if name.is_empty() { None } else { Some(column(name)?) };
        let row = match digits {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|row| (1..=MAX_ROWS).contains(row))?)
            }
            _ => return None,
        };
        Some(Self { column, row })
    }
}

fn column(name: &str) -> Option<u16> {
    if name.len() > 3 {
        return None;
    }
    let column = name
        .bytes()
        .fold(0, |column, letter| column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    u16::try_from(column - 1).ok().filter(|column| *column <= LAST_COLUMN)
}

/// What to read of a workbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SheetRange {
    /// Cells of a sheet; of the one that has rows, where none is named.
    Cells {
        /// Its name or number.
        sheet: Option<String>,
        /// Which cells.
        area: Area,
    },
    /// What the workbook calls so.
    Name(String),
}

impl FromStr for SheetRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{text}` is no range; write it like A3:F200, A3:F, Sheet!A3:F200, or give the \
                 name of a range"
            )
        };
        let trimmed = text.trim();
        let (sheet, cells) = split_sheet(trimmed).ok_or_else(bad)?;
        if let Some(area) = Area::parse(cells) {
            return Ok(Self::Cells { sheet, area });
        }
        let is_cell =
            Corner::parse(cells).is_some_and(|it| it.column.is_some() && it.row.is_some());
        let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '\\');
        let starts = cells.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '\\'));
        if sheet.is_none() && starts && !is_cell && cells.chars().all(named) {
            return Ok(Self::Name(cells.to_owned()));
        }
        Err(bad())
    }
}

/// The sheet before the `!`, with its quotes resolved, and what stands behind.
fn split_sheet(text: &str) -> Option<(Option<String>, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        return Some(match text.rsplit_once('!') {
            Some(("", _)) => return None,
            Some((sheet, cells)) => (Some(sheet.to_owned()), cells),
            None => (None, text),
        });
    };
    let mut from = 0;
    loop {
        let quote = from + quoted[from..].find('\'')?;
        let rest = &quoted[quote + 1..];
        match rest.strip_prefix('!') {
            Some(cells) => return Some((Some(quoted[..quote].replace("''", "'")), cells)),
            None if rest.starts_with('\'') => from = quote + 2,
            None => return None,
        }
    }
}

impl TryFrom<String> for SheetRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SheetRange> for String {
    fn from(range: SheetRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for SheetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cells { sheet: None, area } => write!(f, "{area}"),
            Self::Cells { sheet: Some(sheet), area } => {
                write!(f, "'{}'!{area}", sheet.replace('\'', "''"))
            }
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_people_write_them() {
        for (text, canonical) in [
            ("A3:F200", "A3:F200"),
            ("$a$3:$F$200", "A3:F200"),
            ("F200:A3", "A3:F200"),
            ("A3:F", "A3:F"),
            ("A3:", "A3:"),
            ("A:F", "A1:F"),
            ("3:200", "A3:200"),
            (" b2 : c4 ", "B2:C4"),
            ("XFD1048576:A1", "A1:"),
            ("Sheet!A3:F200", "'Sheet'!A3:F200"),
            ("'It''s!'!$A$3:$F", "'It''s!'!A3:F"),
            ("a!b!A1:B2", "'a!b'!A1:B2"),
            ("Roll_2025", "Roll_2025"),
        ] {
            let range: SheetRange = text.parse().expect(text);
            assert_eq!(range.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse(), Ok(range), "{canonical}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            ":",
            "A3",
            "A0:B2",
            "A1:XFE2",
            "A1:B1048577",
            "AAAA1:B2",
            "A1:B2:C3",
            "'a!A1:B2",
            "!A1:B2",
            "A1-B2",
            "a b",
            "Sheet!Name",
            "$:$",
            "A1:B$",
            "12",
        ] {
            assert!(text.parse::<SheetRange>().is_err(), "{text}");
        }
    }
}
