//! The bytes of a file as text: which encoding they are in, and readers that turn UTF-16 into UTF-8
//! and mixed line ends into one kind.

use crate::source::resolve::read_full;
use crate::source::{Content, SourceError, SourceErrorKind, SourceOptions};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What stands between the file and the splitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// Transcoded from UTF-16 while reading.
    pub utf16: Option<&'static Encoding>,
    /// A `\r` alone ends a line as `\n` does: it is read as that.
    pub mixed_ends: bool,
}

/// Whether the head of a file can be delimited text at all.
pub fn looks_like_text(head: &[u8]) -> bool {
    if head.is_empty() {
        return false;
    }
    if utf16_by_bytes(head).is_some() {
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
        || begins_an_element(start)
    {
        return false;
    }
    let control = head
        .iter()
        .filter(|byte| {
            let known = matches!(**byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a | 0x1c..=0x1f | 0x01);
            **byte < 0x20 && !known
        })
        .count();
    // Bytes of a program or a picture are soon no UTF-8; a table may well hold odd characters.
    control * 50 <= head.len() || (control * 5 <= head.len() && is_utf8(head))
}

/// XML without a declaration: a tag, and another one or nothing behind it. (`<id>,<name>` is a header.)
fn begins_an_element(text: &str) -> bool {
    let named = |tag: &str| tag.starts_with(|c: char| c.is_ascii_alphabetic());
    let Some((tag, behind)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return false;
    };
    named(tag)
        && !tag.contains('<')
        && matches!(behind.trim_start().chars().next(), None | Some('<'))
}

/// A character that the end of the head has cut is no fault.
fn is_utf8(head: &[u8]) -> bool {
    std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// UTF-16 by its mark, or by every other byte of the head being NUL.
fn utf16_by_bytes(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [0xff, 0xfe, ..] => return Some(UTF_16LE),
        [0xfe, 0xff, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let pairs = head.len() / 2;
    let nuls = |odd: usize| head.chunks_exact(2).filter(|pair| pair[odd] == 0).count();
    let (even, odd) = (nuls(0), nuls(1));
    // Latin text has a NUL in nearly every pair, always on the same side.
    match pairs >= 4 {
        true if odd * 10 >= pairs * 8 && even * 20 <= pairs => Some(UTF_16LE),
        true if even * 10 >= pairs * 8 && odd * 20 <= pairs => Some(UTF_16BE),
        _ => None,
    }
}

/// The UTF-16 that a file is in, if any: as the user says, or as its bytes are.
pub fn utf16(head: &[u8], options: &SourceOptions) -> Option<&'static Encoding> {
    let named = options.encoding.as_deref().map(|label| Encoding::for_label(label.as_bytes()));
    match named {
        // A mark is stronger than a word: the bytes cannot be anything else.
        None => utf16_by_bytes(head),
        Some(named) => utf16_by_bytes(&head[..head.len().min(2)])
            .or_else(|| named.filter(|named| *named == UTF_16LE || *named == UTF_16BE)),
    }
}

/// What the bytes of the whole text are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence {
    /// Sequences that are not UTF-8.
    pub bad: u64,
    /// Offset of the first.
    pub first_bad: Option<u64>,
    /// Bytes that begin a character of several in UTF-8.
    pub leads: u64,
    /// Begins with the mark of UTF-8.
    pub marked: bool,
    /// UTF-16 that was broken: characters replaced by U+FFFD.
    pub replaced: u64,
}

/// UTF-8 where the bytes are, Windows-1252 where they are not, unless the user decided. Where nearly
/// all of them are UTF-8, the others are damage.
pub fn decide(
    label: &str,
    options: &SourceOptions,
    utf16: Option<&'static Encoding>,
    evidence: &Evidence,
    notes: &mut Vec<String>,
) -> Result<&'static Encoding, SourceError> {
    if let Some(encoding) = utf16 {
        if evidence.replaced > 0 {
            notes.push(format!(
                "E201: {} characters are broken {}; they are read as U+FFFD",
                evidence.replaced,
                encoding.name()
            ));
        }
        return Ok(UTF_8);
    }
    if let Some(name) = &options.encoding {
        // Some labels stand for encodings of which nothing is read: all text would become one U+FFFD.
        return Encoding::for_label_no_replacement(name.as_bytes()).ok_or_else(|| {
            let message = format!("unknown encoding `{name}`");
            SourceError::new(SourceErrorKind::Encoding, label, message)
                .with_hint("use utf-8, windows-1252, latin1 or utf-16")
        });
    }
    if evidence.bad == 0 {
        return Ok(UTF_8);
    }
    let (bad, first) = (evidence.bad, evidence.first_bad.unwrap_or(0));
    if evidence.marked || evidence.leads.saturating_sub(bad) > 2 * bad {
        notes.push(format!(
            "E201: {bad} byte sequences are not UTF-8 (the first at byte {first}), the others are: the \
             file is read as utf-8. If names look wrong, give --encoding"
        ));
        return Ok(UTF_8);
    }
    notes.push(format!(
        "E201: {bad} byte sequences are not UTF-8 (the first at byte {first}); the whole file is read \
         as windows-1252. If names look wrong, give --encoding"
    ));
    Ok(WINDOWS_1252)
}

/// A reader of the text from a byte offset of the text. `replaced` counts broken UTF-16.
pub fn reader(
    content: &Content,
    transport: Transport,
    offset: u64,
    replaced: &Arc<AtomicU64>,
) -> Result<Box<dyn Read + Send>, SourceError> {
    let Transport { utf16, mixed_ends } = transport;
    let Some(encoding) = utf16 else {
        let raw = content.open_at(offset)?;
        return Ok(if mixed_ends { Box::new(OneEnd::new(raw)) } else { raw });
    };
    let mut reader = Transcoder::new(content.open()?, encoding, Arc::clone(replaced));
    io::copy(&mut reader.by_ref().take(offset), &mut io::sink())
        .map_err(|error| SourceError::io(content.label(), error))?;
    Ok(if mixed_ends { Box::new(OneEnd::new(Box::new(reader))) } else { Box::new(reader) })
}

/// The text of unpacked bytes from their start.
pub fn over(
    raw: Box<dyn Read + Send>,
    transport: Transport,
    replaced: &Arc<AtomicU64>,
) -> Box<dyn Read + Send> {
    let text: Box<dyn Read + Send> = match transport.utf16 {
        Some(encoding) => Box::new(Transcoder::new(raw, encoding, Arc::clone(replaced))),
        None => raw,
    };
    if transport.mixed_ends { Box::new(OneEnd::new(text)) } else { text }
}

/// UTF-16 to UTF-8 while reading.
struct Transcoder {
    inner: Box<dyn Read + Send>,
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    done: bool,
    replaced: Arc<AtomicU64>,
}

impl Transcoder {
    fn new(
        inner: Box<dyn Read + Send>,
        encoding: &'static Encoding,
        replaced: Arc<AtomicU64>,
    ) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        let raw = vec![0; 64 * 1024];
        Self { inner, decoder, raw, text: Vec::new(), at: 0, done: false, replaced }
    }
}

impl Read for Transcoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.done {
            let read = read_full(&mut self.inner, &mut self.raw)?;
            self.done = read < self.raw.len();
            let room = self.decoder.max_utf8_buffer_length(read).unwrap_or(read * 3 + 16);
            self.text.resize(room, 0);
            let (_, _, written, broken) =
                self.decoder.decode_to_utf8(&self.raw[..read], &mut self.text, self.done);
            self.text.truncate(written);
            if broken {
                let count = memchr::memmem::find_iter(&self.text, "\u{fffd}").count();
                self.replaced.fetch_add(count as u64, Ordering::Relaxed);
            }
            self.at = 0;
        }
        let count = buf.len().min(self.text.len() - self.at);
        buf[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Turns a `\r` that no `\n` follows into `\n`: offsets stay what they are.
struct OneEnd {
    inner: Box<dyn Read + Send>,
    /// A byte read ahead.
    ahead: Option<u8>,
}

impl OneEnd {
    fn new(inner: Box<dyn Read + Send>) -> Self {
        Self { inner, ahead: None }
    }
}

impl Read for OneEnd {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut filled = 0;
        if let Some(byte) = self.ahead.take() {
            buf[0] = byte;
            filled = 1;
        }
        if filled < buf.len() {
            filled += self.inner.read(&mut buf[filled..])?;
        }
        for at in 1..filled {
            if buf[at - 1] == b'\r' && buf[at] != b'\n' {
                buf[at - 1] = b'\n';
            }
        }
        if filled > 0 && buf[filled - 1] == b'\r' {
            let mut next = [0];
            if read_full(&mut self.inner, &mut next)? == 1 {
                self.ahead = Some(next[0]);
            }
            if self.ahead != Some(b'\n') {
                buf[filled - 1] = b'\n';
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_archives_are_no_text() {
        assert!(looks_like_text(b"a,b\n1,2\n"));
        assert!(looks_like_text(b"caf\xe9,1\n"));
        assert!(looks_like_text(b"a\0,\0b\0\n\0"));
        assert!(looks_like_text(b"<id>,<name>\n<1>,<2>\n"));
        assert!(looks_like_text(b"<5\n<6\n"));
        assert!(!looks_like_text(b"<sst count=\"1\">\r\n <si><t>x</t></si></sst>"));
        for head in [&b"<!DOCTYPE html>"[..], b"PK\x03\x04..", b"PAR1", b"\x00\x01\x02\x03", b""] {
            assert!(!looks_like_text(head), "{head:?}");
        }
    }

    #[test]
    fn utf_16_is_known_without_a_mark() {
        let utf16 = |head: &[u8]| utf16(head, &SourceOptions::default()).map(Encoding::name);
        assert_eq!(utf16(b"a\0,\0b\0\n\0"), Some("UTF-16LE"));
        assert_eq!(utf16(b"\0a\0,\0b\0\n"), Some("UTF-16BE"));
        assert_eq!(utf16(b"\xff\xfea\0"), Some("UTF-16LE"));
        assert_eq!(utf16(b"a,b\nc,d\n"), None);
        assert_eq!(utf16(b"a\0\0\0\0\0\0\0b"), None);
    }

    #[test]
    fn a_few_bad_bytes_do_not_make_windows_1252_of_utf_8() {
        let decide = |leads, bad| {
            let evidence = Evidence { bad, first_bad: Some(9), leads, ..Evidence::default() };
            let mut notes = Vec::new();
            let found = decide("x", &SourceOptions::default(), None, &evidence, &mut notes);
            (found.expect("an encoding").name(), notes.len())
        };
        assert_eq!(decide(100, 0), ("UTF-8", 0));
        assert_eq!(decide(100, 3), ("UTF-8", 1));
        assert_eq!(decide(100, 100), ("windows-1252", 1));
    }

    #[test]
    fn mixed_line_ends_become_one_kind_whatever_the_buffers() {
        let text = b"a\rb\r\nc\nd\r\r\ne\r";
        for size in 1..text.len() + 2 {
            let mut reader = OneEnd::new(Box::new(&text[..]));
            let mut out = Vec::new();
            let mut buffer = vec![0; size];
            loop {
                let read = reader.read(&mut buffer).expect("memory");
                if read == 0 {
                    break;
                }
                out.extend_from_slice(&buffer[..read]);
            }
            assert_eq!(out, b"a\nb\r\nc\nd\n\r\ne\n", "{size}");
        }
    }
}
