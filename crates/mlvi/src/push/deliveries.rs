//! Which cameras deliver: for readiness.

use frame::CameraId;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A camera that got no result for so long, or for three frames at its rate, does not deliver.
const WITHIN: Duration = Duration::from_secs(60);

/// When each camera got its last result.
pub(super) struct Deliveries(Vec<Delivery>);

struct Delivery {
    name: CameraId,
    within: Duration,
    last: Mutex<Option<Instant>>,
}

impl Deliveries {
    /// Of cameras with their names and rates.
    pub(super) fn new<'a>(cameras: impl Iterator<Item = (&'a CameraId, Option<f64>)>) -> Self {
        let delivery = |(name, rate): (&CameraId, Option<f64>)| {
            let three = Duration::try_from_secs_f64(rate.map_or(0.0, |rate| 3.0 / rate));
            let within = three.unwrap_or(Duration::MAX).max(WITHIN);
            Delivery { name: name.clone(), within, last: Mutex::new(None) }
        };
        Self(cameras.map(delivery).collect())
    }

    /// The camera with this number got a result.
    pub(super) fn delivered(&self, number: usize) {
        if let Some(delivery) = self.0.get(number) {
            *delivery.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Which cameras do not deliver.
    pub(super) fn missing(&self) -> Missing {
        let is_away = |delivery: &&Delivery| {
            let last = *delivery.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.is_none_or(|at| at.elapsed() > delivery.within)
        };
        let names = self.0.iter().filter(is_away).map(|delivery| delivery.name.to_string());
        Missing { names: names.collect(), of: self.0.len() }
    }
}

/// Cameras that do not deliver.
pub(super) struct Missing {
    pub(super) names: Vec<String>,
    /// Of how many.
    pub(super) of: usize,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, of } = self;
        write!(f, "{} of {of} deliver no frames: {}", names.len(), names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_that_do_not_deliver_are_named() {
        let names: [CameraId; 2] = ["gate", "yard"].map(|name| name.parse().unwrap());
        let deliveries = Deliveries::new(names.iter().map(|name| (name, Some(0.001))));
        assert_eq!(deliveries.missing().to_string(), "2 of 2 deliver no frames: gate, yard");
        deliveries.delivered(1);
        assert_eq!(deliveries.missing().to_string(), "1 of 2 deliver no frames: gate");
        deliveries.delivered(0);
        assert!(deliveries.missing().names.is_empty());
    }
}
