//! Sheets for people as a workbook: text cells throughout, problem cells coloured and explained.

use super::Record;
use super::error::DeadLetterError;
use super::export::{ExportedPart, create_new};
use super::record::sentence;
use super::sheet::{Layout, OURS, READ_ME, cut, our_cells, workbook_text};
use rust_xlsxwriter::{
    Color, Format, FormatAlign, IgnoreError, Note, Workbook, Worksheet, XlsxError,
};
use std::collections::{HashMap, HashSet};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Rows below the header that a sheet takes.
const SHEET_ROWS: u32 = 1_048_575;
/// Columns that a sheet takes.
const SHEET_COLUMNS: usize = 16_384;
/// Cells held in memory until the workbook is saved; more is no work for a person.
const MOST_CELLS: usize = 3_000_000;
/// Cell notes; each is a drawing, and thousands make a workbook slow.
const MOST_NOTES: usize = 3_000;
/// Widths of the first columns, in characters.
const OUR_WIDTHS: [f64; 4] = [10.0, 24.0, 9.0, 70.0];

/// Writes a workbook with one sheet per layout and a sheet that explains it. Never overwrites a
/// file.
pub fn export_xlsx(
    records: impl IntoIterator<Item = Result<Record, DeadLetterError>>,
    path: &Path,
) -> Result<Vec<ExportedPart>, DeadLetterError> {
    // Before the work, so that a name that is taken is said at once.
    let file = create_new(path)?;
    let saved = build(records).and_then(|(mut workbook, parts)| {
        let mut out = BufWriter::new(file);
        workbook.save_to_writer(&mut out).map_err(trouble)?;
        out.flush().map_err(DeadLetterError::io("write", path))?;
        Ok(parts)
    });
    if saved.is_err() {
        let _ = std::fs::remove_file(path);
    }
    saved
}

fn trouble(error: XlsxError) -> DeadLetterError {
    DeadLetterError::Export { message: format!("the workbook cannot be written: {error}") }
}

struct Formats {
    header: Format,
    ours: Format,
    text: Format,
    problem: Format,
}

impl Formats {
    fn new() -> Self {
        // The built-in format "Text", which every spreadsheet knows.
        let text = Format::new().set_num_format_index(49).set_align(FormatAlign::Top);
        Self {
            header: text.clone().set_bold().set_background_color(Color::RGB(0x00D9_E1F2)),
            ours: text.clone().set_font_color(Color::RGB(0x0059_5959)),
            problem: text.clone().set_background_color(Color::RGB(0x00FF_C7CE)),
            text,
        }
    }
}

struct Sheet {
    layout: Layout,
    columns: Vec<String>,
    worksheet: Worksheet,
    rows: u32,
    name: String,
}

fn build(
    records: impl IntoIterator<Item = Result<Record, DeadLetterError>>,
) -> Result<(Workbook, Vec<ExportedPart>), DeadLetterError> {
    let formats = Formats::new();
    let mut sheets: Vec<Sheet> = Vec::new();
    let mut open: HashMap<Layout, usize> = HashMap::new();
    let mut names = HashSet::from([READ_ME.to_lowercase()]);
    let (mut cells, mut notes) = (0, 0);
    for record in records {
        let record = record?;
        let layout = Layout::of(&record);
        let found = open.get(&layout).copied().filter(|i| sheets[*i].rows < SHEET_ROWS);
        let index = match found {
            Some(index) => index,
            None => {
                sheets.push(Sheet::begin(
                    layout.clone(),
                    sheet_name(&layout, &mut names),
                    &formats,
                )?);
                open.insert(layout, sheets.len() - 1);
                sheets.len() - 1
            }
        };
        cells += sheets[index].add(&record, &formats, &mut notes).map_err(trouble)?;
        if cells > MOST_CELLS {
            return Err(too_many());
        }
    }
    let mut workbook = Workbook::new();
    let mut parts = Vec::new();
    for sheet in sheets {
        let (worksheet, part) = sheet.finish().map_err(trouble)?;
        workbook.push_worksheet(worksheet);
        parts.push(part);
    }
    workbook.push_worksheet(read_me(&formats).map_err(trouble)?);
    Ok((workbook, parts))
}

fn too_many() -> DeadLetterError {
    DeadLetterError::Export {
        message: format!(
            "more than {MOST_CELLS} cells: too much for a workbook that someone corrects; export to \
             CSV, or correct the rule or the file and replay the failed-record file itself"
        ),
    }
}

fn sheet_name(layout: &Layout, names: &mut HashSet<String>) -> String {
    let base: String = layout
        .kind
        .chars()
        .map(|c| if c.is_control() || "[]:*?/\\'".contains(c) { '_' } else { c })
        .take(18)
        .collect();
    let base = if base.trim().is_empty() { "failed".to_owned() } else { base };
    let base = if layout.is_line { format!("{base} lines") } else { base };
    let mut name = base.clone();
    let mut number = 1;
    while !names.insert(name.to_lowercase()) {
        number += 1;
        name = format!("{base} {number}");
    }
    name
}

impl Sheet {
    fn begin(layout: Layout, name: String, formats: &Formats) -> Result<Self, DeadLetterError> {
        let columns = layout.raw_columns();
        if columns.len() + OURS.len() > SHEET_COLUMNS {
            let message =
                format!("{} columns do not go into a sheet; export to CSV", columns.len());
            return Err(DeadLetterError::Export { message });
        }
        let mut worksheet = Worksheet::new();
        let mut fill = || -> Result<(), XlsxError> {
            worksheet.set_name(&name)?;
            for (column, title) in
                (0u16..).zip(OURS.into_iter().chain(columns.iter().map(|c| &**c)))
            {
                let width = match OUR_WIDTHS.get(usize::from(column)) {
                    Some(width) => *width,
                    None => (title.chars().count() as f64 + 4.0).clamp(12.0, 32.0),
                };
                worksheet.set_column_width(column, width)?;
                // The whole column, so that what is typed into a blank cell stays text as well.
                worksheet.set_column_format(column, &formats.text)?;
                worksheet.write_string_with_format(0, column, cut(title), &formats.header)?;
            }
            worksheet.set_freeze_panes(1, 0)?;
            Ok(())
        };
        fill().map_err(trouble)?;
        Ok(Self { layout, columns, worksheet, rows: 0, name })
    }

    /// Writes one record and returns the number of cells.
    fn add(
        &mut self,
        record: &Record,
        formats: &Formats,
        notes: &mut usize,
    ) -> Result<usize, XlsxError> {
        self.rows += 1;
        let row = self.rows;
        let marked = self.marked(record);
        for (column, text) in (0u16..).zip(our_cells(record)) {
            let whole_row = marked.is_empty() && usize::from(column) == OURS.len() - 1;
            let format = if whole_row { &formats.problem } else { &formats.ours };
            self.worksheet.write_string_with_format(row, column, cut(&text), format)?;
        }
        let mut cells = OURS.len();
        for (i, text) in self.layout.raw_cells(record).iter().enumerate() {
            let column = (i + OURS.len()) as u16;
            let problem = marked.get(&i);
            if text.is_empty() && problem.is_none() {
                continue;
            }
            cells += 1;
            let format = if problem.is_some() { &formats.problem } else { &formats.text };
            self.worksheet.write_string_with_format(row, column, workbook_text(text), format)?;
            if let Some(message) = problem.filter(|_| *notes < MOST_NOTES) {
                *notes += 1;
                let note = Note::new(cut_note(message)).set_author("etl").set_width(320);
                self.worksheet.insert_note(row, column, &note.add_author_prefix(false))?;
            }
        }
        Ok(cells)
    }

    /// What is wrong with which raw column.
    fn marked(&self, record: &Record) -> HashMap<usize, String> {
        let mut marked: HashMap<usize, String> = HashMap::new();
        for problem in &record.errors {
            let found = match &problem.column {
                Some(column) => self.layout.headers.iter().position(|header| header == column),
                None => None,
            };
            let position = match found {
                Some(found) => found + usize::from(self.layout.is_line),
                None if self.layout.is_line => 0,
                None => continue,
            };
            let text = marked.entry(position).or_default();
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&sentence(problem));
        }
        marked
    }

    fn finish(mut self) -> Result<(Worksheet, ExportedPart), XlsxError> {
        let last = (self.columns.len() + OURS.len() - 1) as u16;
        self.worksheet.autofilter(0, 0, self.rows, last)?;
        self.worksheet.ignore_error_range(
            0,
            0,
            self.rows,
            last,
            IgnoreError::NumberStoredAsText,
        )?;
        Ok((self.worksheet, ExportedPart { name: self.name, records: u64::from(self.rows) }))
    }
}

fn cut_note(message: &str) -> String {
    message.chars().take(1_000).collect()
}

fn read_me(formats: &Formats) -> Result<Worksheet, XlsxError> {
    let title = Format::new().set_bold();
    let mut sheet = Worksheet::new();
    sheet.set_name(READ_ME)?;
    sheet.set_column_width(0, 110)?;
    sheet.set_column_format(0, &formats.text)?;
    sheet.write_string_with_format(0, 0, "How to correct these rows", &title)?;
    for (row, line) in (1..).zip(READ_ME_LINES) {
        sheet.write_string_with_format(row, 0, *line, &Format::new().set_text_wrap())?;
    }
    Ok(sheet)
}

const READ_ME_LINES: &[&str] = &[
    "Each row was refused when its file was loaded. The column _etl_problem says why; the cell that \
     is wrong is red, and its note says the same.",
    "1. Correct the red cells (or any other cell to the right of _etl_problem).",
    "2. Save the workbook. Its name does not matter.",
    "3. Run: etl reprocess-failures THIS_WORKBOOK.xlsx",
    "A row that you delete stays refused; you can correct it another time. The order of rows does \
     not matter.",
    "Leave the columns _etl_id, _etl_file, _etl_row and _etl_problem and the header as they are. The \
     id tells which row of which file is meant.",
    "All cells are text, so that ids such as 0012 or 474119030010 stay as they are. Type values as \
     they should stand in the file. A value that begins with = is text here too.",
    "On a sheet whose name ends in \"lines\" the row could not be split into columns. Either correct \
     the text in _line, or fill in the columns to the right of it and leave _line alone.",
    "A cell that says \"kept as it is\" holds a text too long for Excel; leave it and the original \
     is used.",
];
