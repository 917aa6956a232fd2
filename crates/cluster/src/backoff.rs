//! How long to wait before the next try.

use crate::Pacing;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Exponential backoff: each delay is drawn from the upper half of a span that doubles up to a
/// limit, so that many pods that lost the same API server do not come back all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    span: Duration,
    limit: Duration,
}

impl Backoff {
    pub(crate) const fn new(pacing: &Pacing) -> Self {
        Self { first: pacing.first_retry, span: pacing.first_retry, limit: pacing.longest_retry }
    }

    /// It has worked: the next delay is a short one again.
    pub(crate) const fn reset(&mut self) {
        self.span = self.first;
    }

    /// The next delay.
    pub(crate) fn next(&mut self) -> Duration {
        let span = self.span;
        self.span = (span * 2).min(self.limit);
        // the standard library seeds its hash maps randomly: random enough for jitter
        let random = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
        span.mul_f64(0.5 + random / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_start_again() {
        let millis = Duration::from_millis;
        let pacing =
            Pacing { first_retry: millis(100), longest_retry: millis(350), ..Pacing::default() };
        let mut backoff = Backoff::new(&pacing);
        for span in [100, 200, 350, 350] {
            let delay = backoff.next();
            assert!(delay >= millis(span / 2) && delay <= millis(span), "{delay:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= millis(100));
    }
}
