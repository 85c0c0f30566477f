//! Export for people and import of what they made of it.

use super::{hostile, ok, plain, record_in, record_with};
use crate::chunk::{Code, Problem};
use crate::load::dead_letter::sheet::{guard, unguard};
use crate::load::dead_letter::{
    DeadLetterError, Record, Replay, Writer, export_csv, export_csv_to, export_xlsx, import,
};
use calamine::{Data, Reader, open_workbook_auto};
use rust_xlsxwriter::Workbook;
use std::fs;
use std::path::{Path, PathBuf};

struct Case {
    folder: tempfile::TempDir,
    original: PathBuf,
}

impl Case {
    fn new(records: &[Record]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = Writer::new(folder.path(), "a.csv", "01RUN");
        writer.append(records).expect("written");
        Self { original: writer.path().to_owned(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, path: &Path) -> Result<Replay, DeadLetterError> {
        import(path, std::slice::from_ref(&self.original), |_| false)
    }

    /// Imports a CSV written by hand.
    fn import_text(&self, text: &str) -> Result<Replay, DeadLetterError> {
        let path = self.path("by_hand.csv");
        fs::write(&path, text).expect("written");
        self.import(&path)
    }
}

fn fault(result: Result<Replay, DeadLetterError>) -> String {
    result.expect_err("a fault").to_string()
}

fn broken_line(row: u64, text: &str) -> Record {
    let problem = Problem::new(Code::E202, "2 fields, the header has 3");
    record_with("r1", row, &[("_line", text)], vec![problem], &["PARCEL_ID", "JV", "NAME"])
}

#[test]
fn guards_are_undone_exactly() {
    for record in hostile() {
        let value = &record.raw[1].1;
        let guarded = guard(value);
        assert!(!guarded.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{guarded:?}");
        assert_eq!(unguard(&guarded), value);
    }
    assert_eq!(unguard("'tis"), "'tis");
}

#[test]
fn sheets_without_a_change_change_nothing() {
    let mut records = hostile();
    records.push(broken_line(90, "=a;\"b"));
    records.push(record_in("r1", 91, &[("A", "1"), ("A", "2"), ("", "3"), ("_etl_id", "4")]));
    records.push(record_in(
        "r1",
        92,
        &[("=H", "x"), ("B\r\nC", "y"), ("big", &"é".repeat(40_000))],
    ));
    let case = Case::new(&records);
    let (csv, xlsx) = (case.path("out.csv"), case.path("out.xlsx"));
    let parts = export_csv(ok(&records), &csv).expect("exports");
    assert_eq!(parts.len(), 4, "one file for each header: {parts:?}");
    export_xlsx(ok(&records), &xlsx).expect("exports");
    let replay = case.import(&xlsx).expect("imports");
    assert_eq!(replay.len(), records.len());
    let changed: Vec<_> = replay.records().filter(|row| !row.changed.is_empty()).collect();
    assert!(changed.is_empty(), "{changed:?}");
    let mut rows = 0;
    for part in &parts {
        let replay = case.import(Path::new(&part.name)).expect("imports");
        rows += replay.len();
        let changed: Vec<_> = replay.records().filter(|row| !row.changed.is_empty()).collect();
        assert!(changed.is_empty(), "{}: {changed:?}", part.name);
    }
    assert_eq!(rows, records.len());
    // The same input as the file itself: correcting nothing is no new content.
    let direct = import(&case.original, &[], |_| false).expect("imports");
    let prints = |replay: &Replay| -> Vec<_> {
        replay.tables.iter().map(crate::source::Table::fingerprint).collect()
    };
    assert_eq!(prints(&replay), prints(&direct));
}

#[test]
fn a_workbook_holds_text_cells_colours_and_an_explanation() {
    let case = Case::new(&[]);
    let path = case.path("out.xlsx");
    let records =
        [plain(2), record_in("r1", 3, &[("PARCEL_ID", "=1+1"), ("JV", "N/A"), ("NAME", "")])];
    let parts = export_xlsx(ok(&records), &path).expect("exports");
    assert_eq!((parts[0].name.as_str(), parts[0].records), ("nal", 2));
    let mut book = open_workbook_auto(&path).expect("opens");
    assert_eq!(book.sheet_names(), ["nal", "Read me"]);
    let range = book.worksheet_range("nal").expect("a sheet");
    for row in range.rows() {
        for cell in row {
            assert!(matches!(cell, Data::String(_) | Data::Empty), "{cell:?}");
        }
    }
    let row: Vec<_> = range.rows().nth(1).expect("a row").iter().map(ToString::to_string).collect();
    assert_eq!(row[1..3], ["rolls/broward é.csv".to_owned(), "2".to_owned()]);
    assert_eq!(row[3], "E301 JV: \"N/A\" is not a whole number. Hint: correct the value.");
    assert_eq!(row[4..], ["000002".to_owned(), "N/A".to_owned(), "Núñez".to_owned()]);
    let formulas = book.worksheet_formula("nal").expect("a sheet");
    assert!(formulas.cells().all(|(_, _, formula)| formula.is_empty()), "no formula");
    let mut zip = zip::ZipArchive::new(fs::File::open(&path).expect("opens")).expect("a zip");
    let comments =
        std::io::read_to_string(zip.by_name("xl/comments1.xml").expect("notes")).expect("text");
    assert!(comments.contains("ref=\"F2\"") && comments.contains("is not a whole number"));
    let styles =
        std::io::read_to_string(zip.by_name("xl/styles.xml").expect("styles")).expect("text");
    assert!(styles.contains("FFC7CE") && styles.contains("numFmtId=\"49\""), "{styles}");
}

#[test]
fn exports_never_overwrite_corrections() {
    let case = Case::new(&[]);
    for name in ["out.csv", "out.xlsx"] {
        let path = case.path(name);
        fs::write(&path, "corrections").expect("written");
        let result = match name {
            "out.csv" => export_csv(ok(&[plain(2)]), &path),
            _ => export_xlsx(ok(&[plain(2)]), &path),
        };
        assert!(matches!(result, Err(DeadLetterError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).expect("text"), "corrections");
    }
}

#[test]
fn a_stream_takes_one_header() {
    let mut out = Vec::new();
    export_csv_to(ok(&[plain(2), plain(3)]), &mut out).expect("exports");
    let text = String::from_utf8(out).expect("text");
    assert!(
        text.starts_with("\u{feff}_etl_id,_etl_file,_etl_row,_etl_problem,PARCEL_ID,JV,NAME\r\n")
    );
    assert_eq!(text.lines().count(), 3);
    let mixed = [plain(2), record_in("r", 3, &[("A", "1")])];
    assert!(export_csv_to(ok(&mixed), &mut Vec::new()).is_err());
}

#[test]
fn a_corrected_csv_is_joined_by_id_whatever_its_order() {
    let records = [plain(2), plain(3), plain(4)];
    let case = Case::new(&records);
    // As a European Excel saves it, moved columns, a deleted row, a guard typed by nobody.
    let text = format!(
        "JV;_etl_id;PARCEL_ID;NAME\r\n-5;{};000004;Núñez\r\n100;{};000002;'=x\r\n",
        records[2].id, records[0].id
    );
    let replay = case.import_text(&text).expect("imports");
    let rows: Vec<_> = replay.records().map(|row| (row.row, row.changed.clone())).collect();
    assert_eq!(rows, [(2, vec!["JV".to_owned(), "NAME".into()]), (4, vec!["JV".to_owned()])]);
    let table = &replay.tables[0];
    assert_eq!(crate::source::Table::sample(table)[0], ["000002", "100", "=x"]);
    assert_eq!(crate::source::Table::sample(table)[1], ["000004", "-5", "Núñez"]);
}

#[test]
fn numbers_typed_into_a_workbook_become_exact_text() {
    let records = [plain(2), plain(3)];
    let case = Case::new(&records);
    let build = |jv: f64, name: &str| {
        let path = case.path(name);
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for (column, title) in (0..).zip(["_etl_id", "PARCEL_ID", "JV", "NAME"]) {
            sheet.write(0, column, title).expect("writes");
        }
        sheet.write(1, 0, records[0].id.to_string()).expect("writes");
        sheet.write(1, 1, "000002").expect("writes");
        sheet.write(1, 2, jv).expect("writes");
        sheet.write(1, 3, "Núñez").expect("writes");
        book.save(&path).expect("saves");
        path
    };
    let replay = case.import(&build(474_119_030_010.0, "a.xlsx")).expect("imports");
    assert_eq!(crate::source::Table::sample(&replay.tables[0])[0][1], "474119030010");
    let text = fault(case.import(&build(4.940_252e16, "b.xlsx")));
    assert!(text.contains("row 2, column 3") && text.contains("lost digits"), "{text}");
}

#[test]
fn faults_name_the_row_and_nothing_is_replayed() {
    let records = [plain(2), plain(3)];
    let case = Case::new(&records);
    let (a, b) = (records[0].id, records[1].id);
    let stranger = plain(77).id;
    let head = "_etl_id,PARCEL_ID,JV,NAME";
    let cases = [
        (format!("{head}\n{stranger},1,2,3\n"), "row 2: no failed record has the id"),
        (format!("{head}\n{a},000002,2,Núñez\n{a},000002,3,Núñez\n"), "stands in row 2 already"),
        (format!("{head}\n,000002,2,Núñez\n"), "row 2: no _etl_id"),
        (format!("{head}\nxyz,000002,2,Núñez\n"), "row 2: `xyz` is not an id"),
        (format!("{head}\n{a},000002,2,Núñez,more\n"), "\"more\" stands to the right"),
        (format!("_etl_id,PARCEL,JV,NAME\n{a},1,2,3\n"), "\"PARCEL_ID\" is missing and \"PARCEL\""),
        (format!("{head}\n{a},000002,9,Núñez\n{b},3,9,Núñez\n"), "row 3: PARCEL_ID: \"000003\""),
        ("PARCEL_ID,JV\n1,2\n".to_owned(), "no column _etl_id"),
    ];
    for (text, expected) in cases {
        let found = fault(case.import_text(&text));
        assert!(found.contains(expected), "{expected:?} not in:\n{found}");
    }
    fs::write(case.path("l.csv"), b"_etl_id,NAME\nx,Nu\xf1ez\n").expect("written");
    assert!(fault(case.import(&case.path("l.csv"))).contains("not UTF-8"));
}

#[test]
fn what_a_spreadsheet_did_to_an_id_is_explained() {
    let long = "12345678901234567890";
    let cases = [("474119030010", "4.74119E+11"), (long, "12345678901234500000"), ("007", "7")];
    for (was, now) in cases {
        let record = record_in("r1", 2, &[("PARCEL_ID", was), ("JV", "N/A"), ("NAME", "x")]);
        let case = Case::new(std::slice::from_ref(&record));
        let text = format!("_etl_id,PARCEL_ID,JV,NAME\n{},{now},5,x\n", record.id);
        let found = fault(case.import_text(&text));
        assert!(found.contains("a spreadsheet took it for a number"), "{found}");
    }
    // Where the column was refused, taking zeros away may be the correction.
    let record = record_in("r1", 2, &[("PARCEL_ID", "1"), ("JV", "007"), ("NAME", "x")]);
    let case = Case::new(std::slice::from_ref(&record));
    let text = format!("_etl_id,PARCEL_ID,JV,NAME\n{},1,7,x\n", record.id);
    let replay = case.import_text(&text).expect("imports");
    assert_eq!(replay.records().next().expect("one").changed, ["JV"]);
}

#[test]
fn a_broken_line_is_corrected_whole_or_by_field_not_both() {
    let records = [broken_line(5, "1,2"), broken_line(6, "3,4"), broken_line(7, "5,6")];
    let case = Case::new(&records);
    let [a, b, c] = [records[0].id, records[1].id, records[2].id];
    let head = "_etl_id,_line,PARCEL_ID,JV,NAME";
    let text = format!("{head}\n{a},\"1,2,x\",,,\n{b},\"3,4\",3,4,y\n{c},\"5,6\",,,\n");
    let replay = case.import_text(&text).expect("imports");
    let changed: Vec<_> = replay.records().map(|row| row.changed.join(" ")).collect();
    assert_eq!(changed, ["_line", "PARCEL_ID JV NAME", ""]);
    let both = fault(case.import_text(&format!("{head}\n{a},\"1,2,x\",1,,\n")));
    assert!(both.contains("row 2: both _line and single fields"), "{both}");
}
