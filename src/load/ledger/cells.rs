//! The account of an input's filled cells, from its ranges to its last commit.

use super::{Finish, unsigned};
use crate::chunk::Tally;
use crate::duck::{Value, quote};
use crate::load::cells::{Cells, compare, gap};
use crate::load::rehash::Spots;
use crate::load::table::Strategy;
use crate::load::target::{Counts, LastRows, Stretch};
use crate::load::{Link, LoadError};
use xxhash_rust::xxh3::xxh3_64;

/// How much is counted before the last commit of an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellCheck {
    /// What the target tells at a low cost: DuckDB what is given to it, a server the rows of some ranges.
    #[default]
    Usual,
    /// All rows of the input.
    All,
}

/// A count of all cells of an input is made unasked where at least one of so many rows of its scope is its
/// own: else the rows of others would cost more than its own.
const OWN_SHARE: u64 = 4;

/// A committed range that has brought rows.
struct Range {
    /// Filled cells that were handed over. Unknown where an older program has loaded it, or the table
    /// itself changes cells.
    cells: Option<Cells>,
    /// Rows that it has brought, and that those before it have.
    rows: u64,
    before: u64,
    /// Rows of the source, from the first one up to the one behind the last.
    of_source: (u64, u64),
}

/// Reads what is kept of the ranges.
fn ranges(con: &dyn Link, run: &str, input: u32) -> Result<Vec<Range>, LoadError> {
    let own = [Value::from(run), Value::from(input)];
    let sql = "SELECT cells, inserted + updated, from_row, to_row FROM etl.ranges \
               WHERE run = ? AND input = ? AND inserted + updated > 0 ORDER BY from_record";
    let mut before = 0;
    let range = |row: &Vec<Value>| {
        let rows = unsigned(&row[1]);
        before += rows;
        Range {
            cells: row[0].as_text().and_then(Cells::from_json),
            rows,
            before: before - rows,
            of_source: (unsigned(&row[2]), unsigned(&row[3])),
        }
    };
    Ok(con.query(sql, &own)?.rows.iter().map(range).collect())
}

/// Ranges whose cells are counted, in groups: all whose cells are known together, or the first one and
/// another that the run chooses.
fn chosen<'r>(ranges: &'r [Range], check: CellCheck, run: &str) -> Vec<Vec<&'r Range>> {
    let known: Vec<_> = ranges.iter().filter(|range| range.cells.is_some()).collect();
    let Some(others) = known.len().checked_sub(1) else { return Vec::new() };
    match check {
        CellCheck::All => vec![known],
        CellCheck::Usual if others == 0 => vec![known],
        CellCheck::Usual => {
            let another = xxh3_64(run.as_bytes()) % others as u64;
            vec![vec![known[0]], vec![known[1 + another as usize]]]
        }
    }
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

    /// Compares the cells of the input's rows with what its ranges have handed over. `rows`: of the scope,
    /// and of the input, where they were counted.
    pub(super) fn check_cells(
        &self,
        tally: &Tally,
        rows: Option<(u64, u64)>,
    ) -> Result<(), LoadError> {
        let asked = self.cells == CellCheck::All;
        let own = [self.input.run.as_str(), self.input.source.as_str()].map(Value::from);
        let last = self.last_rows(tally);
        if !asked && self.con.is_alone() {
            // Its writers have looked at the rows up to here; the last step has copied some of them.
            return self.look_at_spots(&own, LastRows { committed: 0, ..last });
        }
        let worth = rows.is_some_and(|(all, own)| own > 0 && own * OWN_SHARE >= all);
        if !asked && !worth || !self.con.changes_cells(self.spec)?.is_empty() {
            return Ok(());
        }
        if self.rewritten(&own)? > 0 {
            // Other inputs have rewritten some of its rows since, with their cells.
            return Ok(());
        }
        let ranges = ranges(self.con, &self.input.run, self.input.input)?;
        let scope = rows.map(|(all, _)| all);
        for group in chosen(&ranges, self.cells, &self.input.run) {
            let claimed = sum(&group);
            let columns = self.compared(&claimed);
            let Some(found) = self.count_own(&ranges, &group, &columns, last, scope)? else {
                return self.rows_of_others(&ranges);
            };
            compare(&self.spec.name, columns.iter().map(String::as_str), &claimed, &found)?;
        }
        self.look_at_spots(&own, last)
    }

    /// Not as many rows bear the input as its ranges have brought.
    fn rows_of_others(&self, ranges: &[Range]) -> Result<(), LoadError> {
        if !self.con.is_alone() {
            // Somebody else may have changed them.
            return Ok(());
        }
        let rows: u64 = ranges.iter().map(|range| range.rows).sum();
        let Self { spec, input, .. } = self;
        Err(gap(format!(
            "{rows} rows were handed over to table {}, it does not have as many of {} in run {}",
            spec.name, input.source, input.run
        )))
    }

    /// The rows of the input, where no other has added rows since.
    fn last_rows(&self, tally: &Tally) -> LastRows {
        let Tally { inserted, updated, .. } = *tally;
        match self.input.strategy {
            Strategy::Insert => LastRows { committed: inserted, open: 0 },
            Strategy::Merge => LastRows { committed: inserted, open: updated },
            Strategy::Replace => LastRows { committed: 0, open: inserted },
        }
    }

    /// Filled cells of the rows of some ranges. `None`: these rows cannot be told from the others.
    fn count_own(
        &self,
        all: &[Range],
        group: &[&Range],
        columns: &[String],
        input: LastRows,
        scope: Option<u64>,
    ) -> Result<Option<Cells>, LoadError> {
        let mut condition = vec![self.spec.scope_sql(), "_etl_run = ? AND _etl_source = ?".into()];
        if group.len() < all.len() {
            let within = |range: &&Range| {
                let (from, to) = range.of_source;
                format!("_etl_row >= {from} AND _etl_row < {to}")
            };
            let places: Vec<_> = group.iter().map(within).collect();
            condition.push(format!("({})", places.join(" OR ")));
        }
        let claimed: u64 = group.iter().map(|range| range.rows).sum();
        let from = group.first().map_or(0, |range| range.before);
        let to = group.last().map_or(0, |range| range.before + range.rows);
        let own = [self.input.run.as_str(), self.input.source.as_str()].map(Value::from);
        let (numbers, table) = (numbers(columns), self.con.table(&self.spec.name));
        let condition = condition.join(" AND ");
        let counts = |near| Counts {
            numbers: &numbers,
            table: &table,
            condition: &condition,
            values: &own,
            claims: input.committed,
            committed: self.is_committed(),
            near,
        };
        // First where they should be; where the rows of others or of another connection came between them,
        // on all pages.
        for near in [Some(Stretch { input, from, to, scope }), None] {
            let Some(found) = self.con.count_at_once(self.spec, &counts(near))? else { break };
            let (rows, cells) = told(columns, &found);
            if rows == claimed {
                return Ok(Some(cells));
            }
        }
        let (rows, cells) = told(columns, &counts(None).ask(self.con)?);
        Ok((rows == claimed).then_some(cells))
    }

    /// Makes the content hash of a few rows again.
    fn look_at_spots(&self, own: &[Value], last: LastRows) -> Result<(), LoadError> {
        let Some(content) = Spots::of(self.spec, &self.not_compared).filter(|_| self.hashes_hold)
        else {
            return Ok(());
        };
        let table = self.con.table(&self.spec.name);
        for spots in self.con.spots(self.spec, last)? {
            let condition = format!("_etl_run = ? AND _etl_source = ? AND {spots}");
            content.check(&self.con.query(&content.question(&table, &condition), own)?.rows)?;
        }
        Ok(())
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

/// SQL for rows under a condition and their filled cells.
pub fn count_sql(table: &str, columns: &[String], condition: &str) -> String {
    format!("SELECT {} FROM {table} WHERE {condition}", numbers(columns).join(", "))
}

/// What answers it.
pub fn counted(columns: &[String], answer: &[Vec<Value>]) -> (u64, Cells) {
    let numbers: Vec<_> = answer.first().into_iter().flatten().map(unsigned).collect();
    told(columns, &numbers)
}

/// The number of rows, and that of the filled cells of each column.
fn numbers(columns: &[String]) -> Vec<String> {
    let of_columns = columns.iter().map(|name| format!("count({})", quote(name)));
    ["count(*)".to_owned()].into_iter().chain(of_columns).collect()
}

/// These numbers by their meaning.
fn told(columns: &[String], numbers: &[u64]) -> (u64, Cells) {
    let (rows, cells) = numbers.split_first().map_or((0, &[][..]), |(rows, cells)| (*rows, cells));
    (rows, Cells::counted(columns, cells))
}

/// What some ranges have handed over.
fn sum(ranges: &[&Range]) -> Cells {
    let mut all = Cells::default();
    ranges.iter().filter_map(|range| range.cells.as_ref()).for_each(|cells| all.add(cells));
    all
}
