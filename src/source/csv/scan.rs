//! The pass over all bytes: fingerprint, encoding, whether quotes are regular, the last lines.

use super::grammar::{Escape, Grammar};
use super::text::{self, Evidence, Transport};
use crate::chunk::Fingerprint;
use crate::source::input::read_full;
use crate::source::{Content, SourceError};
use memchr::{memchr, memchr_iter};
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
    let mut quotes = QuoteCheck::new(grammar);
    let (mut bytes, mut lines) = (0, 0);
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
        let look = || {
            quotes.feed(&fresh[start..]);
            memchr_iter(grammar.end, fresh).count() as u64
        };
        lines += rayon::join(|| hasher.update(fresh).count(), look).1;
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
        lines,
        evidence: utf8.evidence,
        regular: quotes.is_regular(),
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

/// Follows quotes through the whole text to learn whether counting them is enough to cut records. It
/// looks only at quotes and the bytes beside them.
struct QuoteCheck {
    grammar: Grammar,
    quote: Option<u8>,
    inside: bool,
    /// A quote was the last byte: what follows says whether it closes.
    closing: bool,
    /// The byte before the next one; at first as if a line had ended.
    before: u8,
    regular: bool,
}

impl QuoteCheck {
    fn new(grammar: &Grammar) -> Self {
        let simple = grammar.escape == Escape::Doubled && !grammar.padded;
        Self {
            grammar: *grammar,
            quote: grammar.quote,
            inside: false,
            closing: false,
            before: grammar.end,
            regular: grammar.quote.is_none() || simple,
        }
    }

    fn is_regular(&self) -> bool {
        self.regular && (!self.inside || self.closing)
    }

    fn separates(&self, byte: u8) -> bool {
        byte == self.grammar.delimiter || byte == self.grammar.end
    }

    fn feed(&mut self, bytes: &[u8]) {
        let (Some(quote), Some(last)) = (self.quote.filter(|_| self.regular), bytes.last()) else {
            return;
        };
        let mut at = 0;
        if std::mem::take(&mut self.closing) {
            at = self.close(bytes[0], quote);
        }
        while let Some(found) = memchr(quote, &bytes[at..]).filter(|_| self.regular) {
            let position = at + found;
            at = position + 1;
            if !self.inside {
                let before = if position == 0 { self.before } else { bytes[position - 1] };
                self.inside = true;
                self.regular = self.separates(before);
            } else if let Some(next) = bytes.get(at) {
                at += self.close(*next, quote);
            } else {
                self.closing = true;
            }
        }
        self.before = *last;
    }

    /// A quote inside quotes, and the byte behind it; how many of that are used up.
    fn close(&mut self, next: u8, quote: u8) -> usize {
        if next == quote {
            return 1;
        }
        self.inside = false;
        self.regular = self.separates(next) || next == b'\r';
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular(text: &str, cut: usize) -> bool {
        let mut check = QuoteCheck::new(&Grammar::PLAIN);
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
