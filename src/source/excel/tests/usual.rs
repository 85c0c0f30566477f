//! Rows of the usual form take a path of their own: the same rows written otherwise give the same.

use super::*;
use std::fmt::Write as _;

const STRINGS: &[&str] = &[
    "id",
    "count",
    "note",
    "   ",
    "N/A",
    "473801FB0110",
    "4.73801E+11",
    "7",
    "12345",
    "é",
    "a text that is longer than twelve bytes",
    " padded ",
    "more than ten characters",
];

/// Rows with everything that the quick path knows and much that it leaves to others.
fn sheet() -> String {
    let mut xml = String::new();
    let header: Vec<_> = ["A", "B", "C"].iter().zip(0..).collect();
    let mut row = |number: u32, cells: &[(&str, &str, &str)]| {
        write!(xml, "<row r=\"{number}\" spans=\"1:9\">").expect("memory");
        for (column, attributes, content) in cells {
            write!(xml, "<c r=\"{column}{number}\"{attributes}>{content}</c>").expect("memory");
        }
        xml.push_str("</row>");
    };
    let value = |text: &str| format!("<v>{text}</v>");
    let names = |at: usize| value(&at.to_string());
    let heads: Vec<_> =
        header.iter().map(|(column, at)| (**column, " t=\"s\"", names(*at))).collect();
    let heads: Vec<_> = heads.iter().map(|(c, a, v)| (*c, *a, v.as_str())).collect();
    row(1, &heads);
    let numbers = [
        "0",
        "7",
        "-3",
        "12345678",
        "123456789012345",
        "1234567890123456",
        "2147483648",
        "0.5",
        "1E3",
        "45943",
        "45943.25",
        "",
        "x",
    ];
    for n in 0..300_u32 {
        let text = value(&(3 + n as usize % (STRINGS.len() - 3)).to_string());
        let number = value(numbers[n as usize % numbers.len()]);
        let number_2 = value(numbers[(n as usize * 5 + 1) % numbers.len()]);
        let at = 2 + n + n / 50;
        let more = match n % 23 {
            // Nothing but blanks is no row; a value beside the table refuses its row.
            3 => vec![("A", " t=\"s\"", "<v>3</v>")],
            5 => vec![("A", "", number.as_str()), ("XFD", "", "<v>1</v>")],
            // The header again, and cells out of order.
            7 => heads.clone(),
            9 => vec![("C", "", number.as_str()), ("A", "", "<v>1</v>")],
            11 => vec![("B", " t=\"b\"", "<v>1</v>"), ("C", " t=\"e\"", "<v>#N/A</v>")],
            13 => vec![("A", " t=\"str\"", "<f>x</f><v>a&amp;b</v>")],
            14 => vec![("A", " t=\"str\"", "<v>plain</v>"), ("C", " s=\"1\"", "<v>1.5</v>")],
            15 => vec![("A", " t=\"inlineStr\"", "<is><t> in line </t></is>")],
            16 => vec![("B", "", number.as_str())],
            17 => vec![("A", "", ""), ("C", " s=\"1\" t=\"s\"", text.as_str())],
            _ => vec![
                ("A", " t=\"s\"", text.as_str()),
                ("B", if n % 2 == 0 { " s=\"1\"" } else { "" }, number.as_str()),
                ("C", "", number_2.as_str()),
            ],
        };
        row(at, &more);
    }
    xml
}

fn strings() -> String {
    let items = STRINGS.iter().map(|text| format!("<si><t xml:space=\"preserve\">{text}</t></si>"));
    format!("<sst>{}</sst>", items.collect::<String>())
}

fn book(sheet: &str) -> Vec<u8> {
    raw_with(sheet, "", &[("xl/sharedStrings.xml", &strings())])
}

/// Everything that a reading gives, as text.
fn decoded(book: &[u8], columns: &[ReadColumn], extra: bool, options: &SourceOptions) -> String {
    let table = survey_with(book, options).expect("a readable workbook").remove(0);
    let schema = Arc::new(ReadSchema {
        columns: columns.to_vec(),
        extra: if extra { vec![(1, "count".into())] } else { Vec::new() },
        headers: table.headers().to_vec(),
    });
    let mut told = String::new();
    for block in read(table.as_ref(), &schema, Mark::default(), 100_000).expect("sound") {
        for column in block.frame.columns() {
            let values: Vec<_> =
                (0..column.len()).map(|at| column.get(at).expect("there")).collect();
            writeln!(told, "{}: {values:?}", column.name()).expect("memory");
        }
        let Decoded { index, misfits, rejects, notes, raw, .. } = block;
        let rows: Vec<_> = index.iter().map(|record| raw.place(*record).row).collect();
        writeln!(told, "{rows:?}\n{misfits:?}\n{rejects:#?}\n{notes:?}").expect("memory");
    }
    told
}

#[test]
fn usual_rows_and_their_unusual_twins_are_the_same() {
    let usual = sheet();
    let odd = usual.replace("\"><", "\" ><");
    assert_ne!(usual, odd);
    use ColumnKind::{BigInt, Bool, Date, Decimal, Double, Int, Text, Timestamp};
    let kinds = [Text, Int, BigInt, Double, Decimal(2), Bool, Date, Timestamp];
    let spilled = SourceOptions { strings_in_memory: Some(0), ..SourceOptions::default() };
    for kind in kinds {
        for role in [Role::Plain, Role::Id, Role::Code] {
            let of = |field, kind| ReadColumn {
                width: Some(9),
                max_len: Some(10),
                nulls: vec!["N/A".into()],
                ..column(&format!("c{field}"), field, kind, role)
            };
            let columns = [of(0, Text), of(1, kind), of(2, kind)];
            let plain = SourceOptions::default();
            let expected = decoded(&book(&odd), &columns, false, &plain);
            assert!(expected.contains("E202"), "rows beside the table are refused");
            assert_eq!(decoded(&book(&usual), &columns, false, &plain), expected, "{kind:?}");
            assert_eq!(decoded(&book(&usual), &columns, false, &spilled), expected, "{kind:?}");
        }
    }
    let columns = [column("c0", 0, Text, Role::Plain), column("c2", 2, BigInt, Role::Plain)];
    let plain = SourceOptions::default();
    let expected = decoded(&book(&odd), &columns, true, &plain);
    assert_eq!(decoded(&book(&usual), &columns, true, &plain), expected, "extra columns");
}

#[test]
fn a_missing_string_is_told_with_its_row() {
    let sheet = sheet();
    let bad = sheet.replacen("<c r=\"C306\"><v>", "<c r=\"C306\" t=\"s\"><v>99", 1);
    assert_ne!(sheet, bad, "the cell is there");
    let error = fault(&book(&bad));
    assert!(error.message.contains("(behind row 306)"), "{}", error.message);
}
