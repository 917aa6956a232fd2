//! Results and envelopes for tests.

use super::{Bounds, Store};
use frame::{
    BoundingBox, Detection, Envelope, FrameId, FrameResult, ImageFormat, ImageSize, ModelInfo, Problem, ServedBy, Status,
    TimingsMs, UploadTimings,
};
use std::time::Duration;

pub(crate) fn store(count: usize) -> Store {
    Store::new(Bounds { count, bytes: usize::MAX, age: Duration::from_secs(3600) })
}

pub(crate) fn envelope(camera: &str, sequence: u64) -> Envelope {
    Envelope {
        upload: UploadTimings { upload_ms: 1.5 },
        ..Envelope::received_now(camera.parse().unwrap(), sequence, ImageFormat::Jpeg)
    }
}

pub(crate) fn done(camera: &str, sequence: u64) -> FrameResult {
    done_for(FrameId::fresh(), camera, sequence)
}

/// A result with every member that results can have, `error` excepted.
pub(crate) fn done_for(frame_id: FrameId, camera: &str, sequence: u64) -> FrameResult {
    FrameResult {
        frame_id,
        camera: camera.parse().unwrap(),
        sequence,
        status: Status::Done,
        error: None,
        image: Some(ImageSize { width: 640, height: 480 }),
        detections: vec![Detection {
            class: "dog".into(),
            class_id: 16,
            confidence: 0.75,
            bounding_box: BoundingBox { x: 10.0, y: 20.0, width: 30.0, height: 40.0 },
        }],
        decision: Some(frame::Decision {
            destination: frame::Destination::Edge,
            reason: "policy".into(),
            policy: "edge-only".into(),
        }),
        model: Some(ModelInfo { name: "yolov3-tiny".into(), version: "dccea06f59b7".into(), input: "416x416".into() }),
        served_by: ServedBy { unit: "edge-inference".into(), pod: Some("pod-1".into()), node: Some("node-1".into()) },
        timings_ms: TimingsMs {
            upload: Some(1.0),
            queue_frames: Some(2.0),
            preprocess: Some(3.0),
            queue_inference: Some(4.0),
            decode: Some(5.0),
            inference: Some(6.0),
            postprocess: Some(7.0),
            end_to_end: Some(28.0),
        },
    }
}

pub(crate) fn failed(problem: Problem) -> FrameResult {
    FrameResult { status: Status::Failed, error: Some(problem), ..done("gate", 7) }
}
