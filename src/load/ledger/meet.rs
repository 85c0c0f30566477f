//! Inputs that meet in one table.
//!
//! An input may lie unfinished while others are loaded into the same table: they rewrite rows that it
//! has inserted, or take the place of its whole scope. What they did is kept here, so that the
//! account of the unfinished one still holds when it goes on, and so that an input whose rows were
//! replaced is not taken for loaded.

use super::{InputRow, InputState};
use crate::duck::{Value, quote};
use crate::load::table::{Strategy, TableSpec, side_table};
use crate::load::target::SCHEMA;
use crate::load::{Link, LoadError};
use std::collections::BTreeMap;

/// Whether another input of the table has begun or ended since this one began.
pub fn others_since(con: &dyn Link, table: &str, row: &InputRow) -> Result<bool, LoadError> {
    let found = con.number(
        "SELECT count(*) FROM etl.inputs o JOIN etl.inputs i ON i.run = ? AND i.input = ? \
         WHERE o.\"table\" = ? AND coalesce(o.\"schema\", ?) = ? \
           AND (o.run <> i.run OR o.input <> i.input) \
           AND (o.started >= i.started OR o.finished >= i.started)",
        &[
            Value::from(row.run.as_str()),
            Value::from(row.input),
            Value::from(table),
            Value::from(con.schema()),
            Value::from(con.schema()),
        ],
    )?;
    Ok(found > 0)
}

/// Stores how an input goes on after others.
pub fn rebase(con: &dyn Link, row: &InputRow) -> Result<(), LoadError> {
    con.execute(
        "UPDATE etl.inputs SET rows_before = ?, strategy = ? WHERE run = ? AND input = ?",
        &[
            Value::from(row.rows_before),
            Value::from(row.strategy.name()),
            Value::from(row.run.as_str()),
            Value::from(row.input),
        ],
    )?;
    Ok(())
}

/// Notes whose rows are about to be deleted; `rows` is a FROM clause with the table as `t`.
pub fn note_rewritten(
    con: &dyn Link,
    table: &str,
    rows: &str,
    values: &[Value],
) -> Result<(), LoadError> {
    let mut all = vec![Value::from(table), Value::from(con.schema())];
    all.extend_from_slice(values);
    con.execute(
        &format!(
            "INSERT INTO etl.rewritten (run, source, \"table\", rows, \"schema\") \
             SELECT t._etl_run, t._etl_source, ?, count(*), ? FROM {rows} GROUP BY 1, 2"
        ),
        &all,
    )?;
    Ok(())
}

/// Rows of a run that later inputs have rewritten or deleted.
pub fn rewritten(con: &dyn Link, run: &str, table: &str) -> Result<u64, LoadError> {
    con.number(
        "SELECT coalesce(sum(rows), 0)::BIGINT FROM etl.rewritten WHERE run = ? AND \"table\" = ?",
        &[Value::from(run), Value::from(table)],
    )
}

/// Forgets that rows of an input were rewritten, with the input itself.
pub fn forget_rewritten(con: &dyn Link, row: &InputRow) -> Result<(), LoadError> {
    con.execute(
        "DELETE FROM etl.rewritten WHERE run = ? AND source = ?",
        &[Value::from(row.run.as_str()), Value::from(row.source.as_str())],
    )?;
    Ok(())
}

/// The scope as the ledger keeps it.
pub fn scope_text(spec: &TableSpec) -> String {
    let scope: BTreeMap<_, _> = spec.scope.iter().cloned().collect();
    serde_json::to_string(&scope).unwrap_or_default()
}

/// Marks the inputs whose rows a replace has deleted: given again, they are loaded again.
pub fn mark_replaced(
    con: &dyn Link,
    spec: &TableSpec,
    run: &str,
    input: u32,
) -> Result<(), LoadError> {
    let (done, running) = (InputState::Done.sql(), InputState::Running.sql());
    let sql = format!(
        "SELECT run, input, scope FROM etl.inputs WHERE \"table\" = ? AND (run <> ? OR input <> ?) \
           AND (status = {done} OR (status = {running} AND strategy <> ?)) \
           AND coalesce(\"schema\", ?) = ?"
    );
    let rows = con.query(
        &sql,
        &[
            Value::from(spec.name.as_str()),
            Value::from(run),
            Value::from(input),
            Value::from(Strategy::Replace.name()),
            Value::from(con.schema()),
            Value::from(con.schema()),
        ],
    )?;
    for row in &rows.rows {
        let text = row[2].as_text().unwrap_or("{}");
        let scope: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
        if spec.scope.iter().all(|(column, value)| scope.get(column) == Some(value)) {
            con.execute(
                "UPDATE etl.inputs SET status = ? WHERE run = ? AND input = ?",
                &[Value::from(InputState::Replaced.name()), row[0].clone(), row[1].clone()],
            )?;
            let (run, input) = (row[0].to_string(), row[1].as_int().unwrap_or(0) as u32);
            let side = side_table(&run, input);
            con.execute(&format!("DROP TABLE IF EXISTS {SCHEMA}.{}", quote(&side)), &[])?;
        }
    }
    Ok(())
}
