//! The decision: shall the edge or the cloud look at this frame?
//!
//! # Your own logic
//!
//! This file is all that you have to touch.
//!
//! 1. Add a variant to [`Policy`], and a line with its name to [`Policy::choices`]: `MLVI_POLICY` then takes that name,
//!    and an unknown name is refused with the list of those that exist.
//! 2. Add an arm to the `match` in [`estimate_to_cloud`]. It answers with a destination and a reason.
//! 3. Add a test at the end of this file.
//!
//! What you have to work with:
//!
//! - [`FrameFacts`]: what is known of this frame. Compare frames of one camera by `camera` and `sequence`, count with `ordinal`.
//! - [`LoadSnapshot`]: what is known of the two tiers, a second or two old. `None` means that it is *not known*, which is not 0.
//!
//! What the rest of the unit counts on:
//!
//! - The function is pure: the same facts give the same decision. It never calls out, never waits and keeps nothing between calls,
//!   so it can be replayed over a recorded trace. It is called for each frame, so it should take microseconds.
//! - A frame that comes again (after a rebalance, say) goes where it went before, without another call.
//! - It always decides. If it panics, that frame alone fails (and after many in a row the unit stops).
//! - The reason is a short code such as `share-due`: it comes back to the client in the result and labels a metric, so there
//!   must be few distinct ones; put no numbers into it.

use frame::{CameraId, Decision, Destination, ImageSize};

/// What is known of a frame when it is decided on.
#[derive(Clone, PartialEq, Debug)]
pub struct FrameFacts {
    /// From which camera.
    pub camera: CameraId,
    /// The frame's number at its camera.
    pub sequence: u64,
    /// How many frames this preprocessor decided on before this one, from all cameras, since it was started.
    pub ordinal: u64,
    /// What would be sent to the tier: the size of the prepared JPEG.
    pub bytes: usize,
    /// The image's size in pixels, upright.
    pub image: ImageSize,
    /// How long ago the frame came in at the door, in milliseconds.
    pub age_ms: f64,
    /// How long its result is still wanted, in milliseconds; `None` when it has no deadline.
    pub deadline_left_ms: Option<f64>,
}

/// What is known of the tiers. Today's policies use none of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadSnapshot {
    /// How many frames sent to the edge are not finished there; `None` when that is not known.
    pub edge_backlog: Option<u64>,
    /// How many frames sent to the cloud are not finished there; `None` when that is not known.
    pub cloud_backlog: Option<u64>,
}

/// How it is decided: `MLVI_POLICY`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Policy {
    /// Everything goes to the edge.
    EdgeOnly,
    /// Everything goes to the cloud.
    CloudOnly,
    /// Every second frame goes to the cloud, a counter modulo two.
    Alternate,
    /// A share of the frames goes to the cloud, spread evenly.
    Ratio {
        /// From 0 (none) to 1 (all).
        cloud_share: f64,
    },
}

impl Policy {
    /// Every policy by its name; `cloud_share` is for those that want one.
    #[must_use]
    pub const fn choices(cloud_share: f64) -> [(&'static str, Self); 4] {
        [
            ("edge-only", Self::EdgeOnly),
            ("cloud-only", Self::CloudOnly),
            ("alternate", Self::Alternate),
            ("ratio", Self::Ratio { cloud_share }),
        ]
    }

    /// The name, as in `MLVI_POLICY` and in results.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EdgeOnly => "edge-only",
            Self::CloudOnly => "cloud-only",
            Self::Alternate => "alternate",
            Self::Ratio { .. } => "ratio",
        }
    }
}

/// Decides where a frame is looked at. Edit here.
#[must_use]
pub fn estimate_to_cloud(frame: &FrameFacts, _load: &LoadSnapshot, policy: &Policy) -> Decision {
    use Destination::{Cloud, Edge};

    let (destination, reason) = match *policy {
        Policy::EdgeOnly => (Edge, "only-edge"),
        Policy::CloudOnly => (Cloud, "only-cloud"),
        Policy::Alternate if frame.ordinal % 2 == 1 => (Cloud, "every-second-frame"),
        Policy::Alternate => (Edge, "every-second-frame"),
        // of n frames ⌊n · share⌋ go to the cloud; this one does if it makes that number grow
        Policy::Ratio { cloud_share } => {
            let due_after = |frames: f64| (frames * cloud_share).floor();
            let before = frame.ordinal as f64;
            if due_after(before + 1.0) > due_after(before) { (Cloud, "share-due") } else { (Edge, "share-reached") }
        }
    };
    Decision { destination, reason: reason.into(), policy: policy.name().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nth(ordinal: u64) -> FrameFacts {
        FrameFacts {
            camera: CameraId::unnamed(),
            sequence: 0,
            ordinal,
            bytes: 90_000,
            image: ImageSize { width: 640, height: 480 },
            age_ms: 20.0,
            deadline_left_ms: None,
        }
    }

    fn decide(ordinal: u64, policy: &Policy) -> Decision {
        estimate_to_cloud(&nth(ordinal), &LoadSnapshot::default(), policy)
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        (0.0..=1.0f64, 0..4usize).prop_map(|(share, which)| Policy::choices(share)[which].1)
    }

    prop_compose! {
        fn any_facts()(
            sequence: u64, ordinal: u64, bytes: usize, width in 1u32.., height in 1u32.., age_ms: f64,
            deadline_left_ms: Option<f64>,
        ) -> FrameFacts {
            FrameFacts { sequence, bytes, image: ImageSize { width, height }, age_ms, deadline_left_ms, ..nth(ordinal) }
        }
    }

    #[test]
    fn one_tier_policies_never_choose_the_other() {
        for ordinal in 0..100 {
            assert_eq!(decide(ordinal, &Policy::EdgeOnly).destination, Destination::Edge);
            assert_eq!(decide(ordinal, &Policy::CloudOnly).destination, Destination::Cloud);
        }
    }

    #[test]
    fn alternate_alternates() {
        for ordinal in 0..100 {
            let [this, next] = [ordinal, ordinal + 1].map(|ordinal| decide(ordinal, &Policy::Alternate).destination);
            assert_ne!(this, next);
        }
    }

    #[test]
    fn every_choice_has_the_name_that_it_is_chosen_by() {
        for (name, policy) in Policy::choices(0.3) {
            assert_eq!(policy.name(), name);
            assert_eq!(decide(0, &policy).policy, name);
        }
    }

    #[test]
    fn a_ratio_of_three_in_ten_spreads_them() {
        let policy = Policy::Ratio { cloud_share: 0.3 };
        let clouds: Vec<u64> = (0..20).filter(|n| decide(*n, &policy).destination == Destination::Cloud).collect();
        assert_eq!(clouds, [3, 6, 9, 13, 16, 19]);
    }

    proptest! {
        #[test]
        fn the_share_over_any_number_of_frames_is_within_one_frame_of_what_was_asked(
            cloud_share in 0.0..=1.0f64, frames in 0..2000u64,
        ) {
            let policy = Policy::Ratio { cloud_share };
            let clouds = (0..frames).filter(|n| decide(*n, &policy).destination == Destination::Cloud).count();
            prop_assert!((clouds as f64 - frames as f64 * cloud_share).abs() <= 1.0, "{clouds} of {frames}");
        }

        #[test]
        fn there_is_always_a_decision_with_a_short_reason_and_it_is_always_the_same(
            facts in any_facts(), policy in any_policy(), edge_backlog: Option<u64>, cloud_backlog: Option<u64>,
        ) {
            let load = LoadSnapshot { edge_backlog, cloud_backlog };
            let decision = estimate_to_cloud(&facts, &load, &policy);
            prop_assert!((1..=32).contains(&decision.reason.len()), "{}", decision.reason);
            prop_assert_eq!(&decision.policy, policy.name());
            prop_assert_eq!(estimate_to_cloud(&facts, &load, &policy), decision);
        }
    }
}
