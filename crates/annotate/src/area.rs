//! A rectangle of whole pixels.

use frame::{BoundingBox, ImageSize};

/// Columns `left..right` and rows `top..bottom`, all of them in the picture, at least one pixel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Area {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) right: u32,
    pub(crate) bottom: u32,
}

impl Area {
    /// Every pixel that the box touches; `None` when it has no area in the picture.
    pub(crate) fn of(bounding_box: &BoundingBox, picture: ImageSize) -> Option<Self> {
        let BoundingBox { x, y, width, height } = crate::clip(bounding_box, picture);
        // both casts saturate, and numbers beyond 2^24 are whole already
        let area = Self {
            left: x.floor() as u32,
            top: y.floor() as u32,
            right: ((x + width).ceil() as u32).min(picture.width),
            bottom: ((y + height).ceil() as u32).min(picture.height),
        };
        (width > 0.0 && height > 0.0 && area.left < area.right && area.top < area.bottom)
            .then_some(area)
    }

    pub(crate) fn width(&self) -> u32 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> u32 {
        self.bottom - self.top
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, x: u32, y: u32) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }
}
