//! In which table the rolls of a kind are: that of the pack, or the one that they were loaded into under
//! another name, which the ledger knows.

use super::error::RunError;
use crate::duck::Value;
use crate::load::Link;
use crate::load::ledger::schema::Columns;
use crate::load::ledger::{InputState, has_ledger};
use crate::pack::{Kind, Pack};
use std::collections::BTreeMap;

/// Tables by the names that the pack gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollTables(BTreeMap<String, String>);

/// What was loaded into a table.
type Loaded = Vec<(String, String)>;

impl RollTables {
    /// Finds them. `asked` names some, each by its kind or by the name that the pack has for its table.
    pub fn find(con: &dyn Link, pack: &Pack, asked: &[(String, String)]) -> Result<Self, RunError> {
        let loaded = loaded(con)?;
        for (kind, table) in asked {
            let known = |known: &&Kind| known.id == *kind || known.table == *kind;
            if !pack.kinds.iter().any(|kind| known(&kind)) {
                let kinds: Vec<_> = pack.kinds.iter().map(|kind| kind.id.as_str()).collect();
                return Err(RunError::usage(format!(
                    "`{kind}` is no kind of the pack {}",
                    pack.name
                ))
                .with_hint(format!("its kinds are {}", kinds.join(", "))));
            }
            if con.columns(table)?.is_empty() {
                return Err(
                    RunError::usage(format!("there is no table {table}")).with_hint(told(&loaded))
                );
            }
        }
        let mut tables = BTreeMap::new();
        for kind in &pack.kinds {
            let named = asked.iter().find(|(name, _)| *name == kind.id || *name == kind.table);
            let table = match named {
                Some((_, table)) => table.clone(),
                None => of_kind(con, kind, &loaded)?,
            };
            tables.insert(kind.table.clone(), table);
        }
        Ok(Self(tables))
    }

    /// The table that stands for one of the pack.
    pub fn of<'t>(&'t self, table: &'t str) -> &'t str {
        self.0.get(table).map_or(table, String::as_str)
    }

    /// SQL in which `{name:parcels}` is the name of a table as a text.
    pub fn named(&self, sql: &str) -> String {
        let put = |sql: String, (table, name): (&String, &String)| {
            sql.replace(&format!("{{name:{table}}}"), &crate::stage::literal(name))
        };
        self.0.iter().fold(sql.to_owned(), put)
    }
}

/// Tables that hold something, each with the kind of it.
fn loaded(con: &dyn Link) -> Result<Loaded, RunError> {
    if !has_ledger(con)? {
        return Ok(Vec::new());
    }
    let schema = Columns::of(con)?.since_2("\"schema\"");
    let sql = format!(
        "SELECT DISTINCT \"table\", kind FROM etl.inputs WHERE status IN (?, ?) \
         AND coalesce({schema}, ?) = ? ORDER BY 1, 2"
    );
    let (done, running) = (InputState::Done.name(), InputState::Running.name());
    let rows = con.query(&sql, &[done, running, con.schema(), con.schema()].map(Value::from))?;
    Ok(rows.rows.iter().map(|row| (row[0].to_string(), row[1].to_string())).collect())
}

/// The pack's own table where it is there; else the one that files of the kind were loaded into.
fn of_kind(con: &dyn Link, kind: &Kind, loaded: &Loaded) -> Result<String, RunError> {
    if !con.columns(&kind.table)?.is_empty() {
        return Ok(kind.table.clone());
    }
    let mut others = Vec::new();
    for (table, _) in loaded.iter().filter(|(_, of)| *of == kind.id) {
        if !con.columns(table)?.is_empty() {
            others.push(table.clone());
        }
    }
    match others.as_slice() {
        [] => Ok(kind.table.clone()),
        [only] => Ok(only.clone()),
        several => {
            let told = format!("{} rolls are in several tables: {}", kind.id, several.join(", "));
            Err(RunError::usage(told)
                .with_hint(format!("say which: --rolls {}={}", kind.id, several[0])))
        }
    }
}

/// What is there, for whom looks for something else.
pub fn there(con: &dyn Link) -> Result<String, RunError> {
    Ok(told(&loaded(con)?))
}

fn told(loaded: &Loaded) -> String {
    let table = |(table, kind): &(String, String)| format!("{table} ({kind})");
    match loaded.as_slice() {
        [] => "nothing was loaded yet".into(),
        some => format!("loaded are {}", some.iter().map(table).collect::<Vec<_>>().join(", ")),
    }
}
