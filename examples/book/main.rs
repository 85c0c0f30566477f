//! Times the reading of a workbook beside two measures: inflating the parts that are read, and the
//! cell stream of calamine. One thread, processor time, medians, in one run.
//!
//!     cargo run --release --example book -- FILE.xlsx [REPEATS]
//!
//! *inflate* unpacks the sheets and the shared strings with zlib-rs and does nothing with them. *read*
//! is all that a load does before its agents: fingerprint, header, shared strings, and every cell in a
//! typed column. *calamine* asks for every cell as a borrowed value and keeps none.
#![expect(clippy::print_stdout, reason = "a program of its own")]

use calamine::{Reader, Xlsx};
use etl::chunk::{ColumnKind, Mark, ReadColumn, ReadSchema, Role};
use etl::pack::ColumnType;
use etl::run::load_pack;
use etl::source::{Listing, SourceOptions, Table, readable, resolve};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows and bytes of a block, as a load with the default memory limit asks for them.
const BLOCK: (usize, usize) = (50_000, 2 << 20);

struct Measure {
    name: &'static str,
    run: fn(&str) -> Outcome<u64>,
    counts: &'static str,
}

const MEASURES: &[Measure] = &[
    Measure { name: "inflate", run: inflate, counts: "bytes" },
    Measure { name: "read", run: read, counts: "cells" },
    Measure { name: "read, strings in a file", run: read_spilled, counts: "cells" },
    Measure { name: "calamine", run: calamine, counts: "cells" },
];

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: book FILE.xlsx [REPEATS]")?;
    let repeats = arguments.next().map_or(Ok(3), |text| text.parse::<usize>())?.max(1);
    let only = arguments.next();
    let chosen = || MEASURES.iter().filter(|it| only.as_ref().is_none_or(|name| name == it.name));
    let mut times = vec![Vec::new(); chosen().count()];
    let mut counts = vec![0; times.len()];
    // The measures take turns, so that a machine that drifts drifts for all; the first round does
    // not count.
    for round in 0..=repeats {
        for (at, measure) in chosen().enumerate() {
            let before = clock();
            counts[at] = (measure.run)(&file)?;
            if round > 0 {
                times[at].push(clock().saturating_sub(before));
            }
        }
    }
    let medians: Vec<_> = times.iter_mut().map(|times| median(times)).collect();
    println!("| what | CPU s | of the inflate | counted |");
    println!("|---|---|---|---|");
    for ((measure, time), count) in chosen().zip(&medians).zip(counts) {
        let ratio = time.as_secs_f64() / medians[0].as_secs_f64();
        let seconds = time.as_secs_f64();
        println!("| {} | {seconds:.3} | {ratio:.2} | {count} {} |", measure.name, measure.counts);
    }
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Processor time of this thread, which does everything here; where the system does not tell it, the
/// time that has passed.
fn clock() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Unpacks what a reader of cells must unpack.
fn inflate(file: &str) -> Outcome<u64> {
    let mut archive = zip::ZipArchive::new(BufReader::new(File::open(file)?))?;
    let mut bytes = 0;
    let mut buffer = vec![0; 1 << 20];
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at)?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if !name.starts_with("xl/worksheets/sheet") && name != "xl/sharedStrings.xml" {
            continue;
        }
        let packed = BufReader::with_capacity(1 << 18, entry);
        let mut unpacked = flate2::read::DeflateDecoder::new(packed);
        loop {
            match unpacked.read(&mut buffer)? {
                0 => break,
                read => bytes += read as u64,
            }
        }
    }
    Ok(bytes)
}

/// Reads every cell into a typed column.
fn read(file: &str) -> Outcome<u64> {
    read_with(file, &SourceOptions::default())
}

/// The same with the shared strings in a temporary file, as when they are more than their share of the
/// memory limit.
fn read_spilled(file: &str) -> Outcome<u64> {
    read_with(file, &SourceOptions { strings_in_memory: Some(0), ..SourceOptions::default() })
}

fn read_with(file: &str, options: &SourceOptions) -> Outcome<u64> {
    let (files, _) = readable(resolve(&[file.to_owned()], &Listing::default()))?;
    let mut cells = 0;
    for file in &files {
        for table in file.format.survey(&file.content, options)? {
            let mut source = table.open(schema(&*table)?, Mark::default())?;
            while let Some(block) = source.next_block(BLOCK.0, BLOCK.1)? {
                let decoded = block.body.decode()?;
                let filled = decoded.frame.columns().iter();
                cells += filled.map(|it| (it.len() - it.null_count()) as u64).sum::<u64>();
            }
        }
    }
    Ok(cells)
}

/// A roll's columns as the pack has them; of any other table the whole numbers by its first rows, and
/// the rest as text.
fn schema(table: &dyn Table) -> Outcome<Arc<ReadSchema>> {
    let pack = load_pack("florida")?;
    let headers = table.headers();
    let kind = pack.recognise(headers).and_then(|found| pack.kind(&found.kind));
    let mut columns: Vec<_> = headers.iter().enumerate().map(|it| plain(table, it)).collect();
    if let Some(kind) = kind {
        for (column, field) in kind.columns.iter().zip(kind.bind(headers, None).columns) {
            let Some(field) = field else { continue };
            let (kind, role) = typed(column.ty);
            let (width, max_len, nulls) = (column.width, column.max_len, column.nulls.clone());
            let plain = columns[field].clone();
            columns[field] = ReadColumn { kind, role, width, max_len, nulls, ..plain };
        }
    }
    Ok(Arc::new(ReadSchema { columns, extra: Vec::new(), headers: headers.to_vec() }))
}

fn typed(ty: ColumnType) -> (ColumnKind, Role) {
    match ty {
        ColumnType::Text => (ColumnKind::Text, Role::Plain),
        ColumnType::Id => (ColumnKind::Text, Role::Id),
        ColumnType::Code => (ColumnKind::Text, Role::Code),
        ColumnType::Integer => (ColumnKind::BigInt, Role::Plain),
        ColumnType::Money => (ColumnKind::BigInt, Role::Money),
        ColumnType::Real => (ColumnKind::Double, Role::Plain),
        ColumnType::Date => (ColumnKind::Date, Role::Plain),
    }
}

fn plain(table: &dyn Table, (field, header): (usize, &String)) -> ReadColumn {
    let mut values = table.sample().iter().filter_map(|record| record.get(field));
    let whole = values.all(|value| value.is_empty() || value.parse::<i32>().is_ok());
    ReadColumn {
        kind: if whole { ColumnKind::BigInt } else { ColumnKind::Text },
        clean: true,
        ..ReadColumn::text(format!("c{field}"), header, field)
    }
}

/// Asks for every cell.
fn calamine(file: &str) -> Outcome<u64> {
    let mut book: Xlsx<_> = calamine::open_workbook(file)?;
    let mut cells = 0;
    for sheet in book.sheet_names() {
        let mut reader = book.worksheet_cells_reader(&sheet)?;
        while let Some(cell) = reader.next_cell()? {
            cells += u64::from(*cell.get_value() != calamine::DataRef::Empty);
        }
    }
    Ok(cells)
}
