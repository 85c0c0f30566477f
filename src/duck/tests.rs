//! The wrapper against the real library.

use std::ops::ControlFlow;
use std::path::Path;

use polars::prelude::*;
use polars_arrow::array::{Int64Array, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::ArrowDataType;

use super::error::Failure;
use super::*;

fn memory() -> Connection {
    Database::memory(&Settings::default()).unwrap().connect().unwrap()
}

fn ints(values: impl IntoIterator<Item = Option<i64>>) -> Box<dyn polars_arrow::array::Array> {
    Box::new(Int64Array::from_iter(values))
}

fn texts(values: impl IntoIterator<Item = Option<String>>) -> Box<dyn polars_arrow::array::Array> {
    let values: Vec<_> = values.into_iter().collect();
    Box::new(Utf8ViewArray::from_slice(&values))
}

fn count(con: &Connection, table: &str) -> i64 {
    let rows = con.query(&format!("SELECT count(*) FROM {table}"), &[]).unwrap();
    rows.scalar().and_then(Value::as_int).unwrap()
}

/// Numbers 0 to n-1 and a text for each, some NULL.
fn numbered(from: usize, rows: usize) -> Frame {
    let mut frame = Frame::new();
    frame.push("n", ints((from..from + rows).map(|n| Some(n as i64)))).unwrap();
    let text = |n: usize| (!n.is_multiple_of(7)).then(|| format!("row {n} with a longer text"));
    frame.push("t", texts((from..from + rows).map(text))).unwrap();
    frame
}

const ODD_TEXTS: [&str; 9] = [
    "",
    "a",
    "exactly12byt",
    "exactly13byte",
    "it's \"quoted\"; -- no comment",
    "🏠 Straße 日本語",
    "line\nbreak\ttab",
    "nul\0inside",
    "0012",
];

#[test]
fn the_linked_library_is_the_pinned_one_and_has_what_we_need() {
    assert_eq!(library_version(), "v1.5.6");
    let con = memory();
    let sql = "SELECT extension_name FROM duckdb_extensions() WHERE loaded ORDER BY ALL";
    let loaded = con.query(sql, &[]).unwrap();
    let names: Vec<_> = loaded.rows.iter().filter_map(|row| row[0].as_text()).collect();
    for name in ["core_functions", "json", "parquet"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let sql = "SELECT current_setting('autoinstall_known_extensions'), \
               current_setting('autoload_known_extensions')";
    assert_eq!(con.query(sql, &[]).unwrap().rows[0], vec![Value::Bool(false); 2]);
}

#[test]
fn every_value_comes_back_as_it_went() {
    let con = memory();
    let mut values = vec![
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Int(i64::MIN),
        Value::Int(i64::MAX),
        Value::Int(-1),
        Value::HugeInt(i128::MIN + 1),
        Value::HugeInt(-1),
        Value::HugeInt(i128::MAX),
        Value::Double(-0.1),
        Value::Double(f64::MAX),
        Value::Double(f64::MIN_POSITIVE),
        Value::Decimal { value: -12_345, scale: 2 },
        Value::Date(-25_567),
        Value::Date(0),
        Value::Date(2_932_896),
        Value::Timestamp(-1),
        Value::Timestamp(1_785_000_000_123_456),
        Value::Uuid(0),
        Value::Uuid(u128::MAX),
        Value::Uuid(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210),
        Value::Blob(vec![0, 1, 255, 128]),
        Value::Text("long ".repeat(100_000)),
    ];
    values.extend(ODD_TEXTS.iter().map(|text| Value::from(*text)));
    for value in values {
        let rows = con.query("SELECT ?", std::slice::from_ref(&value)).unwrap();
        assert_eq!(rows.scalar(), Some(&value));
    }
}

#[test]
fn every_type_is_read_and_printed_as_duckdb_prints_it() {
    let con = memory();
    let expressions = [
        "true",
        "(-128)::TINYINT",
        "(-32768)::SMALLINT",
        "(-2147483648)::INTEGER",
        "9223372036854775807",
        "255::UTINYINT",
        "65535::USMALLINT",
        "4294967295::UINTEGER",
        "18446744073709551615::UBIGINT",
        "(-170141183460469231731687303715884105728)::HUGEINT",
        "340282366920938463463374607431768211455::UHUGEINT",
        "1.5::FLOAT",
        "0.1::DOUBLE",
        "(-1.05)::DECIMAL(4,2)",
        "(-0.5)::DECIMAL(9,3)",
        "12345678.9::DECIMAL(18,1)",
        "(-12345678901234567890.123)::DECIMAL(38,3)",
        "'text'",
        "'\\xAA\\x01'::BLOB",
        "DATE '1899-12-31'",
        "DATE '9999-12-31'",
        "DATE '0044-03-15 (BC)'",
        "DATE '2024-02-29'",
        "DATE 'infinity'",
        "TIMESTAMP '1969-12-31 23:59:59.999999'",
        "TIMESTAMP '2026-03-01 12:00:00'",
        "TIMESTAMP_S '2026-03-01 12:00:00'",
        "TIMESTAMP_MS '2026-03-01 12:00:00.120'",
        "TIMESTAMP_NS '2026-03-01 12:00:00.123456'",
        "'6f9619ff-8b86-d011-b42d-00c04fc964ff'::UUID",
        "TIME '12:30:00'",
        "INTERVAL 3 DAYS",
        "[1, NULL, 3]",
        "{'a': 1, 'b': 'x'}",
        "MAP {'k': 1}",
        "'b'::ENUM('a', 'b')",
        "'{\"a\": 1}'::JSON",
        "'101'::BIT",
    ];
    let list = expressions.join(", ");
    let texts = expressions.map(|one| format!("CAST({one} AS VARCHAR)")).join(", ");
    let values = con.query(&format!("SELECT {list}"), &[]).unwrap();
    let wanted = con.query(&format!("SELECT {texts}"), &[]).unwrap();
    for (at, expression) in expressions.iter().enumerate() {
        let wanted = wanted.rows[0][at].as_text().unwrap();
        assert_eq!(values.rows[0][at].to_string(), wanted, "{expression}");
    }
}

#[test]
fn odd_types_are_read_as_text_with_names_and_parameters_kept() {
    let con = memory();
    let sql = "WITH l AS (SELECT [1, 2] AS \"a \"\"b\"\"\", ? AS n) SELECT *, n FROM l -- end\n ; ";
    let rows = con.query(sql, &[Value::Int(7)]).unwrap();
    let names: Vec<_> = rows.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a \"b\"", "n", "n"]);
    assert_eq!(rows.rows, [[Value::from("[1, 2]"), Value::Int(7), Value::Int(7)]]);
}

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

#[test]
fn parameters_are_values_whatever_they_hold() {
    let con = memory();
    con.execute("CREATE TABLE t (n INTEGER, t VARCHAR)").unwrap();
    for (at, text) in ODD_TEXTS.iter().enumerate() {
        let params = [Value::from(at), Value::from(*text)];
        assert_eq!(con.execute_with("INSERT INTO t VALUES (?, ?)", &params).unwrap(), 1);
    }
    for (at, text) in ODD_TEXTS.iter().enumerate() {
        let found = con.query("SELECT n FROM t WHERE t = $1", &[Value::from(*text)]).unwrap();
        assert_eq!(found.rows, [[Value::from(at)]]);
    }
    let error = con.execute_with("DELETE FROM t WHERE n = ?", &[]).unwrap_err();
    assert_eq!(error.kind, DuckErrorKind::Usage);
    let changed = con.execute_with("DELETE FROM t WHERE n < ?", &[Value::Int(3)]).unwrap();
    assert_eq!(changed, 3);
    let several = "DELETE FROM t; SELECT 1; INSERT INTO t VALUES (1, 'x'); -- done";
    assert_eq!(con.execute(several).unwrap(), ODD_TEXTS.len() as u64 - 3 + 1);
    assert_eq!(con.execute(" ; ").unwrap(), 0);
    con.execute("INSERT INTO t VALUES (2, 'y'); INSERT INTO nowhere VALUES (1)").unwrap_err();
    assert_eq!(count(&con, "t"), 2, "statements before the bad one have run");
}

#[test]
fn a_long_result_streams_and_can_be_stopped() {
    let con = memory();
    let (mut rows, mut last) = (0, Value::Null);
    let sql = "SELECT range AS n FROM range(100000)";
    let columns = con.query_each(sql, &[], |columns, more| {
        assert_eq!(columns[0].name, "n");
        rows += more.len();
        last = more.last().unwrap()[0].clone();
        ControlFlow::Continue(())
    });
    assert_eq!(columns.unwrap()[0].kind, ColumnType::BigInt);
    assert_eq!((rows, last), (100_000, Value::Int(99_999)));
    let mut calls = 0;
    con.query_each("SELECT * FROM range(10000000000)", &[], |_, _| {
        calls += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(calls, 1);
    con.query_each("SELECT 1 AS one WHERE false", &[], |columns, rows| {
        assert_eq!((columns.len(), rows.len()), (1, 0));
        calls += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(calls, 2);
    let error = con
        .query(
            "SELECT CASE WHEN range = 50000 THEN error('late') ELSE range END FROM range(60000)",
            &[],
        )
        .unwrap_err();
    assert!(error.message.contains("late"), "{error}");
    assert_eq!(count(&con, "range(3)"), 3);
}

#[test]
fn a_statement_can_be_interrupted() {
    let con = memory();
    let handle = con.interrupt_handle();
    let stop = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        handle.interrupt();
    });
    let error =
        con.query("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", &[]);
    assert_eq!(error.unwrap_err().kind, DuckErrorKind::Interrupted);
    stop.join().unwrap();
    let handle = con.interrupt_handle();
    drop(con);
    handle.interrupt();
}

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
        .args(["--exact", "duck::tests::child_holds_a_database", "--nocapture"])
        .env("ETL_TEST_HOLD", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.contains("held")));
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
