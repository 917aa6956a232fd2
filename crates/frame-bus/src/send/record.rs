//! A message as the producer takes it.

use crate::message::Outgoing;
use bytes::Bytes;
use rdkafka::message::{Header, OwnedHeaders};

/// What the wire format adds to key, value and headers at most: the batch's header (61 bytes), a
/// record's fixed fields and lengths (36), and for each header two lengths (10). The sum is rounded
/// up for the former.
const FRAMING_BYTES: usize = 128;
const FRAMING_BYTES_PER_HEADER: usize = 10;

/// A message that may have to be sent again.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// `None` deletes the key from a compacted topic.
    pub(crate) payload: Option<Bytes>,
}

impl<P: Into<Bytes>> From<Outgoing<P>> for Record {
    fn from(out: Outgoing<P>) -> Self {
        Self {
            topic: out.topic,
            key: Some(out.key.into_bytes()),
            headers: out.headers,
            payload: Some(out.payload.into()),
        }
    }
}

impl Record {
    pub(crate) fn wire_bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + FRAMING_BYTES_PER_HEADER)
            .sum();
        FRAMING_BYTES + self.key.as_ref().map_or(0, Vec::len) + self.payload_len() + headers
    }

    pub(crate) fn payload_len(&self) -> usize {
        self.payload.as_ref().map_or(0, Bytes::len)
    }

    pub(crate) fn owned_headers(&self) -> OwnedHeaders {
        let empty = OwnedHeaders::new_with_capacity(self.headers.len());
        self.headers
            .iter()
            .fold(empty, |all, (name, value)| all.insert(Header { key: name, value: Some(value) }))
    }
}
