//! Writing, recovering, reading, listing.

use super::{hostile, moment, plain, record_in, record_with};
use crate::chunk::{Code, Problem};
use crate::load::dead_letter::{
    DeadLetterError, Record, RecordId, Recovered, Writer, file_name, list, read, recover,
};
use std::fs;
use std::path::Path;

fn write(folder: &Path, records: &[Record]) -> Writer {
    let writer = Writer::new(folder, "x/a.csv", "01RUN");
    writer.append(records).expect("written");
    writer.sync().expect("synced");
    writer
}

fn all(path: &Path) -> Vec<Record> {
    read(path).expect("opens").collect::<Result<_, _>>().expect("every line is a record")
}

#[test]
fn records_come_back_as_written_in_a_stable_field_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut records = hostile();
    let line = Problem::new(Code::E202, "2 fields, the header has 3");
    records.push(record_with("r1", 99, &[("_line", "a;b")], vec![line], &["A", "B", "B"]));
    records.push(record_in("r1", 100, &[("A", "1"), ("A", "2"), ("", "3")]));
    let writer = write(&folder.path().join("new/deep"), &records);
    assert_eq!(all(writer.path()), records);
    assert_eq!(writer.length(), fs::metadata(writer.path()).expect("exists").len());
    let text = fs::read_to_string(writer.path()).expect("text");
    let last = text.lines().last().expect("a line");
    let order = [
        "id",
        "run",
        "range",
        "file",
        "fingerprint",
        "row",
        "byte",
        "kind",
        "table",
        "facts",
        "stage",
        "errors",
        "raw",
        "attempt",
        "first_failed",
        "last_failed",
        "config",
    ];
    let at: Vec<_> =
        order.iter().map(|name| last.find(&format!("\"{name}\":")).expect("present")).collect();
    assert!(at.is_sorted(), "{last}");
    assert!(last.contains(r#""raw":[["A","1"],["A","2"],["","3"]]"#), "{last}");
    assert!(last.contains(r#""first_failed":"2025-10-09T08:53:20Z""#), "{last}");
}

#[test]
fn no_file_appears_without_a_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = write(folder.path(), &[]);
    assert!(!writer.path().exists());
    assert_eq!(writer.length(), 0);
}

#[test]
fn a_second_writer_of_the_run_goes_on_at_the_end_but_not_behind_a_torn_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), &[plain(2)]).path().to_owned();
    write(folder.path(), &[plain(3)]);
    assert_eq!(all(&path), [plain(2), plain(3)]);
    let mut torn = fs::read(&path).expect("bytes");
    torn.truncate(torn.len() - 5);
    fs::write(&path, &torn).expect("written");
    let again = Writer::new(folder.path(), "x/a.csv", "01RUN");
    assert!(matches!(again.append(&[plain(4)]), Err(DeadLetterError::Torn(_))));
    assert_eq!(fs::read(&path).expect("bytes"), torn);
}

#[test]
fn loaders_may_append_at_the_same_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Writer::new(folder.path(), "a.csv", "01RUN");
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let writer = &writer;
            scope.spawn(move || {
                for row in 0..50 {
                    writer.append(&[plain(thread * 1000 + row)]).expect("written");
                    writer.sync().expect("synced");
                }
            });
        }
    });
    assert_eq!(all(writer.path()).len(), 200);
}

#[test]
fn ids_depend_on_content_sheet_and_row_only() {
    let first = plain(2);
    let other = Record { file: "elsewhere.csv".into(), run: "02".into(), ..plain(2) };
    assert_eq!(first.id, RecordId::of(&other.fingerprint, None, other.row));
    assert_ne!(first.id, plain(3).id);
    assert_ne!(
        RecordId::of(&first.fingerprint, None, 2),
        RecordId::of(&first.fingerprint, Some(""), 2)
    );
    let text = first.id.to_string();
    assert_eq!((text.len(), text.parse()), (32, Ok(first.id)));
    assert!("12".parse::<RecordId>().is_err());
}

#[test]
fn names_are_safe_everywhere() {
    let cases = [
        ("data/broward_2025.xlsx", "broward_2025"),
        (r"C:\rolls\a b.csv", "a b"),
        ("rolls.zip/inner/NAL16F.csv", "NAL16F"),
        ("we?ird<na|me>.csv", "we_ird_na_me_"),
        ("con.csv", "_con"),
        ("LPT1.backup.csv", "_LPT1.backup"),
        ("console.csv", "console"),
        ("trailing. .csv", "trailing"),
        (".csv", "csv"),
        ("", "input"),
    ];
    for (input, stem) in cases {
        assert_eq!(file_name(input, "01RUN"), format!("{stem}.01RUN.failed.jsonl"), "{input:?}");
    }
    assert!(file_name(&"é".repeat(300), "01RUN").len() < 200);
}

#[test]
fn recovery_keeps_committed_ranges_exactly_and_twice_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = [
        record_in("kept", 2, &[("JV", "1")]),
        record_in("lost", 3, &[("JV", "2")]),
        record_in("kept", 4, &[("JV", "3\r\n")]),
        record_in("lost", 5, &[("JV", "4")]),
    ];
    let path = write(folder.path(), &records).path().to_owned();
    let other = folder.path().join("a.02OTHER.failed.jsonl");
    fs::write(&other, "not mine").expect("written");
    let whole = fs::read(&path).expect("bytes");
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[..whole.len() / 3]);
    let first_line = whole.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    // Cut the copied text inside its first line.
    torn.truncate(whole.len() + first_line / 2);
    fs::write(&path, &torn).expect("written");
    let recovered = recover(&path, |range| range == "kept").expect("recovers");
    assert_eq!(recovered, Recovered { kept: 2, dropped: 3 });
    assert_eq!(all(&path), [records[0].clone(), records[2].clone()]);
    let after = fs::read(&path).expect("bytes");
    assert!(whole.starts_with(&after[..first_line]), "kept lines stay byte for byte");
    let again = recover(&path, |range| range == "kept").expect("recovers");
    assert_eq!(again, Recovered { kept: 2, dropped: 0 });
    assert_eq!(fs::read(&path).expect("bytes"), after);
    assert_eq!(fs::read_to_string(&other).expect("text"), "not mine");
    assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 2, "nothing is left over");
}

#[test]
fn recovery_at_every_cut_of_the_tail_keeps_what_was_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), &[record_in("kept", 2, &[("JV", "1")])]).path().to_owned();
    let committed = fs::read(&path).expect("bytes");
    write(folder.path(), &[record_in("lost", 3, &[("JV", "ü")])]);
    let whole = fs::read(&path).expect("bytes");
    for length in (committed.len()..=whole.len()).step_by(7) {
        let mut bytes = whole[..length].to_vec();
        // A file system may have given the length but not the bytes.
        bytes.extend_from_slice(&[0; 3]);
        fs::write(&path, bytes).expect("written");
        recover(&path, |range| range == "kept").expect("recovers");
        assert_eq!(fs::read(&path).expect("bytes"), committed, "cut at {length}");
    }
}

#[test]
fn a_file_with_nothing_committed_goes_and_a_missing_one_is_fine() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), &[plain(2)]).path().to_owned();
    assert_eq!(recover(&path, |_| false).expect("recovers"), Recovered { kept: 0, dropped: 1 });
    assert!(!path.exists());
    assert_eq!(recover(&path, |_| true).expect("recovers"), Recovered::default());
}

#[test]
fn damage_before_a_committed_record_is_reported_not_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), &[plain(2), plain(3)]).path().to_owned();
    let text = fs::read_to_string(&path).expect("text").replacen("\"run\"", "run", 1);
    fs::write(&path, &text).expect("written");
    let error = recover(&path, |_| true).expect_err("damage");
    assert!(matches!(error, DeadLetterError::Damaged { line: 1, .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("text"), text);
}

#[test]
fn a_damaged_line_is_named_and_ends_the_reading() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.01RUN.failed.jsonl");
    let line = serde_json::to_string(&plain(2)).expect("encodes");
    fs::write(&path, format!("\u{feff}{line}\r\n\n{{\"id\": 1}}\n{line}\n")).expect("written");
    let mut records = read(&path).expect("opens");
    assert_eq!(records.next().expect("first").expect("whole"), plain(2));
    let error = records.next().expect("second").expect_err("damaged").to_string();
    assert!(error.contains("a.01RUN.failed.jsonl:3: not a failed record"), "{error}");
    assert!(records.next().is_none());
}

#[test]
fn a_listing_counts_by_code_and_survives_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let both = vec![
        Problem::new(Code::E301, "one"),
        Problem::new(Code::E301, "two"),
        Problem::new(Code::E305, "three"),
    ];
    let path = write(folder.path(), &[plain(2), record_with("r", 3, &[("A", "")], both, &["A"])])
        .path()
        .to_owned();
    let mut text = fs::read_to_string(&path).expect("text");
    text.push_str("{\"torn");
    fs::write(&path, text).expect("written");
    fs::write(folder.path().join("notes.jsonl"), "no").expect("written");
    let found = list(folder.path()).expect("lists");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].records, found[0].damaged), (2, Some((1, 3))));
    let counts: Vec<_> = found[0].by_code.iter().map(|(code, n)| (code.as_str(), *n)).collect();
    assert_eq!(counts, [("E301", 2), ("E305", 1)]);
    assert!(found[0].runs.contains("01RUN"));
    assert_eq!(plain(2).first_failed, moment(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_as_such_and_nothing_is_glued_to_a_torn_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Writer::new(folder.path(), "a.csv", "01RUN");
    std::os::unix::fs::symlink("/dev/full", writer.path()).expect("links");
    let error = writer.append(&[plain(2)]).expect_err("the disk is full");
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(writer.length(), 0);
    // A device cannot be cut back, so the writer refuses to go on.
    assert!(matches!(writer.append(&[plain(3)]), Err(DeadLetterError::Poisoned(_))));
}
