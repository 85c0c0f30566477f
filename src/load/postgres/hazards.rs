//! What a table has of its own that may refuse single rows: triggers, checks, foreign keys, further
//! unique indexes, columns of limited length.

use super::preflight::PgColumn;
use super::types;
use crate::duck::Value;
use crate::load::table::TableSpec;
use crate::load::{Link, LoadError};

const QUESTION: &str = "
WITH t AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ? AND c.relname = ?)
SELECT 'trigger ' || tgname FROM pg_trigger JOIN t ON tgrelid = t.oid
  WHERE NOT tgisinternal AND tgenabled <> 'D'
UNION ALL
SELECT CASE contype WHEN 'c' THEN 'check ' WHEN 'f' THEN 'foreign key ' ELSE 'exclusion ' END || conname
  FROM pg_constraint JOIN t ON conrelid = t.oid WHERE contype IN ('c', 'f', 'x')
UNION ALL
SELECT 'unique index ' || i.indexrelid::regclass FROM pg_index i JOIN t ON i.indrelid = t.oid
  WHERE i.indisunique AND (i.indpred IS NOT NULL OR (SELECT coalesce(array_agg(a.attname::text ORDER BY
    a.attname), '{}') FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, at)
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE k.at <= i.indnkeyatts) <> string_to_array(?, chr(10)))
  AND EXISTS (SELECT 1 FROM unnest(i.indkey::int2[]) AS k(attnum) LEFT JOIN pg_attribute a
    ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE a.attname IS NULL OR a.attname::text = ANY (string_to_array(?, chr(10))))
ORDER BY 1";

/// Triggers that run with a row that is written, of the table and of its partitions, and rules in the place
/// of an INSERT. `pg_partition_tree` gives nothing for a table that is no part of one.
const CHANGING: &str = "
WITH t AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ? AND c.relname = ?),
parts AS (SELECT oid FROM t UNION SELECT p.relid::oid FROM t, pg_partition_tree(t.oid) AS p)
SELECT DISTINCT 'trigger ' || tgname FROM pg_trigger JOIN parts ON tgrelid = parts.oid
  WHERE NOT tgisinternal AND tgenabled <> 'D' AND (tgtype & 20) <> 0
UNION ALL
SELECT 'rule ' || rulename FROM pg_rewrite JOIN t ON ev_class = t.oid
  WHERE ev_type <> '1' AND ev_enabled <> 'D'
ORDER BY 1";

/// What may change cells of rows on their way into the table, or change rows that are there when others
/// come, each in a few words. Defaults and generated columns do not: a value, or NULL, is written into each
/// column that is loaded.
pub fn changes_cells(con: &dyn Link, schema: &str, table: &str) -> Result<Vec<String>, LoadError> {
    let rows = con.query(CHANGING, &[schema, table].map(Value::from))?;
    Ok(rows.rows.iter().map(|row| row[0].to_string()).collect())
}

/// What may refuse a row that fits all columns, each in a few words.
pub fn hazards(con: &dyn Link, schema: &str, spec: &TableSpec) -> Result<Vec<String>, LoadError> {
    let mut key = spec.key.clone();
    key.sort_unstable();
    // What numbers itself, in a column that is not ours, refuses nothing.
    let ours: Vec<_> = spec.all_columns().map(|(name, _)| name).collect();
    let names = [schema.to_owned(), spec.name.clone(), key.join("\n"), ours.join("\n")];
    let rows = con.query(QUESTION, &names.map(Value::from))?;
    Ok(rows.rows.iter().map(|row| row[0].to_string()).collect())
}

/// What the user should know of the table before a load.
pub fn remarks(
    con: &dyn Link,
    schema: &str,
    spec: &TableSpec,
    there: &[PgColumn],
) -> Result<Vec<String>, LoadError> {
    let mut remarks = Vec::new();
    let found = hazards(con, schema, spec)?;
    if !found.is_empty() {
        remarks.push(format!(
            "table {} may refuse rows by itself ({}): such rows become failed records (E404)",
            spec.name,
            found.join(", ")
        ));
    }
    let changing = changes_cells(con, schema, &spec.name)?;
    if !changing.is_empty() {
        let columns: Vec<_> = spec.columns.iter().map(|column| column.name.as_str()).collect();
        remarks.push(format!(
            "filled cells of table {} are not compared with what is handed over, as it may change them by \
             itself ({}); columns left out: {}",
            spec.name,
            changing.join(", "),
            columns.join(", ")
        ));
    }
    let limited: Vec<_> = there
        .iter()
        .filter(|column| spec.columns.iter().any(|own| own.name == column.name))
        .filter_map(|column| Some(format!("{} {}", column.name, types::limit(&column.ty)?)))
        .collect();
    if !limited.is_empty() {
        remarks.push(format!(
            "columns of table {} are limited to so many characters: {}; longer texts are refused, or \
             cut with --too-long cut",
            spec.name,
            limited.join(", ")
        ));
    }
    Ok(remarks)
}
