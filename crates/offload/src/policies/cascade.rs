//! Edge first; what was hard there goes on to the cloud.

use crate::{Action, Choice, FrameFacts, Hardness, Policy, Snapshot};

/// Every frame is looked at on the edge, which sends the hard ones on.
pub(super) struct Cascading {
    pub(super) hardness: Hardness,
}

impl Policy for Cascading {
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
        let policy = Cascading { hardness: Hardness::default() };
        let choice = policy.choose(&facts(), &Snapshot::default());
        assert_eq!(choice.destination(), Some(Destination::Edge));
        assert_eq!(choice.action, Action::Cascade(Hardness::default()));
    }
}
