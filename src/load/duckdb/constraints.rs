//! Constraints of tables that others have made: rows that break one are found before they are inserted, since DuckDB
//! has no savepoints, and an INSERT that breaks one ends its transaction.
//!
//! Only one writer writes to such a table, so rows of other open transactions cannot come between.

use super::insert::Inserter;
use crate::chunk::{Code, ColumnKind, Problem};
use crate::duck::{Connection, Frame, Prepared, Value, quote};
use crate::load::names::NameRule;
use crate::load::table::{Provenance, TableSpec};
use crate::load::{LoadError, Rows};
use polars_arrow::array::PrimitiveArray;
use polars_arrow::datatypes::ArrowDataType;
use std::collections::BTreeMap;

/// Name of the column that numbers the rows of a frame.
const AT: &str = "etl row of frame";
/// Between the names of a list.
const BETWEEN: char = '\u{1f}';

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Constraint {
    kind: Kind,
    /// As the table declares it: `PRIMARY KEY(n)`.
    text: String,
    /// Its columns.
    columns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    NotNull,
    Check(String),
    /// Also of primary keys and unique indexes.
    Unique,
    /// The other table and its columns.
    Foreign(String, Vec<String>),
    /// Texts that are cast to this type.
    Cast(String),
}

/// Whether a table may refuse rows of a load: because of its constraints, or of columns that texts are cast for.
pub(super) fn may_refuse(
    con: &Connection,
    schema: &str,
    spec: &TableSpec,
) -> Result<bool, LoadError> {
    let casts = spec.columns.iter().any(|column| is_cast(&column.ty));
    Ok(casts || !constraints(con, schema, &spec.name)?.is_empty())
}

/// Whether texts of a plain file are cast to a type: one that the program has no kind for, and that DuckDB makes of
/// a text.
pub(super) fn is_cast(ty: &str) -> bool {
    let is_nested =
        ty.ends_with(']') || ["STRUCT(", "MAP(", "UNION("].iter().any(|own| ty.starts_with(own));
    ColumnKind::from_duckdb(ty).is_none()
        && !is_nested
        && !matches!(
            ty,
            "BLOB"
                | "GEOMETRY"
                | "VARIANT"
                | "INTERVAL"
                | "TIME WITH TIME ZONE"
                | "BIGNUM"
                | "VARINT"
                | "BIT"
        )
}

/// Constraints and unique indexes, those first that look at one row alone.
fn constraints(con: &Connection, schema: &str, table: &str) -> Result<Vec<Constraint>, LoadError> {
    let list = |column: &str| format!("array_to_string({column}, chr(31))");
    let (own, others) = (list("constraint_column_names"), list("referenced_column_names"));
    let found = con.query(
        &format!(
            "SELECT constraint_type, constraint_text, {own}, expression, referenced_table, {others} \
             FROM duckdb_constraints() WHERE database_name = current_database() AND schema_name = $1 \
               AND lower(table_name) = lower($2) \
             UNION ALL SELECT 'UNIQUE', 'UNIQUE INDEX ' || index_name, expressions, NULL, NULL, NULL \
             FROM duckdb_indexes() WHERE database_name = current_database() AND schema_name = $1 \
               AND lower(table_name) = lower($2) AND is_unique"
        ),
        &[Value::from(schema), Value::from(table)],
    )?;
    let mut all: Vec<_> = found.rows.iter().filter_map(|row| constraint(row)).collect();
    all.sort_by_key(|constraint| match constraint.kind {
        Kind::NotNull | Kind::Cast(_) => 0,
        Kind::Check(_) => 1,
        Kind::Foreign(..) => 2,
        Kind::Unique => 3,
    });
    Ok(all)
}

fn constraint(row: &[Value]) -> Option<Constraint> {
    let text = |at: usize| row.get(at).and_then(Value::as_text);
    let names = |at: usize| names(text(at).unwrap_or_default());
    let kind = match text(0)? {
        "NOT NULL" => Kind::NotNull,
        "CHECK" => Kind::Check(text(3)?.to_owned()),
        "PRIMARY KEY" | "UNIQUE" => Kind::Unique,
        "FOREIGN KEY" => Kind::Foreign(text(4)?.to_owned(), names(5)),
        _ => return None,
    };
    Some(Constraint { kind, text: text(1)?.to_owned(), columns: names(2) })
}

/// The names of a list, and of the columns of an index: `[n, '"a b"']`.
fn names(list: &str) -> Vec<String> {
    let Some(inside) = list.strip_prefix('[').and_then(|list| list.strip_suffix(']')) else {
        return list.split(BETWEEN).map(str::to_owned).collect();
    };
    let plain = |name: &str| {
        let name = name.trim().trim_matches('\'');
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        quoted.map_or_else(|| name.to_owned(), |name| name.replace("\"\"", "\""))
    };
    inside.split(", ").map(plain).collect()
}

/// What finds the rows of frames that break a constraint of their table.
pub(super) struct Guards {
    constraints: Vec<Constraint>,
    /// The statement of each constraint, once it is prepared for the shape of the frames.
    prepared: Vec<Option<Prepared>>,
    /// The schema of the table.
    schema: String,
    /// Where the rows go, as SQL names it.
    relation: String,
    /// Columns that fill themselves, with what they get.
    defaults: BTreeMap<String, String>,
}

impl Guards {
    /// The guards of a table; `None` where it has no constraints. `relation`: where its rows go, which is a table
    /// beside it where they take the place of others; `None`: their keys are those of rows that are there.
    pub fn of(
        con: &Connection,
        (schema, spec): (&str, &TableSpec),
        relation: Option<String>,
    ) -> Result<Option<Self>, LoadError> {
        let table = spec.name.as_str();
        let mut constraints = constraints(con, schema, table)?;
        let casts = spec.columns.iter().filter(|column| is_cast(&column.ty));
        let casts: Vec<_> =
            casts.map(|column| Constraint::of_cast(&column.name, &column.ty)).collect();
        constraints.splice(0..0, casts);
        if relation.is_none() {
            constraints.retain(|constraint| constraint.kind != Kind::Unique);
        }
        if constraints.is_empty() {
            return Ok(None);
        }
        let defaults = con.query(
            "SELECT column_name, column_default FROM duckdb_columns() \
             WHERE database_name = current_database() AND schema_name = $1 \
               AND lower(table_name) = lower($2) AND column_default IS NOT NULL",
            &[Value::from(schema), Value::from(table)],
        )?;
        let text = |row: &[Value], at: usize| row[at].as_text().map(str::to_owned);
        let defaults = defaults.rows.iter();
        let defaults = defaults.filter_map(|row| Some((text(row, 0)?, text(row, 1)?))).collect();
        let prepared = constraints.iter().map(|_| None).collect();
        let (schema, relation) = (schema.to_owned(), relation.unwrap_or_default());
        Ok(Some(Self { constraints, prepared, schema, relation, defaults }))
    }

    /// Rows that the table would not take, by their positions, with what they break.
    pub fn refused(
        &mut self,
        con: &Connection,
        inserter: &Inserter,
        rows: &Rows,
        provenance: &Provenance,
    ) -> Result<Vec<(u32, Problem)>, LoadError> {
        let mut good: Vec<u32> = (0..rows.len() as u32).collect();
        let mut refused = Vec::new();
        for at in 0..self.constraints.len() {
            if good.is_empty() {
                break;
            }
            let mut frame = match good.len() == rows.len() {
                true => inserter.in_order(rows, provenance)?,
                false => inserter.in_order(&rows.some(&good)?, provenance)?,
            };
            if !self.concerns(at, &frame) {
                continue;
            }
            let numbers = (0..good.len() as i64).collect();
            frame.push(AT, Box::new(PrimitiveArray::<i64>::from_vec(numbers)))?;
            let broken = self.broken(con, at, frame)?;
            refused.extend(broken.iter().map(|row| (good[*row], self.constraints[at].problem())));
            let broken: std::collections::HashSet<u32> =
                broken.iter().map(|row| good[*row]).collect();
            good.retain(|row| !broken.contains(row));
        }
        refused.sort_by_key(|(row, _)| *row);
        Ok(refused)
    }

    /// Whether rows of a frame can break a constraint: not where its columns fill themselves.
    fn concerns(&self, at: usize, frame: &Frame) -> bool {
        let Constraint { kind, columns, .. } = &self.constraints[at];
        let is_same = |own: &str, name: &String| NameRule::IgnoreCase.same(own, name);
        let is_given = |name: &String| frame.names().any(|own| is_same(own, name));
        match kind {
            Kind::Check(_) => true,
            Kind::Cast(_) => columns.iter().all(|name| {
                let mut fields = frame.fields().iter();
                let field = fields.find(|field| is_same(&field.name, name));
                field.is_some_and(|field| *field.dtype() == ArrowDataType::Utf8View)
            }),
            Kind::NotNull | Kind::Unique | Kind::Foreign(..) => columns.iter().all(is_given),
        }
    }

    /// Positions of the rows of a frame that break a constraint.
    fn broken(
        &mut self,
        con: &Connection,
        at: usize,
        frame: Frame,
    ) -> Result<Vec<usize>, LoadError> {
        if self.prepared[at].is_none() {
            let view = format!("rows for {} {at}", self.constraints[at].text);
            let sql = self.sql(at, &view, &frame);
            self.prepared[at] = Some(con.prepare_over(&view, &frame, &sql)?);
        }
        let Some(prepared) = &mut self.prepared[at] else { return Ok(Vec::new()) };
        let found = prepared.run(frame)?;
        let numbers = found.columns().first();
        let numbers =
            numbers.and_then(|array| array.as_any().downcast_ref::<PrimitiveArray<i64>>());
        let numbers = numbers.map(|numbers| numbers.values().iter().map(|row| *row as usize));
        Ok(numbers.into_iter().flatten().collect())
    }

    /// SQL by which texts that are cast are compared as the values that they become.
    fn casts(&self, kind: &Kind, frame: &Frame) -> String {
        let cast = |constraint: &Constraint| match &constraint.kind {
            Kind::Cast(ty) => {
                let name = constraint.columns.first()?;
                let is_given = frame.names().any(|own| own == name);
                is_given.then(|| format!("TRY_CAST({0} AS {ty}) AS {0}", quote(name)))
            }
            _ => None,
        };
        let casts: Vec<_> = match kind {
            Kind::Cast(_) | Kind::NotNull => Vec::new(),
            _ => self.constraints.iter().filter_map(cast).collect(),
        };
        match casts.as_slice() {
            [] => String::new(),
            some => format!(" REPLACE ({})", some.join(", ")),
        }
    }

    /// The question for the rows that break a constraint.
    fn sql(&self, at: usize, view: &str, frame: &Frame) -> String {
        let Constraint { kind, columns, .. } = &self.constraints[at];
        let given = |name: &str| frame.names().any(|own| own == name);
        let defaults = self.defaults.iter().filter(|(name, _)| !given(name));
        let defaults: String =
            defaults.map(|(name, value)| format!(", ({value}) AS {}", quote(name))).collect();
        let casts = self.casts(kind, frame);
        let from = format!("(SELECT *{casts}{defaults} FROM {}) AS f", quote(view));
        let at = quote(AT);
        let all = |join: &str, each: &dyn Fn(&String) -> String| {
            columns.iter().map(each).collect::<Vec<_>>().join(join)
        };
        let filled = || all(" AND ", &|name| format!("f.{} IS NOT NULL", quote(name)));
        match kind {
            Kind::NotNull => {
                let missing = all(" OR ", &|name| format!("f.{} IS NULL", quote(name)));
                format!("SELECT {at} FROM {from} WHERE {missing}")
            }
            Kind::Cast(ty) => {
                let text = all("", &|name| format!("f.{}", quote(name)));
                format!(
                    "SELECT {at} FROM {from} WHERE {text} IS NOT NULL AND NOT ({})",
                    keeps(&text, ty)
                )
            }
            Kind::Check(expression) => {
                let holds = format!("coalesce(CAST(({expression}) AS BOOLEAN), true)");
                format!("SELECT {at} FROM {from} WHERE NOT {holds}")
            }
            Kind::Foreign(table, others) => {
                let pairs = columns.iter().zip(others);
                let same =
                    pairs.map(|(own, other)| format!("r.{} = f.{}", quote(other), quote(own)));
                let same = same.collect::<Vec<_>>().join(" AND ");
                let other = format!("{}.{}", quote(&self.schema), quote(table));
                format!(
                    "SELECT {at} FROM {from} WHERE {} AND NOT EXISTS (SELECT 1 FROM {other} AS r WHERE {same})",
                    filled()
                )
            }
            Kind::Unique => {
                let keys = all(", ", &|name| format!("f.{}", quote(name)));
                let same = all(" AND ", &|name| format!("t.{} = f.{}", quote(name), quote(name)));
                format!(
                    "SELECT {at} FROM (SELECT {at}, {keys}, row_number() OVER (PARTITION BY {keys} ORDER BY {at}) \
                       AS nth FROM {from} WHERE {}) AS f \
                     WHERE nth > 1 OR EXISTS (SELECT 1 FROM {} AS t WHERE {same})",
                    filled(),
                    self.relation
                )
            }
        }
    }
}

/// The condition under which a text becomes a value of a type and is not changed by it.
fn keeps(text: &str, ty: &str) -> String {
    let cast = format!("TRY_CAST({text} AS {ty})");
    let decimals = || {
        ty.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?.1.trim().parse::<u8>().ok()
    };
    let same = match ty {
        // The shortest text of a float has at most nine digits; a whole number may have more.
        "FLOAT" => format!(
            "(length(trim(replace(regexp_extract(trim({text}), '^[+-]?0*([0-9]*\\.?[0-9]*)', 1), '.', ''), '0')) <= 9 \
             AND CAST(CAST({cast} AS VARCHAR) AS DOUBLE) = TRY_CAST({text} AS DOUBLE)) \
             OR CAST(TRY_CAST({cast} AS HUGEINT) AS VARCHAR) = ltrim(trim({text}), '+')"
        ),
        "TIMESTAMP_S" | "TIMESTAMP_MS" => {
            format!("CAST({cast} AS TIMESTAMP_NS) = TRY_CAST({text} AS TIMESTAMP_NS)")
        }
        "TIME" => {
            format!(
                "regexp_full_match(trim({text}), '[0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]{{1,6}}0*)?)?')"
            )
        }
        ty if ty.ends_with("INT") || ty == "UINTEGER" => {
            format!("regexp_full_match(trim({text}), '[+-]?(0|[1-9][0-9]*)(\\.0*)?')")
        }
        _ => match decimals() {
            Some(scale) => {
                format!(
                    "CASE WHEN contains(lower({text}), 'e') \
                     THEN CAST({cast} AS DOUBLE) = TRY_CAST({text} AS DOUBLE) \
                     ELSE regexp_full_match(trim({text}), '[+-]?(0|[1-9][0-9]*)?(\\.[0-9]{{0,{scale}}}0*)?') END"
                )
            }
            None => "true".to_owned(),
        },
    };
    format!("coalesce({cast} IS NOT NULL AND ({same}), false)")
}

impl Constraint {
    fn of_cast(column: &str, ty: &str) -> Self {
        Self {
            kind: Kind::Cast(ty.to_owned()),
            text: ty.to_owned(),
            columns: vec![column.to_owned()],
        }
    }

    /// What a row that breaks it is told.
    fn problem(&self) -> Problem {
        let columns = self.columns.join(", ");
        let (what, advice) = match &self.kind {
            Kind::NotNull => {
                (format!("column {columns} must have a value (NOT NULL)"), "fill in the value")
            }
            Kind::Check(_) => (self.text.clone(), "correct the row, or change the constraint"),
            Kind::Cast(ty) => (
                format!("column {columns} is {ty}, which does not take the value as it is"),
                "correct the value, or widen the column",
            ),
            Kind::Foreign(table, _) => {
                (format!("{}: no such row in {table}", self.text), "load what it refers to first")
            }
            Kind::Unique => (
                format!("{}: another row has this value already", self.text),
                "correct the row, or drop the constraint",
            ),
        };
        let problem = Problem::new(Code::E404, format!("the database refuses the row: {what}"))
            .with_rule(self.text.clone())
            .with_hint(format!("{advice}, then `etl reprocess-failures`"));
        match self.columns.as_slice() {
            [column] => problem.with_column(column),
            _ => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_constraints_and_indexes_are_found() {
        assert_eq!(names("n"), ["n"]);
        assert_eq!(names("a b\u{1f}c"), ["a b", "c"]);
        assert_eq!(names("[n, w]"), ["n", "w"]);
        assert_eq!(names("['\"a b\"', n]"), ["a b", "n"]);
    }
}
