//! The pass over all bytes: fingerprint, encoding, whether quotes are regular, the last lines.

use super::grammar::{Escape, Grammar};
use super::masks::{GROUP, each_group, equal, lowest, quoted};
use super::text::{self, Evidence, Transport};
use crate::chunk::Fingerprint;
use crate::source::input::read_full;
use crate::source::{Content, SourceError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes read at a time; large enough that hashing uses wide vectors.
const BUFFER: usize = 4 << 20;
/// Bytes kept of the end of the text.
const TAIL: usize = 16 << 10;

/// What one pass over all bytes finds out.
pub struct Scan {
    /// Content identity.
    pub fingerprint: Fingerprint,
    /// Bytes of the text.
    pub bytes: u64,
    /// Line ends.
    pub lines: u64,
    /// For the choice of an encoding.
    pub evidence: Evidence,
    /// Every quote opens, closes or doubles: record ends can be found by counting.
    pub regular: bool,
    /// The end of the text.
    pub tail: Vec<u8>,
}

/// Reads the whole text once.
pub fn scan(
    content: &Content,
    transport: Transport,
    grammar: &Grammar,
) -> Result<Scan, SourceError> {
    let replaced = Arc::new(AtomicU64::new(0));
    let mut reader = text::reader(content, transport, 0, &replaced)?;
    let mut hasher = blake3::Hasher::new();
    let mut structure = Structure::new(grammar);
    let mut bytes = 0;
    let mut tail = Vec::new();
    let mut utf8 = Utf8Check::default();
    let mut buffer = vec![0; BUFFER];
    let mut carry = 0;
    loop {
        let read = read_full(&mut reader, &mut buffer[carry..])
            .map_err(|error| SourceError::io(content.label(), error))?;
        let fresh = &buffer[carry..carry + read];
        if bytes == 0 {
            utf8.evidence.marked = fresh.starts_with(b"\xef\xbb\xbf");
        }
        let start = if bytes == 0 && utf8.evidence.marked { 3 } else { 0 };
        rayon::join(|| hasher.update(fresh).count(), || structure.feed(&fresh[start..]));
        keep_tail(&mut tail, fresh);
        bytes += read as u64;
        carry = utf8.feed(&mut buffer, carry + read, read == 0);
        if read == 0 {
            break;
        }
    }
    utf8.evidence.replaced = replaced.load(Ordering::Relaxed);
    Ok(Scan {
        fingerprint: Fingerprint(*hasher.finalize().as_bytes()),
        bytes,
        lines: structure.lines,
        evidence: utf8.evidence,
        regular: structure.is_regular(),
        tail,
    })
}

fn keep_tail(tail: &mut Vec<u8>, fresh: &[u8]) {
    if fresh.len() >= TAIL {
        tail.clear();
        tail.extend_from_slice(&fresh[fresh.len() - TAIL..]);
    } else {
        tail.extend_from_slice(fresh);
        let over = tail.len().saturating_sub(TAIL);
        tail.drain(..over);
    }
}

/// Counts what is not UTF-8.
#[derive(Default)]
struct Utf8Check {
    evidence: Evidence,
    /// Offset of the buffer's first byte in the text.
    offset: u64,
}

impl Utf8Check {
    /// Checks `buffer[..filled]` and moves an unfinished character to the front; returns its length.
    fn feed(&mut self, buffer: &mut [u8], filled: usize, last: bool) -> usize {
        let mut from = 0;
        let evidence = &mut self.evidence;
        let leads = |bytes: &[u8]| bytes.iter().filter(|b| **b >= 0xc2).count() as u64;
        loop {
            match std::str::from_utf8(&buffer[from..filled]) {
                Ok(text) => {
                    if !text.is_ascii() {
                        evidence.leads += leads(text.as_bytes());
                    }
                    self.offset += filled as u64;
                    return 0;
                }
                Err(error) => {
                    let at = from + error.valid_up_to();
                    evidence.leads += leads(&buffer[from..at]);
                    match error.error_len() {
                        None if !last => {
                            buffer.copy_within(at..filled, 0);
                            self.offset += at as u64;
                            return filled - at;
                        }
                        length => {
                            evidence.bad += 1;
                            evidence.leads += 1;
                            evidence.first_bad.get_or_insert(self.offset + at as u64);
                            from = at + length.unwrap_or(filled - at);
                        }
                    }
                }
            }
        }
    }
}

/// Counts lines and follows quotes through the whole text, to learn whether counting quotes is enough
/// to cut records.
struct Structure {
    grammar: Grammar,
    lines: u64,
    /// Quotes so far stood where they should.
    regular: bool,
    inside: bool,
    /// The last byte allows that a quote opens behind it.
    may_open: bool,
    /// The last byte is a quote that closes, or the first of a doubled one.
    closing: bool,
}

impl Structure {
    fn new(grammar: &Grammar) -> Self {
        let simple = grammar.escape == Escape::Doubled && !grammar.padded;
        Self {
            grammar: *grammar,
            lines: 0,
            regular: grammar.quote.is_none() || simple,
            inside: false,
            // As if a line had ended.
            may_open: true,
            closing: false,
        }
    }

    fn is_regular(&self) -> bool {
        self.regular && !self.inside
    }

    fn feed(&mut self, bytes: &[u8]) {
        each_group(bytes, |group, real| self.group(group, real));
    }

    /// A quote opens behind a separator, or as the second of a doubled one; behind one that closes
    /// stands a separator, or that second one.
    #[inline(always)]
    fn group(&mut self, group: &[u8; GROUP], real: usize) {
        let (all, last) = (lowest(real), real - 1);
        let ends = equal(group, self.grammar.end) & all;
        self.lines += u64::from(ends.count_ones());
        let Some(quote) = self.grammar.quote else { return };
        let quotes = equal(group, quote) & all;
        let borders = (ends | equal(group, self.grammar.delimiter) | quotes) & all;
        let inside = quoted(quotes, self.inside);
        let (opens, closes) = (quotes & inside, quotes & !inside);
        let behind_border = borders << 1 | u64::from(self.may_open);
        let behind_close = (closes << 1 | u64::from(self.closing)) & all;
        let fits = borders | equal(group, b'\r');
        self.regular &= opens & !behind_border == 0 && behind_close & !fits == 0;
        self.inside = inside >> last & 1 == 1;
        self.may_open = borders >> last & 1 == 1;
        self.closing = closes >> last & 1 == 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular(text: &str, cut: usize) -> bool {
        let mut check = Structure::new(&Grammar::PLAIN);
        let (head, rest) = text.as_bytes().split_at(cut.min(text.len()));
        check.feed(head);
        check.feed(rest);
        check.is_regular()
    }

    #[test]
    fn quotes_are_regular_where_each_opens_closes_or_doubles() {
        let cases = [
            ("a,b\n1,2\n", true),
            ("\"a\",\"b\"\r\n", true),
            ("a,\"b\"\"c\nd\",e\n", true),
            ("\"\"\"x\"\"\",\"\"\n", true),
            ("a,\"b\"", true),
            ("a,5\" pipe\n", false),
            ("\"a\"b,c\n", false),
            ("a,\"open\n", false),
            ("a, \"b\"\n", false),
        ];
        for (text, expected) in cases {
            for cut in 0..=text.len() {
                assert_eq!(regular(text, cut), expected, "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn bad_bytes_are_counted_across_buffers() {
        let text = b"caf\xc3\xa9 \xff x\xe9y \xc3\xa9";
        for cut in 0..=text.len() {
            let mut check = Utf8Check::default();
            let mut buffer = [0; 32];
            buffer[..cut].copy_from_slice(&text[..cut]);
            let carry = check.feed(&mut buffer, cut, false);
            let rest = text.len() - cut;
            buffer[carry..carry + rest].copy_from_slice(&text[cut..]);
            let carry = check.feed(&mut buffer, carry + rest, false);
            check.feed(&mut buffer, carry, true);
            let Evidence { bad, first_bad, leads, .. } = check.evidence;
            assert_eq!((bad, first_bad, leads - bad), (2, Some(6), 2), "cut at {cut}");
        }
    }
}
