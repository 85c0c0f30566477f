//! Columns of bytes in every physical form, written here byte by byte: text without an annotation, and
//! decimals of any width. Files that DuckDB writes have neither.

use super::{column, declared, read, rows, schema, survey, written};
use crate::chunk::{ColumnKind, Mark, MisfitKind, Role};
use crate::source::parquet::Parquet;
use crate::source::parquet::thrift::{self, Fields, Value};
use crate::source::{Content, Format, SourceErrorKind, SourceOptions, Table};
use std::path::PathBuf;
use std::sync::Arc;

const INT32: i64 = 1;
const INT64: i64 = 2;
const INT96: i64 = 3;
const BYTE_ARRAY: i64 = 6;
const FIXED: i64 = 7;

/// A column to be written.
#[derive(Clone)]
struct Physical {
    name: &'static str,
    ty: i64,
    /// Precision and scale of a decimal.
    decimal: Option<(i64, i64)>,
    values: Vec<Option<Vec<u8>>>,
}

fn bytes(name: &'static str, ty: i64, values: &[Option<&[u8]>]) -> Physical {
    let values = values.iter().map(|value| value.map(<[u8]>::to_vec)).collect();
    Physical { name, ty, decimal: None, values }
}

/// Big-endian, in `width` bytes; as few as it takes where that is 0.
fn big_endian(value: i128, width: usize) -> Vec<u8> {
    let all = value.to_be_bytes();
    let fill = if value < 0 { 0xff } else { 0 };
    if width > 16 {
        return [vec![fill; width - 16], all.to_vec()].concat();
    }
    let least = |at: usize| {
        let rest = &all[at..];
        all[..at].iter().all(|byte| *byte == fill) && (rest[0] & 0x80) == (fill & 0x80)
    };
    let width = if width > 0 { width } else { (1..16).find(|w| least(16 - w)).unwrap_or(16) };
    all[16 - width..].to_vec()
}

fn int(id: i16, value: i64) -> (i16, Value) {
    (id, Value::Int(5, value))
}

fn long(id: i16, value: usize) -> (i16, Value) {
    (id, Value::Int(6, value as i64))
}

fn inner(id: i16, fields: Vec<(i16, Value)>) -> (i16, Value) {
    (id, Value::Struct(Fields(fields)))
}

impl Physical {
    fn element(&self) -> Value {
        let mut fields = vec![int(1, self.ty)];
        if self.ty == FIXED {
            let width = self.values.iter().flatten().map(Vec::len).max().unwrap_or(1);
            fields.push(int(2, width as i64));
        }
        fields.extend([int(3, 1), (4, Value::Bytes(self.name.into()))]);
        if let Some((precision, scale)) = self.decimal {
            fields.extend([int(6, 5), int(7, scale), int(8, precision)]);
        }
        Value::Struct(Fields(fields))
    }

    /// A page with its header: levels as one run of bits, then the values that are there.
    fn page(&self) -> Vec<u8> {
        let groups = self.values.len().div_ceil(8);
        let mut levels = vec![(groups << 1 | 1) as u8];
        let bits = |eight: &[Option<Vec<u8>>]| {
            eight.iter().rev().fold(0, |bits, value| bits << 1 | u8::from(value.is_some()))
        };
        levels.extend(self.values.chunks(8).map(bits));
        let mut body = (levels.len() as u32).to_le_bytes().to_vec();
        body.extend(levels);
        for value in self.values.iter().flatten() {
            if self.ty == BYTE_ARRAY {
                body.extend((value.len() as u32).to_le_bytes());
            }
            body.extend(value);
        }
        let counts = vec![int(1, self.values.len() as i64), int(2, 0), int(3, 3), int(4, 3)];
        let size = body.len() as i64;
        let header = Fields(vec![int(1, 0), int(2, size), int(3, size), inner(5, counts)]);
        [thrift::write(&header), body].concat()
    }
}

/// A file of these columns, in one row group.
fn file(columns: &[Physical]) -> Vec<u8> {
    let rows = columns[0].values.len();
    let root = Fields(vec![(4, Value::Bytes(b"root".into())), int(5, columns.len() as i64)]);
    let mut elements = vec![Value::Struct(root)];
    let (mut out, mut chunks) = (b"PAR1".to_vec(), Vec::new());
    for column in columns {
        elements.push(column.element());
        let (at, page) = (out.len(), column.page());
        let encodings = Value::List(false, 5, vec![Value::Int(5, 0), Value::Int(5, 3)]);
        let path = Value::List(false, 8, vec![Value::Bytes(column.name.into())]);
        let meta = vec![
            int(1, column.ty),
            (2, encodings),
            (3, path),
            int(4, 0),
            long(5, rows),
            long(6, page.len()),
            long(7, page.len()),
            long(9, at),
        ];
        chunks.push(Value::Struct(Fields(vec![long(2, at), inner(3, meta)])));
        out.extend(page);
    }
    let size = out.len() - 4;
    let group = Fields(vec![(1, Value::List(false, 12, chunks)), long(2, size), long(3, rows)]);
    let footer = thrift::write(&Fields(vec![
        int(1, 1),
        (2, Value::List(false, 12, elements)),
        long(3, rows),
        (4, Value::List(false, 12, vec![Value::Struct(group)])),
    ]));
    out.extend(&footer);
    out.extend((footer.len() as u32).to_le_bytes());
    out.extend(b"PAR1");
    out
}

fn on_disk(columns: &[Physical]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = dir.path().join("t.parquet");
    std::fs::write(&path, file(columns)).expect("written");
    (dir, path)
}

/// The kinds of the columns, their values as texts, and what is told.
fn told(columns: &[Physical]) -> (Vec<ColumnKind>, Vec<Vec<String>>, Vec<String>) {
    let (_dir, path) = on_disk(columns);
    let table = survey(&path);
    let decoded = read(table.as_ref(), &declared(table.as_ref()), Mark::default(), 100);
    assert!(decoded.iter().all(|block| block.misfits.is_empty()));
    let texts = rows(&decoded).into_iter().map(|(_, texts)| texts).collect();
    (table.declared().expect("declared"), texts, table.notes())
}

#[test]
fn bytes_without_annotation_are_text_where_all_are_utf8() {
    let (kinds, rows, notes) = told(&[
        bytes("owner", BYTE_ARRAY, &[Some(b"SMITH ANN"), Some("MUÑOZ".as_bytes()), None]),
        bytes("code", FIXED, &[Some(b"001"), None, Some(b"010")]),
        bytes("filled", FIXED, &[Some(b"ab\0\0"), Some(b"\0\0\0\0"), Some(b"a cd")]),
        bytes("latin", BYTE_ARRAY, &[Some(b"MU\xd1OZ"), Some(b"x"), None]),
        bytes("number", FIXED, &[Some(b"\x01\0\0\0"), Some(b"\x02\x01\0\0"), None]),
        bytes("nul", BYTE_ARRAY, &[Some(b"a\0b"), None, None]),
    ]);
    assert_eq!(kinds, [ColumnKind::Text; 6]);
    let expected = [
        ["SMITH ANN", "001", "ab", "4D55D14F5A", "01000000", "610062"],
        ["MUÑOZ", "-", "-", "78", "02010000", "-"],
        ["-", "010", "a cd", "-", "-", "-"],
    ];
    assert_eq!(rows, expected);
    let expected = [
        "column \"filled\" has a fixed length in bytes: the NUL bytes that fill 2 of its 3 values \
         are left out",
        "column \"latin\" holds bytes and no text: 1 of its 2 values are not valid UTF-8, such as \
         the one that begins with 4D55D14F5A; it is loaded as hexadecimal digits",
        "column \"number\" holds bytes and no text: 2 of its 2 values hold control characters; it \
         is loaded as hexadecimal digits",
        "column \"nul\" holds bytes and no text: 1 of its 1 values hold NUL, such as the one that \
         begins with 610062; it is loaded as hexadecimal digits",
    ];
    assert_eq!(notes, expected);
}

#[test]
fn a_roll_reads_ids_and_numbers_from_bytes() {
    let (_dir, path) = on_disk(&[
        bytes("id", BYTE_ARRAY, &[Some(b"474119030001"), Some(b"4.74119E+11")]),
        bytes("price", FIXED, &[Some(b"301000"), Some(b"   250")]),
    ]);
    let table = survey(&path);
    let columns =
        vec![column(0, ColumnKind::Text, Role::Id), column(1, ColumnKind::BigInt, Role::Plain)];
    let schema = schema(table.as_ref(), columns);
    let decoded = read(table.as_ref(), &schema, Mark::default(), 100);
    let misfits: Vec<_> = decoded[0].misfits.iter().map(|it| (it.record, it.kind)).collect();
    assert_eq!(misfits, [(1, MisfitKind::IdScientific)]);
    let texts: Vec<_> = rows(&decoded).into_iter().map(|(_, texts)| texts).collect();
    assert_eq!(texts, [["474119030001", "301000"], ["-", "250"]]);
}

/// A column of moments of 96 bits: nanoseconds of the day, and days since 1970.
fn int96(name: &'static str, moments: &[Option<(i64, i64)>]) -> Physical {
    let stored = |(nanos, days): (i64, i64)| {
        let day = (days + 2_440_588) as i32;
        [nanos.to_le_bytes().to_vec(), day.to_le_bytes().to_vec()].concat()
    };
    let values = moments.iter().map(|moment| moment.map(stored)).collect();
    Physical { name, ty: INT96, decimal: None, values }
}

#[test]
fn moments_of_96_bits_keep_their_nanoseconds() {
    const LAST: i64 = 86_400_000_000_000 - 1;
    let whole = 80_253_123_456_000;
    let (kinds, rows, notes) = told(&[
        int96("fine", &[Some((whole + 789, 18_441)), Some((LAST, -1)), None]),
        int96("coarse", &[Some((whole, 18_441)), None, Some((0, 2_932_896))]),
        bytes("text", BYTE_ARRAY, &[Some(b"a"), Some(b"b"), Some(b"c")]),
    ]);
    assert_eq!(kinds, [ColumnKind::TimestampNs, ColumnKind::Timestamp, ColumnKind::Text]);
    let expected = [
        ["2020-06-28 22:17:33.123456789", "2020-06-28 22:17:33.123456", "a"],
        ["1969-12-31 23:59:59.999999999", "-", "b"],
        ["-", "9999-12-31 00:00:00", "c"],
    ];
    let plain = |text: &String| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    let shown: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let expected = expected.map(|row| row.map(|text| plain(&text.to_owned())).to_vec());
    assert_eq!(shown, expected);
    assert_eq!(notes, [""; 0]);
    // Nanoseconds in a year that 64 bits do not hold are kept as text.
    let (kinds, rows, notes) =
        told(&[int96("far", &[Some((1, 2_932_896)), Some((whole, -719_162))])]);
    assert_eq!(kinds, [ColumnKind::Text]);
    assert_eq!(rows, [["9999-12-31 00:00:00.000000001"], ["0001-01-01 22:17:33.123456"]]);
    assert!(notes[0].ends_with("after 2261: \"far\""), "{notes:?}");
}

/// A decimal column of these numbers in this form.
fn decimals(ty: i64, width: usize, precision: i64, scale: i64, values: &[i128]) -> Physical {
    let stored = |value: &i128| match ty {
        INT32 => (*value as i32).to_le_bytes().to_vec(),
        INT64 => (*value as i64).to_le_bytes().to_vec(),
        _ => big_endian(*value, width),
    };
    let values = values.iter().map(|value| Some(stored(value))).chain([None]).collect();
    Physical { name: "v", ty, decimal: Some((precision, scale)), values }
}

fn with_point(value: i128, scale: i64) -> String {
    let scale = scale as usize;
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (head, tail) = digits.split_at(digits.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    format!("{}{head}{point}{tail}", if value < 0 { "-" } else { "" })
}

#[test]
fn decimals_of_every_form_are_their_number() {
    let small = [0, 1, -1, -5, 127, -128, 128, 255, -256, 123_456_789, -99_999_999];
    let large = [10_i128.pow(38) - 1, 1 - 10_i128.pow(38), -(1 << 100), 5];
    let mut forms = vec![(INT32, 0, 9, 2), (INT64, 0, 18, 0), (INT64, 0, 12, 4)];
    for precision in [9, 18, 19, 38, 39, 60, 76] {
        forms.push((BYTE_ARRAY, 0, precision, 2));
        forms.push((BYTE_ARRAY, 4, precision, 0));
        forms.extend([4, 5, 9, 12, 16, 17, 20, 33].map(|width| (FIXED, width, precision, 2)));
    }
    for (ty, width, precision, scale) in forms {
        let holds_large = precision >= 38 && (width == 0 || width >= 16) && ty >= BYTE_ARRAY;
        let values = if holds_large { [&small[..], &large].concat() } else { small.to_vec() };
        let name = format!("type {ty}, {width} bytes, DECIMAL({precision},{scale})");
        let (kinds, rows, _) = told(&[decimals(ty, width, precision, scale, &values)]);
        let expected =
            if holds_large { ColumnKind::Text } else { ColumnKind::Decimal(scale as u8) };
        assert_eq!(kinds, [expected], "{name}");
        let texts: Vec<_> = rows.into_iter().map(|row| row[0].clone()).collect();
        let numbers = values.iter().map(|value| with_point(*value, scale));
        let expected: Vec<_> = numbers.chain(["-".to_owned()]).collect();
        assert_eq!(texts, expected, "{name}");
    }
}

#[test]
fn a_wide_decimal_in_a_list_is_refused_by_name() {
    let repeated = Value::Struct(Fields(vec![
        int(1, FIXED),
        int(2, 17),
        int(3, 2),
        (4, Value::Bytes(b"prices".into())),
        int(6, 5),
        int(7, 2),
        int(8, 40),
    ]));
    let (_dir, path) = on_disk(&[decimals(FIXED, 17, 40, 2, &[1])]);
    let written = std::fs::read(&path).expect("there");
    let end = written.len() - 8;
    let size = u32::from_le_bytes(written[end..end + 4].try_into().expect("four")) as usize;
    let (mut footer, _) = thrift::read(&written[end - size..]).expect("a footer");
    if let Some(Value::List(_, _, elements)) = footer.get_mut(2) {
        elements[1] = repeated;
    }
    let footer = thrift::write(&footer);
    let length = (footer.len() as u32).to_le_bytes();
    let changed = [&written[..end - size], &footer, &length, b"PAR1"].concat();
    std::fs::write(&path, changed).expect("written");
    let result = Parquet.survey(&Content::plain(&path), &SourceOptions::default());
    let error = result.map(|tables: Vec<Arc<dyn Table>>| tables.len()).expect_err("refused");
    assert_eq!(error.kind, SourceErrorKind::NotTheFormat);
    assert!(error.to_string().contains("\"prices\" holds DECIMAL(40,2)"), "{error}");
}

#[test]
fn bytes_in_lists_and_structs_are_text_where_all_are_utf8() {
    let dir = tempfile::tempdir().expect("a test folder");
    let read_as_declared = |query: &str| {
        let table = survey(&written(dir.path(), query));
        let decoded = read(table.as_ref(), &declared(table.as_ref()), Mark::default(), 100);
        let texts: Vec<_> = rows(&decoded).into_iter().map(|(_, texts)| texts).collect();
        (texts, table.notes())
    };
    let (texts, notes) = read_as_declared(
        "SELECT 1 AS k, [encode('MUÑOZ'), NULL, encode('\"a\"')] AS names, \
         {'a': encode('é'), 'n': 5} AS one, 'ü' AS own UNION ALL SELECT 2, NULL, NULL, NULL",
    );
    let expected = [
        ["1", "[\"MUÑOZ\",null,\"\\\"a\\\"\"]", "{\"a\":\"é\",\"n\":5}", "ü"],
        ["2", "-", "-", "-"],
    ];
    assert_eq!(texts, expected);
    assert_eq!(notes, ["lists, structs and maps are loaded as JSON text: \"names\", \"one\""]);
    let (texts, notes) = read_as_declared(
        "SELECT [encode('é')] AS names, {'a': '\\xFF'::BLOB} AS one, encode('é') AS own",
    );
    assert_eq!(texts, [["[\"\\\\xC3\\\\xA9\"]", "{\"a\":\"\\\\xFF\"}", "é"]]);
    let told = "lists, structs or maps hold bytes that are not valid UTF-8: what is not ASCII \
                among them is loaded with escapes such as \\xC3";
    assert!(notes.iter().any(|note| note == told), "{notes:?}");
}
