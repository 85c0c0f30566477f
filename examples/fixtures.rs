//! Writes the fixtures that no editor can: workbooks, Parquet, archives, odd encodings.
//!
//! `cargo run --release --example fixtures -- FOLDER` (scripts/fixtures.sh does it). Same bytes
//! every time, so that a changed fixture is a changed generator. What each file is for stands in
//! `fixtures/catalog.toml`.

#[path = "fixtures/old.rs"]
mod old;

use old::{Sheet, Value};
use std::error::Error;
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;

use etl::duck::{Database, Settings};
use flate2::{Compression, GzBuilder};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Formula, Workbook, Worksheet};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const HEADER: [&str; 11] = [
    "CO_NO",
    "PARCEL_ID",
    "ASMNT_YR",
    "DOR_UC",
    "SALE_ID_CD",
    "VI_CD",
    "CLERK_NO",
    "QUAL_CD",
    "SALE_YR",
    "SALE_MO",
    "SALE_PRC",
];
/// Columns of a sale that Excel shows as numbers where nobody formats them as text.
const NUMBERS: [usize; 4] = [0, 2, 8, 10];
const PARCEL_ID: u16 = 1;
const SALE_PRC: u16 = 10;

fn main() -> Outcome {
    let folder = std::env::args().nth(1).ok_or("give the folder of the fixtures")?;
    let folder = Path::new(&folder);
    for part in ["csv", "packed", "excel", "parquet"] {
        fs::create_dir_all(folder.join(part))?;
    }
    encodings(&folder.join("csv"))?;
    packed(&folder.join("packed"))?;
    sales_workbooks(&folder.join("excel"))?;
    other_workbooks(&folder.join("excel"))?;
    not_workbooks(&folder.join("excel"))?;
    old_workbooks(&folder.join("excel"))?;
    parquet(&folder.join("parquet"))
}

/// A sale of a made-up parcel, as a clean file has it.
fn sale(n: u32) -> [String; 11] {
    [
        "16".into(),
        format!("47411903{n:04}"),
        "2025".into(),
        "001".into(),
        format!("99{n:09}"),
        "I".into(),
        format!("{n:09}"),
        "01".into(),
        "2024".into(),
        "05".into(),
        (300_000 + n * 1_000).to_string(),
    ]
}

fn csv(rows: std::ops::RangeInclusive<u32>) -> String {
    let mut text = HEADER.join(",") + "\n";
    for n in rows {
        text += &sale(n).join(",");
        text.push('\n');
    }
    text
}

fn encodings(folder: &Path) -> Outcome {
    let owners = "id,owner\n1,MUÑOZ JOSÉ\n2,SMITH ANN\n3,L'ÉTOILE 50 € LLC\n";
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(owners);
    fs::write(folder.join("windows_1252.csv"), latin)?;
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(owners.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    fs::write(folder.join("utf_16.csv"), utf16)?;
    let unmarked: Vec<u8> = owners.encode_utf16().flat_map(u16::to_be_bytes).collect();
    fs::write(folder.join("utf_16_no_mark.csv"), unmarked)?;
    let mut damaged = owners.as_bytes().to_vec();
    damaged.extend_from_slice(b"9,NU\xd1EZ\n");
    fs::write(folder.join("damaged_utf_8.csv"), damaged)?;
    let mut bytes = csv(1..=4).into_bytes();
    let at = bytes.windows(9).position(|text| text == b"000000003").ok_or("the third sale")?;
    bytes[at + 10] = 0; // The V of its vacant-or-improved code.
    fs::write(folder.join("SDF16P202501_nul.csv"), bytes)?;
    fs::write(folder.join("binary.csv"), (0..=255).collect::<Vec<u8>>())?;
    Ok(())
}

fn zip_of(path: &Path, members: &[(&str, &str)]) -> Outcome {
    let mut zip = ZipWriter::new(File::create(path)?);
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default())?;
        zip.write_all(content.as_bytes())?;
    }
    zip.finish()?;
    Ok(())
}

fn packed(folder: &Path) -> Outcome {
    let file = File::create(folder.join("SDF16P202501.csv.gz"))?;
    let mut gz = GzBuilder::new().write(file, Compression::default());
    gz.write_all(csv(1..=6).as_bytes())?;
    gz.finish()?;
    let frame = |text: String| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    let second = csv(4..=6).split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default();
    let frames = [frame(csv(1..=3)), frame(second)].concat();
    fs::write(folder.join("SDF16P202501.csv.zst"), frames)?;
    let long = frame(csv(1..=2_000));
    fs::write(folder.join("SDF16P202502_cut_off.csv.zst"), &long[..long.len() / 2])?;
    let page = "<html><body>What this is</body></html>";
    zip_of(
        &folder.join("two_members.zip"),
        &[
            ("rolls/SDF16P202501.csv", &csv(1..=6)),
            ("rolls/readme.html", page),
            ("rolls/SDF23P202501.csv", &csv(1..=3).replace("\n16,47", "\n23,304")),
        ],
    )?;
    zip_of(&folder.join("nothing_to_read.zip"), &[("readme.html", page)])?;
    let whole = folder.join("cut_off.zip");
    zip_of(&whole, &[("SDF16P202501.csv", &csv(1..=200))])?;
    let bytes = fs::read(&whole)?;
    fs::write(&whole, &bytes[..bytes.len() / 2])?;
    let locked = folder.join("password.zip");
    zip_of(&locked, &[("readme.txt", "see inside"), ("SDF16P202501.csv", &csv(1..=6))])?;
    let mut bytes = fs::read(&locked)?;
    encrypted(&mut bytes, b"SDF16P202501.csv");
    fs::write(&locked, bytes)?;
    Ok(())
}

/// Marks a member as encrypted, in its own header and in the directory.
fn encrypted(zip: &mut [u8], member: &[u8]) {
    for at in 46..zip.len() - member.len() {
        if zip[at..].starts_with(member) {
            let (local, listed) = (at - 30, at - 46);
            if zip[local..].starts_with(b"PK\x03\x04") {
                zip[local + 6] |= 1;
            } else if zip[listed..].starts_with(b"PK\x01\x02") {
                zip[listed + 8] |= 1;
            }
        }
    }
}

fn workbook() -> Outcome<Workbook> {
    let mut book = Workbook::new();
    let created = ExcelDateTime::from_ymd(2025, 7, 1)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&created));
    Ok(book)
}

fn header(sheet: &mut Worksheet, row: u32) -> Outcome {
    for (column, name) in (0..).zip(HEADER) {
        sheet.write(row, column, name)?;
    }
    Ok(())
}

fn sales(sheet: &mut Worksheet, row: u32, rows: std::ops::RangeInclusive<u32>) -> Outcome {
    for (at, n) in (row..).zip(rows) {
        for (column, text) in sale(n).iter().enumerate() {
            let place = column as u16;
            if NUMBERS.contains(&column) {
                sheet.write(at, place, text.parse::<f64>()?)?;
            } else {
                sheet.write(at, place, text)?;
            }
        }
    }
    Ok(())
}

fn sales_workbooks(folder: &Path) -> Outcome {
    let mut book = workbook()?;
    let sheet = book.add_worksheet();
    header(sheet, 0)?;
    sales(sheet, 1, 1..=6)?;
    sheet.write(2, PARCEL_ID, 474_119_030_002_f64)?; // exact
    sheet.write(3, PARCEL_ID, 4_741_190_300_030_004_741_f64)?; // beyond 2^53
    sheet.write(4, PARCEL_ID, "4.74119E+11")?; // as another program showed it
    sheet.write(5, PARCEL_ID, 74_119_030_005_f64)?; // the leading zero is gone
    book.save(folder.join("SDF16P202501_ids_as_numbers.xlsx"))?;

    let mut book = workbook()?;
    let sheet = book.add_worksheet();
    header(sheet, 0)?;
    sales(sheet, 1, 1..=4)?;
    sheet.write(2, SALE_PRC, Formula::new("=NA()").set_result("#N/A"))?;
    sheet.write(3, SALE_PRC, Formula::new("=1/0").set_result("#DIV/0!"))?;
    sheet.write(4, SALE_PRC, Formula::new("=250000+1").set_result("250001"))?;
    book.save(folder.join("SDF16P202501_cell_errors.xlsx"))?;

    let mut book = workbook()?;
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "Broward County sales")?;
    sheet.write(1, 0, "Printed")?;
    sheet.write(1, 1, 45_839)?;
    header(sheet, 3)?;
    sales(sheet, 4, 1..=4)?;
    book.save(folder.join("SDF16P202501_preamble.xlsx"))?;

    let mut book = workbook()?;
    for (name, rows) in [("north", 1..=4), ("south", 5..=7)] {
        let sheet = book.add_worksheet().set_name(name)?;
        header(sheet, 0)?;
        sales(sheet, 1, rows)?;
    }
    let hidden = book.add_worksheet().set_name("draft")?.set_hidden(true);
    header(hidden, 0)?;
    sales(hidden, 1, 8..=9)?;
    book.save(folder.join("SDF16P202501_two_sheets_one_hidden.xlsx"))?;

    let mut book = workbook()?;
    let sheet = book.add_worksheet();
    header(sheet, 0)?;
    sales(sheet, 1, 1..=2)?;
    header(sheet, 3)?;
    sales(sheet, 4, 3..=5)?;
    sheet.write(5, 12, "see Jane")?;
    book.save(folder.join("SDF16P202501_pasted_sheets.xlsx"))?;
    Ok(())
}

fn other_workbooks(folder: &Path) -> Outcome {
    let mut book = workbook()?;
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let moment = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(["Permit", "Opened", "Seen", "Fee", "Done", "Mixed"]) {
        sheet.write(0, column, name)?;
    }
    for row in 1..=3_u32 {
        let day = ExcelDateTime::from_ymd(2024, 2, 27 + row as u8 - 1)?;
        sheet.write(row, 0, format!("A-{row:03}"))?;
        sheet.write_with_format(row, 1, &day, &date)?;
        sheet.write_with_format(row, 2, &day.and_hms(13, 30, 0)?, &moment)?;
        sheet.write(row, 3, f64::from(row) * 12.25)?;
        sheet.write(row, 4, row % 2 == 0)?;
        sheet.write(row, 5, f64::from(row))?;
    }
    sheet.write(2, 5, "two")?;
    book.save(folder.join("dates_and_types.xlsx"))?;

    let mut book = workbook()?;
    book.add_worksheet();
    book.save(folder.join("no_rows.xlsx"))?;
    let bytes = fs::read(folder.join("dates_and_types.xlsx"))?;
    fs::write(folder.join("cut_off.xlsx"), &bytes[..bytes.len() / 2])?;
    Ok(())
}

fn not_workbooks(folder: &Path) -> Outcome {
    fs::write(
        folder.join("html_page.xlsx"),
        "<!DOCTYPE html>\n<html><body>Your session has expired.</body></html>\n",
    )?;
    let mut ole = Cursor::new(vec![0; 2_048]);
    ole.write_all(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1])?;
    fs::write(folder.join("old_excel.xls"), ole.into_inner())?;
    Ok(())
}

/// Four sales: an id as an exact number in the second, an error for a price in the third, a
/// formula that fails in the fourth; and a draft that is hidden.
fn old_sales() -> Outcome<[Sheet; 2]> {
    let header = || HEADER.iter().map(|name| Value::Text((*name).into())).collect::<Vec<_>>();
    let row = |n: u32| -> Outcome<Vec<Value>> {
        let cell = |(column, text): (usize, &String)| -> Outcome<Value> {
            Ok(match NUMBERS.contains(&column) {
                true => Value::Number(text.parse()?),
                false => Value::Text(text.clone()),
            })
        };
        sale(n).iter().enumerate().map(cell).collect()
    };
    let mut rows = vec![header()];
    for n in 1..=4 {
        rows.push(row(n)?);
    }
    rows[2][usize::from(PARCEL_ID)] = Value::Number(474_119_030_002.0);
    rows[3][usize::from(SALE_PRC)] = Value::NotAvailable;
    rows[4][usize::from(SALE_PRC)] = Value::FormulaError;
    let draft = vec![header(), row(9)?];
    Ok([
        Sheet { name: "sales", hidden: false, rows },
        Sheet { name: "draft", hidden: true, rows: draft },
    ])
}

/// The table of `dates_and_types.xlsx`, and hours that go on behind 24. `epoch` is added to days.
fn old_types(epoch: f64) -> Sheet {
    let names = ["Permit", "Opened", "Seen", "Fee", "Done", "Took"];
    let mut rows = vec![names.map(|name| Value::Text(name.into())).to_vec()];
    for row in 1..=3_u32 {
        let day = 45_348.0 + f64::from(row) + epoch;
        rows.push(vec![
            Value::Text(format!("Ä-{row:03}")),
            Value::Date(day),
            Value::Moment(day + 0.5625),
            Value::Number(f64::from(row) * 12.25),
            Value::Bool(row % 2 == 0),
            Value::Hours(1.5 * f64::from(row)),
        ]);
    }
    Sheet { name: "permits", hidden: false, rows }
}

fn old_workbooks(folder: &Path) -> Outcome {
    let sales = old_sales()?;
    old::xls(&folder.join("SDF16P202501_old.xls"), &sales, false, false)?;
    old::xlsb(&folder.join("SDF16P202501_binary.xlsb"), &sales)?;
    old::ods(&folder.join("SDF16P202501_open.ods"), &old::ods_tables(&sales), false)?;
    old::xls(&folder.join("dates_1904.xls"), &[old_types(-1_462.0)], true, false)?;
    old::xlsb(&folder.join("dates.xlsb"), &[old_types(0.0)])?;
    let tables = old::ods_tables(&[old_types(0.0)]);
    old::ods(&folder.join("dates.ods"), &tables, false)?;
    old::xls(&folder.join("password.xls"), &sales, false, true)?;
    old::ods(&folder.join("password.ods"), &tables, true)?;
    let cell = "<table:table-cell table:number-columns-repeated=\"99\" office:value-type=\"string\">\
                <text:p>x</text:p></table:table-cell>";
    let bomb = format!(
        "<table:table table:name=\"many\"><table:table-row table:number-rows-repeated=\"1000000\">\
         {cell}</table:table-row></table:table>"
    );
    old::ods(&folder.join("memory_bomb.ods"), &bomb, false)?;
    fs::write(folder.join("excel_4.xls"), [9, 4, 6, 0, 0, 0, 0x10, 0, 0, 0, 0x0a, 0, 0, 0])?;
    let bytes = fs::read(folder.join("SDF16P202501_old.xls"))?;
    fs::write(folder.join("cut_off.xls"), &bytes[..bytes.len() / 2])?;
    let mut bytes = fs::read(folder.join("SDF16P202501_binary.xlsb"))?;
    let at = bytes.windows(16).position(|name| name == b"worksheets/sheet").ok_or("a sheet")?;
    bytes[at + 60] ^= 0x01; // inside the packed cells
    fs::write(folder.join("changed_byte.xlsb"), bytes)?;
    Ok(())
}

fn parquet(folder: &Path) -> Outcome {
    let db = Database::memory(&Settings { threads: Some(1), ..Settings::default() })?;
    let con = db.connect()?;
    let write = |name: &str, query: &str| -> Outcome {
        let path = folder.join(name).display().to_string().replace('\'', "''");
        con.execute(&format!("COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"))?;
        Ok(())
    };
    write(
        "SDF16P202501.parquet",
        "SELECT 16 AS CO_NO, format('47411903{:04d}', i) AS PARCEL_ID, 2025 AS ASMNT_YR, \
         '001' AS DOR_UC, format('99{:09d}', i) AS SALE_ID_CD, 'I' AS VI_CD, \
         format('{:09d}', i) AS CLERK_NO, '01' AS QUAL_CD, 2024 AS SALE_YR, '05' AS SALE_MO, \
         CASE WHEN i = 3 THEN -1 ELSE 300000 + i * 1000 END AS SALE_PRC \
         FROM range(1, 7) t(i) ORDER BY i",
    )?;
    write(
        "types.parquet",
        "SELECT i AS n, i * 1.25::DECIMAL(9,2) AS amount, i / 3.0 AS ratio, \
         DATE '2024-02-28' + i::INTEGER AS day, \
         TIMESTAMP '2024-02-28 12:00:00' + to_hours(i::INTEGER) AS moment, i % 2 = 0 AS even, \
         CASE WHEN i = 2 THEN NULL ELSE 'text ' || i END AS words, [i, i + 1] AS list \
         FROM range(1, 5) t(i) ORDER BY i",
    )?;
    write(
        "nested.parquet",
        "SELECT i AS id, [{'year': 2020 + i, 'price': i * 1.5::DECIMAL(9,2)}] AS sales, \
         CASE WHEN i < 3 THEN {'street': 'Main \"A\"', 'no': i} END AS place, \
         MAP {'k' || i: i} AS codes FROM range(1, 4) t(i) ORDER BY i",
    )
}
