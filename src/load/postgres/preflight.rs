//! Before a row is read: is the table there, and can it take what would be written?
//!
//! Everything that stands in the way is told in one list, each with a way out. A table is made only
//! with `--create`, columns are added only with `--evolve`; nothing else of a table is ever changed.

use super::types::Form;
use super::{LONGEST_NAME, hazards, types};
use crate::duck::{Value, quote};
use crate::load::table::TableSpec;
use crate::load::target::{Changes, no_schema};
use crate::load::{Link, LoadError, LoadErrorKind};

/// A column of a table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgColumn {
    /// Name.
    pub name: String,
    /// Type, as `format_type` gives it.
    pub ty: String,
    /// Takes no NULL.
    pub not_null: bool,
    /// Fills itself where nothing is given.
    pub fills_itself: bool,
    /// Takes no value from outside.
    pub generated: bool,
    /// Its type is an enum.
    pub is_enum: bool,
}

impl PgColumn {
    /// The form in which it takes values; `None`: of no type that is known here.
    pub fn form(&self) -> Option<Form> {
        if self.is_enum { Some(Form::Label) } else { types::form(&self.ty) }
    }

    /// Whether it takes texts of a plain file that was fitted to its type: `ty` as this program calls it.
    fn takes(&self, ty: &str) -> bool {
        ty == types::duckdb(&self.ty) && self.form().is_some_and(Form::takes_texts)
    }
}

/// Columns of a table in their order; none where there is no such table.
pub fn columns(con: &dyn Link, schema: &str, table: &str) -> Result<Vec<PgColumn>, LoadError> {
    let rows = con.query(
        "SELECT a.attname, CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) \
             ELSE format_type(a.atttypid, a.atttypmod) END, a.attnotnull, \
           a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a', \
           t.typtype = 'e' OR b.typtype = 'e' \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
           JOIN pg_namespace n ON n.oid = c.relnamespace \
           JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype \
         WHERE n.nspname = ? AND c.relname = ? AND a.attnum > 0 AND NOT a.attisdropped \
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY a.attnum",
        &[Value::from(schema), Value::from(table)],
    )?;
    let column = |row: &Vec<Value>| PgColumn {
        name: row[0].to_string(),
        // Quoted where the server quotes all names (quote_all_identifiers).
        ty: row[1].to_string().replace('"', ""),
        not_null: row[2].as_bool().unwrap_or(false),
        fills_itself: row[3].as_bool().unwrap_or(false),
        generated: row[4].as_bool().unwrap_or(false),
        is_enum: row[5].as_bool().unwrap_or(false),
    };
    Ok(rows.rows.iter().map(column).collect())
}

/// Provenance as it stands in a new table: before all other columns. The server takes a row apart from its
/// beginning, so each question of a load would cost three times as much if they stood behind 200 columns
/// (measured). Those of a fixed size come first for the same reason.
const IN_FRONT: [&str; 6] =
    ["_etl_hash", "_etl_row", "_etl_loaded_at", "_etl_run", "_etl_source", "_etl_release"];

/// The statement that makes the table; its key is unique where rows are told apart by it.
pub fn ddl(table: &str, spec: &TableSpec, unique: bool) -> String {
    let mut columns: Vec<_> = spec.all_columns().collect();
    let front = |name: &str| IN_FRONT.iter().position(|own| *own == name);
    columns.sort_by_key(|(name, ..)| front(name).unwrap_or(IN_FRONT.len()));
    let mut parts: Vec<_> =
        columns.iter().map(|(name, ty)| format!("  {} {}", quote(name), types::ddl(ty))).collect();
    if unique && !spec.key.is_empty() {
        parts.push(format!("  PRIMARY KEY ({})", key_of(spec)));
    }
    format!("CREATE TABLE {table} (\n{}\n)", parts.join(",\n"))
}

fn key_of(spec: &TableSpec) -> String {
    spec.key.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

/// Makes the table or checks the one that is there, as `changes` allow. `unique`: rows are told apart
/// by the key.
pub fn ensure(
    con: &dyn Link,
    schema: &str,
    spec: &TableSpec,
    unique: bool,
    changes: Changes,
) -> Result<(), LoadError> {
    let long: Vec<_> = spec.all_columns().filter(|(name, ..)| name.len() > LONGEST_NAME).collect();
    if let Some((name, ..)) = long.first() {
        let told = format!("the column name {name} is longer than a server keeps (63 bytes)");
        return Err(mismatch(told).with_hint("give the column a shorter name in the header"));
    }
    let table = con.table(&spec.name);
    let there = columns(con, schema, &spec.name)?;
    if there.is_empty() {
        return create(con, schema, spec, unique, changes);
    }
    let missing: Vec<_> = spec
        .all_columns()
        .filter(|(name, ..)| !there.iter().any(|column| column.name == *name))
        .map(|(name, ty)| format!("ADD COLUMN {} {}", quote(name), types::ddl(ty)))
        .collect();
    let mut wrong = misfits(spec, &there);
    wrong.extend(obstacles(con, schema, spec, unique)?);
    let add = format!("ALTER TABLE {table} {}", missing.join(", "));
    if !missing.is_empty() && !changes.evolve {
        wrong.push(format!(
            "{} missing; --evolve adds what is missing, or do it yourself: {add}",
            counted(missing.len())
        ));
    }
    if !wrong.is_empty() {
        // Not in the way, but whoever mends the table should see all of it at once.
        wrong.extend(hazards::remarks(con, schema, spec, &there)?);
        let told = format!(
            "table {} does not fit what is to be loaded:\n  - {}",
            spec.name,
            wrong.join("\n  - ")
        );
        return Err(mismatch(told).with_hint("or load into another table with --table"));
    }
    if !missing.is_empty() {
        con.execute(&add, &[])?;
    }
    Ok(())
}

fn counted(columns: usize) -> String {
    if columns == 1 { "a column is".into() } else { format!("{columns} columns are") }
}

fn mismatch(told: String) -> LoadError {
    LoadError::new(LoadErrorKind::Mismatch, told)
}

fn create(
    con: &dyn Link,
    schema: &str,
    spec: &TableSpec,
    unique: bool,
    changes: Changes,
) -> Result<(), LoadError> {
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = ?";
    let homeless = con.number(sql, &[Value::from(schema)])? == 0;
    if homeless && !changes.create {
        return Err(no_schema(schema));
    }
    if !changes.create {
        let told = format!("there is no table {} in schema {schema}", spec.name);
        return Err(mismatch(told).with_hint(
            "--create makes it (`etl plan` shows the statement); --table names another",
        ));
    }
    if homeless {
        con.execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema)), &[])?;
    }
    con.execute(&ddl(&con.table(&spec.name), spec, unique), &[])?;
    Ok(())
}

/// What is wrong with single columns.
fn misfits(spec: &TableSpec, there: &[PgColumn]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, ty) in spec.all_columns() {
        let Some(column) = there.iter().find(|column| column.name == name) else { continue };
        let needed = types::ddl(ty);
        if column.generated {
            wrong.push(format!("{name} is generated by the server and takes no value"));
        } else if !(types::fits(ty, &column.ty) || column.takes(ty))
            || (types::limit(&column.ty).is_some() && !is_ours(spec, name))
        {
            let way = types::wider(&column.ty, ty)
                .map(|wider| format!(": ALTER COLUMN {} TYPE {wider}", quote(name)));
            wrong.push(format!(
                "{name} is {}, needed {needed}{}",
                column.ty,
                way.unwrap_or_default()
            ));
        } else if column.not_null && is_often_null(name) {
            wrong.push(format!(
                "{name} must not be NULL, but rows may have no value there: ALTER COLUMN {} DROP NOT \
                 NULL",
                quote(name)
            ));
        }
    }
    let ours = |name: &str| spec.all_columns().any(|(own, ..)| own == name);
    for column in there.iter().filter(|column| column.not_null && !column.fills_itself) {
        if !ours(&column.name) && !column.generated {
            let name = quote(&column.name);
            wrong.push(format!(
                "{} must not be NULL, and nothing is loaded into it: ALTER COLUMN {name} SET DEFAULT …",
                column.name
            ));
        }
    }
    wrong
}

/// Whether a column holds what the file has, and not where it came from.
fn is_ours(spec: &TableSpec, name: &str) -> bool {
    spec.columns.iter().any(|column| column.name == name)
}

/// Provenance that a whole input may lack. In a column of the file a NULL refuses its row, not the table.
fn is_often_null(name: &str) -> bool {
    matches!(name, "_etl_release" | "_extra")
}

/// What is wrong with the table as a whole: kind, rights, row level security, the unique index.
fn obstacles(
    con: &dyn Link,
    schema: &str,
    spec: &TableSpec,
    unique: bool,
) -> Result<Vec<String>, LoadError> {
    let table = con.table(&spec.name);
    let rows = con.query(
        "SELECT c.relkind::text, row_security_active(c.oid), \
           (SELECT min(tgname) FROM pg_trigger WHERE tgrelid = c.oid AND (tgtype & 64) <> 0), \
           has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'SELECT'), \
           has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = ? AND c.relname = ?",
        &[Value::from(schema), Value::from(spec.name.as_str())],
    )?;
    let Some(row) = rows.rows.first() else { return Ok(Vec::new()) };
    let is = |at: usize| row[at].as_bool().unwrap_or(false);
    let mut wrong = Vec::new();
    if !matches!(row[0].as_text(), Some("r" | "p")) {
        wrong.push(match row[2].as_text() {
            Some(trigger) => format!(
                "{} is a view, and its INSTEAD OF trigger {trigger} would decide what becomes of each row: name \
                 the table behind it",
                spec.name
            ),
            None => format!("{} is a view or the like, and rows go into tables", spec.name),
        });
    }
    if is(1) {
        wrong.push(
            "row level security would hide or refuse rows: use the owner of the table, or a role with \
             BYPASSRLS"
                .into(),
        );
    }
    if !is(3) {
        wrong.push(format!("the user may not write: GRANT SELECT, INSERT ON {table} TO …"));
    }
    if unique && !is(4) {
        wrong.push(format!("the user may not change rows: GRANT UPDATE, DELETE ON {table} TO …"));
    }
    if unique && !spec.key.is_empty() && !has_unique_index(con, schema, spec)? {
        wrong.push(format!(
            "rows are told apart by {}, but no unique index is on these columns alone: CREATE UNIQUE \
             INDEX ON {table} ({})",
            spec.key.join(" + "),
            key_of(spec)
        ));
    }
    Ok(wrong)
}

/// An index that `ON CONFLICT` can go by: valid, over all rows, checked at once.
fn has_unique_index(con: &dyn Link, schema: &str, spec: &TableSpec) -> Result<bool, LoadError> {
    let rows = con.query(
        "SELECT i.indexrelid::bigint, a.attname FROM pg_index i \
           JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
           CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, at) \
           LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
         WHERE n.nspname = ? AND c.relname = ? AND i.indisunique AND i.indisvalid \
           AND i.indimmediate AND i.indpred IS NULL AND k.at <= i.indnkeyatts ORDER BY 1",
        &[Value::from(schema), Value::from(spec.name.as_str())],
    )?;
    let mut wanted: Vec<_> = spec.key.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    let same = rows.rows.chunk_by(|a, b| a[0] == b[0]).any(|index| {
        let mut names: Vec<_> = index.iter().map(|row| row[1].as_text().unwrap_or("")).collect();
        names.sort_unstable();
        names == wanted
    });
    Ok(same)
}
