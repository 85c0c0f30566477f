//! Replaying: the records as a table, and what fails again.

use super::{moment, plain, record_in, record_with};
use crate::chunk::{Code, ColumnKind, Mark, MisfitKind, Problem, ReadColumn, ReadSchema, Role};
use crate::load::dead_letter::{Context, Record, Replay, ReplayTable, Writer, import};
use crate::source::{Decoded, SourceErrorKind, Table};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn column(name: &str, field: usize, kind: ColumnKind, role: Role) -> ReadColumn {
    ReadColumn {
        name: name.to_lowercase(),
        header: name.into(),
        field,
        kind,
        role,
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

fn schema() -> Arc<ReadSchema> {
    Arc::new(ReadSchema {
        columns: vec![
            column("JV", 1, ColumnKind::BigInt, Role::Money),
            column("PARCEL_ID", 0, ColumnKind::Text, Role::Id),
        ],
        extra: vec![(2, "NAME".into())],
        headers: vec!["PARCEL_ID".into(), "JV".into(), "NAME".into()],
    })
}

fn store(folder: &Path, name: &str, records: &[Record]) -> PathBuf {
    let writer = Writer::new(folder, name, "01RUN");
    writer.append(records).expect("written");
    writer.path().to_owned()
}

fn replay_of(records: &[Record]) -> (tempfile::TempDir, Replay) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = store(folder.path(), "a.csv", records);
    let replay = import(&path, &[], |_| false).expect("imports");
    (folder, replay)
}

fn decode(table: &ReplayTable, from: u64, rows: usize) -> Vec<Decoded> {
    let from = Mark { record: from, ..Mark::default() };
    let mut source = table.open(schema(), from).expect("opens");
    let mut blocks = Vec::new();
    while let Some(block) = source.next_block(rows, 1 << 20).expect("reads") {
        blocks.push(block.body.decode().expect("decodes"));
    }
    blocks
}

fn texts(decoded: &Decoded, column: &str) -> Vec<Option<String>> {
    let column = decoded.frame.column(column).expect("a column");
    column.str().expect("text").iter().map(|text| text.map(str::to_owned)).collect()
}

fn jv(decoded: &Decoded) -> Vec<Option<i64>> {
    decoded.frame.column("jv").expect("jv").i64().expect("bigint").iter().collect()
}

#[test]
fn records_are_read_like_a_file_with_their_own_row_numbers() {
    // Loaders wrote them out of order.
    let (_folder, replay) = replay_of(&[plain(9), plain(2), plain(5)]);
    let table = &replay.tables[0];
    assert_eq!(table.headers(), ["PARCEL_ID", "JV", "NAME"]);
    assert_eq!((table.extent().rows, table.kind(), table.target()), (Some(3), "nal", "nal"));
    assert_eq!(table.input_facts()["release"], "F");
    assert_eq!(table.origin().path, "rolls/broward é.csv");
    let blocks = decode(table, 0, 2);
    assert_eq!(blocks.iter().map(|block| block.records).collect::<Vec<_>>(), [2, 1]);
    let first = &blocks[0];
    assert_eq!(texts(first, "parcel_id"), [Some("000002".into()), Some("000005".into())]);
    assert_eq!(texts(first, "_extra")[0].as_deref(), Some("{\"NAME\":\"Núñez\"}"));
    assert_eq!(first.misfits.len(), 2, "N/A still does not fit");
    assert_eq!(first.raw.place(1).row, 5);
    assert_eq!(first.raw.fields(1)[1], ("JV".to_owned(), "N/A".to_owned()));
    assert_eq!(first.raw.field(0, 0).as_deref(), Some("000002"));
    // Resumed behind the second record.
    let rest = decode(table, 2, 10);
    assert_eq!((rest.len(), rest[0].raw.place(0).row), (1, 9));
    assert!(decode(table, 3, 10).is_empty());
}

#[test]
fn what_fails_again_keeps_its_identity_and_counts_the_attempt() {
    let (_folder, replay) = replay_of(&[plain(2)]);
    let decoded = decode(&replay.tables[0], 0, 10).remove(0);
    let reject = crate::chunk::Reject {
        record: 0,
        place: decoded.raw.place(0),
        stage: "validate",
        problems: vec![Problem::new(Code::E301, "again")],
    };
    let context = Context {
        run: "02RUN",
        range: "r9",
        origin: &crate::chunk::Origin { path: "a.failed.jsonl".into(), ..super::origin() },
        kind: "nal",
        table: "nal",
        facts: replay.tables[0].input_facts(),
        headers: replay.tables[0].headers(),
        config: "d00d",
        now: moment(60),
    };
    let again = Record::of(&reject, decoded.raw.as_ref(), &context);
    let before = plain(2);
    assert_eq!((again.id, again.row, again.byte), (before.id, 2, before.byte));
    assert_eq!((&again.file, again.fingerprint), (&before.file, before.fingerprint));
    assert_eq!((again.attempt, again.run.as_str()), (2, "02RUN"));
    assert_eq!((again.first_failed, again.last_failed), (moment(0), moment(60)));
    assert_eq!(again.raw, before.raw);
    let earlier = decoded.raw.earlier(0).expect("a replayed record");
    assert_eq!((earlier.attempt, earlier.run.as_str()), (1, "01RUN"));
}

#[test]
fn the_latest_attempt_counts_and_the_last_copy_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let second = Record {
        attempt: 2,
        raw: vec![
            ("PARCEL_ID".into(), "2".into()),
            ("JV".into(), "7".into()),
            ("NAME".into(), String::new()),
        ],
        ..plain(2)
    };
    let copy = Record { config: "later".into(), ..second.clone() };
    let path = store(folder.path(), "a.csv", &[second, plain(2), copy, plain(3)]);
    let replay = import(&path, &[], |_| false).expect("imports");
    let rows: Vec<_> = replay.records().map(|row| (row.row, row.attempt)).collect();
    assert_eq!(rows, [(2, 2), (3, 1)]);
    let decoded = decode(&replay.tables[0], 0, 10).remove(0);
    assert_eq!(jv(&decoded), [Some(7), None]);
}

#[test]
fn corrected_json_is_joined_with_the_original() {
    let folder = tempfile::tempdir().expect("a folder");
    let original = store(folder.path(), "a.csv", &[plain(2), plain(3)]);
    let mut fixed = plain(3);
    fixed.raw[1].1 = "12".into();
    let corrected = store(folder.path(), "fixed.csv", &[fixed]);
    let replay = import(&corrected, std::slice::from_ref(&original), |_| false).expect("imports");
    assert_eq!(replay.len(), 1);
    assert_eq!(replay.records().next().expect("one").changed, ["JV"]);
    assert_eq!(jv(&decode(&replay.tables[0], 0, 10)[0]), [Some(12)]);
    let mut renamed = plain(3);
    renamed.raw[1].0 = "VALUE".into();
    let corrected = store(folder.path(), "renamed.csv", &[renamed]);
    let error = import(&corrected, &[original], |_| false).expect_err("renamed").to_string();
    assert!(error.contains("line 1: the names in \"raw\" were changed"), "{error}");
}

#[test]
fn a_fingerprint_is_that_of_the_rows() {
    let print = |records: &[Record]| {
        let (_folder, replay) = replay_of(records);
        replay.tables[0].fingerprint()
    };
    let both = print(&[plain(2), plain(3)]);
    assert_eq!(both, print(&[plain(3), plain(2)]));
    assert_ne!(both, print(&[plain(2)]));
    let other = record_in("r1", 3, &[("PARCEL_ID", "000003"), ("JV", "8"), ("NAME", "Núñez")]);
    assert_ne!(both, print(&[plain(2), other]));
    let (_folder, mut replay) = replay_of(&[plain(2), plain(3)]);
    assert_eq!(replay.retain(|row| row.row == 2), 1);
    assert_eq!(replay.tables[0].fingerprint(), print(&[plain(2)]));
    replay.retain(|_| false);
    assert!(replay.is_empty() && replay.tables.is_empty());
}

#[test]
fn inputs_with_other_files_or_facts_are_tables_of_their_own() {
    let mut late = plain(3);
    late.facts.insert("release".into(), "P".into());
    let sheet = Record { sheet: Some("Data".into()), ..plain(4) };
    let (_folder, replay) = replay_of(&[plain(2), late, sheet]);
    assert_eq!(replay.tables.len(), 3);
    let parts: Vec<_> = replay.tables.iter().map(|t| t.origin().sheet().is_some()).collect();
    assert_eq!(parts, [false, false, true]);
}

#[test]
fn a_line_is_split_again_by_the_delimiter_of_its_file() {
    let line = |row, text: &str| {
        let problem = Problem::new(Code::E202, "ragged");
        let mut record =
            record_with("r1", row, &[("_line", text)], vec![problem], &["PARCEL_ID", "JV", "NAME"]);
        record.split.as_mut().expect("a line").delimiter = ';';
        record
    };
    let (_folder, replay) = replay_of(&[
        line(2, "1;5;\"a\"\"b\nc\""),
        line(3, "1;5"),
        line(4, "1;\"5\"x;y"),
        line(5, "1;2;3\n4;5;6"),
    ]);
    let decoded = decode(&replay.tables[0], 0, 10).remove(0);
    assert_eq!((decoded.records, decoded.index.as_slice()), (4, &[0][..]));
    assert_eq!(texts(&decoded, "_extra")[0].as_deref(), Some(r#"{"NAME":"a\"b\nc"}"#));
    let codes: Vec<_> = decoded.rejects.iter().map(|r| (r.place.row, r.problems[0].code)).collect();
    assert_eq!(codes, [(3, Code::E202), (4, Code::E203), (5, Code::E202)]);
    assert_eq!(
        decoded.raw.fields(decoded.rejects[0].record),
        [("_line".to_owned(), "1;5".to_owned())]
    );
    assert_eq!(decoded.raw.grammar().map(|grammar| grammar.delimiter), Some(';'));
}

#[test]
fn what_the_reader_distrusted_stays_refused_until_it_is_changed() {
    let refused = |row, field: &str, value: &str, code| {
        let raw = [
            ("PARCEL_ID", if field == "PARCEL_ID" { value } else { "1" }),
            ("JV", "1"),
            ("NAME", "x"),
        ];
        let problem = Problem::new(code, "refused").with_column(field).with_value(value);
        record_with("r1", row, &raw, vec![problem], &["PARCEL_ID", "JV", "NAME"])
    };
    let inexact = refused(2, "PARCEL_ID", "49402520000000000", Code::E306);
    let error = refused(3, "PARCEL_ID", "#N/A", Code::E301);
    let mut corrected = refused(4, "PARCEL_ID", "49402520000000000", Code::E306);
    corrected.raw[0].1 = "49402520000000017".into();
    let lost = Problem::new(Code::E201, "invalid UTF-8 byte 0xE9");
    let raw = [("PARCEL_ID", "1"), ("JV", "1"), ("NAME", "Nu\u{fffd}ez")];
    let bytes = record_with("r1", 5, &raw, vec![lost], &["PARCEL_ID", "JV", "NAME"]);
    let (_folder, replay) = replay_of(&[inexact, error, corrected, bytes]);
    let decoded = decode(&replay.tables[0], 0, 10).remove(0);
    let misfits: Vec<_> = decoded.misfits.iter().map(|m| (m.record, m.column, m.kind)).collect();
    assert_eq!(misfits, [(0, 1, MisfitKind::IdInexact), (1, 1, MisfitKind::CellError)]);
    assert_eq!(texts(&decoded, "parcel_id"), [None, None, Some("49402520000000017".into())]);
    assert_eq!(decoded.rejects.len(), 1);
    assert_eq!(decoded.rejects[0].problems[0].code, Code::E201);
}

#[test]
fn a_file_that_changes_under_the_replay_ends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = store(folder.path(), "a.csv", &[plain(2), plain(3)]);
    let replay = import(&path, &[], |_| false).expect("imports");
    let text = fs::read_to_string(&path).expect("text");
    let swapped: Vec<_> = text.lines().rev().collect();
    fs::write(&path, format!("{}\n", swapped.join("\n"))).expect("written");
    let mut source = replay.tables[0].open(schema(), Mark::default()).expect("opens");
    let block = source.next_block(10, 1 << 20).expect("reads").expect("a block");
    let error = block.body.decode().expect_err("changed");
    assert_eq!(error.kind, SourceErrorKind::Changed);
}

#[test]
fn many_records_come_once_in_order_in_blocks_within_the_byte_limit() {
    let records: Vec<_> = (2..2_002).map(plain).collect();
    let (_folder, replay) = replay_of(&records);
    let mut source = replay.tables[0].open(schema(), Mark::default()).expect("opens");
    let (mut rows, mut consumed) = (Vec::new(), 0);
    while let Some(block) = source.next_block(10_000, 64 << 10).expect("reads") {
        assert!(block.bytes < 66 << 10 && block.consumed > consumed);
        consumed = block.consumed;
        let decoded = block.body.decode().expect("decodes");
        rows.extend((0..decoded.records).map(|record| decoded.raw.place(record).row));
    }
    assert_eq!(rows, (2..2_002).collect::<Vec<_>>());
    assert_eq!(Some(consumed), replay.tables[0].extent().bytes);
}
