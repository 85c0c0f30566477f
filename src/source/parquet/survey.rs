//! What a Parquet file says about itself: columns, types, rows; and a sample.

use super::decimals::{self, Wide};
use super::elements;
use super::int96::{self, Finer};
use super::mend::{Mended, Nested, Variants, mend};
use super::nested;
use super::stream::ParquetSource;
use super::types::{self, Reading, Select};
use super::values::Values;
use super::{bytes, connect, explain, scan};
use crate::chunk::{ColumnKind, Fingerprint, Mark, Part, ReadColumn, ReadSchema};
use crate::duck::{Connection, DuckError, Value};
use crate::source::content::Spooled;
use crate::source::watch::WatchedSource;
use crate::source::{
    Content, Extent, Source, SourceError, SourceErrorKind, SourceOptions, Table, check_width,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Records kept as a sample.
const SAMPLE: usize = 1_000;
/// Memory the sample may take.
const SAMPLE_BYTES: usize = 16 << 20;

/// A surveyed Parquet file.
pub struct ParquetTable {
    pub(super) file: Spooled,
    content: Content,
    pub(super) label: String,
    pub(super) readings: Vec<Reading>,
    pub(super) rows: u64,
    pub(super) file_bytes: u64,
    fingerprint: Fingerprint,
    headers: Vec<String>,
    row_groups: u64,
    sample: Vec<Vec<String>>,
    /// Variants are read as the parts they are stored in.
    in_parts: bool,
    /// What is told of columns of bytes.
    byte_notes: Vec<String>,
    /// Columns of moments of 96 bits, as DuckDB reads them.
    int96: Vec<usize>,
}

/// Reads the footer, and the first rows.
pub fn survey(content: &Content, options: &SourceOptions) -> Result<ParquetTable, SourceError> {
    let label = content.label();
    if content.head(4)? == b"PARE" {
        return Err(super::encrypted(label));
    }
    let original = content.seekable(options.temp_dir.as_deref())?;
    let fingerprint = Fingerprint(*original.blake3(label)?.as_bytes());
    let length = original.path().metadata().map_err(|error| SourceError::io(label, error))?.len();
    let again = |variants, nested, int96: &[usize]| {
        mend(&original, label, options, variants, nested, int96)
    };
    let mut whole = again(Variants::Whole, Nested::Text, &[])?;
    let mut escaped = false;
    if let Some(file) = whole.file.as_ref().filter(|_| !whole.texts.is_empty()) {
        escaped = !nested::are_texts(file.path(), &whole.texts, label)?;
    }
    if escaped {
        whole = again(Variants::Whole, Nested::Bytes, &[])?;
    }
    let nested = if escaped { Nested::Bytes } else { Nested::Text };
    let content = &original.watched(content);
    let look_at = |mended: Mended, int96: &[Finer]| {
        let file = mended.file.unwrap_or_else(|| original.clone());
        look(file, (&mended.wide, int96), content, fingerprint, length)
    };
    // Columns whose moments are finer than what DuckDB reads are read from their bytes.
    let with_nanos = |table: ParquetTable| {
        if table.int96.is_empty() {
            return Ok(table);
        }
        let bytes = again(Variants::Whole, nested, &table.int96)?;
        let Some(file) = bytes.file else { return Ok(table) };
        match int96::finer(file.path(), &table.int96, table.headers.len(), label)? {
            none if none.is_empty() => Ok(table),
            finer => {
                let columns: Vec<_> = finer.iter().map(|finer| finer.column).collect();
                look_at(again(Variants::Whole, nested, &columns)?, &finer)
            }
        }
    };
    match look_at(whole, &[]).and_then(with_nanos) {
        Err(error) if error.kind == SourceErrorKind::Broken => {
            let parts = again(Variants::Parts, Nested::Bytes, &[]);
            // Damage that mending found is told as DuckDB tells it.
            let Some(parts) = parts.ok().filter(|parts| parts.file.is_some()) else {
                return Err(error);
            };
            let mut table = look_at(parts, &[]).map_err(|_| error)?;
            table.in_parts = true;
            Ok(table)
        }
        Ok(mut table) if escaped => {
            table.byte_notes.push(
                "lists, structs or maps hold bytes that are not valid UTF-8: what is not ASCII \
                 among them is loaded with escapes such as \\xC3"
                    .into(),
            );
            Ok(table)
        }
        found => found,
    }
}

/// Reads a file that DuckDB can read. `wide` and `int96`: columns of wide decimals and of moments that are bytes in it.
fn look(
    file: Spooled,
    (wide, int96): (&[Wide], &[Finer]),
    content: &Content,
    fingerprint: Fingerprint,
    file_bytes: u64,
) -> Result<ParquetTable, SourceError> {
    let label = content.label();
    let duck = |error: DuckError| explain(label, &error);
    let connection = connect().map_err(duck)?;
    let unreadable = |message| SourceError::new(SourceErrorKind::Unreadable, label, message);
    let from = scan(file.path(), 0).map_err(unreadable)?;
    let columns = connection.query(&format!("DESCRIBE SELECT * FROM {from}"), &[]).map_err(duck)?;
    let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    check_width(label, columns.rows.len())?;
    let mut headers: Vec<_> = columns.rows.iter().map(|row| text(&row[0])).collect();
    // DuckDB gives numbers to names that differ in case alone.
    let known = elements::columns(&connection, file.path(), label)?;
    let known = known.filter(|known| known.len() == headers.len()).unwrap_or_default();
    if !known.is_empty() {
        headers = known.iter().map(|column| column.name.clone()).collect();
    }
    let types: Vec<_> = columns.rows.iter().map(|row| text(&row[1])).collect();
    let (rows, row_groups) = counts(&connection, file.path(), label)?;
    let mut readings: Vec<_> = types.iter().map(|name| types::reading(name)).collect();
    for Wide { column, scale } in wide {
        if let Some(reading) = readings.get_mut(*column) {
            reading.select = Select::Wide(*scale);
        }
    }
    for Finer { column, fits } in int96 {
        let (select, ty) = match fits {
            true => (Select::Int96, "TIMESTAMP_NS"),
            false => (Select::Int96Text, "VARCHAR"),
        };
        if let Some(reading) = readings.get_mut(*column) {
            *reading = Reading { select, ..types::reading(ty) };
        }
    }
    check_ranges(&connection, file.path(), &mut readings, label)?;
    check_wide(&connection, file.path(), &mut readings, label)?;
    let byte_notes = bytes::refine(&connection, file.path(), &known, &mut readings, label)?;
    let mut table = ParquetTable {
        file,
        content: content.clone(),
        label: label.to_owned(),
        readings,
        rows,
        file_bytes,
        fingerprint,
        headers,
        row_groups,
        sample: Vec::new(),
        in_parts: false,
        byte_notes,
        int96: known.iter().enumerate().filter(|(_, it)| it.int96).map(|(at, _)| at).collect(),
    };
    table.sample = sample(&table)?;
    Ok(table)
}

fn counts(connection: &Connection, path: &Path, label: &str) -> Result<(u64, u64), SourceError> {
    let path = super::literal(path)
        .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, label, message))?;
    let sql = format!("SELECT num_rows, num_row_groups FROM parquet_file_metadata({path})");
    let answer = connection.query(&sql, &[]).map_err(|error| explain(label, &error))?;
    let number = |at: usize| {
        let value = answer.rows.first().and_then(|row| row.get(at)).and_then(Value::as_int);
        value.and_then(|value| u64::try_from(value).ok())
    };
    match (number(0), number(1)) {
        (Some(rows), Some(groups)) => Ok((rows, groups)),
        _ => Err(SourceError::new(
            SourceErrorKind::Broken,
            label,
            "the Parquet file does not say how many rows it holds",
        )),
    }
}

/// Columns of a wide type whose values are too large for the kind become text.
fn check_ranges(
    connection: &Connection,
    path: &Path,
    readings: &mut [Reading],
    label: &str,
) -> Result<(), SourceError> {
    let wide: Vec<_> =
        readings.iter().enumerate().filter_map(|(at, r)| Some((at, r.below.clone()?))).collect();
    if wide.is_empty() {
        return Ok(());
    }
    let fits = |(at, below): &(usize, String)| {
        format!("coalesce(max(c{at}) < {below} AND min(c{at}) > -{below}, true)")
    };
    let picks: Vec<_> = wide.iter().map(fits).collect();
    let from = scan(path, readings.len())
        .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, label, message))?;
    let answer = connection
        .query(&format!("SELECT {} FROM {from}", picks.join(", ")), &[])
        .map_err(|error| explain(label, &error))?;
    for ((at, _), fits) in wide.iter().zip(answer.rows.first().into_iter().flatten()) {
        if fits.as_bool() != Some(true) {
            readings[*at].kind = ColumnKind::Text;
        }
    }
    Ok(())
}

/// Reads the columns of wide decimals: they are decimals where all values have at most 18 digits, and
/// text where one has more.
fn check_wide(
    connection: &Connection,
    path: &Path,
    readings: &mut [Reading],
    label: &str,
) -> Result<(), SourceError> {
    let scale = |reading: &Reading| match reading.select {
        Select::Wide(scale) => Some(scale),
        _ => None,
    };
    let wide: Vec<_> =
        readings.iter().enumerate().filter_map(|(at, it)| Some((at, scale(it)?))).collect();
    if wide.is_empty() {
        return Ok(());
    }
    let picks: Vec<_> = wide.iter().map(|(at, _)| format!("hex(c{at})")).collect();
    let from = scan(path, readings.len())
        .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, label, message))?;
    let mut most = vec![0; wide.len()];
    let mut damaged = None;
    let sql = format!("SELECT {} FROM {from}", picks.join(", "));
    let done = connection.query_frames(&sql, |frame| {
        for ((most, (at, scale)), array) in most.iter_mut().zip(&wide).zip(frame.columns()) {
            let Some(Values::Text(texts)) = Values::of(array.as_ref()) else { continue };
            for hex in texts.iter().flatten() {
                match decimals::text(hex, *scale) {
                    Some(text) => *most = decimals::count_digits(&text).max(*most),
                    None => damaged = Some(*at),
                }
            }
        }
        if damaged.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    done.map_err(|error| explain(label, &error))?;
    if let Some(at) = damaged {
        let message = format!("a value of column {} is no decimal number", at + 1);
        return Err(SourceError::new(SourceErrorKind::Broken, label, message)
            .with_hint("download it again"));
    }
    for ((at, scale), digits) in wide.into_iter().zip(most) {
        if digits <= 18 && scale <= 18 {
            readings[at].kind = ColumnKind::Decimal(scale);
        }
    }
    Ok(())
}

/// The first records as text, read as any others are.
fn sample(table: &ParquetTable) -> Result<Vec<Vec<String>>, SourceError> {
    let column = |(field, header): (usize, &String)| {
        ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let schema = Arc::new(ReadSchema {
        columns: table.headers.iter().enumerate().map(column).collect(),
        extra: Vec::new(),
        headers: table.headers.clone(),
    });
    let Some(block) = table.open(schema, Mark::default())?.next_block(SAMPLE, SAMPLE_BYTES)? else {
        return Ok(Vec::new());
    };
    let decoded = block.body.decode()?;
    let rows = decoded.records.min(SAMPLE as u32);
    let text = |record, field| decoded.raw.field(record, field).unwrap_or_default();
    let fields = 0..table.headers.len();
    Ok((0..rows).map(|r| fields.clone().map(|f| text(r, f)).collect()).collect())
}

impl Table for ParquetTable {
    fn part(&self) -> Part {
        Part::Whole
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn sample(&self) -> &[Vec<String>] {
        &self.sample
    }

    fn extent(&self) -> Extent {
        Extent { bytes: Some(self.file_bytes), rows: Some(self.rows) }
    }

    fn facts(&self) -> Vec<(String, String)> {
        vec![
            ("rows".into(), self.rows.to_string()),
            ("row groups".into(), self.row_groups.to_string()),
        ]
    }

    fn notes(&self) -> Vec<String> {
        let nested = self.headers.iter().zip(&self.readings);
        let nested: Vec<_> = nested
            .filter(|(_, reading)| reading.select == Select::Json)
            .map(|(header, _)| format!("\"{header}\""))
            .collect();
        let mut notes = self.byte_notes.clone();
        let far = self.headers.iter().zip(&self.readings);
        let far = far.filter(|(_, reading)| reading.select == Select::Int96Text);
        let far: Vec<_> = far.map(|(header, _)| format!("\"{header}\"")).collect();
        if !far.is_empty() {
            notes.push(format!(
                "times are loaded as text, as some have nanoseconds in years before 1678 or after 2261: {}",
                far.join(", ")
            ));
        }
        if !nested.is_empty() {
            let names = nested.join(", ");
            notes.push(format!("lists, structs and maps are loaded as JSON text: {names}"));
        }
        if self.in_parts {
            let parts = "its variant columns do not fit together as DuckDB reads them; each is \
                         loaded as the parts it is stored in";
            notes.push(parts.into());
        }
        notes
    }

    fn declared(&self) -> Option<Vec<ColumnKind>> {
        Some(self.readings.iter().map(|reading| reading.kind).collect())
    }

    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError> {
        WatchedSource::open(&self.content, || ParquetSource::open(self, schema, from))
    }

    fn unchanged(&self) -> Result<(), SourceError> {
        self.content.unchanged()
    }
}
