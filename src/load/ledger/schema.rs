//! The tables of the ledger, their version, and the steps that bring older ledgers to it.
//!
//! A ledger is made by running all steps in order, and an older one is brought up to date by running
//! those that it has not had, in one transaction. A step never changes once it was released: what a
//! later version needs is a further step. All statements are understood by DuckDB and PostgreSQL.
//!
//! Version 1 is what programs made before there was a version; it is recognised by its tables.

use super::{optional, unsigned};
use crate::duck::Value;
use crate::load::target::SCHEMA;
use crate::load::{Link, LoadError, LoadErrorKind};

/// The version that this program reads and writes.
pub const VERSION: u32 = 2;

/// One step: the version that it leads to, and its statements.
const STEPS: [(u32, &str); 2] = [(1, TABLES), (2, VERSION_2)];

/// The tables of version 1.
const TABLES: &str = "
CREATE SCHEMA IF NOT EXISTS etl;
CREATE TABLE IF NOT EXISTS etl.runs (
  run VARCHAR NOT NULL, version VARCHAR, command VARCHAR, status VARCHAR NOT NULL,
  started TIMESTAMP WITH TIME ZONE NOT NULL, finished TIMESTAMP WITH TIME ZONE, summary VARCHAR);
CREATE TABLE IF NOT EXISTS etl.inputs (
  run VARCHAR NOT NULL, input INTEGER NOT NULL, path VARCHAR NOT NULL, sheet VARCHAR,
  fingerprint VARCHAR NOT NULL, config VARCHAR NOT NULL, \"table\" VARCHAR NOT NULL,
  kind VARCHAR, release VARCHAR, strategy VARCHAR NOT NULL, status VARCHAR NOT NULL,
  rows_before BIGINT NOT NULL, failed_file VARCHAR, read BIGINT, inserted BIGINT, updated BIGINT,
  unchanged BIGINT, superseded BIGINT, duplicate BIGINT, filtered BIGINT, rejected BIGINT,
  started TIMESTAMP WITH TIME ZONE NOT NULL, finished TIMESTAMP WITH TIME ZONE, scope VARCHAR);
CREATE TABLE IF NOT EXISTS etl.ranges (
  run VARCHAR NOT NULL, input INTEGER NOT NULL, range VARCHAR NOT NULL,
  from_record BIGINT NOT NULL, from_byte BIGINT NOT NULL, from_row BIGINT NOT NULL,
  to_record BIGINT NOT NULL, to_byte BIGINT NOT NULL, to_row BIGINT NOT NULL,
  read BIGINT NOT NULL, inserted BIGINT NOT NULL, updated BIGINT NOT NULL,
  unchanged BIGINT NOT NULL, superseded BIGINT NOT NULL, duplicate BIGINT NOT NULL,
  filtered BIGINT NOT NULL, rejected BIGINT NOT NULL,
  committed TIMESTAMP WITH TIME ZONE NOT NULL);
CREATE TABLE IF NOT EXISTS etl.problems (
  run VARCHAR NOT NULL, input INTEGER NOT NULL, range VARCHAR NOT NULL, code VARCHAR NOT NULL,
  rule VARCHAR, \"column\" VARCHAR, severity VARCHAR NOT NULL, message VARCHAR NOT NULL,
  count BIGINT NOT NULL, examples VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS etl.settled (
  run VARCHAR NOT NULL, input INTEGER NOT NULL, key UUID NOT NULL, row BIGINT NOT NULL,
  raise UUID);
CREATE TABLE IF NOT EXISTS etl.rewritten (
  run VARCHAR NOT NULL, source VARCHAR, \"table\" VARCHAR NOT NULL, rows BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS etl.reprocessed (
  record UUID NOT NULL, refused_by VARCHAR NOT NULL, run VARCHAR NOT NULL,
  input INTEGER NOT NULL, fate VARCHAR NOT NULL, content UUID);
CREATE TABLE IF NOT EXISTS etl.counts (
  \"table\" VARCHAR NOT NULL, scope VARCHAR NOT NULL, rows BIGINT NOT NULL, run VARCHAR NOT NULL,
  counted TIMESTAMP WITH TIME ZONE NOT NULL);
CREATE TABLE IF NOT EXISTS etl.failed_rows (
  record UUID NOT NULL, run VARCHAR NOT NULL, range VARCHAR NOT NULL, \"table\" VARCHAR NOT NULL,
  source VARCHAR NOT NULL, row BIGINT NOT NULL, code VARCHAR, \"column\" VARCHAR, message VARCHAR,
  content VARCHAR NOT NULL);
";

/// A finding's message and hint as version 1 has them: in one text, with a line break between.
const MESSAGE_1: &str = "CASE WHEN position(chr(10) IN message) > 0 \
    THEN substr(message, 1, position(chr(10) IN message) - 1) ELSE message END";
const HINT_1: &str = "CASE WHEN position(chr(10) IN message) > 0 \
    THEN substr(message, position(chr(10) IN message) + 1) END";

/// The mode that a version 1 input was loaded in, which it did not store. A plain table knows no
/// merge; of a roll whose scope was empty it is not known whether it was `merge` or `append`.
const MODE_1: &str = "CASE WHEN strategy = 'insert' AND kind = 'generic' THEN 'append' \
    WHEN strategy = 'insert' THEN NULL ELSE strategy END";

/// Errors, modes, schemas, value rules, identities, types, paths, lengths, cells, hints, and the headers of
/// columns.
const VERSION_2: &str = "
CREATE TABLE IF NOT EXISTS etl.ledger (
  version INTEGER NOT NULL, since TIMESTAMP WITH TIME ZONE NOT NULL);
ALTER TABLE etl.runs ADD COLUMN IF NOT EXISTS error VARCHAR;
UPDATE etl.runs SET error = summary WHERE status <> 'done';
UPDATE etl.runs SET summary = NULL WHERE status <> 'done' OR summary = '';
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS mode VARCHAR;
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS \"schema\" VARCHAR;
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS rules INTEGER;
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS identity VARCHAR;
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS types VARCHAR;
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS absolute_path VARCHAR;
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS replaces VARCHAR;
ALTER TABLE etl.inputs ADD COLUMN IF NOT EXISTS bytes BIGINT;
ALTER TABLE etl.counts ADD COLUMN IF NOT EXISTS \"schema\" VARCHAR;
ALTER TABLE etl.rewritten ADD COLUMN IF NOT EXISTS \"schema\" VARCHAR;
ALTER TABLE etl.ranges ADD COLUMN IF NOT EXISTS cells VARCHAR;
ALTER TABLE etl.problems ADD COLUMN IF NOT EXISTS hint VARCHAR;
CREATE TABLE IF NOT EXISTS etl.columns (
  \"schema\" VARCHAR NOT NULL, \"table\" VARCHAR NOT NULL, \"column\" VARCHAR NOT NULL,
  header VARCHAR NOT NULL, run VARCHAR NOT NULL);
";

/// Version of the ledger behind a connection; 0 where there is none. Once it is that of this program it is
/// asked for no more: nobody makes a ledger older.
pub fn version(con: &dyn Link) -> Result<u32, LoadError> {
    if let Some(known) = con.ledger_version().get() {
        return Ok(*known);
    }
    let version = stored_version(con)?;
    if version == VERSION {
        con.ledger_version().get_or_init(|| version);
    }
    Ok(version)
}

fn stored_version(con: &dyn Link) -> Result<u32, LoadError> {
    let there = con.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'etl' \
         AND table_name IN ('ledger', 'ranges') AND table_catalog = current_database()",
        &[],
    )?;
    let has = |name: &str| there.rows.iter().any(|row| row[0].as_text() == Some(name));
    if has("ledger") {
        let rows = con.query("SELECT max(version) FROM etl.ledger", &[])?;
        // Without a row the step that makes the table was not finished; it is run again.
        return Ok(rows.scalar().filter(|v| !v.is_null()).map_or(1, |v| unsigned(v) as u32));
    }
    Ok(u32::from(has("ranges")))
}

/// Statements that bring a ledger from `version` to [`VERSION`]; to be run in one transaction. `None`:
/// there is nothing to do. A ledger of a newer program is refused. `home` is SQL for the schema of
/// `"table"`, where version 1 has not stored it; NULL where it is not known.
pub fn migration(version: u32, home: &str) -> Result<Option<String>, LoadError> {
    if version > VERSION {
        return Err(newer(version));
    }
    if version == VERSION {
        return Ok(None);
    }
    let steps = STEPS.iter().filter(|(to, _)| *to > version || *to == 1);
    let mut script: String = steps.map(|(_, statements)| *statements).collect();
    if version <= 1 {
        script.push_str(&format!(
            "UPDATE etl.problems SET hint = {HINT_1}, message = {MESSAGE_1} \
               WHERE position(chr(10) IN message) > 0;\n\
             UPDATE etl.inputs SET mode = {MODE_1} WHERE mode IS NULL;\n"
        ));
        for table in ["inputs", "counts", "rewritten"] {
            script.push_str(&format!(
                "UPDATE etl.{table} SET \"schema\" = {home} WHERE \"schema\" IS NULL;\n"
            ));
        }
    }
    script.push_str(&format!("INSERT INTO {SCHEMA}.ledger VALUES ({VERSION}, now());\n"));
    Ok(Some(script))
}

fn newer(version: u32) -> LoadError {
    let told = format!(
        "the ledger in the schema `{SCHEMA}` is of version {version}; this program knows versions up to \
         {VERSION}"
    );
    LoadError::new(LoadErrorKind::Target, told)
        .with_hint("a newer etl has loaded into this target: use that one, or a newer one")
}

/// The version of a ledger that is to be read. One of a newer program is refused.
pub fn readable(con: &dyn Link) -> Result<u32, LoadError> {
    let version = version(con)?;
    if version > VERSION { Err(newer(version)) } else { Ok(version) }
}

/// Names for what a reader selects, whatever the version of the ledger: a file that is opened for
/// reading only cannot be brought up to date.
pub struct Columns {
    version: u32,
}

impl Columns {
    /// Of the ledger behind a connection.
    pub fn of(con: &dyn Link) -> Result<Self, LoadError> {
        Ok(Self { version: readable(con)? })
    }

    /// Whether the ledger has what version 2 has brought.
    pub fn is_current(&self) -> bool {
        self.version >= 2
    }

    /// A column that version 2 has brought, as SQL; NULL in an older ledger.
    pub fn since_2<'n>(&self, column: &'n str) -> &'n str {
        if self.is_current() { column } else { "CAST(NULL AS VARCHAR)" }
    }

    /// The message of a finding in `etl.problems`.
    pub fn message(&self) -> &'static str {
        if self.is_current() { "message" } else { MESSAGE_1 }
    }

    /// The hint of a finding.
    pub fn hint(&self) -> &'static str {
        if self.is_current() { "hint" } else { HINT_1 }
    }

    /// The mode of an input in `etl.inputs`.
    pub fn mode(&self) -> &'static str {
        if self.is_current() { "mode" } else { MODE_1 }
    }

    /// Summary and error of a run, from a row of `summary`, `error`, `status`: version 1 has them in one
    /// column.
    pub fn outcome(&self, row: &[Value]) -> (Option<String>, Option<String>) {
        let text = |value: &Value| optional(value).filter(|text| !text.is_empty());
        if self.is_current() {
            return (text(&row[0]), text(&row[1]));
        }
        match row[2].as_text() == Some(super::RunState::Done.name()) {
            true => (text(&row[0]), None),
            false => (None, text(&row[0])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duck::{Connection, Database, Settings};

    fn memory() -> Connection {
        Database::memory(&Settings::default()).expect("opens").connect().expect("connects")
    }

    fn migrate(con: &Connection) {
        let script = migration(version(con).expect("a version"), "'main'").expect("not newer");
        con.begin().expect("begins");
        con.execute(&script.unwrap_or_default()).expect("every statement runs");
        con.commit().expect("commits");
    }

    fn texts(con: &dyn Link, sql: &str) -> Vec<String> {
        let rows = con.query(sql, &[]).expect("answers").rows;
        rows.iter()
            .map(|row| row.iter().map(Value::to_string).collect::<Vec<_>>().join("|"))
            .collect()
    }

    #[test]
    fn a_new_ledger_is_of_this_version_and_migrates_no_more() {
        let con = memory();
        assert_eq!(version(&con).expect("a version"), 0);
        migrate(&con);
        assert_eq!(version(&con).expect("a version"), VERSION);
        assert_eq!(migration(VERSION, "NULL").expect("not newer"), None);
    }

    #[test]
    fn what_version_1_has_joined_is_parted() {
        let con = memory();
        con.execute(TABLES).expect("made");
        con.execute(
            "INSERT INTO etl.runs VALUES ('A', 'v', 'ingest', 'done', now(), now(), '{\"run\":1}'), \
               ('B', 'v', 'ingest', 'failed', now(), now(), 'it broke'), \
               ('C', 'v', 'ingest', 'done', now(), now(), ''); \
             INSERT INTO etl.problems VALUES \
               ('A', 0, 'r', 'E304', 'R', 'c', 'warning', 'a. b' || chr(10) || 'do x', 1, '[]'), \
               ('A', 0, 'r', 'E304', 'S', 'c', 'warning', 'no hint. at all', 1, '[]'); \
             INSERT INTO etl.inputs (run, input, path, fingerprint, config, \"table\", kind, \
               strategy, status, rows_before, started) VALUES \
               ('A', 0, 'p', 'f', 'c', 't', 'generic', 'insert', 'done', 0, now()), \
               ('A', 1, 'p', 'f', 'c', 't', 'nal', 'insert', 'done', 0, now()), \
               ('A', 2, 'p', 'f', 'c', 't', 'nal', 'replace', 'done', 0, now())",
        )
        .expect("filled");
        assert_eq!(version(&con).expect("a version"), 1);
        let old = Columns::of(&con).expect("readable");
        let findings = |columns: &Columns| {
            let (message, hint) = (columns.message(), columns.hint());
            texts(&con, &format!("SELECT {message}, {hint} FROM etl.problems ORDER BY rule"))
        };
        let parted = ["a. b|do x", "no hint. at all|NULL"];
        let before = findings(&old);
        migrate(&con);
        let new = Columns::of(&con).expect("readable");
        let null = Value::Null.to_string();
        let expected = parted.map(|text| text.replace("NULL", &null));
        assert_eq!((before, findings(&new)), (expected.to_vec(), expected.to_vec()));
        let runs = texts(
            &con,
            "SELECT coalesce(summary, '-'), coalesce(error, '-') FROM etl.runs ORDER BY run",
        );
        assert_eq!(runs, ["{\"run\":1}|-", "-|it broke", "-|-"]);
        let sql = "SELECT coalesce(mode, '-'), \"schema\" FROM etl.inputs ORDER BY input";
        assert_eq!(texts(&con, sql), ["append|main", "-|main", "replace|main"]);
    }

    #[test]
    fn a_ledger_of_a_newer_program_is_refused() {
        let con = memory();
        migrate(&con);
        con.execute("INSERT INTO etl.ledger VALUES (99, now())").expect("filled");
        let error = migration(version(&con).expect("a version"), "NULL").expect_err("it is newer");
        assert!(error.message.contains("version 99"), "{}", error.message);
        assert!(readable(&con).is_err());
    }
}
