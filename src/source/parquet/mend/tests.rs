//! Files written by DuckDB and then changed into what it refuses.

use super::*;
use crate::chunk::{Mark, ReadColumn, ReadSchema};
use crate::duck::{Database, Settings};
use crate::source::parquet::Parquet;
use crate::source::{Content, Format};
use std::path::Path;
use std::sync::Arc;

const DATA: &str = "SELECT n AS id, repeat('text ', n % 9) || n AS text, CASE WHEN n % 3 = 0 THEN \
                    NULL ELSE n / 4 END AS share FROM range(3000) t(n)";

fn written(query: &str, options: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = dir.path().join("t.parquet");
    let sql = format!("COPY ({query}) TO '{}' (FORMAT parquet, {options})", path.display());
    let database = Database::memory(&Settings::default()).expect("a database");
    database.connect().expect("connects").execute(&sql).expect("written");
    std::fs::read(path).expect("it is there")
}

fn footer(file: &[u8]) -> (Fields, usize) {
    let at = file.len() - 8;
    let size = u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes")) as usize;
    let (footer, length) = thrift::read(&file[at - size..at]).expect("a footer");
    assert_eq!(length, size, "all of it was understood");
    (footer, at - size)
}

fn with_footer(data: &[u8], footer: &Fields) -> Vec<u8> {
    let footer = thrift::write(footer);
    [data, &footer, &(footer.len() as u32).to_le_bytes(), MAGIC].concat()
}

/// The file with something changed in its footer.
fn changed(file: &[u8], change: impl Fn(&mut Fields)) -> Vec<u8> {
    let (mut fields, data_end) = footer(file);
    change(&mut fields);
    with_footer(&file[..data_end], &fields)
}

/// Every row as texts, blank for NULL.
fn rows(file: &[u8]) -> Result<Vec<Vec<String>>, SourceError> {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = dir.path().join("t.parquet");
    std::fs::write(&path, file).expect("written");
    rows_of(&path)
}

fn rows_of(path: &Path) -> Result<Vec<Vec<String>>, SourceError> {
    let table = Parquet.survey(&Content::plain(path), &SourceOptions::default())?.remove(0);
    let headers = table.headers().to_vec();
    let column = |(field, header): (usize, &String)| {
        ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let columns = headers.iter().enumerate().map(column).collect();
    let schema = Arc::new(ReadSchema { columns, extra: Vec::new(), headers });
    let mut source = table.open(schema, Mark::default())?;
    let mut all = Vec::new();
    while let Some(block) = source.next_block(100_000, 64 << 20)? {
        let decoded = block.body.decode()?;
        for record in 0..decoded.records {
            let fields = decoded.raw.fields(record);
            all.push(fields.into_iter().map(|(_, text)| text).collect());
        }
    }
    Ok(all)
}

fn kind(file: &[u8]) -> SourceErrorKind {
    rows(file).expect_err("refused").kind
}

fn relabelled(footer: &mut Fields) {
    for chunk in chunks(footer) {
        chunk.fields_mut(id::CHUNK_META).expect("metadata").set_int(id::META_CODEC, LZ4);
    }
}

/// Every page of a file of bare blocks put into one of Hadoop's frames.
fn framed(file: &[u8]) -> Vec<u8> {
    let (mut fields, data_end) = footer(file);
    relabelled(&mut fields);
    let mut out = file[..data_end].to_vec();
    for chunk in chunks(&mut fields) {
        let meta = chunk.fields_mut(id::CHUNK_META).expect("metadata");
        let number = |id| meta.int(id).map(|value| value as usize);
        let data = number(id::META_DATA).expect("an offset");
        let mut at = number(id::META_DICTIONARY).map_or(data, |dictionary| dictionary.min(data));
        let (end, begins) = (at + number(id::META_PACKED).expect("a length"), out.len());
        let mut first_data = None;
        while at < end {
            let (mut header, size) = thrift::read(&file[at..end]).expect("a header");
            let packed = header.int(id::PAGE_PACKED).expect("a length") as usize;
            let unpacked = header.int(id::PAGE_UNPACKED).expect("a length") as u32;
            let body = &file[at + size..at + size + packed];
            if header.int(id::PAGE_TYPE) != Some(DICTIONARY_PAGE) {
                first_data.get_or_insert(out.len());
            }
            header.set_int(id::PAGE_PACKED, packed as i64 + 8);
            out.extend(thrift::write(&header));
            out.extend(unpacked.to_be_bytes());
            out.extend((packed as u32).to_be_bytes());
            out.extend(body);
            at += size + packed;
        }
        meta.set_int(id::META_DICTIONARY, begins as i64);
        meta.set_int(id::META_DATA, first_data.expect("a page of data") as i64);
        meta.set_int(id::META_PACKED, (out.len() - begins) as i64);
    }
    with_footer(&out, &fields)
}

#[test]
fn the_retired_codec_is_read_bare_and_framed() {
    for version in ["V1", "V2"] {
        let options =
            format!("COMPRESSION lz4_raw, ROW_GROUP_SIZE 2048, PARQUET_VERSION {version}");
        let file = written(DATA, &options);
        let expected = rows(&file).expect("DuckDB reads what it writes");
        assert_eq!(expected.len(), 3_000);
        let bare = rows(&changed(&file, relabelled)).expect("bare blocks");
        assert!(bare == expected, "{version}: bare blocks");
        let framed = rows(&framed(&file)).expect("frames");
        assert!(framed == expected, "{version}: frames");
    }
}

#[test]
fn damage_in_the_retired_codec_is_an_error() {
    let file = framed(&written(DATA, "COMPRESSION lz4_raw"));
    let sound = rows(&file).expect("sound");
    let (_, data_end) = footer(&file);
    for step in 0..40 {
        let mut damaged = file.clone();
        // The second half holds the frames.
        damaged[data_end / 2 + data_end / 2 * step / 40] ^= 0x5a;
        if let Ok(rows) = rows(&damaged) {
            assert_eq!(rows.len(), sound.len(), "step {step}");
        }
    }
}

/// One page that many columns point to would be written again for each of them.
#[test]
fn columns_over_each_other_are_refused_before_anything_is_written() {
    let file = framed(&written(DATA, "COMPRESSION lz4_raw"));
    let lying = changed(&file, |footer| {
        let place = |chunk: &Fields| {
            let meta = chunk.fields(id::CHUNK_META).expect("metadata");
            [id::META_DATA, id::META_DICTIONARY, id::META_PACKED].map(|id| meta.int(id))
        };
        let first = chunks(footer).next().map(|chunk| place(chunk)).expect("a column");
        for chunk in chunks(footer) {
            let meta = chunk.fields_mut(id::CHUNK_META).expect("metadata");
            let ids = [id::META_DATA, id::META_DICTIONARY, id::META_PACKED];
            ids.into_iter().zip(first).for_each(|(id, to)| meta.set_int(id, to.unwrap_or(0)));
        }
    });
    let error = rows(&lying).expect_err("refused");
    assert_eq!(error.kind, SourceErrorKind::Broken);
    assert!(error.message.contains("over each other"), "{}", error.message);
}

#[test]
fn a_map_without_values_is_its_keys() {
    let query = "SELECT MAP {'a' || n: n, 'b': 2} AS m FROM range(3) t(n)";
    let file = written(query, "COMPRESSION uncompressed");
    let keys_only = changed(&file, |footer| {
        if let Some(Value::List(_, _, elements)) = footer.get_mut(id::FILE_SCHEMA) {
            let value = elements.pop();
            assert!(matches!(value, Some(Value::Struct(_))), "the value's element");
            if let Some(Value::Struct(pair)) = elements.get_mut(2) {
                pair.set_int(id::ELEMENT_CHILDREN, 1);
            }
        }
        for group in footer.list_mut(id::FILE_ROW_GROUPS) {
            if let Some(Value::List(_, _, columns)) = group.get_mut(id::GROUP_COLUMNS) {
                columns.pop();
            }
        }
    });
    let rows = rows(&keys_only).expect("readable");
    assert_eq!(rows.len(), 3);
    assert!(rows[2][0].contains("\"a2\"") && rows[2][0].contains("\"b\""), "{rows:?}");
}

#[test]
fn what_the_footer_forbids_is_named() {
    let file = written(DATA, "COMPRESSION snappy");
    let encrypted = changed(&file, |footer| {
        let algorithm = Fields(vec![(1, Value::Struct(Fields::default()))]);
        footer.0.push((id::FILE_ENCRYPTION, Value::Struct(algorithm)));
    });
    assert_eq!(kind(&encrypted), SourceErrorKind::Password);
    let elsewhere = changed(&file, |footer| {
        let path = Value::Bytes(b"../other.parquet".to_vec());
        chunks(footer).for_each(|chunk| chunk.0.insert(0, (id::CHUNK_PATH, path.clone())));
    });
    assert_eq!(kind(&elsewhere), SourceErrorKind::NotTheFormat);
}

/// Counts that do not agree are never fewer rows.
#[test]
fn a_footer_that_lies_about_rows_is_an_error() {
    const FILE_ROWS: i16 = 3;
    const GROUP_ROWS: i16 = 3;
    let file = written(DATA, "ROW_GROUP_SIZE 2048");
    for more in [1, 1_000_000_000_000] {
        let lying = changed(&file, |footer| footer.set_int(FILE_ROWS, 3_000 + more));
        assert_eq!(kind(&lying), SourceErrorKind::Broken, "{more} rows more in the file");
    }
    let lying = changed(&file, |footer| {
        let groups = footer.list_mut(id::FILE_ROW_GROUPS);
        groups.for_each(|group| group.set_int(GROUP_ROWS, 7));
    });
    assert_eq!(kind(&lying), SourceErrorKind::Broken, "fewer rows in the groups");
}
