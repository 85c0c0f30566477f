//! What each fuzz target does with its bytes, and what must hold whatever they are: no panic, every
//! record a row or a reject, and the same rows however the blocks are cut. Included by the fuzz
//! targets and by the integration tests, which run it over the seeds.

use etl::chunk::{Mark, ReadColumn, ReadSchema};
use etl::load::dead_letter;
use etl::source::csv::{Csv, CsvPolicy};
use etl::source::excel::Excel;
use etl::source::parquet::Parquet;
use etl::source::{Content, Format, SourceError, SourceOptions, Table, resolve};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Records of one table that are looked at; the inputs are small, so more would be a loop.
const MOST: u64 = 5_000_000;

/// Rows, their row numbers and cells, as far as they were read; then the refusal of the file, if any.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: Vec<(u64, Vec<Option<String>>)>,
    refused: Vec<u64>,
    ended: Result<(), &'static str>,
}

/// A file that lives as long as the process, written anew for each input.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    // In memory where the system has such a folder: a disk would be the slowest part.
    let make = || match Path::new("/dev/shm").is_dir() {
        true => tempfile::tempdir_in("/dev/shm"),
        false => tempfile::tempdir(),
    };
    let folder = FOLDER.get_or_init(|| make().expect("a temporary folder"));
    // Tests run beside each other.
    let path = folder.path().join(format!("{:?}-{name}", std::thread::current().id()));
    std::fs::write(&path, bytes).expect("the folder is writable");
    path
}

/// Every column as text.
fn schema(table: &dyn Table) -> Arc<ReadSchema> {
    let column = |(field, header): (usize, &String)| {
        ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let headers = table.headers().to_vec();
    Arc::new(ReadSchema {
        columns: headers.iter().enumerate().map(column).collect(),
        extra: Vec::new(),
        headers,
    })
}

/// Reads a table in blocks of about `rows` records.
fn read(table: &dyn Table, rows: usize, bytes: usize) -> Seen {
    let mut seen = Seen { rows: Vec::new(), refused: Vec::new(), ended: Ok(()) };
    if let Err(error) = read_into(table, rows, bytes, &mut seen) {
        assert!(error.to_string().len() > 10, "a refusal in words: {error}");
        seen.ended = Err(error.kind.code());
    }
    seen
}

fn read_into(
    table: &dyn Table,
    rows: usize,
    bytes: usize,
    seen: &mut Seen,
) -> Result<(), SourceError> {
    let mut source = table.open(schema(table), Mark::default())?;
    let mut records = 0;
    while let Some(block) = source.next_block(rows, bytes)? {
        let decoded = block.body.decode()?;
        let kept = decoded.index.len();
        assert_eq!(decoded.frame.height(), kept, "a row for each index");
        assert_eq!(
            decoded.records as usize,
            kept + decoded.rejects.len(),
            "the account of a block"
        );
        records += u64::from(decoded.records);
        assert!(records < MOST, "the blocks never end");
        for (at, record) in decoded.index.iter().enumerate() {
            let cells = decoded.frame.columns().iter();
            let cells = cells.map(|column| column.str().expect("text").get(at).map(str::to_owned));
            seen.rows.push((decoded.raw.place(*record).row, cells.collect()));
        }
        for reject in &decoded.rejects {
            assert!(!reject.problems.is_empty(), "a reject has a reason");
            seen.refused.push(reject.place.row);
        }
    }
    Ok(())
}

/// Surveys a file and reads its tables twice, in large and in small blocks. In a format that is not
/// `exact` damage may be seen only where a block ends in it.
fn tables(format: &dyn Format, path: &Path, options: &SourceOptions, exact: bool) {
    let surveyed = match format.survey(&Content::plain(path), options) {
        Ok(tables) => tables,
        Err(error) => return assert!(error.to_string().len() > 10, "in words: {error}"),
    };
    for table in surveyed {
        let large = read(&*table, 100_000, 64 << 20);
        let small = read(&*table, 3, 64);
        match (&large.ended, &small.ended) {
            (Ok(()), Ok(())) => assert_eq!(large, small, "the same rows in blocks of any size"),
            (large, small) => {
                assert!(!exact || large == small, "{large:?} and {small:?} in other blocks");
            }
        }
    }
}

/// Delimited text. The first byte chooses the policy, and whether the text is repeated until it fills
/// several of the smallest blocks.
pub fn csv(data: &[u8]) {
    /// Of four KiB each.
    const BLOCKS: usize = 3;
    let Some((first, text)) = data.split_first() else { return };
    let csv = if first & 1 == 0 { CsvPolicy::Strict } else { CsvPolicy::Lenient };
    let options = SourceOptions { csv, ..SourceOptions::default() };
    let times = if first & 2 == 0 { 1 } else { BLOCKS * 4_096 / text.len().max(1) + 1 };
    tables(&Csv, &file("t.csv", &text.repeat(times)), &options, true);
}

/// A Parquet file.
pub fn parquet(data: &[u8]) {
    let path = file("t.parquet", data);
    let argument = path.display().to_string();
    if resolve(&[argument], &SourceOptions::default()).is_ok() {
        tables(&Parquet, &path, &SourceOptions::default(), true);
    }
}

/// A workbook: a whole container where the bytes begin like one, else parts that are put into a sound
/// one, since changed bytes of a container nearly always end at its checksums. Parts are separated by
/// NUL, which no XML holds: sheet, shared strings, styles, workbook.
pub fn xlsx(data: &[u8]) {
    let path = if data.starts_with(b"PK") {
        file("t.xlsx", data)
    } else {
        let mut given = data.split(|byte| *byte == 0);
        let mut part = |default: &str| -> Vec<u8> {
            given.next().filter(|part| !part.is_empty()).unwrap_or(default.as_bytes()).to_vec()
        };
        let parts = [
            ("xl/worksheets/sheet1.xml", part(SHEET)),
            ("xl/sharedStrings.xml", part(STRINGS)),
            ("xl/styles.xml", part(STYLES)),
            ("xl/workbook.xml", part(WORKBOOK)),
            ("[Content_Types].xml", TYPES.into()),
            ("_rels/.rels", RELS.into()),
            ("xl/_rels/workbook.xml.rels", BOOK_RELS.into()),
        ];
        file("t.xlsx", &stored(&parts))
    };
    let argument = path.display().to_string();
    if resolve(&[argument], &SourceOptions::default()).is_ok() {
        // XML that is not well-formed, inside a sound container.
        tables(&Excel, &path, &SourceOptions::default(), false);
    }
}

fn stored(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in parts {
        to.start_file(*name, options).expect("a free name");
        to.write_all(bytes).expect("memory takes all");
    }
    to.finish().expect("memory takes all").into_inner()
}

/// Failed records: read as such, replayed, recovered; and as a corrected sheet that is joined with
/// sound records.
pub fn dead_letter(data: &[u8]) {
    let path = file("t.failed.jsonl", data);
    let told = dead_letter::inspect(&path).expect("damage is told, not an error");
    let records = dead_letter::read(&path).expect("the file can be opened");
    let sound = records.take_while(Result::is_ok).count() as u64;
    assert!(told.records + told.damaged.map_or(0, |(lines, _)| lines) >= sound, "none is lost");
    if let Ok(replay) = dead_letter::import_records(std::slice::from_ref(&path)) {
        assert!(replay.len() as u64 <= sound, "no record comes out of nothing");
        for table in &replay.tables {
            read_replay(table);
        }
    }
    let copy = file("copy.failed.jsonl", data);
    let recovered = dead_letter::recover(&copy, |_| true);
    if let Ok(first) = recovered {
        let again = dead_letter::recover(&copy, |_| true).expect("what is recovered stays so");
        assert_eq!((again.kept, again.dropped), (first.kept, 0), "recovering twice is once");
    }
    let original = file("original.failed.jsonl", ORIGINAL);
    let sheet = file("corrected", data);
    if let Ok(replay) = dead_letter::import(&sheet, &[original], |_| false) {
        for table in &replay.tables {
            read_replay(table);
        }
    }
}

fn read_replay(table: &dead_letter::ReplayTable) {
    let seen = read(table, 1_000, 1 << 20);
    if seen.ended.is_ok() {
        let rows = seen.rows.len() + seen.refused.len();
        assert_eq!(rows, table.rows().len(), "every record is a row or refused again");
    }
}

/// Sound records, so that a sheet has something to be joined with.
const ORIGINAL: &[u8] = include_bytes!("../seeds/dead_letter/records");

const SHEET: &str = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c>\
    <c r=\"B1\" t=\"s\"><v>1</v></c></row><row r=\"2\"><c r=\"A2\"><v>1</v></c>\
    <c r=\"B2\" s=\"1\"><v>45000</v></c></row></sheetData></worksheet>";
const STRINGS: &str = "<sst><si><t>id</t></si><si><r><t>na</t></r><r><t>me</t></r></si></sst>";
const STYLES: &str = "<styleSheet><numFmts count=\"1\"><numFmt numFmtId=\"164\" \
    formatCode=\"yyyy\\-mm\\-dd\"/></numFmts><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/>\
    <xf numFmtId=\"10\"/></cellXfs></styleSheet>";
const WORKBOOK: &str = "<workbook xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/\
    relationships\"><workbookPr/><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"rId1\"/></sheets>\
    </workbook>";
const TYPES: &str = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
    <Default Extension=\"rels\" \
    ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
    <Default Extension=\"xml\" ContentType=\"application/xml\"/><Override \
    PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.\
    spreadsheetml.sheet.main+xml\"/></Types>";
const RELS: &str = "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/\
    relationships\"><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/\
    officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/>\
    </Relationships>";
const BOOK_RELS: &str = "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/\
    relationships\"><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/\
    officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
    <Relationship Id=\"rId2\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/\
    relationships/sharedStrings\" Target=\"sharedStrings.xml\"/><Relationship Id=\"rId3\" \
    Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles\" \
    Target=\"styles.xml\"/></Relationships>";
