//! Where a frame is looked at, and why.

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
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == text).ok_or_else(|| format!("'{text}' is neither edge nor cloud"))
    }
}

/// What `estimate_to_cloud` said of one frame.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Where the frame goes.
    pub destination: Destination,
    /// A short code for why, e.g. `every-second-frame`; few distinct values, so that it can label a metric.
    pub reason: String,
    /// The policy that decided, e.g. `alternate`.
    pub policy: String,
}
