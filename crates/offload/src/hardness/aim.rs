//! A measure of hardness as a policy file names it: with a threshold or without.

use super::text::{self, HardnessError};
use super::{Empty, Hard, Hardness, Measure, Sum, Term};
use std::fmt;
use std::str::FromStr;

/// A measure, what an empty frame means, and a threshold if one is given.
///
/// As text (`FromStr`, `Display`, round trip), e.g. `uncertainty(weak small)`, or
/// `max-confidence<0.6,empty=hard`.
#[derive(Clone, PartialEq, Debug)]
pub struct Aim {
    /// How hardness is measured.
    pub measure: Measure,
    /// A frame is hard below this value or from it on; `None`: whoever decides finds one.
    pub threshold: Option<f64>,
    /// What it means when there is nothing to measure.
    pub empty: Empty,
}

/// Where a threshold shall lie between the scores of frames.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cut {
    /// Every frame is hard.
    All,
    /// No frame is hard.
    Nothing,
    /// At a score ([`Aim::score`]): what is harder is hard.
    At {
        /// The score; infinite for frames in which there is nothing to measure.
        score: f64,
        /// Whether frames of just this score are hard.
        inclusive: bool,
    },
}

/// How far apart two scores are at least, relative to their size, that are not the same one: a score
/// travels as text, and loses its last bits on the way.
const SAME: f64 = 1e-12;

impl Default for Aim {
    /// The measure that wins most on the mean over photos of COCO and road users in several
    /// modalities, by `mlvi simulate cascade`, and has nothing to fit.
    fn default() -> Self {
        let sum = Sum { of: Term::Uncertainty, weak: true, small: true, by_class: true };
        Self { measure: Measure::Sum(sum), threshold: None, empty: Empty::Easy }
    }
}

impl Aim {
    /// The score of a frame by what was told of it ([`Measured::score`](super::Measured)): where
    /// there was nothing to measure it is infinite, or what the measure says of nothing.
    #[must_use]
    pub fn score(&self, told: Option<f64>) -> f64 {
        told.unwrap_or(match self.empty {
            Empty::Hard => f64::INFINITY,
            Empty::Easy => self.measure.of_nothing().unwrap_or(f64::NEG_INFINITY),
        })
    }

    /// The measure with the threshold that it names; `None` when it names none.
    #[must_use]
    pub fn named(&self) -> Option<Hardness> {
        let Self { measure, threshold, empty } = *self;
        threshold.map(|threshold| Hardness { measure, threshold, empty })
    }

    /// The measure with the threshold that this cut makes.
    #[must_use]
    pub fn cut(&self, cut: Cut) -> Hardness {
        let Self { measure, empty, .. } = *self;
        let at = |threshold, empty| Hardness { measure, threshold, empty };
        let hard_if = |hard| if hard { Empty::Hard } else { Empty::Easy };
        match cut {
            Cut::All => at(measure.all(), Empty::Hard),
            Cut::Nothing => at(measure.nothing(), Empty::Easy),
            Cut::At { score: f64::INFINITY, inclusive } => {
                at(measure.nothing(), hard_if(inclusive))
            }
            Cut::At { score: f64::NEG_INFINITY, inclusive } => {
                at(measure.all(), hard_if(inclusive))
            }
            Cut::At { score, inclusive } => {
                let little = tolerance(score);
                let score = if inclusive { score - little } else { score + little };
                let threshold = match measure.hard() {
                    Hard::From => score,
                    Hard::Below => 1.0 - score,
                };
                at(measure.in_range(threshold), empty)
            }
        }
    }
}

/// Whether two scores are the same one, as far as can be told.
pub(crate) fn is_same(one: f64, other: f64) -> bool {
    one == other || (one - other).abs() <= tolerance(one.abs().max(other.abs()))
}

fn tolerance(score: f64) -> f64 {
    SAME * score.abs().max(1.0)
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(&self.measure, self.threshold, self.empty, f)
    }
}

impl FromStr for Aim {
    type Err = HardnessError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text::parse(text).map_err(|problem| HardnessError { text: text.to_owned(), problem })
    }
}

impl From<Hardness> for Aim {
    fn from(hardness: Hardness) -> Self {
        let Hardness { measure, threshold, empty } = hardness;
        Self { measure, threshold: Some(threshold), empty }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardness::tests::{detection, seen};
    use proptest::prelude::*;

    const MEASURES: [&str; 10] = [
        "mean-confidence,empty=hard",
        "max-confidence,empty=easy",
        "cross-entropy",
        "ibt(0.5)",
        "uncertainty",
        "uncertainty(weak small class),empty=hard",
        "missed(small)",
        "regression(1 2 -3 0 0 0.5)",
        "learned",
        "learned(0.5 1 -2 0 0 0 0 3 0 0 0 1 0.25 0 0 0 0 0 0 -1)",
    ];

    #[test]
    fn a_measure_needs_no_threshold_where_one_is_found() {
        for text in MEASURES {
            let aim: Aim = text.parse().unwrap();
            assert_eq!((aim.threshold, aim.named()), (None, None));
            assert_eq!(aim.to_string().parse::<Aim>(), Ok(aim));
            assert!(text.parse::<Hardness>().unwrap_err().to_string().contains("no threshold"));
        }
        let hardness: Hardness = "ibt(0.5)>=0.25,empty=easy".parse().unwrap();
        assert_eq!(Aim::from(hardness.clone()).named(), Some(hardness));
        assert_eq!(Aim::default().to_string(), "uncertainty(weak small class),empty=easy");
    }

    proptest! {
        /// Whatever the measure, a cut at a frame's score parts it as it says, over the text that
        /// travels; and the cuts for all and nothing mean that.
        #[test]
        fn a_cut_parts_frames_by_their_scores(
            place in 0..MEASURES.len(),
            found in prop::collection::vec(0.0f32..=1.0, 0..6),
            other in prop::collection::vec(0.0f32..=1.0, 0..6),
        ) {
            let aim: Aim = MEASURES[place].parse().unwrap();
            let boxes = |list: &[f32]| -> Vec<_> {
                list.iter().enumerate().map(|(n, p)| detection(n as u32 % 3, *p)).collect()
            };
            let (found, other) = (boxes(&found), boxes(&other));
            let (one, other) = (seen(&found, &[]), seen(&other, &[]));
            let travels = |cut| aim.cut(cut).to_string().parse::<Hardness>().unwrap();
            let told = |seen| aim.cut(Cut::All).measured(seen).score;
            prop_assert!(travels(Cut::All).is_hard(&one));
            prop_assert!(!travels(Cut::Nothing).is_hard(&one));
            let (score, others) = (aim.score(told(&one)), aim.score(told(&other)));
            for inclusive in [true, false] {
                let hardness = travels(Cut::At { score, inclusive });
                prop_assert_eq!(hardness.is_hard(&one), inclusive, "{}", hardness);
                prop_assert_eq!(hardness.is_hard_by(told(&one)), inclusive, "{}", hardness);
                if !is_same(score, others) {
                    prop_assert_eq!(hardness.is_hard(&other), others > score, "{}", hardness);
                }
            }
        }
    }
}
