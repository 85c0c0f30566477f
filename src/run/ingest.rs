//! `etl ingest`: all inputs of a request, one after the other, into the target.

use super::agents;
use super::error::{RunError, RunErrorKind};
use super::geography;
use super::load_one::{LoadOne, LoadedInput};
use super::memory;
use super::prepare::{Prepared, prepare};
use super::request::Request;
use super::retry::{Commits, with_retries};
use super::summary::{InputSummary, RunStatus, Summary};
use super::whole::Whole;
use crate::chunk::Tally;
use crate::duck::Value;
use crate::flow::{Event, Observer, Stop};
use crate::load::dead_letter;
use crate::load::ledger::{Finish, InputKey, Ledger, RunState, State, replays};
use crate::load::table::{Strategy, TableSpec};
use crate::load::target::Opening;
use crate::load::{Approach, Link, Target};
use crate::pack::Pack;
use crate::source::excel::range::SheetRange;
use std::cell::RefCell;
use std::collections::BTreeSet;
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
    let (inputs, skipped) = prepare(request, &pack, observer)?;
    if let Some(first) = inputs.first() {
        first.table.read_ahead();
    }
    let mut session = Session::open(approach, request, &pack, "ingest", observer, stop)?;
    session.adopt(&inputs)?;
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
}

impl<'a> Session<'a> {
    /// Opens the target.
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
            let (cells, repeated) = (self.request.cells, std::collections::BTreeMap::new());
            let (not_compared, hashes_hold) = (Vec::new(), false);
            let of = Finish {
                con,
                spec: &spec,
                input: row,
                release,
                cells,
                repeated,
                not_compared,
                hashes_hold,
            };
            of.close()?;
            Ledger::new(con).stop_run(
                &row.run,
                RunState::Interrupted,
                "what was committed stays",
            )?;
        }
        Ok(())
    }

    /// Goes on as the run that has left one of the inputs unfinished, or that ended early between
    /// two of them.
    pub fn adopt(&mut self, inputs: &[Prepared]) -> Result<(), RunError> {
        if self.request.fresh {
            return Ok(());
        }
        let con = self.con();
        for input in inputs {
            let ledger = Ledger::new(con);
            let open = match ledger.state(&self.key_of(input))? {
                State::Unfinished(row) => row.run,
                State::Finished(row) if !ledger.is_done(&row.run)? => row.run,
                State::Finished(_) | State::New => continue,
            };
            self.run = open;
            break;
        }
        Ok(())
    }

    /// Remembers that an input of a run was met.
    pub fn touch(&self, run: &str) {
        self.touched.borrow_mut().insert(run.to_owned());
    }

    /// What identifies an input.
    pub fn key_of(&self, input: &Prepared) -> InputKey {
        key_of(self.request, self.pack, input)
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

/// What identifies an input: table, content, and everything that can change a row.
pub fn key_of(request: &Request, pack: &Pack, input: &Prepared) -> InputKey {
    key_as(request, pack, input, &input.release().unwrap_or_default())
}

/// What would identify an input of another release.
pub fn key_as(request: &Request, pack: &Pack, input: &Prepared, release: &str) -> InputKey {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &str| {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    };
    add(&pack.hash);
    add(&input.kind_id(pack));
    add(release);
    add(&format!("{:?} {:?}", input.settled.county, input.mode));
    add(&serde_json::to_string(&*input.schema).unwrap_or_default());
    add(&request.agents.join(","));
    add(&serde_json::to_string(&request.rule_levels).unwrap_or_default());
    if !request.rules.is_empty() {
        add(&serde_json::to_string(&request.rules).unwrap_or_default());
    }
    add(&format!("{:?}", request.limit));
    // Parts of one sheet may have the same columns. Without them nothing is added, so that what was
    // loaded before there were ranges is still known.
    if let Some(SheetRange::Cells { area, .. }) = &request.source.range {
        add(&area.to_string());
    } else if let Some(range) = &request.source.range {
        add(&range.to_string());
    }
    if let Some(mapping) = &input.mapping {
        add(&mapping.text);
    }
    if request.values.no_fix || request.values.keep_raw || !input.cleaning.text.is_empty() {
        add(&format!(
            "{} {} {}",
            request.values.no_fix, request.values.keep_raw, input.cleaning.text
        ));
    }
    if input.locate.is_some() {
        let asked = &request.geography;
        add(&format!("{} {:?} {:?}", asked.loaded.id(), asked.layers, asked.distances));
    }
    if request.cut {
        add("cut");
    }
    if !request.values.masks.is_empty() {
        let key = request.values.mask_key.as_ref().map(|key| key.id());
        add(&format!("{:?} {key:?}", request.values.masks));
    }
    if let Some(table) = &request.source.excel_table {
        add(&table.to_lowercase());
    }
    InputKey {
        table: input.spec.name.clone(),
        fingerprint: input.origin.fingerprint,
        sheet: input.origin.sheet().map(str::to_owned),
        config: hasher.finalize().to_hex()[..32].to_owned(),
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
