//! What the ledger tells of earlier runs.

use super::schema::Columns;
use super::{
    InputState, Ledger, RunState, TALLY_SUMS, optional, stored, tally_from, text, unsigned,
};
use crate::chunk::Tally;
use crate::duck::Value;
use crate::load::LoadError;
use crate::load::table::{Mode, Strategy};
use chrono::DateTime;
use std::collections::{HashMap, HashSet};

/// A run as the ledger has it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RunRow {
    /// Id.
    pub run: String,
    /// State.
    pub status: RunState,
    /// Why it ended early, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The command.
    pub command: String,
    /// Start, as text in UTC.
    pub started: String,
    /// End.
    pub finished: Option<String>,
    /// Schema of its tables, where it has begun an input and an older program has not left it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Tables loaded into; of another schema than that of the connection with its name before them.
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
    /// Schema of the table; `None` where an older program has not stored it.
    pub schema: Option<String>,
    /// Table.
    pub table: String,
    /// Kind.
    pub kind: String,
    /// Release.
    pub release: Option<String>,
    /// Mode in which it was loaded; not known of some inputs of older programs.
    pub mode: Option<Mode>,
    /// How its rows met the table.
    pub strategy: Strategy,
    /// Failed-record file.
    pub failed_file: Option<String>,
    /// Account of what is committed.
    pub tally: Tally,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Hash of the configuration.
    pub config: String,
    /// What identifies it, as canonical JSON; older programs have stored only the hash.
    pub identity: Option<String>,
    /// State.
    pub status: InputState,
}

impl PastInput {
    /// As its rows bear it.
    pub fn label(&self) -> String {
        label(&self.path, self.sheet.as_deref())
    }
}

/// What rows of an input bear as `_etl_source`.
fn label(path: &str, sheet: Option<&str>) -> String {
    match sheet {
        Some(sheet) => format!("{path}, sheet \"{sheet}\""),
        None => path.to_owned(),
    }
}

/// A moment in milliseconds since 1970 UTC; the cast is the same in all targets.
fn millis(moment: &str) -> String {
    format!("CAST(extract(epoch FROM {moment}) * 1000 AS BIGINT)")
}

/// As people read it, in UTC.
pub(super) fn moment(millis: &Value) -> Option<String> {
    let moment = DateTime::from_timestamp_millis(millis.as_int()?)?;
    Some(moment.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// Seconds from one moment to another.
fn seconds(from: &Value, to: &Value) -> f64 {
    let millis = |value: &Value| value.as_int().unwrap_or(0);
    (millis(to) - millis(from)).max(0) as f64 / 1_000.0
}

impl Ledger<'_> {
    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunRow>, LoadError> {
        let columns = Columns::of(self.con)?;
        let error = columns.since_2("r.error");
        let schema = columns.since_2("i.\"schema\"");
        let last = "coalesce(r.finished, (SELECT max(g.committed) FROM etl.ranges g \
                    WHERE g.run = r.run), r.started)";
        let rows = self.con.query(
            &format!(
                "SELECT r.run, r.status, r.command, {}, {}, \
                   (SELECT string_agg(DISTINCT CASE WHEN {schema} <> ? THEN {schema} || '.' ELSE '' END \
                     || i.\"table\", ',') FROM etl.inputs i WHERE i.run = r.run), \
                   (SELECT count(*) FROM etl.inputs i WHERE i.run = r.run), t.*, {}, r.summary, {error}, \
                   (SELECT max({schema}) FROM etl.inputs i WHERE i.run = r.run) \
                 FROM etl.runs r LEFT JOIN LATERAL (SELECT {TALLY_SUMS} FROM etl.ranges g \
                   WHERE g.run = r.run) t ON true ORDER BY r.started DESC, r.run DESC",
                millis("r.started"),
                millis("r.finished"),
                millis(last)
            ),
            &[Value::from(self.con.schema())],
        )?;
        let run = |row: &Vec<Value>| {
            let outcome = [&row[16], &row[17], &row[1]].map(Value::clone);
            Ok(RunRow {
                run: text(&row[0]),
                status: stored(&row[1], RunState::parse)?,
                error: columns.outcome(&outcome).1,
                command: text(&row[2]),
                started: moment(&row[3]).unwrap_or_default(),
                finished: moment(&row[4]),
                schema: optional(&row[18]),
                tables: text(&row[5])
                    .split(',')
                    .filter(|t| !t.is_empty())
                    .map(str::to_owned)
                    .collect(),
                inputs: unsigned(&row[6]),
                tally: tally_from(row, 7),
                seconds: seconds(&row[3], &row[15]),
            })
        };
        rows.rows.iter().map(run).collect()
    }

    /// The summary that a finished run has left, as JSON.
    pub fn summary(&self, run: &str) -> Result<Option<String>, LoadError> {
        let columns = Columns::of(self.con)?;
        let error = columns.since_2("error");
        let sql = format!("SELECT summary, {error}, status FROM etl.runs WHERE run = ?");
        let rows = self.con.query(&sql, &[Value::from(run)])?;
        Ok(rows.rows.first().and_then(|row| columns.outcome(row).0))
    }

    /// Version of the program that began a run.
    pub fn version(&self, run: &str) -> Result<String, LoadError> {
        let sql = "SELECT version FROM etl.runs WHERE run = ?";
        let rows = self.con.query(sql, &[Value::from(run)])?;
        Ok(rows.scalar().map(text).unwrap_or_default())
    }

    /// Scopes of the finished loads into a table, each with the rows read and refused.
    pub fn scopes(&self, table: &str) -> Result<Vec<(String, u64, u64)>, LoadError> {
        let schema = Columns::of(self.con)?.since_2("\"schema\"");
        let sql = format!(
            "SELECT coalesce(scope, ''), coalesce(sum(read), 0)::BIGINT, \
               coalesce(sum(rejected), 0)::BIGINT \
             FROM etl.inputs WHERE \"table\" = ? AND status = ? AND coalesce({schema}, ?) = ? \
             GROUP BY 1 ORDER BY 1"
        );
        let values = [table, InputState::Done.name(), self.con.schema(), self.con.schema()];
        let rows = self.con.query(&sql, &values.map(Value::from))?;
        let scope = |row: &Vec<Value>| (text(&row[0]), unsigned(&row[1]), unsigned(&row[2]));
        Ok(rows.rows.iter().map(scope).collect())
    }

    /// Runs that have begun and not finished.
    pub fn unfinished_runs(&self) -> Result<Vec<String>, LoadError> {
        let sql = "SELECT DISTINCT run FROM etl.inputs WHERE status = ? ORDER BY run";
        let rows = self.con.query(sql, &[Value::from(InputState::Running.name())])?;
        Ok(rows.rows.iter().map(|row| text(&row[0])).collect())
    }

    /// Schemas of the tables of all runs, where they are stored: a run has one.
    pub fn schemas(&self) -> Result<HashMap<String, String>, LoadError> {
        let schema = Columns::of(self.con)?.since_2("\"schema\"");
        let sql = format!(
            "SELECT run, max({schema}) FROM etl.inputs WHERE {schema} IS NOT NULL GROUP BY run"
        );
        let rows = self.con.query(&sql, &[])?;
        Ok(rows.rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect())
    }

    /// Runs and sources whose rows were replaced by later loads: (run, what the rows bore as
    /// `_etl_source`).
    pub fn replaced_sources(&self) -> Result<HashSet<(String, String)>, LoadError> {
        let sql = "SELECT i.run, i.path, i.sheet FROM etl.inputs i WHERE i.status = ? AND NOT EXISTS \
                   (SELECT 1 FROM etl.inputs o WHERE o.run = i.run AND o.path = i.path \
                      AND o.sheet IS NOT DISTINCT FROM i.sheet AND o.status = ?)";
        let states = [InputState::Replaced, InputState::Done];
        let rows = self.con.query(sql, &states.map(|state| Value::from(state.name())))?;
        let source =
            |row: &Vec<Value>| (text(&row[0]), label(&text(&row[1]), optional(&row[2]).as_deref()));
        Ok(rows.rows.iter().map(source).collect())
    }

    /// Inputs of a run, in order.
    pub fn inputs(&self, run: &str) -> Result<Vec<PastInput>, LoadError> {
        let columns = Columns::of(self.con)?;
        let mode = columns.mode();
        let [schema, identity] = ["i.\"schema\"", "i.identity"].map(|name| columns.since_2(name));
        let rows = self.con.query(
            &format!(
                "SELECT i.input, i.path, i.sheet, i.fingerprint, i.\"table\", i.kind, i.release, \
                   i.strategy, i.failed_file, t.*, {}, {}, i.config, i.status, {mode}, \
                   {schema}, {identity} \
                 FROM etl.inputs i LEFT JOIN LATERAL (SELECT {TALLY_SUMS} FROM etl.ranges g \
                   WHERE g.run = i.run AND g.input = i.input) t ON true \
                 WHERE i.run = ? ORDER BY i.input",
                millis("i.started"),
                millis("coalesce(i.finished, i.started)")
            ),
            &[Value::from(run)],
        )?;
        let input = |row: &Vec<Value>| {
            Ok(PastInput {
                input: unsigned(&row[0]) as u32,
                path: text(&row[1]),
                sheet: optional(&row[2]),
                fingerprint: text(&row[3]),
                schema: optional(&row[22]),
                table: text(&row[4]),
                kind: text(&row[5]),
                release: optional(&row[6]),
                mode: optional(&row[21]).map(|_| stored(&row[21], Mode::parse)).transpose()?,
                strategy: stored(&row[7], Strategy::parse)?,
                failed_file: optional(&row[8]),
                tally: tally_from(row, 9),
                seconds: seconds(&row[17], &row[18]),
                config: text(&row[19]),
                identity: optional(&row[23]),
                status: stored(&row[20], InputState::parse)?,
            })
        };
        rows.rows.iter().map(input).collect()
    }
}
