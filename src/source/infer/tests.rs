//! Types over whole files, and their independence of chunks.

use super::{Inferred, TypeFinder, infer};
use crate::chunk::{ColumnKind, Mark, Place, ReadColumn, ReadSchema, Role};
use crate::source::{Content, Format, SourceOptions, Table, csv::Csv, excel::Excel};
use proptest::prelude::*;
use std::sync::Arc;

fn found(cells: &[&str]) -> Inferred {
    let mut finder = TypeFinder::default();
    for (row, cell) in (2..).zip(cells) {
        match *cell {
            "" => finder.add_nulls(1),
            cell => finder.add(cell, || Place { row, byte: None }),
        }
    }
    finder.finish()
}

#[test]
fn a_column_has_the_narrowest_type_that_all_cells_fit() {
    let cases: &[(&[&str], ColumnKind)] = &[
        (&["1", "", "-2"], ColumnKind::Int),
        (&["1", "3000000000"], ColumnKind::BigInt),
        (&["1", "2.5", "0.125"], ColumnKind::Decimal(3)),
        (&["1", "0.12345678"], ColumnKind::Double),
        (&["123456789012345678", "0.5"], ColumnKind::Text),
        (&["1234567890123456", "0.125"], ColumnKind::Double),
        (&["true", "FALSE"], ColumnKind::Bool),
        (&["2025-01-31", "2025-02-01"], ColumnKind::Date),
        (&["2025-01-31", "2025-02-01 10:00:00"], ColumnKind::Timestamp),
        (&["007", "12"], ColumnKind::Text),
        (&["", ""], ColumnKind::Text),
        (&["1", "true"], ColumnKind::Text),
    ];
    for (cells, kind) in cases {
        assert_eq!(found(cells).kind, *kind, "{cells:?}");
    }
}

#[test]
fn the_cells_that_made_it_text_are_named() {
    let cells = ["1", "2", "N/A", "3", "", "4", "x"];
    let column = found(&cells);
    assert_eq!((column.kind, column.nearly), (ColumnKind::Text, Some(ColumnKind::Int)));
    assert_eq!(column.nulls, 1);
    let misfits: Vec<_> =
        column.first_misfits.iter().map(|(place, text)| (place.row, text.as_str())).collect();
    assert_eq!(misfits, [(4, "N/A"), (8, "x")]);
    assert_eq!(found(&["a", "b", "1"]).nearly, None);
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (-3_000_000_000_i64..3_000_000_000).prop_map(|n| n.to_string()),
        (0_u32..100_000, 0_u32..1_000).prop_map(|(a, b)| format!("{a}.{b}")),
        "[0-9]{1,20}",
        "(true|false|N/A|2025-01-3[01]|1/2/2025|1\\.5E\\+7|12E3)",
    ]
}

fn folded(cells: &[String], cuts: &[usize], reversed: bool) -> Inferred {
    let mut finders: Vec<TypeFinder> = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        if at == 0 || cuts.contains(&at) {
            finders.push(TypeFinder::default());
        }
        let finder = finders.last_mut().expect("one was pushed");
        if cell.is_empty() {
            finder.add_nulls(1);
        } else {
            finder.add(cell, || Place { row: at as u64 + 2, byte: None });
        }
    }
    if reversed {
        finders.reverse();
    }
    let mut whole = TypeFinder::default();
    finders.into_iter().for_each(|finder| whole.merge(finder));
    whole.finish()
}

proptest! {
    #[test]
    fn the_answer_does_not_depend_on_chunks(
        cells in prop::collection::vec(cell(), 1..60),
        cuts in prop::collection::vec(0_usize..60, 0..6),
        reversed: bool,
    ) {
        prop_assert_eq!(folded(&cells, &cuts, reversed), folded(&cells, &[], false));
    }

    #[test]
    fn an_inferred_type_loads_every_cell(cells in prop::collection::vec(cell(), 1..12)) {
        let cells: Vec<_> = cells.iter().map(String::as_str).collect();
        let kind = found(&cells).kind;
        let mut builder = crate::source::columns::ColumnBuilder::new(&column(0, kind), 4);
        for cell in &cells {
            prop_assert!(builder.push_text(cell).is_ok(), "{cell} as {kind:?}");
        }
    }
}

fn column(field: usize, kind: ColumnKind) -> ReadColumn {
    ReadColumn {
        name: format!("c{field}"),
        header: String::new(),
        field,
        kind,
        role: Role::Plain,
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

/// Reads the table with the inferred types; every cell must fit.
fn loads(table: &dyn Table, columns: &[Inferred]) {
    let columns = columns.iter().enumerate().map(|(field, found)| column(field, found.kind));
    let schema = ReadSchema {
        columns: columns.collect(),
        extra: Vec::new(),
        headers: table.headers().to_vec(),
    };
    let mut source = table.open(Arc::new(schema), Mark::default()).expect("opens");
    while let Some(block) = source.next_block(1_000, 1 << 20).expect("readable") {
        let decoded = block.body.decode().expect("decodes");
        assert_eq!(decoded.misfits, []);
    }
}

fn survey(format: &dyn Format, bytes: &[u8], dir: &tempfile::TempDir) -> Arc<dyn Table> {
    let path = dir.path().join("table");
    std::fs::write(&path, bytes).expect("the test folder can be written");
    let content = Content::plain(&path);
    format.survey(&content, &SourceOptions::default()).expect("readable").remove(0)
}

#[test]
fn a_whole_text_file_is_typed_by_its_last_row_too() {
    let dir = tempfile::tempdir().expect("a test folder");
    let mut text = String::from("id,amount,name,code,late\n");
    for row in 0..50_000 {
        text.push_str(&format!("{row},{}.{:02},n{row},{:03},{row}\n", row, row % 100, row % 999));
    }
    text.push_str("50000,1.00,n,001,unknown\n");
    let table = survey(&Csv, text.as_bytes(), &dir);
    let expected = infer(table.as_ref(), 1).expect("readable");
    let kinds: Vec<_> = expected.iter().map(|column| column.kind).collect();
    let text = ColumnKind::Text;
    assert_eq!(kinds, [ColumnKind::Int, ColumnKind::Decimal(2), text, text, text]);
    assert_eq!(expected[4].nearly, Some(ColumnKind::Int));
    assert_eq!(expected[4].first_misfits[0].0.row, 50_002);
    assert_eq!(expected[4].first_misfits[0].1, "unknown");
    assert_eq!(infer(table.as_ref(), 3).expect("readable"), expected);
    loads(table.as_ref(), &expected);
}

#[test]
fn a_sheet_is_typed_so_that_it_loads() {
    let dir = tempfile::tempdir().expect("a test folder");
    let mut book = rust_xlsxwriter::Workbook::new();
    let day = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["id", "day", "large", "price", "flag"]).expect("in bounds");
    for row in 1..200_u32 {
        sheet.write_number(row, 0, f64::from(row)).expect("in bounds");
        let moment = 45_000.0 + f64::from(row) * 0.5;
        sheet.write_number_with_format(row, 1, moment, &day).expect("in bounds");
        sheet.write_number(row, 2, 1e16 + f64::from(row) * 2.0).expect("in bounds");
        sheet.write_number(row, 3, f64::from(row) * 0.25).expect("in bounds");
        sheet.write_boolean(row, 4, row % 2 == 0).expect("in bounds");
    }
    let bytes = book.save_to_buffer().expect("in memory");
    let table = survey(&Excel, &bytes, &dir);
    let columns = infer(table.as_ref(), 2).expect("readable");
    let kinds: Vec<_> = columns.iter().map(|column| column.kind).collect();
    let expected = [
        ColumnKind::Int,
        ColumnKind::Timestamp,
        ColumnKind::BigInt,
        ColumnKind::Decimal(2),
        ColumnKind::Bool,
    ];
    assert_eq!(kinds, expected);
    loads(table.as_ref(), &columns);
}
