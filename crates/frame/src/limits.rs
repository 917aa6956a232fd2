//! The sizes that producer, topic, broker, consumer and intake agree on.

/// The largest encoded frame that is accepted anywhere, in bytes (8 MiB).
pub const MAX_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// The largest Kafka message, in bytes: a frame plus room for its key, headers and record framing.
pub const MAX_MESSAGE_BYTES: usize = MAX_FRAME_BYTES + 64 * 1024;

/// The largest decoded image that is accepted unless configured otherwise, in pixels (25
/// megapixels).
pub const DEFAULT_MAX_PIXELS: u64 = 25_000_000;
