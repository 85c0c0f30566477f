//! Numbers whose digits must not be lost on the way: codes by the number format of their cells, and whole
//! numbers beyond 2^53 in workbooks; bytes and decimals in Parquet.

use super::column_names::duck;
use super::loaded::{TO, ask, consistent, count, ingest, loads};
use super::support::Place;
use rust_xlsxwriter::{Format, Workbook, Worksheet};
use std::io::{Cursor, Read, Write};

const TYPES: &str = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't' \
                     AND column_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY ordinal_position";

/// A workbook of one sheet. `replace`: what is changed in its XML.
fn workbook(
    place: &Place,
    name: &str,
    fill: impl FnOnce(&mut Worksheet),
    replace: &[(&str, &str)],
) {
    let mut book = Workbook::new();
    fill(book.add_worksheet());
    let bytes = book.save_to_buffer().expect("in memory");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a container");
    let file = std::fs::File::create(place.path(name)).expect("writable");
    let mut out = zip::ZipWriter::new(file);
    for at in 0..archive.len() {
        let mut part = archive.by_index(at).expect("a part");
        let name = part.name().expect("UTF-8").into_owned();
        let mut xml = Vec::new();
        part.read_to_end(&mut xml).expect("sound");
        if name.ends_with("sheet1.xml") {
            let text = String::from_utf8(xml).expect("UTF-8");
            let changed = replace.iter().fold(text, |text, (from, to)| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            });
            xml = changed.into_bytes();
        }
        out.start_file(name, zip::write::SimpleFileOptions::default()).expect("begun");
        out.write_all(&xml).expect("written");
    }
    out.finish().expect("finished");
}

/// Columns of codes: `zip` and `ssn` by their format, `plain` without one.
fn codes(sheet: &mut Worksheet, zips: &[f64]) {
    let zip = Format::new().set_num_format("00000");
    let ssn = Format::new().set_num_format("000\\-00\\-0000");
    sheet.write_row(0, 0, ["k", "zip", "ssn", "plain"]).expect("in bounds");
    for (row, value) in (1..).zip(zips) {
        sheet.write_number(row, 0, f64::from(row)).expect("in bounds");
        sheet.write_number_with_format(row, 1, *value, &zip).expect("in bounds");
        sheet.write_number_with_format(row, 2, 12_345_678.0 + value, &ssn).expect("in bounds");
        sheet.write_number(row, 3, *value).expect("in bounds");
    }
}

#[test]
fn cells_that_show_zeros_in_front_are_text() {
    let place = Place::new();
    workbook(&place, "t.xlsx", |sheet| codes(sheet, &[2035.0, 33601.0, 0.0]), &[]);
    loads(&place, &["t.xlsx"], &["--table", "t"]);
    assert_eq!(ask(&place, TYPES), "k,INTEGER\nzip,VARCHAR\nssn,VARCHAR\nplain,INTEGER");
    let rows = "1,02035,012-34-7713,2035\n2,33601,012-37-9279,33601\n3,00000,012-34-5678,0";
    assert_eq!(ask(&place, "SELECT k, zip, ssn, plain FROM t ORDER BY k"), rows);
    consistent(&place);
    // The zeros of other files must have room in a column whose values need none.
    let place = Place::new();
    workbook(&place, "a.xlsx", |sheet| codes(sheet, &[33601.0, 33602.0]), &[]);
    workbook(&place, "b.xlsx", |sheet| codes(sheet, &[501.0]), &[]);
    loads(&place, &["a.xlsx"], &["--table", "t"]);
    loads(&place, &["b.xlsx"], &["--table", "t"]);
    assert_eq!(ask(&place, "SELECT zip FROM t ORDER BY 1"), "00501\n33601\n33602");
    consistent(&place);
}

#[test]
fn a_table_of_numbers_takes_the_numbers_of_such_cells() {
    let place = Place::new().file("first.csv", "k,zip,ssn,plain\n9,33601,5,7\n");
    loads(&place, &["first.csv"], &["--table", "t", "--type-of", "zip=INTEGER"]);
    workbook(&place, "t.xlsx", |sheet| codes(sheet, &[2035.0]), &[]);
    let (code, summary) = ingest(&place, &["t.xlsx"], &["--table", "t"]);
    assert_eq!((code, count(&summary, "rejected")), (0, 0), "{summary}");
    let rows = ask(&place, "SELECT k, zip, ssn, plain FROM t ORDER BY k");
    assert_eq!(rows, "1,2035,12347713,2035\n9,33601,5,7");
    consistent(&place);
}

/// A sheet of numbers, whose XML is changed afterwards to say `long` for 777.
fn long(sheet: &mut Worksheet) {
    sheet.write_row(0, 0, ["k", "n"]).expect("in bounds");
    for (row, value) in (1..).zip([777.0, 123_456_789_012_345.0, 5.0]) {
        sheet.write_number(row, 0, f64::from(row)).expect("in bounds");
        sheet.write_number(row, 1, value).expect("in bounds");
    }
}

#[test]
fn whole_numbers_beyond_2_to_the_53_keep_their_digits() {
    let cases = [
        ("568883383628111873", "5", "BIGINT", "568883383628111873", "5"),
        ("-568883383628111873", "5", "BIGINT", "-568883383628111873", "5"),
        ("9007199254740993", "5", "BIGINT", "9007199254740993", "5"),
        ("49402520000000000", "5", "BIGINT", "49402520000000000", "5"),
        ("1234567890123456789", "5", "VARCHAR", "1234567890123456789", "5"),
        ("12345678901234567890123", "5", "VARCHAR", "12345678901234567890123", "5"),
        ("9007199254740993", "0.5", "DECIMAL(18,1)", "9007199254740993.0", "0.5"),
        ("568883383628111873", "0.5", "VARCHAR", "568883383628111873", "0.5"),
        ("9007199254740993", "1.5E+20", "VARCHAR", "9007199254740993", "150000000000000000000"),
        ("1.0E+20", "5", "DOUBLE", "1e+20", "5.0"),
    ];
    for (stored, other, ty, value, rest) in cases {
        let place = Place::new();
        let (stored, other) = (format!("<v>{stored}</v>"), format!("<v>{other}</v></c></row></"));
        let changes = [("<v>777</v>", &*stored), ("<v>5</v></c></row></", &*other)];
        workbook(&place, "t.xlsx", long, &changes);
        loads(&place, &["t.xlsx"], &["--table", "t"]);
        assert_eq!(ask(&place, TYPES), format!("k,INTEGER\nn,{}", quoted(ty)), "{stored}");
        let rows = ask(&place, "SELECT n::VARCHAR FROM t WHERE k <> 2 ORDER BY k");
        assert_eq!(rows, format!("{value}\n{rest}"), "{stored}");
        consistent(&place);
    }
}

/// A field of CSV.
fn quoted(field: &str) -> String {
    if field.contains(',') { format!("\"{field}\"") } else { field.to_owned() }
}

#[test]
fn a_table_of_floats_never_takes_a_rounded_number() {
    let place = Place::new();
    duck(&place, "CREATE TABLE t (k INTEGER, n DOUBLE)");
    workbook(&place, "t.xlsx", long, &[("<v>777</v>", "<v>9007199254740993</v>")]);
    let output = place.output(&["ingest", "t.xlsx", "--table", "t", "--to", TO]);
    assert!(!output.status.success());
    assert_eq!(ask(&place, "SELECT count(*) FROM t WHERE n > 9007199254740000"), "0");
}

#[test]
fn a_roll_keeps_the_zeros_that_its_parcel_numbers_show() {
    let place = Place::new();
    let headers = ["CO_NO", "PARCEL_ID", "ASMNT_YR", "DOR_UC", "SALE_ID_CD", "VI_CD", "QUAL_CD"];
    let more = ["SALE_YR", "SALE_MO", "SALE_PRC"];
    let zeros = Format::new().set_num_format("000000000000");
    let wide = Format::new().set_num_format("0000");
    let fill = |sheet: &mut Worksheet| {
        sheet.write_row(0, 0, headers.iter().chain(&more).copied()).expect("in bounds");
        for row in 1..=12_u32 {
            let id = 74_119_030_000.0 + f64::from(row);
            let number = f64::from(row);
            sheet.write_number_with_format(row, 0, 16, &wide).expect("in bounds");
            sheet.write_number_with_format(row, 1, id, &zeros).expect("in bounds");
            sheet.write_number(row, 2, 2025).expect("in bounds");
            sheet.write_number_with_format(row, 3, 1, &wide).expect("in bounds");
            sheet.write_number(row, 4, 99_000_000_000.0 + number).expect("in bounds");
            sheet.write_row(row, 5, ["I", "01", "2024", "05"]).expect("in bounds");
            sheet.write_number_with_format(row, 9, 300_000.0 + number, &zeros).expect("in bounds");
        }
    };
    workbook(&place, "SDF16P202501.xlsx", fill, &[]);
    let (code, summary) = ingest(&place, &["SDF16P202501.xlsx"], &[]);
    assert_eq!((code, count(&summary, "rejected")), (0, 0), "{summary}");
    let rows =
        ask(&place, "SELECT co_no, parcel_id, dor_uc, sale_prc FROM sales ORDER BY parcel_id");
    let first = rows.lines().next().expect("a row");
    assert_eq!(first, "16,074119030001,001,300001", "{rows}");
    consistent(&place);
}
