//! Statements, values, streaming.

use std::ops::ControlFlow;

use super::super::*;
use super::{count, memory};

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
        "TIMESTAMP_NS '2026-03-01 12:00:00.1234567'",
        "TIMESTAMP_NS '1969-12-31 23:59:59.999999999'",
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
