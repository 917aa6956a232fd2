//! Minimum, median and maximum of a series.

/// A series of measurements in milliseconds, at least one.
pub(super) struct Series(Vec<f64>);

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
        self.0[self.0.len() / 2]
    }

    pub(super) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
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
    }
}
