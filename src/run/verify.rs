//! `etl verify`: reads the source of a run once more and compares it with the target, row by row.
//!
//! The same agents make the same rows with the same hashes; each key is looked up as a load would. So it
//! finds what was changed, deleted or added in the table behind the ledger's back, and a file that is
//! no longer the one that was loaded. Nothing is written.

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
use super::request::{Mode, Request};
use super::standing::{Relation, Wanted};
use super::whole::Whole;
use crate::chunk::{Chunk, Existing, Mark};
use crate::duck::Value;
use crate::flow::{Consumer, Event, Meters, Observer, Stop};
use crate::load::encode::Encode;
use crate::load::ledger::{InputState, Ledger, PastInput, has_provenance, replays};
use crate::load::target::{Changes, KeyQuestion};
use crate::load::{KeySet, Link, LoadError, LoadErrorKind, Target, cut_off, rehash};
use crate::pack::Pack;
use crate::stage::{Engine, StageSpec};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Rows of a chunk.
const CHUNK_ROWS: usize = 50_000;
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
    let verifier = Verifier { request, pack, engine, shares, target, con, observer, stop };
    let of = past.len();
    let verified = past.iter().enumerate().map(|(at, past)| {
        let input = inputs.iter().find(|input| is_source(input, past));
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
    observer: &'a dyn Observer,
    stop: &'a Stop,
}

impl Verifier<'_> {
    fn one(
        &self,
        run: &str,
        past: &PastInput,
        input: Option<&Prepared>,
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
        let compared = self.compare(run, past, input, place)?;
        self.judge(run, past, input, &compared, &mut found)?;
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

    /// Reads the source and asks for each of its keys.
    fn compare(
        &self,
        run: &str,
        past: &PastInput,
        input: &Prepared,
        (at, of): (usize, usize),
    ) -> Result<Compare, RunError> {
        let request = self.request;
        let meters = Meters::new(super::check::agent_names(request, input));
        self.observer.on(&Event::InputStarted {
            input: at,
            of,
            origin: &input.origin,
            table: &past.table,
            bytes: input.table.extent().bytes,
            resumed_from: None,
            meters: Arc::clone(&meters),
        });
        let key = if input.mode == Mode::Append { Vec::new() } else { input.spec.key.clone() };
        let lookup = (!key.is_empty()).then(|| {
            let (spec, source) = (input.spec.clone(), Some(past.label()));
            self.target.lookup(KeyQuestion { spec, run: run.to_owned(), source })
        });
        let mapping = input.mapping.as_ref();
        let not_compared = mapping.map(|mapping| mapping.not_compared()).unwrap_or_default();
        let mut stages =
            agents::agents(request, self.pack, input, &self.engine, &Whole::default())?;
        agents::rehearse(&stages, input)?;
        let renamed = input.fitted.renamed.clone();
        let encode = Arc::new(Encode { key, lookup, not_compared, renamed });
        stages.push(Arc::new(encode) as Arc<dyn StageSpec>);
        let seen = KeySet::new(self.shares.keys, request.limits.temp_dir.clone());
        let mut compare = Compare::new(seen, input.rank(), request.limit);
        let passage = Passage {
            request,
            shares: &self.shares,
            input,
            stages: &stages,
            chunk_rows: request.limits.chunk_rows.unwrap_or(CHUNK_ROWS),
            meters: &meters,
            stop: self.stop,
        };
        passage.run(Mark::default(), &mut compare)?;
        Ok(compare)
    }

    /// Beside what the ledger says and the table holds.
    fn judge(
        &self,
        run: &str,
        past: &PastInput,
        input: &Prepared,
        compared: &Compare,
        found: &mut VerifiedInput,
    ) -> Result<(), RunError> {
        let own = [Value::from(run), Value::from(past.label())];
        let table = self.con.table(&past.table);
        let held = format!("SELECT count(*) FROM {table} WHERE _etl_run = ? AND _etl_source = ?");
        let held = self.con.number(&held, &own)?;
        let rewritten = self.con.number(
            "SELECT coalesce(sum(rows), 0)::BIGINT FROM etl.rewritten WHERE run = ? AND source = ?",
            &own,
        )?;
        let by_target = past.tally.rejected.saturating_sub(compared.refused);
        compared.tell(found);
        if input.mode == Mode::Append || input.spec.key.is_empty() {
            self.judge_sums(&own, &table, compared, held + rewritten, found)?;
        } else {
            found.extra = held.saturating_sub(compared.ours);
            found.refused += found.missing.min(by_target);
            found.missing -= found.missing.min(by_target);
        }
        self.rehash(input, &own, found)?;
        let claimed = past.tally.inserted + past.tally.updated;
        let mut wrong = |holds: bool, told: String| {
            if !holds {
                found.wrong.push(told);
            }
        };
        wrong(
            compared.read == past.tally.read,
            format!("rows of the source: {}; the ledger has {}", compared.read, past.tally.read),
        );
        wrong(
            held + rewritten == claimed,
            format!(
                "the ledger has {claimed} rows inserted or updated, {rewritten} of them rewritten since; \
                 the table holds {held}"
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
        Ok(())
    }

    /// Hashes the rows of the table anew. Texts that were cut have the hash of the whole.
    fn rehash(
        &self,
        input: &Prepared,
        own: &[Value],
        found: &mut VerifiedInput,
    ) -> Result<(), RunError> {
        let mapping = input.mapping.as_ref();
        let not_compared = mapping.map(|mapping| mapping.not_compared()).unwrap_or_default();
        if self.request.cut {
            return Ok(());
        }
        let altered = rehash::altered(self.con, &input.spec, &not_compared, own, EXAMPLES)?;
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
        if found.later == 0 && rows == compared.kept && sum != compared.sum {
            found
                .wrong
                .push("the rows are as many, but their content is not that of the source".into());
        }
        Ok(())
    }
}

/// Takes the rows of the source in order, each with what the target holds under its key.
struct Compare {
    seen: KeySet,
    rank: i64,
    /// As many records of the source were loaded at most.
    limit: Option<u64>,
    read: u64,
    kept: u64,
    refused: u64,
    repeated: u64,
    same: u64,
    later: u64,
    missing: u64,
    different: u64,
    /// Keys whose row in the table is of this input.
    ours: u64,
    /// Of the hashes of all kept rows.
    sum: u128,
    rows: Vec<u64>,
}

impl Compare {
    fn new(seen: KeySet, rank: i64, limit: Option<u64>) -> Self {
        let (read, kept, refused, repeated) = (0, 0, 0, 0);
        let (same, later, missing, different, ours) = (0, 0, 0, 0, 0);
        let (sum, rows) = (0, Vec::new());
        Self {
            seen,
            rank,
            limit,
            read,
            kept,
            refused,
            repeated,
            same,
            later,
            missing,
            different,
            ours,
            sum,
            rows,
        }
    }

    fn row(&mut self, place: u64, hash: u128, found: Option<&Existing>) {
        self.ours += u64::from(found.is_some_and(|found| found.this_run && found.row.is_some()));
        match found {
            Some(found) if found.hash == hash => self.same += 1,
            Some(found) if found.rank > self.rank || !found.this_run => self.later += 1,
            Some(_) => self.different += 1,
            None => self.missing += 1,
        }
        let wrong = self.missing + self.different;
        if wrong > self.rows.len() as u64 && self.rows.len() < EXAMPLES {
            self.rows.push(place);
        }
    }

    fn tell(&self, found: &mut VerifiedInput) {
        (found.read, found.same, found.later) = (self.read, self.same, self.later);
        (found.refused, found.repeated) = (self.refused, self.repeated);
        (found.missing, found.different) = (self.missing, self.different);
        found.rows = self.rows.clone();
    }
}

impl Consumer for Compare {
    type Error = LoadError;

    fn take(&mut self, mut chunk: Chunk) -> Result<(), LoadError> {
        if let Some(limit) = self.limit {
            cut_off(&mut chunk, limit.saturating_sub(self.read));
        }
        self.read += u64::from(chunk.records);
        self.refused += chunk.rejects.len() as u64;
        self.kept += chunk.hashes.len() as u64;
        let mut existing = chunk.existing.iter().peekable();
        for (row, hash) in chunk.hashes.iter().enumerate() {
            self.sum = self.sum.wrapping_add(*hash);
            let Some(key) = chunk.keys.get(row) else { continue };
            let found = existing.next_if(|(at, _)| *at as usize == row).map(|(_, found)| found);
            let place = chunk.raw.place(chunk.index[row]).row;
            match self.seen.insert(*key, place)? {
                Some(_) => self.repeated += 1,
                None => self.row(place, *hash, found),
            }
        }
        match self.limit {
            Some(limit) if self.read >= limit => {
                Err(LoadError::new(LoadErrorKind::Enough, "enough rows"))
            }
            _ => Ok(()),
        }
    }
}
