//! What a policy says of a frame.

use crate::Hardness;
use frame::Destination;

/// What shall become of a frame.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// A tier runs the detection.
    Send(Destination),
    /// The edge runs the detection; if the frame was hard by this measure, so does the cloud.
    Cascade(Hardness),
    /// No detection: its deadline cannot be met, it gets an `expired` result at once.
    Expire,
    /// No detection: it equals the last frame of its camera.
    Skip,
}

/// An action and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// What shall be done.
    pub action: Action,
    /// A short code such as `share-due`; it comes back in the result and labels a metric, so there
    /// must be few distinct ones.
    pub reason: &'static str,
    /// How much the cloud is preferred, from -1 (by all means the edge) over 0 (all the same) to 1
    /// (by all means the cloud); `None` when the policy does not weigh. Hysteresis
    /// compares it with its thresholds.
    pub lean: Option<f64>,
}

impl Choice {
    /// Without a leaning.
    #[must_use]
    pub const fn new(action: Action, reason: &'static str) -> Self {
        Self { action, reason, lean: None }
    }

    /// A tier gets the frame.
    #[must_use]
    pub const fn send(tier: Destination, reason: &'static str) -> Self {
        Self::new(Action::Send(tier), reason)
    }

    /// The same with a leaning.
    #[must_use]
    pub const fn leaning(self, lean: f64) -> Self {
        Self { lean: Some(lean), ..self }
    }

    /// Where the frame goes first; `None` when no tier gets it.
    #[must_use]
    pub const fn destination(&self) -> Option<Destination> {
        match self.action {
            Action::Send(tier) => Some(tier),
            Action::Cascade(_) => Some(Destination::Edge),
            Action::Expire | Action::Skip => None,
        }
    }
}
