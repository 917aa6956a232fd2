//! Every second frame goes to the cloud.

use super::PolicySettings;
use crate::{Choice, FrameFacts, Policy, PolicyError, Snapshot};
use frame::Destination::{Cloud, Edge};

/// Every second frame goes to the cloud, a counter modulo two; there is nothing to set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Alternate;

impl PolicySettings for Alternate {
    fn check(&self) -> Result<(), PolicyError> {
        Ok(())
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(*self))
    }
}

impl Policy for Alternate {
    fn name(&self) -> &str {
        "alternate"
    }

    fn choose(&self, frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::send(if frame.ordinal % 2 == 1 { Cloud } else { Edge }, "every-second-frame")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{facts, nth};

    #[test]
    fn one_frame_goes_to_the_edge_and_the_next_to_the_cloud() {
        let tier = |n| Alternate.choose(&nth(n), &Snapshot::default()).destination();
        for ordinal in 0..100 {
            assert_ne!(tier(ordinal), tier(ordinal + 1));
        }
        assert_eq!(Alternate.choose(&facts(), &Snapshot::default()).reason, "every-second-frame");
    }
}
