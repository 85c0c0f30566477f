//! Texts of formulas.

use super::check::{Node, Typed};
use super::coded::Coded;
use super::eval::{Cells, Unfit, Vector};
use super::pattern::Pattern;
use super::values::{Flags, TRUE, Texts, Values};
use hashbrown::HashMap;
use polars_arrow::array::{MutablePlString, Utf8ViewArray};
use std::sync::Arc;

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
            Node::Upper(one) => {
                let texts = self.texts(one)?;
                self.upper(&texts)
            }
            Node::Trim(one, set) => {
                let texts = self.texts(one)?;
                self.pieces(&texts, |text| text.trim_matches(&set[..]))
            }
            Node::Group(one, pattern, group) => {
                let texts = self.texts(one)?;
                self.groups(&texts, pattern, *group)
            }
            Node::Part(one, from, count) => {
                let texts = self.texts(one)?;
                self.pieces(&texts, |text| characters(text, *from, *count))
            }
            Node::Translate(one, table) => {
                let texts = self.texts(one)?;
                self.translated(&texts, table)
            }
            Node::Concat(parts) => {
                let parts = self.each(parts)?;
                Ok(self.concat(&parts))
            }
            Node::Joined(between, parts) => Ok(joined(rows, between, &self.each(parts)?)),
            Node::NullIf(one, text) => {
                let texts = self.texts(one)?;
                if let Texts::Coded(coded) = &texts {
                    let each = coded.each().iter().map(Option::as_deref);
                    let each = each.map(|have| have.filter(|have| have != text));
                    return Ok(Texts::coded(coded.replaced(each)));
                }
                let kept = |row| texts.get(row).filter(|have| have != text);
                Ok(Texts::from_rows((0..rows).map(kept)))
            }
            Node::Coalesce(parts) => {
                let parts = self.each(parts)?;
                let first = |row| parts.iter().find_map(|part| part.get(row));
                Ok(Texts::from_rows((0..rows).map(first)))
            }
            Node::Case(arms, other) => {
                let (arms, other) = self.arms(arms, other, Self::texts)?;
                Ok(picked(rows, &arms, &other))
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
            // Found for all rows: who asks next may look at others.
            let keys = self.within(None, |cells| cells.texts(&table.key))?;
            self.found.insert(lookup, table.find(self.rows, &keys));
        }
        let found = self.found.get(&lookup).ok_or(Unfit)?;
        table.texts(column, found).ok_or(Unfit)
    }

    /// A text made of each: of each different one where they are coded, else of those in the rows that count.
    fn made(
        &self,
        texts: &Texts,
        mut make: impl FnMut(&str, &mut String) -> Result<(), Unfit>,
    ) -> Result<Texts, Unfit> {
        let mut made = String::new();
        let mut one = |text: Option<&str>, all: &mut MutablePlString| {
            let Some(text) = text else {
                all.push_null();
                return Ok(());
            };
            made.clear();
            make(text, &mut made)?;
            all.push_value(&made);
            Ok(())
        };
        if let Texts::Coded(coded) = texts {
            let mut each = MutablePlString::with_capacity(coded.each().len());
            coded.each().iter().try_for_each(|text| one(text.as_deref(), &mut each))?;
            let each: Utf8ViewArray = each.into();
            return Ok(Texts::coded(coded.replaced(each.iter())));
        }
        let mut all = MutablePlString::with_capacity(self.rows);
        for row in 0..self.rows {
            one(texts.get(row).filter(|_| self.is_live(row)), &mut all)?;
        }
        Ok(Texts::of(all.into()))
    }

    /// What a group of a pattern holds of each text.
    fn groups(&self, texts: &Texts, pattern: &Pattern, group: usize) -> Result<Texts, Unfit> {
        self.made(texts, |text, made| {
            made.push_str(pattern.group(text, group)?);
            Ok(())
        })
    }

    /// A piece of each text.
    fn pieces(&self, texts: &Texts, piece: impl Fn(&str) -> &str) -> Result<Texts, Unfit> {
        self.made(texts, |text, made| {
            made.push_str(piece(text));
            Ok(())
        })
    }

    /// Capital letters of ASCII; the tables for others are DuckDB's.
    fn upper(&self, texts: &Texts) -> Result<Texts, Unfit> {
        self.made(texts, |text, made| {
            made.push_str(text);
            made.make_ascii_uppercase();
            if text.is_ascii() { Ok(()) } else { Err(Unfit) }
        })
    }

    /// Characters of ASCII by others; those beyond it stay as they are.
    fn translated(&self, texts: &Texts, table: &[Option<u8>]) -> Result<Texts, Unfit> {
        let by = |c: char| match table.get(c as usize) {
            Some(other) => other.map(char::from),
            None => Some(c),
        };
        self.made(texts, |text, made| {
            made.extend(text.chars().filter_map(by));
            Ok(())
        })
    }

    /// Texts one after another; unknown where one of them is.
    fn concat(&self, parts: &[Texts]) -> Texts {
        let mut made = MutablePlString::with_capacity(self.rows);
        let mut text = String::new();
        for row in 0..self.rows {
            text.clear();
            let whole = self.is_live(row)
                && parts
                    .iter()
                    .all(|part| part.get(row).map(|piece| text.push_str(piece)).is_some());
            made.push(whole.then_some(text.as_str()));
        }
        Texts::of(made.into())
    }
}

/// The text of the first arm whose condition holds. One text where something holds, which is what lists
/// are joined of, is not written out.
fn picked(rows: usize, arms: &[(Flags, Texts)], other: &Texts) -> Texts {
    if let ([(Flags::Each(flags), Texts::All(Some(text)))], Texts::All(None)) = (arms, other) {
        return Texts::Where(Arc::clone(flags), Arc::clone(text));
    }
    if let Some(coded) = picked_codes(rows, arms, other) {
        return Texts::coded(coded);
    }
    Texts::from_rows((0..rows).map(|row| {
        let arm = arms.iter().find(|(condition, _)| condition.get(row) == TRUE);
        arm.map_or(other, |(_, arm)| arm).get(row)
    }))
}

/// The same where few texts can come out.
fn picked_codes(rows: usize, arms: &[(Flags, Texts)], other: &Texts) -> Option<Coded> {
    let (mut each, mut places) = (Vec::new(), vec![0; rows]);
    let mut from = first_code(&mut each, other)?;
    add_codes(&mut places, &Flags::All(TRUE), other, from);
    // The first arm that holds is the last to have its say.
    for (condition, arm) in arms.iter().rev() {
        from = first_code(&mut each, arm)?;
        add_codes(&mut places, condition, arm, from);
    }
    Some(Coded::new(places, each))
}

/// Adds the different texts; the place of the first.
fn first_code(each: &mut Vec<Option<Box<str>>>, texts: &Texts) -> Option<u8> {
    let from = u8::try_from(each.len()).ok()?;
    match texts {
        Texts::All(text) => each.push(text.as_deref().map(Into::into)),
        Texts::Coded(coded) => each.extend_from_slice(coded.each()),
        Texts::Each(..) | Texts::Where(..) => return None,
    }
    (each.len() <= 256).then_some(from)
}

fn add_codes(places: &mut [u8], condition: &Flags, texts: &Texts, from: u8) {
    let holds = |row: usize| condition.get(row) == TRUE;
    match (texts, condition) {
        (_, Flags::All(flag)) if *flag != TRUE => {}
        (Texts::Coded(coded), _) => {
            for (row, (place, code)) in places.iter_mut().zip(coded.rows()).enumerate() {
                *place = if holds(row) { from + code } else { *place };
            }
        }
        (_, Flags::All(_)) => places.fill(from),
        (_, Flags::Each(flags)) => {
            for (place, flag) in places.iter_mut().zip(flags.iter()) {
                *place = if *flag == TRUE { from } else { *place };
            }
        }
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
    Texts::of(texts.into())
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

/// Texts one after another with a text between them; those that are NULL are left out, and of none
/// there is an empty text. Most often few of many parts are there: each row has a bit for each part.
fn joined(rows: usize, between: &str, parts: &[Texts]) -> Texts {
    let some: Vec<_> = parts.iter().filter(|part| !matches!(part, Texts::All(None))).collect();
    let bits: Vec<_> = some.chunks(64).map(|parts| present(rows, parts)).collect();
    // Of parts that are the same in all rows, the same ones come to the same text.
    let repeats =
        bits.len() == 1 && some.iter().all(|part| matches!(part, Texts::All(_) | Texts::Where(..)));
    let mut known: HashMap<u64, String> = HashMap::new();
    let mut made = MutablePlString::with_capacity(rows);
    let mut text = String::new();
    for row in 0..rows {
        if repeats && let Some(text) = known.get(&bits[0][row]) {
            made.push_value(text);
            continue;
        }
        let parts = some.chunks(64).zip(&bits).flat_map(|(parts, bits)| set_bits(bits[row], parts));
        text.clear();
        for (at, part) in parts.enumerate() {
            if at > 0 {
                text.push_str(between);
            }
            text.push_str(part.get(row).unwrap_or_default());
        }
        if repeats {
            known.insert(bits[0][row], text.clone());
        }
        made.push_value(&text);
    }
    Texts::of(made.into())
}

/// The parts whose bits are set.
fn set_bits<'t>(mut bits: u64, parts: &'t [&Texts]) -> impl Iterator<Item = &'t Texts> {
    std::iter::from_fn(move || {
        let at = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(parts[at])
    })
}

/// For each row a bit for each of at most 64 parts that has a text there.
fn present(rows: usize, parts: &[&Texts]) -> Vec<u64> {
    let mut bits = vec![0; rows];
    for (at, part) in parts.iter().enumerate() {
        match part {
            Texts::All(_) | Texts::Each(_, None) => {
                bits.iter_mut().for_each(|bits| *bits |= 1 << at)
            }
            Texts::Each(_, Some(mask)) => set(&mut bits, mask, at, 1),
            Texts::Where(flags, _) => set(&mut bits, flags, at, TRUE),
            Texts::Coded(coded) => {
                for (row, bits) in bits.iter_mut().enumerate() {
                    *bits |= u64::from(coded.get(row).is_some()) << at;
                }
            }
        }
    }
    bits
}

fn set(bits: &mut [u64], bytes: &[u8], at: usize, wanted: u8) {
    for (bits, byte) in bits.iter_mut().zip(bytes) {
        *bits |= u64::from(*byte == wanted) << at;
    }
}
