//! How hard a frame was for the edge, read off what the edge found in it.

use frame::Detection;
use std::fmt;
use std::str::FromStr;

/// A measure with its threshold, and what an empty frame means.
///
/// As text (`FromStr`, `Display`, round trip), e.g. `max-confidence<0.6,empty=hard`.
#[derive(Clone, PartialEq, Debug)]
pub struct Hardness {
    /// How it is measured.
    pub measure: Measure,
    /// A frame is hard from this score on.
    pub threshold: f64,
    /// What it means when the edge found nothing.
    pub empty: Empty,
}

/// What a frame means in which nothing was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Empty {
    /// It was hard: something may have been overlooked.
    Hard,
    /// It was easy: there is nothing.
    Easy,
}

/// How hardness is measured.
#[derive(Clone, PartialEq, Debug)]
pub enum Measure {
    /// To be completed.
    MaxConfidence,
}

/// A text that is no hardness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HardnessError(pub String);

impl Hardness {
    /// From 0 (easy) to 1 (hard).
    #[must_use]
    pub fn score(&self, _detections: &[Detection]) -> f64 {
        0.0
    }
    /// Whether the frame was hard.
    #[must_use]
    pub fn is_hard(&self, detections: &[Detection]) -> bool {
        self.score(detections) >= self.threshold
    }
}

impl fmt::Display for Hardness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.measure)
    }
}

impl FromStr for Hardness {
    type Err = HardnessError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Err(HardnessError(text.into()))
    }
}

impl Default for Hardness {
    fn default() -> Self {
        Self { measure: Measure::MaxConfidence, threshold: 0.5, empty: Empty::Easy }
    }
}
