//! Workbooks: a whole container, or parts that are put into a sound one, since changed bytes of a
//! container nearly always end at its checksums.

use super::reading::{Damage, LARGE, Seen, read, tables};
use super::{file, folder};
use etl::chunk::Part;
use etl::source::excel::{Excel, every_cell};
use etl::source::{Content, Format, Listing, SourceOptions, Table, readable, resolve};
use std::collections::BTreeSet;
use std::io::{Cursor, Write};
use std::path::Path;

/// The parts that are given, in this order, separated by NUL, which no XML holds. One that is missing or
/// empty is as in [`default_part`].
const GIVEN: [&str; 5] = [
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/styles.xml",
    "xl/workbook.xml",
    "xl/tables/table1.xml",
];

/// A container where the bytes begin like one, else parts.
pub fn xlsx(data: &[u8]) {
    if data.starts_with(b"PK") {
        let path = file("t.xlsx", data);
        return whole(&path, &SourceOptions::default());
    }
    let mut given = data.split(|byte| *byte == 0);
    let parts = GIVEN.map(|name| match given.next() {
        Some(part) if !part.is_empty() => part.to_vec(),
        _ => default_part(name).into(),
    });
    let path = file("t.xlsx", &book(&parts));
    if !is_known(&path) {
        return;
    }
    let options = SourceOptions::default();
    whole(&path, &options);
    twin("slow.xlsx", &parts, &path, slow(&parts[0]));
    match data.len() % 4 {
        0 => twin("utf16.xlsx", &parts, &path, utf16(&parts[0])),
        1 => spilled(&path),
        2 => asked(&path),
        _ => {}
    }
}

fn is_known(path: &Path) -> bool {
    let argument = path.display().to_string();
    let found = readable(resolve(&[argument], &Listing::default()));
    found.is_ok_and(|(files, _)| files.iter().any(|file| file.format.name() == "xlsx"))
}

/// Reads it in every way. XML need not be well-formed, and is not looked at beyond need.
fn whole(path: &Path, options: &SourceOptions) {
    if is_known(path) {
        tables(&Excel, path, options, Damage::Anywhere, |table, seen| all_rows(path, table, seen));
    }
}

/// Every row below the header that holds something was kept, refused, or is the header again.
fn all_rows(path: &Path, table: &dyn Table, seen: &Seen) {
    let Part::Sheet(name) = table.part() else { panic!("a table of a workbook is a sheet") };
    let header = table.facts().into_iter().find(|(key, _)| key == "header").map(|(_, row)| row);
    let header = header.and_then(|row| row.strip_prefix("row ")?.parse::<u64>().ok());
    let first = seen.rows.iter().map(|row| row.number).min();
    let Some(from) = header.map(|row| row + 1).or(first).filter(|_| seen.ended.is_ok()) else {
        return;
    };
    let mut rows = BTreeSet::new();
    let mut order = Vec::new();
    let read = every_cell(&Content::plain(path), &SourceOptions::default(), |cell| {
        if order.last().is_none_or(|last| last != cell.sheet) {
            order.push(cell.sheet.to_owned());
        }
        if cell.sheet == name && u64::from(cell.row) >= from && !cell.cell.is_blank() {
            rows.insert(u64::from(cell.row));
        }
        Ok(())
    });
    // Other sheets may be damaged, and two may have one name.
    if read.is_err() || order.iter().filter(|sheet| **sheet == name).count() != 1 {
        return;
    }
    let told: BTreeSet<u64> = seen
        .rows
        .iter()
        .map(|row| row.number)
        .chain(seen.refused.iter().map(|(_, row, _)| *row))
        .collect();
    assert!(told.is_subset(&rows), "rows of no cells: {:?}", told.difference(&rows));
    assert_eq!(
        told.len() as u64 + seen.repeated,
        rows.len() as u64,
        "rows that are told of, and rows with cells: {told:?} {rows:?}"
    );
}

/// The same workbook with its sheet written otherwise.
fn twin(name: &str, parts: &[Vec<u8>; 5], path: &Path, sheet: Option<Vec<u8>>) {
    let Some(sheet) = sheet else { return };
    let mut parts = parts.clone();
    parts[0] = sheet;
    let (here, there) = (all(path, &SourceOptions::default()), {
        let twin = file(name, &book(&parts));
        all(&twin, &SourceOptions::default())
    });
    assert_eq!(here, there, "the sheet, and the same sheet in {name}");
}

/// The tables of a workbook, or why it cannot be read, sooner or later.
fn all(path: &Path, options: &SourceOptions) -> Result<Vec<Seen>, &'static str> {
    let surveyed = Excel.survey(&Content::plain(path), options);
    let tables = surveyed.map_err(|error| error.kind.code())?;
    let seen = tables.iter().map(|table| read(&**table, LARGE));
    seen.map(|seen| seen.ended.map(|()| seen)).collect()
}

/// A blank more in every tag of a row or a cell means nothing, and no quick path knows it.
fn slow(sheet: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(sheet).ok()?;
    // Where anything may be text.
    let sure = !text.contains("<!") && !text.contains("<?");
    sure.then(|| text.replace("<c ", "<c  ").replace("<row ", "<row  ").into_bytes())
}

/// The sheet in UTF-16.
fn utf16(sheet: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(sheet).ok()?;
    let sure = !text.contains("encoding") && !text.starts_with('\u{feff}') && text.starts_with('<');
    let units = || std::iter::once(0xfeff).chain(text.encode_utf16());
    sure.then(|| units().flat_map(u16::to_le_bytes).collect())
}

/// Shared strings in a temporary file.
fn spilled(path: &Path) {
    let options = SourceOptions {
        strings_in_memory: Some(0),
        temp_dir: Some(folder().to_owned()),
        ..SourceOptions::default()
    };
    assert_eq!(all(path, &options), all(path, &SourceOptions::default()), "with spilled strings");
}

/// A part of the sheet, by its cells, by a name, and as an Excel table.
fn asked(path: &Path) {
    let range = |text: &str| SourceOptions { range: text.parse().ok(), ..SourceOptions::default() };
    let table = SourceOptions { excel_table: Some("T".into()), ..SourceOptions::default() };
    let headless = SourceOptions { header_row: Some(0), ..range("S!A1:C9") };
    for options in [range("S!B2:C3"), headless, range("N"), table] {
        tables(&Excel, path, &options, Damage::Anywhere, |_, _| {});
    }
}

fn book(parts: &[Vec<u8>; 5]) -> Vec<u8> {
    let given = GIVEN.into_iter().zip(parts.iter().cloned());
    let around = [
        ("[Content_Types].xml", TYPES.as_bytes().to_vec()),
        ("_rels/.rels", rels(&[("officeDocument", "xl/workbook.xml")])),
        (
            "xl/_rels/workbook.xml.rels",
            rels(&[
                ("worksheet", "worksheets/sheet1.xml"),
                ("sharedStrings", "sharedStrings.xml"),
                ("styles", "styles.xml"),
            ]),
        ),
        ("xl/worksheets/_rels/sheet1.xml.rels", rels(&[("table", "../tables/table1.xml")])),
    ];
    stored(&given.chain(around).collect::<Vec<_>>())
}

/// An archive of parts as they are.
pub fn stored(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in parts {
        // A name that stands twice is refused by the writer.
        if to.start_file(*name, options).is_ok() {
            to.write_all(bytes).expect("memory takes all");
        }
    }
    to.finish().expect("memory takes all").into_inner()
}

fn rels(targets: &[(&str, &str)]) -> Vec<u8> {
    let mut xml = String::from(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">",
    );
    for (number, (kind, target)) in (1..).zip(targets) {
        xml.push_str(&format!(
            "<Relationship Id=\"rId{number}\" Type=\"http://schemas.openxmlformats.org/\
             officeDocument/2006/relationships/{kind}\" Target=\"{target}\"/>"
        ));
    }
    xml.push_str("</Relationships>");
    xml.into_bytes()
}

fn default_part(name: &str) -> &'static str {
    match name {
        "xl/worksheets/sheet1.xml" => SHEET,
        "xl/sharedStrings.xml" => STRINGS,
        "xl/styles.xml" => STYLES,
        "xl/workbook.xml" => WORKBOOK,
        _ => TABLE,
    }
}

const SHEET: &str = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c>\
    <c r=\"B1\" t=\"s\"><v>1</v></c></row><row r=\"2\"><c r=\"A2\"><v>1</v></c>\
    <c r=\"B2\" s=\"1\"><v>45000</v></c></row></sheetData></worksheet>";
const STRINGS: &str = "<sst><si><t>id</t></si><si><r><t>na</t></r><r><t>me</t></r></si></sst>";
const STYLES: &str = "<styleSheet><numFmts count=\"1\"><numFmt numFmtId=\"164\" \
    formatCode=\"yyyy\\-mm\\-dd\"/></numFmts><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/>\
    <xf numFmtId=\"10\"/><xf numFmtId=\"22\"/><xf numFmtId=\"46\"/></cellXfs></styleSheet>";
const WORKBOOK: &str = "<workbook xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/\
    relationships\"><workbookPr/><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"rId1\"/></sheets>\
    <definedNames><definedName name=\"N\">S!$A$1:$B$2</definedName></definedNames></workbook>";
const TABLE: &str = "<table id=\"1\" name=\"T\" displayName=\"T\" ref=\"A1:B2\"><tableColumns>\
    <tableColumn id=\"1\" name=\"id\"/><tableColumn id=\"2\" name=\"name\"/></tableColumns></table>";
const TYPES: &str = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
    <Default Extension=\"rels\" \
    ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
    <Default Extension=\"xml\" ContentType=\"application/xml\"/><Override \
    PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.\
    spreadsheetml.sheet.main+xml\"/></Types>";
