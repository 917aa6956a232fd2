//! How sending goes: counts, latencies, and where frames were sent.

use super::window::Outcome;
use frame::{Destination, FrameResult, Status};
use hdrhistogram::Histogram;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Latencies are kept to two digits, up to an hour, in ms.
const DIGITS: u8 = 2;
const LONGEST_MS: u64 = 3_600_000;

/// Counts everything that is sent and found.
pub(super) struct Tally {
    began: Instant,
    counts: Mutex<Counts>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frames {
    /// Those with a result.
    pub(super) results: u64,
    /// Results that no model has given.
    pub(super) failed: u64,
    /// Frames that a newer one has replaced before they were sent.
    pub(super) dropped: u64,
    /// Frames that were sent and have no result.
    pub(super) lost: u64,
}

struct Counts {
    latency_ms: Histogram<u64>,
    frames: Frames,
    edge: u64,
    cloud: u64,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        let latency_ms = Histogram::new_with_bounds(1, LONGEST_MS, DIGITS)?;
        let counts = Counts { latency_ms, frames: Frames::default(), edge: 0, cloud: 0 };
        Ok(Self { began: Instant::now(), counts: Mutex::new(counts) })
    }

    /// A frame is done with.
    pub(super) fn settled(&self, outcome: &Outcome) {
        let mut counts = self.lock();
        match outcome {
            Outcome::Result(result) => counts.result(result),
            Outcome::Dropped => counts.frames.dropped += 1,
            Outcome::Lost => counts.frames.lost += 1,
        }
    }

    /// What was counted so far.
    pub(super) fn frames(&self) -> Frames {
        self.lock().frames
    }

    /// Everything in one line.
    pub(super) fn line(&self) -> String {
        let counts = self.lock();
        let Frames { results, failed, dropped, lost } = counts.frames;
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let at = |quantile| counts.latency_ms.value_at_quantile(quantile);
        let mut line = format!(
            "{results} results, {:.1} frames/s, latency p50 {} p95 {} p99 {} ms",
            results as f64 / seconds,
            at(0.5),
            at(0.95),
            at(0.99)
        );
        let decided = counts.edge + counts.cloud;
        if decided > 0 {
            let share = 100.0 * counts.edge as f64 / decided as f64;
            let _ = write!(line, ", edge {share:.0} %, cloud {:.0} %", 100.0 - share);
        }
        for (count, what) in [(failed, "failed"), (dropped, "dropped"), (lost, "without a result")]
        {
            if count > 0 {
                let _ = write!(line, ", {count} {what}");
            }
        }
        line
    }

    /// Whether every frame got a result.
    ///
    /// # Errors
    /// When one did not.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let Frames { results, failed, dropped, lost } = self.frames();
        let (missing, all) = (failed + dropped + lost, results + dropped + lost);
        anyhow::ensure!(missing == 0, "{missing} of {all} frames got no result");
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn result(&mut self, result: &FrameResult) {
        self.frames.results += 1;
        match result.status {
            Status::Failed | Status::Expired => self.frames.failed += 1,
            Status::Done | Status::Skipped | Status::Provisional => {}
        }
        match result.decision.as_ref().map(|decision| decision.destination) {
            Some(Destination::Edge) => self.edge += 1,
            Some(Destination::Cloud) => self.cloud += 1,
            None => {}
        }
        if let Some(ms) = result.timings_ms.end_to_end {
            self.latency_ms.saturating_record(ms.max(0.0) as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::testing::result;
    use frame::Decision;

    #[test]
    fn results_and_what_has_none_are_counted() {
        let tally = Tally::new().unwrap();
        for (n, destination) in
            [Destination::Edge, Destination::Cloud, Destination::Edge].into_iter().enumerate()
        {
            let mut result = result(n as u64, Vec::new());
            result.decision = Some(Decision::new(destination, "r", "p"));
            result.timings_ms.end_to_end = Some(10.0 * (n + 1) as f64);
            tally.settled(&Outcome::Result(Box::new(result)));
        }
        let line = tally.line();
        assert!(line.starts_with("3 results, ") && line.contains("p50 20 p95 30"), "{line}");
        assert!(line.ends_with("edge 67 %, cloud 33 %"), "{line}");
        tally.verdict().unwrap();

        for outcome in [Outcome::Dropped, Outcome::Dropped, Outcome::Lost] {
            tally.settled(&outcome);
        }
        assert!(tally.line().ends_with("2 dropped, 1 without a result"), "{}", tally.line());
        let verdict = tally.verdict().unwrap_err().to_string();
        assert_eq!(verdict, "3 of 6 frames got no result");
    }
}
