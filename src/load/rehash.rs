//! The content hash of rows as they stand in a table: whether somebody has changed a cell and left the
//! hash.
//!
//! The same sum as that of a chunk (`encode::content_hashes`), from values that any target gives.

use super::cells::gap;
use super::encode::{canonical_bits, number_hash};
use super::table::TableSpec;
use super::{Link, LoadError};
use crate::duck::{Value, quote};
use std::ops::ControlFlow;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

/// How a column's values are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Whole numbers.
    Number,
    /// Days since 1970.
    Day,
    /// Microseconds since 1970.
    Moment,
    /// Nanoseconds since 1970.
    Nanoseconds,
    Double,
    Bool,
    /// Digits as a whole number, so many of them behind the point.
    Decimal(u8),
    Text,
}

/// A column of a table whose cells are hashed anew.
pub struct Hashed {
    /// Its name.
    pub name: String,
    /// Reads it in the form in which it is hashed.
    sql: String,
    seed: u64,
    form: Form,
}

impl Hashed {
    /// `None`: the values of this type are hashed by their own text, which a target does not give.
    pub(super) fn of(name: &str, ty: &str) -> Option<Self> {
        let column = quote(name);
        let (name, seed) = (name.to_owned(), xxh3_64(name.as_bytes()));
        let (sql, form) = match ty {
            "VARCHAR" => (column, Form::Text),
            "BOOLEAN" => (column, Form::Bool),
            "DOUBLE" => (column, Form::Double),
            "BIGINT" | "INTEGER" => (column, Form::Number),
            "DATE" => {
                let days = format!("CAST({column} AS DATE) - DATE '1970-01-01'");
                (format!("CAST({days} AS BIGINT)"), Form::Day)
            }
            "TIMESTAMP" | "TIMESTAMP WITH TIME ZONE" => {
                // Whole seconds are exact in a float, as which DuckDB gives them; microseconds are not.
                let seconds =
                    format!("CAST(extract(epoch FROM date_trunc('second', {column})) AS BIGINT)");
                let micros = format!("CAST(extract(microseconds FROM {column}) AS BIGINT)");
                (format!("{seconds} * 1000000 + {micros} % 1000000"), Form::Moment)
            }
            // Of DuckDB alone.
            "TIMESTAMP_NS" => (format!("epoch_ns({column})"), Form::Nanoseconds),
            // Other sizes are of tables made by others: texts are cast for them, and hashed as texts.
            other => {
                let scale = other.strip_prefix("DECIMAL(18,")?.strip_suffix(')')?;
                (column, Form::Decimal(scale.trim().parse().ok()?))
            }
        };
        Some(Self { name, sql, seed, form })
    }

    /// What reads the column.
    pub(super) fn sql(&self) -> String {
        self.sql.clone()
    }

    /// A cell as people read it.
    pub fn shown(&self, cell: &Value) -> Value {
        match (self.form, cell.as_int()) {
            (Form::Day, Some(days)) => i32::try_from(days).map_or(Value::Int(days), Value::Date),
            (Form::Moment, Some(micros)) => Value::Timestamp(micros),
            (Form::Nanoseconds, Some(nanos)) => {
                Value::Text(crate::chunk::Moment::from_nanos(nanos, false).text())
            }
            _ => cell.clone(),
        }
    }

    /// The part of a cell in the hash of its row. `None`: the value is of another kind than its column says.
    pub fn hash(&self, value: &Value) -> Option<u128> {
        Some(match (self.form, value) {
            (_, Value::Null) => 0,
            (Form::Text, Value::Text(text)) => xxh3_128_with_seed(text.as_bytes(), self.seed),
            // The column was a narrower one of numbers when the row was loaded.
            (Form::Number, Value::Decimal { value, scale }) => {
                number_hash(i64::try_from(scaled(*value, *scale, 0)?).ok()? as u64, self.seed)
            }
            (Form::Number | Form::Decimal(_), Value::Text(text)) => {
                let (value, scale) = decimal(text)?;
                self.hash(&Value::Decimal { value, scale })?
            }
            (Form::Number | Form::Day | Form::Moment | Form::Nanoseconds, value) => {
                number_hash(value.as_int()? as u64, self.seed)
            }
            (Form::Double, Value::Double(value)) => number_hash(canonical_bits(*value), self.seed),
            (Form::Bool, Value::Bool(value)) => number_hash(u64::from(*value), self.seed),
            (Form::Decimal(wanted), Value::Decimal { value, scale }) => {
                decimal_hash(scaled(*value, *scale, wanted)?, self.seed)
            }
            _ => return None,
        })
    }
}

fn decimal_hash(digits: i128, seed: u64) -> u128 {
    xxh3_128_with_seed(&digits.to_le_bytes(), seed)
}

/// The digits of a decimal with as many of them behind its point as are wanted. `None`: some would be lost.
fn scaled(value: i128, scale: u8, wanted: u8) -> Option<i128> {
    let power = |digits: u8| 10i128.checked_pow(u32::from(digits));
    match wanted.checked_sub(scale) {
        Some(more) => value.checked_mul(power(more)?),
        None => {
            let less = power(scale - wanted)?;
            (value % less == 0).then_some(value / less)
        }
    }
}

/// A decimal and how many of its digits stand behind the point, from a text that a database makes of it: `-12.50`.
fn decimal(text: &str) -> Option<(i128, u8)> {
    let number = text.strip_prefix('-').unwrap_or(text);
    let (head, tail) = number.split_once('.').unwrap_or((number, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = head == "0" || !head.starts_with('0');
    let sound = !head.is_empty() && is_plain && are_digits(head) && are_digits(tail);
    let value: i128 = format!("{head}{tail}").parse().ok().filter(|_| sound)?;
    Some((if number == text { value } else { -value }, u8::try_from(tail.len()).ok()?))
}

/// Row numbers of an input's rows whose content is not what their hash says: how many, and the first
/// few. `None`: the table has columns of other types. `not_compared`: columns that are in no hash.
pub fn altered(
    con: &dyn Link,
    spec: &TableSpec,
    not_compared: &[String],
    own: &[Value],
    few: usize,
) -> Result<Option<(u64, Vec<u64>)>, LoadError> {
    let Some(hashed) = hashed(spec, not_compared) else { return Ok(None) };
    let condition = "_etl_run = ? AND _etl_source = ?";
    let sql = question(&hashed, &con.table(&spec.name), condition);
    let (mut count, mut rows) = (0, Vec::new());
    con.query_each(&sql, own, &mut |_, found| {
        for row in &found {
            if sum(&hashed, row).map(Value::Uuid).as_ref() != Some(&row[1]) {
                count += 1;
                let place = row[0].as_int().and_then(|row| u64::try_from(row).ok());
                rows.extend(place.filter(|_| rows.len() < few));
            }
        }
        ControlFlow::Continue(())
    })?;
    rows.sort_unstable();
    Ok(Some((count, rows)))
}

/// Compares the content of some rows of a table with their hash.
pub struct Spots {
    hashed: Vec<Hashed>,
    table: String,
}

impl Spots {
    /// `None` where the table has no hash, or one that cannot be made of what a target gives.
    pub fn of(spec: &TableSpec, not_compared: &[String]) -> Option<Self> {
        let has_hash = spec.all_columns().any(|(name, _)| name == "_etl_hash");
        let hashed = hashed(spec, not_compared).filter(|_| has_hash)?;
        Some(Self { hashed, table: spec.name.clone() })
    }

    /// SQL for some rows of a table.
    pub fn question(&self, table: &str, condition: &str) -> String {
        question(&self.hashed, table, condition)
    }

    /// Looks at the rows that answer it. A difference is an error that names the row, and the columns
    /// where two have changed places.
    pub fn check(&self, rows: &[Vec<Value>]) -> Result<(), LoadError> {
        for row in rows {
            let (Some(sum), Value::Uuid(stored)) = (sum(&self.hashed, row), &row[1]) else {
                continue;
            };
            if sum == *stored {
                continue;
            }
            let which = match exchanged(&self.hashed, &row[2..], stored.wrapping_sub(sum)) {
                Some((a, b)) => format!("columns {a} and {b} have changed places"),
                None => "its cells are not those that were handed over".into(),
            };
            return Err(gap(format!("row {} in table {}: {which}", row[0], self.table)));
        }
        Ok(())
    }
}

/// The columns that the hash of a row is made of; `None` where one of them cannot be hashed here.
fn hashed(spec: &TableSpec, not_compared: &[String]) -> Option<Vec<Hashed>> {
    let columns = spec.columns.iter().map(|column| (column.name.as_str(), column.ty.as_str()));
    columns
        .chain([("_extra", "VARCHAR")])
        .filter(|(name, _)| !not_compared.iter().any(|left_out| left_out == name))
        .map(|(name, ty)| Hashed::of(name, ty))
        .collect()
}

/// SQL for row number, hash and hashed columns of some rows.
fn question(hashed: &[Hashed], table: &str, condition: &str) -> String {
    let names: Vec<_> = hashed.iter().map(|column| column.sql.as_str()).collect();
    format!("SELECT _etl_row, _etl_hash, {} FROM {table} WHERE {condition}", names.join(", "))
}

/// The hash of a row that answers the question.
fn sum(hashed: &[Hashed], row: &[Value]) -> Option<u128> {
    hashed.iter().zip(&row[2..]).try_fold(0u128, |sum, (column, value)| {
        column.hash(value).map(|hash| sum.wrapping_add(hash))
    })
}

/// Two columns whose exchange explains by how much the hash of a row differs.
fn exchanged<'h>(hashed: &'h [Hashed], row: &[Value], missing: u128) -> Option<(&'h str, &'h str)> {
    let cells: Vec<_> = hashed.iter().zip(row).collect();
    cells.iter().enumerate().find_map(|(at, (one, here))| {
        cells[at + 1..].iter().find_map(|(other, there)| {
            let now = one.hash(here)?.wrapping_add(other.hash(there)?);
            let then = one.hash(there)?.wrapping_add(other.hash(here)?);
            (here != there && then.wrapping_sub(now) == missing)
                .then_some((one.name.as_str(), other.name.as_str()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::encode::content_hashes;
    use polars::prelude::*;

    #[test]
    fn rows_of_a_column_that_became_wider_keep_their_hash() {
        let hash = |ty: &str, value: Value| Hashed::of("p", ty).expect("known").hash(&value);
        let text = |text: &str| Value::from(text);
        let decimal = |value, scale| Value::Decimal { value, scale };
        let whole = hash("INTEGER", Value::Int(-10));
        assert!(whole.is_some());
        for same in [text("-10"), text("-10.0"), decimal(-10, 0), decimal(-1000, 2)] {
            assert_eq!(hash("INTEGER", same), whole);
        }
        let cents = hash("DECIMAL(18,1)", decimal(125, 1));
        for same in [decimal(1250, 2), text("12.5"), text("12.50")] {
            assert_eq!(hash("DECIMAL(18,1)", same), cents);
        }
        // What somebody has changed is no number of that column, or another one.
        for other in [text("-010"), text("- 10"), text("+10"), text("-10.5"), text(""), text("x")] {
            assert_ne!(hash("INTEGER", other), whole);
        }
        for other in [decimal(1251, 2), text("12.51"), text("012.5"), text("12.5 ")] {
            assert_ne!(hash("DECIMAL(18,1)", other), cents);
        }
    }

    #[test]
    fn values_of_a_target_hash_as_those_of_a_chunk() {
        let day = DateChunked::from_naive_date(
            "d".into(),
            [chrono::NaiveDate::from_ymd_opt(2024, 2, 29).expect("a date")],
        );
        let mut frame =
            df!("t" => ["x"], "n" => [-5i32], "b" => [7i64], "f" => [-0.0], "o" => [true])
                .expect("a frame");
        frame.with_column(day.into_column()).expect("as long");
        let values = [
            ("t", "VARCHAR", Value::from("x")),
            ("n", "INTEGER", Value::Decimal { value: -5, scale: 0 }),
            ("b", "BIGINT", Value::Int(7)),
            ("f", "DOUBLE", Value::Double(0.0)),
            ("o", "BOOLEAN", Value::Bool(true)),
            ("d", "DATE", Value::Int(19_782)),
            ("e", "VARCHAR", Value::Null),
        ];
        let sum = values.iter().fold(0u128, |sum, (name, ty, value)| {
            let column = Hashed::of(name, ty).expect("a known type");
            sum.wrapping_add(column.hash(value).expect("of its type"))
        });
        assert_eq!(content_hashes(&frame), [sum]);
    }

    #[test]
    fn a_decimal_hashes_alike_whatever_a_column_adds_behind_the_point() {
        let column = Hashed::of("p", "DECIMAL(18,2)").expect("a known type");
        let of = |value, scale| column.hash(&Value::Decimal { value, scale });
        assert_eq!(of(150, 2), of(15_000, 4));
        assert_eq!(of(150, 2), of(15, 1));
        assert_ne!(of(150, 2), of(151, 2));
        assert!(Hashed::of("x", "TIME").is_none());
    }
}
