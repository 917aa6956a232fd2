//! A decoded image.

use crate::ImageSize;

/// 8-bit RGB pixels, interleaved, row by row from the top, without padding: `width × height × 3`
/// bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    size: ImageSize,
    data: Vec<u8>,
}

impl RgbImage {
    /// `None` unless `data` has exactly `width × height × 3` bytes and at least one pixel.
    #[must_use]
    pub fn new(size: ImageSize, data: Vec<u8>) -> Option<Self> {
        let expected = (size.width as usize).checked_mul(size.height as usize)?.checked_mul(3)?;
        (expected > 0 && data.len() == expected).then_some(Self { size, data })
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// Pixels from left to right, at least 1.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.size.width
    }

    /// Pixels from top to bottom, at least 1.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.size.height
    }

    /// The bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes, to be changed.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The bytes, given away.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}

impl std::fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbImage({}x{})", self.size.width, self.size.height)
    }
}
