//! How hard a frame was for the edge, read off what the edge found in it.
//!
//! Three measures are those of KubeEdge Sedna's joint inference
//! (<https://github.com/kubeedge/sedna>, `hard_example_mining`), with the cases mended in which
//! those fail: no detections at all, a probability of 0, a single class.

mod aim;
mod features;
mod fit;
mod learned;
mod measured;
mod sum;
mod text;

use frame::{Detection, ImageSize};

pub(crate) use aim::is_same;
pub use aim::{Aim, Cut};
pub use features::{Regression, WEIGHTS};
pub use fit::Sample;
pub use learned::{LEARNED, Learned};
pub use measured::{FEATURES, FEATURES_LAYOUT, Measured};
pub use sum::{Sum, Term};
pub use text::{HardnessError, HardnessProblem};

/// What the edge's model saw in a frame.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EdgeDetections<'a> {
    /// Its detections.
    pub confident: &'a [Detection],
    /// What it found with less confidence than a detection needs; empty when it does not tell.
    pub weak: &'a [Detection],
    /// The frame's size, which the boxes are measured by.
    pub image: ImageSize,
}

/// A measure with its threshold, and what an empty frame means.
///
/// As text (`FromStr`, `Display`, round trip), e.g. `max-confidence<0.6,empty=hard`.
#[derive(Clone, PartialEq, Debug)]
pub struct Hardness {
    /// How it is measured.
    pub measure: Measure,
    /// A frame is hard below this value or from it on, as [`Measure::hard`] says.
    pub threshold: f64,
    /// What it means when there is nothing to measure.
    pub empty: Empty,
}

/// What a frame means in which nothing was seen that could be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Empty {
    /// It was hard: something may have been overlooked.
    Hard,
    /// It was easy: there is nothing.
    Easy,
}

/// How hardness is measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Measure {
    /// The mean confidence of the detections: Sedna's *threshold*.
    MeanConfidence,
    /// `1 + Σ p·ln p / ln n` over the confidences of the n detections: Sedna's *cross-entropy*. A
    /// single detection is taken for the question whether it is one, with the answers p and 1 -
    /// p.
    CrossEntropy,
    /// The share of detections whose confidence is at most `box_threshold`: Sedna's *IBT*, image by
    /// box thresholds. Sedna's second threshold `t` is a share of `1 - t` here.
    Ibt {
        /// From 0 to 1.
        box_threshold: f64,
    },
    /// The confidence of the surest detection, weak ones included.
    MaxConfidence,
    /// How much better the cloud's answer is expected to be, by a linear model of all that was
    /// seen, weak detections included.
    Regression(Regression),
    /// What is in doubt, added up over the boxes. Nothing seen is a sum of 0.
    Sum(Sum),
    /// The same, as the cloud's answers taught it; in a policy's settings, before any lesson.
    Learned(Learned),
}

/// On which side of the threshold frames are hard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hard {
    /// Below it.
    Below,
    /// From it on.
    From,
}

impl Hardness {
    /// How hard the frame was: the higher, the harder. Measures that fall where frames are harder
    /// count from 1 downwards. Infinite, up or down, for a frame in which there is nothing to
    /// measure.
    #[must_use]
    pub fn score(&self, seen: &EdgeDetections<'_>) -> f64 {
        match (self.value(seen), self.measure.hard(), self.empty) {
            (Some(value), Hard::From, _) => value,
            (Some(value), Hard::Below, _) => 1.0 - value,
            (None, _, Empty::Hard) => f64::INFINITY,
            (None, _, Empty::Easy) => f64::NEG_INFINITY,
        }
    }

    /// Whether the frame was hard.
    #[must_use]
    pub fn is_hard(&self, seen: &EdgeDetections<'_>) -> bool {
        match (self.value(seen), self.measure.hard()) {
            (Some(value), Hard::From) => value >= self.threshold,
            (Some(value), Hard::Below) => value < self.threshold,
            (None, _) => self.empty == Empty::Hard,
        }
    }

    /// The same by what was told of the frame ([`Measured::score`]).
    #[must_use]
    pub fn is_hard_by(&self, told: Option<f64>) -> bool {
        match (told, self.measure.hard(), self.empty) {
            (Some(score), Hard::From, _) => score >= self.threshold,
            (Some(score), Hard::Below, _) => 1.0 - score < self.threshold,
            (None, _, Empty::Hard) => true,
            (None, _, Empty::Easy) => {
                self.measure.of_nothing().is_some_and(|value| value >= self.threshold)
            }
        }
    }

    /// The measure's value. A sum over nothing is 0, and a learned measure its constant, unless an
    /// empty frame is to be hard whatever the threshold is.
    fn value(&self, seen: &EdgeDetections<'_>) -> Option<f64> {
        let nothing = seen.confident.is_empty() && seen.weak.is_empty();
        if nothing && self.empty == Empty::Hard { None } else { self.measure.value(seen) }
    }
}

impl Measure {
    /// The measure's value; `None` when nothing was seen that it measures.
    #[must_use]
    pub fn value(&self, seen: &EdgeDetections<'_>) -> Option<f64> {
        let confidences = || seen.confident.iter().map(|found| probability(found.confidence));
        let count = seen.confident.len();
        match self {
            Self::MeanConfidence => (count > 0).then(|| confidences().sum::<f64>() / count as f64),
            Self::CrossEntropy => match count {
                0 => None,
                1 => confidences()
                    .next()
                    .map(|p| 1.0 - (entropy(p) + entropy(1.0 - p)) / std::f64::consts::LN_2),
                _ => Some(1.0 - confidences().map(entropy).sum::<f64>() / (count as f64).ln()),
            },
            Self::Ibt { box_threshold } => (count > 0).then(|| {
                confidences().filter(|p| p <= box_threshold).count() as f64 / count as f64
            }),
            Self::MaxConfidence => {
                let all = seen
                    .confident
                    .iter()
                    .chain(seen.weak)
                    .map(|found| probability(found.confidence));
                all.max_by(f64::total_cmp)
            }
            Self::Regression(regression) => {
                (count + seen.weak.len() > 0).then(|| regression.predict(seen))
            }
            Self::Sum(sum) => Some(sum.value(seen)),
            Self::Learned(learned) => Some(learned.predict(seen)),
        }
    }

    /// Its value of a frame in which nothing was seen, if it has one.
    fn of_nothing(&self) -> Option<f64> {
        match self {
            Self::Sum(_) => Some(0.0),
            Self::Learned(learned) => Some(learned.of_nothing()),
            Self::MeanConfidence
            | Self::CrossEntropy
            | Self::Ibt { .. }
            | Self::MaxConfidence
            | Self::Regression(_) => None,
        }
    }

    /// Whether scores by both can be compared: it is the same measure, or both were learned, which
    /// goes on all the time.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Learned(_), Self::Learned(_))) || self == other
    }

    /// Whether it is of weak detections; a regression and the highest confidence make do with
    /// detections alone.
    #[must_use]
    pub const fn needs_weak(&self) -> bool {
        match self {
            Self::MeanConfidence
            | Self::CrossEntropy
            | Self::Ibt { .. }
            | Self::MaxConfidence
            | Self::Regression(_)
            | Self::Learned(_) => false,
            Self::Sum(sum) => sum.needs_weak(),
        }
    }

    /// On which side of a threshold frames are hard.
    #[must_use]
    pub const fn hard(&self) -> Hard {
        match self {
            Self::MeanConfidence | Self::CrossEntropy | Self::MaxConfidence => Hard::Below,
            Self::Ibt { .. } | Self::Regression(_) | Self::Sum(_) | Self::Learned(_) => Hard::From,
        }
    }

    /// The threshold at which every frame is hard that can be measured.
    const fn all(&self) -> f64 {
        match self {
            Self::MeanConfidence | Self::MaxConfidence => LARGEST_SHARE,
            Self::CrossEntropy => f64::MAX,
            Self::Ibt { .. } => 0.0,
            Self::Regression(_) | Self::Sum(_) | Self::Learned(_) => f64::MIN,
        }
    }

    /// The one at which no such frame is.
    const fn nothing(&self) -> f64 {
        match self {
            Self::MeanConfidence | Self::MaxConfidence => 0.0,
            Self::CrossEntropy => f64::MIN,
            Self::Ibt { .. } => LARGEST_SHARE,
            Self::Regression(_) | Self::Sum(_) | Self::Learned(_) => f64::MAX,
        }
    }

    /// The nearest threshold that its text may name.
    fn in_range(&self, threshold: f64) -> f64 {
        match self {
            Self::MeanConfidence | Self::MaxConfidence | Self::Ibt { .. } => {
                threshold.clamp(0.0, LARGEST_SHARE)
            }
            Self::CrossEntropy | Self::Regression(_) | Self::Sum(_) | Self::Learned(_) => threshold,
        }
    }
}

/// The largest threshold of a measure that is itself from 0 to 1: a little beyond, because a frame
/// of just 1 has to be on either side of some threshold.
const LARGEST_SHARE: f64 = 1.0 + 1e-9;

/// What is no number counts as no confidence at all.
fn probability(confidence: f32) -> f64 {
    if confidence.is_nan() { 0.0 } else { f64::from(confidence.clamp(0.0, 1.0)) }
}

/// A box's share of its image, from 0 to 1, also for boxes that are no boxes.
fn share_of(found: &Detection, image: ImageSize) -> f64 {
    let area = f64::from(image.width) * f64::from(image.height);
    let share = f64::from(found.bounding_box.width) * f64::from(found.bounding_box.height) / area;
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// `-p·ln p`, which at 0 has the limit 0.
fn entropy(p: f64) -> f64 {
    if p > 0.0 { -p * p.ln() } else { 0.0 }
}

#[cfg(test)]
mod tests;
