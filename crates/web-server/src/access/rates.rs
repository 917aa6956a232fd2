//! How often something may happen: a token bucket for each token, and one for each camera.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use unit::BoundedMap;

/// How many are remembered; the one that came first is forgotten, and may then burst again.
const MAX_BUCKETS: usize = 4096;
/// What may come at once after a pause, in seconds of the rate …
const BURST_S: f64 = 2.0;
/// … but at least so many.
const LEAST_BURST: f64 = 5.0;

/// Who has how much left.
#[derive(Debug)]
pub(super) struct Rates {
    buckets: Mutex<BoundedMap<u64, Bucket>>,
    hasher: RandomState,
}

/// How much was left when.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Default for Rates {
    fn default() -> Self {
        Self { buckets: Mutex::new(BoundedMap::new(MAX_BUCKETS)), hasher: RandomState::new() }
    }
}

impl Rates {
    /// Counts one of `who`, at most `per_s` each second.
    ///
    /// # Errors
    /// When it is one too many, with the time until the next one; then it is not counted.
    pub(super) fn take(&self, who: impl Hash, per_s: f64, now: Instant) -> Result<(), Duration> {
        let key = self.hasher.hash_one(who);
        let burst = (per_s * BURST_S).max(LEAST_BURST);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let left = buckets.get(&key).map_or(burst, |bucket| {
            let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + passed * per_s).min(burst)
        });
        let taken = left >= 1.0;
        let left = if taken { left - 1.0 } else { left };
        buckets.insert(key, Bucket { left, at: now });
        if taken { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - left) / per_s)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let (rates, start) = (Rates::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let burst = (0..100).take_while(|_| rates.take("a", 10.0, at(0)).is_ok()).count();
        assert_eq!(burst, 20);
        let wait = rates.take("a", 10.0, at(50)).unwrap_err();
        assert!((0.049..0.051).contains(&wait.as_secs_f64()), "{wait:?}");
        assert!(rates.take("a", 10.0, at(110)).is_ok());
        assert!(rates.take("a", 10.0, at(110)).is_err());
        let next_second = (0..100).filter(|n| rates.take("a", 10.0, at(200 + 10 * n)).is_ok());
        assert!((9..=11).contains(&next_second.count()));
        assert!(rates.take("b", 10.0, at(0)).is_ok(), "each has its own");
    }

    #[test]
    fn a_slow_rate_has_a_burst_too_and_the_memory_is_bounded() {
        let (rates, now) = (Rates::default(), Instant::now());
        assert_eq!((0..9).filter(|_| rates.take("a", 0.1, now).is_ok()).count(), 5);
        for other in 0..2 * MAX_BUCKETS {
            assert!(rates.take(other, 1.0, now).is_ok());
        }
        assert_eq!(rates.buckets.lock().unwrap().len(), MAX_BUCKETS);
    }
}
