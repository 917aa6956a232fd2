//! What became of spans.

use crate::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// Spans by what became of them; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Family<OutcomeLabel, Counter>);

const EXPORTED: &str = "exported";
const DROPPED: &str = "dropped";
const UNDELIVERED: &str = "undelivered";
const REJECTED: &str = "rejected";

impl Counts {
    /// Shows them on the admin port.
    pub(super) fn register(&self, to: &Metrics) {
        let help = "Spans for the collector: exported, dropped because too many waited, undelivered \
            because it was away, or rejected by it";
        to.register("traces_spans", help, self.0.clone());
        // a rate needs its zero
        for outcome in [EXPORTED, DROPPED, UNDELIVERED, REJECTED] {
            drop(self.0.get_or_create(&OutcomeLabel { outcome }));
        }
    }

    pub(super) fn exported(&self, spans: u64) {
        self.add(EXPORTED, spans);
    }

    pub(super) fn dropped(&self) {
        self.add(DROPPED, 1);
    }

    pub(super) fn undelivered(&self, spans: u64) {
        self.add(UNDELIVERED, spans);
    }

    pub(super) fn rejected(&self, spans: u64) {
        self.add(REJECTED, spans);
    }

    fn add(&self, outcome: &'static str, spans: u64) {
        self.0.get_or_create(&OutcomeLabel { outcome }).inc_by(spans);
    }
}
