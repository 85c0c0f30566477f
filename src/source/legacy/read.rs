//! The half that runs in the process of its own: a library parses the workbook, all its cells are told
//! as frames. What it cannot read it says; a panic of the library is told like any other trouble.

use super::formulas::{Formulas, Place};
use super::frame::{self, Fault, LARGEST, Told};
use super::{Kind, WORKBOOK, holds_stream};
use crate::source::SourceErrorKind;
use crate::source::cell::Cell;
use crate::source::excel::moment::{self, Serial};
use calamine::{
    Data, Ods, OdsError, Range, Reader, Sheet, SheetType, SheetVisible, Xls, XlsError, Xlsb,
    XlsbError,
};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Rows of a sheet in Excel.
const MAX_ROWS: u32 = 1_048_576;
/// Columns of a sheet in Excel (XFD).
const MAX_COLUMNS: u32 = 16_384;
/// A part of a container above this size may not be packed tighter than [`RATIO`].
const LARGE: u64 = 256 << 20;
/// Real sheets are packed 5:1 to 50:1; zeros reach 1000:1.
const RATIO: u64 = 300;

/// Parses the workbook at `path` and writes everything in it to `out`. `Err` only where nobody takes
/// it: trouble with the workbook is told in the stream.
pub fn serve(kind: Kind, path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let mut teller = Teller { out, payload: Vec::new(), row: 0, rows: 0, sheets: 0 };
    let told = guarded(|| match kind {
        Kind::Xls => xls(path, &mut teller),
        Kind::Xlsb => xlsb(path, &mut teller),
        Kind::Ods => ods(path, &mut teller),
    });
    match told {
        Ok(()) => teller.done(),
        Err(Trouble::File(fault)) => teller.say(&Told::Fault(fault)),
        Err(Trouble::Output(error)) => Err(error),
    }?;
    teller.out.flush()
}

/// Why telling ended.
enum Trouble {
    /// The workbook.
    File(Fault),
    /// Nobody listens.
    Output(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn fault(kind: SourceErrorKind, message: impl Into<String>) -> Trouble {
    Trouble::File(Fault { kind, message: message.into() })
}

fn damaged(error: &dyn std::fmt::Display) -> Trouble {
    fault(SourceErrorKind::Broken, format!("the workbook is damaged or cut off ({error})"))
}

fn password() -> Trouble {
    fault(SourceErrorKind::Password, "the workbook is password protected")
}

/// Runs library code; its panic is trouble with the file.
fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(fault(SourceErrorKind::ReaderDied, "it holds something that the reader cannot take"))
    })
}

fn xls(path: &Path, teller: &mut Teller<'_>) -> Result<(), Trouble> {
    let file = open(path)?;
    let mut book = Xls::new(file).map_err(|error| explain_xls(&error, path))?;
    let from_1904 = book.has_1904_epoch();
    let sheets = book.sheets_metadata().to_vec();
    refuse_twins(&sheets)?;
    each_sheet(&sheets, teller, |sheet, teller| {
        let range = book.worksheet_range(&sheet.name).map_err(|error| damaged(&error))?;
        teller.range(&range, from_1904)
    })
}

fn ods(path: &Path, teller: &mut Teller<'_>) -> Result<(), Trouble> {
    verify(path)?;
    let mut book = Ods::new(open(path)?).map_err(|error| match error {
        OdsError::Password => password(),
        OdsError::CellLimitExceeded { requested, max } => fault(
            SourceErrorKind::Limit,
            format!("a sheet claims {requested} cells, {max} are read at most"),
        ),
        other => damaged(&other),
    })?;
    let sheets = book.sheets_metadata().to_vec();
    refuse_twins(&sheets)?;
    each_sheet(&sheets, teller, |sheet, teller| {
        let range = book.worksheet_range(&sheet.name).map_err(|error| damaged(&error))?;
        teller.range(&range, false)
    })
}

fn xlsb(path: &Path, teller: &mut Teller<'_>) -> Result<(), Trouble> {
    verify(path)?;
    let mut book = Xlsb::new(open(path)?).map_err(|error| explain_xlsb(&error))?;
    let from_1904 = book.has_1904_epoch();
    let sheets = book.sheets_metadata().to_vec();
    refuse_twins(&sheets)?;
    each_sheet(&sheets, teller, |sheet, teller| {
        let explain = |error: XlsbError| explain_xlsb(&error);
        let mut formulas = Formulas::start(path, &sheet.name);
        let mut cells = book.worksheet_cells_reader(&sheet.name).map_err(explain)?;
        while let Some(cell) = cells.next_cell().map_err(explain)? {
            let place = cell.get_position();
            for missing in formulas.until(Some(place)) {
                teller.formula_error(missing)?;
            }
            teller.value(place, &Data::from(cell.get_value().clone()), from_1904)?;
        }
        for missing in formulas.until(None) {
            teller.formula_error(missing)?;
        }
        Ok(())
    })
}

fn open(path: &Path) -> Result<BufReader<File>, Trouble> {
    let file = File::open(path).map_err(|error| damaged(&error))?;
    Ok(BufReader::with_capacity(1 << 18, file))
}

/// The library finds sheets by name: of two with one name it would read one twice.
fn refuse_twins(sheets: &[Sheet]) -> Result<(), Trouble> {
    let mut names = BTreeSet::new();
    match sheets.iter().find(|sheet| !names.insert(&sheet.name)) {
        None => Ok(()),
        Some(twin) => {
            Err(fault(SourceErrorKind::Broken, format!("two sheets are called \"{}\"", twin.name)))
        }
    }
}

/// Tells all sheets; what is wrong with one does not concern the others.
fn each_sheet(
    sheets: &[Sheet],
    teller: &mut Teller<'_>,
    mut tell: impl FnMut(&Sheet, &mut Teller<'_>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    for sheet in sheets {
        let cells = sheet.typ == SheetType::WorkSheet;
        let visible = sheet.visible == SheetVisible::Visible;
        teller.begin(&Told::Sheet { name: sheet.name.clone(), visible, cells })?;
        let told = if cells { guarded(|| tell(sheet, teller)) } else { Ok(()) };
        match told {
            Ok(()) => teller.end()?,
            Err(Trouble::File(fault)) => teller.say(&Told::SheetFault(fault))?,
            Err(output) => return Err(output),
        }
    }
    Ok(())
}

/// Reads every part of a zip container to its end, so that its checksums are compared: the library
/// stops where it has what it wants.
fn verify(path: &Path) -> Result<(), Trouble> {
    let mut archive = zip::ZipArchive::new(open(path)?).map_err(|error| damaged(&error))?;
    if archive.has_duplicate_names() {
        return Err(damaged(&"two of its parts have one name"));
    }
    let mut file = open(path)?;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| damaged(&error))?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let ratio = entry.size() / entry.compressed_size().max(1);
        if entry.encrypted() {
            return Err(password());
        }
        if entry.size() > LARGE && ratio > RATIO {
            let size = entry.size() >> 20;
            let message = format!("the part {name} unpacks to {size} MiB, {ratio} times its size");
            return Err(fault(SourceErrorKind::Limit, message));
        }
        let (place, listed) = (entry.header_start(), entry.name_raw().to_vec());
        drop(entry);
        // A part that is listed under another name is missed by the library, and not missing.
        if own_name(&mut file, place).is_none_or(|own| own != listed) {
            return Err(damaged(&format!("{name}: listed under another name")));
        }
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        let limit = entry.size().saturating_add(1);
        io::copy(&mut entry.by_ref().take(limit), &mut io::sink())
            .map_err(|error| damaged(&format!("{name}: {error}")))?;
    }
    Ok(())
}

/// The name in the header of a member itself.
fn own_name(file: &mut (impl Read + Seek), place: u64) -> Option<Vec<u8>> {
    let mut header = [0; 30];
    file.seek(SeekFrom::Start(place)).ok()?;
    file.read_exact(&mut header).ok()?;
    let mut name = vec![0; usize::from(u16::from_le_bytes([header[26], header[27]]))];
    file.read_exact(&mut name).ok()?;
    Some(name)
}

fn explain_xls(error: &XlsError, path: &Path) -> Trouble {
    let text = error.to_string();
    match error {
        XlsError::Password => password(),
        // The library's own error for this is not public, and it says the same of a stream cut off.
        _ if !text.contains("Cannot find Workbook stream") => damaged(&text),
        _ if mentions(path, &["EncryptedPackage"]) => password(),
        _ if mentions(path, &WORKBOOK) => damaged(&"its workbook is not there as a whole"),
        _ => fault(
            SourceErrorKind::NotTheFormat,
            "an OLE file without a workbook in it (a document or a mail, perhaps)",
        ),
    }
}

/// Whether one of these names stands anywhere in a container.
fn mentions(path: &Path, names: &[&str]) -> bool {
    const PIECE: usize = 1 << 20;
    const OVERLAP: usize = 64;
    let Ok(file) = File::open(path) else { return false };
    let mut bytes = Vec::new();
    loop {
        let kept = bytes.len().min(OVERLAP);
        bytes.drain(..bytes.len() - kept);
        match (&file).take(PIECE as u64).read_to_end(&mut bytes) {
            Ok(1..) if names.iter().any(|name| holds_stream(&bytes, name)) => return true,
            Ok(1..) => {}
            _ => return false,
        }
    }
}

fn explain_xlsb(error: &XlsbError) -> Trouble {
    match error {
        XlsbError::Password => password(),
        other => damaged(other),
    }
}

/// Writes frames; knows the sheet and the row in hand.
struct Teller<'a> {
    out: &'a mut dyn Write,
    payload: Vec<u8>,
    /// Row in hand, from 1; 0: none.
    row: u32,
    rows: u32,
    sheets: u32,
}

impl Teller<'_> {
    fn say(&mut self, told: &Told) -> io::Result<()> {
        frame::write(self.out, told, &[])
    }

    fn begin(&mut self, sheet: &Told) -> io::Result<()> {
        (self.row, self.rows) = (0, 0);
        self.payload.clear();
        self.sheets += 1;
        self.say(sheet)
    }

    fn end(&mut self) -> Result<(), Trouble> {
        self.end_row()?;
        Ok(self.say(&Told::End { rows: self.rows })?)
    }

    fn done(&mut self) -> io::Result<()> {
        self.say(&Told::Done { sheets: self.sheets })
    }

    fn end_row(&mut self) -> Result<(), Trouble> {
        if self.payload.len() > LARGEST {
            let message = format!("row {} holds more than {} MiB", self.row, LARGEST >> 20);
            return Err(fault(SourceErrorKind::Limit, message));
        }
        if !self.payload.is_empty() {
            frame::write(self.out, &Told::Row { number: self.row }, &self.payload)?;
            self.rows += 1;
            self.payload.clear();
        }
        Ok(())
    }

    fn range(&mut self, range: &Range<Data>, from_1904: bool) -> Result<(), Trouble> {
        let Some((top, left)) = range.start() else { return Ok(()) };
        for (row, cells) in (top..).zip(range.rows()) {
            for (column, value) in (left..).zip(cells) {
                if *value != Data::Empty {
                    self.value((row, column), value, from_1904)?;
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, place: Place, value: &Data, from_1904: bool) -> Result<(), Trouble> {
        let column = self.go_to(place)?;
        if let Data::String(text) = value
            && is_misread(text)
        {
            let row = self.row;
            let message = format!("a text in row {row} is in an encoding that the reader mistakes");
            return Err(fault(SourceErrorKind::Broken, message));
        }
        self.put(column, value, from_1904);
        Ok(())
    }

    /// A formula whose result is an error; the library passes over which one it is.
    fn formula_error(&mut self, place: Place) -> Result<(), Trouble> {
        let column = self.go_to(place)?;
        frame::put(&mut self.payload, column, Cell::Error("#ERROR"));
        Ok(())
    }

    /// Goes to the row of a cell, and says its column.
    fn go_to(&mut self, (row, column): Place) -> Result<u16, Trouble> {
        if row >= MAX_ROWS || column >= MAX_COLUMNS {
            let (row, column) = (u64::from(row) + 1, u64::from(column) + 1);
            let message = format!("a cell claims row {row}, column {column}, beyond XFD1048576");
            return Err(fault(SourceErrorKind::Limit, message));
        }
        let row = row + 1;
        if row < self.row {
            let message = format!("row {row} stands behind row {}", self.row);
            return Err(fault(SourceErrorKind::Broken, message));
        }
        if row > self.row {
            self.end_row()?;
            self.row = row;
        }
        Ok(column as u16)
    }

    fn put(&mut self, column: u16, value: &Data, from_1904: bool) {
        let mut put = |cell: Cell<'_>| frame::put(&mut self.payload, column, cell);
        match value {
            Data::Empty => {}
            Data::String(text) => put(Cell::Text(text)),
            Data::Bool(value) => put(Cell::Bool(*value)),
            Data::Int(value) => put(Cell::Number(*value as f64)),
            Data::Float(value) if value.is_finite() => put(Cell::Number(*value)),
            Data::Float(value) => put(Cell::Text(&value.to_string())),
            Data::Error(error) => put(Cell::Error(&error.to_string())),
            Data::DateTimeIso(text) => match moment::from_iso(text) {
                Some(micros) => put(Cell::Moment(micros)),
                None => put(Cell::Text(text)),
            },
            Data::DurationIso(text) => match duration(text) {
                Some(days) => put_serial(moment::from_serial(days, true, false), &mut put),
                None => put(Cell::Text(text)),
            },
            Data::DateTime(stored) => {
                let serial = moment::from_serial(stored.as_f64(), stored.is_duration(), from_1904);
                put_serial(serial, &mut put);
            }
        }
    }
}

/// Wide characters taken for narrow ones: every second one is NUL.
fn is_misread(text: &str) -> bool {
    let chars = text.chars().count();
    chars >= 2 && chars.is_multiple_of(2) && text.chars().skip(1).step_by(2).all(|c| c == '\0')
}

fn put_serial(serial: Serial, put: &mut impl FnMut(Cell<'_>)) {
    match serial {
        Serial::Moment(micros) => put(Cell::Moment(micros)),
        Serial::Text(text) => put(Cell::Text(&text)),
        Serial::Number(value) => put(Cell::Number(value)),
    }
}

/// `PT36H15M07.5S` in days.
fn duration(text: &str) -> Option<f64> {
    let mut rest = text.strip_prefix("PT")?;
    let mut seconds = 0.0;
    for (unit, weight) in [('H', 3_600.0), ('M', 60.0), ('S', 1.0)] {
        if let Some((number, behind)) = rest.split_once(unit) {
            seconds += number.parse::<f64>().ok()? * weight;
            rest = behind;
        }
    }
    rest.is_empty().then_some(seconds / 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_days() {
        for (text, days) in [
            ("PT36H00M00S", Some(1.5)),
            ("PT12H", Some(0.5)),
            ("PT00H00M43.2S", Some(0.000_5)),
            ("P1D", None),
            ("PT1X", None),
        ] {
            assert_eq!(duration(text), days, "{text}");
        }
    }
}
