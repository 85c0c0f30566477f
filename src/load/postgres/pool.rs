//! Connections that rest between two users.
//!
//! A connection costs the server a process and a proof of the password, and whoever waits for it some
//! round trips. Nothing is kept in a session from one transaction to the next, so whoever needs one takes
//! one that somebody else has done with.

use super::session::Session;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most connections that rest: a load has one for each writer and two more.
const MOST: usize = 16;

/// After so long a connection is tried before it is used.
const REST: Duration = Duration::from_millis(500);

/// Where they rest.
#[derive(Default)]
pub struct Pool {
    resting: Mutex<Vec<(Instant, Session)>>,
    /// Tells those who wait that one has come back or is gone.
    back: Condvar,
}

impl Pool {
    fn resting(&self) -> MutexGuard<'_, Vec<(Instant, Session)>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many rest.
    pub fn len(&self) -> usize {
        self.resting().len()
    }

    /// Waits until a connection rests, but not beyond `end`. Returns whether it may be worth to look.
    pub fn wait(&self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        let waited =
            self.back.wait_timeout_while(self.resting(), left, |resting| resting.is_empty());
        waited.is_ok_and(|(resting, _)| !resting.is_empty())
    }

    /// One that answers, the last one that came: it is the least likely to be gone.
    pub fn take(&self) -> Option<Session> {
        loop {
            let (since, mut session) = self.resting().pop()?;
            // It may be gone without a word; nothing was begun on it.
            if since.elapsed() <= REST || session.run("SELECT 1").is_ok() {
                return Some(session);
            }
        }
    }

    /// Lets one rest on which nothing is left to be done; others end.
    pub fn give(&self, session: Session) {
        if session.is_usable() && !session.in_transaction() && self.len() < MOST {
            self.resting().push((Instant::now(), session));
            self.back.notify_one();
        }
    }
}

/// A connection that goes back where it rests.
pub struct Loan {
    session: Option<Session>,
    pool: Arc<Pool>,
}

impl Loan {
    /// Lends a session.
    pub fn new(session: Session, pool: &Arc<Pool>) -> Self {
        Self { session: Some(session), pool: Arc::clone(pool) }
    }
}

impl Deref for Loan {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("it is taken out only where the loan ends")
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("it is taken out only where the loan ends")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.pool.give(session);
        }
    }
}
