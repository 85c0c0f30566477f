//! The end of an input: changes applied, account checked, ledger closed, in one transaction.

use super::SCHEMA;
use super::ledger::{InputRow, Ledger};
use super::meet;
use super::table::{Strategy, TableSpec};
use crate::chunk::Tally;
use crate::duck::{Connection, Value, quote};
use crate::load::{LoadError, LoadErrorKind};

/// Finishes or gives up one input.
pub struct Finish<'a> {
    /// The connection.
    pub con: &'a Connection,
    /// The table.
    pub spec: &'a TableSpec,
    /// The input in the ledger.
    pub input: &'a InputRow,
    /// Release of the input.
    pub release: Option<String>,
}

/// Name of the side table of an input.
pub fn side_table(run: &str, input: u32) -> String {
    format!("side_{}_{input}", run.to_lowercase())
}

impl Finish<'_> {
    /// Applies what is to be applied and closes the input. Returns its account.
    pub fn close(&self) -> Result<Tally, LoadError> {
        let tally = self.con.transaction(|con| -> Result<Tally, LoadError> {
            let tally = Ledger::new(con).tally(&self.input.run, self.input.input)?;
            let replaced = match self.input.strategy {
                Strategy::Insert => 0,
                Strategy::Merge => {
                    self.apply_changes(&tally)?;
                    self.raise_releases()?;
                    0
                }
                Strategy::Replace => self.swap_scope()?,
            };
            self.check_account(&tally, replaced)?;
            self.forget_settled()?;
            Ledger::new(con).end_input(&self.input.run, self.input.input, "done", &tally)?;
            Ok(tally)
        })?;
        self.con.checkpoint()?;
        Ok(tally)
    }

    /// Deletes what the input has loaded and marks it given up.
    pub fn rollback(&self) -> Result<(), LoadError> {
        self.con.transaction(|con| -> Result<(), LoadError> {
            let (run, input) = (&self.input.run, self.input.input);
            if self.input.strategy != Strategy::Replace {
                con.execute_with(
                    &format!(
                        "DELETE FROM {} WHERE _etl_run = ? AND _etl_source = ?",
                        quote(&self.spec.name)
                    ),
                    &[Value::from(run.as_str()), Value::from(self.input.source.as_str())],
                )?;
            }
            meet::forget_rewritten(con, self.input)?;
            self.drop_side()?;
            self.forget_settled()?;
            let gone = [Value::from(run.as_str()), Value::from(input)];
            con.execute_with("DELETE FROM etl.ranges WHERE run = ? AND input = ?", &gone)?;
            con.execute_with("DELETE FROM etl.problems WHERE run = ? AND input = ?", &gone)?;
            con.execute_with("DELETE FROM etl.reprocessed WHERE run = ? AND input = ?", &gone)?;
            Ledger::new(con).end_input(run, input, "rolled back", &Tally::default())
        })
    }

    fn side(&self) -> String {
        format!("{SCHEMA}.{}", quote(&side_table(&self.input.run, self.input.input)))
    }

    fn drop_side(&self) -> Result<(), LoadError> {
        self.con.execute(&format!("DROP TABLE IF EXISTS {}", self.side()))?;
        Ok(())
    }

    fn apply_changes(&self, tally: &Tally) -> Result<(), LoadError> {
        let (table, side) = (quote(&self.spec.name), self.side());
        if tally.updated > 0 {
            let join = self.spec.key_join("t", "s");
            let rows = format!("{table} AS t JOIN {side} AS s ON {join}");
            meet::note_rewritten(self.con, &self.spec.name, &rows)?;
            let deleted = self
                .con
                .execute(&format!("DELETE FROM {table} AS t USING {side} AS s WHERE {join}"))?;
            let insert = format!("INSERT INTO {table} BY NAME SELECT * FROM {side}");
            let added = self.con.execute(&insert)?;
            if deleted != tally.updated || added != tally.updated {
                return Err(gap(format!(
                    "{} rows were to be updated, {deleted} were replaced by {added}",
                    tally.updated
                )));
            }
        }
        self.drop_side()
    }

    /// Rows that are unchanged but come from a higher release now rank as that.
    fn raise_releases(&self) -> Result<(), LoadError> {
        let Some(release) = &self.release else { return Ok(()) };
        let (run, input) = (self.input.run.as_str(), self.input.input);
        self.con.execute_with(
            &format!(
                "UPDATE {} SET _etl_release = ? WHERE _etl_hash IN (SELECT raise FROM etl.settled \
                 WHERE run = ? AND input = ? AND raise IS NOT NULL)",
                quote(&self.spec.name)
            ),
            &[Value::from(release.as_str()), Value::from(run), Value::from(input)],
        )?;
        Ok(())
    }

    /// Puts the side table in the place of the scope. Returns the rows that went.
    fn swap_scope(&self) -> Result<u64, LoadError> {
        let (table, side) = (quote(&self.spec.name), self.side());
        let scope = self.spec.scope_sql();
        meet::note_rewritten(self.con, &self.spec.name, &format!("{table} AS t WHERE {scope}"))?;
        let (run, input) = (self.input.run.as_str(), self.input.input);
        meet::mark_replaced(self.con, self.spec, run, input)?;
        let gone = self.con.execute(&format!("DELETE FROM {table} WHERE {scope}"))?;
        self.con.execute(&format!("INSERT INTO {table} BY NAME SELECT * FROM {side}"))?;
        self.drop_side()?;
        Ok(gone)
    }

    fn forget_settled(&self) -> Result<(), LoadError> {
        self.con.execute_with(
            "DELETE FROM etl.settled WHERE run = ? AND input = ?",
            &[Value::from(self.input.run.as_str()), Value::from(self.input.input)],
        )?;
        Ok(())
    }

    /// Counts in the table what the ledger claims.
    fn check_account(&self, tally: &Tally, replaced: u64) -> Result<(), LoadError> {
        if tally.gap() != 0 {
            return Err(gap(format!(
                "{} rows were read, but {} are accounted for",
                tally.read,
                tally.settled()
            )));
        }
        let table = quote(&self.spec.name);
        let now = self.count(&format!("SELECT count(*) FROM {table}"), &[])?;
        let expected = self.input.rows_before + tally.inserted - replaced;
        if now != expected {
            return Err(gap(format!(
                "table {table} holds {now} rows; {} before + {} inserted - {replaced} replaced = \
                 {expected}",
                self.input.rows_before, tally.inserted
            )));
        }
        let run = Value::from(self.input.run.as_str());
        let ours = self.count(
            &format!("SELECT count(*) FROM {table} WHERE _etl_run = ?"),
            std::slice::from_ref(&run),
        )?;
        let claimed = self.count(
            "SELECT coalesce(sum(g.inserted + g.updated), 0)::BIGINT FROM etl.ranges g \
             JOIN etl.inputs i ON i.run = g.run AND i.input = g.input \
             WHERE g.run = ? AND i.\"table\" = ?",
            &[run, Value::from(self.spec.name.as_str())],
        )?;
        let later = meet::rewritten(self.con, &self.input.run, &self.spec.name)?;
        if ours + later != claimed {
            return Err(gap(format!(
                "{ours} rows of table {table} bear this run, {claimed} were inserted or updated, \
                 and {later} of these rewritten later"
            )));
        }
        Ok(())
    }

    fn count(&self, sql: &str, values: &[Value]) -> Result<u64, LoadError> {
        let rows = self.con.query(sql, values)?;
        Ok(rows.scalar().and_then(Value::as_int).unwrap_or(0) as u64)
    }
}

fn gap(what: String) -> LoadError {
    LoadError::new(LoadErrorKind::Account, format!("the account does not hold: {what}")).with_hint(
        "nothing of the last step was committed; please report this with the output of \
         `etl runs show`",
    )
}
