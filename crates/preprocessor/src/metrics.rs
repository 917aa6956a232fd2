//! What the preprocessor counts.

use crate::contract_metrics::ContractMetrics;
use crate::pixels::StageTimes;
use frame::{ContractStanding, Decision, Destination, FrameResult, ImageFormat, PolicyOrigin};
use offload::{BreakerState, Interval, TierSnapshot};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use regions::{Book, Origin, RecordEnd};
use std::sync::atomic::AtomicU64;
use unit::traces::{TraceLabel, TracedHistogram};

/// The unit's metrics; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    frames: Family<OutcomeLabel, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    stages: Family<StageLabel, TracedHistogram, fn() -> TracedHistogram>,
    dead_letters: Counter,
    given_up: Counter,
    taken_alone: Counter,
    backlog: Gauge<f64, AtomicU64>,
    tiers: TierGauges,
    sent_bytes: Family<TierLabel, Counter>,
    sent_frames: Family<FormLabels, Counter>,
    answered: Family<TierLabel, Histogram, fn() -> Histogram>,
    prediction_ratio: Family<TierLabel, Histogram, fn() -> Histogram>,
    retaken: Family<RetakenLabel, Counter>,
    budget_left: Gauge<f64, AtomicU64>,
    agreement: Family<BoundLabel, Gauge<f64, AtomicU64>>,
    contracts: ContractMetrics,
    policy_reloads: Family<ReloadLabel, Counter>,
    regions_reloads: Family<ReloadLabel, Counter>,
    policy_panics: Family<PolicyCallLabel, Counter>,
    policy: Family<PolicyLabels, Gauge>,
    settings: Family<SettingLabel, Counter>,
    settings_topic: Gauge,
    regions: Family<RegionsLabels, Gauge>,
    pub(crate) in_flight: Gauge,
}

/// What is known of each tier.
#[derive(Clone, Debug, Default)]
struct TierGauges {
    backlog: Family<TierLabel, Gauge<f64, AtomicU64>>,
    backlog_bytes: Family<TierLabel, Gauge<f64, AtomicU64>>,
    service: Family<TierLabel, Gauge<f64, AtomicU64>>,
    workers: Family<TierLabel, Gauge<f64, AtomicU64>>,
    rtt: Family<TierLabel, Gauge<f64, AtomicU64>>,
    throughput: Family<TierLabel, Gauge<f64, AtomicU64>>,
    breaker: Family<TierLabel, Gauge<f64, AtomicU64>>,
}

/// What became of a frame that the cloud did not answer in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Retaken {
    /// It goes to the edge.
    Edge,
    /// It goes to the cloud again, which answers sooner than the edge would.
    Cloud,
    /// The edge's provisional answer counts.
    Provisional,
    /// Its deadline had gone by.
    Expired,
}

/// What a policy was asked for when it panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PolicyCall {
    /// To decide on a frame.
    Decide,
    /// To learn from what became of one.
    Learn,
}

impl PolicyCall {
    const ALL: [Self; 2] = [Self::Decide, Self::Learn];

    /// As the metric names it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Learn => "learn",
        }
    }
}

/// What became of a record of the settings topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SettingEnd {
    /// It counts.
    Used,
    /// It cannot be used, and has changed nothing.
    Refused,
    /// It was taken back.
    Removed,
}

impl From<RecordEnd> for SettingEnd {
    fn from(end: RecordEnd) -> Self {
        match end {
            RecordEnd::Used => Self::Used,
            RecordEnd::Refused => Self::Refused,
            RecordEnd::Removed => Self::Removed,
        }
    }
}

impl SettingEnd {
    const ALL: [Self; 3] = [Self::Used, Self::Refused, Self::Removed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Refused => "refused",
            Self::Removed => "removed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: String,
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RegionsLabels {
    regions: &'static str,
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SettingLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyCallLabel {
    call: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RetakenLabel {
    to: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BoundLabel {
    bound: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabel {
    outcome: &'static str,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MessageEnd {
    /// It went on to a tier.
    Prepared,
    /// It got a failed result.
    Failed,
    /// Its deadline had gone by.
    Expired,
    /// It equals an earlier one.
    Skipped,
    /// A newer one of its camera overtook it.
    Overtaken,
    /// It was no frame.
    Malformed,
}

impl MessageEnd {
    /// As the metric and the trace name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Skipped => "skipped",
            Self::Overtaken => "overtaken",
            Self::Malformed => "malformed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    destination: &'static str,
    reason: String,
    policy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TierLabel {
    tier: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FormLabels {
    tier: &'static str,
    format: &'static str,
}

impl Metrics {
    pub(crate) fn register(metrics: &unit::Metrics) -> Self {
        // 0.25 ms to 4 s: from sharpening a thumbnail to decoding 25 megapixels on a small box
        let histogram: fn() -> TracedHistogram =
            || TracedHistogram::new(exponential_buckets(0.000_25, 2.0, 15));
        let own = Self {
            frames: Family::default(),
            decisions: Family::default(),
            stages: Family::new_with_constructor(histogram),
            dead_letters: Counter::default(),
            given_up: Counter::default(),
            taken_alone: Counter::default(),
            backlog: Gauge::default(),
            tiers: TierGauges::default(),
            sent_bytes: Family::default(),
            sent_frames: Family::default(),
            answered: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.005, 2.0, 14))
            }),
            // what really went by as a multiple of what was predicted: 1 is a perfect prediction
            prediction_ratio: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.125, 1.414, 16))
            }),
            retaken: Family::default(),
            budget_left: Gauge::default(),
            agreement: Family::default(),
            contracts: ContractMetrics::register(metrics),
            policy_reloads: Family::default(),
            regions_reloads: Family::default(),
            policy_panics: Family::default(),
            policy: Family::default(),
            settings: Family::default(),
            settings_topic: Gauge::default(),
            regions: Family::default(),
            in_flight: Gauge::default(),
        };
        metrics.register(
            "preprocessor_frames",
            "messages of the frames topic, by what became of them",
            own.frames.clone(),
        );
        metrics.register(
            "preprocessor_decisions",
            "frames sent on, by destination and reason",
            own.decisions.clone(),
        );
        metrics.register(
            "preprocessor_stage_seconds",
            "time that a frame spent in each stage, in seconds",
            own.stages.clone(),
        );
        metrics.register(
            "preprocessor_dead_letters",
            "messages sent to the dead-letter topic",
            own.dead_letters.clone(),
        );
        let given_up =
            "frames given up, because the process had ended each time that they were taken up";
        metrics.register("preprocessor_given_up_frames", given_up, own.given_up.clone());
        let alone =
            "frames taken up alone, because a process had ended that may have had them in hand";
        metrics.register("preprocessor_taken_alone_frames", alone, own.taken_alone.clone());
        let backlog =
            "frames that this unit's replicas together have not finished; NaN when not known";
        metrics.register("preprocessor_backlog_frames", backlog, own.backlog.clone());
        own.backlog(None);
        own.tiers.register(metrics);
        metrics.register(
            "preprocessor_sent_bytes",
            "bytes of frames sent to a tier",
            own.sent_bytes.clone(),
        );
        let sent = "frames sent to a tier, by how their pictures are encoded";
        metrics.register("preprocessor_sent_frames", sent, own.sent_frames.clone());
        let answered = "time from the decision to the tier's answer, in seconds";
        metrics.register("preprocessor_answer_seconds", answered, own.answered.clone());
        let ratio = "time to the tier's answer as a multiple of what was predicted";
        metrics.register("preprocessor_prediction_ratio", ratio, own.prediction_ratio.clone());
        let retaken =
            "frames taken back from a cloud that did not answer in time, by what became of them";
        metrics.register("preprocessor_redispatches", retaken, own.retaken.clone());
        let budget = "what is left of the budget, in its unit; of the camera that has the least \
            where each has its own";
        metrics.register("preprocessor_budget_left", budget, own.budget_left.clone());
        let agreement = "how far the frames that stay on the edge agree with the cloud's answers, 0 to \
            1, by audits: the mean and the ends of its interval of 90 % confidence";
        metrics.register("preprocessor_edge_agreement", agreement, own.agreement.clone());
        let reloads = "changes of the policy file, by whether they could be used";
        metrics.register("preprocessor_policy_reloads", reloads, own.policy_reloads.clone());
        let reloads = "changes of the regions file, by whether they could be used";
        metrics.register("preprocessor_regions_reloads", reloads, own.regions_reloads.clone());
        // both from 0 on: the first increase of a series that begins with 1 is not seen
        for outcome in ["used", "refused"] {
            drop(own.policy_reloads.get_or_create(&ReloadLabel { outcome }));
            drop(own.regions_reloads.get_or_create(&ReloadLabel { outcome }));
        }
        let panics =
            "panics of the policy, by what it was asked for: a decision or a lesson is lost";
        metrics.register("preprocessor_policy_panics", panics, own.policy_panics.clone());
        for call in PolicyCall::ALL {
            drop(own.policy_panics.get_or_create(&PolicyCallLabel { call: call.as_str() }));
        }
        let policy = "1 for the policy that decides, with where it comes from: default, variables, file or topic";
        metrics.register("preprocessor_policy", policy, own.policy.clone());
        let records =
            "records of the settings topic that set the policy or regions, by what became of them";
        metrics.register("preprocessor_settings_records", records, own.settings.clone());
        for outcome in SettingEnd::ALL {
            drop(own.settings.get_or_create(&SettingLabel { outcome: outcome.as_str() }));
        }
        let there = "1 when the settings topic is there, so that the policy can be changed by it";
        metrics.register("preprocessor_settings_topic", there, own.settings_topic.clone());
        let cameras = "cameras that have masks or zones, by where these come from";
        metrics.register("preprocessor_cameras_with_regions", cameras, own.regions.clone());
        metrics.register(
            "preprocessor_in_flight_frames",
            "frames in the process",
            own.in_flight.clone(),
        );
        own
    }

    /// How the contracts stand within their windows, and since the beginning.
    pub(crate) fn contracts(&self, within: &[ContractStanding], ever: &[ContractStanding]) {
        self.contracts.stand(within, ever);
    }

    pub(crate) fn ended(&self, outcome: MessageEnd) {
        self.frames.get_or_create(&OutcomeLabel { outcome: outcome.as_str() }).inc();
    }

    pub(crate) fn decided(&self, decision: &Decision) {
        let (reason, policy) = (decision.reason.clone(), decision.policy.clone());
        let labels = DecisionLabels { destination: decision.destination.as_str(), reason, policy };
        self.decisions.get_or_create(&labels).inc();
    }

    /// `trace` is that of the frame, if it is exported.
    pub(crate) fn worked(&self, times: &StageTimes, trace: Option<&TraceLabel>) {
        for (stage, time) in
            [("decode", times.decode), ("sharpen", times.sharpen), ("encode", times.encode)]
        {
            self.stages
                .get_or_create(&StageLabel { stage })
                .observe(time.as_secs_f64(), trace.cloned());
        }
    }

    pub(crate) fn dead_letter(&self) {
        self.dead_letters.inc();
    }

    pub(crate) fn given_up(&self) {
        self.given_up.inc();
    }

    pub(crate) fn taken_alone(&self) {
        self.taken_alone.inc();
    }

    /// A frame goes to a tier.
    pub(crate) fn sent(&self, tier: Destination, format: ImageFormat, bytes: usize) {
        let labels = FormLabels { tier: tier.as_str(), format: format.content_type() };
        self.sent_frames.get_or_create(&labels).inc();
        self.sent_bytes.get_or_create(&TierLabel::of(tier)).inc_by(bytes as u64);
    }

    /// A tier has answered: what was predicted against what it really took.
    pub(crate) fn answered(&self, result: &FrameResult) {
        let Some(decision) = &result.decision else { return };
        let Some(took_ms) = decision.took_ms else { return };
        let label = TierLabel::of(decision.destination);
        self.answered.get_or_create(&label).observe(took_ms / 1000.0);
        if let Some(predicted_ms) =
            decision.predicted_ms.of(decision.destination).filter(|ms| *ms > 0.0)
        {
            self.prediction_ratio.get_or_create(&label).observe(took_ms / predicted_ms);
        }
    }

    pub(crate) fn retaken(&self, to: Retaken) {
        let to = match to {
            Retaken::Edge => "edge",
            Retaken::Cloud => "cloud",
            Retaken::Provisional => "provisional",
            Retaken::Expired => "expired",
        };
        self.retaken.get_or_create(&RetakenLabel { to }).inc();
    }

    pub(crate) fn policy_reloaded(&self, used: bool) {
        let outcome = if used { "used" } else { "refused" };
        self.policy_reloads.get_or_create(&ReloadLabel { outcome }).inc();
    }

    pub(crate) fn regions_reloaded(&self, used: bool) {
        let outcome = if used { "used" } else { "refused" };
        self.regions_reloads.get_or_create(&ReloadLabel { outcome }).inc();
    }

    pub(crate) fn setting(&self, outcome: SettingEnd) {
        self.settings.get_or_create(&SettingLabel { outcome: outcome.as_str() }).inc();
    }

    /// From now on this policy decides.
    pub(crate) fn policy_in_force(&self, policy: String, source: PolicyOrigin) {
        self.policy.clear();
        let labels = PolicyLabels { policy, source: source.as_str() };
        self.policy.get_or_create(&labels).set(1);
    }

    /// Masks or zones of some camera may have changed.
    pub(crate) fn regions(&self, book: &Book) {
        let listed = book.listed();
        for source in [Origin::File, Origin::Topic] {
            let from = || listed.iter().filter(|(_, _, origin)| *origin == source);
            let masked = from().filter(|(_, regions, _)| !regions.masks.is_empty()).count();
            let zoned = from().filter(|(_, regions, _)| !regions.zones.is_empty()).count();
            for (regions, cameras) in [("masks", masked), ("zones", zoned)] {
                let labels = RegionsLabels { regions, source: source.as_str() };
                let cameras = i64::try_from(cameras).unwrap_or(i64::MAX);
                self.regions.get_or_create(&labels).set(cameras);
            }
        }
    }

    pub(crate) fn settings_topic_there(&self, there: bool) {
        self.settings_topic.set(i64::from(there));
    }

    pub(crate) fn policy_panicked(&self, call: PolicyCall) {
        self.policy_panics.get_or_create(&PolicyCallLabel { call: call.as_str() }).inc();
    }

    pub(crate) fn backlog(&self, frames: Option<u64>) {
        self.backlog.set(frames.map_or(f64::NAN, |frames| frames as f64));
    }

    pub(crate) fn budget_left(&self, left: f64) {
        self.budget_left.set(left);
    }

    /// How far edge and cloud agree on the frames that stay, over all cameras; `None`: nobody
    /// knows.
    pub(crate) fn agreement(&self, known: Option<Interval>) {
        let Some(known) = known else {
            self.agreement.clear();
            return;
        };
        for (bound, value) in [("mean", known.mean), ("low", known.low), ("high", known.high)] {
            self.agreement.get_or_create(&BoundLabel { bound }).set(value);
        }
    }

    /// How a tier is seen.
    pub(crate) fn tier(&self, tier: Destination, seen: &TierSnapshot, breaker: BreakerState) {
        let label = TierLabel::of(tier);
        let seconds = |ms: Option<f64>| ms.map(|ms| ms / 1000.0);
        let breaker = match breaker {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 0.5,
            BreakerState::Open => 1.0,
        };
        let gauges = &self.tiers;
        let values = [
            (&gauges.backlog, seen.backlog_frames.map(|frames| frames as f64)),
            (&gauges.backlog_bytes, seen.backlog_bytes.map(|bytes| bytes as f64)),
            (&gauges.service, seconds(seen.service_ms)),
            (&gauges.workers, seen.workers.map(f64::from)),
            (&gauges.rtt, seconds(seen.rtt_ms)),
            (&gauges.throughput, seen.throughput_bytes_per_s),
            (&gauges.breaker, Some(breaker)),
        ];
        for (gauge, value) in values {
            gauge.get_or_create(&label).set(value.unwrap_or(f64::NAN));
        }
    }
}

impl TierLabel {
    const fn of(tier: Destination) -> Self {
        Self { tier: tier.as_str() }
    }
}

impl TierGauges {
    fn register(&self, metrics: &unit::Metrics) {
        let rows = [
            (
                "preprocessor_tier_backlog_frames",
                "frames that a tier has not finished, as seen from here",
                &self.backlog,
            ),
            ("preprocessor_tier_backlog_bytes", "their bytes", &self.backlog_bytes),
            (
                "preprocessor_tier_service_seconds",
                "how long a worker takes for a frame, average; NaN when not known",
                &self.service,
            ),
            (
                "preprocessor_tier_workers",
                "frames that a tier works on at a time; NaN when not known",
                &self.workers,
            ),
            (
                "preprocessor_tier_rtt_seconds",
                "the way there and back; NaN when not known",
                &self.rtt,
            ),
            (
                "preprocessor_tier_throughput_bytes_per_second",
                "how fast bytes get there; NaN when not known",
                &self.throughput,
            ),
            ("preprocessor_tier_breaker_state", "0 closed, 0.5 half-open, 1 open", &self.breaker),
        ];
        for (name, help, gauge) in rows {
            metrics.register(name, help, gauge.clone());
        }
    }
}
