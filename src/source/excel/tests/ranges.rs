//! Parts of a sheet: ranges, names, Excel tables.

use super::*;
use crate::source::excel::range::SheetRange;
use rust_xlsxwriter::{Table as ExcelTable, TableColumn};

/// Sheet `One`: a title, a table in B3:D6, something beside and below it. Sheet `Two` has two Excel
/// tables: one with header and totals, one without a header.
fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("One").expect("a name");
    let cells = [
        (0, 0, "Title"),
        (2, 1, "id"),
        (2, 2, "name"),
        (2, 3, "value"),
        (2, 6, "beside"),
        (3, 1, "a"),
        (3, 2, "x"),
        (4, 1, "b"),
        (4, 6, "remark"),
        (5, 1, "c"),
        (5, 3, "z"),
        (8, 1, "Total"),
        (9, 6, "far below"),
    ];
    for (row, column, text) in cells {
        sheet.write_string(row, column, text).expect("in bounds");
    }
    sheet.write_number(6, 6, 5.0).expect("in bounds");
    let sheet = book.add_worksheet().set_name("Two").expect("a name");
    for (row, (key, count)) in (5..).zip([("k1", 1.0), ("k2", 2.0)]) {
        sheet.write_string(row, 2, key).expect("in bounds");
        sheet.write_number(row, 3, count).expect("in bounds");
    }
    let columns = [
        TableColumn::new().set_header("key").set_total_label("all"),
        TableColumn::new().set_header("count"),
    ];
    let table = ExcelTable::new().set_name("Counts").set_columns(&columns).set_total_row(true);
    sheet.add_table(4, 2, 7, 3, &table).expect("a table");
    sheet.write_string(4, 6, "h1").expect("in bounds");
    let columns = [TableColumn::new().set_header("left"), TableColumn::new().set_header("right")];
    let table = ExcelTable::new().set_name("Bare").set_columns(&columns).set_header_row(false);
    sheet.add_table(10, 0, 11, 1, &table).expect("a table");
    sheet.write_string(10, 0, "p").expect("in bounds");
    sheet.write_string(11, 1, "q").expect("in bounds");
    book.define_name("Part", "=One!$B$3:$C$5").expect("a name");
    book.define_name("Rate", "=0.95").expect("a name");
    book.save_to_buffer().expect("in memory")
}

fn options(range: &str) -> SourceOptions {
    SourceOptions { range: Some(range.parse().expect("a range")), ..SourceOptions::default() }
}

type Read = (Vec<String>, Vec<(u64, Vec<String>)>, Vec<String>);

fn all(options: &SourceOptions) -> Result<Read, SourceError> {
    let mut tables = survey_with(&workbook(), options)?;
    assert_eq!(tables.len(), 1);
    let table = tables.remove(0);
    let schema = all_text(table.as_ref());
    let mut found = None;
    // The size of blocks changes nothing.
    for size in [1, 2, 100] {
        let read = read(table.as_ref(), &schema, Mark::default(), size)?;
        let rejects = read.iter().flat_map(|block| &block.rejects);
        let rejects: Vec<_> = rejects.map(|it| format!("{}", it.place.row)).collect();
        let this = (table.headers().to_vec(), rows(&read), rejects);
        assert_eq!(*found.get_or_insert_with(|| this.clone()), this, "{size}");
    }
    Ok(found.expect("it was read"))
}

fn of(range: &str) -> Read {
    all(&options(range)).unwrap_or_else(|error| panic!("{range}: {error}"))
}

#[test]
fn only_the_cells_of_a_range_are_read() {
    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let table = vec![row(4, &["a", "x", "-"]), row(5, &["b", "-", "-"]), row(6, &["c", "-", "z"])];
    let expected = (names(&["id", "name", "value"]), table, vec![]);
    assert_eq!(of("One!B3:D6"), expected);
    assert_eq!(of("One!$D$6:$B$3"), expected);
    assert_eq!(of("one!B3:D8"), expected, "rows with values beside it are no records");
    let two = vec![row(4, &["a", "x"]), row(5, &["b", "-"])];
    assert_eq!(of("Part"), (names(&["id", "name"]), two, vec![]));
    let (_, rows, rejects) = of("One!B3:D");
    assert_eq!((rows.last(), rejects.len()), (Some(&row(9, &["Total", "-", "-"])), 0));
    // An open end takes the columns of the table, and then what stands beside them is told.
    let (headers, rows, rejects) = of("One!B3:6");
    assert_eq!(headers.len(), 6);
    assert_eq!((rows.len(), rejects.len()), (3, 0));
    let (headers, _, rejects) = of("One!B3:10");
    assert_eq!((headers.last().map(String::as_str), rejects.len()), (Some("beside"), 0));
    let headless = SourceOptions { header_row: Some(0), ..options("One!B4:C6") };
    let (headers, rows, _) = all(&headless).expect("rows");
    assert_eq!(headers, ["column_1", "column_2"]);
    assert_eq!(rows, [row(4, &["a", "x"]), row(5, &["b", "-"]), row(6, &["c", "-"])]);
}

#[test]
fn reading_goes_on_inside_a_range() {
    let table = survey_with(&workbook(), &options("One!B3:D6")).expect("a table").remove(0);
    let from = Mark { row: 5, record: 1, byte: 0 };
    let rest = read(table.as_ref(), &all_text(table.as_ref()), from, 1).expect("rows");
    assert_eq!(rows(&rest), [row(5, &["b", "-", "-"]), row(6, &["c", "-", "z"])]);
    assert_eq!(table.extent().rows, Some(3));
    let fields = rest[0].raw.fields(rest[0].index[0]);
    assert!(fields.iter().all(|(_, text)| text != "remark"), "{fields:?}");
}

#[test]
fn an_excel_table_is_read_without_its_totals() {
    let by_name = |name: &str| SourceOptions {
        excel_table: Some(name.to_owned()),
        ..SourceOptions::default()
    };
    let (headers, rows, rejects) = all(&by_name("COUNTS")).expect("a table");
    assert_eq!(headers, ["key", "count"]);
    assert_eq!((rows, rejects.len()), (vec![row(6, &["k1", "1"]), row(7, &["k2", "2"])], 0));
    let tables = survey_with(&workbook(), &by_name("Counts")).expect("a table");
    let notes = tables[0].notes().join("\n");
    assert!(notes.contains("row from 8 to 8"), "{notes}");
    let (headers, rows, _) = all(&by_name("Bare")).expect("a table");
    assert_eq!(headers, ["left", "right"]);
    assert_eq!(rows, [row(11, &["p", "-"]), row(12, &["-", "q"])]);
    let error = all(&by_name("Nothing")).expect_err("no such table");
    assert_eq!(error.hint.as_deref(), Some("its tables are Counts, Bare"));
}

#[test]
fn what_cannot_be_found_is_told() {
    let cases = [
        ("A1:B2", SourceErrorKind::Header, "several sheets"),
        ("Three!A1:B2", SourceErrorKind::Header, "no sheet `Three`"),
        ("Nobody", SourceErrorKind::Header, "calls no range `Nobody`"),
        ("Rate", SourceErrorKind::Header, "means `0.95`"),
        ("One!A100:B200", SourceErrorKind::Empty, "holds no values"),
        ("One!B2:D6", SourceErrorKind::Header, "row 2"),
    ];
    for (range, kind, words) in cases {
        let error = all(&options(range)).expect_err(range);
        assert_eq!(error.kind, kind, "{range}");
        assert!(error.to_string().contains(words), "{range}: {error}");
        assert!(error.hint.is_some(), "{range}");
    }
    let several = SourceOptions { sheets: vec!["One".into(), "Two".into()], ..options("A1:B2") };
    assert!(all(&several).expect_err("one sheet only").to_string().contains("one sheet"));
    let chosen = SourceOptions { sheets: vec!["One".into()], ..options("B3:D6") };
    assert_eq!(all(&chosen).expect("the sheet is named").1.len(), 3);
    let named = SheetRange::Name("Part".into());
    assert_eq!("Part".parse(), Ok(named));
}
