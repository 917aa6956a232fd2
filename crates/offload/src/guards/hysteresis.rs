//! Hysteresis: a camera stays on a tier for a while, and changes only when that is clearly better.

use crate::PolicyError;
use crate::config::range;
use frame::{CameraId, Destination};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// `[hysteresis]`: off unless `dwell_ms` is above 0.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hysteresis {
    /// How long a camera stays on a tier at least, in milliseconds.
    pub dwell_ms: f64,
    /// A camera goes to the cloud when that is preferred by more than this (the leaning, -1 to 1).
    pub to_cloud_above: f64,
    /// A camera goes back to the edge when the cloud is preferred by less than this.
    pub to_edge_below: f64,
}

impl Default for Hysteresis {
    fn default() -> Self {
        Self { dwell_ms: 0.0, to_cloud_above: 0.1, to_edge_below: -0.1 }
    }
}

impl Hysteresis {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let Self { dwell_ms, to_cloud_above, to_edge_below } = *self;
        range::time_or_none("[hysteresis] dwell_ms", dwell_ms)?;
        range::leaning("[hysteresis] to_cloud_above", to_cloud_above)?;
        range::leaning("[hysteresis] to_edge_below", to_edge_below)?;
        let ok = to_edge_below <= to_cloud_above;
        range::require("[hysteresis] to_edge_below", to_edge_below, ok, "at most to_cloud_above")
    }
}

/// On which tier each camera is, and since when.
#[derive(Clone, Debug)]
pub(crate) struct Dwell {
    config: Hysteresis,
    cameras: HashMap<CameraId, Stay>,
}

#[derive(Clone, Copy, Debug)]
struct Stay {
    tier: Destination,
    since: f64,
    heard: f64,
}

impl Dwell {
    pub(crate) fn new(config: Hysteresis) -> Self {
        Self { config, cameras: HashMap::new() }
    }

    /// Other numbers, the same stays.
    pub(crate) fn reconfigure(&mut self, config: Hysteresis) {
        self.config = config;
    }

    /// The tier that a frame goes to when its policy wants `wanted` and leans to the cloud by
    /// `lean` (-1 to 1).
    pub(crate) fn settle(
        &mut self,
        camera: &CameraId,
        wanted: Destination,
        lean: Option<f64>,
        now: f64,
    ) -> Destination {
        let Hysteresis { dwell_ms, to_cloud_above, to_edge_below } = self.config;
        if dwell_ms <= 0.0 {
            return wanted;
        }
        super::make_room(&mut self.cameras, camera, |stay| now - stay.heard < dwell_ms);
        let stay = self.cameras.entry(camera.clone()).or_insert(Stay {
            tier: wanted,
            since: now,
            heard: now,
        });
        stay.heard = now;
        // a policy that does not weigh is sure of what it wants
        let clear = lean.is_none_or(|lean| match wanted {
            Destination::Cloud => lean > to_cloud_above,
            Destination::Edge => lean < to_edge_below,
        });
        if wanted != stay.tier && clear && now - stay.since >= dwell_ms {
            (stay.tier, stay.since) = (wanted, now);
        }
        stay.tier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_camera_never_changes_faster_than_its_dwell(
            dwell_ms in 1.0..2000.0f64,
            wishes in prop::collection::vec((0.0..300.0f64, any::<bool>(), -1.0..1.0f64), 1..300),
        ) {
            let camera: CameraId = "gate".parse().unwrap();
            let mut dwell = Dwell::new(Hysteresis { dwell_ms, ..Hysteresis::default() });
            let (mut now, mut changes, mut last) = (0.0, Vec::new(), None);
            for (pause, cloud, lean) in wishes {
                now += pause;
                let wanted = if cloud { Destination::Cloud } else { Destination::Edge };
                let tier = dwell.settle(&camera, wanted, Some(lean), now);
                if last.is_some_and(|last| last != tier) {
                    changes.push(now);
                }
                last = Some(tier);
            }
            prop_assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= dwell_ms));
        }
    }

    #[test]
    fn what_is_hardly_better_changes_nothing() {
        let camera: CameraId = "gate".parse().unwrap();
        let mut dwell =
            Dwell::new(Hysteresis { dwell_ms: 100.0, to_cloud_above: 0.2, to_edge_below: -0.2 });
        let mut settle = |wanted, lean, now| dwell.settle(&camera, wanted, lean, now);
        assert_eq!(settle(Destination::Edge, Some(-0.5), 0.0), Destination::Edge);
        assert_eq!(settle(Destination::Cloud, Some(0.1), 1000.0), Destination::Edge);
        assert_eq!(settle(Destination::Cloud, Some(0.3), 1000.0), Destination::Cloud);
        assert_eq!(settle(Destination::Edge, Some(-0.1), 2000.0), Destination::Cloud);
        assert_eq!(settle(Destination::Edge, None, 2000.0), Destination::Edge);
    }

    #[test]
    fn without_a_dwell_every_wish_is_granted() {
        let camera: CameraId = "gate".parse().unwrap();
        let mut dwell = Dwell::new(Hysteresis::default());
        for wanted in [Destination::Edge, Destination::Cloud, Destination::Edge] {
            assert_eq!(dwell.settle(&camera, wanted, Some(0.0), 0.0), wanted);
        }
    }
}
