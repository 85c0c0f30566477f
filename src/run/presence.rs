//! Whether the rows of a finished input are still there. What etl has loaded, somebody else may have
//! dropped, emptied or deleted; the ledger alone does not know.
//!
//! It is asked cheaply, and once for all inputs of a table: a DuckDB file knows the number of rows of each
//! table; on a server the rows are counted only where the loads have left few of them.

use super::error::{RunError, RunErrorKind};
use crate::load::ledger::{
    InputRow, Ledger, has_provenance, holds_scope, rows_by_source, scope_text, table_rows,
};
use crate::load::table::TableSpec;
use crate::load::{Link, LoadError};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Tables of a server up to this size are counted.
const FEW: u64 = 100_000;

/// What is left of the rows of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// All, as far as it can be told without reading a large table.
    Whole,
    /// Some rows are gone: as many are there, of as many.
    Part(u64, u64),
    /// None; in words what has become of the table.
    Gone(&'static str),
}

/// What is known of a table.
enum Facts {
    /// Its rows are not there; in words.
    Gone(&'static str),
    /// It holds as many rows as the loads have left, or is too large to be counted.
    Full,
    /// Its rows by run and source.
    Counted(HashMap<(String, String), u64>),
}

/// What was found out about tables, until something is loaded into one of them.
#[derive(Default)]
pub struct Presences {
    tables: RefCell<HashMap<String, Rc<Facts>>>,
    /// Whether a scope of a table holds rows.
    scopes: RefCell<HashMap<(String, String), bool>>,
}

impl Presences {
    /// Looks for the rows of a finished input.
    pub fn of(
        &self,
        con: &dyn Link,
        spec: &TableSpec,
        row: &InputRow,
    ) -> Result<Presence, LoadError> {
        let tally = &row.tally;
        if tally.inserted + tally.updated + tally.unchanged + tally.superseded == 0 {
            return Ok(Presence::Whole);
        }
        let facts = self.facts(con, &spec.name)?;
        if let Facts::Gone(what) = *facts {
            return Ok(Presence::Gone(what));
        }
        if !self.holds(con, spec)? {
            return Ok(Presence::Gone("its rows are gone from the table"));
        }
        let Facts::Counted(rows) = &*facts else { return Ok(Presence::Whole) };
        let held = rows.get(&(row.run.clone(), row.source.clone())).copied().unwrap_or(0);
        if held >= tally.inserted + tally.updated {
            return Ok(Presence::Whole);
        }
        // Later inputs may have taken the place of some.
        Ok(match Ledger::new(con).rows_of(row)? {
            claimed if held >= claimed => Presence::Whole,
            _ if held == 0 => Presence::Gone("its rows are gone from the table"),
            claimed => Presence::Part(held, claimed),
        })
    }

    /// Something is loaded into a table.
    pub fn forget(&self, table: &str) {
        self.tables.borrow_mut().remove(table);
        self.scopes.borrow_mut().retain(|(of, _), _| of != table);
    }

    fn facts(&self, con: &dyn Link, table: &str) -> Result<Rc<Facts>, LoadError> {
        if let Some(known) = self.tables.borrow().get(table) {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(facts(con, table)?);
        self.tables.borrow_mut().insert(table.to_owned(), Rc::clone(&found));
        Ok(found)
    }

    fn holds(&self, con: &dyn Link, spec: &TableSpec) -> Result<bool, LoadError> {
        let key = (spec.name.clone(), scope_text(spec));
        if let Some(known) = self.scopes.borrow().get(&key) {
            return Ok(*known);
        }
        let found = holds_scope(con, spec)?;
        self.scopes.borrow_mut().insert(key, found);
        Ok(found)
    }
}

fn facts(con: &dyn Link, table: &str) -> Result<Facts, LoadError> {
    if con.columns(table)?.is_empty() {
        return Ok(Facts::Gone("the table is gone"));
    }
    if !has_provenance(con, table)? {
        return Ok(Facts::Gone("there is another table of this name now, without its rows"));
    }
    let kept = Ledger::new(con).kept_rows(table)?;
    let is_full = match con.is_alone() {
        true => kept == Some(table_rows(con, table)?),
        false => kept.is_none_or(|rows| rows > FEW),
    };
    Ok(if is_full { Facts::Full } else { Facts::Counted(rows_by_source(con, table)?) })
}

impl Presence {
    /// The error of a load that finds nothing left, and the warning of one that finds a part.
    pub fn told(
        &self,
        label: &str,
        table: &str,
        row: &InputRow,
    ) -> Result<Option<String>, RunError> {
        let (run, tally) = (&row.run, &row.tally);
        match self {
            Self::Whole => Ok(None),
            Self::Part(held, claimed) => Ok(Some(format!(
                "of the {claimed} rows that run {run} has loaded, table {table} holds {held}: somebody has \
                 deleted the others (`etl verify {run}` names them, --fresh loads the file anew)"
            ))),
            Self::Gone(what) => {
                let rows = tally.inserted + tally.updated;
                let told = format!(
                    "{label}: run {run} has loaded {rows} rows into table {table}, and {what}"
                );
                Err(RunError::new(RunErrorKind::Failed, told)
                    .with_hint("give --fresh to load the file again"))
            }
        }
    }
}
