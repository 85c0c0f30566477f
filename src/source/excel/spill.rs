//! Shared strings in a temporary file: pages of strings, read by position, a few kept in memory.
//!
//! Excel numbers strings in the order of their first use, so a row's strings lie in a few pages:
//! the ones just read, and those of the texts that come again and again. The file has no name and
//! goes with the last handle.

use super::fault::Fault;
use super::strings::Arena;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Strings of a page, at most.
const STRINGS: usize = 256;
/// Bytes of a page from which no string is added.
const BYTES: usize = 64 << 10;
/// Pages kept for all threads.
const SHARED: usize = 512;
/// Larger pages are not kept.
const KEPT: usize = 2 * BYTES;
/// Pages that each thread has at hand.
const OWN: usize = 32;

/// Writes pages.
pub struct SpillWriter {
    file: io::BufWriter<File>,
    index: Index,
}

/// Where the pages are.
#[derive(Debug, Default)]
struct Index {
    /// Number of each page's first string.
    firsts: Vec<u64>,
    /// Where each page begins in the file.
    starts: Vec<u64>,
    /// The page of every [`STRINGS`]th string: a page has no more, so that the page of any other
    /// string is that or one of the next.
    pages: Vec<u32>,
    strings: u64,
    bytes: u64,
}

impl Index {
    /// The page that holds a string, which must be there.
    #[inline]
    fn page_of(&self, index: u64) -> usize {
        let mut page = self.pages[index as usize / STRINGS] as usize;
        while self.firsts.get(page + 1).is_some_and(|first| *first <= index) {
            page += 1;
        }
        page
    }
}

impl SpillWriter {
    /// An empty file in `dir`, or where the system has its temporary files.
    pub fn new(dir: Option<&Path>) -> io::Result<Self> {
        let file = match dir {
            Some(dir) => tempfile::tempfile_in(dir)?,
            None => tempfile::tempfile()?,
        };
        Ok(Self { file: io::BufWriter::with_capacity(1 << 18, file), index: Index::default() })
    }

    /// Adds the strings of `arena`.
    pub fn add(&mut self, arena: &Arena) -> io::Result<()> {
        let mut at = 0;
        let mut start = 0;
        while at < arena.ends.len() {
            let full = |end: &u32| *end as usize - start >= BYTES;
            let rest = &arena.ends[at..arena.ends.len().min(at + STRINGS)];
            let count = rest.iter().position(full).map_or(rest.len(), |last| last + 1);
            let end = rest[count - 1] as usize;
            let offsets = rest[..count].iter().map(|end| end - start as u32);
            self.page(offsets, &arena.text.as_bytes()[start..end])?;
            (at, start) = (at + count, end);
        }
        Ok(())
    }

    fn page(&mut self, ends: impl ExactSizeIterator<Item = u32>, text: &[u8]) -> io::Result<()> {
        let index = &mut self.index;
        index.firsts.push(index.strings);
        index.starts.push(index.bytes);
        index.strings += ends.len() as u64;
        let marks = index.strings.div_ceil(STRINGS as u64) as usize;
        index.pages.resize(marks, index.firsts.len() as u32 - 1);
        index.bytes += (ends.len() * size_of::<u32>() + text.len()) as u64;
        for end in ends {
            self.file.write_all(&end.to_le_bytes())?;
        }
        self.file.write_all(text)
    }

    /// Makes everything readable.
    pub fn finish(self) -> io::Result<Spill> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let shared = (0..SHARED).map(|_| Mutex::new(None)).collect();
        Ok(Spill { file, index: self.index, shared })
    }
}

/// Strings in a file.
#[derive(Debug)]
pub struct Spill {
    file: File,
    index: Index,
    shared: Vec<Mutex<Option<Arc<Page>>>>,
}

#[derive(Debug)]
struct Page {
    number: usize,
    first: u64,
    arena: Arena,
}

impl Spill {
    /// How many strings there are.
    pub fn len(&self) -> u64 {
        self.index.strings
    }

    /// Look-ups for one thread.
    pub fn pages(&self) -> Pages<'_> {
        Pages { spill: self, own: vec![None; OWN], large: None }
    }

    fn page(&self, number: usize) -> Result<Arc<Page>, Fault> {
        let slot = &self.shared[number % SHARED];
        let held = slot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(page) = held.filter(|page| page.number == number) {
            return Ok(page);
        }
        let page = Arc::new(self.read(number)?);
        if page.arena.text.len() <= KEPT {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&page));
        }
        Ok(page)
    }

    fn read(&self, number: usize) -> Result<Page, Fault> {
        let Index { firsts, starts, strings, bytes, .. } = &self.index;
        let (first, start) = (firsts[number], starts[number]);
        let count = (firsts.get(number + 1).unwrap_or(strings) - first) as usize;
        let length = (starts.get(number + 1).unwrap_or(bytes) - start) as usize;
        let mut offsets = vec![0; count * size_of::<u32>()];
        read_at(&self.file, &mut offsets, start)?;
        let mut text = vec![0; length - offsets.len()];
        read_at(&self.file, &mut text, start + offsets.len() as u64)?;
        let ends = offsets.as_chunks::<4>().0.iter().map(|end| u32::from_le_bytes(*end)).collect();
        let text = String::from_utf8(text).map_err(|_| Fault::Utf8)?;
        Ok(Page { number, first, arena: Arena { text, ends } })
    }
}

/// One thread's view of a [`Spill`].
pub struct Pages<'a> {
    spill: &'a Spill,
    own: Vec<Option<Arc<Page>>>,
    /// The last page that is too large to be kept.
    large: Option<Arc<Page>>,
}

impl Pages<'_> {
    /// The string with this number.
    pub fn get(&mut self, index: u64) -> Result<&str, Box<Fault>> {
        let missing = || Box::new(Fault::NoString(index));
        if index >= self.spill.index.strings {
            return Err(missing());
        }
        let number = self.spill.index.page_of(index);
        let slot = &mut self.own[number % OWN];
        let held = |slot: &Option<Arc<Page>>| slot.as_ref().is_some_and(|it| it.number == number);
        let slot = match (held(slot), held(&self.large)) {
            (true, _) => slot,
            (_, true) => &mut self.large,
            _ => {
                let page = self.spill.page(number).map_err(Box::new)?;
                let slot = if page.arena.text.len() > KEPT { &mut self.large } else { slot };
                *slot = Some(page);
                slot
            }
        };
        let page = slot.as_ref().ok_or_else(missing)?;
        page.arena.get((index - page.first) as usize).ok_or_else(missing)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buf, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                let rest = buf;
                buf = &mut rest[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
