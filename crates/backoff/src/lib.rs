//! How long to wait before the next try.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Exponential backoff: each delay is drawn from the upper half of a span that doubles up to a
/// limit, so that many clients that lost the same server do not come back all at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    span: Duration,
    limit: Duration,
}

impl Backoff {
    /// The first delay is between half of `first` and `first`; none is longer than `limit`.
    #[must_use]
    pub const fn new(first: Duration, limit: Duration) -> Self {
        Self { first, span: first, limit }
    }

    /// An attempt was successful: the next delay is a short one again.
    pub const fn reset(&mut self) {
        self.span = self.first;
    }

    /// The next delay.
    #[must_use]
    pub fn next_delay(&mut self) -> Duration {
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
        let mut backoff = Backoff::new(millis(100), millis(350));
        for span in [100, 200, 350, 350] {
            let delay = backoff.next_delay();
            assert!(delay >= millis(span / 2) && delay <= millis(span), "{delay:?}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= millis(100));
    }
}
