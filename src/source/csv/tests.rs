//! Whole texts through survey, cutter and decoder.

use super::{Csv, CsvPolicy, Escaping, Quoting};
use crate::chunk::{Mark, ReadColumn, ReadSchema};
use crate::source::{Content, Earlier, Format, SourceError, SourceErrorKind, SourceOptions, Table};
use proptest::prelude::*;
use std::sync::Arc;

/// Everything that came of a text.
#[derive(Debug, Default, PartialEq)]
struct Read {
    headers: Vec<String>,
    /// Row and fields joined by `|`; `∅` for null.
    rows: Vec<(u64, String)>,
    /// Row and code of what was refused.
    refused: Vec<(u64, String)>,
    /// Rule and how often.
    notes: Vec<(String, u64)>,
    records: u64,
}

/// A table and the folder of its file.
struct Surveyed {
    table: Arc<dyn Table>,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Surveyed {
    type Target = dyn Table;

    fn deref(&self) -> &Self::Target {
        &*self.table
    }
}

fn survey(text: &[u8], options: &SourceOptions) -> Result<Surveyed, SourceError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.csv");
    std::fs::write(&path, text).expect("written");
    let table = Csv.survey(&Content::plain(&path), options)?.remove(0);
    Ok(Surveyed { table, _folder: folder })
}

fn schema(table: &dyn Table) -> Arc<ReadSchema> {
    let column = |(field, header): (usize, &String)| {
        ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let columns = table.headers().iter().enumerate().map(column).collect();
    Arc::new(ReadSchema { columns, extra: Vec::new(), headers: table.headers().to_vec() })
}

fn read_table(table: &dyn Table, rows: usize, bytes: usize) -> Result<Read, SourceError> {
    let mut source = table.open(schema(table), Mark::default())?;
    let mut read = Read { headers: table.headers().to_vec(), ..Read::default() };
    let mut notes = crate::chunk::Notes::default();
    while let Some(block) = source.next_block(rows, bytes)? {
        let decoded = block.body.decode()?;
        read.records += u64::from(decoded.records);
        assert_eq!(
            decoded.index.len() + decoded.rejects.len(),
            decoded.records as usize,
            "every record is kept or refused"
        );
        for (at, record) in decoded.index.iter().enumerate() {
            let cells: Vec<_> = decoded
                .frame
                .columns()
                .iter()
                .map(|column| column.str().expect("text").get(at).unwrap_or("∅").to_owned())
                .collect();
            read.rows.push((decoded.raw.place(*record).row, cells.join("|")));
        }
        for reject in &decoded.rejects {
            read.refused.push((reject.place.row, reject.problems[0].code.to_string()));
        }
        notes.merge(decoded.notes);
    }
    read.notes = notes.iter().map(|(key, note)| (key.rule.clone(), note.count)).collect();
    Ok(read)
}

fn read(text: &[u8], options: &SourceOptions) -> Read {
    let table = survey(text, options).expect("readable");
    let whole = read_table(&*table, 1_000, 1 << 20).expect("readable");
    // Blocks of a few rows must say the same.
    assert_eq!(read_table(&*table, 1, 4 << 10).expect("readable"), whole);
    whole
}

fn strict(text: &str) -> Read {
    read(text.as_bytes(), &SourceOptions::default())
}

fn lenient(text: &str) -> Read {
    read(text.as_bytes(), &SourceOptions { csv: CsvPolicy::Lenient, ..SourceOptions::default() })
}

fn cells(read: &Read) -> Vec<&str> {
    read.rows.iter().map(|(_, cells)| cells.as_str()).collect()
}

fn facts(text: &[u8]) -> Vec<(String, String)> {
    survey(text, &SourceOptions::default()).expect("readable").facts()
}

fn fact(text: &[u8], name: &str) -> String {
    facts(text).into_iter().find(|(fact, _)| fact == name).map(|(_, value)| value).expect("a fact")
}

#[test]
fn a_plain_text_keeps_its_cells_and_rows() {
    let found = strict("id,name\n1,\"a, b\"\n\n2,\"line\nend\"\r\n3,\"5\"\" in\"\n");
    assert_eq!(found.headers, ["id", "name"]);
    let expected = [(2, "1|a, b"), (4, "2|line\nend"), (6, "3|5\" in")];
    assert_eq!(found.rows, expected.map(|(row, cells)| (row, cells.to_owned())));
}

#[test]
fn strict_refuses_what_lenient_repairs() {
    let text = "a,b,c\n1,2\n1,2,3,\n1,2,3,4\n1,\"x\"y,3\n1,\"2,3\na,b,c\n\u{feff}5,6,7\n8,9,0\n";
    let found = strict(text);
    assert_eq!(cells(&found), ["8|9|0"]);
    let codes = ["E202", "E202", "E202", "E203", "E203", "E202", "E201"];
    let expected: Vec<_> = (2..).zip(codes.map(str::to_owned)).collect();
    assert_eq!(found.refused, expected);
    assert_eq!(found.notes, []);

    let found = lenient(text);
    let expected = [
        "1|2|∅|∅",
        "1|2|3|∅",
        "1|2|3|{\"column_4\":\"4\"}",
        "1|\"x\"y|3|∅",
        "1|\"2|3|∅",
        "5|6|7|∅",
        "8|9|0|∅",
    ];
    assert_eq!(cells(&found), expected);
    assert_eq!((found.refused.len(), found.records), (0, 7));
    let notes = [
        ("byte_order_mark", 1),
        ("long_row", 1),
        ("repeated_header", 1),
        ("short_row", 1),
        ("trailing_delimiters", 1),
        ("stray_quote", 2),
    ];
    assert_eq!(found.notes, notes.map(|(rule, count)| (rule.to_owned(), count)));
}

#[test]
fn quotes_out_of_place_cost_their_line_only() {
    let found = strict("a,b\n1,\"open\n2,x\n3,\"y\nz\"\n4,w\"w\n5,\"end");
    assert_eq!(cells(&found), ["2|x", "3|y\nz", "4|w\"w"]);
    assert_eq!(found.refused, [(2, "E203".to_owned()), (7, "E203".to_owned())]);
}

#[test]
fn nuls_around_values_are_padding_and_inside_are_refused() {
    let found = lenient("a,b\nx\0\0,1\n\0y,2\nz,3\n");
    assert_eq!(cells(&found), ["x|1|∅", "y|2|∅", "z|3|∅"]);
    assert_eq!(found.notes, [("nul_padding".to_owned(), 2)]);
    assert_eq!(cells(&strict("a,b\nx\0,1\n")), ["∅|1"]);
}

#[test]
fn encodings_are_decided_for_the_file() {
    let text = "id,name\n1,Müller\n2,São\n";
    let utf16 = |big: bool, mark: bool| -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let marked = format!("\u{feff}{text}").into_bytes();
    let cases = [
        (text.as_bytes().to_vec(), "utf-8"),
        (marked, "utf-8"),
        (utf16(false, true), "utf-16le"),
        (utf16(true, true), "utf-16be"),
        (utf16(false, false), "utf-16le"),
        (utf16(true, false), "utf-16be"),
        (latin, "windows-1252"),
    ];
    for (bytes, name) in cases {
        let found = read(&bytes, &SourceOptions::default());
        assert_eq!(found.headers, ["id", "name"], "{name}");
        assert_eq!(cells(&found), ["1|Müller", "2|São"], "{name}");
        assert_eq!(fact(&bytes, "encoding"), name);
    }
}

#[test]
fn damaged_utf_8_is_counted_and_told_where_it_stands() {
    let mut text = "id,name\n".to_owned();
    for row in 0..20 {
        text.push_str(&format!("{row},Müller\n"));
    }
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"20,M\xfcller\n");
    let found = read(&bytes, &SourceOptions::default());
    assert_eq!((found.rows.len(), found.refused.clone()), (20, vec![(22, "E201".to_owned())]));
    let options = SourceOptions { csv: CsvPolicy::Lenient, ..SourceOptions::default() };
    let found = read(&bytes, &options);
    assert_eq!(cells(&found).last(), Some(&"20|M\u{fffd}ller|∅"));
    assert_eq!(found.notes, [("bad_bytes".to_owned(), 1)]);
}

#[test]
fn dialects_are_found_and_told() {
    let single = b"a;b\n'1;2';x\n'3;4';y\n";
    assert_eq!(cells(&read(single, &SourceOptions::default())), ["1;2|x", "3;4|y"]);
    assert_eq!(fact(single, "quotes"), "`'`, doubled inside, regular");
    assert_eq!(fact(single, "delimiter"), "`;`");
    let slashes = br#"a,b
"5\" in, x",1
"6\" in, y",2
"#;
    assert_eq!(cells(&read(slashes, &SourceOptions::default())), ["5\" in, x|1", "6\" in, y|2"]);
    let padded = b"a, b\n1, \"x, y\"\n2, z\n3, w\n";
    assert_eq!(cells(&read(padded, &SourceOptions::default())), ["1|x, y", "2|z", "3|w"]);
    assert_eq!(fact(padded, "delimiter"), "`,` and blanks");
    for (text, name) in [
        (&b"a,b\r1,2\r"[..], "\\r"),
        (b"a,b\r\n1,2\r\n", "\\r\\n"),
        (b"a,b\n1,2\r\n", "mixed \\n and \\r\\n"),
        (b"a,b\r1,2\n3,4\r\n5,6", "mixed, \\r alone included"),
    ] {
        assert_eq!(fact(text, "line ends"), name);
        assert_eq!(read(text, &SourceOptions::default()).rows[0], (2, "1|2".to_owned()));
    }
}

#[test]
fn a_dialect_is_used_as_said() {
    let options = SourceOptions {
        delimiter: Some(';'),
        quote: Some(Quoting::None),
        escape: Some(Escaping::Doubled),
        ..SourceOptions::default()
    };
    assert_eq!(cells(&read(b"a;b\n\"1;2\n", &options)), ["\"1|2"]);
    let clash = SourceOptions { quote: Some(Quoting::Char(';')), ..options };
    assert_eq!(survey(b"a;b\n", &clash).err().map(|e| e.kind), Some(SourceErrorKind::Header));
}

#[test]
fn what_stands_around_the_table_is_left_out_and_told() {
    let text = "Sales of May\nall amounts in dollars\n\nid,name,price\n1,a,5\n2,b,6\n\n-- end --\n";
    let table = survey(text.as_bytes(), &SourceOptions::default()).expect("readable");
    let found = read(text.as_bytes(), &SourceOptions::default());
    assert_eq!(found.rows, [(5, "1|a|5".to_owned()), (6, "2|b|6".to_owned())]);
    assert_eq!(found.refused, []);
    assert_eq!(fact(text.as_bytes(), "header"), "row 4");
    assert_eq!(fact(text.as_bytes(), "footer"), "2 lines from row 7");
    let notes = table.notes();
    assert!(notes[0].contains("2 row(s) above the header"), "{notes:?}");
    assert!(notes[1].contains("-- end --"), "{notes:?}");
    let bare = "1,x\n2,y\n";
    assert_eq!(strict(bare).rows.len(), 2);
    assert_eq!(fact(bare.as_bytes(), "header"), "none");
}

#[test]
fn a_broken_header_is_never_passed_over() {
    let text = "id,\"name\"s,price\n1,a,5\n2,b,6\n";
    let error = survey(text.as_bytes(), &SourceOptions::default()).err().expect("refused");
    assert_eq!(error.kind, SourceErrorKind::Quote);
    assert!(error.to_string().contains("row 1"), "{error}");
    let found = lenient(text);
    assert_eq!(found.headers, ["id", "\"name\"s", "price"]);
    assert_eq!(found.rows.len(), 2);
    let surplus = lenient("id,,name\n1,a\n2,b\n");
    assert_eq!((surplus.headers, surplus.rows.len()), (vec!["id".into(), "name".into()], 2));
}

#[test]
fn a_line_without_an_end_is_a_limit() {
    let long = "x".repeat((16 << 20) + 10);
    let error = survey(long.as_bytes(), &SourceOptions::default()).err().expect("too long");
    assert_eq!(error.kind, SourceErrorKind::Limit);
    let text = format!("a,b\n1,2\n3,{long}\n");
    let table = survey(text.as_bytes(), &SourceOptions::default()).expect("a header");
    let error = read_table(&*table, 1_000, 1 << 20).expect_err("too long");
    assert_eq!(error.kind, SourceErrorKind::Limit);
    assert!(error.to_string().contains("row 3") || error.to_string().contains("row 1"), "{error}");
    // A header may be longer than what is looked at first.
    let wide: Vec<_> = (0..20_000).map(|n| format!("column {n}")).collect();
    let text = format!("{}\n{}\n", wide.join(","), vec!["1"; 20_000].join(","));
    assert_eq!(strict(&text).headers.len(), 20_000);
}

#[test]
fn a_record_can_be_resumed_anywhere() {
    let text = "a,b\n1,\"x\ny\"\n2,5\" z\n3,w\n";
    let table = survey(text.as_bytes(), &SourceOptions::default()).expect("readable");
    let mut source = table.open(schema(&*table), Mark::default()).expect("open");
    let block = source.next_block(1_000, 1 << 20).expect("read").expect("a block");
    let decoded = block.body.decode().expect("decoded");
    let after = decoded.raw.after(0);
    assert_eq!((after.byte, after.row), (12, 4));
    let mut source = table.open(schema(&*table), after).expect("open");
    let block = source.next_block(1_000, 1 << 20).expect("read").expect("a block");
    let rest = block.body.decode().expect("decoded");
    assert_eq!((rest.records, rest.raw.place(0).row), (2, 4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No text breaks a reader, whatever its blocks: rows, refusals and notes are the same.
    #[test]
    fn any_text_reads_the_same_in_blocks_of_any_size(
        text in "(a,b,c\n)?([a1é\",;\n\r\\' \u{feff}\0]|\"x\"|,\"|\",|\n){0,120}",
        lenient: bool, spread in 0_usize..3,
    ) {
        let csv = if lenient { CsvPolicy::Lenient } else { CsvPolicy::Strict };
        let options = SourceOptions { csv, ..SourceOptions::default() };
        // Rows on both sides of the damage make blocks that begin and end near it.
        let calm = "1,\"2, x\",3\n".repeat(spread * 700);
        let text = format!("a,b,c\n{calm}{text}\n{calm}");
        if let Ok(table) = survey(text.as_bytes(), &options) {
            let whole = read_table(&*table, 100_000, 1 << 20).expect("readable");
            prop_assert_eq!(&read_table(&*table, 1, 4 << 10).expect("readable"), &whole);
            prop_assert_eq!(whole.records as usize, whole.rows.len() + whole.refused.len());
        }
    }
}

/// A quote that is long in finding its end must not make one block of the million lines behind it.
#[test]
fn what_is_read_ahead_waits_for_its_own_blocks() {
    let unclosed = format!("a,b\n1,\"{}", "x\n".repeat(1 << 20));
    let long = format!("a,b\n1,\"{}\"\n{}", "x\n".repeat(300_000), "2,3\n".repeat(300_000));
    for (text, rows) in [(unclosed, 1 << 20), (long, 300_001)] {
        let table = survey(text.as_bytes(), &SourceOptions::default()).expect("readable");
        let schema = schema(&*table.table);
        let mut source = table.table.open(schema, Mark::default()).expect("opens");
        let mut records = 0;
        while let Some(block) = source.next_block(1_000, 1 << 20).expect("readable") {
            let decoded = block.body.decode().expect("decodes");
            assert!(decoded.records <= 1 << 17, "{} records in one block", decoded.records);
            records += decoded.records;
        }
        assert_eq!(records, rows);
    }
}

/// Whether a file of `new` goes on where `old` has been committed up to `committed` bytes.
fn continues(old: &[u8], new: &[u8], committed: usize) -> bool {
    let folder = tempfile::tempdir().expect("a test folder");
    let table = |bytes: &[u8]| {
        let path = folder.path().join("f.csv");
        std::fs::write(&path, bytes).expect("writable");
        let content = Content::plain(&path);
        Csv.survey(&content, &SourceOptions::default()).expect("sound").remove(0)
    };
    let fingerprint = table(old).fingerprint();
    let earlier = Earlier { fingerprint, bytes: old.len() as u64, committed: committed as u64 };
    table(new).continues(&earlier).expect("readable")
}

#[test]
fn a_text_goes_on_where_it_has_only_grown() {
    let old = b"id,name\n1,caf\xc3\xa9\n2,b\n";
    let with = |more: &[u8]| [&old[..], more].concat();
    assert!(continues(old, &with(b"3,c\n"), old.len()));
    assert!(continues(old, &with(b"3,\"c\n\"\n"), 8));
    assert!(!continues(old, old, 8), "not grown");
    assert!(!continues(old, b"id,name\n1,caf\xc3\xa9\n2,x\n3,c\n", 8), "not the same before");
    // The last record is another one with what follows; where it is not committed, nothing is lost.
    let open = b"id,name\n1,a\n2,b";
    assert!(!continues(open, b"id,name\n1,a\n2,bc\n3,d\n", open.len()));
    assert!(continues(open, b"id,name\n1,a\n2,bc\n3,d\n", 12));
    // What was read as UTF-8 is windows-1252 now.
    assert!(!continues(old, &with(b"3,caf\xe9\n"), old.len()));
    // A quote that is never closed, and one that is closed by what follows.
    assert!(!continues(b"id,name\n1,a\n2,\"b\n", b"id,name\n1,a\n2,\"b\n3\"\n", 12));
}
