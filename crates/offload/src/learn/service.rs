//! How long a worker of a tier takes for a frame.

use super::Recent;

/// How much the latest frame counts in the average: a change of the model or the machine shows
/// after some ten frames.
const WEIGHT: f64 = 0.1;
/// Enough for a 95th percentile, few enough to follow a change within seconds.
const LATEST: usize = 64;
const HIGH: f64 = 0.95;

/// An exponentially weighted average and a high quantile of service times, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    average_ms: Option<f64>,
    latest: Recent,
}

impl Service {
    pub(crate) fn new(prior_ms: Option<f64>) -> Self {
        Self { average_ms: prior_ms, latest: Recent::new(LATEST) }
    }

    /// Another prior; it counts as long as nothing was observed.
    pub(crate) fn believe(&mut self, prior_ms: Option<f64>) {
        if self.latest.quantile(0.5).is_none() {
            self.average_ms = prior_ms;
        }
    }

    pub(crate) fn observe(&mut self, ms: f64) {
        if !(ms.is_finite() && ms >= 0.0) {
            return;
        }
        // a prior gives way to the first fact
        let known = self.latest.quantile(0.5).and(self.average_ms);
        self.average_ms = Some(known.map_or(ms, |average| average + WEIGHT * (ms - average)));
        self.latest.push(ms);
    }

    pub(crate) fn average_ms(&self) -> Option<f64> {
        self.average_ms
    }

    /// The 95th percentile; never below the average.
    pub(crate) fn high_ms(&self) -> Option<f64> {
        let average = self.average_ms?;
        Some(self.latest.quantile(HIGH).map_or(average, |high| high.max(average)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prior_counts_until_the_first_fact() {
        let mut service = Service::new(Some(500.0));
        assert_eq!((service.average_ms(), service.high_ms()), (Some(500.0), Some(500.0)));
        service.believe(Some(400.0));
        assert_eq!(service.average_ms(), Some(400.0));
        service.observe(80.0);
        service.believe(Some(300.0));
        assert_eq!(service.average_ms(), Some(80.0));
    }

    #[test]
    fn the_high_quantile_sees_the_slow_ones() {
        let mut service = Service::new(None);
        assert_eq!(service.average_ms(), None);
        for n in 0..200 {
            service.observe(if n % 10 == 0 { 200.0 } else { 50.0 });
        }
        let average = service.average_ms().unwrap();
        assert!((50.0..90.0).contains(&average), "{average}");
        assert_eq!(service.high_ms(), Some(200.0));
        service.observe(f64::INFINITY);
        assert_eq!(service.average_ms(), Some(average));
    }
}
