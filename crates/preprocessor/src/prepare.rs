//! From an uploaded picture to what its tier gets.

use crate::decisions::Decisions;
use crate::forms::Forms;
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::motion::Thumbnail;
use crate::pixels::{
    JpegSizes, Picture, PixelConfig, Sharpened, StageTimes, Wanted, encode, sharpened,
};
use crate::remembered::{Moving, Remembered};
use crate::spans::InHand;
use frame::{
    CameraId, Destination, Envelope, FrameId, ImageSize, Newest, Order, Problem, Timestamp, Zones,
};
use frame_bus::{Message, Turn};
use offload::{Action, Decided, FrameFacts, Terms};
use regions::Book;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use unit::Traces;

/// What it takes to prepare a frame.
pub(crate) struct Preparer {
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    pub(crate) pixels: PixelConfig,
    pub(crate) regions: Arc<Book>,
    pub(crate) forms: Arc<Forms>,
    pub(crate) sizes: JpegSizes,
    pub(crate) decisions: Decisions,
    /// How many frames were decided on.
    pub(crate) decided: AtomicU64,
    pub(crate) remembered: Remembered,
    pub(crate) moving: Moving,
    pub(crate) newest: Newest,
    pub(crate) guard: Guard,
}

/// A frame on its way through this unit.
pub(crate) struct Work {
    pub(crate) envelope: Envelope,
    pub(crate) message: Message,
    pub(crate) queue_ms: f64,
    pub(crate) taken_up: Instant,
    pub(crate) in_hand: InHand,
}

/// How a frame's journey ends here, if it does.
pub(crate) enum End {
    Expired,
    /// This newer frame of its camera is served in its place.
    Overtaken(FrameId),
    Failed(Problem),
    /// It was decided that no tier gets it.
    NotSent(Box<Decided<FrameId>>, ImageSize),
}

/// What a decision needs to know of a picture, and leaves behind.
pub(crate) struct Seen {
    pub(crate) size: ImageSize,
    pub(crate) thumbnail: Option<Thumbnail>,
    /// Of the JPEG, encoded or not.
    pub(crate) jpeg_bytes: usize,
}

/// A frame's picture, encoded.
pub(crate) struct Encoding {
    /// When it was decided on before.
    pub(crate) decided: Option<Decided<FrameId>>,
    pub(crate) seen: Seen,
    pub(crate) picture: Picture,
    pub(crate) times: StageTimes,
    /// Of the camera, as they were when the picture was made.
    pub(crate) zones: Option<Zones>,
}

/// Whether the frame's tier may get the picture in a reduced size: the edge, if it does not send it
/// on. The cloud pays for bytes, and sees more in the whole picture.
pub(crate) fn takes_reduced(decided: &Decided<FrameId>) -> bool {
    match decided.choice.action {
        Action::Send(Destination::Edge) => true,
        Action::Send(Destination::Cloud) | Action::Cascade(_) | Action::Expire | Action::Skip => {
            false
        }
    }
}

impl Preparer {
    /// A frame has come, and may have overtaken those of its camera that still wait.
    pub(crate) fn came(&self, envelope: &Envelope) {
        if self.decisions.order(&envelope.camera) == Order::Newest {
            self.newest.came(&envelope.camera, envelope.received_at, envelope.frame_id);
        }
    }

    /// One that was decided on before is on its way to a tier, and is not overtaken here.
    fn check_overtaken(&self, envelope: &Envelope) -> Result<(), End> {
        if self.decisions.order(&envelope.camera) != Order::Newest {
            return Ok(());
        }
        let Envelope { camera, received_at, frame_id, .. } = envelope;
        match self.newest.overtook(camera, *received_at, *frame_id) {
            Some(newer) if self.remembered.get(*frame_id).is_none() => Err(End::Overtaken(newer)),
            Some(_) | None => Ok(()),
        }
    }

    /// Decodes and sharpens the picture without what is masked, and encodes it in the form that its
    /// tier gets. Takes milliseconds: not to be called from async code.
    ///
    /// # Errors
    /// Its end, when it has expired, is no picture, or no tier gets it.
    pub(crate) fn encoding(&self, work: &Work, turn: &Turn) -> Result<Encoding, End> {
        if work.envelope.is_expired(Timestamp::now()) {
            return Err(End::Expired);
        }
        self.check_overtaken(&work.envelope)?;
        let (payload, wants_thumbnail) = (&work.message.payload, self.decisions.wants_change());
        let regions = self.regions.of(&work.envelope.camera);
        let sharpened = self
            .guard
            .run(|| sharpened(payload, &self.pixels, wants_thumbnail, regions.as_deref()));
        let sharpened = sharpened.and_then(|image| image.map_err(|error| error.problem()));
        let encoding = self.encode(work, sharpened.map_err(End::Failed)?, turn)?;
        Ok(Encoding { zones: regions.and_then(|regions| regions.zones()), ..encoding })
    }

    /// A frame whose turn has come is decided on before; the others may not wait for it, since they
    /// keep others from the room for pixels: what they may need is encoded.
    fn encode(&self, work: &Work, mut sharpened: Sharpened, turn: &Turn) -> Result<Encoding, End> {
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
        let encoded = self.guard.run(|| encode(&sharpened, &self.pixels, wanted));
        let encoded = encoded.and_then(|encoded| encoded.map_err(|error| error.problem()));
        let encoded = encoded.map_err(End::Failed)?;
        let trace = self.traces.exemplar(work.envelope.traceparent);
        self.metrics.worked(&encoded.times, trace.as_ref());
        let jpeg_bytes = match encoded.picture.jpeg_bytes() {
            Some(bytes) => {
                self.sizes.encoded(format, uploaded, bytes);
                bytes
            }
            None => seen.jpeg_bytes,
        };
        let seen = Seen { jpeg_bytes, ..seen };
        let (picture, times) = (encoded.picture, encoded.times);
        Ok(Encoding { decided, seen, picture, times, zones: None })
    }

    /// Where the frame goes. A frame that comes again goes where it went before.
    ///
    /// # Errors
    /// Its end, when it has expired.
    pub(crate) fn decide(&self, work: &Work, image: &Seen) -> Result<Decided<FrameId>, End> {
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
        self.check_overtaken(envelope)?;
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
            terms: Terms::default(),
        };
        let decided = self.decisions.decide(envelope.frame_id, &facts);
        if let (Some(_), Some(thumbnail)) = (decided.choice.destination(), &image.thumbnail) {
            self.moving.processed(&envelope.camera, thumbnail.clone());
        }
        self.remembered.put(envelope.frame_id, decided.clone());
        Ok(decided)
    }
}
