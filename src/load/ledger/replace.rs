//! Inputs whose rows give way to those of a new one: of the same content under other settings, or of the
//! same path with other content. Only their rows go, and those that replays of their failed records have
//! loaded since.

use super::{InputRow, InputState, Ledger, counts, meet, replays};
use crate::duck::Value;
use crate::load::{Link, LoadError};
use std::collections::BTreeSet;

/// An input that gives way, with the replays of its failed records.
pub(super) struct Leaving {
    /// Entries of one table that bear the same source: (run, position).
    entries: Vec<(String, u32)>,
    /// What their rows bear as `_etl_source`.
    source: String,
    /// Their scopes.
    scopes: BTreeSet<String>,
}

impl Leaving {
    /// Looks an input up; `None` where it stands in the table no more.
    pub fn find(con: &dyn Link, run: &str, input: u32) -> Result<Option<Self>, LoadError> {
        let Some(known) = Ledger::new(con).at(run, input)? else { return Ok(None) };
        let mut entries = vec![(run.to_owned(), input)];
        let mut at = 0;
        while let Some((run, input)) = entries.get(at).cloned() {
            for found in replays::of_input(con, &run, input)? {
                if !entries.contains(&found) {
                    entries.push(found);
                }
            }
            at += 1;
        }
        let mut scopes = BTreeSet::new();
        for (run, input) in &entries {
            scopes.extend(scope_of(con, run, *input)?);
        }
        Ok(Some(Self { entries, source: known.row.source, scopes }))
    }

    /// Deletes its rows and marks it replaced. Returns the rows that went.
    pub fn leave(&self, con: &dyn Link, table: &str) -> Result<u64, LoadError> {
        let name = con.table(table);
        let (mut gone, replaced) = (0, InputState::Replaced.name());
        for (run, input) in &self.entries {
            let own = [Value::from(run.as_str()), Value::from(self.source.as_str())];
            let condition = "t._etl_run = ? AND t._etl_source = ?";
            meet::note_rewritten(con, table, &format!("{name} AS t WHERE {condition}"), &own)?;
            let sql = format!("DELETE FROM {name} AS t WHERE {condition}");
            gone += con.execute(&sql, &own)?;
            con.execute(
                "UPDATE etl.inputs SET status = ? WHERE run = ? AND input = ?",
                &[Value::from(replaced), own[0].clone(), Value::from(*input)],
            )?;
        }
        for scope in &self.scopes {
            counts::forget(con, table, scope)?;
        }
        Ok(gone)
    }

    /// Scopes whose rows are fewer now.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }
}

fn scope_of(con: &dyn Link, run: &str, input: u32) -> Result<Option<String>, LoadError> {
    let sql = "SELECT scope FROM etl.inputs WHERE run = ? AND input = ?";
    let rows = con.query(sql, &[Value::from(run), Value::from(input)])?;
    Ok(rows.scalar().and_then(Value::as_text).map(str::to_owned))
}

impl Ledger<'_> {
    /// Rows of the table that an input and the replays of its failed records have written and that still
    /// stand there, counted.
    pub fn count_leaving(&self, table: &str, row: &InputRow) -> Result<u64, LoadError> {
        let Some(leaving) = Leaving::find(self.con, &row.run, row.input)? else { return Ok(0) };
        let name = self.con.table(table);
        let sql = format!("SELECT count(*) FROM {name} WHERE _etl_run = ? AND _etl_source = ?");
        let mut rows = 0;
        for (run, _) in &leaving.entries {
            let own = [Value::from(run.as_str()), Value::from(leaving.source.as_str())];
            rows += self.con.number(&sql, &own)?;
        }
        Ok(rows)
    }
}
