//! Refused rows, corrected or not, replayed: the table becomes that of the clean file, nothing is
//! lost, nothing is loaded twice.

use super::support::Place;
use etl::duck::{Database, Settings};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

const HEADER: &str = "CO_NO,PARCEL_ID,ASMNT_YR,ATV_STRT,GRP_NO,DOR_UC,NBRHD_CD,MKT_AR,CENSUS_BK,\
                      SALE_ID_CD,SAL_CHG_CD,VI_CD,OR_BOOK,OR_PAGE,CLERK_NO,QUAL_CD,SALE_YR,\
                      SALE_MO,SALE_PRC,MULTI_PAR_SAL,RS_ID,MP_ID,STATE_PARCEL_ID";
const ROLL: &str = "SDF16P202501.csv";

type Rows = Vec<Vec<String>>;

fn headers() -> Vec<String> {
    HEADER.split(',').map(str::to_owned).collect()
}

fn column(name: &str) -> usize {
    headers().iter().position(|header| header == name).expect("a column of the roll")
}

/// Sound sales.
fn sound(rows: usize) -> Rows {
    let row = |number: usize| {
        let text = format!(
            "16,4738010{number:05},2025,1,3,001,110000,1,,990001{number:08},,I,,,{number:09},11,\
             2024,04,{},,1B9C,{number:08},C16-000-000-{number:04}-9",
            100_000 + number * 100
        );
        text.split(',').map(str::to_owned).collect()
    };
    (0..rows).map(row).collect()
}

/// One of each kind of damage at rows 3, 5, 8, 11 and 14 of the file.
fn damaged(rows: usize) -> Rows {
    let mut roll = sound(rows);
    roll[1][column("SALE_PRC")] = "12O000".into();
    roll[3][column("PARCEL_ID")] = "4.73801E+11".into();
    roll[6].push("one field too many".into());
    roll[9][column("SALE_ID_CD")].clear();
    roll[12][column("SALE_MO")] = "13".into();
    roll
}

fn text(rows: &Rows) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    writer.write_record(headers()).expect("memory takes all");
    rows.iter().for_each(|row| writer.write_record(row).expect("memory takes all"));
    String::from_utf8(writer.into_inner().expect("memory takes all")).expect("text")
}

fn code(place: &Place, arguments: &[&str]) -> i32 {
    let output = place.output(arguments);
    let code = output.status.code().expect("the program ends by itself");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("panicked"), "{told}");
    // Shown where a test fails.
    code
}

fn ask(place: &Place, database: &str, question: &str) -> String {
    let output =
        place.output(&["sql", question, "--to", &format!("duckdb:{database}"), "--format", "csv"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Everything of the table but which run loaded a row, when, and under which path.
fn table(place: &Place, database: &str) -> String {
    let question =
        "SELECT * EXCLUDE (_etl_run, _etl_loaded_at, _etl_source) FROM sales ORDER BY ALL";
    ask(place, database, question)
}

fn place() -> Place {
    Place::new().env("ETL_TO", "duckdb:roll.duckdb").env("ETL_MEMORY_LIMIT", "512MiB")
}

/// A damaged roll in `roll.duckdb`, its clean twin in `clean.duckdb`.
fn loaded(roll: &Rows, clean: &Rows) -> Place {
    let twin = format!("clean/{ROLL}");
    let place = place().file(ROLL, &text(roll)).file(&twin, &text(clean));
    assert_eq!(code(&place, &["ingest", ROLL, "-q"]), 3);
    let clean = ["ingest", &twin, "-q", "--to", "duckdb:clean.duckdb", "--failed", "clean"];
    assert!([0, 3].contains(&code(&place, &clean)));
    place
}

fn failed_files(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.path("")).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.filter(|path| path.to_string_lossy().ends_with(".failed.jsonl")).collect()
}

fn records(place: &Place) -> Vec<serde_json::Value> {
    let texts = failed_files(place).into_iter().map(std::fs::read_to_string);
    let texts: Vec<_> = texts.map(|text| text.expect("readable")).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// What identifies a refused row, whoever refused it.
fn identities(place: &Place) -> BTreeMap<String, (String, String, u64)> {
    let identity = |record: &serde_json::Value| {
        let what = format!("{} {}", record["row"], record["raw"]);
        let first = record["first_failed"].to_string();
        let attempt = record["attempt"].as_u64().expect("a number");
        (record["id"].to_string(), (what, first, attempt))
    };
    records(place).iter().map(identity).collect()
}

/// Puts the right values into exported rows, for the rows of the roll that `which` names.
fn corrected(sheet: Rows, clean: &Rows, which: impl Fn(usize) -> bool) -> Rows {
    let head = sheet[0].clone();
    let at = |name: &str| head.iter().position(|header| header == name);
    let row_column = at("_etl_row").expect("the export names rows");
    let fix = |mut row: Vec<String>| {
        // The header is row 1.
        let number: usize = row[row_column].parse().expect("a number");
        if which(number) {
            for (field, name) in headers().iter().enumerate() {
                row[at(name).expect("all columns are exported")] = clean[number - 2][field].clone();
            }
        }
        row
    };
    let mut rows = vec![head.clone()];
    rows.extend(sheet.into_iter().skip(1).map(fix));
    rows
}

/// Exports all refused rows as text and corrects some; returns the sheets.
fn correct_csv(place: &Place, clean: &Rows, which: impl Fn(usize) -> bool) -> Vec<String> {
    let run = records(place)[0]["run"].as_str().expect("a run").to_owned();
    let exported = ["failures", "export", &run, "--format", "csv", "-o", "sheet.csv"];
    assert_eq!(code(place, &exported), 0);
    let entries = std::fs::read_dir(place.path("")).expect("readable");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let sheets: Vec<_> = names.filter(|name| name.starts_with("sheet")).collect();
    sheets.iter().for_each(|name| edit_csv(&place.path(name), clean, &which));
    sheets
}

fn edit_csv(path: &Path, clean: &Rows, which: impl Fn(usize) -> bool) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).expect("a sheet");
    let fields = |row: csv::StringRecord| {
        let field = |text: &str| text.trim_start_matches('\u{feff}').to_owned();
        row.iter().map(field).collect()
    };
    let rows: Rows = reader.records().map(|row| fields(row.expect("a row"))).collect();
    let mut writer = csv::Writer::from_path(path).expect("writable");
    let rows = corrected(rows, clean, which);
    rows.iter().for_each(|row| writer.write_record(row).expect("writable"));
    writer.flush().expect("writable");
}

/// Exports all refused rows as a workbook and corrects some.
fn correct_xlsx(place: &Place, clean: &Rows) {
    use calamine::Reader;
    let name = failed_files(place)[0].display().to_string();
    assert_eq!(code(place, &["failures", "export", &name, "--format", "xlsx", "-o", "s.xlsx"]), 0);
    let mut book: calamine::Xlsx<_> =
        calamine::open_workbook(place.path("s.xlsx")).expect("a workbook");
    let mut out = rust_xlsxwriter::Workbook::new();
    for (name, range) in book.worksheets() {
        let cells: Rows =
            range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let is_data = cells.first().is_some_and(|head| head.contains(&"_etl_id".to_owned()));
        let cells = if is_data { corrected(cells, clean, |_| true) } else { cells };
        let sheet = out.add_worksheet().set_name(&name).expect("a free name");
        for (row, line) in (0..).zip(&cells) {
            for (column, cell) in (0..).zip(line) {
                sheet.write_string(row, column, cell).expect("fits");
            }
        }
    }
    out.save(place.path("s.xlsx")).expect("writable");
}

fn first_account(place: &Place) -> String {
    let question = "SELECT i.* FROM etl.inputs i JOIN etl.runs r USING (run) \
                    WHERE r.command = 'ingest'";
    ask(place, "roll.duckdb", question)
}

#[test]
fn corrected_rows_make_the_table_of_the_clean_file_and_twice_is_a_no_op() {
    let clean = sound(40);
    for workbook in [false, true] {
        let place = loaded(&damaged(40), &clean);
        assert_eq!(records(&place).len(), 5);
        let account = first_account(&place);
        let sheets = if workbook {
            correct_xlsx(&place, &clean);
            vec!["s.xlsx".to_owned()]
        } else {
            correct_csv(&place, &clean, |_| true)
        };
        let mut replay = vec!["reprocess-failures", "-q"];
        replay.extend(sheets.iter().map(String::as_str));
        assert_eq!(code(&place, &replay), 0);
        assert_eq!(table(&place, "roll.duckdb"), table(&place, "clean.duckdb"));
        assert_eq!(failed_files(&place), Vec::<PathBuf>::new());
        let source = ask(&place, "roll.duckdb", "SELECT DISTINCT _etl_source FROM sales");
        assert_eq!(source, format!("_etl_source\n{ROLL}\n"));
        let runs = ask(&place, "roll.duckdb", "SELECT count(*) FROM etl.runs");

        assert_eq!(code(&place, &replay), 0);
        assert_eq!(code(&place, &["reprocess-failures"]), 0);
        assert_eq!(table(&place, "roll.duckdb"), table(&place, "clean.duckdb"));
        assert_eq!(ask(&place, "roll.duckdb", "SELECT count(*) FROM etl.runs"), runs);
        assert_eq!(first_account(&place), account);
    }
}

#[test]
fn what_still_fails_is_kept_with_its_attempt_counted() {
    let clean = sound(40);
    let place = loaded(&damaged(40), &clean);
    let before = identities(&place);
    let sheets = correct_csv(&place, &clean, |row| row == 3 || row == 8);
    let mut replay = vec!["reprocess-failures", "-q"];
    replay.extend(sheets.iter().map(String::as_str));
    assert_eq!(code(&place, &replay), 3);

    let after = identities(&place);
    assert_eq!(after.len(), 3);
    assert_eq!(failed_files(&place).len(), 1, "the old file is empty and gone");
    for (id, (what, first, attempt)) in &after {
        assert_eq!((what, first), (&before[id].0, &before[id].1));
        assert_eq!(*attempt, 2);
    }
    let account = "SELECT sum(\"read\") AS \"read\", sum(inserted) AS inserted, \
                   sum(rejected) AS rejected FROM etl.inputs JOIN etl.runs USING (run) \
                   WHERE command = 'reprocess-failures'";
    assert_eq!(ask(&place, "roll.duckdb", account), "read,inserted,rejected\n5,2,3\n");

    // The same sheets bring nothing new; corrected further they do.
    assert_eq!(code(&place, &replay), 0);
    assert_eq!(identities(&place), after);
    sheets.iter().for_each(|sheet| edit_csv(&place.path(sheet), &clean, |_| true));
    assert_eq!(code(&place, &replay), 0);
    assert_eq!(failed_files(&place).len(), 0);
    assert_eq!(table(&place, "roll.duckdb"), table(&place, "clean.duckdb"));
}

#[test]
fn uncorrected_rows_fail_again_once_and_other_rules_let_them_in() {
    let place = loaded(&damaged(40), &sound(40));
    let before = identities(&place);
    let rows = table(&place, "roll.duckdb");
    assert_eq!(code(&place, &["reprocess-failures", "-q"]), 3);
    let after = identities(&place);
    let counted = before.into_iter().map(|(id, (what, first, _))| (id, (what, first, 2))).collect();
    assert_eq!(after, counted);
    assert_eq!(table(&place, "roll.duckdb"), rows);

    let told = place.run(&["reprocess-failures", "latest"]);
    assert!(told.starts_with("exit: 0\n"), "{told}");
    assert!(told.contains("nothing to do"), "{told}");
    assert_eq!(identities(&place), after);

    let rule = records(&place)
        .iter()
        .flat_map(|record| record["errors"].as_array().expect("a list").clone())
        .find(|error| error["column"] == "SALE_MO")
        .and_then(|error| Some(error["rule"].as_str()?.to_owned()))
        .expect("month 13 breaks a rule");
    let off = format!("{rule}=off");
    assert_eq!(code(&place, &["reprocess-failures", "-q", "--rule", &off]), 3);
    assert_eq!(identities(&place).len(), 4);
    let month = ask(&place, "roll.duckdb", "SELECT _etl_row FROM sales WHERE sale_mo = 13");
    assert_eq!(month, "_etl_row\n14\n");
}

#[test]
fn a_record_can_be_corrected_in_its_file() {
    let clean = sound(40);
    let place = loaded(&damaged(40), &clean);
    assert_eq!(code(&place, &["reprocess-failures", "-q"]), 3);
    let file = failed_files(&place).remove(0);
    let lines = std::fs::read_to_string(&file).expect("readable");
    std::fs::write(&file, lines.replace("12O000", &clean[1][column("SALE_PRC")]))
        .expect("writable");
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    // The others say what they said when they were last refused.
    assert_eq!(code(&place, &["reprocess-failures", "-q", &name]), 0);
    assert_eq!(identities(&place).len(), 4);
    let loaded = ask(&place, "roll.duckdb", "SELECT count(*) FROM sales WHERE _etl_row = 3");
    assert_eq!(loaded, "count_star()\n1\n");
    // Its file is gone, but it is known.
    assert_eq!(code(&place, &["reprocess-failures", "-q", &name]), 0);
}

#[test]
fn the_row_that_stands_first_wins_as_if_it_had_been_sound() {
    let mut clean = sound(20);
    // Rows 4 and 10, and rows 6 and 12, are the same sale with other prices.
    for (first, second) in [(2, 8), (4, 10)] {
        for name in ["PARCEL_ID", "SALE_ID_CD"] {
            clean[second][column(name)] = clean[first][column(name)].clone();
        }
    }
    let mut roll = clean.clone();
    roll[8][column("SALE_PRC")] = "none".into();
    roll[4][column("SALE_PRC")] = "none".into();
    let place = loaded(&roll, &clean);
    assert_ne!(table(&place, "roll.duckdb"), table(&place, "clean.duckdb"));
    let sheets = correct_csv(&place, &clean, |_| true);
    assert_eq!(code(&place, &["reprocess-failures", "-q", &sheets[0]]), 0);
    assert_eq!(table(&place, "roll.duckdb"), table(&place, "clean.duckdb"));
    let account = "SELECT \"read\", updated, duplicate FROM etl.inputs JOIN etl.runs USING (run) \
                   WHERE command = 'reprocess-failures'";
    assert_eq!(ask(&place, "roll.duckdb", account), "read,updated,duplicate\n2,1,1\n");
}

#[test]
fn a_plain_table_takes_each_corrected_row_once() {
    let place = place().file("permits.csv", "no,cost\n1,10\n2,20,x\n3,30\n");
    assert_eq!(code(&place, &["ingest", "permits.csv", "-q"]), 3);
    let old = failed_files(&place).remove(0);
    let lines = std::fs::read_to_string(&old).expect("readable");
    std::fs::write(&old, lines.replace("2,20,x", "2,20")).expect("writable");
    let kept = std::fs::read(&old).expect("readable");
    let rows = "no,cost,_etl_row\n1,10,2\n2,20,3\n3,30,4\n";
    for _ in 0..2 {
        assert_eq!(code(&place, &["reprocess-failures", "-q"]), 0);
        let question = "SELECT no, cost, _etl_row FROM permits ORDER BY no";
        assert_eq!(ask(&place, "roll.duckdb", question), rows);
        assert_eq!(failed_files(&place), Vec::<PathBuf>::new());
        // As if the run had been stopped between its commit and the end of its files.
        std::fs::write(&old, &kept).expect("writable");
    }
}

#[test]
fn a_replay_killed_anywhere_neither_loses_a_row_nor_loads_one_twice() {
    let (clean, mut roll) = (sound(6_000), sound(6_000));
    for (number, row) in roll.iter_mut().enumerate() {
        if number % 2 == 0 {
            row[column("SALE_PRC")] =
                if number % 6 == 0 { "none".into() } else { "12.345x".into() };
        }
    }
    let place = loaded(&roll, &clean);
    let all: HashSet<_> = identities(&place).into_keys().collect();
    assert_eq!(all.len(), 3_000);
    let sheets = correct_csv(&place, &clean, |row| (row - 2) % 6 != 0);
    for delay in (0..12).map(|step| 40 + step * 45) {
        let mut child = place
            .command(&["reprocess-failures", "-q", &sheets[0]])
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(delay));
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().expect("it has ended");
    }
    let last = code(&place, &["reprocess-failures", "-q", &sheets[0]]);
    assert!([0, 3].contains(&last), "exit {last}");
    let left = identities(&place);
    assert_eq!(left.len(), 1_000);
    assert_eq!(records(&place).len(), 1_000, "no record stands in two files");
    let rows = ask(&place, "roll.duckdb", "SELECT count(*), count(DISTINCT sale_id_cd) FROM sales");
    assert!(rows.ends_with("\n5000,5000\n"), "{rows}");
    edit_csv(&place.path(&sheets[0]), &clean, |_| true);
    assert_eq!(code(&place, &["reprocess-failures", "-q", &sheets[0]]), 0);
    assert_eq!(table(&place, "roll.duckdb"), table(&place, "clean.duckdb"));
}

/// Changes the ledger behind the program's back.
fn change(place: &Place, statement: &str) {
    let database = Database::open(&place.path("roll.duckdb"), &Settings::default()).expect("opens");
    database.connect().expect("connects").execute(statement).expect("a sound statement");
}

#[test]
fn a_replay_waits_for_an_unfinished_load() {
    let place = loaded(&damaged(40), &sound(40));
    change(&place, "UPDATE etl.inputs SET status = 'running'");
    let told = place.run(&["reprocess-failures"]);
    assert!(told.starts_with("exit: 2\n"), "{told}");
    assert!(told.contains("is not finished"), "{told}");
    assert_eq!(records(&place).len(), 5);
}

#[test]
fn a_stopped_replay_is_closed_before_anything_else_is_loaded() {
    let clean = sound(40);
    let place = loaded(&damaged(40), &clean);
    let sheets = correct_csv(&place, &clean, |row| row == 3);
    let mut replay = vec!["reprocess-failures", "-q"];
    replay.extend(sheets.iter().map(String::as_str));
    let old = failed_files(&place).remove(0);
    let kept = std::fs::read(&old).expect("readable");
    assert_eq!(code(&place, &replay), 3);
    // As if it had been stopped behind its only commit.
    std::fs::write(&old, kept).expect("writable");
    change(
        &place,
        "UPDATE etl.inputs SET status = 'running' WHERE (run, input) = (SELECT (run, input) \
         FROM etl.inputs ORDER BY run DESC, input DESC LIMIT 1)",
    );
    let place = place.file("SDF17P202501.csv", &text(&sound(5)).replace("\n16,", "\n17,"));
    // Whether its ids suit the county is no matter here.
    let other = code(&place, &["ingest", "SDF17P202501.csv", "-q", "--failed", "other"]);
    assert!([0, 3].contains(&other));
    let open =
        ask(&place, "roll.duckdb", "SELECT count(*) FROM etl.inputs WHERE status = 'running'");
    assert_eq!(open, "count_star()\n0\n");
    assert_eq!(code(&place, &["reprocess-failures", "-q"]), 0);
    assert_eq!(records(&place).len(), 4);
}

#[test]
fn a_replay_does_not_replace() {
    let place = loaded(&damaged(20), &sound(20));
    let told = place.run(&["reprocess-failures", "--mode", "replace"]);
    assert!(told.starts_with("exit: 2\n"), "{told}");
    assert_eq!(records(&place).len(), 5);
}
