//! What sending a frame is worth, learned from the cloud's answers.
//!
//! The gain of a frame, in boxes that the edge got wrong or missed, is taken for a linear function
//! of what the edge measured. Its weights are those of least squares, kept up to date lesson by lesson
//! (recursive least squares: Plackett, Biometrika 37, 1950; Ljung, *System Identification*, 1999,
//! chapter 11). They begin at the measure that nobody has to fit, which is given up only as far as
//! lessons speak against it. All cameras share them; what a camera adds of its own is in
//! [`Own`](super::own::Own).
//!
//! Scenes change, so with each lesson the weights get a little less sure again, each direction up to
//! how unsure it was at the beginning and no further. So directions that no frame shows (classes
//! that are never seen, counts that are the sum of others) neither grow nor keep the others from
//! being learned anew.
//!
//! A frame that is off by many boxes counts like one that is off by six (Huber, Annals of
//! Mathematical Statistics 35, 1964): single frames do not decide everything, and crowded ones are
//! learned as they are, a few lessons later.
//!
//! Lessons come from hard frames and from audits. A frame that had only a small chance to be sent
//! stands for the many like it that were not, so its lesson counts by the inverse of that chance
//! (Horvitz and Thompson, JASA 47, 1952), up to a bound that keeps single lessons from deciding
//! everything (Ionides, JCGS 17, 2008).

use crate::hardness::{FEATURES, LEARNED, Learned};

/// A constant and a weight for each feature.
pub(super) const TERMS: usize = LEARNED;
/// With each lesson so small a part of what is known is forgotten. Weights are then as unsure as by
/// the last thousand lessons, if features are around 1: the square root of this by [`UNSURE`].
const FORGETS: f64 = 1.0 / 30_000.0;
/// How uncertain the first weights are: variance, in units of a single lesson's.
const UNSURE: f64 = 0.03;
/// How much less unsure weights are that were found again.
const FOUND_AGAIN: f64 = 0.25;
/// A lesson counts for at most so many.
const MOST: f64 = 4.0;
/// A frame that is off by more boxes than this is no better a lesson.
const MOST_MISSED: f64 = 6.0;
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
    pub(super) fn expected(&self, terms: &[f64; TERMS]) -> f64 {
        dot(&self.weights, terms)
    }

    /// Where a lesson of these terms moves the weights to.
    pub(super) fn lever(&self, terms: &[f64; TERMS]) -> Lever {
        let along: [f64; TERMS] = std::array::from_fn(|row| dot(&self.unsure[row], terms));
        Lever { along, spread: dot(&along, terms) }
    }

    /// Moves the weights by a lesson that was off by `missed` boxes, as far as `step` says.
    pub(super) fn learn(&mut self, lever: &Lever, step: f64, missed: f64) {
        let along = &lever.along;
        for (weight, along) in self.weights.iter_mut().zip(along) {
            *weight += along * step * missed;
        }
        for row in 0..TERMS {
            for column in row..TERMS {
                let left = self.unsure[row][column] - along[row] * along[column] * step;
                let first = if row == column { UNSURE } else { 0.0 };
                let unsure = left + (first - left) * FORGETS;
                self.unsure[row][column] = unsure;
                self.unsure[column][row] = unsure;
            }
        }
        if !self.weights.iter().all(|weight| weight.abs() <= MOST_WEIGHT) {
            *self = Self::default();
        }
    }

    /// Rounding has made nonsense of how unsure the weights are: that begins anew.
    pub(super) fn unsure_anew(&mut self) {
        self.unsure = Self::default().unsure;
    }
}

/// Where a lesson moves weights to.
pub(super) struct Lever {
    /// How far each of them moves, for a step of 1.
    pub(super) along: [f64; TERMS],
    /// How unsure what they expect is, in units of a single lesson's variance.
    pub(super) spread: f64,
}

/// How far a lesson moves all weights that are this unsure together; `None`: no number. `chance` is
/// the probability with which such a frame was sent, above 0 and up to 1.
pub(super) fn step(chance: f64, spread: f64) -> Option<f64> {
    let step = 1.0 / (1.0 / counts(chance) + spread);
    (spread >= 0.0 && step.is_finite()).then_some(step)
}

/// By how many boxes the expectation was off, as far as that counts.
pub(super) fn missed(gain: f64, expected: f64) -> f64 {
    (gain.max(0.0) - expected).clamp(-MOST_MISSED, MOST_MISSED)
}

/// How many lessons one counts for, that a frame gave which was sent with this probability.
fn counts(chance: f64) -> f64 {
    (1.0 / chance.max(f64::MIN_POSITIVE)).clamp(1.0, MOST)
}

pub(super) fn terms(features: &[f32; FEATURES]) -> [f64; TERMS] {
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

    fn lesson(gain: &mut Gain, features: &[f32; FEATURES], wanted: f64, chance: f64) {
        let terms = terms(features);
        let lever = gain.lever(&terms);
        match step(chance, lever.spread) {
            Some(step) => gain.learn(&lever, step, missed(wanted, gain.expected(&terms))),
            None => gain.unsure_anew(),
        }
    }

    fn expected(gain: &Gain, features: &[f32; FEATURES]) -> f64 {
        gain.expected(&terms(features))
    }

    /// Whether nobody is surer than sure, or less sure than at the beginning (Cholesky).
    fn is_sound(gain: &Gain) -> bool {
        let mut root = [[0.0f64; TERMS]; TERMS];
        for row in 0..TERMS {
            for column in 0..=row {
                let known: f64 = (0..column).map(|k| root[row][k] * root[column][k]).sum();
                let left = gain.unsure[row][column] - known;
                root[row][column] = if row == column {
                    if left < -1e-9 {
                        return false;
                    }
                    left.max(1e-12).sqrt()
                } else {
                    left / root[column][column]
                };
            }
        }
        (0..TERMS).all(|term| gain.unsure[term][term] <= UNSURE * 1.001)
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
        assert!((expected(&gain, &first) - unfitted).abs() < 1e-6 * unfitted.abs().max(1.0));
        for turn in [1.0, 0.25] {
            let truth = |features: &[f32; FEATURES]| turn * f64::from(features[3]) + 0.5;
            for _ in 0..8000 {
                let features = frame(&mut chance);
                lesson(&mut gain, &features, truth(&features), 1.0);
            }
            for _ in 0..20 {
                let features = frame(&mut chance);
                let missed = expected(&gain, &features) - truth(&features);
                assert!(missed.abs() < 0.1, "{turn}: {missed}");
            }
        }
    }

    #[test]
    fn features_that_no_frame_shows_do_not_keep_the_others_from_being_learned_anew() {
        let mut chance = Chance::new(11);
        // two sums, and three groups of classes; the count is that of all groups
        let mut frame = || {
            let mut features = [0.0; FEATURES];
            (features[3], features[5]) = ((4.0 * chance.unit()) as f32, chance.unit() as f32);
            for group in &mut features[11..14] {
                *group = (4.0 * chance.unit()).floor() as f32;
            }
            features[8] = features[11..].iter().sum();
            features
        };
        let mut gain = Gain::default();
        for turn in [1.0, 0.25] {
            let truth = |features: &[f32; FEATURES]| turn * f64::from(features[3] + features[12]);
            for _ in 0..8000 {
                let features = frame();
                lesson(&mut gain, &features, truth(&features), 1.0);
            }
            assert!(is_sound(&gain), "{gain:?}");
            for _ in 0..20 {
                let features = frame();
                let missed = expected(&gain, &features) - truth(&features);
                assert!(missed.abs() < 0.1, "{turn}: {missed}");
            }
        }
    }

    #[test]
    fn crowded_frames_are_told_from_each_other_and_a_single_one_decides_nothing() {
        let mut chance = Chance::new(13);
        let mut gain = Gain::default();
        for _ in 0..4000 {
            let features = frame(&mut chance);
            lesson(&mut gain, &features, 8.0 + 4.0 * f64::from(features[3]), 1.0);
        }
        let of = |third: f32| {
            let mut features = [2.0; FEATURES];
            features[3] = third;
            expected(&gain, &features)
        };
        assert!((of(0.0) - 8.0).abs() < 0.5 && (of(4.0) - 24.0).abs() < 0.5, "{}", of(4.0));
        let after = |wanted| {
            let mut gain = Gain::default();
            lesson(&mut gain, &[0.0; FEATURES], wanted, 1.0);
            expected(&gain, &[0.0; FEATURES])
        };
        assert!(after(1.0) < after(6.0) && after(6.0) == after(1e9));
    }

    #[test]
    fn a_rare_lesson_counts_for_those_that_were_not_given() {
        let learned = |chance| {
            let mut gain = Gain::default();
            lesson(&mut gain, &[1.0; FEATURES], 5.0, chance);
            expected(&gain, &[1.0; FEATURES])
        };
        assert!(learned(0.5) > learned(1.0));
        assert!((learned(0.02) - learned(1.0 / MOST)).abs() < 1e-12, "up to a bound");
    }

    proptest! {
        #[test]
        fn what_is_unsure_stays_a_covariance(
            lessons in prop::collection::vec(
                (prop::collection::vec(0.0f32..100.0, FEATURES), 0.0f64..100.0, 0.0f64..=1.0),
                1..200,
            ),
            dead in 0..FEATURES,
        ) {
            let mut gain = Gain::default();
            for (features, boxes, chance) in &lessons {
                let mut features: [f32; FEATURES] = features.as_slice().try_into().unwrap();
                features[dead..].fill(0.0);
                lesson(&mut gain, &features, *boxes, *chance);
                prop_assert!(is_sound(&gain));
            }
        }

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
                prop_assert!(expected(&gain, &[1.0; FEATURES]).is_finite());
                prop_assert!(gain.weights.iter().all(|weight| weight.abs() <= MOST_WEIGHT));
            }
        }
    }
}
