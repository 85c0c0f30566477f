//! One record, read with care: what is wrong with it, and under `--csv lenient` what was done
//! about it.
//!
//! A repair is made only where one way of reading the row fits the header: everything else stays
//! refused. Every repair has a name and is counted where it happens.

use super::grammar::{CsvPolicy, Dialect, Escape, Grammar};
use super::split::{self, Ending, MARK, MOST_FIELDS, Searched, Span};
use crate::chunk::{Code, Problem};
use encoding_rs::UTF_8;
use memchr::{memchr, memchr2};

/// What was done to a row so that it could be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repair {
    /// Fields were missing at its end: they are empty.
    Padded,
    /// Empty fields behind the last column were left out.
    Trailing,
    /// Values behind the last column went to `_extra`.
    Overflow,
    /// A quote that opens or closes nothing was kept as text.
    Quote,
    /// A byte-order mark in the middle of the file was left out.
    Mark,
    /// Bytes that are no text in the file's encoding became U+FFFD.
    Bytes,
}

impl Repair {
    /// Its code, its name and a sentence.
    pub fn words(self) -> (Code, &'static str, &'static str) {
        match self {
            Self::Padded => (
                Code::E202,
                "short_row",
                "fields are missing at the end of the row; they are loaded as empty",
            ),
            Self::Trailing => (
                Code::E202,
                "trailing_delimiters",
                "empty fields behind the last column are left out",
            ),
            Self::Overflow => (
                Code::E202,
                "long_row",
                "values behind the last column are kept in the JSON column _extra",
            ),
            Self::Quote => {
                (Code::E203, "stray_quote", "a quote that closes nothing is kept as text")
            }
            Self::Mark => {
                (Code::E201, "byte_order_mark", "a byte-order mark inside the file is left out")
            }
            Self::Bytes => (
                Code::E201,
                "bad_bytes",
                "bytes that are no text in the file's encoding are loaded as U+FFFD",
            ),
        }
    }
}

/// A record as it can be loaded: its fields are in the spans it was read with.
#[derive(Debug, Default)]
pub struct Careful {
    /// Where the next record begins.
    pub next: usize,
    /// What was done.
    pub repairs: Vec<Repair>,
    /// Why it cannot be loaded.
    pub problem: Option<Problem>,
    /// It is the header once more.
    pub header: bool,
    /// Nothing stands in it.
    pub blank: bool,
}

/// What is known besides the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// How the text is written.
    pub dialect: &'a Dialect,
    /// Names of the fields.
    pub headers: &'a [String],
    /// Offset of the block in the text, for messages.
    pub byte: u64,
}

impl Reading<'_> {
    /// [`Self::read_on`] of a record alone.
    pub fn read(&self, bytes: &[u8], pos: usize, spans: &mut Vec<Span>) -> Careful {
        self.read_on(bytes, pos, spans, &mut Searched::default())
    }

    /// Reads the record at `pos` into `spans`. They are as many as the header has names where there
    /// is no problem; with [`Repair::Overflow`] there are more.
    pub fn read_on(
        &self,
        bytes: &[u8],
        pos: usize,
        spans: &mut Vec<Span>,
        searched: &mut Searched,
    ) -> Careful {
        let grammar = &self.dialect.grammar;
        let lenient = self.dialect.policy == CsvPolicy::Lenient;
        let mut found = Careful::default();
        let mut from = pos;
        // At the very start of the text it is skipped before anything is read.
        if bytes[pos..].starts_with(MARK) {
            from += MARK.len();
            if lenient {
                found.repairs.push(Repair::Mark);
            } else {
                found.problem = Some(mark());
            }
        }
        let (next, ending) = split::split_on(bytes, pos, grammar, spans, searched);
        found.next = next;
        found.blank = ending == Ending::Whole && split::is_blank(spans);
        found.header = self.is_header(&bytes[from..next]);
        if found.blank {
            return found;
        }
        if found.header && !lenient {
            found.problem = Some(repeated_header());
        }
        if found.problem.is_none() {
            found.problem = self.shape(bytes, (from, next), ending, spans, &mut found.repairs);
        }
        if found.problem.is_none() && self.dialect.encoding == UTF_8 {
            match self.bad_text(bytes, (pos, next)) {
                Some(_) if lenient => found.repairs.push(Repair::Bytes),
                problem => found.problem = problem,
            }
        }
        found
    }

    /// Whether a record stands as the header does.
    pub fn is_header(&self, record: &[u8]) -> bool {
        let header = &self.dialect.header_line;
        !header.is_empty()
            && record.starts_with(header)
            && record[header.len()..].iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    fn shape(
        &self,
        bytes: &[u8],
        (from, next): (usize, usize),
        ending: Ending,
        spans: &mut Vec<Span>,
        repairs: &mut Vec<Repair>,
    ) -> Option<Problem> {
        let width = self.headers.len();
        let lenient = self.dialect.policy == CsvPolicy::Lenient;
        if ending != Ending::Whole {
            let line = (from, next);
            if !(lenient && requote(bytes, line, &self.dialect.grammar, width, spans)) {
                return Some(if ending == Ending::Stray { stray() } else { unclosed() });
            }
            repairs.push(Repair::Quote);
        }
        if spans.len() == width {
            return None;
        }
        let problem = || Some(ragged(spans.len(), self.headers));
        // Of a line of delimiters not all fields are known.
        if !lenient || spans.len() >= MOST_FIELDS {
            return problem();
        }
        if spans.len() < width {
            // A row over several lines that lacks fields has a quote that closed too late.
            let lines = split::count_lines(&bytes[from..next], self.dialect.grammar.end);
            if lines > 1 {
                return problem();
            }
            let end = trimmed(bytes, from, next);
            spans.resize(width, Span::plain(end, end));
            repairs.push(Repair::Padded);
        } else if spans[width..].iter().all(Span::is_empty) {
            spans.truncate(width);
            repairs.push(Repair::Trailing);
        } else {
            repairs.push(Repair::Overflow);
        }
        None
    }

    /// Only where the text is said or seen to be UTF-8 and this record is not.
    fn bad_text(&self, bytes: &[u8], (start, end): (usize, usize)) -> Option<Problem> {
        let error = std::str::from_utf8(&bytes[start..end]).err()?;
        let at = start + error.valid_up_to();
        let message = format!(
            "invalid UTF-8 byte 0x{:02X} at byte {}",
            bytes.get(at).copied().unwrap_or_default(),
            self.byte + at as u64
        );
        Some(
            Problem::new(Code::E201, message)
                .with_expected("UTF-8 text")
                .with_hint("--encoding windows-1252"),
        )
    }
}

/// Where the line ends before its line end.
fn trimmed(bytes: &[u8], from: usize, next: usize) -> usize {
    let line = &bytes[from..next];
    from + line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1)
}

/// Reads a line with stray quotes so that it has as many fields as the header: first with quotes
/// that close only before a delimiter, then with quotes that nothing closes as text. Where nothing
/// fits, `false`, and the fields of the last try.
pub fn requote(
    bytes: &[u8],
    (from, next): (usize, usize),
    grammar: &Grammar,
    width: usize,
    spans: &mut Vec<Span>,
) -> bool {
    let to = trimmed(bytes, from, next);
    let undoubled = Grammar { escape: Escape::None, ..*grammar };
    let ways = [(grammar, false), (&undoubled, false), (grammar, true), (&undoubled, true)];
    ways.iter().any(|(grammar, literal)| {
        tolerant(bytes, (from, to), grammar, *literal, spans) && spans.len() == width
    })
}

/// Splits one line; quotes close only before a delimiter or the end of the line. `literal`: a field
/// whose quote does not close at once is text up to the next delimiter. `false`: a quote is never
/// closed.
fn tolerant(
    bytes: &[u8],
    (from, to): (usize, usize),
    grammar: &Grammar,
    literal: bool,
    spans: &mut Vec<Span>,
) -> bool {
    spans.clear();
    let bytes = &bytes[..to];
    let blanks = |at: usize| bytes[at..].iter().take_while(|byte| **byte == b' ').count();
    let mut at = from;
    loop {
        if grammar.padded {
            at += blanks(at);
        }
        let opens = grammar.quote.is_some() && bytes.get(at).copied() == grammar.quote;
        let closed = if opens { closing(bytes, at, grammar, literal) } else { None };
        let stop = match closed {
            Some((span, stop)) => {
                keep(span, spans);
                stop + blanks(stop)
            }
            None if opens && !literal => return false,
            None => {
                let stop = memchr(grammar.delimiter, &bytes[at..]).map_or(to, |found| at + found);
                keep(Span::plain(at, stop), spans);
                stop
            }
        };
        if stop >= to {
            return true;
        }
        at = stop + 1;
    }
}

fn keep(span: Span, spans: &mut Vec<Span>) {
    if spans.len() < MOST_FIELDS {
        spans.push(span);
    }
}

/// The field behind an opening quote, and where its closing quote is passed. `strict`: the first
/// quote that is not escaped must close it.
fn closing(bytes: &[u8], open: usize, grammar: &Grammar, strict: bool) -> Option<(Span, usize)> {
    let quote = grammar.quote?;
    let start = open + 1;
    let (mut from, mut escaped) = (start, false);
    loop {
        let rest = bytes.get(from..)?;
        let at = from
            + match grammar.escape {
                Escape::Byte(escape) => memchr2(quote, escape, rest)?,
                _ => memchr(quote, rest)?,
            };
        let next = bytes.get(at + 1).copied();
        let doubled = grammar.escape == Escape::Doubled && next == Some(quote);
        if doubled || bytes[at] != quote {
            escaped = true;
            from = at + 2;
            continue;
        }
        let behind = at + 1 + bytes[at + 1..].iter().take_while(|byte| **byte == b' ').count();
        if bytes.get(behind).is_none_or(|byte| *byte == grammar.delimiter) {
            let span = if escaped { Span::escaped(start, at) } else { Span::plain(start, at) };
            return Some((span, at + 1));
        }
        if strict {
            return None;
        }
        from = at + 1;
    }
}

fn mark() -> Problem {
    Problem::new(Code::E201, "a byte-order mark stands inside the file: files pasted together")
        .with_expected("text")
        .with_hint("--csv lenient leaves it out")
}

fn repeated_header() -> Problem {
    Problem::new(Code::E202, "the header is repeated among the rows: files pasted together")
        .with_expected("a row of data")
        .with_hint("--csv lenient leaves such rows out")
}

/// Text behind a closing quote.
pub fn stray() -> Problem {
    Problem::new(Code::E203, "text stands behind a closing quote")
        .with_expected("a delimiter or the end of the line behind a closing quote")
        .with_hint("double the quotes inside a quoted value, or see --csv lenient")
}

/// A quote without an end.
pub fn unclosed() -> Problem {
    Problem::new(Code::E203, "a quote opens in this line and is never closed")
        .with_expected("a closing quote")
        .with_hint("close the quote, or double it where it is part of the value")
}

/// Not as many fields as the header has.
pub fn ragged(found: usize, headers: &[String]) -> Problem {
    let message = if found < headers.len() {
        let missing: Vec<_> = headers[found..].iter().take(3).map(String::as_str).collect();
        let more = if headers.len() - found > 3 { ", …" } else { "" };
        let missing = missing.join(", ");
        format!("{found} fields, the header has {} (missing: {missing}{more})", headers.len())
    } else if found >= MOST_FIELDS {
        format!("{MOST_FIELDS} fields or more, the header has {}", headers.len())
    } else {
        format!("{found} fields, the header has {}", headers.len())
    };
    Problem::new(Code::E202, message)
        .with_expected(format!("{} fields", headers.len()))
        .with_hint("look for a missing or an unquoted delimiter in this row")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(policy: CsvPolicy) -> Dialect {
        let header_line = b"a,b,c".to_vec();
        Dialect { grammar: Grammar::PLAIN, encoding: UTF_8, policy, header_line }
    }

    fn read(line: &str, policy: CsvPolicy) -> (Vec<String>, Vec<Repair>, Option<Code>) {
        let headers = ["a", "b", "c"].map(str::to_owned);
        let dialect = dialect(policy);
        let reading = Reading { dialect: &dialect, headers: &headers, byte: 0 };
        let mut spans = Vec::new();
        let found = reading.read(line.as_bytes(), 0, &mut spans);
        let text = |span: &Span| {
            let raw = line[span.range()].into();
            let text = if span.is_escaped() { dialect.grammar.unescape(raw) } else { raw };
            text.into_owned()
        };
        (spans.iter().map(text).collect(), found.repairs, found.problem.map(|p| p.code))
    }

    #[test]
    fn lenient_repairs_what_can_be_read_in_one_way_only() {
        use Repair::{Mark, Overflow, Padded, Quote, Trailing};
        let cases: &[(&str, &[&str], &[Repair])] = &[
            ("1,2\n", &["1", "2", ""], &[Padded]),
            ("1\r\n", &["1", "", ""], &[Padded]),
            ("1,2,3,,\n", &["1", "2", "3"], &[Trailing]),
            ("1,2,3,4\n", &["1", "2", "3", "4"], &[Overflow]),
            ("1,\"2,3\n", &["1", "\"2", "3"], &[Quote]),
            ("1,\"a\"b,3\n", &["1", "\"a\"b", "3"], &[Quote]),
            ("1,\"say \"hi\" now\",3\n", &["1", "say \"hi\" now", "3"], &[Quote]),
            ("1,\"5\" in, deep\",3\n", &["1", "5\" in, deep", "3"], &[Quote]),
            ("1,\"48\"\",\"d, e\"\n", &["1", "48\"", "d, e"], &[Quote]),
            ("1,2,\"\n", &["1", "2", "\""], &[Quote]),
            ("1,\"2\" ,3\n", &["1", "2", "3"], &[Quote]),
            ("\u{feff}1,2,3\n", &["1", "2", "3"], &[Mark]),
        ];
        for (line, fields, repairs) in cases {
            let found = read(line, CsvPolicy::Lenient);
            let fields: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
            assert_eq!(found, (fields, repairs.to_vec(), None), "{line:?}");
            let strict = read(line, CsvPolicy::Strict);
            assert!(strict.1.is_empty() && strict.2.is_some(), "{line:?}");
        }
    }

    #[test]
    fn what_fits_in_no_way_stays_refused() {
        for line in ["\"1,2,\"3,4,5\n", "\"1\"x,2\n", "1,\"2\n3\"\n"] {
            assert!(read(line, CsvPolicy::Lenient).2.is_some(), "{line:?}");
        }
    }

    #[test]
    fn the_header_once_more_is_no_row() {
        assert_eq!(read("a,b,c\r\n", CsvPolicy::Strict).2, Some(Code::E202));
        assert_eq!(read("a,b,cd\n", CsvPolicy::Strict).2, None);
        let dialect = dialect(CsvPolicy::Lenient);
        let reading = Reading { dialect: &dialect, headers: &[], byte: 0 };
        assert!(reading.is_header(b"a,b,c\n") && !reading.is_header(b"a,b,c\nx"));
    }
}
