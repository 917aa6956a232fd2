//! Edge first; what was hard there goes on to the cloud.

use super::PolicySettings;
use crate::config::{from_text, to_text};
use crate::{Action, Choice, FrameFacts, Hardness, Policy, PolicyError, Snapshot};
use serde::{Deserialize, Serialize};

/// `[cascade]`
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cascade {
    /// Which frames go on to the cloud as well, e.g. `max-confidence<0.5,empty=easy`.
    #[serde(deserialize_with = "from_text", serialize_with = "to_text")]
    pub hardness: Hardness,
}

impl PolicySettings for Cascade {
    /// A measure of hardness is checked when its text is read.
    fn check(&self) -> Result<(), PolicyError> {
        let Self { hardness: _ } = self;
        Ok(())
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(EdgeFirst { hardness: self.hardness.clone() }))
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
