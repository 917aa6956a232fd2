//! Everything that travels with a frame's bytes.

use crate::{
    CameraId, Decision, Destination, Detection, FrameId, FrameResult, ImageFormat, ImageSize,
    Order, ServedBy, Status, Timestamp, TimingsMs, TraceParent, Zones,
};
use crate::{ModelInfo, Problem};

/// The facts about a frame that are not pixels; on Kafka they are message headers
/// ([`Envelope::to_headers`]).
#[derive(Clone, PartialEq, Debug)]
pub struct Envelope {
    /// Which frame.
    pub frame_id: FrameId,
    /// From which camera.
    pub camera: CameraId,
    /// The frame's number at its camera: as the client gave it, or counted at the intake.
    pub sequence: u64,
    /// When the camera took it, if the client said so.
    pub captured_at: Option<Timestamp>,
    /// When its first byte came in.
    pub received_at: Timestamp,
    /// After this moment nobody wants the result.
    pub deadline: Option<Timestamp>,
    /// How the value's bytes are encoded.
    pub format: ImageFormat,
    /// The trace that it belongs to.
    pub traceparent: TraceParent,
    /// When the stage before handed it to its producer; the start of the queue time.
    pub sent_at: Timestamp,
    /// What the intake measured.
    pub upload: UploadTimings,
    /// What the preprocessor added; `None` before.
    pub prepared: Option<Prepared>,
}

/// Why a frame has expired that a newer one of its camera overtook.
pub const OVERTAKEN: &str = "overtaken";

/// What the intake measured.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct UploadTimings {
    /// From the first byte until the frame was handed to the producer, in milliseconds.
    pub upload_ms: f64,
}

/// What the preprocessor adds to a frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// The uploaded image's size, upright: boxes are in these pixels.
    pub image: ImageSize,
    /// Where it goes and why.
    pub decision: Decision,
    /// When it was decided, the first time.
    pub decided_at: Timestamp,
    /// 1 for the first time that the frame is sent to a tier.
    pub attempt: u32,
    /// After this moment another tier gets the frame: whoever has not begun by then need not
    /// begin.
    pub answer_by: Option<Timestamp>,
    /// By which measure of hardness the edge sends the frame on to the cloud after its detection,
    /// as text.
    pub escalation: Option<String>,
    /// Whether a provisional result stands on the results topic.
    pub provisional: bool,
    /// In which order the camera's frames are served when they wait.
    pub order: Order,
    /// The camera's weight beside others where frames wait: 1, or its contract's priority.
    pub weight: u32,
    /// How long the frame waited for the preprocessor, in milliseconds.
    pub queue_frames_ms: f64,
    /// Decode, sharpen, encode, the wait for the camera's turn and the decision, in milliseconds.
    pub preprocess_ms: f64,
    /// Where the uploaded bytes stand.
    pub origin: Option<Origin>,
    /// The camera's zones, if it has any.
    pub zones: Option<Zones>,
}

impl Prepared {
    /// Decided now, for the first time; what else is known is set on its fields.
    #[must_use]
    pub fn now(image: ImageSize, decision: Decision) -> Self {
        Self {
            image,
            decision,
            decided_at: Timestamp::now(),
            attempt: 1,
            answer_by: None,
            escalation: None,
            provisional: false,
            order: Order::default(),
            weight: 1,
            queue_frames_ms: 0.0,
            preprocess_ms: 0.0,
            origin: None,
            zones: None,
        }
    }
}

/// Where a frame's uploaded bytes stand in the frames topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The partition of the frames topic.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

impl Envelope {
    /// Of a frame whose first byte comes in now and that starts a trace of its own; what else is
    /// known of it is set on its fields.
    #[must_use]
    pub fn received_now(camera: CameraId, sequence: u64, format: ImageFormat) -> Self {
        let now = Timestamp::now();
        Self {
            frame_id: FrameId::fresh(),
            camera,
            sequence,
            captured_at: None,
            received_at: now,
            deadline: None,
            format,
            traceparent: TraceParent::root(),
            sent_at: now,
            upload: UploadTimings::default(),
            prepared: None,
        }
    }

    /// The Kafka key: the camera, so that its frames stay in order; frames without a camera spread
    /// by their id.
    #[must_use]
    pub fn key(&self) -> String {
        self.camera.key_of(self.frame_id)
    }

    /// Whether another tier was to get the frame by `now`.
    #[must_use]
    pub fn is_superseded(&self, now: Timestamp) -> bool {
        self.prepared
            .as_ref()
            .and_then(|prepared| prepared.answer_by)
            .is_some_and(|answer_by| now > answer_by)
    }

    /// Whether the deadline lies behind `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|deadline| now > deadline)
    }

    /// The timings that the stages so far have filled in.
    #[must_use]
    pub fn timings(&self) -> TimingsMs {
        TimingsMs {
            upload: Some(self.upload.upload_ms),
            queue_frames: self.prepared.as_ref().map(|prepared| prepared.queue_frames_ms),
            preprocess: self.prepared.as_ref().map(|prepared| prepared.preprocess_ms),
            ..TimingsMs::default()
        }
    }

    /// The result of a frame that a model ran on. `timings` as from [`Self::timings`], with the
    /// caller's stages added; `end_to_end` and the zones of the detections are filled in here.
    #[must_use]
    pub fn done(
        &self,
        mut detections: Vec<Detection>,
        model: ModelInfo,
        served_by: ServedBy,
        timings: TimingsMs,
    ) -> FrameResult {
        if let Some(Prepared { image, zones: Some(zones), .. }) = &self.prepared {
            for detection in &mut detections {
                detection.zones = Some(zones.of(&detection.bounding_box, *image));
            }
        }
        FrameResult {
            detections,
            model: Some(model),
            ..self.ended(Status::Done, served_by, timings)
        }
    }

    /// The result of a frame that could not be processed.
    #[must_use]
    pub fn failed(&self, problem: Problem, served_by: ServedBy, timings: TimingsMs) -> FrameResult {
        FrameResult { error: Some(problem), ..self.ended(Status::Failed, served_by, timings) }
    }

    /// The result of a frame whose deadline went by before `stage` came to it.
    #[must_use]
    pub fn expired(&self, stage: &str, served_by: ServedBy, timings: TimingsMs) -> FrameResult {
        let late_ms = self.deadline.map_or(0.0, |deadline| Timestamp::now().ms_since(deadline));
        let problem = Problem::expired(format!(
            "the deadline had gone by for {late_ms:.0} ms when the frame came to {stage}"
        ));
        FrameResult { error: Some(problem), ..self.ended(Status::Expired, served_by, timings) }
    }

    /// The result of a frame that waited until `newer` of its camera was served in its place.
    #[must_use]
    pub fn overtaken(
        &self,
        newer: FrameId,
        served_by: ServedBy,
        timings: TimingsMs,
    ) -> FrameResult {
        let problem =
            Problem::expired(format!("the newer frame {newer} of the camera overtook it"));
        let ended = self.ended(Status::Expired, served_by, timings);
        let decision = match ended.decision {
            Some(decision) => Decision { reason: OVERTAKEN.into(), ..decision },
            None => Decision::new(Destination::Edge, OVERTAKEN, "none"),
        };
        let (error, decision) = (Some(problem), Some(decision));
        FrameResult { error, decision, overtaken_by: Some(newer), ..ended }
    }

    /// The result of a frame that equals an earlier one, so that it needs no detection.
    #[must_use]
    pub fn skipped(
        &self,
        same_as: FrameId,
        decision: Decision,
        served_by: ServedBy,
        timings: TimingsMs,
    ) -> FrameResult {
        let (same_as, decision) = (Some(same_as), Some(decision));
        FrameResult { same_as, decision, ..self.ended(Status::Skipped, served_by, timings) }
    }

    fn ended(&self, status: Status, served_by: ServedBy, timings: TimingsMs) -> FrameResult {
        let now = Timestamp::now();
        let decision = |prepared: &Prepared| Decision {
            took_ms: Some(now.ms_since(prepared.decided_at)),
            ..prepared.decision.clone()
        };
        FrameResult {
            image: self.prepared.as_ref().map(|prepared| prepared.image),
            decision: self.prepared.as_ref().map(decision),
            attempt: self.prepared.as_ref().map(|prepared| prepared.attempt),
            served_by,
            timings_ms: TimingsMs { end_to_end: Some(now.ms_since(self.received_at)), ..timings },
            ..FrameResult::new(self.frame_id, self.camera.clone(), self.sequence, status)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BoundingBox, Destination, Polygon, Zone};

    #[test]
    fn a_result_names_the_zones_of_each_detection_if_there_are_any() {
        let found = Detection {
            class: "cup".into(),
            class_id: 41,
            confidence: 0.5,
            bounding_box: BoundingBox { x: 0.0, y: 0.0, width: 10.0, height: 10.0 },
            zones: None,
        };
        let zone = Zone { name: "all".to_owned().try_into().unwrap(), points: Polygon::whole() };
        for (zones, names) in [
            (None, None),
            (Some(Zones(vec![])), Some(vec![])),
            (Some(Zones(vec![zone])), Some(vec!["all".to_owned()])),
        ] {
            let decision = Decision::new(Destination::Edge, "because", "test");
            let image = ImageSize { width: 100, height: 100 };
            let envelope = Envelope {
                prepared: Some(Prepared { zones, ..Prepared::now(image, decision) }),
                ..Envelope::received_now(CameraId::unnamed(), 0, ImageFormat::Jpeg)
            };
            let (name, version, input) = ("m".into(), "1".into(), "1x1".into());
            let model = ModelInfo { name, version, input, resize: None };
            let (served_by, timings) = (ServedBy::default(), TimingsMs::default());
            let result = envelope.done(vec![found.clone()], model, served_by, timings);
            assert_eq!(result.detections[0].zones, names);
            let json = String::from_utf8(result.to_json()).unwrap();
            assert_eq!(json.contains("zones"), names.is_some(), "{json}");
        }
    }
}
