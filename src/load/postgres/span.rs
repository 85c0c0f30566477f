//! The keys of a chunk as a span of the index: from its first key to its last one.
//!
//! Files come in the order of their keys, and so do the rows of a table that was loaded from one. Then
//! what the table holds under the keys of a chunk is what stands between two of them: one walk along
//! the index costs a third of as many searches by single keys (measured). Whether the server orders
//! texts as bytes decides if a key that was not met is not there ([`Way::exact`]).

use super::preflight::PgColumn;
use super::text::text_literal;
use crate::duck::{Value, quote};
use crate::load::table::TableSpec;
use crate::load::{Link, LoadError};
use polars::prelude::{DataFrame, DataType};
use polars_arrow::array::Utf8ViewArray;
use std::cmp::Ordering;

const QUESTION: &str = "
WITH t AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ? AND c.relname = ?)
SELECT EXISTS (SELECT 1 FROM pg_index i JOIN t ON i.indrelid = t.oid
    WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND ? =
      (SELECT string_agg(a.attname, chr(10) ORDER BY k.at)
       FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, at)
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
       WHERE k.at <= i.indnkeyatts)),
  (SELECT bool_and(a.attcollation IN (0, 950, 951) OR (a.attcollation = 100
      AND 'Z' < 'a' AND 'a b' < 'aa' AND '1-3' < '12'))
   FROM pg_attribute a JOIN t ON a.attrelid = t.oid
   WHERE a.attname = ANY (string_to_array(?, chr(10))))";

/// How rows of a table are found by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// An index is ordered by the key, and its columns are whole numbers and texts.
    pub ordered: bool,
    /// Numbers as numbers and texts as bytes: a span misses nothing.
    pub exact: bool,
}

impl Way {
    /// Asks the server about a table.
    pub fn of(
        con: &dyn Link,
        schema: &str,
        spec: &TableSpec,
        there: &[PgColumn],
    ) -> Result<Self, LoadError> {
        let key = spec.key.join("\n");
        let names = [schema, &spec.name, &key, &key].map(Value::from);
        let rows = con.query(QUESTION, &names)?;
        let is = |at: usize| rows.rows.first().and_then(|row| row[at].as_bool()).unwrap_or(false);
        let plain = |name: &String| {
            let column = there.iter().find(|column| column.name == *name);
            column.is_some_and(|column| is_plain(&column.ty))
        };
        Ok(Self { ordered: is(0) && spec.key.iter().all(plain), exact: is(1) })
    }
}

/// Types whose values are compared as those of a chunk are.
fn is_plain(ty: &str) -> bool {
    matches!(ty, "smallint" | "integer" | "bigint" | "text") || ty.starts_with("character varying")
}

/// A column of the key.
enum Cells {
    Int(Vec<i64>),
    Text(Utf8ViewArray),
}

impl Cells {
    fn of(frame: &DataFrame, name: &str) -> Option<Self> {
        let series = frame.column(name).ok()?.as_materialized_series().rechunk();
        if series.null_count() > 0 {
            return None;
        }
        match series.dtype() {
            DataType::Int32 => {
                let values = series.i32().ok()?.into_no_null_iter();
                Some(Self::Int(values.map(i64::from).collect()))
            }
            DataType::Int64 => Some(Self::Int(series.i64().ok()?.into_no_null_iter().collect())),
            DataType::String => series.str().ok()?.downcast_iter().next().cloned().map(Self::Text),
            _ => None,
        }
    }

    fn compare(&self, one: usize, other: usize) -> Ordering {
        match self {
            Self::Int(values) => values[one].cmp(&values[other]),
            Self::Text(array) => array.value(one).as_bytes().cmp(array.value(other).as_bytes()),
        }
    }

    /// Whether all rows have the same value.
    fn is_one(&self) -> bool {
        match self {
            Self::Int(values) => values.windows(2).all(|two| two[0] == two[1]),
            Self::Text(array) => (1..array.len()).all(|row| array.value(row) == array.value(0)),
        }
    }

    fn literal(&self, row: usize) -> String {
        match self {
            Self::Int(values) => values[row].to_string(),
            Self::Text(array) => text_literal(array.value(row)),
        }
    }
}

/// SQL that is true for the rows of `t` from the first to the last key of a chunk; `None` where keys are
/// of other types or missing.
pub fn between(frame: &DataFrame, key: &[String]) -> Option<String> {
    let cells: Vec<_> = key.iter().map(|name| Cells::of(frame, name)).collect::<Option<_>>()?;
    let compare = |one: usize, other: usize| {
        let orders = cells.iter().map(|cells| cells.compare(one, other));
        orders.fold(Ordering::Equal, Ordering::then)
    };
    let rows = 0..frame.height();
    let (first, last) = (
        rows.clone().min_by(|one, other| compare(*one, *other))?,
        rows.max_by(|one, other| compare(*one, *other))?,
    );
    let names: Vec<_> = key.iter().map(|name| format!("t.{}", quote(name))).collect();
    let is_one = |cells: &Cells| cells.compare(first, last).is_eq() && cells.is_one();
    if cells.iter().filter(|cells| !is_one(cells)).count() <= 1 {
        // The server compares single columns faster than tuples.
        let term = |(cells, name): (&Cells, &String)| match is_one(cells) {
            true => format!("{name} = {}", cells.literal(first)),
            false => {
                format!("{name} BETWEEN {} AND {}", cells.literal(first), cells.literal(last))
            }
        };
        return Some(cells.iter().zip(&names).map(term).collect::<Vec<_>>().join(" AND "));
    }
    let tuple = |parts: Vec<String>| format!("({})", parts.join(", "));
    let names = tuple(names);
    let values = |row: usize| tuple(cells.iter().map(|cells| cells.literal(row)).collect());
    Some(format!("{names} >= {} AND {names} <= {}", values(first), values(last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn a_span_goes_from_the_least_key_to_the_greatest() {
        let frame = df!("a" => [2i64, 1, 2], "b" => ["x", "z", "o'y"]).expect("frame");
        let key = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            between(&frame, &key).expect("plain keys"),
            "(t.\"a\", t.\"b\") >= (1, 'z') AND (t.\"a\", t.\"b\") <= (2, 'x')"
        );
        let frame = df!("a" => [2i64, 2], "b" => ["x", "z"], "c" => [7i32, 7]).expect("frame");
        let key = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(
            between(&frame, &key).expect("plain keys"),
            "t.\"a\" = 2 AND t.\"b\" BETWEEN 'x' AND 'z' AND t.\"c\" = 7"
        );
        let key = &key[..2];
        let frame = df!("a" => [Some(2i64), None], "b" => ["x", "z"]).expect("frame");
        assert_eq!(between(&frame, key), None);
    }
}
