//! Results and envelopes for tests.

use super::{Bounds, Store};
use frame::{
    BoundingBox, Decision, Destination, Detection, Envelope, FrameId, FrameResult, ImageFormat,
    ImageSize, Measured, ModelInfo, Predicted, Problem, Resize, ServedBy, Status, TimingsMs,
    UploadTimings,
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

/// A result with every member that results can have, `error` and `same_as` excepted.
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
            zones: None,
        }],
        decision: Some(Decision {
            predicted_ms: Predicted { edge: Some(30.0), cloud: Some(45.0) },
            took_ms: Some(25.0),
            contract: None,
            ..Decision::new(Destination::Edge, "policy", "edge-only")
        }),
        same_as: None,
        hardness: Some(Measured { score: Some(0.25), features: vec![1.0, 0.5] }),
        overtaken_by: None,
        attempt: Some(1),
        model: Some(ModelInfo {
            name: "yolov3-tiny".into(),
            version: "dccea06f59b7".into(),
            input: "416x416".into(),
            resize: Some(Resize::Letterbox),
        }),
        served_by: ServedBy {
            unit: "edge-inference".into(),
            pod: Some("pod-1".into()),
            node: Some("node-1".into()),
        },
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

/// What the edge has found, while the result of the cloud is awaited.
pub(crate) fn provisional_for(frame_id: FrameId, camera: &str, sequence: u64) -> FrameResult {
    FrameResult { status: Status::Provisional, ..done_for(frame_id, camera, sequence) }
}

pub(crate) fn skipped(same_as: FrameId) -> FrameResult {
    FrameResult {
        status: Status::Skipped,
        same_as: Some(same_as),
        detections: vec![],
        model: None,
        ..done("gate", 8)
    }
}

pub(crate) fn failed_for(frame_id: FrameId, camera: &str, sequence: u64) -> FrameResult {
    let decision = Decision::new(Destination::Cloud, "hard-example", "cascade");
    FrameResult {
        status: Status::Failed,
        error: Some(Problem::model_failed("the cloud has a bad day")),
        detections: vec![],
        decision: Some(decision),
        attempt: Some(2),
        ..done_for(frame_id, camera, sequence)
    }
}

pub(crate) fn failed(problem: Problem) -> FrameResult {
    FrameResult { status: Status::Failed, error: Some(problem), ..done("gate", 7) }
}
