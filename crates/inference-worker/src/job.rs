//! A frame on its way through the worker, and what came of it.

use detector::ImageDetections;
use frame::{Envelope, ImageSize, Problem};
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

/// What a model thread made of a frame, with how long it took.
pub(crate) struct Inference {
    pub(crate) queue_ms: f64,
    pub(crate) decode_ms: Option<f64>,
    pub(crate) end: InferenceEnd,
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
    /// Another tier has it by now.
    Superseded,
}
