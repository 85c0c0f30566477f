//! What the scores may not fall below, in a committed file, and which of them do.

use crate::Outcome;
use crate::pollock::Score;
use crate::report::Report;
use crate::sweep::{Fate, Sweep};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The committed file. A set that is not there has no floor to fall below.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floors {
    /// Files that must be loaded, by the title of their kind.
    loaded: BTreeMap<String, usize>,
    /// Files of csv-spectrum that must be equal to their answers.
    spectrum: usize,
    /// Pollock by the way of reading.
    pollock: BTreeMap<String, Floor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    simple: f64,
    whole: f64,
    weighted: f64,
    /// Files whose damaged row the report names.
    named: usize,
}

/// Reads the file.
pub fn read(path: &Path) -> Outcome<Floors> {
    Ok(toml::from_str(&std::fs::read_to_string(path)?)?)
}

impl Floors {
    /// Everything that is worse than it may be, one line each.
    pub fn failures(&self, report: &Report<'_>) -> Vec<String> {
        let mut failures: Vec<_> = report.sweeps.iter().flat_map(unacceptable).collect();
        for sweep in report.sweeps.iter().filter(|sweep| !sweep.files.is_empty()) {
            let loaded = sweep.files.iter().filter(|(_, fate)| *fate == Fate::Loaded).count();
            let floor = self.loaded.get(sweep.title).copied().unwrap_or(0);
            if loaded < floor {
                failures.push(format!("{}: {loaded} loaded, the floor is {floor}", sweep.title));
            }
        }
        if let Some(equal) = report.spectrum.as_ref().filter(|equal| equal.equal < self.spectrum) {
            let (equal, floor) = (equal.equal, self.spectrum);
            failures.push(format!("csv-spectrum: {equal} equal, the floor is {floor}"));
        }
        if let Some(pollock) = &report.pollock {
            for (way, score) in [("given", &pollock.given), ("found", &pollock.found)] {
                let Some(floor) = self.pollock.get(way) else { continue };
                failures
                    .extend(floor.failures(score).map(|what| format!("Pollock, {way}: {what}")));
            }
        }
        failures
    }
}

impl Floor {
    fn failures(&self, score: &Score) -> impl Iterator<Item = String> {
        let scores = [
            ("simple", score.simple, self.simple),
            ("simple as in the whole set", score.whole, self.whole),
            ("weighted", score.weighted, self.weighted),
            ("damaged rows named", score.rows.1 as f64, self.named as f64),
        ];
        let below = scores.into_iter().filter(|(_, score, floor)| score < floor);
        below.map(|(name, score, floor)| format!("{name} {score:.3}, the floor is {floor:.3}"))
    }
}

/// What no file may ever do.
fn unacceptable(sweep: &Sweep) -> Vec<String> {
    let said = |(name, fate): &(String, Fate)| match fate {
        Fate::Loaded | Fate::Refused(_) => None,
        Fate::Unclear(said) => Some(format!("{name} is refused without a code: {said}")),
        Fate::Crashed(said) => Some(format!("{name} crashes it: {said}")),
        Fate::Hung => Some(format!("{name} does not come to an end")),
    };
    sweep.files.iter().filter_map(said).collect()
}
