//! Quantiles of the normal distribution, and intervals for a mean of values from 0 to 1.

/// The value that a standard normal variable does not exceed with probability `p`, by the rational
/// approximation 26.2.23 of Abramowitz and Stegun, *Handbook of Mathematical Functions*; it is off
/// by less than 4.5e-4. Outside of 0.5 to 1 it is that of the nearer end, the upper one at 1 -
/// 1e-9.
pub(crate) fn quantile(p: f64) -> f64 {
    let tail = (1.0 - p).clamp(1e-9, 0.5);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    (t - above / below).max(0.0)
}

/// A mean, and the interval that contains the true one with a certain confidence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    /// The mean of what was seen.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The score interval of Wilson (JASA 22, 1927) for the mean of `count` values from 0 to 1: such
/// values vary no more than answers of yes and no with the same mean, for which it was made. `None`
/// when there are no values.
pub(crate) fn interval(mean: f64, count: f64, confidence: f64) -> Option<Interval> {
    if count <= 0.0 || !mean.is_finite() {
        return None;
    }
    let mean = mean.clamp(0.0, 1.0);
    let z = quantile(f64::midpoint(1.0, confidence));
    let (scaled, shrunk) = (z * z / count, 1.0 + z * z / count);
    let centre = (mean + scaled / 2.0) / shrunk;
    let half = z * ((mean * (1.0 - mean) + scaled / 4.0) / count).sqrt() / shrunk;
    let (low, high) = ((centre - half).clamp(0.0, mean), (centre + half).clamp(mean, 1.0));
    Some(Interval { mean, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, wanted) in [(0.5, 0.0), (0.9, 1.281_552), (0.95, 1.644_854), (0.999, 3.090_232)] {
            assert!((quantile(p) - wanted).abs() < 5e-4, "{p}: {}", quantile(p));
        }
        assert!(quantile(1.0).is_finite() && quantile(0.1) < 5e-4);
    }

    #[test]
    fn intervals_are_wilsons() {
        // 81 of 263, an example that is often printed: 0.2553 to 0.3662
        let found = interval(81.0 / 263.0, 263.0, 0.95).unwrap();
        assert!((found.low - 0.2553).abs() < 5e-4 && (found.high - 0.3662).abs() < 5e-4);
        let all = interval(1.0, 10.0, 0.95).unwrap();
        assert!(all.high == 1.0 && all.low > 0.7 && all.low < 0.73, "{all:?}");
        assert_eq!(interval(0.5, 0.0, 0.95), None);
    }
}
