//! The ledger: what was loaded, as rows of the target itself, in SQL that all targets understand.
//!
//! `runs` 1-n `inputs` 1-n `ranges`. An input is known by schema, table, content, sheet, and by what else
//! can change a row of it (`identity`); a range names the records of the input that one transaction has loaded, with their account.

use crate::chunk::{Fingerprint, Mark, Tally};
use crate::duck::{Rows, Value};
use std::collections::HashSet;

use super::table::{Mode, Strategy};
use super::{Link, LoadError, LoadErrorKind};

mod cells;
mod counts;
mod failed;
mod finish;
mod grown;
mod headers;
mod inputs;
mod known;
mod meet;
mod past;
mod ranges;
mod replace;
pub mod replays;
mod rules;
pub mod schema;
mod status;

pub use cells::{CellCheck, count_sql, counted};
pub use counts::CountRow;
pub use failed::failed_statements;
pub use finish::{Closed, Finish};
pub use grown::Grown;
pub use headers::HeaderOf;
pub use inputs::{InputPath, KnownInput, SheetRows};
pub use known::{
    agrees_with_ledger, has_ledger, has_provenance, has_release, holds_scope, known_keys,
    rows_by_source, scope_rows, table_rows,
};
pub use meet::{others_since, rebase, scope_text};
pub use past::{PastInput, RunRow};
pub use ranges::{Statement, insert_range, range_statements, replace_findings};
pub use status::{InputState, RunState};

/// By what an input is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputKey {
    /// Target table; its schema is that of the connection.
    pub table: String,
    /// Content.
    pub fingerprint: Fingerprint,
    /// Sheet, where there is one.
    pub sheet: Option<String>,
}

/// An input as the ledger has it.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRow {
    /// The run.
    pub run: String,
    /// Position in the run.
    pub input: u32,
    /// How it is loaded.
    pub strategy: Strategy,
    /// What its rows bear as `_etl_source`.
    pub source: String,
    /// Hash of the configuration it was begun with.
    pub config: String,
    /// Release it was begun with.
    pub release: Option<String>,
    /// Rows of the table before it began.
    pub rows_before: u64,
    /// Failed-record file.
    pub failed_file: Option<String>,
    /// Committed ranges as (from, to), ordered.
    pub ranges: Vec<(Mark, Mark)>,
    /// Account of the committed ranges.
    pub tally: Tally,
    /// Inputs whose rows give way to its own when it ends: (run, position).
    pub replaces: Vec<(String, u32)>,
}

/// An input that begins.
pub struct NewInput<'a> {
    /// The entry.
    pub row: &'a InputRow,
    /// What identifies it.
    pub key: &'a InputKey,
    /// What identifies it, as canonical JSON.
    pub identity: &'a str,
    /// Types of its columns, as JSON.
    pub types: &'a str,
    /// Its path, as the user has named it.
    pub path: &'a str,
    /// Where it lies; `None` for standard input.
    pub absolute_path: Option<&'a str>,
    /// Kind of the pack, or `generic`.
    pub kind: &'a str,
    /// Mode in which it is loaded.
    pub mode: Mode,
    /// Its scope, as JSON.
    pub scope: &'a str,
    /// Version of the rules of values.
    pub rules: u32,
}

const TALLY: &str = "read, inserted, updated, unchanged, superseded, duplicate, filtered, rejected";
pub(super) const TALLY_SUMS: &str = "coalesce(sum(read),0)::BIGINT, coalesce(sum(inserted),0)::BIGINT, \
    coalesce(sum(updated),0)::BIGINT, coalesce(sum(unchanged),0)::BIGINT, \
    coalesce(sum(superseded),0)::BIGINT, coalesce(sum(duplicate),0)::BIGINT, \
    coalesce(sum(filtered),0)::BIGINT, coalesce(sum(rejected),0)::BIGINT";

fn tally_values(tally: &Tally) -> [u64; 8] {
    [
        tally.read,
        tally.inserted,
        tally.updated,
        tally.unchanged,
        tally.superseded,
        tally.duplicate,
        tally.filtered,
        tally.rejected,
    ]
}

pub(super) fn tally_from(row: &[Value], at: usize) -> Tally {
    let value = |offset: usize| row.get(at + offset).map_or(0, unsigned);
    Tally {
        read: value(0),
        inserted: value(1),
        updated: value(2),
        unchanged: value(3),
        superseded: value(4),
        duplicate: value(5),
        filtered: value(6),
        rejected: value(7),
    }
}

pub(super) fn unsigned(value: &Value) -> u64 {
    value.as_int().and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
}

pub(super) fn text(value: &Value) -> String {
    value.to_string()
}

pub(super) fn optional(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// Reads and writes the ledger on one connection.
pub struct Ledger<'c> {
    pub(super) con: &'c dyn Link,
}

impl<'c> Ledger<'c> {
    /// A ledger on a connection.
    pub fn new(con: &'c dyn Link) -> Self {
        Self { con }
    }

    /// An input with its ranges, from the columns of [`inputs::INPUT`].
    pub(super) fn input(&self, row: &[Value]) -> Result<InputRow, LoadError> {
        let (run, input) = (text(&row[0]), unsigned(&row[1]) as u32);
        let ranges = self.con.query(
            &format!(
                "SELECT from_record, from_byte, from_row, to_record, to_byte, to_row, {TALLY} \
                 FROM etl.ranges WHERE run = ? AND input = ? ORDER BY from_record"
            ),
            &[Value::from(run.as_str()), Value::from(input)],
        )?;
        let mark = |row: &[Value], at: usize| Mark {
            record: unsigned(&row[at]),
            byte: unsigned(&row[at + 1]),
            row: unsigned(&row[at + 2]),
        };
        let mut tally = Tally::default();
        ranges.rows.iter().for_each(|row| tally += tally_from(row, 6));
        Ok(InputRow {
            run,
            input,
            strategy: stored(&row[2], Strategy::parse)?,
            rows_before: unsigned(&row[4]),
            failed_file: optional(&row[5]),
            source: match optional(&row[7]) {
                Some(sheet) => format!("{}, sheet \"{sheet}\"", text(&row[6])),
                None => text(&row[6]),
            },
            config: text(&row[8]),
            release: optional(&row[9]),
            ranges: ranges.rows.iter().map(|row| (mark(row, 0), mark(row, 3))).collect(),
            tally,
            replaces: inputs::replaces(&row[10])?,
        })
    }

    /// Number for the next input of a run.
    pub fn next_input(&self, run: &str) -> Result<u32, LoadError> {
        let rows = self.con.query(
            "SELECT coalesce(max(input) + 1, 0) FROM etl.inputs WHERE run = ?",
            &[Value::from(run)],
        )?;
        Ok(rows.scalar().map_or(0, unsigned) as u32)
    }

    /// Ids of the committed ranges of all inputs of a run.
    pub fn range_ids(&self, run: &str) -> Result<HashSet<String>, LoadError> {
        let sql = "SELECT range FROM etl.ranges WHERE run = ?";
        let rows = self.con.query(sql, &[Value::from(run)])?;
        Ok(rows.rows.iter().map(|row| text(&row[0])).collect())
    }

    /// Begins a run, or goes on with one that had ended early.
    pub fn begin_run(&self, run: &str, version: &str, command: &str) -> Result<(), LoadError> {
        let running = RunState::Running.name();
        self.con.execute(
            "INSERT INTO etl.runs (run, version, command, status, started) \
             SELECT ?, ?, ?, ?, now() WHERE NOT EXISTS (SELECT 1 FROM etl.runs WHERE run = ?)",
            &[run, version, command, running, run].map(Value::from),
        )?;
        self.con.execute(
            "UPDATE etl.runs SET status = ?, finished = NULL, summary = NULL, error = NULL \
             WHERE run = ? AND status <> ?",
            &[running, run, running].map(Value::from),
        )?;
        Ok(())
    }

    /// Ends a run that has loaded all its inputs, with its summary as JSON where there is one.
    pub fn complete_run(&self, run: &str, summary: Option<&str>) -> Result<(), LoadError> {
        self.end_run(run, RunState::Done, summary, None)
    }

    /// Ends a run early.
    pub fn stop_run(&self, run: &str, state: RunState, error: &str) -> Result<(), LoadError> {
        self.end_run(run, state, None, Some(error))
    }

    /// Ends a run in which some inputs have failed and the others are loaded, with its summary as JSON.
    pub fn end_in_part(&self, run: &str, summary: &str, error: &str) -> Result<(), LoadError> {
        self.end_run(run, RunState::Partial, Some(summary), Some(error))
    }

    fn end_run(
        &self,
        run: &str,
        state: RunState,
        summary: Option<&str>,
        error: Option<&str>,
    ) -> Result<(), LoadError> {
        let text = |text: Option<&str>| Value::from(text.map(str::to_owned));
        self.con.execute(
            "UPDATE etl.runs SET status = ?, finished = now(), summary = ?, error = ? WHERE run = ?",
            &[Value::from(state.name()), text(summary), text(error), Value::from(run)],
        )?;
        Ok(())
    }

    /// Whether a run has loaded all its inputs.
    pub fn is_done(&self, run: &str) -> Result<bool, LoadError> {
        let sql = "SELECT count(*) FROM etl.runs WHERE run = ? AND status = ?";
        let values = [run, RunState::Done.name()].map(Value::from);
        Ok(self.con.number(sql, &values)? > 0)
    }

    /// Whether a run has left an input unfinished.
    pub fn has_unfinished(&self, run: &str) -> Result<bool, LoadError> {
        let sql = "SELECT count(*) FROM etl.inputs WHERE run = ? AND status = ?";
        let values = [run, InputState::Running.name()].map(Value::from);
        Ok(self.con.number(sql, &values)? > 0)
    }

    /// Begins an input.
    pub fn begin_input(&self, new: &NewInput<'_>) -> Result<(), LoadError> {
        let NewInput { row, key, identity, types, path, absolute_path, kind, mode, scope, rules } =
            new;
        let replaces = (!row.replaces.is_empty())
            .then(|| serde_json::to_string(&row.replaces).unwrap_or_default());
        self.con.execute(
            "INSERT INTO etl.inputs (run, input, path, sheet, fingerprint, config, \"table\", kind, \
               release, strategy, status, rows_before, failed_file, started, scope, mode, \"schema\", \
               identity, types, absolute_path, replaces, rules) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now(), ?, ?, ?, ?, ?, ?, ?, ?)",
            &[
                Value::from(row.run.as_str()),
                Value::from(row.input),
                Value::from(*path),
                Value::from(key.sheet.clone()),
                Value::from(key.fingerprint.to_string()),
                Value::from(row.config.as_str()),
                Value::from(key.table.as_str()),
                Value::from(*kind),
                Value::from(row.release.clone()),
                Value::from(row.strategy.name()),
                Value::from(InputState::Running.name()),
                Value::from(row.rows_before),
                Value::from(row.failed_file.clone()),
                Value::from(*scope),
                Value::from(mode.name()),
                Value::from(self.con.schema()),
                Value::from(*identity),
                Value::from(*types),
                Value::from(absolute_path.map(str::to_owned)),
                Value::from(replaces),
                Value::from(*rules),
            ],
        )?;
        Ok(())
    }

    /// Account of an input's committed ranges.
    pub fn tally(&self, run: &str, input: u32) -> Result<Tally, LoadError> {
        let rows = self.con.query(
            &format!("SELECT {TALLY_SUMS} FROM etl.ranges WHERE run = ? AND input = ?"),
            &[Value::from(run), Value::from(input)],
        )?;
        Ok(rows.rows.first().map_or_else(Tally::default, |row| tally_from(row, 0)))
    }

    /// Sets an input's status and final account.
    pub fn end_input(
        &self,
        run: &str,
        input: u32,
        state: InputState,
        tally: &Tally,
    ) -> Result<(), LoadError> {
        let mut values = vec![Value::from(state.name())];
        values.extend(tally_values(tally).map(Value::from));
        values.extend([Value::from(run), Value::from(input)]);
        self.con.execute(
            "UPDATE etl.inputs SET status = ?, finished = now(), read = ?, inserted = ?, \
               updated = ?, unchanged = ?, superseded = ?, duplicate = ?, filtered = ?, \
               rejected = ? WHERE run = ? AND input = ?",
            &values,
        )?;
        Ok(())
    }

    /// Findings of an input, summed over its ranges: (code, rule, column, severity, message and hint of
    /// the first one, count, examples as JSON lists joined). Ids of ranges end in their first record, so
    /// the shorter one is the earlier.
    pub fn problems(&self, run: &str, input: u32) -> Result<Rows, LoadError> {
        let columns = schema::Columns::of(self.con)?;
        let (message, hint) = (columns.message(), columns.hint());
        self.con.query(
            &format!(
                "SELECT code, rule, \"column\", severity, min(words) FILTER (WHERE place = 1), \
                   min(advice) FILTER (WHERE place = 1), sum(count)::BIGINT, \
                   string_agg(examples, chr(10) ORDER BY range) \
                 FROM (SELECT *, {message} AS words, {hint} AS advice, \
                     row_number() OVER (PARTITION BY code, rule, \"column\", severity \
                     ORDER BY length(range), range) AS place \
                   FROM etl.problems WHERE run = ? AND input = ?) AS found \
                 GROUP BY code, rule, \"column\", severity ORDER BY 7 DESC"
            ),
            &[Value::from(run), Value::from(input)],
        )
    }
}

/// A value of an enum as the ledger stores it by name. Another text means that something else has
/// written into the ledger, or that a newer program has.
pub fn stored<T>(value: &Value, parse: impl Fn(&str) -> Option<T>) -> Result<T, LoadError> {
    let name = text(value);
    parse(&name).ok_or_else(|| {
        let told = format!("the ledger holds the unknown word `{name}`");
        LoadError::new(LoadErrorKind::Target, told)
            .with_hint("a newer etl may have written it: use that one")
    })
}
