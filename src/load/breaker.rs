//! A circuit breaker: a target that does not answer is probed now and then, not hammered by every
//! thread that needs it.
//!
//! Closed: everybody may try. After some failures in a row it opens, and nobody may until a pause is
//! over; then one may (half open). If that succeeds, it closes; if not, it opens for twice as long.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const FAILURES: u32 = 3;
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// A probe that says nothing for so long is given up.
const PROBE: Duration = Duration::from_secs(60);

/// Whether a target may be tried.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    HalfOpen { since: Instant, pause: Duration },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Asks whether to try now. Whoever may must tell what came of it. Else: how long to wait.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } if now < until => Err(until - now),
            State::HalfOpen { since, .. } if now < since + PROBE => Err(FIRST),
            State::Open { pause, .. } | State::HalfOpen { pause, .. } => {
                *state = State::HalfOpen { since: now, pause };
                Ok(())
            }
        }
    }

    /// Somebody has answered.
    pub fn succeeded(&self) {
        *self.lock() = State::default();
    }

    /// Nobody has answered.
    pub fn failed(&self, now: Instant) {
        let mut state = self.lock();
        *state = match *state {
            State::Closed { failures } if failures + 1 < FAILURES => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } => State::Open { until: now + FIRST, pause: FIRST },
            State::HalfOpen { pause, .. } => {
                let pause = pause.saturating_mul(2).min(LONGEST);
                State::Open { until: now + pause, pause }
            }
            // Tried before it opened: that says nothing new.
            open @ State::Open { .. } => open,
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_probes_and_closes() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        for _ in 0..FAILURES {
            assert_eq!(breaker.admit(at(0.0)), Ok(()));
            breaker.failed(at(0.0));
        }
        assert_eq!(breaker.admit(at(0.25)), Err(Duration::from_millis(750)));
        // One probe, and nobody beside it.
        assert_eq!(breaker.admit(at(1.0)), Ok(()));
        assert_eq!(breaker.admit(at(1.0)), Err(FIRST));
        breaker.failed(at(1.0));
        assert_eq!(breaker.admit(at(2.5)), Err(Duration::from_millis(500)));
        assert_eq!(breaker.admit(at(3.0)), Ok(()));
        breaker.succeeded();
        assert_eq!((breaker.admit(at(3.0)), breaker.admit(at(3.0))), (Ok(()), Ok(())));
    }

    #[test]
    fn pauses_double_up_to_half_a_minute_and_a_lost_probe_is_replaced() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        (0..FAILURES).for_each(|_| breaker.failed(now));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let pause = breaker.admit(now).expect_err("open");
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        now += LONGEST;
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(breaker.admit(now + PROBE), Ok(()));
    }

    #[test]
    fn one_answer_forgets_failures() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..5 {
            breaker.failed(now);
            breaker.failed(now);
            breaker.succeeded();
        }
        assert_eq!(breaker.admit(now), Ok(()));
    }
}
