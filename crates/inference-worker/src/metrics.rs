//! What an inference unit counts.

use crate::escalate::Verdict;
use frame::{FrameResult, Status};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::exponential_buckets;
use unit::traces::{TraceLabel, TracedHistogram};

/// A unit's metrics; clones share them.
#[derive(Clone)]
pub(crate) struct WorkerMetrics {
    frames: Family<StatusLabel, Counter>,
    escalations: Family<VerdictLabel, Counter>,
    stages: Family<StageLabel, TracedHistogram, fn() -> TracedHistogram>,
    steps: Family<KernelLabel, Gauge>,
    dead_letters: Counter,
    given_up: Counter,
    taken_alone: Counter,
    pub(crate) in_flight: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KernelLabel {
    kernel: String,
}

impl WorkerMetrics {
    pub(crate) fn register(metrics: &unit::Metrics) -> Self {
        // 1 ms to 33 s: from a frame that was waited for to one that lay in a long queue
        let histogram: fn() -> TracedHistogram =
            || TracedHistogram::new(exponential_buckets(0.001, 2.0, 16));
        let own = Self {
            frames: Family::default(),
            escalations: Family::default(),
            stages: Family::new_with_constructor(histogram),
            steps: Family::default(),
            dead_letters: Counter::default(),
            given_up: Counter::default(),
            taken_alone: Counter::default(),
            in_flight: Gauge::default(),
        };
        metrics.register(
            "inference_frames",
            "frames by the status of their result, or passed over",
            own.frames.clone(),
        );
        metrics.register(
            "inference_escalations",
            "frames that the edge may send on to the cloud, by how it found them",
            own.escalations.clone(),
        );
        metrics.register(
            "inference_stage_seconds",
            "time that frames spent in each stage, in seconds",
            own.stages.clone(),
        );
        metrics.register(
            "inference_network_steps",
            "steps of the network, by the kernel that was chosen for them when it was loaded",
            own.steps.clone(),
        );
        metrics.register(
            "inference_dead_letters",
            "messages sent to the dead-letter topic",
            own.dead_letters.clone(),
        );
        let given_up =
            "frames given up, because the process had ended each time that they were taken up";
        metrics.register("inference_given_up_frames", given_up, own.given_up.clone());
        let alone =
            "frames taken up alone, because a process had ended that may have had them in hand";
        metrics.register("inference_taken_alone_frames", alone, own.taken_alone.clone());
        metrics.register(
            "inference_in_flight_frames",
            "frames in the process",
            own.in_flight.clone(),
        );
        own
    }

    /// The network's steps, each by what runs it.
    pub(crate) fn loaded(&self, operators: Vec<String>) {
        for kernel in operators {
            self.steps.get_or_create(&KernelLabel { kernel }).inc();
        }
    }

    /// `trace` is that of the frame, if it is exported.
    pub(crate) fn ended(&self, result: &FrameResult, trace: Option<&TraceLabel>) {
        self.frames.get_or_create(&StatusLabel { status: result.status.as_str() }).inc();
        let timings = &result.timings_ms;
        let stages = [
            ("queue", timings.queue_inference),
            ("decode", timings.decode),
            ("inference", timings.inference),
            ("postprocess", timings.postprocess),
            ("end_to_end", timings.end_to_end.filter(|_| result.status == Status::Done)),
        ];
        for (stage, ms) in stages {
            if let Some(ms) = ms {
                self.stages
                    .get_or_create(&StageLabel { stage })
                    .observe(ms / 1000.0, trace.cloned());
            }
        }
    }

    /// A frame was passed over, because another tier has it.
    pub(crate) fn superseded(&self) {
        self.frames.get_or_create(&StatusLabel { status: "superseded" }).inc();
    }

    pub(crate) fn judged(&self, verdict: Verdict) {
        self.escalations.get_or_create(&VerdictLabel { verdict: verdict.as_str() }).inc();
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
}
