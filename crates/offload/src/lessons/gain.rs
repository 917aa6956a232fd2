//! What sending a frame is worth, learned from the cloud's answers.
//!
//! The gain of a frame, in boxes that the edge got wrong or missed, is taken for a linear function
//! of what the edge measured. Its weights are those of least squares with forgetting, kept up to
//! date lesson by lesson (recursive least squares: Plackett, Biometrika 37, 1950; Ljung, *System
//! Identification*, 1999, chapter 11). They begin at the measure that nobody has to fit, which is
//! given up only as far as lessons speak against it. All cameras share them; what a camera adds of
//! its own is in [`Own`](super::Own).
//!
//! Lessons come from hard frames and from audits. A frame that had only a small chance to be sent
//! stands for the many like it that were not, so its lesson counts by the inverse of that chance
//! (Horvitz and Thompson, JASA 47, 1952), up to a bound that keeps single lessons from deciding
//! everything (Ionides, JCGS 17, 2008).

use crate::hardness::{FEATURES, LEARNED, Learned};

/// A constant and a weight for each feature.
pub(super) const TERMS: usize = LEARNED;
/// After so many lessons one counts for 1/e.
const LESSONS: f64 = 2_000.0;
/// How uncertain the first weights are: variance, in units of a single lesson's.
const UNSURE: f64 = 0.03;
/// How much less unsure weights are that were found again.
const FOUND_AGAIN: f64 = 0.25;
/// A lesson counts for at most so many.
const MOST: f64 = 4.0;
/// More boxes than this in one frame are no better a lesson.
const MOST_BOXES: f64 = 6.0;
/// No weight gets larger: beyond it numbers are out of hand, and everything begins anew.
const MOST_WEIGHT: f64 = 1e4;

/// What is known of the gain of all cameras' frames.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gain {
    /// The constant, then the features in the order of [`Measured`](crate::Measured).
    pub(super) weights: [f64; TERMS],
    /// How unsure they are, in units of a single lesson's variance.
    pub(super) unsure: [[f64; TERMS]; TERMS],
}

impl Default for Gain {
    fn default() -> Self {
        Self::at(&Learned::UNFITTED, UNSURE)
    }
}

impl Gain {
    fn at(measure: &Learned, variance: f64) -> Self {
        let unsure =
            std::array::from_fn(|a| std::array::from_fn(|b| if a == b { variance } else { 0.0 }));
        Self { weights: measure.weights.map(f64::from), unsure }
    }

    /// As it begins where others have learned this before.
    pub(super) fn found_again(measure: &Learned) -> Self {
        Self::at(measure, UNSURE * FOUND_AGAIN)
    }

    /// The measure as it stands now.
    pub(super) fn measure(&self) -> Learned {
        Learned { weights: self.weights.map(|weight| weight as f32) }
    }

    /// In how many boxes the cloud's answer is expected to be better.
    pub(super) fn expected(&self, features: &[f32; FEATURES]) -> f64 {
        dot(&self.weights, &terms(features))
    }

    /// The cloud's answer to a frame of these terms was better by `wanted` boxes. `chance` is the
    /// probability with which such a frame was sent, above 0 and up to 1.
    pub(super) fn learn(&mut self, terms: &[f64; TERMS], wanted: f64, chance: f64) {
        if !wanted.is_finite() || !terms.iter().all(|term| term.is_finite()) {
            return;
        }
        let counts = counts(chance);
        let along: [f64; TERMS] = std::array::from_fn(|row| dot(&self.unsure[row], terms));
        let spread = dot(&along, terms);
        if !(spread.is_finite() && spread >= 0.0) {
            // rounding has made nonsense of how unsure the weights are
            self.unsure = Self::default().unsure;
            return;
        }
        let step = 1.0 / (1.0 / counts + spread);
        let missed = wanted - dot(&self.weights, terms);
        for (weight, along) in self.weights.iter_mut().zip(along) {
            *weight += along * step * missed;
        }
        // what is forgotten makes unsure; but nobody gets less sure than at the beginning, which
        // keeps directions that no frame shows from growing without end
        let trace: f64 = (0..TERMS).map(|place| self.unsure[place][place]).sum();
        let fade = if trace < UNSURE * TERMS as f64 { 1.0 / (1.0 - 1.0 / LESSONS) } else { 1.0 };
        for row in 0..TERMS {
            for column in row..TERMS {
                let left = self.unsure[row][column] - along[row] * along[column] * step;
                self.unsure[row][column] = left * fade;
                self.unsure[column][row] = left * fade;
            }
        }
        if !self.weights.iter().all(|weight| weight.abs() <= MOST_WEIGHT) {
            *self = Self::default();
        }
    }
}

/// How many lessons one counts for, that a frame gave which was sent with this probability.
pub(super) fn counts(chance: f64) -> f64 {
    (1.0 / chance.max(f64::MIN_POSITIVE)).clamp(1.0, MOST)
}

/// As many boxes as count.
pub(super) const fn boxes(gain: f64) -> f64 {
    gain.clamp(0.0, MOST_BOXES)
}

pub(super) fn terms(features: &[f32; FEATURES]) -> [f64; TERMS] {
    let mut terms = [1.0; TERMS];
    for (term, feature) in terms[1..].iter_mut().zip(features) {
        *term = f64::from(*feature);
    }
    terms
}

pub(super) fn dot(a: &[f64; TERMS], b: &[f64; TERMS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lessons::random::Chance;
    use proptest::prelude::*;

    fn lesson(gain: &mut Gain, features: &[f32; FEATURES], wanted: f64, chance: f64) {
        gain.learn(&terms(features), boxes(wanted), chance);
    }

    fn frame(chance: &mut Chance) -> [f32; FEATURES] {
        std::array::from_fn(|_| (4.0 * chance.unit()) as f32)
    }

    #[test]
    fn what_the_lessons_say_is_learned_and_learned_anew() {
        let mut chance = Chance::new(7);
        let mut gain = Gain::default();
        let first = frame(&mut chance);
        let unfitted = f64::from(first[10]);
        assert!((gain.expected(&first) - unfitted).abs() < 1e-6 * unfitted.abs().max(1.0));
        for turn in [1.0, 0.25] {
            let truth = |features: &[f32; FEATURES]| turn * f64::from(features[3]) + 0.5;
            for _ in 0..8000 {
                let features = frame(&mut chance);
                lesson(&mut gain, &features, truth(&features), 1.0);
            }
            for _ in 0..20 {
                let features = frame(&mut chance);
                let missed = gain.expected(&features) - truth(&features);
                assert!(missed.abs() < 0.1, "{turn}: {missed}");
            }
        }
    }

    #[test]
    fn a_rare_lesson_counts_for_those_that_were_not_given() {
        let learned = |chance| {
            let mut gain = Gain::default();
            lesson(&mut gain, &[1.0; FEATURES], 5.0, chance);
            gain.expected(&[1.0; FEATURES])
        };
        assert!(learned(0.5) > learned(1.0));
        assert!((learned(0.02) - learned(1.0 / MOST)).abs() < 1e-12, "up to a bound");
    }

    proptest! {
        #[test]
        fn nothing_that_comes_in_makes_it_unusable(
            lessons in prop::collection::vec(
                (prop::collection::vec(any::<f32>(), FEATURES), any::<f64>(), 0.0f64..=1.0),
                0..60,
            ),
        ) {
            let mut gain = Gain::default();
            for (features, boxes, chance) in &lessons {
                let features: [f32; FEATURES] = features.as_slice().try_into().unwrap();
                lesson(&mut gain, &features, *boxes, *chance);
                prop_assert!(gain.expected(&[1.0; FEATURES]).is_finite());
                prop_assert!(gain.weights.iter().all(|weight| weight.abs() <= MOST_WEIGHT));
            }
        }
    }
}
