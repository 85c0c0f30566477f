//! Placeholders in braces: code lists in rule expressions, values in messages.
//!
//! `{use_codes where improved = 'improved'}` becomes `['001', '002', …]`. Written out once, when the
//! pack is read: as a subquery each list would be a join that drags every column of the chunk along.

use super::model::CodeTable;

/// Calls `part` for the inside of each `{…}` that begins with a lower-case letter and puts what it
/// returns in its place; `None` leaves the text as it is. So `[0-9]{3}` is never touched.
pub(super) fn fill(text: &str, mut part: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let inside = from.find('}').map(|close| (&from[1..close], &from[close + 1..]));
        let found = inside.filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_lowercase()));
        match found.and_then(|(name, after)| part(name).map(|value| (value, after))) {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The names in braces, in order.
pub(super) fn placeholders(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    fill(text, |name| {
        names.push(name.to_owned());
        None
    });
    names
}

/// Writes out the code lists of an expression, or says which one cannot be.
pub(super) fn code_lists(sql: &str, tables: &[CodeTable]) -> Result<String, String> {
    let mut wrong = None;
    let out = fill(sql, |inside| match code_list(inside, tables) {
        // Stands for the name of a column, in `each`.
        _ if inside == "column" => None,
        // The year is known when there is a file.
        Ok(_) if inside.ends_with(IN_YEAR) => None,
        Ok(list) => Some(list),
        Err(what) => {
            wrong.get_or_insert(what);
            None
        }
    });
    wrong.map_or(Ok(out), Err)
}

/// Marks a list of the codes that were there in the roll's year.
const IN_YEAR: &str = " in $roll_year";
/// Column with the first year of a code; blank: always.
const FROM_YEAR: &str = "from_year";

/// Writes out the code lists of a year; what is no such list stays. The pack was checked before.
pub(super) fn of_year(sql: &str, tables: &[CodeTable], year: Option<u16>) -> String {
    fill(sql, |inside| {
        let name = inside.strip_suffix(IN_YEAR)?;
        let table = tables.iter().find(|table| table.name == name.trim())?;
        let at = table.column(FROM_YEAR)?;
        let there = |row: &&Vec<String>| match (row[at].parse::<u16>(), year) {
            (Ok(from), Some(year)) => from <= year,
            _ => true,
        };
        Some(listed(table.rows.iter().filter(there)))
    })
}

fn listed<'a>(rows: impl Iterator<Item = &'a Vec<String>>) -> String {
    let codes: Vec<_> = rows.map(|row| format!("'{}'", row[0].replace('\'', "''"))).collect();
    format!("[{}]", codes.join(", "))
}

fn code_list(inside: &str, tables: &[CodeTable]) -> Result<String, String> {
    if let Some(name) = inside.strip_suffix(IN_YEAR) {
        let table = tables.iter().find(|table| table.name == name.trim());
        let known = table.is_some_and(|table| table.column(FROM_YEAR).is_some());
        let wrong = || format!("{{{inside}}} names no code table with a column {FROM_YEAR}");
        return known.then(String::new).ok_or_else(wrong);
    }
    let (name, condition) = match inside.split_once(" where ") {
        Some((name, condition)) => (name.trim(), Some(condition)),
        None => (inside.trim(), None),
    };
    let table = tables
        .iter()
        .find(|t| t.name == name)
        .ok_or_else(|| format!("{{{inside}}} names no code table"))?;
    let wanted = condition.map_or(Ok(Vec::new()), |c| parse_condition(c, table))?;
    let chosen = |row: &&Vec<String>| wanted.iter().all(|(column, value)| row[*column] == *value);
    if !table.rows.iter().any(|row| chosen(&row)) {
        return Err(format!("{{{inside}}} selects no code"));
    }
    Ok(listed(table.rows.iter().filter(chosen)))
}

fn parse_condition(text: &str, table: &CodeTable) -> Result<Vec<(usize, String)>, String> {
    let mut wanted = Vec::new();
    for term in text.split(" and ") {
        let (column, value) = term
            .split_once('=')
            .ok_or_else(|| format!("'{term}' should read: column = 'value'"))?;
        let place = table.column(column.trim()).ok_or_else(|| {
            format!("code table {} has no column '{}'", table.name, column.trim())
        })?;
        let value = value
            .trim()
            .strip_prefix('\'')
            .and_then(|v| v.strip_suffix('\''))
            .ok_or_else(|| format!("the value in '{term}' should be in single quotes"))?;
        wanted.push((place, value.to_owned()));
    }
    Ok(wanted)
}
