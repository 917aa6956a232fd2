//! How large an image may be.

use crate::VisionError;
use frame::{DEFAULT_MAX_PIXELS, ImageSize};

/// What an image may cost at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The most pixels, width × height. Decoding takes about 3 bytes for each, about 9 for a JPEG
    /// that is progressive or has its colours in scans apart, and at most 15 (such a JPEG in
    /// four colours).
    pub max_pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: DEFAULT_MAX_PIXELS }
    }
}

impl Limits {
    /// Called before anything is allocated for pixels.
    pub(crate) fn check(&self, size: ImageSize) -> Result<(), VisionError> {
        let ImageSize { width, height } = size;
        if width == 0 || height == 0 {
            return Err(VisionError::corrupt("it has no pixels"));
        }
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(VisionError::TooManyPixels { width, height, limit: self.max_pixels });
        }
        Ok(())
    }
}
