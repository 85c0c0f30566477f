//! Inputs that are known already: loaded, unfinished, or changed since.

use super::error::{RunError, RunErrorKind};
use super::ingest::key_as;
use super::load_one::LoadOne;
use super::request::{Mode, OnAbort};
use crate::chunk::Mark;
use crate::load::ledger::{
    InputKey, InputRow, Ledger, has_release, others_since, rebase, scope_rows, table_rows,
};
use crate::load::table::{Strategy, side_table};
use crate::load::target::transaction;
use crate::load::{Link, LoadError, dead_letter};
use crate::source::SourceErrorKind;
use std::path::PathBuf;

impl LoadOne<'_> {
    /// E502: an unfinished input of this path had other content, or was begun with other settings.
    /// Its rows would stay in the table, half a file that nobody asked for.
    pub(super) fn refuse_changed(
        &self,
        ledger: &Ledger<'_>,
        key: &InputKey,
    ) -> Result<(), RunError> {
        let origin = &self.input.origin;
        let Some(other) = ledger.unfinished_at(&origin.path, origin.sheet(), key)? else {
            return Ok(());
        };
        // What has committed nothing has nothing to lose: a rule that stopped the file at its first
        // rows must not stand in the way of the same command with another level.
        if self.session.request.fresh || other.ranges.is_empty() {
            return self.forget(&other);
        }
        let same = other.config == key.config;
        let (what, back) = match same {
            true => ("its content has changed since", "put the old file back"),
            false => ("content or settings are others now", "put file and settings back"),
        };
        let message = format!(
            "{}: run {} has loaded {} rows of this file, and {what}",
            origin.label(),
            other.run,
            other.tally.read
        );
        Err(RunError::new(RunErrorKind::Input, message)
            .with_code("E502")
            .with_hint(format!("{back} and run the same command to finish it"))
            .with_hint("or give --fresh: the rows of the unfinished run are deleted first"))
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

    /// A finished input of the same content, where this one's name no longer tells the release.
    pub(super) fn known_by_content(
        &self,
        ledger: &Ledger<'_>,
        key: &InputKey,
    ) -> Result<Option<InputRow>, RunError> {
        let session = self.session;
        if self.input.kind.is_none() || self.input.settled.release.is_some() {
            return Ok(None);
        }
        let found = ledger.finished_content(key)?.into_iter().find(|row| {
            let release = row.release.clone().unwrap_or_default();
            key_as(session.request, session.pack, self.input, &release).config == row.config
        });
        Ok(found)
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
