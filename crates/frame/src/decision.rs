//! Which tier gets a frame, and why.

use crate::PerTier;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The tier that runs the inference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// The small box near the camera.
    Edge,
    /// The large one behind the uplink.
    Cloud,
}

impl Destination {
    /// Both tiers.
    pub const ALL: [Self; 2] = [Self::Edge, Self::Cloud];

    /// `edge` or `cloud`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Cloud => "cloud",
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|tier| tier.as_str() == text);
        named.ok_or_else(|| InvalidDestination(text.to_owned()))
    }
}

/// A text that names no tier.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is neither edge nor cloud")]
pub struct InvalidDestination(pub String);

/// What `estimate_to_cloud` said of one frame.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Where the frame goes.
    pub destination: Destination,
    /// A short code for why, e.g. `every-second-frame`; few distinct values, so that it can label
    /// a metric.
    pub reason: String,
    /// The policy that decided, e.g. `alternate`.
    pub policy: String,
    /// The name of the contract that the frame's camera has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// In how many milliseconds each tier was expected to answer.
    #[serde(default, skip_serializing_if = "Predicted::is_unknown")]
    pub predicted_ms: Predicted,
    /// How many milliseconds really went by from the decision to this result; absent until there
    /// is one. Compares the clocks of two machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

impl Decision {
    /// A decision without predictions and contract.
    #[must_use]
    pub fn new(
        destination: Destination,
        reason: impl Into<String>,
        policy: impl Into<String>,
    ) -> Self {
        let (reason, policy) = (reason.into(), policy.into());
        let (predicted_ms, contract, took_ms) = (Predicted::default(), None, None);
        Self { destination, reason, policy, contract, predicted_ms, took_ms }
    }
}

/// In how many milliseconds each tier was expected to answer, from the decision on (in the cloud
/// the way there and back included); `None` where that was not known.
pub type Predicted = PerTier<Option<f64>>;
