//! What those are told who load an input: encoder, gate and writers.

use super::error::RunError;
use super::load_one::LoadOne;
use super::request::Mode;
use super::types;
use crate::chunk::Mark;
use crate::flow::Meters;
use crate::load::dead_letter::{self, Letterhead};
use crate::load::encode::Encode;
use crate::load::gate::GatePlan;
use crate::load::ledger::{InputRow, holds_scope, known_keys};
use crate::load::table::{Provenance, Strategy};
use crate::load::target::{KeyQuestion, WritePlan};
use crate::load::{KeySet, Link, LoadError};
use std::collections::BTreeMap;
use std::sync::Arc;

impl LoadOne<'_> {
    /// How rows meet the table; `replaces` are inputs whose rows give way to them.
    pub(super) fn strategy(
        &self,
        con: &dyn Link,
        replaces: &[(String, u32)],
    ) -> Result<Strategy, RunError> {
        let spec = &self.spec;
        Ok(match self.input.mode {
            Mode::Append if replaces.is_empty() => Strategy::Insert,
            // Beside the table, so that nobody sees both or neither.
            Mode::Append => Strategy::Replace,
            Mode::Merge if !holds_scope(con, spec)? => Strategy::Insert,
            Mode::Merge => Strategy::Merge,
            // A second file of the same scope adds to the first one of this run.
            Mode::Replace if self.session.has_loaded(con, spec)? => {
                if spec.key.is_empty() {
                    Strategy::Insert
                } else {
                    Strategy::Merge
                }
            }
            Mode::Replace => Strategy::Replace,
        })
    }

    fn key_columns(&self) -> Vec<String> {
        match self.input.mode {
            Mode::Append => Vec::new(),
            Mode::Merge | Mode::Replace => self.spec.key.clone(),
        }
    }

    pub(super) fn encoder(&self, row: &InputRow) -> Arc<Encode> {
        let lookup = (row.strategy == Strategy::Merge).then(|| {
            self.session.target.lookup(KeyQuestion {
                spec: self.spec.clone(),
                run: row.run.clone(),
                source: self.input.replay.then(|| self.input.origin.label()),
            })
        });
        let not_compared = self.not_compared();
        let renamed = self.input.fitted.renamed.clone();
        Arc::new(Encode { key: self.key_columns(), lookup, not_compared, renamed })
    }

    /// Columns of the table that say the same as one of provenance.
    pub(super) fn repeated(&self) -> BTreeMap<String, String> {
        let mapping = self.input.mapping.as_ref();
        mapping.map(|mapping| mapping.repeated()).unwrap_or_default()
    }

    /// Columns in which equal rows may differ.
    pub(super) fn not_compared(&self) -> Vec<String> {
        let mapping = self.input.mapping.as_ref();
        mapping.map(|mapping| mapping.not_compared()).unwrap_or_default()
    }

    pub(super) fn write_plan(&self, row: &InputRow, meters: &Arc<Meters>) -> WritePlan {
        WritePlan {
            run: row.run.clone(),
            input: row.input,
            spec: self.spec.clone(),
            strategy: row.strategy,
            provenance: Provenance {
                run: row.run.clone(),
                // A resumed input may have come under another name; its rows bear the first one.
                source: row.source.clone(),
                release: self.input.release(),
                loaded_at: self.session.now,
                named: self.repeated(),
            },
            dead: Arc::new(dead_letter::Writer::at(self.failed_file(row))),
            head: Arc::new(self.letterhead(row)),
            refused: Arc::default(),
            cut: self.session.request.cut,
            failed_rows: self.session.request.failed.in_table,
            not_compared: self.not_compared(),
            meters: Arc::clone(meters),
        }
    }

    /// Keys that committed ranges have seen.
    pub(super) fn seen(
        &self,
        con: &dyn Link,
        row: &InputRow,
        meters: &Arc<Meters>,
    ) -> Result<KeySet, RunError> {
        let key = self.key_columns();
        let temp_dir = self.session.request.limits.temp_dir.clone();
        let keys = KeySet::new(self.session.shares.keys, temp_dir);
        if row.ranges.is_empty() || key.is_empty() {
            return Ok(keys);
        }
        let plan = self.write_plan(row, meters);
        Ok(known_keys(con, &plan, &key, keys)?)
    }

    pub(super) fn gate_plan(
        &self,
        row: &InputRow,
        start: Mark,
        write: &WritePlan,
    ) -> Result<GatePlan, LoadError> {
        let request = self.session.request;
        let committed = row.ranges.iter().map(|(from, to)| from.record..to.record);
        let tapers = request.limits.commit_rows.is_none() && request.target.tapers();
        let refuses = self.session.target.refuses_rows(&self.spec)?;
        Ok(GatePlan {
            head: Arc::clone(&write.head),
            input: row.input,
            refused: refuses.then(|| Arc::clone(&write.refused)),
            rank: self.input.rank(),
            group_rows: self.halved(
                request
                    .limits
                    .commit_rows
                    .unwrap_or_else(|| request.target.commit_rows(self.session.shares.groups)),
            ),
            taper: tapers.then(|| self.input.table.extent()),
            committed: committed.filter(|range| range.end > start.record).collect(),
            start,
            before: row.tally,
            max_errors: request.errors.max_errors,
            max_rate: request.errors.max_rate,
            limit: request.limit,
        })
    }

    fn letterhead(&self, row: &InputRow) -> Letterhead {
        Letterhead {
            run: row.run.clone(),
            origin: Arc::clone(&self.input.origin),
            kind: self.input.kind_id(self.session.pack),
            table: self.spec.name.clone(),
            facts: self.facts(),
            headers: self.input.schema.headers.clone(),
            config: row.config.clone(),
        }
    }

    /// What a replay of failed records must know of the input.
    fn facts(&self) -> BTreeMap<String, String> {
        let settled = &self.input.settled;
        let mut facts = BTreeMap::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                facts.insert(name.to_owned(), value);
            }
        };
        add("county", settled.county.map(|county| county.to_string()));
        add("year", settled.year.map(|year| year.to_string()));
        add("release", settled.release.map(|release| release.to_string()));
        add("mapping", self.input.mapping.as_ref().map(|mapping| mapping.name.clone()));
        add("dates", types::orders(self.input));
        add("zone", types::zone(self.input));
        add("floats", types::floats(self.input));
        add("submission", settled.submission.map(|number| number.to_string()));
        facts
    }
}
