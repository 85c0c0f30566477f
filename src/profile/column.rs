//! From what is remembered of a column to what is told of it.

use super::counts::Counts;
use super::distinct::Distinct;
use super::findings;
use super::report::{ColumnProfile, Frequent, Length, Quantile};
use super::sketch::{Folded, Sketch};
use crate::chunk::ColumnKind;
use crate::source::infer::{Inferred, fit};

/// Shares whose values are told.
const SHARES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
/// Most frequent values and shapes that are told.
const TOLD: usize = 20;

/// One column while the file is read.
#[derive(Debug, Clone, Default)]
pub struct Column {
    sketch: Sketch,
    distinct: Distinct,
}

/// A column as its file names it.
#[derive(Debug, Clone)]
pub struct Named {
    /// Name in a table.
    pub name: String,
    /// Name in the file.
    pub header: String,
    /// Type that the file declares.
    pub declared: Option<ColumnKind>,
    /// Every row has another value; `None`: not checked.
    pub unique: Option<bool>,
}

impl Column {
    /// Takes over a block; blocks come in the order of the file.
    pub fn add(&mut self, block: Folded) {
        block.hashes.iter().for_each(|hash| self.distinct.add(*hash));
        self.sketch.merge(block.sketch);
    }

    /// Cells that hold something.
    pub fn cells(&self) -> u64 {
        self.sketch.cells
    }

    /// Whether every row holds something.
    pub fn is_full(&self) -> bool {
        self.sketch.blanks == 0 && self.sketch.cells > 0
    }

    /// Different texts, and whether they were counted.
    pub fn distinct(&self) -> (u64, bool) {
        let kept = self.sketch.values.len() as u64;
        if self.sketch.values.error() == 0 {
            return (kept, true);
        }
        (self.distinct.estimate().clamp(kept, self.sketch.cells), false)
    }

    /// What is told of the column.
    pub fn finish(&self, named: Named) -> ColumnProfile {
        let sketch = &self.sketch;
        let inferred = sketch.types.finish();
        let kind = named.declared.unwrap_or(inferred.kind);
        let measured = is_measured(kind);
        let (mut distinct, mut distinct_exact) = self.distinct();
        if named.unique == Some(true) {
            (distinct, distinct_exact) = (sketch.cells, true);
        }
        let range = sketch.range.as_ref().filter(|_| measured);
        let (min, max) = match (range, &sketch.order) {
            (Some((least, most)), _) => (Some(least.text.clone()), Some(most.text.clone())),
            (None, Some((first, last))) => (Some(first.clone()), Some(last.clone())),
            (None, None) => (None, None),
        };
        let numbers = measured && kind != ColumnKind::Date && !kind.is_moment();
        let length = |(min, max, all): (u64, u64, u64)| Length {
            min,
            max,
            mean: tidy(all as f64 / sketch.cells as f64),
        };
        let mut told = ColumnProfile {
            name: named.name,
            header: named.header,
            ty: kind.duckdb(),
            filled: sketch.cells,
            blank: sketch.blanks,
            distinct,
            distinct_exact,
            min,
            max,
            mean: sketch.digest.mean().filter(|_| numbers).map(tidy),
            deviation: sketch.digest.deviation().filter(|_| numbers).map(tidy),
            quantiles: if measured { quantiles(sketch, kind) } else { Vec::new() },
            length: sketch.lengths.map(length),
            top: frequent(&sketch.values),
            top_error: sketch.values.error(),
            shapes: frequent(&sketch.shapes),
            shapes_error: sketch.shapes.error(),
            unique: named.unique,
            findings: Vec::new(),
        };
        let inferred = Inferred { kind, ..inferred };
        told.findings = findings::of(&told, sketch, &inferred);
        told
    }
}

fn is_measured(kind: ColumnKind) -> bool {
    !matches!(kind, ColumnKind::Text | ColumnKind::Bool)
}

fn frequent(counts: &Counts) -> Vec<Frequent> {
    let told = counts.sorted().into_iter().take(TOLD);
    told.map(|(value, count)| Frequent { value: value.to_owned(), count }).collect()
}

/// Exact where all values are known, else from the digest.
fn quantiles(sketch: &Sketch, kind: ColumnKind) -> Vec<Quantile> {
    let Some((least, most)) = &sketch.range else { return Vec::new() };
    let known = (sketch.values.error() == 0).then(|| measures(&sketch.values));
    let value = |share: f64| match &known {
        Some(known) => of_known(known, share),
        None => sketch.digest.quantile(share, least.number, most.number),
    };
    let told = |share: f64| Some(Quantile { share, value: written(value(share)?, kind) });
    SHARES.into_iter().filter_map(told).collect()
}

/// All values as numbers, in order, with their cells.
fn measures(values: &Counts) -> Vec<(f64, u64)> {
    let number = |(text, count)| Some((fit(text).measure(text)?, count));
    let mut known: Vec<_> = values.sorted().into_iter().filter_map(number).collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    known
}

/// The first value with at least a share of the cells at or below it.
fn of_known(known: &[(f64, u64)], share: f64) -> Option<f64> {
    let all: u64 = known.iter().map(|(_, count)| count).sum();
    let wanted = share * all as f64;
    let mut seen = 0;
    let reached = |(_, count): &&(f64, u64)| {
        seen += count;
        seen as f64 >= wanted
    };
    known.iter().find(reached).or(known.last()).map(|(number, _)| *number)
}

/// A point on the axis of a type, as a value of that type is written.
pub(super) fn written(number: f64, kind: ColumnKind) -> String {
    match kind {
        ColumnKind::Int | ColumnKind::BigInt => format!("{:.0}", number),
        ColumnKind::Decimal(scale) => format!("{number:.*}", usize::from(scale)),
        ColumnKind::Date => moment((number / 86.4e9).round() * 86_400.0, "%Y-%m-%d"),
        kind if kind.is_moment() => moment((number / 1e6).round(), "%Y-%m-%d %H:%M:%S"),
        _ => tidy(number).to_string(),
    }
}

fn moment(seconds: f64, format: &str) -> String {
    let moment = chrono::DateTime::from_timestamp(seconds as i64, 0);
    moment.map_or_else(|| seconds.to_string(), |moment| moment.format(format).to_string())
}

/// Nine digits: more of a mean is noise.
fn tidy(number: f64) -> f64 {
    format!("{number:.8e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Place;
    use crate::profile::sketch::Folder;

    fn profile(texts: &[String], parts: usize) -> ColumnProfile {
        let mut column = Column::default();
        for (at, part) in texts.chunks(texts.len().div_ceil(parts)).enumerate() {
            let cells = part.iter().map(|text| (!text.is_empty()).then_some(text.as_str()));
            let place = |row| Place { row: (at * 1_000 + row) as u64, byte: None };
            column.add(Folder::default().fold(cells, part.len(), place));
        }
        let (name, header) = ("a".to_owned(), "A".to_owned());
        column.finish(Named { name, header, declared: None, unique: None })
    }

    #[test]
    fn few_values_are_told_exactly() {
        let texts: Vec<String> = (0..1_000).map(|n| (n % 10 * 5).to_string()).collect();
        let found = profile(&texts, 3);
        assert_eq!(
            (found.ty.as_str(), found.distinct, found.distinct_exact),
            ("INTEGER", 10, true)
        );
        assert_eq!((found.min.as_deref(), found.max.as_deref()), (Some("0"), Some("45")));
        assert_eq!(found.quantile(0.5), Some(20.0));
        assert_eq!((found.mean, found.top.len(), found.top[0].count), (Some(22.5), 10, 100));
    }

    #[test]
    fn many_values_are_told_nearly() {
        let texts: Vec<String> =
            (0..50_000_u64).map(|n| (n * 7_919 % 50_000).to_string()).collect();
        let found = profile(&texts, 9);
        assert!(!found.distinct_exact && found.distinct.abs_diff(50_000) < 1_600, "{found:?}");
        assert!((found.quantile(0.5).expect("numbers") - 25_000.0).abs() < 250.0, "{found:?}");
        assert_eq!(found.max.as_deref(), Some("49999"));
    }

    #[test]
    fn days_among_moments_have_their_place() {
        let moment = |n: u32| match n % 2 {
            0 => format!("2025-02-{:02}", n + 1),
            _ => format!("2025-02-{:02} 12:00:00", n + 1),
        };
        let found = profile(&(0..28).map(moment).collect::<Vec<_>>(), 2);
        assert_eq!(found.ty, "TIMESTAMP");
        assert_eq!(
            (found.min.as_deref(), found.max.as_deref()),
            (Some("2025-02-01"), Some("2025-02-28 12:00:00"))
        );
        let median = found.quantiles.iter().find(|quantile| quantile.share == 0.5);
        assert_eq!(median.map(|quantile| quantile.value.as_str()), Some("2025-02-14 12:00:00"));
    }

    #[test]
    fn days_are_written_as_days() {
        let texts: Vec<String> = (1..=28).map(|day| format!("2025-02-{day:02}")).collect();
        let found = profile(&texts, 2);
        assert_eq!(found.ty, "DATE");
        let median = found.quantiles.iter().find(|quantile| quantile.share == 0.5);
        assert_eq!(median.map(|quantile| quantile.value.as_str()), Some("2025-02-14"));
    }
}
