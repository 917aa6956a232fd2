//! Results for tests.

use frame::{BoundingBox, Detection, FrameId, FrameResult, ServedBy, Status, TimingsMs};

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
    FrameResult {
        frame_id: FrameId::from_bytes(bytes),
        camera: camera.parse().expect("a camera's name"),
        sequence: 1,
        status: Status::Done,
        error: None,
        image: None,
        detections: found.iter().map(detection).collect(),
        decision: None,
        same_as: None,
        attempt: None,
        hardness: None,
        overtaken_by: None,
        model: None,
        served_by: ServedBy::default(),
        timings_ms: TimingsMs::default(),
    }
}
