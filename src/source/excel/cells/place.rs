//! Cell references: `B7` ↔ column and row.

use crate::source::excel::fault::Fault;
use crate::source::excel::xml::{Cursor, Token};

/// Rows of a sheet in Excel.
pub const MAX_ROWS: u32 = 1_048_576;
/// Columns of a sheet in Excel (XFD).
pub const MAX_COLUMNS: u32 = 16_384;

/// `0` → `A`, `26` → `AA`.
pub fn letters(column: u16) -> String {
    let mut rest = u32::from(column) + 1;
    let mut letters = Vec::new();
    while rest > 0 {
        letters.push(char::from(b'A' + ((rest - 1) % 26) as u8));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

fn no_reference(text: &[u8]) -> Fault {
    Fault::Reference(String::from_utf8_lossy(text).chars().take(40).collect())
}

/// A row number; too large ones are as large as they say, as far as that can be.
pub fn row_number(text: &[u8]) -> Result<u64, Fault> {
    let digits = text.trim_ascii();
    let number = digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    });
    number.filter(|number| *number > 0).ok_or_else(|| no_reference(text))
}

/// The column (from 0) and the row (from 1) of a reference.
fn reference(text: &[u8]) -> Result<(u64, u64), Fault> {
    let text = text.trim_ascii();
    let length = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (letters, digits) = text.split_at(length);
    let column = letters.iter().fold(0_u64, |column, letter| {
        let digit = u64::from(letter.to_ascii_uppercase() - b'A') + 1;
        column.saturating_mul(26).saturating_add(digit)
    });
    if letters.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(no_reference(text));
    }
    let row = row_number(digits).map_err(|_| no_reference(text))?;
    Ok((column - 1, row))
}

/// The column of a reference, which must be in the row where it stands.
pub fn column_in_row(text: &[u8], row: u32) -> Result<u32, Fault> {
    let (column, told) = reference(text)?;
    if told > u64::from(MAX_ROWS) || column >= u64::from(MAX_COLUMNS) {
        return Err(Fault::Outside { row: told, column: column + 1 });
    }
    if told != u64::from(row) {
        return Err(Fault::Misplaced { cell: String::from_utf8_lossy(text).into_owned(), row });
    }
    Ok(column as u32)
}

/// Refuses a column outside of what a sheet can hold.
pub fn check_column(row: u32, column: u32) -> Result<(), Fault> {
    if column < MAX_COLUMNS {
        return Ok(());
    }
    Err(Fault::Outside { row: u64::from(row), column: u64::from(column) + 1 })
}

/// What the first cell behind `at` says about its row, where the row itself says nothing.
pub fn row_of_first_cell(bytes: &[u8], at: usize) -> Result<Option<u64>, Fault> {
    let mut cursor = Cursor::new(bytes, at);
    loop {
        match cursor.next()? {
            Some(Token::Open(tag)) if tag.name == b"c" => {
                return Ok(match tag.get(b"r")? {
                    Some(text) => Some(reference(text)?.1),
                    None => None,
                });
            }
            Some(Token::Open(_) | Token::Text(_) | Token::Verbatim(_)) => {}
            Some(Token::Close(_)) | None => return Ok(None),
        }
    }
}

/// The last row of a range such as `A1:FJ200001`; 1 where it cannot be read.
pub fn last_row_of_range(range: &[u8]) -> u32 {
    let last = range.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    reference(last).map_or(1, |(_, row)| row.min(u64::from(MAX_ROWS)) as u32)
}

/// The digits of a row number and the quote behind them, compared in one step.
#[derive(Clone, Copy)]
pub struct RowDigits {
    pattern: u64,
    mask: u64,
    /// Length of the digits and the quote.
    pub length: usize,
}

impl RowDigits {
    /// The digits of `row`, which is at most [`MAX_ROWS`].
    pub fn of(row: u32) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(row.min(MAX_ROWS)).as_bytes();
        let mut pattern = [0; 8];
        pattern[..digits.len()].copy_from_slice(digits);
        pattern[digits.len()] = b'"';
        let length = digits.len() + 1;
        let mask = u64::MAX >> (8 * (8 - length));
        Self { pattern: u64::from_le_bytes(pattern), mask, length }
    }

    /// Whether `bytes` begin with them.
    #[inline]
    pub fn match_start(&self, bytes: &[u8]) -> bool {
        let Some(word) = bytes.first_chunk::<8>() else { return false };
        self.match_word(u64::from_le_bytes(*word))
    }

    /// Whether the first bytes of a word are they.
    #[inline(always)]
    pub fn match_word(&self, word: u64) -> bool {
        word & self.mask == self.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_letters() {
        let expected =
            [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")];
        for (column, text) in expected {
            assert_eq!(letters(column), text);
            let told = column_in_row(format!("{text}7").as_bytes(), 7).expect("in bounds");
            assert_eq!(told, u32::from(column));
        }
    }

    #[test]
    fn references_are_read_whole_or_refused() {
        assert_eq!(reference(b"xfd1048576").expect("a cell"), (16_383, 1_048_576));
        assert_eq!(reference(b" B007 ").expect("a cell"), (1, 7));
        for text in ["", "7", "B", "B0", "$B$7", "B7C", "B-7", "B 7", "\u{e9}7"] {
            assert!(matches!(reference(text.as_bytes()), Err(Fault::Reference(_))), "{text}");
        }
        for text in ["XFE1", "A1048577", "A99999999999999999999999", "ZZZZZZZZZZZZZZZZZZZZ1"] {
            let told = column_in_row(text.as_bytes(), 1);
            assert!(matches!(told, Err(Fault::Outside { .. })), "{text}");
        }
        assert!(matches!(column_in_row(b"B8", 7), Err(Fault::Misplaced { .. })));
        assert_eq!(last_row_of_range(b"A1:FJ200001"), 200_001);
        assert_eq!(last_row_of_range(b"B7"), 7);
        assert_eq!(last_row_of_range(b"A1:XFD99999999999"), MAX_ROWS);
        assert_eq!(last_row_of_range(b"nonsense"), 1);
    }

    #[test]
    fn digits_of_a_row_are_compared_with_their_end() {
        for row in [1, 12, 123_456, 1_048_576] {
            let digits = RowDigits::of(row);
            assert!(digits.match_start(format!("{row}\" t=\"s\">").as_bytes()));
            assert!(!digits.match_start(format!("{row}0\" t=\"s\">").as_bytes()));
            assert!(!digits.match_start(format!("{row}").as_bytes()));
        }
    }
}
