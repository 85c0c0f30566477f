//! What the ledger knows of an input that is to be loaded, and what that means for the load.
//!
//! Rows of one content, part and table are the same rows where nothing that can change a row differs
//! ([`Identity`]). So a finished load of them is "already loaded" and an unfinished one goes on. Where a
//! setting differs, a merge is a new run, for keys tell its rows apart; what was appended stays alone,
//! for the same rows would stand there twice. An unfinished load never goes on under other settings.

use super::error::{RunError, RunErrorKind};
use super::identity::{Difference, Identity, legacy_config_as, legacy_configs};
use super::prepare::Prepared;
use super::request::{Mode, Request};
use super::value_rules::{VERSION, ValueRules};
use crate::load::ledger::{InputKey, InputPath, InputRow, InputState, KnownInput, scope_text};
use crate::pack::Pack;
use std::collections::BTreeSet;

/// An input that is to be loaded, with what it is known by.
pub struct Wanted<'a> {
    request: &'a Request,
    pack: &'a Pack,
    /// The input.
    pub input: &'a Prepared,
    /// What identifies it.
    pub identity: Identity,
    /// By what the ledger finds it.
    pub key: InputKey,
    /// Where it lies.
    pub path: InputPath,
}

/// What an earlier load of the same content is to this one.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// The same rows.
    Same,
    /// These settings differ.
    Other(Vec<Difference>),
    /// An older program has loaded it and stored only a hash, which is another one.
    Unknown,
    /// Another part of the file.
    Elsewhere,
}

/// What a load has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// All of it. What these have begun under other settings without committing a row is forgotten.
    New(Vec<InputRow>),
    /// It was begun: the load goes on.
    Unfinished(KnownInput),
    /// Nothing. `false`: an older program has loaded it and has not stored all of its settings.
    Loaded(KnownInput, bool),
    /// Nothing may be done: the content was appended under other settings.
    Appended(KnownInput, Vec<Difference>),
    /// Nothing may be done: it was begun under other settings, and rows are committed.
    Begun(KnownInput, Vec<Difference>),
    /// Nothing may be done: it was begun under another version of the rules of values, and rows are committed.
    OtherRules(KnownInput),
}

impl<'a> Wanted<'a> {
    /// An input that goes into a table of `schema`.
    pub fn new(request: &'a Request, pack: &'a Pack, input: &'a Prepared, schema: &str) -> Self {
        Self {
            request,
            pack,
            input,
            identity: Identity::of(request, pack, input, schema),
            key: InputKey {
                table: input.spec.name.clone(),
                fingerprint: input.origin.fingerprint,
                sheet: input.origin.sheet().map(str::to_owned),
            },
            path: InputPath {
                named: input.origin.path.clone(),
                absolute: input.absolute_path.clone(),
            },
        }
    }

    /// What an earlier load is to this one, from what the ledger has stored of it.
    pub fn relation(
        &self,
        identity: Option<&str>,
        config: &str,
        release: Option<&str>,
        is_done: bool,
    ) -> Relation {
        let Some(earlier) = identity.and_then(Identity::parse) else {
            return self.relation_by_hash(config, release, is_done);
        };
        if earlier.part != self.identity.part {
            return Relation::Elsewhere;
        }
        let settled = &self.input.settled;
        // A name that tells the release no more is no reason to load a file again.
        let ignored: &[_] = match (is_done && self.forgets_release(), settled.year) {
            (false, _) => &[],
            (true, Some(_)) => &["release", "submission"],
            (true, None) => &["release", "submission", "year"],
        };
        match self.identity.differences(&earlier, ignored) {
            found if found.is_empty() => Relation::Same,
            found => Relation::Other(found),
        }
    }

    fn relation_by_hash(&self, config: &str, release: Option<&str>, is_done: bool) -> Relation {
        let (request, pack, input) = (self.request, self.pack, self.input);
        let is = |configs: Vec<String>| configs.iter().any(|known| known == config);
        let as_released = || legacy_config_as(request, pack, input, release.unwrap_or_default());
        if is(legacy_configs(request, pack, input))
            || is_done && self.forgets_release() && is(as_released())
        {
            Relation::Same
        } else if self.identity.part.is_of_sheet() {
            Relation::Elsewhere
        } else {
            Relation::Unknown
        }
    }

    /// Whether neither the file nor its name tells the release any more.
    fn forgets_release(&self) -> bool {
        self.input.kind.is_some() && self.input.settled.release.is_none()
    }

    /// The relation of an entry of the ledger.
    pub fn relation_of(&self, known: &KnownInput) -> Relation {
        let row = &known.row;
        let is_done = known.state == InputState::Done;
        self.relation(known.identity.as_deref(), &row.config, row.release.as_deref(), is_done)
    }

    /// A warning where an overlapping part of the same sheet was loaded into the table: each part is an
    /// input of its own, so rows of both stand there twice.
    pub fn told_of_parts(&self, known: &[KnownInput]) -> Option<String> {
        if self.input.mode != Mode::Append {
            return None;
        }
        known.iter().filter(|one| one.state == InputState::Done).find_map(|one| {
            let part = one.identity.as_deref().and_then(Identity::parse).map(|known| known.part);
            let part = part.filter(|part| *part != self.identity.part)?;
            let (run, own) = (&one.row.run, &self.identity.part);
            part.overlaps(own).then(|| {
                format!(
                    "run {run} has loaded another part of this sheet ({part}) into the table; rows that are \
                     also in this one ({own}) stand there twice; --mode replace leaves this one alone"
                )
            })
        })
    }

    /// Whether what was begun under the rules of an earlier load is gone on with by those of today.
    fn goes_on(&self, known: &KnownInput) -> bool {
        if known.rules == VERSION {
            return true;
        }
        let found = |at: usize| self.input.found.get(at).copied();
        let columns = self.input.schema.columns.iter().enumerate();
        let columns = columns.map(|(at, column)| (column.kind, found(at)));
        // What has committed nothing begins again by the rules of today.
        !known.row.ranges.is_empty() && ValueRules::current().go_on(known.rules, columns)
    }

    /// Decides from what the ledger has of the same content, newest first.
    pub fn standing(&self, known: Vec<KnownInput>) -> Standing {
        let mode = self.input.mode;
        let (mut leftovers, mut begun, mut appended) = (Vec::new(), None, None);
        for one in known {
            let (differences, is_known) = match self.relation_of(&one) {
                Relation::Elsewhere => continue,
                Relation::Same => (Vec::new(), true),
                Relation::Other(found) => (found, true),
                Relation::Unknown => (Vec::new(), false),
            };
            let same = is_known && differences.is_empty();
            match one.state {
                InputState::Running if same && one.mode() == mode && self.goes_on(&one) => {
                    return Standing::Unfinished(one);
                }
                InputState::Running if one.row.ranges.is_empty() => leftovers.push(one.row),
                InputState::Running if same && one.mode() == mode => {
                    return Standing::OtherRules(one);
                }
                InputState::Running => {
                    begun.get_or_insert((one, differences));
                }
                _ if same && serves(one.mode(), mode) => {
                    let is_certain = !self.is_vague(&one);
                    return Standing::Loaded(one, is_certain);
                }
                _ => {
                    appended.get_or_insert((one, differences, is_known));
                }
            }
        }
        match (begun, appended) {
            (Some((one, mut differences)), _) => {
                if one.mode() != mode {
                    differences.insert(0, Difference::of_mode(one.mode(), mode));
                }
                Standing::Begun(one, differences)
            }
            (None, Some((one, differences, true))) if mode == Mode::Append => {
                Standing::Appended(one, differences)
            }
            (None, Some((one, _, false))) if mode == Mode::Append => Standing::Loaded(one, false),
            (None, _) => Standing::New(leftovers),
        }
    }

    /// Whether an older program has stored of an input all but how it was read, and that is said now.
    pub fn is_vague(&self, known: &KnownInput) -> bool {
        known.identity.is_none() && self.identity.says_how_to_read()
    }

    /// Why a load may not do anything, where that is so. `rows` are those of the earlier load.
    pub fn refusal(&self, standing: &Standing, rows: u64) -> Option<RunError> {
        let label = self.input.origin.label();
        let table = &self.key.table;
        match standing {
            Standing::Appended(known, differences) => {
                let message = format!(
                    "{label}: run {} has loaded this content into table {table} with other settings: {}",
                    known.row.run,
                    list(differences)
                );
                Some(
                    RunError::new(RunErrorKind::Usage, message)
                        .with_hint("give the settings of that run, and its rows stay as they are")
                        .with_hint(format!(
                            "or give --fresh: the {rows} rows of that run are deleted once the file is \
                             loaded with the settings of now"
                        )),
                )
            }
            Standing::Begun(known, differences) => {
                let what = match differences.is_empty() {
                    true => "by an older version of etl, or with other settings".to_owned(),
                    false => format!("with other settings: {}", list(differences)),
                };
                let message =
                    format!("{label}: run {} has loaded a part of this file {what}", known.row.run);
                Some(unfinished(message, "give the settings of that run"))
            }
            Standing::OtherRules(known) => Some(self.other_rules(known)),
            Standing::New(_) | Standing::Unfinished(_) | Standing::Loaded(..) => None,
        }
    }

    /// E502: rows of an unfinished load were made by other rules than this program has. The same texts may
    /// give other values now.
    pub fn other_rules(&self, known: &KnownInput) -> RunError {
        let KnownInput { row, rules, program, is_overtaken, .. } = known;
        let newer = if *rules > VERSION { "a newer" } else { "an older" };
        let message = format!(
            "{}: run {} has loaded a part of this file ({} rows read) with {newer} etl, by version {rules} of \
             the rules for values; this program has version {VERSION}, and rows of both are never mixed",
            self.input.origin.label(),
            row.run,
            row.tally.read
        );
        let fresh = "give --fresh: the rows of the unfinished run are deleted first, and the file is loaded anew";
        let error = RunError::new(RunErrorKind::Input, message).with_code("E502");
        match is_overtaken {
            true => error.with_hint(fresh),
            false => error
                .with_hint(format!(
                    "run the same command with the program that has begun it (etl {program}) to finish it"
                ))
                .with_hint(format!("or {fresh}")),
        }
    }

    /// E502: an unfinished input of this path had other content. Its rows would stay in the table, half
    /// a file that nobody asked for.
    pub fn changed(&self, row: &InputRow) -> RunError {
        let label = self.input.origin.label();
        let (run, rows) = (&row.run, row.tally.read);
        let message = format!(
            "{label}: run {run} has loaded {rows} rows of this file, and its content has changed since"
        );
        unfinished(message, "put the old file back")
    }
}

fn unfinished(message: String, back: &str) -> RunError {
    RunError::new(RunErrorKind::Input, message)
        .with_code("E502")
        .with_hint(format!("{back} and run the same command to finish it"))
        .with_hint("or give --fresh: the rows of the unfinished run are deleted first")
}

/// The warning that an older program has loaded the content, or a part of it, and has not stored all of
/// its settings.
pub fn uncertain(row: &InputRow) -> String {
    format!(
        "run {} was begun with an older version of etl, which has not stored all of its settings ({} rows \
         read); if they were others, --fresh loads the file anew",
        row.run, row.tally.read
    )
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Whether rows that were loaded in a mode are what another mode would make of the same content. Rows
/// that are there need not be appended; whether a replace still holds, [`outdated`] says.
fn serves(was: Mode, wanted: Mode) -> bool {
    match wanted {
        Mode::Append => true,
        Mode::Merge => was == Mode::Merge,
        Mode::Replace => was == Mode::Replace,
    }
}

/// One input of a replace that was loaded earlier.
pub struct Replaced {
    /// Its place among the inputs of the command.
    pub index: usize,
    /// Table and scope.
    pub scope: (String, String),
    /// Its entry in the ledger; `None`: it is not loaded.
    pub entry: Option<(String, u32)>,
}

impl Replaced {
    /// An input of a command, where it is to replace something.
    pub fn of(index: usize, input: &Prepared, standing: &Standing) -> Option<Self> {
        let entry = match standing {
            Standing::Loaded(known, _) => Some((known.row.run.clone(), known.row.input)),
            _ => None,
        };
        let scope = (input.spec.name.clone(), scope_text(&input.spec));
        (input.mode == Mode::Replace).then_some(Self { index, scope, entry })
    }
}

/// Inputs of a command with `--mode replace` that are loaded, but no more as the command would leave the
/// table: another one of them is not loaded, or something else was loaded into their scope since. They
/// are loaded anew, all of a scope, but those that this very run has loaded before it was interrupted.
/// `within` gives the entries of the ledger that stand in a scope.
pub fn outdated<E>(
    inputs: &[Replaced],
    run: &str,
    mut within: impl FnMut(&str, &str) -> Result<Vec<(String, u32)>, E>,
) -> Result<BTreeSet<usize>, E> {
    let mut anew = BTreeSet::new();
    let scopes: BTreeSet<_> = inputs.iter().map(|input| &input.scope).collect();
    for scope in scopes {
        let group = || inputs.iter().filter(|input| input.scope == *scope);
        let loaded: BTreeSet<_> = group().filter_map(|input| input.entry.clone()).collect();
        let all = group().all(|input| input.entry.is_some());
        let there = within(&scope.0, &scope.1)?;
        if all && there.iter().all(|entry| loaded.contains(entry)) {
            continue;
        }
        let earlier = |input: &&Replaced| input.entry.as_ref().is_some_and(|(by, _)| by != run);
        anew.extend(group().filter(earlier).map(|input| input.index));
    }
    Ok(anew)
}
