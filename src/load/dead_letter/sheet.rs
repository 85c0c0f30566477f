//! The shape of a sheet for people, shared by export and import: its columns, and how values are
//! shown so that they come back as they were.

use super::Record;
use super::record::LINE;
use std::borrow::Cow;

/// First columns of every sheet.
pub(super) const ID: &str = "_etl_id";
pub(super) const FILE: &str = "_etl_file";
pub(super) const ROW: &str = "_etl_row";
pub(super) const PROBLEM: &str = "_etl_problem";
/// All of them, in order.
pub(super) const OURS: [&str; 4] = [ID, FILE, ROW, PROBLEM];
/// Name of the sheet that explains the others.
pub(super) const READ_ME: &str = "Read me";

/// Characters of a cell of a workbook (UTF-16 units, as Excel counts).
const CELL_LIMIT: usize = 32_767;

/// Records of one layout go into one sheet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Layout {
    pub kind: String,
    /// Lines that could not be split: a `_line` column stands before the fields.
    pub is_line: bool,
    pub headers: Vec<String>,
}

impl Layout {
    pub fn of(record: &Record) -> Self {
        Self {
            kind: record.kind.clone(),
            is_line: record.line().is_some(),
            headers: record.headers(),
        }
    }

    /// Names of the raw columns as the sheet shows them.
    pub fn raw_columns(&self) -> Vec<String> {
        let line = self.is_line.then(|| LINE.to_owned());
        line.into_iter().chain(self.headers.iter().enumerate().map(shown_header)).collect()
    }

    /// Values of the raw columns.
    pub fn raw_cells(&self, record: &Record) -> Vec<String> {
        match record.line() {
            Some((text, _)) => {
                let mut cells = vec![String::new(); self.headers.len() + 1];
                cells[0] = text.to_owned();
                cells
            }
            None => record.raw.iter().map(|(_, value)| value.clone()).collect(),
        }
    }
}

/// Values of the first columns.
pub(super) fn our_cells(record: &Record) -> [String; 4] {
    let file = match &record.sheet {
        Some(sheet) => format!("{}, sheet \"{sheet}\"", record.file),
        None => record.file.clone(),
    };
    [record.id.to_string(), file, record.row.to_string(), record.explain()]
}

/// A header without a name gets one, and none can be taken for one of ours.
fn shown_header((position, header): (usize, &String)) -> String {
    if header.trim().is_empty() {
        format!("_field_{}", position + 1)
    } else if header.starts_with("_etl_") {
        format!("raw.{header}")
    } else {
        header.clone()
    }
}

/// Whether a spreadsheet would run, rather than show, a cell of a text file.
fn triggers(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// A cell of a text file that no spreadsheet takes for a formula. Reversible: a value that already
/// looks guarded gets one apostrophe more.
pub(super) fn guard(text: &str) -> Cow<'_, str> {
    if triggers(text.trim_start_matches('\'')) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Takes away what [`guard`] added, and only that.
pub(super) fn unguard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if triggers(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}

/// A value as a cell of a workbook shows it: too long ones are named, not cut, so that a cut value
/// can never be loaded.
pub(super) fn workbook_text(text: &str) -> Cow<'_, str> {
    let units = if text.len() > CELL_LIMIT { text.encode_utf16().count() } else { 0 };
    if units > CELL_LIMIT {
        return Cow::Owned(format!("[kept as it is: {units} characters, too long for a cell]"));
    }
    Cow::Borrowed(text)
}

/// Cut to what a cell holds, for texts that never come back.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= CELL_LIMIT {
        return Cow::Borrowed(text);
    }
    // A character takes at most as many UTF-16 units as bytes.
    let mut end = CELL_LIMIT - 3;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Whether a cell still shows the original value. Spreadsheets change the line ends inside a cell
/// when they save; that is no correction.
pub(super) fn shows(cell: &str, original: &str) -> bool {
    let same = |shown: &str| cell == shown || line_ends(cell) == line_ends(shown);
    same(original) || same(&workbook_text(original))
}

/// Line ends as LF, for comparing.
pub(super) fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What a spreadsheet did to a value when it took it for a number: `None` where the change can only
/// be a person's.
pub(super) fn spreadsheet_damage(cell: &str, original: &str) -> Option<&'static str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(original) {
        return None;
    }
    let bare = original.trim_start_matches('0');
    if bare.len() < original.len() && cell == if bare.is_empty() { "0" } else { bare } {
        return Some("the leading zeros are lost");
    }
    if cell.contains(['e', 'E']) && original.len() >= 10 {
        let near = |a: f64, b: f64| (a - b).abs() <= b.abs() * 0.01;
        if let (Ok(a), Ok(b)) = (cell.parse::<f64>(), original.parse::<f64>())
            && near(a, b)
        {
            return Some("digits are lost in scientific notation");
        }
    }
    let rounded = digits(cell)
        && cell != original
        && cell.len() == bare.len()
        && bare.len() > 15
        && cell[..15] == bare[..15]
        && cell[15..].bytes().all(|byte| byte == b'0');
    rounded.then_some("digits behind the 15th are lost")
}
