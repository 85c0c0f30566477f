//! A connection to the file as the seam sees it.

use super::MAIN;
use super::constraints::is_cast;
use super::last;
use super::table::{columns_of, table_called};
use crate::duck::{Connection, ResultColumn, Value, quote};
use crate::load::names::NameRule;
use crate::load::table::TableSpec;
use crate::load::target::{Changes, Counts, EachRows, LastRows, SCHEMA, no_schema, widen_as};
use crate::load::{Link, LoadError};
use std::cell::OnceCell;

impl Link for Connection {
    fn query_each(
        &self,
        sql: &str,
        values: &[Value],
        each: EachRows<'_>,
    ) -> Result<Vec<ResultColumn>, LoadError> {
        Ok(Connection::query_each(self, sql, values, |columns, rows| each(columns, rows))?)
    }

    fn execute(&self, sql: &str, values: &[Value]) -> Result<u64, LoadError> {
        Ok(self.execute_with(sql, values)?)
    }

    fn begin(&self) -> Result<(), LoadError> {
        Ok(Connection::begin(self)?)
    }

    /// The file is opened for reading only.
    fn begin_reading(&self, _question: &str) -> Result<(), LoadError> {
        Ok(Connection::begin(self)?)
    }

    fn begin_checking(&self) -> Result<(), LoadError> {
        Ok(Connection::begin(self)?)
    }

    fn commit(&self) -> Result<(), LoadError> {
        Ok(Connection::commit(self)?)
    }

    fn rollback(&self) -> Result<(), LoadError> {
        Ok(Connection::rollback(self)?)
    }

    /// Everything into the file, and the log empty.
    fn settle(&self, _table: Option<&TableSpec>, _changed: u64) -> Result<(), LoadError> {
        Ok(self.checkpoint()?)
    }

    fn ledger_version(&self) -> &OnceCell<u32> {
        self.kept()
    }

    fn schema(&self) -> &str {
        Connection::schema(self).unwrap_or(MAIN)
    }

    fn names(&self) -> NameRule {
        NameRule::IgnoreCase
    }

    fn find_table(&self, name: &str) -> Result<Option<String>, LoadError> {
        Ok(table_called(self, Link::schema(self), name)?)
    }

    fn takes_texts(&self, table: &str) -> Result<Vec<String>, LoadError> {
        let found = columns_of(self, Link::schema(self), table)?;
        Ok(found.into_iter().filter(|(_, ty)| is_cast(ty)).map(|(name, _)| name).collect())
    }

    /// DuckDB changes no table that an index depends on.
    fn can_widen(&self, table: &str) -> Result<bool, LoadError> {
        let sql = "SELECT count(*) FROM duckdb_indexes() WHERE database_name = current_database() \
                   AND schema_name = ? AND lower(table_name) = lower(?)";
        let con: &dyn Link = self;
        Ok(con.number(sql, &[Value::from(Link::schema(self)), Value::from(table)])? == 0)
    }

    fn widen(&self, table: &str, column: &str, from: &str, ty: &str) -> Result<(), LoadError> {
        widen_as(self, table, column, from, (ty, ty))
    }

    fn table(&self, name: &str) -> String {
        self.named(name)
    }

    fn columns(&self, table: &str) -> Result<Vec<(String, String)>, LoadError> {
        columns_of(self, Link::schema(self), table)
    }

    /// A file is the user's own: tables are made and columns added without being asked for. A schema that
    /// is not there may be a slip of the pen.
    fn ensure(&self, spec: &TableSpec, _unique: bool, changes: Changes) -> Result<(), LoadError> {
        ensure_schema(self, changes)?;
        spec.ensure(self)
    }

    fn make_side(&self, spec: &TableSpec, side: &str) -> Result<(), LoadError> {
        spec.make_side(self, side)
    }

    /// DELETE and INSERT: an UPDATE of wide rows is ten times slower.
    fn apply_changes(&self, spec: &TableSpec, side: &str) -> Result<(u64, u64), LoadError> {
        let (table, from) = (self.named(&spec.name), format!("{SCHEMA}.{}", quote(side)));
        let join = spec.key_join("t", "s");
        let sql = format!("DELETE FROM {table} AS t USING {from} AS s WHERE {join}");
        let gone = Connection::execute(self, &sql)?;
        Ok((gone, self.take_over(spec, side)?))
    }

    fn take_over(&self, spec: &TableSpec, side: &str) -> Result<u64, LoadError> {
        let (table, side) = (self.named(&spec.name), quote(side));
        let sql = format!("INSERT INTO {table} BY NAME SELECT * FROM {SCHEMA}.{side}");
        Ok(Connection::execute(self, &sql)?)
    }

    fn count_at_once(
        &self,
        spec: &TableSpec,
        counts: &Counts<'_>,
    ) -> Result<Option<Vec<u64>>, LoadError> {
        counts.near.map(|near| last::count(self, &spec.name, counts, near)).transpose()
    }

    fn spots(&self, spec: &TableSpec, rows: LastRows) -> Result<Vec<String>, LoadError> {
        last::spots(self, &spec.name, rows)
    }

    /// The file has one writer, and no server behind it.
    fn is_alone(&self) -> bool {
        true
    }
}

fn ensure_schema(con: &Connection, changes: Changes) -> Result<(), LoadError> {
    let Some(schema) = Connection::schema(con) else { return Ok(()) };
    let sql = "SELECT count(*) FROM information_schema.schemata \
               WHERE catalog_name = current_database() AND schema_name = ?";
    match (con as &dyn Link).number(sql, &[Value::from(schema)])? {
        0 if changes.create => {
            Connection::execute(con, &format!("CREATE SCHEMA {}", quote(schema)))?;
            Ok(())
        }
        0 => Err(no_schema(schema)),
        _ => Ok(()),
    }
}
