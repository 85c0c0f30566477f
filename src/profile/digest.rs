//! Quantiles and moments of a column's numbers in bounded memory: a merging t-digest (Dunning,
//! "Computing extremely accurate quantiles using t-digests", 2019) with at most 200 centroids, and
//! the mean and the sum of squares of Chan's pairwise formula.
//!
//! Merging depends on the order of merges: whoever needs the same answer for any number of threads
//! merges in the order of the file.

/// Centroids at most; a quantile's rank is then wrong by about 1 / 200 in the middle, less outside.
const SIZE: f64 = 200.0;

/// A number of so many cells.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Centroid {
    mean: f64,
    weight: f64,
}

/// What is known of many numbers.
#[derive(Debug, Clone, Default)]
pub struct Digest {
    centroids: Vec<Centroid>,
    weight: f64,
    mean: f64,
    /// Sum of squared distances from the mean.
    spread: f64,
}

impl Digest {
    /// Numbers with how often each occurs.
    pub fn of(mut numbers: Vec<(f64, u32)>) -> Self {
        numbers.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let weight: f64 = numbers.iter().map(|(_, count)| f64::from(*count)).sum();
        if numbers.is_empty() {
            return Self::default();
        }
        let mean = numbers.iter().map(|(n, count)| n * f64::from(*count)).sum::<f64>() / weight;
        let spread = numbers.iter().map(|(n, count)| (n - mean).powi(2) * f64::from(*count)).sum();
        let sorted = numbers.iter().map(|(n, count)| (*n, f64::from(*count)));
        let sorted = sorted.map(|(mean, weight)| Centroid { mean, weight });
        Self { centroids: compress(sorted, weight), weight, mean, spread }
    }

    /// Takes over what another knows.
    pub fn merge(&mut self, other: &Self) {
        if other.weight == 0.0 {
            return;
        }
        let weight = self.weight + other.weight;
        let apart = other.mean - self.mean;
        self.spread += other.spread + apart * apart * self.weight * other.weight / weight;
        self.mean += apart * other.weight / weight;
        self.weight = weight;
        let mut all = [self.centroids.as_slice(), other.centroids.as_slice()].concat();
        all.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        self.centroids = compress(all.into_iter(), weight);
    }

    /// Mean of all numbers.
    pub fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.mean)
    }

    /// Standard deviation of all numbers, taken as a sample.
    pub fn deviation(&self) -> Option<f64> {
        (self.weight > 1.0).then(|| (self.spread / (self.weight - 1.0)).sqrt())
    }

    /// The number below which a share of all numbers lies, between the `least` and the `most`.
    pub fn quantile(&self, share: f64, least: f64, most: f64) -> Option<f64> {
        let (first, last) = (self.centroids.first()?, self.centroids.last()?);
        let rank = share * self.weight;
        // A centroid stands in the middle of its weight.
        let mut before = Centroid { mean: least, weight: 0.0 };
        let mut seen = 0.0;
        for centroid in &self.centroids {
            let middle = seen + centroid.weight / 2.0;
            if rank < middle {
                return Some(between(
                    before,
                    Centroid { mean: centroid.mean, weight: middle },
                    rank,
                ));
            }
            before = Centroid { mean: centroid.mean, weight: middle };
            seen += centroid.weight;
        }
        let end = Centroid { mean: most, weight: self.weight };
        let found = if first == last { last.mean } else { between(before, end, rank) };
        Some(found.clamp(least, most))
    }
}

impl Digest {
    /// The share of all numbers at or below `number`.
    pub fn share_below(&self, number: f64) -> f64 {
        let mut before: Option<(f64, f64)> = None;
        let mut seen = 0.0;
        for centroid in &self.centroids {
            let middle = seen + centroid.weight / 2.0;
            if number < centroid.mean {
                let Some((mean, rank)) = before else { return 0.0 };
                let part = (number - mean) / (centroid.mean - mean);
                return (rank + (middle - rank) * part) / self.weight;
            }
            before = Some((centroid.mean, middle));
            seen += centroid.weight;
        }
        if self.weight > 0.0 { 1.0 } else { 0.0 }
    }

    /// The median and the median distance from it.
    pub fn robust(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.centroids.first()?.mean, self.centroids.last()?.mean);
        let median = self.quantile(0.5, first, last)?;
        let within = |distance: f64| {
            self.share_below(median + distance) - self.share_below(median - distance)
        };
        let (mut low, mut high) = (0.0, (last - median).max(median - first));
        for _ in 0..64 {
            let middle = (low + high) / 2.0;
            if within(middle) < 0.5 { low = middle } else { high = middle }
        }
        Some((median, high))
    }
}

/// On the line between two points of (number, rank).
fn between(left: Centroid, right: Centroid, rank: f64) -> f64 {
    let width = right.weight - left.weight;
    if width <= 0.0 {
        return right.mean;
    }
    left.mean + (right.mean - left.mean) * (rank - left.weight) / width
}

/// Joins neighbours as far as the scale function allows: few at the ends, many in the middle.
fn compress(sorted: impl Iterator<Item = Centroid>, total: f64) -> Vec<Centroid> {
    let mut joined: Vec<Centroid> = Vec::new();
    let (mut seen, mut limit) = (0.0, 0.0);
    for centroid in sorted {
        match joined.last_mut() {
            Some(last) if seen + centroid.weight <= limit => {
                last.weight += centroid.weight;
                last.mean += (centroid.mean - last.mean) * centroid.weight / last.weight;
            }
            _ => {
                limit = total * next_limit(seen / total);
                joined.push(centroid);
            }
        }
        seen += centroid.weight;
    }
    joined
}

/// The share at which a centroid that begins at `share` must end.
fn next_limit(share: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let scale = SIZE / TAU;
    let place = scale * (2.0 * share.clamp(0.0, 1.0) - 1.0).asin() + 1.0;
    if place >= scale * PI / 2.0 { 1.0 } else { ((place / scale).sin() + 1.0) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

    /// Numbers whose rank is known: squares in a scrambled order, in parts.
    fn digest(count: u64, parts: u64) -> Digest {
        let mut digest = Digest::default();
        for part in 0..parts {
            let mine = (0..count).filter(|n| n * 7_919 % parts == part);
            digest.merge(&Digest::of(mine.map(|n| ((n * n) as f64, 1)).collect()));
        }
        digest
    }

    #[test]
    fn ranks_are_right_to_half_a_percent() {
        let count = 100_000;
        let digest = digest(count, 97);
        assert!(digest.centroids.len() <= 2 * SIZE as usize, "{}", digest.centroids.len());
        let most = ((count - 1) * (count - 1)) as f64;
        for share in SHARES {
            let found = digest.quantile(share, 0.0, most).expect("numbers");
            let rank = found.sqrt() / count as f64;
            assert!((rank - share).abs() < 0.005, "{share}: rank {rank}");
        }
    }

    #[test]
    fn mean_and_deviation_are_those_of_all_numbers() {
        let digest = digest(1_000, 7);
        let numbers: Vec<f64> = (0..1_000).map(|n| f64::from(n * n)).collect();
        let mean = numbers.iter().sum::<f64>() / 1_000.0;
        let variance = numbers.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 999.0;
        assert!((digest.mean().expect("numbers") - mean).abs() < 1e-6);
        assert!((digest.deviation().expect("numbers") - variance.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn median_and_its_distance_are_robust() {
        // 0..=1000 and a few monsters.
        let mut numbers: Vec<(f64, u32)> = (0..=1_000).map(|n| (f64::from(n), 1)).collect();
        numbers.extend([(1e12, 1), (2e12, 1)]);
        let (median, distance) = Digest::of(numbers).robust().expect("numbers");
        assert!((median - 501.0).abs() < 5.0, "{median}");
        assert!((distance - 251.0).abs() < 8.0, "{distance}");
        assert_eq!(Digest::of(vec![(7.0, 9)]).robust(), Some((7.0, 0.0)));
    }

    #[test]
    fn one_number_is_every_quantile() {
        let digest = Digest::of(vec![(42.0, 3)]);
        for share in SHARES {
            assert_eq!(digest.quantile(share, 42.0, 42.0), Some(42.0));
        }
        assert_eq!(Digest::default().quantile(0.5, 0.0, 0.0), None);
    }
}
