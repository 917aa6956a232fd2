//! The baselines, which look at nothing but a counter.

use crate::{Choice, FrameFacts, Policy, Snapshot};
use frame::Destination::{Cloud, Edge};

/// Everything goes to the edge.
pub(super) struct EdgeOnly;
/// Everything goes to the cloud.
pub(super) struct CloudOnly;
/// Every second frame goes to the cloud, a counter modulo two.
pub(super) struct Alternate;
/// A share of the frames goes to the cloud, spread evenly.
pub(super) struct Ratio {
    /// From 0 (none) to 1 (all).
    pub(super) cloud_share: f64,
}

impl Policy for EdgeOnly {
    fn name(&self) -> &str {
        "edge-only"
    }

    fn choose(&self, _frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::send(Edge, "only-edge")
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

impl Policy for Alternate {
    fn name(&self) -> &str {
        "alternate"
    }

    fn choose(&self, frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::send(if frame.ordinal % 2 == 1 { Cloud } else { Edge }, "every-second-frame")
    }
}

impl Policy for Ratio {
    fn name(&self) -> &str {
        "ratio"
    }

    /// Of n frames ⌊n · share⌋ go to the cloud; this one does if it makes that number grow.
    fn choose(&self, frame: &FrameFacts, _load: &Snapshot) -> Choice {
        let due_after = |frames: f64| (frames * self.cloud_share).floor();
        let before = frame.ordinal as f64;
        if due_after(before + 1.0) > due_after(before) {
            Choice::send(Cloud, "share-due")
        } else {
            Choice::send(Edge, "share-reached")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{facts, nth};
    use frame::Destination;
    use proptest::prelude::*;

    fn cloud(policy: &dyn Policy, ordinal: u64) -> bool {
        policy.choose(&nth(ordinal), &Snapshot::default()).destination() == Some(Destination::Cloud)
    }

    #[test]
    fn one_tier_policies_never_choose_the_other_and_alternate_alternates() {
        for ordinal in 0..100 {
            assert!(!cloud(&EdgeOnly, ordinal) && cloud(&CloudOnly, ordinal));
            assert_ne!(cloud(&Alternate, ordinal), cloud(&Alternate, ordinal + 1));
        }
        assert_eq!(Alternate.choose(&facts(), &Snapshot::default()).reason, "every-second-frame");
    }

    #[test]
    fn a_ratio_of_three_in_ten_spreads_them() {
        let clouds: Vec<u64> = (0..20).filter(|n| cloud(&Ratio { cloud_share: 0.3 }, *n)).collect();
        assert_eq!(clouds, [3, 6, 9, 13, 16, 19]);
    }

    proptest! {
        #[test]
        fn the_share_over_any_number_of_frames_is_within_one_frame_of_what_was_asked(
            cloud_share in 0.0..=1.0f64, frames in 0..2000u64,
        ) {
            let clouds = (0..frames).filter(|n| cloud(&Ratio { cloud_share }, *n)).count();
            prop_assert!((clouds as f64 - frames as f64 * cloud_share).abs() <= 1.0, "{clouds} of {frames}");
        }
    }
}
