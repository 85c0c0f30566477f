//! The account of an input's filled cells, from its ranges to its last commit.

use super::{Finish, unsigned};
use crate::duck::{Value, quote};
use crate::load::cells::{Cells, compare};
use crate::load::rehash::Spots;
use crate::load::target::SCHEMA;
use crate::load::{Link, LoadError};

/// How much is counted before the last commit of an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellCheck {
    /// What the target tells at a low cost: DuckDB each commit, a server the rows that it counts anyway.
    #[default]
    Usual,
    /// Also all rows of the input in the table.
    All,
}

/// A count of all cells of an input is made unasked where at least one of so many rows of its scope is its
/// own: else the rows of others would cost more than its own.
const OWN_SHARE: u64 = 4;

/// What the committed ranges of an input have handed over.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    /// Filled cells, of the ranges that have them.
    pub cells: Cells,
    /// Rows of these ranges.
    pub rows: u64,
    /// Rows of the source, from the first one up to the one behind the last, of ranges without cells: an
    /// older program has loaded them, or the table itself changes cells.
    pub unknown: Vec<(u64, u64)>,
}

/// Reads what is kept of the ranges.
pub(super) fn claimed(con: &dyn Link, run: &str, input: u32) -> Result<Claimed, LoadError> {
    let own = [Value::from(run), Value::from(input)];
    let sql = "SELECT cells, inserted + updated, from_row, to_row FROM etl.ranges \
               WHERE run = ? AND input = ?";
    let mut claimed = Claimed::default();
    for row in &con.query(sql, &own)?.rows {
        let rows = unsigned(&row[1]);
        match row[0].as_text().and_then(Cells::from_json) {
            Some(cells) => {
                claimed.cells.add(&cells);
                claimed.rows += rows;
            }
            None if rows > 0 => claimed.unknown.push((unsigned(&row[2]), unsigned(&row[3]))),
            None => {}
        }
    }
    Ok(claimed)
}

impl Finish<'_> {
    /// Columns whose cells are compared: those of the ranges, and of the table that has to be loaded.
    fn compared(&self, cells: &Cells) -> Vec<String> {
        let mut columns: Vec<_> = cells.columns().map(str::to_owned).collect();
        let own = self.spec.columns.iter().map(|column| column.name.as_str()).chain(["_extra"]);
        let more = own.filter(|name| !cells.has(name) && !self.repeated.contains_key(*name));
        columns.extend(more.map(str::to_owned));
        columns
    }

    /// What the ranges have handed over, where a side table takes the place of a scope with it. `None`:
    /// nothing can be said of all of them.
    pub(super) fn whole_claim(&self) -> Result<Option<Cells>, LoadError> {
        let claimed = claimed(self.con, &self.input.run, self.input.input)?;
        Ok(claimed.unknown.is_empty().then_some(claimed.cells))
    }

    /// Filled cells of the rows that wait in the side table, where the target tells what a transaction adds.
    pub(super) fn waiting(&self, side: &str) -> Result<Option<Cells>, LoadError> {
        if !self.con.counts_added() {
            return Ok(None);
        }
        let columns = self.compared(&Cells::default());
        let table = format!("{SCHEMA}.{}", quote(side));
        let (_, cells) = count(self.con, &table, &columns, "true", &[])?;
        Ok(Some(cells))
    }

    /// Compares what this transaction has added to the table with what was to be added.
    pub(super) fn check_added(&self, wanted: Option<Cells>) -> Result<(), LoadError> {
        let Some(wanted) = wanted.filter(|_| self.con.counts_added()) else { return Ok(()) };
        let columns = self.compared(&wanted);
        let found = self.con.cells_added(&self.spec.name, &columns)?;
        compare(&self.spec.name, columns.iter().map(String::as_str), &wanted, &found)
    }

    /// Compares the cells of the input's rows with what its ranges have handed over. `rows`: of the scope,
    /// where they were counted; `counted`: the cells, where these were counted with them.
    pub(super) fn check_cells(
        &self,
        rows: Option<(u64, u64)>,
        counted: Option<Cells>,
    ) -> Result<(), LoadError> {
        let asked = self.cells == CellCheck::All;
        let worth = rows.is_some_and(|(all, own)| own > 0 && own * OWN_SHARE >= all);
        if !asked && !worth || !self.con.changes_cells(self.spec)?.is_empty() {
            return Ok(());
        }
        let own = [self.input.run.as_str(), self.input.source.as_str()].map(Value::from);
        if self.rewritten(&own)? > 0 {
            // Other inputs have rewritten some of its rows since, with their cells.
            return Ok(());
        }
        let claimed = claimed(self.con, &self.input.run, self.input.input)?;
        let columns = self.compared(&claimed.cells);
        let found = match counted.filter(|_| claimed.unknown.is_empty()) {
            Some(cells) => cells,
            None => match self.count_own(&claimed, &columns, &own)? {
                Some(cells) => cells,
                None => return Ok(()),
            },
        };
        compare(&self.spec.name, columns.iter().map(String::as_str), &claimed.cells, &found)?;
        self.look_at_spots(&own)
    }

    /// Columns to count together with the rows of a scope.
    pub(super) fn counted_along(&self) -> Result<Vec<String>, LoadError> {
        if !self.con.changes_cells(self.spec)?.is_empty() {
            return Ok(Vec::new());
        }
        let claimed = claimed(self.con, &self.input.run, self.input.input)?;
        Ok(self.compared(&claimed.cells))
    }

    /// Filled cells of the input's rows, of the ranges that have handed over known ones. `None`: these
    /// rows cannot be told from the others.
    fn count_own(
        &self,
        claimed: &Claimed,
        columns: &[String],
        own: &[Value],
    ) -> Result<Option<Cells>, LoadError> {
        let unknown =
            |(from, to): &(u64, u64)| format!(" AND NOT (_etl_row >= {from} AND _etl_row < {to})");
        let but: String = claimed.unknown.iter().map(unknown).collect();
        let scope = self.spec.scope_sql();
        let condition = format!("{scope} AND _etl_run = ? AND _etl_source = ?{but}");
        let table = self.con.table(&self.spec.name);
        let (rows, cells) = count(self.con, &table, columns, &condition, own)?;
        Ok((rows == claimed.rows).then_some(cells))
    }

    /// Makes the content hash of a few rows again, where the target has not done so with each commit.
    fn look_at_spots(&self, own: &[Value]) -> Result<(), LoadError> {
        let Some(spots) = self.con.spots(self.spec)?.filter(|_| self.hashes_hold) else {
            return Ok(());
        };
        let condition = format!("_etl_run = ? AND _etl_source = ? AND {spots}");
        let table = self.con.table(&self.spec.name);
        let Some(content) = Spots::of(self.spec, &self.not_compared) else { return Ok(()) };
        content.check(&self.con.query(&content.question(&table, &condition), own)?.rows)
    }

    /// Rows of the input that others have rewritten since.
    pub(super) fn rewritten(&self, own: &[Value; 2]) -> Result<u64, LoadError> {
        self.con.number(
            "SELECT coalesce(sum(rows), 0)::BIGINT FROM etl.rewritten WHERE run = ? AND source = ? \
             AND \"table\" = ?",
            &[own[0].clone(), own[1].clone(), Value::from(self.spec.name.as_str())],
        )
    }
}

/// Rows under a condition, and their filled cells.
pub fn count(
    con: &dyn Link,
    table: &str,
    columns: &[String],
    condition: &str,
    values: &[Value],
) -> Result<(u64, Cells), LoadError> {
    let found = con.query(&count_sql(table, columns, condition), values)?;
    Ok(counted(columns, &found.rows))
}

/// SQL for rows under a condition and their filled cells.
pub fn count_sql(table: &str, columns: &[String], condition: &str) -> String {
    let counts: String = columns.iter().map(|name| format!(", count({})", quote(name))).collect();
    format!("SELECT count(*){counts} FROM {table} WHERE {condition}")
}

/// What answers it.
pub fn counted(columns: &[String], answer: &[Vec<Value>]) -> (u64, Cells) {
    let numbers: Vec<_> = answer.first().into_iter().flatten().map(unsigned).collect();
    let (rows, cells) = numbers.split_first().map_or((0, &[][..]), |(rows, cells)| (*rows, cells));
    (rows, Cells::counted(columns, cells))
}
