//! Progress on stderr: events of a run become bars, lines or JSON.
//!
//! Rows are counted in the run's meters; a small thread looks at them now and then, so that the
//! threads that work never wait for a terminal.

mod bar;
mod json;
mod log;

use crate::chunk::Tally;
use crate::config::ProgressKind;
use crate::flow::{Event, Meters, Observer};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often meters are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Speeds are means over this time: steady enough to read, fresh enough to be true.
const WINDOW: Duration = Duration::from_secs(5);

/// Seconds below which a speed would be chance.
const LEAST_SPAN: f64 = 0.3;

/// One way of telling.
trait View: Send {
    /// Something happened. `live` is the input it concerns, where there is one.
    fn event(&mut self, event: &Event<'_>, live: Option<&Live>);
    /// A look at the meters.
    fn look(&mut self, live: &Live);
    /// The run is over, well or not.
    fn close(&mut self);
}

/// The input being loaded.
struct Live {
    name: String,
    table: String,
    input: usize,
    of: usize,
    bytes: Option<u64>,
    meters: Arc<Meters>,
    started: Instant,
    samples: VecDeque<(Instant, u64, u64)>,
}

impl Live {
    fn read(&self) -> u64 {
        self.meters.read.load(Ordering::Relaxed)
    }

    fn consumed(&self) -> u64 {
        let consumed = self.meters.consumed.load(Ordering::Relaxed);
        self.bytes.map_or(consumed, |bytes| consumed.min(bytes))
    }

    fn rejected(&self) -> u64 {
        self.meters.rejected.load(Ordering::Relaxed)
    }

    fn sample(&mut self) {
        let now = Instant::now();
        self.samples.push_back((now, self.read(), self.consumed()));
        while self.samples.len() > 2
            && self.samples.front().is_some_and(|(then, ..)| now - *then > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Rows and bytes per second of late.
    fn speed(&self) -> (f64, f64) {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return (0.0, 0.0);
        };
        let seconds = (last.0 - first.0).as_secs_f64();
        if seconds < LEAST_SPAN {
            return (0.0, 0.0);
        }
        let per_second = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        (per_second(first.1, last.1), per_second(first.2, last.2))
    }

    /// Seconds still to go, once that can be told.
    fn eta(&self) -> Option<f64> {
        let left = self.bytes?.saturating_sub(self.consumed());
        let (_, bytes) = self.speed();
        (bytes > 0.0).then(|| left as f64 / bytes)
    }

    /// Chunks waiting before each agent; nothing waits before the reader.
    fn queues(&self) -> Vec<(String, u64)> {
        let readings = self.meters.readings();
        readings.into_iter().skip(1).map(|reading| (reading.agent, reading.queued)).collect()
    }
}

struct State {
    view: Box<dyn View>,
    live: Option<Live>,
    over: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Progress is told on after a panic elsewhere; at worst a line is missing.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Tells the progress of a run until it is dropped.
pub struct Progress {
    shared: Arc<Shared>,
    looker: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts telling.
    pub fn start(kind: ProgressKind) -> Self {
        let view: Box<dyn View> = match kind {
            ProgressKind::Bar => Box::new(bar::Bars::default()),
            ProgressKind::Log | ProgressKind::Auto => Box::new(log::Log::default()),
            ProgressKind::Json => Box::new(json::Json::default()),
            ProgressKind::None => Box::new(Silent),
        };
        let state = Mutex::new(State { view, live: None, over: false });
        let shared = Arc::new(Shared { state, wake: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let looker = (kind != ProgressKind::None)
            .then(|| {
                std::thread::Builder::new().name("progress".into()).spawn(move || look(&theirs))
            })
            // Without a thread there is no live progress, but the run is not worse for it.
            .and_then(Result::ok);
        Self { shared, looker }
    }
}

fn look(shared: &Shared) {
    let mut state = shared.lock();
    while !state.over {
        let waited = shared.wake.wait_timeout(state, LOOK);
        state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        let State { view, live, over } = &mut *state;
        if let Some(live) = live.as_mut().filter(|_| !*over) {
            live.sample();
            view.look(live);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.over = true;
        state.view.close();
        drop(state);
        self.shared.wake.notify_all();
        if let Some(looker) = self.looker.take() {
            // It only looks: if it panicked, the hook has told.
            let _ = looker.join();
        }
    }
}

impl Observer for Progress {
    fn on(&self, event: &Event<'_>) {
        let mut state = self.shared.lock();
        if let Event::InputStarted { input, of, origin, table, bytes, meters, .. } = event {
            let mut live = Live {
                name: origin.label(),
                table: (*table).to_owned(),
                input: *input,
                of: *of,
                bytes: *bytes,
                meters: Arc::clone(meters),
                started: Instant::now(),
                samples: VecDeque::new(),
            };
            live.sample();
            state.live = Some(live);
        }
        let State { view, live, .. } = &mut *state;
        view.event(event, live.as_ref());
        if matches!(event, Event::InputFinished { .. }) {
            state.live = None;
        }
    }
}

struct Silent;

impl View for Silent {
    fn event(&mut self, _: &Event<'_>, _: Option<&Live>) {}
    fn look(&mut self, _: &Live) {}
    fn close(&mut self) {}
}

/// That a load goes on by itself.
fn again(attempt: u64, of: u64, wait: Duration, why: &str) -> String {
    format!(
        "warning: {}; going on from the last commit in {:.1} s (attempt {attempt} of {of})",
        super::text::safe(why),
        wait.as_secs_f64()
    )
}

/// `95,332 rows read, 220 rejected, 22,698 rows/s`.
fn finished(tally: &Tally, seconds: f64) -> String {
    use super::text::{count, duration, plural};
    let rejected = match tally.rejected {
        0 => String::new(),
        rejected => format!(", {} rejected", count(rejected)),
    };
    format!("{} read{rejected} in {}", plural(tally.read, "row"), duration(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{Fingerprint, Origin, Part};

    /// Keeps what it is told.
    struct Tape(Arc<Mutex<Vec<String>>>);

    impl View for Tape {
        fn event(&mut self, event: &Event<'_>, live: Option<&Live>) {
            let name = live.map_or("", |live| live.name.as_str());
            self.0.lock().expect("sound").push(format!("{name} {event:.20?}"));
        }
        fn look(&mut self, live: &Live) {
            self.0.lock().expect("sound").push(format!("read {}", live.read()));
        }
        fn close(&mut self) {
            self.0.lock().expect("sound").push("closed".into());
        }
    }

    #[test]
    fn meters_are_looked_at_until_the_input_is_finished() {
        let tape = Arc::new(Mutex::new(Vec::new()));
        let view = Box::new(Tape(Arc::clone(&tape)));
        let progress = Progress::start(ProgressKind::Json);
        progress.shared.lock().view = view;
        let meters = Meters::new(vec!["read"]);
        meters.read.store(7, Ordering::Relaxed);
        let origin =
            Origin { path: "a.csv".into(), part: Part::Whole, fingerprint: Fingerprint([0; 32]) };
        progress.on(&Event::InputStarted {
            input: 0,
            of: 1,
            origin: &origin,
            table: "t",
            bytes: Some(10),
            resumed_from: None,
            meters: Arc::clone(&meters),
        });
        std::thread::sleep(LOOK * 3);
        progress.on(&Event::InputFinished { input: 0, tally: &Tally::default() });
        let told_then = tape.lock().expect("sound").len();
        std::thread::sleep(LOOK * 2);
        assert_eq!(tape.lock().expect("sound").len(), told_then, "nobody looks any more");
        drop(progress);
        let told = tape.lock().expect("sound");
        assert!(told[0].starts_with("a.csv"), "{told:?}");
        assert!(told.contains(&"read 7".to_owned()), "{told:?}");
        assert_eq!(told.last().map(String::as_str), Some("closed"));
    }

    #[test]
    fn speed_and_time_to_go_come_from_the_recent_past() {
        let meters = Meters::new(vec!["read"]);
        let start = Instant::now();
        let mut live = Live {
            name: String::new(),
            table: String::new(),
            input: 0,
            of: 1,
            bytes: Some(1_000),
            meters: Arc::clone(&meters),
            started: start,
            samples: VecDeque::from([(start, 0, 0), (start + Duration::from_secs(2), 20, 400)]),
        };
        meters.consumed.store(400, Ordering::Relaxed);
        assert_eq!(live.speed(), (10.0, 200.0));
        assert_eq!(live.eta(), Some(3.0));
        live.bytes = None;
        assert_eq!(live.eta(), None);
    }
}
