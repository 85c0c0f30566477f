//! The fold over one column: which types every cell fits, and the first that do not.

use super::Inferred;
use super::common::{Common, Signs};
use super::kinds::{self, Fit, Kinds, SETS};
use crate::chunk::{ColumnKind, Place};
use std::collections::BTreeMap;

/// Cells kept as examples, of each set of types.
const EXAMPLES: usize = 3;
/// Longest text kept of an example.
const CHARS: usize = 80;

/// Counts the cells of a column by the set of types they fit. Merging is associative and
/// commutative.
#[derive(Debug, Clone)]
pub struct TypeFinder {
    counts: Vec<u64>,
    examples: BTreeMap<Kinds, Vec<(Place, String)>>,
    nulls: u64,
    /// Most digits before and behind the point, of the cells that are decimals.
    whole: u8,
    scale: u8,
    /// What single cells show.
    signs: Signs,
}

impl Default for TypeFinder {
    fn default() -> Self {
        Self {
            counts: vec![0; SETS],
            examples: BTreeMap::new(),
            nulls: 0,
            whole: 0,
            scale: 0,
            signs: Signs::default(),
        }
    }
}

impl TypeFinder {
    /// Counts a cell that is not blank.
    #[inline]
    pub fn add(&mut self, text: &str, place: impl FnOnce() -> Place) {
        self.add_many(kinds::fit(text), text, 1, place);
    }

    /// Counts blank cells.
    #[inline]
    pub fn add_nulls(&mut self, cells: u64) {
        self.nulls += cells;
    }

    /// A cell counted as blank that holds this text.
    pub fn replace_null(&mut self, text: &str, place: impl FnOnce() -> Place) {
        self.nulls = self.nulls.saturating_sub(1);
        self.add(text, place);
    }

    /// A cell counted as blank that holds a number too large to be exact.
    pub fn replace_null_inexact(&mut self, text: &str, place: impl FnOnce() -> Place) {
        self.nulls = self.nulls.saturating_sub(1);
        self.add_many(kinds::inexact(text), text, 1, place);
    }

    /// Counts cells of one text, of which `fit` is what it fits and `place` the first.
    #[inline]
    pub fn add_many(&mut self, fit: Fit, text: &str, cells: u64, place: impl FnOnce() -> Place) {
        let count = &mut self.counts[usize::from(fit.kinds)];
        let before = *count;
        *count += cells;
        self.signs.add(fit);
        if fit.kinds & kinds::DECIMAL != 0 {
            self.whole = self.whole.max(fit.whole);
            self.scale = self.scale.max(fit.scale);
        }
        // Within one finder cells may come in any order of blocks: an early one must displace.
        let examples = if before < EXAMPLES as u64 {
            self.examples.entry(fit.kinds).or_default()
        } else {
            match self.examples.get_mut(&fit.kinds) {
                Some(examples) => examples,
                None => return,
            }
        };
        keep(examples, place(), text);
    }

    /// The same with the places of its examples as another numbering has them, which keeps their order.
    #[must_use]
    pub fn placed(mut self, place: impl Fn(Place) -> Place) -> Self {
        for (at, _) in self.examples.values_mut().flatten() {
            *at = place(*at);
        }
        self
    }

    /// Takes over what another finder has counted.
    pub fn merge(&mut self, other: Self) {
        self.nulls += other.nulls;
        self.whole = self.whole.max(other.whole);
        self.scale = self.scale.max(other.scale);
        self.signs = self.signs.with(other.signs);
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
        for (kinds, examples) in other.examples {
            let mine = self.examples.entry(kinds).or_default();
            mine.extend(examples);
            mine.sort();
            mine.truncate(EXAMPLES);
        }
    }

    /// The type of the column.
    pub fn finish(&self) -> Inferred {
        let cells: u64 = self.counts.iter().sum();
        let fits = |kind: Kinds| -> u64 {
            let sets = self.counts.iter().enumerate();
            sets.filter(|(set, _)| *set as Kinds & kind != 0).map(|(_, count)| count).sum()
        };
        let common = self.common();
        let (kind, nulls) = (common.kind(), self.nulls);
        if kind != ColumnKind::Text {
            return Inferred {
                kind,
                common,
                nulls,
                nearly: None,
                outside: 0,
                first_misfits: Vec::new(),
            };
        }
        let candidates = common.candidates();
        // Of types with equally many cells the narrowest is named, which comes first.
        let nearly = candidates
            .iter()
            .rev()
            .max_by_key(|(kind, _)| fits(*kind))
            .filter(|(kind, _)| cells > 0 && fits(*kind) * 2 >= cells);
        Inferred {
            kind,
            common,
            nulls,
            nearly: nearly.map(|(_, kind)| *kind),
            outside: nearly.map_or(0, |(kind, _)| cells - fits(*kind)),
            first_misfits: nearly.map_or_else(Vec::new, |(kind, _)| self.misfits(*kind)),
        }
    }

    /// What all cells have in common.
    fn common(&self) -> Common {
        let sets = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let of = |(set, _): (usize, &u64)| Common::of(set as Kinds, self.whole, self.scale);
        sets.map(of).fold(Common::NOTHING, Common::with).with_signs(self.signs)
    }

    fn misfits(&self, kind: Kinds) -> Vec<(Place, String)> {
        let sets = self.examples.iter().filter(|(set, _)| **set & kind == 0);
        let mut misfits: Vec<_> = sets.flat_map(|(_, examples)| examples.clone()).collect();
        misfits.sort();
        misfits.truncate(EXAMPLES);
        misfits
    }
}

/// Keeps an example if it is one of the first.
#[inline]
fn keep(examples: &mut Vec<(Place, String)>, place: Place, text: &str) {
    if examples.len() == EXAMPLES && examples.last().is_some_and(|last| last.0 <= place) {
        return;
    }
    let text = match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    examples.push((place, text));
    examples.sort();
    examples.truncate(EXAMPLES);
}
