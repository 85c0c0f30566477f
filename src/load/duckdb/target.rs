//! Opening the file: limits, the ledger's tables, connections.

use super::constraints::may_refuse;
use super::count::Commits;
use super::lookup::KeyLookup;
use super::turns::Turns;
use super::write::{DuckWriter, File};
use super::{ROW_GROUP, STORAGE};
use crate::duck::{Connection, Database, Settings, Value};
use crate::load::ledger;
use crate::load::lookup::Lookup;
use crate::load::table::TableSpec;
use crate::load::target::{KeyQuestion, Opening, Target, WritePlan};
use crate::load::{Link, LoadError, LoadErrorKind, Writer};
use std::path::Path;
use std::sync::Arc;

/// Block size of a new file. A commit pins about four blocks a column: with DuckDB's 256 KiB a roll
/// of 196 columns fails below a limit of 200 MB, with 64 KiB it loads at 100 MB; time and size of the
/// file are the same (measured).
const BLOCK: u64 = 64 << 10;

/// An open DuckDB file.
#[derive(Clone)]
pub struct DuckTarget {
    db: Database,
    turns: Arc<Turns>,
    commits: Arc<Commits>,
}

/// DuckDB would call it no database, and not say why.
fn refuse_empty(path: &Path) -> Result<(), LoadError> {
    let is_empty = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0);
    if !is_empty {
        return Ok(());
    }
    let told = format!("{} is empty (0 bytes): it is no DuckDB database", path.display());
    Err(LoadError::new(LoadErrorKind::Target, told).with_hint(
        "remove it, then the same command makes a new one; or give another path with --to",
    ))
}

impl DuckTarget {
    /// Opens or makes the file for loading; its ledger stays as it is. The memory is DuckDB's own share of the budget.
    pub fn open(path: &Path, opening: &Opening) -> Result<Self, LoadError> {
        let settings = Settings {
            memory_limit: Some(opening.memory),
            // One thread a connection: with two, each flush becomes a parallel INSERT that splits
            // row groups, takes 1.5 x the time and runs out of memory at 256 MB (measured).
            threads: Some(1),
            temp_dir: opening.temp_dir.clone(),
            // Rows are found by `_etl_row`, never by position; order would cost memory in the
            // statements that apply changes.
            preserve_order: false,
            block_size: Some(BLOCK),
            row_group: Some(ROW_GROUP),
            storage: Some(STORAGE),
            // Commits write whole row groups past the log; a checkpoint is asked for at the end.
            checkpoint_threshold: Some(1 << 40),
            ..Settings::default()
        };
        refuse_empty(path)?;
        Ok(Self {
            db: Database::open(path, &settings)?,
            turns: Arc::default(),
            commits: Arc::default(),
        })
    }

    /// Opens an existing file for questions only.
    pub fn read_only(path: &Path, memory: u64) -> Result<Self, LoadError> {
        let settings =
            Settings { memory_limit: Some(memory), read_only: true, ..Settings::default() };
        Ok(Self {
            db: Database::open(path, &settings)?,
            turns: Arc::default(),
            commits: Arc::default(),
        })
    }

    /// The same file, with tables in another schema than `main`. DuckDB finds a schema in capitals or
    /// not; the ledger knows it as it was made.
    pub fn in_schema(self, schema: Option<&str>) -> Result<Self, LoadError> {
        let Some(schema) = schema else { return Ok(self) };
        let sql = "SELECT schema_name FROM information_schema.schemata \
                   WHERE catalog_name = current_database() AND lower(schema_name) = lower(?)";
        let rows = self.connect()?.query(sql, &[Value::from(schema)])?;
        let made = rows.scalar().and_then(Value::as_text).unwrap_or(schema);
        Ok(Self { db: self.db.in_schema(Some(made)), turns: self.turns, commits: self.commits })
    }

    fn connect(&self) -> Result<Connection, LoadError> {
        Ok(self.db.connect()?)
    }
}

/// Makes the ledger, or brings it to the version of this program.
fn migrate(con: &Connection) -> Result<(), LoadError> {
    let version = ledger::schema::version(con)?;
    let Some(script) = ledger::schema::migration(version, "'main'")? else { return Ok(()) };
    con.transaction(|con| con.execute(&script))?;
    // A checkpoint, so that a program that is killed now leaves no log of it.
    if version > 0 {
        con.checkpoint()?;
    }
    Ok(())
}

impl Target for DuckTarget {
    fn link(&self) -> Result<Box<dyn Link>, LoadError> {
        Ok(Box::new(self.connect()?))
    }

    fn prepare_ledger(&self) -> Result<(), LoadError> {
        migrate(&self.connect()?)
    }

    /// The file has one writer: whoever has opened it holds all tables.
    fn hold(&self, _table: &str) -> Result<(), LoadError> {
        Ok(())
    }

    fn writer(&self, plan: &Arc<WritePlan>) -> Result<Box<dyn Writer>, LoadError> {
        let (turns, commits) = (Arc::clone(&self.turns), Arc::clone(&self.commits));
        let file = File { db: self.db.clone(), turns, commits };
        Ok(Box::new(DuckWriter::new(self.connect()?, file, Arc::clone(plan))?))
    }

    fn refuses_rows(&self, spec: &TableSpec) -> Result<bool, LoadError> {
        let con = self.connect()?;
        may_refuse(&con, Link::schema(&con), spec)
    }

    /// One where rows of other open transactions could break a constraint together with its own.
    fn writers(&self, spec: &TableSpec, wanted: usize) -> Result<usize, LoadError> {
        Ok(if self.refuses_rows(spec)? { 1 } else { wanted })
    }

    fn lookup(&self, of: KeyQuestion) -> Arc<dyn Lookup> {
        Arc::new(KeyLookup::new(self.db.clone(), Arc::clone(&self.turns), of))
    }
}
