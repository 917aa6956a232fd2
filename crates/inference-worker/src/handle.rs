//! What becomes of one delivery.

use crate::job::{Job, Outcome, Seen};
use crate::publish::Publisher;
use detector::Found;
use frame::{Envelope, FrameResult, ImageSize, ModelInfo, Problem, ResultMessage, ServedBy, Status, TimingsMs};
use frame_bus::{Handle, Message, SendError, Turn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug_span, error, info, warn};

/// What all deliveries of a worker share.
pub(crate) struct Handler {
    pub(crate) publisher: Publisher,
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) model: ModelInfo,
    pub(crate) served_by: ServedBy,
    pub(crate) model_failures: AtomicU32,
    pub(crate) max_model_failures: u32,
    /// Cancelled when the model has failed too often in a row.
    pub(crate) halt: CancellationToken,
}

impl Handle for Handler {
    async fn handle(&self, message: Message, turn: Turn) -> Result<(), SendError> {
        self.publisher.metrics.in_flight.inc();
        let seen_through = match message.envelope() {
            Ok(envelope) => {
                let trace_id = envelope.traceparent.trace_id();
                let span = debug_span!("frame", frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id);
                self.see_through(Arc::new(envelope), Arc::new(message), turn).instrument(span).await
            }
            Err(error) => self.put_aside(&message, &error.to_string(), turn).await,
        };
        self.publisher.metrics.in_flight.dec();
        seen_through
    }
}

impl Handler {
    async fn see_through(&self, envelope: Arc<Envelope>, message: Arc<Message>, mut turn: Turn) -> Result<(), SendError> {
        let (reply, outcome) = oneshot::channel();
        let job = Job { envelope: Arc::clone(&envelope), message: Arc::clone(&message), reply };
        let queued = self.jobs.send(job).await.is_ok();
        let outcome = if queued { outcome.await.ok() } else { None };
        turn.wait().await;
        // the thread has died with the frame: the unit stops, and another process gets it
        let Some(outcome) = outcome else { return Err(SendError::Fatal("no model thread answers".into())) };
        let result = self.result(&envelope, outcome);
        if let Some(problem) = result.error.as_ref().filter(|_| result.status == Status::Failed) {
            warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, error = %problem, "frame failed");
            self.publisher.dead_letter(&message, &problem.to_string()).await?;
        }
        info!(
            frame_id = %envelope.frame_id, camera = %envelope.camera, sequence = envelope.sequence,
            status = result.status.as_str(), detections = result.detections.len(),
            inference_ms = result.timings_ms.inference, end_to_end_ms = result.timings_ms.end_to_end, "frame looked at"
        );
        self.publisher.result(ResultMessage::of(&envelope, result)).await
    }

    /// A message without a readable envelope: a dead letter, and a result if it can be told which frame it is.
    async fn put_aside(&self, message: &Message, reason: &str, mut turn: Turn) -> Result<(), SendError> {
        turn.wait().await;
        let Message { topic, partition, offset, .. } = message;
        warn!(topic, partition, offset, reason, "message is no frame");
        self.publisher.dead_letter(message, reason).await?;
        match ResultMessage::of_unreadable(&message.headers, reason, self.served_by.clone()) {
            Some(result) => self.publisher.result(result).await,
            None => Ok(()),
        }
    }

    fn result(&self, envelope: &Envelope, outcome: Outcome) -> FrameResult {
        let timings = TimingsMs { queue_inference: Some(outcome.queue_ms), decode: outcome.decode_ms, ..envelope.timings() };
        let served_by = self.served_by.clone();
        match outcome.seen {
            Seen::Found(size, found) => {
                self.model_failures.store(0, Ordering::Relaxed);
                let timings =
                    TimingsMs { inference: Some(found.inference_ms), postprocess: Some(found.postprocess_ms), ..timings };
                envelope.done(in_uploaded_pixels(envelope, size, found), self.model.clone(), served_by, timings)
            }
            Seen::Undecodable(problem) => envelope.failed(problem, served_by, timings),
            Seen::ModelFailed(problem) => {
                self.count_model_failure(&problem);
                envelope.failed(problem, served_by, timings)
            }
            Seen::Expired => envelope.expired(&self.served_by.unit, served_by, timings),
        }
    }

    fn count_model_failure(&self, problem: &Problem) {
        let in_a_row = self.model_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if in_a_row == self.max_model_failures {
            error!(in_a_row, %problem, "the model fails on every frame: stopping, so that the topic does not become dead letters");
            self.halt.cancel();
        }
    }
}

/// The preprocessor may send a smaller image than was uploaded; boxes are given in the pixels of the upload.
fn in_uploaded_pixels(envelope: &Envelope, seen: ImageSize, found: Found) -> Vec<frame::Detection> {
    let mut detections = found.detections;
    if let Some(uploaded) = envelope.prepared.as_ref().map(|prepared| prepared.image).filter(|uploaded| *uploaded != seen) {
        let (horizontal, vertical) = (uploaded.width as f32 / seen.width as f32, uploaded.height as f32 / seen.height as f32);
        for detection in &mut detections {
            detection.bounding_box = detection.bounding_box.scaled(horizontal, vertical);
        }
    }
    detections
}
