//! What is drawn.

use frame::{BoundingBox, Detection, ImageSize};
use std::fmt::Write;

/// A box with its label.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    /// In pixels of the picture that is drawn on; may stick out, and have any numbers.
    pub bounding_box: BoundingBox,
    /// Chooses the colour.
    pub class_id: u32,
    /// The label, any text; control characters become spaces. No tag is drawn when it is empty.
    pub text: String,
}

/// The marks of detections whose boxes are in pixels of a picture of the size `of`, on the same
/// picture at the size `on`. Labels are the class and the confidence in per cent.
#[must_use]
pub fn marks(detections: &[Detection], of: ImageSize, on: ImageSize) -> Vec<Mark> {
    let horizontal = on.width as f32 / of.width.max(1) as f32;
    let vertical = on.height as f32 / of.height.max(1) as f32;
    let mark = |detection: &Detection| {
        let mut text = detection.class.clone();
        // writing to a string does not fail
        let _ = write!(text, " {:.0} %", detection.confidence * 100.0);
        Mark {
            bounding_box: detection.bounding_box.scaled(horizontal, vertical),
            class_id: detection.class_id,
            text,
        }
    };
    detections.iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_class_and_confidence_and_boxes_are_scaled() {
        let bounding_box = BoundingBox { x: 10.0, y: 20.0, width: 30.0, height: 40.0 };
        let cup = Detection {
            class: "cup".into(),
            class_id: 41,
            confidence: 0.621,
            bounding_box,
            zones: None,
        };
        let size = |width, height| ImageSize { width, height };
        let found = marks(&[cup], size(600, 400), size(300, 100));
        let half = BoundingBox { x: 5.0, y: 5.0, width: 15.0, height: 10.0 };
        assert_eq!(found, [Mark { bounding_box: half, class_id: 41, text: "cup 62 %".into() }]);
    }
}
