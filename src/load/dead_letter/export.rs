//! Sheets for people as CSV: one file per layout, guarded against formulas.

use super::Record;
use super::error::DeadLetterError;
use super::sheet::{Layout, OURS, guard, our_cells};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// One written file or sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedPart {
    /// Path of the file, or name of the sheet.
    pub name: String,
    /// Records in it.
    pub records: u64,
}

/// Opens the file of the n-th layout (from 0) and says its name.
type Open<'a> = dyn FnMut(usize) -> Result<(String, Box<dyn Write + 'a>), DeadLetterError> + 'a;

/// Writes `path`, and `<stem>-2.csv` and so on beside it where the records have several headers.
/// Never overwrites a file.
pub fn export_csv(
    records: impl IntoIterator<Item = Result<Record, DeadLetterError>>,
    path: &Path,
) -> Result<Vec<ExportedPart>, DeadLetterError> {
    let mut made = Vec::new();
    let mut open = |index: usize| -> Result<(String, Box<dyn Write>), DeadLetterError> {
        let path = numbered(path, index);
        let file = create_new(&path)?;
        let name = path.display().to_string();
        made.push(path);
        Ok((name, Box::new(BufWriter::new(file))))
    };
    let written = write(records, &mut open, path);
    if written.is_err() {
        // Half a sheet is worse than none: corrections in it would look complete.
        for path in &made {
            let _ = std::fs::remove_file(path);
        }
    }
    written
}

/// Writes to a stream, which takes records of one header only.
pub fn export_csv_to(
    records: impl IntoIterator<Item = Result<Record, DeadLetterError>>,
    out: &mut dyn Write,
) -> Result<Vec<ExportedPart>, DeadLetterError> {
    let mut out = Some(out);
    let mut open = |_| match out.take() {
        Some(out) => Ok(("output".to_owned(), Box::new(out) as Box<dyn Write>)),
        None => Err(DeadLetterError::Export {
            message: "the failed records have different headers and cannot go into one stream; \
                      give a file name, or export to XLSX"
                .into(),
        }),
    };
    write(records, &mut open, Path::new("output"))
}

pub(super) fn create_new(path: &Path) -> Result<File, DeadLetterError> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return DeadLetterError::Exists(path.to_owned());
        }
        DeadLetterError::io("create the file", path)(error)
    })
}

fn numbered(path: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", index + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

struct Part<'a> {
    layout: Layout,
    out: csv::Writer<Box<dyn Write + 'a>>,
    exported: ExportedPart,
}

fn write<'a>(
    records: impl IntoIterator<Item = Result<Record, DeadLetterError>>,
    open: &mut Open<'a>,
    path: &Path,
) -> Result<Vec<ExportedPart>, DeadLetterError> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut known: HashMap<Layout, usize> = HashMap::new();
    let trouble = |error: csv::Error| DeadLetterError::io("write", path)(error.into());
    for record in records {
        let record = record?;
        let layout = Layout::of(&record);
        let position = match known.get(&layout) {
            Some(position) => *position,
            None => {
                let (name, out) = open(parts.len())?;
                parts.push(begin(layout.clone(), name, out, path)?);
                known.insert(layout, parts.len() - 1);
                parts.len() - 1
            }
        };
        let part = &mut parts[position];
        let raw = part.layout.raw_cells(&record);
        let cells = our_cells(&record);
        let cells = cells.iter().chain(&raw).map(|cell| guard(cell).into_owned());
        part.out.write_record(cells.collect::<Vec<_>>()).map_err(trouble)?;
        part.exported.records += 1;
    }
    let mut exported = Vec::new();
    for mut part in parts {
        part.out.flush().map_err(DeadLetterError::io("write", path))?;
        exported.push(part.exported);
    }
    Ok(exported)
}

fn begin<'a>(
    layout: Layout,
    name: String,
    mut out: Box<dyn Write + 'a>,
    path: &Path,
) -> Result<Part<'a>, DeadLetterError> {
    // Without the mark Excel reads UTF-8 as the code page of the machine.
    out.write_all(b"\xef\xbb\xbf").map_err(DeadLetterError::io("write", path))?;
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let columns = layout.raw_columns();
    let header = OURS.iter().copied().chain(columns.iter().map(String::as_str));
    out.write_record(header.map(|name| guard(name).into_owned()).collect::<Vec<_>>())
        .map_err(|error| DeadLetterError::io("write", path)(error.into()))?;
    Ok(Part { layout, out, exported: ExportedPart { name, records: 0 } })
}
