//! A cursor over XML in memory: one pass, no allocation, no tree.
//!
//! Names come without their namespace prefix. Comments, processing instructions and declarations
//! are passed over, a `>` inside quotes does not end a tag, and entities are left as they stand.
//! A token that the bytes end inside of is [`Fault::Cut`], and the cursor stays before it, so that
//! whoever streams can come back with more.

use super::fault::Fault;
use memchr::{memchr, memchr3, memmem};

/// A piece of XML.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// A start tag, or an empty element.
    Open(Tag<'a>),
    /// An end tag, by its local name.
    Close(&'a [u8]),
    /// Text with its entities; at the end of the bytes perhaps not all of it.
    Text(&'a [u8]),
    /// What stands in a CDATA section.
    Verbatim(&'a [u8]),
}

/// A start tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tag<'a> {
    /// Name without prefix.
    pub name: &'a [u8],
    /// Prefix with its colon; mostly empty.
    pub prefix: &'a [u8],
    /// `<c/>`: no end tag will come.
    pub empty: bool,
    /// Where its `<` stands.
    pub start: usize,
    attributes: &'a [u8],
}

impl<'a> Tag<'a> {
    /// All attributes, in order.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes(self.attributes)
    }

    /// The raw value of an attribute, by its whole name.
    pub fn get(&self, name: &[u8]) -> Result<Option<&'a [u8]>, Fault> {
        for attribute in self.attributes() {
            let (key, value) = attribute?;
            if key == name {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

/// A name without its namespace prefix, and the prefix with its colon.
pub fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr(b':', name).map_or(0, |colon| colon + 1);
    (&name[at..], &name[..at])
}

/// The attributes of a tag: whole names and raw values.
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0 = self.0.trim_ascii_start();
        if self.0.is_empty() {
            return None;
        }
        let attribute = self.take();
        if attribute.is_none() {
            self.0 = &[];
        }
        Some(attribute.ok_or(Fault::Malformed("an attribute has no value")))
    }
}

impl<'a> Attributes<'a> {
    fn take(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let equals = memchr(b'=', self.0)?;
        let name = self.0[..equals].trim_ascii_end();
        let rest = self.0[equals + 1..].trim_ascii_start();
        let quote = *rest.first().filter(|quote| matches!(quote, b'"' | b'\''))?;
        let end = 1 + memchr(quote, &rest[1..])?;
        self.0 = &rest[end + 1..];
        let sound = !name.is_empty() && !name.iter().any(u8::is_ascii_whitespace);
        sound.then_some((name, &rest[1..end]))
    }
}

/// Walks over XML.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    /// Where the next token begins.
    pub at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor that stands at `at`.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next token; `None` at the end of the bytes.
    pub fn next(&mut self) -> Result<Option<Token<'a>>, Fault> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let token = match rest {
                [] => return Ok(None),
                [b'<', b'/', ..] => {
                    let end = memchr(b'>', rest).ok_or(Fault::Cut)?;
                    self.at += end + 1;
                    Some(Token::Close(split_name(rest[2..end].trim_ascii_end()).0))
                }
                [b'<', b'?', ..] => {
                    self.at += memmem::find(rest, b"?>").ok_or(Fault::Cut)? + 2;
                    None
                }
                [b'<', b'!', ..] => self.declaration(rest)?,
                [b'<', _, ..] => Some(Token::Open(self.open(rest)?)),
                [b'<'] => return Err(Fault::Cut),
                _ => {
                    let end = memchr(b'<', rest).unwrap_or(rest.len());
                    self.at += end;
                    Some(Token::Text(&rest[..end]))
                }
            };
            if token.is_some() {
                return Ok(token);
            }
        }
    }

    fn open(&mut self, rest: &'a [u8]) -> Result<Tag<'a>, Fault> {
        let end = tag_end(rest)?;
        let body = &rest[1..end];
        if memchr(b'<', body).is_some() {
            return Err(Fault::Malformed("a tag is not closed"));
        }
        let (body, empty) = match body {
            [body @ .., b'/'] => (body, true),
            body => (body, false),
        };
        let length = body.iter().position(u8::is_ascii_whitespace).unwrap_or(body.len());
        let (name, prefix) = split_name(&body[..length]);
        if name.is_empty() {
            return Err(Fault::Malformed("a tag has no name"));
        }
        let start = self.at;
        self.at += end + 1;
        Ok(Tag { name, prefix, empty, start, attributes: &body[length..] })
    }

    /// Behind `<!`: a comment, a CDATA section, or a declaration.
    fn declaration(&mut self, rest: &'a [u8]) -> Result<Option<Token<'a>>, Fault> {
        const CDATA: &[u8] = b"<![CDATA[";
        if let Some(text) = rest.strip_prefix(CDATA) {
            let end = memmem::find(text, b"]]>").ok_or(Fault::Cut)?;
            self.at += CDATA.len() + end + 3;
            return Ok(Some(Token::Verbatim(&text[..end])));
        }
        if CDATA.starts_with(rest) || b"<!--".starts_with(rest) {
            return Err(Fault::Cut);
        }
        let length = match rest.strip_prefix(b"<!--") {
            Some(comment) => 4 + memmem::find(comment, b"-->").ok_or(Fault::Cut)? + 3,
            None => doctype_end(rest)? + 1,
        };
        self.at += length;
        Ok(None)
    }
}

/// The `>` that ends the tag at the start of `bytes`.
fn tag_end(bytes: &[u8]) -> Result<usize, Fault> {
    let mut at = 1;
    loop {
        at += memchr3(b'>', b'"', b'\'', &bytes[at..]).ok_or(Fault::Cut)?;
        if bytes[at] == b'>' {
            return Ok(at);
        }
        at += memchr(bytes[at], &bytes[at + 1..]).ok_or(Fault::Cut)? + 2;
    }
}

/// The `>` that ends a declaration, which may have others in brackets and in quotes.
fn doctype_end(bytes: &[u8]) -> Result<usize, Fault> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'[') => depth += 1,
            (None, b']') => depth = depth.saturating_sub(1),
            (None, b'>') if depth == 0 => return Ok(at),
            _ => {}
        }
    }
    Err(Fault::Cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens as text: `+name`, `-name`, `'text'`, `[verbatim]`, `!` for a fault.
    fn walk(xml: &str) -> String {
        let mut cursor = Cursor::new(xml.as_bytes(), 0);
        let mut out = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        loop {
            out.push(match cursor.next() {
                Ok(Some(Token::Open(tag))) if tag.empty => format!("+{}/", text(tag.name)),
                Ok(Some(Token::Open(tag))) => format!("+{}", text(tag.name)),
                Ok(Some(Token::Close(name))) => format!("-{}", text(name)),
                Ok(Some(Token::Text(raw))) => format!("'{}'", text(raw)),
                Ok(Some(Token::Verbatim(raw))) => format!("[{}]", text(raw)),
                Ok(None) => return out.join(" "),
                Err(fault) => {
                    let cut = matches!(fault, Fault::Cut);
                    out.push(if cut { "cut" } else { "!" }.into());
                    return out.join(" ");
                }
            });
        }
    }

    #[test]
    fn tokens_are_told_apart() {
        let xml = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e \">\">]><x:a b='>'>t<!-- </a> -->\
                   <c d=\"'/>\"/><![CDATA[<&]]></x:a >";
        assert_eq!(walk(xml), "+a 't' +c/ [<&] -a");
        assert_eq!(walk("<a/>x"), "+a/ 'x'");
        for cut in ["<", "<a", "<a b='", "<!", "<![CDA", "<!-- >", "</a", "<![CDATA[x]]", "<?x"] {
            assert_eq!(walk(cut), "cut", "{cut}");
        }
        for broken in ["<a <b>", "<>", "< a>", "<x:>"] {
            assert_eq!(walk(broken), "!", "{broken}");
        }
    }

    #[test]
    fn attributes_come_by_their_whole_name() {
        let xml = b"<c  x:r = 'no'\n r=\"B7\" t=''/>";
        let Ok(Some(Token::Open(tag))) = Cursor::new(xml, 0).next() else { panic!("a tag") };
        assert_eq!(tag.get(b"r").expect("sound"), Some(&b"B7"[..]));
        assert_eq!(tag.get(b"t").expect("sound"), Some(&b""[..]));
        assert_eq!(tag.get(b"s").expect("sound"), None);
        for broken in ["<c r>", "<c r=>", "<c r=B7>", "<c a b='1'>", "<c ='1'>"] {
            let Ok(Some(Token::Open(tag))) = Cursor::new(broken.as_bytes(), 0).next() else {
                panic!("a tag")
            };
            tag.get(b"z").expect_err(broken);
        }
    }
}
