//! Code tables beside a formula: for each row of a chunk the row of the table that matches.

use super::check::{Node, Scope, Ty, Typed, check};
use super::parse::{Tree, parse};
use crate::stage::{Joined, StoredTable};
use hashbrown::HashMap;
use polars::prelude::{IdxCa, Schema, StringChunked};
use std::sync::Arc;

/// The lookups of a projection that can be done here.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookups {
    all: Vec<Lookup>,
}

/// `LEFT JOIN table AS alias ON alias.column = key`.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    alias: String,
    table: Arc<StoredTable>,
    /// Row of each key.
    rows: Arc<HashMap<String, u32>>,
    /// What is looked up.
    pub key: Typed,
}

impl Lookups {
    /// Those of `joins` that have the usual form, over keys that differ.
    pub fn new(
        joins: &[Joined],
        tables: &[Arc<StoredTable>],
        schema: &Schema,
        missing: &[(String, String)],
    ) -> Self {
        let scope = Scope { schema, missing, lookups: &Self::default(), tables };
        Self { all: joins.iter().filter_map(|join| lookup(join, tables, &scope)).collect() }
    }

    /// The place of a lookup's column.
    pub fn field(&self, alias: &str, column: &str) -> Option<(usize, usize)> {
        let at = self.all.iter().position(|have| have.alias.eq_ignore_ascii_case(alias))?;
        Some((at, self.all[at].table.position(column)?))
    }

    /// One of them.
    pub fn get(&self, at: usize) -> &Lookup {
        &self.all[at]
    }
}

impl Lookup {
    /// The table's row for each key; no row where the key is NULL or not in the table.
    pub fn find<'k>(&self, keys: impl Iterator<Item = Option<&'k str>>) -> IdxCa {
        keys.map(|key| key.and_then(|key| self.rows.get(key).copied())).collect()
    }

    /// A column of the table.
    pub fn column(&self, at: usize) -> &StringChunked {
        &self.table.columns[at]
    }
}

fn lookup(join: &Joined, tables: &[Arc<StoredTable>], scope: &Scope<'_>) -> Option<Lookup> {
    let table = Arc::clone(tables.iter().find(|table| table.name == join.table)?);
    let Tree::Call(equals, sides) = parse(&join.on)? else { return None };
    let [Tree::Name(Some(alias), column), key] = sides.as_slice() else { return None };
    if equals != "=" || !alias.eq_ignore_ascii_case(&join.alias) {
        return None;
    }
    let key = check(key, scope)?;
    // A blank key matches nothing; that is DuckDB's affair too, but needs no table here.
    if key.ty != Ty::Text || matches!(key.node, Node::Field(..)) {
        return None;
    }
    let column = &table.columns[table.position(column)?];
    let mut rows = HashMap::with_capacity(column.len());
    for (at, code) in column.iter().enumerate() {
        let Some(code) = code else { continue };
        // Two rows for one key: DuckDB gives two, and the run ends.
        if rows.insert(code.to_owned(), at as u32).is_some() {
            return None;
        }
    }
    Some(Lookup { alias: join.alias.clone(), table, rows: Arc::new(rows), key })
}
