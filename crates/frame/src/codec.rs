//! The envelope as Kafka headers, and back.

use crate::{
    CameraId, Decision, Envelope, FrameId, ImageFormat, ImageSize, Order, Origin, Predicted,
    Prepared, Timestamp, TraceParent, UploadTimings, Zones,
};
use std::fmt::Display;
use std::str::FromStr;

/// The names of the headers.
pub mod headers {
    #![allow(
        missing_docs,
        reason = "each constant is its own description; ARCHITECTURE.md has the table"
    )]
    pub const FRAME_ID: &str = "mlvi-frame-id";
    pub const CAMERA: &str = "mlvi-camera";
    pub const SEQUENCE: &str = "mlvi-sequence";
    pub const CAPTURED_AT: &str = "mlvi-captured-at";
    pub const RECEIVED_AT: &str = "mlvi-received-at";
    pub const SENT_AT: &str = "mlvi-sent-at";
    pub const DEADLINE: &str = "mlvi-deadline";
    pub const CONTENT_TYPE: &str = "content-type";
    pub const TRACEPARENT: &str = "traceparent";
    pub const UPLOAD_MS: &str = "mlvi-upload-ms";
    pub const WIDTH: &str = "mlvi-original-width";
    pub const HEIGHT: &str = "mlvi-original-height";
    pub const DESTINATION: &str = "mlvi-destination";
    pub const REASON: &str = "mlvi-decision-reason";
    pub const POLICY: &str = "mlvi-decision-policy";
    pub const CONTRACT: &str = "mlvi-contract";
    pub const PREDICTED_EDGE_MS: &str = "mlvi-predicted-edge-ms";
    pub const PREDICTED_CLOUD_MS: &str = "mlvi-predicted-cloud-ms";
    pub const DECIDED_AT: &str = "mlvi-decided-at";
    pub const ATTEMPT: &str = "mlvi-attempt";
    pub const ANSWER_BY: &str = "mlvi-answer-by";
    pub const ESCALATION: &str = "mlvi-escalation";
    pub const PROVISIONAL: &str = "mlvi-provisional";
    pub const ORDER: &str = "mlvi-order";
    pub const WEIGHT: &str = "mlvi-weight";
    pub const QUEUE_FRAMES_MS: &str = "mlvi-queue-frames-ms";
    pub const PREPROCESS_MS: &str = "mlvi-preprocess-ms";
    pub const ORIGIN_PARTITION: &str = "mlvi-origin-partition";
    pub const ORIGIN_OFFSET: &str = "mlvi-origin-offset";
    pub const ZONES: &str = "mlvi-zones";
    pub const ERROR: &str = "mlvi-error";
    pub const SOURCE_TOPIC: &str = "mlvi-source-topic";
    pub const SOURCE_PARTITION: &str = "mlvi-source-partition";
    pub const SOURCE_OFFSET: &str = "mlvi-source-offset";
}

/// Headers that do not make an envelope.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A header that every frame carries is not there.
    #[error("header '{0}' is missing")]
    Missing(&'static str),
    /// A header's value cannot be read.
    #[error("header '{name}' has the unreadable value '{value}'")]
    Unreadable {
        /// Which header.
        name: &'static str,
        /// Its value, as far as it is text.
        value: String,
    },
}

impl Envelope {
    /// Every fact as a header; values are text.
    #[must_use]
    pub fn to_headers(&self) -> Vec<(String, Vec<u8>)> {
        let mut list = Vec::with_capacity(20);
        let mut put = |name: &str, value: &dyn Display| {
            list.push((name.to_owned(), value.to_string().into_bytes()))
        };
        put(headers::FRAME_ID, &self.frame_id);
        put(headers::CAMERA, &self.camera);
        put(headers::SEQUENCE, &self.sequence);
        if let Some(captured_at) = self.captured_at {
            put(headers::CAPTURED_AT, &captured_at);
        }
        put(headers::RECEIVED_AT, &self.received_at);
        put(headers::SENT_AT, &self.sent_at);
        if let Some(deadline) = self.deadline {
            put(headers::DEADLINE, &deadline);
        }
        put(headers::CONTENT_TYPE, &self.format);
        put(headers::TRACEPARENT, &self.traceparent);
        put(headers::UPLOAD_MS, &self.upload.upload_ms);
        if let Some(prepared) = &self.prepared {
            put(headers::WIDTH, &prepared.image.width);
            put(headers::HEIGHT, &prepared.image.height);
            put(headers::DESTINATION, &prepared.decision.destination);
            put(headers::REASON, &prepared.decision.reason);
            put(headers::POLICY, &prepared.decision.policy);
            if let Some(contract) = &prepared.decision.contract {
                put(headers::CONTRACT, contract);
            }
            if let Some(edge_ms) = prepared.decision.predicted_ms.edge {
                put(headers::PREDICTED_EDGE_MS, &edge_ms);
            }
            if let Some(cloud_ms) = prepared.decision.predicted_ms.cloud {
                put(headers::PREDICTED_CLOUD_MS, &cloud_ms);
            }
            put(headers::DECIDED_AT, &prepared.decided_at);
            put(headers::ATTEMPT, &prepared.attempt);
            if let Some(answer_by) = prepared.answer_by {
                put(headers::ANSWER_BY, &answer_by);
            }
            if let Some(escalation) = &prepared.escalation {
                put(headers::ESCALATION, escalation);
            }
            if prepared.provisional {
                put(headers::PROVISIONAL, &true);
            }
            if prepared.order != Order::default() {
                put(headers::ORDER, &prepared.order);
            }
            if prepared.weight != 1 {
                put(headers::WEIGHT, &prepared.weight);
            }
            put(headers::QUEUE_FRAMES_MS, &prepared.queue_frames_ms);
            put(headers::PREPROCESS_MS, &prepared.preprocess_ms);
            if let Some(origin) = prepared.origin {
                put(headers::ORIGIN_PARTITION, &origin.partition);
                put(headers::ORIGIN_OFFSET, &origin.offset);
            }
            if let Some(zones) = &prepared.zones {
                put(headers::ZONES, zones);
            }
        }
        list
    }

    /// The headers of this frame's result, which `traceparent` sends: enough to find the frame again
    /// without reading the JSON.
    #[must_use]
    pub fn result_headers(&self, traceparent: TraceParent) -> Vec<(String, Vec<u8>)> {
        let mut list = Self { traceparent, ..self.clone() }.to_headers();
        let kept = [
            headers::FRAME_ID,
            headers::CAMERA,
            headers::TRACEPARENT,
            headers::ORIGIN_PARTITION,
            headers::ORIGIN_OFFSET,
        ];
        list.retain(|(name, _)| kept.contains(&name.as_str()));
        list
    }

    /// Reads the envelope off a message's headers; headers that are not ours are passed over, of
    /// repeated ones the last counts.
    ///
    /// # Errors
    /// Names the first header that is missing or unreadable.
    pub fn from_headers<'a>(
        list: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HeaderError> {
        let fields = Fields(list.into_iter().collect());
        Ok(Self {
            frame_id: fields.required::<FrameId>(headers::FRAME_ID)?,
            camera: fields.required::<CameraId>(headers::CAMERA)?,
            sequence: fields.required(headers::SEQUENCE)?,
            captured_at: fields.optional(headers::CAPTURED_AT)?.map(Timestamp::from_micros),
            received_at: Timestamp::from_micros(fields.required(headers::RECEIVED_AT)?),
            sent_at: Timestamp::from_micros(fields.required(headers::SENT_AT)?),
            deadline: fields.optional(headers::DEADLINE)?.map(Timestamp::from_micros),
            format: fields.format()?,
            traceparent: fields.required::<TraceParent>(headers::TRACEPARENT)?,
            upload: UploadTimings { upload_ms: fields.milliseconds(headers::UPLOAD_MS)? },
            prepared: fields.prepared()?,
        })
    }
}

struct Fields<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Fields<'a> {
    fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn optional<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, HeaderError> {
        let Some(bytes) = self.bytes(name) else { return Ok(None) };
        let parsed = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        parsed.map(Some).ok_or_else(|| Self::unreadable(name, bytes))
    }

    fn required<T: FromStr>(&self, name: &'static str) -> Result<T, HeaderError> {
        self.optional(name)?.ok_or(HeaderError::Missing(name))
    }

    fn milliseconds(&self, name: &'static str) -> Result<f64, HeaderError> {
        self.optional_milliseconds(name)?.ok_or(HeaderError::Missing(name))
    }

    fn optional_milliseconds(&self, name: &'static str) -> Result<Option<f64>, HeaderError> {
        match self.optional::<f64>(name)? {
            Some(value) if !(value.is_finite() && value >= 0.0) => {
                Err(Self::unreadable(name, value.to_string().as_bytes()))
            }
            value => Ok(value),
        }
    }

    fn format(&self) -> Result<ImageFormat, HeaderError> {
        let name = headers::CONTENT_TYPE;
        let text: String = self.required(name)?;
        ImageFormat::from_content_type(&text).ok_or_else(|| Self::unreadable(name, text.as_bytes()))
    }

    /// A frame is prepared when it says where it goes; then the rest must be there too.
    fn prepared(&self) -> Result<Option<Prepared>, HeaderError> {
        let Some(destination) = self.optional(headers::DESTINATION)? else { return Ok(None) };
        let origin = match (
            self.optional(headers::ORIGIN_PARTITION)?,
            self.optional(headers::ORIGIN_OFFSET)?,
        ) {
            (Some(partition), Some(offset)) => Some(Origin { partition, offset }),
            _ => None,
        };
        Ok(Some(Prepared {
            image: ImageSize {
                width: self.required(headers::WIDTH)?,
                height: self.required(headers::HEIGHT)?,
            },
            decision: Decision {
                destination,
                reason: self.required(headers::REASON)?,
                policy: self.required(headers::POLICY)?,
                contract: self.optional(headers::CONTRACT)?,
                predicted_ms: Predicted {
                    edge: self.optional_milliseconds(headers::PREDICTED_EDGE_MS)?,
                    cloud: self.optional_milliseconds(headers::PREDICTED_CLOUD_MS)?,
                },
                took_ms: None,
            },
            decided_at: Timestamp::from_micros(self.required(headers::DECIDED_AT)?),
            attempt: self.required(headers::ATTEMPT)?,
            answer_by: self.optional(headers::ANSWER_BY)?.map(Timestamp::from_micros),
            escalation: self.optional(headers::ESCALATION)?,
            provisional: self.optional(headers::PROVISIONAL)?.unwrap_or(false),
            order: self.optional(headers::ORDER)?.unwrap_or_default(),
            weight: self.optional(headers::WEIGHT)?.unwrap_or(1),
            queue_frames_ms: self.milliseconds(headers::QUEUE_FRAMES_MS)?,
            preprocess_ms: self.milliseconds(headers::PREPROCESS_MS)?,
            origin,
            zones: self.optional::<Zones>(headers::ZONES)?,
        }))
    }

    fn unreadable(name: &'static str, bytes: &[u8]) -> HeaderError {
        let mut value = String::from_utf8_lossy(bytes).into_owned();
        value.truncate(value.floor_char_boundary(80));
        HeaderError::Unreadable { name, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Destination, Point, Polygon, Zone};
    use proptest::prelude::*;

    fn borrowed(list: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
        list.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }

    prop_compose! {
        fn any_prepared()(
            width in 1u32.., height in 1u32.., cloud: bool,
            reason in "[a-z-]{0,20}", policy in "[a-z-]{1,20}",
            attempt: u32, queue_frames_ms in 0.0f64..1e9, preprocess_ms in 0.0f64..1e9,
            origin in prop::option::of((any::<i32>(), any::<i64>())),
            (edge, cloud_ms) in (prop::option::of(0.0f64..1e9), prop::option::of(0.0f64..1e9)),
            (decided_at, answer_by) in (any::<u64>(), prop::option::of(any::<u64>())),
            escalation in prop::option::of("[a-z0-9.,:<> -]{1,60}"), provisional: bool,
            zone in prop::option::of(("[^\\p{Cc}\\p{Z}]{1,20}", 0u32..=1000, 0u32..=1000)),
            (contract, newest, weight) in
                (prop::option::of("[a-z-]{1,20}"), any::<bool>(), any::<u32>()),
        ) -> Prepared {
            Prepared {
                image: ImageSize { width, height },
                decision: Decision {
                    predicted_ms: Predicted { edge, cloud: cloud_ms },
                    contract,
                    ..Decision::new(Destination::ALL[usize::from(cloud)], reason, policy)
                },
                decided_at: Timestamp::from_micros(decided_at),
                answer_by: answer_by.map(Timestamp::from_micros),
                escalation, provisional,
                order: if newest { Order::Newest } else { Order::InOrder },
                weight,
                attempt, queue_frames_ms, preprocess_ms,
                origin: origin.map(|(partition, offset)| Origin { partition, offset }),
                zones: zone.map(|(name, x, y)| {
                    // numbers of many digits may come back one bit off
                    let [x, y] = [x, y].map(|at| f64::from(at) / 1000.0);
                    let corners = [[x, y], [1.0, y], [x, 1.0]].map(Point::from);
                    let points = Polygon::new(corners.into()).expect("they are in the picture");
                    let name = name.try_into().expect("the pattern allows names only");
                    Zones(vec![Zone { name, points }])
                }),
            }
        }
    }

    prop_compose! {
        fn any_envelope()(
            camera in "[A-Za-z0-9._-]{1,64}", sequence: u64,
            captured_at in prop::option::of(any::<u64>()), received_at: u64, sent_at: u64,
            deadline in prop::option::of(any::<u64>()),
            format in prop::sample::select(ImageFormat::ALL.to_vec()), upload_ms in 0.0f64..1e9,
            prepared in prop::option::of(any_prepared()),
        ) -> Envelope {
            Envelope {
                frame_id: FrameId::fresh(),
                camera: camera.parse().expect("the pattern allows valid names only"),
                sequence,
                captured_at: captured_at.map(Timestamp::from_micros),
                received_at: Timestamp::from_micros(received_at),
                sent_at: Timestamp::from_micros(sent_at),
                deadline: deadline.map(Timestamp::from_micros),
                format,
                traceparent: TraceParent::root(),
                upload: UploadTimings { upload_ms },
                prepared,
            }
        }
    }

    proptest! {
        #[test]
        fn every_envelope_survives_a_round_trip(envelope in any_envelope()) {
            let list = envelope.to_headers();
            prop_assert_eq!(Envelope::from_headers(borrowed(&list)).unwrap(), envelope);
        }

        #[test]
        fn arbitrary_headers_never_panic(
            list in prop::collection::vec(
                ("[a-z-]{0,24}", prop::collection::vec(any::<u8>(), 0..40)),
                0..12,
            ),
        ) {
            let _ = Envelope::from_headers(borrowed(&list));
        }

        #[test]
        fn one_mangled_header_is_an_error_or_another_envelope(
            envelope in any_envelope(), which: prop::sample::Index,
            value in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut list = envelope.to_headers();
            let index = which.index(list.len());
            list[index].1 = value;
            let _ = Envelope::from_headers(borrowed(&list));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Envelope::from_headers([]), Err(HeaderError::Missing("mlvi-frame-id")));
        let id = FrameId::fresh().to_string();
        let list = [("mlvi-frame-id", id.as_bytes()), ("mlvi-camera", b"not a camera")];
        let error = Envelope::from_headers(list).unwrap_err();
        assert_eq!(
            error.to_string(),
            "header 'mlvi-camera' has the unreadable value 'not a camera'"
        );
    }
}
