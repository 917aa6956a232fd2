//! What a camera's frames are worth beyond what is known of all cameras' frames.
//!
//! The weights of a camera are those of all cameras ([`Gain`](super::gain::Gain)) and a little of its own,
//! which stays near nothing until its lessons say otherwise: shrinkage, as in a hierarchical model
//! (Gelman and Hill, *Data Analysis Using Regression*, 2007, chapter 12), so a new camera begins with
//! what the others taught. It is a Kalman filter (Kalman, Journal of Basic Engineering 82, 1960)
//! that keeps the variances alone, 40 numbers a camera. The constant follows the scene quickly: a
//! frame that was worth more than expected is likely to be followed by another one.

use super::gain::{Lever, TERMS};

/// How far a camera may be from all cameras: the variance of a weight, in units of a single
/// lesson's, and that of the constant.
const UNSURE: (f32, f32) = (0.003, 0.03);
/// After so many lessons one counts for 1/e: for a weight, and for the constant.
const LESSONS: (f32, f32) = (2_000.0, 100.0);
/// No weight gets larger.
const MOST_WEIGHT: f32 = 100.0;

/// What is added to the weights of all cameras.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Own {
    pub(super) weights: [f32; TERMS],
    /// How unsure each of them is.
    unsure: [f32; TERMS],
}

impl Default for Own {
    fn default() -> Self {
        Self { weights: [0.0; TERMS], unsure: std::array::from_fn(first) }
    }
}

/// How unsure a weight is at first.
const fn first(term: usize) -> f32 {
    if term == 0 { UNSURE.1 } else { UNSURE.0 }
}

impl Own {
    /// What makes these weights out of those of all cameras.
    pub(super) fn between(all: &[f32; TERMS], wanted: &[f32; TERMS]) -> Self {
        let weights = std::array::from_fn(|term| bounded(wanted[term] - all[term]));
        Self { weights, ..Self::default() }
    }

    /// What is expected beyond what all cameras say.
    pub(super) fn expected(&self, terms: &[f64; TERMS]) -> f64 {
        self.weights.iter().zip(terms).map(|(weight, term)| f64::from(*weight) * term).sum()
    }

    /// Where a lesson of these terms moves the weights to.
    pub(super) fn lever(&self, terms: &[f64; TERMS]) -> Lever {
        let along: [f64; TERMS] =
            std::array::from_fn(|term| f64::from(self.unsure[term]) * terms[term]);
        let spread = along.iter().zip(terms).map(|(along, term)| along * term).sum();
        Lever { along, spread }
    }

    /// Moves the weights by a lesson that was off by `missed` boxes, as far as `step` says.
    pub(super) fn learn(&mut self, lever: &Lever, step: f64, missed: f64) {
        for (term, along) in lever.along.into_iter().enumerate() {
            let weight = f64::from(self.weights[term]) + along * step * missed;
            self.weights[term] = bounded(weight as f32);
            let lessons = if term == 0 { LESSONS.1 } else { LESSONS.0 };
            let left = (f64::from(self.unsure[term]) - along * along * step).max(0.0) as f32;
            self.unsure[term] = left + (first(term) - left) / lessons;
        }
    }
}

fn bounded(weight: f32) -> f32 {
    if weight.is_nan() { 0.0 } else { weight.clamp(-MOST_WEIGHT, MOST_WEIGHT) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lessons::gain;
    use proptest::prelude::*;

    fn lesson(own: &mut Own, terms: &[f64; TERMS], (wanted, expected): (f64, f64), chance: f64) {
        let lever = own.lever(terms);
        if let Some(step) = gain::step(chance, lever.spread)
            && expected.is_finite()
        {
            own.learn(&lever, step, gain::missed(wanted, expected));
        }
    }

    #[test]
    fn a_camera_that_gains_more_than_all_is_learned_within_tens_of_lessons() {
        let (mut own, mut terms) = (Own::default(), [0.0; TERMS]);
        terms[0] = 1.0;
        for _ in 0..100 {
            let expected = 1.0 + own.expected(&terms);
            lesson(&mut own, &terms, (3.0, expected), 1.0);
        }
        assert!(own.expected(&terms) > 1.5, "{}", own.expected(&terms));
        // and forgotten as quickly
        for _ in 0..200 {
            let expected = 1.0 + own.expected(&terms);
            lesson(&mut own, &terms, (1.0, expected), 1.0);
        }
        assert!(own.expected(&terms) < 0.5, "{}", own.expected(&terms));
    }

    proptest! {
        #[test]
        fn weights_stay_bounded_and_never_get_surer_than_sure(
            lessons in prop::collection::vec(
                (prop::collection::vec(-1e12f64..1e12, TERMS), any::<f64>(), any::<f64>(), 0.0f64..=1.0),
                0..60,
            ),
        ) {
            let mut own = Own::default();
            for (terms, gain, expected, chance) in &lessons {
                let terms: [f64; TERMS] = terms.as_slice().try_into().unwrap();
                lesson(&mut own, &terms, (*gain, *expected), *chance);
                for term in 0..TERMS {
                    prop_assert!(own.weights[term].abs() <= MOST_WEIGHT);
                    prop_assert!((0.0..=first(term) * 1.001).contains(&own.unsure[term]));
                }
            }
        }
    }
}
