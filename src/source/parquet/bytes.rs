//! Columns of bytes that no annotation calls text: they are text where all of their values are valid
//! UTF-8, and hexadecimal digits where one is not.

use super::elements::Column;
use super::types::{Reading, Select};
use super::{explain, scan};
use crate::duck::{Connection, Value};
use crate::source::{SourceError, SourceErrorKind};
use std::path::Path;

/// Questions asked of each column.
const QUESTIONS: usize = 6;

/// What the values of a column are.
struct Found {
    /// Values that are no nulls.
    values: i64,
    /// Those that are not valid UTF-8.
    not_utf8: i64,
    /// Those that hold NUL, beside NULs that fill a fixed length.
    nul: i64,
    /// Those that NULs fill up to a fixed length.
    filled: i64,
    /// Those that hold control characters, beside tabs, line ends and NULs at the end.
    control: i64,
    /// The first bytes of a value that is no text, in hexadecimal digits.
    example: String,
}

/// Decides how the columns of bytes are read; returns what the user is to be told of them.
pub fn refine(
    connection: &Connection,
    path: &Path,
    columns: &[Column],
    readings: &mut [Reading],
    label: &str,
) -> Result<Vec<String>, SourceError> {
    let bytes = |(at, reading): (usize, &Reading)| {
        let bare = columns.get(at).is_some_and(|column| column.bare);
        (reading.select == Select::Hex && bare).then_some(at)
    };
    let asked: Vec<_> = readings.iter().enumerate().filter_map(bytes).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let picks: Vec<_> = asked.iter().map(|at| questions(*at, columns[*at].fixed)).collect();
    let from = scan(path, readings.len())
        .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, label, message))?;
    let answer = connection
        .query(&format!("SELECT {} FROM {from}", picks.join(", ")), &[])
        .map_err(|error| explain(label, &error))?;
    let mut notes = Vec::new();
    let row = answer.rows.first().map(Vec::as_slice).unwrap_or_default();
    for (at, cells) in asked.into_iter().zip(row.chunks(QUESTIONS)) {
        let (found, column) = (Found::of(cells), &columns[at]);
        if let Some(why) = found.no_text(column.fixed) {
            notes.push(format!(
                "column \"{}\" holds bytes and no text: {why}; it is loaded as hexadecimal digits",
                crate::chunk::quotable(&column.name)
            ));
            continue;
        }
        readings[at].select = if column.fixed { Select::FixedText } else { Select::Utf8 };
        if found.filled > 0 {
            notes.push(format!(
                "column \"{}\" has a fixed length in bytes: the NUL bytes that fill {} of its {} \
                 values are left out",
                crate::chunk::quotable(&column.name),
                found.filled,
                found.values,
            ));
        }
    }
    Ok(notes)
}

/// The SQL that answers what [`Found`] holds.
fn questions(at: usize, fixed: bool) -> String {
    let text = format!("TRY(decode(c{at}))");
    let inner = if fixed { format!("rtrim({text}, chr(0))") } else { text.clone() };
    let no_text = format!("{text} IS NULL OR contains({inner}, chr(0))");
    let filled = if fixed { format!("ends_with({text}, chr(0))") } else { "false".to_owned() };
    let control = "'[\\x01-\\x08\\x0B\\x0C\\x0E-\\x1F]'";
    format!(
        "count(c{at}), \
         count(*) FILTER (c{at} IS NOT NULL AND {text} IS NULL), \
         count(*) FILTER (contains({inner}, chr(0))), \
         count(*) FILTER ({filled}), \
         count(*) FILTER (regexp_matches({inner}, {control})), \
         any_value(hex(c{at}[1:16])) FILTER (c{at} IS NOT NULL AND ({no_text}))"
    )
}

impl Found {
    fn of(cells: &[Value]) -> Self {
        let number = |at: usize| cells.get(at).and_then(Value::as_int).unwrap_or(0);
        let example = cells.get(5).and_then(Value::as_text).unwrap_or_default().to_owned();
        Self {
            values: number(0),
            not_utf8: number(1),
            nul: number(2),
            filled: number(3),
            control: number(4),
            example,
        }
    }

    /// Why the values are no text. Numbers are often written as a few bytes with NULs around; such bytes
    /// are valid UTF-8 by chance.
    fn no_text(&self, fixed: bool) -> Option<String> {
        let Self { values, not_utf8, nul, filled, control, example } = self;
        if *not_utf8 > 0 {
            return Some(format!(
                "{not_utf8} of its {values} values are not valid UTF-8, such as the one that begins \
                 with {example}"
            ));
        }
        if *nul > 0 {
            return Some(format!(
                "{nul} of its {values} values hold NUL, such as the one that begins with {example}"
            ));
        }
        let by_chance = fixed && *filled > 0 && *control > 0;
        by_chance.then(|| format!("{control} of its {values} values hold control characters"))
    }
}
