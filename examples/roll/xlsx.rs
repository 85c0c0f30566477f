//! A workbook written in one pass: the sheet goes out row by row, the shared strings, which Excel
//! keeps for every text, are collected in memory and written last.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::columns::Columns;
use crate::row::{Cell, Row};

/// Rows that a sheet can hold.
pub const SHEET_ROWS: u64 = 1_048_576;
const PENDING: usize = 1 << 18;
const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// A workbook of one sheet.
pub struct Workbook {
    zip: ZipWriter<BufWriter<File>>,
    letters: Vec<String>,
    strings: Strings,
    rows: u64,
    pending: Vec<u8>,
}

impl Workbook {
    /// A new workbook with its header row.
    pub fn create(file: BufWriter<File>, sheet: &str, columns: &Columns) -> io::Result<Self> {
        let mut zip = ZipWriter::new(file);
        for (name, body) in parts(sheet) {
            zip.start_file(name, SimpleFileOptions::default())?;
            zip.write_all(XML.as_bytes())?;
            zip.write_all(body.as_bytes())?;
        }
        zip.start_file("xl/worksheets/sheet1.xml", SimpleFileOptions::default())?;
        let pending = format!("{XML}<worksheet xmlns=\"{MAIN}\"><sheetData>").into_bytes();
        let letters = (0..columns.len()).map(Columns::letters).collect();
        let mut workbook = Self { zip, letters, strings: Strings::default(), rows: 0, pending };
        workbook.header(columns)?;
        Ok(workbook)
    }

    /// Writes a row.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.open_row()?;
        for (place, cell) in row.cells().iter().enumerate() {
            match cell {
                Cell::Blank => {}
                Cell::Int(value) => self.number(place, itoa::Buffer::new().format(*value)),
                Cell::Number(span) => self.number(place, row.str(*span)),
                Cell::Text(span) | Cell::Bare(span) | Cell::Latin1(span) => {
                    self.shared(place, row.str(*span));
                }
            }
        }
        self.close_row()
    }

    /// Writes the end of the sheet and the shared strings.
    pub fn finish(mut self) -> io::Result<()> {
        self.pending.extend_from_slice(b"</sheetData></worksheet>");
        self.zip.write_all(&self.pending)?;
        self.zip.start_file("xl/sharedStrings.xml", SimpleFileOptions::default())?;
        self.strings.write(&mut self.zip)?;
        self.zip.finish()?.flush()
    }

    fn header(&mut self, columns: &Columns) -> io::Result<()> {
        self.open_row()?;
        for (place, name) in columns.names().iter().enumerate() {
            self.shared(place, name);
        }
        self.close_row()
    }

    fn open_row(&mut self) -> io::Result<()> {
        self.rows += 1;
        if self.rows > SHEET_ROWS {
            return Err(io::Error::other("a sheet holds 1,048,576 rows; write CSV, or fewer rows"));
        }
        self.pending.extend_from_slice(b"<row r=\"");
        self.pending.extend_from_slice(itoa::Buffer::new().format(self.rows).as_bytes());
        self.pending.extend_from_slice(b"\">");
        Ok(())
    }

    fn close_row(&mut self) -> io::Result<()> {
        self.pending.extend_from_slice(b"</row>");
        if self.pending.len() >= PENDING {
            self.zip.write_all(&self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }

    fn number(&mut self, place: usize, value: &str) {
        self.cell(place, b"\"><v>", value);
    }

    fn shared(&mut self, place: usize, text: &str) {
        let id = self.strings.id(text);
        self.cell(place, b"\" t=\"s\"><v>", itoa::Buffer::new().format(id));
    }

    fn cell(&mut self, place: usize, kind: &[u8], value: &str) {
        self.pending.extend_from_slice(b"<c r=\"");
        self.pending.extend_from_slice(self.letters[place].as_bytes());
        self.pending.extend_from_slice(itoa::Buffer::new().format(self.rows).as_bytes());
        self.pending.extend_from_slice(kind);
        self.pending.extend_from_slice(value.as_bytes());
        self.pending.extend_from_slice(b"</v></c>");
    }
}

/// The texts of a workbook, each once.
#[derive(Default)]
struct Strings {
    text: String,
    ends: Vec<usize>,
    ids: HashTable<u32>,
    uses: u64,
}

impl Strings {
    fn id(&mut self, wanted: &str) -> u32 {
        self.uses += 1;
        let Self { text, ends, ids, .. } = self;
        let hash = |id: &u32| xxh3_64(slice(text, ends, *id).as_bytes());
        let wanted_hash = xxh3_64(wanted.as_bytes());
        if let Some(id) = ids.find(wanted_hash, |id| slice(text, ends, *id) == wanted) {
            return *id;
        }
        let id = ends.len() as u32;
        ids.insert_unique(wanted_hash, id, hash);
        text.push_str(wanted);
        ends.push(text.len());
        id
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (uses, unique) = (self.uses, self.ends.len());
        write!(out, "{XML}<sst xmlns=\"{MAIN}\" count=\"{uses}\" uniqueCount=\"{unique}\">")?;
        let mut pending = String::with_capacity(PENDING + 256);
        for id in 0..unique {
            let text = slice(&self.text, &self.ends, id as u32);
            let edged = text.starts_with(' ') || text.ends_with(' ');
            let kept = edged || text.contains("  ");
            pending.push_str(if kept { "<si><t xml:space=\"preserve\">" } else { "<si><t>" });
            escape(text, &mut pending);
            pending.push_str("</t></si>");
            if pending.len() >= PENDING {
                out.write_all(pending.as_bytes())?;
                pending.clear();
            }
        }
        pending.push_str("</sst>");
        out.write_all(pending.as_bytes())
    }
}

fn slice<'t>(text: &'t str, ends: &[usize], id: u32) -> &'t str {
    let id = id as usize;
    let from = if id == 0 { 0 } else { ends[id - 1] };
    &text[from..ends[id]]
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
}

/// The small parts of a workbook.
fn parts(sheet: &str) -> [(&'static str, String); 5] {
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let sheets = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let part = |name: &str, kind: &str| {
        format!("<Override PartName=\"/xl/{name}.xml\" ContentType=\"{sheets}.{kind}+xml\"/>")
    };
    let link = |id: u8, kind: &str, target: &str| {
        format!("<Relationship Id=\"rId{id}\" Type=\"{office}/{kind}\" Target=\"{target}.xml\"/>")
    };
    let links = |inner: String| {
        format!("<Relationships xmlns=\"{package}/relationships\">{inner}</Relationships>")
    };
    let types = [
        part("workbook", "sheet.main"),
        part("worksheets/sheet1", "worksheet"),
        part("styles", "styles"),
        part("sharedStrings", "sharedStrings"),
    ];
    let inner = [
        link(1, "worksheet", "worksheets/sheet1"),
        link(2, "styles", "styles"),
        link(3, "sharedStrings", "sharedStrings"),
    ];
    [
        ("[Content_Types].xml", content_types(package, &types.concat())),
        ("_rels/.rels", links(link(1, "officeDocument", "xl/workbook"))),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{office}\"><sheets>\
                 <sheet name=\"{sheet}\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        ("xl/_rels/workbook.xml.rels", links(inner.concat())),
        ("xl/styles.xml", styles()),
    ]
}

fn content_types(package: &str, parts: &str) -> String {
    format!(
        "<Types xmlns=\"{package}/content-types\">\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/>{parts}</Types>"
    )
}

fn styles() -> String {
    format!(
        "<styleSheet xmlns=\"{MAIN}\">\
         <fonts count=\"1\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts>\
         <fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill>\
         <fill><patternFill patternType=\"gray125\"/></fill></fills>\
         <borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
         <cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>\
         <cellXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/></cellXfs>\
         <cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles>\
         </styleSheet>"
    )
}
