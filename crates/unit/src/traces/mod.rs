//! Traces: spans of what this unit did for frames, exported by OTLP over HTTP.
//!
//! Off unless an endpoint is set; then a unit pays for what is exported, and for keeping spans of
//! other frames until their outcome is known. A frame's trace is decided on once, where it comes
//! in, and its `traceparent` carries the decision. Spans of the other traces are exported, too,
//! when their frame failed or missed its deadline, as far as a unit sees that.
//!
//! Nothing here blocks or waits: what there is no room for is dropped and counted.

mod config;
mod counts;
mod encode;
mod exemplar;
mod export;
mod kept;
mod post;
mod queue;
mod sampler;
mod span;
#[cfg(test)]
mod tests;

pub use config::TracesConfig;
pub(crate) use config::Whereabouts;
pub use exemplar::{TraceLabel, TracedHistogram};
pub use span::{Kind, Span, Value};

use crate::{Ends, Metrics, Tasks};
use counts::Counts;
use export::{Exporter, Flush};
use frame::{Envelope, FrameId, FrameResult, Timestamp, TraceParent};
use kept::Kept;
use queue::Queue;
use sampler::Sampler;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Where a unit's spans go; clones share it. The default exports nothing.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    inner: Option<Arc<Inner>>,
}

#[derive(Debug)]
struct Inner {
    sampler: Sampler,
    queue: Arc<Queue>,
    counts: Counts,
    kept: Mutex<Kept>,
    flushes: mpsc::Sender<Flush>,
}

impl Traces {
    /// Starts the export, if there is an endpoint.
    pub(crate) fn start(
        unit: &str,
        config: Option<TracesConfig>,
        metrics: &Metrics,
        tasks: &Tasks,
    ) -> Self {
        let Some(config) = config else { return Self::default() };
        let (flushes, flushed) = mpsc::channel(1);
        let (counts, queue) = (Counts::default(), Arc::new(Queue::new(config.max_queue)));
        counts.register(metrics);
        let sampler = config.sampler;
        tracing::info!(unit, endpoint = %config.endpoint, "exporting traces");
        let exporter = Exporter::new(unit, config, Arc::clone(&queue), counts.clone(), flushed);
        tasks.spawn("traces", Ends::WhenDone, exporter.run());
        let kept = Mutex::new(Kept::new());
        Self { inner: Some(Arc::new(Inner { sampler, queue, counts, kept, flushes })) }
    }

    /// Whether anything is exported.
    #[must_use]
    pub const fn are_on(&self) -> bool {
        self.inner.is_some()
    }

    /// The start of a new trace, decided on; not sampled when nothing is exported.
    #[must_use]
    pub fn root(&self) -> TraceParent {
        match &self.inner {
            Some(inner) => inner.sampler.root(),
            None => TraceParent::root().with_sampled(false),
        }
    }

    /// A span's own place under that of a caller or sender, whose decision counts unless the
    /// sampler is one that decides anew.
    #[must_use]
    pub fn under(&self, parent: TraceParent) -> TraceParent {
        match &self.inner {
            Some(inner) => inner.sampler.under(parent),
            None => parent.child(),
        }
    }

    /// Names the trace for a histogram, if it is exported.
    #[must_use]
    pub fn exemplar(&self, trace: TraceParent) -> Option<TraceLabel> {
        (self.are_on() && trace.is_sampled()).then(|| TraceLabel::of(trace))
    }

    /// A span of a sampled trace has ended. `span` is asked for only if it is exported.
    pub fn end(&self, context: TraceParent, span: impl FnOnce() -> Span) {
        self.end_if(context.is_sampled(), span);
    }

    /// The same where the caller knows whether it is exported.
    pub fn end_if(&self, exported: bool, span: impl FnOnce() -> Span) {
        if let Some(inner) = self.inner.as_ref().filter(|_| exported) {
            inner.export(span());
        }
    }

    /// What becomes of this frame will be told by [`Self::outcome`]: until then its spans are kept,
    /// unless they are exported anyway.
    pub fn expect(&self, envelope: &Envelope) {
        if let Some(inner) = &self.inner
            && !envelope.traceparent.is_sampled()
        {
            inner.kept().expect(envelope);
        }
    }

    /// A span of a frame whose outcome is [expected](Self::expect) has ended: it is exported at
    /// once if its trace is sampled, or else when the frame has failed or was late.
    pub fn keep(&self, id: FrameId, context: TraceParent, span: impl FnOnce() -> Span) {
        let Some(inner) = &self.inner else { return };
        if context.is_sampled() {
            inner.export(span());
        } else {
            let exported = inner.kept().keep(id, span);
            exported.into_iter().for_each(|span| inner.export(span));
        }
    }

    /// What became of a frame, by a result that has just been read.
    pub fn outcome(&self, result: &FrameResult) {
        let Some(inner) = &self.inner else { return };
        let exported = inner.kept().outcome(result, Timestamp::now());
        exported.into_iter().for_each(|span| inner.export(span));
    }

    /// Whether the frame has failed or missed its deadline, by this result.
    #[must_use]
    pub fn is_bad(envelope: &Envelope, result: &FrameResult) -> bool {
        kept::is_bad(result, kept::allowed_ms(envelope))
    }

    /// Sends what waits, for so long at most; what the Collector does not take then is lost.
    pub(crate) async fn flush(&self, within: Duration) {
        let Some(inner) = &self.inner else { return };
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if inner.flushes.send(done).await.is_ok() {
                // the task may have been dropped
                let _ = flushed.await;
            }
        };
        if tokio::time::timeout(within, flush).await.is_err() {
            tracing::warn!("not all spans were sent before the end");
        }
    }
}

impl Inner {
    fn export(&self, span: Span) {
        if !self.queue.push(span) {
            self.counts.dropped();
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
