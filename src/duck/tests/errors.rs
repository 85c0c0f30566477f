//! Errors, files, locks.

use std::path::Path;

use super::super::error::Failure;
use super::super::*;
use super::memory;

#[test]
fn errors_say_what_and_where() {
    let con = memory();
    let kind = |sql: &str| con.query(sql, &[]).unwrap_err().kind;
    let at = |line, column| Some(Place { line, column: Some(column) });
    assert_eq!(kind("SELEC 1"), DuckErrorKind::Syntax(at(1, 1)));
    assert_eq!(kind("SELECT 1,\n  nope"), DuckErrorKind::Binder(at(2, 3)));
    assert_eq!(kind("SELECT * FROM nowhere"), DuckErrorKind::Missing(at(1, 15)));
    assert_eq!(kind("SELECT CAST('x' AS INTEGER)"), DuckErrorKind::Conversion);
    assert_eq!(kind("SELECT '2024-02-30'::DATE"), DuckErrorKind::Conversion);
    let long = format!("SELECT {} nope", "1 + ".repeat(200));
    let DuckErrorKind::Binder(Some(place)) = kind(&long) else { panic!("a binder error") };
    assert_eq!((place.line, place.column), (1, None));
    let error = con.execute(&long).unwrap_err();
    assert!(error.sql.ends_with('…') && error.sql.chars().count() == 401);
    assert_eq!(con.appender("main", "none").err().unwrap().kind, DuckErrorKind::Missing(None));
    con.execute("SELECT 1\0").unwrap_err();
    con.begin().unwrap();
    assert!(con.begin().is_err());
    con.rollback().unwrap();
    con.begin().unwrap();
    con.execute("CREATE TABLE u (n INTEGER NOT NULL)").unwrap();
    con.execute("INSERT INTO u VALUES (NULL)").unwrap_err();
    assert_eq!(con.execute("SELECT 1").unwrap_err().kind, DuckErrorKind::Aborted);
    con.rollback().unwrap();
}

#[test]
fn too_little_memory_is_an_error() {
    let settings =
        Settings { memory_limit: Some(20 << 20), max_temp_bytes: Some(0), ..Settings::default() };
    let con = Database::memory(&settings).unwrap().connect().unwrap();
    let sql = "CREATE TABLE t AS SELECT random() AS r, uuid() AS u FROM range(5000000)";
    let limit = con.query("SELECT current_setting('memory_limit')", &[]).unwrap();
    assert_eq!(limit.scalar(), Some(&Value::from("20.0 MiB")));
    let error = con.execute(sql).unwrap_err();
    let expected = [DuckErrorKind::OutOfMemory, DuckErrorKind::DiskFull];
    assert!(expected.contains(&error.kind), "{error:?}");
}

#[test]
fn files_that_are_no_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let open = |path: &Path, read_only| {
        let settings = Settings { read_only, ..Settings::default() };
        Database::open(path, &settings).map(drop).unwrap_err().kind
    };
    std::fs::write(path("text"), "not a database\n".repeat(1000)).unwrap();
    assert_eq!(open(&path("text"), false), DuckErrorKind::NotADatabase);
    assert!(matches!(open(&path("missing"), true), DuckErrorKind::Missing(_)));
    assert!(matches!(open(&path("no/such/folder.duckdb"), false), DuckErrorKind::Missing(_)));

    drop(Database::open(&path("good"), &Settings::default()).unwrap());
    let mut bytes = std::fs::read(path("good")).unwrap();
    // The version stands after checksum and magic; the checksum covers what follows it.
    bytes[4096 + 20] ^= 0xff;
    bytes[8192 + 20] ^= 0xff;
    std::fs::write(path("damaged"), bytes).unwrap();
    assert_eq!(open(&path("damaged"), false), DuckErrorKind::Corrupt);
}

#[test]
fn a_file_is_open_once_in_a_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("once.duckdb");
    let first = Database::open(&path, &Settings::default()).unwrap();
    let again = folder.path().join(".").join("once.duckdb");
    let error = Database::open(&again, &Settings::default()).map(drop).unwrap_err();
    let own = Some(std::process::id());
    assert!(matches!(error.kind, DuckErrorKind::Locked { pid, .. } if pid == own), "{error}");
    let con = first.connect().unwrap();
    drop(first);
    Database::open(&path, &Settings::default()).map(drop).unwrap_err();
    drop(con);
    let read_only = Settings { read_only: true, ..Settings::default() };
    let readers = [(); 2].map(|()| Database::open(&path, &read_only).unwrap());
    Database::open(&path, &Settings::default()).map(drop).unwrap_err();
    drop(readers);
    drop(Database::open(&path, &Settings::default()).unwrap());
}

/// Not a test of its own: the other process of the next test.
#[test]
#[expect(clippy::print_stdout, reason = "read by the other process")]
fn child_holds_a_database() {
    let Ok(path) = std::env::var("ETL_TEST_HOLD") else { return };
    let _db = Database::open(Path::new(&path), &Settings::default()).unwrap();
    println!("held");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn a_file_held_by_another_process_names_that_process() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.duckdb");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "duck::tests::errors::child_holds_a_database", "--nocapture"])
        .env("ETL_TEST_HOLD", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open: the child still has to print that its test passed.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().map(Result::unwrap).any(|line| line.contains("held")));
    for read_only in [false, true] {
        let settings = Settings { read_only, ..Settings::default() };
        let error = Database::open(&path, &settings).map(drop).unwrap_err();
        let DuckErrorKind::Locked { pid, program } = &error.kind else { panic!("{error:?}") };
        if cfg!(unix) {
            assert_eq!(*pid, Some(child.id()), "{error}");
            assert!(program.is_some(), "{error}");
        }
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    drop(Database::open(&path, &Settings::default()).unwrap());
}

#[test]
fn lock_messages_of_all_systems_are_understood() {
    let kind = |message: &str| Failure::text(message).on("").kind;
    let locked = |pid, program: Option<&str>| DuckErrorKind::Locked {
        pid,
        program: program.map(Into::into),
    };
    let linux = "IO Error: Could not set lock on file \"/a (PID 7)/x\": Conflicting lock is held in \
                 /usr/bin/python3.11 (PID 4711) by user ann. See also https://duckdb.org/docs";
    let linux = linux.replace(" (PID 7)", "");
    assert_eq!(kind(&linux), locked(Some(4711), Some("/usr/bin/python3.11")));
    let bare =
        "IO Error: Could not set lock on file \"x\": Conflicting lock is held in PID 12. See";
    assert_eq!(kind(bare), locked(Some(12), None));
    let windows = "IO Error: Cannot open file \"x\": The process cannot access the file because it \
                   is being used by another process.\n\nFile is already open in \nC:\\py.exe (PID 9)";
    assert_eq!(kind(windows), locked(Some(9), Some("C:\\py.exe")));
    let unknown = "IO Error: Could not set lock on file \"x\": . See also https://duckdb.org";
    assert_eq!(kind(unknown), locked(None, None));
    let full = "IO Error: Could not write to file \"x\": No space left on device";
    assert_eq!(kind(full), DuckErrorKind::DiskFull);
    let invalid = "FATAL Error: Failed: database has been invalidated because of a previous error";
    assert_eq!(kind(invalid), DuckErrorKind::Invalidated);
}

/// Not a test of its own: the other process of the next test.
#[test]
#[expect(clippy::print_stdout, reason = "read by the other process")]
fn child_far_from_greenwich() {
    if std::env::var_os("ETL_TEST_ZONE").is_none() {
        return;
    }
    for sandboxed in [false, true] {
        let settings = Settings { sandboxed, ..Settings::default() };
        let con = Database::memory(&settings).unwrap().connect().unwrap();
        let sql = "SELECT ?::TIMESTAMP, ?::TIMESTAMPTZ::VARCHAR, TIMESTAMPTZ '2026-07-01 12:00:00'";
        let rows = con.query(sql, &[Value::Timestamp(0), Value::Timestamp(0)]).unwrap();
        let noon = Value::Timestamp(1_782_907_200_000_000);
        let wanted = [Value::Timestamp(0), Value::from("1970-01-01 00:00:00+00"), noon];
        assert_eq!(rows.rows, [wanted]);
    }
    println!("in UTC");
}

#[test]
fn times_are_utc_wherever_the_program_runs() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "duck::tests::errors::child_far_from_greenwich", "--nocapture"])
        .envs([("ETL_TEST_ZONE", "1"), ("TZ", "America/New_York")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("in UTC"), "{told}");
}
