//! What tests of sending have in common.

use frame::{
    CameraId, Detection, Envelope, FrameResult, ImageFormat, ImageSize, ModelInfo, ServedBy,
};

/// A frame's result, on a picture of 64×48.
pub(super) fn result(sequence: u64, detections: Vec<Detection>) -> FrameResult {
    let envelope = Envelope::received_now(CameraId::unnamed(), sequence, ImageFormat::Jpeg);
    let (name, version, input) = ("none".into(), String::new(), "1x1".into());
    let model = ModelInfo { name, version, input, resize: None };
    let mut result = envelope.done(detections, model, ServedBy::default(), envelope.timings());
    result.image = Some(ImageSize { width: 64, height: 48 });
    result
}
