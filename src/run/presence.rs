//! Whether the rows of a finished input are still there. What etl has loaded, somebody else may have
//! dropped, emptied or deleted; the ledger alone does not know.
//!
//! It is asked cheaply: a DuckDB file knows the number of rows of each table; on a server the rows of an
//! input are counted only where the loads have left few rows in the table.

use super::error::RunError;
use crate::duck::Value;
use crate::load::ledger::{InputRow, Ledger, has_provenance, holds_scope, table_rows};
use crate::load::table::TableSpec;
use crate::load::{Link, LoadError};

/// Tables of a server up to this size are counted.
const FEW: u64 = 100_000;

/// What is left of the rows of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// All, as far as it can be told without reading the table.
    Whole,
    /// Some rows are gone: as many are there, of as many.
    Part(u64, u64),
    /// None; in words what has become of the table.
    Gone(&'static str),
}

/// Looks for the rows of a finished input.
pub fn presence(con: &dyn Link, spec: &TableSpec, row: &InputRow) -> Result<Presence, LoadError> {
    let tally = &row.tally;
    if tally.inserted + tally.updated + tally.unchanged + tally.superseded == 0 {
        return Ok(Presence::Whole);
    }
    if con.columns(&spec.name)?.is_empty() {
        return Ok(Presence::Gone("the table is gone"));
    }
    if !has_provenance(con, &spec.name)? {
        return Ok(Presence::Gone("there is another table of this name now, without its rows"));
    }
    if !holds_scope(con, spec)? {
        return Ok(Presence::Gone("its rows are gone from the table"));
    }
    let ledger = Ledger::new(con);
    let kept = ledger.kept_rows(&spec.name)?;
    let is_told = match con.is_alone() {
        // As many rows as the loads have left.
        true => kept == Some(table_rows(con, &spec.name)?),
        false => kept.is_none_or(|rows| rows > FEW),
    };
    let claimed = ledger.rows_of(row)?;
    if is_told || claimed == 0 {
        return Ok(Presence::Whole);
    }
    let sql = format!(
        "SELECT count(*) FROM {} WHERE _etl_run = ? AND _etl_source = ?",
        con.table(&spec.name)
    );
    let own = [Value::from(row.run.as_str()), Value::from(row.source.as_str())];
    Ok(match con.number(&sql, &own)? {
        0 => Presence::Gone("its rows are gone from the table"),
        held if held < claimed => Presence::Part(held, claimed),
        _ => Presence::Whole,
    })
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
                Err(RunError::new(super::error::RunErrorKind::Failed, told)
                    .with_hint("give --fresh to load the file again"))
            }
        }
    }
}
