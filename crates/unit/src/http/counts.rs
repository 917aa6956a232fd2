//! What a server counts of its connections.

use crate::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Why a connection was closed before its client wanted that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Its client did not take an answer.
    AnswerNotTaken,
    /// The handshake of TLS failed, or did not come to its end.
    Handshake,
    /// The head of a request did not come to its end.
    SlowHead,
    /// No request came for long.
    Idle,
    /// It idled when all places were taken and a new client came.
    Displaced,
    /// What served it panicked: the fault is ours.
    Panicked,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// The counts; clones share them.
#[derive(Clone, Debug, Default)]
pub struct HttpCounts {
    pub(super) connections: Gauge,
    closed: Family<Reason, Counter>,
    pub(super) refused: Counter,
    pub(super) accept_errors: Counter,
}

impl HttpCounts {
    /// Shows them, each name behind `prefix`: `http` or `admin`.
    pub fn register(&self, to: &Metrics, prefix: &str) {
        for reason in Closed::ALL {
            // a rate needs its zero
            drop(self.closed.get_or_create(&Reason { reason: reason.name() }));
        }
        to.register(&format!("{prefix}_connections"), "Open connections", self.connections.clone());
        let closed = "Connections closed before their clients wanted that, by reason";
        to.register(&format!("{prefix}_connections_closed"), closed, self.closed.clone());
        let refused = "Connections refused because their address has too many";
        to.register(&format!("{prefix}_connections_refused"), refused, self.refused.clone());
        let errors =
            "Connections that could not be accepted, e.g. because no more files may be open";
        to.register(&format!("{prefix}_accept_errors"), errors, self.accept_errors.clone());
    }

    pub(super) fn closed(&self, why: Closed) {
        self.closed.get_or_create(&Reason { reason: why.name() }).inc();
    }
}

impl Closed {
    const ALL: [Self; 6] = [
        Self::AnswerNotTaken,
        Self::Handshake,
        Self::SlowHead,
        Self::Idle,
        Self::Displaced,
        Self::Panicked,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::AnswerNotTaken => "answer-not-taken",
            Self::Handshake => "handshake",
            Self::SlowHead => "slow-head",
            Self::Idle => "idle",
            Self::Displaced => "displaced",
            Self::Panicked => "panicked",
        }
    }
}
