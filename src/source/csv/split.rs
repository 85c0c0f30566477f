//! One record into fields: the CSV grammar, without I/O and without copying.

use super::grammar::{Escape, Grammar};
use memchr::{memchr, memchr2};

/// A field within its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte of the value (behind an opening quote).
    pub start: u32,
    /// Behind the last byte of the value; the top bit says that it holds escapes.
    end: u32,
}

const ESCAPED: u32 = 1 << 31;

impl Span {
    /// Most bytes of a block: offsets must leave the top bit free.
    pub const MOST: usize = (1 << 31) - 1;

    /// A field as it stands.
    #[inline]
    pub fn plain(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// A field whose escapes must be taken out.
    #[inline]
    pub fn escaped(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 | ESCAPED }
    }

    /// Where it lies.
    #[inline]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.end & !ESCAPED) as usize
    }

    /// Holds nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end & !ESCAPED
    }

    /// Holds escapes.
    #[inline]
    pub fn is_escaped(&self) -> bool {
        self.end & ESCAPED != 0
    }
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

/// The byte-order mark of UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// How far an opening quote may look for its end before its line is given up as broken. A fixed
/// number, so that it does not depend on how the text is cut into blocks.
pub const LONGEST_QUOTED: usize = 1 << 20;

/// Most fields that are told of a record: a long line of nothing but delimiters costs no more. One that
/// has so many has at least so many, and is never a row ([`MOST_COLUMNS`]).
///
/// [`MOST_COLUMNS`]: crate::source::MOST_COLUMNS
pub const MOST_FIELDS: usize = 1 << 16;

/// Where quotes were looked for in a text, and none closes a field.
///
/// A quote that is never closed is looked for up to [`LONGEST_QUOTED`] bytes ahead. Where quotes stand in
/// values as they are ([`Escape::None`]) each line may open one, and each would look through the same
/// bytes again: minutes for a small file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Searched {
    from: usize,
    to: usize,
}

impl Searched {
    /// Where a search from `at` need begin.
    fn skip(self, at: usize) -> usize {
        if (self.from..self.to).contains(&at) { self.to } else { at }
    }

    fn add(&mut self, from: usize, to: usize) {
        let from = if (self.from..=self.to).contains(&from) { self.from } else { from };
        *self = Self { from, to };
    }
}

/// [`split_on`] of a record alone.
pub fn split(
    bytes: &[u8],
    pos: usize,
    grammar: &Grammar,
    spans: &mut Vec<Span>,
) -> (usize, Ending) {
    split_on(bytes, pos, grammar, spans, &mut Searched::default())
}

/// Splits the record at `pos`, puts its fields into `spans` and returns where the next record
/// begins and how this one ended. A broken record ends at its first line end, so that one stray
/// quote cannot swallow the rest of the file. `searched` goes from record to record of the same bytes.
pub fn split_on(
    bytes: &[u8],
    pos: usize,
    grammar: &Grammar,
    spans: &mut Vec<Span>,
    searched: &mut Searched,
) -> (usize, Ending) {
    spans.clear();
    // A byte-order mark is no text, wherever files were pasted together.
    let mut at = if bytes[pos..].starts_with(MARK) { pos + MARK.len() } else { pos };
    loop {
        at = skip_padding(bytes, at, grammar);
        let (span, stop) = if grammar.quote.is_some() && bytes.get(at).copied() == grammar.quote {
            match quoted(bytes, at, grammar, searched) {
                Some((span, stop)) => (span, skip_padding(bytes, stop, grammar)),
                None => {
                    // Where the quote opens, for those who may have more text to look at.
                    spans.truncate(MOST_FIELDS - 1);
                    spans.push(Span::plain(at, at));
                    return (line_end(bytes, pos, grammar.end), Ending::Unclosed);
                }
            }
        } else {
            plain(bytes, at, grammar)
        };
        if spans.len() < MOST_FIELDS {
            spans.push(span);
        }
        match after(bytes, stop, grammar) {
            After::Delimiter => at = stop + 1,
            After::End(next) => return (next, Ending::Whole),
            After::Text => return (line_end(bytes, pos, grammar.end), Ending::Stray),
        }
    }
}

/// What stands behind a field.
enum After {
    Delimiter,
    /// The record ends; the next one begins there.
    End(usize),
    Text,
}

#[inline]
fn after(bytes: &[u8], stop: usize, grammar: &Grammar) -> After {
    match bytes.get(stop) {
        None => After::End(bytes.len()),
        Some(byte) if *byte == grammar.delimiter => After::Delimiter,
        Some(byte) if *byte == grammar.end => After::End(stop + 1),
        Some(b'\r') if matches!(bytes.get(stop + 1), None | Some(b'\n')) => {
            After::End((stop + 2).min(bytes.len()))
        }
        Some(_) => After::Text,
    }
}

#[inline]
fn skip_padding(bytes: &[u8], at: usize, grammar: &Grammar) -> usize {
    if !grammar.padded {
        return at;
    }
    at + bytes[at.min(bytes.len())..].iter().take_while(|byte| **byte == b' ').count()
}

/// A quoted field: its span and the byte behind its closing quote.
fn quoted(
    bytes: &[u8],
    open: usize,
    grammar: &Grammar,
    searched: &mut Searched,
) -> Option<(Span, usize)> {
    let bytes = &bytes[..bytes.len().min(open + LONGEST_QUOTED)];
    let quote = grammar.quote?;
    let start = open + 1;
    if grammar.escape == Escape::None {
        return match bare_close(bytes, searched.skip(start), quote, grammar) {
            Some(close) => Some((Span::plain(start, close), close + 1)),
            None => {
                searched.add(start, bytes.len());
                None
            }
        };
    }
    let mut from = start;
    let mut escaped = false;
    loop {
        let rest = bytes.get(from..)?;
        let close = from
            + match grammar.escape {
                Escape::Byte(escape) => memchr2(quote, escape, rest)?,
                _ => memchr(quote, rest)?,
            };
        let next = bytes.get(close + 1).copied();
        match grammar.escape {
            Escape::Byte(escape) if bytes[close] == escape && escape != quote => {
                escaped = true;
                from = close + 2;
                continue;
            }
            Escape::Doubled if next == Some(quote) => {
                escaped = true;
                from = close + 2;
                continue;
            }
            _ => {}
        }
        let span = if escaped { Span::escaped(start, close) } else { Span::plain(start, close) };
        return Some((span, close + 1));
    }
}

/// The first quote from `from` on that stands before a delimiter or a line end.
fn bare_close(bytes: &[u8], from: usize, quote: u8, grammar: &Grammar) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let mut quotes = memchr::memchr_iter(quote, rest).map(|at| from + at);
    let closes = |at: &usize| !matches!(after(bytes, at + 1, grammar), After::Text);
    quotes.find(closes)
}

/// An unquoted field; quotes inside it are part of the value.
#[inline]
pub fn plain(bytes: &[u8], start: usize, grammar: &Grammar) -> (Span, usize) {
    let escape = match grammar.escape {
        Escape::Byte(escape) => Some(escape),
        _ => None,
    };
    let mut stop = start;
    let mut escaped = false;
    while let Some(byte) = bytes.get(stop) {
        if *byte == grammar.delimiter || *byte == grammar.end {
            break;
        }
        // A line end stands for itself: a path that ends in a backslash must not swallow a row.
        let next = bytes.get(stop + 1).copied();
        if Some(*byte) == escape && next.is_some_and(|b| b != grammar.end && b != b'\r') {
            escaped = true;
            stop += 1;
        }
        stop += 1;
    }
    let at_line_end = bytes.get(stop).is_none_or(|byte| *byte == grammar.end);
    let trimmed =
        if at_line_end && stop > start && bytes[stop - 1] == b'\r' { stop - 1 } else { stop };
    let span = if escaped { Span::escaped(start, trimmed) } else { Span::plain(start, trimmed) };
    (span, stop)
}

/// Behind the line end at or after `pos`.
pub fn line_end(bytes: &[u8], pos: usize, end: u8) -> usize {
    memchr(end, &bytes[pos..]).map_or(bytes.len(), |at| pos + at + 1)
}

/// A line with nothing on it.
pub fn is_blank(spans: &[Span]) -> bool {
    matches!(spans, [only] if only.is_empty())
}

/// Lines that a record covers.
#[inline]
pub fn count_lines(bytes: &[u8], end: u8) -> u32 {
    memchr::memchr_iter(end, bytes).count().max(1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields_by(record: &str, grammar: &Grammar) -> (Vec<String>, usize, Ending) {
        let mut spans = Vec::new();
        let (next, ending) = split(record.as_bytes(), 0, grammar, &mut spans);
        let text = |span: &Span| {
            let raw = record[span.range()].into();
            if span.is_escaped() { grammar.unescape(raw).into_owned() } else { raw.into_owned() }
        };
        (spans.iter().map(text).collect(), next, ending)
    }

    fn fields(record: &str) -> (Vec<String>, usize, Ending) {
        fields_by(record, &Grammar::PLAIN)
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
            ("\"a\"\"b\",c\n", &["a\"b", "c"], Ending::Whole),
        ];
        for (record, expected, ending) in cases {
            let (found, next, how) = fields(record);
            assert_eq!(
                (found.iter().map(String::as_str).collect(), how),
                (expected.to_vec(), *ending)
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
    fn other_grammars_split_by_their_own_bytes() {
        let single = Grammar { quote: Some(b'\''), delimiter: b';', ..Grammar::PLAIN };
        assert_eq!(fields_by("'a;b';\"c\";d''e\n", &single).0, ["a;b", "\"c\"", "d''e"]);
        let backslash = Grammar { escape: Escape::Byte(b'\\'), ..Grammar::PLAIN };
        let found = fields_by("\"a\\\"b,c\",d\\,e,\"\"\n", &backslash);
        assert_eq!(
            (found.0, found.2),
            (vec!["a\"b,c".into(), "d,e".into(), "".into()], Ending::Whole)
        );
        let none = Grammar { escape: Escape::None, ..Grammar::PLAIN };
        assert_eq!(fields_by("\"48\"\",\"5\" in\"\n", &none).0, ["48\"", "5\" in"]);
        let unquoted = Grammar { quote: None, ..Grammar::PLAIN };
        assert_eq!(fields_by("\"a,b\n", &unquoted).0, ["\"a", "b"]);
        let padded = Grammar { padded: true, ..Grammar::PLAIN };
        assert_eq!(fields_by("a, \"b, c\" , d\r\n", &padded).0, ["a", "b, c", "d"]);
    }

    #[test]
    fn what_was_searched_is_not_searched_again_and_changes_nothing() {
        let none = Grammar { escape: Escape::None, ..Grammar::PLAIN };
        let lines = ["\"a,b\n", "x,\"y\"\n", "\"q\"r,\"\n", "1,2\n", "\"\"\"\n", "\"z\",\"w"];
        let mut numbers = 1_usize;
        for _ in 0..400 {
            let mut text = String::new();
            for _ in 0..7 {
                numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(lines[(numbers >> 40) % lines.len()]);
            }
            let (mut alone, mut on) = (Vec::new(), Vec::new());
            let (mut at, mut searched) = (0, Searched::default());
            while at < text.len() {
                let expected = split(text.as_bytes(), at, &none, &mut alone);
                let found = split_on(text.as_bytes(), at, &none, &mut on, &mut searched);
                assert_eq!((found, &on), (expected, &alone), "{text:?} at {at}");
                at = found.0;
            }
        }
    }

    #[test]
    fn a_line_of_delimiters_costs_only_so_much() {
        let line = ",".repeat(MOST_FIELDS * 2) + "\na,b\n";
        let mut spans = Vec::new();
        let (next, ending) = split(line.as_bytes(), 0, &Grammar::PLAIN, &mut spans);
        assert_eq!((next, ending, spans.len()), (MOST_FIELDS * 2 + 1, Ending::Whole, MOST_FIELDS));
    }

    #[test]
    fn a_quote_looks_only_so_far_for_its_end() {
        let long = format!("\"{}\",x\nb,c\n", "y\n".repeat(LONGEST_QUOTED));
        let (_, next, ending) = fields(&long);
        assert_eq!((next, ending), (3, Ending::Unclosed));
    }
}
