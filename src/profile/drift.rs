//! What has changed between two profiles of the same kind of file.

use super::report::{ColumnProfile, Profile};
use serde::Serialize;
use std::collections::BTreeSet;

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// The column; `None`: the table.
    pub column: Option<String>,
    /// Stable word for programs: `rows`, `missing_column`, …
    pub kind: &'static str,
    /// In a sentence.
    pub message: String,
    /// More than the ordinary from one file to the next.
    pub grave: bool,
}

/// Rows may become more or fewer by this share.
const ROWS: f64 = 0.2;
/// Cells that hold something may become more or fewer by this share of the rows.
const FILLED: f64 = 0.05;
/// The share of a value may become more or less by this.
const SHARE: f64 = 0.1;
/// The median may move by this part of the distance between the quartiles.
const MEDIAN: f64 = 0.25;
/// A shape that was not there may be this share of the cells.
const SHAPE: f64 = 0.01;

/// Changes from the earlier to the later profile: of the table, then column by column.
pub fn drift(before: &Profile, after: &Profile) -> Vec<Drift> {
    let mut found = rows(before, after);
    for column in &before.columns {
        match after.column(&column.name) {
            None => found.push(of(column, "missing_column", true, "the column is gone")),
            Some(now) => Pair { before: column, after: now }.compare(&mut found),
        }
    }
    let new = after.columns.iter().filter(|column| before.column(&column.name).is_none());
    found.extend(new.map(|column| of(column, "new_column", true, "the column is new")));
    found
}

fn of(
    column: &ColumnProfile,
    kind: &'static str,
    grave: bool,
    message: impl Into<String>,
) -> Drift {
    Drift { column: Some(column.name.clone()), kind, message: message.into(), grave }
}

fn rows(before: &Profile, after: &Profile) -> Vec<Drift> {
    let (old, new) = (before.rows, after.rows);
    let mut found = Vec::new();
    if old != new {
        let change = (new as f64 - old as f64) / (old as f64).max(1.0);
        let message = format!("{old} rows became {new} ({:+.1} %)", change * 100.0);
        found.push(Drift { column: None, kind: "rows", message, grave: change.abs() > ROWS });
    }
    for key in before.keys.iter().filter(|key| is_lost(key, after)) {
        let message = format!("{} no longer names every row", key.join(" with "));
        found.push(Drift { column: None, kind: "key", message, grave: true });
    }
    found
}

/// Whether a key is known to be none any more: not all columns are checked in a large file, and pairs only
/// where no single column is a key.
fn is_lost(key: &[String], after: &Profile) -> bool {
    match key {
        [only] => after.column(only).is_some_and(|column| column.unique == Some(false)),
        several => {
            let there = several.iter().all(|name| after.column(name).is_some());
            there && after.keys.is_empty()
        }
    }
}

struct Pair<'a> {
    before: &'a ColumnProfile,
    after: &'a ColumnProfile,
}

impl Pair<'_> {
    fn compare(&self, found: &mut Vec<Drift>) {
        let Self { before, after } = self;
        if before.ty != after.ty && before.filled > 0 && after.filled > 0 {
            let message = format!("{} became {}", before.ty, after.ty);
            found.push(of(after, "type", after.ty == "VARCHAR", message));
        }
        found.extend(self.filled());
        if after.filled > 0 && before.filled > 0 {
            self.values(found);
            found.extend(self.median());
            found.extend(self.shapes());
        }
        let known: BTreeSet<&str> = before.findings.iter().map(|f| f.kind.as_str()).collect();
        for finding in after.findings.iter().filter(|f| !known.contains(f.kind.as_str())) {
            let message = format!("new: {} ({} cells)", finding.message, finding.cells);
            let grave = !["constant", "empty", "case"].contains(&finding.kind.as_str());
            found.push(of(after, "finding", grave, message));
        }
    }

    fn filled(&self) -> Option<Drift> {
        let (old, new) = (self.before.filled_share(), self.after.filled_share());
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let grave = (old - new).abs() > FILLED;
        let first_blank = self.before.blank == 0 && self.after.blank > 0;
        (grave || first_blank).then(|| {
            let message =
                format!("filled in {} of the rows, before in {}", percent(new), percent(old));
            of(self.after, "filled", grave, message)
        })
    }

    /// Values of a short list: which came, which went, whose share has changed.
    fn values(&self, found: &mut Vec<Drift>) {
        let Self { before, after } = self;
        let whole = |column: &ColumnProfile| column.top.len() as u64 == column.distinct;
        if !whole(before) || before.is_number() && before.distinct > 5 {
            return;
        }
        let share = |column: &ColumnProfile, value: &str| {
            let top = column.top.iter().find(|top| top.value == value);
            top.map_or(0.0, |top| top.count as f64 / column.filled as f64)
        };
        let new: Vec<&str> = after
            .top
            .iter()
            .filter(|top| share(before, &top.value) == 0.0)
            .map(|top| top.value.as_str())
            .collect();
        if !new.is_empty() {
            found.push(of(after, "new_values", true, format!("new values: {}", listed(&new))));
        }
        let gone = |value: &str| whole(after) && share(after, value) == 0.0;
        let lost: Vec<&str> =
            before.top.iter().map(|top| top.value.as_str()).filter(|value| gone(value)).collect();
        if !lost.is_empty() {
            let grave = lost.iter().any(|value| share(before, value) > SHARE);
            found.push(of(after, "gone_values", grave, format!("gone: {}", listed(&lost))));
        }
        for top in before.top.iter().filter(|top| !gone(&top.value)) {
            let (old, new) = (share(before, &top.value), share(after, &top.value));
            if (old - new).abs() > SHARE {
                let (old, new) = (old * 100.0, new * 100.0);
                let value = quoted(&top.value);
                let message = format!("{value} is {new:.1} % of the values, before {old:.1} %");
                found.push(of(after, "share", true, message));
            }
        }
    }

    fn median(&self) -> Option<Drift> {
        let Self { before, after } = self;
        let (old, new) = (before.quantile(0.5)?, after.quantile(0.5)?);
        let spread = before.quantile(0.75)? - before.quantile(0.25)?;
        let moved = (new - old).abs() > MEDIAN * spread.max(old.abs() * 0.01);
        moved.then(|| of(after, "median", true, format!("the median moved from {old} to {new}")))
    }

    fn shapes(&self) -> Option<Drift> {
        let Self { before, after } = self;
        // What is not among the first of many may have been there.
        if before.is_number() || before.shapes_error > 0 || before.shapes.len() >= 20 {
            return None;
        }
        let often = |count: u64| count as f64 >= SHAPE * after.filled as f64;
        let known = |shape: &str| before.shapes.iter().any(|known| known.value == shape);
        let new = after.shapes.iter().find(|shape| often(shape.count) && !known(&shape.value))?;
        let message = format!("{} values have a new shape: {}", new.count, new.value);
        Some(of(after, "shape", true, message))
    }
}

fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

fn listed(values: &[&str]) -> String {
    let told: Vec<_> = values.iter().take(5).map(|value| quoted(value)).collect();
    let more = if values.len() > 5 { ", …" } else { "" };
    format!("{}{more}", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Place;
    use crate::profile::column::{Column, Named};
    use crate::profile::report::FORM;
    use crate::profile::sketch::Folder;

    fn profile(columns: &[(&str, Vec<String>)]) -> Profile {
        let column = |(name, texts): &(&str, Vec<String>)| {
            let cells = texts.iter().map(|text| (!text.is_empty()).then_some(text.as_str()));
            let place = |row| Place { row: row as u64 + 2, byte: None };
            let mut column = Column::default();
            column.add(Folder::default().fold(cells, texts.len(), place));
            let (name, header) = ((*name).to_owned(), name.to_uppercase());
            column.finish(Named { name, header, declared: None, unique: None })
        };
        Profile {
            form: FORM,
            input: "a.csv".into(),
            fingerprint: String::new(),
            kind: "generic".into(),
            rows: columns.first().map_or(0, |(_, texts)| texts.len() as u64),
            refused: 0,
            columns: columns.iter().map(column).collect(),
            keys: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn texts(count: usize, text: impl Fn(usize) -> String) -> Vec<String> {
        (0..count).map(text).collect()
    }

    fn kinds(before: Vec<String>, after: Vec<String>) -> Vec<&'static str> {
        let found = drift(&profile(&[("a", before)]), &profile(&[("a", after)]));
        found.iter().map(|drift| drift.kind).collect()
    }

    #[test]
    fn a_file_like_the_last_one_has_not_drifted() {
        let prices = |n: usize| (100_000 + n * 37 % 90_000).to_string();
        assert!(kinds(texts(5_000, prices), texts(5_000, |n| prices(n + 300))).is_empty());
    }

    #[test]
    fn changes_are_named() {
        let prices = |n: usize| (100_000 + n * 7_919 % 1_000 * 90).to_string();
        let cents = |n: usize| format!("{}00", prices(n));
        assert_eq!(kinds(texts(900, prices), texts(900, cents)), ["median"]);
        assert_eq!(kinds(texts(900, prices), texts(600, prices)), ["rows"]);
        let blanks = |n: usize| if n.is_multiple_of(3) { String::new() } else { prices(n) };
        assert_eq!(kinds(texts(900, prices), texts(900, blanks)), ["filled"]);
        let code = |n: usize| ["V", "I"][n % 2].to_owned();
        let other = |n: usize| ["V", "I", "X"][n % 3].to_owned();
        let found = kinds(texts(900, code), texts(900, other));
        assert_eq!(found, ["new_values", "share", "share"]);
        let word = |n: usize| if n == 5 { "unknown".into() } else { prices(n) };
        let found = kinds(texts(900, prices), texts(900, word));
        assert!(found.contains(&"type") && found.contains(&"finding"), "{found:?}");
    }

    #[test]
    fn a_key_is_lost_only_where_that_is_known() {
        let rows =
            || [("a", texts(9, |n| n.to_string())), ("b", texts(9, |n| (n % 2).to_string()))];
        let (mut before, mut after) = (profile(&rows()), profile(&rows()));
        let lost = |before: &Profile, after: &Profile| {
            drift(before, after).iter().filter(|drift| drift.kind == "key").count()
        };
        before.keys = vec![vec!["a".into()]];
        assert_eq!(lost(&before, &after), 0, "it was not checked");
        after.columns[0].unique = Some(false);
        assert_eq!(lost(&before, &after), 1);
        before.keys = vec![vec!["a".into(), "b".into()]];
        assert_eq!(lost(&before, &after), 1);
        after.keys = vec![vec!["b".into()]];
        assert_eq!(lost(&before, &after), 0, "pairs were not tried");
    }

    #[test]
    fn columns_come_and_go() {
        let before = profile(&[("a", texts(10, |n| n.to_string()))]);
        let after = profile(&[("b", texts(10, |n| n.to_string()))]);
        let found = drift(&before, &after);
        let kinds: Vec<_> =
            found.iter().map(|drift| (drift.kind, drift.column.as_deref())).collect();
        assert_eq!(kinds, [("missing_column", Some("a")), ("new_column", Some("b"))]);
    }
}
