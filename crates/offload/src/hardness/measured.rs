//! What the edge measured of a frame, as policies learn from it.

use super::features::{TERMS, features};
use super::{Aim, EdgeDetections, Hard, Hardness, Measure, probability};

/// How many features a frame has.
pub const FEATURES: usize = UNFITTED + 1 + CLASS_GROUPS;
/// What the features are and in which order, as a number: a change of either counts it up, since
/// weights that were learned of others would mean nothing.
pub const FEATURES_LAYOUT: u32 = 1;
/// The place of the measure that nobody has to fit.
pub(super) const UNFITTED: usize = TERMS + 5;
/// Classes are counted in so many groups.
const CLASS_GROUPS: usize = 8;

/// What the edge measured of a frame that it may send on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measured {
    /// How hard the frame was, as [`Hardness::score`] says; `None` when there was nothing that the
    /// measure measures, also for a sum over nothing.
    pub score: Option<f64>,
    /// What was seen, as numbers from 0 on; `None` when another release measured it. In this order:
    /// the terms of a [`Regression`](super::Regression) (per class the root of the sum of p(1 - p),
    /// added up; classes; boxes of the class that has most; the root of the largest box's share of
    /// the image; the highest confidence), then the detections that are expected to be wrong
    /// (the sum of 1 - p), the weak ones that are expected to be right (the sum of p), the sum of
    /// p(1 - p) over both, the number of detections, and that of weak ones; then the default
    /// measure, and the numbers of detections whose class, divided by 8, leaves 0, 1, … 7: which
    /// classes were seen, in a few numbers (feature hashing, Weinberger et al., ICML 2009).
    pub features: Option<[f32; FEATURES]>,
}

impl Hardness {
    /// Measures a frame.
    #[must_use]
    pub fn measured(&self, seen: &EdgeDetections<'_>) -> Measured {
        let nothing = seen.confident.is_empty() && seen.weak.is_empty();
        let value = self.measure.value(seen).filter(|_| !nothing);
        let score = value.map(|value| match self.measure.hard() {
            Hard::From => value,
            Hard::Below => 1.0 - value,
        });
        Measured { score, features: Some(all_features(seen)) }
    }
}

/// All of them, as they travel.
pub(super) fn all_features(seen: &EdgeDetections<'_>) -> [f32; FEATURES] {
    let confident = || seen.confident.iter().map(|found| probability(found.confidence));
    let weak = || seen.weak.iter().map(|found| probability(found.confidence));
    let own = [
        confident().map(|p| 1.0 - p).sum(),
        weak().sum(),
        confident().chain(weak()).map(|p| p * (1.0 - p)).sum(),
        seen.confident.len() as f64,
        seen.weak.len() as f64,
    ];
    let unfitted = match Aim::default().measure {
        Measure::Sum(sum) => sum.value(seen),
        _ => 0.0,
    };
    let mut groups = [0.0; CLASS_GROUPS];
    for found in seen.confident {
        groups[found.class_id as usize % CLASS_GROUPS] += 1.0;
    }
    let values = features(seen).into_iter().chain(own).chain([unfitted]).chain(groups);
    let mut all = [0.0; FEATURES];
    for (place, value) in all.iter_mut().zip(values) {
        *place = short(value);
    }
    all
}

/// As it travels in a result: four digits are plenty, and few bytes.
fn short(value: f64) -> f32 {
    format!("{value:.3e}").parse().unwrap_or_default()
}

impl From<Measured> for frame::Measured {
    fn from(measured: Measured) -> Self {
        let features = measured.features.map_or_else(Vec::new, |features| features.to_vec());
        Self { score: measured.score, features }
    }
}

impl From<&frame::Measured> for Measured {
    /// Features that are not as many, or no numbers, are passed over, and so is a score that is
    /// none.
    fn from(told: &frame::Measured) -> Self {
        let features = <[f32; FEATURES]>::try_from(told.features.as_slice()).ok();
        Self {
            score: told.score.filter(|score| score.is_finite()),
            features: features.filter(|all| all.iter().all(|feature| feature.is_finite())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardness::tests::{detection, seen};

    #[test]
    fn what_was_measured_comes_back_from_a_result() {
        let hardness: Hardness = "max-confidence<0.5,empty=easy".parse().unwrap();
        let (confident, weak) = ([detection(1, 0.75), detection(2, 0.5)], [detection(1, 0.25)]);
        let measured = hardness.measured(&seen(&confident, &weak));
        assert_eq!(measured.score, Some(0.25));
        let features = measured.features.unwrap();
        assert_eq!(features[TERMS..UNFITTED], [0.75, 0.25, 0.625, 2.0, 1.0]);
        assert_eq!(features[UNFITTED + 1..], [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!((features[1], features[4]), (2.0, 0.75));
        let told = frame::Measured::from(measured);
        assert_eq!(Measured::from(&told), measured);
    }

    #[test]
    fn what_another_release_tells_is_passed_over() {
        let told = frame::Measured { score: Some(0.5), features: vec![1.0; FEATURES + 1] };
        assert_eq!(Measured::from(&told), Measured { score: Some(0.5), features: None });
        let odd = frame::Measured { score: Some(f64::NAN), features: vec![f32::NAN; FEATURES] };
        assert_eq!(Measured::from(&odd), Measured { score: None, features: None });
    }

    #[test]
    fn nothing_has_no_score_and_features_of_0() {
        for text in [
            "mean-confidence<0.5,empty=hard",
            "mean-confidence<0.5,empty=easy",
            "uncertainty>=1,empty=hard",
            "uncertainty>=1,empty=easy",
        ] {
            let measured = text.parse::<Hardness>().unwrap().measured(&seen(&[], &[]));
            assert_eq!(measured, Measured { score: None, features: Some([0.0; FEATURES]) });
        }
    }
}
