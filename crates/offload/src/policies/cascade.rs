//! Edge first; what was hard there goes on to the cloud.

use super::PolicySettings;
use super::audited::{AUDIT, Audited, Audits};
use crate::config::{from_text, to_text};
use crate::{Action, Choice, FrameFacts, Hardness, Policy, PolicyError, Snapshot};
use serde::{Deserialize, Serialize};

/// `[cascade]`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cascade {
    /// Which frames go on to the cloud as well, e.g. `max-confidence<0.5,empty=easy`.
    #[serde(deserialize_with = "from_text", serialize_with = "to_text")]
    pub hardness: Hardness,
    /// The share of frames that goes on by chance, whatever their score: they tell how far the edge
    /// agrees with the cloud.
    pub audit: f64,
    /// How far the edge's answers to the frames that stay agree with the cloud's, on the mean; the
    /// threshold of each camera follows from it. `None`: nothing is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// With which probability that is so; 0.9 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl Default for Cascade {
    fn default() -> Self {
        let hardness = Hardness::default();
        Self { hardness, audit: AUDIT, agreement: None, confidence: None }
    }
}

impl Cascade {
    const fn audits(&self) -> Audits {
        let Self { audit, agreement, confidence, .. } = *self;
        Audits { audit, agreement, confidence }
    }
}

impl PolicySettings for Cascade {
    /// A measure of hardness is checked when its text is read.
    fn check(&self) -> Result<(), PolicyError> {
        let Self { hardness: _, audit: _, agreement: _, confidence: _ } = self;
        self.audits().check()
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        let cascade = Box::new(EdgeFirst { hardness: self.hardness.clone() });
        Ok(Box::new(Audited::around(cascade, self.audits())))
    }
}

/// Every frame goes to the edge, which sends the hard ones on.
struct EdgeFirst {
    hardness: Hardness,
}

impl Policy for EdgeFirst {
    fn name(&self) -> &str {
        "cascade"
    }

    fn choose(&self, _frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::new(Action::Cascade(self.hardness.clone()), "edge-first")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::facts;
    use frame::Destination;

    #[test]
    fn the_edge_comes_first_and_knows_the_measure() {
        let policy = EdgeFirst { hardness: Hardness::default() };
        let choice = policy.choose(&facts(), &Snapshot::default());
        assert_eq!(choice.destination(), Some(Destination::Edge));
        assert_eq!(choice.action, Action::Cascade(Hardness::default()));
    }
}
