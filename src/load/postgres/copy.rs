//! A table that rows are copied into: its columns, one COPY under a savepoint, and a trial of what
//! happens at the end of the input to rows that go beside the table.

use super::encode::{CopyColumn, Encoder};
use super::hazards::hazards;
use super::link::{PgLink, upsert};
use super::preflight;
use super::refuse::Refusal;
use super::session::Session;
use super::text::bind;
use super::types;
use crate::duck::{Value, quote};
use crate::load::table::Strategy;
use crate::load::target::{SCHEMA, WritePlan};
use crate::load::{Link, LoadError, LoadErrorKind, Rows};
use std::cell::Cell;

/// The savepoint that every COPY stands behind; it is set where a transaction begins.
pub const SAVEPOINT: &str = "SAVEPOINT etl";

/// A table with the columns that we fill.
pub struct CopyInto {
    /// Its name.
    table: String,
    /// Columns in its order.
    pub columns: Vec<CopyColumn>,
    /// Puts the rows where they will end up, for rows of the source from `?` up to `?`.
    trial: Option<Trial>,
    /// Whether the table has taken a row of this writer.
    pub has_taken: Cell<bool>,
}

struct Trial {
    sql: String,
    /// Whether rows that the load takes away first may be in the way.
    in_the_way: bool,
}

impl CopyInto {
    /// Looks at a table of the server.
    pub fn new(
        link: &PgLink,
        schema: &str,
        table: &str,
        plan: &WritePlan,
    ) -> Result<Self, LoadError> {
        let there = preflight::columns(link, schema, table)?;
        let mut columns = Vec::new();
        for (name, ..) in plan.spec.all_columns() {
            let found = there.iter().find(|column| column.name == name);
            let form = found.and_then(|column| column.form()).ok_or_else(|| {
                let told = format!("column {name} of table {table} is gone or of another type now");
                LoadError::new(LoadErrorKind::Mismatch, told)
            })?;
            let limit = found.and_then(|column| types::limit(&column.ty));
            let key = plan.spec.key.iter().any(|key| key == name);
            let fills_itself = found.is_some_and(|column| column.fills_itself);
            let size = found.and_then(|column| types::size(&column.ty));
            let name = name.to_owned();
            columns.push(CopyColumn { name, form, limit, size, key, fills_itself });
        }
        let table = format!("{}.{}", quote(schema), quote(table));
        Ok(Self { table, columns, trial: None, has_taken: Cell::new(false) })
    }

    fn statement(&self, encoder: &Encoder<'_>) -> String {
        let names: Vec<_> = encoder.sent().map(|at| quote(&self.columns[at].name)).collect();
        format!(
            "RELEASE {SAVEPOINT}; {SAVEPOINT}; COPY {} ({}) FROM STDIN (FORMAT binary)",
            self.table,
            names.join(", ")
        )
    }

    /// A side table, whose rows meet the table's own rules only at the end of the input.
    pub fn beside(
        link: &PgLink,
        schema: &str,
        side: &str,
        plan: &WritePlan,
    ) -> Result<Self, LoadError> {
        let mut into = Self::new(link, SCHEMA, side, plan)?;
        if !hazards(link, schema, &plan.spec)?.is_empty() {
            let (names, from): (Vec<_>, _) = (
                into.columns.iter().map(|column| quote(&column.name)).collect(),
                format!("{SCHEMA}.{}", quote(side)),
            );
            let table = link.table(&plan.spec.name);
            let columns = names.join(", ");
            let sql = match plan.spec.key.is_empty() {
                false => upsert(&names, &plan.spec.key, &table, &from),
                true => format!(
                    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {from} \
                     WHERE _etl_row >= ? AND _etl_row < ?"
                ),
            };
            into.trial = Some(Trial { sql, in_the_way: plan.strategy == Strategy::Replace });
        }
        Ok(into)
    }

    /// Whether it is tried at once what happens to the rows at the end of the input.
    pub fn is_tried(&self) -> bool {
        self.trial.is_some()
    }

    /// Copies some rows, all or none. An error ends the load; a refusal leaves the transaction as it
    /// was.
    pub fn attempt(
        &self,
        session: &mut Session,
        encoder: &Encoder<'_>,
        all: &Rows,
        rows: &[u32],
    ) -> Result<Option<Refusal>, LoadError> {
        let done = self.send(session, encoder, rows);
        let refusal = match done {
            Ok(taken) if taken == rows.len() as u64 => match &self.trial {
                Some(trial) => trial.run(session, all, rows)?,
                None => None,
            },
            Ok(_) => Some(Refusal::silent()),
            Err(error) => Some(refusal_of(session, error)?),
        };
        if refusal.is_some() {
            session.run("ROLLBACK TO SAVEPOINT etl")?;
        }
        Ok(refusal)
    }

    fn send(
        &self,
        session: &mut Session,
        encoder: &Encoder<'_>,
        rows: &[u32],
    ) -> Result<u64, LoadError> {
        let mut copy = session.copy(&self.statement(encoder))?;
        encoder.encode(rows, |messages| copy.forward(messages))?;
        copy.finish()
    }
}

/// Tells the refusal of a row from everything else.
fn refusal_of(session: &mut Session, error: LoadError) -> Result<Refusal, LoadError> {
    match (error.kind, session.said()) {
        (LoadErrorKind::Refused, Some(said)) => Ok(Refusal::of(&said)),
        (LoadErrorKind::Target, Some(said)) if said.may_be_of_a_row() => {
            Ok(Refusal { doubt: Some(Box::new(error)), ..Refusal::of(&said) })
        }
        _ => Err(error),
    }
}

impl Trial {
    /// Does what the end of the input will do, and takes it back.
    fn run(
        &self,
        session: &mut Session,
        all: &Rows,
        rows: &[u32],
    ) -> Result<Option<Refusal>, LoadError> {
        let place = |at: Option<&u32>| at.map_or(0, |row| all.places[*row as usize]);
        let (first, last) = (place(rows.first()), place(rows.last()));
        let sql = bind(&self.sql, &[Value::from(first), Value::from(last + 1)])?;
        let done = session.run(&format!("SAVEPOINT trial; {sql}"));
        let refusal = match done {
            Ok(went) if went == rows.len() as u64 || self.in_the_way => None,
            Ok(_) => Some(Refusal::silent()),
            Err(error) => {
                let refusal = refusal_of(session, error)?;
                let in_the_way = self.in_the_way
                    && refusal.problem.rule.as_ref().is_some_and(|rule| rule.starts_with("23505"));
                (!in_the_way).then_some(refusal)
            }
        };
        session.run("ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial")?;
        Ok(refusal)
    }
}
