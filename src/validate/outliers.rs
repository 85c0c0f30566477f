//! Values further from the median than so many robust standard deviations.
//!
//! The median is known at the end, so numbers and rows wait in a temporary file: 16 bytes a value. The
//! digest that gives the median takes its numbers in batches that depend on the rows alone, so that no
//! size of chunks can change it.

use super::measures::each_number;
use super::order::InOrder;
use super::whole::{FactInput, FactRule, FileFact, RowNumbers};
use crate::chunk::{Chunk, ColumnKind, Example, NoteKey, Notes, Place, ReadSchema};
use crate::profile::Digest;
use crate::stage::StageError;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The median distance from the median of a normal distribution, in standard deviations.
const NORMAL: f64 = 1.4826;
/// Numbers that the digest takes at once.
const BATCH: usize = 4_096;
/// Bytes of a number and its row in the file.
const PAIR: usize = 16;

/// Numbers with their rows.
type Numbers = Vec<(f64, u64)>;

/// No value may be further from the median than so many robust standard deviations.
pub struct FileOutliers {
    rule: FactRule,
    most: f64,
    state: Mutex<Outliers>,
}

struct Outliers {
    order: InOrder<Numbers>,
    rows: RowNumbers,
    /// What findings of an input are counted under.
    keys: BTreeMap<usize, NoteKey>,
    /// What the numbers stand for.
    kind: Option<ColumnKind>,
    measure: Measure,
    file: BufWriter<File>,
    /// The current input, and what was known before its first row.
    begun: Option<(usize, Measure)>,
}

/// What the numbers so far say of their middle.
#[derive(Debug, Clone, Default)]
struct Measure {
    digest: Digest,
    /// Numbers that make no batch yet.
    waiting: Vec<(f64, u32)>,
    count: u64,
}

impl Measure {
    fn add(&mut self, number: f64) {
        self.count += 1;
        self.waiting.push((number, 1));
        if self.waiting.len() == BATCH {
            self.digest.merge(&Digest::of(std::mem::take(&mut self.waiting)));
        }
    }

    /// The median and the median distance from it.
    fn robust(&self) -> Option<(f64, f64)> {
        let mut digest = self.digest.clone();
        digest.merge(&Digest::of(self.waiting.clone()));
        digest.robust()
    }
}

impl FileOutliers {
    /// Nothing seen yet.
    pub fn new(rule: FactRule, most: f64, temp_dir: Option<PathBuf>) -> Result<Self, StageError> {
        let file = match temp_dir {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let file = BufWriter::new(file.map_err(|error| no_room(&rule, &error))?);
        let state = Outliers {
            order: InOrder::default(),
            rows: RowNumbers::default(),
            keys: BTreeMap::new(),
            kind: None,
            measure: Measure::default(),
            file,
            begun: None,
        };
        Ok(Self { rule, most, state: Mutex::new(state) })
    }

    fn found(&self, state: &mut Outliers) -> io::Result<BTreeMap<usize, Notes>> {
        let mut found: BTreeMap<usize, Notes> = BTreeMap::new();
        // Where more than half of the values are the same there is no measure of distance.
        let Some((median, distance)) = state.measure.robust().filter(|(_, d)| *d > 0.0) else {
            return Ok(found);
        };
        let far = self.most * NORMAL * distance;
        let kind = state.kind;
        let middle = shown(median.round(), kind);
        let told = self.rule.wording(&format!("{} (median {middle})", self.rule.message));
        state.file.flush()?;
        let file = state.file.get_mut();
        file.rewind()?;
        let mut file = BufReader::new(file);
        let mut pair = [0; PAIR];
        for _ in 0..state.measure.count {
            file.read_exact(&mut pair)?;
            let (number, row) = pair.split_at(8);
            let [number, row] = [number, row].map(|b| b.try_into().unwrap_or_default());
            let (number, row) = (f64::from_le_bytes(number), u64::from_le_bytes(row));
            if (number - median).abs() <= far {
                continue;
            }
            let place = state.rows.place(row);
            let Some(key) = state.keys.get(&place) else { continue };
            let example = || Example {
                place: Place { row: state.rows.row(row).0, byte: None },
                cell: None,
                value: Some(shown(number, kind)),
            };
            let notes = found.entry(place).or_default();
            notes.add(key.clone(), self.rule.severity, || told.clone(), example);
        }
        Ok(found)
    }
}

/// A number as people write it; one of a day or a moment is told as that.
fn shown(number: f64, kind: Option<ColumnKind>) -> String {
    let (micros, format) = match kind {
        Some(ColumnKind::Date) => (number * 86.4e9, "%Y-%m-%d"),
        Some(ColumnKind::TimestampNs) => (number / 1e3, "%Y-%m-%d %H:%M:%S"),
        Some(kind) if kind.is_moment() => (number, "%Y-%m-%d %H:%M:%S"),
        _ => return number.to_string(),
    };
    let moment = chrono::DateTime::from_timestamp_micros(micros as i64);
    moment.map_or_else(|| number.to_string(), |moment| moment.format(format).to_string())
}

fn no_room(rule: &FactRule, error: &io::Error) -> StageError {
    rule.error(format!("values cannot be kept in a temporary file: {error}"))
        .with_hint("name a folder with room for 16 bytes a row by --temp-dir")
}

impl Outliers {
    /// Forgets what was seen since the current input began.
    fn go_back(&mut self, before: &Measure) -> io::Result<()> {
        self.measure = before.clone();
        let end = before.count * PAIR as u64;
        self.file.flush()?;
        let file = self.file.get_mut();
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end)).map(drop)
    }
}

impl FileFact for FileOutliers {
    fn begin(&self, input: &FactInput, schema: &ReadSchema) -> Result<(), StageError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.order = InOrder::default();
        state.rows.begin(input);
        state.keys.insert(input.place, self.rule.key(schema));
        state.kind = self.rule.bound(schema).first().map(|column| column.kind);
        match state.begun.take() {
            Some((place, before)) if place == input.place => {
                state.go_back(&before).map_err(|error| no_room(&self.rule, &error))?;
                state.begun = Some((place, before));
            }
            _ => state.begun = Some((input.place, state.measure.clone())),
        }
        Ok(())
    }

    fn see(&self, chunk: &Chunk, _schema: &ReadSchema) -> Result<(), StageError> {
        let row = |at: usize| chunk.raw.place(chunk.index[at]).row;
        let mut part = Numbers::new();
        each_number(chunk, &self.rule, |at, number| part.push((number, row(at))))?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, row) in state.order.push(chunk.seq, part).into_iter().flatten() {
            let row = state.rows.number(row);
            state.measure.add(number);
            let written = state.file.write_all(&number.to_le_bytes());
            let written = written.and_then(|()| state.file.write_all(&row.to_le_bytes()));
            written.map_err(|error| no_room(&self.rule, &error))?;
        }
        Ok(())
    }

    fn conclusion(&self) -> Vec<(usize, Notes)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.found(&mut state) {
            Ok(found) => found.into_iter().collect(),
            Err(error) => {
                let told = format!("outliers could not be looked for: {error}");
                let last = state.keys.last_key_value();
                last.map(|(place, key)| (*place, self.rule.told(key.clone(), &told)))
                    .into_iter()
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_told_as_such() {
        assert_eq!(shown(20_119.0, Some(ColumnKind::Date)), "2025-01-31");
        assert_eq!(shown(90_061e6, Some(ColumnKind::Timestamp)), "1970-01-02 01:01:01");
        assert_eq!(shown(1.5, Some(ColumnKind::Double)), "1.5");
    }

    #[test]
    fn the_middle_depends_on_the_numbers_alone_and_can_go_back() {
        let mut measure = Measure::default();
        (0..10_000).for_each(|n| measure.add(f64::from(n * 7_919 % 10_007)));
        let before = measure.clone();
        (0..9_999).for_each(|n| measure.add(f64::from(n)));
        assert_ne!(measure.robust(), before.robust());
        let mut state = Outliers {
            order: InOrder::default(),
            rows: RowNumbers::default(),
            keys: BTreeMap::new(),
            kind: None,
            measure,
            file: BufWriter::new(tempfile::tempfile().expect("a file")),
            begun: None,
        };
        state.go_back(&before).expect("a file can be cut");
        assert_eq!((state.measure.count, state.measure.robust()), (10_000, before.robust()));
        let length = state.file.get_ref().metadata().expect("a file").len();
        assert_eq!(length, 160_000);
    }
}
