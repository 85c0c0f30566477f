//! The filled cells of each commit: those handed over, those given to DuckDB, and those that the table then has.
//!
//! What is given to DuckDB, column of the table by column, is compared in full with what was handed over.
//! What the table has of it is read again in some commits, a part of each: the first commit into a table, and
//! each eighth after it. To read a part of a commit of 223 columns takes 20 to 40 ms, to read all fields of
//! 750,000 rows again behind their load 14 % of it (benches/runs/2026-12-01.md). Rows that a transaction has added stand apart
//! until its commit, in the order in which they came, under row ids that no row of the file has.

use super::last::OPEN;
use crate::duck::{Connection, Frame, Question, quote};
use crate::load::LoadError;
use crate::load::cells::{Cells, compare, gap};
use crate::load::ledger::{count_sql, counted};
use crate::load::names::NameRule;
use crate::load::rehash::Spots;
use crate::load::table::{Provenance, TableSpec};
use crate::load::target::WritePlan;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows of a part: a third of a usual commit, and whole vectors of DuckDB's.
const PART: usize = 8_192;
/// Rows of a part whose content is hashed again.
const SPOTS: u64 = 4;
/// One of so many commits into a table is read again.
const EVERY: usize = 8;

/// Commits into each table, of all writers of a file and of all inputs.
#[derive(Debug, Default)]
pub(super) struct Commits(Mutex<HashMap<String, usize>>);

impl Commits {
    /// Counts one into a table. Says of the first and of each eighth after it how many were read again
    /// before.
    fn next(&self, table: &str) -> Option<usize> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(table.to_owned()).or_default();
        let before = *count;
        *count += 1;
        before.is_multiple_of(EVERY).then_some(before / EVERY)
    }
}

/// Counts what one inserter has added in the open transaction.
pub(super) struct Counter {
    /// The table as SQL names it.
    sql: String,
    table: String,
    /// Columns that are compared.
    columns: Vec<String>,
    /// Where they stand in the table.
    places: Vec<usize>,
    content: Option<Spots>,
    /// What was given to DuckDB since the transaction began, in parts of so many rows.
    given: Vec<Given>,
    commits: Arc<Commits>,
    /// Questions about each part.
    asked: HashMap<usize, Asked>,
}

/// Rows of a part and the filled cells of each column.
struct Given {
    rows: usize,
    filled: Vec<u64>,
}

/// Questions about the rows of a part. They are prepared when there are some: before, DuckDB would answer by
/// what it knows of the rows in the file.
struct Asked {
    cells: Question,
    spots: Option<Question>,
}

impl Counter {
    /// For a table or side table, which has the columns of the plan. `there`: the columns of the frames.
    pub fn new(
        schema: &str,
        table: &str,
        there: &[(String, String)],
        plan: &WritePlan,
        commits: Arc<Commits>,
    ) -> Self {
        let place =
            |name: &str| there.iter().position(|(own, _)| NameRule::IgnoreCase.same(own, name));
        let own = own_columns(&plan.spec, &plan.provenance);
        let found = own.filter_map(|name| Some((name.to_owned(), place(name)?)));
        let (columns, places) = found.unzip();
        let content = Spots::of(&plan.spec, &plan.not_compared);
        Self {
            sql: format!("{}.{}", quote(schema), quote(table)),
            table: table.to_owned(),
            columns,
            places,
            content: content.filter(|_| place("_etl_hash").is_some()),
            given: Vec::new(),
            commits,
            asked: HashMap::new(),
        }
    }

    /// A frame was given to DuckDB.
    pub fn given(&mut self, frame: &Frame) {
        let mut from = 0;
        while from < frame.len() {
            if self.given.last().is_none_or(|part| part.rows == PART) {
                self.given.push(Given { rows: 0, filled: vec![0; self.columns.len()] });
            }
            let Some(part) = self.given.last_mut() else { return };
            let taken = (PART - part.rows).min(frame.len() - from);
            let slice = frame.slice(from, taken);
            for (filled, place) in part.filled.iter_mut().zip(&self.places) {
                *filled += (taken - slice.columns()[*place].null_count()) as u64;
            }
            part.rows += taken;
            from += taken;
        }
    }

    /// Nothing is known of what was handed over in this transaction.
    pub fn forget(&mut self) {
        self.given.clear();
    }

    /// Compares what was handed over with what was given to DuckDB, and in some commits that with what the
    /// table holds of it, before the commit.
    pub fn check(&mut self, con: &Connection, handed: &Cells) -> Result<(), LoadError> {
        let is_own = |name: &str| self.columns.iter().any(|own| own == name);
        if let Some(name) = handed.columns().find(|name| handed.get(name) > 0 && !is_own(name)) {
            let filled = handed.get(name);
            return Err(gap(format!(
                "{filled} filled cells were handed over for column {name}, which table {} does not have",
                self.table
            )));
        }
        let parts = std::mem::take(&mut self.given);
        let mut given = Cells::default();
        parts.iter().for_each(|part| given.add(&Cells::counted(&self.columns, &part.filled)));
        compare(&self.table, self.names(), handed, &given)?;
        if parts.is_empty() {
            return Ok(());
        }
        match self.commits.next(&self.sql) {
            Some(turn) => self.read_again(con, turn % parts.len(), &parts[turn % parts.len()]),
            None => Ok(()),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// Compares a part with what the table holds of it.
    fn read_again(&mut self, con: &Connection, at: usize, part: &Given) -> Result<(), LoadError> {
        if !self.asked.contains_key(&at) {
            let from = OPEN + (at * PART) as u64;
            let asked = Asked::of(con, &self.sql, &self.columns, self.content.as_ref(), from)?;
            self.asked.insert(at, asked);
        }
        let Asked { cells, spots } = &self.asked[&at];
        let (rows, found) = counted(&self.columns, &cells.ask()?);
        if rows != part.rows as u64 {
            let (table, added) = (&self.table, part.rows);
            return Err(gap(format!("{added} rows were added to table {table}, {rows} are there")));
        }
        let given = Cells::counted(&self.columns, &part.filled);
        compare(&self.table, self.names(), &given, &found)?;
        match (&self.content, spots) {
            (Some(hashes), Some(spots)) => hashes.check(&spots.ask()?),
            _ => Ok(()),
        }
    }
}

impl Asked {
    /// About the part whose first row has the id `from`.
    fn of(
        con: &Connection,
        table: &str,
        columns: &[String],
        content: Option<&Spots>,
        from: u64,
    ) -> Result<Self, LoadError> {
        let within = |rows: u64| format!("rowid >= {from} AND rowid < {}", from + rows);
        let cells = con.prepare(&count_sql(table, columns, &within(PART as u64)))?;
        let few = |content: &Spots| con.prepare(&content.question(table, &within(SPOTS)));
        Ok(Self { cells, spots: content.map(few).transpose()? })
    }
}

/// Columns whose values come from the rows themselves.
fn own_columns<'c>(
    spec: &'c TableSpec,
    provenance: &'c Provenance,
) -> impl Iterator<Item = &'c str> {
    let own = spec.columns.iter().map(|column| column.name.as_str()).chain(["_extra"]);
    own.filter(|name| provenance.meant(name) == *name)
}
