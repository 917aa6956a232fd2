//! How sending goes: counts, latencies, and where frames were sent.

use super::video::Summary;
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

struct Counts {
    latency_ms: Histogram<u64>,
    results: u64,
    /// Results that no model has given.
    failed: u64,
    edge: u64,
    cloud: u64,
    dropped: u64,
    /// Accepted frames without a result.
    pending: u64,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        let latency_ms = Histogram::new_with_bounds(1, LONGEST_MS, DIGITS)?;
        let counts =
            Counts { latency_ms, results: 0, failed: 0, edge: 0, cloud: 0, dropped: 0, pending: 0 };
        Ok(Self { began: Instant::now(), counts: Mutex::new(counts) })
    }

    /// A final result was read.
    pub(super) fn result(&self, json: &str) {
        let Ok(result) = serde_json::from_str::<FrameResult>(json) else { return };
        let mut counts = self.lock();
        counts.results += 1;
        match result.status {
            Status::Failed | Status::Expired => counts.failed += 1,
            Status::Done | Status::Skipped | Status::Provisional => {}
        }
        match result.decision.map(|decision| decision.destination) {
            Some(Destination::Edge) => counts.edge += 1,
            Some(Destination::Cloud) => counts.cloud += 1,
            None => {}
        }
        if let Some(ms) = result.timings_ms.end_to_end {
            counts.latency_ms.saturating_record(ms.max(0.0) as u64);
        }
    }

    /// A stream has ended.
    pub(super) fn sent(&self, summary: &Summary) {
        let mut counts = self.lock();
        counts.dropped += summary.frames.dropped;
        counts.pending += summary.pending;
    }

    /// Everything in one line.
    pub(super) fn line(&self) -> String {
        let counts = self.lock();
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let at = |quantile| counts.latency_ms.value_at_quantile(quantile);
        let mut line = format!(
            "{} results, {:.1} frames/s, latency p50 {} p95 {} p99 {} ms",
            counts.results,
            counts.results as f64 / seconds,
            at(0.5),
            at(0.95),
            at(0.99)
        );
        let decided = counts.edge + counts.cloud;
        if decided > 0 {
            let share = 100.0 * counts.edge as f64 / decided as f64;
            let _ = write!(line, ", edge {share:.0} %, cloud {:.0} %", 100.0 - share);
        }
        for (count, what) in [
            (counts.failed, "failed"),
            (counts.dropped, "dropped"),
            (counts.pending, "without a result"),
        ] {
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
        let Counts { failed, dropped, pending, .. } = &*self.lock();
        let missing = failed + dropped + pending;
        anyhow::ensure!(missing == 0, "{missing} frames got no result");
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{Decision, Envelope, ImageFormat, ServedBy, TimingsMs};
    use serde_json::json;

    #[test]
    fn a_line_has_rates_latencies_and_shares() {
        let tally = Tally::new().unwrap();
        let envelope = Envelope::received_now("gate".parse().unwrap(), 0, ImageFormat::Jpeg);
        for (n, destination) in
            [Destination::Edge, Destination::Edge, Destination::Cloud].into_iter().enumerate()
        {
            let problem = frame::Problem::model_failed("no");
            let mut result = envelope.failed(problem, ServedBy::default(), TimingsMs::default());
            result.status = Status::Done;
            result.timings_ms.end_to_end = Some(10.0 * (n + 1) as f64);
            result.decision = Some(Decision::new(destination, "r", "p"));
            tally.result(&serde_json::to_string(&result).unwrap());
        }
        let line = tally.line();
        assert!(line.starts_with("3 results, ") && line.contains("p50 20 p95 30"), "{line}");
        assert!(line.ends_with("edge 67 %, cloud 33 %"), "{line}");
        tally.verdict().unwrap();

        let summary = json!({
            "frames": {"accepted": 5, "dropped": 2}, "results": {"done": 3}, "pending": 2
        });
        let summary: Summary = serde_json::from_value(summary).unwrap();
        assert_eq!(summary.results(), 3);
        tally.sent(&summary);
        assert!(tally.line().ends_with("2 dropped, 2 without a result"), "{}", tally.line());
        assert!(tally.verdict().unwrap_err().to_string().starts_with("4 frames"));
    }
}
