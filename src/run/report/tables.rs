//! Completeness and validity of the columns of a run's tables.

use super::charts::charts;
use super::enriched;
use super::{columns_of, rows_of};
use crate::chunk::Severity;
use crate::duck::{Value, quote};
use crate::load::Link;
use crate::load::table::PROVENANCE;
use crate::pack::{Kind, Pack};
use crate::report::{ColumnReport, TableReport};
use crate::run::error::RunError;
use crate::run::names::column_names;
use crate::run::summary::{InputSummary, Summary};

/// A table as a question names it: those of its rows that bear the run.
pub struct Asked<'a> {
    /// The connection.
    pub con: &'a dyn Link,
    /// `table WHERE …`.
    pub from: String,
    /// Values of the condition.
    pub values: Vec<Value>,
    /// Business columns with their types.
    pub columns: Vec<(String, String)>,
    /// What the pack knows of it.
    pub kind: Option<&'a Kind>,
}

impl Asked<'_> {
    /// The answer to a question over the rows; `{from}` stands for them.
    pub fn rows(&self, question: &str) -> Result<Vec<Vec<Value>>, RunError> {
        let sql = question.replace("{from}", &self.from);
        Ok(self.con.query(&sql, &self.values)?.rows)
    }

    /// Name in words and unit of a column.
    pub fn words(&self, name: &str) -> (String, String) {
        let known = self.kind.and_then(|kind| kind.column(name));
        known.map(|(_, column)| (column.label.clone(), column.unit.clone())).unwrap_or_default()
    }
}

/// The tables that the run's inputs went into, as far as they are still there.
pub fn tables(
    con: &dyn Link,
    summary: &Summary,
    pack: &Pack,
) -> Result<Vec<TableReport>, RunError> {
    let mut names: Vec<&str> = Vec::new();
    for input in &summary.inputs {
        if !names.contains(&input.table.as_str()) {
            names.push(&input.table);
        }
    }
    let mut tables = Vec::new();
    for name in names {
        let inputs = summary.inputs.iter().filter(|input| input.table == name);
        let inputs: Vec<_> = inputs.collect();
        if let Some(found) = columns_of(con, name)? {
            tables.push(table(con, &summary.run, name, found, &inputs, pack)?);
        }
    }
    Ok(tables)
}

fn table(
    con: &dyn Link,
    run: &str,
    name: &str,
    found: Vec<(String, String)>,
    inputs: &[&InputSummary],
    pack: &Pack,
) -> Result<TableReport, RunError> {
    let table = con.table(name);
    let all_rows = con.number(&format!("SELECT count(*) FROM {table}"), &[])?;
    // Rows that were loaded before belong to the run that did it.
    let mut runs: Vec<&str> =
        inputs.iter().map(|input| input.already_loaded_by.as_deref().unwrap_or(run)).collect();
    runs.sort_unstable();
    runs.dedup();
    let bears = found.iter().any(|(column, _)| column == "_etl_run");
    let (from, values) = if bears {
        let marks = vec!["?"; runs.len()].join(", ");
        let values = runs.into_iter().map(Value::from).collect();
        (format!("{table} WHERE _etl_run IN ({marks})"), values)
    } else {
        (format!("{table} WHERE 1 = 1"), Vec::new())
    };
    let ours = |column: &&(String, String)| {
        column.0 != "_extra" && !PROVENANCE.iter().any(|(name, _)| *name == column.0)
    };
    let columns: Vec<_> = found.iter().filter(ours).cloned().collect();
    let kind = inputs.iter().find_map(|input| pack.kind(&input.kind));
    let asked = Asked { con, from, values, columns, kind };
    let (rows, filled) = filled(&asked)?;
    let columns = asked.columns.iter().zip(filled);
    let columns = columns.map(|((column, ty), filled)| {
        let (refused, doubtful) = blamed(column, kind, inputs);
        let label = asked.words(column).0;
        ColumnReport { name: column.clone(), label, ty: ty.clone(), filled, refused, doubtful }
    });
    let columns = columns.collect();
    let insight = kind.and_then(|kind| pack.insight.kind(&kind.id));
    let charts = if rows == 0 { Vec::new() } else { charts(&asked, insight, rows)? };
    let (lookups, places) = (enriched::lookups(&asked, pack)?, enriched::places(&asked)?);
    Ok(TableReport { name: name.to_owned(), rows, all_rows, columns, charts, lookups, places })
}

/// Rows, and for each column those with a value: one pass over the table.
fn filled(asked: &Asked<'_>) -> Result<(u64, Vec<u64>), RunError> {
    let counts = asked.columns.iter().map(|(name, _)| format!(", count({})", quote(name)));
    let question = format!("SELECT count(*){} FROM {{from}}", counts.collect::<String>());
    let rows = asked.rows(&question)?;
    let all: Vec<u64> =
        rows.first().map(|row| row.iter().map(rows_of).collect()).unwrap_or_default();
    let (rows, counts) = all.split_first().map_or((0, &[][..]), |(rows, counts)| (*rows, counts));
    Ok((rows, counts.to_vec()))
}

/// Rows refused because of a column, and findings about it in loaded rows. Findings name a column as the
/// source does.
fn blamed(column: &str, kind: Option<&Kind>, inputs: &[&InputSummary]) -> (u64, u64) {
    let known = kind.and_then(|kind| kind.column(column)).map(|(_, column)| column);
    let is_it = |header: &str| {
        let is = |name: &String| name.eq_ignore_ascii_case(header.trim());
        let by_pack = known.is_some_and(|known| is(&known.source) || known.aliases.iter().any(is));
        // A table of no kind names its columns by their headers.
        let plain = || column_names(&[header.to_owned()]).concat() == column;
        header.eq_ignore_ascii_case(column) || by_pack || known.is_none() && plain()
    };
    let mut sums = (0, 0);
    let problems = inputs.iter().flat_map(|input| &input.problems);
    for problem in problems.filter(|problem| is_it(&problem.column)) {
        match problem.severity {
            Severity::Critical => sums.0 += problem.count,
            Severity::Warning => sums.1 += problem.count,
            Severity::Info => {}
        }
    }
    sums
}
