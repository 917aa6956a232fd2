//! Dead letters: what could not be processed, with everything that is needed to examine it or to
//! send it again.

use crate::message::Message;
use frame::headers;

/// The headers of the message, and why and from where it came here. Headers of an earlier dead
/// letter are replaced.
pub(crate) fn headers_of(message: &Message, reason: &str) -> Vec<(String, Vec<u8>)> {
    let added = [
        (headers::ERROR, reason.to_owned()),
        (headers::SOURCE_TOPIC, message.topic.clone()),
        (headers::SOURCE_PARTITION, message.partition.to_string()),
        (headers::SOURCE_OFFSET, message.offset.to_string()),
    ];
    let is_added = |name: &str| added.iter().any(|(added, _)| *added == name);
    let kept = message.headers.iter().filter(|(name, _)| !is_added(name)).cloned();
    kept.chain(added.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_and_the_source_are_added_once() {
        let message = Message {
            topic: "frames".into(),
            partition: 3,
            offset: 42,
            key: None,
            payload: vec![],
            headers: vec![("a".into(), b"1".to_vec()), (headers::ERROR.into(), b"old".to_vec())],
            timestamp_ms: None,
        };
        let expected = [
            ("a", "1"),
            (headers::ERROR, "broken"),
            (headers::SOURCE_TOPIC, "frames"),
            (headers::SOURCE_PARTITION, "3"),
            (headers::SOURCE_OFFSET, "42"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(headers_of(&message, "broken"), expected);
    }
}
