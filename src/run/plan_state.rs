//! What the target's ledger says of the inputs of a plan: loaded, unfinished, refused, new; and whose rows
//! would go.

use super::dates::contradicted;
use super::error::RunError;
use super::prepare::Prepared;
use super::presence::Presences;
use super::previous::{previous, sheets_left};
use super::request::{Mode, Request};
use super::standing::{self, Relation, Replaced, Standing, Wanted, outdated};
use crate::load::Link;
use crate::load::ledger::{InputRow, InputState, Ledger, has_ledger};
use crate::pack::Pack;
use std::collections::BTreeSet;

/// Memory for questions to the ledger, in bytes.
const MEMORY: u64 = 64 << 20;

/// What a load would find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedState {
    /// In words: `new`, `already loaded by run …`.
    pub state: String,
    /// What the user should know besides.
    pub warnings: Vec<String>,
    /// Whether it is loaded already, so that nothing becomes of its values.
    pub is_loaded: bool,
}

impl From<&str> for PlannedState {
    fn from(state: &str) -> Self {
        Self { state: state.to_owned(), warnings: Vec::new(), is_loaded: false }
    }
}

/// For each input. A target that cannot be asked is no reason not to plan.
pub fn states(
    request: &Request,
    pack: &Pack,
    inputs: &[Prepared],
) -> Result<Vec<PlannedState>, RunError> {
    let all = |state: &str| Ok(vec![PlannedState::from(state); inputs.len()]);
    let target = match request.target.look(MEMORY) {
        Ok(Some(target)) => target,
        Ok(None) => return all("new (the target file will be made)"),
        Err(error) => return all(&format!("unknown: {error}")),
    };
    let con = target.link()?;
    if !has_ledger(&*con)? {
        return all("new");
    }
    let (ledger, presences) = (Ledger::new(&*con), Presences::default());
    let planner = Planner { request, con: &*con, ledger, presences };
    let mut found = Vec::new();
    for input in inputs {
        let wanted = Wanted::new(request, pack, input, con.schema());
        let standing = wanted.standing(planner.ledger.of_content(&wanted.key)?);
        found.push((wanted, standing));
    }
    let replaces = found.iter().enumerate();
    let replaces: Vec<_> = replaces
        .filter_map(|(at, (wanted, standing))| Replaced::of(at, wanted.input, standing))
        .collect();
    let anew = outdated(&replaces, "", |table, scope| planner.ledger.within(table, scope))?;
    let states = found.iter().enumerate();
    let states = states.map(|(at, (wanted, told))| planner.state(wanted, told, (at, &anew)));
    let mut states = states.collect::<Result<Vec<_>, RunError>>()?;
    for (at, told) in sheets_left(&*con, request, inputs)? {
        states[at].warnings.push(told);
    }
    Ok(states)
}

struct Planner<'a> {
    request: &'a Request,
    con: &'a dyn Link,
    ledger: Ledger<'a>,
    presences: Presences,
}

impl Planner<'_> {
    fn state(
        &self,
        wanted: &Wanted<'_>,
        standing: &Standing,
        (at, anew): (usize, &BTreeSet<usize>),
    ) -> Result<PlannedState, RunError> {
        let Request { fresh, replaces_previous, .. } = self.request;
        let replaces = *replaces_previous && wanted.input.mode == Mode::Append;
        let previous = previous(self.con, wanted, replaces)?;
        let mut told = match standing {
            _ if *fresh => self.fresh(wanted)?,
            Standing::Loaded(known, _) if anew.contains(&at) => PlannedState::from(
                format!("new: run {} has loaded it, and the table is another now", known.row.run)
                    .as_str(),
            ),
            Standing::Loaded(known, _) if replaces && !previous.inputs.is_empty() => {
                PlannedState::from(format!("loaded anew: run {}", known.row.run).as_str())
            }
            _ => self.of(wanted, standing)?,
        };
        told.warnings.extend(previous.told(wanted, replaces));
        if matches!(standing, Standing::New(_)) && wanted.input.origin.sheet().is_some() {
            let known = self.ledger.of_content(&wanted.key)?;
            told.warnings.extend(wanted.told_of_parts(&known));
        }
        Ok(told)
    }

    fn of(&self, wanted: &Wanted<'_>, standing: &Standing) -> Result<PlannedState, RunError> {
        let label = format!("{}: ", wanted.input.origin.label());
        let refused = |error: &RunError| {
            let told = error.message.strip_prefix(&label).unwrap_or(&error.message);
            PlannedState {
                state: format!("would not be loaded: {told}"),
                warnings: error.hints.clone(),
                is_loaded: false,
            }
        };
        Ok(match standing {
            Standing::Loaded(known, is_certain) => {
                let row = &known.row;
                let found = self.presences.of(self.con, &wanted.input.spec, row)?;
                let mut told =
                    match found.told(&wanted.input.origin.label(), &wanted.key.table, row) {
                        Err(gone) => refused(&gone),
                        Ok(part) => PlannedState {
                            state: format!("already loaded by run {}", row.run),
                            warnings: part.into_iter().collect(),
                            is_loaded: true,
                        },
                    };
                let types = known.types.iter();
                told.warnings.extend(types.flat_map(|types| contradicted(wanted.input, types)));
                told.warnings.extend((!is_certain).then(|| standing::uncertain(row)));
                told
            }
            Standing::Unfinished(known) => {
                let row = &known.row;
                let state = match row.ranges.last() {
                    Some((_, to)) => {
                        format!("unfinished: run {} goes on from row {}", row.run, to.row)
                    }
                    None => format!("unfinished: run {} has committed nothing", row.run),
                };
                state.as_str().into()
            }
            Standing::Appended(known, _) => {
                let rows = self.ledger.rows_of(&known.row)?;
                wanted.refusal(standing, rows).map_or("new".into(), |error| refused(&error))
            }
            Standing::Begun(..) | Standing::OtherRules(_) => {
                wanted.refusal(standing, 0).map_or("new".into(), |error| refused(&error))
            }
            Standing::New(_) => match self.changed(wanted)? {
                Some(row) => refused(&wanted.changed(&row)),
                None => "new".into(),
            },
        })
    }

    /// The entry that has loaded a part of other content from the same path.
    fn changed(&self, wanted: &Wanted<'_>) -> Result<Option<InputRow>, RunError> {
        let known = self.ledger.of_path(&wanted.path, &wanted.key)?;
        let begun = known.into_iter().find(|known| {
            known.state == InputState::Running
                && !known.row.ranges.is_empty()
                && wanted.relation_of(known) != Relation::Elsewhere
        });
        Ok(begun.map(|known| known.row))
    }

    /// What `--fresh` deletes.
    fn fresh(&self, wanted: &Wanted<'_>) -> Result<PlannedState, RunError> {
        let mut told = PlannedState::from("new (--fresh)");
        for known in self.ledger.of_content(&wanted.key)? {
            let appended = wanted.input.mode == Mode::Append && known.state == InputState::Done;
            let here = wanted.relation_of(&known) != Relation::Elsewhere;
            if here && (appended || known.state == InputState::Running) {
                let rows = match appended {
                    true => self.ledger.count_leaving(&wanted.key.table, &known.row)?,
                    false => known.row.tally.inserted,
                };
                let run = &known.row.run;
                told.warnings
                    .push(format!("--fresh deletes {rows} rows that run {run} has loaded"));
            }
        }
        Ok(told)
    }
}
