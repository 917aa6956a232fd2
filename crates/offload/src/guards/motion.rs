//! A motion gate: a frame that equals the last one needs no detection.

use crate::PolicyError;
use crate::config::range;
use frame::CameraId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// `[motion]`: off unless `skip_below` is above 0.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Motion {
    /// A frame is skipped when less than this differs from the camera's last frame that a tier
    /// got, 0 to 1.
    pub skip_below: f64,
    /// A camera's frame goes to a tier after this time even if nothing moves, in milliseconds.
    pub look_every_ms: f64,
}

impl Default for Motion {
    fn default() -> Self {
        Self { skip_below: 0.0, look_every_ms: 10_000.0 }
    }
}

impl Motion {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let Self { skip_below, look_every_ms } = *self;
        range::share("[motion] skip_below", skip_below)?;
        range::time("[motion] look_every_ms", look_every_ms)
    }
}

/// Which frame of each camera a tier got last. `K` names frames.
#[derive(Clone, Debug)]
pub(crate) struct MotionGate<K> {
    config: Motion,
    detected: HashMap<CameraId, (K, f64)>,
}

impl<K: Copy + Eq> MotionGate<K> {
    pub(crate) fn new(config: Motion) -> Self {
        Self { config, detected: HashMap::new() }
    }

    /// Other numbers, the same memory.
    pub(crate) fn reconfigure(&mut self, config: Motion) {
        self.config = config;
    }

    /// The frame that this one equals, when it can be skipped.
    pub(crate) fn equal_to(&self, camera: &CameraId, change: Option<f64>, now: f64) -> Option<K> {
        let (key, at) = self.detected.get(camera)?;
        let still = change.is_some_and(|change| change < self.config.skip_below);
        (still && now - at < self.config.look_every_ms).then_some(*key)
    }

    /// There is no detection of this frame after all.
    pub(crate) fn did_not_detect(&mut self, camera: &CameraId, key: K) {
        if self.detected.get(camera).is_some_and(|(last, _)| *last == key) {
            self.detected.remove(camera);
        }
    }

    /// A tier gets this frame.
    pub(crate) fn detects(&mut self, camera: &CameraId, key: K, now: f64) {
        if self.config.skip_below <= 0.0 {
            return;
        }
        super::make_room(&mut self.detected, camera, |(_, at)| {
            now - *at < self.config.look_every_ms
        });
        self.detected.insert(camera.clone(), (key, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn still_frames_are_skipped_for_a_while() {
        let camera: CameraId = "gate".parse().unwrap();
        let mut gate = MotionGate::new(Motion { skip_below: 0.01, look_every_ms: 1000.0 });
        assert_eq!(gate.equal_to(&camera, Some(0.0), 0.0), None, "there is nothing to be equal to");
        gate.detects(&camera, 7, 0.0);
        assert_eq!(gate.equal_to(&camera, Some(0.005), 500.0), Some(7));
        assert_eq!(gate.equal_to(&camera, Some(0.02), 500.0), None);
        assert_eq!(gate.equal_to(&camera, None, 500.0), None, "what was not measured is not still");
        assert_eq!(gate.equal_to(&camera, Some(0.0), 1000.0), None);
        gate.did_not_detect(&camera, 8);
        assert_eq!(gate.equal_to(&camera, Some(0.0), 500.0), Some(7));
        gate.did_not_detect(&camera, 7);
        assert_eq!(gate.equal_to(&camera, Some(0.0), 500.0), None, "what nobody saw tells nothing");
        assert_eq!(gate.equal_to(&"yard".parse().unwrap(), Some(0.0), 500.0), None);
    }

    #[test]
    fn it_is_off_by_default() {
        let camera: CameraId = "gate".parse().unwrap();
        let mut gate = MotionGate::new(Motion::default());
        gate.detects(&camera, 7, 0.0);
        assert_eq!(gate.equal_to(&camera, Some(0.0), 1.0), None);
    }
}
