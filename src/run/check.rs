//! `etl check`: everything but the load. The same agents, the same gate, a writer that keeps only
//! the account.

use super::agents;
use super::error::{Reach, RunError};
use super::geography;
use super::ingest::load_pack;
use super::inputs::{Bad, Inputs};
use super::memory;
use super::named;
use super::passage::Passage;
use super::prepare::{Prepared, prepare};
use super::problems::{from_notes, sort};
use super::request::{Mode, Request};
use super::summary::{InputSummary, ProblemSummary, RunStatus, Summary};
use super::whole::Whole;
use crate::chunk::{Mark, Notes, Tally};
use crate::flow::{Event, MeterReading, Meters, Observer, Stop};
use crate::load::dead_letter::Letterhead;
use crate::load::encode::Encode;
use crate::load::gate::{Gate, GatePlan};
use crate::load::{KeySet, LoadError, Piece, Seal, Writer};
use crate::pack::Pack;
use crate::stage::{Engine, StageSpec};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Rows after which the account of a check is put down.
const GROUP_ROWS: u64 = 122_880;
/// Most rows of a chunk.
const CHUNK_ROWS: usize = 50_000;

/// Checks the request's inputs without a target.
pub fn check(request: &Request, observer: &dyn Observer, stop: &Stop) -> Result<Summary, RunError> {
    let started = Instant::now();
    let pack = load_pack(&request.pack)?;
    let request = &named::without_target(request)?;
    let request = &*geography::opened(request, &pack)?;
    let Inputs { ready: inputs, mut aside } = prepare(request, &pack, observer)?;
    let engine = agents::engine(&pack);
    let whole = Whole::default();
    let mut summaries: Vec<Option<InputSummary>> = Vec::new();
    let checker = Checker { request, pack: &pack, engine: &engine, stop, whole: &whole };
    for index in 0..inputs.len() {
        summaries.push(match checker.one(&inputs, index, observer) {
            Ok(summary) => Some(summary),
            Err(error) if request.keep_going && error.reach == Reach::Input => {
                let input = &inputs[index];
                aside.bad.push(Bad { place: input.place, input: input.origin.label(), error });
                None
            }
            Err(error) => return Err(error),
        });
    }
    if request.limit.is_none() {
        for (place, notes) in whole.conclusion(&inputs) {
            let Some(summary) = &mut summaries[place] else { continue };
            summary.problems.extend(from_notes(&notes));
            sort(&mut summary.problems);
        }
    }
    let summaries: Vec<_> = summaries.into_iter().flatten().collect();
    aside.bad.sort_by_key(|bad| bad.place);
    let mut tally = Tally::default();
    summaries.iter().for_each(|input| tally += input.tally);
    Ok(Summary {
        run: String::new(),
        status: RunStatus::Checked,
        target: String::new(),
        tally,
        inputs: summaries,
        skipped: aside.skipped,
        warnings: aside.warnings,
        failed_inputs: aside.bad.iter().map(Bad::told).collect(),
        error: None,
        retries: 0,
        peak_memory: memory::peak(),
        memory_limit: request.limits.memory,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Names of the agents of a run, in flow order.
pub fn agent_names(request: &Request, input: &Prepared) -> Vec<&'static str> {
    let known = [crate::validate::NAME, crate::transform::NAME, crate::enrich::NAME];
    let chosen = request.agents.iter();
    let mut names = vec!["read"];
    names.extend((!input.masks.columns.is_empty()).then_some(crate::transform::mask::NAME));
    names.extend((!input.cleaning.recipes.is_empty()).then_some(crate::transform::clean::NAME));
    if !agents::has(request, crate::validate::NAME) {
        names.push(crate::validate::TYPES);
    }
    names.extend(chosen.filter_map(|name| known.iter().find(|known| *known == name).copied()));
    names.extend(input.locate.as_ref().map(|_| "locate"));
    names.push("load");
    names
}

/// What is known of an input before its rows.
pub fn describe(input: &Prepared, pack: &Pack) -> InputSummary {
    let kind = input.kind(pack);
    let county = input.settled.county.and_then(|number| pack.counties.by_number(number));
    InputSummary {
        input: input.origin.label(),
        fingerprint: input.origin.fingerprint.to_string(),
        kind: input.kind_id(pack),
        plain: kind.map_or_else(|| "a table of no known kind".into(), |kind| kind.plain.clone()),
        county: county.map(|county| county.name.clone()),
        year: input.settled.year,
        release: input.release(),
        schema: None,
        table: input.spec.name.clone(),
        mode: input.mode,
        tally: Tally::default(),
        replaced: 0,
        problems: Vec::new(),
        warnings: input.warnings.iter().chain(&input.reading.told).cloned().collect(),
        failed_file: None,
        agents: Vec::new(),
        facts: Vec::new(),
        resumed_from: None,
        already_loaded_by: None,
        bytes: input.table.extent().bytes.unwrap_or(0),
        seconds: 0.0,
    }
}

/// Runs the agents over an input and keeps the account.
pub struct Checker<'a> {
    /// The request.
    pub request: &'a Request,
    /// The pack.
    pub pack: &'a Pack,
    /// SQL engine of the agents.
    pub engine: &'a Engine,
    /// The flag.
    pub stop: &'a Stop,
    /// Facts about all inputs.
    pub whole: &'a Whole,
}

/// What was found.
pub struct Checked {
    /// The account.
    pub tally: Tally,
    /// Trouble by kind.
    pub problems: Vec<ProblemSummary>,
    /// Agents.
    pub agents: Vec<MeterReading>,
    /// What they have counted.
    pub facts: Vec<(String, u64)>,
}

impl Checker<'_> {
    /// Checks the input at `index`, and tells of it.
    fn one(
        &self,
        inputs: &[Prepared],
        index: usize,
        observer: &dyn Observer,
    ) -> Result<InputSummary, RunError> {
        let (input, begun) = (&inputs[index], Instant::now());
        let meters = Meters::new(agent_names(self.request, input));
        observer.on(&Event::InputStarted {
            input: index,
            of: inputs.len(),
            origin: &input.origin,
            table: "nowhere: check",
            bytes: input.table.extent().bytes,
            resumed_from: None,
            meters: Arc::clone(&meters),
        });
        self.whole.turn_to(index);
        let checked = self.run(input, self.request.limit, &meters)?;
        observer.on(&Event::InputFinished { input: index, tally: &checked.tally });
        let mut summary = describe(input, self.pack);
        summary.tally = checked.tally;
        summary.problems = checked.problems;
        summary.agents = checked.agents;
        summary.facts = checked.facts;
        summary.seconds = begun.elapsed().as_secs_f64();
        Ok(summary)
    }

    /// The first `limit` records, or all.
    pub fn run(
        &self,
        input: &Prepared,
        limit: Option<u64>,
        meters: &Arc<Meters>,
    ) -> Result<Checked, RunError> {
        let mut stages = agents::agents(self.request, self.pack, input, self.engine, self.whole)?;
        agents::rehearse(&stages, input)?;
        let key = if input.mode == Mode::Append { Vec::new() } else { input.spec.key.clone() };
        let renamed = input.fitted.renamed.clone();
        let encode = Encode { key, lookup: None, not_compared: Vec::new(), renamed };
        stages.push(Arc::new(Arc::new(encode)) as Arc<dyn StageSpec>);
        let shares = memory::shares(self.request);
        let found = Arc::new(Mutex::new((Tally::default(), Notes::default())));
        let writers: Vec<Box<dyn Writer>> = vec![Box::new(Keep { found: Arc::clone(&found) })];
        let plan_of_gate = self.gate_plan(input, limit);
        let keys = KeySet::new(shares.keys, self.request.limits.temp_dir.clone());
        let mut gate = Gate::new(plan_of_gate, writers, keys, Arc::clone(meters));
        let passage = Passage {
            request: self.request,
            shares: &shares,
            input,
            stages: &stages,
            chunk_rows: self.request.limits.chunk_rows.unwrap_or(CHUNK_ROWS),
            meters,
            stop: self.stop,
        };
        passage.run(Mark::default(), &mut gate)?;
        gate.finish()?;
        let (tally, mut notes) =
            std::mem::take(&mut *found.lock().unwrap_or_else(|p| p.into_inner()));
        if limit.is_none() {
            notes.merge(agents::findings(&stages, input));
        }
        let (problems, facts) = (from_notes(&notes), agents::facts(&stages));
        Ok(Checked { tally, problems, agents: meters.readings(), facts })
    }

    fn gate_plan(&self, input: &Prepared, limit: Option<u64>) -> GatePlan {
        GatePlan {
            head: Arc::new(Letterhead {
                run: "check".into(),
                origin: Arc::clone(&input.origin),
                kind: input.kind_id(self.pack),
                table: input.spec.name.clone(),
                facts: BTreeMap::new(),
                headers: input.schema.headers.clone(),
                config: String::new(),
            }),
            input: 0,
            refused: None,
            rank: input.rank(),
            group_rows: GROUP_ROWS,
            taper: None,
            committed: Vec::new(),
            start: Mark::default(),
            before: Tally::default(),
            max_errors: self.request.errors.max_errors,
            max_rate: self.request.errors.max_rate,
            limit,
        }
    }
}

/// A writer that keeps only what the ledger would.
struct Keep {
    found: Arc<Mutex<(Tally, Notes)>>,
}

impl Writer for Keep {
    fn write(&mut self, _piece: Piece) -> Result<(), LoadError> {
        Ok(())
    }

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        let mut found = self.found.lock().unwrap_or_else(|p| p.into_inner());
        found.0 += seal.tally;
        found.1.merge(seal.notes);
        Ok(())
    }
}
