//! What became of the frames of one rate.

use super::client::Answer;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Latencies are kept to three digits, up to ten minutes, in µs.
const DIGITS: u8 = 3;
const LONGEST_US: u64 = 600_000_000;
/// Each of these is a row, and for the plot many more.
const QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

/// Counts and latencies.
pub(super) struct Record {
    /// From the moment at which a frame should have been sent to its result.
    latency_us: Histogram<u64>,
    /// Frames with a result, by tier.
    pub(super) results: BTreeMap<String, u64>,
    /// Frames without, by the reason.
    pub(super) misses: BTreeMap<String, u64>,
    /// The latest sending, behind its moment.
    pub(super) late: Duration,
    /// Each frame that got a result: when it should have been sent, and its latency, both in s.
    pub(super) points: Vec<(f64, f64)>,
}

/// As much of a result as is counted.
#[derive(Deserialize)]
struct Told {
    status: String,
    decision: Option<Decision>,
}

#[derive(Deserialize)]
struct Decision {
    destination: String,
}

/// A rate in numbers.
#[derive(Serialize)]
pub(super) struct Summary {
    pub(super) rate: f64,
    pub(super) seconds: f64,
    pub(super) sent: u64,
    pub(super) results: BTreeMap<String, u64>,
    pub(super) misses: BTreeMap<String, u64>,
    pub(super) results_per_s: f64,
    /// By quantile, e.g. `0.99`.
    pub(super) latency_ms: BTreeMap<String, f64>,
    /// How late the generator itself sent a frame at most.
    pub(super) generator_late_ms: f64,
}

impl Default for Record {
    fn default() -> Self {
        let latency_us = Histogram::new_with_max(LONGEST_US, DIGITS)
            .expect("three digits up to ten minutes fit a histogram");
        Self {
            latency_us,
            results: BTreeMap::new(),
            misses: BTreeMap::new(),
            late: Duration::ZERO,
            points: Vec::new(),
        }
    }
}

impl Record {
    /// An answer, or that there is none, for the frame of the moment `at`.
    pub(super) fn add(&mut self, at: Duration, took: Duration, outcome: anyhow::Result<Answer>) {
        match outcome.map_err(|error| text::with_causes(&*error)).and_then(|answer| tier(&answer)) {
            Ok(tier) => {
                *self.results.entry(tier).or_default() += 1;
                let us = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US);
                self.latency_us.saturating_record(us);
                self.points.push((at.as_secs_f64(), took.as_secs_f64()));
            }
            Err(reason) => self.miss(reason),
        }
    }

    /// A frame without a result.
    pub(super) fn miss(&mut self, reason: impl Into<String>) {
        *self.misses.entry(reason.into()).or_default() += 1;
    }

    pub(super) fn answered(&self) -> u64 {
        self.results.values().sum()
    }

    pub(super) fn summary(&self, rate: f64, time: Duration) -> Summary {
        let missed: u64 = self.misses.values().sum();
        let latency_ms = QUANTILES
            .iter()
            .filter(|_| self.answered() > 0)
            .map(|quantile| (quantile.to_string(), self.quantile_ms(*quantile)));
        Summary {
            rate,
            seconds: time.as_secs_f64(),
            sent: self.answered() + missed,
            results: self.results.clone(),
            misses: self.misses.clone(),
            results_per_s: self.answered() as f64 / time.as_secs_f64(),
            latency_ms: latency_ms.collect(),
            generator_late_ms: self.late.as_secs_f64() * 1000.0,
        }
    }

    pub(super) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// 1 / (1 − quantile) and milliseconds, as far as the number of frames carries.
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let frames = self.answered() as f64;
        let steps = (0..).map(|step| 10_f64.powf(f64::from(step) / 20.0));
        let known = steps.take_while(|of| *of <= frames.max(1.0));
        known.map(|of| (of, self.quantile_ms(1.0 - 1.0 / of))).collect()
    }
}

/// The tier that answered, or why there is no result.
fn tier(Answer { status, body }: &Answer) -> Result<String, String> {
    match status {
        200 => {}
        202 => return Err("no result in time".into()),
        429 => return Err("refused: too many frames wait (429)".into()),
        _ => return Err(format!("status {status}")),
    }
    let told: Told = serde_json::from_slice(body).map_err(|_| "an answer that is no result")?;
    if told.status != "done" {
        return Err(format!("result: {}", told.status));
    }
    Ok(told.decision.map_or_else(|| "unknown".into(), |decision| decision.destination))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> anyhow::Result<Answer> {
        Ok(Answer { status, body: body.to_owned().into() })
    }

    #[test]
    fn results_and_misses_are_told_apart() {
        let mut record = Record::default();
        let done = r#"{"status":"done","decision":{"destination":"cloud"}}"#;
        for ms in 1..=100 {
            record.add(Duration::from_millis(ms), Duration::from_millis(ms), answer(200, done));
        }
        record.add(Duration::ZERO, Duration::ZERO, answer(200, r#"{"status":"expired"}"#));
        record.add(Duration::ZERO, Duration::ZERO, answer(429, "{}"));
        record.add(Duration::ZERO, Duration::ZERO, answer(503, ""));
        record.add(Duration::ZERO, Duration::ZERO, Err(anyhow::anyhow!("refused")));
        let summary = record.summary(50.0, Duration::from_secs(2));
        assert_eq!((summary.sent, summary.results["cloud"]), (104, 100));
        assert_eq!(summary.misses.len(), 4);
        assert_eq!(summary.misses["result: expired"], 1);
        assert!((summary.latency_ms["0.5"] - 50.0).abs() < 0.1, "{:?}", summary.latency_ms);
        assert!((summary.latency_ms["0.99"] - 99.0).abs() < 0.1);
        assert_eq!(summary.results_per_s, 50.0);
        let curve = record.curve();
        assert!(curve.is_sorted_by(|a, b| a.1 <= b.1) && curve.last().unwrap().0 <= 100.0);
    }

    #[test]
    fn nothing_is_no_latency() {
        let summary = Record::default().summary(1.0, Duration::from_secs(1));
        assert!(summary.latency_ms.is_empty() && summary.sent == 0);
    }
}
