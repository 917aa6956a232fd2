//! The trace behind an observation of a histogram.

use frame::TraceParent;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::time::SystemTime;

/// An exemplar's label: the trace that it belongs to, as 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TraceLabel {
    trace_id: String,
}

/// A histogram whose buckets each name a trace, where one is exported.
#[derive(Clone, Debug)]
pub struct TracedHistogram(HistogramWithExemplars<TraceLabel>);

impl TracedHistogram {
    /// With these upper bounds.
    pub fn new(buckets: impl Iterator<Item = f64>) -> Self {
        Self(HistogramWithExemplars::new(buckets))
    }

    /// Counts `value`; `trace` is what [`Traces::exemplar`](super::Traces::exemplar) gives.
    pub fn observe(&self, value: f64, trace: Option<TraceLabel>) {
        let now = trace.is_some().then(SystemTime::now);
        self.0.observe(value, trace, now);
    }
}

impl TypedMetric for TracedHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for TracedHistogram {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TraceLabel {
    pub(super) fn of(trace: TraceParent) -> Self {
        Self { trace_id: trace.trace_id() }
    }
}
