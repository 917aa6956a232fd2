//! How often the log is told of a failure that lasts.

use std::time::{Duration, Instant};

/// Between two log lines about the same failure.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// A failure that lasts: logged once, then at intervals, then once when it has ended.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Outage {
    /// An attempt has failed. `Some` with the age of the outage when it is to be logged.
    pub(crate) fn failed(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if self.told.is_some_and(|told| now.duration_since(told) < REMIND_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(now.duration_since(since))
    }

    /// An attempt has succeeded. `Some` with the length of the outage that has just ended.
    pub(crate) fn recovered(&mut self) -> Option<Duration> {
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
        assert!(outage.recovered().is_none());
        assert!(outage.failed().is_some());
        assert!(outage.failed().is_none());
        assert!(outage.recovered().is_some());
        assert!(outage.recovered().is_none());
        assert!(outage.failed().is_some());
    }
}
