//! Findings that do not refuse a row, counted by kind with a few examples each.
//!
//! A roll may break a warning in every row, so notes must cost the same whatever their number: a
//! counter and at most [`Note::EXAMPLES`] examples per kind. While they travel with a chunk they also
//! know the records they are about (four bytes each), because a commit may end inside a chunk.

use super::{Code, Marks, Place, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

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

/// The words of a finding: what is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// One sentence for people.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Wording {
    /// A message with a hint; an empty hint is none.
    pub fn new(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: (!hint.is_empty()).then(|| hint.to_owned()) }
    }
}

impl From<String> for Wording {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

impl From<&str> for Wording {
    fn from(message: &str) -> Self {
        Self { message: message.to_owned(), hint: None }
    }
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
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Rows concerned.
    pub count: u64,
    /// The first few, in source order.
    pub examples: Vec<Example>,
    /// Records of the chunk, one a finding, in order; the first ones are those of the examples.
    #[serde(skip)]
    records: Vec<u32>,
    /// The same as marks, where they are many.
    #[serde(skip)]
    marks: Marks,
}

impl Note {
    /// Examples kept per kind.
    pub const EXAMPLES: usize = 3;

    fn new(severity: Severity, wording: Wording) -> Self {
        let Wording { message, hint } = wording;
        let (examples, records) = (Vec::new(), Vec::new());
        Self { severity, message, hint, count: 0, examples, records, marks: Marks::default() }
    }

    /// Its words.
    fn wording(&self) -> Wording {
        Wording { message: self.message.clone(), hint: self.hint.clone() }
    }

    fn add(&mut self, example: impl FnOnce() -> Example) {
        self.count += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(example());
        }
    }

    /// What of it concerns some records. Findings about no record go with the first one, so that
    /// they are counted once.
    fn part(&self, records: &Range<u32>) -> Self {
        if self.records.is_empty() && self.marks.is_empty() {
            let none = Self::new(self.severity, self.wording());
            return if records.start == 0 { self.clone() } else { none };
        }
        let at = |record: u32| match self.marks.is_empty() {
            true => self.records.partition_point(|known| *known < record),
            false => self.marks.below(record),
        };
        let (from, to) = (at(records.start), at(records.end));
        let shown = |at: usize| at.min(self.examples.len());
        Self {
            count: (to - from) as u64,
            examples: self.examples[shown(from)..shown(to)].to_vec(),
            ..Self::new(self.severity, self.wording())
        }
    }
}

/// All findings of a chunk, a range or a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    kinds: BTreeMap<NoteKey, Note>,
}

impl Notes {
    /// Counts one finding.
    pub fn add<W: Into<Wording>>(
        &mut self,
        key: NoteKey,
        severity: Severity,
        message: impl FnOnce() -> W,
        example: impl FnOnce() -> Example,
    ) {
        self.kinds.entry(key).or_insert_with(|| Note::new(severity, message().into())).add(example);
    }

    /// Counts one finding about a record of a chunk. Findings of one kind come in record order.
    pub fn add_at<W: Into<Wording>>(
        &mut self,
        record: u32,
        key: NoteKey,
        severity: Severity,
        message: impl FnOnce() -> W,
        example: impl FnOnce() -> Example,
    ) {
        let note = self.kinds.entry(key).or_insert_with(|| Note::new(severity, message().into()));
        note.add(example);
        note.records.push(record);
    }

    /// Counts one finding about each marked record of a chunk, of a kind that was not told of it before.
    /// `examples` are of the first of them.
    pub fn add_marked(
        &mut self,
        key: NoteKey,
        severity: Severity,
        wording: impl Into<Wording>,
        records: Marks,
        examples: Vec<Example>,
    ) {
        let count = records.iter().count() as u64;
        let note = Note { count, examples, marks: records, ..Note::new(severity, wording.into()) };
        self.kinds.insert(key, note);
    }

    /// Counts a finding of one kind about each of some records, in their order.
    pub fn add_each<W: Into<Wording>>(
        &mut self,
        records: impl IntoIterator<Item = u32>,
        key: NoteKey,
        severity: Severity,
        message: impl FnOnce() -> W,
        mut example: impl FnMut(u32) -> Example,
    ) {
        let mut records = records.into_iter().peekable();
        if records.peek().is_none() {
            return;
        }
        let note = self.kinds.entry(key).or_insert_with(|| Note::new(severity, message().into()));
        for record in records {
            note.add(|| example(record));
            note.records.push(record);
        }
    }

    /// Counts findings known only by number.
    pub fn add_count(
        &mut self,
        key: NoteKey,
        severity: Severity,
        wording: impl Into<Wording>,
        count: u64,
    ) {
        let note = self.kinds.entry(key).or_insert_with(|| Note::new(severity, wording.into()));
        note.count += count;
    }

    /// The findings about some records of the chunk. Examples are the first of the whole chunk, so a
    /// later part may have none; those of all parts together are the first of the input whatever
    /// the chunks were.
    #[must_use]
    pub fn part(&self, records: &Range<u32>) -> Self {
        let parts = self.kinds.iter().map(|(key, note)| (key, note.part(records)));
        let some = parts.filter(|(_, note)| note.count > 0);
        Self { kinds: some.map(|(key, note)| (key.clone(), note)).collect() }
    }

    /// Takes over all findings of `other`; the examples with the smallest places are kept, so that
    /// the result does not depend on the order of chunks.
    pub fn merge(&mut self, other: Self) {
        for (key, mut note) in other.kinds {
            (note.records, note.marks) = (Vec::new(), Marks::default());
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

    /// Takes the values out of the examples of some kinds.
    pub fn hide_values(&mut self, hidden: impl Fn(&NoteKey) -> bool) {
        for (_, note) in self.kinds.iter_mut().filter(|(key, _)| hidden(key)) {
            note.examples.iter_mut().for_each(|example| example.value = None);
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
        notes.add(key, Severity::Warning, || "m", || Example { place, cell: None, value: None });
        notes
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut notes = Notes::default();
        for record in [1_u32, 1, 4, 6, 9] {
            let key = NoteKey { code: Code::E304, rule: "R".into(), column: "jv".into() };
            let place = Place { row: u64::from(record) + 2, byte: None };
            let example = || Example { place, cell: None, value: None };
            notes.add_at(record, key, Severity::Warning, || "m", example);
        }
        let mut sum = notes.part(&(0..4));
        let rest = notes.part(&(4..10));
        let count = |notes: &Notes| notes.iter().map(|(_, note)| note.count).sum::<u64>();
        assert_eq!((count(&sum), count(&rest)), (2, 3));
        assert!(notes.part(&(2..4)).is_empty());
        sum.merge(rest);
        let mut whole = Notes::default();
        whole.merge(notes);
        assert_eq!(sum, whole);
    }

    #[test]
    fn parts_of_marked_records_add_up_too() {
        let example = |row| Example { place: Place { row, byte: None }, cell: None, value: None };
        let key = NoteKey { code: Code::E301, rule: "R".into(), column: "jv".into() };
        let marks = [1, 4, 6, 70].into_iter().collect();
        let examples = [3, 6, 8].map(example).to_vec();
        let mut notes = Notes::default();
        notes.add_marked(key, Severity::Info, "m", marks, examples);
        let parts = [0..4, 4..6, 6..90].map(|records| notes.part(&records));
        let rows = |notes: &Notes| -> Vec<(u64, Vec<u64>)> {
            let rows = |note: &Note| note.examples.iter().map(|e| e.place.row).collect();
            notes.iter().map(|(_, note)| (note.count, rows(note))).collect()
        };
        assert_eq!(
            parts.each_ref().map(rows),
            [vec![(1, vec![3])], vec![(1, vec![6])], vec![(2, vec![8])]]
        );
        let mut sum = Notes::default();
        parts.into_iter().for_each(|part| sum.merge(part));
        let mut whole = Notes::default();
        whole.merge(notes);
        assert_eq!(sum, whole);
    }

    #[test]
    fn findings_about_no_record_are_in_one_part() {
        let notes = note(7);
        let count = |notes: &Notes| notes.iter().map(|(_, note)| note.count).sum::<u64>();
        assert_eq!((count(&notes.part(&(0..4))), count(&notes.part(&(4..10)))), (1, 0));
    }

    #[test]
    fn message_and_hint_stay_apart_through_parts_and_merges() {
        let wording = || Wording::new("\"P. O.\nBOX\" is not a whole number", "correct it. Twice");
        let key = NoteKey { code: Code::E304, rule: "R".into(), column: "jv".into() };
        let example = || Example { place: Place { row: 2, byte: None }, cell: None, value: None };
        let mut notes = Notes::default();
        notes.add_at(0, key, Severity::Warning, wording, example);
        let mut merged = Notes::default();
        merged.merge(notes.part(&(0..1)));
        let (_, note) = merged.iter().next().expect("one kind");
        assert_eq!(note.message, "\"P. O.\nBOX\" is not a whole number");
        assert_eq!(note.hint.as_deref(), Some("correct it. Twice"));
        assert_eq!(Wording::new("it is blank", "").hint, None);
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
