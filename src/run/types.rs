//! Types of the columns of an input as the ledger keeps them. They may come from other inputs or from the
//! table, so an unfinished load goes on with those that it was begun with.

use super::prepare::Prepared;
use crate::chunk::ColumnKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Column → type as DuckDB names it, as JSON.
pub fn stored(input: &Prepared) -> String {
    let columns = input.schema.columns.iter();
    let types: BTreeMap<_, _> =
        columns.map(|column| (column.name.as_str(), column.kind.duckdb())).collect();
    serde_json::to_string(&types).unwrap_or_default()
}

/// Gives the columns of a plain table the types that a load was begun with. Those of a roll are the
/// pack's, and those that cleaning makes are its own.
pub fn restore(input: &mut Prepared, json: &str) {
    let types: BTreeMap<String, String> = serde_json::from_str(json).unwrap_or_default();
    if input.kind.is_some() {
        return;
    }
    let cleaned: Vec<_> =
        input.cleaning.recipes.iter().map(|recipe| recipe.column.clone()).collect();
    let schema = Arc::make_mut(&mut input.schema);
    for column in &mut schema.columns {
        let kind = types.get(&column.name).and_then(|ty| ColumnKind::from_duckdb(ty));
        let Some(kind) = kind.filter(|kind| *kind != column.kind) else { continue };
        if cleaned.contains(&column.name) {
            continue;
        }
        column.kind = kind;
        let name = input.fitted.name(&column.name);
        let target = input.spec.columns.iter_mut().find(|target| target.name == name);
        if let Some(target) = target {
            target.ty = kind.duckdb();
        }
    }
}
