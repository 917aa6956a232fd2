//! The task that sends spans to the Collector.

use super::config::TracesConfig;
use super::counts::Counts;
use super::encode;
use super::post::Endpoint;
use super::queue::Queue;
use backoff::Backoff;
use bytes::Bytes;
use hyper::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How often a batch is tried before it is dropped; meanwhile the queue fills.
const MAX_TRIES: u32 = 5;
/// How long the pause after the first try is at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long any pause is at most, whatever the Collector asks for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Somebody who waits until everything is sent, or was tried once.
pub(super) type Flush = oneshot::Sender<()>;

pub(super) struct Exporter {
    unit: String,
    endpoint: Endpoint,
    resource: Vec<u8>,
    timeout: Duration,
    delay: Duration,
    queue: Arc<Queue>,
    counts: Counts,
    flushes: mpsc::Receiver<Flush>,
    /// Those who wait now: nothing is tried twice any more.
    flushing: Vec<Flush>,
    /// The Collector did not answer last time.
    away: bool,
    /// It refused the last batch, and said so.
    refusing: Option<StatusCode>,
    /// It rejected some of the spans of the last batch.
    rejecting: bool,
}

impl Exporter {
    pub(super) fn new(
        unit: &str,
        config: TracesConfig,
        queue: Arc<Queue>,
        counts: Counts,
        flushes: mpsc::Receiver<Flush>,
    ) -> Self {
        let TracesConfig { endpoint, timeout, resource, delay, .. } = config;
        let (unit, resource) = (unit.to_owned(), encode::resource(&resource));
        Self {
            unit,
            endpoint,
            resource,
            timeout,
            delay,
            queue,
            counts,
            flushes,
            flushing: Vec::new(),
            away: false,
            refusing: None,
            rejecting: false,
        }
    }

    /// Until everybody who could hand in spans is gone.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                flush = self.flushes.recv() => match flush {
                    Some(flush) => self.flushing.push(flush),
                    None => return,
                },
                () = self.queue.batch_waits.notified() => {}
                () = tokio::time::sleep(self.delay) => {}
            }
            loop {
                let spans = self.queue.take();
                if spans.is_empty() {
                    break;
                }
                let body = encode::request(&self.resource, &spans);
                self.deliver(body.into(), spans.len() as u64).await;
            }
            for flush in self.flushing.drain(..) {
                // whoever waited may have lost patience
                let _ = flush.send(());
            }
        }
    }

    async fn deliver(&mut self, body: Bytes, spans: u64) {
        let mut pauses = Backoff::new(FIRST_PAUSE, MAX_PAUSE);
        for tried in 1.. {
            let error = match self.endpoint.post(body.clone(), self.timeout).await {
                Ok(rejected) => return self.delivered(spans, rejected.min(spans)),
                Err(error) => error,
            };
            let (unit, endpoint) = (&self.unit, &self.endpoint);
            if let Some(status) = error.refused() {
                if self.refusing.replace(status) != Some(status) {
                    tracing::warn!(unit, %endpoint, %error, spans, "the collector refuses spans: \
                        check OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS, and that it receives OTLP \
                        over HTTP there");
                }
                self.away = false;
                self.counts.rejected(spans);
                return;
            }
            if !self.away {
                self.away = true;
                let error = text::with_causes(&error);
                tracing::warn!(unit, %endpoint, error, "the collector cannot be reached, spans are \
                    dropped until it can: check OTEL_EXPORTER_OTLP_ENDPOINT");
            }
            let pause = pauses.next_delay().max(error.retry_after().unwrap_or_default());
            if tried >= MAX_TRIES || self.is_flushed_within(pause.min(MAX_PAUSE)).await {
                self.counts.undelivered(spans);
                return;
            }
        }
    }

    /// Pauses, unless somebody wants everything to be sent at once.
    async fn is_flushed_within(&mut self, pause: Duration) -> bool {
        if self.flushing.is_empty()
            && let Ok(Some(flush)) = tokio::time::timeout(pause, self.flushes.recv()).await
        {
            self.flushing.push(flush);
        }
        !self.flushing.is_empty()
    }

    fn delivered(&mut self, spans: u64, rejected: u64) {
        if std::mem::take(&mut self.away) | self.refusing.take().is_some() {
            tracing::info!(unit = self.unit, endpoint = %self.endpoint, "the collector is back");
        }
        let was_rejecting = std::mem::replace(&mut self.rejecting, rejected > 0);
        if self.rejecting && !was_rejecting {
            tracing::warn!(unit = self.unit, endpoint = %self.endpoint, rejected, "the collector \
                rejected spans of a batch: its own log says why");
        }
        self.counts.rejected(rejected);
        self.counts.exported(spans - rejected);
    }
}
