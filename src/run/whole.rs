//! The user's rules about all rows of a run: one fact for all inputs of a table, and what becomes of its
//! findings.
//!
//! What such a fact knows of an input stands nowhere but in its rows. So a load that goes on half-way
//! shows it the rows before once more, and an input that was loaded earlier is read again, without its
//! load, where another input of the same command is loaded now: the same command tells the same, however
//! often it was interrupted.

use super::agents;
use super::cross::number_of;
use super::error::{RunError, RunErrorKind};
use super::ingest::Session;
use super::masking::veiled;
use super::passage::Passage;
use super::prepare::Prepared;
use super::problems::{from_notes, sort};
use super::summary::InputSummary;
use crate::chunk::{Chunk, Mark, Notes, Severity};
use crate::flow::{Consumer, Event, Meters};
use crate::load::ledger::replace_findings;
use crate::load::target::transaction;
use crate::validate::{FactInput, FileFact};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Name under which findings about all files of a run stand in the ledger.
const RANGE: &str = "run";
/// Rows of a chunk that is only looked at.
const CHUNK_ROWS: usize = 50_000;

/// Facts about all inputs of a run, by table and rule.
#[derive(Default)]
pub struct Whole {
    facts: RefCell<BTreeMap<(String, String), Arc<dyn FileFact>>>,
    /// Inputs that have shown their rows.
    seen: RefCell<BTreeSet<usize>>,
    current: Cell<usize>,
}

impl Whole {
    /// The rows of the input at `place` come next.
    pub fn turn_to(&self, place: usize) {
        self.current.set(place);
        self.seen.borrow_mut().insert(place);
    }

    /// How the current input is told.
    pub fn current(&self, input: &Prepared) -> FactInput {
        FactInput { place: self.current.get(), name: input.origin.label() }
    }

    /// The fact that a rule demands of all inputs of the table; the first of them makes it.
    pub fn fact(
        &self,
        table: &str,
        rule: &str,
        make: impl FnOnce() -> Result<Arc<dyn FileFact>, RunError>,
    ) -> Result<Arc<dyn FileFact>, RunError> {
        let key = (table.to_owned(), rule.to_owned());
        if let Some(known) = self.facts.borrow().get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = make()?;
        self.facts.borrow_mut().insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// What is known of all inputs together, by their places.
    pub fn conclusion(&self, inputs: &[Prepared]) -> BTreeMap<usize, Notes> {
        let mut found: BTreeMap<usize, Notes> = BTreeMap::new();
        for fact in self.facts.borrow().values() {
            for (place, notes) in fact.conclusion() {
                let Some(input) = inputs.get(place) else { continue };
                found.entry(place).or_default().merge(veiled(notes, input));
            }
        }
        found
    }

    fn has(&self, table: &str) -> bool {
        self.facts.borrow().keys().any(|(known, _)| known == table)
    }

    fn is_open(&self, place: usize) -> bool {
        !self.seen.borrow().contains(&place)
    }
}

/// The critical finding that forbids to close an input, as an error.
pub fn refuse(notes: &Notes, input: &Prepared) -> Result<(), RunError> {
    let critical = |(_, note): &(_, &crate::chunk::Note)| note.severity == Severity::Critical;
    let Some((key, note)) = notes.iter().find(critical) else { return Ok(()) };
    let example = note.examples.first().map_or_else(String::new, |example| {
        let value = example.value.as_ref().map_or_else(String::new, |value| format!(": {value}"));
        let more =
            if note.count > 1 { format!(" and {} more", note.count - 1) } else { String::new() };
        format!("; row {}{value}{more}", example.place.row)
    });
    let label = input.origin.label();
    let message = format!("{label}: {} (rule {}){example}", note.message, key.rule);
    let mut error = RunError::new(RunErrorKind::Failed, message);
    error.rule = Some(key.rule.clone());
    error.hints.extend(note.hint.clone());
    error.hints.push(format!("to load it all the same: --rule {}=warning --fresh", key.rule));
    Err(error)
}

/// Shows the rows of inputs that were loaded earlier to the facts about all of them.
pub fn catch_up(session: &Session<'_>, inputs: &[Prepared], before: usize) -> Result<(), RunError> {
    for (place, input) in inputs.iter().enumerate().take(before) {
        if session.request.rules.iter().any(|rule| rule.check.is_of_file())
            && session.whole.is_open(place)
        {
            show(session, input, place)?;
        }
    }
    Ok(())
}

/// Reads an input through the agents up to `validate`, and lets it go.
fn show(session: &Session<'_>, input: &Prepared, place: usize) -> Result<(), RunError> {
    let Session { request, shares, .. } = session;
    session.whole.turn_to(place);
    let mut stages = agents::agents(request, session.pack, input, &session.engine, &session.whole)?;
    let last = stages.iter().position(|stage| stage.looks_at_all_rows());
    let Some(last) = last.filter(|_| session.whole.has(&input.spec.name)) else { return Ok(()) };
    stages.truncate(last + 1);
    let told = format!("looking at {} again for rules about all rows", input.origin.label());
    session.observer.on(&Event::Step(&told));
    let passage = Passage {
        request,
        shares,
        input,
        stages: &stages,
        chunk_rows: request.limits.chunk_rows.unwrap_or(CHUNK_ROWS),
        meters: &Meters::new(vec!["read"]),
        stop: session.stop,
    };
    passage.run(Mark::default(), &mut LetGo)
}

/// Takes chunks that have shown their rows.
struct LetGo;

impl Consumer for LetGo {
    type Error = crate::load::LoadError;

    fn take(&mut self, _chunk: Chunk) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Tells what is known of all inputs of a load together: in the summaries, and in the ledger with the
/// inputs that this run has loaded.
pub fn conclude(
    session: &Session<'_>,
    inputs: &[Prepared],
    summaries: &mut [Option<InputSummary>],
) -> Result<(), RunError> {
    let part = session.request.limit.is_some() || inputs.iter().any(|input| input.replay);
    if part || !summaries.iter().flatten().any(|summary| summary.is_of(&session.run)) {
        return Ok(());
    }
    catch_up(session, inputs, inputs.len())?;
    let found = session.whole.conclusion(inputs);
    let con = session.con();
    for (place, notes) in &found {
        let input = &inputs[*place];
        // One that has failed is told by its error.
        let Some(summary) = &mut summaries[*place] else { continue };
        if let Some(number) = number_of(con, &session.run, input)? {
            transaction(con, |con| replace_findings(con, &session.run, number, RANGE, notes))?;
        }
        summary.problems.extend(from_notes(notes));
        sort(&mut summary.problems);
        refuse(notes, input)?;
    }
    Ok(())
}
