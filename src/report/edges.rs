//! Where the bins of a histogram begin and end, so that people can read them.

/// Most bins of equal width.
const BINS: f64 = 24.0;
/// From this ratio of a large value to the median on, bins grow.
const SKEWED: f64 = 8.0;

/// Ends of the bins for values with these 1st, 50th and 99th percentiles, ascending, and whether the
/// bins grow (1, 2, 5, 10, …). There is at least one bin.
pub fn edges(low: f64, median: f64, high: f64, whole: bool) -> (Vec<f64>, bool) {
    if low >= 0.0 && median > 0.0 && high / median > SKEWED {
        let mut edges = growing(low.max(if whole { 1.0 } else { median / 1e4 }), high);
        if low < edges[0] {
            // Nothing has a bin of its own: it is no small value.
            edges.insert(0, 0.0);
        }
        return (edges, true);
    }
    let step = nice((high - low) / BINS).max(if whole { 1.0 } else { f64::MIN_POSITIVE });
    let first = (low / step).floor() * step;
    let bins = ((high - first) / step).floor().clamp(0.0, 2.0 * BINS) as usize + 1;
    ((0..=bins).map(|at| first + at as f64 * step).collect(), false)
}

/// The next of 1, 2, 5 times a power of ten; 1 where there is no width.
fn nice(width: f64) -> f64 {
    if width <= 0.0 || !width.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(width.log10().floor());
    let found = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= width * 0.999_999);
    found.unwrap_or(10.0) * power
}

fn growing(low: f64, high: f64) -> Vec<f64> {
    let mut power = low.log10().floor() as i32;
    let mut edges = Vec::new();
    loop {
        for step in [1.0, 2.0, 5.0] {
            let edge = step * 10_f64.powi(power);
            if edge <= low {
                edges.clear();
            }
            edges.push(edge);
            if edge > high && edges.len() > 1 || power == f64::MAX_10_EXP {
                return edges;
            }
        }
        power += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_bins_have_round_ends() {
        let (edges, growing) = edges(1950.0, 1990.0, 2024.0, true);
        assert!(!growing);
        assert_eq!((edges[0], edges[1]), (1950.0, 1955.0));
        assert!(*edges.last().expect("bins") > 2024.0);
    }

    #[test]
    fn skewed_values_get_growing_bins() {
        let (edges, growing) = edges(100.0, 300_000.0, 5_000_000.0, true);
        assert!(growing);
        assert_eq!(edges[..4], [100.0, 200.0, 500.0, 1_000.0]);
        assert_eq!(*edges.last().expect("bins"), 10_000_000.0);
        assert_eq!(super::edges(0.0, 10.0, 1_000.0, true).0[..3], [0.0, 1.0, 2.0]);
    }

    #[test]
    fn what_has_no_end_has_bins_all_the_same() {
        for high in [f64::INFINITY, f64::MAX, f64::NAN] {
            assert!(edges(1.0, 2.0, high, false).0.len() > 1, "{high}");
        }
    }

    #[test]
    fn one_value_is_one_bin_and_ends_ascend() {
        assert_eq!(edges(7.0, 7.0, 7.0, true).0, [7.0, 8.0]);
        for (low, median, high) in
            [(0.0, 0.0, 0.0), (0.0, 1e-9, 1e9), (-5.0, 0.0, 5.0), (0.1, 0.2, 9.0)]
        {
            let (edges, _) = edges(low, median, high, false);
            assert!(edges.len() > 1 && edges.len() < 100, "{edges:?}");
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
            assert!(edges[0] <= low && *edges.last().expect("bins") > high);
        }
    }
}
