//! Workbooks made in memory, read through the format's front door.

mod oracle;
mod package;
mod ranges;
mod usual;

use super::Excel;
use crate::chunk::{ColumnKind, Mark, MisfitKind, ReadColumn, ReadSchema, Role};
use crate::source::{
    Confidence, Content, Decoded, Format, Listing, Packing, SourceError, SourceErrorKind,
    SourceOptions, Table, readable, resolve,
};
use rust_xlsxwriter::{ExcelDateTime, Format as Style, Formula, Workbook};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn saved(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("the test folder can be written");
    path
}

/// Surveys a packed copy: the tables then own the unpacked one, and the test folder can go.
fn survey_with(bytes: &[u8], options: &SourceOptions) -> Result<Vec<Arc<dyn Table>>, SourceError> {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = saved(dir.path(), "book.gz", &gzipped(bytes));
    let content = Content::new(&path, "book".into(), "book".into(), None, Packing::Gzip);
    Excel.survey(&content, options)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("in memory");
    gzip.finish().expect("in memory")
}

fn survey(bytes: &[u8]) -> Vec<Arc<dyn Table>> {
    survey_with(bytes, &SourceOptions::default()).expect("a readable workbook")
}

fn fault(bytes: &[u8]) -> SourceError {
    survey_with(bytes, &SourceOptions::default()).err().expect("a refusal")
}

fn column(name: &str, field: usize, kind: ColumnKind, role: Role) -> ReadColumn {
    ReadColumn {
        name: name.into(),
        header: name.into(),
        field,
        kind,
        role,
        width: None,
        max_len: None,
        nulls: Vec::new(),
        key: false,
        clean: true,
        order: Default::default(),
        float: false,
        zone: None,
        exact: false,
    }
}

fn schema(table: &dyn Table, kinds: &[(ColumnKind, Role)]) -> Arc<ReadSchema> {
    let columns = kinds
        .iter()
        .enumerate()
        .map(|(field, (kind, role))| column(&format!("c{field}"), field, *kind, *role));
    Arc::new(ReadSchema {
        columns: columns.collect(),
        extra: Vec::new(),
        headers: table.headers().to_vec(),
    })
}

fn all_text(table: &dyn Table) -> Arc<ReadSchema> {
    schema(table, &vec![(ColumnKind::Text, Role::Plain); table.headers().len()])
}

fn read(
    table: &dyn Table,
    schema: &Arc<ReadSchema>,
    from: Mark,
    rows: usize,
) -> Result<Vec<Decoded>, SourceError> {
    let mut source = table.open(Arc::clone(schema), from)?;
    let mut all = Vec::new();
    while let Some(block) = source.next_block(rows, 1 << 20)? {
        let decoded = block.body.decode()?;
        assert_eq!(decoded.frame.height(), decoded.index.len());
        assert_eq!(decoded.index.len() + decoded.rejects.len(), decoded.records as usize);
        all.push(decoded);
    }
    Ok(all)
}

/// Rows as (row number, texts), nulls as `-`.
fn rows(decoded: &[Decoded]) -> Vec<(u64, Vec<String>)> {
    let mut all = Vec::new();
    for block in decoded {
        for (i, record) in block.index.iter().enumerate() {
            let texts = block.frame.columns().iter().map(|column| {
                let value = column.get(i).expect("the row is there");
                if value.is_null() { "-".into() } else { value.str_value().into_owned() }
            });
            all.push((block.raw.place(*record).row, texts.collect()));
        }
    }
    all
}

fn texts(bytes: &[u8]) -> Vec<(u64, Vec<String>)> {
    let table = survey(bytes).remove(0);
    let schema = all_text(table.as_ref());
    rows(&read(table.as_ref(), &schema, Mark::default(), 100).expect("readable"))
}

fn row(number: u64, texts: &[&str]) -> (u64, Vec<String>) {
    (number, texts.iter().map(|text| (*text).to_owned()).collect())
}

/// A workbook of one sheet with the given rows as XML.
fn raw(sheet_data: &str) -> Vec<u8> {
    raw_with(sheet_data, "", &[])
}

fn raw_with(sheet_data: &str, workbook_properties: &str, more: &[(&str, &str)]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    const DOC: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let types = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>";
    let parts = [
        ("[Content_Types].xml", types.to_owned()),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{RELS}\"><Relationship Id=\"r1\" \
                 Type=\"{DOC}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{DOC}\">{workbook_properties}<sheets>\
                 <sheet name=\"Data\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{RELS}\"><Relationship Id=\"r1\" \
                 Type=\"{DOC}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "<styleSheet xmlns=\"{MAIN}\"><cellXfs><xf numFmtId=\"0\"/>\
                 <xf numFmtId=\"14\"/></cellXfs></styleSheet>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{sheet_data}</sheetData></worksheet>"),
        ),
    ];
    let more = more.iter().map(|(name, text)| (*name, (*text).to_owned()));
    zipped(parts.into_iter().chain(more).map(|(name, text)| (name, text.into_bytes())))
}

fn zipped<'a>(parts: impl Iterator<Item = (&'a str, Vec<u8>)>) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("in memory");
        zip.write_all(&bytes).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

fn text_cell(address: &str, text: &str) -> String {
    format!("<c r=\"{address}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

/// The two header cells of most raw sheets here.
fn header() -> String {
    format!("<row r=\"1\">{}{}</row>", text_cell("A1", "id"), text_cell("B1", "value"))
}

#[test]
fn values_keep_their_types() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let day = Style::new().set_num_format("yyyy-mm-dd");
    for (column, name) in (0..).zip(["id", "jv", "ratio", "sold", "open", "note"]) {
        sheet.write_string(0, column, name).expect("in bounds");
    }
    sheet.write_number(1, 0, 474_119_030_010.0).expect("in bounds");
    sheet.write_number(1, 1, 125_000.0).expect("in bounds");
    sheet.write_number(1, 2, 0.85).expect("in bounds");
    let date = ExcelDateTime::from_ymd(2025, 1, 31).expect("a date");
    sheet.write_datetime_with_format(1, 3, &date, &day).expect("in bounds");
    sheet.write_boolean(1, 4, true).expect("in bounds");
    sheet.write_string(1, 5, "é & <x>").expect("in bounds");
    sheet.write_number(2, 0, 4.940_252e16).expect("in bounds");
    sheet.write_number(2, 1, 1.5).expect("in bounds");
    sheet.write_formula(2, 2, Formula::new("=NA()").set_result("#N/A")).expect("in bounds");
    sheet.write_string(2, 3, "1/31/2025").expect("in bounds");
    let table = survey(&book.save_to_buffer().expect("in memory")).remove(0);
    let kinds = [
        (ColumnKind::Text, Role::Id),
        (ColumnKind::BigInt, Role::Money),
        (ColumnKind::Double, Role::Plain),
        (ColumnKind::Date, Role::Plain),
        (ColumnKind::Bool, Role::Plain),
        (ColumnKind::Text, Role::Plain),
    ];
    let schema = schema(table.as_ref(), &kinds);
    let decoded = read(table.as_ref(), &schema, Mark::default(), 100).expect("readable");
    let expected = [
        row(2, &["474119030010", "125000", "0.85", "2025-01-31", "true", "é & <x>"]),
        row(3, &["-", "-", "-", "2025-01-31", "-", "-"]),
    ];
    assert_eq!(rows(&decoded), expected);
    let misfits: Vec<_> = decoded[0].misfits.iter().map(|m| (m.record, m.column, m.kind)).collect();
    let wanted = [
        (1, 0, MisfitKind::IdInexact),
        (1, 1, MisfitKind::Fraction),
        (1, 2, MisfitKind::CellError),
    ];
    assert_eq!(misfits, wanted);
    let raw = &decoded[0].raw;
    assert_eq!(raw.address(1, 2).as_deref(), Some("C3"));
    assert_eq!(raw.field(1, 2).as_deref(), Some("#N/A"));
    assert_eq!(raw.fields(0)[3], ("sold".to_owned(), "2025-01-31".to_owned()));
}

#[test]
fn dates_of_the_1904_system_are_the_days_excel_shows() {
    let sheet = format!(
        "{}<row r=\"2\">{}<c r=\"B2\" s=\"1\"><v>44481</v></c></row>",
        header(),
        text_cell("A2", "x")
    );
    let book = raw_with(&sheet, "<workbookPr date1904=\"1\"/>", &[]);
    assert_eq!(texts(&book), [row(2, &["x", "2025-10-13"])]);
    assert_eq!(texts(&raw(&sheet)), [row(2, &["x", "2021-10-12"])]);
}

#[test]
fn a_preamble_is_named_and_a_repeated_header_is_no_record() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, "County roll 2025").expect("in bounds");
    for (at, (id, value)) in [("id", "v"), ("1", "x"), ("id", "v"), ("2", "y")].iter().enumerate() {
        sheet.write_string(3 + at as u32, 1, *id).expect("in bounds");
        sheet.write_string(3 + at as u32, 2, *value).expect("in bounds");
    }
    let bytes = book.save_to_buffer().expect("in memory");
    let table = survey(&bytes).remove(0);
    assert_eq!(table.headers(), ["id", "v"]);
    assert!(table.notes()[0].contains("1 row(s) above the header"), "{:?}", table.notes());
    assert_eq!(table.sample(), [["1", "x"], ["2", "y"]]);
    let schema = all_text(table.as_ref());
    let decoded = read(table.as_ref(), &schema, Mark::default(), 100).expect("readable");
    assert_eq!(rows(&decoded), [row(5, &["1", "x"]), row(7, &["2", "y"])]);
    let (key, note) = decoded[0].notes.iter().next().expect("the repeated header is noted");
    assert_eq!(
        (key.rule.as_str(), note.count, note.examples[0].place.row),
        ("repeated_header", 1, 6)
    );
}

#[test]
fn hidden_sheets_wait_to_be_named() {
    let mut book = Workbook::new();
    for name in ["Data", "Secret", "Empty"] {
        let sheet = book.add_worksheet().set_name(name).expect("a valid name");
        sheet.set_hidden(name == "Secret");
        if name != "Empty" {
            sheet.write_string(0, 0, "id").expect("in bounds");
            sheet.write_string(0, 1, name).expect("in bounds");
        }
    }
    let bytes = book.save_to_buffer().expect("in memory");
    let tables = survey(&bytes);
    assert_eq!(tables.len(), 1);
    let notes = tables[0].notes().join("\n");
    assert!(notes.contains("\"Secret\" is hidden") && notes.contains("\"Empty\" holds no rows"));
    let named = |sheet: &str| {
        let options = SourceOptions { sheets: vec![sheet.into()], ..SourceOptions::default() };
        survey_with(&bytes, &options)
    };
    for sheet in ["Secret", "secret", "2"] {
        assert_eq!(named(sheet).expect("found").remove(0).headers()[1], "Secret");
    }
    let error = named("Dta").err().expect("no such sheet");
    assert!(error.hint.expect("a hint").contains("\"Data\", \"Secret\" (hidden)"));
    assert_eq!(named("Empty").err().expect("empty").kind, SourceErrorKind::Empty);
    let prints: Vec<_> = ["Data", "Secret"]
        .iter()
        .map(|sheet| named(sheet).expect("found")[0].fingerprint())
        .collect();
    assert_ne!(prints[0], prints[1]);
}

#[test]
fn a_value_beside_the_header_is_refused_with_its_row() {
    let sheet = format!(
        "{}<row r=\"2\">{}</row><row r=\"3\">{}</row><row r=\"9\">{}{}</row>",
        header(),
        text_cell("A2", "1"),
        text_cell("A3", "2"),
        text_cell("A9", "3"),
        text_cell("D9", "stray"),
    );
    let table = survey(&raw(&sheet)).remove(0);
    let schema = all_text(table.as_ref());
    let decoded = read(table.as_ref(), &schema, Mark::default(), 100).expect("readable");
    assert_eq!(rows(&decoded), [row(2, &["1", "-"]), row(3, &["2", "-"])]);
    let reject = &decoded[0].rejects[0];
    assert_eq!(reject.place.row, 9);
    assert!(reject.problems[0].message.contains("column D"), "{:?}", reject.problems);
    assert!(decoded[0].raw.fields(reject.record).contains(&("_column_D".into(), "stray".into())));
}

#[test]
fn a_far_corner_cell_costs_nothing() {
    let far = format!("{}<row r=\"1048576\">{}</row>", header(), text_cell("XFD1048576", "x"));
    let table = survey(&raw(&far)).remove(0);
    let schema = all_text(table.as_ref());
    let decoded = read(table.as_ref(), &schema, Mark::default(), 100).expect("readable");
    let total: u32 = decoded.iter().map(|block| block.records).sum();
    assert_eq!(total, 1);

    let outside = format!("{}<row r=\"1048577\">{}</row>", header(), text_cell("A1048577", "x"));
    assert_eq!(fault(&raw(&outside)).kind, SourceErrorKind::Limit);
    let wide = format!("{}<row r=\"2\">{}</row>", header(), text_cell("XFE2", "x"));
    assert_eq!(fault(&raw(&wide)).kind, SourceErrorKind::Limit);
}

#[test]
fn cells_without_references_follow_each_other() {
    let cell = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let line = |a: &str, b: &str| format!("<row>{}{}</row>", cell(a), cell(b));
    let sheet = [line("id", "v"), line("1", "x"), line("2", "y")].concat();
    assert_eq!(texts(&raw(&sheet)), [row(2, &["1", "x"]), row(3, &["2", "y"])]);
}

#[test]
fn rows_out_of_order_are_an_error_not_a_loss() {
    let sheet = format!(
        "{}<row r=\"5\">{}</row><row r=\"3\">{}</row>",
        header(),
        text_cell("A5", "x"),
        text_cell("A3", "y")
    );
    assert_eq!(fault(&raw(&sheet)).kind, SourceErrorKind::Broken);
}

#[test]
fn reading_on_from_the_middle_gives_the_same_rows() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["id", "value"]).expect("in bounds");
    for row in 1..=500_u32 {
        // Every seventh row is blank: row numbers and records differ.
        if row % 7 != 0 {
            sheet.write_number(row, 0, f64::from(row)).expect("in bounds");
            sheet.write_string(row, 1, format!("v{row}")).expect("in bounds");
        }
    }
    let table = survey(&book.save_to_buffer().expect("in memory")).remove(0);
    let schema = all_text(table.as_ref());
    let whole = read(table.as_ref(), &schema, Mark::default(), 100_000).expect("readable");
    let expected = rows(&whole);
    assert_eq!(expected.len(), 500 - 71);
    let chunked = read(table.as_ref(), &schema, Mark::default(), 33).expect("readable");
    assert!(chunked.len() > 10);
    assert_eq!(rows(&chunked), expected);
    for split in [0, 5, 6, 200, expected.len() - 1] {
        let from = whole[0].raw.after(split as u32);
        let rest = read(table.as_ref(), &schema, from, 64).expect("readable");
        assert_eq!(rows(&rest), expected[split + 1..], "behind record {split}");
    }
}

#[test]
fn a_workbook_inside_a_zip_is_found_and_read() {
    let dir = tempfile::tempdir().expect("a test folder");
    let book = raw(&format!("{}<row r=\"2\">{}</row>", header(), text_cell("A2", "1")));
    let outer = zipped([("roll.xlsx", book)].into_iter());
    let path = saved(dir.path(), "outer.zip", &outer);
    let (files, _) = readable(resolve(&[path.to_string_lossy().into_owned()], &Listing::default()))
        .expect("resolved");
    assert_eq!(files[0].format.name(), "xlsx");
    let options =
        SourceOptions { temp_dir: Some(dir.path().to_owned()), ..SourceOptions::default() };
    let tables = files[0].format.survey(&files[0].content, &options).expect("readable");
    let schema = all_text(tables[0].as_ref());
    let decoded = read(tables[0].as_ref(), &schema, Mark::default(), 10).expect("readable");
    assert_eq!(rows(&decoded), [row(2, &["1", "-"])]);
    drop((tables, decoded));
    let left = dir.path().read_dir().expect("readable").count();
    assert_eq!(left, 1, "the spooled copy is removed");
}

#[test]
fn dropping_a_source_in_the_middle_ends_its_thread() {
    let lines: String =
        (2..5_000).map(|n| format!("<row r=\"{n}\"><c r=\"A{n}\"><v>{n}</v></c></row>")).collect();
    let table = survey(&raw(&(header() + &lines))).remove(0);
    let schema = all_text(table.as_ref());
    let mut source = table.open(schema, Mark::default()).expect("opens");
    assert!(source.next_block(10, 1 << 20).expect("readable").is_some());
    drop(source);
}

#[test]
fn what_is_no_workbook_is_said_to_be_none() {
    let book = raw(&header());
    assert_eq!(Excel.sniff(&book, "x"), Confidence::Certain);
    let word = zipped([("[Content_Types].xml", vec![]), ("word/document.xml", vec![])].into_iter());
    let binary = zipped([("[Content_Types].xml", vec![]), ("xl/workbook.bin", vec![])].into_iter());
    let plain = zipped([("a.csv", vec![])].into_iter());
    for head in [&word[..], &binary, &plain, b"a,b\n1,2\n", b"", b"PAR1"] {
        assert_eq!(Excel.sniff(head, "x.xlsx"), Confidence::No);
    }
    let mut ole = super::OLE.to_vec();
    ole.resize(1_024, 0);
    ole[30] = 9;
    assert_eq!(Excel.sniff(&ole, "x.xls"), Confidence::No);
    ole.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(Excel.sniff(&ole, "x.xlsx"), Confidence::Certain);
    assert_eq!(fault(&ole).kind, SourceErrorKind::Password);
}

#[test]
fn damage_and_bombs_are_errors() {
    let book = raw(&header());
    assert_eq!(fault(&book[..book.len() - 40]).kind, SourceErrorKind::Broken);
    let cut = raw(&format!("{}<row r=\"2\"><c r=\"A2\"", header()));
    assert_eq!(fault(&cut).kind, SourceErrorKind::Broken);
    let many = "<sst uniqueCount=\"4000000000\"><si><t>x</t></si></sst>";
    let rows = format!("{}<row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c></row>", header());
    let book = raw_with(&rows, "", &[("xl/sharedStrings.xml", many)]);
    assert_eq!(texts(&book), [row(2, &["x", "-"])], "what it claims is not believed");
    let zeros = " ".repeat(300 << 20);
    assert_eq!(fault(&raw(&zeros)).kind, SourceErrorKind::Limit);
}

#[test]
fn packing_changes_nothing_about_a_workbook() {
    let dir = tempfile::tempdir().expect("a test folder");
    let book = raw(&format!("{}<row r=\"2\">{}</row>", header(), text_cell("A2", "1")));
    let content = Content::plain(&saved(dir.path(), "roll.xlsx", &book));
    let plain = Excel.survey(&content, &SourceOptions::default()).expect("readable").remove(0);
    let packed = survey(&book).remove(0);
    assert_eq!(plain.fingerprint(), packed.fingerprint());
    let schema = all_text(plain.as_ref());
    let read = |table: &dyn Table| rows(&read(table, &schema, Mark::default(), 9).expect("rows"));
    assert_eq!(read(plain.as_ref()), read(packed.as_ref()));
}
