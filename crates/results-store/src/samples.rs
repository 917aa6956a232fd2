//! Results for tests.

use frame::{BoundingBox, Detection, FrameId, FrameResult, Status};

/// A frame received at this time, with these classes found.
pub(crate) fn seen(at_ms: u64, camera: &str, found: &[(&str, f32)]) -> FrameResult {
    let mut bytes = *FrameId::from_then_on(at_ms).as_bytes();
    (bytes[6], bytes[8]) = (0x70, 0x80);
    let bounding_box = BoundingBox { x: 1.0, y: 2.0, width: 3.0, height: 4.0 };
    let detection = |(class, confidence): &(&str, f32)| Detection {
        class: (*class).into(),
        class_id: 1,
        confidence: *confidence,
        bounding_box,
        zones: None,
    };
    let camera = camera.parse().expect("a camera's name");
    FrameResult {
        detections: found.iter().map(detection).collect(),
        ..FrameResult::new(FrameId::from_bytes(bytes), camera, 1, Status::Done)
    }
}
