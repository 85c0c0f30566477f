//! Evaluates nodes over the columns of a chunk.

use super::check::{Arith, Compare, Node, Ty, Typed};
use super::lookup::Lookups;
use super::values::{FALSE, Flags, TRUE, Texts, UNKNOWN, Values, mask_of};
use chrono::{Datelike, NaiveDate};
use hashbrown::HashMap;
use polars::prelude::{
    BooleanChunked, ChunkTake, Column, DataFrame, DataType, Float64Chunked, IdxCa, Int32Chunked,
    Int64Chunked, IntoColumn, IntoSeries, StringChunked,
};
use polars_arrow::array::{
    ArrayCollectIterExt, BooleanArray, MutablePlString, PrimitiveArray, Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;

/// A chunk holds something that only DuckDB should decide: an overflow, a text that is no plain
/// number, a date that does not exist, letters beyond ASCII in `upper`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

/// Values of any type.
#[derive(Debug, Clone)]
pub(super) enum Vector {
    Flags(Flags),
    Wholes(Values<i64>),
    Reals(Values<f64>),
    Texts(Texts),
    Days(Values<i32>),
}

/// The columns of a chunk, each made ready once.
pub(super) struct Cells<'a> {
    frame: &'a DataFrame,
    lookups: &'a Lookups,
    rows: usize,
    ready: HashMap<String, Vector>,
    found: HashMap<usize, IdxCa>,
}

impl<'a> Cells<'a> {
    pub fn new(frame: &'a DataFrame, lookups: &'a Lookups) -> Self {
        let rows = frame.height();
        Self { frame, lookups, rows, ready: HashMap::new(), found: HashMap::new() }
    }

    /// The values of a node.
    pub fn eval(&mut self, of: &Typed) -> Result<Vector, Unfit> {
        match of.ty {
            Ty::Null => Err(Unfit),
            Ty::Flag => self.flags(of).map(Vector::Flags),
            Ty::Int | Ty::Big => self.wholes(of).map(Vector::Wholes),
            Ty::Double | Ty::Decimal => self.reals(of).map(Vector::Reals),
            Ty::Text => self.texts(of).map(Vector::Texts),
            Ty::Date => self.days(of).map(Vector::Days),
        }
    }

    fn column(&mut self, name: &str) -> Result<Vector, Unfit> {
        if let Some(vector) = self.ready.get(name) {
            return Ok(vector.clone());
        }
        let column = self.frame.column(name).map_err(|_| Unfit)?;
        let vector = vector_of(column)?;
        self.ready.insert(name.to_owned(), vector.clone());
        Ok(vector)
    }

    fn flags(&mut self, of: &Typed) -> Result<Flags, Unfit> {
        let rows = self.rows;
        Ok(match &of.node {
            Node::Null => Flags::All(UNKNOWN),
            Node::Flag(flag) => Flags::known(*flag),
            Node::Column(name) => match self.column(name)? {
                Vector::Flags(flags) => flags,
                _ => return Err(Unfit),
            },
            Node::Not(one) => self.flags(one)?.map(|flag| TRUE - flag),
            Node::And(parts) => self.fold(parts, FALSE, |a, b| a.min(b))?,
            Node::Or(parts) => self.fold(parts, TRUE, |a, b| a.max(b))?,
            Node::IsNull(one) => self.is_null(one)?,
            Node::Compare(how, left, right) => self.compare(*how, left, right)?,
            Node::Same(left, right) => {
                let equal = self.compare(Compare::Equal, left, right)?;
                let blank = self.is_null(left)?.zip(&self.is_null(right)?, u8::min);
                equal.zip(
                    &blank,
                    |equal, blank| {
                        if equal == TRUE || blank == TRUE { TRUE } else { FALSE }
                    },
                )
            }
            Node::InTexts(of, set) => self.texts(of)?.map(|text| set.contains(text)).flags(),
            Node::InWholes(of, set) => self.wholes(of)?.map(|value| set.contains(&value)).flags(),
            Node::Matches(of, pattern) => {
                self.texts(of)?.map(|text| pattern.is_match(text.as_bytes())).flags()
            }
            Node::StartsWith(of, with) => {
                let with = self.texts(with)?;
                self.texts(of)?.zip(&with, rows, |text, with| text.starts_with(with)).flags()
            }
            Node::Coalesce(parts) => {
                let mut found = Flags::All(UNKNOWN);
                for part in parts {
                    if !matches!(&found, Flags::All(FALSE | TRUE)) {
                        let next = self.flags(part)?;
                        found = found.zip(&next, |a, b| if a == UNKNOWN { b } else { a });
                    }
                }
                found
            }
            Node::Case(arms, other) => {
                let mut result = self.flags(other)?;
                for (condition, arm) in arms.iter().rev() {
                    let condition = self.flags(condition)?;
                    if !never(&condition) {
                        let arm = self.flags(arm)?;
                        result = Flags::pick(&condition, &arm, &result, rows);
                    }
                }
                result
            }
            _ => return Err(Unfit),
        })
    }

    /// AND or OR; one value that decides the whole spares the rest.
    fn fold(
        &mut self,
        parts: &[Typed],
        decides: u8,
        f: impl Fn(u8, u8) -> u8 + Copy,
    ) -> Result<Flags, Unfit> {
        let mut result = Flags::All(TRUE - decides);
        for part in parts {
            if matches!(&result, Flags::All(flag) if *flag == decides) {
                break;
            }
            result = result.zip(&self.flags(part)?, f);
        }
        Ok(result)
    }

    fn is_null(&mut self, of: &Typed) -> Result<Flags, Unfit> {
        if of.ty == Ty::Null {
            return Ok(Flags::All(TRUE));
        }
        Ok(match self.eval(of)? {
            Vector::Flags(flags) => flags.map(|flag| if flag == UNKNOWN { TRUE } else { FALSE }),
            Vector::Wholes(values) => values.is_null(),
            Vector::Reals(values) => values.is_null(),
            Vector::Texts(texts) => texts.is_null(),
            Vector::Days(values) => values.is_null(),
        })
    }

    fn compare(&mut self, how: Compare, left: &Typed, right: &Typed) -> Result<Flags, Unfit> {
        if left.ty == Ty::Null {
            return Ok(Flags::All(UNKNOWN));
        }
        let rows = self.rows;
        Ok(match (self.eval(left)?, self.eval(right)?) {
            (Vector::Wholes(a), Vector::Wholes(b)) => ordered(how, &a, &b),
            (Vector::Reals(a), Vector::Reals(b)) => {
                // NaN equals itself and is above all.
                let key = |value: f64| if value.is_nan() { (true, 0.0) } else { (false, value) };
                ordered(how, &a.map(key), &b.map(key))
            }
            (Vector::Texts(a), Vector::Texts(b)) => match how {
                Compare::Equal => a.zip(&b, rows, |a, b| a == b),
                Compare::Unequal => a.zip(&b, rows, |a, b| a != b),
                Compare::Less => a.zip(&b, rows, |a, b| a < b),
                Compare::AtMost => a.zip(&b, rows, |a, b| a <= b),
                Compare::Greater => a.zip(&b, rows, |a, b| a > b),
                Compare::AtLeast => a.zip(&b, rows, |a, b| a >= b),
            }
            .flags(),
            (Vector::Flags(a), Vector::Flags(b)) => a.zip(&b, |a, b| match (a, b) {
                (UNKNOWN, _) | (_, UNKNOWN) => UNKNOWN,
                _ => u8::from(holds(how, &a, &b)) * TRUE,
            }),
            _ => return Err(Unfit),
        })
    }

    fn wholes(&mut self, of: &Typed) -> Result<Values<i64>, Unfit> {
        let narrow = of.ty == Ty::Int;
        Ok(match &of.node {
            Node::Null => Values::All(None),
            Node::Whole(number) => Values::All(Some(*number)),
            Node::Column(name) => match self.column(name)? {
                Vector::Wholes(values) => values,
                _ => return Err(Unfit),
            },
            Node::Arith(how, left, right) => {
                let (left, right) = (self.wholes(left)?, self.wholes(right)?);
                sound(narrow, |over| match how {
                    Arith::Add => add(&left, &right, over),
                    Arith::Subtract => left.zip(&right, |a, b| noted(a.overflowing_sub(b), over)),
                    _ => left.zip(&right, |a, b| noted(a.overflowing_mul(b), over)),
                })?
            }
            Node::Abs(one) => {
                let values = self.wholes(one)?;
                sound(narrow, |over| values.map(|value| noted(value.overflowing_abs(), over)))?
            }
            Node::Length(one) => self.texts(one)?.map(characters),
            Node::ToWhole(one) => {
                let texts = self.texts(one)?;
                let mut odd = false;
                let values = texts.map(|text| {
                    plain_number(text).unwrap_or_else(|| {
                        odd = true;
                        0
                    })
                });
                if odd {
                    return Err(Unfit);
                }
                values
            }
            Node::Best(greatest, parts) => {
                let pick = |a: i64, b: i64| if *greatest { a.max(b) } else { a.min(b) };
                let parts = parts.iter().map(|part| self.wholes(part)).collect::<Result<_, _>>()?;
                best(self.rows, parts, pick)
            }
            Node::Coalesce(parts) => {
                let rows = self.rows;
                coalesce(rows, parts, |part| self.wholes(part))?
            }
            Node::Case(arms, other) => {
                let arms = self.arms(arms, |cells, arm| cells.wholes(arm))?;
                case(self.rows, &arms, self.wholes(other)?)
            }
            _ => return Err(Unfit),
        })
    }

    fn reals(&mut self, of: &Typed) -> Result<Values<f64>, Unfit> {
        Ok(match &of.node {
            Node::Null => Values::All(None),
            Node::Real(number) => Values::All(Some(*number)),
            Node::Column(name) => match self.column(name)? {
                Vector::Reals(values) => values,
                _ => return Err(Unfit),
            },
            Node::ToReal(one) => self.wholes(one)?.map(|value| value as f64),
            Node::Arith(how, left, right) => {
                let (left, right) = (self.reals(left)?, self.reals(right)?);
                match how {
                    Arith::Add => left.zip(&right, |a, b| a + b),
                    Arith::Subtract => left.zip(&right, |a, b| a - b),
                    Arith::Multiply => left.zip(&right, |a, b| a * b),
                    Arith::Divide => left.zip(&right, |a, b| a / b),
                }
            }
            Node::Abs(one) => self.reals(one)?.map(f64::abs),
            Node::Floor(one) => self.reals(one)?.map(f64::floor),
            Node::Best(greatest, parts) => {
                let pick = |a: f64, b: f64| {
                    let b_is_more = b.is_nan() || b > a;
                    if b_is_more == *greatest && !(a.is_nan() && *greatest) { b } else { a }
                };
                let parts = parts.iter().map(|part| self.reals(part)).collect::<Result<_, _>>()?;
                best(self.rows, parts, pick)
            }
            Node::Coalesce(parts) => {
                let rows = self.rows;
                coalesce(rows, parts, |part| self.reals(part))?
            }
            Node::Case(arms, other) => {
                let arms = self.arms(arms, |cells, arm| cells.reals(arm))?;
                case(self.rows, &arms, self.reals(other)?)
            }
            _ => return Err(Unfit),
        })
    }

    fn texts(&mut self, of: &Typed) -> Result<Texts, Unfit> {
        let rows = self.rows;
        Ok(match &of.node {
            Node::Null => Texts::All(None),
            Node::Text(text) => Texts::All(Some(text.as_str().into())),
            Node::Column(name) => match self.column(name)? {
                Vector::Texts(texts) => texts,
                _ => return Err(Unfit),
            },
            Node::Field(lookup, column) => self.field(*lookup, *column)?,
            Node::ToText(one) => match self.wholes(one)? {
                Values::All(value) => Texts::All(value.map(|value| value.to_string().into())),
                values => {
                    let mut number = itoa::Buffer::new();
                    let mut texts = MutablePlString::new();
                    for row in 0..rows {
                        texts.push(values.get(row).map(|value| number.format(value)));
                    }
                    Texts::Each(texts.into())
                }
            },
            Node::Upper(one) => {
                let texts = self.texts(one)?;
                if (0..rows).any(|row| texts.get(row).is_some_and(|text| !text.is_ascii())) {
                    return Err(Unfit);
                }
                let mut made = MutablePlString::new();
                (0..rows).for_each(|row| {
                    made.push(texts.get(row).map(str::to_ascii_uppercase));
                });
                Texts::Each(made.into())
            }
            Node::Trim(one, set) => {
                let texts = self.texts(one)?;
                Texts::from_rows(
                    (0..rows).map(|row| texts.get(row).map(|text| text.trim_matches(&set[..]))),
                )
            }
            Node::Concat(parts) => {
                let parts =
                    parts.iter().map(|part| self.texts(part)).collect::<Result<Vec<_>, _>>()?;
                let mut made = MutablePlString::new();
                let mut text = String::new();
                for row in 0..rows {
                    text.clear();
                    let whole = parts
                        .iter()
                        .all(|part| part.get(row).map(|piece| text.push_str(piece)).is_some());
                    made.push(whole.then_some(text.as_str()));
                }
                Texts::Each(made.into())
            }
            Node::Coalesce(parts) => {
                let parts =
                    parts.iter().map(|part| self.texts(part)).collect::<Result<Vec<_>, _>>()?;
                let first = |row| parts.iter().find_map(|part| part.get(row));
                Texts::from_rows((0..rows).map(first))
            }
            Node::Case(arms, other) => {
                let arms = self.arms(arms, |cells, arm| cells.texts(arm))?;
                let other = self.texts(other)?;
                let pick = |row| {
                    let arm = arms.iter().find(|(condition, _)| condition.get(row) == TRUE);
                    arm.map_or(&other, |(_, arm)| arm).get(row)
                };
                Texts::from_rows((0..rows).map(pick))
            }
            _ => return Err(Unfit),
        })
    }

    fn days(&mut self, of: &Typed) -> Result<Values<i32>, Unfit> {
        match &of.node {
            Node::Null => Ok(Values::All(None)),
            Node::MakeDate(year, month, day) => self.dates([year, month, day], &Flags::All(TRUE)),
            Node::Case(arms, other) => {
                // A date is made only where its condition holds: elsewhere its parts are anything.
                let [(condition, Typed { node: Node::MakeDate(year, month, day), .. })] =
                    arms.as_slice()
                else {
                    return Err(Unfit);
                };
                let condition = self.flags(condition)?;
                let (other, days) =
                    (self.days(other)?, self.dates([year, month, day], &condition)?);
                Ok(Values::pick(self.rows, &condition, &days, &other))
            }
            _ => Err(Unfit),
        }
    }

    /// Dates of year, month and day in the rows where the condition holds.
    fn dates(&mut self, parts: [&Typed; 3], condition: &Flags) -> Result<Values<i32>, Unfit> {
        let [years, months, days] = parts.map(|part| self.wholes(part));
        let (years, months, days) = (years?, months?, days?);
        let mut odd = false;
        let day = |row| {
            if condition.get(row) != TRUE {
                return None;
            }
            let found = days_of(years.get(row)?, months.get(row)?, days.get(row)?);
            odd |= found.is_none();
            found
        };
        let days = Values::from_rows((0..self.rows).map(day));
        if odd { Err(Unfit) } else { Ok(days) }
    }

    /// The rows' texts of a lookup's column.
    fn field(&mut self, lookup: usize, column: usize) -> Result<Texts, Unfit> {
        let lookups = self.lookups;
        let table = lookups.get(lookup);
        if !self.found.contains_key(&lookup) {
            let keys = self.texts(&table.key)?;
            let found = table.find((0..self.rows).map(|row| keys.get(row)));
            self.found.insert(lookup, found);
        }
        let found = self.found.get(&lookup).ok_or(Unfit)?;
        let taken = table.column(column).take(found).map_err(|_| Unfit)?;
        let array = taken.rechunk().downcast_iter().next().cloned().ok_or(Unfit)?;
        Ok(Texts::Each(array))
    }

    /// The conditions of a CASE with the values of their arms.
    fn arms<V>(
        &mut self,
        arms: &[(Typed, Typed)],
        mut value: impl FnMut(&mut Self, &Typed) -> Result<V, Unfit>,
    ) -> Result<Vec<(Flags, V)>, Unfit> {
        let mut found = Vec::new();
        for (condition, arm) in arms {
            let condition = self.flags(condition)?;
            if !never(&condition) {
                let arm = value(self, arm)?;
                found.push((condition, arm));
            }
        }
        Ok(found)
    }
}

/// True where no row fulfils the condition.
fn never(condition: &Flags) -> bool {
    matches!(condition, Flags::All(FALSE | UNKNOWN))
}

fn vector_of(column: &Column) -> Result<Vector, Unfit> {
    let blank = column.null_count() == column.len();
    let series = column.as_materialized_series().rechunk();
    Ok(match column.dtype() {
        DataType::Boolean if blank => Vector::Flags(Flags::All(UNKNOWN)),
        DataType::Int32 | DataType::Int64 if blank => Vector::Wholes(Values::All(None)),
        DataType::Float64 if blank => Vector::Reals(Values::All(None)),
        DataType::String if blank => Vector::Texts(Texts::All(None)),
        DataType::Boolean => {
            let array = series.bool().map_err(|_| Unfit)?;
            let flag = |value: Option<bool>| value.map_or(UNKNOWN, |value| u8::from(value) * TRUE);
            Vector::Flags(Flags::each(array.iter().map(flag)))
        }
        DataType::Int32 => {
            let array = series.i32().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            let values = array.values().iter().map(|value| i64::from(*value)).collect();
            Vector::Wholes(Values::Each(values, mask_of(array.validity())))
        }
        DataType::Int64 => {
            let array = series.i64().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Wholes(Values::Each(array.values().clone(), mask_of(array.validity())))
        }
        DataType::Float64 => {
            let array = series.f64().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Reals(Values::Each(array.values().clone(), mask_of(array.validity())))
        }
        DataType::String => {
            let array = series.str().map_err(|_| Unfit)?.downcast_iter().next().ok_or(Unfit)?;
            Vector::Texts(Texts::Each(array.clone()))
        }
        _ => return Err(Unfit),
    })
}

fn holds<T: PartialOrd>(how: Compare, a: &T, b: &T) -> bool {
    match how {
        Compare::Equal => a == b,
        Compare::Unequal => a != b,
        Compare::Less => a < b,
        Compare::AtMost => a <= b,
        Compare::Greater => a > b,
        Compare::AtLeast => a >= b,
    }
}

/// One loop for each comparison, so that each vectorises.
fn ordered<T: PartialOrd + Copy + Default>(how: Compare, a: &Values<T>, b: &Values<T>) -> Flags {
    match how {
        Compare::Equal => a.zip(b, |a, b| a == b),
        Compare::Unequal => a.zip(b, |a, b| a != b),
        Compare::Less => a.zip(b, |a, b| a < b),
        Compare::AtMost => a.zip(b, |a, b| a <= b),
        Compare::Greater => a.zip(b, |a, b| a > b),
        Compare::AtLeast => a.zip(b, |a, b| a >= b),
    }
    .flags()
}

/// A sum; adding nothing to a column leaves it as it is.
fn add(left: &Values<i64>, right: &Values<i64>, over: &mut bool) -> Values<i64> {
    match (left, right) {
        (values, Values::All(Some(0))) | (Values::All(Some(0)), values) => values.clone(),
        _ => left.zip(right, |a, b| noted(a.overflowing_add(b), over)),
    }
}

#[inline]
fn noted((value, beyond): (i64, bool), over: &mut bool) -> i64 {
    *over |= beyond;
    value
}

/// Whole numbers within the width of their type.
fn sound(narrow: bool, make: impl FnOnce(&mut bool) -> Values<i64>) -> Result<Values<i64>, Unfit> {
    let mut over = false;
    let values = make(&mut over);
    let fits = |value: i64| i32::try_from(value).is_ok();
    let wide = narrow
        && match &values {
            Values::All(value) => value.is_some_and(|value| !fits(value)),
            Values::Each(each, _) => each.iter().any(|value| !fits(*value)),
        };
    if over || wide { Err(Unfit) } else { Ok(values) }
}

fn coalesce<T: Copy + Default>(
    rows: usize,
    parts: &[Typed],
    mut value: impl FnMut(&Typed) -> Result<Values<T>, Unfit>,
) -> Result<Values<T>, Unfit> {
    let mut found = Values::All(None);
    for part in parts {
        if matches!(&found, Values::All(Some(_)) | Values::Each(_, None)) {
            break;
        }
        found = found.or(rows, &value(part)?);
    }
    Ok(found)
}

fn best<T: Copy + Default>(
    rows: usize,
    parts: Vec<Values<T>>,
    pick: impl Fn(T, T) -> T + Copy,
) -> Values<T> {
    let mut found = Values::All(None);
    for part in parts {
        found = match (&found, &part) {
            (Values::All(None), _) => part,
            (_, Values::All(None)) => found,
            (Values::All(Some(_)) | Values::Each(_, None), Values::All(Some(_)))
            | (Values::All(Some(_)) | Values::Each(_, None), Values::Each(_, None)) => {
                found.zip(&part, pick)
            }
            _ => Values::from_rows((0..rows).map(|row| match (found.get(row), part.get(row)) {
                (Some(a), Some(b)) => Some(pick(a, b)),
                (a, b) => a.or(b),
            })),
        };
    }
    found
}

fn case<T: Copy + Default>(
    rows: usize,
    arms: &[(Flags, Values<T>)],
    other: Values<T>,
) -> Values<T> {
    arms.iter().rev().fold(other, |no, (condition, yes)| Values::pick(rows, condition, yes, &no))
}

fn characters(text: &str) -> i64 {
    if text.is_ascii() { text.len() as i64 } else { text.chars().count() as i64 }
}

/// A number that every reading of a text agrees on.
fn plain_number(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.bytes().fold(0, |number, byte| number * 10 + i64::from(byte - b'0')))
}

fn days_of(year: i64, month: i64, day: i64) -> Option<i32> {
    let (year, month, day) =
        (i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    let plain = (1..=9999).contains(&year);
    let date = plain.then(|| NaiveDate::from_ymd_opt(year, month, day))??;
    const EPOCH: i32 = 719_163;
    Some(date.num_days_from_ce() - EPOCH)
}

/// The values as a column of a chunk.
pub(super) fn column(name: &str, rows: usize, vector: Vector, ty: Ty) -> Option<Column> {
    Some(match (vector, ty) {
        (Vector::Flags(flags), Ty::Flag) => {
            let values = (0..rows).map(|row| flags.get(row) == TRUE).collect::<Bitmap>();
            let valid = (0..rows).map(|row| flags.get(row) != UNKNOWN).collect::<Bitmap>();
            let valid = (valid.unset_bits() > 0).then_some(valid);
            let array =
                BooleanArray::new(polars_arrow::datatypes::ArrowDataType::Boolean, values, valid);
            BooleanChunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Wholes(values), Ty::Big) => {
            let array: PrimitiveArray<i64> = (0..rows).map(|row| values.get(row)).collect();
            Int64Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Wholes(values), Ty::Int) => {
            let array: PrimitiveArray<i32> =
                (0..rows).map(|row| values.get(row).map(|value| value as i32)).collect();
            Int32Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Reals(values), Ty::Double) => {
            let array: PrimitiveArray<f64> = (0..rows).map(|row| values.get(row)).collect();
            Float64Chunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Texts(texts), Ty::Text) => {
            let array: Utf8ViewArray = match texts {
                Texts::Each(array) => array,
                all => (0..rows).map(|row| all.get(row)).collect_arr(),
            };
            StringChunked::with_chunk(name.into(), array).into_column()
        }
        (Vector::Days(days), Ty::Date) => {
            let array: PrimitiveArray<i32> = (0..rows).map(|row| days.get(row)).collect();
            let days = Int32Chunked::with_chunk(name.into(), array);
            days.into_date().into_series().into_column()
        }
        _ => return None,
    })
}
