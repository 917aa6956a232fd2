//! The linear model of what a second inference in the cloud is worth.
//!
//! Ranking frames by the gain that is estimated from the boxes which the edge's model was not sure
//! of is ORIC's idea (Xu et al., "Offloading at the edge by ranking images", SEC 2024,
//! <https://arxiv.org/abs/2410.18919>). Which features it takes was found by trying many on photos
//! of COCO, YOLOv3-tiny at 320 x 320 against 608 x 608: what counts most is how many classes there
//! may be and how unsure the edge is of each of them, not how many boxes.

use super::{EdgeDetections, probability, share_of};

/// The weights of a regression: a constant and one for each feature.
pub const WEIGHTS: usize = 1 + TERMS;
pub(super) const TERMS: usize = 5;

/// A linear model of the gain, in the units that it was fitted on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Regression {
    /// What is expected of a frame whose features are all 0; then, for each class that was seen,
    /// the root of the sum of p(1 - p) over its boxes, added up; the number of classes; the
    /// number of boxes of the class that has most; the root of the largest box's share of the
    /// image; the highest confidence.
    pub weights: [f32; WEIGHTS],
}

impl Regression {
    /// The expected gain.
    #[must_use]
    pub fn predict(&self, seen: &EdgeDetections<'_>) -> f64 {
        let [constant, weights @ ..] = &self.weights;
        let parts = weights
            .iter()
            .zip(features(seen))
            .map(|(weight, feature)| f64::from(*weight) * feature);
        f64::from(*constant) + parts.sum::<f64>()
    }
}

/// What was seen, as numbers; each from 0 on, and 0 where nothing was seen.
pub(super) fn features(seen: &EdgeDetections<'_>) -> [f64; TERMS] {
    /// What was seen of a class.
    struct Class {
        id: u32,
        boxes: usize,
        /// The sum of p(1 - p), which is largest where it may as well be as not.
        doubt: f64,
    }
    let mut classes: Vec<Class> = Vec::new();
    let (mut largest, mut surest) = (0.0f64, 0.0f64);
    for found in seen.confident.iter().chain(seen.weak) {
        let p = probability(found.confidence);
        surest = surest.max(p);
        largest = largest.max(share_of(found, seen.image));
        // there are a handful of classes in an image, so a search is quicker than a map
        let place =
            classes.iter().position(|class| class.id == found.class_id).unwrap_or_else(|| {
                classes.push(Class { id: found.class_id, boxes: 0, doubt: 0.0 });
                classes.len() - 1
            });
        classes[place].boxes += 1;
        classes[place].doubt += p * (1.0 - p);
    }
    let doubt: f64 = classes.iter().map(|class| class.doubt.sqrt()).sum();
    let most = classes.iter().map(|class| class.boxes).max().unwrap_or(0);
    [doubt, classes.len() as f64, most as f64, largest.sqrt(), surest]
}
