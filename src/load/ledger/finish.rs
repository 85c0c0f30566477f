//! The end of an input: changes applied, account checked, ledger closed, in one transaction.

use super::cells::CellCheck;
use super::replace::Leaving;
use super::{InputRow, InputState, Ledger, counts, failed, known, meet};
use crate::chunk::Tally;
use crate::duck::{Value, quote};
use crate::load::cells::gap;
use crate::load::table::{Strategy, TableSpec, side_table};
use crate::load::target::{Counts, SCHEMA, transaction};
use crate::load::{Link, LoadError};
use std::collections::{BTreeMap, BTreeSet};

/// Finishes or gives up one input.
pub struct Finish<'a> {
    /// The connection.
    pub con: &'a dyn Link,
    /// The table.
    pub spec: &'a TableSpec,
    /// The input in the ledger.
    pub input: &'a InputRow,
    /// Release of the input.
    pub release: Option<String>,
    /// How much of its cells is counted.
    pub cells: CellCheck,
    /// Columns that say the same as one of provenance: they are not compared.
    pub repeated: BTreeMap<String, String>,
    /// Columns that are in no content hash.
    pub not_compared: Vec<String>,
    /// Whether a row's hash can be made from what the table holds: not where texts are cut.
    pub hashes_hold: bool,
}

/// An input that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Its account.
    pub tally: Tally,
    /// Rows of earlier loads in whose place it has put its own.
    pub replaced: u64,
}

impl Finish<'_> {
    /// Applies what is to be applied and closes the input.
    pub fn close(&self) -> Result<Closed, LoadError> {
        let closed = transaction(self.con, |con| -> Result<Closed, LoadError> {
            let tally = Ledger::new(con).tally(&self.input.run, self.input.input)?;
            let leaving = self.leaving()?;
            let replaced = match self.input.strategy {
                Strategy::Insert => 0,
                Strategy::Merge => {
                    self.apply_changes(&tally)?;
                    self.raise_releases()?;
                    0
                }
                Strategy::Replace if self.input.replaces.is_empty() => self.swap_scope()?,
                Strategy::Replace => self.take_place(&leaving)?,
            };
            let known = self.check_account(&tally, replaced)?;
            self.recount_left(&leaving)?;
            counts::keep(
                con,
                &counts::Change {
                    table: &self.spec.name,
                    input: self.input,
                    inserted: tally.inserted,
                    replaced,
                    known,
                },
            )?;
            self.forget_settled()?;
            failed::forget_replayed(con, &self.input.run)?;
            Ledger::new(con).end_input(
                &self.input.run,
                self.input.input,
                InputState::Done,
                &tally,
            )?;
            Ok(Closed { tally, replaced })
        })?;
        let tally = &closed.tally;
        self.con.settle(Some(self.spec), tally.inserted + tally.updated)?;
        Ok(closed)
    }

    /// Deletes what the input has loaded and marks it given up.
    pub fn rollback(&self) -> Result<(), LoadError> {
        // Somebody may have dropped it, or made another one in its place.
        let is_there = known::has_provenance(self.con, &self.spec.name)?;
        transaction(self.con, |con| -> Result<(), LoadError> {
            let (run, input) = (&self.input.run, self.input.input);
            if is_there && self.input.strategy != Strategy::Replace {
                con.execute(
                    &format!(
                        "DELETE FROM {} WHERE _etl_run = ? AND _etl_source = ?",
                        con.table(&self.spec.name)
                    ),
                    &[Value::from(run.as_str()), Value::from(self.input.source.as_str())],
                )?;
            }
            meet::forget_rewritten(con, self.input)?;
            con.forget_met(self.input)?;
            self.drop_side()?;
            self.forget_settled()?;
            failed::forget_failed(con, self.input)?;
            let gone = [Value::from(run.as_str()), Value::from(input)];
            con.execute("DELETE FROM etl.ranges WHERE run = ? AND input = ?", &gone)?;
            con.execute("DELETE FROM etl.problems WHERE run = ? AND input = ?", &gone)?;
            con.execute("DELETE FROM etl.reprocessed WHERE run = ? AND input = ?", &gone)?;
            Ledger::new(con).end_input(run, input, InputState::RolledBack, &Tally::default())
        })
    }

    fn side(&self) -> String {
        side_table(&self.input.run, self.input.input)
    }

    fn table(&self) -> String {
        self.con.table(&self.spec.name)
    }

    fn drop_side(&self) -> Result<(), LoadError> {
        let side = quote(&self.side());
        self.con.execute(&format!("DROP TABLE IF EXISTS {SCHEMA}.{side}"), &[])?;
        Ok(())
    }

    fn apply_changes(&self, tally: &Tally) -> Result<(), LoadError> {
        if tally.updated > 0 {
            let (side, join) = (self.side(), self.spec.key_join("t", "s"));
            let rows =
                format!("{} AS t JOIN {SCHEMA}.{} AS s ON {join}", self.table(), quote(&side));
            meet::note_rewritten(self.con, &self.spec.name, &rows, &[])?;
            let (deleted, added) = self.con.apply_changes(self.spec, &side)?;
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
        self.con.raise_releases(self.spec, release, &self.input.run, self.input.input)
    }

    /// Puts the side table in the place of the scope. Returns the rows that went.
    ///
    /// DELETE and INSERT in the transaction that ends the input, and no table that is built beside and
    /// swapped: readers see the old rows until the new ones are all there, either way; but a swap copies
    /// the other counties of the table, too (three counties of 300,000 parcels on a server: 24 and 25 s
    /// beside 11 and 17 s; with 67 the table), shuts readers out while it renames, and leaves views and
    /// foreign keys with the old table. What it would spare is a VACUUM.
    fn swap_scope(&self) -> Result<u64, LoadError> {
        let (table, scope) = (self.table(), self.spec.scope_sql());
        let all = format!("{table} AS t WHERE {scope}");
        meet::note_rewritten(self.con, &self.spec.name, &all, &[])?;
        let (run, input) = (self.input.run.as_str(), self.input.input);
        meet::mark_replaced(self.con, self.spec, run, input)?;
        let gone = self.con.execute(&format!("DELETE FROM {table} WHERE {scope}"), &[])?;
        self.take_over()?;
        Ok(gone)
    }

    /// Inputs whose rows give way to these.
    fn leaving(&self) -> Result<Vec<Leaving>, LoadError> {
        let replaces = self.input.replaces.iter();
        let found = replaces.map(|(run, input)| Leaving::find(self.con, run, *input));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Puts the side table in the place of the rows of some inputs. Returns the rows that went.
    fn take_place(&self, leaving: &[Leaving]) -> Result<u64, LoadError> {
        let mut gone = 0;
        for one in leaving {
            gone += one.leave(self.con, &self.spec.name)?;
        }
        self.take_over()?;
        Ok(gone)
    }

    /// Adds the rows of the side table to the table.
    fn take_over(&self) -> Result<(), LoadError> {
        self.con.take_over(self.spec, &self.side())?;
        self.drop_side()
    }

    /// Counts scopes anew that have lost rows and are not that of the input.
    fn recount_left(&self, leaving: &[Leaving]) -> Result<(), LoadError> {
        let own = meet::scope_text(self.spec);
        let scopes: BTreeSet<_> = leaving.iter().flat_map(Leaving::scopes).collect();
        let others = scopes.into_iter().filter(|scope| *scope != own);
        let table = &self.spec.name;
        others
            .into_iter()
            .try_for_each(|scope| counts::recount(self.con, table, scope, &self.input.run))
    }

    fn forget_settled(&self) -> Result<(), LoadError> {
        self.con.execute(
            "DELETE FROM etl.settled WHERE run = ? AND input = ?",
            &[Value::from(self.input.run.as_str()), Value::from(self.input.input)],
        )?;
        Ok(())
    }

    /// Counts in the table what the ledger claims. Gives the rows of the scope where it has counted them.
    fn check_account(
        &self,
        tally: &Tally,
        replaced: u64,
    ) -> Result<Option<(String, u64)>, LoadError> {
        if tally.gap() != 0 {
            return Err(gap(format!(
                "{} rows were read, but {} are accounted for",
                tally.read,
                tally.settled()
            )));
        }
        let table = self.table();
        let mut rows = None;
        if self.con.is_alone() {
            let all = self.check_rows(&table, tally, replaced)?;
            self.check_cells(tally, None)?;
            rows = self.spec.scope.is_empty().then(|| (meet::scope_text(self.spec), all));
        } else {
            let claimed = tally.inserted + tally.updated;
            if claimed == 0 {
                // Who has written nothing has nothing to count.
                return Ok(None);
            }
            let (rows, ours) = self.count_scope(&table, claimed)?;
            if ours == claimed {
                self.check_cells(tally, Some((rows, ours)))?;
                return Ok(Some((meet::scope_text(self.spec), rows)));
            }
        }
        let run = Value::from(self.input.run.as_str());
        let ours = self.con.number(
            &format!("SELECT count(*) FROM {table} WHERE _etl_run = ?"),
            std::slice::from_ref(&run),
        )?;
        let claimed = self.con.number(
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
        Ok(rows)
    }

    /// Rows of the scope, and those of them that this input has written, with what was rewritten since.
    /// An index leads there, where the table may be that of a whole state.
    fn count_scope(&self, table: &str, claimed: u64) -> Result<(u64, u64), LoadError> {
        let own = [self.input.run.as_str(), self.input.source.as_str()].map(Value::from);
        let scope = self.spec.scope_sql();
        let of_own = "count(*) FILTER (WHERE _etl_run = ? AND _etl_source = ?)";
        let numbers = ["count(*)", of_own].map(str::to_owned);
        let counts = Counts {
            numbers: &numbers,
            table,
            condition: &scope,
            values: &own,
            claims: claimed,
            committed: self.is_committed(),
            near: None,
        };
        let at_once = self.con.count_at_once(self.spec, &counts)?;
        let counted = at_once.map_or_else(|| counts.ask(self.con), Ok)?;
        let number = |at: usize| counted.get(at).copied().unwrap_or(0);
        Ok((number(0), number(1) + self.rewritten(&own)?))
    }

    /// Whether all rows of the input are committed. What is applied in the transaction that ends it is seen
    /// by its own connection alone.
    pub(super) fn is_committed(&self) -> bool {
        self.input.strategy == Strategy::Insert
    }

    /// Where nobody else writes, the whole table can be counted. Returns its rows.
    fn check_rows(&self, table: &str, tally: &Tally, replaced: u64) -> Result<u64, LoadError> {
        let now = self.con.number(&format!("SELECT count(*) FROM {table}"), &[])?;
        let expected = self.input.rows_before + tally.inserted - replaced;
        if now == expected {
            return Ok(now);
        }
        Err(gap(format!(
            "table {table} holds {now} rows; {} before + {} inserted - {replaced} replaced = \
             {expected}",
            self.input.rows_before, tally.inserted
        )))
    }
}
