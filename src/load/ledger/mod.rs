//! The ledger: what was loaded, as rows of the target itself, in SQL that all targets understand.
//!
//! `runs` 1-n `inputs` 1-n `ranges`. An input is known by (table, fingerprint, configuration hash);
//! a range names the records of the input that one transaction has loaded, with their account.

use crate::chunk::{Fingerprint, Mark, Tally};
use crate::duck::{Rows, Value};
use std::collections::HashSet;

use super::table::Strategy;
use super::{Link, LoadError};

mod counts;
mod failed;
mod finish;
mod known;
mod meet;
mod past;
mod ranges;
pub mod replays;

pub use counts::CountRow;
pub use failed::failed_statements;
pub use finish::Finish;
pub use known::{
    agrees_with_ledger, has_ledger, has_release, holds_scope, known_keys, scope_rows, table_rows,
};
pub use meet::{others_since, rebase, scope_text};
pub use past::{PastInput, RunRow};
pub use ranges::{Statement, insert_range, range_statements, replace_findings};

/// Statements that make the ledger's tables where they are missing.
pub const DDL: &str = "
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

/// What identifies an input for resuming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputKey {
    /// Target table.
    pub table: String,
    /// Content.
    pub fingerprint: Fingerprint,
    /// Sheet, where there is one.
    pub sheet: Option<String>,
    /// Hash of everything that can change a row.
    pub config: String,
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
}

/// What the ledger says of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Never seen.
    New,
    /// Begun and not finished.
    Unfinished(InputRow),
    /// Loaded.
    Finished(InputRow),
}

const TALLY: &str = "read, inserted, updated, unchanged, superseded, duplicate, filtered, rejected";
pub(super) const TALLY_SUMS: &str = "coalesce(sum(read),0)::BIGINT, coalesce(sum(inserted),0)::BIGINT, \
    coalesce(sum(updated),0)::BIGINT, coalesce(sum(unchanged),0)::BIGINT, \
    coalesce(sum(superseded),0)::BIGINT, coalesce(sum(duplicate),0)::BIGINT, \
    coalesce(sum(filtered),0)::BIGINT, coalesce(sum(rejected),0)::BIGINT";

/// Columns that [`Ledger::input`] reads.
const INPUT: &str =
    "run, input, strategy, status, rows_before, failed_file, path, sheet, config, release";

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

    /// What is known of an input. The newest entry counts.
    pub fn state(&self, key: &InputKey) -> Result<State, LoadError> {
        let rows = self.con.query(
            &format!(
                "SELECT {INPUT} FROM etl.inputs WHERE \"table\" = ? AND fingerprint = ? \
                   AND config = ? AND sheet IS NOT DISTINCT FROM ? \
                   AND status IN ('running', 'done') ORDER BY started DESC LIMIT 1"
            ),
            &[
                Value::from(key.table.as_str()),
                Value::from(key.fingerprint.to_string()),
                Value::from(key.config.as_str()),
                Value::from(key.sheet.clone()),
            ],
        )?;
        let Some(row) = rows.rows.first() else { return Ok(State::New) };
        let finished = row[3].as_text() == Some("done");
        let input = self.input(row)?;
        Ok(if finished { State::Finished(input) } else { State::Unfinished(input) })
    }

    /// An input with its ranges, from (run, input, strategy, status, rows_before, failed_file, …).
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
            strategy: row[2].as_text().and_then(Strategy::parse).unwrap_or(Strategy::Merge),
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
        })
    }

    /// Finished inputs of the same content, whatever the configuration.
    pub fn finished_content(&self, key: &InputKey) -> Result<Vec<InputRow>, LoadError> {
        let rows = self.con.query(
            &format!(
                "SELECT {INPUT} FROM etl.inputs WHERE \"table\" = ? AND fingerprint = ? \
                   AND sheet IS NOT DISTINCT FROM ? AND status = 'done' ORDER BY started DESC"
            ),
            &[
                Value::from(key.table.as_str()),
                Value::from(key.fingerprint.to_string()),
                Value::from(key.sheet.clone()),
            ],
        )?;
        rows.rows.iter().map(|row| self.input(row)).collect()
    }

    /// An unfinished input of the same path and table but with other content or configuration.
    pub fn unfinished_at(
        &self,
        path: &str,
        sheet: Option<&str>,
        key: &InputKey,
    ) -> Result<Option<InputRow>, LoadError> {
        let rows = self.con.query(
            &format!(
                "SELECT {INPUT} FROM etl.inputs WHERE path = ? AND \"table\" = ? \
                   AND status = 'running' AND sheet IS NOT DISTINCT FROM ? \
                   AND (fingerprint <> ? OR config <> ?) ORDER BY started DESC LIMIT 1"
            ),
            &[
                Value::from(path),
                Value::from(key.table.as_str()),
                Value::from(sheet.map(str::to_owned)),
                Value::from(key.fingerprint.to_string()),
                Value::from(key.config.as_str()),
            ],
        )?;
        rows.rows.first().map(|row| self.input(row)).transpose()
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
        self.con.execute(
            "INSERT INTO etl.runs SELECT ?, ?, ?, 'running', now(), NULL, NULL \
             WHERE NOT EXISTS (SELECT 1 FROM etl.runs WHERE run = ?)",
            &[Value::from(run), Value::from(version), Value::from(command), Value::from(run)],
        )?;
        self.con.execute(
            "UPDATE etl.runs SET status = 'running', finished = NULL, summary = NULL \
             WHERE run = ? AND status <> 'running'",
            &[Value::from(run)],
        )?;
        Ok(())
    }

    /// Ends a run.
    pub fn end_run(&self, run: &str, status: &str, summary: &str) -> Result<(), LoadError> {
        self.con.execute(
            "UPDATE etl.runs SET status = ?, finished = now(), summary = ? WHERE run = ?",
            &[Value::from(status), Value::from(summary), Value::from(run)],
        )?;
        Ok(())
    }

    /// Whether a run has ended as it should.
    pub fn is_done(&self, run: &str) -> Result<bool, LoadError> {
        let sql = "SELECT count(*) FROM etl.runs WHERE run = ? AND status = 'done'";
        let rows = self.con.query(sql, &[Value::from(run)])?;
        Ok(rows.scalar().map_or(0, unsigned) > 0)
    }

    /// Whether a run has left an input unfinished.
    pub fn has_unfinished(&self, run: &str) -> Result<bool, LoadError> {
        let sql = "SELECT count(*) FROM etl.inputs WHERE run = ? AND status = 'running'";
        let rows = self.con.query(sql, &[Value::from(run)])?;
        Ok(rows.scalar().map_or(0, unsigned) > 0)
    }

    /// Begins an input.
    pub fn begin_input(
        &self,
        row: &InputRow,
        key: &InputKey,
        path: &str,
        kind: &str,
        scope: &str,
    ) -> Result<(), LoadError> {
        self.con.execute(
            "INSERT INTO etl.inputs (run, input, path, sheet, fingerprint, config, \"table\", kind, \
               release, strategy, status, rows_before, failed_file, started, scope) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, now(), ?)",
            &[
                Value::from(row.run.as_str()),
                Value::from(row.input),
                Value::from(path),
                Value::from(key.sheet.clone()),
                Value::from(key.fingerprint.to_string()),
                Value::from(key.config.as_str()),
                Value::from(key.table.as_str()),
                Value::from(kind),
                Value::from(row.release.clone()),
                Value::from(row.strategy.name()),
                Value::from(row.rows_before),
                Value::from(row.failed_file.clone()),
                Value::from(scope),
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
        status: &str,
        tally: &Tally,
    ) -> Result<(), LoadError> {
        let mut values = vec![Value::from(status)];
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

    /// Findings of an input, summed over its ranges: (code, rule, column, severity, message of the
    /// first one, count, examples as JSON lists joined). Ids of ranges end in their first record, so
    /// the shorter one is the earlier.
    pub fn problems(&self, run: &str, input: u32) -> Result<Rows, LoadError> {
        self.con.query(
            "SELECT code, rule, \"column\", severity, min(message) FILTER (WHERE place = 1), \
               sum(count)::BIGINT, string_agg(examples, chr(10) ORDER BY range) \
             FROM (SELECT *, row_number() OVER (PARTITION BY code, rule, \"column\", severity \
                 ORDER BY length(range), range) AS place \
               FROM etl.problems WHERE run = ? AND input = ?) AS found \
             GROUP BY code, rule, \"column\", severity ORDER BY 6 DESC",
            &[Value::from(run), Value::from(input)],
        )
    }
}
