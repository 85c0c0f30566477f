//! Files that DuckDB's reader would refuse although every value is there: they are written again
//! beside the original with another footer, and what says nothing about values is left away.
//!
//! * The retired LZ4 codec (bare blocks and Hadoop's frames): its pages are unpacked.
//! * A map without values is a list of its keys.
//! * A variant whose parts DuckDB cannot put together is read as these parts.
//! * Decimals with more than 38 digits are read as their bytes.
//! * Bytes in lists, structs and maps are called text.
//! * Moments of 96 bits that are finer than a microsecond are read as their bytes.
//!
//! What cannot be read at all for a reason that the footer tells is refused here, in words: encrypted
//! columns, columns in other files.

use super::decimals::{self, Wide};
use super::int96;
use super::lz4;
use super::nested::{self, Named};
use super::thrift::{self, Fields, Value};
use crate::source::content::{Extents, Spooled};
use crate::source::{SourceError, SourceErrorKind, SourceOptions};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

const MAGIC: &[u8] = b"PAR1";
/// Longest footer that is looked into. Larger ones are those of very many columns, not of old codecs.
const FOOTER: u64 = 16 << 20;
/// Longest page, packed or unpacked; both are in memory.
const PAGE: usize = 64 << 20;
/// Longest header of a page; it may hold two values as statistics.
const PAGE_HEADER: u64 = 16 << 20;
/// The codec of the name LZ4 that nobody writes any more, and none.
const LZ4: i64 = 5;
const UNCOMPRESSED: i64 = 0;
/// `converted_type` of maps, now and in the old days.
const MAPS: [i64; 2] = [1, 2];
const DICTIONARY_PAGE: i64 = 2;
const DATA_PAGE_V2: i64 = 3;

/// Ids of the fields of Parquet's structures that are looked at (parquet.thrift).
mod id {
    pub const FILE_SCHEMA: i16 = 2;
    pub const FILE_ROW_GROUPS: i16 = 4;
    pub const FILE_ENCRYPTION: i16 = 8;
    pub const ELEMENT_CHILDREN: i16 = 5;
    pub const ELEMENT_CONVERTED: i16 = 6;
    pub const ELEMENT_LOGICAL: i16 = 10;
    pub const LOGICAL_MAP: i16 = 2;
    pub const LOGICAL_VARIANT: i16 = 16;
    pub const GROUP_COLUMNS: i16 = 1;
    pub const GROUP_OFFSET: i16 = 5;
    pub const GROUP_PACKED: i16 = 6;
    pub const CHUNK_PATH: i16 = 1;
    pub const CHUNK_OFFSET: i16 = 2;
    pub const CHUNK_META: i16 = 3;
    pub const CHUNK_INDEXES: [i16; 4] = [4, 5, 6, 7];
    pub const CHUNK_CRYPTO: i16 = 8;
    pub const META_CODEC: i16 = 4;
    pub const META_PACKED: i16 = 7;
    pub const META_DATA: i16 = 9;
    pub const META_INDEX: i16 = 10;
    pub const META_DICTIONARY: i16 = 11;
    pub const PAGE_TYPE: i16 = 1;
    pub const PAGE_UNPACKED: i16 = 2;
    pub const PAGE_PACKED: i16 = 3;
    pub const PAGE_CRC: i16 = 4;
    pub const PAGE_V2: i16 = 8;
    pub const V2_LEVELS: [i16; 2] = [5, 6];
    pub const V2_IS_PACKED: i16 = 7;
}

/// Which variants to take apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variants {
    /// None: DuckDB puts them together.
    Whole,
    /// All.
    Parts,
}

/// What bytes in lists, structs and maps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nested {
    /// Text, where no annotation says otherwise.
    Text,
    /// Bytes.
    Bytes,
}

/// A file in a way that DuckDB reads.
#[derive(Debug, Default)]
pub struct Mended {
    /// What was written again; `None`: it is read as it is.
    pub file: Option<Spooled>,
    /// Columns of decimals that come as bytes.
    pub wide: Vec<Wide>,
    /// Columns in which bytes were called text.
    pub texts: Named,
}

/// The file in a way that DuckDB reads. `int96`: columns of such moments that are to be bytes. What is damaged is left to DuckDB to name.
pub fn mend(
    file: &Spooled,
    label: &str,
    options: &SourceOptions,
    variants: Variants,
    nested: Nested,
    int96: &[usize],
) -> Result<Mended, SourceError> {
    let broken = |error: io::Error| SourceError::io(label, error);
    let mut reader = BufReader::new(File::open(file.path()).map_err(broken)?);
    let Some((mut footer, data_end)) = read_footer(&mut reader).map_err(broken)? else {
        return Ok(Mended::default());
    };
    refuse(&mut footer, label)?;
    let maps = loosen_maps(&mut footer);
    let taken_apart = variants == Variants::Parts && take_apart(&mut footer);
    let packed = chunks(&mut footer).any(|chunk| codec(chunk) == Some(LZ4));
    let wide = decimals::take_apart(&mut footer);
    let texts = match nested {
        Nested::Text => nested::name_texts(&mut footer),
        Nested::Bytes => Named::default(),
    };
    let moments = int96::as_bytes(&mut footer, int96);
    if !(maps || taken_apart || packed || moments) && wide.is_empty() && texts.is_empty() {
        return Ok(Mended::default());
    }
    let mut copy = Copy::new(reader, data_end, label, options)?;
    copy.refuse_overlap(&mut footer)?;
    for group in footer.list_mut(id::FILE_ROW_GROUPS) {
        if group.list_mut(id::GROUP_COLUMNS).any(|chunk| codec(chunk) == Some(LZ4)) {
            group.remove(&[id::GROUP_OFFSET, id::GROUP_PACKED]);
        }
    }
    for chunk in chunks(&mut footer).filter(|chunk| codec(chunk) == Some(LZ4)) {
        copy.unpack(chunk)?;
    }
    Ok(Mended { file: Some(copy.finish(&footer)?), wide, texts })
}

/// The footer, and where the data before it ends.
fn read_footer(reader: &mut BufReader<File>) -> io::Result<Option<(Fields, u64)>> {
    let length = reader.seek(SeekFrom::End(0))?;
    if length < 12 {
        return Ok(None);
    }
    let mut tail = [0; 8];
    reader.seek(SeekFrom::Start(length - 8))?;
    reader.read_exact(&mut tail)?;
    let (size, magic) = tail.split_at(4);
    let size = u64::from(u32::from_le_bytes(size.try_into().expect("four bytes")));
    if magic != MAGIC || size > FOOTER || size > length - 12 {
        return Ok(None);
    }
    let data_end = length - 8 - size;
    reader.seek(SeekFrom::Start(data_end))?;
    let mut bytes = vec![0; size as usize];
    reader.read_exact(&mut bytes)?;
    Ok(thrift::read(&bytes).map(|(footer, _)| (footer, data_end)))
}

fn chunks(footer: &mut Fields) -> impl Iterator<Item = &mut Fields> {
    let groups = footer.list_mut(id::FILE_ROW_GROUPS);
    groups.flat_map(|group| group.list_mut(id::GROUP_COLUMNS))
}

fn codec(chunk: &Fields) -> Option<i64> {
    chunk.fields(id::CHUNK_META)?.int(id::META_CODEC)
}

fn refuse(footer: &mut Fields, label: &str) -> Result<(), SourceError> {
    let encrypted = footer.get(id::FILE_ENCRYPTION).is_some();
    if encrypted || chunks(footer).any(|chunk| chunk.get(id::CHUNK_CRYPTO).is_some()) {
        return Err(super::encrypted(label));
    }
    let elsewhere = chunks(footer).find_map(|chunk| match chunk.get(id::CHUNK_PATH) {
        Some(Value::Bytes(path)) if !path.is_empty() => Some(String::from_utf8_lossy(path)),
        _ => None,
    });
    let Some(path) = elsewhere else { return Ok(()) };
    let message = format!(
        "its columns lie in other files (\"{}\"), which are not looked for",
        crate::chunk::quotable(&path)
    );
    Err(SourceError::new(SourceErrorKind::NotTheFormat, label, message)
        .with_hint("give the files that hold the data"))
}

/// Takes the name of a map from maps that have keys only.
fn loosen_maps(footer: &mut Fields) -> bool {
    let mut elements: Vec<_> = footer.list_mut(id::FILE_SCHEMA).collect();
    let mut changed = false;
    for at in 0..elements.len().saturating_sub(1) {
        let lonely = is_map(elements[at])
            && elements[at].int(id::ELEMENT_CHILDREN) == Some(1)
            && elements[at + 1].int(id::ELEMENT_CHILDREN) == Some(1);
        if lonely {
            elements[at].remove(&[id::ELEMENT_CONVERTED, id::ELEMENT_LOGICAL]);
            elements[at + 1].remove(&[id::ELEMENT_CONVERTED, id::ELEMENT_LOGICAL]);
            changed = true;
        }
    }
    changed
}

fn is_map(element: &Fields) -> bool {
    let converted = element.int(id::ELEMENT_CONVERTED).is_some_and(|known| MAPS.contains(&known));
    let logical = element.fields(id::ELEMENT_LOGICAL);
    converted || logical.is_some_and(|logical| logical.get(id::LOGICAL_MAP).is_some())
}

/// Takes the name of a variant from all that have it.
fn take_apart(footer: &mut Fields) -> bool {
    let mut changed = false;
    for element in footer.list_mut(id::FILE_SCHEMA) {
        let logical = element.fields(id::ELEMENT_LOGICAL);
        if logical.is_some_and(|logical| logical.get(id::LOGICAL_VARIANT).is_some()) {
            element.remove(&[id::ELEMENT_LOGICAL]);
            changed = true;
        }
    }
    changed
}

/// The file written again: the same bytes, unpacked chunks behind them, another footer.
struct Copy<'a> {
    from: BufReader<File>,
    data_end: u64,
    to: tempfile::NamedTempFile,
    /// Bytes written.
    length: u64,
    label: &'a str,
}

impl<'a> Copy<'a> {
    fn new(
        mut from: BufReader<File>,
        data_end: u64,
        label: &'a str,
        options: &SourceOptions,
    ) -> Result<Self, SourceError> {
        let broken = |error: io::Error| SourceError::io(label, error);
        let mut builder = tempfile::Builder::new();
        builder.prefix("etl-parquet-");
        let to = match &options.temp_dir {
            Some(folder) => builder.tempfile_in(folder),
            None => builder.tempfile(),
        };
        let mut to = to.map_err(broken)?;
        from.seek(SeekFrom::Start(0)).map_err(broken)?;
        let length = io::copy(&mut from.by_ref().take(data_end), &mut to).map_err(broken)?;
        Ok(Self { from, data_end, to, length, label })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.to.write_all(bytes).map_err(|error| SourceError::io(self.label, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn damaged(&self, what: &str) -> SourceError {
        let message = format!("the Parquet file is cut off or damaged: {what}");
        SourceError::new(SourceErrorKind::Broken, self.label, message)
            .with_hint("download it again")
    }

    /// Where a chunk begins and ends.
    fn place(&self, chunk: &Fields) -> Result<(u64, u64), SourceError> {
        let meta = chunk.fields(id::CHUNK_META);
        let offset = |id| meta?.int(id).and_then(|at| u64::try_from(at).ok());
        let dictionary = offset(id::META_DICTIONARY).filter(|at| *at > 0);
        let (Some(data), Some(packed)) = (offset(id::META_DATA), offset(id::META_PACKED)) else {
            return Err(self.damaged("a column does not say where it lies"));
        };
        let start = dictionary.map_or(data, |dictionary| dictionary.min(data));
        let end = start.checked_add(packed).filter(|end| *end <= self.data_end);
        let end = end.ok_or_else(|| self.damaged("a column lies outside of the file"))?;
        Ok((start, end))
    }

    /// Chunks over each other are how a small file is made to unpack to one without end.
    fn refuse_overlap(&self, footer: &mut Fields) -> Result<(), SourceError> {
        let mut extents = Extents::default();
        for chunk in chunks(footer).filter(|chunk| codec(chunk) == Some(LZ4)) {
            let (start, end) = self.place(chunk)?;
            extents.add(start, start, end - start);
        }
        match extents.overlap() {
            true => Err(self.damaged("two columns lie over each other")),
            false => Ok(()),
        }
    }

    /// Appends the pages of a chunk, unpacked, and points to them.
    fn unpack(&mut self, chunk: &mut Fields) -> Result<(), SourceError> {
        let begins = self.length;
        let (start, end) = self.place(chunk)?;
        let Some(meta) = chunk.fields_mut(id::CHUNK_META) else { return Ok(()) };
        let (mut at, mut first_data) = (start, None);
        while at < end {
            let page = self.length;
            let (kind, next) = self.page(at, end)?;
            if kind != DICTIONARY_PAGE {
                first_data.get_or_insert(page);
            }
            at = next;
        }
        meta.remove(&[id::META_INDEX]);
        match first_data {
            Some(first) if first > begins => meta.set_int(id::META_DICTIONARY, begins as i64),
            _ => meta.remove(&[id::META_DICTIONARY]),
        }
        meta.set_int(id::META_CODEC, UNCOMPRESSED);
        meta.set_int(id::META_DATA, first_data.unwrap_or(begins) as i64);
        meta.set_int(id::META_PACKED, (self.length - begins) as i64);
        chunk.set_int(id::CHUNK_OFFSET, begins as i64);
        chunk.remove(&id::CHUNK_INDEXES);
        Ok(())
    }

    /// Copies one page; returns its type and where the next one lies.
    fn page(&mut self, at: u64, end: u64) -> Result<(i64, u64), SourceError> {
        let (mut header, size) = self.page_header(at, end)?;
        let number = |id| header.int(id).and_then(|value| usize::try_from(value).ok());
        let (Some(unpacked), Some(packed)) = (number(id::PAGE_UNPACKED), number(id::PAGE_PACKED))
        else {
            return Err(self.damaged("a page does not say how long it is"));
        };
        let next = at + size + packed as u64;
        if next > end || packed > PAGE || unpacked > PAGE {
            return Err(self.damaged("a page is longer than what holds it"));
        }
        let mut body = vec![0; packed];
        let read = self.from.seek(SeekFrom::Start(at + size));
        read.and_then(|_| self.from.read_exact(&mut body))
            .map_err(|error| SourceError::io(self.label, error))?;
        let kind = header.int(id::PAGE_TYPE).unwrap_or_default();
        let v2 = header.fields(id::PAGE_V2).filter(|_| kind == DATA_PAGE_V2);
        let level = |v2: &Fields, id| v2.int(id).map_or(Some(0), |it| usize::try_from(it).ok());
        let [first, second] = id::V2_LEVELS.map(|id| v2.map_or(Some(0), |v2| level(v2, id)));
        let levels = first.zip(second).map_or(usize::MAX, |(a, b)| a.saturating_add(b));
        let is_packed = v2.is_none_or(|v2| v2.get(id::V2_IS_PACKED) != Some(&Value::Bool(false)));
        if is_packed {
            let values = body.get(levels..).zip(unpacked.checked_sub(levels));
            let values = values.and_then(|(values, length)| lz4::page(values, length));
            let values = values.ok_or_else(|| self.damaged("a page packed by LZ4"))?;
            body.truncate(levels);
            body.extend(values);
        }
        header.set_int(id::PAGE_PACKED, body.len() as i64);
        header.remove(&[id::PAGE_CRC]);
        self.put(&thrift::write(&header))?;
        self.put(&body)?;
        Ok((kind, next))
    }

    /// The header of the page at `at`, and its length.
    fn page_header(&mut self, at: u64, end: u64) -> Result<(Fields, u64), SourceError> {
        let mut size = 4_096;
        loop {
            let mut bytes = Vec::new();
            let most = size.min(end - at);
            let read = self.from.seek(SeekFrom::Start(at));
            read.and_then(|_| self.from.by_ref().take(most).read_to_end(&mut bytes))
                .map_err(|error| SourceError::io(self.label, error))?;
            match thrift::read(&bytes) {
                Some((header, length)) => return Ok((header, length as u64)),
                None if most == end - at || size >= PAGE_HEADER => {
                    return Err(self.damaged("the header of a page"));
                }
                None => size *= 16,
            }
        }
    }

    fn finish(mut self, footer: &Fields) -> Result<Spooled, SourceError> {
        let footer = thrift::write(footer);
        let length = u32::try_from(footer.len()).map_err(|_| self.damaged("its footer"))?;
        self.put(&footer)?;
        self.put(&length.to_le_bytes())?;
        self.put(MAGIC)?;
        Ok(Spooled::temporary(self.to.into_temp_path()))
    }
}

#[cfg(test)]
mod tests;
