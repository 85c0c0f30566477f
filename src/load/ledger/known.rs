//! Questions to the table before and between loads.

use super::{InputRow, text, unsigned};
use crate::duck::{Value, quote};
use crate::load::encode::key_hash_of_texts;
use crate::load::table::{Strategy, TableSpec};
use crate::load::target::{SCHEMA, WritePlan};
use crate::load::{KeySet, Link, LoadError};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Whether the target has a ledger. One of a newer program is refused.
pub fn has_ledger(con: &dyn Link) -> Result<bool, LoadError> {
    Ok(super::schema::readable(con)? > 0)
}

/// Rows of the whole table.
pub fn table_rows(con: &dyn Link, table: &str) -> Result<u64, LoadError> {
    con.number(&format!("SELECT count(*) FROM {}", con.table(table)), &[])
}

/// Whether there is a table whose rows say where they came from.
pub fn has_provenance(con: &dyn Link, table: &str) -> Result<bool, LoadError> {
    let there = con.columns(table)?;
    let rule = con.names();
    let has = |name: &str| there.iter().any(|(have, _)| rule.same(have, name));
    Ok(has("_etl_run") && has("_etl_source"))
}

/// Rows of the table by the run and the source that they bear.
pub fn rows_by_source(
    con: &dyn Link,
    table: &str,
) -> Result<HashMap<(String, String), u64>, LoadError> {
    let sql = format!(
        "SELECT _etl_run, _etl_source, count(*) FROM {} WHERE _etl_run IS NOT NULL GROUP BY 1, 2",
        con.table(table)
    );
    let rows = con.query(&sql, &[])?;
    let row = |row: &Vec<Value>| ((text(&row[0]), text(&row[1])), unsigned(&row[2]));
    Ok(rows.rows.iter().map(row).collect())
}

/// Whether the table holds as many rows of an unfinished input as its ledger claims, less those
/// that later inputs have rewritten; of a replace, none before it is finished. Rows and ledger are
/// one transaction, so a difference means that somebody else has changed the table, or has opened
/// the file after a kill with a DuckDB that keeps half a commit (see `duck::log`).
pub fn agrees_with_ledger(con: &dyn Link, table: &str, row: &InputRow) -> Result<bool, LoadError> {
    if !has_provenance(con, table)? {
        return Ok(false);
    }
    let own = [Value::from(row.run.as_str()), Value::from(row.source.as_str())];
    let held = con.number(
        &format!(
            "SELECT count(*) FROM {} WHERE _etl_run = ? AND _etl_source = ?",
            con.table(table)
        ),
        &own,
    )?;
    let rewritten = con.number(
        "SELECT coalesce(sum(rows), 0)::BIGINT FROM etl.rewritten WHERE run = ? AND source = ?",
        &own,
    )?;
    Ok(match row.strategy {
        Strategy::Replace => held == 0,
        Strategy::Insert | Strategy::Merge => held + rewritten == row.tally.inserted,
    })
}

/// Rows of the input's scope.
pub fn scope_rows(con: &dyn Link, spec: &TableSpec) -> Result<u64, LoadError> {
    let table = con.table(&spec.name);
    con.number(&format!("SELECT count(*) FROM {table} WHERE {}", spec.scope_sql()), &[])
}

/// Whether there are any.
pub fn holds_scope(con: &dyn Link, spec: &TableSpec) -> Result<bool, LoadError> {
    let (table, scope) = (con.table(&spec.name), spec.scope_sql());
    let sql =
        format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {scope} LIMIT 1) AS found");
    Ok(con.number(&sql, &[])? > 0)
}

/// Whether the scope holds rows of a known release.
pub fn has_release(con: &dyn Link, spec: &TableSpec) -> Result<bool, LoadError> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} AND substr(_etl_release, 5, 1) IN \
         ('P', 'S', 'F') LIMIT 1) AS found",
        con.table(&spec.name),
        spec.scope_sql()
    );
    Ok(con.number(&sql, &[])? > 0)
}

/// Keys that the committed ranges of an unfinished input have seen: of the rows it has inserted,
/// and of those it has settled otherwise; `keys` is the empty set they go into.
pub fn known_keys(
    con: &dyn Link,
    plan: &WritePlan,
    key: &[String],
    keys: KeySet,
) -> Result<KeySet, LoadError> {
    let mut seen = Seen { keys, failed: None };
    let columns: Vec<_> = key.iter().map(|name| quote(name)).collect();
    // A replace loads beside the table.
    let loaded = match plan.side() {
        Some(side) if plan.strategy == Strategy::Replace => format!("{SCHEMA}.{}", quote(&side)),
        _ => con.table(&plan.spec.name),
    };
    let sql = format!(
        "SELECT {}, _etl_row FROM {loaded} WHERE _etl_run = ? AND _etl_source = ?",
        columns.join(", "),
    );
    let values = [Value::from(plan.run.as_str()), Value::from(plan.provenance.source.as_str())];
    con.query_each(&sql, &values, &mut |_, rows| {
        for row in rows {
            let texts: Vec<_> = row[..key.len()].iter().map(Value::to_string).collect();
            let place = row[key.len()].as_int().unwrap_or(0) as u64;
            let key = key_hash_of_texts(texts.iter().map(String::as_str));
            if seen.add(key, place).is_break() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    let settled = [Value::from(plan.run.as_str()), Value::from(plan.input)];
    con.query_each(
        "SELECT key, row FROM etl.settled WHERE run = ? AND input = ?",
        &settled,
        &mut |_, rows| {
            for row in rows {
                if let Value::Uuid(key) = row[0]
                    && seen.add(key, row[1].as_int().unwrap_or(0) as u64).is_break()
                {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        },
    )?;
    con.met_keys(plan, &mut |texts, row| seen.add(key_hash_of_texts(texts.iter().copied()), row))?;
    match seen.failed {
        Some(error) => Err(error),
        None => Ok(seen.keys),
    }
}

/// Keys, and why no more could be added.
struct Seen {
    keys: KeySet,
    failed: Option<LoadError>,
}

impl Seen {
    /// Adds a key; one that is there already was met by an earlier commit of the input.
    fn add(&mut self, key: u128, row: u64) -> ControlFlow<()> {
        match self.keys.insert(key, row) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
