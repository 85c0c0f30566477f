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
    /// What the target tells at a low cost: DuckDB each commit, a server the rows of some ranges.
    #[default]
    Usual,
    /// Also all rows of the input in the table.
    All,
}

/// A count of all cells of an input is made unasked where at least one of so many rows of its scope is its
/// own: else the rows of others would cost more than its own.
const OWN_SHARE: u64 = 4;

/// Rows of an input that a server counts unasked, of a larger one: to look at each field of a row costs it a
/// fifth of what it took to load it (100,000 parcels of 165 columns: 0.44 of 2.2 s of processor time).
const SAMPLE: u64 = 20_000;

/// A committed range that has brought rows.
struct Range {
    /// Filled cells that were handed over. Unknown where an older program has loaded it, or the table
    /// itself changes cells.
    cells: Option<Cells>,
    rows: u64,
    /// Rows of the source, from the first one up to the one behind the last.
    of_source: (u64, u64),
}

/// Reads what is kept of the ranges.
fn ranges(con: &dyn Link, run: &str, input: u32) -> Result<Vec<Range>, LoadError> {
    let own = [Value::from(run), Value::from(input)];
    let sql = "SELECT cells, inserted + updated, from_row, to_row FROM etl.ranges \
               WHERE run = ? AND input = ? AND inserted + updated > 0 ORDER BY from_record";
    let range = |row: &Vec<Value>| Range {
        cells: row[0].as_text().and_then(Cells::from_json),
        rows: unsigned(&row[1]),
        of_source: (unsigned(&row[2]), unsigned(&row[3])),
    };
    Ok(con.query(sql, &own)?.rows.iter().map(range).collect())
}

/// Ranges whose cells are counted: all whose cells are known, or some of them, from the first one to the
/// last one in equal steps.
fn chosen(ranges: &[Range], check: CellCheck) -> Vec<&Range> {
    let known: Vec<_> = ranges.iter().filter(|range| range.cells.is_some()).collect();
    let rows: u64 = known.iter().map(|range| range.rows).sum();
    let step = match check {
        CellCheck::All => 1,
        CellCheck::Usual => usize::try_from(rows / SAMPLE).unwrap_or(usize::MAX).max(1),
    };
    known.into_iter().step_by(step).collect()
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
        let ranges = ranges(self.con, &self.input.run, self.input.input)?;
        Ok(ranges.iter().all(|range| range.cells.is_some()).then(|| sum(ranges.iter())))
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
    /// and of the input, where they were counted.
    pub(super) fn check_cells(&self, rows: Option<(u64, u64)>) -> Result<(), LoadError> {
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
        let ranges = ranges(self.con, &self.input.run, self.input.input)?;
        let chosen = chosen(&ranges, self.cells);
        if chosen.is_empty() {
            return Ok(());
        }
        let claimed = sum(chosen.iter().copied());
        let columns = self.compared(&claimed);
        let Some(found) = self.count_own(&ranges, &chosen, &columns, &own)? else { return Ok(()) };
        compare(&self.spec.name, columns.iter().map(String::as_str), &claimed, &found)?;
        self.look_at_spots(&own)
    }

    /// Filled cells of the rows of some ranges. `None`: these rows cannot be told from the others.
    fn count_own(
        &self,
        all: &[Range],
        chosen: &[&Range],
        columns: &[String],
        own: &[Value],
    ) -> Result<Option<Cells>, LoadError> {
        let within = |range: &&Range| {
            let (from, to) = range.of_source;
            format!("_etl_row >= {from} AND _etl_row < {to}")
        };
        let places = match chosen.len() == all.len() {
            true => "true".into(),
            false => chosen.iter().map(within).collect::<Vec<_>>().join(" OR "),
        };
        let scope = self.spec.scope_sql();
        let condition = format!("{scope} AND _etl_run = ? AND _etl_source = ? AND ({places})");
        let table = self.con.table(&self.spec.name);
        let (rows, cells) = count(self.con, &table, columns, &condition, own)?;
        let claimed: u64 = chosen.iter().map(|range| range.rows).sum();
        Ok((rows == claimed).then_some(cells))
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

/// What some ranges have handed over.
fn sum<'r>(ranges: impl Iterator<Item = &'r Range>) -> Cells {
    let mut all = Cells::default();
    ranges.filter_map(|range| range.cells.as_ref()).for_each(|cells| all.add(cells));
    all
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
