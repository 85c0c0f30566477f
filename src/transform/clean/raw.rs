//! Texts as they were before cleaning, kept beside the row: `_extra -> '_raw' -> column`.

use crate::chunk::{Chunk, MisfitKind};
use polars::prelude::{IntoColumn, PolarsError, StringChunked};
use polars_arrow::array::MutablePlString;
use std::collections::BTreeMap;

/// The JSON column of what has none of its own.
const EXTRA: &str = "_extra";
/// Its field for texts as they were.
const RAW: &str = "_raw";

/// A column whose texts are kept where the reader has changed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Name in the chunk.
    pub column: String,
    /// Position among the columns as read.
    pub position: u16,
    /// Its field in the raw records.
    pub field: usize,
}

/// What is to be kept, by frame row.
#[derive(Default)]
pub(super) struct Raws(BTreeMap<usize, Texts>);

/// Texts of a row as they were.
#[derive(Default)]
struct Texts {
    /// The inside of a JSON object.
    object: String,
    /// Columns that it holds, by position: the first text of a column is the one that was read.
    columns: Vec<u16>,
}

impl Raws {
    /// Keeps what stood in the cells that the reader has changed: blanks around a value, a text for "no
    /// value", a code that had lost its zeros.
    pub fn keep_read(&mut self, chunk: &Chunk, columns: &[Kept]) {
        if columns.is_empty() {
            return;
        }
        for (row, changed) in changed_cells(chunk, columns) {
            let fields: Vec<_> = changed.iter().map(|column| column.field).collect();
            let texts = chunk.raw.texts(chunk.index[row], &fields);
            for (column, text) in changed.iter().zip(texts) {
                if let Some(text) = text {
                    self.keep(row, column.position, &column.column, &text);
                }
            }
        }
    }

    /// Keeps a text; of several recipes for one column the first one has seen what was read.
    pub fn keep(&mut self, row: usize, position: u16, column: &str, text: &str) {
        let Texts { object, columns } = self.0.entry(row).or_default();
        if columns.contains(&position) {
            return;
        }
        columns.push(position);
        if !object.is_empty() {
            object.push(',');
        }
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        object.push_str(&format!("{}:{}", quoted(column), quoted(text)));
    }

    /// Writes it into the chunk, and tells its permit.
    pub fn store(self, chunk: &mut Chunk) -> Result<(), PolarsError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let had = chunk.frame.column(EXTRA).ok().map(|column| column.str().cloned()).transpose()?;
        let mut made = MutablePlString::with_capacity(chunk.kept());
        for row in 0..chunk.kept() {
            let before = had.as_ref().and_then(|had| had.get(row));
            match self.0.get(&row) {
                None => made.push(before),
                Some(texts) => made.push(Some(joined(before, &texts.object))),
            }
        }
        let column = StringChunked::with_chunk(EXTRA.into(), made.freeze()).into_column();
        chunk.frame.with_column(column)?;
        let added: usize = self.0.values().map(|texts| texts.object.len()).sum();
        if let Some(permit) = &mut chunk.permit {
            permit.resize(permit.bytes() + added as u64);
        }
        Ok(())
    }
}

/// The cells of these columns that the reader has changed, by frame row.
fn changed_cells<'k>(chunk: &Chunk, columns: &'k [Kept]) -> BTreeMap<usize, Vec<&'k Kept>> {
    let mut cells: BTreeMap<usize, Vec<&Kept>> = BTreeMap::new();
    let kept = |position: u16| columns.iter().find(|kept| kept.position == position);
    for altered in &chunk.altered {
        let Some(column) = kept(altered.column) else { continue };
        altered.rows.iter().for_each(|row| cells.entry(row).or_default().push(column));
    }
    for misfit in chunk.misfits.iter().filter(|misfit| misfit.kind == MisfitKind::Padded) {
        let (Some(column), Ok(row)) =
            (kept(misfit.column), chunk.index.binary_search(&misfit.record))
        else {
            continue;
        };
        cells.entry(row).or_default().push(column);
    }
    for columns in cells.values_mut() {
        columns.sort_unstable_by_key(|column| column.position);
        columns.dedup();
    }
    cells
}

/// A JSON object with one field more.
fn joined(object: Option<&str>, raw: &str) -> String {
    let inside = object.and_then(|text| text.strip_prefix('{')?.strip_suffix('}'));
    match inside.filter(|inside| !inside.is_empty()) {
        Some(inside) => format!("{{{inside},\"{RAW}\":{{{raw}}}}}"),
        None => format!("{{\"{RAW}\":{{{raw}}}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{
        Alteration, Altered, Fingerprint, Mark, Misfit, Origin, Part, Place, RawRows,
    };
    use polars::prelude::df;
    use std::sync::Arc;

    /// Two fields a record, as they came.
    #[derive(Debug)]
    struct Records([[&'static str; 2]; 3]);

    impl RawRows for Records {
        fn place(&self, record: u32) -> Place {
            Place { row: u64::from(record) + 2, byte: None }
        }

        fn fields(&self, record: u32) -> Vec<(String, String)> {
            let [code, town] = self.0[record as usize];
            vec![("CODE".into(), code.into()), ("TOWN".into(), town.into())]
        }

        fn field(&self, record: u32, field: usize) -> Option<String> {
            self.0[record as usize].get(field).map(|text| (*text).to_owned())
        }

        fn after(&self, _record: u32) -> Mark {
            Mark::default()
        }
    }

    /// The first record was refused; of the others one said "no value", one lost its zeros and blanks.
    fn chunk() -> Chunk {
        let frame =
            df!("code" => ["012", "007"], "town" => [None, Some("DAVIE")]).expect("a frame");
        let records = Records([["x", "x"], ["012", "N/A"], ["7", " DAVIE \"\u{a0}"]]);
        let origin =
            Origin { path: "a.csv".into(), part: Part::Whole, fingerprint: Fingerprint([0; 32]) };
        let altered = |what, row| Altered { column: 1, what, rows: [row].into_iter().collect() };
        Chunk {
            records: 3,
            index: vec![1, 2],
            altered: vec![altered(Alteration::Trimmed, 1), altered(Alteration::NoValue, 0)],
            misfits: vec![Misfit { record: 2, column: 0, kind: MisfitKind::Padded }],
            ..Chunk::empty(frame, Arc::new(origin), Arc::new(records))
        }
    }

    fn kept(columns: &[Kept]) -> Vec<Option<String>> {
        let (mut chunk, mut raws) = (chunk(), Raws::default());
        raws.keep_read(&chunk, columns);
        raws.store(&mut chunk).expect("stored");
        let Ok(extra) = chunk.frame.column(EXTRA) else { return Vec::new() };
        extra.str().expect("text").iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn what_the_reader_took_for_no_value_or_changed_is_kept() {
        let column = |position: u16, name: &str| Kept {
            column: name.into(),
            position,
            field: usize::from(position),
        };
        let both = [column(0, "code"), column(1, "town")];
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(
            kept(&both),
            [
                told(r#"{"_raw":{"town":"N/A"}}"#),
                told("{\"_raw\":{\"code\":\"7\",\"town\":\" DAVIE \\\"\u{a0}\"}}")
            ]
        );
        assert_eq!(kept(&both[..1]), [None, told(r#"{"_raw":{"code":"7"}}"#)]);
        assert!(kept(&[]).is_empty(), "nothing is added where nothing is asked for");
    }
}
