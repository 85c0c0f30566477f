//! Files that have grown while they lay half loaded.

use super::error::RunError;
use super::ingest::Session;
use super::prepare::Prepared;
use super::standing::{Relation, Standing, Wanted};
use super::types;
use crate::chunk::Fingerprint;
use crate::load::LoadError;
use crate::load::ledger::{Grown, InputState, KnownInput, Ledger};
use crate::load::target::transaction;
use crate::source::Earlier;

/// Where an input was left unfinished and its file has only grown at the end since, what is committed is
/// right for the file as it is now, too: the input gets the new content, and the load goes on behind it.
/// What was loaded of any other content stays as it is (E502 tells of it).
pub(super) fn take_over(session: &Session<'_>, inputs: &[Prepared]) -> Result<(), RunError> {
    if !Ledger::new(session.con()).is_any_unfinished()? {
        return Ok(());
    }
    inputs.iter().enumerate().try_for_each(|(at, input)| one(session, at, input))
}

fn one(session: &Session<'_>, at: usize, input: &Prepared) -> Result<(), RunError> {
    let (con, wanted) = (session.con(), session.wanted(input));
    let Some(bytes) = input.table.extent().bytes else { return Ok(()) };
    let is_new = matches!(session.standing(&wanted)?, Standing::New(_));
    if !is_new || unfinished(session, &wanted)?.is_none() {
        return Ok(());
    }
    session.target.hold(&input.spec.name)?;
    // Whoever held the table before may have ended it.
    let Some(known) = unfinished(session, &wanted)? else { return Ok(()) };
    let row = &known.row;
    let committed = row.ranges.iter().map(|(_, to)| to.byte).max();
    let fingerprint = Fingerprint::parse(&known.fingerprint);
    let (Some(committed), Some(fingerprint), Some(was)) = (committed, fingerprint, known.bytes)
    else {
        return Ok(());
    };
    let earlier = Earlier { fingerprint, bytes: was, committed };
    if !input.table.continues(&earlier)? {
        return Ok(());
    }
    let (identity, config) = (wanted.identity.json(), wanted.identity.config());
    let grown = Grown { fingerprint: wanted.key.fingerprint, bytes, identity, config };
    transaction(con, |con| -> Result<(), LoadError> { Ledger::new(con).grow(row, &grown) })?;
    let told = format!(
        "{}: the file has grown since run {} has loaded a part of it, and what was there before is as it \
         was: the load goes on with the file as it is now",
        input.origin.label(),
        row.run
    );
    session.found.borrow_mut().push((at, told));
    Ok(())
}

/// The unfinished load of earlier content of the path, where nothing but the content differs and some of it
/// is committed.
fn unfinished(session: &Session<'_>, wanted: &Wanted<'_>) -> Result<Option<KnownInput>, LoadError> {
    let types = types::stored(wanted.input);
    let goes_on = |known: &KnownInput| {
        known.state == InputState::Running
            && !known.row.ranges.is_empty()
            && known.mode() == wanted.input.mode
            && known.types.as_deref().is_none_or(|before| before == types)
            && wanted.relation_of(known) == Relation::Same
    };
    let found = Ledger::new(session.con()).of_path(&wanted.path, &wanted.key)?;
    Ok(found.into_iter().find(goes_on))
}
