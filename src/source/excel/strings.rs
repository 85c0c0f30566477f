//! The shared strings of a workbook: one arena of text, or pages in a temporary file.
//!
//! The part is streamed; nothing is sized by the counts it claims. While the text and its offsets
//! stay below a limit they are in memory; above it everything goes to a file that is read by
//! position (`spill.rs`).

use super::cut::Cutter;
use super::fault::Fault;
use super::spill::{Pages, Spill, SpillWriter};
use super::text;
use super::xml::{Cursor, Token};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of the part that are parsed at once.
const BLOCK: usize = 512 << 10;

/// All strings, ready for look-ups by any number of threads.
#[derive(Debug)]
pub struct Strings(Store);

#[derive(Debug)]
enum Store {
    Memory(Arena),
    Spilled(Spill),
}

/// Strings one behind the other.
#[derive(Debug, Default)]
pub struct Arena {
    /// Their text.
    pub text: String,
    /// Where each ends.
    pub ends: Vec<u32>,
}

impl Arena {
    /// The string at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end)
    }

    fn bytes(&self) -> u64 {
        (self.text.len() + self.ends.len() * size_of::<u32>()) as u64
    }
}

impl Strings {
    /// Look-ups for one thread.
    pub fn lookup(&self) -> Lookup<'_> {
        match &self.0 {
            Store::Memory(arena) => Lookup(Kind::Memory(arena)),
            Store::Spilled(spill) => Lookup(Kind::Spilled(spill.pages())),
        }
    }
}

/// Finds strings by their number.
pub struct Lookup<'a>(Kind<'a>);

enum Kind<'a> {
    Memory(&'a Arena),
    Spilled(Pages<'a>),
}

impl Lookup<'_> {
    /// The string with this number.
    #[inline(always)]
    pub fn get(&mut self, index: u64) -> Result<&str, Box<Fault>> {
        match &mut self.0 {
            Kind::Memory(arena) => {
                let found = usize::try_from(index).ok().and_then(|index| arena.get(index));
                found.ok_or_else(|| missing(index))
            }
            Kind::Spilled(pages) => pages.get(index),
        }
    }
}

#[cold]
fn missing(index: u64) -> Box<Fault> {
    Box::new(Fault::NoString(index))
}

/// Reads the strings of a part, all or as many as are needed.
pub struct Loader {
    cutter: Option<Cutter>,
    arena: Arena,
    in_memory: u64,
    temp_dir: Option<PathBuf>,
    /// All strings, once they were too many to be held here.
    complete: Option<Strings>,
}

impl Loader {
    /// A loader that keeps up to `in_memory` bytes out of the file. Without a part there are none.
    pub fn new(
        part: Option<Box<dyn Read + Send>>,
        in_memory: u64,
        temp_dir: Option<&Path>,
    ) -> Result<Self, Fault> {
        let cutter = match part {
            Some(part) => Cutter::open(part, b"sst", b"si", |_| Ok(()))?,
            None => None,
        };
        Ok(Self {
            cutter,
            arena: Arena::default(),
            // Offsets have 32 bits.
            in_memory: in_memory.min(u64::from(u32::MAX) / 2),
            temp_dir: temp_dir.map(Path::to_owned),
            complete: None,
        })
    }

    /// Reads on until the string with this number is there, if the part has it.
    pub fn load_to(&mut self, index: u64) -> Result<(), Fault> {
        while self.complete.is_none() && self.arena.ends.len() as u64 <= index {
            if !self.load_block()? {
                break;
            }
            if self.arena.bytes() > self.in_memory {
                self.complete = Some(self.load_all()?);
            }
        }
        Ok(())
    }

    /// Look-ups in what has been read by [`Self::load_to`].
    pub fn lookup(&self) -> Lookup<'_> {
        match &self.complete {
            Some(strings) => strings.lookup(),
            None => Lookup(Kind::Memory(&self.arena)),
        }
    }

    /// Reads everything.
    pub fn load_all(&mut self) -> Result<Strings, Fault> {
        let mut spill: Option<SpillWriter> = None;
        while self.load_block()? {
            if self.arena.bytes() > self.in_memory || spill.is_some() {
                let writer = match spill.take() {
                    Some(writer) => writer,
                    None => SpillWriter::new(self.temp_dir.as_deref())?,
                };
                spill.insert(writer).add(&mut self.arena)?;
            }
        }
        let mut arena = std::mem::take(&mut self.arena);
        Ok(Strings(match spill {
            Some(writer) => Store::Spilled(writer.finish(&mut arena)?),
            None => {
                arena.text.shrink_to_fit();
                arena.ends.shrink_to_fit();
                Store::Memory(arena)
            }
        }))
    }

    fn load_block(&mut self) -> Result<bool, Fault> {
        let Some(cutter) = &mut self.cutter else { return Ok(false) };
        match cutter.next(BLOCK)? {
            Some(items) => {
                add_items(&items.bytes, &mut self.arena)?;
                Ok(true)
            }
            None => {
                self.cutter = None;
                Ok(false)
            }
        }
    }
}

fn add_items(bytes: &[u8], arena: &mut Arena) -> Result<(), Fault> {
    let valid = std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)?;
    let mut cursor = Cursor::new(bytes, 0);
    loop {
        while let Some((text, length)) = plain_item(valid, cursor.at) {
            arena.text.push_str(text);
            push_end(arena)?;
            cursor.at += length;
        }
        match cursor.next()? {
            None => return Ok(()),
            Some(Token::Open(tag)) if tag.name == b"si" => {
                if !tag.empty {
                    text::append_item(&mut cursor, b"si", &mut arena.text)?;
                }
                push_end(arena)?;
            }
            Some(_) => {}
        }
    }
}

fn push_end(arena: &mut Arena) -> Result<(), Fault> {
    let end = u32::try_from(arena.text.len());
    let message = || Fault::TooLarge("the shared strings are larger than 4 GiB".into());
    arena.ends.push(end.map_err(|_| message())?);
    Ok(())
}

/// `<si><t>text</t></si>`, as nearly all of them are: the text, and the length of the whole.
#[inline]
fn plain_item(xml: &str, at: usize) -> Option<(&str, usize)> {
    const PRESERVE: &str = " xml:space=\"preserve\">";
    let item = xml.get(at..)?;
    let rest = item.strip_prefix("<si><t")?;
    let (rest, preserve) = match rest.strip_prefix('>') {
        Some(rest) => (rest, false),
        None => (rest.strip_prefix(PRESERVE)?, true),
    };
    let end = memchr::memchr(b'<', rest.as_bytes())?;
    let behind = rest[end..].strip_prefix("</t></si>")?;
    let raw = &rest[..end];
    if !text::is_plain(raw.as_bytes()) {
        return None;
    }
    let text = if preserve { raw } else { raw.trim_matches(text::BLANKS) };
    Some((text, item.len() - behind.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(strings: &[&str]) -> Box<dyn Read + Send> {
        let items: String = strings.iter().map(|text| format!("<si>{text}</si>")).collect();
        let xml = format!("<sst count='9' uniqueCount='4000000000'>{items}</sst>");
        Box::new(std::io::Cursor::new(xml.into_bytes()))
    }

    fn all(strings: &Strings) -> Vec<String> {
        let mut lookup = strings.lookup();
        (0..).map_while(|index| lookup.get(index).ok().map(str::to_owned)).collect()
    }

    #[test]
    fn every_form_of_string_is_one_string() {
        let part = part(&[
            "<t>a</t>",
            "<t xml:space=\"preserve\"> b </t>",
            "<t> c&amp;d </t>",
            "",
            "<r><t>e</t></r><r><t>f</t></r><rPh><t>no</t></rPh>",
            "<t/>",
            "<t>_x0041_</t>",
        ]);
        let strings = Loader::new(Some(part), 1 << 20, None).and_then(|mut it| it.load_all());
        let strings = strings.expect("sound");
        assert_eq!(all(&strings), ["a", " b ", "c&d", "", "ef", "", "A"]);
        let none = Loader::new(None, 0, None).and_then(|mut it| it.load_all()).expect("none");
        assert!(none.lookup().get(0).is_err());
    }

    #[test]
    fn spilled_strings_are_the_same_strings() {
        let texts: Vec<_> = (0..50_000)
            .map(|n| match n {
                777 => "x".repeat(400_000),
                _ => format!("text {n}{}", "é".repeat(n % 40)),
            })
            .collect();
        let items: Vec<_> = texts.iter().map(|text| format!("<t>{text}</t>")).collect();
        let items: Vec<_> = items.iter().map(String::as_str).collect();
        let dir = tempfile::tempdir().expect("a test folder");
        for in_memory in [0, 100_000, 1 << 20] {
            let mut loader =
                Loader::new(Some(part(&items)), in_memory, Some(dir.path())).expect("sound");
            let strings = loader.load_all().expect("sound");
            assert!(matches!(strings.0, Store::Spilled(_)), "{in_memory}");
            assert!(all(&strings) == texts, "{in_memory}");
            let mut lookup = strings.lookup();
            for index in [49_999, 0, 777, 776, 778, 25_000] {
                assert_eq!(lookup.get(index).expect("there"), texts[index as usize]);
            }
            for index in [50_000, u64::MAX] {
                let fault = *lookup.get(index).expect_err("no such string");
                assert!(matches!(fault, Fault::NoString(at) if at == index), "{fault}");
            }
        }
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0, "nothing is left behind");
    }

    #[test]
    fn only_what_is_needed_is_loaded() {
        let items = vec!["<t>some text of some length</t>"; 200_000];
        let mut loader = Loader::new(Some(part(&items)), 64 << 20, None).expect("sound");
        loader.load_to(3).expect("sound");
        assert!(loader.arena.ends.len() < 50_000, "{}", loader.arena.ends.len());
        assert_eq!(loader.lookup().get(3).expect("there"), "some text of some length");
        loader.load_to(1 << 40).expect("sound");
        assert!(loader.lookup().get(199_999).is_ok() && loader.lookup().get(200_000).is_err());
        let mut small = Loader::new(Some(part(&items)), 1 << 20, None).expect("sound");
        small.load_to(199_999).expect("sound");
        assert!(small.lookup().get(199_999).is_ok() && small.lookup().get(200_000).is_err());
    }
}
