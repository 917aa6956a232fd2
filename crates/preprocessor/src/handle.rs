//! What becomes of one delivery.

use crate::decisions::Decisions;
use crate::forms::Forms;
use crate::guard::Guard;
use crate::metrics::{MessageEnd, Metrics};
use crate::motion::Thumbnail;
use crate::pixels::{
    JpegSizes, Picture, PixelConfig, Sharpened, Wanted, encode, memory_for, sharpened,
};
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
    pub(crate) forms: Arc<Forms>,
    pub(crate) sizes: JpegSizes,
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

/// What a decision needs to know of a picture, and leaves behind.
struct Seen {
    size: ImageSize,
    thumbnail: Option<Thumbnail>,
    /// Of the JPEG, encoded or not.
    jpeg_bytes: usize,
}

/// A frame's picture, encoded.
struct Encoding {
    /// When it was decided on before.
    decided: Option<Decided<FrameId>>,
    seen: Seen,
    picture: Picture,
}

/// A frame as it goes to its tier.
struct Ready {
    tier: Destination,
    decided: Decided<FrameId>,
    size: ImageSize,
    format: ImageFormat,
    payload: Vec<u8>,
}

/// Whether the frame's tier may get the picture in a reduced size: the edge, if it does not send it
/// on. The cloud pays for bytes, and sees more in the whole picture.
fn takes_reduced(decided: &Decided<FrameId>) -> bool {
    match decided.choice.action {
        Action::Send(Destination::Edge) => true,
        Action::Send(Destination::Cloud) | Action::Cascade(_) | Action::Expire | Action::Skip => {
            false
        }
    }
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
        let (work, sharpened) = self.sharpen(work).await;
        let encoding = match sharpened {
            Ok(sharpened) => self.encode(&work, sharpened, &turn).await,
            Err(end) => Err(end),
        };
        drop((permit, room));
        // from here on in the order of the camera: decisions, and what is sent
        turn.wait().await;
        let ready = encoding.and_then(|encoding| self.ready(&work, encoding));
        match ready {
            Ok(ready) => self.send_on(work, ready).await,
            Err(end) => self.end(&work, end).await,
        }
    }

    /// On a thread that may be blocked.
    async fn sharpen(&self, work: Work) -> (Work, Result<Sharpened, End>) {
        let (guard, pixels, wants_thumbnail) =
            (Arc::clone(&self.guard), self.pixels, self.decisions.wants_change());
        on_a_thread(move || {
            if work.envelope.is_expired(Timestamp::now()) {
                return (work, Err(End::Expired));
            }
            let done = guard.run(|| sharpened(&work.message.payload, &pixels, wants_thumbnail));
            let done = done.and_then(|image| image.map_err(|error| error.problem()));
            (work, done.map_err(End::Failed))
        })
        .await
    }

    /// Encodes the picture in the form that its tier gets. A frame whose turn has come is decided
    /// on before; the others may not wait for it, since they keep others from the room for
    /// pixels: what they may need is encoded.
    async fn encode(
        &self,
        work: &Work,
        mut sharpened: Sharpened,
        turn: &Turn,
    ) -> Result<Encoding, End> {
        let (format, uploaded) = (work.envelope.format, work.message.payload.len());
        let size = sharpened.picture.size();
        let seen = Seen {
            size,
            thumbnail: sharpened.thumbnail.take(),
            jpeg_bytes: self.sizes.expected(format, uploaded),
        };
        let (decided, wanted) = match self.forms.reduced(size, Instant::now()) {
            None => (None, Wanted::Jpeg),
            Some(reduced) if turn.is_first() => {
                let decided = self.decide(work, &seen)?;
                let wanted = match decided.choice.destination() {
                    Some(_) if takes_reduced(&decided) => Wanted::Reduced(reduced),
                    Some(_) => Wanted::Jpeg,
                    None => return Err(End::NotSent(Box::new(decided), size)),
                };
                (Some(decided), wanted)
            }
            Some(reduced) => (None, Wanted::Both(reduced)),
        };
        let (guard, pixels) = (Arc::clone(&self.guard), self.pixels);
        let encoded = on_a_thread(move || guard.run(|| encode(&sharpened, &pixels, wanted))).await;
        let encoded = encoded.and_then(|encoded| encoded.map_err(|error| error.problem()));
        let encoded = encoded.map_err(End::Failed)?;
        self.metrics.worked(&encoded.times);
        let jpeg_bytes = match encoded.picture.jpeg_bytes() {
            Some(bytes) => {
                self.sizes.encoded(format, uploaded, bytes);
                bytes
            }
            None => seen.jpeg_bytes,
        };
        Ok(Encoding { decided, seen: Seen { jpeg_bytes, ..seen }, picture: encoded.picture })
    }

    /// The frame in the form for its tier. Its turn has come.
    fn ready(&self, work: &Work, encoding: Encoding) -> Result<Ready, End> {
        let Encoding { decided, seen, picture } = encoding;
        let decided = match decided {
            Some(decided) => decided,
            None => self.decide(work, &seen)?,
        };
        let size = seen.size;
        let Some(tier) = decided.choice.destination() else {
            return Err(End::NotSent(Box::new(decided), size));
        };
        let (format, payload) = picture.pick(takes_reduced(&decided));
        Ok(Ready { tier, decided, size, format, payload })
    }

    fn decide(&self, work: &Work, image: &Seen) -> Result<Decided<FrameId>, End> {
        let (envelope, now) = (&work.envelope, Timestamp::now());
        if envelope.is_expired(now) {
            return Err(End::Expired);
        }
        if let Some(mut decided) = self.remembered.get(envelope.frame_id) {
            // it comes again: the time for an answer begins anew
            let patience = self.decisions.cloud_patience(image.jpeg_bytes);
            decided.answer_by = decided.answer_by.and(patience).map(|patience| now + patience);
            return Ok(decided);
        }
        let facts = FrameFacts {
            camera: envelope.camera.clone(),
            sequence: envelope.sequence,
            ordinal: self.decided.fetch_add(1, Ordering::Relaxed),
            bytes: image.jpeg_bytes,
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

    async fn send_on(&self, work: Work, ready: Ready) -> Result<(), SendError> {
        let Work { envelope, message, queue_ms, taken_up } = work;
        let Ready { tier, decided, size, format, payload } = ready;
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
            ..Prepared::now(size, decision_of(tier, decided))
        };
        // the uploaded bytes are not needed any more, and sending may take a while
        drop(message);
        let envelope = Envelope {
            format,
            traceparent: envelope.traceparent.child(),
            sent_at: Timestamp::now(),
            prepared: Some(prepared.clone()),
            ..envelope
        };
        self.publisher.frame(tier, &envelope, payload).await?;
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

/// Runs what takes milliseconds where that holds up nobody.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("a panic is kept by the guard, and nobody aborts the task")
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
