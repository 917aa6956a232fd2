//! What the web-server counts.

use crate::pending::Room;
use frame::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::sync::atomic::AtomicU64;
use unit::http::HttpCounts;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ending {
    status: &'static str,
}

/// The metrics; each is registered under its name in [`Metrics::register`].
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<Request, Counter>,
    frames_accepted: Counter,
    frames_refused: Family<Reason, Counter>,
    upload_bytes: Counter,
    pending_frames: Gauge,
    pending_bytes: Gauge,
    pub(crate) expected_wait: Gauge<f64, AtomicU64>,
    result_latency: Family<Ending, Histogram>,
    pub(crate) duplicates: Counter,
    pub(crate) provisional: Counter,
    pub(crate) promoted: Counter,
    pub(crate) unreadable_results: Counter,
    pub(crate) jobs_held: Gauge,
    pub(crate) streams: Gauge,
    pub(crate) lagged: Counter,
    pub(crate) connections: HttpCounts,
}

impl Metrics {
    pub(crate) fn new(room: &Room) -> Self {
        let (pending_frames, pending_bytes) = room.gauges();
        Self {
            requests: Family::default(),
            frames_accepted: Counter::default(),
            frames_refused: Family::default(),
            upload_bytes: Counter::default(),
            pending_frames,
            pending_bytes,
            expected_wait: Gauge::default(),
            // 10 ms to 41 s: from an idle edge box to a backlog that is about to expire
            result_latency: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.01, 2.0, 13))
            }),
            duplicates: Counter::default(),
            provisional: Counter::default(),
            promoted: Counter::default(),
            unreadable_results: Counter::default(),
            jobs_held: Gauge::default(),
            streams: Gauge::default(),
            lagged: Counter::default(),
            connections: HttpCounts::default(),
        }
    }

    /// Shows them on the admin port.
    pub(crate) fn register(&self, to: &unit::Metrics) {
        to.register("http_requests", "Requests by method, route and status", self.requests.clone());
        to.register(
            "frames_accepted",
            "Frames that the broker has acknowledged",
            self.frames_accepted.clone(),
        );
        to.register(
            "frames_refused",
            "Frames that were not accepted, by reason",
            self.frames_refused.clone(),
        );
        to.register("upload_bytes", "Bytes of accepted frames", self.upload_bytes.clone());
        to.register(
            "pending_frames",
            "Frames between upload and result",
            self.pending_frames.clone(),
        );
        to.register(
            "pending_bytes",
            "Bytes of the frames between upload and result",
            self.pending_bytes.clone(),
        );
        to.register(
            "expected_wait_seconds",
            "How long a frame that is taken now is expected to wait for its turn; NaN: not known",
            self.expected_wait.clone(),
        );
        to.register(
            "result_latency_seconds",
            "From a frame's first byte to its result, provisional or final, by status",
            self.result_latency.clone(),
        );
        to.register(
            "results_duplicate",
            "Results of frames that had one before",
            self.duplicates.clone(),
        );
        to.register(
            "results_provisional",
            "Frames that the edge has looked at and the cloud still does",
            self.provisional.clone(),
        );
        to.register(
            "results_promoted",
            "Provisional results that became final because no better one came",
            self.promoted.clone(),
        );
        to.register(
            "results_unreadable",
            "Messages on the results topic that are no results",
            self.unreadable_results.clone(),
        );
        to.register("jobs_held", "Final results that can be asked for", self.jobs_held.clone());
        to.register("result_streams", "Open result streams", self.streams.clone());
        to.register("results_lagged", "Results that slow streams have missed", self.lagged.clone());
        self.connections.register(to, "http");
    }

    pub(crate) fn request(&self, method: &'static str, route: String, status: u16) {
        self.requests.get_or_create(&Request { method, route, status }).inc();
    }

    pub(crate) fn accepted(&self, bytes: usize) {
        self.frames_accepted.inc();
        self.upload_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn refused(&self, reason: String) {
        self.frames_refused.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn latency(&self, status: Status, seconds: f64) {
        self.result_latency.get_or_create(&Ending { status: status.as_str() }).observe(seconds);
    }
}
