//! Lines behind the data that are no data: totals, remarks, end marks.
//!
//! Only what stands at the very end counts, and only what no row of the table can be: a lone text in
//! a table of several columns that is set off by a blank line or begins like a remark, or a total.
//! What is found is told and left out; everything else is read as rows.

use super::grammar::Grammar;
use encoding_rs::Encoding;

/// Most lines of a footer.
const LINES: usize = 12;
/// How remarks begin.
const REMARKS: [&str; 16] = [
    "-",
    "=",
    "*",
    "#",
    "(",
    "end of",
    "eof",
    "total",
    "grand total",
    "subtotal",
    "source:",
    "note",
    "generated",
    "record count",
    "rows:",
    "count:",
];
/// What the first cell of a row of totals says.
const TOTALS: [&str; 5] = ["total", "totals", "grand total", "sum", "sums"];

/// The lines left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// Where they begin, from the end of the text.
    pub bytes: u64,
    /// How many lines they are, blank ones included.
    pub rows: u64,
    /// What they say.
    pub lines: Vec<String>,
}

/// Looks for a footer in the end of a text whose table has `width` columns. `whole`: the tail is all
/// of the text behind the header.
pub fn find(
    tail: &[u8],
    whole: bool,
    grammar: &Grammar,
    encoding: &'static Encoding,
    width: usize,
) -> Option<Footer> {
    if width < 2 {
        return None;
    }
    let mut lines = last_lines(tail, grammar.end);
    if !whole {
        // The first one may be cut off.
        lines.pop();
    }
    let texts: Vec<_> = lines
        .iter()
        .map(|(from, to)| encoding.decode_without_bom_handling(&tail[*from..*to]).0.into_owned())
        .collect();
    let kinds: Vec<_> = texts.iter().map(|text| kind(text.trim(), grammar, width)).collect();
    let behind = kinds.iter().take_while(|kind| **kind != Kind::Row).count();
    // A blank line above sets the lone texts below it off from the table.
    let set_off = (0..behind).rev().find(|at| kinds[*at] == Kind::Blank).map_or(0, |at| at + 1);
    let remarks =
        kinds.iter().take_while(|kind| matches!(kind, Kind::Blank | Kind::Remark)).count();
    let count = set_off.max(remarks);
    let said: Vec<_> = texts[..count].iter().rev().map(|text| text.trim().to_owned()).collect();
    let lines_said: Vec<_> = said.into_iter().filter(|text| !text.is_empty()).collect();
    // Without a row above it there is no table to be behind of.
    if lines_said.is_empty() || (whole && count == lines.len()) {
        return None;
    }
    let from = lines[count - 1].0;
    Some(Footer { bytes: (tail.len() - from) as u64, rows: count as u64, lines: lines_said })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    /// Says itself that it is no row.
    Remark,
    /// A text without a delimiter: no row if it is set off.
    Lone,
    Row,
}

fn kind(line: &str, grammar: &Grammar, width: usize) -> Kind {
    if line.is_empty() {
        return Kind::Blank;
    }
    let quote = grammar.quote.map(char::from);
    if quote.is_some_and(|quote| line.contains(quote)) {
        return Kind::Row;
    }
    let mut cells = line.split(char::from(grammar.delimiter)).map(str::trim);
    let first = cells.next().unwrap_or_default().to_lowercase();
    let (mut fields, mut filled) = (1, usize::from(!first.is_empty()));
    for cell in cells {
        fields += 1;
        filled += usize::from(!cell.is_empty());
    }
    let total = TOTALS.contains(&first.trim_end_matches(':').trim_end());
    if total && fields == width && filled < width {
        return Kind::Remark;
    }
    if filled > 1 || first.is_empty() {
        return Kind::Row;
    }
    // A number alone may be a row that was cut off.
    let wordy = first.chars().any(char::is_alphabetic)
        || first.len() > 1 && !first.chars().any(char::is_numeric);
    match wordy {
        true if REMARKS.iter().any(|begin| first.starts_with(begin)) => Kind::Remark,
        true if width > 2 => Kind::Lone,
        _ => Kind::Row,
    }
}

/// The last lines, from the last to the first, as ranges without their line ends.
fn last_lines(tail: &[u8], end: u8) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    let mut to = if tail.last() == Some(&end) { tail.len() - 1 } else { tail.len() };
    while lines.len() <= LINES {
        let from = memchr::memrchr(end, &tail[..to]).map_or(0, |at| at + 1);
        lines.push((from, to));
        if from == 0 {
            break;
        }
        to = from - 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::UTF_8;

    fn footer(tail: &str) -> Option<(u64, Vec<String>)> {
        let found = find(tail.as_bytes(), true, &Grammar::PLAIN, UTF_8, 3)?;
        let from = tail.len() - found.bytes as usize;
        assert!(from == 0 || tail.as_bytes()[from - 1] == b'\n');
        Some((found.rows, found.lines))
    }

    #[test]
    fn lines_behind_the_data_are_left_out_where_they_are_no_rows() {
        let some = |rows, lines: &[&str]| {
            Some((rows, lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()))
        };
        let cases = [
            ("1,2,3\n-- end --\n", some(1, &["-- end --"])),
            ("1,2,3\r\n\r\nPrepared by Ann\r\n", some(2, &["Prepared by Ann"])),
            ("1,2,3\nTotal,,6\n", some(1, &["Total,,6"])),
            ("1,2,3\n(120 rows affected)\n\n", some(2, &["(120 rows affected)"])),
            ("1,2,3\nabc\n", None),
            ("1,2,3\n\n12\n", None),
            ("1,2,3\n4,5\n", None),
            ("1,2,3\n\n\n", None),
            ("1,2,3\nTotal,1,6\n", None),
            ("1,2,3\n\n\"x\"\n", None),
            ("note one\nnote two\n", None),
        ];
        for (tail, expected) in cases {
            assert_eq!(footer(tail), expected, "{tail:?}");
        }
    }
}
