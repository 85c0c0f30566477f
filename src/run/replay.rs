//! Failed records as inputs: the kind, county, year and release that their run knew, bound anew by
//! the pack of today.

use super::bind::bind_roll;
use super::error::{RunError, RunErrorKind};
use super::fit::{columns_for, fit_all};
use super::identify::flag_facts;
use super::prepare::{Prepared, changes_of_values, generic};
use super::request::{Mode, Request};
use super::types;
use crate::chunk::{ColumnKind, Origin};
use crate::load::dead_letter::ReplayTable;
use crate::load::ledger::replays;
use crate::load::{Link, TableName};
use crate::pack::{Pack, Release, Settled};
use crate::source::{Table, infer};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

/// Name of the format.
const FORMAT: &str = "failed records";

/// What a replay needs besides its records.
pub struct Preparer<'a> {
    /// The request.
    pub request: &'a Request,
    /// The pack.
    pub pack: &'a Pack,
    /// The target.
    pub con: &'a dyn Link,
}

impl Preparer<'_> {
    /// The records of one input, as an input.
    pub fn prepare(&self, replay: &ReplayTable) -> Result<Prepared, RunError> {
        let named = self.request.table.as_ref().map(|table| table.table().to_owned());
        let name = named.unwrap_or_else(|| replay.target().to_owned());
        let name = self.con.find_table(&name)?.unwrap_or(name);
        let prepared = match replay.kind() {
            "generic" => self.generic(replay, name)?,
            kind => self.roll(replay, kind, name)?,
        };
        let facts = replay.input_facts();
        let mut prepared = prepared;
        types::as_before(&mut prepared, facts.get("dates"), facts.get("floats"));
        prepared.time_zone = fact(facts, "zone").or(prepared.time_zone);
        let mut prepared = [prepared];
        fit_all(&mut prepared, self.con, self.request.changes)?;
        let [prepared] = prepared;
        // What is to be said about the file was said when it was loaded.
        Ok(Prepared { warnings: Vec::new(), replay: true, ..prepared })
    }

    fn roll(&self, replay: &ReplayTable, kind: &str, name: String) -> Result<Prepared, RunError> {
        let Some(at) = self.pack.kinds.iter().position(|known| known.id == kind) else {
            let label = replay.origin().label();
            let message = format!("{label}: the pack does not know the type `{kind}` of its rows");
            return Err(RunError::new(RunErrorKind::Usage, message)
                .with_hint("give the pack that the file was loaded with: --pack"));
        };
        let mut request = self.request.clone();
        request.table = Some(TableName::plain(name));
        let mapping = replay.input_facts().get("mapping").cloned();
        request.mapping = request.mapping.or(mapping);
        let settled = self.settled(replay)?;
        let table = Arc::new(replay.clone());
        let origin = origin(replay);
        let why = "its records say so".to_owned();
        bind_roll(table, origin, FORMAT, at, why, settled, Vec::new(), &request, self.pack)
    }

    /// What the first run knew; flags fill in what it did not.
    fn settled(&self, replay: &ReplayTable) -> Result<Settled, RunError> {
        let facts = replay.input_facts();
        let flags = flag_facts(self.request, self.pack)?;
        Ok(Settled {
            kind: Some(replay.kind().to_owned()),
            county: fact(facts, "county").or(flags.county),
            year: fact(facts, "year").or(flags.year),
            release: fact::<Release>(facts, "release").or(flags.release),
            submission: fact(facts, "submission").or(flags.submission),
            ..Settled::default()
        })
    }

    /// Types are those of the table; only where there is none yet, the records decide.
    fn generic(&self, replay: &ReplayTable, name: String) -> Result<Prepared, RunError> {
        let known = self.con.columns(&name)?;
        let kinds = if known.is_empty() {
            let found = infer::infer(replay, self.request.limits.threads)?;
            found.into_iter().map(|column| column.kind).collect()
        } else {
            let kind = |column: &String| {
                let found = known.iter().find(|(name, _)| name == column);
                found.and_then(|(_, ty)| ColumnKind::from_duckdb(ty)).unwrap_or(ColumnKind::Text)
            };
            let columns = columns_for(self.con, &name, replay.headers())?;
            columns.iter().map(kind).collect::<Vec<_>>()
        };
        let table = Arc::new(replay.clone());
        let mut input = generic(table, origin(replay), FORMAT, name, &kinds, Mode::Append);
        changes_of_values(&mut input, self.request, self.pack, None)?;
        Ok(input)
    }

    /// Records may not be replayed beside an unfinished load of the same table, which counts on
    /// being alone.
    pub fn refuse_busy(&self, input: &Prepared) -> Result<(), RunError> {
        let table = &input.spec.name;
        match replays::busy(self.con, table)? {
            None => Ok(()),
            Some(run) => Err(RunError::new(
                RunErrorKind::Usage,
                format!("run {run} has begun to load into table {table} and is not finished"),
            )
            .with_hint("finish it first: the same `etl ingest` command goes on with it")),
        }
    }
}

/// The input as it was named, so that rows keep their source, with the content of the records.
pub fn origin(replay: &ReplayTable) -> Arc<Origin> {
    let first = replay.origin();
    Arc::new(Origin {
        path: first.path.clone(),
        part: first.part.clone(),
        fingerprint: replay.fingerprint(),
    })
}

fn fact<T: FromStr>(facts: &BTreeMap<String, String>, name: &str) -> Option<T> {
    facts.get(name)?.parse().ok()
}
