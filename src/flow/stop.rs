//! One flag that ends a flow: the first cause wins, and whoever waits is woken.

use crate::chunk::Budget;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Why a flow was asked to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// An agent, the source or the consumer failed; its error says more.
    Failure,
}

/// Shared by all threads of a run and by the signal handler.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    raised: AtomicBool,
    cause: Mutex<Option<StopCause>>,
    budgets: Mutex<Vec<Arc<Budget>>>,
    parent: Option<Stop>,
}

impl Stop {
    /// A flag for one flow of several: it is raised with this one, but what it is raised for (an
    /// error of that flow, or that it has read enough) ends nothing else.
    pub fn child(&self) -> Self {
        let parent = Some(self.clone());
        Self { inner: Arc::new(Inner { parent, ..Inner::default() }) }
    }

    /// Asks everybody to end. Only the first cause is kept.
    pub fn raise(&self, cause: StopCause) {
        lock(&self.inner.cause).get_or_insert(cause);
        self.inner.raised.store(true, Ordering::SeqCst);
        for budget in lock(&self.inner.budgets).iter() {
            budget.close();
        }
    }

    /// Whether somebody asked.
    pub fn is_raised(&self) -> bool {
        self.inner.raised.load(Ordering::SeqCst)
            || self.inner.parent.as_ref().is_some_and(Self::is_raised)
    }

    /// Who asked first.
    pub fn cause(&self) -> Option<StopCause> {
        lock(&self.inner.cause).or_else(|| self.inner.parent.as_ref()?.cause())
    }

    /// A budget whose waiters must be woken by a stop.
    pub fn watch(&self, budget: &Arc<Budget>) {
        lock(&self.inner.budgets).push(Arc::clone(budget));
        if let Some(parent) = &self.inner.parent {
            parent.watch(budget);
        }
        if self.is_raised() {
            budget.close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The guarded values are replaced whole: a panic elsewhere leaves them sound.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_wins_and_waiters_wake() {
        let stop = Stop::default();
        let budget = Budget::new(1);
        let _held = budget.acquire(1);
        stop.watch(&budget);
        stop.raise(StopCause::Interrupt);
        stop.raise(StopCause::Failure);
        assert_eq!(stop.cause(), Some(StopCause::Interrupt));
        assert!(budget.acquire(1).is_none());
    }

    #[test]
    fn a_child_ends_with_its_parent_and_not_the_other_way_round() {
        let run = Stop::default();
        let first = run.child();
        first.raise(StopCause::Failure);
        assert!(first.is_raised() && !run.is_raised());
        let second = run.child();
        let budget = Budget::new(1);
        second.watch(&budget);
        let _held = budget.acquire(1);
        assert!(!second.is_raised());
        run.raise(StopCause::Terminate);
        assert_eq!((second.is_raised(), second.cause()), (true, Some(StopCause::Terminate)));
        assert!(budget.acquire(1).is_none());
    }
}
