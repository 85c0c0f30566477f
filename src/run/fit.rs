//! Which column of its table each column of an input goes into.
//!
//! A column of a file has a name of its own, made from its header or given by the pack. The table may call
//! it otherwise: because somebody else has made the table, or because two headers have one plain name and
//! the second one got a number. A column is looked for in this order, always among columns that no other
//! column of the file has taken:
//!
//! 1. the column that the ledger has recorded for this very header, then for a header that is the same but
//!    for case and separators;
//! 2. of the columns without a record, the one that is called as the header, then the one that is called as
//!    the column's own name, then the one whose plain form is that name.
//!
//! What is found nowhere is a new column; where its name is taken it gets a number. So a header never fills
//! a column that is recorded for another header. All inputs of a run are fitted before the first row is
//! loaded, each to the table as those before it will leave it.

use super::dates;
use super::error::RunError;
use super::names;
use super::places::{Table, Wanted};
use super::prepare::Prepared;
use super::types;
use super::widen::{Widening, widen};
use crate::load::ledger::{HeaderOf, Ledger};
use crate::load::table::TargetColumn;
use crate::load::target::Changes;
use crate::load::{Link, LoadError, LoadErrorKind};
use std::collections::HashMap;

/// The columns of an input as its table has them.
#[derive(Debug, Clone, Default)]
pub struct Fitted {
    /// Columns that the table calls otherwise: (own name, name in the table).
    pub renamed: Vec<(String, String)>,
    /// Headers to record with the columns that they go into.
    pub headers: Vec<HeaderOf>,
}

impl Fitted {
    /// The name of a column in the table.
    pub fn name<'n>(&'n self, own: &'n str) -> &'n str {
        let renamed = self.renamed.iter().find(|(known, _)| known == own);
        renamed.map_or(own, |(_, name)| name)
    }
}

/// Fits all inputs to their tables; the first that does not fit is an error.
pub fn fit_all(inputs: &mut [Prepared], con: &dyn Link, changes: Changes) -> Result<(), RunError> {
    fit(inputs, con, changes)?.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
}

/// Fits inputs to their tables. Returns those that do not fit, by their place in `inputs`.
pub fn fit(
    inputs: &mut [Prepared],
    con: &dyn Link,
    changes: Changes,
) -> Result<Vec<(usize, RunError)>, RunError> {
    let mut tables: HashMap<String, Table> = HashMap::new();
    let mut misfits = Vec::new();
    for (at, input) in inputs.iter_mut().enumerate() {
        if let Some(real) = con.find_table(&input.spec.name)? {
            input.spec.name = real;
        }
        // The user has said which columns of the table there are.
        if input.mapping.is_some() {
            continue;
        }
        let name = input.spec.name.clone();
        let table = match tables.entry(con.names().folded(&name)) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Table::of(con, &name)?)
            }
        };
        let may_add = con.is_alone() || changes.evolve;
        if let Err(error) = fit_one(input, table, may_add) {
            misfits.push((at, error));
        }
    }
    fit_types(inputs, &mut tables, con, changes)?;
    Ok(misfits)
}

/// Gives all inputs the types of their tables, in which columns become wider where the inputs need it.
fn fit_types(
    inputs: &mut [Prepared],
    tables: &mut HashMap<String, Table>,
    con: &dyn Link,
    changes: Changes,
) -> Result<(), LoadError> {
    for (folded, table) in tables {
        let is_here = |input: &&mut Prepared| {
            input.mapping.is_none() && con.names().folded(&input.spec.name) == *folded
        };
        let mut here: Vec<_> = inputs.iter_mut().filter(is_here).collect();
        let shared: Vec<&Prepared> = here.iter().map(|input| &**input).collect();
        let Some(name) = shared.first().map(|input| input.spec.name.clone()) else { continue };
        let widenings = widen(&shared, &name, table, con, changes)?;
        let earlier = match shared.iter().any(|input| !input.reading.assumed_orders.is_empty()) {
            true => Ledger::new(con).types_of(&name)?,
            false => Vec::new(),
        };
        for input in &mut here {
            dates::follow(input, &earlier);
            types::of_table(input, &table.types, &table.texts, table.rule);
            let own = |widening: &&Widening| {
                let mut columns = input.spec.columns.iter();
                columns.any(|column| column.name == widening.column)
            };
            let own: Vec<_> = widenings.iter().filter(own).cloned().collect();
            input.reading.told.extend(own.iter().map(|widening| widening.told(&name)));
            input.widenings = own;
        }
    }
    inputs.iter_mut().try_for_each(|input| types::settle_zone(input, con))
}

/// The columns of a table that headers of a plain file go into.
pub fn columns_for(
    con: &dyn Link,
    table: &str,
    headers: &[String],
) -> Result<Vec<String>, RunError> {
    let own = names::column_names(headers);
    let wanted: Vec<_> = own
        .iter()
        .zip(headers)
        .map(|(own, header)| Wanted { own, header: Some(names::of_header(header, own)) })
        .collect();
    let placed = Table::of(con, table)?.place(&wanted).map_err(|two| two.error(table))?;
    Ok(placed.into_iter().map(|placed| placed.column).collect())
}

fn fit_one(input: &mut Prepared, table: &mut Table, may_add: bool) -> Result<(), RunError> {
    let is_plain = input.kind.is_none();
    let header_of = |column: &TargetColumn| {
        let read = input.schema.columns.iter().find(|read| read.name == column.name);
        read.filter(|_| is_plain).map(|read| names::of_header(&read.header, &read.name).to_owned())
    };
    let columns: Vec<_> = input.spec.columns.iter().chain(&input.unmade).collect();
    let headers: Vec<_> = columns.iter().map(|column| header_of(column)).collect();
    let wanted: Vec<_> = columns
        .iter()
        .zip(&headers)
        .map(|(column, header)| Wanted { own: &column.name, header: header.as_deref() })
        .collect();
    let placed = table.place(&wanted).map_err(|two| two.error(&input.spec.name))?;
    refuse_wide(input, table)?;
    let mut fitted = Fitted::default();
    let mut told = Vec::new();
    for (want, place) in wanted.iter().zip(&placed) {
        if let Some(other) = place.other.as_ref().filter(|_| !may_add) {
            let label = input.origin.label();
            return Err(RunError::from(want.taken_by(other, &label, &input.spec.name)));
        }
        told.extend(want.told(place, table.rule));
        if want.own != place.column {
            fitted.renamed.push((want.own.to_owned(), place.column.clone()));
        }
        if let Some(header) = want.header {
            let record = HeaderOf { column: place.column.clone(), header: header.to_owned() };
            fitted.headers.push(record);
        }
    }
    table.take(&placed, &fitted.headers);
    fitted.headers.retain(|record| !table.recorded.contains(&record.column));
    tell(input, &fitted, told);
    rename(input, &fitted);
    input.fitted = fitted;
    Ok(())
}

/// A target has room for so many columns in a table: those of the file and those of the program.
fn refuse_wide(input: &Prepared, table: &Table) -> Result<(), RunError> {
    let Some(most) = table.rule.most_columns() else { return Ok(()) };
    let own = input.spec.all_columns().count() - input.spec.columns.len();
    let of_file = input.spec.columns.len() + input.unmade.len();
    if of_file + own <= most {
        return Ok(());
    }
    let told = format!(
        "{}: {of_file} columns of the file and {own} of etl are more than the {most} of a table of the server",
        input.origin.label()
    );
    let fewer = "leave out columns, or load into a DuckDB file, which has no such limit";
    let hint = match input.spec.minimal {
        true => fewer.to_owned(),
        false => format!("--provenance minimal keeps fewer columns of etl; or {fewer}"),
    };
    Err(LoadError::new(LoadErrorKind::Mismatch, told).with_hint(hint).into())
}

/// Replaces what was said of repeated names before the table was known.
fn tell(input: &mut Prepared, fitted: &Fitted, told: Vec<String>) {
    if fitted.renamed.is_empty() {
        return;
    }
    if input.kind.is_none() {
        input.warnings.retain(|warning| !warning.starts_with(names::REPEATED));
    }
    input.warnings.extend(told);
}

fn rename(input: &mut Prepared, fitted: &Fitted) {
    let spec = &mut input.spec;
    let columns = spec.columns.iter_mut().chain(&mut input.unmade).map(|column| &mut column.name);
    let scope = spec.scope.iter_mut().map(|(column, _)| column);
    for name in columns.chain(&mut spec.key).chain(scope) {
        if let Some((_, new)) = fitted.renamed.iter().find(|(own, _)| own == name) {
            name.clone_from(new);
        }
    }
}
