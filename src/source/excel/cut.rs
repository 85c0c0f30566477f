//! Cuts a part into blocks of whole items (rows of a sheet, strings of a table), while it is
//! inflated.
//!
//! A block ends where an item begins, so an item is never torn, self-closing ones included. In XML
//! a `<` is always markup, except in comments and CDATA sections: where a block has none of these,
//! the last start tag is searched from the end; else every token of the block is walked over. One
//! item may be [`LONGEST`] bytes long. The part is read to its end, behind the list too, so that
//! its length and CRC are checked.

use super::buffer::{Buffer, Pool};
use super::fault::Fault;
use super::tags::{Edge, Tags};
use super::xml::{Cursor, Tag, Token};
use crate::source::resolve::read_full;
use memchr::memchr2_iter;
use memchr::memmem::{Finder, FinderRev};
use std::io::Read;
use std::sync::Arc;

/// Longest item; a longer one is a limit error rather than all of memory.
const LONGEST: usize = 64 << 20;
/// Bytes of the head in which items are counted.
const HEAD: usize = 64 << 10;

/// Cuts one part.
pub struct Cutter {
    reader: Box<dyn Read + Send>,
    /// Read but not cut off: `at..filled`. What is behind that was used before.
    bytes: Vec<u8>,
    at: usize,
    filled: usize,
    /// Nothing comes behind `bytes`.
    ended: bool,
    names: Names,
    done: bool,
    consumed: u64,
    pool: Arc<Pool>,
}

/// The tags that matter, as bytes.
struct Names {
    list: &'static [u8],
    item: &'static [u8],
    /// `<x:row`.
    open: FinderRev<'static>,
    /// `</x:row>`.
    end: Vec<u8>,
    /// `</x:sheetData`.
    close: Finder<'static>,
}

/// Whole items.
#[derive(Debug)]
pub struct Items {
    /// Their XML, perhaps with blanks and comments between them.
    pub bytes: Buffer,
    /// Offset of the last item, where that was seen in passing.
    pub last: Option<usize>,
}

/// Where a block can end, as an offset from its start.
enum Cut {
    /// Here.
    At(usize),
    /// Here, and it is the last one.
    End(usize),
    /// Nowhere yet.
    More,
}

impl Cutter {
    /// Reads up to the first item in `list`, showing every start tag before it to `seen`. `None`:
    /// the part has no such list.
    pub fn open(
        reader: Box<dyn Read + Send>,
        list: &'static [u8],
        item: &'static [u8],
        mut seen: impl FnMut(&Tag<'_>) -> Result<(), Fault>,
    ) -> Result<Option<Self>, Fault> {
        let mut tags = Tags::new(reader);
        let (names, done) = loop {
            match tags.next()? {
                Some(Edge::Open(tag)) if tag.name == list => {
                    let open = [b"<", tag.prefix, item].concat();
                    let close = [b"</", tag.prefix, list].concat();
                    let names = Names {
                        list,
                        item,
                        open: FinderRev::new(&open).into_owned(),
                        end: [b"</", tag.prefix, item, b">"].concat(),
                        close: Finder::new(&close).into_owned(),
                    };
                    break (names, tag.empty);
                }
                Some(Edge::Open(tag)) => seen(&tag)?,
                Some(Edge::Close(_)) => {}
                None => return Ok(None),
            }
        };
        let (reader, bytes, ended) = tags.into_rest();
        let pool = Arc::default();
        let filled = bytes.len();
        Ok(Some(Self { reader, bytes, at: 0, filled, ended, names, done, consumed: 0, pool }))
    }

    /// Bytes of the list handed out so far.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Mean length of the first items.
    pub fn item_bytes(&mut self) -> Result<f64, Fault> {
        self.fill(HEAD)?;
        let head = &self.bytes[self.at..self.filled];
        let head = &head[..head.len().min(HEAD)];
        let items = self.names.open.rfind_iter(head).count();
        Ok(head.len() as f64 / items.max(1) as f64)
    }

    /// About `wanted` bytes of whole items; `None` behind the last one.
    pub fn next(&mut self, wanted: usize) -> Result<Option<Items>, Fault> {
        let mut size = wanted.max(1);
        while !self.done {
            self.fill(size)?;
            let window = &self.bytes[self.at..self.filled];
            let window = &window[..window.len().min(size)];
            let simple = is_simple(window);
            let cut = if simple { self.names.cut(window)? } else { self.names.walk(window)? };
            match cut {
                Cut::At(end) => return Ok(Some(self.take(end, simple))),
                Cut::End(end) => {
                    self.done = true;
                    return Ok(Some(self.take(end, simple)));
                }
                Cut::More if window.len() < size => return Err(Fault::Cut),
                Cut::More if size >= LONGEST => {
                    let message = format!("a single row is longer than {} MiB", LONGEST >> 20);
                    return Err(Fault::TooLarge(message));
                }
                Cut::More => size *= 2,
            }
        }
        self.drain()?;
        Ok(None)
    }

    /// Wants no further item; what is left of the part is still checked.
    pub fn leave(&mut self) {
        self.done = true;
    }

    /// Makes `size` bytes available, if there are so many.
    fn fill(&mut self, size: usize) -> Result<(), Fault> {
        if self.ended || self.filled - self.at >= size {
            return Ok(());
        }
        self.bytes.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        self.filled += read_full(&mut self.reader, &mut self.bytes[self.filled..size])?;
        self.ended = self.filled < size;
        Ok(())
    }

    /// Takes the next `end` bytes. The buffer itself goes where nearly all of it is taken.
    fn take(&mut self, end: usize, simple: bool) -> Items {
        let rest = self.filled - self.at - end;
        let mut bytes;
        if self.at == 0 && end > rest {
            bytes = self.pool.take(rest.max(self.bytes.len()));
            bytes[..rest].copy_from_slice(&self.bytes[end..self.filled]);
            std::mem::swap(&mut bytes, &mut self.bytes);
            self.filled = rest;
        } else {
            bytes = self.pool.take(end);
            bytes[..end].copy_from_slice(&self.bytes[self.at..self.at + end]);
            self.at += end;
        }
        bytes.truncate(end);
        self.consumed += end as u64;
        let last = if simple { self.names.last_open(&bytes) } else { None };
        Items { bytes: Buffer::new(bytes, &self.pool), last }
    }

    /// Reads what is behind the list, so that the part is checked to its end.
    fn drain(&mut self) -> Result<(), Fault> {
        self.bytes = Vec::new();
        (self.at, self.filled) = (0, 0);
        if !self.ended {
            std::io::copy(&mut self.reader, &mut std::io::sink())?;
            self.ended = true;
        }
        Ok(())
    }
}

/// No comment, section, instruction or declaration begins in these bytes.
fn is_simple(bytes: &[u8]) -> bool {
    !memchr2_iter(b'!', b'?', bytes).any(|at| at > 0 && bytes[at - 1] == b'<')
}

impl Names {
    /// Where a block can end in a window without comments and sections.
    fn cut(&self, window: &[u8]) -> Result<Cut, Fault> {
        let last = self.last_open(window);
        let from = last.unwrap_or(0);
        match (self.close.find(&window[from..]), last) {
            (Some(end), _) => Ok(Cut::End(from + end)),
            (None, Some(last)) if last > 0 => {
                // Behind the list there may be other elements of the item's name.
                let before = window[..last].trim_ascii_end();
                let is_next = before.ends_with(&self.end) || before.ends_with(b"/>");
                if is_next { Ok(Cut::At(last)) } else { self.walk(window) }
            }
            (None, Some(_)) => Ok(Cut::More),
            (None, None) => self.walk(window),
        }
    }

    /// Where the last item begins (`<row` and not `<rowBreaks`).
    fn last_open(&self, bytes: &[u8]) -> Option<usize> {
        let length = self.open.needle().len();
        let whole = |at: &usize| {
            let next = bytes.get(at + length);
            next.is_some_and(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
        };
        self.open.rfind_iter(bytes).find(whole)
    }

    /// The same in any window, by walking over every token.
    fn walk(&self, window: &[u8]) -> Result<Cut, Fault> {
        let mut cursor = Cursor::new(window, 0);
        let (mut inside, mut last) = (false, 0);
        loop {
            match cursor.next() {
                Ok(Some(Token::Open(tag))) if tag.name == self.item && !inside => {
                    last = tag.start;
                    inside = !tag.empty;
                }
                Ok(Some(Token::Close(name))) if name == self.item => inside = false,
                Ok(Some(Token::Close(name))) if name == self.list => {
                    let tag = memchr::memrchr(b'<', &window[..cursor.at]);
                    return Ok(Cut::End(tag.unwrap_or(cursor.at)));
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(Fault::Cut) => {
                    let end = if inside { last } else { cursor.at };
                    return Ok(if end > 0 { Cut::At(end) } else { Cut::More });
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(xml: &str, wanted: usize) -> Result<Vec<String>, Fault> {
        let reader = Box::new(std::io::Cursor::new(xml.as_bytes().to_vec()));
        let cutter = Cutter::open(reader, b"sheetData", b"row", |_| Ok(()))?;
        let mut cutter = cutter.expect("the list is there");
        let mut all = Vec::new();
        while let Some(items) = cutter.next(wanted)? {
            all.push(String::from_utf8(items.bytes.to_vec()).expect("text"));
        }
        Ok(all)
    }

    /// Every size of block gives the same text in whole rows.
    fn check(rows: &str, prefix: &str) {
        let xml = format!("<a><b/><{prefix}sheetData>{rows}</{prefix}sheetData><row/>tail</a>");
        for wanted in 1..rows.len() + 60 {
            let blocks = blocks(&xml, wanted);
            let blocks = blocks.unwrap_or_else(|fault| panic!("{wanted} of {rows}: {fault}"));
            assert_eq!(blocks.concat(), rows, "{wanted}");
            for block in &blocks {
                let mut cursor = Cursor::new(block.as_bytes(), 0);
                let mut depth = 0;
                while let Some(token) = cursor.next().expect("whole tokens") {
                    match token {
                        Token::Open(tag) if !tag.empty => depth += 1,
                        Token::Close(_) => depth -= 1,
                        _ => {}
                    }
                }
                assert_eq!(depth, 0, "{wanted}: {block}");
            }
        }
    }

    #[test]
    fn blocks_end_where_rows_end() {
        check("<row r='1'><c/></row><row r='2'/> <row r='3'><c><v>1</v></c></row >\n", "");
        check("<x:row><x:c/></x:row><x:row/>", "x:");
        check("<row><c><is><t><![CDATA[<row></sheetData>]]></t></is></c></row><row/>", "");
        check("<!-- <row> </sheetData> --><row a='>'><c/></row><!-- <row> --><row/>", "");
        check("", "");
        check(&" ".repeat(300), "");
    }

    #[test]
    fn what_is_cut_off_or_endless_is_a_fault() {
        for cut in ["<sheetData>", "<sheetData><row><c/>", "<sheetData><row/><!-- "] {
            assert!(matches!(blocks(cut, 8), Err(Fault::Cut)), "{cut}");
        }
        assert!(blocks("<sheetData/>", 8).expect("sound").is_empty());
        let reader = Box::new(std::io::Cursor::new(b"<a/>".to_vec()));
        assert!(Cutter::open(reader, b"sheetData", b"row", |_| Ok(())).expect("sound").is_none());
        let endless = format!("<sheetData><row>{}", " ".repeat(LONGEST + 1));
        assert!(matches!(blocks(&endless, LONGEST), Err(Fault::TooLarge(_))));
    }
}
