//! Escalation: whether a frame was hard for the edge, and how it goes on to the cloud.

use detector::ImageDetections;
use frame::{Decision, Destination, Envelope, ImageSize, Measured, Prepared, Timestamp};
use offload::{AUDITED, EdgeDetections, Hardness};
use std::time::Duration;
use tracing::warn;

/// The reason of the decision that a frame carries to the cloud.
const REASON: &str = "hard-example";

/// What came of a frame that the edge may send on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It goes on to the cloud.
    Hard,
    /// The edge's answer is good enough.
    Easy,
    /// Hard, but its deadline has gone by: the cloud would only say that.
    Late,
    /// The escalation's text names no measure: the edge's answer has to do.
    Unreadable,
}

impl Verdict {
    /// As the metric names it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Easy => "easy",
            Self::Late => "late",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What is said of a frame that the edge may send on.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// What its result tells; `None` where nothing could be measured.
    pub(crate) measured: Option<Measured>,
}

/// Measures the hardness of a frame, of this size, in which the edge has found this; `None` when it
/// goes to one tier only.
pub(crate) fn judge(
    envelope: &Envelope,
    image: ImageSize,
    found: &ImageDetections,
    now: Timestamp,
) -> Option<Judged> {
    let escalation = envelope.prepared.as_ref()?.escalation.as_deref()?;
    let seen = EdgeDetections { confident: &found.detections, weak: &found.weak, image };
    let hardness = match escalation.parse::<Hardness>() {
        Ok(hardness) => hardness,
        Err(error) => {
            warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, escalation, %error, "hardness cannot be measured");
            return Some(Judged { verdict: Verdict::Unreadable, measured: None });
        }
    };
    let verdict = if !hardness.is_hard(&seen) {
        Verdict::Easy
    } else if envelope.is_expired(now) {
        Verdict::Late
    } else {
        Verdict::Hard
    };
    Some(Judged { verdict, measured: Some(hardness.measured(&seen).into()) })
}

/// The envelope with which a hard frame goes on. The cloud has as long to begin as the edge had.
pub(crate) fn to_the_cloud(envelope: &Envelope, now: Timestamp) -> Envelope {
    let prepared = envelope.prepared.as_ref().map(|prepared| Prepared {
        decision: Decision {
            destination: Destination::Cloud,
            reason: reason_after(&prepared.decision.reason).into(),
            ..prepared.decision.clone()
        },
        attempt: prepared.attempt.saturating_add(1),
        answer_by: prepared.answer_by.map(|answer_by| now + span(envelope.sent_at, answer_by)),
        escalation: None,
        provisional: true,
        ..prepared.clone()
    });
    Envelope {
        traceparent: envelope.traceparent.child(),
        sent_at: now,
        prepared,
        ..envelope.clone()
    }
}

/// A frame that was drawn by chance goes on for that reason, hard or not.
fn reason_after(reason: &str) -> &'static str {
    if reason == AUDITED { AUDITED } else { REASON }
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(to.as_micros().saturating_sub(from.as_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{BoundingBox, CameraId, Detection, ImageFormat, Origin, Predicted};

    const SIZE: ImageSize = ImageSize { width: 8, height: 8 };
    const BELOW_HALF: &str = "max-confidence<0.5,empty=easy";

    fn envelope(escalation: Option<&str>) -> Envelope {
        let decision = Decision {
            predicted_ms: Predicted { edge: Some(50.0), cloud: Some(80.0) },
            ..Decision::new(Destination::Edge, "edge-first", "cascade")
        };
        Envelope {
            prepared: Some(Prepared {
                escalation: escalation.map(Into::into),
                origin: Some(Origin { partition: 1, offset: 2 }),
                ..Prepared::now(SIZE, decision)
            }),
            ..Envelope::received_now(CameraId::unnamed(), 5, ImageFormat::Jpeg)
        }
    }

    fn found(confidence: f32) -> ImageDetections {
        let bounding_box = BoundingBox { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let detections =
            vec![Detection { class: "dog".into(), class_id: 16, confidence, bounding_box }];
        ImageDetections { detections, weak: vec![], inference_ms: 1.0, postprocess_ms: 0.0 }
    }

    #[test]
    fn each_frame_gets_its_verdict() {
        let now = Timestamp::now();
        let judge = |envelope: &Envelope, found: &ImageDetections| {
            judge(envelope, SIZE, found, now).map(|judged| judged.verdict)
        };
        assert_eq!(judge(&envelope(None), &found(0.3)), None);
        assert_eq!(judge(&envelope(Some(BELOW_HALF)), &found(0.3)), Some(Verdict::Hard));
        assert_eq!(judge(&envelope(Some(BELOW_HALF)), &found(0.9)), Some(Verdict::Easy));
        for text in ["", "difficult", "max-confidence", "max-confidence<0.5,empty=easy,"] {
            assert_eq!(
                judge(&envelope(Some(text)), &found(0.3)),
                Some(Verdict::Unreadable),
                "{text}"
            );
        }
        let late = |confidence| {
            let envelope = Envelope {
                deadline: Some(Timestamp::from_micros(1)),
                ..envelope(Some(BELOW_HALF))
            };
            judge(&envelope, &found(confidence))
        };
        assert_eq!((late(0.3), late(0.9)), (Some(Verdict::Late), Some(Verdict::Easy)));
        let unprepared = Envelope { prepared: None, ..envelope(None) };
        assert_eq!(judge(&unprepared, &found(0.3)), None);
    }

    #[test]
    fn what_was_measured_is_told_of_hard_frames_and_easy_ones() {
        let now = Timestamp::now();
        for confidence in [0.25, 0.75] {
            let judged = judge(&envelope(Some(BELOW_HALF)), SIZE, &found(confidence), now);
            let measured = judged.unwrap().measured.unwrap();
            assert_eq!(measured.score, Some(f64::from(1.0 - confidence)));
            assert_eq!(measured.features.len(), offload::FEATURES);
        }
        let unreadable = judge(&envelope(Some("difficult")), SIZE, &found(0.3), now);
        assert_eq!(unreadable.unwrap().measured, None);
        let nothing = ImageDetections { detections: vec![], ..found(0.5) };
        let empty = judge(&envelope(Some(BELOW_HALF)), SIZE, &nothing, now).unwrap();
        assert_eq!(empty.measured.unwrap().score, None);
    }

    #[test]
    fn the_cloud_gets_the_same_frame_with_a_decision_of_its_own() {
        let edge = envelope(Some(BELOW_HALF));
        let now = edge.sent_at + Duration::from_secs(3);
        let cloud = to_the_cloud(&edge, now);
        let (before, after) = (edge.prepared.clone().unwrap(), cloud.prepared.clone().unwrap());
        let expected = Prepared {
            decision: Decision {
                predicted_ms: before.decision.predicted_ms,
                ..Decision::new(Destination::Cloud, REASON, "cascade")
            },
            attempt: 2,
            provisional: true,
            escalation: None,
            answer_by: None,
            ..before
        };
        assert_eq!(after, expected);
        assert_eq!(cloud.traceparent.trace_id(), edge.traceparent.trace_id());
        assert_ne!(cloud.traceparent, edge.traceparent);
        let rest = Envelope {
            traceparent: edge.traceparent,
            sent_at: now,
            prepared: edge.prepared.clone(),
            ..cloud
        };
        assert_eq!(rest, Envelope { sent_at: now, ..edge });
    }

    #[test]
    fn an_audit_stays_one() {
        let mut edge = envelope(Some(BELOW_HALF));
        edge.prepared.as_mut().unwrap().decision.reason = AUDITED.into();
        let cloud = to_the_cloud(&edge, edge.sent_at).prepared.unwrap();
        assert_eq!((cloud.decision.reason.as_str(), cloud.provisional), ("audit", true));
    }

    #[test]
    fn the_cloud_has_as_long_to_begin_as_the_edge_had() {
        let mut edge = envelope(Some(BELOW_HALF));
        edge.prepared.as_mut().unwrap().answer_by = Some(edge.sent_at + Duration::from_millis(700));
        let now = edge.sent_at + Duration::from_secs(3);
        let answer_by = to_the_cloud(&edge, now).prepared.unwrap().answer_by;
        assert_eq!(answer_by, Some(now + Duration::from_millis(700)));
    }
}
