//! What sending a frame is worth, learned from the cloud's answers.
//!
//! The gain of a frame, in boxes that the edge got wrong or missed, is taken for a linear function
//! of what the edge measured. Its weights are those of least squares with forgetting, kept up to
//! date lesson by lesson (recursive least squares: Plackett, Biometrika 37, 1950; Ljung, *System
//! Identification*, 1999, chapter 11). They begin at the measure that nobody has to fit, which is
//! given up only as far as lessons speak against it.
//!
//! Lessons come from hard frames and from audits. A frame that had only a small chance to be sent
//! stands for the many like it that were not, so its lesson counts by the inverse of that chance
//! (Horvitz and Thompson, JASA 47, 1952), up to a bound that keeps single lessons from deciding
//! everything (Ionides, JCGS 17, 2008).

use crate::hardness::FEATURES;

/// A constant and a weight for each feature.
pub(super) const TERMS: usize = 1 + FEATURES;
/// After so many lessons one counts for 1/e.
const LESSONS: f64 = 2_000.0;
/// How uncertain the first weights are: variance, in units of a single lesson's.
const UNSURE: f64 = 0.1;
/// A lesson counts for at most so many.
const MOST: f64 = 4.0;
/// More boxes than this in one frame are no better a lesson.
const MOST_BOXES: f64 = 6.0;

/// What is known of the gain of one camera's frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// The constant, then the features in the order of [`Measured`](crate::Measured).
    pub(super) weights: [f64; TERMS],
    /// How unsure they are, in units of a single lesson's variance.
    pub(super) unsure: [[f64; TERMS]; TERMS],
    /// How many lessons there were.
    pub(super) lessons: f64,
}

impl Default for Gain {
    fn default() -> Self {
        let mut weights = [0.0; TERMS];
        // the sum of 1 - p over all boxes: over detections, and over weak ones by number and sum
        let [wrong, missed, weak] = [6, 7, 10];
        (weights[wrong], weights[missed], weights[weak]) = (1.0, -1.0, 1.0);
        let unsure =
            std::array::from_fn(|a| std::array::from_fn(|b| if a == b { UNSURE } else { 0.0 }));
        Self { weights, unsure, lessons: 0.0 }
    }
}

impl Gain {
    /// In how many boxes the cloud's answer is expected to be better.
    #[must_use]
    pub fn expected(&self, features: &[f32; FEATURES]) -> f64 {
        dot(&self.weights, &terms(features))
    }

    /// The cloud's answer was better by `gain` boxes. `chance` is the probability with which such a
    /// frame was sent, above 0 and up to 1.
    pub fn lesson(&mut self, features: &[f32; FEATURES], gain: f64, chance: f64) {
        if !gain.is_finite() || !features.iter().all(|feature| feature.is_finite()) {
            return;
        }
        let counts = (1.0 / chance.max(f64::MIN_POSITIVE)).clamp(1.0, MOST);
        let terms = terms(features);
        let along: [f64; TERMS] = std::array::from_fn(|row| dot(&self.unsure[row], &terms));
        let spread = dot(&along, &terms);
        let step = 1.0 / (1.0 / counts + spread);
        let missed = gain.clamp(0.0, MOST_BOXES) - dot(&self.weights, &terms);
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
        self.lessons += 1.0;
        if !self.weights.iter().all(|weight| weight.is_finite()) {
            *self = Self::default();
        }
    }

    /// How many lessons there were.
    #[must_use]
    pub const fn lessons(&self) -> f64 {
        self.lessons
    }

    /// The constant and a weight for each feature.
    #[must_use]
    pub fn weights(&self) -> [f32; 1 + FEATURES] {
        self.weights.map(|weight| weight as f32)
    }
}

fn terms(features: &[f32; FEATURES]) -> [f64; TERMS] {
    let mut terms = [1.0; TERMS];
    for (term, feature) in terms[1..].iter_mut().zip(features) {
        *term = f64::from(*feature);
    }
    terms
}

fn dot(a: &[f64; TERMS], b: &[f64; TERMS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lessons::random::Chance;
    use proptest::prelude::*;

    fn frame(chance: &mut Chance) -> [f32; FEATURES] {
        std::array::from_fn(|_| (4.0 * chance.unit()) as f32)
    }

    #[test]
    fn what_the_lessons_say_is_learned_and_learned_anew() {
        let mut chance = Chance::new(7);
        let mut gain = Gain::default();
        let first = frame(&mut chance);
        let unfitted = f64::from(first[5] + first[9] - first[6]);
        assert!((gain.expected(&first) - unfitted).abs() < 1e-6 * unfitted.abs().max(1.0));
        for turn in [1.0, 0.25] {
            let truth = |features: &[f32; FEATURES]| turn * f64::from(features[3]) + 0.5;
            for _ in 0..8000 {
                let features = frame(&mut chance);
                gain.lesson(&features, truth(&features), 1.0);
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
            gain.lesson(&[1.0; FEATURES], 5.0, chance);
            gain.expected(&[1.0; FEATURES])
        };
        assert!(learned(0.5) > learned(1.0));
        assert!((learned(0.02) - learned(1.0 / MOST)).abs() < 1e-12, "up to a bound");
    }

    proptest! {
        #[test]
        fn nothing_that_comes_in_makes_it_unusable(
            lessons in prop::collection::vec(
                (prop::array::uniform10(any::<f32>()), any::<f64>(), 0.0f64..=1.0),
                0..60,
            ),
        ) {
            let mut gain = Gain::default();
            for (features, boxes, chance) in &lessons {
                gain.lesson(features, *boxes, *chance);
                prop_assert!(gain.expected(&[1.0; FEATURES]).is_finite());
            }
        }
    }
}
