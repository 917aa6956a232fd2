//! A frame on its way through the worker, and what came of it.

use detector::ImageDetections;
use frame::{Envelope, FrameId, ImageSize, Order, Problem, Timestamp};
use frame_bus::Message;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A frame for a model thread.
pub(crate) struct Job {
    pub(crate) envelope: Arc<Envelope>,
    /// Its value is the encoded image; shared, because a dead letter needs the whole of it again.
    pub(crate) message: Arc<Message>,
    pub(crate) reply: oneshot::Sender<Inference>,
}

impl Job {
    /// The camera's weight beside others.
    pub(crate) fn weight(&self) -> u32 {
        self.envelope.prepared.as_ref().map_or(1, |prepared| prepared.weight)
    }
}

/// How a frame ends whose time is over.
pub(crate) fn over(envelope: &Envelope, now: Timestamp) -> Option<InferenceEnd> {
    if envelope.is_superseded(now) {
        Some(InferenceEnd::Superseded)
    } else if envelope.is_expired(now) {
        Some(InferenceEnd::Expired)
    } else {
        None
    }
}

/// Whether a newer frame of the camera is served in place of this one, when it waits.
pub(crate) fn is_newest_first(envelope: &Envelope) -> bool {
    let order = envelope.prepared.as_ref().map(|prepared| prepared.order);
    order == Some(Order::Newest) && !envelope.camera.is_unnamed()
}

/// What a model thread made of a frame, with how long it took.
pub(crate) struct Inference {
    pub(crate) queue_ms: f64,
    /// When its turn came.
    pub(crate) taken_at: Timestamp,
    pub(crate) decode_ms: Option<f64>,
    /// Its run through the model, if there was one.
    pub(crate) run: Option<ModelRun>,
    pub(crate) end: InferenceEnd,
}

/// A batch's run through the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelRun {
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    /// How many frames were in the batch.
    pub(crate) frames: usize,
}

/// What a model thread made of a frame.
pub(crate) enum InferenceEnd {
    /// The detections in an image of this size.
    Detected(ImageSize, ImageDetections),
    /// The bytes are no image.
    Undecodable(Problem),
    /// The model failed or panicked.
    ModelFailed(Problem),
    /// The deadline had gone by.
    Expired,
    /// This newer frame of its camera is served in its place.
    Overtaken(FrameId),
    /// Another tier has it by now.
    Superseded,
}
