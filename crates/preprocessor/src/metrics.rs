//! What the preprocessor counts.

use crate::pixels::StageTimes;
use frame::{Decision, Destination};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::sync::atomic::AtomicU64;

/// The unit's metrics; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    frames: Family<OutcomeLabel, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    stages: Family<StageLabel, Histogram, fn() -> Histogram>,
    dead_letters: Counter,
    backlog: Family<TierLabel, Gauge<f64, AtomicU64>>,
    pub(crate) in_flight: Gauge,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It went on to a tier.
    Prepared,
    /// It got a failed result.
    Failed,
    /// Its deadline had gone by.
    Expired,
    /// It was no frame.
    Malformed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    destination: &'static str,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TierLabel {
    tier: &'static str,
}

impl Metrics {
    pub(crate) fn register(metrics: &unit::Metrics) -> Self {
        // 0.25 ms to 4 s: from sharpening a thumbnail to decoding 25 megapixels on a small box
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_25, 2.0, 15));
        let own = Self {
            frames: Family::default(),
            decisions: Family::default(),
            stages: Family::new_with_constructor(histogram),
            dead_letters: Counter::default(),
            backlog: Family::default(),
            in_flight: Gauge::default(),
        };
        metrics.register("preprocessor_frames", "messages of the frames topic, by what became of them", own.frames.clone());
        metrics.register("preprocessor_decisions", "frames sent on, by destination and reason", own.decisions.clone());
        metrics.register("preprocessor_stage_seconds", "time that a frame spent in each stage, in seconds", own.stages.clone());
        metrics.register("preprocessor_dead_letters", "messages sent to the dead-letter topic", own.dead_letters.clone());
        let backlog = "frames that a tier has not finished, as seen from here; NaN when not known";
        metrics.register("preprocessor_tier_backlog_frames", backlog, own.backlog.clone());
        metrics.register("preprocessor_in_flight_frames", "frames in the process", own.in_flight.clone());
        own
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Prepared => "prepared",
            Outcome::Failed => "failed",
            Outcome::Expired => "expired",
            Outcome::Malformed => "malformed",
        };
        self.frames.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn decided(&self, decision: &Decision) {
        let labels = DecisionLabels { destination: decision.destination.as_str(), reason: decision.reason.clone() };
        self.decisions.get_or_create(&labels).inc();
    }

    pub(crate) fn worked(&self, times: &StageTimes) {
        for (stage, time) in [("decode", times.decode), ("sharpen", times.sharpen), ("encode", times.encode)] {
            self.stages.get_or_create(&StageLabel { stage }).observe(time.as_secs_f64());
        }
    }

    pub(crate) fn dead_letter(&self) {
        self.dead_letters.inc();
    }

    pub(crate) fn backlog(&self, tier: Destination, frames: Option<u64>) {
        let frames = frames.map_or(f64::NAN, |frames| frames as f64);
        self.backlog.get_or_create(&TierLabel { tier: tier.as_str() }).set(frames);
    }
}
