//! Code tables beside a formula: for each row of a chunk the row of the table that matches.

use super::check::{Node, Scope, Ty, Typed, check};
use super::coded::Coded;
use super::parse::{Tree, parse};
use super::values::Texts;
use crate::stage::{Joined, StoredTable};
use hashbrown::HashMap;
use polars::prelude::{ChunkTake, IdxCa, Schema};
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
        let lookups = &Self::default();
        let scope = Scope { schema, made: Vec::new(), missing, lookups, tables };
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
    pub fn find(&self, rows: usize, keys: &Texts) -> Found {
        let row = |key: Option<&str>| self.rows.get(key?).copied();
        match keys {
            Texts::All(key) => Found::All(row(key.as_deref())),
            Texts::Coded(keys) => {
                let each = keys.each().iter().map(|key| row(key.as_deref())).collect();
                Found::Coded(keys.clone(), each)
            }
            keys => Found::Each((0..rows).map(|at| row(keys.get(at))).collect()),
        }
    }

    /// What a column of the table holds in the rows that were found.
    pub fn texts(&self, column: usize, found: &Found) -> Option<Texts> {
        let column = &self.table.columns[column];
        let text = |row: Option<u32>| column.get(row? as usize);
        Some(match found {
            Found::All(row) => Texts::All(text(*row).map(Into::into)),
            Found::Coded(keys, each) => {
                Texts::coded(keys.replaced(each.iter().map(|row| text(*row))))
            }
            Found::Each(rows) => {
                let taken = column.take(rows).ok()?;
                Texts::of(taken.rechunk().downcast_iter().next().cloned()?)
            }
        })
    }
}

/// The rows of a table that match those of a chunk.
#[derive(Debug)]
pub(super) enum Found {
    /// The same for all.
    All(Option<u32>),
    /// One for each different key.
    Coded(Coded, Vec<Option<u32>>),
    Each(IdxCa),
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
