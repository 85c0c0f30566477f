//! One JSON object a line on stderr, for programs that watch a run.

use super::{Live, View};
use crate::cli::output;
use crate::flow::Event;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Time between two objects about the same input.
const EVERY: Duration = Duration::from_secs(1);

/// Objects on stderr.
#[derive(Default)]
pub struct Json {
    last: Option<Instant>,
}

impl View for Json {
    fn event(&mut self, event: &Event<'_>, live: Option<&Live>) {
        output::stderr(&object(event, live).to_string());
    }

    fn look(&mut self, live: &Live) {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        output::stderr(&progress(live).to_string());
    }

    fn close(&mut self) {}
}

fn object(event: &Event<'_>, live: Option<&Live>) -> Value {
    let name = live.map(|live| live.name.as_str());
    match event {
        Event::Surveying { file } => json!({ "event": "surveying", "file": file }),
        Event::InputStarted { input, of, table, bytes, resumed_from, .. } => json!({
            "event": "input_started", "input": name, "number": input, "of": of, "table": table,
            "bytes": bytes, "resumed_from": resumed_from,
        }),
        Event::Committed { input, to_record } => {
            json!({ "event": "committed", "number": input, "to_record": to_record })
        }
        Event::InputFinished { input, tally } => {
            json!({ "event": "input_finished", "input": name, "number": input, "tally": tally })
        }
        Event::AlreadyLoaded { origin, run } => {
            json!({ "event": "already_loaded", "input": origin.label(), "run": run })
        }
        Event::Retry { attempt, of, wait, why } => json!({
            "event": "retry", "attempt": attempt, "of": of, "seconds": wait.as_secs_f64(),
            "message": why,
        }),
        Event::Warning(text) => json!({ "event": "warning", "message": text }),
        Event::Step(text) => json!({ "event": "step", "message": text }),
    }
}

fn progress(live: &Live) -> Value {
    let (rows, bytes) = live.speed();
    let queues: Map<String, Value> =
        live.queues().into_iter().map(|(name, depth)| (name, json!(depth))).collect();
    json!({
        "event": "progress", "input": live.name, "number": live.input, "rows": live.read(),
        "rejected": live.rejected(), "bytes": live.consumed(), "of_bytes": live.bytes,
        "rows_per_second": rows.round(), "bytes_per_second": bytes.round(),
        "seconds_left": live.eta().map(f64::round), "queues": queues,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_object_with_its_event() {
        let event = Event::Committed { input: 1, to_record: 5 };
        let value = object(&event, None);
        assert_eq!(value, json!({ "event": "committed", "number": 1, "to_record": 5 }));
        assert_eq!(object(&Event::Warning("a\nb"), None)["message"], "a\nb");
    }
}
