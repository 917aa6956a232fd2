//! Messages as they go out and come in.

use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers};

/// A message to send; its value is a `Vec<u8>`, or `Bytes` where others hold it, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing<P = Vec<u8>> {
    /// Where to.
    pub topic: String,
    /// Messages of one key stay in order (murmur2, as Java clients do it).
    pub key: String,
    /// Names and values, in order; a name may occur more than once.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The value.
    pub payload: P,
}

/// Where an acknowledged message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The partition of its topic.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

/// A message that was read. A null value or header value reads as empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was read.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
    /// The key, if it has one.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub payload: Vec<u8>,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// When it was sent, in milliseconds since the epoch, by the sender's clock.
    pub timestamp_ms: Option<i64>,
}

impl Message {
    /// The frame's envelope out of the headers.
    ///
    /// # Errors
    /// When a header is missing or unreadable.
    pub fn envelope(&self) -> Result<frame::Envelope, frame::HeaderError> {
        frame::Envelope::from_headers(
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())),
        )
    }

    /// Copies a message out of the client's memory, so that the client may free its fetch buffer.
    pub(crate) fn copy_of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                .collect()
        });
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().unwrap_or_default().to_vec(),
            headers,
            timestamp_ms: message.timestamp().to_millis(),
        }
    }
}
