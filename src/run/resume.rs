//! Inputs that are known already: loaded, unfinished, or changed since.

use super::error::{RunError, RunErrorKind};
use super::load_one::{LoadOne, LoadedInput};
use super::presence::Presence;
use super::previous::previous;
use super::request::{Mode, OnAbort};
use super::standing::{self, Relation, Standing, Wanted};
use crate::chunk::Mark;
use crate::load::ledger::{
    InputRow, InputState, KnownInput, Ledger, has_release, others_since, rebase, scope_rows,
    table_rows,
};
use crate::load::table::{Strategy, side_table};
use crate::load::target::transaction;
use crate::load::{Link, LoadError, dead_letter};
use crate::source::SourceErrorKind;
use std::path::PathBuf;

impl LoadOne<'_> {
    /// Loads it, or finds that it is loaded.
    pub fn run(&self) -> Result<LoadedInput, RunError> {
        let session = self.session;
        session.target.hold(&self.spec.name)?;
        session.tables.borrow_mut().insert(self.spec.name.clone());
        let wanted = session.wanted(self.input);
        if let Some((run, input)) = session.begun(self.index) {
            return self.again(&wanted, &run, input);
        }
        if self.input.replay {
            return self.begin(&wanted, Vec::new());
        }
        if session.request.fresh {
            return self.afresh(&wanted);
        }
        let standing = session.standing(&wanted)?;
        if let Some(refused) = session.refusal(&wanted, &standing)? {
            return Err(refused);
        }
        match standing {
            Standing::Unfinished(known) => {
                if wanted.is_vague(&known) {
                    self.told.borrow_mut().push(standing::uncertain(&known.row));
                }
                self.go_on(&wanted, &known.row)
            }
            Standing::Loaded(known, is_certain) => self.loaded(&wanted, known, is_certain),
            Standing::New(leftovers) => {
                leftovers.iter().try_for_each(|row| self.forget(row))?;
                self.refuse_changed(&wanted)?;
                self.tell_parts(&wanted)?;
                let previous = self.previous(&wanted)?;
                self.begin(&wanted, previous)
            }
            // They were refused above, with what differs.
            Standing::Appended(..) | Standing::Begun(..) | Standing::OtherRules(_) => {
                let label = self.input.origin.label();
                Err(RunError::usage(format!("{label}: it was loaded with other settings")))
            }
        }
    }

    /// A load that this very run has begun and lost the connection in. The answer to its last COMMIT may
    /// never have come.
    fn again(&self, wanted: &Wanted<'_>, run: &str, input: u32) -> Result<LoadedInput, RunError> {
        match Ledger::new(self.session.con()).at(run, input)? {
            Some(known) if known.state == InputState::Done => self.already(known.row),
            Some(known) if self.input.replay => {
                self.forget(&known.row)?;
                self.begin(wanted, Vec::new())
            }
            Some(known) => self.go_on(wanted, &known.row),
            None => self.begin(wanted, Vec::new()),
        }
    }

    fn go_on(&self, wanted: &Wanted<'_>, row: &InputRow) -> Result<LoadedInput, RunError> {
        if self.can_go_on(self.session.con(), row)? {
            return self.load(row, true);
        }
        self.forget(row)?;
        self.begin(wanted, row.replaces.clone())
    }

    /// `--fresh`: what the input has left unfinished is deleted at once, and what it has appended when
    /// its new rows are in. A merge or a replace tells by itself what becomes of the rows that are there.
    fn afresh(&self, wanted: &Wanted<'_>) -> Result<LoadedInput, RunError> {
        let ledger = Ledger::new(self.session.con());
        let appends = self.input.mode == Mode::Append;
        let mut replaces = Vec::new();
        for known in ledger.of_content(&wanted.key)? {
            match (wanted.relation_of(&known), known.state) {
                (Relation::Elsewhere, _) => {}
                (_, InputState::Running) => self.forget(&known.row)?,
                _ if appends => replaces.push((known.row.run, known.row.input)),
                _ => {}
            }
        }
        self.refuse_changed(wanted)?;
        replaces.extend(self.previous(wanted)?);
        self.begin(wanted, replaces)
    }

    /// Its content is loaded: nothing is left to do, unless the rows are gone, or others are to go.
    fn loaded(
        &self,
        wanted: &Wanted<'_>,
        known: KnownInput,
        is_certain: bool,
    ) -> Result<LoadedInput, RunError> {
        let (con, row) = (self.session.con(), known.row);
        if self.session.is_outdated(self.index) {
            self.refuse_changed(wanted)?;
            return self.begin(wanted, Vec::new());
        }
        let mut others = self.previous(wanted)?;
        if !others.is_empty() {
            others.push((row.run, row.input));
            return self.begin(wanted, others);
        }
        let found = self.session.presences.of(con, &self.spec, &row)?;
        if self.input.mode == Mode::Replace && found != Presence::Whole {
            return self.begin(wanted, Vec::new());
        }
        let label = self.input.origin.label();
        self.told.borrow_mut().extend(found.told(&label, &self.spec.name, &row)?);
        if !is_certain {
            self.told.borrow_mut().push(standing::uncertain(&row));
        }
        self.already(row)
    }

    /// Tells of other parts of the same sheet.
    fn tell_parts(&self, wanted: &Wanted<'_>) -> Result<(), RunError> {
        if self.input.origin.sheet().is_some() {
            let known = Ledger::new(self.session.con()).of_content(&wanted.key)?;
            self.told.borrow_mut().extend(wanted.told_of_parts(&known));
        }
        Ok(())
    }

    /// Tells of other content that was loaded from the same path; gives those loads whose rows are to go.
    fn previous(&self, wanted: &Wanted<'_>) -> Result<Vec<(String, u32)>, RunError> {
        let replaces = self.session.request.replaces_previous && self.input.mode == Mode::Append;
        let found = previous(self.session.con(), wanted, replaces)?;
        self.told.borrow_mut().extend(found.told(wanted, replaces));
        let entries = found.inputs.into_iter().map(|row| (row.run, row.input));
        Ok(entries.filter(|_| replaces).collect())
    }

    /// E502: an unfinished input of this path had other content. What has committed nothing has nothing
    /// to lose, and `--fresh` deletes what was committed.
    fn refuse_changed(&self, wanted: &Wanted<'_>) -> Result<(), RunError> {
        for known in Ledger::new(self.session.con()).of_path(&wanted.path, &wanted.key)? {
            let elsewhere = wanted.relation_of(&known) == Relation::Elsewhere;
            if known.state != InputState::Running || elsewhere {
                continue;
            }
            if !self.session.request.fresh && !known.row.ranges.is_empty() {
                return Err(wanted.changed(&known.row));
            }
            self.forget(&known.row)?;
        }
        Ok(())
    }

    /// An input without a release must not meet rows that have one: it would rank below them all
    /// without the user knowing.
    pub(super) fn refuse_unknown_release(&self, con: &dyn Link) -> Result<(), RunError> {
        let known = self.input.settled.release.is_some();
        if known || self.input.kind.is_none() || self.input.mode != Mode::Merge {
            return Ok(());
        }
        if !has_release(con, &self.spec)? {
            return Ok(());
        }
        Err(RunError::new(
            RunErrorKind::Usage,
            format!(
                "{}: the release (preliminary or final) stands neither in the file nor in its \
                 name, and the target holds rows of a known release",
                self.input.origin.label()
            ),
        )
        .with_hint("say which it is: --release P, --release S or --release F"))
    }

    /// Gives an unfinished input up; whether there was one.
    pub(super) fn let_go(&self) -> Result<bool, RunError> {
        let wanted = self.session.wanted(self.input);
        match self.session.standing(&wanted)? {
            Standing::Unfinished(known) => self.forget(&known.row).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Deletes what an input has left in the target and in the failed-record file.
    pub(super) fn forget(&self, row: &InputRow) -> Result<(), RunError> {
        let con = self.session.con();
        self.finish(con, row).rollback()?;
        self.recover_failed(con, row)
    }

    /// Brings the failed-record file to the state of the ledger. Other inputs of the run may write
    /// into the same file (sheets of one workbook).
    fn recover_failed(&self, con: &dyn Link, row: &InputRow) -> Result<(), RunError> {
        let committed = Ledger::new(con).range_ids(&row.run)?;
        dead_letter::recover(&self.failed_file(row), |range| committed.contains(range))
            .map_err(|error| RunError::new(RunErrorKind::Failed, error.to_string()))?;
        Ok(())
    }

    /// The failed-record file of an input: where it was begun, else of that name where such files
    /// lie now (the target may have been moved, or named from another folder).
    pub(super) fn failed_file(&self, row: &InputRow) -> PathBuf {
        let begun = PathBuf::from(row.failed_file.as_deref().unwrap_or_default());
        match begun.file_name() {
            Some(name) if !begun.exists() => self.session.failed_dir().join(name),
            _ => begun,
        }
    }

    /// Prepares to go on with an unfinished input.
    pub(super) fn resume(&self, con: &dyn Link, row: &InputRow) -> Result<InputRow, RunError> {
        let ledger = Ledger::new(con);
        ledger.begin_run(&row.run, &self.session.request.version, self.session.command)?;
        self.recover_failed(con, row)?;
        let mut row = row.clone();
        let spec = &self.input.spec;
        if !others_since(con, &spec.name, &row)? {
            return Ok(row);
        }
        // Others have been loaded into the table in the meantime: count from what it holds now, and
        // compare where at the beginning there was nothing to compare with.
        let own = match row.strategy {
            Strategy::Replace => 0,
            Strategy::Insert | Strategy::Merge => row.tally.inserted,
        };
        if con.is_alone() {
            row.rows_before = table_rows(con, &spec.name)?.saturating_sub(own);
        }
        let merge = row.strategy == Strategy::Insert
            && self.input.mode == Mode::Merge
            && scope_rows(con, spec)? > own;
        transaction(con, |con| -> Result<(), LoadError> {
            if merge {
                row.strategy = Strategy::Merge;
                con.make_side(spec, &side_table(&row.run, row.input))?;
            }
            rebase(con, &row)
        })?;
        Ok(row)
    }

    /// Says what stays, and deletes it where the user wants that.
    pub(super) fn abort(&self, con: &dyn Link, row: &InputRow, mut error: RunError) -> RunError {
        let over = matches!(error.kind, RunErrorKind::ErrorBudget) || error.is_rule();
        if over && self.session.request.errors.on_abort == OnAbort::Rollback {
            error.kept = Some(match self.forget(row) {
                Ok(()) => "the rows of this run were deleted (--on-abort rollback)".into(),
                Err(failed) => format!("the rows of this run could not be deleted: {failed}"),
            });
            return error;
        }
        if let Ok(tally) = Ledger::new(con).tally(&row.run, row.input) {
            let (stays, label) = (tally.inserted, self.input.origin.label());
            let changed = error.code == Some(SourceErrorKind::Changed.code());
            error.kept = Some(match tally.read {
                0 => "nothing of this file was committed".into(),
                read if changed => format!(
                    "{read} rows of {label} are committed ({stays} inserted), all of them from its \
                     content as it was; the input is unfinished"
                ),
                read => format!(
                    "{read} rows of {label} are committed ({stays} inserted); the same command goes \
                     on from there"
                ),
            });
            if changed {
                error.hints.extend(after_change(tally.read));
            }
        }
        error
    }
}

/// What to do about a file that has changed under its load, of which `committed` rows are in the table.
fn after_change(committed: u64) -> Vec<String> {
    if committed == 0 {
        return vec!["then run the same command again: it loads the file as it is then".into()];
    }
    vec![
        "put the old file back and run the same command: it goes on behind these rows, as it does \
         where a text file has only grown at its end"
            .into(),
        "or give --fresh: these rows are deleted first, and the file is loaded as it is then"
            .into(),
    ]
}

/// The end of the committed ranges that join without a gap from the first record on.
pub(super) fn contiguous_end(ranges: &[(Mark, Mark)]) -> Mark {
    let mut end = Mark::default();
    for (from, to) in ranges {
        if from.record > end.record {
            break;
        }
        end = end.max(*to);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_before_the_first_gap() {
        let mark = |record| Mark { record, byte: record * 10, row: record + 2 };
        let ranges = [(mark(0), mark(5)), (mark(5), mark(9)), (mark(12), mark(20))];
        assert_eq!(contiguous_end(&ranges), mark(9));
        assert_eq!(contiguous_end(&ranges[1..]), Mark::default());
    }
}
