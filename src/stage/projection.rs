//! Named expressions over a chunk, and the columns that they give.

use super::StageError;
use super::formula::{Formulas, Made};
use super::sql::{CHUNK, SOURCE, Session};
use crate::duck::{DuckError, Frame, quote};
use polars::prelude::{Column, DataFrame, IdxCa, NewChunkedArray};
use polars_arrow::array::PrimitiveArray;

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

/// Expressions over one chunk, each by the quickest way that gives DuckDB's answer: a formula where
/// the expression is one ([`super::formula`]), else SQL.
///
/// What goes to SQL is cut into batches, run one after the other: a query holds one vector for each
/// node of its expressions and blocks for each join (72 rules at once: 60 MB a worker).
#[derive(Debug, Clone)]
pub struct Projection {
    stage: &'static str,
    expressions: Vec<Expression>,
    joins: Vec<Joined>,
    missing: Vec<(String, String)>,
    chained: bool,
    formulas: bool,
}

/// Expressions of a batch.
const BATCH: usize = 24;
/// Lookups of a batch.
const BATCH_JOINS: usize = 2;

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
        Self {
            stage,
            expressions: expressions.to_vec(),
            joins: joins.to_vec(),
            missing: missing.to_vec(),
            chained: true,
            formulas: true,
        }
    }

    /// No expression uses the name of another (rules).
    #[must_use]
    pub fn independent(self) -> Self {
        Self { chained: false, ..self }
    }

    /// All by DuckDB: for projections that are run once, and to compare with.
    #[must_use]
    pub fn by_sql(self) -> Self {
        Self { formulas: false, ..self }
    }

    /// Nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.expressions.is_empty()
    }

    /// One output column for each expression, in the order of the chunk's rows.
    pub fn run(&self, session: &mut Session, frame: &DataFrame) -> Result<Vec<Column>, StageError> {
        let mut columns = match self.formulas {
            true => session.formulas(self, frame).run(frame),
            false => vec![None; self.expressions.len()],
        };
        let rest: Vec<usize> = (0..columns.len()).filter(|at| columns[*at].is_none()).collect();
        if rest.is_empty() {
            return Ok(columns.into_iter().flatten().collect());
        }
        let mut grown = frame.clone();
        if self.chained {
            // What a formula gave may be spoken of in SQL.
            let made: Vec<_> = columns.iter().flatten().cloned().collect();
            grown = self.widened(&grown, &made)?;
        }
        for batch in self.batches(&rest) {
            let made = self.run_batch(session, &self.batch_sql(batch), &grown)?;
            // A later expression may use the names of earlier ones.
            if batch.len() < rest.len() && self.chained {
                grown = self.widened(&grown, &made)?;
            }
            for (at, column) in batch.iter().zip(made) {
                columns[*at] = Some(column);
            }
        }
        Ok(columns.into_iter().flatten().collect())
    }

    fn widened(&self, frame: &DataFrame, columns: &[Column]) -> Result<DataFrame, StageError> {
        frame.hstack(columns).map_err(|error| StageError::new(self.stage, error.to_string()))
    }

    /// The expressions as formulas for frames of this shape, where they are some.
    pub(super) fn compile(&self, frame: &DataFrame, session: &Session) -> Formulas {
        let made = Made {
            expressions: &self.expressions,
            joins: &self.joins,
            missing: &self.missing,
            tables: session.tables(),
            chained: self.chained,
        };
        Formulas::new(&made, frame.schema())
    }

    /// How many of the expressions are formulas for frames of this shape.
    pub fn formula_count(&self, session: &mut Session, frame: &DataFrame) -> usize {
        session.formulas(self, frame).count()
    }

    /// The same expressions over the same names.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.expressions == other.expressions && self.missing == other.missing
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
        StageError::new(self.stage, format!("an expression failed: {}", error.message)).with_hint(
            "correct the expression in the pack or the rules file (TRY_CAST gives NULL where \
                 CAST fails)",
        )
    }

    /// Cuts expressions, by their places, into runs that are small in number and in lookups.
    fn batches<'e>(&self, places: &'e [usize]) -> Vec<&'e [usize]> {
        let mut batches = Vec::new();
        let mut from = 0;
        for to in 1..=places.len() {
            let full = to - from == BATCH;
            let next_is_too_much =
                to < places.len() && self.joins_of(&places[from..=to]).count() > BATCH_JOINS;
            if full || next_is_too_much || to == places.len() {
                batches.push(&places[from..to]);
                from = to;
            }
        }
        batches
    }

    /// The lookups that some expressions speak of.
    fn joins_of(&self, places: &[usize]) -> impl Iterator<Item = &Joined> {
        self.joins.iter().filter(move |join| {
            let prefix = format!("{}.", join.alias);
            places.iter().any(|at| self.expressions[*at].sql.contains(&prefix))
        })
    }

    fn batch_sql(&self, places: &[usize]) -> String {
        let item = |at: &usize| {
            let Expression { name, ty, sql } = &self.expressions[*at];
            match ty {
                Some(ty) => format!("CAST(({sql}) AS {ty}) AS {}", quote(name)),
                None => format!("({sql}) AS {}", quote(name)),
            }
        };
        let items: Vec<_> = places.iter().map(item).collect();
        let joins: String = self
            .joins_of(places)
            .map(|join| {
                let Joined { alias, table, on } = join;
                format!(" LEFT JOIN {} AS {} ON {on}", quote(table), quote(alias))
            })
            .collect();
        let nulls: String = self
            .missing
            .iter()
            .map(|(name, ty)| format!(", CAST(NULL AS {ty}) AS {}", quote(name)))
            .collect();
        format!(
            "SELECT {CHUNK}.{ROW}, {} FROM (SELECT *{nulls} FROM {SOURCE}) AS {CHUNK}{joins}",
            items.join(", ")
        )
    }
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
    use crate::stage::Engine;
    use polars::prelude::*;

    fn engine() -> Engine {
        let header = ["code".to_owned(), "label".to_owned()];
        let rows = [vec!["001".to_owned(), "Single family".to_owned()]];
        Engine::new(&[("use_codes", &header, &rows)], 64 << 20)
    }

    fn expression(name: &str, ty: Option<&str>, sql: &str) -> Expression {
        Expression { name: name.into(), ty: ty.map(Into::into), sql: sql.into() }
    }

    #[test]
    fn rows_keep_their_order_through_lookups() {
        let engine = engine();
        let mut session = engine.session();
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
        let mut session = engine.session();
        let frame = df!("jv" => [1i64]).expect("frame");
        for sql in ["nosuch + 1", "(SELECT content FROM read_text('/etc/passwd'))"] {
            let projection = Projection::new("validate", &[expression("x", None, sql)], &[], &[]);
            assert!(projection.run(&mut session, &frame).is_err(), "{sql}");
        }
    }
}
