//! Rules that the profiled rows keep, as a rule file for `--rules`.
//!
//! They say what has been so far: for a person to read, change and throw away. Ranges have room, lists
//! and patterns have none.

use super::column::written;
use super::report::{ColumnProfile, Profile};
use super::shape;
use super::sketch::WHOLE;
use crate::chunk::ColumnKind;
use crate::source::infer::fit;
use std::fmt::Write as _;

/// Values of a list, at most.
const LISTED: u64 = 20;
/// Rows for each value of a list, at least: a list of few rows says nothing.
const ROWS_A_VALUE: u64 = 20;

/// How a column stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// With the type of its cells.
    AsFound,
    /// As the text of the file, numbers too: a code or an id of a roll.
    Text,
    /// As a text that the load writes otherwise (codes get their zeros back): what it looks like in the
    /// file says nothing.
    Rewritten,
}

/// The text of a rule file. `stands` says how a column stands in the table.
pub fn propose(profile: &Profile, stands: impl Fn(&str) -> Stands) -> String {
    let mut out = format!(
        "# Proposed from {} ({} rows). Read them: they say what was so in this file, not what must\n\
         # be. Levels are warning, info, or critical, which refuses the row.\n",
        comment(&profile.input),
        profile.rows
    );
    if let Some(key) = profile.keys.first() {
        let columns: Vec<_> = key.iter().map(|name| text(name)).collect();
        rule(&mut out, "", &[("columns", list(&columns)), ("unique", "true".into())]);
    }
    let full = profile.columns.iter().filter(|column| column.blank == 0 && column.filled > 0);
    let full: Vec<_> = full.map(|column| text(&column.name)).collect();
    if !full.is_empty() {
        rule(
            &mut out,
            "",
            &[("id", text("filled")), ("columns", list(&full)), ("not_null", "true".into())],
        );
    }
    for column in profile.columns.iter().filter(|column| column.filled > 0) {
        one(&mut out, column, stands(&column.name));
    }
    out
}

fn one(out: &mut String, column: &ColumnProfile, stands: Stands) {
    let named = ("column", text(&column.name));
    if column.is_number() && stands == Stands::AsFound {
        let bounds = [&column.min, &column.max].map(|b| b.as_ref()?.parse::<f64>().ok());
        let [Some(min), Some(max)] = bounds else { return };
        let seen = format!("seen: {min} to {max}");
        let least = if min >= 0.0 { 0.0 } else { -room(-min) };
        let most = if max <= 0.0 { 0.0 } else { room(max) };
        let parts = [named, ("min", number(least)), ("max", number(most))];
        return rule(out, &seen, &parts);
    }
    if column.is_moment() && stands == Stands::AsFound {
        let kind = if column.ty == "DATE" { ColumnKind::Date } else { ColumnKind::Timestamp };
        let iso = |value: &Option<String>| iso(value.as_deref()?, kind);
        let (Some(min), Some(max)) = (iso(&column.min), iso(&column.max)) else { return };
        let days = ("# newest so far", max);
        return rule(out, &format!("{}: {}", days.0, days.1), &[named, ("min", text(&min))]);
    }
    if stands == Stands::Rewritten || (stands == Stands::AsFound && column.ty != "VARCHAR") {
        return;
    }
    let whole_list = column.distinct_exact && column.top.len() as u64 == column.distinct;
    // Of long texts only the beginning is known.
    let known = column.length.as_ref().is_some_and(|length| length.max * 4 <= WHOLE as u64);
    if known
        && whole_list
        && column.distinct <= LISTED
        && column.distinct * ROWS_A_VALUE <= column.filled
    {
        let mut values: Vec<_> = column.top.iter().map(|top| text(&top.value)).collect();
        values.sort();
        rule(out, "", &[named, ("set", list(&values))]);
    } else if let ([only], 0) = (column.shapes.as_slice(), column.shapes_error)
        && let Some(pattern) = shape::pattern(&only.value)
    {
        rule(out, "", &[named, ("pattern", text(&pattern))]);
    }
}

fn rule(out: &mut String, remark: &str, fields: &[(&str, String)]) {
    out.push_str("\n[[rule]]\n");
    if !remark.is_empty() {
        let remark = remark.trim_start_matches("# ");
        writeln!(out, "# {remark}").expect("memory takes all");
    }
    for (name, value) in fields {
        writeln!(out, "{name} = {value}").expect("memory takes all");
    }
}

/// The next 1, 2 or 5 with zeros behind it that leaves half as much again.
fn room(number: f64) -> f64 {
    let wanted = number * 1.5;
    let power = 10_f64.powf(wanted.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= wanted).unwrap_or(wanted)
}

/// A TOML number; whole ones end at 64 bits.
fn number(number: f64) -> String {
    if number.abs() < 1e15 { number.to_string() } else { format!("{number:?}") }
}

/// A day or moment as SQL reads it, however the file writes it.
fn iso(value: &str, kind: ColumnKind) -> Option<String> {
    Some(written(fit(value).measure(value)?, kind))
}

/// A TOML string.
fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

fn list(values: &[String]) -> String {
    let mut out = String::from("[");
    let mut line = 0;
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push_str(if line + value.len() > 80 { ",\n  " } else { ", " });
            line = if line + value.len() > 80 { 0 } else { line };
        }
        line += value.len() + 2;
        out.push_str(value);
    }
    out + "]"
}

fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_room() {
        for (number, expected) in [(1.0, 2.0), (7.0, 20.0), (300.0, 500.0), (40_740_000.0, 1e8)] {
            assert_eq!(room(number), expected, "{number}");
        }
    }

    #[test]
    fn bounds_can_be_read_again() {
        assert_eq!([0.0, 200.0, 0.5].map(number), ["0", "200", "0.5"]);
        for bound in [1e20, -2e18, 1e15] {
            let table: toml::Table = format!("max = {}", number(bound)).parse().expect("TOML");
            assert_eq!(table["max"].as_float(), Some(bound));
        }
        assert_eq!(iso("1/31/2025", ColumnKind::Date).as_deref(), Some("2025-01-31"));
        let moment = iso("2025-01-31 10:00:00", ColumnKind::Timestamp);
        assert_eq!(moment.as_deref(), Some("2025-01-31 10:00:00"));
    }
}
