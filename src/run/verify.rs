//! `etl verify`: reads the source of a run once more and compares it with the target, row by row.
//!
//! The same agents make the same rows with the same hashes; each key is looked up as a load would. So it
//! finds what was changed, deleted or added in the table behind the ledger's back, and a file that is
//! no longer the one that was loaded. Nothing is written.
//!
//! Under other rules of values the same source makes other hashes. So an input that was loaded under older ones is
//! compared cell by cell (`cells`), as is one whose table keeps no hashes.

mod cells;
mod hashes;
mod one;

use cells::{ByCells, Sides};
pub use cells::{CellDifference, RuleDifference};
use hashes::Compare;
use one::{Held, One};

use super::agents;
use super::error::{RunError, RunErrorKind};
use super::fit::fit_all;
use super::geography;
use super::history;
use super::ingest::load_pack;
use super::memory::{self, Shares};
use super::named;
use super::passage::Passage;
use super::prepare::{Prepared, prepare};
use super::request::Request;
use super::standing::{Relation, Wanted};
use super::types;
use super::value_rules::ValueRules;
use super::whole::Whole;
use crate::chunk::{Mark, ReadColumn};
use crate::duck::Value;
use crate::flow::{Consumer, Event, Meters, Observer, Stop};
use crate::load::encode::Encode;
use crate::load::ledger::{InputState, Ledger, PastInput, has_provenance, replays};
use crate::load::stored::{self, Compared};
use crate::load::target::{Changes, KeyQuestion};
use crate::load::{KeySet, Link, LoadError, Target, rehash};
use crate::pack::Pack;
use crate::stage::{Engine, StageSpec};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Rows of a chunk.
const CHUNK_ROWS: usize = 50_000;
/// The same where cells are compared: rows of the table are held beside them.
const CHUNK_ROWS_BY_CELLS: usize = 4_096;
/// Rows that are named of each kind of difference.
const EXAMPLES: usize = 5;

/// What a run has left in the target, beside its sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The run.
    pub run: String,
    /// Everything is as it should be.
    pub holds: bool,
    /// Its inputs.
    pub inputs: Vec<VerifiedInput>,
}

/// One input of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifiedInput {
    /// As the ledger names it.
    pub input: String,
    /// Where its rows went.
    pub table: String,
    /// Rows of the source.
    pub read: u64,
    /// Rows that the table holds as the source has them.
    pub same: u64,
    /// Rows in whose place a later run has put others.
    pub later: u64,
    /// Rows that are refused, by a rule or by the target; repeated ones among them are not counted.
    pub refused: u64,
    /// Rows whose key stands in an earlier row.
    pub repeated: u64,
    /// Version of the rules of values under which it was loaded.
    pub rules: u32,
    /// Rows that differ from the source only because rules of values have changed since: no fault.
    pub by_rules: u64,
    /// Their cells, by change.
    pub changes: Vec<RuleDifference>,
    /// Rows of which the table has nothing.
    pub missing: u64,
    /// Rows that the table holds with other content, though no run of ours has written it.
    pub different: u64,
    /// Rows that bear this input and are not in it.
    pub extra: u64,
    /// Rows of this input whose cells are no longer those that their hash was made of.
    pub altered: u64,
    /// Numbers of the first rows that are missing, different or altered.
    pub rows: Vec<u64>,
    /// What does not hold, in words; empty where all does.
    pub wrong: Vec<String>,
}

/// Compares a run (`latest`: the newest) with its sources: those of the request, or where it names none,
/// those that the ledger names.
pub fn verify(
    request: &Request,
    run: &str,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Verified, RunError> {
    verify_under(request, run, &ValueRules::current(), observer, stop)
}

/// The same with other rules of values than those of the program: for tests of the list of changes.
pub fn verify_under(
    request: &Request,
    run: &str,
    rules: &ValueRules,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Verified, RunError> {
    let pack = load_pack(&request.pack)?;
    let request = &*named::settled(request)?;
    let shares = memory::shares(request);
    let run = history::find(&request.target, run)?;
    // A run is compared with the tables that it has loaded into, whatever schema is the first here.
    let target = request.target.in_schema(run.schema.as_deref()).look_there(shares.target)?;
    let con = target.link()?;
    if run.command == replays::COMMAND {
        let told =
            format!("run {} has replayed failed records; it has no source of its own", run.run);
        return Err(RunError::new(RunErrorKind::Usage, told)
            .with_hint("verify the run whose records they were"));
    }
    let past = Ledger::new(&*con).inputs(&run.run)?;
    let mut request = request.clone();
    if request.inputs.is_empty() {
        let paths: BTreeSet<_> = past.iter().map(|past| file_of(&past.path)).collect();
        request.inputs = paths.into_iter().collect();
    }
    let request = geography::opened(&request, &pack)?;
    let mut inputs = prepare(&request, &pack, observer)?.ready;
    // Nothing is added to the table; what would be is missing there.
    fit_all(&mut inputs, &*con, Changes { evolve: true, ..Changes::default() })?;
    for input in &mut inputs {
        let past = past.iter().find(|past| is_source(input, past));
        if let Some(mode) = past.and_then(|past| past.mode) {
            input.mode = mode;
        }
    }
    let engine = agents::engine(&pack);
    let (request, pack, con) = (&request, &pack, &*con);
    let verifier = Verifier { request, pack, engine, shares, target, con, rules, observer, stop };
    let of = past.len();
    let verified = past.iter().enumerate().map(|(at, past)| {
        let input = inputs.iter_mut().find(|input| is_source(input, past));
        verifier.one(&run.run, past, input, (at, of))
    });
    let inputs = verified.collect::<Result<Vec<_>, _>>()?;
    let holds = inputs.iter().all(|input| input.wrong.is_empty());
    Ok(Verified { run: run.run, holds, inputs })
}

/// The file that a member of an archive lies in, or the path itself.
fn file_of(path: &str) -> String {
    let file = Path::new(path).ancestors().find(|file| file.is_file());
    file.map_or_else(|| path.to_owned(), |file| file.display().to_string())
}

fn is_source(input: &Prepared, past: &PastInput) -> bool {
    input.origin.fingerprint.to_string() == past.fingerprint
        && input.origin.sheet() == past.sheet.as_deref()
        && input.spec.name == past.table
}

struct Verifier<'a> {
    request: &'a Request,
    pack: &'a Pack,
    engine: Engine,
    shares: Shares,
    target: Box<dyn Target>,
    con: &'a dyn Link,
    rules: &'a ValueRules,
    observer: &'a dyn Observer,
    stop: &'a Stop,
}

impl Verifier<'_> {
    fn one(
        &self,
        run: &str,
        past: &PastInput,
        input: Option<&mut Prepared>,
        place: (usize, usize),
    ) -> Result<VerifiedInput, RunError> {
        let mut found =
            VerifiedInput { input: past.label(), table: past.table.clone(), ..Default::default() };
        if past.status != InputState::Done {
            match past.status {
                InputState::Running => {
                    found.wrong.push("it is unfinished: the same command goes on with it".into());
                }
                InputState::RolledBack => found.wrong.push("its rows were deleted".into()),
                InputState::Replaced | InputState::Done => {}
            }
            return Ok(found);
        }
        let Some(input) = input else {
            found.wrong.push(
                "its source is not among the inputs: the file has changed, or lies elsewhere"
                    .into(),
            );
            return Ok(found);
        };
        self.refuse_other_settings(past, input)?;
        if !has_provenance(self.con, &past.table)? {
            found.wrong.push(format!("table {} with its rows is gone", past.table));
            return Ok(found);
        }
        if let Some(known) = Ledger::new(self.con).at(run, past.input)? {
            found.rules = known.rules;
            self.refuse_newer(&found)?;
            // The file alone, or by other rules, might give other types than those that its rows have.
            match known.types {
                Some(types) => types::restore(input, &types),
                None if known.rules < self.rules.version => {
                    types::restore(input, &types_there(input, self.con)?);
                }
                None => {}
            }
        }
        let one = One { run, past, input, place };
        let held = self.held(&one)?;
        let compared = Compared::of(self.con, &input.spec, &not_compared(input))?;
        // Without a key nobody knows which rows the target has refused.
        let is_unsure = held.by_target > 0 && !one.has_key();
        if found.rules < self.rules.version || !compared.has_hash || is_unsure {
            self.by_cells(&one, &compared, &held, &mut found)?;
        } else {
            self.by_hashes(&one, &held, &mut found)?;
        }
        judge(past, &held, &mut found);
        Ok(found)
    }

    /// Other settings would make other rows. What an older program has loaded is compared even where its
    /// hash cannot be made any more: whatever differs is then told.
    fn refuse_other_settings(&self, past: &PastInput, input: &Prepared) -> Result<(), RunError> {
        let wanted = Wanted::new(self.request, self.pack, input, self.con.schema());
        let (identity, release) = (past.identity.as_deref(), past.release.as_deref());
        let told = match wanted.relation(identity, &past.config, release, true) {
            Relation::Same => return Ok(()),
            Relation::Unknown if input.kind.is_none() => return Ok(()),
            Relation::Other(differences) => {
                let named: Vec<_> = differences.iter().map(ToString::to_string).collect();
                format!("{} was loaded with other settings: {}", past.label(), named.join("; "))
            }
            Relation::Unknown | Relation::Elsewhere => {
                format!("{} was loaded with other settings", past.label())
            }
        };
        Err(RunError::new(RunErrorKind::Usage, told)
            .with_hint("give the flags, rules and pack of that load"))
    }

    /// Rules that this program does not know cannot be held against its own.
    fn refuse_newer(&self, found: &VerifiedInput) -> Result<(), RunError> {
        let (loaded, known) = (found.rules, self.rules.version);
        if loaded <= known {
            return Ok(());
        }
        let told = format!(
            "{} was loaded by a newer etl: its values follow version {loaded} of the rules, and this program \
             knows version {known}",
            found.input
        );
        Err(RunError::new(RunErrorKind::Usage, told).with_hint("verify it with the newer program"))
    }

    /// Sends the rows of the source through the agents of the load to `consumer`.
    fn pass<C>(&self, one: &One<'_>, chunk_rows: usize, consumer: &mut C) -> Result<(), RunError>
    where
        C: Consumer<Error = LoadError>,
    {
        let (request, input) = (self.request, one.input);
        let meters = Meters::new(super::check::agent_names(request, input));
        self.observer.on(&Event::InputStarted {
            input: one.place.0,
            of: one.place.1,
            origin: &input.origin,
            table: &one.past.table,
            bytes: input.table.extent().bytes,
            resumed_from: None,
            meters: Arc::clone(&meters),
        });
        let key = if one.has_key() { input.spec.key.clone() } else { Vec::new() };
        let lookup = one.has_key().then(|| {
            let (spec, source) = (input.spec.clone(), Some(one.past.label()));
            self.target.lookup(KeyQuestion { spec, run: one.run.to_owned(), source })
        });
        let mut stages =
            agents::agents(request, self.pack, input, &self.engine, &Whole::default())?;
        agents::rehearse(&stages, input)?;
        let (not_compared, renamed) = (not_compared(input), input.fitted.renamed.clone());
        let encode = Arc::new(Encode { key, lookup, not_compared, renamed });
        stages.push(Arc::new(encode) as Arc<dyn StageSpec>);
        let passage = Passage {
            request,
            shares: &self.shares,
            input,
            stages: &stages,
            chunk_rows: request.limits.chunk_rows.map_or(chunk_rows, |rows| rows.min(chunk_rows)),
            meters: &meters,
            stop: self.stop,
        };
        passage.run(Mark::default(), consumer)
    }

    fn keys(&self) -> KeySet {
        KeySet::new(self.shares.keys, self.request.limits.temp_dir.clone())
    }

    /// Compares rows by their hashes, as a load would.
    fn by_hashes(
        &self,
        one: &One<'_>,
        held: &Held,
        found: &mut VerifiedInput,
    ) -> Result<(), RunError> {
        let mut compared = Compare::new(self.keys(), one.input.rank(), self.request.limit);
        self.pass(one, CHUNK_ROWS, &mut compared)?;
        compared.tell(found);
        if one.has_key() {
            found.extra = held.rows.saturating_sub(compared.ours);
            let by_target = held.by_target.min(found.missing);
            found.refused += by_target;
            found.missing -= by_target;
        } else {
            let table = self.con.table(&one.past.table);
            self.judge_sums(&one.own(), &table, &compared, held.rows + held.rewritten, found)?;
        }
        self.rehash(one, found)
    }

    /// Compares rows cell by cell.
    fn by_cells(
        &self,
        one: &One<'_>,
        compared: &Compared,
        held: &Held,
        found: &mut VerifiedInput,
    ) -> Result<(), RunError> {
        let sides = Sides {
            input: one.input,
            compared,
            rules: self.rules,
            under: found.rules,
            has_key: one.has_key(),
            limit: self.request.limit,
            refused: one.past.tally.rejected,
            by_target: held.by_target,
            rewritten: held.rewritten,
        };
        let counted = stored::beside(&*self.target, compared, &one.own(), |rows| {
            let mut cells = ByCells::new(sides, rows, self.keys());
            self.pass(one, CHUNK_ROWS_BY_CELLS, &mut cells)?;
            Ok::<_, RunError>(cells.end())
        })?;
        let (input, table) = (std::mem::take(&mut found.input), std::mem::take(&mut found.table));
        *found = VerifiedInput { input, table, rules: found.rules, ..counted };
        if compared.has_hash { self.rehash(one, found) } else { Ok(()) }
    }

    /// What the table and the ledger have of the input.
    fn held(&self, one: &One<'_>) -> Result<Held, RunError> {
        let (own, table) = (one.own(), self.con.table(&one.past.table));
        let sql = format!("SELECT count(*) FROM {table} WHERE _etl_run = ? AND _etl_source = ?");
        let rows = self.con.number(&sql, &own)?;
        let rewritten = self.con.number(
            "SELECT coalesce(sum(rows), 0)::BIGINT FROM etl.rewritten WHERE run = ? AND source = ?",
            &own,
        )?;
        let by_target = Ledger::new(self.con).refused_by_target(one.run, one.past.input)?;
        Ok(Held { rows, rewritten, by_target })
    }

    /// Hashes the rows of the table anew. Texts that were cut have the hash of the whole.
    fn rehash(&self, one: &One<'_>, found: &mut VerifiedInput) -> Result<(), RunError> {
        if self.request.cut {
            return Ok(());
        }
        let (input, own) = (one.input, one.own());
        let altered = rehash::altered(self.con, &input.spec, &not_compared(input), &own, EXAMPLES)?;
        if let Some((count, rows)) = altered {
            found.altered = count;
            found.rows.extend(rows);
        }
        Ok(())
    }

    /// Rows without a key are compared as a whole: their number, and the sum of their hashes.
    fn judge_sums(
        &self,
        own: &[Value],
        table: &str,
        compared: &Compare,
        loaded: u64,
        found: &mut VerifiedInput,
    ) -> Result<(), RunError> {
        let (mut rows, mut sum) = (0u64, 0u128);
        let sql = format!("SELECT _etl_hash FROM {table} WHERE _etl_run = ? AND _etl_source = ?");
        self.con.query_each(&sql, own, &mut |_, hashes| {
            for hash in &hashes {
                if let Value::Uuid(hash) = hash[0] {
                    (rows, sum) = (rows + 1, sum.wrapping_add(hash));
                }
            }
            ControlFlow::Continue(())
        })?;
        found.later = loaded.saturating_sub(rows);
        found.same = if found.later == 0 && sum == compared.sum { rows } else { 0 };
        found.missing = compared.kept.saturating_sub(loaded);
        found.extra = rows.saturating_sub(compared.kept);
        if found.later == 0 && rows == compared.kept && sum != compared.sum {
            found
                .wrong
                .push("the rows are as many, but their content is not that of the source".into());
        }
        Ok(())
    }
}

/// What does not hold, beside what the ledger says and the table holds.
fn judge(past: &PastInput, held: &Held, found: &mut VerifiedInput) {
    let (claimed, Held { rows, rewritten, .. }) = (past.tally.inserted + past.tally.updated, held);
    let mut wrong = |holds: bool, told: String| {
        if !holds {
            found.wrong.push(told);
        }
    };
    wrong(
        found.read == past.tally.read,
        format!("rows of the source: {}; the ledger has {}", found.read, past.tally.read),
    );
    wrong(
        rows + rewritten == claimed,
        format!(
            "the ledger has {claimed} rows inserted or updated, {rewritten} of them rewritten since; \
             the table holds {rows}"
        ),
    );
    let counts = [
        (found.missing, "missing in the table"),
        (found.different, "other than in the source, and no run of etl has written them"),
        (found.altered, "changed by somebody: their cells are not those of their hash"),
        (found.extra, "of this input by their name and not in the source"),
    ];
    for (count, told) in counts.into_iter().filter(|(count, _)| *count > 0) {
        found.wrong.push(format!("rows {told}: {count}"));
    }
}

/// Columns in which equal rows may differ.
fn not_compared(input: &Prepared) -> Vec<String> {
    input.mapping.as_ref().map(|mapping| mapping.not_compared()).unwrap_or_default()
}

/// Types of the columns of an input as its table has them, in the form in which the ledger keeps types.
fn types_there(input: &Prepared, con: &dyn Link) -> Result<String, RunError> {
    let there = con.columns(&input.spec.name)?;
    let column = |column: &ReadColumn| {
        let name = input.fitted.name(&column.name);
        let (_, ty) = there.iter().find(|(known, _)| known == name)?;
        Some((column.name.clone(), ty.clone()))
    };
    let types: BTreeMap<_, _> = input.schema.columns.iter().filter_map(column).collect();
    Ok(serde_json::to_string(&types).unwrap_or_default())
}
