//! What is done with the ledger before anything is loaded: it is brought up to date, and what a stopped replay has
//! left is closed.

use super::error::{RunError, RunErrorKind};
use super::ingest::Session;
use super::prepare::Prepared;
use super::standing::Standing;
use crate::load::dead_letter;
use crate::load::ledger::{Finish, Ledger, RunState, replays, schema};
use crate::load::table::{Strategy, TableSpec};
use std::collections::BTreeMap;
use std::path::Path;

impl Session<'_> {
    /// Brings the ledger up to date, unless one of the inputs was begun under other rules of values (E502): the
    /// program that has begun it would not understand the ledger any more.
    pub fn set_up(&self, inputs: &[Prepared]) -> Result<(), RunError> {
        let version = schema::version(self.con())?;
        if (1..schema::VERSION).contains(&version) && !self.request.fresh {
            // With --keep-going it is refused when its turn comes.
            let looked_at = inputs.iter().filter(|_| !self.request.keep_going);
            for input in looked_at {
                let wanted = self.wanted(input);
                let standing = self.standing(&wanted)?;
                if let Standing::OtherRules(known) = &standing {
                    return Err(wanted.other_rules(known));
                }
            }
        }
        self.target.prepare_ledger()?;
        self.close_stopped_replays()
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
            let finish = Finish {
                con,
                spec: &spec,
                input: row,
                release,
                cells: self.request.cells,
                repeated: BTreeMap::new(),
                not_compared: Vec::new(),
                // Its columns are not known here.
                hashes_hold: false,
            };
            finish.close()?;
            Ledger::new(con).stop_run(
                &row.run,
                RunState::Interrupted,
                "what was committed stays",
            )?;
        }
        Ok(())
    }
}
