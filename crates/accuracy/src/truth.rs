//! What is really in an image.

use frame::{BoundingBox, Detection};

/// The objects of an image.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Truth {
    /// In the order of the label file.
    pub objects: Vec<Object>,
}

/// A labelled object.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Object {
    /// The class by its index in the model's list of names.
    pub class_id: u32,
    /// In pixels of the image.
    pub bounding_box: BoundingBox,
    /// Whether it is a crowd that was labelled as one: it need not be found, and finding it is no
    /// mistake.
    pub crowd: bool,
}

impl Truth {
    /// What another model found, taken for the truth.
    #[must_use]
    pub fn of_detections(detections: &[Detection]) -> Self {
        let object = |found: &Detection| Object {
            class_id: found.class_id,
            bounding_box: found.bounding_box,
            crowd: false,
        };
        Self { objects: detections.iter().map(object).collect() }
    }
}
