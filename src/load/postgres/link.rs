//! A connection for the ledger and for questions. One that is lost is made anew for the next
//! statement, unless a transaction was open on it.

use super::confirmed;
use super::hazards;
use super::indexes;
use super::pool::Loan;
use super::preflight;
use super::recount;
use super::session::Session;
use super::target::Server;
use super::text::{bind, column, is_one_statement, value};
use super::types::{self, Form};
use crate::chunk::Zone;
use crate::duck::{ResultColumn, Value, quote};
use crate::load::ledger::InputRow;
use crate::load::names::NameRule;
use crate::load::table::TableSpec;
use crate::load::target::{
    Changes, Counts, EachKey, EachRows, LastRows, SCHEMA, WritePlan, widen_as,
};
use crate::load::{Link, LoadError, LoadErrorKind};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Rows that are handed over at a time.
const ROWS: usize = 2_048;
/// Source rows whose changes are applied by one statement: a limit of time for statements then
/// stands in the way of no file, however many rows have changed.
const SLICE: u64 = 50_000;
/// A slice is not made smaller than this.
const LEAST_SLICE: u64 = 100;

/// Statements, each on a connection that rests, or all on one within a transaction.
pub struct PgLink {
    server: Arc<Server>,
    /// The connection of the open transaction.
    session: RefCell<Option<Loan>>,
    ledger: OnceCell<u32>,
}

impl PgLink {
    /// Connects with the first statement.
    pub fn new(server: Arc<Server>) -> Self {
        Self { server, session: RefCell::new(None), ledger: OnceCell::new() }
    }

    /// The connection itself, for somebody who has asked all that there was to ask.
    pub fn into_session(self) -> Result<Loan, LoadError> {
        let usable = self.session.into_inner().filter(|session| session.is_usable());
        usable.map_or_else(|| self.server.open(), Ok)
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let mut held = self.session.borrow_mut();
        if let Some(session) = held.take_if(|session| !session.is_usable())
            && session.in_transaction()
        {
            return Err(LoadError::new(
                LoadErrorKind::Lost,
                "the connection was lost within a transaction",
            ));
        }
        if held.is_none() {
            *held = Some(self.server.open()?);
        }
        let session = held.as_mut().expect("it was opened where there was none");
        let done = work(session);
        // Others may use it until the next statement.
        held.take_if(|session| !session.in_transaction());
        done
    }

    /// Whether what is sent is encrypted.
    pub fn is_encrypted(&self) -> Result<bool, LoadError> {
        self.with(|session| Ok(session.is_encrypted()))
    }

    /// Runs a statement for slices of source rows up to `last`, within the open transaction. A slice
    /// that runs into the server's limit of time is tried again with half as many rows.
    fn in_slices(&self, sql: &str, last: u64) -> Result<u64, LoadError> {
        let (mut first, mut changed, mut slice) = (0, 0, SLICE);
        while first <= last {
            let bounds = [Value::from(first), Value::from(first + slice)];
            let sql = format!("SAVEPOINT slice; {}; RELEASE SAVEPOINT slice", bind(sql, &bounds)?);
            match self.execute(&sql, &[]) {
                Ok(rows) => {
                    changed += rows;
                    first += slice;
                }
                Err(error) if error.kind == LoadErrorKind::Slow && slice > LEAST_SLICE => {
                    slice /= 2;
                    let back = "ROLLBACK TO SAVEPOINT slice; RELEASE SAVEPOINT slice";
                    self.execute(back, &[])?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// The columns of a side table: those that we fill.
    fn side_columns(&self, side: &str) -> Result<Vec<String>, LoadError> {
        let found = preflight::columns(self, SCHEMA, side)?;
        Ok(found.iter().map(|column| quote(&column.name)).collect())
    }
}

/// SQL for the rank of a row's release; the same as [`rank_of`](crate::load::lookup::rank_of).
fn rank_sql(table: &str) -> String {
    let release = format!("{table}._etl_release");
    format!(
        "(coalesce(substring({release} FROM '^[0-9]{{4}}')::bigint, 0) * 1000 \
         + CASE substr({release}, 5, 1) WHEN 'P' THEN 100 WHEN 'S' THEN 200 WHEN 'F' THEN 300 ELSE 0 \
         END + coalesce(substring({release} FROM '^.{{5}}([0-9]{{1,4}})$')::bigint, 0))"
    )
}

impl Link for PgLink {
    fn query_each(
        &self,
        sql: &str,
        values: &[Value],
        each: EachRows<'_>,
    ) -> Result<Vec<ResultColumn>, LoadError> {
        let sql = bind(sql, values)?;
        let (mut columns, mut rows, mut told) = (Vec::new(), Vec::new(), false);
        self.with(|session| {
            session.ask(&sql, |found, row| {
                let Some(row) = row else {
                    columns = found.iter().map(column).collect();
                    return Ok(ControlFlow::Continue(()));
                };
                let texts = row.values()?;
                rows.push(found.iter().zip(texts).map(|(of, text)| value(of, text)).collect());
                if rows.len() < ROWS {
                    return Ok(ControlFlow::Continue(()));
                }
                told = true;
                Ok(each(&columns, std::mem::take(&mut rows)))
            })
        })?;
        if !rows.is_empty() || !told {
            // Nothing is left to stop.
            let _ = each(&columns, rows);
        }
        Ok(columns)
    }

    fn execute(&self, sql: &str, values: &[Value]) -> Result<u64, LoadError> {
        let sql = bind(sql, values)?;
        self.with(|session| session.run(&sql))
    }

    fn begin(&self) -> Result<(), LoadError> {
        self.with(|session| session.run("BEGIN; SET LOCAL client_min_messages = error")).map(drop)
    }

    fn begin_reading(&self, question: &str) -> Result<(), LoadError> {
        if !is_one_statement(question) {
            let told = "one question at a time: a semicolon may only stand at its end";
            return Err(LoadError::new(LoadErrorKind::Usage, told));
        }
        self.with(|session| session.run("BEGIN READ ONLY")).map(drop)
    }

    /// Without nested loops: what a WITH gives has no statistics, the server takes it for a few rows,
    /// and compares every row with every other (12 s for 3,000 sales, measured).
    fn begin_checking(&self) -> Result<(), LoadError> {
        let sql = "BEGIN READ ONLY; SET LOCAL enable_nestloop = off";
        self.with(|session| session.run(sql)).map(drop)
    }

    /// As for checking, and with some memory for sorting: the server's own few megabytes make every sort
    /// of a roll one of files.
    fn begin_building(&self) -> Result<(), LoadError> {
        let sql = "BEGIN; SET LOCAL client_min_messages = error; SET LOCAL enable_nestloop = off; \
                   SET LOCAL work_mem = '64MB'";
        self.with(|session| session.run(sql)).map(drop)
    }

    fn commit(&self) -> Result<(), LoadError> {
        self.with(Session::commit)
    }

    fn rollback(&self) -> Result<(), LoadError> {
        let mut held = self.session.borrow_mut();
        match held.as_mut() {
            Some(session) if session.is_usable() => session.run("ROLLBACK").map(drop),
            // The server gives up what a lost connection had begun.
            _ => {
                *held = None;
                Ok(())
            }
        }
    }

    /// Without statistics the questions that follow (rules over whole tables) take a plan that never
    /// ends; the server itself looks only after a minute. They go by the key: all 200 columns of a roll
    /// would cost half as much as the load (measured), and the server comes to them by itself.
    fn settle(&self, table: Option<&TableSpec>, changed: u64) -> Result<(), LoadError> {
        match table {
            Some(spec) if changed > 0 => {
                let asked = spec.key.iter().chain(spec.scope.iter().map(|(column, _)| column));
                let names: BTreeSet<_> = asked.map(|name| quote(name)).collect();
                let names = names.into_iter().collect::<Vec<_>>().join(", ");
                let names = if names.is_empty() { "_etl_run".into() } else { names };
                // A tenth of the usual sample tells as much of keys and scopes, and leaves most of a
                // new table's pages alone. One message: one transaction.
                let table = self.table(&spec.name);
                let sql =
                    format!("SET LOCAL default_statistics_target = 10; ANALYZE {table} ({names})");
                self.execute(&sql, &[]).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn ledger_version(&self) -> &OnceCell<u32> {
        &self.ledger
    }

    fn schema(&self) -> &str {
        &self.server.schema
    }

    fn names(&self) -> NameRule {
        NameRule::Exact
    }

    fn takes_texts(&self, table: &str) -> Result<Vec<String>, LoadError> {
        let found = preflight::columns(self, &self.server.schema, table)?;
        let takes = |column: &preflight::PgColumn| column.form().is_some_and(Form::takes_texts);
        Ok(found.into_iter().filter(takes).map(|column| column.name).collect())
    }

    /// Sessions of this program have a zone of their own; what the server began them with is kept.
    fn time_zone(&self) -> Result<Zone, LoadError> {
        let sql = "SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'";
        let con: &dyn Link = self;
        let found = con.query(sql, &[])?;
        let name = found.rows.first().and_then(|row| row.first()).map(ToString::to_string);
        let name = name.unwrap_or_default();
        name.parse().map_err(|wrong: String| {
            LoadError::new(LoadErrorKind::Mismatch, format!("the zone of the database: {wrong}"))
                .with_hint("name the zone of times without an offset by --time-zone")
        })
    }

    fn widen(&self, table: &str, column: &str, from: &str, ty: &str) -> Result<(), LoadError> {
        widen_as(self, table, column, from, (ty, &types::ddl(ty)))
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", quote(&self.server.schema), quote(name))
    }

    fn columns(&self, table: &str) -> Result<Vec<(String, String)>, LoadError> {
        let found = preflight::columns(self, &self.server.schema, table)?;
        Ok(found.into_iter().map(|column| (column.name, types::duckdb(&column.ty))).collect())
    }

    fn ensure(&self, spec: &TableSpec, unique: bool, changes: Changes) -> Result<(), LoadError> {
        preflight::ensure(self, &self.server.schema, spec, unique, changes)?;
        if changes.indexes_after {
            indexes::set_aside(self, &self.server.schema, &spec.name)?;
        }
        Ok(())
    }

    fn restore(&self, table: &str) -> Result<(), LoadError> {
        indexes::restore(self, table)
    }

    fn remarks(&self, spec: &TableSpec) -> Result<Vec<String>, LoadError> {
        let schema = &self.server.schema;
        hazards::remarks(self, schema, spec, &preflight::columns(self, schema, &spec.name)?)
    }

    fn make_side(&self, spec: &TableSpec, side: &str) -> Result<(), LoadError> {
        let columns: Vec<_> = spec.all_columns().map(|(name, ..)| quote(name)).collect();
        let (columns, table) = (columns.join(", "), self.table(&spec.name));
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {SCHEMA}.{} AS SELECT {columns} FROM {table} WITH NO DATA",
            quote(side)
        );
        self.execute(&sql, &[]).map(drop)
    }

    /// In slices of source rows, all within the open transaction.
    fn apply_changes(&self, spec: &TableSpec, side: &str) -> Result<(u64, u64), LoadError> {
        let (table, from) = (self.table(&spec.name), format!("{SCHEMA}.{}", quote(side)));
        let con: &dyn Link = self;
        let join = spec.key_join("t", "s");
        let gone = format!("SELECT count(*) FROM {table} AS t JOIN {from} AS s ON {join}");
        let gone = con.number(&gone, &[])?;
        let last = con.number(&format!("SELECT max(_etl_row) FROM {from}"), &[])?;
        let sql = upsert(&self.side_columns(side)?, &spec.key, &table, &from);
        Ok((gone, self.in_slices(&sql, last)?))
    }

    fn count_at_once(
        &self,
        spec: &TableSpec,
        counts: &Counts<'_>,
    ) -> Result<Option<Vec<u64>>, LoadError> {
        recount::count(self, &self.server, spec, counts)
    }

    fn changes_cells(&self, spec: &TableSpec) -> Result<Vec<String>, LoadError> {
        hazards::changes_cells(self, &self.server.schema, &spec.name)
    }

    fn spots(&self, spec: &TableSpec, _rows: LastRows) -> Result<Vec<String>, LoadError> {
        Ok(recount::spots(self, spec)?.into_iter().collect())
    }

    fn take_over(&self, spec: &TableSpec, side: &str) -> Result<u64, LoadError> {
        let (columns, table) = (self.side_columns(side)?.join(", "), self.table(&spec.name));
        let from = format!("{SCHEMA}.{}", quote(side));
        let last = (self as &dyn Link).number(&format!("SELECT max(_etl_row) FROM {from}"), &[])?;
        let sql = format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {from} \
             WHERE _etl_row >= ? AND _etl_row < ?"
        );
        self.in_slices(&sql, last)
    }

    /// They do by what `etl.confirmed` says of them once the input is done: to rewrite the rows of a
    /// table of 200 columns for it would cost more than to load them.
    fn raise_releases(
        &self,
        _spec: &TableSpec,
        _release: &str,
        run: &str,
        input: u32,
    ) -> Result<(), LoadError> {
        confirmed::close(self, run, input)
    }

    fn met_keys(&self, plan: &WritePlan, each: EachKey<'_>) -> Result<(), LoadError> {
        confirmed::met_keys(self, plan, each)
    }

    fn forget_met(&self, row: &InputRow) -> Result<(), LoadError> {
        confirmed::forget(self, row)
    }

    fn is_overtaken(&self, row: &InputRow) -> Result<bool, LoadError> {
        confirmed::is_overtaken(self, row)
    }

    /// Others may write to the tables of a server at any time.
    fn is_alone(&self) -> bool {
        false
    }
}

/// Rows of the side table over those of the same key, where they differ and rank no lower.
pub(super) fn upsert(columns: &[String], key: &[String], table: &str, from: &str) -> String {
    let key: Vec<_> = key.iter().map(|name| quote(name)).collect();
    let set: Vec<_> = columns
        .iter()
        .filter(|name| !key.contains(name))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    let columns = columns.join(", ");
    format!(
        "INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {from} AS s \
         WHERE s._etl_row >= ? AND s._etl_row < ? \
         ON CONFLICT ({}) DO UPDATE SET {} \
         WHERE t._etl_hash IS DISTINCT FROM excluded._etl_hash AND {} <= {}",
        key.join(", "),
        set.join(", "),
        rank_sql("t"),
        rank_sql("excluded")
    )
}
