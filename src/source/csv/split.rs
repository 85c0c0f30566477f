//! One record into fields: the CSV grammar, without I/O and without copying.

use memchr::memchr;

/// A field within its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte of the value (behind an opening quote).
    pub start: u32,
    /// Behind the last byte of the value.
    pub end: u32,
    /// The value holds doubled quotes that must be halved.
    pub doubled: bool,
}

/// How a record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// At a line end or at the end of the input.
    Whole,
    /// Text stands behind a closing quote.
    Stray,
    /// A quote is never closed.
    Unclosed,
}

/// Splits the record at `pos`, puts its fields into `spans` and returns where the next record
/// begins and how this one ended. A broken record ends at its first line end, so that one stray
/// quote cannot swallow the rest of the file.
pub fn split(
    bytes: &[u8],
    pos: usize,
    delimiter: u8,
    end: u8,
    spans: &mut Vec<Span>,
) -> (usize, Ending) {
    spans.clear();
    let mut at = pos;
    loop {
        let (span, stop) = if bytes.get(at) == Some(&b'"') {
            match quoted(bytes, at) {
                Some(quoted) => quoted,
                None => return (line_end(bytes, pos, end), Ending::Unclosed),
            }
        } else {
            plain(bytes, at, delimiter, end)
        };
        spans.push(span);
        match bytes.get(stop) {
            None => return (bytes.len(), Ending::Whole),
            Some(byte) if *byte == delimiter => at = stop + 1,
            Some(byte) if *byte == end => return (stop + 1, Ending::Whole),
            Some(b'\r') if matches!(bytes.get(stop + 1), None | Some(b'\n')) => {
                return ((stop + 2).min(bytes.len()), Ending::Whole);
            }
            Some(_) => return (line_end(bytes, pos, end), Ending::Stray),
        }
    }
}

/// A quoted field: its span and the byte behind its closing quote.
fn quoted(bytes: &[u8], open: usize) -> Option<(Span, usize)> {
    let start = open + 1;
    let mut from = start;
    let mut doubled = false;
    loop {
        let close = from + memchr(b'"', bytes.get(from..)?)?;
        if bytes.get(close + 1) == Some(&b'"') {
            doubled = true;
            from = close + 2;
            continue;
        }
        let span = Span { start: start as u32, end: close as u32, doubled };
        return Some((span, close + 1));
    }
}

/// An unquoted field; quotes inside it are part of the value.
#[inline]
fn plain(bytes: &[u8], start: usize, delimiter: u8, end: u8) -> (Span, usize) {
    let mut stop = start;
    while let Some(byte) = bytes.get(stop) {
        if *byte == delimiter || *byte == end {
            break;
        }
        stop += 1;
    }
    let at_line_end = bytes.get(stop).is_none_or(|byte| *byte == end);
    let trimmed =
        if at_line_end && stop > start && bytes[stop - 1] == b'\r' { stop - 1 } else { stop };
    (Span { start: start as u32, end: trimmed as u32, doubled: false }, stop)
}

/// Behind the line end at or after `pos`.
pub fn line_end(bytes: &[u8], pos: usize, end: u8) -> usize {
    memchr(end, &bytes[pos..]).map_or(bytes.len(), |at| pos + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(record: &str) -> (Vec<String>, usize, Ending) {
        let mut spans = Vec::new();
        let (next, ending) = split(record.as_bytes(), 0, b',', b'\n', &mut spans);
        let text = |span: &Span| record[span.start as usize..span.end as usize].to_owned();
        (spans.iter().map(text).collect(), next, ending)
    }

    #[test]
    fn records_split_as_written() {
        let cases: &[(&str, &[&str], Ending)] = &[
            ("a,b\n", &["a", "b"], Ending::Whole),
            ("a,b\r\n", &["a", "b"], Ending::Whole),
            (",,\n", &["", "", ""], Ending::Whole),
            ("\"a,b\",c", &["a,b", "c"], Ending::Whole),
            ("\"line\nend\",c\r\n", &["line\nend", "c"], Ending::Whole),
            ("\"x\"\r\n", &["x"], Ending::Whole),
            ("5\" pipe,b\n", &["5\" pipe", "b"], Ending::Whole),
            ("a,\"\"\n", &["a", ""], Ending::Whole),
        ];
        for (record, expected, ending) in cases {
            let (found, next, how) = fields(record);
            assert_eq!(
                (found.as_slice(), how),
                (expected.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>().as_slice(), *ending)
            );
            assert_eq!(next, record.len(), "{record:?}");
        }
    }

    #[test]
    fn a_broken_record_ends_at_its_line() {
        let (_, next, ending) = fields("\"a\"b,c\nd,e\n");
        assert_eq!((next, ending), (7, Ending::Stray));
        let (_, next, ending) = fields("\"a,c\nd,e\n");
        assert_eq!((next, ending), (5, Ending::Unclosed));
    }

    #[test]
    fn doubled_quotes_are_marked() {
        let mut spans = Vec::new();
        split(b"\"a\"\"b\",c\n", 0, b',', b'\n', &mut spans);
        assert!(spans[0].doubled && !spans[1].doubled);
    }
}
