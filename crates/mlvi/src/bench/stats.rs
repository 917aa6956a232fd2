//! What a series of measurements comes to.

use serde::Serialize;

/// A series of measurements, at least one.
#[derive(Clone, Debug)]
pub(super) struct Series(Vec<f64>);

/// A series in six numbers, in the series' unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    /// How many measurements there were.
    pub(super) count: usize,
    pub(super) min: f64,
    pub(super) lower_quartile: f64,
    pub(super) median: f64,
    pub(super) upper_quartile: f64,
    pub(super) max: f64,
}

impl Series {
    /// `None` without a measurement.
    pub(super) fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    pub(super) fn min(&self) -> f64 {
        self.0[0]
    }

    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(super) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// The value that this share of the series, 0 to 1, does not exceed; between two measurements
    /// it is interpolated.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let place = share.clamp(0.0, 1.0) * (self.0.len() - 1) as f64;
        let (below, above) = (self.0[place.floor() as usize], self.0[place.ceil() as usize]);
        below + (above - below) * place.fract()
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            count: self.0.len(),
            min: self.min(),
            lower_quartile: self.quantile(0.25),
            median: self.median(),
            upper_quartile: self.quantile(0.75),
            max: self.max(),
        }
    }
}

impl Summary {
    /// The distance of the quartiles as a share of the median: 0.02 on a quiet machine, more than
    /// 0.1 where something disturbs.
    pub(super) fn scatter(&self) -> f64 {
        if self.median > 0.0 {
            (self.upper_quartile - self.lower_quartile) / self.median
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_summed_up() {
        let series = Series::new(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((series.min(), series.median(), series.max()), (1.0, 2.0, 3.0));
        assert!(Series::new(Vec::new()).is_none());
        let summary = Series::new(vec![4.0, 1.0, 3.0, 2.0, 5.0]).unwrap().summary();
        let wanted = Summary {
            count: 5,
            min: 1.0,
            lower_quartile: 2.0,
            median: 3.0,
            upper_quartile: 4.0,
            max: 5.0,
        };
        assert_eq!(summary, wanted);
        assert!((summary.scatter() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn between_two_measurements_it_is_interpolated() {
        let series = Series::new(vec![10.0, 20.0]).unwrap();
        assert_eq!((series.median(), series.quantile(0.95)), (15.0, 19.5));
        assert_eq!(Series::new(vec![7.0]).unwrap().quantile(0.95), 7.0);
    }
}
