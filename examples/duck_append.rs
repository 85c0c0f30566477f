//! How fast DuckDB stores a wide roll: 750,000 rows × 165 columns (110 BIGINT, mostly NULL, and 55
//! texts), appended under a memory limit.
//!
//! `cargo run --release --example duck_append -- FOLDER [CONNECTIONS [FLUSH_ROWS [THREADS [LIMIT_MB
//! [ROWS]]]]]`, by default 1, 16384, 1, 256, 750000.
//!
//! Each connection commits transactions of one row group. Prints seconds, CPU seconds (with those
//! that making the rows took) and the peak of resident memory (Linux).

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use etl::duck::{Database, Frame, ROW_GROUP, Settings};
use polars_arrow::array::{Int64Array, MutableBinaryViewArray, Utf8ViewArray};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const NUMBERS: usize = 110;
const TEXTS: usize = 55;
const CHUNK: usize = 8192;

/// Nanoseconds spent on making rows, which is not DuckDB's time.
static MAKING: AtomicU64 = AtomicU64::new(0);

#[expect(clippy::print_stdout, reason = "a program of its own")]
fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| -> Outcome<usize> {
        Ok(args.get(at).map(|arg| arg.parse()).transpose()?.unwrap_or(default))
    };
    let folder = args.first().ok_or("give a folder for the database; see the source for more")?;
    let (connections, flush) = (number(1, 1)?, number(2, 16_384)?);
    let (threads, limit, rows) = (number(3, 1)?, number(4, 256)?, number(5, 750_000)?);
    let path = Path::new(folder).join(format!("duck_append_{connections}.duckdb"));
    let settings = Settings {
        memory_limit: Some((limit as u64) << 20),
        threads: Some(threads),
        preserve_order: false,
        ..Settings::default()
    };
    let db = Database::open(&path, &settings)?;
    let con = db.connect()?;
    con.execute(&format!("CREATE OR REPLACE TABLE roll ({})", columns().join(", ")))?;

    let before = resident_peak();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let next = AtomicUsize::new(0);
    let loaded: Outcome<()> = std::thread::scope(|scope| {
        let load = || scope.spawn(|| load(&db, &next, rows, flush));
        let loaders: Vec<_> = (0..connections).map(|_| load()).collect();
        loaders.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    });
    loaded?;
    let stored = start.elapsed().as_secs_f64();
    con.checkpoint()?;
    let (total, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let making = MAKING.load(Ordering::Relaxed) as f64 / 1e9;
    let count = con.query("SELECT count(*), count(n0), count(t0) FROM roll", &[])?;
    println!(
        "{connections} connections, {threads} threads, {limit} MB, flush {flush}: {stored:.2} s, with checkpoint {total:.2} s, \
         CPU {cpu:.2} s (making rows {making:.2} s), peak {} MB (before {before}), file {} MB, rows {}",
        resident_peak(),
        std::fs::metadata(&path)?.len() >> 20,
        count.rows[0][0],
    );
    drop((con, db));
    std::fs::remove_file(&path)?;
    Ok(())
}

fn columns() -> Vec<String> {
    let numbers = (0..NUMBERS).map(|at| format!("n{at} BIGINT"));
    numbers.chain((0..TEXTS).map(|at| format!("t{at} VARCHAR"))).collect()
}

/// Takes row groups until there are none left.
fn load(db: &Database, next: &AtomicUsize, rows: usize, flush: usize) -> Outcome<()> {
    let con = db.connect()?;
    let mut appender = con.appender("main", "roll")?;
    loop {
        let from = next.fetch_add(ROW_GROUP, Ordering::Relaxed);
        if from >= rows {
            return Ok(appender.close()?);
        }
        let to = rows.min(from + ROW_GROUP);
        con.begin()?;
        let mut waiting = 0;
        for start in (from..to).step_by(CHUNK) {
            let making = Instant::now();
            let frame = frame(start, CHUNK.min(to - start))?;
            MAKING.fetch_add(making.elapsed().as_nanos() as u64, Ordering::Relaxed);
            appender.append(&frame)?;
            waiting += frame.len();
            if waiting >= flush {
                appender.flush()?;
                waiting = 0;
            }
        }
        appender.flush()?;
        con.commit()?;
    }
}

/// A cheap and repeatable stand-in for a roll: 1 in 8 numbers is there; texts are short codes, names
/// and addresses.
fn frame(from: usize, rows: usize) -> Outcome<Frame> {
    let mut frame = Frame::new();
    for at in 0..NUMBERS {
        let value = |row: usize| {
            let hash = mix(row * NUMBERS + at);
            (at < 14 || hash.is_multiple_of(8)).then_some((hash >> 20) as i64 % 1_000_000)
        };
        let array: Int64Array = (from..from + rows).map(value).collect();
        frame.push(&format!("n{at}"), Box::new(array))?;
    }
    for at in 0..TEXTS {
        let mut array = MutableBinaryViewArray::<str>::with_capacity(rows);
        for row in from..from + rows {
            let hash = mix(row * TEXTS + at);
            match at % 5 {
                0 => array.push(Some(format!("{:04}", hash % 90))),
                1 => {
                    array.push(hash.is_multiple_of(3).then(|| format!("{:08}", hash % 40_000_000)))
                }
                2 => array
                    .push(hash.is_multiple_of(9).then(|| format!("{} MAIN STREET", hash % 9999))),
                3 => array.push(Some(if hash.is_multiple_of(2) { "FL" } else { "06" })),
                _ => array.push(None::<&str>),
            }
        }
        frame.push(&format!("t{at}"), Box::new(Utf8ViewArray::from(array)))?;
    }
    Ok(frame)
}

/// SplitMix64.
fn mix(seed: usize) -> u64 {
    let z = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The peak of resident memory in MB; 0 where the system does not tell.
fn resident_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}

/// User and system time of this process; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
