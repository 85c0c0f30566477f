//! Other content that was loaded from the same path: a file that was corrected under its old name.

use super::prepare::Prepared;
use super::request::{Mode, Request};
use super::standing::{Relation, Wanted};
use crate::load::ledger::{InputRow, InputState, Ledger, SheetRows, has_provenance};
use crate::load::{Link, LoadError};
use crate::source::SourceOptions;
use std::collections::{BTreeMap, BTreeSet};

/// Finished loads of other content from the path of an input whose rows stand in its table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Previous {
    /// The loads, newest first.
    pub inputs: Vec<InputRow>,
    /// Their rows in the table.
    rows: u64,
    /// The newest load of an older program, with its rows: it was named alike, but the folder is not
    /// known, and so its rows are never deleted.
    vague: Option<(String, u64)>,
}

/// Looks for them. A replace takes the place of what is there anyway. Rows are counted in the table where
/// they are to be deleted, else told from the ledger.
pub fn previous(con: &dyn Link, wanted: &Wanted<'_>, counted: bool) -> Result<Previous, LoadError> {
    let mut found = Previous::default();
    if wanted.path.absolute.is_none() || wanted.input.replay || wanted.input.mode == Mode::Replace {
        return Ok(found);
    }
    let ledger = Ledger::new(con);
    for known in ledger.of_path(&wanted.path, &wanted.key)? {
        if known.state != InputState::Done || wanted.relation_of(&known) == Relation::Elsewhere {
            continue;
        }
        let rows = match counted && has_provenance(con, &wanted.key.table)? {
            true => ledger.count_leaving(&wanted.key.table, &known.row)?,
            false => ledger.rows_of(&known.row)?,
        };
        match known.is_at(&wanted.path) {
            _ if rows == 0 => {}
            true => {
                found.rows += rows;
                found.inputs.push(known.row);
            }
            false => found.vague = found.vague.take().or(Some((known.row.run, rows))),
        }
    }
    Ok(found)
}

impl Previous {
    /// A line for people; none where there is nothing to say.
    pub fn told(&self, wanted: &Wanted<'_>, replaces: bool) -> Vec<String> {
        let mut told = Vec::new();
        if let Some(newest) = self.inputs.first() {
            let by = match self.inputs.len() {
                1 => format!("run {}", newest.run),
                several => format!("{several} runs, the last of them {}", newest.run),
            };
            let what = match (replaces, wanted.input.mode) {
                (true, Mode::Append) => "; they give way to those of this file",
                (false, Mode::Append) => "; --replaces-previous deletes them",
                // Keys and ranks decide.
                _ => "",
            };
            told.push(format!(
                "this path was loaded before with other content: {} of {by} are in the table{what}",
                counted(self.rows)
            ));
        }
        if let Some((run, rows)) = &self.vague {
            told.push(format!(
                "a file named alike was loaded before with other content: {} of run {run} are in the \
                 table; an older version of etl has not stored its folder, so they stay",
                counted(*rows)
            ));
        }
        told
    }
}

/// Sheets that were loaded from the same workbooks and are not among the inputs, where whole workbooks are
/// read: each with the position of the first input of its workbook. Their rows stay.
pub fn sheets_left(
    con: &dyn Link,
    request: &Request,
    inputs: &[Prepared],
) -> Result<Vec<(usize, String)>, LoadError> {
    let SourceOptions { sheets, range, excel_table, .. } = &request.source;
    if !sheets.is_empty() || range.is_some() || excel_table.is_some() {
        return Ok(Vec::new());
    }
    let mut books: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for (at, input) in inputs.iter().enumerate().filter(|(_, input)| !input.replay) {
        if let (Some(path), Some(sheet)) = (&input.absolute_path, input.origin.sheet()) {
            books.entry(path).or_insert_with(|| (at, BTreeSet::new())).1.insert(sheet);
        }
    }
    let mut told = Vec::new();
    for (path, (at, sheets)) in books {
        let loaded = Ledger::new(con).sheets_of(path)?;
        let left = loaded.into_iter().filter(|sheet| !sheets.contains(sheet.name.as_str()));
        told.extend(left.map(|SheetRows { name, table, run, rows }| {
            let line = format!(
                "sheet {name} of this path was loaded before ({} of run {run}, into table {table}); it is not \
                 among what is read of the file now, and its rows stay",
                counted(rows)
            );
            (at, line)
        }));
    }
    Ok(told)
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".into() } else { format!("{rows} rows") }
}
