//! Everything goes to the edge.

use super::PolicySettings;
use crate::{Choice, FrameFacts, Policy, PolicyError, Snapshot};
use frame::Destination::Edge;

/// Everything goes to the edge; there is nothing to set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct EdgeOnly;

impl PolicySettings for EdgeOnly {
    fn check(&self) -> Result<(), PolicyError> {
        Ok(())
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(*self))
    }
}

impl Policy for EdgeOnly {
    fn name(&self) -> &str {
        "edge-only"
    }

    fn choose(&self, _frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::send(Edge, "only-edge")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::nth;

    #[test]
    fn it_never_chooses_the_cloud() {
        for ordinal in 0..100 {
            let choice = EdgeOnly.choose(&nth(ordinal), &Snapshot::default());
            assert_eq!(choice, Choice::send(Edge, "only-edge"));
        }
    }
}
