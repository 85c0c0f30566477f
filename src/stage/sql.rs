//! SQL over a chunk: the one dialect for rules, derived columns and lookups is DuckDB's.
//!
//! All workers share one in-memory database that holds the code tables; each has its own connection
//! and runs its own query on its own thread. External access is off and the configuration locked,
//! because expressions may come from a user's file. The result of a projection must have exactly one
//! row for each row of the chunk: anything else (a lookup that matches twice) ends the run, it never
//! loads a row twice.

use super::StageError;
use crate::duck::{Connection, Database, DuckError, Frame, Prepared, Settings, quote};
use polars::prelude::{Column, DataFrame, IdxCa, NewChunkedArray, Schema};
use polars_arrow::array::PrimitiveArray;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The in-memory database of the agents.
#[derive(Clone)]
pub struct Engine {
    db: Arc<Database>,
}

/// A worker's connection to the engine, and the statements it has prepared.
pub struct Session {
    con: Connection,
    prepared: Vec<(String, Schema, Prepared)>,
}

/// A named SQL expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// Name of the output column.
    pub name: String,
    /// DuckDB type to cast to; `None` leaves what the expression gives.
    pub ty: Option<String>,
    /// The expression.
    pub sql: String,
}

/// A lookup: code table `table` under the name `alias`, joined `on` a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Name in expressions.
    pub alias: String,
    /// Code table.
    pub table: String,
    /// SQL condition.
    pub on: String,
}

/// Queries over one chunk.
///
/// The expressions are cut into batches, run one after the other: a query holds one vector for each
/// node of its expressions and blocks for each join (72 rules at once: 60 MB a worker).
#[derive(Debug, Clone)]
pub struct Projection {
    stage: &'static str,
    batches: Vec<String>,
    chained: bool,
}

/// Expressions of a batch.
const BATCH: usize = 24;
/// Lookups of a batch.
const BATCH_JOINS: usize = 2;

/// Name, header and rows of a code table; all columns are text.
pub type CodeTable<'a> = (&'a str, &'a [String], &'a [Vec<String>]);

impl Engine {
    /// An engine with code tables: (name, header, rows); all columns are text.
    pub fn new(tables: &[CodeTable<'_>], memory: u64) -> Result<Self, DuckError> {
        let settings = Settings {
            memory_limit: Some(memory),
            threads: Some(1),
            sandboxed: true,
            joins_as_written: true,
            ..Settings::default()
        };
        let db = Database::memory(&settings)?;
        let con = db.connect()?;
        for (name, header, rows) in tables {
            create_table(&con, name, header, rows)?;
        }
        Ok(Self { db: Arc::new(db) })
    }

    /// A connection for one worker.
    pub fn session(&self) -> Result<Session, DuckError> {
        Ok(Session { con: self.db.connect()?, prepared: Vec::new() })
    }
}

impl Session {
    /// The statement prepared for this query and shape of frame; a worker meets the same few for
    /// every chunk of an input. Each has a view of its own: replacing one would unprepare the others.
    fn prepare(
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
                let prepared = self.con.prepare_over(&name, view, &text)?;
                self.prepared.push((sql.to_owned(), (**schema).clone(), prepared));
                self.prepared.len() - 1
            }
        };
        Ok(&mut self.prepared[at].2)
    }
}

fn create_table(
    con: &Connection,
    name: &str,
    header: &[String],
    rows: &[Vec<String>],
) -> Result<(), DuckError> {
    let columns: Vec<_> =
        header.iter().map(|column| format!("{} VARCHAR", quote(column))).collect();
    con.execute(&format!("CREATE TABLE {} ({})", quote(name), columns.join(", ")))?;
    for chunk in rows.chunks(500) {
        let cell = |text: &String| if text.is_empty() { "NULL".into() } else { literal(text) };
        let tuples: Vec<_> = chunk
            .iter()
            .map(|row| format!("({})", row.iter().map(cell).collect::<Vec<_>>().join(", ")))
            .collect();
        con.execute(&format!("INSERT INTO {} VALUES {}", quote(name), tuples.join(", ")))?;
    }
    Ok(())
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

const CHUNK: &str = "chunk";
/// Stands in a batch for the view that it reads.
const SOURCE: &str = "\u{1}source\u{1}";
const ROW: &str = "_i";

impl Projection {
    /// A projection of `expressions`; later ones may use the names of earlier ones. `missing` names
    /// columns (with their types) that expressions may speak of and the chunk does not have: they
    /// are NULL.
    pub fn new(
        stage: &'static str,
        expressions: &[Expression],
        joins: &[Joined],
        missing: &[(String, String)],
    ) -> Self {
        let batches = batches(expressions, joins)
            .into_iter()
            .map(|batch| batch_sql(batch, joins, missing))
            .collect();
        Self { stage, batches, chained: true }
    }

    /// No expression uses the name of another (rules).
    #[must_use]
    pub fn independent(self) -> Self {
        Self { chained: false, ..self }
    }

    /// Nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// One output column for each expression, in the order of the chunk's rows.
    pub fn run(&self, session: &mut Session, frame: &DataFrame) -> Result<Vec<Column>, StageError> {
        let mut all = Vec::new();
        let mut grown = frame.clone();
        for sql in &self.batches {
            let columns = self.run_batch(session, sql, &grown)?;
            // A later expression may use the names of earlier ones.
            if self.batches.len() > 1 && self.chained {
                grown = grown
                    .hstack(&columns)
                    .map_err(|error| StageError::new(self.stage, error.to_string()))?;
            }
            all.extend(columns);
        }
        Ok(all)
    }

    fn run_batch(
        &self,
        session: &mut Session,
        sql: &str,
        frame: &DataFrame,
    ) -> Result<Vec<Column>, StageError> {
        let height = frame.height();
        let result = self.query(session, sql, frame).map_err(|error| self.explain(&error))?;
        let result = result.into_polars().map_err(|error| self.explain(&error))?;
        if result.height() != height {
            let message = format!(
                "an expression gave {} rows for {height}: a lookup matches more than once",
                result.height()
            );
            return Err(StageError::new(self.stage, message));
        }
        let mut columns = result.into_columns();
        let order = columns.remove(0);
        match displaced(&order, height) {
            None => Ok(columns),
            Some(positions) => self.reorder(&columns, &positions),
        }
    }

    fn query(
        &self,
        session: &mut Session,
        sql: &str,
        frame: &DataFrame,
    ) -> Result<Frame, DuckError> {
        let mut view = Frame::from_polars(frame)?;
        let rows = PrimitiveArray::<i32>::from_vec((0..frame.height() as i32).collect());
        view.push(ROW, Box::new(rows))?;
        session.prepare(sql, frame, &view)?.run(view)
    }

    /// DuckDB may swap the sides of a join and give rows in another order.
    fn reorder(&self, columns: &[Column], positions: &[u32]) -> Result<Vec<Column>, StageError> {
        let index = IdxCa::from_slice("".into(), positions);
        columns
            .iter()
            .map(|column| {
                column.take(&index).map_err(|error| StageError::new(self.stage, error.to_string()))
            })
            .collect()
    }

    fn explain(&self, error: &DuckError) -> StageError {
        StageError::new(self.stage, format!("an expression failed: {}", error.message))
            .with_hint("correct the expression in the pack or the rules file")
    }
}

/// Cuts expressions into runs that are small in number and in lookups.
fn batches<'e>(expressions: &'e [Expression], joins: &[Joined]) -> Vec<&'e [Expression]> {
    let mut batches = Vec::new();
    let mut from = 0;
    for to in 1..=expressions.len() {
        let full = to - from == BATCH;
        let next_is_too_much = expressions
            .get(to)
            .is_some_and(|_| joins_of(&expressions[from..=to], joins).count() > BATCH_JOINS);
        if full || next_is_too_much || to == expressions.len() {
            batches.push(&expressions[from..to]);
            from = to;
        }
    }
    batches
}

/// The lookups that expressions speak of.
fn joins_of<'j>(
    expressions: &[Expression],
    joins: &'j [Joined],
) -> impl Iterator<Item = &'j Joined> {
    joins.iter().filter(move |join| {
        let prefix = format!("{}.", join.alias);
        expressions.iter().any(|expression| expression.sql.contains(&prefix))
    })
}

fn batch_sql(expressions: &[Expression], joins: &[Joined], missing: &[(String, String)]) -> String {
    let item = |expression: &Expression| {
        let Expression { name, ty, sql } = expression;
        match ty {
            Some(ty) => format!("CAST(({sql}) AS {ty}) AS {}", quote(name)),
            None => format!("({sql}) AS {}", quote(name)),
        }
    };
    let items: Vec<_> = expressions.iter().map(item).collect();
    let joins: String = joins_of(expressions, joins)
        .map(|join| {
            let Joined { alias, table, on } = join;
            format!(" LEFT JOIN {} AS {} ON {on}", quote(table), quote(alias))
        })
        .collect();
    let nulls: String = missing
        .iter()
        .map(|(name, ty)| format!(", CAST(NULL AS {ty}) AS {}", quote(name)))
        .collect();
    format!(
        "SELECT {CHUNK}.{ROW}, {} FROM (SELECT *{nulls} FROM {SOURCE}) AS {CHUNK}{joins}",
        items.join(", ")
    )
}

/// Where each row went, if not to its own place.
fn displaced(order: &Column, height: usize) -> Option<Vec<u32>> {
    let order: Vec<u32> = order.i32().ok()?.iter().map(|row| row.unwrap_or(0) as u32).collect();
    if order.iter().enumerate().all(|(at, row)| at as u32 == *row) {
        return None;
    }
    let mut positions = vec![0; height];
    for (at, row) in order.iter().enumerate() {
        positions[*row as usize] = at as u32;
    }
    Some(positions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    #[test]
    fn parameters_are_replaced_outside_quotes_only() {
        let parameters =
            BTreeMap::from([("release", "'P'".to_owned()), ("roll_year", "2025".into())]);
        assert_eq!(
            substitute("$release = 'P$release' AND y <= $roll_year+1 AND $other", &parameters),
            "'P' = 'P$release' AND y <= 2025+1 AND $other"
        );
    }

    fn engine() -> Engine {
        let header = ["code".to_owned(), "label".to_owned()];
        let rows = [vec!["001".to_owned(), "Single family".to_owned()]];
        Engine::new(&[("use_codes", &header, &rows)], 64 << 20).expect("engine")
    }

    fn expression(name: &str, ty: Option<&str>, sql: &str) -> Expression {
        Expression { name: name.into(), ty: ty.map(Into::into), sql: sql.into() }
    }

    #[test]
    fn rows_keep_their_order_through_lookups() {
        let engine = engine();
        let mut session = engine.session().expect("session");
        let frame = df!("uc" => ["999", "001", "001"], "jv" => [1i64, 2, 3]).expect("frame");
        let joins =
            [Joined { alias: "use".into(), table: "use_codes".into(), on: "use.code = uc".into() }];
        let expressions =
            [expression("label", None, "use.label"), expression("twice", Some("BIGINT"), "jv * 2")];
        let columns = Projection::new("enrich", &expressions, &joins, &[])
            .run(&mut session, &frame)
            .expect("runs");
        let labels: Vec<_> = columns[0].str().expect("text").iter().collect();
        assert_eq!(labels, [None, Some("Single family"), Some("Single family")]);
        let twice: Vec<_> = columns[1].i64().expect("bigint").iter().flatten().collect();
        assert_eq!(twice, [2, 4, 6]);
    }

    #[test]
    fn a_bad_expression_is_named_and_files_are_out_of_reach() {
        let engine = engine();
        let mut session = engine.session().expect("session");
        let frame = df!("jv" => [1i64]).expect("frame");
        for sql in ["nosuch + 1", "(SELECT content FROM read_text('/etc/passwd'))"] {
            let projection = Projection::new("validate", &[expression("x", None, sql)], &[], &[]);
            assert!(projection.run(&mut session, &frame).is_err(), "{sql}");
        }
    }
}
