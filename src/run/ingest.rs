//! `etl ingest`: all inputs of a request, one after the other, into the target.

use super::agents;
use super::error::{RunError, RunErrorKind};
use super::fit::fit;
use super::geography;
use super::load_one::{LoadOne, LoadedInput};
use super::memory;
use super::prepare::{Prepared, prepare};
use super::request::Request;
use super::retry::{Commits, with_retries};
use super::standing::{Replaced, Standing, Wanted, outdated};
use super::summary::{InputSummary, RunStatus, Summary};
use super::types;
use super::whole::Whole;
use crate::chunk::Tally;
use crate::duck::Value;
use crate::flow::{Event, Observer, Stop};
use crate::load::dead_letter;
use crate::load::ledger::{
    Finish, InputRow, InputState, KnownInput, Ledger, PastInput, RunState, replays, schema,
};
use crate::load::table::{Strategy, TableSpec};
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
    let request = &*geography::opened(request, &pack)?;
    let approach = approach(request);
    let (mut inputs, skipped) = prepare(request, &pack, observer)?;
    if let Some(first) = inputs.first() {
        first.table.read_ahead();
    }
    let target = open(approach, request)?;
    let con = target.link()?;
    fit(&mut inputs, &*con, request.changes)?;
    refuse_other_rules(&*con, request, &pack, &inputs)?;
    drop(con);
    let mut session = Session::open(target, request, &pack, "ingest", observer, stop)?;
    session.adopt(&mut inputs)?;
    let outcome = session.load_all(&inputs);
    let (summaries, status) = match outcome {
        Ok(summaries) => {
            let already = summaries.iter().all(|input| input.already_loaded_by.is_some());
            (summaries, if already { RunStatus::AlreadyLoaded } else { RunStatus::Done })
        }
        Err(error) => return Err(session.give_up(error)),
    };
    let summary = summarize(&session, request, summaries, skipped, status, started);
    session.close(&summary)?;
    Ok(summary)
}

/// Sets out for the target: a load has a connection for its ledger, one for the lock of its table, and one
/// for each writer.
pub fn approach(request: &Request) -> Approach<'_> {
    request.target.approach(2 + memory::shares(request).writers)
}

/// The target, with its ledger as it is.
pub fn open(approach: Approach<'_>, request: &Request) -> Result<Box<dyn Target>, RunError> {
    let memory = memory::shares(request).target;
    let temp_dir = request.limits.temp_dir.clone();
    Ok(approach.open(&Opening { memory, temp_dir })?)
}

/// E502 for an input that was begun under other rules of values, before the ledger is brought up to date: the
/// program that has begun it can still go on with it.
fn refuse_other_rules(
    con: &dyn Link,
    request: &Request,
    pack: &Pack,
    inputs: &[Prepared],
) -> Result<(), RunError> {
    let version = schema::version(con)?;
    if request.fresh || version == 0 || version >= schema::VERSION {
        return Ok(());
    }
    for input in inputs {
        let wanted = Wanted::new(request, pack, input, con.schema());
        let standing = wanted.standing(Ledger::new(con).of_content(&wanted.key)?);
        let is_other = matches!(standing, Standing::OtherRules(_));
        if let Some(refused) = wanted.refusal(&standing, 0).filter(|_| is_other) {
            return Err(refused);
        }
    }
    Ok(())
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
    /// Name of the command, for the ledger.
    pub command: &'static str,
    /// Inputs that this process has begun: their entries in the ledger.
    begun: RefCell<BTreeMap<usize, (String, u32)>>,
    /// Inputs of a replace that are loaded and are to be loaded anew.
    anew: BTreeSet<usize>,
}

impl<'a> Session<'a> {
    /// Begins to load into a target, with its ledger up to date.
    pub fn open(
        target: Box<dyn Target>,
        request: &'a Request,
        pack: &'a Pack,
        command: &'static str,
        observer: &'a dyn Observer,
        stop: &'a Stop,
    ) -> Result<Self, RunError> {
        let shares = memory::shares(request);
        target.prepare_ledger()?;
        let link = target.link()?;
        let session = Self {
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
            begun: RefCell::default(),
            anew: BTreeSet::new(),
        };
        session.close_stopped_replays()?;
        Ok(session)
    }

    /// The connection for the ledger.
    pub fn con(&self) -> &dyn Link {
        &*self.link
    }

    /// Ends replays that were stopped with what they have committed. Each of their records stands
    /// for itself, so nothing depends on the rest, which the next replay takes up; and whatever is
    /// loaded now must not come between a count of rows and its check.
    fn close_stopped_replays(&self) -> Result<(), RunError> {
        let con = self.con();
        for stopped in replays::stopped(con)? {
            let row = &stopped.row;
            self.target.hold(&stopped.table)?;
            if let Some(file) = &row.failed_file {
                let committed = Ledger::new(con).range_ids(&row.run)?;
                dead_letter::recover(Path::new(file), |range| committed.contains(range))?;
            }
            let kind = self.pack.kind(&stopped.kind);
            if kind.is_none() && row.strategy == Strategy::Merge {
                let message = format!("the pack no longer knows the type `{}`", stopped.kind);
                return Err(RunError::new(RunErrorKind::Usage, message)
                    .with_hint(format!("give the pack that run {} was started with", row.run)));
            }
            let spec = TableSpec {
                name: stopped.table.clone(),
                columns: Vec::new(),
                key: kind.map(|kind| kind.key.clone()).unwrap_or_default(),
                scope: Vec::new(),
                minimal: false,
            };
            let release = stopped.release.clone();
            Finish { con, spec: &spec, input: row, release }.close()?;
            Ledger::new(con).stop_run(
                &row.run,
                RunState::Interrupted,
                "what was committed stays",
            )?;
        }
        Ok(())
    }

    /// Looks up all inputs before the first is loaded: refuses those that may not be loaded, and goes on
    /// as the run that has left one of them unfinished, or that ended early between two of them.
    pub fn adopt(&mut self, inputs: &mut [Prepared]) -> Result<(), RunError> {
        if self.request.fresh {
            return Ok(());
        }
        let mut standings = Vec::new();
        for input in inputs.iter() {
            let wanted = self.wanted(input);
            let standing = self.standing(&wanted)?;
            if let Some(refused) = self.refusal(&wanted, &standing)? {
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
        for (input, standing) in inputs.iter_mut().zip(&standings) {
            if let Standing::Unfinished(KnownInput { types: Some(types), .. }) = standing {
                types::restore(input, types);
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

    /// Loads inputs one after the other.
    pub fn load_all(&self, inputs: &[Prepared]) -> Result<Vec<InputSummary>, RunError> {
        let mut summaries = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            if let Some(cause) = self.stop.cause() {
                return Err(RunError::new(RunErrorKind::Interrupted(cause), "interrupted"));
            }
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
                    self.observer.on(&Event::AlreadyLoaded { origin: &input.origin, run });
                }
                LoadedInput::Loaded(summary) => {
                    self.observer.on(&Event::InputFinished { input: index, tally: &summary.tally });
                }
            }
            summaries.push(loaded.into_summary());
        }
        super::cross::check(self, inputs, &mut summaries)?;
        super::whole::conclude(self, inputs, &mut summaries)?;
        Ok(summaries)
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
        self.restore()?;
        if summary.status == RunStatus::Done {
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
    skipped: Vec<String>,
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
        skipped,
        error: None,
        retries: session.commits.retries(),
        peak_memory: memory::peak(),
        memory_limit: request.limits.memory,
        seconds: started.elapsed().as_secs_f64(),
    }
}
