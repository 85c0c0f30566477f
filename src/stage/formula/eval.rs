//! Evaluates nodes over the columns of a chunk.

use super::check::{Arith, Compare, Node, Ty, Typed};
use super::columns::vector_of;
use super::lookup::{Found, Lookups};
use super::pattern::Pattern;
use super::values::{FALSE, Flags, Mask, TRUE, Texts, UNKNOWN, Values};
use chrono::{Datelike, NaiveDate};
use hashbrown::HashMap;
use polars::prelude::DataFrame;

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
    pub(super) lookups: &'a Lookups,
    pub(super) rows: usize,
    ready: HashMap<String, Vector>,
    /// Rows of joined tables, by lookup.
    pub(super) found: HashMap<usize, Found>,
    /// The rows whose values count ([`super::live`]); `None`: all.
    pub(super) live: Option<Mask>,
}

impl<'a> Cells<'a> {
    pub fn new(frame: &'a DataFrame, lookups: &'a Lookups) -> Self {
        let rows = frame.height();
        Self { frame, lookups, rows, ready: HashMap::new(), found: HashMap::new(), live: None }
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

    /// Adds a column that a formula has made.
    pub fn add(&mut self, name: &str, values: &Vector) {
        self.ready.insert(name.to_owned(), values.clone());
    }

    pub(super) fn column(&mut self, name: &str) -> Result<Vector, Unfit> {
        if let Some(vector) = self.ready.get(name) {
            return Ok(vector.clone());
        }
        let column = self.frame.column(name).map_err(|_| Unfit)?;
        let vector = vector_of(column)?;
        self.ready.insert(name.to_owned(), vector.clone());
        Ok(vector)
    }

    pub(super) fn flags(&mut self, of: &Typed) -> Result<Flags, Unfit> {
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
            Node::InTexts(of, set) => {
                let texts = self.texts(of)?;
                texts.test(self.live.as_ref(), |text| set.contains(text))
            }
            Node::InWholes(of, set) => self.wholes(of)?.map(|value| set.contains(&value)).flags(),
            Node::Matches(of, pattern) => {
                let texts = self.texts(of)?;
                matching(&texts, self.live.as_ref(), pattern)?
            }
            Node::StartsWith(of, with) => {
                let (texts, with) = (self.texts(of)?, self.texts(with)?);
                texts.compare(&with, rows, |text, with| text.starts_with(with))
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
                let (arms, other) = self.arms(arms, other, Self::flags)?;
                arms.iter()
                    .rev()
                    .fold(other, |no, (condition, yes)| Flags::pick(condition, yes, &no, rows))
            }
            _ => return Err(Unfit),
        })
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
            (Vector::Texts(a), Vector::Texts(b)) => a.compare(&b, rows, |a, b| holds(how, &a, &b)),
            (Vector::Flags(a), Vector::Flags(b)) => a.zip(&b, |a, b| match (a, b) {
                (UNKNOWN, _) | (_, UNKNOWN) => UNKNOWN,
                _ => u8::from(holds(how, &a, &b)) * TRUE,
            }),
            _ => return Err(Unfit),
        })
    }

    pub(super) fn wholes(&mut self, of: &Typed) -> Result<Values<i64>, Unfit> {
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
            Node::Narrow(one) => {
                let values = self.wholes(one)?;
                sound(true, |_| values)?
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
                let (arms, other) = self.arms(arms, other, Self::wholes)?;
                case(self.rows, &arms, other)
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
                let (arms, other) = self.arms(arms, other, Self::reals)?;
                case(self.rows, &arms, other)
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
        Compare::Equal => a.test(b, |a, b| a == b),
        Compare::Unequal => a.test(b, |a, b| a != b),
        Compare::Less => a.test(b, |a, b| a < b),
        Compare::AtMost => a.test(b, |a, b| a <= b),
        Compare::Greater => a.test(b, |a, b| a > b),
        Compare::AtLeast => a.test(b, |a, b| a >= b),
    }
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
            _ => found.better(&part, rows, pick),
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

fn matching(texts: &Texts, live: Option<&Mask>, pattern: &Pattern) -> Result<Flags, Unfit> {
    let mut unfit = None;
    let matches = |text: &str| {
        pattern.matches(text).unwrap_or_else(|error| {
            unfit = Some(error);
            false
        })
    };
    let flags = texts.test(live, matches);
    unfit.map_or(Ok(flags), Err)
}

/// A number that every reading of a text agrees on.
pub(super) fn plain_number(text: &str) -> Option<i64> {
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
