//! Files that are damaged at random: each is read to its end or refused in words, never a panic, a
//! hang, or a record that is neither a row nor a reject.
//!
//! The damage is chosen by a seed, so a failure comes back: `ETL_HOSTILE_SEED=n` repeats it, and
//! `ETL_HOSTILE_ROUNDS=n` (default 40 a kind of file) makes a long night of it.

use super::roll;
use etl::chunk::{Mark, ReadColumn, ReadSchema};
use etl::source::{Listing, SourceOptions, Table, readable, resolve};
use std::io::{Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Far above what any of these small files can need, also on a machine that is busy.
const HANG: Duration = Duration::from_secs(60);
/// Blocks of a file; the seeds have a few.
const BLOCKS: usize = 10_000;

/// A small generator of numbers (SplitMix64): the same on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Bytes that mean something to one format or another.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\"\"",
    b"\0",
    b"\r",
    b"\n",
    b",",
    b"<",
    b">",
    b"</row>",
    b"<row>",
    b"<c r=\"ZZZ9\">",
    b"<![CDATA[",
    b"<!--",
    b"&#x0;",
    b"&lol;",
    b"t=\"s\"",
    b"r=\"A1048577\"",
    b"<v>99999999</v>",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"PK\x03\x04",
    b"PAR1",
    b"1e999",
    b"-0",
    b"\xf0\x9f\x8f\xa0",
];

fn mutate(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(out.len());
        match rng.below(6) {
            0 if !out.is_empty() => out[at] ^= 1 << rng.below(8),
            1 => out.truncate(at),
            2 => {
                let token = TOKENS[rng.below(TOKENS.len())];
                out.splice(at..at, token.iter().copied());
            }
            3 => {
                let end = (at + rng.below(64)).min(out.len());
                out.drain(at..end);
            }
            4 => {
                let end = (at + rng.below(200)).min(out.len());
                let piece = out[at..end].to_vec();
                let to = rng.below(out.len());
                out.splice(to..to, piece);
            }
            _ => {
                let end = (at + 8).min(out.len());
                let value = rng.next() >> rng.below(64);
                let length = end - at;
                out[at..end].copy_from_slice(&value.to_le_bytes()[..length]);
            }
        }
    }
    out
}

/// Every column as text.
fn schema(table: &dyn Table) -> ReadSchema {
    let column = |(field, header): (usize, &String)| ReadColumn {
        clean: true,
        ..ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let headers = table.headers().to_vec();
    ReadSchema {
        columns: headers.iter().enumerate().map(column).collect(),
        extra: Vec::new(),
        headers,
    }
}

/// Reads all tables of a file; the number of records, or the refusal.
pub fn read_all(path: &Path) -> Result<u64, String> {
    let options = SourceOptions::default();
    let argument = path.display().to_string();
    let (files, _) =
        readable(resolve(&[argument], &Listing::default())).map_err(|error| error.to_string())?;
    let mut records = 0;
    for file in files {
        let tables = file.format.survey(&file.content, &options).map_err(|e| e.to_string())?;
        for table in tables {
            let schema = Arc::new(schema(table.as_ref()));
            let mut source =
                table.open(schema, Mark::default()).map_err(|error| error.to_string())?;
            for block in 0.. {
                assert!(block < BLOCKS, "the blocks never end");
                let Some(block) = source.next_block(50, 1 << 16).map_err(|e| e.to_string())? else {
                    break;
                };
                let decoded = block.body.decode().map_err(|error| error.to_string())?;
                let kept = decoded.index.len();
                assert_eq!(decoded.frame.height(), kept, "a row for each index");
                assert_eq!(decoded.records as usize, kept + decoded.rejects.len(), "an account");
                records += u64::from(decoded.records);
            }
        }
    }
    Ok(records)
}

/// Reads on a thread of its own, so that a hang is seen.
fn read_in_time(path: PathBuf) -> Result<Result<u64, String>, String> {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let read = catch_unwind(AssertUnwindSafe(|| read_all(&path)));
        let _ = tell.send(read.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "a panic".into())
        }));
    });
    told.recv_timeout(HANG).unwrap_or_else(|_| Err("it hangs".into()))
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Reads a seed, which must be sound, and many damaged copies of it.
fn survives(name: &str, sound: &[u8], damage: impl Fn(&mut Rng) -> Vec<u8>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder is writable");
        path
    };
    let read = read_in_time(write(name, sound)).expect("no panic");
    assert!(read.as_ref().is_ok_and(|records| *records > 50), "{name}: {read:?}");
    let first = number("ETL_HOSTILE_SEED", 1);
    let mut refused = 0;
    for seed in first..first + number("ETL_HOSTILE_ROUNDS", 40) {
        let bytes = damage(&mut Rng(seed));
        let outcome = read_in_time(write(name, &bytes));
        let read = outcome.unwrap_or_else(|trouble| {
            let kept = std::env::temp_dir().join(format!("hostile-{seed}-{name}"));
            std::fs::write(&kept, &bytes).expect("writable");
            panic!("{name}, ETL_HOSTILE_SEED={seed}: {trouble}; kept as {}", kept.display())
        });
        if let Err(message) = read {
            assert!(message.len() > 10, "{name}, seed {seed}: a refusal in words: {message:?}");
            refused += 1;
        }
    }
    assert!(refused > 0 || name.ends_with("csv"), "{name}: no damage was ever refused");
}

fn sales() -> Vec<u8> {
    roll::sales(120).into_bytes()
}

/// A workbook with texts, numbers, dates, booleans, blanks and a formula.
fn workbook() -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let date = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd");
    let page = book.add_worksheet();
    let fits = "within the limits of a sheet";
    for (column, name) in (0..).zip(["id", "name", "price", "sold", "ok", "sum"]) {
        page.write_string(0, column, name).expect(fits);
    }
    for row in 1..=120_u32 {
        page.write_string(row, 0, format!("{row:06}")).expect(fits);
        page.write_string(row, 1, if row % 7 == 0 { "A & B <c>" } else { "ÖZ 漢" }).expect(fits);
        page.write_number(row, 2, f64::from(row) * 1.25).expect(fits);
        page.write_number_with_format(row, 3, 45_000.0 + f64::from(row), &date).expect(fits);
        page.write_boolean(row, 4, row % 2 == 0).expect(fits);
        if row % 3 == 0 {
            page.write_formula(row, 5, "=C2*2").expect(fits);
        }
    }
    book.save_to_buffer().expect("a workbook")
}

/// A workbook whose XML is damaged inside a sound container: bytes flipped outside would nearly
/// always end at the checksum.
fn damaged_inside(sound: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut from = zip::ZipArchive::new(Cursor::new(sound)).expect("a sound container");
    let victim = rng.below(from.len());
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..from.len() {
        let mut part = from.by_index(at).expect("a part");
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).expect("sound");
        let name = part.name().expect("a plain name").into_owned();
        if at == victim || name.contains("sheet1") {
            bytes = mutate(&bytes, rng);
        }
        to.start_file(name, zip::write::SimpleFileOptions::default()).expect("a free name");
        to.write_all(&bytes).expect("writable");
    }
    to.finish().expect("writable").into_inner()
}

fn parquet() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.parquet");
    let database = etl::duck::Database::memory(&etl::duck::Settings::default()).expect("memory");
    let sql = format!(
        "COPY (SELECT n AS id, 'name ' || n AS name, n * 1.5 AS price, DATE '2025-01-01' + n::INT \
         AS sold, n % 3 = 0 AS ok, [n, n + 1] AS list FROM range(200) t(n)) TO '{}' \
         (FORMAT parquet, ROW_GROUP_SIZE 64)",
        path.display()
    );
    database.connect().expect("a connection").execute(&sql).expect("sound SQL");
    std::fs::read(path).expect("it was written")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("memory takes all");
    packer.finish().expect("memory takes all")
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    to.start_file("SDF16P202501.csv", zip::write::SimpleFileOptions::default()).expect("free");
    to.write_all(bytes).expect("memory takes all");
    to.finish().expect("memory takes all").into_inner()
}

#[test]
fn text() {
    let sound = sales();
    survives("SDF16P202501.csv", &sound, |rng| mutate(&sound, rng));
}

#[test]
fn packed_text() {
    for (name, sound) in [("s.csv.gz", gzipped(&sales())), ("SDF16P202501.zip", zipped(&sales()))] {
        survives(name, &sound, |rng| mutate(&sound, rng));
    }
}

#[test]
fn workbooks() {
    let sound = workbook();
    survives("w.xlsx", &sound, |rng| mutate(&sound, rng));
    survives("inside.xlsx", &sound, |rng| damaged_inside(&sound, rng));
}

#[test]
fn columnar() {
    let sound = parquet();
    survives("t.parquet", &sound, |rng| mutate(&sound, rng));
}

#[test]
fn failed_records() {
    let place = super::support::Place::new().file("SDF16P202501.csv", &roll::sales(400));
    super::loaded::loads(&place, &["SDF16P202501.csv"], &[]);
    let name = std::fs::read_dir(place.path(""))
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .find(|name| name.ends_with(".failed.jsonl"))
        .expect("some rows are refused");
    let path = place.path(&name);
    let sound = std::fs::read(&path).expect("readable");
    let count = |path: &Path| -> Result<usize, String> {
        let records = etl::load::dead_letter::read(path).map_err(|error| error.to_string())?;
        let mut read = 0;
        for record in records {
            record.map_err(|error| error.to_string())?;
            read += 1;
        }
        Ok(read)
    };
    assert!(count(&path).is_ok_and(|records| records > 1));
    for seed in 1..=number("ETL_HOSTILE_ROUNDS", 40) {
        std::fs::write(&path, mutate(&sound, &mut Rng(seed))).expect("writable");
        if let Err(message) = count(&path) {
            assert!(message.len() > 10, "seed {seed}: {message:?}");
        }
        let (code, _) = super::loaded::told(&place.output(&["reprocess-failures", "-q"]));
        assert!((0..=8).contains(&code), "seed {seed}: exit {code}");
    }
}
