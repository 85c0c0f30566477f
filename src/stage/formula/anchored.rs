//! Patterns that need no engine: what stands at the beginning of a text, one thing after another.
//!
//! Most patterns of a pack say how a code looks (`C[0-9]{2}-[0-9]{3}`) or how a line begins (`^\s*\d`).
//! Each of their steps is a set of bytes and how often one of it stands there, so going through the text
//! once, each step taking what it can, tells as much as an engine does at a fraction of its cost. A step
//! that takes all it can is what an engine tries first, too: where that succeeds it is the match. Where
//! it fails, an engine would give back and try again; that is of no use if no step takes what the next
//! one needs ([`Anchored::sure`]), and else the engine is asked.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use std::ops::Range;

/// Steps from the beginning of a text.
#[derive(Debug, Clone)]
pub(super) struct Anchored {
    steps: Vec<Step>,
    /// The match must end with the text.
    whole: bool,
    /// The steps of the group, if there is one.
    group: Option<Range<usize>>,
    /// A failure is one for every engine.
    sure: bool,
}

#[derive(Debug, Clone)]
struct Step {
    set: [bool; 256],
    least: usize,
    most: usize,
}

/// What the steps found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A match, and where its group stands (all of it where there is none).
    Match(Range<usize>),
    Nothing,
    /// An engine must tell.
    Unsure,
}

impl Anchored {
    /// The steps of a pattern (with its flags), if it is one of this kind.
    pub fn new(pattern: &str) -> Option<Self> {
        let hir = ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
        let parts = match hir.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => return None,
        };
        let [first, parts @ ..] = parts else { return None };
        if *first.kind() != HirKind::Look(Look::Start) {
            return None;
        }
        let mut all = Self { steps: Vec::new(), whole: false, group: None, sure: true };
        for part in parts {
            all.add(part)?;
        }
        all.sure = all.never_gives_back();
        Some(all)
    }

    fn add(&mut self, part: &Hir) -> Option<()> {
        if self.whole {
            return None;
        }
        match part.kind() {
            HirKind::Look(Look::End) => self.whole = true,
            HirKind::Literal(bytes) => {
                self.steps.extend(bytes.0.iter().map(|byte| Step::one(|have| have == *byte)));
            }
            HirKind::Class(class) => self.steps.push(Step::of_class(class)?),
            HirKind::Repetition(some) if some.greedy => {
                let mut step = match some.sub.kind() {
                    HirKind::Class(class) => Step::of_class(class)?,
                    HirKind::Literal(bytes) if bytes.0.len() == 1 => {
                        Step::one(|have| have == bytes.0[0])
                    }
                    _ => return None,
                };
                step.least = some.min as usize;
                step.most = some.max.map_or(usize::MAX, |most| most as usize);
                self.steps.push(step);
            }
            HirKind::Capture(group) if group.index == 1 => {
                let from = self.steps.len();
                match group.sub.kind() {
                    HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.add(part))?,
                    _ => self.add(&group.sub)?,
                }
                self.group = Some(from..self.steps.len());
            }
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.add(part))?,
            _ => return None,
        }
        Some(())
    }

    /// No step takes a byte that a later one may need before anything else must stand between.
    fn never_gives_back(&self) -> bool {
        let open = self.steps.iter().enumerate().filter(|(_, step)| step.least < step.most);
        open.into_iter().all(|(at, step)| {
            let later = &self.steps[at + 1..];
            let needed =
                later.iter().position(|step| step.least > 0).map_or(later.len(), |at| at + 1);
            later[..needed].iter().all(|next| !step.meets(next))
        })
    }

    /// Goes through a text.
    pub fn find(&self, text: &[u8]) -> Found {
        let (mut at, mut group) = (0, 0..0);
        for (number, step) in self.steps.iter().enumerate() {
            if self.group.as_ref().is_some_and(|group| group.start == number) {
                group.start = at;
            }
            let taken = step.take(&text[at..]);
            if taken < step.least {
                return self.failed();
            }
            at += taken;
            if self.group.as_ref().is_some_and(|group| group.end == number + 1) {
                group.end = at;
            }
        }
        if self.whole && at < text.len() {
            return self.failed();
        }
        Found::Match(if self.group.is_some() { group } else { 0..at })
    }

    fn failed(&self) -> Found {
        if self.sure { Found::Nothing } else { Found::Unsure }
    }
}

impl Step {
    fn one(is: impl Fn(u8) -> bool) -> Self {
        Self { set: std::array::from_fn(|byte| is(byte as u8)), least: 1, most: 1 }
    }

    fn of_class(class: &Class) -> Option<Self> {
        match class {
            Class::Bytes(class) => {
                let has =
                    |byte| class.iter().any(|some| (some.start()..=some.end()).contains(&byte));
                Some(Self::one(has))
            }
            Class::Unicode(_) => None,
        }
    }

    /// How many bytes it takes at the beginning.
    fn take(&self, text: &[u8]) -> usize {
        let most = self.most.min(text.len());
        text[..most].iter().position(|byte| !self.set[usize::from(*byte)]).unwrap_or(most)
    }

    fn meets(&self, other: &Self) -> bool {
        self.set.iter().zip(&other.set).any(|(a, b)| *a && *b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::bytes::Regex;

    const PATTERNS: [&str; 8] = [
        r"(?-u)\A(?:C[0-9]{2}-[0-9]{3})\z",
        r"(?-u)^[\t\n\f\r ]*\d",
        r"(?-u)^[\t\n\f\r ]*0*(\d+)",
        r"(?i-u)\A(?:[a-c]+ ?b*)\z",
        r"(?-u)\A(?:[A-C][^0-9 ]* +[A-Z&][^0-9]*)\z",
        r"(?-u)^a{2,3}(a)",
        r"(?-u)^a*(ab?)",
        r"(?-u)\A(?:[0-9]{5})\z",
    ];

    proptest! {
        #[test]
        fn the_steps_say_what_the_engine_says(
            text in "[ABCabc012 &-]{0,12}|C[0-9]{2}-[0-9]{2,4}| {0,2}0{0,2}[0-9]{0,3}|a{0,5}b?", at in 0..8_usize,
        ) {
            let steps = Anchored::new(PATTERNS[at]).expect("steps");
            let regex = Regex::new(PATTERNS[at]).expect("a pattern");
            let group = |found: regex::bytes::Captures<'_>| {
                let group = if found.len() > 1 { found.get(1) } else { found.get(0) };
                group.map(|group| group.range())
            };
            let engine = regex.captures(text.as_bytes()).map(group);
            match steps.find(text.as_bytes()) {
                Found::Match(range) => prop_assert_eq!(engine, Some(Some(range))),
                Found::Nothing => prop_assert_eq!(engine, None),
                Found::Unsure => prop_assert!(!steps.sure),
            }
        }
    }

    #[test]
    fn only_what_is_certain_is_steps() {
        for pattern in ["(?-u)a", "(?-u)^(ab|cd)", "(?-u)^a+?b", "(?-u)^a(b)?", r"(?-u)^a\b"] {
            assert!(Anchored::new(pattern).is_none(), "{pattern}");
        }
        assert!(Anchored::new(PATTERNS[1]).expect("steps").sure);
        assert!(!Anchored::new(PATTERNS[2]).expect("steps").sure);
    }
}
