//! How the activations of an image lie in memory.

use crate::Size;

/// Values of a pixel are padded to a multiple of this, the filters of a panel.
const GROUP: usize = 16;
/// Bytes of an image's pixel: up to four channels.
const IMAGE: usize = 4;

/// Pixels row by row, the channels of a pixel next to each other, with a border of pixels around
/// them, so that a convolution needs no special case at the edges.
///
/// The border's bytes and those beyond a pixel's channels mean zero, and nothing relies on the
/// latter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    size: Size,
    stride: usize,
    border: usize,
}

impl Layout {
    /// Of a layer's output.
    #[must_use]
    pub fn of_layer(channels: usize, size: Size, border: usize) -> Self {
        Self { size, stride: channels.next_multiple_of(GROUP), border }
    }

    /// Of an image of at most four channels.
    #[must_use]
    pub fn of_image(size: Size, border: usize) -> Self {
        Self { size, stride: IMAGE, border }
    }

    /// Without the border.
    #[must_use]
    pub fn size(self) -> Size {
        self.size
    }

    /// Bytes from one pixel to the next.
    #[must_use]
    pub fn stride(self) -> usize {
        self.stride
    }

    /// Pixels on each side beyond the image.
    #[must_use]
    pub fn border(self) -> usize {
        self.border
    }

    /// Bytes from one row to the next.
    pub(super) fn row(self) -> usize {
        (self.size.width + 2 * self.border) * self.stride
    }

    /// Bytes of an image with its border.
    #[must_use]
    pub fn bytes(self) -> usize {
        (self.size.height + 2 * self.border) * self.row()
    }

    /// Where a pixel of the image begins.
    pub(super) fn at(self, y: usize, x: usize) -> usize {
        (y + self.border) * self.row() + (x + self.border) * self.stride
    }

    /// The bytes of a row without its border.
    pub(super) fn row_at(self, y: usize) -> std::ops::Range<usize> {
        let start = self.at(y, 0);
        start..start + self.size.width * self.stride
    }

    /// Fills the border.
    pub(super) fn surround(self, bytes: &mut [u8], zero: u8) {
        if self.border == 0 {
            return;
        }
        let side = self.border * self.stride;
        let edge = self.border * self.row();
        bytes[..edge + side].fill(zero);
        for y in 1..self.size.height {
            let start = self.at(y, 0);
            // the right edge of the row before and the left one of this row
            bytes[start - 2 * side..start].fill(zero);
        }
        let end = bytes.len() - edge - side;
        bytes[end..].fill(zero);
    }
}
