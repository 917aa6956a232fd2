//! WebP: its RIFF header (RFC 9649).

use crate::{Limits, VisionError};
use frame::ImageSize;
use image::ImageDecoder;
use image::codecs::webp::WebPDecoder;
use std::io::Cursor;

/// The size as stored; refuses a file that is shorter than its header says.
pub(crate) fn outline(bytes: &[u8], limits: &Limits) -> Result<ImageSize, VisionError> {
    let [_, _, _, _, s0, s1, s2, s3, ..] = bytes else { return Err(VisionError::Truncated) };
    let announced = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
    if announced.saturating_add(8) > bytes.len() {
        return Err(VisionError::Truncated);
    }
    // reads the chunks' headers only
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(crate::decode::translate)?;
    let (width, height) = decoder.dimensions();
    let size = ImageSize { width, height };
    limits.check(size)?;
    Ok(size)
}
