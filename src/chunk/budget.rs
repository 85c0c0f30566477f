//! The one memory budget of a run, in bytes.
//!
//! Only sources wait for permits; everything downstream holds what the source acquired and gives it
//! back when the rows have reached the sink. So nothing can deadlock: whoever waits holds nothing
//! that another needs. A request larger than the whole budget is cut to it, so that one huge block
//! passes alone instead of waiting for ever.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Bytes that all chunks in flight may hold together.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    peak: u64,
    closed: bool,
}

/// A share of the budget; dropping it gives the bytes back.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    /// A budget of `limit` bytes (at least one).
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit: limit.max(1),
            state: Mutex::new(State::default()),
            freed: Condvar::new(),
        })
    }

    /// Waits until `bytes` are free. `None` when the budget was closed while waiting.
    pub fn acquire(self: &Arc<Self>, bytes: u64) -> Option<Permit> {
        let bytes = bytes.min(self.limit);
        let mut state = self.lock();
        while !state.closed && state.used + bytes > self.limit {
            state = self.freed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        if state.closed {
            return None;
        }
        state.used += bytes;
        state.peak = state.peak.max(state.used);
        Some(Permit { budget: Arc::clone(self), bytes })
    }

    /// Wakes every waiter with `None`; later requests fail at once.
    pub fn close(&self) {
        self.lock().closed = true;
        self.freed.notify_all();
    }

    /// Bytes held now.
    pub fn used(&self) -> u64 {
        self.lock().used
    }

    /// Most bytes ever held.
    pub fn peak(&self) -> u64 {
        self.lock().peak
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the counters half-written: they change in one statement.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Permit {
    /// Corrects the share once the true size is known. Never waits: a decoder that grows its chunk
    /// must be able to go on, or it would wait for memory that only its own progress frees.
    pub fn resize(&mut self, bytes: u64) {
        let mut state = self.budget.lock();
        state.used = state.used - self.bytes + bytes;
        state.peak = state.peak.max(state.used);
        drop(state);
        if bytes < self.bytes {
            self.budget.freed.notify_all();
        }
        self.bytes = bytes;
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().used -= self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_when_a_permit_is_dropped() {
        let budget = Budget::new(100);
        let first = budget.acquire(60).expect("open");
        let second = budget.acquire(40).expect("open");
        assert_eq!(budget.used(), 100);
        drop((first, second));
        assert_eq!((budget.used(), budget.peak()), (0, 100));
    }

    #[test]
    fn a_request_above_the_limit_passes_alone() {
        let budget = Budget::new(10);
        assert_eq!(budget.acquire(1_000).expect("open").bytes(), 10);
    }

    #[test]
    fn closing_wakes_a_waiter() {
        let budget = Budget::new(10);
        let held = budget.acquire(10).expect("open");
        let waiter = std::thread::spawn({
            let budget = Arc::clone(&budget);
            move || budget.acquire(5).is_none()
        });
        budget.close();
        assert!(waiter.join().expect("the waiter does not panic"));
        drop(held);
    }
}
