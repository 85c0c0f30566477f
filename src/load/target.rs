//! The seam between a run and the database that its rows go to.
//!
//! A run knows a [`Target`], links to it, writers and lookups; which database stands behind them is
//! decided in one place ([`TargetUrl`](super::TargetUrl)). What a target must promise:
//!
//! * [`Target::writer`]: the pieces of a group, its ledger row and its findings become durable in one
//!   transaction; a group that was not sealed leaves no trace. So the ledger row alone says that a
//!   range is loaded.
//! * [`Target::hold`]: from then on nobody else loads into the table, and no transaction of an
//!   earlier program that loaded into it is still open.
//! * [`Link`]: one connection of one thread; the ledger is read and written through it in SQL that
//!   all targets understand.

use super::ledger::{CountRow, InputRow};
use super::lookup::Lookup;
use super::names::NameRule;
use super::table::{Provenance, Strategy, TableSpec};
use super::{LoadError, LoadErrorKind, Writer, dead_letter};
use crate::chunk::Zone;
use crate::duck::{ResultColumn, Rows, Value, quote};
use crate::flow::Meters;
use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Schema of the ledger and of side tables, in every target.
pub const SCHEMA: &str = "etl";

/// How a target is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// The target's own share of the memory, in bytes.
    pub memory: u64,
    /// Folder of its spill files.
    pub temp_dir: Option<PathBuf>,
}

/// What may be done to a table of the target that is not as it is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Changes {
    /// Make it where it is missing.
    pub create: bool,
    /// Add columns.
    pub evolve: bool,
    /// Set indexes aside that only serve questions, until the run is over.
    #[serde(default)]
    pub indexes_after: bool,
}

/// A database that rows go to.
pub trait Target: Send + Sync {
    /// A connection for the ledger and for questions.
    fn link(&self) -> Result<Box<dyn Link>, LoadError>;

    /// Makes the ledger, or brings it to the version of this program: before anything is loaded.
    fn prepare_ledger(&self) -> Result<(), LoadError>;

    /// Nobody else loads into `table` from now on until the target is dropped. Twice is no error.
    fn hold(&self, table: &str) -> Result<(), LoadError>;

    /// A writer with a connection of its own.
    fn writer(&self, plan: &Arc<WritePlan>) -> Result<Box<dyn Writer>, LoadError>;

    /// What stands in the way of a load, and what else is worth knowing.
    fn examine(&self) -> Result<Vec<Finding>, LoadError> {
        Ok(Vec::new())
    }

    /// Whether the target itself may refuse single rows of a table; its writers then make failed records of them.
    fn refuses_rows(&self, spec: &TableSpec) -> Result<bool, LoadError>;

    /// How many of `wanted` writers may write to a table at the same time.
    fn writers(&self, _spec: &TableSpec, wanted: usize) -> Result<usize, LoadError> {
        Ok(wanted)
    }

    /// Finds rows that the table holds under the keys of a chunk.
    fn lookup(&self, of: KeyQuestion) -> Arc<dyn Lookup>;
}

/// What a lookup asks.
#[derive(Debug, Clone)]
pub struct KeyQuestion {
    /// The table.
    pub spec: TableSpec,
    /// The run that writes new rows.
    pub run: String,
    /// Also tell which rows come from this source: for a replay of rows of that source.
    pub source: Option<String>,
}

/// What all writers of an input share.
pub struct WritePlan {
    /// Run id.
    pub run: String,
    /// Position of the input in the run.
    pub input: u32,
    /// The table, with the types of its columns.
    pub spec: TableSpec,
    /// Where new and changed rows go: straight into the table, or beside it.
    pub strategy: Strategy,
    /// Values that all rows share.
    pub provenance: Provenance,
    /// Failed records of the input.
    pub dead: Arc<dead_letter::Writer>,
    /// What all of them share.
    pub head: Arc<dead_letter::Letterhead>,
    /// Counts the rows that the target refuses.
    pub refused: Arc<AtomicU64>,
    /// Texts that are longer than their column are cut, and not refused.
    pub cut: bool,
    /// Refused rows go into `etl.failed_rows`, too.
    pub failed_rows: bool,
    /// Columns that are in no content hash.
    pub not_compared: Vec<String>,
    /// Counters.
    pub meters: Arc<Meters>,
}

impl WritePlan {
    /// The side table of the input, where its strategy needs one.
    pub fn side(&self) -> Option<String> {
        let needed = self.strategy != Strategy::Insert;
        needed.then(|| super::table::side_table(&self.run, self.input))
    }
}

/// Takes rows of an answer with their columns, at least once; may stop the query.
pub type EachRows<'a> = &'a mut dyn FnMut(&[ResultColumn], Vec<Vec<Value>>) -> ControlFlow<()>;

/// Takes the texts of a key and the row of the input that has it; may stop.
pub type EachKey<'a> = &'a mut dyn FnMut(&[&str], u64) -> ControlFlow<()>;

/// One connection of one thread. SQL is what all targets understand, with `?` for values; only a
/// user's own questions are in the dialect of the target.
pub trait Link {
    /// Runs a query and hands over its rows as they come, in bounded memory. `each` must not use
    /// this connection. Gives the columns.
    fn query_each(
        &self,
        sql: &str,
        values: &[Value],
        each: EachRows<'_>,
    ) -> Result<Vec<ResultColumn>, LoadError>;

    /// Runs one statement; the number of rows it changed.
    fn execute(&self, sql: &str, values: &[Value]) -> Result<u64, LoadError>;

    /// Starts a transaction.
    fn begin(&self) -> Result<(), LoadError>;

    /// Starts one for a single question of the user, in which nothing can be changed.
    fn begin_reading(&self, question: &str) -> Result<(), LoadError>;

    /// Starts one for a rule over whole tables, in which nothing can be changed.
    fn begin_checking(&self) -> Result<(), LoadError>;

    /// Starts one that makes tables from whole tables.
    fn begin_building(&self) -> Result<(), LoadError> {
        self.begin()
    }

    /// Commits it.
    fn commit(&self) -> Result<(), LoadError>;

    /// Gives it up.
    fn rollback(&self) -> Result<(), LoadError>;

    /// Does what the target wants done when an input is in `table`, of which `changed` rows are new or
    /// others now, and (no table) when the whole run is over.
    fn settle(&self, table: Option<&TableSpec>, changed: u64) -> Result<(), LoadError>;

    /// Schema of the user's tables.
    fn schema(&self) -> &str;

    /// What the target takes for the same name.
    fn names(&self) -> NameRule;

    /// Columns of a table that take the texts of a plain file though they are of another type, which is none of
    /// [`ColumnKind`](crate::chunk::ColumnKind): the target says which texts it does not take.
    fn takes_texts(&self, table: &str) -> Result<Vec<String>, LoadError>;

    /// The zone in which a fresh session of the database takes a time without an offset.
    fn time_zone(&self) -> Result<Zone, LoadError> {
        Ok(Zone::UTC)
    }

    /// The name of a table of the user as the target has it; `None` where there is no such table.
    fn find_table(&self, name: &str) -> Result<Option<String>, LoadError> {
        Ok((!self.columns(name)?.is_empty()).then(|| name.to_owned()))
    }

    /// A table of the user as SQL names it.
    fn table(&self, name: &str) -> String;

    /// Columns of a table of the user with their types as DuckDB names them (another type by the
    /// target's own name); none where there is no such table.
    fn columns(&self, table: &str) -> Result<Vec<(String, String)>, LoadError>;

    /// Makes the table, or checks that the existing one can take the rows; what does not fit is one
    /// error that names all of it. `unique`: rows are told apart by the key.
    fn ensure(&self, spec: &TableSpec, unique: bool, changes: Changes) -> Result<(), LoadError>;

    /// Whether columns of the table can have another type: no index is on them.
    fn can_widen(&self, table: &str) -> Result<bool, LoadError> {
        let _ = table;
        Ok(true)
    }

    /// Gives a column another type, as DuckDB names it, unless it has that type.
    ///
    /// # Errors
    /// It is neither of that type nor of `from`: somebody else has changed it since it was looked at.
    fn widen(&self, table: &str, column: &str, from: &str, ty: &str) -> Result<(), LoadError>;

    /// Where the version of the ledger is kept once it is that of this program.
    fn ledger_version(&self) -> &OnceCell<u32>;

    /// What is worth knowing of a table that can take the rows: what may refuse some of them.
    fn remarks(&self, spec: &TableSpec) -> Result<Vec<String>, LoadError> {
        let _ = spec;
        Ok(Vec::new())
    }

    /// Makes a side table with the columns of the table, where it is missing.
    fn make_side(&self, spec: &TableSpec, side: &str) -> Result<(), LoadError>;

    /// Puts the rows of a side table in the place of those of the same keys. Returns how many went
    /// and how many came.
    fn apply_changes(&self, spec: &TableSpec, side: &str) -> Result<(u64, u64), LoadError>;

    /// Rows of the table that an input has found as they are, though it comes from a higher release,
    /// rank as that from now on.
    fn raise_releases(
        &self,
        spec: &TableSpec,
        release: &str,
        run: &str,
        input: u32,
    ) -> Result<(), LoadError> {
        self.execute(
            &format!(
                "UPDATE {} SET _etl_release = ? WHERE _etl_hash IN (SELECT raise FROM etl.settled \
                 WHERE run = ? AND input = ? AND raise IS NOT NULL)",
                self.table(&spec.name)
            ),
            &[Value::from(release), Value::from(run), Value::from(input)],
        )
        .map(drop)
    }

    /// Keys of rows of the table that an unfinished input has found as they are, where the target
    /// keeps them elsewhere than in `etl.settled`: `each` gets the key's texts and the input's row.
    fn met_keys(&self, plan: &WritePlan, each: EachKey<'_>) -> Result<(), LoadError> {
        let _ = (plan, each);
        Ok(())
    }

    /// Forgets which rows an input has met, and that any have met its own rows.
    fn forget_met(&self, row: &InputRow) -> Result<(), LoadError> {
        let _ = row;
        Ok(())
    }

    /// Whether what an unfinished input has met may be others now: it is then loaded anew.
    fn is_overtaken(&self, row: &InputRow) -> Result<bool, LoadError> {
        let _ = row;
        Ok(false)
    }

    /// Answers a question where the target has a better way than to be asked once. Of a stretch it may look
    /// only where its rows should be: who asks compares their number.
    fn count_at_once(
        &self,
        spec: &TableSpec,
        counts: &Counts<'_>,
    ) -> Result<Option<Vec<u64>>, LoadError> {
        let _ = (spec, counts);
        Ok(None)
    }

    /// What of the table may change cells on their way into it, each in a few words: its filled cells
    /// are then not compared with what was handed over.
    fn changes_cells(&self, spec: &TableSpec) -> Result<Vec<String>, LoadError> {
        let _ = spec;
        Ok(Vec::new())
    }

    /// SQL conditions, each for a few rows here and there among the last ones of the table, cheap to find.
    fn spots(&self, spec: &TableSpec, rows: LastRows) -> Result<Vec<String>, LoadError> {
        let _ = (spec, rows);
        Ok(Vec::new())
    }

    /// Adds all rows of a side table to the table.
    fn take_over(&self, spec: &TableSpec, side: &str) -> Result<u64, LoadError>;

    /// Makes again what was set aside of a table.
    fn restore(&self, table: &str) -> Result<(), LoadError> {
        let _ = table;
        Ok(())
    }

    /// Whether nobody but this program can change the table while it is held.
    fn is_alone(&self) -> bool;
}

/// Gives a column a type, as DuckDB and as the target name it, unless it has that type.
pub fn widen_as(
    con: &dyn Link,
    table: &str,
    column: &str,
    from: &str,
    (ty, own): (&str, &str),
) -> Result<(), LoadError> {
    let there = con.columns(table)?;
    match there.iter().find(|(name, _)| name == column).map(|(_, known)| known.as_str()) {
        Some(known) if known == ty => return Ok(()),
        Some(known) if known == from => {}
        _ => {
            let told =
                format!("column {column} of table {table} was changed by another run meanwhile");
            return Err(LoadError::new(LoadErrorKind::Mismatch, told)
                .with_hint("run the same command again"));
        }
    }
    let sql = format!("ALTER TABLE {} ALTER COLUMN {} TYPE {own}", con.table(table), quote(column));
    con.execute(&sql, &[]).map(drop)
}

/// A question of several numbers over the rows of a table that meet a condition.
#[derive(Debug, Clone, Copy)]
pub struct Counts<'a> {
    /// SQL of each number: `count(*)`, or another aggregate.
    pub numbers: &'a [String],
    /// The table as SQL names it.
    pub table: &'a str,
    /// SQL condition.
    pub condition: &'a str,
    /// Values for the `?` of the numbers, then those of the condition.
    pub values: &'a [Value],
    /// Rows of the scope that the ledger knows of.
    pub claims: u64,
    /// Whether all of them are committed.
    pub committed: bool,
    /// Where the rows are that it is about.
    pub near: Option<Stretch>,
}

/// Some of the rows that an input has added to a table, in the order in which it has added them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// All rows of the input.
    pub input: LastRows,
    /// Those before the stretch, of the committed ones.
    pub from: u64,
    /// Those up to its end.
    pub to: u64,
    /// All rows of the scope; `None`: not counted.
    pub scope: Option<u64>,
}

impl Counts<'_> {
    /// Asked once.
    pub fn ask(&self, con: &dyn Link) -> Result<Vec<u64>, LoadError> {
        let Self { numbers, table, condition, values, .. } = self;
        let sql = format!("SELECT {} FROM {table} WHERE {condition}", numbers.join(", "));
        let found = con.query(&sql, values)?;
        let number =
            |value: &Value| value.as_int().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        Ok(found.rows.first().into_iter().flatten().map(number).collect())
    }
}

/// Rows of a table that came last: how many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRows {
    /// Committed.
    pub committed: u64,
    /// Added by the open transaction.
    pub open: u64,
}

impl dyn Link + '_ {
    /// Runs a query with a small result.
    pub fn query(&self, sql: &str, values: &[Value]) -> Result<Rows, LoadError> {
        let mut rows = Vec::new();
        let columns = self.query_each(sql, values, &mut |_, mut more| {
            rows.append(&mut more);
            ControlFlow::Continue(())
        })?;
        Ok(Rows { columns, rows })
    }

    /// The whole number that a query answers; 0 where it has none.
    pub fn number(&self, sql: &str, values: &[Value]) -> Result<u64, LoadError> {
        let rows = self.query(sql, values)?;
        Ok(rows.scalar().and_then(Value::as_int).and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }
}

/// Runs `work` in a transaction: committed when it succeeds, else rolled back.
pub fn transaction<T, E: From<LoadError>>(
    con: &dyn Link,
    work: impl FnOnce(&dyn Link) -> Result<T, E>,
) -> Result<T, E> {
    con.begin()?;
    let done = work(con).and_then(|value| Ok(con.commit().map(|()| value)?));
    if done.is_err() {
        // The first error tells more than one of the clean-up; after a failed COMMIT there is no
        // transaction left, which is an error here and no harm.
        let _ = con.rollback();
    }
    done
}

/// A schema is named that the target does not have.
pub fn no_schema(schema: &str) -> LoadError {
    LoadError::new(LoadErrorKind::Target, format!("there is no schema {schema}")).with_hint(
        "give --create, and it is made; a table with a dot in its name stands in quotes: \
         --table '\"a.b\"'",
    )
}

/// What `etl doctor` and `etl plan` want to know about a target.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TargetState {
    /// Whether there is anything yet.
    pub exists: bool,
    /// Bytes on disk, where that is known.
    pub bytes: u64,
    /// Whether it has a ledger.
    pub ledger: bool,
    /// Unfinished runs.
    pub unfinished: Vec<String>,
    /// Rows of each table and scope, as the ledger has them.
    pub counts: Vec<CountRow>,
    /// What else is worth knowing.
    pub findings: Vec<Finding>,
}

/// How a finding about a target is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// A load would fail.
    Bad,
}

/// A finding about a target.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What was looked at, in a word.
    pub what: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found.
    pub told: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Finding {
    fn new(what: &'static str, health: Health, told: impl Into<String>) -> Self {
        Self { what, health, told: told.into(), hint: None }
    }

    /// As it should be.
    pub fn good(what: &'static str, told: impl Into<String>) -> Self {
        Self::new(what, Health::Good, told)
    }

    /// Worth a look.
    pub fn odd(what: &'static str, told: impl Into<String>) -> Self {
        Self::new(what, Health::Odd, told)
    }

    /// A load would fail.
    pub fn bad(what: &'static str, told: impl Into<String>) -> Self {
        Self::new(what, Health::Bad, told)
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The folder part of a path; `.` where it has none.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
