//! The tags of a part, one after another, while it is inflated.
//!
//! For parts of which only attributes matter: relationships, the workbook, styles, and the head of
//! a sheet. Memory is one buffer; a single tag may be [`LONGEST`] bytes long.

use super::fault::Fault;
use super::xml::{Cursor, Tag, Token};
use crate::source::resolve::read_full;
use std::io::Read;

/// Longest tag, comment or section.
const LONGEST: usize = 4 << 20;
/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// A start or an end tag.
#[derive(Debug, Clone, Copy)]
pub enum Edge<'a> {
    /// A start tag, or an empty element.
    Open(Tag<'a>),
    /// An end tag by its local name.
    Close(&'a [u8]),
}

/// Reads tags.
pub struct Tags {
    reader: Box<dyn Read + Send>,
    bytes: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Tags {
    /// Tags of what `reader` gives.
    pub fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, bytes: Vec::new(), at: 0, ended: false }
    }

    /// The next tag; `None` at the end of the part.
    pub fn next(&mut self) -> Result<Option<Edge<'_>>, Fault> {
        while !self.is_at_tag()? {
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
        let mut cursor = Cursor::new(&self.bytes, self.at);
        let token = cursor.next()?;
        self.at = cursor.at;
        Ok(match token {
            Some(Token::Open(tag)) => Some(Edge::Open(tag)),
            Some(Token::Close(name)) => Some(Edge::Close(name)),
            _ => None,
        })
    }

    /// Moves to the next whole tag in the buffer.
    fn is_at_tag(&mut self) -> Result<bool, Fault> {
        let mut cursor = Cursor::new(&self.bytes, self.at);
        loop {
            self.at = cursor.at;
            match cursor.next() {
                Ok(Some(Token::Open(_) | Token::Close(_))) => {
                    // What the cursor passed over before the tag is passed over again: it is short.
                    return Ok(true);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(false),
                Err(Fault::Cut) if !self.ended => {
                    self.at = cursor.at;
                    return Ok(false);
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    fn fill(&mut self) -> Result<(), Fault> {
        self.bytes.drain(..self.at);
        self.at = 0;
        let have = self.bytes.len();
        if have >= LONGEST {
            let message = format!("a single tag is longer than {} MiB", LONGEST >> 20);
            return Err(Fault::TooLarge(message));
        }
        // Doubling: a long tag is looked at again only as often as its length doubles.
        let more = PIECE.max(have);
        self.bytes.resize(have + more, 0);
        let read = read_full(&mut self.reader, &mut self.bytes[have..])?;
        self.bytes.truncate(have + read);
        self.ended = read < more;
        Ok(())
    }

    /// The reader, what was read from it behind the last tag, and whether that was all.
    pub fn into_rest(mut self) -> (Box<dyn Read + Send>, Vec<u8>, bool) {
        self.bytes.drain(..self.at);
        (self.reader, self.bytes, self.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_wherever_the_buffer_ends() {
        let filler = format!("<!--{}-->text", "<no>".repeat(40_000));
        let xml = format!("<a>{filler}<x:b c=\"{}\"/>{filler}</a>", "d".repeat(100_000));
        let mut tags = Tags::new(Box::new(std::io::Cursor::new(xml.into_bytes())));
        let mut found = Vec::new();
        while let Some(edge) = tags.next().expect("sound") {
            found.push(match edge {
                Edge::Open(tag) => {
                    let length = tag.get(b"c").expect("sound").map_or(0, <[u8]>::len);
                    format!("{}{length}", String::from_utf8_lossy(tag.name))
                }
                Edge::Close(name) => format!("/{}", String::from_utf8_lossy(name)),
            });
        }
        assert_eq!(found, ["a0", "b100000", "/a"]);
    }

    #[test]
    fn a_cut_tag_is_a_fault_and_an_endless_one_too() {
        let all = |xml: String| {
            let mut tags = Tags::new(Box::new(std::io::Cursor::new(xml.into_bytes())));
            loop {
                match tags.next() {
                    Ok(Some(_)) => {}
                    other => return other.map(|_| ()),
                }
            }
        };
        assert!(matches!(all("<a><b".into()), Err(Fault::Cut)));
        let endless = format!("<a b=\"{}", "c".repeat(2 * LONGEST));
        assert!(matches!(all(endless), Err(Fault::TooLarge(_))));
        all("<a/>text".into()).expect("sound");
    }
}
