//! Columns in and out, transactions.

use polars::prelude::df;
use polars_arrow::array::{Int64Array, PrimitiveArray};
use polars_arrow::datatypes::ArrowDataType;

use super::super::*;
use super::{count, ints, memory, numbered, texts};

fn all_types() -> Frame {
    let names = ["nothing", "", "🏠", "just a bit longer than twelve"];
    let mut frame = Frame::new();
    frame.push("i", ints([Some(i64::MIN), None, Some(i64::MAX), Some(0)])).unwrap();
    frame.push("t", texts(names.map(|t| (t != "nothing").then(|| t.to_string())))).unwrap();
    let day = PrimitiveArray::<i32>::from_iter([Some(-25_567), Some(-1), None, Some(20_000)]);
    frame.push("d", Box::new(day.to(ArrowDataType::Date32))).unwrap();
    let time = Int64Array::from_iter([Some(-1), None, Some(0), Some(1_785_000_000_123_456)]);
    let unit = polars_arrow::datatypes::TimeUnit::Microsecond;
    let zoned = time.clone().to(ArrowDataType::Timestamp(unit, Some("UTC".into())));
    frame.push("tz", Box::new(zoned)).unwrap();
    frame.push("ts", Box::new(time.to(ArrowDataType::Timestamp(unit, None)))).unwrap();
    frame.push_uuids("u", [Some(0), Some(u128::MAX), None, Some(1 << 127)]).unwrap();
    let more = df! {
        "b" => [Some(true), Some(false), None, Some(true)],
        "f" => [Some(-0.5), None, Some(f64::MAX), Some(0.1)],
        "f4" => [Some(1.5f32), None, Some(0.0), Some(-1.0)],
        "i4" => [Some(i32::MIN), None, Some(i32::MAX), Some(0)],
        "u4" => [Some(u32::MAX), None, Some(0), Some(1)],
        "u8" => [Some(u64::MAX), None, Some(0), Some(1)],
    }
    .unwrap();
    let more = Frame::from_polars(&more).unwrap();
    for (field, array) in more.fields().iter().zip(more.columns()) {
        frame.push_field(field.clone(), array.clone()).unwrap();
    }
    let money =
        PrimitiveArray::<i128>::from_iter([Some(-12_345), None, Some(10i128.pow(17)), Some(0)]);
    frame.push("m", Box::new(money.to(ArrowDataType::Decimal(18, 2)))).unwrap();
    frame
}

fn assert_same(left: &Frame, right: &Frame) {
    assert_eq!(left.names().collect::<Vec<_>>(), right.names().collect::<Vec<_>>());
    assert_eq!(left.len(), right.len());
    for ((left, right), name) in left.columns().iter().zip(right.columns()).zip(left.names()) {
        assert!(
            polars_arrow::array::equal(left.as_ref(), right.as_ref()),
            "{name}: {left:?} is not {right:?}"
        );
    }
}

#[test]
fn columns_come_back_as_they_went_through_a_view_and_a_table() {
    let con = memory();
    let frame = all_types();
    let view = con.frame_view("v", &frame).unwrap();
    assert_same(&frame, &con.query_columns("SELECT * FROM v").unwrap());
    con.execute("CREATE TABLE t AS SELECT * FROM v WHERE false").unwrap();
    drop(view);
    let mut appender = con.appender("main", "t").unwrap();
    appender.append(&frame).unwrap();
    appender.append(&frame.slice(1, 2)).unwrap();
    appender.close().unwrap();
    let back = con.query_columns("SELECT * FROM t").unwrap();
    assert_same(&frame, &back.slice(0, 4));
    assert_same(&frame.slice(1, 2), &back.slice(4, 2));
    let sql = "SELECT string_agg(data_type, ' ' ORDER BY column_index) FROM duckdb_columns() \
               WHERE table_name = 't'";
    let types = con.query(sql, &[]).unwrap();
    let wanted = "BIGINT VARCHAR DATE TIMESTAMP WITH TIME ZONE TIMESTAMP UUID BOOLEAN DOUBLE FLOAT \
                  INTEGER UINTEGER UBIGINT DECIMAL(18,2)";
    assert_eq!(types.scalar(), Some(&Value::from(wanted)));
}

#[test]
fn rows_beyond_a_slice_come_with_their_nulls_and_long_texts() {
    let con = memory();
    let rows = 5_003;
    let some = |row: usize, every: usize| (row % every != 1).then_some(row);
    let mut frame = Frame::new();
    let long = |row| format!("row {row}, which is more than twelve bytes");
    frame.push("t", texts((0..rows).map(|row| some(row, 3).map(long)))).unwrap();
    frame.push("c", texts((0..rows).map(|row| Some(format!("{:03}", row % 7))))).unwrap();
    frame.push("i", ints((0..rows).map(|row| some(row, 5).map(|row| row as i64)))).unwrap();
    let empty = |row: usize| (!(2_048..4_096).contains(&row)).then_some(1);
    frame.push("e", ints((0..rows).map(empty))).unwrap();
    frame.push_uuids("u", (0..rows).map(|row| some(row, 64).map(|row| row as u128))).unwrap();
    let flags: polars_arrow::array::BooleanArray =
        (0..rows).map(|row| some(row, 9).map(|row| row % 2 == 0)).collect();
    frame.push("b", Box::new(flags)).unwrap();
    // A frame that begins within a byte of every mask, and ends within a word.
    for (from, len) in [(0, rows), (3, rows - 3), (2_045, 2_049), (70, 64)] {
        let part = frame.slice(from, len);
        let view = con.frame_view("part", &part).unwrap();
        assert_same(&part, &con.query_columns("SELECT * FROM part").unwrap());
        drop(view);
    }
}

#[test]
fn a_null_column_may_stand_first() {
    let con = memory();
    let mut frame = Frame::new();
    let nulls = polars_arrow::array::NullArray::new(ArrowDataType::Null, 5000);
    frame.push("x", Box::new(nulls)).unwrap();
    frame.push("t", texts((0..5000).map(|n| Some(format!("text number {n}"))))).unwrap();
    con.execute("CREATE TABLE t (x BIGINT, t VARCHAR)").unwrap();
    let mut appender = con.appender("main", "t").unwrap();
    appender.append(&frame).unwrap();
    appender.close().unwrap();
    let sql = "SELECT count(x), count(DISTINCT t), max(t) FROM t";
    let wanted = [Value::Int(0), Value::Int(5000), Value::from("text number 999")];
    assert_eq!(con.query(sql, &[]).unwrap().rows, [wanted]);
}

#[test]
fn a_view_keeps_order_and_count_and_can_be_read_again() {
    let con = memory();
    let frame = numbered(0, 10_001);
    let view = con.frame_view("odd \"name\"", &frame).unwrap();
    for _ in 0..2 {
        let sql = "SELECT t, n + 1 AS m FROM \"odd \"\"name\"\"\"";
        let back = con.query_columns(sql).unwrap();
        assert_eq!(back.len(), 10_001);
        let wanted = ints((1..=10_001).map(Some));
        assert!(polars_arrow::array::equal(back.column("m").unwrap(), wanted.as_ref()));
        assert!(polars_arrow::array::equal(back.column("t").unwrap(), frame.column("t").unwrap()));
    }
    let sql = "SELECT count(*) FROM \"odd \"\"name\"\"\" a JOIN \"odd \"\"name\"\"\" b USING (n)";
    assert_eq!(con.query(sql, &[]).unwrap().scalar(), Some(&Value::Int(10_001)));
    assert_eq!(count(&con, &quote(view.name())), 10_001);
    drop(view);
    assert!(matches!(
        con.query("SELECT * FROM \"odd \"\"name\"\"\"", &[]).unwrap_err().kind,
        DuckErrorKind::Missing(_)
    ));
}

#[test]
fn an_empty_frame_is_an_empty_view() {
    let con = memory();
    let _view = con.frame_view("v", &numbered(0, 0)).unwrap();
    assert_eq!(count(&con, "v"), 0);
    let back = con.query_columns("SELECT * FROM v").unwrap();
    assert_eq!((back.len(), back.width()), (0, 2));
    assert_eq!(con.query("SELECT * FROM v", &[]).unwrap().columns.len(), 2);
}

#[test]
fn a_view_that_a_rollback_brings_back_is_an_error_and_no_more() {
    let con = memory();
    let view = con.frame_view("v", &numbered(0, 10)).unwrap();
    con.begin().unwrap();
    drop(view);
    con.rollback().unwrap();
    let error = con.query("SELECT * FROM v", &[]).unwrap_err();
    assert!(error.message.contains("no longer there"), "{error}");
    drop(con.frame_view("v", &numbered(0, 10)).unwrap());
}

#[test]
fn a_sandboxed_database_reads_frames_but_no_files() {
    let settings = Settings { sandboxed: true, threads: Some(1), ..Settings::default() };
    let con = Database::memory(&settings).unwrap().connect().unwrap();
    let _view = con.frame_view("v", &numbered(0, 3)).unwrap();
    assert_eq!(count(&con, "v"), 3);
    let error = con.query("SELECT * FROM read_text('Cargo.toml')", &[]).unwrap_err();
    assert_eq!(error.kind, DuckErrorKind::Permission, "{error}");
    con.execute("SET memory_limit = '1GB'").unwrap_err();
    con.execute("ATTACH 'other.duckdb'").unwrap_err();
}

#[test]
fn a_rollback_takes_appended_rows_back() {
    let con = memory();
    con.execute("CREATE TABLE t (n BIGINT, t VARCHAR)").unwrap();
    con.begin().unwrap();
    let mut appender = con.appender("main", "t").unwrap();
    appender.append(&numbered(0, 5000)).unwrap();
    appender.flush().unwrap();
    appender.append(&numbered(5000, 100)).unwrap();
    assert_eq!(count(&con, "t"), 5000, "what is not flushed is not in the transaction");
    con.rollback().unwrap();
    // What was buffered is forgotten, not written after the rollback.
    drop(appender);
    assert_eq!(count(&con, "t"), 0);
}

#[test]
fn one_appender_serves_several_transactions() {
    let con = memory();
    con.execute("CREATE TABLE t (n BIGINT, t VARCHAR)").unwrap();
    let mut appender = con.appender("main", "t").unwrap();
    for at in 0..3 {
        con.begin().unwrap();
        appender.append(&numbered(at * 3000, 3000)).unwrap();
        appender.flush().unwrap();
        con.commit().unwrap();
    }
    appender.close().unwrap();
    let sql = "SELECT count(*), count(DISTINCT n), max(n) FROM t";
    assert_eq!(con.query(sql, &[]).unwrap().rows, [[9000i64, 9000, 8999].map(Value::Int)]);
}

#[test]
fn the_transaction_helper_commits_or_rolls_back() {
    let con = memory();
    con.execute("CREATE TABLE t (n BIGINT)").unwrap();
    con.transaction(|con| con.execute("INSERT INTO t VALUES (1)")).unwrap();
    let failed = con.transaction(|con| {
        con.execute("INSERT INTO t VALUES (2)")?;
        con.execute("SELECT nonsense")
    });
    assert!(matches!(failed.unwrap_err().kind, DuckErrorKind::Binder(_)));
    assert_eq!(count(&con, "t"), 1);
    con.begin().unwrap();
    con.rollback().unwrap();
}

#[test]
fn two_connections_append_to_one_table_at_once_and_both_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.duckdb");
    {
        let db = Database::open(&path, &Settings::default()).unwrap();
        let con = db.connect().unwrap();
        con.execute("CREATE TABLE t (n BIGINT, t VARCHAR)").unwrap();
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for half in 0..2 {
                let (con, barrier) = (db.connect().unwrap(), &barrier);
                scope.spawn(move || {
                    con.begin().unwrap();
                    let mut appender = con.appender("main", "t").unwrap();
                    barrier.wait();
                    appender.append(&numbered(half * 150_000, 150_000)).unwrap();
                    appender.flush().unwrap();
                    barrier.wait();
                    con.commit().unwrap();
                });
            }
        });
        con.checkpoint().unwrap();
    }
    let settings = Settings { read_only: true, ..Settings::default() };
    let con = Database::open(&path, &settings).unwrap().connect().unwrap();
    let sql = "SELECT count(*), count(DISTINCT n), count(t), sum(n) FROM t";
    let total = 150_000i128 * 2 - 1;
    let wanted = [
        Value::Int(300_000),
        Value::Int(300_000),
        Value::Int(300_000 - 42_858),
        Value::HugeInt(total * 300_000 / 2),
    ];
    assert_eq!(con.query(sql, &[]).unwrap().rows, [wanted]);
    assert_eq!(con.execute("DELETE FROM t").unwrap_err().kind, DuckErrorKind::ReadOnly);
    assert_eq!(con.appender("main", "t").err().unwrap().kind, DuckErrorKind::ReadOnly);
}

#[test]
fn many_rows_and_columns_are_appended_in_slices() {
    let con = memory();
    let columns: Vec<_> =
        (0..30).map(|at| format!("c{at} {}", ["BIGINT", "VARCHAR"][at % 2])).collect();
    con.execute(&format!("CREATE TABLE t ({})", columns.join(", "))).unwrap();
    let numbers = numbered(0, 200_000);
    let mut frame = Frame::new();
    for at in 0..30 {
        frame.push(&format!("c{at}"), numbers.columns()[at % 2].clone()).unwrap();
    }
    let mut appender = con.appender("main", "t").unwrap();
    appender.append(&frame).unwrap();
    appender.close().unwrap();
    let sql = "SELECT count(*), sum(c0), count(c1), count(*) FILTER (c28 IS DISTINCT FROM c0 OR \
               c29 IS DISTINCT FROM c1) FROM t";
    let row = [200_000, 19_999_900_000, 200_000 - 28_572, 0i64];
    let back = con.query(sql, &[]).unwrap();
    assert_eq!(back.rows[0].iter().map(|v| v.as_int().unwrap()).collect::<Vec<_>>(), row);
}

#[test]
fn the_appender_casts_what_fits_and_refuses_what_does_not() {
    let con = memory();
    con.execute("CREATE TABLE t (a DECIMAL(18,2), b DATE)").unwrap();
    let mut good = Frame::new();
    good.push("a", ints((0..5000).map(Some))).unwrap();
    good.push("b", texts((0..5000).map(|_| Some("2024-02-29".to_string())))).unwrap();
    let mut appender = con.appender("main", "t").unwrap();
    appender.append(&good).unwrap();
    appender.close().unwrap();
    assert_eq!(count(&con, "t WHERE b = DATE '2024-02-29'"), 5000);

    let mut bad = Frame::new();
    bad.push("a", texts([Some("12,5".to_string())])).unwrap();
    bad.push("b", texts([None])).unwrap();
    con.begin().unwrap();
    let mut appender = con.appender("main", "t").unwrap();
    let error = appender.append(&bad).unwrap_err();
    assert!(error.message.contains("12,5") || error.message.contains("DECIMAL"), "{error}");
    assert_eq!(appender.append(&good).unwrap_err().kind, DuckErrorKind::Usage);
    assert_eq!(appender.flush().unwrap_err().kind, DuckErrorKind::Usage);
    drop(appender);
    con.rollback().unwrap();

    let mut appender = con.appender("main", "t").unwrap();
    let error = appender.append(&numbered(1, 1)).and_then(|()| appender.flush());
    assert!(error.is_err(), "a text that is no date");
    let mut narrow = Frame::new();
    narrow.push("a", ints([Some(1)])).unwrap();
    let mut appender = con.appender("main", "t").unwrap();
    assert_eq!(appender.append(&narrow).unwrap_err().kind, DuckErrorKind::Usage);
    assert_eq!(count(&con, "t"), 5000);
}

#[test]
fn a_constraint_shows_at_the_flush() {
    let con = memory();
    con.execute("CREATE TABLE t (n BIGINT NOT NULL CHECK (n < 10), t VARCHAR)").unwrap();
    let mut appender = con.appender("main", "t").unwrap();
    appender.append(&numbered(9, 2)).unwrap();
    assert_eq!(appender.close().unwrap_err().kind, DuckErrorKind::Constraint);
    assert_eq!(count(&con, "t"), 0);
}

#[test]
fn a_frame_is_checked_when_it_is_made() {
    let mut frame = numbered(0, 3);
    assert_eq!(frame.push("x", ints([None])).unwrap_err().kind, DuckErrorKind::Usage);
    assert_eq!(frame.push("a\0b", ints([None; 3])).unwrap_err().kind, DuckErrorKind::Usage);
    assert_eq!((frame.width(), frame.len()), (2, 3));
    let twice = frame.clone().into_polars().unwrap();
    assert_same(&frame, &Frame::from_polars(&twice).unwrap());
    assert_eq!(frame.slice(2, 100).len(), 1);
    assert_eq!(frame.slice(7, 1).len(), 0);
}
