//! `--indexes-after`: indexes that are in the way of a large load are set aside and made again behind it.
//!
//! Only what serves questions: no unique index, none behind a constraint. What they were stands in
//! `etl.indexes`, in the transaction that drops them, so that whatever ends the load, a later one makes
//! them again.

use super::link::PgLink;
use crate::duck::{Value, quote};
use crate::load::target::{Finding, transaction};
use crate::load::{Link, LoadError};

/// What is set aside.
pub const DDL: &str = "
CREATE TABLE IF NOT EXISTS etl.indexes (
  \"table\" VARCHAR NOT NULL, name VARCHAR NOT NULL, definition VARCHAR NOT NULL,
  dropped TIMESTAMP WITH TIME ZONE NOT NULL);
";

const QUESTION: &str = "
SELECT x.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ? AND c.relname = ? AND NOT i.indisunique AND i.indisvalid AND NOT i.indisreplident
  AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid) ORDER BY 1";

/// Sets the indexes of a table aside; how many.
pub fn set_aside(link: &PgLink, schema: &str, table: &str) -> Result<usize, LoadError> {
    let con: &dyn Link = link;
    let found = con.query(QUESTION, &[schema, table].map(Value::from))?;
    transaction(con, |con| -> Result<(), LoadError> {
        for row in &found.rows {
            con.execute(
                "INSERT INTO etl.indexes (\"table\", name, definition, dropped) VALUES (?, ?, ?, now())",
                &[Value::from(table), row[0].clone(), row[1].clone()],
            )?;
            let name = quote(&row[0].to_string());
            con.execute(&format!("DROP INDEX {}.{name}", quote(schema)), &[])?;
        }
        Ok(())
    })?;
    Ok(found.rows.len())
}

/// Makes the indexes of a table again.
pub fn restore(link: &PgLink, table: &str) -> Result<(), LoadError> {
    let con: &dyn Link = link;
    let own = [Value::from(table)];
    let sql = "SELECT DISTINCT definition FROM etl.indexes WHERE \"table\" = ?";
    let found = con.query(sql, &own)?;
    if found.rows.is_empty() {
        return Ok(());
    }
    transaction(con, |con| -> Result<(), LoadError> {
        // It takes as long as it takes.
        con.execute("SET LOCAL statement_timeout = 0", &[])?;
        for row in &found.rows {
            let definition = row[0].to_string();
            let made = definition.replacen("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS ", 1);
            con.execute(&made, &[])?;
        }
        con.execute("DELETE FROM etl.indexes WHERE \"table\" = ?", &own).map(drop)
    })
}

/// What is set aside and was not made again.
pub fn finding(link: &PgLink) -> Result<Option<Finding>, LoadError> {
    let con: &dyn Link = link;
    if con.number("SELECT count(to_regclass('etl.indexes'))", &[])? == 0 {
        return Ok(None);
    }
    let sql =
        "SELECT string_agg(concat(\"table\", '.', name), ', ' ORDER BY name) FROM etl.indexes";
    let rows = con.query(sql, &[])?;
    Ok(rows.scalar().and_then(Value::as_text).map(|names| {
        Finding::odd("indexes", format!("set aside by --indexes-after: {names}"))
            .with_hint("the next load into the table makes them again at its end")
    }))
}
