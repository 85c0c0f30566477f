//! Under which version of the rules of values inputs were begun, and what else a comparison of an input with its
//! source asks.

use super::schema::Columns;
use super::{InputKey, InputState, Ledger, replays, text, unsigned};
use crate::chunk::Code;
use crate::duck::Value;
use crate::load::LoadError;

/// The version of inputs whose ledger does not store one.
const FIRST: u32 = 1;

/// An unfinished input with committed rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunUnder {
    /// Its run.
    pub run: String,
    /// Version of the rules.
    pub rules: u32,
    /// Version of the program that has begun it.
    pub program: String,
    /// Rows that are committed under it.
    pub rows: u64,
}

fn version(value: &Value) -> u32 {
    if value.is_null() { FIRST } else { unsigned(value) as u32 }
}

impl Ledger<'_> {
    /// The version under which an input was begun.
    pub fn value_rules(&self, run: &str, input: u32) -> Result<u32, LoadError> {
        let rules = Columns::of(self.con)?.since_2("rules");
        let sql = format!("SELECT {rules} FROM etl.inputs WHERE run = ? AND input = ?");
        let rows = self.con.query(&sql, &[Value::from(run), Value::from(input)])?;
        Ok(rows.scalar().map_or(FIRST, version))
    }

    /// Rows of an input that the target itself has refused, whatever the agents say of them.
    pub fn refused_by_target(&self, run: &str, input: u32) -> Result<u64, LoadError> {
        let sql = "SELECT coalesce(sum(count), 0)::BIGINT FROM etl.problems \
                   WHERE run = ? AND input = ? AND code = ?";
        let code = Code::E404.to_string();
        self.con.number(sql, &[Value::from(run), Value::from(input), Value::from(code)])
    }

    /// The newest unfinished input with committed rows that is of this table and sheet, and of this content or
    /// this path, and was begun under another version than `rules`. The ledger may be of any version.
    pub fn begun_under_others(
        &self,
        key: &InputKey,
        path: &str,
        rules: u32,
    ) -> Result<Option<BegunUnder>, LoadError> {
        let columns = Columns::of(self.con)?;
        let (stored, schema) = (columns.since_2("i.rules"), columns.since_2("i.\"schema\""));
        let sql = format!(
            "SELECT i.run, {stored}, r.version, g.read \
             FROM etl.inputs i JOIN etl.runs r ON r.run = i.run \
             JOIN (SELECT run, input, sum(read)::BIGINT AS read FROM etl.ranges GROUP BY run, input) g \
               ON g.run = i.run AND g.input = i.input \
             WHERE i.status = ? AND r.command <> ? AND ({schema} IS NULL OR {schema} = ?) \
               AND i.\"table\" = ? AND i.sheet IS NOT DISTINCT FROM ? \
               AND (i.fingerprint = ? OR i.path = ?) ORDER BY i.started DESC"
        );
        let values = [
            Value::from(InputState::Running.name()),
            // A replay that was stopped is closed with what it has committed.
            Value::from(replays::COMMAND),
            Value::from(self.con.schema()),
            Value::from(key.table.as_str()),
            Value::from(key.sheet.clone()),
            Value::from(key.fingerprint.to_string()),
            Value::from(path),
        ];
        let found = self.con.query(&sql, &values)?;
        let begun = |row: &Vec<Value>| BegunUnder {
            run: text(&row[0]),
            rules: version(&row[1]),
            program: text(&row[2]),
            rows: unsigned(&row[3]),
        };
        Ok(found.rows.iter().map(begun).find(|begun| begun.rules != rules))
    }
}
