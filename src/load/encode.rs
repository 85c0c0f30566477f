//! The worker half of the `load` agent: content hash, key hash, and what the target holds already.
//!
//! `_etl_hash` is the sum, modulo 2^128, of a hash of each cell that is not null, seeded by the name
//! of its column: so it is the same on every target, platform and thread count, and neither the
//! order of the columns nor a new empty one changes anything. Whole numbers of any width hash alike.

use super::lookup::Lookup;
use crate::chunk::Chunk;
use crate::stage::{Stage, StageError, StageSpec};
use polars::prelude::*;
use polars_arrow::array::{Array, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use std::sync::Arc;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128, xxh3_128_with_seed};

/// Name of the agent.
pub const NAME: &str = "load";

/// What to hash and where to look.
pub struct Encode {
    /// Key columns; empty: no key, no duplicates.
    pub key: Vec<String>,
    /// Finds existing rows by key, where the target holds some of this scope.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Columns in which equal rows may differ.
    pub not_compared: Vec<String>,
    /// Columns that the table calls otherwise: (name in the frame, name in the table). What follows this
    /// stage knows the names of the table alone.
    pub renamed: Vec<(String, String)>,
}

impl StageSpec for Arc<Encode> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let how = if self.lookup.is_some() { "compares with the target, " } else { "" };
        match self.key.as_slice() {
            [] => "appends every row".into(),
            key => format!("{how}one row for each {}", key.join(" + ")),
        }
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        let finder = match &self.lookup {
            Some(lookup) => Some(lookup.finder()?),
            None => None,
        };
        Ok(Box::new(Encoder { spec: Arc::clone(self), finder }))
    }
}

struct Encoder {
    spec: Arc<Encode>,
    finder: Option<Box<dyn super::lookup::Finder>>,
}

impl Stage for Encoder {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        rename(&mut chunk.frame, &self.spec.renamed)?;
        chunk.hashes = match self.spec.not_compared.as_slice() {
            [] => content_hashes(&chunk.frame),
            some => content_hashes(&chunk.frame.drop_many(some)),
        };
        if !self.spec.key.is_empty() {
            chunk.keys = key_hashes(&chunk.frame, &self.spec.key)
                .map_err(|error| StageError::new(NAME, error.to_string()))?;
        }
        if let Some(finder) = &mut self.finder {
            chunk.existing = finder.find(&chunk)?;
        }
        Ok(chunk)
    }
}

/// Gives columns the names of the table, all at once: two may change places.
fn rename(frame: &mut DataFrame, renamed: &[(String, String)]) -> Result<(), StageError> {
    if renamed.is_empty() {
        return Ok(());
    }
    let new = |own: &PlSmallStr| match renamed.iter().find(|(known, _)| known == own.as_str()) {
        Some((_, name)) => name.as_str().into(),
        None => own.clone(),
    };
    let names: Vec<PlSmallStr> = frame.get_column_names().into_iter().map(new).collect();
    frame.set_column_names(&names).map_err(|error| StageError::new(NAME, error.to_string()))
}

/// One hash a row over all columns, column by column: the sum of the hashes of its cells.
pub fn content_hashes(frame: &DataFrame) -> Vec<u128> {
    let mut sums = vec![0; frame.height()];
    for column in frame.columns() {
        if column.null_count() < column.len() {
            let seed = xxh3_64(column.name().as_bytes());
            Cells::of(column).add_hashes(seed, &mut sums);
        }
    }
    sums
}

/// The hash of a number in a column: both halves are all 64 bits of it, well mixed (the finisher of
/// MurmurHash3, twice).
#[inline]
pub(super) fn number_hash(number: u64, seed: u64) -> u128 {
    let mix = |mut value: u64| {
        value ^= value >> 33;
        value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
        value ^= value >> 33;
        value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        value ^ (value >> 33)
    };
    let low = mix(number ^ seed);
    let high = mix(low.wrapping_add(seed.rotate_left(32)));
    u128::from(high) << 64 | u128::from(low)
}

/// Ends each text of a key.
const END: u8 = 0x1e;

/// One hash a row over the key columns, in key order.
pub fn key_hashes(frame: &DataFrame, key: &[String]) -> PolarsResult<Vec<u128>> {
    let columns: Vec<_> =
        key.iter().map(|name| frame.column(name).map(Cells::of)).collect::<PolarsResult<_>>()?;
    let mut text = Vec::with_capacity(64);
    let hash = |row| {
        text.clear();
        for cells in &columns {
            if cells.is_valid(row) {
                cells.write(row, &mut text);
            }
            text.push(END);
        }
        xxh3_128(&text)
    };
    Ok((0..frame.height()).map(hash).collect())
}

/// The same hash from values already in text form (keys read back from the target).
pub fn key_hash_of_texts<'a>(texts: impl Iterator<Item = &'a str>) -> u128 {
    let mut text = Vec::with_capacity(64);
    for part in texts {
        text.extend_from_slice(part.as_bytes());
        text.push(END);
    }
    xxh3_128(&text)
}

/// A column's cells as canonical text.
enum Cells {
    Int(PrimitiveArray<i32>),
    BigInt(PrimitiveArray<i64>),
    Double(PrimitiveArray<f64>),
    Decimal(PrimitiveArray<i128>),
    Bool(BooleanArray),
    Text(Utf8ViewArray),
    /// Anything else, by polars' own text.
    Other(Series),
}

impl Cells {
    fn of(column: &Column) -> Self {
        let series = column.as_materialized_series().rechunk();
        let physical = series.to_physical_repr();
        macro_rules! array {
            ($variant:ident, $accessor:ident) => {
                if let Ok(values) = physical.$accessor() {
                    if let Some(array) = values.downcast_iter().next() {
                        return Self::$variant(array.clone());
                    }
                }
            };
        }
        array!(Int, i32);
        array!(BigInt, i64);
        array!(Text, str);
        array!(Double, f64);
        array!(Bool, bool);
        array!(Decimal, i128);
        Self::Other(series)
    }

    fn validity(&self) -> Option<&Bitmap> {
        match self {
            Self::Int(array) => array.validity(),
            Self::BigInt(array) => array.validity(),
            Self::Double(array) => array.validity(),
            Self::Decimal(array) => array.validity(),
            Self::Bool(array) => array.validity(),
            Self::Text(array) => array.validity(),
            Self::Other(_) => None,
        }
    }

    /// Adds the hash of each cell that is not null to its row's sum.
    fn add_hashes(&self, seed: u64, sums: &mut [u128]) {
        let valid = self.validity();
        let mut add = |row: usize, hash: u128| sums[row] = sums[row].wrapping_add(hash);
        macro_rules! numbers {
            ($array:expr, $number:expr) => {
                for_valid($array.len(), valid, |row| {
                    add(row, number_hash($number($array.value(row)), seed));
                })
            };
        }
        match self {
            Self::Int(array) => numbers!(array, |value| i64::from(value) as u64),
            Self::BigInt(array) => numbers!(array, |value| value as u64),
            Self::Double(array) => numbers!(array, canonical_bits),
            Self::Bool(array) => numbers!(array, u64::from),
            Self::Decimal(array) => for_valid(array.len(), valid, |row| {
                add(row, xxh3_128_with_seed(&array.value(row).to_le_bytes(), seed));
            }),
            Self::Text(array) => for_valid(array.len(), valid, |row| {
                add(row, xxh3_128_with_seed(array.value(row).as_bytes(), seed));
            }),
            Self::Other(series) => {
                let rows = (0..series.len()).filter(|row| self.is_valid(*row));
                for row in rows {
                    let mut text = Vec::new();
                    self.write(row, &mut text);
                    add(row, xxh3_128_with_seed(&text, seed));
                }
            }
        }
    }

    #[inline]
    fn is_valid(&self, row: usize) -> bool {
        if let Self::Other(series) = self {
            return series.get(row).is_ok_and(|value| !value.is_null());
        }
        self.validity().is_none_or(|bits| bits.get(row).unwrap_or(false))
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Int(array) => write_int(array.value(row), out),
            Self::BigInt(array) => write_int(array.value(row), out),
            Self::Decimal(array) => write_int(array.value(row), out),
            Self::Double(array) => {
                out.extend_from_slice(ryu::Buffer::new().format(array.value(row)).as_bytes());
            }
            Self::Bool(array) => out.push(if array.value(row) { b't' } else { b'f' }),
            Self::Text(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Self::Other(series) => {
                if let Ok(value) = series.get(row) {
                    out.extend_from_slice(value.to_string().as_bytes());
                }
            }
        }
    }
}

/// Calls `each` for the rows that are not null.
#[inline]
fn for_valid(rows: usize, valid: Option<&Bitmap>, each: impl FnMut(usize)) {
    match valid {
        None => (0..rows).for_each(each),
        Some(valid) => valid.true_idx_iter().for_each(each),
    }
}

/// One pattern for each number: zero has two signs, NaN many bits.
pub(super) fn canonical_bits(value: f64) -> u64 {
    match value {
        _ if value == 0.0 => 0,
        _ if value.is_nan() => f64::NAN.to_bits(),
        _ => value.to_bits(),
    }
}

#[inline]
fn write_int(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_column_or_another_order_changes_nothing() {
        let a = df!("jv" => [Some(5i64), None], "name" => ["x", "y"]).expect("frame");
        let b = df!(
            "name" => ["x", "y"],
            "new" => [None::<i64>, None],
            "jv" => [Some(5i64), None]
        )
        .expect("frame");
        assert_eq!(content_hashes(&a), content_hashes(&b));
    }

    #[test]
    fn a_value_in_another_column_is_another_row() {
        let a = df!("a" => [Some(5i64)], "b" => [None::<i64>]).expect("frame");
        let b = df!("a" => [None::<i64>], "b" => [Some(5i64)]).expect("frame");
        assert_ne!(content_hashes(&a), content_hashes(&b));
    }

    #[test]
    fn whole_numbers_of_any_width_and_both_zeros_hash_alike() {
        let a = df!("n" => [Some(-5i64), Some(0)], "x" => [0.0, 1.5]).expect("frame");
        let b = df!("n" => [Some(-5i32), Some(0)], "x" => [-0.0, 1.5]).expect("frame");
        assert_eq!(content_hashes(&a), content_hashes(&b));
    }

    #[test]
    fn near_rows_differ() {
        // Neighbouring numbers, exchanged between columns too, and the same texts in other places.
        let mut rows = std::collections::HashSet::new();
        for a in 0..60i64 {
            for b in 0..60i64 {
                let text = format!("{}", a % 7);
                let frame = df!(
                    "a" => [a], "b" => [b], "c" => [a - b], "d" => [text.as_str()],
                    "e" => [(b % 3 == 0).then_some(text.as_str())]
                );
                rows.insert(content_hashes(&frame.expect("frame"))[0]);
            }
        }
        assert_eq!(rows.len(), 3_600);
    }

    #[test]
    fn keys_read_back_from_the_target_hash_alike() {
        let frame = df!("co_no" => [16i32], "parcel_id" => ["474119030010"]).expect("frame");
        let key = ["co_no".to_owned(), "parcel_id".to_owned()];
        let hashes = key_hashes(&frame, &key).expect("key columns");
        assert_eq!(hashes[0], key_hash_of_texts(["16", "474119030010"].into_iter()));
    }
}
