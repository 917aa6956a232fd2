//! What becomes of one delivery.

use crate::guard::Guard;
use crate::load::Load;
use crate::metrics::{Metrics, Outcome};
use crate::pixels::{PixelConfig, PreparedImage, prepare};
use crate::publish::Publisher;
use crate::remembered::Remembered;
use crate::{FrameFacts, LoadSnapshot};
use frame::{Decision, Envelope, ImageFormat, Origin, Prepared, Problem, ResultMessage, ServedBy, Timestamp, TimingsMs};
use frame_bus::{Handle, Message, SendError, Turn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug, debug_span, info, warn};

/// The decision, with its policy inside.
pub(crate) type Decide = Box<dyn Fn(&FrameFacts, &LoadSnapshot) -> Decision + Send + Sync>;

/// What all deliveries share.
pub(crate) struct Handler {
    pub(crate) publisher: Publisher,
    pub(crate) metrics: Metrics,
    /// One permit for each frame whose pixels may be worked on.
    pub(crate) workers: Arc<Semaphore>,
    pub(crate) pixels: PixelConfig,
    pub(crate) decide: Decide,
    /// How many frames were decided on.
    pub(crate) decided: AtomicU64,
    pub(crate) remembered: Remembered,
    pub(crate) load: Load,
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
}

impl Handle for Handler {
    async fn handle(&self, message: Message, turn: Turn) -> Result<(), SendError> {
        self.metrics.in_flight.inc();
        let seen_through = match message.envelope() {
            Ok(envelope) => {
                let trace_id = envelope.traceparent.trace_id();
                let span = debug_span!("frame", frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id);
                self.see_through(envelope, message, turn).instrument(span).await
            }
            Err(error) => self.put_aside(&message, &error.to_string(), turn).await,
        };
        self.metrics.in_flight.dec();
        seen_through
    }
}

impl Handler {
    async fn see_through(&self, envelope: Envelope, message: Message, mut turn: Turn) -> Result<(), SendError> {
        let permit = Arc::clone(&self.workers).acquire_owned().await.expect("nobody closes the semaphore");
        let queue_ms = Timestamp::now().ms_since(envelope.sent_at);
        let work = Work { envelope, message, queue_ms, taken_up: Instant::now() };
        let (work, prepared) = self.work_on_pixels(work).await;
        drop(permit);
        // from here on in the order of the camera: decisions, and what is sent
        turn.wait().await;
        match prepared.and_then(|image| Ok((self.decide(&work, &image)?, image))) {
            Ok((decision, image)) => self.send_on(work, decision, image).await,
            Err(end) => self.end(&work, end).await,
        }
    }

    /// On a thread that may be blocked.
    async fn work_on_pixels(&self, work: Work) -> (Work, Result<PreparedImage, End>) {
        let (guard, pixels) = (Arc::clone(&self.guard), self.pixels);
        let task = tokio::task::spawn_blocking(move || {
            if work.envelope.is_expired(Timestamp::now()) {
                return (work, Err(End::Expired));
            }
            let prepared = guard.run(|| prepare(&work.message.payload, &pixels));
            let prepared = prepared.and_then(|image| image.map_err(|error| error.problem()));
            (work, prepared.map_err(End::Failed))
        });
        let (work, prepared) = task.await.expect("a panic is kept by the guard, and nobody aborts the task");
        if let Ok(image) = &prepared {
            self.metrics.worked(&image.times);
        }
        (work, prepared)
    }

    fn decide(&self, work: &Work, image: &PreparedImage) -> Result<Decision, End> {
        let (envelope, now) = (&work.envelope, Timestamp::now());
        if envelope.is_expired(now) {
            return Err(End::Expired);
        }
        if let Some(decision) = self.remembered.get(envelope.frame_id) {
            return Ok(decision);
        }
        let facts = FrameFacts {
            camera: envelope.camera.clone(),
            sequence: envelope.sequence,
            ordinal: self.decided.fetch_add(1, Ordering::Relaxed),
            bytes: image.jpeg.len(),
            image: image.size,
            age_ms: now.ms_since(envelope.received_at),
            deadline_left_ms: envelope.deadline.map(|deadline| deadline.ms_since(now)),
        };
        let decision = self.guard.run(|| (self.decide)(&facts, &self.load.latest())).map_err(End::Failed)?;
        self.remembered.put(envelope.frame_id, decision.clone());
        Ok(decision)
    }

    async fn send_on(&self, work: Work, decision: Decision, image: PreparedImage) -> Result<(), SendError> {
        let topic = self.publisher.topics.for_destination(decision.destination);
        let Work { envelope, message, queue_ms, taken_up } = work;
        let prepared = Prepared {
            image: image.size,
            decision,
            attempt: 1,
            queue_frames_ms: queue_ms,
            preprocess_ms: milliseconds(taken_up),
            origin: Some(Origin { partition: message.partition, offset: message.offset }),
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
        self.publisher.frame(topic, &envelope, image.jpeg).await?;
        self.guard.got_through();
        let Prepared { decision, preprocess_ms, .. } = prepared;
        self.metrics.ended(Outcome::Prepared);
        self.metrics.decided(&decision);
        debug!(destination = %decision.destination, reason = decision.reason, preprocess_ms, "frame sent on");
        Ok(())
    }

    async fn end(&self, work: &Work, end: End) -> Result<(), SendError> {
        let Work { envelope, message, queue_ms, taken_up } = work;
        let timings =
            TimingsMs { queue_frames: Some(*queue_ms), preprocess: Some(milliseconds(*taken_up)), ..envelope.timings() };
        let served_by = self.served_by.clone();
        let (outcome, result) = match end {
            End::Expired => {
                info!(frame_id = %envelope.frame_id, camera = %envelope.camera, "frame expired");
                (Outcome::Expired, envelope.expired(&self.served_by.unit, served_by, timings))
            }
            End::Failed(problem) => {
                warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, %problem, "frame failed");
                self.publisher.dead_letter(message, &problem.to_string()).await?;
                (Outcome::Failed, envelope.failed(problem, served_by, timings))
            }
        };
        self.publisher.result(ResultMessage::of(envelope, result)).await?;
        self.metrics.ended(outcome);
        Ok(())
    }

    /// A message without a readable envelope: a dead letter, and a result if it can be told which frame it is.
    async fn put_aside(&self, message: &Message, reason: &str, mut turn: Turn) -> Result<(), SendError> {
        turn.wait().await;
        let Message { topic, partition, offset, .. } = message;
        warn!(topic, partition, offset, reason, "message is no frame");
        self.publisher.dead_letter(message, reason).await?;
        if let Some(result) = ResultMessage::of_unreadable(&message.headers, reason, self.served_by.clone()) {
            self.publisher.result(result).await?;
        }
        self.metrics.ended(Outcome::Malformed);
        Ok(())
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
