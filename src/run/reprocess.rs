//! Replays refused rows: a run of its own, through the same agents, with the pack and the rules of
//! today.
//!
//! The ledger decides what is left to replay: it names each record that a replay has used up, in the
//! transaction that commits the record's range. Failed-record files follow it, before a replay (for
//! what a stopped one has left behind) and after it, so a stop at any point neither loads a row
//! twice nor loses one. A row that fails again is in the file of this run, with its attempts
//! counted; the file that it came from loses it. What an earlier replay has refused under the same
//! configuration and what says the same as then is not tried again, so twice is a no-op.

use super::error::{RunError, RunErrorKind};
use super::failures;
use super::geography;
use super::identity::legacy_configs;
use super::ingest::{Session, approach, load_pack, summarize};
use super::inputs::Aside;
use super::named;
use super::prepare::{Prepared, in_load_order};
use super::replay::{Preparer, origin};
use super::request::{Mode, OnAbort, Request};
use super::summary::{RunStatus, Summary};
use crate::flow::{Observer, Stop};
use crate::load::Link;
use crate::load::dead_letter::{self, FailedFile, Replay, ReplayRow, ReplayTable, SUFFIX};
use crate::load::ledger::Ledger;
use crate::load::ledger::replays::{self, Used};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What to replay.
#[derive(Debug, Clone, PartialEq)]
pub enum ReprocessSource {
    /// The refused rows of a run.
    Run(String),
    /// Failed-record files or corrected sheets; `latest`: the newest run that has refused rows.
    Files(Vec<String>),
    /// Every failed-record file of the target.
    All,
}

/// A replay as asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ReprocessRequest {
    /// Settings.
    pub request: Request,
    /// What to replay.
    pub what: ReprocessSource,
}

/// What came of an attempt to replay.
enum Attempt {
    /// It is over.
    Done(Box<Summary>),
    /// All records belong into this schema, and the user has named none.
    Elsewhere(String),
}

/// Replays refused rows: into the schema that they were loaded for, where the user names none.
pub fn reprocess(
    asked: &ReprocessRequest,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Summary, RunError> {
    let home = match attempt(asked, observer, stop)? {
        Attempt::Done(summary) => return Ok(*summary),
        Attempt::Elsewhere(home) => home,
    };
    let target = asked.request.target.in_schema(Some(&home));
    let request = Request { target, ..asked.request.clone() };
    match attempt(&ReprocessRequest { request, what: asked.what.clone() }, observer, stop)? {
        Attempt::Done(summary) => Ok(*summary),
        Attempt::Elsewhere(home) => {
            let told = format!("the schema of the failed records has changed to {home}");
            Err(RunError::usage(told).with_hint("give the same command again"))
        }
    }
}

fn attempt(
    asked: &ReprocessRequest,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Attempt, RunError> {
    let started = Instant::now();
    let request = for_replay(&asked.request)?;
    let pack = load_pack(&request.pack)?;
    let request = named::settled(&request)?;
    let request = geography::opened(&request, &pack)?;
    let target = approach(&request);
    let session = Session::open(target, &request, &pack, replays::COMMAND, observer, stop)?;
    session.set_up(&[])?;
    let con = session.con();
    let found = Found::of(&asked.what, &session.failed_dir(), con)?;
    found.sweep(con)?;
    let everything = asked.what == ReprocessSource::All;
    let replays = found.import(con)?;
    if let (None, Some(home)) = (request.target.schema(), only_home(con, &replays)?) {
        return Ok(Attempt::Elsewhere(home));
    }
    let inputs = prepare(&session, con, at_home(con, replays, everything)?)?;
    if inputs.is_empty() {
        let status = RunStatus::AlreadyLoaded;
        let nothing = summarize(&session, &request, Vec::new(), Aside::default(), status, started);
        // There is no such run.
        return Ok(Attempt::Done(Box::new(Summary { run: String::new(), ..nothing })));
    }
    let outcome = session.load_all(&inputs, &mut Vec::new());
    let swept = found.sweep(session.con());
    let summaries = outcome.map_err(|error| session.give_up(error))?;
    swept?;
    let status = RunStatus::Done;
    let summary = summarize(&session, &request, summaries, Aside::default(), status, started);
    session.close(&summary)?;
    Ok(Attempt::Done(Box::new(summary)))
}

/// The schema that all records belong into, where it is another one than that of the connection.
fn only_home(con: &dyn Link, replays: &[ReplayTable]) -> Result<Option<String>, RunError> {
    let homes = Ledger::new(con).schemas()?;
    let mut found = replays.iter().flat_map(ReplayTable::rows).map(|row| homes.get(&row.run));
    let first = found.next().flatten().filter(|home| *home != con.schema());
    Ok(first.filter(|home| found.all(|other| other == Some(*home))).cloned())
}

/// Rows that failed once were counted against the budget of their run. What is replayed is decided
/// row by row, not by what the ledger knows of inputs.
fn for_replay(request: &Request) -> Result<Request, RunError> {
    if request.mode == Some(Mode::Replace) {
        let message = "a replay adds to what is loaded; it cannot replace it";
        return Err(RunError::new(RunErrorKind::Usage, message).with_hint("leave out --mode"));
    }
    let mut request = request.clone();
    request.errors.max_errors = None;
    request.errors.max_rate = None;
    request.errors.on_abort = OnAbort::Keep;
    request.limit = None;
    request.fresh = true;
    // A record that fails stays where it is: there is nothing to go on behind.
    request.keep_going = false;
    Ok(request)
}

/// The records that still belong into tables of the target's schema. Where all are asked for, others stay
/// where they are; else they are refused: rows would land in a table that they do not belong to, or beside
/// those that have taken their place.
fn at_home(
    con: &dyn Link,
    mut replays: Vec<ReplayTable>,
    everything: bool,
) -> Result<Vec<ReplayTable>, RunError> {
    let ledger = Ledger::new(con);
    let (homes, replaced) = (ledger.schemas()?, ledger.replaced_sources()?);
    for replay in &mut replays {
        let label = replay.origin().label();
        // Rows of a roll have keys and releases, which decide.
        let is_plain = replay.kind() == "generic";
        let elsewhere = |row: &ReplayRow| homes.get(&row.run).filter(|home| *home != con.schema());
        let is_replaced =
            |row: &ReplayRow| is_plain && replaced.contains(&(row.run.clone(), label.clone()));
        if everything {
            replay.retain(|row| elsewhere(row).is_none() && !is_replaced(row));
            continue;
        }
        for row in replay.rows() {
            if let Some(home) = elsewhere(row) {
                return Err(of_other_schema(&label, &row.run, home, con.schema()));
            }
            if is_replaced(row) {
                return Err(of_replaced(&label, &row.run));
            }
        }
    }
    replays.retain(|replay| !replay.rows().is_empty());
    Ok(replays)
}

fn of_other_schema(label: &str, run: &str, home: &str, schema: &str) -> RunError {
    let told = format!(
        "{label}: its failed records are of run {run}, which has loaded into schema {home}; the target is \
         schema {schema}"
    );
    RunError::new(RunErrorKind::Usage, told)
        .with_hint(format!("name that schema with the table: --table {home}.TABLE"))
}

fn of_replaced(label: &str, run: &str) -> RunError {
    let told = format!(
        "{label}: its failed records are of run {run}, whose rows were replaced by a later load since"
    );
    RunError::new(RunErrorKind::Usage, told)
        .with_hint("replay the failed records of that later load; `etl failures list` shows them")
}

/// The records as inputs, without those that can only fail as they did before.
fn prepare(
    session: &Session<'_>,
    con: &dyn Link,
    replays: Vec<ReplayTable>,
) -> Result<Vec<Prepared>, RunError> {
    let preparer = Preparer { request: session.request, pack: session.pack, con };
    let mut inputs = Vec::new();
    for mut replay in replays {
        let input = preparer.prepare(&replay)?;
        let mut configs = legacy_configs(session.request, session.pack, &input);
        configs.push(session.wanted(&input).identity.config());
        let refused = replays::refused(con, &configs)?;
        if !refused.is_empty() {
            replay.retain(|row| !refused.contains(&(row.id, row.run.clone(), row.content())));
        }
        if replay.rows().is_empty() {
            continue;
        }
        preparer.refuse_busy(&input)?;
        inputs.push(Prepared { origin: origin(&replay), table: Arc::new(replay), ..input });
    }
    in_load_order(&mut inputs);
    Ok(inputs)
}

/// The files of a replay.
#[derive(Default)]
struct Found {
    /// Failed-record files whose records are replayed as they stand.
    records: Vec<PathBuf>,
    /// Corrected sheets and copies.
    corrected: Vec<PathBuf>,
    /// Failed-record files that corrections may belong to.
    originals: Vec<FailedFile>,
}

impl Found {
    fn of(what: &ReprocessSource, folder: &Path, con: &dyn Link) -> Result<Self, RunError> {
        let known = replays::runs(con)?;
        let files = if folder.is_dir() { failures::list(folder)? } else { Vec::new() };
        let mut found = Self::default();
        match what {
            ReprocessSource::All => {
                let ours = |file: &&FailedFile| file.runs.iter().any(|run| known.contains(run));
                found.records = files.iter().filter(ours).map(|file| file.path.clone()).collect();
            }
            ReprocessSource::Run(run) => found.name(run, folder, &known)?,
            ReprocessSource::Files(names) => {
                for name in names {
                    found.name(name, folder, &known)?;
                }
            }
        }
        // A damaged file is reported where somebody asks for it, not where it only lies about.
        found.originals = files.into_iter().filter(|file| file.damaged.is_none()).collect();
        Ok(found)
    }

    /// Adds what a name stands for.
    fn name(&mut self, name: &str, folder: &Path, known: &HashSet<String>) -> Result<(), RunError> {
        match failures::find(folder, name) {
            Ok(files) => {
                for path in files {
                    let list = match is_original(&path, folder) {
                        true => &mut self.records,
                        false => &mut self.corrected,
                    };
                    list.push(path);
                }
                Ok(())
            }
            // Its records are all used up: a replay has removed it.
            Err(_) if run_of(name).is_some_and(|run| known.contains(&run)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes out of all files what the ledger knows as used up.
    fn sweep(&self, con: &dyn Link) -> Result<(), RunError> {
        for path in self.paths() {
            if !path.exists() {
                continue;
            }
            let runs = dead_letter::inspect(path)?.runs;
            let used = Used::of(con, runs.iter().map(String::as_str))?;
            dead_letter::discard(path, |id, run| used.contains(id, run))?;
        }
        Ok(())
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let originals = self.originals.iter().map(|file| file.path.as_path());
        let others = self.records.iter().map(PathBuf::as_path);
        let mut seen = HashSet::new();
        originals.chain(others).filter(move |path| seen.insert(path.to_path_buf()))
    }

    /// The records, each row once; corrections speak before what is replayed as it stands.
    fn import(&self, con: &dyn Link) -> Result<Vec<ReplayTable>, RunError> {
        let ids = if self.corrected.is_empty() { HashSet::new() } else { replays::ids(con)? };
        let there = |path: &&PathBuf| path.exists();
        let originals: Vec<_> =
            self.originals.iter().map(|file| &file.path).filter(there).cloned().collect();
        let mut all: Vec<Replay> = Vec::new();
        let mut corrected = HashMap::new();
        for path in &self.corrected {
            let replay = dead_letter::import(path, &originals, |id| ids.contains(&id))?;
            for row in replay.records() {
                let other = corrected.insert(row.id, row.content());
                if other.is_some_and(|other| other != row.content()) {
                    return Err(two_corrections(row, path));
                }
            }
            all.push(replay);
        }
        let records: Vec<_> = self.records.iter().filter(there).cloned().collect();
        all.push(dead_letter::import_records(&records)?);
        let mut seen = HashSet::new();
        let mut tables = Vec::new();
        for mut table in all.into_iter().flat_map(|replay| replay.tables) {
            let used = Used::of(con, table.rows().iter().map(|row| row.run.as_str()))?;
            table.retain(|row| !used.contains(row.id, &row.run) && seen.insert(row.id));
            tables.extend((!table.rows().is_empty()).then_some(table));
        }
        Ok(tables)
    }
}

fn two_corrections(row: &ReplayRow, path: &Path) -> RunError {
    let message = format!(
        "{}: the record {} of row {} is corrected in another of the files in another way",
        path.display(),
        row.id,
        row.row
    );
    RunError::new(RunErrorKind::Input, message).with_hint("keep one of the two; nothing was loaded")
}

/// A failed-record file itself, not a corrected copy of one that lies in the folder.
fn is_original(path: &Path, folder: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let there = folder.join(name);
    name.to_string_lossy().ends_with(SUFFIX)
        && (!there.is_file() || there.canonicalize().ok() == path.canonicalize().ok())
}

/// The run in a run's name or in the name of its failed-record file.
fn run_of(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
    let run = stem.rsplit('.').next().unwrap_or(stem).to_ascii_uppercase();
    run.parse::<ulid::Ulid>().is_ok().then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_known_by_its_name_and_by_its_file() {
        let run = "01JD7Q4Z8W3M5N6P7R8S9T0V1X";
        assert_eq!(run_of(run).as_deref(), Some(run));
        assert_eq!(run_of(&format!("out/a.b.{run}.failed.jsonl")).as_deref(), Some(run));
        assert_eq!(run_of("roll.csv"), None);
    }
}
