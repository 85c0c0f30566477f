//! Delimiter, encoding and line end, from evidence or as given.

use super::split;
use encoding_rs::Encoding;

/// How a delimited text is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Line end byte: `\n`, or `\r` in files of old Macs.
    pub end: u8,
    /// Encoding of the bytes as they reach the splitter (UTF-16 is transcoded before).
    pub encoding: &'static Encoding,
    /// Row of the header, from 1; `None` without one.
    pub header_row: Option<u64>,
}

/// Whether the head of a file can be delimited text at all.
pub fn looks_like_text(head: &[u8]) -> bool {
    if head.is_empty() {
        return false;
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let text = String::from_utf8_lossy(&head[..head.len().min(256)]).to_lowercase();
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if ["<!doctype", "<html", "<?xml", "%pdf", "{\\rtf"]
        .iter()
        .any(|magic| start.starts_with(magic))
        || head.starts_with(b"PK\x03\x04")
        || head.starts_with(b"PAR1")
        || head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0])
        || head.starts_with(&[0x1f, 0x8b])
    {
        return false;
    }
    let control = head
        .iter()
        .filter(|byte| **byte < 0x20 && !matches!(**byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a))
        .count();
    control * 50 <= head.len()
}

/// The delimiter that splits most of the first lines into the same number (> 1) of fields; a comma
/// where nothing splits them. Ties go to the order comma, tab, bar, semicolon.
pub fn find_delimiter(head: &[u8], end: u8) -> u8 {
    let mut best = (0, b',');
    for delimiter in [b',', b'\t', b'|', b';'] {
        let counts = field_counts(head, delimiter, end);
        let first = counts.first().copied().unwrap_or(1);
        let agreeing = counts.iter().filter(|count| **count == first).count();
        let score =
            if first < 2 { 0 } else { agreeing * 1_000 / counts.len() * 10 + first.min(500) };
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

fn field_counts(head: &[u8], delimiter: u8, end: u8) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut spans = Vec::new();
    let mut pos = 0;
    while pos < head.len() && counts.len() < 50 {
        let (next, _) = split::split(head, pos, delimiter, end, &mut spans);
        // The last record of the head may be cut off: it says nothing.
        if next == head.len() && !head.ends_with(&[end]) && !counts.is_empty() {
            break;
        }
        if !is_blank(&spans) {
            counts.push(spans.len());
        }
        pos = next;
    }
    counts
}

/// A line with nothing on it.
pub fn is_blank(spans: &[split::Span]) -> bool {
    matches!(spans, [only] if only.start == only.end)
}

/// The line end: `\r` only where no `\n` is seen.
pub fn find_end(head: &[u8]) -> u8 {
    if memchr::memchr(b'\n', head).is_none() && memchr::memchr(b'\r', head).is_some() {
        b'\r'
    } else {
        b'\n'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_found_from_the_lines() {
        let cases: &[(&str, u8)] = &[
            ("a,b,c\n1,2,3\n", b','),
            ("a|b|c\n1|2|3,5\n", b'|'),
            ("a;b\n1,5;2\n3,5;4\n", b';'),
            ("a\tb\n\"x,y\"\tz\n", b'\t'),
            ("single\nvalue\n", b','),
        ];
        for (text, delimiter) in cases {
            assert_eq!(find_delimiter(text.as_bytes(), b'\n'), *delimiter, "{text:?}");
        }
    }

    #[test]
    fn pages_and_archives_are_no_text() {
        assert!(looks_like_text(b"a,b\n1,2\n"));
        assert!(looks_like_text(b"caf\xe9,1\n"));
        for head in [&b"<!DOCTYPE html>"[..], b"PK\x03\x04..", b"PAR1", b"\x00\x01\x02\x03", b""] {
            assert!(!looks_like_text(head), "{head:?}");
        }
    }
}
