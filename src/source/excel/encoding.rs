//! Parts in another encoding than UTF-8, as UTF-8: told by their first bytes or their declaration.

use crate::source::resolve::read_full;
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{self, Read};

/// Bytes in which an XML declaration must end.
const HEAD: usize = 256;
/// Raw bytes decoded at once.
const PIECE: usize = 64 << 10;

/// A reader of UTF-8 without a mark at its start.
pub fn utf8(mut reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut head = vec![0; HEAD];
    let read = read_full(&mut reader, &mut head)?;
    head.truncate(read);
    let (encoding, mark) = found(&head);
    head.drain(..mark);
    let whole = io::Cursor::new(head).chain(reader);
    if encoding == UTF_8 {
        return Ok(Box::new(whole));
    }
    Ok(Box::new(Transcoder {
        inner: Box::new(whole),
        decoder: encoding.new_decoder_without_bom_handling(),
        raw: Vec::new(),
        text: Vec::new(),
        at: 0,
        ended: false,
    }))
}

/// The encoding, and the length of the mark before the text.
fn found(head: &[u8]) -> (&'static Encoding, usize) {
    if let Some((encoding, mark)) = Encoding::for_bom(head) {
        return (encoding, mark);
    }
    match head {
        [b'<', 0, ..] => (UTF_16LE, 0),
        [0, b'<', ..] => (UTF_16BE, 0),
        _ => (declared(head).unwrap_or(UTF_8), 0),
    }
}

fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let end = memchr::memmem::find(head.strip_prefix(b"<?xml")?, b"?>")?;
    let declaration = String::from_utf8_lossy(&head[5..5 + end]);
    let label = declaration.split_once("encoding")?.1.split(['"', '\'']).nth(1)?;
    // A declaration that can be read bytewise is not of UTF-16, whatever it says.
    Encoding::for_label(label.as_bytes()).filter(|it| ![UTF_16LE, UTF_16BE].contains(it))
}

struct Transcoder {
    inner: Box<dyn Read + Send>,
    decoder: encoding_rs::Decoder,
    /// Read but not decoded.
    raw: Vec<u8>,
    /// Decoded; handed out up to `at`.
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Transcoder {
    fn refill(&mut self) -> io::Result<()> {
        self.raw.resize(PIECE, 0);
        let read = read_full(&mut self.inner, &mut self.raw)?;
        self.ended = read < PIECE;
        let room = self.decoder.max_utf8_buffer_length_without_replacement(read);
        self.text.resize(room.unwrap_or(PIECE * 4), 0);
        let (result, _, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.raw[..read],
            &mut self.text,
            self.ended,
        );
        if result != DecoderResult::InputEmpty {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the text is damaged"));
        }
        self.text.truncate(written);
        self.at = 0;
        Ok(())
    }
}

impl Read for Transcoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            self.refill()?;
        }
        let length = buf.len().min(self.text.len() - self.at);
        buf[..length].copy_from_slice(&self.text[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        utf8(Box::new(io::Cursor::new(bytes.to_vec())))?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn every_encoding_is_read_as_utf8() {
        let xml = format!("<a>é{}</a>", "ü".repeat(100_000));
        let little: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = xml.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&[&[0xff, 0xfe], &little[..]].concat()).expect("text"), xml);
        assert_eq!(read(&little).expect("text"), xml);
        assert_eq!(read(&[&[0xfe, 0xff], &big[..]].concat()).expect("text"), xml);
        assert_eq!(read(&[&[0xef, 0xbb, 0xbf], xml.as_bytes()].concat()).expect("text"), xml);
        assert_eq!(read(xml.as_bytes()).expect("text"), xml);
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>";
        assert!(read(latin).expect("text").ends_with("<a>é</a>"));
        assert_eq!(read(b"").expect("text"), "");
        read(&little[..little.len() - 1]).expect_err("half a unit");
    }
}
