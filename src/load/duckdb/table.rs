//! The target table: its columns, how it is made, and frames in its order.

use crate::chunk::blank;
use crate::duck::{Connection, DuckError, Frame, Value, quote};
use crate::load::names::NameRule;
use crate::load::table::{Provenance, TableSpec};
use crate::load::target::SCHEMA;
use crate::load::{Link, LoadError, LoadErrorKind, Rows};
use polars::prelude::{
    ChunkFull, ChunkFullNull, Column, CompatLevel, DataType, Int64Chunked, IntoSeries,
    NewChunkedArray, Series, StringChunked, TimeUnit, TimeZone,
};
use polars_arrow::datatypes::Field;
use std::collections::{HashMap, HashSet};

impl TableSpec {
    /// The statement that makes the table.
    pub fn ddl(&self) -> String {
        self.ddl_as(&quote(&self.name))
    }

    /// The same under a name as SQL writes it.
    pub fn ddl_as(&self, table: &str) -> String {
        let columns: Vec<_> =
            self.all_columns().map(|(name, ty)| format!("  {} {ty}", quote(name))).collect();
        format!("CREATE TABLE {table} (\n{}\n)", columns.join(",\n"))
    }

    /// Makes the table, or checks that the existing one can take the rows: missing columns are
    /// added, columns of another type are an error that names them all.
    pub fn ensure(&self, con: &Connection) -> Result<(), LoadError> {
        let existing = columns_of(con, Link::schema(con), &self.name)?;
        if existing.is_empty() {
            con.execute(&self.ddl_as(&con.named(&self.name)))?;
            return Ok(());
        }
        if is_view(con, &self.name)? {
            let told = format!("{} is a view, and rows go into tables", self.name);
            return Err(LoadError::new(LoadErrorKind::Mismatch, told)
                .with_hint("name the table behind it, or a new one, with --table"));
        }
        let mut wrong = Vec::new();
        let mut missing = Vec::new();
        for (name, ty) in self.all_columns() {
            match existing.iter().find(|(known, _)| NameRule::IgnoreCase.same(known, name)) {
                Some((_, known)) if known == ty => {}
                Some((_, known)) => wrong.push(format!("{name} is {known}, needed {ty}")),
                None => missing.push((name, ty)),
            }
        }
        if !wrong.is_empty() {
            let message = format!(
                "table {} does not fit what is to be loaded: {}",
                self.name,
                wrong.join("; ")
            );
            return Err(LoadError::new(LoadErrorKind::Mismatch, message).with_hint(
                "load into another table with --table, or into another file with --to",
            ));
        }
        for (name, ty) in missing {
            con.execute(&format!(
                "ALTER TABLE {} ADD COLUMN {} {ty}",
                con.named(&self.name),
                quote(name)
            ))?;
        }
        Ok(())
    }

    /// Makes a side table in the ledger's schema with the columns of the target that a load fills.
    pub fn make_side(&self, con: &Connection, side: &str) -> Result<(), LoadError> {
        let columns = filled(con, Link::schema(con), &self.name, self)?;
        con.execute(&format!(
            "CREATE TABLE IF NOT EXISTS {SCHEMA}.{} AS SELECT {} FROM {} LIMIT 0",
            quote(side),
            listed(&columns),
            con.named(&self.name)
        ))?;
        Ok(())
    }
}

/// The name of a table in the catalogue: DuckDB's names have no case.
pub fn table_called(
    con: &Connection,
    schema: &str,
    table: &str,
) -> Result<Option<String>, DuckError> {
    let rows = con.query(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() \
           AND schema_name = $1 AND lower(table_name) = lower($2) \
         UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = current_database() \
           AND schema_name = $1 AND lower(view_name) = lower($2)",
        &[Value::from(schema), Value::from(table)],
    )?;
    let names = rows.rows.iter().filter_map(|row| row[0].as_text());
    Ok(names.filter(|name| NameRule::IgnoreCase.same(name, table)).map(str::to_owned).next())
}

/// Columns of a table that a load of `spec` fills: all but those that the rows do not bring and that fill
/// themselves, by a default or an expression.
pub fn filled(
    con: &Connection,
    schema: &str,
    table: &str,
    spec: &TableSpec,
) -> Result<Vec<(String, String)>, LoadError> {
    let mut there = columns_of(con, schema, table)?;
    let own: HashSet<String> =
        spec.all_columns().map(|(name, _)| NameRule::IgnoreCase.folded(name)).collect();
    let is_own = |name: &str| own.contains(&NameRule::IgnoreCase.folded(name));
    if there.iter().all(|(name, _)| is_own(name)) {
        return Ok(there);
    }
    let by_themselves = con.query(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() \
           AND schema_name = $1 AND lower(table_name) = lower($2) AND column_default IS NOT NULL",
        &[Value::from(schema), Value::from(table)],
    )?;
    let by_themselves: HashSet<_> =
        by_themselves.rows.iter().filter_map(|row| row[0].as_text()).collect();
    there.retain(|(name, _)| is_own(name) || !by_themselves.contains(name.as_str()));
    Ok(there)
}

/// Names of columns as SQL lists them.
pub fn listed(columns: &[(String, String)]) -> String {
    columns.iter().map(|(name, _)| quote(name)).collect::<Vec<_>>().join(", ")
}

/// Whether a name of the connection's schema is that of a view.
fn is_view(con: &Connection, name: &str) -> Result<bool, DuckError> {
    let found = con.query(
        "SELECT count(*) FROM duckdb_views() WHERE database_name = current_database() \
           AND schema_name = $1 AND lower(view_name) = lower($2)",
        &[Value::from(Link::schema(con)), Value::from(name)],
    )?;
    Ok(found.rows.first().and_then(|row| row[0].as_int()) != Some(0))
}

/// Columns of a table with their types; empty when there is no such table.
pub fn columns_of(
    con: &Connection,
    schema: &str,
    table: &str,
) -> Result<Vec<(String, String)>, LoadError> {
    Ok(con.described(schema, table)?)
}

/// Rows as a frame in the order of some of the table's columns; columns that the rows do not have are null. A
/// column of the rows that the table does not have is an error: its values would be lost.
pub fn in_table_order(
    rows: &Rows,
    columns: &[(String, String)],
    provenance: &Provenance,
) -> Result<Frame, LoadError> {
    let len = rows.len();
    let mut frame = Frame::new();
    let mut left: HashMap<String, &Column> = rows
        .frame
        .columns()
        .iter()
        .map(|column| (NameRule::IgnoreCase.folded(column.name()), column))
        .collect();
    for (name, ty) in columns {
        let folded = NameRule::IgnoreCase.folded(name);
        let meant = provenance.meant(name);
        match if meant == name { folded.as_str() } else { meant } {
            "_etl_run" => push(&mut frame, constant(name, Some(&provenance.run), len))?,
            "_etl_source" => push(&mut frame, constant(name, Some(&provenance.source), len))?,
            "_etl_release" => {
                push(&mut frame, constant(name, provenance.release.as_deref(), len))?;
            }
            "_etl_row" => push(
                &mut frame,
                Int64Chunked::from_slice(name.as_str().into(), &rows.places).into_series(),
            )?,
            "_etl_hash" => frame.push_uuids(name, rows.hashes.iter().copied().map(Some))?,
            "_etl_loaded_at" => push(&mut frame, moments(name, provenance.loaded_at, len))?,
            _ => match left.remove(&folded) {
                Some(column) => push(&mut frame, column.as_materialized_series().clone())?,
                None => push(&mut frame, nulls(name, ty, len))?,
            },
        }
    }
    match lost(&left) {
        None => Ok(frame),
        Some(told) => Err(LoadError::new(LoadErrorKind::Account, told)),
    }
}

/// Columns with values that found no place.
fn lost(left: &HashMap<String, &Column>) -> Option<String> {
    let mut lost: Vec<_> = left
        .values()
        .filter(|column| column.null_count() < column.len())
        .map(|column| column.name().as_str())
        .collect();
    lost.sort_unstable();
    (!lost.is_empty())
        .then(|| format!("the table has no column for values that were read: {}", lost.join(", ")))
}

fn push(frame: &mut Frame, series: Series) -> Result<(), DuckError> {
    let series = series.rechunk();
    let array = series.to_arrow(0, CompatLevel::newest());
    let field = Field::new(series.name().clone(), array.dtype().clone(), true);
    frame.push_field(field, array)
}

fn constant(name: &str, value: Option<&str>, len: usize) -> Series {
    match value {
        Some(value) => StringChunked::full(name.into(), value, len).into_series(),
        None => StringChunked::full_null(name.into(), len).into_series(),
    }
}

fn moments(name: &str, micros: i64, len: usize) -> Series {
    Int64Chunked::full(name.into(), micros, len)
        .into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))
        .into_series()
}

/// Nulls of any type that converts to the column's type without a cast.
fn nulls(name: &str, ty: &str, len: usize) -> Series {
    let dtype = match ty {
        "BIGINT" => DataType::Int64,
        "INTEGER" => DataType::Int32,
        "DOUBLE" => DataType::Float64,
        "BOOLEAN" => DataType::Boolean,
        "DATE" => DataType::Date,
        _ => DataType::String,
    };
    blank(name.into(), len, &dtype)
}
