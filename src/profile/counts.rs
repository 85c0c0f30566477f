//! The most frequent texts of a column, in bounded memory: Misra and Gries' counters, merged as
//! Agarwal and others showed ("Mergeable summaries", 2012).
//!
//! As long as there are no more than [`Counts::MOST`] texts all of them are counted exactly. Beyond,
//! every count is at most [`Counts::error`] too low, and a text that is not kept does not occur more
//! often than that. A merge subtracts the same from all, so the result depends on what is merged and
//! in which order, never on the order of texts.

use hashbrown::HashMap;
use std::cmp::Reverse;

/// Texts with how often they occur.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    kept: HashMap<Box<str>, u64>,
    error: u64,
}

impl Counts {
    /// Texts that are counted.
    pub const MOST: usize = 1_024;

    /// Counts of different texts.
    pub fn of(mut texts: Vec<(&str, u64)>) -> Self {
        let error = cut(texts.len(), || texts.iter().map(|(_, count)| *count).collect());
        if error > 0 {
            texts.retain(|(_, count)| *count > error);
        }
        let kept = texts.into_iter().map(|(text, count)| (text.into(), count - error)).collect();
        Self { kept, error }
    }

    /// Takes over what another has counted.
    pub fn merge(&mut self, other: Self) {
        self.error += other.error;
        for (text, count) in other.kept {
            *self.kept.entry(text).or_default() += count;
        }
        let error = cut(self.kept.len(), || self.kept.values().copied().collect());
        if error > 0 {
            self.kept.retain(|_, count| {
                *count = count.saturating_sub(error);
                *count > 0
            });
            self.error += error;
        }
    }

    /// By how much a count may be too low; 0: all texts are here, exactly counted.
    pub fn error(&self) -> u64 {
        self.error
    }

    /// Texts kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// No text kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// All texts kept, the most frequent first, equals in the order of their texts.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.kept.iter().map(|(text, count)| (&**text, *count)).collect();
        all.sort_unstable_by_key(|(text, count)| (Reverse(*count), *text));
        all
    }
}

/// The largest count that must go if too many texts are counted: the one behind the most frequent.
fn cut(texts: usize, counts: impl FnOnce() -> Vec<u64>) -> u64 {
    if texts <= Counts::MOST {
        return 0;
    }
    let mut counts = counts();
    *counts.select_nth_unstable_by_key(Counts::MOST, |count| Reverse(*count)).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text `n` occurs about 40,000/n times in each of the parts.
    fn parts() -> Vec<Vec<(String, u64)>> {
        let part = |at: u64| {
            let text = |n: u64| (format!("t{}", (n * 7 + at) % 3_000), 40_000 / (n + 1));
            (0..3_000).map(text).collect()
        };
        (0..8).map(part).collect()
    }

    #[test]
    fn counts_are_too_low_by_no_more_than_said() {
        let mut truth = HashMap::<String, u64>::new();
        let mut counts = Counts::default();
        for part in parts() {
            part.iter().for_each(|(text, n)| *truth.entry(text.clone()).or_default() += n);
            counts.merge(Counts::of(part.iter().map(|(text, n)| (text.as_str(), *n)).collect()));
        }
        assert!(counts.error() > 0 && counts.len() <= Counts::MOST);
        for (text, n) in &truth {
            let found = counts.kept.get(text.as_str()).copied().unwrap_or_default();
            assert!(found <= *n && found + counts.error() >= *n, "{text}: {found} for {n}");
        }
    }

    #[test]
    fn few_texts_are_counted_exactly_and_told_in_order() {
        let mut counts = Counts::of(vec![("b", 2), ("a", 2), ("c", 9)]);
        counts.merge(Counts::of(vec![("a", 1)]));
        assert_eq!(counts.sorted(), [("c", 9), ("a", 3), ("b", 2)]);
        assert_eq!(counts.error(), 0);
    }
}
