//! Bars on a terminal: one for the input in hand, one line for each that is finished.

use super::{Live, View, again, finished};
use crate::cli::text::{coarse, count, decimal, safe, shorten};
use crate::flow::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Two lines at the bottom of the terminal; finished inputs scroll away above.
#[derive(Default)]
pub struct Bars {
    lines: MultiProgress,
    bar: Option<ProgressBar>,
    below: Option<ProgressBar>,
}

impl Bars {
    fn say(&self, line: &str) {
        // The terminal is gone: nothing to tell any more.
        let _ = self.lines.println(line);
    }

    fn spinner(&mut self, message: String) {
        self.clear();
        let spinner =
            self.lines.add(ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg}")));
        spinner.set_message(message);
        self.bar = Some(spinner);
    }

    fn bars(&mut self, live: &Live) {
        self.clear();
        let of =
            if live.of > 1 { format!("{}/{} ", live.input + 1, live.of) } else { String::new() };
        let name = shorten(&safe(&live.name), 26);
        let bar = match live.bytes {
            Some(bytes) => ProgressBar::new(bytes)
                .with_style(style("{prefix} [{bar:14}] {percent:>3}% {wide_msg}")),
            None => ProgressBar::new_spinner().with_style(style("{prefix} {spinner} {wide_msg}")),
        };
        let bar = self.lines.add(bar.with_prefix(format!("{of}{name}")));
        let below = ProgressBar::new_spinner().with_style(style("  {wide_msg}"));
        self.below = Some(self.lines.add(below));
        self.bar = Some(bar);
        self.look(live);
    }

    fn clear(&mut self) {
        for bar in [self.bar.take(), self.below.take()].into_iter().flatten() {
            bar.finish_and_clear();
            self.lines.remove(&bar);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates above are constants and tested")
        .progress_chars("=> ")
}

impl View for Bars {
    fn event(&mut self, event: &Event<'_>, live: Option<&Live>) {
        match event {
            Event::Surveying { file } => self.spinner(format!("looking at {}", safe(file))),
            Event::InputStarted { .. } => {
                if let Some(live) = live {
                    self.bars(live);
                }
            }
            Event::InputFinished { tally, .. } => {
                self.clear();
                if let Some(live) = live {
                    let told = finished(tally, live.started.elapsed().as_secs_f64());
                    self.say(&format!("{}: {told}", safe(&live.name)));
                }
            }
            Event::AlreadyLoaded { origin, run } => {
                self.clear();
                self.say(&format!("{}: already loaded by run {run}", safe(&origin.label())));
            }
            Event::Retry { attempt, of, wait, why } => self.say(&again(*attempt, *of, *wait, why)),
            Event::Warning(text) => self.say(&format!("warning: {}", safe(text))),
            Event::Step(text) => self.spinner(safe(text)),
            Event::Committed { .. } => {}
        }
    }

    fn look(&mut self, live: &Live) {
        let (Some(bar), Some(below)) = (&self.bar, &self.below) else {
            if let Some(bar) = &self.bar {
                bar.tick();
            }
            return;
        };
        let (rows, bytes) = live.speed();
        let eta = live.eta().map_or_else(String::new, |left| format!(" · {} left", coarse(left)));
        bar.set_position(live.consumed());
        bar.set_message(format!("{}/s read{eta}", decimal(bytes)));
        let queues = live.queues();
        let waiting: Vec<_> =
            queues.iter().map(|(name, depth)| format!("{name} {depth}")).collect();
        below.set_message(format!(
            "{} rows · {} rows/s · {} rejected · queues: {}",
            count(live.read()),
            count(rows as u64),
            count(live.rejected()),
            waiting.join(" "),
        ));
    }

    fn close(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_valid() {
        for template in [
            "{spinner} {wide_msg}",
            "{prefix} [{bar:14}] {percent:>3}% {wide_msg}",
            "{prefix} {spinner} {wide_msg}",
            "  {wide_msg}",
        ] {
            style(template);
        }
    }
}
