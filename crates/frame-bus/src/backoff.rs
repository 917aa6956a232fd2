//! How long to wait before the next try, and how often to speak of it.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// Exponential backoff: each delay is drawn from the upper half of a span that doubles up to a
/// limit, so that many clients that lost the same broker do not come back all at once.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    span: Duration,
    limit: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, limit: Duration) -> Self {
        Self { span: first, limit }
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

/// Between two log lines about the same lasting trouble.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// A trouble that lasts: spoken of once, then at intervals, then once when it is over.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Outage {
    /// There is trouble. `Some` with its age when it is time to speak of it.
    pub(crate) fn goes_on(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if self.told.is_some_and(|told| now.duration_since(told) < REMIND_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(now.duration_since(since))
    }

    /// There is none. `Some` with the length of the one that has just ended.
    pub(crate) fn is_over(&mut self) -> Option<Duration> {
        self.told = None;
        self.since.take().map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_with_jitter_and_stay_below_the_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for span in [100, 200, 350, 350] {
            let delay = backoff.next();
            assert!(
                delay >= Duration::from_millis(span / 2) && delay <= Duration::from_millis(span),
                "{delay:?}"
            );
        }
    }

    #[test]
    fn an_outage_is_told_once_and_its_end_once() {
        let mut outage = Outage::default();
        assert!(outage.is_over().is_none());
        assert!(outage.goes_on().is_some());
        assert!(outage.goes_on().is_none());
        assert!(outage.is_over().is_some());
        assert!(outage.is_over().is_none());
        assert!(outage.goes_on().is_some());
    }
}
