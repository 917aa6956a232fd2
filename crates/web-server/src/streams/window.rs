//! The bytes of a stream that are looked at.

use bytes::{Buf, Bytes, BytesMut};

/// A smaller frame is copied, so that it does not keep the chunk (up to 64 KiB) that it came in.
const SMALL: usize = 16 * 1024;
/// A frame that came in several chunks is copied out of memory that is more than so many times as
/// large: whoever counts what is held counts frames' bytes.
const MOST_TIMES: usize = 2;

/// Bytes without a gap. A chunk is looked at where it lies; only what is left of it when the next
/// one comes is copied, once.
#[derive(Debug)]
pub(super) enum Window {
    Chunk(Bytes),
    Joined(BytesMut),
}

impl Default for Window {
    fn default() -> Self {
        Self::Chunk(Bytes::new())
    }
}

impl Window {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Chunk(chunk) => chunk,
            Self::Joined(joined) => joined,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Adds a chunk behind; `expected` is how many bytes there will be in the end, as far as that
    /// can be told.
    pub(super) fn push(&mut self, chunk: Bytes, expected: usize) {
        match self {
            _ if self.len() == 0 => *self = Self::Chunk(chunk),
            Self::Chunk(rest) => {
                let length = rest.len() + chunk.len();
                let mut joined = BytesMut::with_capacity(expected.max(length));
                joined.extend_from_slice(rest);
                joined.extend_from_slice(&chunk);
                *self = Self::Joined(joined);
            }
            Self::Joined(joined) => joined.extend_from_slice(&chunk),
        }
    }

    /// Takes the first `count` bytes away.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        match self {
            Self::Chunk(chunk) if count < SMALL => {
                let taken = Bytes::copy_from_slice(&chunk[..count]);
                chunk.advance(count);
                taken
            }
            Self::Chunk(chunk) => chunk.split_to(count),
            Self::Joined(joined) => {
                let has_much_beside = joined.capacity() > MOST_TIMES * count;
                let taken = joined.split_to(count).freeze();
                let taken = if has_much_beside { Bytes::copy_from_slice(&taken) } else { taken };
                // what is left shares the memory of what was taken; it is the end of a chunk, and
                // shall not keep the whole frame
                *self = Self::Chunk(Bytes::copy_from_slice(joined));
                taken
            }
        }
    }

    /// Drops the first `count` bytes.
    pub(super) fn skip(&mut self, count: usize) {
        match self {
            Self::Chunk(chunk) => chunk.advance(count),
            Self::Joined(joined) if count == joined.len() => *self = Self::default(),
            Self::Joined(joined) => joined.advance(count),
        }
    }
}
