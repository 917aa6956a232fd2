//! The measure that the cloud's answers teach: in how many boxes they are expected to be better.

use super::measured::{UNFITTED, all_features};
use super::{EdgeDetections, FEATURES};

/// The weights of a learned measure: a constant and one for each feature.
pub const LEARNED: usize = 1 + FEATURES;

/// A linear function of a frame's features ([`Measured::features`](super::Measured)).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Learned {
    /// What is expected of a frame whose features are all 0; then a weight for each feature.
    pub weights: [f32; LEARNED],
}

impl Learned {
    /// What it is before there is any lesson: the measure that nobody has to fit.
    pub const UNFITTED: Self = {
        let mut weights = [0.0; LEARNED];
        weights[1 + UNFITTED] = 1.0;
        Self { weights }
    };

    /// In how many boxes the cloud's answer is expected to be better, by what was told of a frame.
    #[must_use]
    pub fn expected(&self, features: &[f32; FEATURES]) -> f64 {
        let [constant, weights @ ..] = &self.weights;
        let parts = weights.iter().zip(features).map(|(a, b)| f64::from(*a) * f64::from(*b));
        f64::from(*constant) + parts.sum::<f64>()
    }

    /// The same of what the edge has just seen, to the digits that are told.
    #[must_use]
    pub(super) fn predict(&self, seen: &EdgeDetections<'_>) -> f64 {
        self.expected(&all_features(seen))
    }

    /// Of a frame in which nothing was seen.
    pub(super) fn of_nothing(&self) -> f64 {
        f64::from(self.weights[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hardness;
    use crate::hardness::tests::{detection, seen};

    #[test]
    fn without_lessons_it_is_the_default_measure_and_a_weight_tells_on_what_it_weighs() {
        let (found, weak) = ([detection(1, 0.75), detection(9, 0.5)], [detection(2, 0.25)]);
        let (something, nothing) = (seen(&found, &weak), seen(&[], &[]));
        let by = |text: &str| -> Hardness { text.parse().unwrap() };
        let unfitted = by("uncertainty(weak small class)>=0").score(&something);
        assert!((by("learned>=0").score(&something) - unfitted).abs() < 1e-3 * unfitted);
        assert_eq!(by("learned>=0").score(&nothing), 0.0);
        let mut weights = Learned::UNFITTED.weights;
        // two detections are of classes that leave 1
        (weights[0], weights[1 + UNFITTED + 2]) = (-0.5, 3.0);
        let taught = Learned { weights };
        let difference = taught.predict(&something) - Learned::UNFITTED.predict(&something);
        assert!((difference - 5.5).abs() < 1e-6, "{difference}");
        let numbers: Vec<String> = weights.iter().map(ToString::to_string).collect();
        let text = format!("learned({})>=0.25", numbers.join(" "));
        assert!(text.len() < 500, "it travels with each frame: {text}");
        let travels = by(&text);
        assert_eq!(travels.to_string().parse(), Ok(travels.clone()));
        let measured = travels.measured(&something);
        assert_eq!(measured.score, Some(taught.expected(&measured.features.unwrap())));
        // an empty frame is worth the constant, also by what is told of it
        assert_eq!((travels.is_hard(&nothing), travels.is_hard_by(None)), (false, false));
        assert!(Hardness { threshold: -0.5, ..travels }.is_hard_by(None));
    }
}
