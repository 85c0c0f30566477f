//! SQL over a chunk: the one dialect for rules, derived columns and lookups is DuckDB's.
//!
//! All workers share one in-memory database that holds the code tables; each has its own connection
//! and runs its own query on its own thread. Most expressions are made without it (`formula`), so it is
//! opened by the first that is not: that takes 80 ms (measured). External access is off and the
//! configuration locked, because expressions may come from a user's file. The result of a projection must
//! have exactly one row for each row of the chunk: anything else (a lookup that matches twice) ends the
//! run, it never loads a row twice.

use super::formula::Formulas;
use super::projection::Projection;
use crate::duck::{Connection, Database, DuckError, Frame, Prepared, Settings, quote};
use polars::prelude::{DataFrame, Schema, StringChunked};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The in-memory database of the agents.
#[derive(Clone)]
pub struct Engine(Arc<Base>);

/// What all sessions share.
struct Base {
    memory: u64,
    tables: Vec<Arc<StoredTable>>,
    /// Opened where a statement needs it.
    database: Mutex<Option<Database>>,
}

/// A code table as columns, beside its copy in the engine.
#[derive(Debug)]
pub(super) struct StoredTable {
    pub name: String,
    header: Vec<String>,
    pub columns: Vec<StringChunked>,
}

impl StoredTable {
    fn new(name: &str, header: &[String], rows: &[Vec<String>]) -> Self {
        let column = |(at, column): (usize, &String)| {
            let cells = rows
                .iter()
                .map(|row| row.get(at).map(String::as_str).filter(|cell| !cell.is_empty()));
            cells.collect::<StringChunked>().with_name(column.as_str().into())
        };
        let columns = header.iter().enumerate().map(column).collect();
        Self { name: name.to_owned(), header: header.to_vec(), columns }
    }

    /// Makes its copy.
    fn create(&self, con: &Connection) -> Result<(), DuckError> {
        let mut frame = Frame::new();
        for column in &self.columns {
            let name = column.name().as_str();
            frame.push(name, column.rechunk().downcast_as_array().clone().boxed())?;
        }
        let view = con.frame_view(CHUNK, &frame)?;
        let (table, rows) = (quote(&self.name), quote(view.name()));
        con.execute(&format!("CREATE TABLE {table} AS SELECT * FROM {rows}"))?;
        Ok(())
    }

    /// The place of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.header.iter().position(|have| have.eq_ignore_ascii_case(column))
    }
}

/// What a worker has of the engine: its connection and the statements it has prepared.
pub struct Session {
    base: Arc<Base>,
    con: Option<Connection>,
    prepared: Vec<(String, Schema, Prepared)>,
    compiled: Vec<(Projection, Schema, Arc<Formulas>)>,
}

/// Name, header and rows of a code table; all columns are text.
pub type CodeTable<'a> = (&'a str, &'a [String], &'a [Vec<String>]);

impl Engine {
    /// An engine with code tables: (name, header, rows); all columns are text. `memory` bytes are
    /// DuckDB's limit.
    pub fn new(tables: &[CodeTable<'_>], memory: u64) -> Self {
        let stored = tables.iter().map(|(name, header, rows)| StoredTable::new(name, header, rows));
        let tables = stored.map(Arc::new).collect();
        Self(Arc::new(Base { memory, tables, database: Mutex::default() }))
    }

    /// A session for one worker.
    pub fn session(&self) -> Session {
        let (prepared, compiled) = (Vec::new(), Vec::new());
        Session { base: Arc::clone(&self.0), con: None, prepared, compiled }
    }
}

impl Base {
    /// A connection; the first one opens the database and makes the code tables.
    fn connect(&self) -> Result<Connection, DuckError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match &mut *database {
            Some(database) => database,
            none => none.insert(self.open()?),
        };
        database.connect()
    }

    fn open(&self) -> Result<Database, DuckError> {
        let settings = Settings {
            memory_limit: Some(self.memory),
            threads: Some(1),
            sandboxed: true,
            joins_as_written: true,
            ..Settings::default()
        };
        let database = Database::memory(&settings)?;
        let con = database.connect()?;
        self.tables.iter().try_for_each(|table| table.create(&con))?;
        Ok(database)
    }
}

impl Session {
    /// The code tables.
    pub(super) fn tables(&self) -> &[Arc<StoredTable>] {
        &self.base.tables
    }

    /// The formulas of a projection for this shape of frame, made once.
    pub(super) fn formulas(&mut self, of: &Projection, frame: &DataFrame) -> Arc<Formulas> {
        let schema = frame.schema();
        let known =
            |held: &&(Projection, Schema, Arc<Formulas>)| held.0.is_like(of) && held.1 == **schema;
        if let Some((.., formulas)) = self.compiled.iter().find(known) {
            return Arc::clone(formulas);
        }
        let formulas = Arc::new(of.compile(frame, self));
        self.compiled.push((of.clone(), (**schema).clone(), Arc::clone(&formulas)));
        formulas
    }

    /// The statement prepared for this query and shape of frame; a worker meets the same few for
    /// every chunk of an input. Each has a view of its own: replacing one would unprepare the others.
    pub(super) fn prepare(
        &mut self,
        sql: &str,
        frame: &DataFrame,
        view: &Frame,
    ) -> Result<&mut Prepared, DuckError> {
        let schema = frame.schema();
        let known = |held: &(String, Schema, Prepared)| held.0 == sql && held.1 == **schema;
        let at = match self.prepared.iter().position(known) {
            Some(at) => at,
            None => {
                let name = format!("{CHUNK}_{}", self.prepared.len());
                let text = sql.replace(SOURCE, &name);
                let con = match &mut self.con {
                    Some(con) => con,
                    none => none.insert(self.base.connect()?),
                };
                let prepared = con.prepare_over(&name, view, &text)?;
                self.prepared.push((sql.to_owned(), (**schema).clone(), prepared));
                self.prepared.len() - 1
            }
        };
        Ok(&mut self.prepared[at].2)
    }
}

/// A text as an SQL literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Puts the file's parameters (`$release`, `$roll_year`, …) into an expression as literals.
/// Parameters inside quotes are left alone.
pub fn substitute(sql: &str, parameters: &BTreeMap<&str, String>) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['$', '\'']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('\'') {
            let close = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
            out.push_str(&rest[..close]);
            rest = &rest[close..];
            continue;
        }
        let end = rest[1..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(rest.len(), |end| end + 1);
        match parameters.get(&rest[1..end]) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Stands in a batch for the chunk's rows.
pub(super) const CHUNK: &str = "chunk";
/// Stands in a batch for the view that it reads.
pub(super) const SOURCE: &str = "\u{1}source\u{1}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_replaced_outside_quotes_only() {
        let parameters =
            BTreeMap::from([("release", "'P'".to_owned()), ("roll_year", "2025".into())]);
        assert_eq!(
            substitute("$release = 'P$release' AND y <= $roll_year+1 AND $other", &parameters),
            "'P' = 'P$release' AND y <= 2025+1 AND $other"
        );
    }
}
