//! Means over seeds, and how sure they are.

use serde::Serialize;

/// Student's t at 97.5 % for 1 to 30 degrees of freedom.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// A mean and its 95 % confidence interval by Student's t: runs with different seeds are
/// independent of each other.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// The mean of all runs.
    pub mean: f64,
    /// The true mean is not farther away, with 95 % confidence.
    pub half_width: f64,
}

impl Interval {
    /// Of the values of several runs; `None` with fewer than two.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count < 2 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let error = (squares / (count - 1) as f64 / count as f64).sqrt();
        Some(Self { mean, half_width: t(count - 1) * error })
    }
}

/// Beyond the table by the first terms of the Cornish-Fisher expansion (Abramowitz and Stegun
/// 26.7.5).
fn t(degrees: usize) -> f64 {
    const Z: f64 = 1.959_964;
    T.get(degrees.saturating_sub(1)).copied().unwrap_or_else(|| {
        let first = (Z.powi(3) + Z) / 4.0;
        let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
        Z + first / degrees as f64 + second / (degrees as f64).powi(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use virtual_time::Random;

    #[test]
    fn an_interval_is_that_of_the_textbook() {
        assert_eq!(Interval::of(&[1.0]), None);
        let interval = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(interval.mean, 3.0);
        // 2.776 · √2.5 / √5
        assert!((interval.half_width - 1.963).abs() < 0.001, "{}", interval.half_width);
        assert!((t(40) - 2.021).abs() < 0.001 && (t(120) - 1.980).abs() < 0.001);
    }

    #[test]
    fn it_holds_the_true_mean_as_often_as_it_says() {
        let mut random = Random::new(3, "interval");
        let holds = (0..4000).filter(|_| {
            let values: Vec<f64> = (0..10).map(|_| random.log_normal(1.0, 0.2)).collect();
            let interval = Interval::of(&values).unwrap();
            (interval.mean - 1.0).abs() <= interval.half_width
        });
        // nearly normal: 95 %, four standard deviations are 1.4 %
        let share = holds.count() as f64 / 4000.0;
        assert!((0.93..0.97).contains(&share), "{share}");
    }

    proptest! {
        #[test]
        fn shifting_and_scaling_carry_over(
            values in prop::collection::vec(-100.0..100.0f64, 2..40), shift in -50.0..50.0f64,
        ) {
            let moved: Vec<f64> = values.iter().map(|value| 3.0 * value + shift).collect();
            let (one, other) = (Interval::of(&values).unwrap(), Interval::of(&moved).unwrap());
            prop_assert!((other.mean - 3.0 * one.mean - shift).abs() < 1e-6);
            prop_assert!((other.half_width - 3.0 * one.half_width).abs() < 1e-6);
        }
    }
}
