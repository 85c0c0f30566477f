//! Memory near its limit: what the allocators keep of freed memory is given back.
//!
//! What a run holds is bounded by the shares of its limit. What allocators keep beside that, in case it
//! is wanted again, is not: about 50 MB under 512 MiB (measured), kept for the sake of speed. So it stays
//! where there is room for it, and goes where there is not.

use crate::duck::trim_memory_pools;
use crate::run::resident_memory;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How often resident memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Relief begins where less than this part of the limit is free: 43 of 512 MiB.
const FREE: u64 = 12;

/// Gives memory back while it lives.
pub struct Relief {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relief {
    /// Keeps resident memory away from `limit` bytes by calling `give_back`. `None` where the system
    /// does not tell, or gives no thread: then allocators keep what they keep.
    pub fn start(limit: u64, give_back: fn()) -> Option<Self> {
        resident_memory()?;
        let most = limit - limit / FREE;
        let (end, ended) = bounded(0);
        let work = move || {
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if resident_memory().is_some_and(|resident| resident > most) {
                    give_back();
                    trim_memory_pools();
                }
            }
        };
        let thread = Builder::new().name("memory".into()).spawn(work).ok()?;
        Some(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Relief {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell but a panic, which the hook has told.
            let _ = thread.join();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    #[test]
    fn memory_is_given_back_near_the_limit_and_only_there() {
        static CALLED: AtomicU32 = AtomicU32::new(0);
        let give_back = || {
            CALLED.fetch_add(1, Ordering::Relaxed);
        };
        drop(Relief::start(1 << 50, give_back).expect("a system that tells"));
        assert_eq!(CALLED.load(Ordering::Relaxed), 0);
        let relief = Relief::start(1 << 20, give_back).expect("a system that tells");
        let begun = Instant::now();
        while CALLED.load(Ordering::Relaxed) < 3 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(LOOK);
        }
        drop(relief);
        let called = CALLED.load(Ordering::Relaxed);
        assert!(called >= 3, "{called}");
        std::thread::sleep(3 * LOOK);
        assert_eq!(CALLED.load(Ordering::Relaxed), called);
    }
}
