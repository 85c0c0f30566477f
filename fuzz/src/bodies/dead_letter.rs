//! Files of failed records: read, recovered, replayed; written and exported, and back again.

use super::reading::{Damage, every_way};
use super::{file, place};
use etl::load::dead_letter::{self, DeadLetterError, Record, Replay};
use std::path::{Path, PathBuf};

/// Sound records, so that a sheet has something to be joined with.
const ORIGINAL: &[u8] = include_bytes!("../../seeds/dead_letter/records");

/// The bytes as a file of failed records, and as a corrected sheet that is joined with sound ones.
pub fn dead_letter(data: &[u8]) {
    let path = file("t.failed.jsonl", data);
    let told = dead_letter::inspect(&path).expect("damage is told, not an error");
    let records = dead_letter::read(&path).expect("the file can be opened");
    let sound: Vec<Record> = records.map_while(Result::ok).collect();
    let number = sound.len() as u64;
    assert!(told.records + told.damaged.map_or(0, |(lines, _)| lines) >= number, "none is lost");
    if let Ok(replay) = dead_letter::import_records(std::slice::from_ref(&path)) {
        assert!(replay.len() as u64 <= number, "no record comes out of nothing");
        replay.tables.iter().for_each(read_replay);
    }
    recovered(data);
    if !sound.is_empty() {
        there_and_back(&sound);
    }
    let original = file("original.failed.jsonl", ORIGINAL);
    let sheet = file("corrected", data);
    if let Ok(replay) = dead_letter::import(&sheet, &[original], |_| false) {
        replay.tables.iter().for_each(read_replay);
    }
}

fn recovered(data: &[u8]) {
    let copy = file("copy.failed.jsonl", data);
    if let Ok(first) = dead_letter::recover(&copy, |_| true) {
        let again = dead_letter::recover(&copy, |_| true).expect("what is recovered stays so");
        assert_eq!((again.kept, again.dropped), (first.kept, 0), "recovering twice is once");
    }
}

/// Records are read as they were written, and a sheet that nobody has touched corrects nothing.
fn there_and_back(records: &[Record]) {
    let written = fresh("written.failed.jsonl");
    let writer = dead_letter::Writer::at(written.clone());
    writer.append(records).expect("records can be written");
    let again: Result<Vec<Record>, DeadLetterError> =
        dead_letter::read(&written).expect("it is there").collect();
    assert_eq!(again.expect("what was written can be read"), records, "written and read");
    let Ok(as_it_is) = dead_letter::import_records(std::slice::from_ref(&written)) else {
        panic!("records that can be read can be replayed")
    };
    let mut sheet = Vec::new();
    let all = || records.iter().cloned().map(Ok);
    if dead_letter::export_csv_to(all(), &mut sheet).is_ok() {
        untouched(&file("sheet.csv", &sheet), &written, &as_it_is);
    }
    let book = fresh("sheet.xlsx");
    if dead_letter::export_xlsx(all(), &book).is_ok() {
        untouched(&book, &written, &as_it_is);
    }
}

/// A name that no file has.
fn fresh(name: &str) -> PathBuf {
    let path = place(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// Importing an export that was not changed is a replay of the records as they are.
fn untouched(sheet: &Path, records: &Path, as_it_is: &Replay) {
    // Two attempts at one row are two rows of one id in the sheet: that is told.
    let Ok(replay) = dead_letter::import(sheet, &[records.to_owned()], |_| false) else { return };
    let rows = |replay: &Replay| -> Vec<_> {
        let mut rows: Vec<_> =
            replay.records().map(|row| (row.id, row.content(), row.changed.clone())).collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&replay), rows(as_it_is), "the sheet as it was exported");
}

fn read_replay(table: &dead_letter::ReplayTable) {
    let seen = every_way(table, Damage::Same);
    if seen.ended.is_ok() {
        let rows = seen.rows.len() + seen.refused.len();
        assert_eq!(rows, table.rows().len(), "every record is a row or refused again");
    }
}
