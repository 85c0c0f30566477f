//! The one place that decides what is tried again, how often, and after how long.
//!
//! Trying again is resuming: what is committed stands in the ledger, so a load that lost its
//! connection goes on behind its last commit, and a COMMIT whose answer never came is settled there.
//! Waits double from one second to half a minute, each a random part of that (full jitter), so that
//! many loads do not come back at the same moment.

use super::error::{Again, RunError, RunErrorKind};
use crate::flow::{Event, Observer, Stop};
use crate::load::{LoadError, Piece, Seal, Writer};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// How long a sleeping load may take to notice that it is to end.
const STEP: Duration = Duration::from_millis(100);

/// Commits of a run, and how often it was tried again. Whoever gets on is not at the end of his
/// attempts.
#[derive(Debug, Default)]
pub struct Commits {
    done: AtomicU64,
    retries: AtomicU64,
}

impl Commits {
    /// How often the run was tried again.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}

/// One try of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Try {
    /// Not the first one.
    pub again: bool,
    /// How often what is sent at a time is to be halved.
    pub halvings: u32,
}

/// A writer that counts its commits.
pub struct Counting<'c, W> {
    writer: W,
    commits: &'c Commits,
}

impl<'c, W: Writer> Counting<'c, W> {
    /// Counts the commits of `writer`.
    pub fn new(writer: W, commits: &'c Commits) -> Self {
        Self { writer, commits }
    }
}

impl<W: Writer> Writer for Counting<'_, W> {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        self.writer.write(piece)
    }

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        self.writer.seal(seal)?;
        self.commits.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn close(&mut self) -> Result<(), LoadError> {
        self.writer.close()
    }
}

/// Runs `work` until it succeeds, fails for good, or has been tried again `attempts` times without a
/// commit. `work` is told whether it is tried again.
pub fn with_retries<T>(
    attempts: u64,
    commits: &Commits,
    observer: &dyn Observer,
    stop: &Stop,
    mut work: impl FnMut(Try) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let (mut tried, mut this) = (0, Try::default());
    loop {
        let before = commits.done.load(Ordering::Relaxed);
        let mut error = match work(this) {
            Err(error) if error.again != Again::Never => error,
            other => return other,
        };
        this.again = true;
        this.halvings += u32::from(error.again == Again::Smaller);
        if commits.done.load(Ordering::Relaxed) > before {
            tried = 0;
        }
        if let Some(wait) = error.wait {
            // Nobody was asked: that was no attempt.
            sleep(wait, stop)?;
            continue;
        }
        if tried >= attempts {
            if tried > 0 {
                error.message = format!("given up after {tried} more attempts: {}", error.message);
            }
            return Err(error);
        }
        tried += 1;
        let wait = jittered(longest(tried), random());
        commits.retries.fetch_add(1, Ordering::Relaxed);
        observer.on(&Event::Retry { attempt: tried, of: attempts, wait, why: &error.message });
        sleep(wait, stop)?;
    }
}

/// The upper bound of a wait.
fn longest(attempt: u64) -> Duration {
    let doublings = u32::try_from(attempt - 1).unwrap_or(u32::MAX).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

fn jittered(longest: Duration, random: f64) -> Duration {
    longest.mul_f64(random.clamp(0.0, 1.0))
}

/// A number from 0 to 1.
fn random() -> f64 {
    (ulid::Ulid::generate().random() as u64) as f64 / u64::MAX as f64
}

fn sleep(wait: Duration, stop: &Stop) -> Result<(), RunError> {
    let until = Instant::now() + wait;
    loop {
        if let Some(cause) = stop.cause() {
            return Err(RunError::new(RunErrorKind::Interrupted(cause), "interrupted"));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(STEP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl Observer for Silent {
        fn on(&self, _event: &Event<'_>) {}
    }

    fn lost() -> RunError {
        let mut error = RunError::new(RunErrorKind::Target, "lost");
        error.again = Again::Later;
        error
    }

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let seconds: Vec<_> = (1..=8).map(|attempt| longest(attempt).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(longest(u64::MAX), LONGEST);
        assert_eq!(jittered(LONGEST, 0.5), Duration::from_secs(15));
        assert!((0.0..=1.0).contains(&random()));
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_not_for_ever() {
        let stop = Stop::default();
        let mut calls = 0;
        let ended = with_retries(1, &Commits::default(), &Silent, &stop, |_| -> Result<(), _> {
            calls += 1;
            Err(lost())
        });
        assert_eq!(calls, 2);
        assert!(ended.expect_err("lost").message.starts_with("given up after 1 more"));
        let mut calls = 0;
        let ended = with_retries(9, &Commits::default(), &Silent, &stop, |_| -> Result<(), _> {
            calls += 1;
            Err(RunError::new(RunErrorKind::Account, "gap"))
        });
        assert_eq!((calls, ended.expect_err("fails").message.as_str()), (1, "gap"));
        let ended = with_retries(9, &Commits::default(), &Silent, &stop, |this| match this.again {
            true => Ok(7),
            false => Err(lost()),
        });
        assert_eq!(ended.expect("succeeds"), 7);
    }

    #[test]
    fn what_was_too_slow_is_tried_in_halves_and_who_was_not_asked_has_not_tried() {
        let (commits, mut halvings) = (Commits::default(), Vec::new());
        let ended = with_retries(1, &commits, &Silent, &Stop::default(), |this| {
            halvings.push(this.halvings);
            match halvings.len() {
                1 => Err(RunError { again: Again::Smaller, ..lost() }),
                2..=4 => Err(RunError { wait: Some(Duration::from_millis(1)), ..lost() }),
                _ => Ok(()),
            }
        });
        assert!(ended.is_ok());
        assert_eq!((halvings, commits.retries()), (vec![0, 1, 1, 1, 1], 1));
    }

    #[test]
    fn who_gets_on_may_go_on() {
        let (commits, mut calls) = (Commits::default(), 0);
        let ended = with_retries(1, &commits, &Silent, &Stop::default(), |_| {
            calls += 1;
            commits.done.fetch_add(u64::from(calls < 3), Ordering::Relaxed);
            Err::<(), _>(lost())
        });
        // Two calls got on, the next did not, nor did the one after it.
        assert_eq!(calls, 3);
        assert!(ended.is_err());
    }
}
