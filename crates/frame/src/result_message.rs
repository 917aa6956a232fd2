//! A result as it travels on the results topic.

use crate::{
    CameraId, Envelope, FrameId, FrameResult, Problem, ServedBy, Status, TraceParent, headers,
};

/// A result with its message's key and headers.
#[derive(Clone, PartialEq, Debug)]
pub struct ResultMessage {
    /// The Kafka key: that of the frame, so that a camera's results stay in order.
    pub key: String,
    /// Enough to find the frame again without reading the JSON.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Who sends it, as the headers tell; `None` when the frame's trace is not known.
    pub traceparent: Option<TraceParent>,
    /// The value.
    pub result: FrameResult,
}

impl ResultMessage {
    /// The result of a frame.
    #[must_use]
    pub fn of(envelope: &Envelope, result: FrameResult) -> Self {
        let traceparent = envelope.traceparent.child();
        let headers = envelope.result_headers(traceparent);
        Self { key: envelope.key(), headers, traceparent: Some(traceparent), result }
    }

    /// The `failed` result of a message whose headers do not make an envelope; `None` when they do
    /// not even tell which frame it is, because then nobody can be waiting for it.
    #[must_use]
    pub fn of_unreadable(
        list: &[(String, Vec<u8>)],
        reason: &str,
        served_by: ServedBy,
    ) -> Option<Self> {
        let text = |wanted: &str| {
            let found = list.iter().rev().find(|(name, _)| name == wanted);
            found.and_then(|(_, value)| std::str::from_utf8(value).ok())
        };
        let frame_id: FrameId = text(headers::FRAME_ID)?.parse().ok()?;
        let camera: CameraId = text(headers::CAMERA)
            .and_then(|name| name.parse().ok())
            .unwrap_or_else(CameraId::unnamed);
        let own_headers =
            [(headers::FRAME_ID, frame_id.to_string()), (headers::CAMERA, camera.to_string())];
        let sequence = text(headers::SEQUENCE).and_then(|number| number.parse().ok()).unwrap_or(0);
        let result = FrameResult {
            error: Some(Problem::malformed_message(reason)),
            served_by,
            ..FrameResult::new(frame_id, camera.clone(), sequence, Status::Failed)
        };
        Some(Self {
            key: camera.key_of(frame_id),
            headers: own_headers
                .map(|(name, value)| (name.to_owned(), value.into_bytes()))
                .to_vec(),
            traceparent: None,
            result,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_that_tells_its_frame_gets_a_result() {
        let id = FrameId::fresh();
        let list = vec![
            (headers::FRAME_ID.to_owned(), id.to_string().into_bytes()),
            ("mlvi-camera".to_owned(), b"gate".to_vec()),
        ];
        let message =
            ResultMessage::of_unreadable(&list, "header 'x' is missing", ServedBy::default())
                .unwrap();
        assert_eq!(
            (message.key.as_str(), message.result.frame_id, message.result.status),
            ("gate", id, Status::Failed)
        );
        assert!(message.result.error.unwrap().detail.contains("header 'x'"));
        assert_eq!(ResultMessage::of_unreadable(&list[1..], "", ServedBy::default()), None);
    }
}
