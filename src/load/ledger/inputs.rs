//! Inputs that the ledger knows: of one content, of one path, of one run.

use super::schema::Columns;
use super::{
    InputKey, InputRow, InputState, Ledger, counts, optional, replays, rules, stored, text,
    unsigned,
};
use crate::duck::Value;
use crate::load::table::{Mode, Strategy};
use crate::load::{LoadError, LoadErrorKind};
use std::collections::BTreeMap;

/// Columns of `etl.inputs` (as `i`) that [`Ledger::input`] reads, before `replaces`.
pub(super) const INPUT: &str = "i.run, i.input, i.strategy, i.status, i.rows_before, i.failed_file, \
    i.path, i.sheet, i.config, i.release";

/// An input with what identifies it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownInput {
    /// The entry.
    pub row: InputRow,
    /// Whether it was finished.
    pub state: InputState,
    /// Content.
    pub fingerprint: String,
    /// Mode in which it was loaded; not known of some inputs of older programs.
    pub mode: Option<Mode>,
    /// What identifies it, as canonical JSON; older programs have stored only a hash.
    pub identity: Option<String>,
    /// Kind of the pack, or `generic`.
    pub kind: String,
    /// Where it lies.
    pub path: InputPath,
    /// Types of its columns, as JSON; older programs have not stored them.
    pub types: Option<String>,
    /// Unpacked length of its content; older programs have not stored it.
    pub bytes: Option<u64>,
    /// Version of the rules of values under which it was begun.
    pub rules: u32,
    /// Version of the program that has begun it.
    pub program: String,
    /// Whether a newer program has brought the ledger up to date since: then that one cannot go on with it.
    pub is_overtaken: bool,
}

impl KnownInput {
    /// Whether it lies at a path for certain. Older programs have stored only what the user has named,
    /// and not in which folder.
    pub fn is_at(&self, path: &InputPath) -> bool {
        let known = self.path.absolute.as_ref().unwrap_or(&self.path.named);
        path.absolute.as_ref() == Some(known)
    }

    /// The mode, from the strategy where it was not stored.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(match (self.row.strategy, self.kind.as_str()) {
            (Strategy::Replace, _) => Mode::Replace,
            (_, "generic") => Mode::Append,
            _ => Mode::Merge,
        })
    }
}

/// Where an input lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputPath {
    /// As the user has named it.
    pub named: String,
    /// From the root; `None` for standard input.
    pub absolute: Option<String>,
}

/// What `etl.inputs.replaces` holds.
pub(super) fn replaces(value: &Value) -> Result<Vec<(String, u32)>, LoadError> {
    let Some(json) = optional(value) else { return Ok(Vec::new()) };
    serde_json::from_str(&json).map_err(|error| {
        let told =
            format!("the ledger says in etl.inputs.replaces `{json}`, which is no list: {error}");
        LoadError::new(LoadErrorKind::Target, told)
    })
}

/// Rows that were loaded from a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRows {
    /// Name of the sheet.
    pub name: String,
    /// Table.
    pub table: String,
    /// Run.
    pub run: String,
    /// How many.
    pub rows: u64,
}

/// Whether inputs that a replay has loaded are looked for, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replays {
    Too,
    LeftOut,
}

impl Ledger<'_> {
    /// Begun and finished inputs of the same content, sheet and table, newest first.
    pub fn of_content(&self, key: &InputKey) -> Result<Vec<KnownInput>, LoadError> {
        self.known(
            "i.\"table\" = ? AND i.fingerprint = ? AND i.sheet IS NOT DISTINCT FROM ?",
            &[
                Value::from(key.table.as_str()),
                Value::from(key.fingerprint.to_string()),
                Value::from(key.sheet.clone()),
            ],
            Replays::LeftOut,
        )
    }

    /// Types of the inputs that were loaded into a table, each as its load has stored them.
    pub fn types_of(&self, table: &str) -> Result<Vec<String>, LoadError> {
        if super::schema::readable(self.con)? < 2 {
            return Ok(Vec::new());
        }
        let rows = self.con.query(
            "SELECT DISTINCT types FROM etl.inputs WHERE \"table\" = ? AND coalesce(\"schema\", ?) = ? \
             AND status = 'done' AND types IS NOT NULL",
            &[table, self.con.schema(), self.con.schema()].map(Value::from),
        )?;
        Ok(rows.rows.iter().map(|row| row[0].to_string()).collect())
    }

    /// Begun and finished inputs of the same path, sheet and table with other content, newest first. An
    /// entry without an absolute path (standard input, or of an older program) is compared by the path
    /// that was named.
    pub fn of_path(&self, path: &InputPath, key: &InputKey) -> Result<Vec<KnownInput>, LoadError> {
        let column = Columns::of(self.con)?.since_2("i.absolute_path");
        self.known(
            &format!(
                "i.\"table\" = ? AND i.fingerprint <> ? AND i.sheet IS NOT DISTINCT FROM ? \
                   AND ({column} = ? OR {column} IS NULL AND i.path IN (?, ?))"
            ),
            &[
                Value::from(key.table.as_str()),
                Value::from(key.fingerprint.to_string()),
                Value::from(key.sheet.clone()),
                Value::from(path.absolute.clone()),
                Value::from(path.named.as_str()),
                Value::from(path.absolute.clone()),
            ],
            Replays::LeftOut,
        )
    }

    /// Sheets whose rows were loaded from a path into this schema and were not given up since, each with its
    /// last load.
    pub fn sheets_of(&self, absolute_path: &str) -> Result<Vec<SheetRows>, LoadError> {
        if !Columns::of(self.con)?.is_current() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT i.sheet, i.\"table\", i.run, i.inserted + i.updated FROM etl.inputs i \
             WHERE i.absolute_path = ? AND i.sheet IS NOT NULL AND i.\"schema\" = ? AND i.status = {} \
               AND i.inserted + i.updated > 0 ORDER BY i.started, i.input",
            InputState::Done.sql()
        );
        let rows = self.con.query(&sql, &[absolute_path, self.con.schema()].map(Value::from))?;
        let mut last = BTreeMap::new();
        for row in &rows.rows {
            let (name, table) = (text(&row[0]), text(&row[1]));
            let (run, rows) = (text(&row[2]), unsigned(&row[3]));
            last.insert((name.clone(), table.clone()), SheetRows { name, table, run, rows });
        }
        Ok(last.into_values().collect())
    }

    /// One input, by run and position, where it is begun or finished.
    pub fn at(&self, run: &str, input: u32) -> Result<Option<KnownInput>, LoadError> {
        let place = [Value::from(run), Value::from(input)];
        let known = self.known("i.run = ? AND i.input = ?", &place, Replays::Too)?;
        Ok(known.into_iter().next())
    }

    /// Inputs that were begun or finished, into this schema. Where an older program
    /// has not stored it and the table was found in no schema, it is taken for this one.
    fn known(
        &self,
        condition: &str,
        values: &[Value],
        replays: Replays,
    ) -> Result<Vec<KnownInput>, LoadError> {
        // Mostly there is none, and to learn that takes a fifth of the time of the question below.
        let any = format!("SELECT count(*) FROM etl.inputs i WHERE {condition}");
        if self.con.number(&any, values)? == 0 {
            return Ok(Vec::new());
        }
        let columns = Columns::of(self.con)?;
        let command = match replays {
            Replays::Too => "true".to_owned(),
            Replays::LeftOut => format!("r.command <> '{}'", replays::COMMAND),
        };
        let since_2 = ["i.identity", "i.types", "i.\"schema\""].map(|name| columns.since_2(name));
        let [identity, types, schema] = since_2;
        let [replaces, absolute, bytes, rules] =
            ["i.replaces", "i.absolute_path", "i.bytes", "i.rules"]
                .map(|name| columns.since_2(name));
        let mode = columns.mode();
        let overtaken = match columns.is_current() {
            true => "i.started < (SELECT max(since) FROM etl.ledger)",
            false => "false",
        };
        let sql = format!(
            "SELECT {INPUT}, {replaces}, i.fingerprint, {mode}, {identity}, i.kind, {types}, {absolute}, \
               {bytes}, {rules}, r.version, {overtaken} \
             FROM etl.inputs i JOIN etl.runs r ON r.run = i.run \
             WHERE {condition} AND {command} AND coalesce({schema}, ?) = ? AND i.status IN ({}, {}) \
             ORDER BY i.started DESC, i.input DESC",
            InputState::Running.sql(),
            InputState::Done.sql()
        );
        let mut all = values.to_vec();
        all.extend([self.con.schema(), self.con.schema()].map(Value::from));
        let rows = self.con.query(&sql, &all)?;
        let known = |row: &Vec<Value>| {
            Ok(KnownInput {
                row: self.input(row)?,
                state: stored(&row[3], InputState::parse)?,
                fingerprint: text(&row[11]),
                mode: optional(&row[12]).map(|_| stored(&row[12], Mode::parse)).transpose()?,
                identity: optional(&row[13]),
                kind: text(&row[14]),
                types: optional(&row[15]),
                path: InputPath { named: text(&row[6]), absolute: optional(&row[16]) },
                bytes: (!row[17].is_null()).then(|| unsigned(&row[17])),
                rules: rules::version(&row[18]),
                program: text(&row[19]),
                is_overtaken: row[20].as_bool().unwrap_or(false),
            })
        };
        rows.rows.iter().map(known).collect()
    }

    /// Inputs whose rows stand in a scope of a table (JSON, as the ledger keeps it), other than replays:
    /// (run, position).
    pub fn within(&self, table: &str, scope: &str) -> Result<Vec<(String, u32)>, LoadError> {
        let schema = Columns::of(self.con)?.since_2("i.\"schema\"");
        let sql = format!(
            "SELECT i.run, i.input, coalesce(i.scope, '{{}}') FROM etl.inputs i \
             JOIN etl.runs r ON r.run = i.run \
             WHERE i.\"table\" = ? AND coalesce({schema}, ?) = ? AND r.command <> ? \
               AND (i.status = {} OR i.status = {} AND i.strategy <> ?)",
            InputState::Done.sql(),
            InputState::Running.sql()
        );
        let home = self.con.schema();
        let values = [table, home, home, replays::COMMAND, Strategy::Replace.name()];
        let rows = self.con.query(&sql, &values.map(Value::from))?;
        let lies = |row: &&Vec<Value>| counts::lies_within(&text(&row[2]), scope);
        let place = |row: &Vec<Value>| (text(&row[0]), unsigned(&row[1]) as u32);
        Ok(rows.rows.iter().filter(lies).map(place).collect())
    }

    /// Rows of an input that the table holds, as far as the ledger knows: what it has written, less what
    /// later inputs have taken the place of.
    pub fn rows_of(&self, row: &InputRow) -> Result<u64, LoadError> {
        let rewritten = self.con.query(
            "SELECT coalesce(sum(rows), 0)::BIGINT FROM etl.rewritten WHERE run = ? AND source = ?",
            &[Value::from(row.run.as_str()), Value::from(row.source.as_str())],
        )?;
        let written = row.tally.inserted + row.tally.updated;
        Ok(written.saturating_sub(rewritten.scalar().map_or(0, unsigned)))
    }
}
