//! Workbooks that are packed, named, encoded, cut and changed in ways that real and hostile files are.

use super::*;

/// A workbook of parts that are named and written in an unusual but valid way.
fn odd_parts() -> Vec<(&'static str, String)> {
    const STRICT: &str = "http://purl.oclc.org/ooxml/officeDocument/relationships";
    let rel = |id: &str, kind: &str, target: &str| {
        format!(
            "<p:Relationship Target='{target}' Id='{id}' Type=\"{STRICT}/{kind}\"></p:Relationship>"
        )
    };
    let rels = |rels: &[String]| {
        format!("<p:Relationships xmlns:p='r'>{}</p:Relationships>", rels.concat())
    };
    let sheet = "<?xml version='1.0'?><x:worksheet xmlns:x='m'><x:dimension ref='A1:C3'/><x:sheetData>\
                 <x:row r='1'><x:c t='s' r='A1'><x:v>0</x:v></x:c><x:c r='B1' t='s'><x:v>1</x:v></x:c></x:row>\
                 <x:row><!-- <x:row r='9'/> --><x:c s='1'><x:v>45943</x:v></x:c><x:c t='s'><x:v>2</x:v></x:c></x:row>\
                 </x:sheetData><x:controls><from xmlns='d'><x:row>77</x:row></from></x:controls></x:worksheet>";
    vec![
        ("[Content_Types].xml", "<Types/>".into()),
        ("_rels/.rels", rels(&[rel("1", "officeDocument", "/Content/Book.xml")])),
        (
            "content/book.xml",
            "<x:workbook><x:workbookPr/><x:sheets><x:sheet foo:id='s1' name='A &amp; B' sheetId='7' \
             state='show'/><x:sheet foo:id='s2' name='Plot'/><x:sheet foo:id='s3' name='Out' \
             state='veryHidden'/></x:sheets></x:workbook>"
                .into(),
        ),
        (
            "content/_rels/book.xml.rels",
            rels(&[
                rel("s1", "worksheet", "../data\\one.xml"),
                rel("s2", "chartsheet", "plot.xml"),
                rel("s3", "worksheet", "https://example.org/x' TargetMode='External"),
                rel("t", "sharedStrings", "/text.xml"),
                rel("f", "styles", "./looks.xml"),
                rel("x", "theme", "broken.xml"),
            ]),
        ),
        ("data/one.xml", sheet.into()),
        (
            "text.xml",
            "<x:sst><x:si><x:t>day</x:t></x:si><x:si><x:r><x:t>te</x:t></x:r><x:r><x:t>xt</x:t></x:r>\
             </x:si><x:si><x:t xml:space='preserve'>é &#x41; </x:t></x:si></x:sst>"
                .into(),
        ),
        (
            "content/looks.xml",
            "<x:styleSheet><x:cellXfs><x:xf/><x:xf numFmtId='14'/></x:cellXfs></x:styleSheet>".into(),
        ),
        ("content/broken.xml", "<<<".into()),
    ]
}

fn check_odd(book: &[u8]) {
    let table = survey(book).remove(0);
    assert_eq!(table.headers(), ["day", "text"]);
    assert_eq!(table.part(), crate::chunk::Part::Sheet("A & B".into()));
    let notes = table.notes().join("\n");
    assert!(
        notes.contains("\"Plot\" is a chart") && notes.contains("\"Out\" is hidden"),
        "{notes}"
    );
    assert_eq!(texts(book), [row(2, &["2025-10-13", "é A"])]);
}

#[test]
fn parts_are_found_by_relationship_under_any_name_and_prefix() {
    let parts = odd_parts();
    check_odd(&zipped(parts.iter().map(|(name, text)| (*name, text.clone().into_bytes()))));
}

#[test]
fn parts_may_be_utf16_stored_or_of_a_large_file() {
    let utf16 = |text: &String| -> Vec<u8> {
        let text = text.replace("<?xml version='1.0'?>", "<?xml version='1.0' encoding='UTF-16'?>");
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    check_odd(&zipped(odd_parts().iter().map(|(name, text)| (*name, utf16(text)))));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .large_file(true)
        .compression_method(zip::CompressionMethod::Stored);
    for (name, text) in odd_parts() {
        zip.start_file(name, options).expect("in memory");
        zip.write_all(text.as_bytes()).expect("in memory");
    }
    check_odd(&zip.finish().expect("in memory").into_inner());
}

/// A workbook of many rows, and where the packed bytes of its sheet lie.
fn long() -> (Vec<u8>, std::ops::Range<usize>) {
    let lines: String = (2..400)
        .map(|n| {
            format!(
                "<row r=\"{n}\">{}<c r=\"B{n}\"><v>{}</v></c></row>",
                text_cell(&format!("A{n}"), "x"),
                n * 7919 % 1000
            )
        })
        .collect();
    let book = raw(&(header() + &lines));
    let name = b"xl/worksheets/sheet1.xml";
    let local = memchr::memmem::find(&book, name).expect("the sheet's header");
    let length = book[local - 12..local - 8].try_into().expect("four bytes");
    let start = local + name.len();
    (book, start..start + u32::from_le_bytes(length) as usize)
}

fn read_all(book: &[u8]) -> Result<Vec<(u64, Vec<String>)>, SourceError> {
    let table = survey_with(book, &SourceOptions::default())?.remove(0);
    let schema = all_text(table.as_ref());
    Ok(rows(&read(table.as_ref(), &schema, Mark::default(), 500)?))
}

#[test]
fn a_changed_byte_of_a_sheet_is_an_error_or_changes_nothing() {
    let (book, sheet) = long();
    let whole = read_all(&book).expect("sound");
    assert_eq!(whole.len(), 398);
    let mut errors = 0;
    for at in sheet.clone().step_by(3) {
        let mut changed = book.clone();
        changed[at] ^= 0x10;
        match read_all(&changed) {
            Ok(rows) => assert_eq!(rows, whole, "byte {at}"),
            Err(error) => {
                let of_file = [SourceErrorKind::Broken, SourceErrorKind::Limit];
                assert!(of_file.contains(&error.kind), "byte {at}: {error}");
                errors += 1;
            }
        }
    }
    assert!(errors > sheet.len() / 4, "{errors}");
}

#[test]
fn a_directory_that_lies_about_a_part_is_an_error() {
    let (book, _) = long();
    let entry = memchr::memmem::rfind(&book, b"xl/worksheets/sheet1.xml").expect("its entry");
    // In the directory: the CRC at 16, the packed size at 20, the unpacked one at 24, the name at 46.
    for (offset, change) in [(16, 1), (21, 0xff), (24, 1), (24, 0x80), (25, 0xff)] {
        let mut changed = book.clone();
        changed[entry - 46 + offset] ^= change;
        match read_all(&changed) {
            // More room than the packed bytes need is no lie that matters.
            Ok(rows) => assert!(offset == 21 && rows.len() == 398, "{offset}"),
            Err(error) => assert_eq!(error.kind, SourceErrorKind::Broken, "{offset}: {error}"),
        }
    }
}

#[test]
fn spilled_strings_change_nothing() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["id", "text"]).expect("in bounds");
    for row in 1..6_000_u32 {
        sheet.write_string(row, 0, format!("id{row}")).expect("in bounds");
        sheet.write_string(row, 1, format!("{}é", row % 7)).expect("in bounds");
    }
    let bytes = book.save_to_buffer().expect("in memory");
    let dir = tempfile::tempdir().expect("a test folder");
    let read = |strings_in_memory| {
        let temp_dir = Some(dir.path().to_owned());
        let options = SourceOptions { strings_in_memory, temp_dir, ..SourceOptions::default() };
        let table = survey_with(&bytes, &options).expect("readable").remove(0);
        let schema = all_text(table.as_ref());
        rows(&read(table.as_ref(), &schema, Mark::default(), 100).expect("readable"))
    };
    let expected = read(None);
    assert_eq!(expected.len(), 5_999);
    assert_eq!(read(Some(0)), expected);
    assert_eq!(read(Some(20_000)), expected);
}

#[test]
fn few_bytes_that_mean_very_much_text_are_a_limit() {
    let strings = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(1 << 20));
    let lines: String = (2..400)
        .map(|n| format!("<row r=\"{n}\"><c r=\"A{n}\" t=\"s\"><v>0</v></c></row>"))
        .collect();
    let book = raw_with(&(header() + &lines), "", &[("xl/sharedStrings.xml", &strings)]);
    assert_eq!(read_all(&book).expect_err("too much").kind, SourceErrorKind::Limit);
}

#[test]
fn rows_without_numbers_can_be_resumed() {
    let line = |n: usize| format!("<row><c><v>{n}</v></c><c><v>{}</v></c></row>", n * 2);
    let lines: String = (2..2_000).map(line).collect();
    let table = survey(&raw(&(header() + &lines))).remove(0);
    let schema = all_text(table.as_ref());
    let whole = read(table.as_ref(), &schema, Mark::default(), 100_000).expect("readable");
    let expected = rows(&whole);
    assert_eq!((expected.len(), expected[1_997].0), (1_998, 1_999));
    assert_eq!(
        rows(&read(table.as_ref(), &schema, Mark::default(), 50).expect("readable")),
        expected
    );
    let from = whole[0].raw.after(1_499);
    let rest = read(table.as_ref(), &schema, from, 64).expect("readable");
    assert_eq!(rows(&rest), expected[1_500..]);
    assert_eq!(rest[0].raw.address(0, 1).as_deref(), Some("B1502"));
}

#[test]
fn no_change_of_a_byte_in_any_part_is_a_panic() {
    let parts = odd_parts();
    for (changed, (_, text)) in parts.iter().enumerate() {
        for (at, by) in (0..text.len()).step_by(3).zip(b"<>/\"'&= x9\0".iter().cycle()) {
            let damaged = |(part, (name, text)): (usize, &(&'static str, String))| {
                let mut bytes = text.clone().into_bytes();
                if part == changed {
                    bytes[at] = *by;
                }
                (*name, bytes)
            };
            // It is read or refused; what it must not do is panic.
            let _ = read_all(&zipped(parts.iter().enumerate().map(damaged)));
        }
    }
}
