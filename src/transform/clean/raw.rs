//! Texts as they were before cleaning, kept beside the row: `_extra -> '_raw' -> column`.

use crate::chunk::Chunk;
use polars::prelude::{IntoColumn, PolarsError, StringChunked};
use polars_arrow::array::MutablePlString;
use std::collections::BTreeMap;

/// The JSON column of what has none of its own.
const EXTRA: &str = "_extra";
/// Its field for texts as they were.
const RAW: &str = "_raw";

/// What is to be kept, by frame row: the inside of a JSON object.
#[derive(Default)]
pub(super) struct Raws {
    rows: BTreeMap<usize, String>,
    /// Columns that have kept something of a row: the first text is the one that was read.
    kept: BTreeMap<usize, Vec<String>>,
}

impl Raws {
    /// Keeps a text; of several recipes for one column the first one has seen what was read.
    pub fn keep(&mut self, row: usize, column: &str, text: &str) {
        let kept = self.kept.entry(row).or_default();
        if kept.iter().any(|known| known == column) {
            return;
        }
        kept.push(column.to_owned());
        let object = self.rows.entry(row).or_default();
        if !object.is_empty() {
            object.push(',');
        }
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        object.push_str(&format!("{}:{}", quoted(column), quoted(text)));
    }

    /// Writes it into the chunk.
    pub fn store(self, chunk: &mut Chunk) -> Result<(), PolarsError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let had = chunk.frame.column(EXTRA).ok().map(|column| column.str().cloned()).transpose()?;
        let mut made = MutablePlString::with_capacity(chunk.kept());
        for row in 0..chunk.kept() {
            let before = had.as_ref().and_then(|had| had.get(row));
            match self.rows.get(&row) {
                None => made.push(before),
                Some(object) => made.push(Some(joined(before, object))),
            }
        }
        let column = StringChunked::with_chunk(EXTRA.into(), made.freeze()).into_column();
        chunk.frame.with_column(column)?;
        Ok(())
    }
}

/// A JSON object with one field more.
fn joined(object: Option<&str>, raw: &str) -> String {
    let inside = object.and_then(|text| text.strip_prefix('{')?.strip_suffix('}'));
    match inside.filter(|inside| !inside.is_empty()) {
        Some(inside) => format!("{{{inside},\"{RAW}\":{{{raw}}}}}"),
        None => format!("{{\"{RAW}\":{{{raw}}}}}"),
    }
}
