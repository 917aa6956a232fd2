//! What becomes of one delivery.

use crate::decisions::Decisions;
use crate::guard::Guard;
use crate::metrics::{MessageEnd, Metrics};
use crate::pixels::{PixelConfig, PreparedImage, memory_for, prepare};
use crate::publish::Publisher;
use crate::remembered::{Moving, Remembered};
use frame::{
    CameraId, Decision, Destination, Envelope, FrameId, ImageFormat, ImageSize, Origin, Prepared,
    Problem, ResultMessage, ServedBy, Timestamp, TimingsMs,
};
use frame_bus::{Handle, Message, SendError, Turn};
use offload::{Action, Decided, FrameFacts};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug, debug_span, info, warn};
use unit::PixelRoom;

/// What all deliveries share.
pub(crate) struct Handler {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) metrics: Metrics,
    /// One permit for each frame whose pixels may be worked on.
    pub(crate) workers: Arc<Semaphore>,
    pub(crate) pixels: PixelConfig,
    /// Where decoded pictures have room.
    pub(crate) room: PixelRoom,
    pub(crate) decisions: Decisions,
    /// How many frames were decided on.
    pub(crate) decided: AtomicU64,
    pub(crate) remembered: Remembered,
    pub(crate) moving: Moving,
    pub(crate) guard: Arc<Guard>,
    pub(crate) served_by: ServedBy,
}

/// A frame on its way through this unit.
struct Work {
    envelope: Envelope,
    message: Message,
    queue_ms: f64,
    taken_up: Instant,
}

/// How a frame's journey ends here, if it does.
enum End {
    Expired,
    Failed(Problem),
    /// It was decided that no tier gets it.
    NotSent(Box<Decided<FrameId>>, ImageSize),
}

/// As it travels and comes back.
fn decision_of(destination: Destination, decided: Decided<FrameId>) -> Decision {
    let Decided { choice, policy, predicted_ms, .. } = decided;
    Decision { predicted_ms, ..Decision::new(destination, choice.reason, policy) }
}

impl Handle for Handler {
    async fn handle(&self, message: Message, turn: Turn) -> Result<(), SendError> {
        self.metrics.in_flight.inc();
        let processed = match message.envelope() {
            Ok(envelope) => {
                let trace_id = envelope.traceparent.trace_id();
                let span = debug_span!("frame", frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id);
                self.process(envelope, message, turn).instrument(span).await
            }
            Err(error) => self.dead_letter(&message, &error.to_string(), turn).await,
        };
        self.metrics.in_flight.dec();
        processed
    }

    async fn give_up(&self, message: Message, mut turn: Turn, takes: u32) -> Result<(), SendError> {
        let problem = Problem::given_up(&self.served_by.unit, takes);
        let Ok(envelope) = message.envelope() else {
            return self.dead_letter(&message, &problem.to_string(), turn).await;
        };
        turn.wait().await;
        let queue_ms = Timestamp::now().ms_since(envelope.sent_at);
        let work = Work { envelope, message, queue_ms, taken_up: Instant::now() };
        self.end(&work, End::Failed(problem)).await?;
        self.metrics.given_up();
        Ok(())
    }

    fn taken_alone(&self) {
        self.metrics.taken_alone();
    }
}

impl Handler {
    async fn process(
        &self,
        envelope: Envelope,
        message: Message,
        mut turn: Turn,
    ) -> Result<(), SendError> {
        let permit =
            Arc::clone(&self.workers).acquire_owned().await.expect("nobody closes the semaphore");
        let queue_ms = Timestamp::now().ms_since(envelope.sent_at);
        let room = self.room.take(memory_for(&message.payload, &self.pixels)).await;
        let work = Work { envelope, message, queue_ms, taken_up: Instant::now() };
        let (work, prepared) = self.work_on_pixels(work).await;
        drop((permit, room));
        // from here on in the order of the camera: decisions, and what is sent
        turn.wait().await;
        let decided = match prepared {
            Ok(image) => self.decide(&work, &image).map(|decided| (decided, image)),
            Err(end) => Err(end),
        };
        match decided {
            Ok((decided, image)) => match decided.choice.destination() {
                Some(tier) => self.send_on(work, tier, decided, image).await,
                None => self.end(&work, End::NotSent(Box::new(decided), image.size)).await,
            },
            Err(end) => self.end(&work, end).await,
        }
    }

    /// On a thread that may be blocked.
    async fn work_on_pixels(&self, work: Work) -> (Work, Result<PreparedImage, End>) {
        let (guard, pixels, wants_thumbnail) =
            (Arc::clone(&self.guard), self.pixels, self.decisions.wants_change());
        let task = tokio::task::spawn_blocking(move || {
            if work.envelope.is_expired(Timestamp::now()) {
                return (work, Err(End::Expired));
            }
            let prepared = guard.run(|| prepare(&work.message.payload, &pixels, wants_thumbnail));
            let prepared = prepared.and_then(|image| image.map_err(|error| error.problem()));
            (work, prepared.map_err(End::Failed))
        });
        let (work, prepared) =
            task.await.expect("a panic is kept by the guard, and nobody aborts the task");
        if let Ok(image) = &prepared {
            self.metrics.worked(&image.times);
        }
        (work, prepared)
    }

    fn decide(&self, work: &Work, image: &PreparedImage) -> Result<Decided<FrameId>, End> {
        let (envelope, now) = (&work.envelope, Timestamp::now());
        if envelope.is_expired(now) {
            return Err(End::Expired);
        }
        if let Some(mut decided) = self.remembered.get(envelope.frame_id) {
            // it comes again: the time for an answer begins anew
            let patience = self.decisions.cloud_patience(image.jpeg.len());
            decided.answer_by = decided.answer_by.and(patience).map(|patience| now + patience);
            return Ok(decided);
        }
        let facts = FrameFacts {
            camera: envelope.camera.clone(),
            sequence: envelope.sequence,
            ordinal: self.decided.fetch_add(1, Ordering::Relaxed),
            bytes: image.jpeg.len(),
            image: image.size,
            age_ms: now.ms_since(envelope.received_at),
            deadline_left_ms: envelope.deadline.map(|deadline| deadline.ms_since(now)),
            // uploads without a camera have nothing to do with each other
            change: image
                .thumbnail
                .as_ref()
                .filter(|_| envelope.camera != CameraId::unnamed())
                .and_then(|thumbnail| self.moving.change(&envelope.camera, thumbnail)),
        };
        let decided = self.decisions.decide(envelope.frame_id, &facts);
        if let (Some(_), Some(thumbnail)) = (decided.choice.destination(), &image.thumbnail) {
            self.moving.processed(&envelope.camera, thumbnail.clone());
        }
        self.remembered.put(envelope.frame_id, decided.clone());
        Ok(decided)
    }

    async fn send_on(
        &self,
        work: Work,
        tier: Destination,
        decided: Decided<FrameId>,
        image: PreparedImage,
    ) -> Result<(), SendError> {
        let Work { envelope, message, queue_ms, taken_up } = work;
        let escalation = match &decided.choice.action {
            Action::Cascade(hardness) => Some(hardness.to_string()),
            Action::Send(_) | Action::Expire | Action::Skip => None,
        };
        let answer_by = decided.answer_by;
        let prepared = Prepared {
            answer_by,
            escalation,
            queue_frames_ms: queue_ms,
            preprocess_ms: milliseconds(taken_up),
            origin: Some(Origin { partition: message.partition, offset: message.offset }),
            ..Prepared::now(image.size, decision_of(tier, decided))
        };
        // the uploaded bytes are not needed any more, and sending may take a while
        drop(message);
        let envelope = Envelope {
            format: ImageFormat::Jpeg,
            traceparent: envelope.traceparent.child(),
            sent_at: Timestamp::now(),
            prepared: Some(prepared.clone()),
            ..envelope
        };
        self.publisher.frame(tier, &envelope, image.jpeg).await?;
        self.guard.got_through();
        let Prepared { decision, preprocess_ms, .. } = prepared;
        self.metrics.ended(MessageEnd::Prepared);
        self.metrics.decided(&decision);
        debug!(destination = %decision.destination, reason = decision.reason, preprocess_ms, "frame sent on");
        Ok(())
    }

    async fn end(&self, work: &Work, end: End) -> Result<(), SendError> {
        let Work { envelope, message, queue_ms, taken_up } = work;
        let timings = TimingsMs {
            queue_frames: Some(*queue_ms),
            preprocess: Some(milliseconds(*taken_up)),
            ..envelope.timings()
        };
        let served_by = self.served_by.clone();
        let (outcome, result) = match end {
            End::Expired => {
                info!(frame_id = %envelope.frame_id, camera = %envelope.camera, "frame expired");
                (MessageEnd::Expired, envelope.expired(&self.served_by.unit, served_by, timings))
            }
            End::NotSent(decided, image) => {
                let (same_as, decision) =
                    (decided.same_as, decision_of(Destination::Edge, *decided));
                self.metrics.decided(&decision);
                debug!(reason = decision.reason, "no tier gets the frame");
                let envelope = Envelope {
                    prepared: Some(Prepared::now(image, decision.clone())),
                    ..envelope.clone()
                };
                match same_as {
                    Some(same_as) => (
                        MessageEnd::Skipped,
                        envelope.skipped(same_as, decision, served_by, timings),
                    ),
                    None => (
                        MessageEnd::Expired,
                        envelope.expired("any tier that could meet it", served_by, timings),
                    ),
                }
            }
            End::Failed(problem) => {
                warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, %problem, "frame failed");
                self.publisher.dead_letter(message, &problem.to_string()).await?;
                (MessageEnd::Failed, envelope.failed(problem, served_by, timings))
            }
        };
        self.publisher.result(ResultMessage::of(envelope, result)).await?;
        self.metrics.ended(outcome);
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
        self.publisher.dead_letter_unreadable(message, reason, &self.served_by).await?;
        self.metrics.ended(MessageEnd::Malformed);
        Ok(())
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
