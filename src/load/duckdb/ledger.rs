//! The ledger: what was loaded, as rows of the target itself.
//!
//! `runs` 1-n `inputs` 1-n `ranges`. An input is known by (table, fingerprint, configuration hash);
//! a range names the records of the input that one transaction has loaded, with their account.

use crate::chunk::{Fingerprint, Mark, Notes, Severity, Tally};
use crate::duck::{Connection, Rows, Value};
use crate::load::{LoadError, Seal};

use super::table::Strategy;

/// Makes the ledger's tables where they are missing.
pub fn create(con: &Connection) -> Result<(), LoadError> {
    con.execute(DDL)?;
    Ok(())
}

const DDL: &str = "
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
  started TIMESTAMP WITH TIME ZONE NOT NULL, finished TIMESTAMP WITH TIME ZONE);
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
  run VARCHAR NOT NULL, input INTEGER NOT NULL, key UUID NOT NULL, raise UUID);
CREATE TABLE IF NOT EXISTS etl.reprocessed (
  record VARCHAR NOT NULL, run VARCHAR NOT NULL, fate VARCHAR NOT NULL);
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
    /// Rows of the table before it began.
    pub rows_before: u64,
    /// Failed-record file.
    pub failed_file: Option<String>,
    /// Committed ranges as (from, to), ordered.
    pub ranges: Vec<(Mark, Mark)>,
    /// Ids of committed ranges.
    pub range_ids: Vec<String>,
    /// Account of the committed ranges.
    pub tally: Tally,
}

/// A run as the ledger has it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RunRow {
    /// Id.
    pub run: String,
    /// `running`, `done`, `stopped`, `aborted`.
    pub status: String,
    /// The command.
    pub command: String,
    /// Start, as text in UTC.
    pub started: String,
    /// End.
    pub finished: Option<String>,
    /// Tables loaded into.
    pub tables: Vec<String>,
    /// Inputs.
    pub inputs: u64,
    /// Account of everything committed.
    pub tally: Tally,
    /// Wall time in seconds; of an unfinished run, up to its last commit.
    pub seconds: f64,
}

/// An input of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct PastInput {
    /// Position in the run.
    pub input: u32,
    /// Path.
    pub path: String,
    /// Sheet.
    pub sheet: Option<String>,
    /// Content.
    pub fingerprint: String,
    /// Table.
    pub table: String,
    /// Kind.
    pub kind: String,
    /// Release.
    pub release: Option<String>,
    /// Strategy.
    pub strategy: String,
    /// Failed-record file.
    pub failed_file: Option<String>,
    /// Account of what is committed.
    pub tally: Tally,
    /// Wall time in seconds.
    pub seconds: f64,
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
const TALLY_SUMS: &str = "coalesce(sum(read),0)::BIGINT, coalesce(sum(inserted),0)::BIGINT, \
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

fn tally_from(row: &[Value], at: usize) -> Tally {
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

fn unsigned(value: &Value) -> u64 {
    value.as_int().and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
}

fn text(value: &Value) -> String {
    value.to_string()
}

fn optional(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// Reads and writes the ledger on one connection.
pub struct Ledger<'c> {
    con: &'c Connection,
}

impl<'c> Ledger<'c> {
    /// A ledger on a connection.
    pub fn new(con: &'c Connection) -> Self {
        Self { con }
    }

    /// What is known of an input. The newest entry counts.
    pub fn state(&self, key: &InputKey) -> Result<State, LoadError> {
        let rows = self.con.query(
            "SELECT run, input, strategy, status, rows_before, failed_file FROM etl.inputs \
             WHERE \"table\" = ? AND fingerprint = ? AND config = ? AND sheet IS NOT DISTINCT FROM ? \
               AND status IN ('running', 'done') \
             ORDER BY started DESC LIMIT 1",
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

    fn input(&self, row: &[Value]) -> Result<InputRow, LoadError> {
        let (run, input) = (text(&row[0]), unsigned(&row[1]) as u32);
        let ranges = self.con.query(
            &format!(
                "SELECT from_record, from_byte, from_row, to_record, to_byte, to_row, range, {TALLY} \
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
        ranges.rows.iter().for_each(|row| tally += tally_from(row, 7));
        Ok(InputRow {
            run,
            input,
            strategy: row[2].as_text().and_then(Strategy::parse).unwrap_or(Strategy::Merge),
            rows_before: unsigned(&row[4]),
            failed_file: optional(&row[5]),
            ranges: ranges.rows.iter().map(|row| (mark(row, 0), mark(row, 3))).collect(),
            range_ids: ranges.rows.iter().map(|row| text(&row[6])).collect(),
            tally,
        })
    }

    /// An unfinished input of the same path and table but with other content.
    pub fn unfinished_at(
        &self,
        path: &str,
        sheet: Option<&str>,
        key: &InputKey,
    ) -> Result<Option<InputRow>, LoadError> {
        let rows = self.con.query(
            "SELECT run, input, strategy, status, rows_before, failed_file FROM etl.inputs WHERE path = ? AND \"table\" = ? AND status = 'running' \
               AND sheet IS NOT DISTINCT FROM ? AND fingerprint <> ? ORDER BY started DESC LIMIT 1",
            &[
                Value::from(path),
                Value::from(key.table.as_str()),
                Value::from(sheet.map(str::to_owned)),
                Value::from(key.fingerprint.to_string()),
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

    /// Begins a run.
    pub fn begin_run(&self, run: &str, version: &str, command: &str) -> Result<(), LoadError> {
        self.con.execute_with(
            "INSERT INTO etl.runs SELECT ?, ?, ?, 'running', now(), NULL, NULL \
             WHERE NOT EXISTS (SELECT 1 FROM etl.runs WHERE run = ?)",
            &[Value::from(run), Value::from(version), Value::from(command), Value::from(run)],
        )?;
        Ok(())
    }

    /// Ends a run.
    pub fn end_run(&self, run: &str, status: &str, summary: &str) -> Result<(), LoadError> {
        self.con.execute_with(
            "UPDATE etl.runs SET status = ?, finished = now(), summary = ? WHERE run = ?",
            &[Value::from(status), Value::from(summary), Value::from(run)],
        )?;
        Ok(())
    }

    /// Begins an input.
    #[expect(clippy::too_many_arguments, reason = "one value a column of the ledger")]
    pub fn begin_input(
        &self,
        row: &InputRow,
        key: &InputKey,
        path: &str,
        kind: &str,
        release: Option<&str>,
    ) -> Result<(), LoadError> {
        self.con.execute_with(
            "INSERT INTO etl.inputs (run, input, path, sheet, fingerprint, config, \"table\", kind, \
               release, strategy, status, rows_before, failed_file, started) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, now())",
            &[
                Value::from(row.run.as_str()),
                Value::from(row.input),
                Value::from(path),
                Value::from(key.sheet.clone()),
                Value::from(key.fingerprint.to_string()),
                Value::from(key.config.as_str()),
                Value::from(key.table.as_str()),
                Value::from(kind),
                Value::from(release.map(str::to_owned)),
                Value::from(row.strategy.name()),
                Value::from(row.rows_before),
                Value::from(row.failed_file.clone()),
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
        self.con.execute_with(
            "UPDATE etl.inputs SET status = ?, finished = now(), read = ?, inserted = ?, \
               updated = ?, unchanged = ?, superseded = ?, duplicate = ?, filtered = ?, \
               rejected = ? WHERE run = ? AND input = ?",
            &values,
        )?;
        Ok(())
    }

    /// Findings of an input, summed over its ranges: (code, rule, column, severity, message, count,
    /// examples as JSON lists joined).
    pub fn problems(&self, run: &str, input: u32) -> Result<Rows, LoadError> {
        Ok(self.con.query(
            "SELECT code, rule, \"column\", severity, any_value(message), sum(count)::BIGINT, \
               string_agg(examples, chr(10) ORDER BY range) \
             FROM etl.problems WHERE run = ? AND input = ? GROUP BY ALL ORDER BY 6 DESC",
            &[Value::from(run), Value::from(input)],
        )?)
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunRow>, LoadError> {
        let rows = self.con.query(
            &format!(
                "SELECT r.run, r.status, r.command, strftime(r.started AT TIME ZONE 'UTC', \
                   '%Y-%m-%d %H:%M:%S'), strftime(r.finished AT TIME ZONE 'UTC', \
                   '%Y-%m-%d %H:%M:%S'), (SELECT string_agg(DISTINCT i.\"table\", ',') \
                   FROM etl.inputs i WHERE i.run = r.run), \
                   (SELECT count(*) FROM etl.inputs i WHERE i.run = r.run), t.*, \
                   date_diff('millisecond', r.started, coalesce(r.finished, \
                     (SELECT max(g.committed) FROM etl.ranges g WHERE g.run = r.run), \
                     r.started)) \
                 FROM etl.runs r LEFT JOIN LATERAL (SELECT {TALLY_SUMS} FROM etl.ranges g \
                   WHERE g.run = r.run) t ON true ORDER BY r.started DESC, r.run DESC"
            ),
            &[],
        )?;
        let run = |row: &Vec<Value>| RunRow {
            run: text(&row[0]),
            status: text(&row[1]),
            command: text(&row[2]),
            started: text(&row[3]),
            finished: optional(&row[4]),
            tables: text(&row[5]).split(',').filter(|t| !t.is_empty()).map(str::to_owned).collect(),
            inputs: unsigned(&row[6]),
            tally: tally_from(row, 7),
            seconds: unsigned(&row[15]) as f64 / 1_000.0,
        };
        Ok(rows.rows.iter().map(run).collect())
    }

    /// The summary that a finished run has left, as JSON.
    pub fn summary(&self, run: &str) -> Result<Option<String>, LoadError> {
        let sql = "SELECT summary FROM etl.runs WHERE run = ?";
        let rows = self.con.query(sql, &[Value::from(run)])?;
        Ok(rows.scalar().and_then(optional))
    }

    /// Runs that have begun and not finished.
    pub fn unfinished_runs(&self) -> Result<Vec<String>, LoadError> {
        let sql = "SELECT DISTINCT run FROM etl.inputs WHERE status = 'running' ORDER BY run";
        let rows = self.con.query(sql, &[])?;
        Ok(rows.rows.iter().map(|row| text(&row[0])).collect())
    }

    /// Inputs of a run, in order.
    pub fn inputs(&self, run: &str) -> Result<Vec<PastInput>, LoadError> {
        let rows = self.con.query(
            &format!(
                "SELECT i.input, i.path, i.sheet, i.fingerprint, i.\"table\", i.kind, i.release, \
                   i.strategy, i.failed_file, t.*, date_diff('millisecond', i.started, \
                     coalesce(i.finished, i.started)) \
                 FROM etl.inputs i LEFT JOIN LATERAL (SELECT {TALLY_SUMS} FROM etl.ranges g \
                   WHERE g.run = i.run AND g.input = i.input) t ON true \
                 WHERE i.run = ? ORDER BY i.input"
            ),
            &[Value::from(run)],
        )?;
        let input = |row: &Vec<Value>| PastInput {
            input: unsigned(&row[0]) as u32,
            path: text(&row[1]),
            sheet: optional(&row[2]),
            fingerprint: text(&row[3]),
            table: text(&row[4]),
            kind: text(&row[5]),
            release: optional(&row[6]),
            strategy: text(&row[7]),
            failed_file: optional(&row[8]),
            tally: tally_from(row, 9),
            seconds: unsigned(&row[17]) as f64 / 1_000.0,
        };
        Ok(rows.rows.iter().map(input).collect())
    }
}

/// The ledger row of a range, in the transaction that holds its rows.
pub fn insert_range(con: &Connection, run: &str, input: u32, seal: &Seal) -> Result<(), LoadError> {
    let mut values = vec![Value::from(run), Value::from(input), Value::from(seal.range.as_str())];
    for mark in [seal.from, seal.to] {
        values.extend([mark.record, mark.byte, mark.row].map(Value::from));
    }
    values.extend(tally_values(&seal.tally).map(Value::from));
    let marks = vec!["?"; values.len()].join(", ");
    con.execute_with(&format!("INSERT INTO etl.ranges VALUES ({marks}, now())"), &values)?;
    Ok(())
}

/// The findings of a range, in the same transaction.
pub fn insert_problems(
    con: &Connection,
    run: &str,
    input: u32,
    seal: &Seal,
) -> Result<(), LoadError> {
    insert_findings(con, run, input, &seal.range, &seal.notes)
}

/// The same for findings that belong to no range of records: about the file, or about tables.
pub fn insert_findings(
    con: &Connection,
    run: &str,
    input: u32,
    range: &str,
    notes: &Notes,
) -> Result<(), LoadError> {
    for (key, note) in notes.iter() {
        let severity = match note.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        let examples = serde_json::to_string(&note.examples).unwrap_or_default();
        con.execute_with(
            "INSERT INTO etl.problems VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &[
                Value::from(run),
                Value::from(input),
                Value::from(range),
                Value::from(key.code.to_string()),
                Value::from(key.rule.as_str()),
                Value::from(key.column.as_str()),
                Value::from(severity),
                Value::from(note.message.as_str()),
                Value::from(note.count),
                Value::from(examples),
            ],
        )?;
    }
    Ok(())
}
