//! The wrapper against the real library.

mod columns;
mod errors;
mod log;
mod statements;

use polars_arrow::array::{Array, Int64Array, Utf8ViewArray};

use super::*;

fn memory() -> Connection {
    Database::memory(&Settings::default()).unwrap().connect().unwrap()
}

fn ints(values: impl IntoIterator<Item = Option<i64>>) -> Box<dyn Array> {
    Box::new(Int64Array::from_iter(values))
}

fn texts(values: impl IntoIterator<Item = Option<String>>) -> Box<dyn Array> {
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
