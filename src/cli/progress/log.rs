//! Plain lines for log files and pipes: at start and end of an input, and now and then between.

use super::{Live, View, again, finished};
use crate::cli::output;
use crate::cli::text::{coarse, count, decimal, safe};
use crate::flow::Event;
use std::time::{Duration, Instant};

/// Time between two lines about the same input.
const EVERY: Duration = Duration::from_secs(5);

/// Lines on stderr.
#[derive(Default)]
pub struct Log {
    last: Option<Instant>,
}

impl View for Log {
    fn event(&mut self, event: &Event<'_>, live: Option<&Live>) {
        if let Some(line) = line(event, live) {
            output::stderr(&line);
            self.last = Some(Instant::now());
        }
    }

    fn look(&mut self, live: &Live) {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        output::stderr(&status(live));
    }

    fn close(&mut self) {}
}

fn line(event: &Event<'_>, live: Option<&Live>) -> Option<String> {
    Some(match event {
        Event::InputStarted { resumed_from, .. } => {
            let live = live?;
            let size = live.bytes.map_or_else(String::new, |b| format!(", {}", decimal(b as f64)));
            let from = resumed_from
                .map_or_else(String::new, |row| format!(", resuming at row {}", count(row)));
            format!("{}: loading into {}{size}{from}", safe(&live.name), safe(&live.table))
        }
        Event::InputFinished { tally, .. } => {
            let live = live?;
            let told = finished(tally, live.started.elapsed().as_secs_f64());
            format!("{}: {told}", safe(&live.name))
        }
        Event::AlreadyLoaded { origin, run } => {
            format!("{}: already loaded by run {run}", safe(&origin.label()))
        }
        Event::Retry { attempt, of, wait, why } => again(*attempt, *of, *wait, why),
        Event::Warning(text) => format!("warning: {}", safe(text)),
        Event::Step(text) => safe(text),
        Event::Surveying { .. } | Event::Committed { .. } => return None,
    })
}

fn status(live: &Live) -> String {
    let (rows, bytes) = live.speed();
    let share = match live.bytes {
        Some(all) if all > 0 => format!("{:.0}%, ", live.consumed() as f64 * 100.0 / all as f64),
        _ => String::new(),
    };
    let left = live.eta().map_or_else(String::new, |eta| format!(", {} left", coarse(eta)));
    format!(
        "{}: {share}{} rows, {} rejected, {} rows/s, {}/s read{left}",
        safe(&live.name),
        count(live.read()),
        count(live.rejected()),
        count(rows as u64),
        decimal(bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Meters;
    use std::collections::VecDeque;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_line_says_how_far_and_how_fast() {
        let meters = Meters::new(vec!["read"]);
        meters.read.store(50_000, Ordering::Relaxed);
        meters.consumed.store(10_000_000, Ordering::Relaxed);
        meters.rejected.store(3, Ordering::Relaxed);
        let start = Instant::now();
        let live = Live {
            name: "a.csv".into(),
            table: "t".into(),
            input: 0,
            of: 1,
            bytes: Some(40_000_000),
            meters,
            started: start,
            samples: VecDeque::from([
                (start, 0, 0),
                (start + Duration::from_secs(1), 50_000, 10_000_000),
            ]),
        };
        assert_eq!(
            status(&live),
            "a.csv: 25%, 50,000 rows, 3 rejected, 50,000 rows/s, 10.0 MB/s read, 3 s left"
        );
    }
}
