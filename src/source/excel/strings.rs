//! The shared strings of a workbook: texts that columns point to, or pages in a temporary file.
//!
//! The part is streamed; nothing is sized by the counts it claims, and no text that was read is copied
//! again: a column of shared strings holds the places of its texts, 16 bytes a cell, and the texts stay
//! where they are. Above a limit everything goes to a file that is read by position (`spill.rs`).

use super::cut::Cutter;
use super::fault::Fault;
use super::spill::{Pages, Spill, SpillWriter};
use super::text;
use super::xml::{Cursor, Token};
use crate::source::columns::SharedTexts;
use crate::source::number;
use polars_arrow::array::MutableBinaryViewArray;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of the part that are parsed at once.
const BLOCK: usize = 512 << 10;

/// Bytes of a string's place in memory: a view, and its length.
const PLACE: u64 = 17;

/// All strings, ready for look-ups by any number of threads.
#[derive(Debug)]
pub struct Strings(Store);

#[derive(Debug)]
enum Store {
    Memory(SharedTexts),
    Spilled(Spill),
}

/// Takes strings in order.
trait Keep {
    fn keep(&mut self, text: &str) -> Result<(), Fault>;
    /// Some of the strings may hold NUL.
    fn expect_nul(&mut self) {}
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

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}

impl Keep for Arena {
    fn keep(&mut self, text: &str) -> Result<(), Fault> {
        self.text.push_str(text);
        let message = || Fault::TooLarge("512 KiB of shared strings hold more than 4 GiB".into());
        self.ends.push(u32::try_from(self.text.len()).map_err(|_| message())?);
        Ok(())
    }
}

/// Strings in memory while they are read.
struct Texts {
    texts: MutableBinaryViewArray<str>,
    /// None so far is empty, has a blank at an end or holds NUL.
    plain: bool,
    /// Some may look like a number that a spreadsheet has shortened.
    scientific: bool,
}

impl Default for Texts {
    fn default() -> Self {
        Self { texts: MutableBinaryViewArray::new(), plain: true, scientific: false }
    }
}

impl Keep for Texts {
    #[inline]
    fn keep(&mut self, text: &str) -> Result<(), Fault> {
        let bytes = text.as_bytes();
        let (first, last) = bytes.first().zip(bytes.last()).unwrap_or((&b' ', &b' '));
        self.plain &= *first > b' ' && (b'!'..0x80).contains(last);
        // Such a number ends in a digit and begins with one, or with a sign.
        let number = last.is_ascii_digit() && (first.is_ascii_digit() || *first == b'-');
        self.scientific |= number && number::is_scientific(bytes);
        self.texts.push_value_ignore_validity(text);
        Ok(())
    }

    fn expect_nul(&mut self) {
        self.plain = false;
    }
}

impl Texts {
    fn len(&self) -> u64 {
        self.texts.len() as u64
    }

    fn bytes(&self) -> u64 {
        self.len() * PLACE + self.texts.total_buffer_len() as u64
    }

    fn get(&self, index: usize) -> Option<&str> {
        (index < self.texts.len()).then(|| self.texts.value(index))
    }

    /// Moves all of them to a file.
    fn spill(&mut self, writer: &mut SpillWriter) -> Result<(), Fault> {
        let mut arena = Arena::default();
        for text in std::mem::take(self).texts.values_iter() {
            arena.keep(text)?;
            if arena.text.len() >= BLOCK {
                writer.add(&arena)?;
                arena.clear();
            }
        }
        Ok(writer.add(&arena)?)
    }
}

impl Strings {
    /// How many there are.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Store::Memory(texts) => texts.len() as u64,
            Store::Spilled(spill) => spill.len(),
        }
    }

    /// The strings themselves, where they are in memory.
    pub fn in_memory(&self) -> Option<&SharedTexts> {
        match &self.0 {
            Store::Memory(texts) => Some(texts),
            Store::Spilled(_) => None,
        }
    }

    /// Look-ups for one thread.
    pub fn lookup(&self) -> Lookup<'_> {
        match &self.0 {
            Store::Memory(texts) => Lookup(Kind::Memory(texts)),
            Store::Spilled(spill) => Lookup(Kind::Spilled(spill.pages())),
        }
    }
}

/// Finds strings by their number.
pub struct Lookup<'a>(Kind<'a>);

enum Kind<'a> {
    Memory(&'a SharedTexts),
    Growing(&'a Texts),
    Spilled(Pages<'a>),
}

impl Lookup<'_> {
    /// The string with this number.
    #[inline(always)]
    pub fn get(&mut self, index: u64) -> Result<&str, Box<Fault>> {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        match &mut self.0 {
            Kind::Memory(texts) => texts.get(place).ok_or_else(|| missing(index)),
            Kind::Growing(texts) => texts.get(place).ok_or_else(|| missing(index)),
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
    texts: Texts,
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
            texts: Texts::default(),
            in_memory,
            temp_dir: temp_dir.map(Path::to_owned),
            complete: None,
        })
    }

    /// Reads on until the string with this number is there, if the part has it.
    pub fn load_to(&mut self, index: u64) -> Result<(), Fault> {
        while self.complete.is_none() && self.texts.len() <= index {
            if !load_block(&mut self.cutter, &mut self.texts)? {
                break;
            }
            if self.texts.bytes() > self.in_memory {
                self.complete = Some(self.load_all()?);
            }
        }
        Ok(())
    }

    /// Look-ups in what has been read by [`Self::load_to`].
    pub fn lookup(&self) -> Lookup<'_> {
        match &self.complete {
            Some(strings) => strings.lookup(),
            None => Lookup(Kind::Growing(&self.texts)),
        }
    }

    /// Reads everything.
    pub fn load_all(&mut self) -> Result<Strings, Fault> {
        let mut more = load_block(&mut self.cutter, &mut self.texts)?;
        if more {
            // Room for as many as may be held: it costs nothing until it is used, and a table that grows
            // by copies would cost more than all else that is done to a string.
            self.texts.texts.reserve((self.in_memory / PLACE) as usize);
        }
        while more && self.texts.bytes() <= self.in_memory {
            more = load_block(&mut self.cutter, &mut self.texts)?;
        }
        let mut texts = std::mem::take(&mut self.texts);
        if texts.bytes() <= self.in_memory {
            return Ok(Strings(Store::Memory(SharedTexts::new(
                texts.texts,
                texts.plain,
                texts.scientific,
            ))));
        }
        let mut writer = SpillWriter::new(self.temp_dir.as_deref())?;
        texts.spill(&mut writer)?;
        let mut arena = Arena::default();
        while load_block(&mut self.cutter, &mut arena)? {
            writer.add(&arena)?;
            arena.clear();
        }
        Ok(Strings(Store::Spilled(writer.finish()?)))
    }
}

/// Whether there was another block of strings.
fn load_block(cutter: &mut Option<Cutter>, keep: &mut impl Keep) -> Result<bool, Fault> {
    let Some(items) = (match cutter {
        Some(open) => open.next(BLOCK)?,
        None => None,
    }) else {
        *cutter = None;
        return Ok(false);
    };
    add_items(&items.bytes, keep)?;
    Ok(true)
}

fn add_items(bytes: &[u8], keep: &mut impl Keep) -> Result<(), Fault> {
    let valid = std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)?;
    let mut cursor = Cursor::new(bytes, 0);
    let mut odd = Odd { bytes, next: 0 };
    let mut own = String::new();
    if memchr::memchr(0, bytes).is_some() {
        keep.expect_nul();
    }
    loop {
        while let Some((text, length)) = plain_item(valid, cursor.at, &mut odd) {
            keep.keep(text)?;
            cursor.at += length;
        }
        match cursor.next()? {
            None => return Ok(()),
            Some(Token::Open(tag)) if tag.name == b"si" => {
                own.clear();
                if !tag.empty {
                    text::append_item(&mut cursor, b"si", &mut own)?;
                }
                if own.contains('\0') {
                    keep.expect_nul();
                }
                keep.keep(&own)?;
            }
            Some(_) => {}
        }
    }
}

/// Where the next text stands that does not stand for itself. Such texts are rare, so that nearly all
/// of a block is looked at in one go.
struct Odd<'a> {
    bytes: &'a [u8],
    /// Nothing before is odd, as far as it was asked for.
    next: usize,
}

impl Odd<'_> {
    /// Whether something odd stands between; never asked for what lies before an earlier question.
    #[inline]
    fn is_in(&mut self, start: usize, end: usize) -> bool {
        if self.next < start {
            self.next = start + text::plain_length(&self.bytes[start..]);
        }
        self.next < end
    }
}

/// `<si><t>text</t></si>`, as nearly all of them are: the text, and the length of the whole.
#[inline(always)]
fn plain_item<'a>(xml: &'a str, at: usize, odd: &mut Odd<'_>) -> Option<(&'a str, usize)> {
    const OPEN: &[u8] = b"<si><t>";
    const PRESERVE: &[u8] = b"<si><t xml:space=\"preserve\">";
    const CLOSE: &[u8] = b"</t></si>";
    let item = xml.as_bytes().get(at..)?;
    let (open, preserve) = match item.starts_with(OPEN) {
        true => (OPEN.len(), false),
        false => (item.starts_with(PRESERVE).then_some(PRESERVE.len())?, true),
    };
    let end = next_tag(item, open)?;
    if !item[end..].starts_with(CLOSE) || odd.is_in(at + open, at + end) {
        return None;
    }
    let raw = xml.get(at + open..at + end)?;
    let blank = |byte: Option<&u8>| byte.is_some_and(|byte| *byte <= b' ');
    let bytes = raw.as_bytes();
    let text = match preserve || !blank(bytes.first()) && !blank(bytes.last()) {
        true => raw,
        false => raw.trim_matches(text::BLANKS),
    };
    Some((text, end + CLOSE.len()))
}

/// Where the next `<` stands from `from` on. Most texts are short: a few words are looked at before
/// anybody is called.
#[inline(always)]
fn next_tag(bytes: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, _) = bytes.get(from..)?.as_chunks::<8>();
    for (at, word) in words.iter().take(4).enumerate() {
        let others = u64::from_le_bytes(*word) ^ (ONES * 0x3c);
        // The lowest bit that is left is that of the first byte that was `<`.
        let found = others.wrapping_sub(ONES) & !others & (ONES * 0x80);
        if found != 0 {
            return Some(from + 8 * at + found.trailing_zeros() as usize / 8);
        }
    }
    memchr::memchr(b'<', &bytes[from..]).map(|at| from + at)
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
        assert!(loader.texts.len() < 50_000, "{}", loader.texts.len());
        assert_eq!(loader.lookup().get(3).expect("there"), "some text of some length");
        loader.load_to(1 << 40).expect("sound");
        assert!(loader.lookup().get(199_999).is_ok() && loader.lookup().get(200_000).is_err());
        let mut small = Loader::new(Some(part(&items)), 1 << 20, None).expect("sound");
        small.load_to(199_999).expect("sound");
        assert!(small.lookup().get(199_999).is_ok() && small.lookup().get(200_000).is_err());
    }
}
