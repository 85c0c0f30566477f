//! Schemas of tables that programs before version 2 of the ledger have loaded into, and have not stored.
//!
//! Where one schema has such a table, the migration itself has found it. Where several have, the one that
//! holds rows of the run is looked for, once. What no schema holds stays without one: it is taken for the
//! schema that is asked for.

use crate::duck::{Value, quote};
use crate::load::{Link, LoadError};

/// Schemas with a table of this name whose rows say where they came from.
const CANDIDATES: &str = "
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = '_etl_run' AND NOT a.attisdropped
WHERE c.relname = ? AND c.relkind IN ('r', 'p') AND n.nspname <> 'etl' ORDER BY 1";

/// Finds the schemas of all runs that have none.
pub fn settle(con: &dyn Link) -> Result<(), LoadError> {
    let sql = "SELECT DISTINCT run, \"table\" FROM etl.inputs WHERE \"schema\" IS NULL";
    for row in &con.query(sql, &[])?.rows {
        let (run, table) = (row[0].to_string(), row[1].to_string());
        let Some(schema) = home(con, &run, &table)? else { continue };
        for of in ["inputs", "rewritten", "counts"] {
            let sql = format!(
                "UPDATE etl.{of} SET \"schema\" = ? WHERE run = ? AND \"table\" = ? \
                 AND \"schema\" IS NULL"
            );
            con.execute(&sql, &[schema.as_str(), &run, &table].map(Value::from))?;
        }
    }
    Ok(())
}

/// The schema whose table holds rows of a run.
fn home(con: &dyn Link, run: &str, table: &str) -> Result<Option<String>, LoadError> {
    for row in &con.query(CANDIDATES, &[Value::from(table)])?.rows {
        let schema = row[0].to_string();
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {}.{} WHERE _etl_run = ? LIMIT 1) AS found",
            quote(&schema),
            quote(table)
        );
        if con.number(&sql, &[Value::from(run)])? > 0 {
            return Ok(Some(schema));
        }
    }
    Ok(None)
}
