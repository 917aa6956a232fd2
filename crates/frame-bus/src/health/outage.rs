//! How often the log is told of a failure that lasts.

use std::time::{Duration, Instant};

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
