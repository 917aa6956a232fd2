//! Everything goes to the cloud.

use super::PolicySettings;
use crate::{Choice, FrameFacts, Policy, PolicyError, Snapshot};
use frame::Destination::Cloud;

/// Everything goes to the cloud; there is nothing to set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CloudOnly;

impl PolicySettings for CloudOnly {
    fn check(&self) -> Result<(), PolicyError> {
        Ok(())
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(*self))
    }
}

impl Policy for CloudOnly {
    fn name(&self) -> &str {
        "cloud-only"
    }

    fn choose(&self, _frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::send(Cloud, "only-cloud")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::nth;

    #[test]
    fn it_never_chooses_the_edge() {
        for ordinal in 0..100 {
            let choice = CloudOnly.choose(&nth(ordinal), &Snapshot::default());
            assert_eq!(choice, Choice::send(Cloud, "only-cloud"));
        }
    }
}
