//! `--range` and `--excel-table` from the command line to the table.

use super::support::Place;
use rust_xlsxwriter::{Table, TableColumn, Workbook};

/// A title, a table in B3:C5, other cells around it; and an Excel table.
fn place() -> Place {
    let place = Place::new().env("ETL_PROGRESS", "none");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Data").expect("a name");
    for (row, column, text) in [
        (0, 0, "Title"),
        (2, 1, "id"),
        (2, 2, "name"),
        (3, 1, "a"),
        (3, 2, "x"),
        (3, 5, "remark"),
        (4, 1, "b"),
        (7, 1, "Total"),
    ] {
        sheet.write_string(row, column, text).expect("in bounds");
    }
    let columns = [TableColumn::new().set_header("key").set_total_label("all")];
    let table = Table::new().set_name("Keys").set_columns(&columns).set_total_row(true);
    sheet.add_table(10, 0, 13, 0, &table).expect("a table");
    for (row, text) in [(11, "k1"), (12, "k2")] {
        sheet.write_string(row, 0, text).expect("in bounds");
    }
    book.save(place.path("book.xlsx")).expect("the folder is writable");
    place.file("a.csv", "id,name\na,x\n")
}

const TO: [&str; 2] = ["--to", "duckdb:t.duckdb"];

fn rows(place: &Place, sql: &str) -> String {
    let output = place.output(&[&["sql", sql, "--format", "csv"][..], &TO].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

fn load(place: &Place, more: &[&str]) -> String {
    let output = place.output(&[&["ingest", "book.xlsx", "--table", "t"][..], &TO, more].concat());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[test]
fn a_range_is_loaded_once_and_another_one_is_another_input() {
    let place = place();
    assert!(load(&place, &["--range", "B3:C4"]).starts_with("loaded"));
    assert!(load(&place, &["--range", "Data!$B$3:$C$4"]).starts_with("already loaded"));
    assert_eq!(rows(&place, "SELECT id, name, _etl_row FROM t"), "id,name,_etl_row\na,x,4\n");
    assert!(load(&place, &["--range", "B3:C5"]).starts_with("loaded"));
    assert_eq!(rows(&place, "SELECT count(*) AS n FROM t"), "n\n3\n");
}

#[test]
fn an_excel_table_is_loaded_and_its_totals_are_told() {
    let place = place().file("etl.toml", "excel_table = 'keys'\n");
    let told = load(&place, &[]);
    assert!(told.contains("totals of the table Keys"), "{told}");
    assert_eq!(rows(&place, "SELECT key FROM t ORDER BY key"), "key\nk1\nk2\n");
}

#[test]
fn what_cannot_be_asked_for_says_why() {
    let place = place();
    for (arguments, code, words) in [
        (&["book.xlsx", "--range", "B3"][..], 2, "`B3` is no range"),
        (&["book.xlsx", "--range", "B3:C5", "--header-row", "3"], 2, "cannot be given together"),
        (&["book.xlsx", "--range", "Data!B3:C5", "--sheet", "Data"], 2, "names its sheet"),
        (&["book.xlsx", "--range", "B3:C5", "--excel-table", "Keys"], 2, "given together"),
        (&["a.csv", "--range", "A1:B2"], 2, "--range is for .xlsx workbooks"),
        (&["a.csv", "--excel-table", "Keys"], 2, "--excel-table is for .xlsx workbooks"),
        (&["book.xlsx", "--excel-table", "Other"], 6, "its tables are Keys"),
        (&["book.xlsx", "--range", "B100:C200"], 6, "holds no values"),
    ] {
        let output = place.output(&[&["plan"][..], arguments, &TO].concat());
        let told = String::from_utf8_lossy(&output.stderr)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
}
