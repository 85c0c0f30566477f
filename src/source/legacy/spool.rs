//! The temporary file that holds the frames of a workbook, and where each sheet lies in it.
//!
//! It is written while frames come and are checked: sheets begin and end, rows ascend and are as many
//! as the end says, every cell can be read. So whatever reads it later meets no surprise.

use super::frame::{self, Cells, Fault, Told};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most bytes of the frames of a workbook.
const LARGEST: u64 = 16 << 30;

/// The frames of a workbook on disk; removed when the last handle goes.
#[derive(Debug, Clone)]
pub struct Spool {
    temp: Arc<tempfile::TempPath>,
    /// Its sheets in order.
    pub sheets: Arc<Vec<SheetSpan>>,
}

/// One sheet in a spool.
#[derive(Debug, Clone)]
pub struct SheetSpan {
    /// Its name.
    pub name: String,
    /// Whether it is shown.
    pub visible: bool,
    /// Whether it can hold cells.
    pub cells: bool,
    /// Offset of its first row.
    pub start: u64,
    /// Offset behind its last row.
    pub end: u64,
    /// Rows in it.
    pub rows: u32,
    /// Number of its last row.
    pub last_row: u32,
    /// Why it cannot be read.
    pub fault: Option<Fault>,
}

/// Why a stream did not become a spool.
#[derive(Debug)]
pub enum Refused {
    /// The stream says that the workbook cannot be read.
    Told(Fault),
    /// The stream broke off or makes no sense.
    Stream(io::Error),
    /// It is larger than any workbook.
    TooLarge,
    /// The temporary file cannot be written.
    Disk(io::Error),
}

impl Spool {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.temp
    }
}

/// Takes a stream of frames into a new file; `progress` counts its bytes.
pub fn take(
    stream: &mut dyn Read,
    folder: Option<&PathBuf>,
    progress: &AtomicU64,
) -> Result<Spool, Refused> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("etl-sheets-");
    let file = match folder {
        Some(folder) => builder.tempfile_in(folder),
        None => builder.tempfile(),
    };
    let file = file.map_err(Refused::Disk)?;
    let mut taker = Taker { out: BufWriter::new(file.as_file()), at: 0, sheets: Vec::new() };
    let mut buffer = Vec::new();
    while taker.next(stream, &mut buffer)? {
        progress.store(taker.at + 1, Ordering::Relaxed);
        if taker.at > LARGEST {
            return Err(Refused::TooLarge);
        }
    }
    taker.out.flush().map_err(Refused::Disk)?;
    let sheets = Arc::new(std::mem::take(&mut taker.sheets));
    drop(taker);
    Ok(Spool { temp: Arc::new(file.into_temp_path()), sheets })
}

struct Taker<'a> {
    out: BufWriter<&'a File>,
    at: u64,
    /// The last one is open while its `end` is 0 (its own frame stands before that).
    sheets: Vec<SheetSpan>,
}

impl Taker<'_> {
    /// Takes a frame; false behind the last one.
    fn next(&mut self, stream: &mut dyn Read, buffer: &mut Vec<u8>) -> Result<bool, Refused> {
        let told = frame::read(stream, buffer).map_err(Refused::Stream)?;
        let told = told.ok_or_else(|| Refused::Stream(io::ErrorKind::UnexpectedEof.into()))?;
        let known = self.sheets.len();
        let open = self.sheets.last_mut().filter(|sheet| sheet.end == 0);
        match (told, open) {
            (Told::Sheet { name, visible, cells }, None) => {
                self.write(&Told::Sheet { name: name.clone(), visible, cells }, &[])?;
                let (start, fault) = (self.at, None);
                let span =
                    SheetSpan { name, visible, cells, start, end: 0, rows: 0, last_row: 0, fault };
                self.sheets.push(span);
            }
            (Told::Row { number }, Some(sheet)) => {
                if number <= sheet.last_row {
                    return Err(nonsense("a row is out of order"));
                }
                (sheet.rows, sheet.last_row) = (sheet.rows + 1, number);
                let mut cells = Cells(&buffer[4..]);
                while cells.next().map_err(Refused::Stream)?.is_some() {}
                self.write(&Told::Row { number }, &buffer[4..])?;
            }
            (Told::End { rows }, Some(sheet)) if rows == sheet.rows => sheet.end = self.at,
            (Told::SheetFault(fault), Some(sheet)) => {
                (sheet.end, sheet.fault) = (self.at, Some(fault));
            }
            (Told::Fault(fault), _) => return Err(Refused::Told(fault)),
            (Told::Done { sheets }, None) if sheets as usize == known => {
                return Ok(false);
            }
            _ => return Err(nonsense("a frame is out of order")),
        }
        Ok(true)
    }

    fn write(&mut self, told: &Told, payload: &[u8]) -> Result<(), Refused> {
        let mut counted = Counted { out: &mut self.out, at: &mut self.at };
        frame::write(&mut counted, told, payload).map_err(Refused::Disk)
    }
}

fn nonsense(message: &'static str) -> Refused {
    Refused::Stream(io::Error::new(io::ErrorKind::InvalidData, message))
}

struct Counted<'a, W> {
    out: &'a mut W,
    at: &'a mut u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        *self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::cell::Cell;

    fn stream(frames: &[Told]) -> Vec<u8> {
        let mut payload = Vec::new();
        frame::put(&mut payload, 0, Cell::Text("x"));
        let mut bytes = Vec::new();
        frames.iter().for_each(|told| frame::write(&mut bytes, told, &payload).expect("in memory"));
        bytes
    }

    fn taken(frames: &[Told]) -> Result<Spool, Refused> {
        take(&mut stream(frames).as_slice(), None, &AtomicU64::new(0))
    }

    fn sheet(name: &str) -> Told {
        Told::Sheet { name: name.into(), visible: true, cells: true }
    }

    #[test]
    fn sheets_are_found_where_they_lie() {
        let frames = [
            sheet("a"),
            Told::Row { number: 2 },
            Told::Row { number: 9 },
            Told::End { rows: 2 },
            sheet("b"),
            Told::End { rows: 0 },
            Told::Done { sheets: 2 },
        ];
        let spool = taken(&frames).expect("sound");
        let (a, b) = (&spool.sheets[0], &spool.sheets[1]);
        assert_eq!((a.rows, a.last_row, b.rows), (2, 9, 0));
        assert!(a.start < a.end && a.end < b.start && b.start == b.end);
        let path = spool.path().to_owned();
        assert!(path.exists());
        drop(spool);
        assert!(!path.exists(), "the file goes with the last handle");
    }

    #[test]
    fn what_is_missing_or_out_of_order_is_refused() {
        let row = |number| Told::Row { number };
        for frames in [
            vec![],
            vec![sheet("a"), row(1), Told::End { rows: 1 }],
            vec![sheet("a"), row(1), Told::End { rows: 2 }, Told::Done { sheets: 1 }],
            vec![sheet("a"), row(2), row(2), Told::End { rows: 2 }, Told::Done { sheets: 1 }],
            vec![sheet("a"), row(1), Told::Done { sheets: 1 }],
            vec![row(1), Told::Done { sheets: 0 }],
            vec![sheet("a"), Told::End { rows: 0 }, Told::Done { sheets: 2 }],
        ] {
            assert!(matches!(taken(&frames), Err(Refused::Stream(_))), "{frames:?}");
        }
    }
}
