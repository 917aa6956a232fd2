//! Latencies in numbers.

use serde::Serialize;

/// Latencies of a set of frames, in milliseconds; 0 when there are none.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Latency {
    /// Their mean.
    pub mean: f64,
    /// Half of them are not longer.
    pub p50: f64,
    /// 95 % of them are not longer.
    pub p95: f64,
    /// 99 % of them are not longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Latency {
    /// Of these latencies, in any order.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        values.sort_by(f64::total_cmp);
        // the nearest rank: the smallest value that at least this share does not exceed
        let quantile = |share: f64| {
            values[((share * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1]
        };
        Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
            max: values[values.len() - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let latency = Latency::of((1..=200).rev().map(f64::from).collect());
        assert_eq!(
            (latency.p50, latency.p95, latency.p99, latency.max),
            (100.0, 190.0, 198.0, 200.0)
        );
        assert!((latency.mean - 100.5).abs() < 1e-9);
        assert_eq!(Latency::of(vec![]), Latency::default());
        assert_eq!(Latency::of(vec![7.0]).p99, 7.0);
    }
}
