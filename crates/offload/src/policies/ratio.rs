//! A share of the frames goes to the cloud, spread evenly.

use super::PolicySettings;
use crate::config::range;
use crate::{Choice, FrameFacts, Policy, PolicyError, Snapshot};
use frame::Destination::{Cloud, Edge};
use serde::{Deserialize, Serialize};

/// `[ratio]`
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ratio {
    /// The share of frames that goes to the cloud, 0 to 1.
    pub cloud_share: f64,
}

impl Default for Ratio {
    fn default() -> Self {
        Self { cloud_share: 0.5 }
    }
}

impl PolicySettings for Ratio {
    fn check(&self) -> Result<(), PolicyError> {
        let Self { cloud_share } = *self;
        range::share("[ratio] cloud_share", cloud_share)
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(EvenShare { cloud_share: self.cloud_share }))
    }
}

struct EvenShare {
    cloud_share: f64,
}

impl Policy for EvenShare {
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
    use crate::testing::nth;
    use proptest::prelude::*;

    fn is_for_cloud(cloud_share: f64, ordinal: u64) -> bool {
        let choice = EvenShare { cloud_share }.choose(&nth(ordinal), &Snapshot::default());
        choice.destination() == Some(Cloud)
    }

    #[test]
    fn a_ratio_of_three_in_ten_spreads_them() {
        let clouds: Vec<u64> = (0..20).filter(|n| is_for_cloud(0.3, *n)).collect();
        assert_eq!(clouds, [3, 6, 9, 13, 16, 19]);
    }

    proptest! {
        #[test]
        fn the_share_is_met_to_the_frame(cloud_share in 0.0..=1.0f64, frames in 0..2000u64) {
            let clouds = (0..frames).filter(|n| is_for_cloud(cloud_share, *n)).count();
            let wanted = frames as f64 * cloud_share;
            prop_assert!((clouds as f64 - wanted).abs() <= 1.0, "{clouds} of {frames}");
        }
    }
}
