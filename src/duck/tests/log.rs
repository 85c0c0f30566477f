//! Files that were left in the middle of a commit.

use std::path::{Path, PathBuf};

use super::super::*;
use super::{count, numbered};

const LOG: &str = "left.duckdb.wal";

/// A file as a killed process leaves it: 1,000 + 4,096 rows in table `t` and a row for each of the
/// two commits in table `done`, all of it in the log. Returns the log's length after each commit.
fn left_open(folder: &Path) -> [u64; 2] {
    let live = folder.join("live.duckdb");
    let settings = Settings { row_group: Some(2_048), ..Settings::default() };
    let db = Database::open(&live, &settings).unwrap();
    let con = db.connect().unwrap();
    con.execute("CREATE TABLE t (n BIGINT, t VARCHAR); CREATE TABLE done (rows BIGINT)").unwrap();
    let log = folder.join("live.duckdb.wal");
    let ends = [1_000, 4_096].map(|rows| {
        con.begin().unwrap();
        let mut appender = con.appender("main", "t").unwrap();
        appender.append(&numbered(0, rows)).unwrap();
        appender.close().unwrap();
        con.execute(&format!("INSERT INTO done VALUES ({rows})")).unwrap();
        con.commit().unwrap();
        log.metadata().unwrap().len()
    });
    std::fs::copy(&live, folder.join("left.duckdb")).unwrap();
    std::fs::copy(&log, folder.join(LOG)).unwrap();
    ends
}

fn cut(folder: &Path, length: u64, name: &str) -> PathBuf {
    let copy = folder.join(name);
    std::fs::copy(folder.join("left.duckdb"), &copy).unwrap();
    let log = std::fs::read(folder.join(LOG)).unwrap();
    std::fs::write(folder.join(format!("{name}.wal")), &log[..length as usize]).unwrap();
    copy
}

#[test]
fn a_commit_that_was_cut_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = left_open(folder.path());
    // The last bytes are the end mark of the transaction, the ones before it its row groups.
    let cuts = (first..second).step_by(97).chain(second - 30..second);
    for (n, length) in cuts.enumerate() {
        let file = cut(folder.path(), length, &format!("{n}.duckdb"));
        for read_only in [true, false, true] {
            let settings = Settings { read_only, ..Settings::default() };
            let con = Database::open(&file, &settings).unwrap().connect().unwrap();
            assert_eq!((count(&con, "t"), count(&con, "done")), (1_000, 1), "cut at {length}");
        }
    }
}

#[test]
fn a_whole_log_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [_, second] = left_open(folder.path());
    let file = cut(folder.path(), second, "whole.duckdb");
    log::cut_torn_end(&file);
    assert_eq!(folder.path().join("whole.duckdb.wal").metadata().unwrap().len(), second);
    let con = Database::open(&file, &Settings::default()).unwrap().connect().unwrap();
    assert_eq!((count(&con, "t"), count(&con, "done")), (5_096, 2));
}

#[test]
fn a_log_that_is_not_understood_is_left_to_duckdb() {
    let folder = tempfile::tempdir().unwrap();
    let [_, second] = left_open(folder.path());
    let file = cut(folder.path(), second - 1, "other.duckdb");
    let log = folder.path().join("other.duckdb.wal");
    let torn = std::fs::read(&log).unwrap();
    for (at, byte) in [(2, 97), (5, 3), (6, 0xfe), (8 + 16, 7), (8 + 16 + 2, 99)] {
        let mut other = torn.clone();
        other[at] = byte;
        std::fs::write(&log, &other).unwrap();
        log::cut_torn_end(&file);
        assert_eq!(std::fs::read(&log).unwrap(), other, "byte {at}");
    }
    log::cut_torn_end(&folder.path().join("missing.duckdb"));
}
