//! `etl ingest`: all inputs of a request, one after the other, into the target.

use super::agents;
use super::dates;
use super::error::{Reach, RunError, RunErrorKind};
use super::fit::fit;
use super::geography;
use super::grown;
use super::inputs::{Aside, Bad, Inputs, all_bad};
use super::load_one::{LoadOne, LoadedInput};
use super::memory;
use super::named;
use super::prepare::{Prepared, prepare};
use super::presence::Presences;
use super::previous::sheets_left;
use super::request::{Mode, Request};
use super::retry::{Commits, with_retries};
use super::standing::{Replaced, Standing, Wanted, outdated};
use super::summary::{InputSummary, RunStatus, Summary};
use super::types;
use super::whole::Whole;
use crate::chunk::Tally;
use crate::duck::Value;
use crate::flow::{Event, Observer, Stop};
use crate::load::ledger::{InputRow, InputState, KnownInput, Ledger, PastInput, RunState};
use crate::load::table::TableSpec;
use crate::load::target::Opening;
use crate::load::{Approach, Link, Target};
use crate::pack::Pack;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Loads the request's inputs.
pub fn ingest(
    request: &Request,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Summary, RunError> {
    let started = Instant::now();
    let pack = load_pack(&request.pack)?;
    let request = &*named::settled(request)?;
    let request = &*geography::opened(request, &pack)?;
    let approach = approach(request);
    let Inputs { ready: mut inputs, mut aside } = prepare(request, &pack, observer)?;
    if let Some(first) = inputs.first() {
        first.table.read_ahead();
    }
    let opened = Session::open(approach, request, &pack, "ingest", observer, stop);
    let mut session = match opened {
        Ok(session) => session,
        Err(error) => return Err(with_bad(error, aside.bad)),
    };
    session.fit(&mut inputs, &mut aside.bad)?;
    session.set_up(&inputs)?;
    session.adopt(&mut inputs)?;
    let outcome = session.load_all(&inputs, &mut aside.bad);
    let summaries = match outcome {
        Ok(summaries) => summaries,
        Err(error) => return Err(session.give_up(with_bad(error, aside.bad))),
    };
    let status = match summaries.iter().all(|input| input.already_loaded_by.is_some()) {
        _ if !aside.bad.is_empty() => RunStatus::Partial,
        true => RunStatus::AlreadyLoaded,
        false => RunStatus::Done,
    };
    let summary = summarize(&session, request, summaries, aside, status, started);
    session.close(&summary)?;
    Ok(summary)
}

/// An error that ends a run in which inputs were bad before.
fn with_bad(mut error: RunError, mut bad: Vec<Bad>) -> RunError {
    bad.sort_by_key(|bad| bad.place);
    error.also.extend(bad.iter().map(Bad::told));
    error
}

/// Sets out for the target: a load has a connection for its ledger, one for the lock of its table, and one
/// for each writer.
pub fn approach(request: &Request) -> Approach<'_> {
    request.target.approach(2 + memory::shares(request).writers)
}

/// The pack by name or folder.
pub fn load_pack(name: &str) -> Result<Pack, RunError> {
    let path = Path::new(name);
    let pack = if path.is_dir() { Pack::from_dir(path) } else { Pack::embedded(name) };
    pack.map_err(|error| {
        RunError::new(RunErrorKind::Usage, format!("the pack `{name}` cannot be used: {error}"))
    })
}

/// What the inputs of a run share.
pub struct Session<'a> {
    /// The request.
    pub request: &'a Request,
    /// The pack.
    pub pack: &'a Pack,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// The flag.
    pub stop: &'a Stop,
    /// The target.
    pub target: Box<dyn Target>,
    /// The connection for the ledger.
    link: Box<dyn Link>,
    /// Commits so far.
    pub commits: Commits,
    /// Division of memory.
    pub shares: memory::Shares,
    /// SQL engine of the agents.
    pub engine: crate::stage::Engine,
    /// Id of a new run; an unfinished input that is resumed keeps its own.
    pub run: String,
    /// Start, microseconds UTC.
    pub now: i64,
    /// Facts about all inputs.
    pub whole: Whole,
    /// Runs whose inputs were met: more than one where earlier runs had left inputs unfinished.
    touched: RefCell<BTreeSet<String>>,
    /// Tables that were held.
    pub tables: RefCell<BTreeSet<String>>,
    /// What was found of inputs before the first was loaded, by their position.
    pub found: RefCell<Vec<(usize, String)>>,
    /// Name of the command, for the ledger.
    pub command: &'static str,
    /// Inputs that this process has begun: their entries in the ledger.
    begun: RefCell<BTreeMap<usize, (String, u32)>>,
    /// What was found out about rows that were loaded earlier.
    pub presences: Presences,
    /// Inputs of a replace that are loaded and are to be loaded anew.
    anew: BTreeSet<usize>,
}

impl<'a> Session<'a> {
    /// Opens the target. Its ledger stays as it is until [`Session::set_up`].
    pub fn open(
        target: Approach<'_>,
        request: &'a Request,
        pack: &'a Pack,
        command: &'static str,
        observer: &'a dyn Observer,
        stop: &'a Stop,
    ) -> Result<Self, RunError> {
        let shares = memory::shares(request);
        let temp_dir = request.limits.temp_dir.clone();
        let opening = Opening { memory: shares.target, temp_dir };
        let target = target.open(&opening)?;
        let link = target.link()?;
        Ok(Self {
            request,
            pack,
            observer,
            stop,
            target,
            link,
            commits: Commits::default(),
            shares,
            engine: agents::engine(pack),
            run: ulid::Ulid::generate().to_string(),
            now: chrono::Utc::now().timestamp_micros(),
            command,
            whole: Whole::default(),
            touched: RefCell::default(),
            tables: RefCell::default(),
            found: RefCell::default(),
            begun: RefCell::default(),
            presences: Presences::default(),
            anew: BTreeSet::new(),
        })
    }

    /// The connection for the ledger.
    pub fn con(&self) -> &dyn Link {
        &*self.link
    }

    /// Fits the inputs to their tables. With --keep-going those that do not fit are left out.
    fn fit(&self, inputs: &mut Vec<Prepared>, bad: &mut Vec<Bad>) -> Result<(), RunError> {
        let misfits = fit(inputs, self.con(), self.request.changes)?;
        for (at, error) in misfits.into_iter().rev() {
            if !self.request.keep_going {
                return Err(error);
            }
            let input = inputs.remove(at);
            bad.push(Bad { place: input.place, input: input.origin.label(), error });
        }
        Ok(())
    }

    /// Looks up all inputs before the first is loaded: refuses those that may not be loaded, and goes on
    /// as the run that has left one of them unfinished, or that ended early between two of them.
    pub fn adopt(&mut self, inputs: &mut [Prepared]) -> Result<(), RunError> {
        if self.request.fresh {
            return Ok(());
        }
        grown::take_over(self, inputs)?;
        self.found.borrow_mut().extend(sheets_left(self.con(), self.request, inputs)?);
        let mut standings = Vec::new();
        for input in inputs.iter() {
            let wanted = self.wanted(input);
            let standing = self.standing(&wanted)?;
            // With --keep-going it is refused when its turn comes.
            let refused = self.refusal(&wanted, &standing)?.filter(|_| !self.request.keep_going);
            if let Some(refused) = refused {
                return Err(refused);
            }
            standings.push(standing);
        }
        if let Some(open) = self.open_run(inputs, &standings)? {
            self.run = open;
        }
        let replaces = inputs.iter().zip(&standings).enumerate();
        let replaces = replaces.filter_map(|(at, (input, known))| Replaced::of(at, input, known));
        let replaces: Vec<_> = replaces.collect();
        let ledger = Ledger::new(&*self.link);
        self.anew = outdated(&replaces, &self.run, |table, scope| ledger.within(table, scope))?;
        for (at, (input, standing)) in inputs.iter_mut().zip(&standings).enumerate() {
            match standing {
                Standing::Unfinished(KnownInput { types: Some(types), .. }) => {
                    types::restore(input, types);
                }
                Standing::Loaded(KnownInput { types: Some(types), .. }, _) => {
                    let told = dates::contradicted(input, types);
                    self.found.borrow_mut().extend(told.into_iter().map(|told| (at, told)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A run that has left one of the inputs unfinished, or that has ended early between two of them.
    fn open_run(
        &self,
        inputs: &[Prepared],
        standings: &[Standing],
    ) -> Result<Option<String>, RunError> {
        let ledger = Ledger::new(self.con());
        let mut done = BTreeSet::new();
        for standing in standings {
            let run = match standing {
                Standing::Unfinished(known) => &known.row.run,
                Standing::Loaded(known, _) if !done.contains(&known.row.run) => &known.row.run,
                _ => continue,
            };
            let is_open = matches!(standing, Standing::Unfinished(_)) || !ledger.is_done(run)?;
            if !is_open {
                done.insert(run.clone());
                continue;
            }
            // Rows are found by run and source: a run cannot load two contents of one path.
            let past = ledger.inputs(run)?;
            let is_other = |input: &Prepared| {
                let (label, print) = (input.origin.label(), input.origin.fingerprint.to_string());
                let stands = |past: &PastInput| past.status != InputState::RolledBack;
                let mut past = past.iter().filter(|past| stands(past));
                past.any(|past| past.label() == label && past.fingerprint != print)
            };
            return Ok((!inputs.iter().any(is_other)).then(|| run.clone()));
        }
        Ok(None)
    }

    /// An input with what it is known by.
    pub fn wanted<'i>(&'i self, input: &'i Prepared) -> Wanted<'i> {
        Wanted::new(self.request, self.pack, input, self.con().schema())
    }

    /// What the ledger knows of an input.
    pub fn standing(&self, wanted: &Wanted<'_>) -> Result<Standing, RunError> {
        Ok(wanted.standing(Ledger::new(self.con()).of_content(&wanted.key)?))
    }

    /// Why an input may not be loaded, where that is so.
    pub fn refusal(
        &self,
        wanted: &Wanted<'_>,
        standing: &Standing,
    ) -> Result<Option<RunError>, RunError> {
        let rows = match standing {
            Standing::Appended(known, _) => Ledger::new(self.con()).rows_of(&known.row)?,
            _ => 0,
        };
        Ok(wanted.refusal(standing, rows))
    }

    /// Whether an input of a replace that was loaded is to be loaded anew.
    pub fn is_outdated(&self, index: usize) -> bool {
        self.anew.contains(&index)
    }

    /// Remembers that this process has begun an input.
    pub fn begin(&self, index: usize, row: &InputRow) {
        self.begun.borrow_mut().insert(index, (row.run.clone(), row.input));
    }

    /// The entry of an input that this process has begun: its run and position.
    pub fn begun(&self, index: usize) -> Option<(String, u32)> {
        self.begun.borrow().get(&index).cloned()
    }

    /// Remembers that an input of a run was met.
    pub fn touch(&self, run: &str) {
        self.touched.borrow_mut().insert(run.to_owned());
    }

    /// Number for a new input of this run.
    pub fn next_input(&self, con: &dyn Link) -> Result<u32, RunError> {
        Ok(Ledger::new(con).next_input(&self.run)?)
    }

    /// Whether this run has begun another input of the same table and scope.
    pub fn has_loaded(&self, con: &dyn Link, spec: &TableSpec) -> Result<bool, RunError> {
        let scope = spec.scope_sql();
        let sql = format!(
            "SELECT count(*) FROM {} WHERE _etl_run = ? AND {scope}",
            con.table(&spec.name)
        );
        Ok(con.number(&sql, &[Value::from(self.run.as_str())])? > 0)
    }

    /// Folder of the failed-record files: as asked, else beside the target.
    pub fn failed_dir(&self) -> PathBuf {
        let beside = || self.request.target.folder().to_owned();
        self.request.failed.folder.clone().unwrap_or_else(beside)
    }

    /// Loads inputs one after the other. One that fails ends the run, or joins the `bad` ones where the
    /// others are wanted all the same and it alone is concerned.
    pub fn load_all(
        &self,
        inputs: &[Prepared],
        bad: &mut Vec<Bad>,
    ) -> Result<Vec<InputSummary>, RunError> {
        let mut summaries = Vec::new();
        for index in 0..inputs.len() {
            if let Some(cause) = self.stop.cause() {
                return Err(RunError::new(RunErrorKind::Interrupted(cause), "interrupted"));
            }
            summaries.push(match self.load_one(inputs, index) {
                Ok(summary) => Some(summary),
                Err(error) if self.request.keep_going && error.reach == Reach::Input => {
                    bad.push(self.passed_over(inputs, index, error)?);
                    None
                }
                Err(error) => return Err(error),
            });
        }
        bad.sort_by_key(|bad| bad.place);
        if !inputs.is_empty() && summaries.iter().all(Option::is_none) {
            let error = all_bad(std::mem::take(bad));
            return Err(error.unwrap_or_else(|| RunError::usage("no input was loaded")));
        }
        super::cross::check(self, inputs, &mut summaries)?;
        super::whole::conclude(self, inputs, &mut summaries)?;
        Ok(summaries.into_iter().flatten().collect())
    }

    fn load_one(&self, inputs: &[Prepared], index: usize) -> Result<InputSummary, RunError> {
        let attempts = self.request.retry_attempts;
        let loaded = with_retries(attempts, &self.commits, self.observer, self.stop, |this| {
            let one = LoadOne::new(self, inputs, index)?;
            let loaded = one.in_parts(this.halvings).run()?;
            // The answer to the last COMMIT never came, but it was done.
            Ok(if this.again { loaded.of_run(&self.run) } else { loaded })
        })?;
        match &loaded {
            LoadedInput::Already(summary) => {
                let run = summary.already_loaded_by.as_deref().unwrap_or_default();
                self.observer.on(&Event::AlreadyLoaded { origin: &inputs[index].origin, run });
            }
            LoadedInput::Loaded(summary) => {
                self.observer.on(&Event::InputFinished { input: index, tally: &summary.tally });
            }
        }
        Ok(loaded.into_summary())
    }

    /// Goes on behind an input that has failed. What it has committed stays and is gone on with by the next
    /// run, but for what was to replace others: finished later, it would replace what is loaded now.
    fn passed_over(
        &self,
        inputs: &[Prepared],
        index: usize,
        mut error: RunError,
    ) -> Result<Bad, RunError> {
        let input = &inputs[index];
        if input.mode == Mode::Replace && LoadOne::new(self, inputs, index)?.let_go()? {
            error.kept = Some("nothing of it is in the table".into());
        }
        let label = input.origin.label();
        self.observer.on(&Event::Warning(&format!("{label} is left out: {error}")));
        Ok(Bad { place: input.place, input: label, error })
    }

    /// Makes again what was set aside of the tables that were held.
    fn restore(&self) -> Result<(), RunError> {
        let tables = self.tables.borrow();
        tables.iter().try_for_each(|table| Ok(self.con().restore(table)?))
    }

    /// Leaves word in the ledger that the run ended early. What is committed stays, and the same
    /// command goes on from there; only an exceeded budget may ask for a rollback, which is done
    /// where the input is known.
    pub fn give_up(&self, mut error: RunError) -> RunError {
        let state = match error.kind {
            RunErrorKind::Interrupted(_) => RunState::Interrupted,
            RunErrorKind::ErrorBudget => RunState::OverBudget,
            _ => RunState::Failed,
        };
        let note = |session: &Self| -> Result<(), RunError> {
            Ok(Ledger::new(session.con()).stop_run(&session.run, state, &error.message)?)
        };
        // Who stops by hand wants no index built first; the next load makes them.
        if !matches!(error.kind, RunErrorKind::Interrupted(_))
            && let Err(failed) = self.restore()
        {
            error.hints.push(format!("indexes that were set aside are not there yet: {failed}"));
        }
        if note(self).is_err() {
            error.hints.push("the ledger could not be told that the run has ended".into());
        }
        error
    }

    /// Ends the run in the ledger, with its summary.
    pub fn close(&self, summary: &Summary) -> Result<(), RunError> {
        let ledger = Ledger::new(self.con());
        let text = serde_json::to_string(summary).unwrap_or_default();
        for run in self.touched.borrow().iter() {
            // A run that was killed at its very end is done now, too.
            if !ledger.is_done(run)? && !ledger.has_unfinished(run)? {
                ledger.complete_run(run, (*run == self.run).then_some(text.as_str()))?;
            }
        }
        if let Some(first) = summary.failed_inputs.first() {
            let (bad, good) = (summary.failed_inputs.len(), summary.inputs.len());
            let error = format!("{bad} of {} inputs failed, first {}", bad + good, first.message);
            ledger.end_in_part(&self.run, &text, &error)?;
        }
        self.restore()?;
        if matches!(summary.status, RunStatus::Done | RunStatus::Partial) {
            self.con().settle(None, 0)?;
        }
        Ok(())
    }
}

/// The summary of a run.
pub fn summarize(
    session: &Session<'_>,
    request: &Request,
    inputs: Vec<InputSummary>,
    aside: Aside,
    status: RunStatus,
    started: Instant,
) -> Summary {
    let mut tally = Tally::default();
    inputs.iter().for_each(|input| tally += input.tally);
    Summary {
        run: session.run.clone(),
        status,
        target: request.target.to_string(),
        tally,
        inputs,
        skipped: aside.skipped,
        warnings: aside.warnings,
        failed_inputs: aside.bad.iter().map(Bad::told).collect(),
        error: None,
        retries: session.commits.retries(),
        peak_memory: memory::peak(),
        memory_limit: request.limits.memory,
        seconds: started.elapsed().as_secs_f64(),
    }
}
