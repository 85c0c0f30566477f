//! A delimited text through the library, as text: what the readers make of it before any type.

use crate::Outcome;
use etl::chunk::{Mark, ReadColumn, ReadSchema};
use etl::source::{Content, Format, SourceOptions, Table, csv::Csv};
use polars::prelude::StringChunked;
use std::path::Path;
use std::sync::Arc;

/// What was loaded, and which rows were spoken of.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Names of the columns; `None` where the file has no header.
    pub header: Option<Vec<String>>,
    /// Loaded rows.
    pub rows: Vec<Vec<String>>,
    /// Rows that a refusal or a repair names.
    pub named: Vec<u64>,
    /// Refused rows.
    pub refused: u64,
}

/// Loads a file.
pub fn read(path: &Path, options: &SourceOptions) -> Outcome<Loaded> {
    let content = Content::plain(path);
    let table = Csv.survey(&content, options)?.remove(0);
    let has_header = table.facts().iter().any(|(name, value)| name == "header" && value != "none");
    let mut loaded =
        Loaded { header: has_header.then(|| table.headers().to_vec()), ..Loaded::default() };
    let width = table.headers().len();
    let mut source = table.open(schema(&*table), Mark::default())?;
    while let Some(block) = source.next_block(50_000, 8 << 20)? {
        let decoded = block.body.decode()?;
        let columns: Vec<_> =
            decoded.frame.columns()[..width].iter().map(|c| c.str()).collect::<Result<_, _>>()?;
        for at in 0..decoded.index.len() {
            let text = |column: &&StringChunked| column.get(at).unwrap_or_default().to_owned();
            loaded.rows.push(columns.iter().map(text).collect());
        }
        loaded.refused += decoded.rejects.len() as u64;
        loaded.named.extend(decoded.rejects.iter().map(|reject| reject.place.row));
        for (_, note) in decoded.notes.iter() {
            loaded.named.extend(note.examples.iter().map(|example| example.place.row));
        }
    }
    Ok(loaded)
}

fn schema(table: &dyn Table) -> Arc<ReadSchema> {
    let column = |(field, header): (usize, &String)| {
        ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let columns = table.headers().iter().enumerate().map(column).collect();
    Arc::new(ReadSchema { columns, extra: Vec::new(), headers: table.headers().to_vec() })
}
