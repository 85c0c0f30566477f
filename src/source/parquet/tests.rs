//! Files written by DuckDB, read through the format's front door.

mod physical;

use super::Parquet;
use crate::chunk::{ColumnKind, Mark, MisfitKind, Moment, ReadColumn, ReadSchema, Role};
use crate::duck::{Database, Settings};
use crate::source::{
    Confidence, Content, Decoded, Format, Packing, SourceErrorKind, SourceOptions, Table,
};
use polars::prelude::{AnyValue, TimeUnit};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn written(dir: &Path, query: &str) -> PathBuf {
    // A name full of pattern characters must still mean this one file.
    let path = dir.join("roll [1]'s.parquet");
    let database = Database::memory(&Settings::default()).expect("a database");
    let to = path.to_str().expect("a plain path").replace('\'', "''");
    let sql = format!("COPY ({query}) TO '{to}' (FORMAT parquet, ROW_GROUP_SIZE 4096)");
    database.connect().expect("connects").execute(&sql).expect("written");
    path
}

fn survey(path: &Path) -> Arc<dyn Table> {
    let content = Content::plain(path);
    Parquet.survey(&content, &SourceOptions::default()).expect("readable").remove(0)
}

fn column(field: usize, kind: ColumnKind, role: Role) -> ReadColumn {
    ReadColumn {
        name: format!("c{field}"),
        header: String::new(),
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

fn schema(table: &dyn Table, columns: Vec<ReadColumn>) -> Arc<ReadSchema> {
    Arc::new(ReadSchema { columns, extra: Vec::new(), headers: table.headers().to_vec() })
}

fn declared(table: &dyn Table) -> Arc<ReadSchema> {
    let kinds = table.declared().expect("Parquet declares its types");
    let column = |(field, kind)| column(field, kind, Role::Plain);
    schema(table, kinds.into_iter().enumerate().map(column).collect())
}

fn read(table: &dyn Table, schema: &Arc<ReadSchema>, from: Mark, rows: usize) -> Vec<Decoded> {
    let mut source = table.open(Arc::clone(schema), from).expect("opens");
    let mut all = Vec::new();
    while let Some(block) = source.next_block(rows, 1 << 24).expect("readable") {
        all.push(block.body.decode().expect("decodes"));
    }
    all
}

/// Rows as (row number, texts), nulls as `-`.
fn rows(decoded: &[Decoded]) -> Vec<(u64, Vec<String>)> {
    let mut all = Vec::new();
    for block in decoded {
        for record in 0..block.records {
            let texts = block.frame.columns().iter().map(|column| {
                let value = column.get(record as usize).expect("the row is there");
                match value {
                    AnyValue::Null => "-".into(),
                    // Polars shows zones only with a further feature.
                    AnyValue::Datetime(micros, TimeUnit::Microseconds, Some(_)) => {
                        Moment::from_micros(micros, true).text()
                    }
                    value => value.str_value().into_owned(),
                }
            });
            all.push((block.raw.place(record).row, texts.collect()));
        }
    }
    all
}

#[test]
fn declared_types_arrive_as_they_are() {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = written(
        dir.path(),
        "SELECT 7::UTINYINT AS tiny, 9223372036854775807 AS big, 18446744073709551615::UBIGINT AS \
         huge, 5::UBIGINT AS small, 0.5 AS ratio, 12.50::DECIMAL(18, 2) AS price, \
         1.25::DECIMAL(38, 2) AS wide, TRUE AS flag, DATE '2025-01-31' AS day, \
         TIMESTAMPTZ '2025-01-31 12:00:00+02' AS moment, [1, 2] AS list, '\\xAB'::BLOB AS blob, \
         TIME '10:00:00' AS clock UNION ALL BY NAME SELECT NULL AS tiny",
    );
    let table = survey(&path);
    let kinds = table.declared().expect("declared");
    let expected = [
        ColumnKind::Int,
        ColumnKind::BigInt,
        ColumnKind::Text,
        ColumnKind::BigInt,
        ColumnKind::Decimal(1),
        ColumnKind::Decimal(2),
        ColumnKind::Decimal(2),
        ColumnKind::Bool,
        ColumnKind::Date,
        ColumnKind::TimestampTz,
        ColumnKind::Text,
        ColumnKind::Text,
        ColumnKind::Text,
    ];
    assert_eq!(kinds, expected);
    let decoded = read(table.as_ref(), &declared(table.as_ref()), Mark::default(), 100);
    assert_eq!(decoded[0].misfits, []);
    let rows = rows(&decoded);
    let texts: Vec<_> = rows[0].1.iter().map(String::as_str).collect();
    assert_eq!(
        texts[..9],
        [
            "7",
            "9223372036854775807",
            "18446744073709551615",
            "5",
            "0.5",
            "12.50",
            "1.25",
            "true",
            "2025-01-31"
        ]
    );
    assert_eq!(texts[9], "2025-01-31 10:00:00+00:00");
    assert_eq!(texts[10..], ["[1,2]", "AB", "10:00:00"]);
    assert!(rows[1].1.iter().all(|text| text == "-"), "{:?}", rows[1]);
    assert_eq!((rows[0].0, rows[1].0), (1, 2));
}

#[test]
fn a_schema_with_other_types_is_kept_exactly_or_refused() {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = written(
        dir.path(),
        "SELECT * FROM (VALUES (474119030010::DOUBLE, 125000.0::DOUBLE, 1::BIGINT, 5.00), \
         (4940252e10::DOUBLE, 1.5::DOUBLE, 12::BIGINT, 5.25)) AS t(id, jv, code, value)",
    );
    let table = survey(&path);
    let mut code = column(2, ColumnKind::Text, Role::Code);
    code.width = Some(3);
    let columns = vec![
        column(0, ColumnKind::Text, Role::Id),
        column(1, ColumnKind::BigInt, Role::Money),
        code,
        column(3, ColumnKind::BigInt, Role::Money),
    ];
    let decoded = read(table.as_ref(), &schema(table.as_ref(), columns), Mark::default(), 100);
    let rows = rows(&decoded);
    assert_eq!(rows[0].1, ["474119030010", "125000", "001", "5"]);
    assert_eq!(rows[1].1, ["-", "-", "012", "-"]);
    let misfits: Vec<_> = decoded[0].misfits.iter().map(|m| (m.record, m.column, m.kind)).collect();
    let expected = [
        (0, 2, MisfitKind::Padded),
        (1, 0, MisfitKind::IdInexact),
        (1, 1, MisfitKind::Fraction),
        (1, 2, MisfitKind::Padded),
        (1, 3, MisfitKind::Fraction),
    ];
    assert_eq!(misfits, expected);
    assert_eq!(decoded[0].raw.field(1, 0).as_deref(), Some("49402520000000000"));
}

#[test]
fn only_bound_columns_are_read_and_extras_become_json() {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = written(dir.path(), "SELECT 1 AS a, 'x' AS b, NULL AS c, 2.5 AS d");
    let table = survey(&path);
    let schema = Arc::new(ReadSchema {
        columns: vec![column(3, ColumnKind::Double, Role::Plain)],
        extra: vec![(1, "b".into()), (2, "c".into())],
        headers: table.headers().to_vec(),
    });
    let decoded = read(table.as_ref(), &schema, Mark::default(), 10);
    assert_eq!(rows(&decoded), [(1, vec!["2.5".to_owned(), r#"{"b":"x"}"#.to_owned()])]);
    let names: Vec<_> = decoded[0].raw.fields(0).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "c", "d"]);
    assert_eq!(decoded[0].raw.field(0, 0), None);
}

#[test]
fn reading_on_from_the_middle_gives_the_same_rows() {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = written(dir.path(), "SELECT i AS id, 'v' || i AS v FROM range(20000) AS t(i)");
    let table = survey(&path);
    assert_eq!(table.extent().rows, Some(20_000));
    assert_eq!(table.sample().len(), 1_000);
    let schema = declared(table.as_ref());
    let whole = read(table.as_ref(), &schema, Mark::default(), 1_000_000);
    let expected = rows(&whole);
    assert_eq!(expected.len(), 20_000);
    assert!((1..).zip(&expected).all(|(row, (place, _))| *place == row), "in order");
    let chunked = read(table.as_ref(), &schema, Mark::default(), 3_000);
    assert!(chunked.len() > 4);
    assert_eq!(rows(&chunked), expected);
    for at in [0, 4_095, 4_096, 12_345, 19_999] {
        let from = whole[0].raw.after(at);
        let rest = read(table.as_ref(), &schema, from, 5_000);
        assert_eq!(rows(&rest), expected[at as usize + 1..], "behind record {at}");
    }
}

#[test]
fn damage_is_an_error_and_never_fewer_rows() {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = written(dir.path(), "SELECT i AS id, hash(i) AS h FROM range(20000) AS t(i)");
    let whole = std::fs::read(&path).expect("readable");
    assert_eq!(Parquet.sniff(&whole, "x"), Confidence::Certain);
    assert_eq!(Parquet.sniff(b"PK\x03\x04", "x.parquet"), Confidence::No);
    for bytes in [&whole[..whole.len() / 2], &whole[..4], &[&whole[..100], b"PAR1"].concat()] {
        std::fs::write(&path, bytes).expect("writable");
        let error = Parquet.survey(&Content::plain(&path), &SourceOptions::default());
        let error = error.err().expect("damaged");
        assert_eq!(error.kind, SourceErrorKind::Broken, "{error}");
    }
    std::fs::write(&path, b"PARE....").expect("writable");
    let error = Parquet.survey(&Content::plain(&path), &SourceOptions::default());
    assert_eq!(error.err().expect("encrypted").kind, SourceErrorKind::Password);
}

#[test]
fn a_packed_file_is_the_same_table() {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = written(dir.path(), "SELECT 1 AS a");
    let plain = survey(&path);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&std::fs::read(&path).expect("readable")).expect("in memory");
    let packed = dir.path().join("x.gz");
    std::fs::write(&packed, gzip.finish().expect("in memory")).expect("writable");
    let content = Content::new(&packed, "x".into(), "x".into(), None, Packing::Gzip);
    let table = Parquet.survey(&content, &SourceOptions::default()).expect("readable").remove(0);
    assert_eq!(table.fingerprint(), plain.fingerprint());
    let decoded = read(table.as_ref(), &declared(table.as_ref()), Mark::default(), 10);
    assert_eq!(rows(&decoded), [(1, vec!["1".to_owned()])]);
}

#[test]
fn nested_columns_are_json_that_says_so() {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = written(
        dir.path(),
        "SELECT 1 AS id, [{'a': 1, 'b': 'x\"y'}, NULL] AS sales, {'street': 'Été', 'no': 5} AS place, \
         MAP {'k': 1.50::DECIMAL(9, 2)} AS rates, [12345678901234567890.12::DECIMAL(38, 2)] AS wide, \
         [9223372036854775807] AS whole, [[DATE '2025-01-31']] AS days UNION ALL BY NAME \
         SELECT 2 AS id, [] AS sales",
    );
    let table = survey(&path);
    let notes = table.notes();
    let [note] = notes.as_slice() else { panic!("{notes:?}") };
    assert!(
        note.contains("JSON text: \"sales\", \"place\", \"rates\", \"wide\", \"whole\", \"days\""),
        "{note}"
    );
    let decoded = read(table.as_ref(), &declared(table.as_ref()), Mark::default(), 100);
    assert_eq!(decoded[0].misfits, []);
    let rows = rows(&decoded);
    let expected = [
        "1",
        r#"[{"a":1,"b":"x\"y"},null]"#,
        r#"{"street":"Été","no":5}"#,
        r#"{"k":1.5}"#,
        r#"["12345678901234567890.12"]"#,
        "[9223372036854775807]",
        r#"[["2025-01-31"]]"#,
    ];
    assert_eq!(rows[0].1, expected);
    assert_eq!(rows[1].1, ["2", "[]", "-", "-", "-", "-", "-"]);
}
