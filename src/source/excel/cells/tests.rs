//! Nasty XML and its plain twin give the same cells.

use super::*;
use crate::source::excel::strings::{Loader, Strings};
use crate::source::excel::styles::Styles;

fn styles() -> Styles {
    let xml = "<styleSheet><numFmts><numFmt numFmtId='164' formatCode='00000'/>\
               <numFmt numFmtId='165' formatCode='000\\-00\\-0000'/></numFmts><cellXfs>\
               <xf numFmtId='0'/><xf numFmtId='14'/><xf numFmtId='46'/><xf numFmtId='9'/>\
               <xf numFmtId='164'/><xf numFmtId='165'/></cellXfs></styleSheet>";
    let part = Box::new(std::io::Cursor::new(xml.as_bytes().to_vec()));
    Styles::read(part, false).expect("sound")
}

fn strings() -> Strings {
    let xml = "<sst><si><t>zero</t></si><si><t>one</t></si></sst>";
    let part = Box::new(std::io::Cursor::new(xml.as_bytes().to_vec()));
    Loader::new(Some(part), 1 << 20, None).and_then(|mut it| it.load_all()).expect("sound")
}

/// Cells as `B7=value`, texts in quotes.
fn try_scan(xml: &str, before: u32) -> Result<Vec<String>, Fault> {
    let (styles, strings) = (styles(), strings());
    let mut scanner = Scanner::new(xml.as_bytes(), &styles, before);
    let mut found = Vec::new();
    while let Some(row) = scanner.next_row()? {
        for raw in scanner.cells() {
            let mut lookup = strings.lookup();
            let value = match scanner.resolve(raw, &mut lookup)? {
                Cell::Text(text) => format!("'{text}'"),
                cell => cell.text().into_owned(),
            };
            found.push(format!("{}{}={value}", letters(raw.column), row.number));
        }
    }
    Ok(found)
}

fn scan(xml: &str) -> Vec<String> {
    try_scan(xml, 0).expect(xml)
}

/// The one cell of a row in all the ways that XML allows to write it.
fn check(cell: &str, expected: &str) {
    let expected: Vec<_> = [expected].into_iter().filter(|it| !it.is_empty()).collect();
    let row = format!("<row r=\"7\">{cell}</row>");
    assert_eq!(scan(&row), expected, "{row}");
    let prefixed = row.replace('<', "<x:").replace("<x:/", "</x:").replace("<x:![", "<![");
    assert_eq!(scan(&prefixed), expected, "{prefixed}");
    let quoted = row.replace('"', "'").replace(" ", "\n ");
    assert_eq!(scan(&quoted), expected, "{quoted}");
    let commented = row.replace("><", "><!-- <c r=\"A7\"><v>9</v></c> --><");
    assert_eq!(scan(&commented), expected, "{commented}");
    let more = row.replace("<c ", "<c z=\">\" x:r=\"Z1\" ");
    assert_eq!(scan(&more), expected, "{more}");
}

#[test]
fn every_type_of_cell_in_every_form() {
    let cases = [
        ("<c r=\"B7\"><v>12</v></c>", "B7=12"),
        ("<c r=\"B7\" t=\"n\"><v>-0.5</v></c>", "B7=-0.5"),
        ("<c r=\"B7\"><v>1.5E3</v></c>", "B7=1500"),
        ("<c r=\"B7\"><v>12345678901234567</v></c>", "B7=12345678901234567"),
        ("<c r=\"B7\"><f>A1+1</f><v>12</v></c>", "B7=12"),
        ("<c r=\"B7\"><v>12</v><f>A1+1</f></c>", "B7=12"),
        ("<c r=\"B7\" s=\"3\"><v>0.25</v></c>", "B7=0.25"),
        ("<c r=\"B7\" s=\"1\"><v>45943.5</v></c>", "B7=2025-10-13 12:00:00"),
        ("<c s=\"1\" r=\"B7\"><v>45943</v></c>", "B7=2025-10-13"),
        ("<c r=\"B7\" s=\"2\"><v>1.5</v></c>", "B7='36:00:00'"),
        ("<c r=\"B7\" s=\"99\"><v>1.5</v></c>", "B7=1.5"),
        ("<c r=\"B7\" t=\"s\"><v>1</v></c>", "B7='one'"),
        ("<c r=\"B7\" t=\"s\"></c>", ""),
        ("<c r=\"B7\" t=\"str\"><f>x</f><v>a&amp;b</v></c>", "B7='a&b'"),
        ("<c r=\"B7\" t=\"str\"><v>_x0041_b</v></c>", "B7='Ab'"),
        ("<c r=\"B7\" t=\"str\"><v></v></c>", ""),
        ("<c r=\"B7\" t=\"str\"><v><![CDATA[&a>]]></v></c>", "B7='&a>'"),
        ("<c r=\"B7\" t=\"inlineStr\"><is><t>abc</t></is></c>", "B7='abc'"),
        ("<c r=\"B7\" t=\"inlineStr\"><is><r><t>a</t></r><r><t>b</t></r></is></c>", "B7='ab'"),
        ("<c r=\"B7\" t=\"inlineStr\"><is><t>&#65;</t></is><v>5</v></c>", "B7='A'"),
        ("<c r=\"B7\" t=\"inlineStr\"><v>5</v></c>", ""),
        ("<c r=\"B7\" t=\"b\"><v>1</v></c>", "B7=TRUE"),
        ("<c r=\"B7\" t=\"b\"><v>false</v></c>", "B7=FALSE"),
        ("<c r=\"B7\" t=\"b\"><v>2</v></c>", "B7='2'"),
        ("<c r=\"B7\" t=\"e\"><v>#SPILL!</v></c>", "B7=#SPILL!"),
        ("<c r=\"B7\" t=\"d\"><v>2025-10-13</v></c>", "B7=2025-10-13"),
        ("<c r=\"B7\" t=\"d\"><v>soon</v></c>", "B7='soon'"),
        ("<c r=\"B7\"><v>abc</v></c>", "B7='abc'"),
        ("<c r=\"B7\"><v>NaN</v></c>", "B7='NaN'"),
        ("<c r=\"B7\" t=\"z\"><v>7</v></c>", "B7='7'"),
        ("<c r=\"B7\"/>", ""),
        ("<c r=\"B7\"></c>", ""),
        ("<c r=\"B7\"><v/></c>", ""),
        ("<c r=\"B7\"><extLst><ext/></extLst><v>5</v></c>", "B7=5"),
    ];
    for (cell, expected) in cases {
        check(cell, expected);
    }
    // Blanks count for nothing unless they are preserved.
    let inline =
        |t: &str| scan(&format!("<row r=\"7\"><c r=\"B7\" t=\"inlineStr\"><is>{t}</is></c></row>"));
    assert_eq!(inline("<t> a b </t>"), ["B7='a b'"]);
    assert_eq!(inline("<t xml:space=\"preserve\"> a b </t>"), ["B7=' a b '"]);
    assert_eq!(inline("<t>  </t>"), [""; 0]);
}

#[test]
fn codes_and_long_numbers_are_their_digits_in_every_form() {
    let cases = [
        ("<c r=\"B7\"><v>9007199254740993</v></c>", "B7=9007199254740993"),
        ("<c r=\"B7\" t=\"n\"><v>-568883383628111873</v></c>", "B7=-568883383628111873"),
        ("<c r=\"B7\" s=\"3\"><v>568883383628111873.0</v></c>", "B7=568883383628111873"),
        (
            "<c r=\"B7\"><v>1234567890123456789012345678901234567</v></c>",
            "B7=1234567890123456789012345678901234567",
        ),
        ("<c r=\"B7\"><v>1.2345678901234568E+18</v></c>", "B7=1234567890123456800"),
        ("<c r=\"B7\"><v>1.0E+20</v></c>", "B7=100000000000000000000"),
        ("<c r=\"B7\"><v>0.30000000000000004</v></c>", "B7=0.30000000000000004"),
        ("<c r=\"B7\" s=\"4\"><v>2035</v></c>", "B7=02035"),
        ("<c r=\"B7\" s=\"4\" t=\"n\"><v>2035.0</v></c>", "B7=02035"),
        ("<c r=\"B7\" s=\"4\"><v>1.234567E6</v></c>", "B7=1234567"),
        ("<c r=\"B7\" s=\"4\"><v>2035.5</v></c>", "B7=2035.5"),
        ("<c r=\"B7\" s=\"4\"><v>-35</v></c>", "B7=-35"),
        ("<c r=\"B7\" s=\"4\"><v>0</v></c>", "B7=00000"),
        ("<c r=\"B7\" s=\"4\"><f>A1</f><v>35</v></c>", "B7=00035"),
        ("<c r=\"B7\" s=\"4\" t=\"s\"><v>1</v></c>", "B7='one'"),
        ("<c r=\"B7\" s=\"4\" t=\"str\"><v>35</v></c>", "B7='35'"),
        ("<c r=\"B7\" s=\"4\"><v>9007199254740993</v></c>", "B7=9007199254740993"),
        ("<c r=\"B7\" s=\"5\"><v>12345678</v></c>", "B7=012-34-5678"),
        ("<c r=\"B7\" s=\"5\"><v>9007199254740993</v></c>", "B7=9007199254-74-0993"),
    ];
    for (cell, expected) in cases {
        check(cell, expected);
    }
}

#[test]
fn rows_and_cells_without_numbers_follow_each_other() {
    let xml = "<row><c><v>1</v></c><c r=\"D1\"><v>2</v></c><c><v>3</v></c></row>\n<row/>\
               <row r=\"9\"/><row><c r=\"C10\"><v>4</v></c></row>\
               <row><c r=\"A20\"><v>5</v></c><c><v>6</v></c></row><row><c><v>7</v></c></row>";
    let expected = ["A1=1", "D1=2", "E1=3", "C10=4", "A20=5", "B20=6", "A21=7"];
    assert_eq!(scan(xml), expected);
    let rows = "<row><c><v>1</v></c></row><row/><row>  </row>";
    assert_eq!(try_scan(rows, 41).expect("sound"), ["A42=1"]);
    let last = |xml: &str, at| last_row(xml.as_bytes(), at, 41).map_err(|(fault, _)| fault);
    assert_eq!(last(rows, None).expect("sound"), 44);
    assert_eq!(last(rows, rows.rfind("<row")).expect("sound"), 44);
    assert_eq!(last("<row/><row x='1' r='77'/>", Some(6)).expect("sound"), 77);
    assert_eq!(last("  ", None).expect("sound"), 41);
}

#[test]
fn cells_out_of_order_are_put_in_order_and_the_later_twin_counts() {
    let xml = "<row r=\"3\"><c r=\"C3\"><v>1</v></c><c r=\"A3\"><v>2</v></c><c r=\"C3\"><v>3</v></c>\
               <c r=\"A3\"/><c r=\"b3\"><v>4</v></c></row>";
    assert_eq!(scan(xml), ["A3=2", "B3=4", "C3=3"]);
}

#[test]
fn what_cannot_be_right_is_a_fault_with_its_row() {
    let cases = [
        ("<row r=\"5\"><c r=\"A5\"><v>1</v></c></row><row r=\"5\"/>", "behind row 5"),
        ("<row r=\"5\"/><row r=\"4\"/>", "row 4 stands behind row 5"),
        ("<row r=\"1048577\"/>", "sheet ends at"),
        ("<row r=\"99999999999999999999999\"/>", "sheet ends at"),
        ("<row r=\"x\"/>", "no cell reference"),
        ("<row r=\"1\"><c r=\"XFE1\"/></row>", "column 16385"),
        ("<row r=\"1\"><c r=\"A2\"><v>1</v></c></row>", "A2 stands in row 1"),
        ("<row r=\"1\"><c r=\"A\"/></row>", "no cell reference"),
        ("<row r=\"1\"><c r=\"A1\" t=\"s\"><v>2</v></c></row>", "shared string 2"),
        ("<row r=\"1\"><c r=\"A1\" t=\"s\"><v>-1</v></c></row>", "no shared string"),
        ("<row r=\"1\"><c r=\"A1\" t=\"str\"><v>&x;</v></c></row>", "&x;"),
        ("<row r=\"1\"><row r=\"2\"/></row>", "inside another"),
        ("<row r=\"1\"><c r=\"A1\"><v>1</v></row>", "not closed"),
        ("<row r=\"1\"><c r=\"A1\"", "ends in the middle"),
        ("<row r=\"1\"><c r=\"A1\"><v>1", "ends in the middle"),
        ("<row r=\"1\"><c r=\"A1\"><v>1</v></c>", "ends in the middle"),
        ("<row r=\"1\"/></sheetData><row r=\"2\"/>", "behind the end"),
        ("<row r=\"1\"><c r=A1/></row>", "damaged"),
    ];
    for (xml, expected) in cases {
        let fault = try_scan(xml, 0).expect_err(xml).to_string();
        assert!(fault.contains(expected), "{xml}: {fault}");
    }
    let bad = b"<row r=\"1\"><c r=\"A1\" t=\"str\"><v>\xff</v></c></row>";
    let styles = styles();
    assert!(matches!(Scanner::new(bad, &styles, 0).next_row(), Err(Fault::Utf8)));
}

#[test]
fn the_last_column_of_the_last_row_is_inside() {
    let xml = "<row r=\"1048576\"><c r=\"XFC1048576\"><v>1</v></c><c><v>2</v></c></row>";
    assert_eq!(scan(xml), ["XFC1048576=1", "XFD1048576=2"]);
    let xml = "<row r=\"1\"><c r=\"XFD1\"><v>1</v></c><c><v>2</v></c></row>";
    assert!(matches!(try_scan(xml, 0), Err(Fault::Outside { .. })));
}

#[test]
fn any_cut_and_any_flipped_byte_is_a_result_and_never_a_panic() {
    let xml = "<row r=\"1\"><c r=\"A1\" s=\"1\" t=\"n\"><v>4.5</v></c><!--x--><c t=\"str\"><f>a</f>\
               <v>a&amp;b</v></c><c r=\"D1\" t=\"inlineStr\"><is><t>x</t></is></c></row><row/>";
    for end in 0..xml.len() {
        let _ = try_scan(&xml[..end], 0);
        for flip in [b'<', b'>', b'"', b'/', b' ', b'&', b'9', 0] {
            let mut bytes = xml.as_bytes().to_vec();
            bytes[end] = flip;
            let text = String::from_utf8(bytes).expect("ASCII");
            let _ = try_scan(&text, 0);
        }
    }
}

/// A cell's column, kind and value; whole numbers as the numbers that they are, and what is kept as digits as
/// these.
type Seen = (u16, u8, String);

fn seen(column: u16, kind: Kind, value: u64, digits: &str) -> Seen {
    match kind {
        Kind::Whole => (column, Kind::Number as u8, (value as f64).to_bits().to_string()),
        Kind::Digits => (column, kind as u8, digits.to_owned()),
        kind => (column, kind as u8, value.to_string()),
    }
}

/// The first row as the quick path reads it, if it does.
fn quick(bytes: &[u8]) -> Option<Vec<Seen>> {
    let styles = styles();
    let mut cells = Vec::new();
    let mut scanner = Scanner::new(bytes, &styles, 0);
    scanner.quick_row(|column, kind, value| {
        cells.push((column, kind, value));
        true
    })?;
    let digits = |kind, value| if kind == Kind::Digits { scanner.digits(value) } else { "" };
    let cell = |(column, kind, value)| seen(column, kind, value, digits(kind, value));
    Some(cells.into_iter().map(cell).collect())
}

/// The same row as the cursor alone reads it.
fn by_cursor(bytes: &[u8]) -> Result<Vec<Seen>, Fault> {
    let styles = styles();
    let mut scanner = Scanner::new(bytes, &styles, 0);
    let mut cursor = Cursor::new(bytes, 0);
    let mut column = 0;
    loop {
        match cursor.next()?.ok_or(Fault::Cut)? {
            Token::Open(tag) if tag.name == b"row" => {
                let row = tag.get(b"r")?.map(place::row_number).transpose()?;
                scanner.row = row.map_or(1, |row| row as u32);
            }
            Token::Open(tag) if tag.name == b"c" => {
                scanner.cell(&tag, &mut cursor, &mut column)?;
            }
            Token::Close(b"row") => break,
            _ => {}
        }
    }
    assert!(scanner.cells.is_sorted_by(|a, b| a.column < b.column), "no cell stands twice");
    let digits = |raw: &Raw| if raw.kind == Kind::Digits { scanner.text_of(raw) } else { "" };
    let cell = |raw: &Raw| seen(raw.column, raw.kind, raw.value, digits(raw));
    Ok(scanner.cells.iter().map(cell).collect())
}

const USUAL: &str = "<row r=\"17\" spans=\"1:9\"><c r=\"A17\"><v>7</v></c>\
    <c r=\"B17\" t=\"s\"><v>123456</v></c><c r=\"C17\" s=\"1\"><v>45943</v></c>\
    <c r=\"D17\"><v>12345678</v></c><c r=\"Z17\" s=\"2\" t=\"s\"><v>1</v></c>\
    <c r=\"AA17\"><v>-1.5</v></c><c r=\"AB17\" s=\"4\"><v>35</v></c>\
    <c r=\"AC17\"><v>9007199254740993</v></c><c r=\"FQ17\" t=\"s\"><v>0</v></c>\
    <c r=\"ABC17\"><v>1234567</v></c><c r=\"XFC17\" t=\"b\"><v>1</v></c>\
    <c r=\"XFD17\" t=\"str\"><v>text</v></c></row><row r=\"18\"><c r=\"A18\"><v>1</v></c></row>";

/// What the quick path takes, it takes as the cursor does.
fn same(bytes: &[u8]) -> bool {
    let Some(cells) = quick(bytes) else { return false };
    let told = by_cursor(bytes);
    let context = String::from_utf8_lossy(bytes);
    assert_eq!(told.unwrap_or_else(|fault| panic!("{fault}: {context}")), cells, "{context}");
    true
}

#[test]
fn whatever_byte_is_changed_the_quick_path_reads_what_the_cursor_does_or_nothing() {
    let row = USUAL.as_bytes();
    assert!(same(row));
    let mut taken = 0;
    for at in 0..row.len() {
        taken += u32::from(same(&[&row[..at], &row[at + 1..]].concat()));
        for byte in 0..=u8::MAX {
            taken += u32::from(same(&[&row[..at], &[byte], &row[at + 1..]].concat()));
            taken += u32::from(same(&[&row[..at], &[byte], &row[at..]].concat()));
        }
    }
    assert!(taken > 1_000, "{taken}: most changes of a digit leave a sound row");
    let twice = USUAL.replace(" s=\"2\"", " t=\"str\" s=\"2\"");
    assert!(
        twice != USUAL && !same(twice.as_bytes()),
        "of an attribute that stands twice the first counts"
    );
}

proptest::proptest! {
    #[test]
    fn however_a_row_is_edited_the_quick_path_reads_what_the_cursor_does_or_nothing(
        edits in proptest::collection::vec((0..USUAL.len(), 0..3_usize, 0..30_usize), 1..6),
    ) {
        let mut row = USUAL.as_bytes().to_vec();
        for (at, drop, put) in edits {
            let at = at.min(row.len());
            // Another piece of the row, or nothing.
            let from = at * 7 % USUAL.len();
            let piece = &USUAL.as_bytes()[from..(from + put / 2).min(USUAL.len())];
            row.splice(at..(at + drop).min(row.len()), piece.iter().copied());
        }
        same(&row);
    }
}
