//! Rows of the table that later inputs have met as they are: `etl.confirmed`.
//!
//! A final roll mostly repeats the preliminary one. Its unchanged rows then rank as the final's, and a
//! load that goes on after a kill must know that it has met them. One word a row, in the table or
//! beside it, would cost as much as loading it. But rows are named by where they came from (run, source,
//! row number), and files that follow each other have the same order: so what was met is told by
//! stretches, in which the rows of the table and those of the input go forward together. A whole roll
//! without a change is one stretch for each commit; in another order it is one for each row at worst.
//!
//! A stretch that an input has raised counts once that input is done. One that raises nothing is
//! only for the input's own resuming, and goes with its end.

use super::link::PgLink;
use super::text::bind;
use crate::chunk::{Held, Loaded};
use crate::duck::{Value, quote};
use crate::load::ledger::schema::Columns;
use crate::load::ledger::{InputRow, InputState, scope_text};
use crate::load::lookup::rank_of;
use crate::load::table::TableSpec;
use crate::load::target::{EachKey, WritePlan};
use crate::load::{Link, LoadError};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What is kept. `at` is the row of the confirming input that met the row `first`.
pub const DDL: &str = "
CREATE TABLE IF NOT EXISTS etl.confirmed (
  run VARCHAR NOT NULL, input INTEGER NOT NULL, \"table\" VARCHAR NOT NULL,
  of_run VARCHAR NOT NULL, of_source VARCHAR NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
  at BIGINT NOT NULL, release VARCHAR);
";

/// The table with the columns that a writer fills.
pub const COLUMNS: &str =
    "etl.confirmed (run, input, \"table\", of_run, of_source, first, last, at, release)";

/// Rows of one source that follow each other, met by rows of the input that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Where the rows came from.
    pub of: Arc<Loaded>,
    /// The first of them.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The row of the input that met the first.
    pub at: u64,
    /// Whether they rank as the input's release.
    pub raise: bool,
}

/// Collects rows as they are met.
#[derive(Debug, Default)]
pub struct Stretches(Vec<Stretch>);

impl Stretches {
    /// A row of the table was met by row `at` of the input.
    pub fn add(&mut self, held: &Held, at: u64, raise: bool) {
        let row = held.row;
        if let Some(open) = self.0.last_mut()
            && open.last + 1 == row
            && open.at + (row - open.first) == at
            && open.raise == raise
            && (Arc::ptr_eq(&open.of, &held.of) || open.of == held.of)
        {
            open.last = row;
            return;
        }
        self.0.push(Stretch { of: Arc::clone(&held.of), first: row, last: row, at, raise });
    }

    /// What was collected.
    pub fn stretches(&self) -> &[Stretch] {
        &self.0
    }
}

/// Stretches by where their rows came from, each with a value.
#[derive(Debug, Default)]
struct Map<T>(HashMap<Loaded, Vec<(u64, u64, T)>>);

impl<T: Copy> Map<T> {
    /// From stretches ordered by their first row; those of one source do not overlap.
    fn get(&self, of: &Loaded, row: u64) -> Option<(u64, T)> {
        let all = self.0.get(of)?;
        let at = all.partition_point(|(first, ..)| *first <= row).checked_sub(1)?;
        let (first, last, value) = all[at];
        (row <= last).then_some((first, value))
    }
}

/// The ranks that rows of a scope have been raised to.
#[derive(Debug, Default)]
pub struct Ranks {
    /// One map for each input that has raised some: its stretches do not overlap.
    of_inputs: Vec<Map<i64>>,
}

impl Ranks {
    /// Reads them. Rows of a scope were raised by inputs of that scope alone.
    pub fn read(con: &dyn Link, spec: &TableSpec) -> Result<Self, LoadError> {
        let mut found: HashMap<(String, i64), Map<i64>> = HashMap::new();
        let values = [
            Value::from(spec.name.as_str()),
            Value::from(scope_text(spec)),
            Value::from(InputState::Done.name()),
            Value::from(con.schema()),
            Value::from(con.schema()),
        ];
        // `verify` asks a ledger as it is, of any version.
        let schema = Columns::of(con)?.since_2("i.\"schema\"");
        let sql = format!(
            "SELECT c.run, c.input, c.of_run, c.of_source, c.first, c.last, c.release \
             FROM etl.confirmed c JOIN etl.inputs i ON i.run = c.run AND i.input = c.input \
             WHERE c.\"table\" = ? AND i.scope = ? AND i.status = ? \
               AND coalesce({schema}, ?) = ? AND c.release IS NOT NULL \
             ORDER BY c.first"
        );
        con.query_each(&sql, &values, &mut |_, rows| {
            for row in &rows {
                let by = (row[0].to_string(), row[1].as_int().unwrap_or(0));
                let rank = rank_of(&row[6].to_string());
                let of = found.entry(by).or_default().0.entry(loaded(row, 2)).or_default();
                of.push((number(row, 4), number(row, 5), rank));
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self { of_inputs: found.into_values().collect() })
    }

    /// The highest rank that a row was raised to.
    pub fn of(&self, of: &Loaded, row: u64) -> Option<i64> {
        self.of_inputs.iter().filter_map(|map| map.get(of, row)).map(|(_, rank)| rank).max()
    }
}

fn loaded(row: &[Value], at: usize) -> Loaded {
    Loaded { run: row[at].to_string(), source: row[at + 1].to_string() }
}

fn number(row: &[Value], at: usize) -> u64 {
    row[at].as_int().and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// At the end of an input, what raises nothing has done its duty.
pub fn close(con: &PgLink, run: &str, input: u32) -> Result<(), LoadError> {
    let own = [Value::from(run), Value::from(input)];
    con.execute("DELETE FROM etl.confirmed WHERE run = ? AND input = ? AND release IS NULL", &own)
        .map(drop)
}

/// What an input has met goes with it, and so does what others have met of it: a run that goes on
/// numbers its rows as before.
pub fn forget(con: &PgLink, row: &InputRow) -> Result<(), LoadError> {
    let (run, source) = (Value::from(row.run.as_str()), Value::from(row.source.as_str()));
    con.execute(
        "DELETE FROM etl.confirmed WHERE (run = ? AND input = ?) OR (of_run = ? AND of_source = ?)",
        &[run.clone(), Value::from(row.input), run, source],
    )
    .map(drop)
}

/// Whether an input that has met rows may find others in their place: another one of its scope has
/// begun or ended since.
pub fn is_overtaken(con: &PgLink, row: &InputRow) -> Result<bool, LoadError> {
    let con: &dyn Link = con;
    let found = con.number(
        "SELECT count(*) FROM etl.inputs o JOIN etl.inputs i ON i.run = ? AND i.input = ? \
         WHERE o.\"table\" = i.\"table\" \
           AND o.\"schema\" IS NOT DISTINCT FROM i.\"schema\" AND o.scope IS NOT DISTINCT FROM i.scope \
           AND (o.run <> i.run OR o.input <> i.input) \
           AND (o.started >= i.started OR o.finished >= i.started) \
           AND EXISTS (SELECT 1 FROM etl.confirmed c WHERE c.run = i.run AND c.input = i.input)",
        &[Value::from(row.run.as_str()), Value::from(row.input)],
    )?;
    Ok(found > 0)
}

/// Keys of the rows that an unfinished input has met, with the row of the input.
pub fn met_keys(con: &PgLink, plan: &WritePlan, each: EachKey<'_>) -> Result<(), LoadError> {
    let con: &dyn Link = con;
    let mut met: Map<u64> = Map::default();
    let own = [Value::from(plan.run.as_str()), Value::from(plan.input)];
    con.query_each(
        "SELECT of_run, of_source, first, last, at FROM etl.confirmed WHERE run = ? AND input = ? \
         ORDER BY first",
        &own,
        &mut |_, rows| {
            for row in &rows {
                let of = met.0.entry(loaded(row, 0)).or_default();
                of.push((number(row, 2), number(row, 3), number(row, 4)));
            }
            ControlFlow::Continue(())
        },
    )?;
    let key: Vec<_> = plan.spec.key.iter().map(|name| quote(name)).collect();
    for of in met.0.keys() {
        let sql = format!(
            "SELECT {}, _etl_row FROM {} WHERE _etl_run = ? AND _etl_source = ? AND {}",
            key.join(", "),
            con.table(&plan.spec.name),
            plan.spec.scope_sql(),
        );
        let values = [Value::from(of.run.as_str()), Value::from(of.source.as_str())];
        con.query_each(&bind(&sql, &values)?, &[], &mut |_, rows| {
            for row in &rows {
                let at = number(row, key.len());
                let Some((first, begun)) = met.get(of, at) else { continue };
                let texts: Vec<_> = row[..key.len()].iter().map(Value::to_string).collect();
                let texts: Vec<_> = texts.iter().map(String::as_str).collect();
                if each(&texts, begun + (at - first)).is_break() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(run: &str) -> Arc<Loaded> {
        Arc::new(Loaded { run: run.into(), source: "a.csv".into() })
    }

    #[test]
    fn rows_that_go_forward_together_are_one_stretch() {
        let (one, two) = (of("1"), of("2"));
        let mut met = Stretches::default();
        for (of, row, at, raise) in [
            (&one, 2, 2, true),
            (&one, 3, 3, true),
            // A row of the input in between was another one.
            (&one, 4, 5, true),
            (&one, 5, 6, true),
            (&one, 6, 7, false),
            (&two, 7, 8, false),
            (&two, 9, 9, false),
            (&two, 8, 10, false),
        ] {
            met.add(&Held { of: Arc::clone(of), row }, at, raise);
        }
        let found: Vec<_> = met.stretches().iter().map(|s| (s.first, s.last, s.at)).collect();
        assert_eq!(found, [(2, 3, 2), (4, 5, 5), (6, 6, 7), (7, 7, 8), (9, 9, 9), (8, 8, 10)]);
    }

    #[test]
    fn a_row_has_the_highest_rank_that_it_was_raised_to() {
        let map = |stretches: &[(u64, u64, i64)]| {
            Map([(of("1").as_ref().clone(), stretches.to_vec())].into())
        };
        let ranks = Ranks { of_inputs: vec![map(&[(2, 5, 10), (8, 9, 10)]), map(&[(5, 8, 20)])] };
        let of_row = |row| ranks.of(&of("1"), row);
        assert_eq!(
            [1, 2, 5, 8, 9, 10].map(of_row),
            [None, Some(10), Some(20), Some(20), Some(10), None]
        );
        assert_eq!(ranks.of(&of("2"), 2), None);
    }
}
