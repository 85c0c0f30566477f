//! Columns of numbers that become wider, because a later file has values that their type does not hold.
//!
//! Only columns of plain tables that this program has made, and only so that every stored value stays equal:
//! INTEGER → BIGINT → DECIMAL → DECIMAL with more digits behind the point, in a DuckDB file without being asked; to
//! VARCHAR only with `--evolve`. On a server both need `--evolve`. It is decided for all inputs of a run before the
//! first row is loaded, and done when the first input that needs it begins.

use super::places::Table;
use super::prepare::Prepared;
use super::types::open_columns;
use crate::chunk::ColumnKind;
use crate::duck::{Value, quote};
use crate::load::ledger::Ledger;
use crate::load::target::Changes;
use crate::load::{Link, LoadError};
use crate::source::infer::Common;
use std::collections::BTreeMap;

/// A column that becomes wider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widening {
    /// The column of the table.
    pub column: String,
    /// Its type now, as DuckDB names it.
    pub from: String,
    /// Its type from then on.
    pub to: ColumnKind,
}

impl Widening {
    /// What is said of it, in the plan and by the load.
    pub fn told(&self, table: &str) -> String {
        format!(
            "column {} of table {table} becomes {} (it is {}): values of this run need it, and no stored value \
             changes",
            self.column,
            self.to.duckdb(),
            self.from
        )
    }
}

/// The columns of a table that become wider for the inputs that go into it; their types are those of the table from
/// then on.
pub fn widen(
    inputs: &[&Prepared],
    name: &str,
    table: &mut Table,
    con: &dyn Link,
    changes: Changes,
) -> Result<Vec<Widening>, LoadError> {
    if table.types.is_empty() || !(con.is_alone() || changes.evolve) {
        return Ok(Vec::new());
    }
    let mut wanted = Vec::new();
    for (column, cells) in cells_of(inputs, table) {
        let Some((_, from)) = table.types.iter().find(|(known, _)| *known == column) else {
            continue;
        };
        let Some(kind) = ColumnKind::from_duckdb(from).filter(|kind| is_number(*kind)) else {
            continue;
        };
        if cells.is_empty() || cells.with(Common::declared(kind)).kind() == kind {
            continue;
        }
        wanted.push((column, from.clone(), kind, cells));
    }
    let is_own = table.types.iter().any(|(name, _)| name == "_etl_run");
    if wanted.is_empty() || !is_own || !Ledger::new(con).has_made(name)? || !con.can_widen(name)? {
        return Ok(Vec::new());
    }
    let mut widenings = Vec::new();
    for (column, from, kind, cells) in wanted {
        let stored = Common::stored(kind, digits(con, name, &column)?);
        let to = match cells.with(stored).kind() {
            to if is_number(to) => to,
            _ if changes.evolve => ColumnKind::Text,
            _ => continue,
        };
        if to != kind {
            let known = table.types.iter_mut().filter(|(known, _)| *known == column);
            known.for_each(|(_, ty)| *ty = to.duckdb());
            widenings.push(Widening { column, from, to });
        }
    }
    Ok(widenings)
}

/// What the cells of all inputs have in common, by column of the table.
fn cells_of(inputs: &[&Prepared], table: &Table) -> BTreeMap<String, Common> {
    let mut cells: BTreeMap<String, Common> = BTreeMap::new();
    for input in inputs.iter().filter(|input| !input.replay) {
        for at in open_columns(input) {
            let Some(own) = input.found.get(at) else { continue };
            let name = input.fitted.name(&input.schema.columns[at].name);
            let Some((column, _)) =
                table.types.iter().find(|(known, _)| table.rule.same(known, name))
            else {
                continue;
            };
            let all = cells.entry(column.clone()).or_insert(Common::NOTHING);
            *all = all.with(*own);
        }
    }
    cells
}

/// Whether every value of a type stays equal in a wider type of numbers.
pub fn is_number(kind: ColumnKind) -> bool {
    match kind {
        ColumnKind::Int | ColumnKind::BigInt | ColumnKind::Decimal(_) => true,
        ColumnKind::Double
        | ColumnKind::Text
        | ColumnKind::Bool
        | ColumnKind::Date
        | ColumnKind::Timestamp
        | ColumnKind::TimestampTz
        | ColumnKind::TimestampNs => false,
    }
}

/// Most digits before the point of the stored values of a column.
fn digits(con: &dyn Link, table: &str, column: &str) -> Result<u8, LoadError> {
    let column = quote(column);
    let sql = format!("SELECT min({column}), max({column}) FROM {}", con.table(table));
    let found = con.query(&sql, &[])?;
    let digits = |value: &Value| match value {
        Value::Int(value) => count(i128::from(*value)),
        Value::HugeInt(value) => count(*value),
        Value::Decimal { value, scale } => count(value / 10i128.pow(u32::from(*scale))),
        _ => 0,
    };
    Ok(found.rows.first().into_iter().flatten().map(digits).max().unwrap_or(0))
}

fn count(number: i128) -> u8 {
    number.unsigned_abs().checked_ilog10().map_or(0, |log| log as u8 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_without_sign_and_zero() {
        assert_eq!([0, 9, -10, 999, 1000].map(count), [0, 1, 2, 3, 4]);
        assert_eq!(count(i128::from(i64::MIN)), 19);
    }
}
