//! Texts of formulas.

use super::check::{Node, Typed};
use super::eval::{Cells, Unfit, Vector};
use super::values::{TRUE, Texts, Values};
use polars::prelude::ChunkTake;
use polars_arrow::array::MutablePlString;

impl Cells<'_> {
    pub(super) fn texts(&mut self, of: &Typed) -> Result<Texts, Unfit> {
        let rows = self.rows;
        match &of.node {
            Node::Null => Ok(Texts::All(None)),
            Node::Text(text) => Ok(Texts::All(Some(text.as_str().into()))),
            Node::Column(name) => match self.column(name)? {
                Vector::Texts(texts) => Ok(texts),
                _ => Err(Unfit),
            },
            Node::Field(lookup, column) => self.field(*lookup, *column),
            Node::ToText(one) => Ok(written(rows, &self.wholes(one)?)),
            Node::Upper(one) => upper(rows, &self.texts(one)?),
            Node::Trim(one, set) => {
                let texts = self.texts(one)?;
                let trimmed = |row| texts.get(row).map(|text| text.trim_matches(&set[..]));
                Ok(Texts::from_rows((0..rows).map(trimmed)))
            }
            Node::Group(one, pattern, group) => {
                let texts = self.texts(one)?;
                let mut made = MutablePlString::new();
                for row in 0..rows {
                    let found = texts.get(row).map(|text| pattern.group(text, *group));
                    made.push(found.transpose()?);
                }
                Ok(Texts::Each(made.into()))
            }
            Node::Part(one, from, count) => {
                let texts = self.texts(one)?;
                let part = |row| texts.get(row).map(|text| characters(text, *from, *count));
                Ok(Texts::from_rows((0..rows).map(part)))
            }
            Node::Translate(one, table) => translated(rows, &self.texts(one)?, table),
            Node::Concat(parts) => Ok(concat(rows, &self.each(parts)?)),
            Node::Joined(between, parts) => Ok(joined(rows, between, &self.each(parts)?)),
            Node::NullIf(one, text) => {
                let texts = self.texts(one)?;
                let kept = |row| texts.get(row).filter(|have| have != text);
                Ok(Texts::from_rows((0..rows).map(kept)))
            }
            Node::Coalesce(parts) => {
                let parts = self.each(parts)?;
                let first = |row| parts.iter().find_map(|part| part.get(row));
                Ok(Texts::from_rows((0..rows).map(first)))
            }
            Node::Case(arms, other) => {
                let arms = self.arms(arms, |cells, arm| cells.texts(arm))?;
                let other = self.texts(other)?;
                let pick = |row| {
                    let arm = arms.iter().find(|(condition, _)| condition.get(row) == TRUE);
                    arm.map_or(&other, |(_, arm)| arm).get(row)
                };
                Ok(Texts::from_rows((0..rows).map(pick)))
            }
            _ => Err(Unfit),
        }
    }

    fn each(&mut self, parts: &[Typed]) -> Result<Vec<Texts>, Unfit> {
        parts.iter().map(|part| self.texts(part)).collect()
    }

    /// A column of the table that a lookup joins.
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
}

/// Whole numbers in decimal.
fn written(rows: usize, values: &Values<i64>) -> Texts {
    if let Values::All(value) = values {
        return Texts::All(value.map(|value| value.to_string().into()));
    }
    let mut number = itoa::Buffer::new();
    let mut texts = MutablePlString::new();
    for row in 0..rows {
        texts.push(values.get(row).map(|value| number.format(value)));
    }
    Texts::Each(texts.into())
}

/// Capital letters of ASCII; the tables for others are DuckDB's.
fn upper(rows: usize, texts: &Texts) -> Result<Texts, Unfit> {
    if (0..rows).any(|row| texts.get(row).is_some_and(|text| !text.is_ascii())) {
        return Err(Unfit);
    }
    let mut made = MutablePlString::new();
    for row in 0..rows {
        made.push(texts.get(row).map(str::to_ascii_uppercase));
    }
    Ok(Texts::Each(made.into()))
}

/// Texts one after another; unknown where one of them is.
fn concat(rows: usize, parts: &[Texts]) -> Texts {
    let mut made = MutablePlString::new();
    let mut text = String::new();
    for row in 0..rows {
        text.clear();
        let whole =
            parts.iter().all(|part| part.get(row).map(|piece| text.push_str(piece)).is_some());
        made.push(whole.then_some(text.as_str()));
    }
    Texts::Each(made.into())
}

/// Some characters of a text.
fn characters(text: &str, from: usize, count: usize) -> &str {
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let Some(start) = starts.nth(from) else { return "" };
    let end = match count {
        0 => start,
        count => starts.nth(count - 1).unwrap_or(text.len()),
    };
    &text[start..end]
}

fn translated(rows: usize, texts: &Texts, table: &[Option<u8>]) -> Result<Texts, Unfit> {
    let mut made = MutablePlString::new();
    let mut bytes = Vec::new();
    for row in 0..rows {
        let Some(text) = texts.get(row) else {
            made.push_null();
            continue;
        };
        bytes.clear();
        // Bytes beyond ASCII stay as they are, and with them their characters.
        let by = |byte: u8| table.get(usize::from(byte)).map_or(Some(byte), |other| *other);
        bytes.extend(text.bytes().filter_map(by));
        made.push(Some(std::str::from_utf8(&bytes).map_err(|_| Unfit)?));
    }
    Ok(Texts::Each(made.into()))
}

/// Texts one after another with a text between them; those that are NULL are left out, and of none
/// there is an empty text.
fn joined(rows: usize, between: &str, parts: &[Texts]) -> Texts {
    let some: Vec<_> = parts.iter().filter(|part| !matches!(part, Texts::All(None))).collect();
    let mut made = MutablePlString::with_capacity(rows);
    let mut text = String::new();
    for row in 0..rows {
        text.clear();
        let mut first = true;
        for part in some.iter().filter_map(|part| part.get(row)) {
            if !std::mem::take(&mut first) {
                text.push_str(between);
            }
            text.push_str(part);
        }
        made.push_value(&text);
    }
    Texts::Each(made.into())
}
