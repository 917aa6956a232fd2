//! What became of a frame.

use crate::{Choice, FrameFacts, Measured, Snapshot};
use frame::Destination;

/// What became of a frame that was sent to a tier.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// The frame, as it was decided on.
    pub frame: FrameFacts,
    /// The tiers, as they were seen then.
    pub load: Snapshot,
    /// What was chosen, after all guards.
    pub choice: Choice,
    /// The tier that it was first sent to.
    pub tier: Destination,
    /// How it ended there.
    pub end: End,
    /// How long that took from the decision on, in milliseconds.
    pub took_ms: f64,
    /// What the edge measured of it, if it could have sent it on.
    pub measured: Option<Measured>,
    /// How far the edge's answer was from the cloud's, from 0 (the same) to 1 (nothing in common);
    /// `None` when not both are known.
    pub loss: Option<f64>,
    /// How many boxes of the edge's answer and of the cloud's have no match in the other: what the
    /// edge got wrong or missed; `None` when not both are known.
    pub wrong: Option<f64>,
}

/// How a sending to a tier ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The tier ran the detection.
    Done,
    /// It failed there; that says nothing about the tier's speed.
    Failed,
    /// Its deadline went by there.
    Expired,
    /// No answer came in time; the frame was taken elsewhere.
    Late,
}

impl Outcome {
    /// Whether an answer came before the frame's deadline; any answer will do for a frame without
    /// one.
    #[must_use]
    pub fn in_time(&self) -> bool {
        self.end == End::Done && self.frame.deadline_left_ms.is_none_or(|left| self.took_ms <= left)
    }
}
