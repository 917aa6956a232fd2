//! How far two models agree, when there are no labels.

use crate::{Truth, judge};
use frame::Detection;
use std::iter::Sum;
use std::ops::Add;

/// What was found against what another model found; sums up over images.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Agreement {
    /// Found by both: the same class, with an overlap of at least 0.5.
    pub both: usize,
    /// Found by the model that is judged.
    pub found: usize,
    /// Found by the model that is taken for right.
    pub wanted: usize,
}

/// Holds detections against those of a model that is taken for right, as [`judge`] does against
/// labels; at most 100 of each class count.
#[must_use]
pub fn agreement(right: &[Detection], detections: &[Detection]) -> Agreement {
    let judged = judge(&Truth::of_detections(right), detections);
    let marks = judged.at_half(0.0);
    let (both, found) =
        marks.fold((0, 0), |(both, found), (_, hit)| (both + usize::from(hit), found + 1));
    Agreement { both, found, wanted: right.len() }
}

impl Agreement {
    /// Twice what both found over all that either found, from 0 to 1: the harmonic mean of
    /// precision and recall. 1 when neither found anything.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let all = self.found + self.wanted;
        if all == 0 { 1.0 } else { 2.0 * self.both as f64 / all as f64 }
    }

    /// How many boxes have no match: those that are wrong, and those that are missing.
    #[must_use]
    pub fn wrong(&self) -> usize {
        (self.found + self.wanted).saturating_sub(2 * self.both)
    }
}

impl Add for Agreement {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            both: self.both + other.both,
            found: self.found + other.found,
            wanted: self.wanted + other.wanted,
        }
    }
}

impl Sum for Agreement {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::BoundingBox;
    use proptest::prelude::*;

    fn found(class_id: u32, x: f32) -> Detection {
        let bounding_box = BoundingBox { x, y: 0.0, width: 10.0, height: 10.0 };
        Detection { class: String::new(), class_id, confidence: 0.5, bounding_box, zones: None }
    }

    #[test]
    fn classes_and_places_must_agree() {
        let right = [found(1, 0.0), found(2, 50.0)];
        assert_eq!(
            agreement(&right, &[found(1, 1.0), found(1, 50.0), found(2, 90.0)]),
            Agreement { both: 1, found: 3, wanted: 2 }
        );
        assert_eq!(agreement(&[], &[]).f1(), 1.0);
        assert_eq!(agreement(&right, &[]).f1(), 0.0);
        let sum: Agreement = [agreement(&right, &right), agreement(&right, &[])].into_iter().sum();
        assert!((sum.f1() - 4.0 / 6.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_model_agrees_with_itself(places in prop::collection::vec((0u32..3, 0u8..9), 0..20)) {
            let all = places.iter().map(|(class, place)| found(*class, 100.0 * f32::from(*place)));
            let all: Vec<Detection> = all.collect();
            prop_assert_eq!(agreement(&all, &all).f1(), 1.0);
        }
    }
}
