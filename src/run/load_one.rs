//! One input, from the question whether it is loaded already to its closed account.

use super::agents;
use super::check::{agent_names, describe};
use super::error::RunError;
use super::ingest::Session;
use super::passage::Passage;
use super::prepare::{Prepared, holds_no_rows};
use super::problems::read_problems;
use super::request::Mode;
use super::resume::contiguous_end;
use super::retry::Counting;
use super::standing::Wanted;
use super::summary::InputSummary;
use super::types;
use super::value_rules::{self, ValueRules};
use super::whole::{catch_up, refuse};
use super::widen::Widening;
use crate::chunk::{Mark, Notes, Tally};
use crate::flow::{Event, Meters};
use crate::load::cells::Weighing;
use crate::load::dead_letter;
use crate::load::gate::Gate;
use crate::load::ledger::{
    Closed, Finish, InputRow, Ledger, NewInput, agrees_with_ledger, replace_findings, scope_text,
    table_rows,
};
use crate::load::table::{Strategy, TableSpec, side_table};
use crate::load::target::transaction;
use crate::load::{Link, LoadError, Telling, Threaded, Writer};
use crate::stage::StageSpec;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Rows of a chunk at the start, before anything is measured (design 2.3).
const CHUNK_ROWS_TEXT: usize = 100_000;
const CHUNK_ROWS_EXCEL: usize = 50_000;
/// Statements for fewer rows are not halved any more.
const LEAST_PART: u64 = 100;

/// Loads one input.
pub struct LoadOne<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) input: &'a Prepared,
    inputs: &'a [Prepared],
    /// Its table, with all columns that are to be written.
    pub(super) spec: TableSpec,
    pub(super) index: usize,
    halvings: u32,
    started: Instant,
    /// What the ledger knows of it that the user should know, too.
    pub(super) told: RefCell<Vec<String>>,
}

/// What came of it.
pub enum LoadedInput {
    /// Nothing to do: an earlier run has loaded this content.
    Already(Box<InputSummary>),
    /// Loaded now.
    Loaded(Box<InputSummary>),
}

impl LoadedInput {
    /// What this very run has loaded is not loaded already.
    pub fn of_run(self, run: &str) -> Self {
        match self {
            Self::Already(mut summary) if summary.already_loaded_by.as_deref() == Some(run) => {
                summary.already_loaded_by = None;
                Self::Loaded(summary)
            }
            other => other,
        }
    }

    /// The summary.
    pub fn into_summary(self) -> InputSummary {
        match self {
            Self::Already(summary) | Self::Loaded(summary) => *summary,
        }
    }
}

impl<'a> LoadOne<'a> {
    /// Prepares to load the input at `index` of `inputs`.
    pub fn new(
        session: &'a Session<'a>,
        inputs: &'a [Prepared],
        index: usize,
    ) -> Result<Self, RunError> {
        let (input, started) = (&inputs[index], Instant::now());
        let spec = with_unmade(input, session.con())?;
        let found = session.found.borrow();
        let of_this = found.iter().filter(|(at, _)| *at == index);
        let told = RefCell::new(of_this.map(|(_, told)| told.clone()).collect());
        Ok(Self { session, input, inputs, spec, index, halvings: 0, started, told })
    }

    /// Sends less at a time: half as much, half of that, …
    pub fn in_parts(self, halvings: u32) -> Self {
        Self { halvings, ..self }
    }

    pub(super) fn halved(&self, rows: u64) -> u64 {
        match self.halvings {
            0 => rows,
            halvings => (rows >> halvings.min(20)).max(LEAST_PART.min(rows)),
        }
    }

    /// Whether an unfinished load can go on; says why not.
    pub(super) fn can_go_on(&self, con: &dyn Link, row: &InputRow) -> Result<bool, RunError> {
        let why = if !agrees_with_ledger(con, &self.spec.name, row)? {
            "the table does not hold what the ledger says of the unfinished load"
        } else if con.is_overtaken(row)? {
            "other files of the same rows were loaded since this load was left unfinished"
        } else {
            return Ok(true);
        };
        self.session.observer.on(&Event::Warning(&format!(
            "{why}: its rows are deleted and the file is loaded from the beginning"
        )));
        Ok(false)
    }

    pub(super) fn already(&self, row: InputRow) -> Result<LoadedInput, RunError> {
        self.session.touch(&row.run);
        // What this run had found before it was interrupted belongs into its summary.
        let problems = match row.run == self.session.run {
            true => read_problems(self.session.con(), &row.run, row.input)?,
            false => Vec::new(),
        };
        let mut summary = self.summary(Tally::default(), problems);
        summary.warnings.retain(|told| !self.input.reading.told.contains(told));
        summary.already_loaded_by = Some(row.run);
        // A replay may have emptied it since.
        summary.failed_file = row.failed_file.filter(|file| Path::new(file).exists());
        summary.tally = row.tally;
        Ok(LoadedInput::Already(Box::new(summary)))
    }

    /// Begins it; the rows of the inputs that it `replaces` go when it ends.
    pub(super) fn begin(
        &self,
        wanted: &Wanted<'_>,
        replaces: Vec<(String, u32)>,
    ) -> Result<LoadedInput, RunError> {
        let con = self.session.con();
        let spec = &self.spec;
        let changes = self.session.request.changes;
        let there = con.columns(&spec.name)?;
        let is_new = there.is_empty();
        // A table without the program's columns is another one than it has made, whatever the ledger says.
        if !is_new && !there.iter().any(|(name, _)| name == "_etl_run") {
            Ledger::new(con).forget_made(&spec.name)?;
        }
        for Widening { column, from, to } in &self.input.widenings {
            con.widen(&spec.name, column, from, &to.duckdb())?;
        }
        if is_new || !self.brings_nothing() {
            con.ensure(spec, self.input.mode != Mode::Append, changes)?;
        } else {
            // Without a row no column of the file has to fit; the account counts by those of the program.
            let own = TableSpec { columns: Vec::new(), ..spec.clone() };
            con.ensure(&own, self.input.mode != Mode::Append, changes)?;
        }
        for remark in con.remarks(spec)? {
            self.session.observer.on(&Event::Warning(&remark));
        }
        self.refuse_unknown_release(con)?;
        let run = self.session.run.clone();
        let input = self.session.next_input(con)?;
        let dead = dead_letter::Writer::new(&self.session.failed_dir(), self.failed_stem(), &run);
        let row = InputRow {
            run,
            input,
            strategy: self.strategy(con, &replaces)?,
            source: self.input.origin.label(),
            config: wanted.identity.config(),
            release: self.input.release(),
            rows_before: if con.is_alone() { table_rows(con, &spec.name)? } else { 0 },
            failed_file: Some(dead.path().display().to_string()),
            ranges: Vec::new(),
            tally: Tally::default(),
            replaces,
        };
        self.enter(wanted, &row, is_new)?;
        self.session.begin(self.index, &row);
        self.load(&row, false)
    }

    /// Puts a new input down in the ledger; `is_new`: its table was made for it.
    fn enter(&self, wanted: &Wanted<'_>, row: &InputRow, is_new: bool) -> Result<(), RunError> {
        let (con, spec) = (self.session.con(), &self.spec);
        let kind = self.input.kind_id(self.session.pack);
        let scope = scope_text(spec);
        let (identity, types) = (wanted.identity.json(), types::stored(self.input));
        transaction(con, |con| -> Result<(), LoadError> {
            let ledger = Ledger::new(con);
            ledger.begin_run(&row.run, &self.session.request.version, self.session.command)?;
            ledger.begin_input(&NewInput {
                row,
                key: &wanted.key,
                identity: &identity,
                types: &types,
                path: &wanted.path.named,
                absolute_path: wanted.path.absolute.as_deref(),
                kind: &kind,
                mode: self.input.mode,
                scope: &scope,
                rules: value_rules::VERSION,
            })?;
            self.record_headers(&ledger, &row.run, is_new)?;
            if let Some(bytes) = self.input.table.extent().bytes {
                ledger.note_length(row, bytes)?;
            }
            if row.strategy != Strategy::Insert {
                con.make_side(spec, &side_table(&row.run, row.input))?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Records which headers the columns of a plain table hold.
    fn record_headers(
        &self,
        ledger: &Ledger<'_>,
        run: &str,
        is_new: bool,
    ) -> Result<(), LoadError> {
        let table = &self.spec.name;
        if is_new {
            ledger.record_made(table, run)?;
        }
        let headers = &self.input.fitted.headers;
        if headers.is_empty() {
            return Ok(());
        }
        let there = self.session.con().columns(table)?;
        let there: Vec<_> = there.into_iter().map(|(name, _)| name).collect();
        ledger.record_headers(table, &there, headers, run)
    }

    /// Whether nothing of a plain input can meet a table that is there: its columns have no types, for want
    /// of rows, so that there is nothing to compare either.
    fn brings_nothing(&self) -> bool {
        let plain = self.input.kind.is_none() && self.input.mode == Mode::Append;
        plain && !self.input.replay && holds_no_rows(&*self.input.table)
    }

    /// A member's own name, or the file's.
    fn failed_stem(&self) -> &str {
        let path = &self.input.origin.path;
        path.rsplit(['/', '\\']).next().unwrap_or(path)
    }

    pub(super) fn load(&self, row: &InputRow, resumed: bool) -> Result<LoadedInput, RunError> {
        let con = self.session.con();
        self.session.presences.forget(&self.spec.name);
        self.session.touch(&row.run);
        let row = &if resumed { self.resume(con, row)? } else { row.clone() };
        let resumed = !row.ranges.is_empty();
        let start = contiguous_end(&row.ranges);
        let meters = Meters::new(agent_names(self.session.request, self.input));
        self.tell_start(&meters, resumed.then_some(start), row);
        let flowed = self.flow(con, row, start, &meters);
        // What is read was right; the input counts as loaded only if it is still all there is.
        let flowed = flowed.and_then(|facts| Ok(self.input.table.unchanged().map(|()| facts)?));
        let facts = flowed.map_err(|error| self.abort(con, row, error))?;
        if resumed || row.strategy != Strategy::Insert {
            self.session.observer.on(&Event::Step("checking the account"));
        }
        let Closed { tally, replaced } = self.finish(con, row).close()?;
        self.tell_older_rules(con, row, tally.updated)?;
        let problems = read_problems(con, &row.run, row.input)?;
        let mut summary = self.summary(tally, problems);
        summary.replaced = replaced;
        summary.agents = meters.readings();
        summary.facts = facts;
        let failed = self.failed_file(row).display().to_string();
        summary.failed_file = (tally.rejected > 0).then_some(failed);
        summary.resumed_from = resumed.then_some(start.row.max(1));
        Ok(LoadedInput::Loaded(Box::new(summary)))
    }

    /// Says why rows of a content that was loaded before are others now, where it is loaded again with `--fresh`.
    fn tell_older_rules(
        &self,
        con: &dyn Link,
        row: &InputRow,
        updated: u64,
    ) -> Result<(), RunError> {
        if !self.session.request.fresh || updated == 0 {
            return Ok(());
        }
        let known = Ledger::new(con).of_content(&self.session.wanted(self.input).key)?;
        let older = known.iter().filter(|known| known.row.run != row.run);
        let Some(rules) = older.map(|known| known.rules).max() else { return Ok(()) };
        let changes: Vec<_> = ValueRules::current().since(rules).collect();
        if !changes.is_empty() {
            let (rows, are) = match updated {
                1 => ("1 row of this content was".to_owned(), "is"),
                many => (format!("{many} rows of this content were"), "are"),
            };
            self.told.borrow_mut().push(format!(
                "{rows} loaded under older rules and {are} updated; since then: {}",
                changes.join("; ")
            ));
        }
        Ok(())
    }

    fn tell_start(&self, meters: &Arc<Meters>, resumed: Option<Mark>, row: &InputRow) {
        use std::sync::atomic::Ordering;
        meters.read.store(resumed.map_or(0, |mark| mark.record), Ordering::Relaxed);
        meters.settled.store(row.tally.read, Ordering::Relaxed);
        meters.rejected.store(row.tally.rejected, Ordering::Relaxed);
        self.session.observer.on(&Event::InputStarted {
            input: self.index,
            of: self.inputs.len(),
            origin: &self.input.origin,
            table: &self.spec.name,
            bytes: self.input.table.extent().bytes,
            resumed_from: resumed.map(|mark| mark.row),
            meters: Arc::clone(meters),
        });
    }

    /// Reads, works and writes everything that is not committed yet.
    fn flow(
        &self,
        con: &dyn Link,
        row: &InputRow,
        start: Mark,
        meters: &Arc<Meters>,
    ) -> Result<Vec<(String, u64)>, RunError> {
        let Session { request, shares, whole, .. } = self.session;
        // A part of the input tells nothing about the whole.
        let tells_all = request.limit.is_none() && !self.input.replay;
        if tells_all {
            catch_up(self.session, self.inputs, self.index)?;
        }
        whole.turn_to(self.index);
        let mut stages =
            agents::agents(request, self.session.pack, self.input, &self.session.engine, whole)?;
        agents::rehearse(&stages, self.input)?;
        // What is committed is shown again to whom it needs, and then let go by the gate.
        let looks_back = tells_all && stages.iter().any(|stage| stage.looks_at_all_rows());
        let start = if looks_back { Mark::default() } else { start };
        stages.push(Arc::new(self.encoder(row)));
        let passage = Passage {
            request,
            shares,
            input: self.input,
            stages: &stages,
            chunk_rows: self.halved(self.chunk_rows()) as usize,
            meters,
            stop: self.session.stop,
        };
        let seen = self.seen(con, row, meters)?;
        let write = Arc::new(self.write_plan(row, meters));
        std::thread::scope(|scope| {
            let mut writers: Vec<Box<dyn Writer + '_>> = Vec::new();
            let most = self.session.target.writers(&self.spec, shares.writers)?;
            for _ in 0..most {
                let writer = Weighing::new(self.session.target.writer(&write)?);
                let writer = Counting::new(writer, &self.session.commits);
                let writer = Telling::new(writer, self.session.observer, self.index);
                writers.push(Box::new(Threaded::start(scope, writer)?));
            }
            let mut gate =
                Gate::new(self.gate_plan(row, start, &write)?, writers, seen, Arc::clone(meters));
            passage.run(start, &mut gate)?;
            if tells_all {
                self.refuse_whole(&stages)?;
            }
            gate.finish()?;
            Ok::<(), RunError>(())
        })?;
        if tells_all {
            self.note_findings(con, row, &agents::findings(&stages, self.input))?;
        }
        Ok(agents::facts(&stages))
    }

    /// Ends the input before its last commit where a critical rule about all rows is broken.
    fn refuse_whole(&self, stages: &[Arc<dyn StageSpec>]) -> Result<(), RunError> {
        refuse(&agents::findings(stages, self.input), self.input)?;
        if self.index + 1 < self.inputs.len() {
            return Ok(());
        }
        let found = self.session.whole.conclusion(self.inputs);
        found.iter().try_for_each(|(place, notes)| refuse(notes, &self.inputs[*place]))
    }

    /// Most rows of a chunk.
    fn chunk_rows(&self) -> u64 {
        let asked = self.session.request.limits.chunk_rows;
        asked.unwrap_or(match self.input.format {
            "xlsx" => CHUNK_ROWS_EXCEL,
            _ => CHUNK_ROWS_TEXT,
        }) as u64
    }

    /// Adds findings about the file as a whole to those of its ranges.
    fn note_findings(&self, con: &dyn Link, row: &InputRow, notes: &Notes) -> Result<(), RunError> {
        transaction(con, |con| replace_findings(con, &row.run, row.input, "file", notes))?;
        Ok(())
    }

    pub(super) fn finish<'b>(&'b self, con: &'b dyn Link, row: &'b InputRow) -> Finish<'b> {
        Finish {
            con,
            spec: &self.spec,
            input: row,
            release: self.input.release(),
            cells: self.session.request.cells,
            repeated: self.repeated(),
            not_compared: self.not_compared(),
            hashes_hold: !self.session.request.cut,
        }
    }

    fn summary(&self, tally: Tally, problems: Vec<super::summary::ProblemSummary>) -> InputSummary {
        let mut summary = describe(self.input, self.session.pack);
        summary.schema = Some(self.session.con().schema().to_owned());
        summary.warnings.extend(self.told.borrow().iter().cloned());
        summary.tally = tally;
        summary.problems = problems;
        summary.seconds = self.started.elapsed().as_secs_f64();
        summary
    }
}

/// The table of an input with those columns that no agent of this run makes and that it has from other
/// runs: a row that is written anew must not keep what was derived from its old values.
fn with_unmade(input: &Prepared, con: &dyn Link) -> Result<TableSpec, RunError> {
    let mut spec = input.spec.clone();
    if input.unmade.is_empty() {
        return Ok(spec);
    }
    let there = con.columns(&spec.name)?;
    let rule = con.names();
    let is_there = |name: &str| there.iter().any(|(have, _)| rule.same(have, name));
    let unmade = input.unmade.iter().filter(|column| is_there(&column.name));
    spec.columns.extend(unmade.cloned());
    Ok(spec)
}
