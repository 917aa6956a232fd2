//! What becomes of one delivery.

use crate::job::{Job, Outcome, Seen};
use crate::publish::Publisher;
use detector::Found;
use frame::{Envelope, FrameResult, ImageSize, ModelInfo, Problem, ServedBy, TimingsMs};
use frame_bus::{Delivery, Message, SendError, Turn};
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

impl Handler {
    /// Sees one message through; acknowledges it only when everything that follows from it is on the bus.
    pub(crate) async fn handle(&self, delivery: Delivery, turn: Turn) {
        let Delivery { message, ack } = delivery;
        let envelope = match message.envelope() {
            Ok(envelope) => envelope,
            Err(error) => {
                warn!(topic = message.topic, partition = message.partition, offset = message.offset, %error, "message is no frame");
                // without a frame id nobody can wait for it
                if self.publisher.dead_letter(&message, &error.to_string()).await.is_ok() {
                    ack.done();
                }
                return;
            }
        };
        let span = debug_span!("frame", frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id = envelope.traceparent.trace_id());
        let seen_through = self.see_through(envelope, &message, turn).instrument(span).await;
        match seen_through {
            Ok(()) => ack.done(),
            Err(SendError::ShuttingDown) => {} // not committed, so it comes again
            Err(error) => error!(%error, "a frame's result cannot be sent; the frame is not committed"),
        }
    }

    async fn see_through(&self, envelope: Envelope, message: &Message, mut turn: Turn) -> Result<(), SendError> {
        // a copy for the model thread: the original stays whole for a dead letter
        let (reply, outcome) = oneshot::channel();
        let job = Job { envelope: envelope.clone(), payload: message.payload.clone(), reply };
        let queued = self.jobs.send(job).await.is_ok();
        let outcome = if queued { outcome.await.ok() } else { None };
        turn.wait().await;
        let Some(outcome) = outcome else { return Err(SendError::ShuttingDown) };
        let result = self.result(&envelope, outcome);
        if let Some(problem) = result.error.as_ref().filter(|_| result.status == frame::Status::Failed) {
            warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, error = %problem, "frame failed");
            self.publisher.dead_letter(message, &problem.to_string()).await?;
        }
        self.publisher.result(&envelope, &result).await?;
        info!(
            frame_id = %envelope.frame_id, camera = %envelope.camera, sequence = envelope.sequence,
            status = result.status.as_str(), detections = result.detections.len(),
            inference_ms = result.timings_ms.inference, end_to_end_ms = result.timings_ms.end_to_end, "frame looked at"
        );
        Ok(())
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
