//! What a model found in a frame.

use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImageSize {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// An axis-aligned box in pixels of the uploaded image (after its EXIF orientation is applied);
/// `x`, `y` is the top left corner.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge, pixels; may be negative when the object is cut off.
    pub x: f32,
    /// Top edge, pixels; may be negative when the object is cut off.
    pub y: f32,
    /// Pixels from left to right.
    pub width: f32,
    /// Pixels from top to bottom.
    pub height: f32,
}

impl BoundingBox {
    /// From the centre and the size, all in pixels.
    #[must_use]
    pub fn from_center(center_x: f32, center_y: f32, width: f32, height: f32) -> Self {
        Self { x: center_x - width / 2.0, y: center_y - height / 2.0, width, height }
    }

    /// Intersection over union with another box, 0 to 1; 0 when either has no area.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let overlap = |start_a: f32, len_a: f32, start_b: f32, len_b: f32| {
            ((start_a + len_a).min(start_b + len_b) - start_a.max(start_b)).max(0.0)
        };
        let intersection = overlap(self.x, self.width, other.x, other.width)
            * overlap(self.y, self.height, other.y, other.height);
        let union = self.width * self.height + other.width * other.height - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }

    /// The same box with every coordinate multiplied, horizontally and vertically.
    #[must_use]
    pub fn scaled(&self, horizontal: f32, vertical: f32) -> Self {
        Self {
            x: self.x * horizontal,
            y: self.y * vertical,
            width: self.width * horizontal,
            height: self.height * vertical,
        }
    }
}

/// One object that a model found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Detection {
    /// The class by name, e.g. `dog`.
    pub class: String,
    /// The class by its index in the model's list of names.
    pub class_id: u32,
    /// Objectness × class probability, 0 to 1.
    pub confidence: f32,
    /// Where it is.
    #[serde(rename = "box")]
    pub bounding_box: BoundingBox,
    /// The names of the zones in which it is; `None` when its camera has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<String>>,
}
