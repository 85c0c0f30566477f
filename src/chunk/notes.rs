//! Findings that do not refuse a row, counted by kind with a few examples each.
//!
//! A roll may break a warning in every row, so notes must cost the same whatever their number: a
//! counter and at most [`Note::EXAMPLES`] examples per kind.

use super::{Code, Place, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One example of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Row as an editor shows it.
    pub place: Place,
    /// The cell as the format's own program names it, where it has such names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cell: Option<String>,
    /// The value, safe to print.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

/// What makes two findings the same kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKey {
    /// Stable code.
    pub code: Code,
    /// Rule id or the name of a repair (`padded`, `trimmed`).
    pub rule: String,
    /// Column as the source names it; empty where none.
    pub column: String,
}

/// A kind of finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How bad.
    pub severity: Severity,
    /// One sentence for people.
    pub message: String,
    /// Rows concerned.
    pub count: u64,
    /// The first few, in source order.
    pub examples: Vec<Example>,
}

impl Note {
    /// Examples kept per kind.
    pub const EXAMPLES: usize = 3;
}

/// All findings of a chunk, a range or a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    kinds: BTreeMap<NoteKey, Note>,
}

impl Notes {
    /// Counts one finding.
    pub fn add(
        &mut self,
        key: NoteKey,
        severity: Severity,
        message: impl FnOnce() -> String,
        example: impl FnOnce() -> Example,
    ) {
        let note = self.kinds.entry(key).or_insert_with(|| Note {
            severity,
            message: message(),
            count: 0,
            examples: Vec::new(),
        });
        note.count += 1;
        if note.examples.len() < Note::EXAMPLES {
            note.examples.push(example());
        }
    }

    /// Counts `count` findings known only by number.
    pub fn add_count(&mut self, key: NoteKey, severity: Severity, message: &str, count: u64) {
        let note = self.kinds.entry(key).or_insert_with(|| Note {
            severity,
            message: message.to_owned(),
            count: 0,
            examples: Vec::new(),
        });
        note.count += count;
    }

    /// Takes over all findings of `other`; the examples with the smallest places are kept, so that
    /// the result does not depend on the order of chunks.
    pub fn merge(&mut self, other: Self) {
        for (key, note) in other.kinds {
            match self.kinds.get_mut(&key) {
                None => {
                    self.kinds.insert(key, note);
                }
                Some(mine) => {
                    mine.count += note.count;
                    mine.examples.extend(note.examples);
                    mine.examples.sort_by_key(|example| example.place);
                    mine.examples.truncate(Note::EXAMPLES);
                }
            }
        }
    }

    /// All kinds, ordered by code, rule and column.
    pub fn iter(&self) -> impl Iterator<Item = (&NoteKey, &Note)> {
        self.kinds.iter()
    }

    /// No finding at all.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(row: u64) -> Notes {
        let mut notes = Notes::default();
        let key = NoteKey { code: Code::E304, rule: "R".into(), column: "jv".into() };
        let place = Place { row, byte: None };
        notes.add(
            key,
            Severity::Warning,
            || "m".into(),
            || Example { place, cell: None, value: None },
        );
        notes
    }

    #[test]
    fn merging_keeps_the_first_examples_in_any_order() {
        let merged = |rows: &[u64]| {
            let mut all = Notes::default();
            rows.iter().for_each(|row| all.merge(note(*row)));
            all
        };
        let forward = merged(&[1, 2, 3, 4, 5]);
        assert_eq!(forward, merged(&[5, 3, 4, 1, 2]));
        let (_, kept) = forward.iter().next().expect("one kind");
        assert_eq!(kept.count, 5);
        assert_eq!(kept.examples.iter().map(|e| e.place.row).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
