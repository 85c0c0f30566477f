//! Files that have grown while they lay half loaded.

use super::error::RunError;
use super::ingest::Session;
use super::prepare::Prepared;
use crate::flow::Event;
use crate::load::LoadError;
use crate::load::ledger::{Ledger, State};
use crate::load::target::transaction;
use crate::source::Earlier;

/// Where an input was left unfinished and its file has only grown at the end since, what is committed is
/// right for the file as it is now, too: the input gets the new content, and the load goes on behind it.
/// What was loaded of any other content stays as it is (E502 tells of it).
pub(super) fn take_over(session: &Session<'_>, inputs: &[Prepared]) -> Result<(), RunError> {
    if !Ledger::new(session.con()).is_any_unfinished()? {
        return Ok(());
    }
    inputs.iter().try_for_each(|input| one(session, input))
}

fn one(session: &Session<'_>, input: &Prepared) -> Result<(), RunError> {
    let (con, key, origin) = (session.con(), session.key_of(input), &input.origin);
    let ledger = Ledger::new(con);
    let unfinished = || ledger.unfinished_at(&origin.path, origin.sheet(), &key);
    let Some(bytes) = input.table.extent().bytes else { return Ok(()) };
    if ledger.state(&key)? != State::New || unfinished()?.is_none() {
        return Ok(());
    }
    session.target.hold(&input.spec.name)?;
    // Whoever held the table before may have ended it.
    let Some(row) = unfinished()? else { return Ok(()) };
    let committed = row.ranges.iter().map(|(_, to)| to.byte).max();
    let known = ledger.content_of(&row)?;
    let (Some(committed), Some((fingerprint, was)), true) =
        (committed, known, row.config == key.config)
    else {
        return Ok(());
    };
    let earlier = Earlier { fingerprint, bytes: was, committed };
    if !input.table.continues(&earlier)? {
        return Ok(());
    }
    transaction(con, |con| -> Result<(), LoadError> {
        Ledger::new(con).grow(&row, key.fingerprint, bytes)
    })?;
    session.observer.on(&Event::Warning(&format!(
        "{}: the file has grown since run {} has loaded a part of it, and what was there before is as it \
         was: the load goes on with the file as it is now",
        origin.label(),
        row.run
    )));
    Ok(())
}
