//! What becomes of one delivery.

use crate::escalate::{self, Judged, Verdict};
use crate::job::{Inference, InferenceEnd, Job, is_newest_first};
use crate::publish::Publisher;
use crate::spans::{InHand, Outcome, Parts, Sending};
use detector::ImageDetections;
use frame::{
    Destination, Envelope, FrameResult, ImageSize, ModelInfo, Newest, Problem, ResultMessage,
    ServedBy, Status, Timestamp, TimingsMs,
};
use frame_bus::{Handle, Message, SendError, Turn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};
use unit::{PixelRoom, Traces};
use vision::Limits;

/// What a pixel takes during inference, in bytes: the picture (3), and its decoder; what the
/// preprocessor sends is a baseline JPEG, or a PNG whose rows are copied out of its chunks (3).
const BYTES_PER_PIXEL: u64 = 7;

/// What all deliveries of a worker share.
pub(crate) struct Handler {
    pub(crate) publisher: Publisher,
    pub(crate) jobs: mpsc::Sender<Job>,
    /// Which frames are the newest of their cameras here.
    pub(crate) newest: Arc<Newest>,
    /// Where decoded pictures have room.
    pub(crate) room: PixelRoom,
    pub(crate) limits: Limits,
    pub(crate) model: ModelInfo,
    pub(crate) served_by: ServedBy,
    pub(crate) tier: Destination,
    pub(crate) model_failures: AtomicU32,
    pub(crate) max_model_failures: u32,
    /// Cancelled when the model has failed too often in a row.
    pub(crate) halt: CancellationToken,
}

impl Handle for Handler {
    async fn handle(&self, message: Message, turn: Turn) -> Result<(), SendError> {
        self.publisher.metrics.in_flight.inc();
        let processed = match message.envelope() {
            Ok(mut envelope) => {
                let in_hand = InHand::take_up(&self.publisher.traces, &mut envelope);
                let trace_id = envelope.traceparent.trace_id();
                let span = info_span!("frame", frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id);
                let (envelope, message) = (Arc::new(envelope), Arc::new(message));
                self.process(in_hand, envelope, message, turn).instrument(span).await
            }
            Err(error) => self.dead_letter(&message, &error.to_string(), turn).await,
        };
        self.publisher.metrics.in_flight.dec();
        processed
    }

    async fn give_up(&self, message: Message, mut turn: Turn, takes: u32) -> Result<(), SendError> {
        let problem = Problem::given_up(&self.served_by.unit, takes);
        let Ok(mut envelope) = message.envelope() else {
            return self.dead_letter(&message, &problem.to_string(), turn).await;
        };
        let in_hand = InHand::take_up(&self.publisher.traces, &mut envelope);
        turn.wait().await;
        warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id = envelope.traceparent.trace_id(), error = %problem, "frame failed");
        self.publisher.dead_letter(&message, &problem.to_string()).await?;
        let queue_inference = Some(Timestamp::now().ms_since(envelope.sent_at));
        let timings = TimingsMs { queue_inference, ..envelope.timings() };
        let result = envelope.failed(problem, self.served_by.clone(), timings);
        let outcome = Outcome::of(&envelope, &result);
        self.send_result(&envelope, result).await?;
        let parts = Parts::none(Timestamp::now());
        in_hand.end(&self.publisher.traces, (&message, &envelope), &outcome, parts);
        self.publisher.metrics.given_up();
        Ok(())
    }

    fn taken_alone(&self) {
        self.publisher.metrics.taken_alone();
    }
}

impl Handler {
    async fn process(
        &self,
        in_hand: InHand,
        envelope: Arc<Envelope>,
        message: Arc<Message>,
        mut turn: Turn,
    ) -> Result<(), SendError> {
        if is_newest_first(&envelope) {
            self.newest.came(&envelope.camera, envelope.received_at, envelope.frame_id);
        }
        let room = self.room.take(memory_for(&message.payload, &self.limits)).await;
        let (reply, outcome) = oneshot::channel();
        let job = Job { envelope: Arc::clone(&envelope), message: Arc::clone(&message), reply };
        let queued = self.jobs.send(job).await.is_ok();
        let outcome = if queued { outcome.await.ok() } else { None };
        drop(room);
        turn.wait().await;
        // the thread has died with the frame: the unit stops, and another process gets it
        let Some(outcome) = outcome else {
            return Err(SendError::Fatal("no model thread answers".into()));
        };
        let (parts, traces) = (Parts::of(&outcome), &self.publisher.traces);
        let Some(result) = self.result(&envelope, outcome) else {
            self.publisher.metrics.superseded();
            in_hand.end(traces, (&message, &envelope), &Outcome::superseded(), parts);
            debug!("frame passed over, another tier has it");
            return Ok(());
        };
        if let Some(problem) = result.error.as_ref().filter(|_| result.status == Status::Failed) {
            warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, error = %problem, "frame failed");
            self.publisher.dead_letter(&message, &problem.to_string()).await?;
        }
        info!(
            frame_id = %envelope.frame_id, camera = %envelope.camera, sequence = envelope.sequence,
            status = result.status.as_str(), detections = result.detections.len(),
            inference_ms = result.timings_ms.inference, end_to_end_ms = result.timings_ms.end_to_end, "inference done"
        );
        let sent_on = result.status == Status::Provisional;
        let outcome = Outcome::of(&envelope, &result);
        self.send_result(&envelope, result).await?;
        if sent_on {
            // only now: should the cloud never answer, the edge's answer stands
            let since = Timestamp::now();
            let for_the_cloud = escalate::to_the_cloud(&envelope, since);
            in_hand.end(traces, (&message, &envelope), &outcome, parts);
            let jpeg = Arc::unwrap_or_clone(message).payload;
            self.publisher.to_the_cloud(&for_the_cloud, jpeg).await?;
            let context = for_the_cloud.traceparent;
            let sending = Sending { topic: &self.publisher.topics.frames_cloud, context, since };
            InHand::sent(traces, &envelope, context.is_sampled(), &sending);
        } else {
            in_hand.end(traces, (&message, &envelope), &outcome, parts);
        }
        Ok(())
    }

    async fn send_result(&self, envelope: &Envelope, result: FrameResult) -> Result<(), SendError> {
        let (since, is_bad) = (Timestamp::now(), Traces::is_bad(envelope, &result));
        let message = ResultMessage::of(envelope, result);
        let context = message.traceparent;
        self.publisher.result(message).await?;
        if let Some(context) = context {
            let sending = Sending { topic: &self.publisher.topics.results, context, since };
            let exported = context.is_sampled() || is_bad;
            InHand::sent(&self.publisher.traces, envelope, exported, &sending);
        }
        Ok(())
    }

    /// A message without a readable envelope.
    async fn dead_letter(
        &self,
        message: &Message,
        reason: &str,
        mut turn: Turn,
    ) -> Result<(), SendError> {
        turn.wait().await;
        self.publisher.dead_letter_unreadable(message, reason, &self.served_by).await
    }

    /// `None` when the frame gets no result from here.
    fn result(&self, envelope: &Envelope, outcome: Inference) -> Option<FrameResult> {
        let timings = TimingsMs {
            queue_inference: Some(outcome.queue_ms),
            decode: outcome.decode_ms,
            ..envelope.timings()
        };
        let served_by = self.served_by.clone();
        Some(match outcome.end {
            InferenceEnd::Detected(size, found) => {
                self.model_failures.store(0, Ordering::Relaxed);
                let judged = self.judge(envelope, size, &found);
                let hard = judged.as_ref().is_some_and(|judged| judged.verdict == Verdict::Hard);
                let timings = TimingsMs {
                    inference: Some(found.inference_ms),
                    postprocess: Some(found.postprocess_ms),
                    ..timings
                };
                let detections = in_uploaded_pixels(envelope, size, found);
                FrameResult {
                    status: if hard { Status::Provisional } else { Status::Done },
                    hardness: judged.and_then(|judged| judged.measured),
                    ..envelope.done(detections, self.model.clone(), served_by, timings)
                }
            }
            InferenceEnd::Undecodable(problem) => envelope.failed(problem, served_by, timings),
            InferenceEnd::ModelFailed(problem) => {
                self.count_model_failure(&problem);
                envelope.failed(problem, served_by, timings)
            }
            InferenceEnd::Expired => envelope.expired(&self.served_by.unit, served_by, timings),
            InferenceEnd::Overtaken(newer) => envelope.overtaken(newer, served_by, timings),
            InferenceEnd::Superseded => return None,
        })
    }

    /// Whether the frame was hard for the edge; `None` in the cloud, whose results are final.
    fn judge(
        &self,
        envelope: &Envelope,
        image: ImageSize,
        found: &ImageDetections,
    ) -> Option<Judged> {
        let judged = match self.tier {
            Destination::Edge => escalate::judge(envelope, image, found, Timestamp::now()),
            Destination::Cloud => None,
        };
        if let Some(judged) = &judged {
            self.publisher.metrics.judged(judged.verdict);
        }
        judged
    }

    fn count_model_failure(&self, problem: &Problem) {
        let in_a_row = self.model_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if in_a_row == self.max_model_failures {
            error!(in_a_row, error = %problem, "the model fails on every frame: stopping, so that the \
                topic does not become dead letters");
            self.halt.cancel();
        }
    }
}

/// How much memory the inference on the frame takes, in bytes; 0 for what is refused before pixels
/// are decoded.
fn memory_for(bytes: &[u8], limits: &Limits) -> u64 {
    vision::probe(bytes, limits).map_or(0, |probed| {
        u64::from(probed.size.width) * u64::from(probed.size.height) * BYTES_PER_PIXEL
    })
}

/// The preprocessor may send a smaller image than was uploaded; boxes are given in the pixels of
/// the upload.
fn in_uploaded_pixels(
    envelope: &Envelope,
    seen: ImageSize,
    found: ImageDetections,
) -> Vec<frame::Detection> {
    let mut detections = found.detections;
    if let Some(uploaded) = envelope
        .prepared
        .as_ref()
        .map(|prepared| prepared.image)
        .filter(|uploaded| *uploaded != seen)
    {
        let (horizontal, vertical) = (
            uploaded.width as f32 / seen.width as f32,
            uploaded.height as f32 / seen.height as f32,
        );
        for detection in &mut detections {
            detection.bounding_box = detection.bounding_box.scaled(horizontal, vertical);
        }
    }
    detections
}
