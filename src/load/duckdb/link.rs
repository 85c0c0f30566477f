//! A connection to the file as the seam sees it.

use super::count;
use super::table::columns_of;
use crate::duck::{Connection, ResultColumn, Value, quote};
use crate::load::cells::Cells;
use crate::load::table::TableSpec;
use crate::load::target::{Changes, EachRows, SCHEMA};
use crate::load::{Link, LoadError};

/// The schema in which a new table of a DuckDB file is made.
const MAIN: &str = "main";

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

    fn schema(&self) -> &str {
        MAIN
    }

    fn table(&self, name: &str) -> String {
        quote(name)
    }

    fn columns(&self, table: &str) -> Result<Vec<(String, String)>, LoadError> {
        columns_of(self, MAIN, table)
    }

    /// A file is the user's own: tables are made and columns added without being asked for.
    fn ensure(&self, spec: &TableSpec, _unique: bool, _changes: Changes) -> Result<(), LoadError> {
        spec.ensure(self)
    }

    fn make_side(&self, spec: &TableSpec, side: &str) -> Result<(), LoadError> {
        Ok(spec.make_side(self, side)?)
    }

    /// DELETE and INSERT: an UPDATE of wide rows is ten times slower.
    fn apply_changes(&self, spec: &TableSpec, side: &str) -> Result<(u64, u64), LoadError> {
        let (table, from) = (quote(&spec.name), format!("{SCHEMA}.{}", quote(side)));
        let join = spec.key_join("t", "s");
        let sql = format!("DELETE FROM {table} AS t USING {from} AS s WHERE {join}");
        let gone = Connection::execute(self, &sql)?;
        Ok((gone, self.take_over(spec, side)?))
    }

    fn take_over(&self, spec: &TableSpec, side: &str) -> Result<u64, LoadError> {
        let (table, side) = (quote(&spec.name), quote(side));
        let sql = format!("INSERT INTO {table} BY NAME SELECT * FROM {SCHEMA}.{side}");
        Ok(Connection::execute(self, &sql)?)
    }

    fn counts_added(&self) -> bool {
        true
    }

    fn cells_added(&self, table: &str, columns: &[String]) -> Result<Cells, LoadError> {
        count::added(self, MAIN, table, columns).map(|(_, cells)| cells)
    }

    /// The file has one writer, and no server behind it.
    fn is_alone(&self) -> bool {
        true
    }
}
