//! Moments of 96 bits (`INT96`: nanoseconds of the day in 64 bits, then the Julian day in 32, both with the lowest byte
//! first), as Impala, Hive and older Spark write them. DuckDB reads them to the microsecond. Columns that have finer
//! values are called bytes in a copy of the footer, and the nanoseconds are made of these.

use super::thrift::Fields;
use super::{connect, explain, scan};
use crate::duck::Value;
use crate::source::{SourceError, SourceErrorKind};
use std::path::Path;

/// Fields of a `SchemaElement` and of the metadata of a column chunk (parquet.thrift).
mod id {
    pub const SCHEMA: i16 = 2;
    pub const ROW_GROUPS: i16 = 4;
    pub const TYPE: i16 = 1;
    pub const TYPE_LENGTH: i16 = 2;
    pub const CHILDREN: i16 = 5;
    pub const GROUP_COLUMNS: i16 = 1;
    pub const CHUNK_META: i16 = 3;
    pub const META_TYPE: i16 = 1;
    pub const META_STATISTICS: i16 = 12;
}
const INT96: i64 = 3;
const FIXED: i64 = 7;
/// Bytes of a value.
const LENGTH: i64 = 12;
/// The code of 32 bits in Thrift's compact protocol.
const I32: u8 = 5;
/// 1970-01-01 as a Julian day.
const EPOCH: i64 = 2_440_588;
const NANOS_OF_DAY: i64 = 86_400_000_000_000;
/// Days from 1970-01-01 whose nanoseconds have room in 64 bits, both ways.
const DAYS: i64 = 106_750;
/// Days from 1970-01-01 for which databases have dates.
const FAR: i64 = 100_000_000;

/// Calls columns of moments of 96 bits bytes. `which`: by position among the columns of a file without lists and
/// structs; returns whether any is changed.
pub fn as_bytes(footer: &mut Fields, which: &[usize]) -> bool {
    let mut elements: Vec<_> = footer.list_mut(id::SCHEMA).collect();
    let is_flat = elements.iter().skip(1).all(|element| element.int(id::CHILDREN).is_none());
    if which.is_empty() || !is_flat {
        return false;
    }
    for at in which {
        let Some(element) = elements.get_mut(at + 1) else { continue };
        element.set_int(id::TYPE, FIXED);
        element.remove(&[id::TYPE_LENGTH]);
        element.insert(id::TYPE_LENGTH, super::thrift::Value::Int(I32, LENGTH));
    }
    for group in footer.list_mut(id::ROW_GROUPS) {
        for (at, chunk) in group.list_mut(id::GROUP_COLUMNS).enumerate() {
            let Some(meta) = chunk.fields_mut(id::CHUNK_META) else { continue };
            if which.contains(&at) && meta.int(id::META_TYPE) == Some(INT96) {
                meta.set_int(id::META_TYPE, FIXED);
                meta.remove(&[id::META_STATISTICS]);
            }
        }
    }
    true
}

/// SQL for the nanoseconds of the day of a column of bytes, and for its days since 1970.
fn parts(column: &str) -> (String, String) {
    let number = |from: usize, count: usize| {
        let byte = |at: usize| {
            let weight = 1i64 << (8 * at);
            let place = from + at;
            format!("CAST('0x' || hex({column}[{place}:{place}]) AS BIGINT) * {weight}")
        };
        format!("({})", (0..count).map(byte).collect::<Vec<_>>().join(" + "))
    };
    // A day has less than 2^47 nanoseconds; the day has a sign.
    let day = number(9, 4);
    let signed = format!("(CASE WHEN {day} < 2147483648 THEN {day} ELSE {day} - 4294967296 END)");
    (number(1, 6), format!("({signed} - {EPOCH})"))
}

/// SQL for the moments of a column of bytes, as TIMESTAMP_NS.
pub fn moment(column: &str) -> String {
    let (nanos, days) = parts(column);
    format!("make_timestamp_ns({days} * {NANOS_OF_DAY} + {nanos})")
}

/// SQL for the same as texts with all digits; a day that no calendar reaches is written as its number.
pub fn text(column: &str) -> String {
    let (nanos, days) = parts(column);
    let moment = format!("make_timestamp({days} * 86400000000 + {nanos} // 1000)");
    format!(
        "CASE WHEN abs({days}) > {FAR} THEN 'day ' || {days} || ' from 1970-01-01, nanosecond ' || {nanos} \
         WHEN {nanos} % 1000 = 0 THEN CAST({moment} AS VARCHAR) \
         ELSE strftime({moment}, '%Y-%m-%d %H:%M:%S.') || lpad(CAST({nanos} % 1000000000 AS VARCHAR), 9, '0') END"
    )
}

/// A column whose values are finer than a microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finer {
    /// Its position.
    pub column: usize,
    /// Whether 64 bits hold the nanoseconds of all values.
    pub fits: bool,
}

/// Those of the columns of bytes (by position, of `width`) that have values finer than a microsecond.
pub fn finer(
    path: &Path,
    which: &[usize],
    width: usize,
    label: &str,
) -> Result<Vec<Finer>, SourceError> {
    let connection = connect().map_err(|error| explain(label, &error))?;
    let from = scan(path, width)
        .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, label, message))?;
    let question = |at: &usize| {
        let (nanos, days) = parts(&format!("c{at}"));
        format!("coalesce(bool_or({nanos} % 1000 <> 0), false), coalesce(max(abs({days})), 0)")
    };
    let questions: Vec<_> = which.iter().map(question).collect();
    let answer = connection
        .query(&format!("SELECT {} FROM {from}", questions.join(", ")), &[])
        .map_err(|error| explain(label, &error))?;
    let row = answer.rows.first().map(Vec::as_slice).unwrap_or_default();
    let found = |(at, cells): (&usize, &[Value])| {
        let [is_finer, days] = cells else { return None };
        let fits = days.as_int().is_some_and(|days| days <= DAYS);
        (is_finer.as_bool() == Some(true)).then_some(Finer { column: *at, fits })
    };
    Ok(which.iter().zip(row.chunks(2)).filter_map(found).collect())
}
