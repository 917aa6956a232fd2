//! A motion gate: a frame that equals the last one need not be looked at.

use crate::config::Motion;
use frame::CameraId;
use std::collections::HashMap;

/// Which frame of each camera was looked at last. `K` names frames.
#[derive(Clone, Debug)]
pub(crate) struct MotionGate<K> {
    config: Motion,
    looked_at: HashMap<CameraId, (K, f64)>,
}

impl<K: Copy + Eq> MotionGate<K> {
    pub(crate) fn new(config: Motion) -> Self {
        Self { config, looked_at: HashMap::new() }
    }

    /// Other numbers, the same memory.
    pub(crate) fn reconfigure(&mut self, config: Motion) {
        self.config = config;
    }

    /// The frame that this one equals, when it can be skipped.
    pub(crate) fn equal_to(&self, camera: &CameraId, change: Option<f64>, now: f64) -> Option<K> {
        let (key, at) = self.looked_at.get(camera)?;
        let still = change.is_some_and(|change| change < self.config.skip_below);
        (still && now - at < self.config.look_every_ms).then_some(*key)
    }

    /// Nobody has looked at this frame after all.
    pub(crate) fn did_not_see(&mut self, camera: &CameraId, key: K) {
        if self.looked_at.get(camera).is_some_and(|(last, _)| *last == key) {
            self.looked_at.remove(camera);
        }
    }

    /// This frame is looked at.
    pub(crate) fn looks_at(&mut self, camera: &CameraId, key: K, now: f64) {
        if self.config.skip_below <= 0.0 {
            return;
        }
        super::make_room(&mut self.looked_at, camera, |(_, at)| {
            now - *at < self.config.look_every_ms
        });
        self.looked_at.insert(camera.clone(), (key, now));
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
        gate.looks_at(&camera, 7, 0.0);
        assert_eq!(gate.equal_to(&camera, Some(0.005), 500.0), Some(7));
        assert_eq!(gate.equal_to(&camera, Some(0.02), 500.0), None);
        assert_eq!(gate.equal_to(&camera, None, 500.0), None, "what was not measured is not still");
        assert_eq!(gate.equal_to(&camera, Some(0.0), 1000.0), None);
        gate.did_not_see(&camera, 8);
        assert_eq!(gate.equal_to(&camera, Some(0.0), 500.0), Some(7));
        gate.did_not_see(&camera, 7);
        assert_eq!(gate.equal_to(&camera, Some(0.0), 500.0), None, "what nobody saw tells nothing");
        assert_eq!(gate.equal_to(&"yard".parse().unwrap(), Some(0.0), 500.0), None);
    }

    #[test]
    fn it_is_off_by_default() {
        let camera: CameraId = "gate".parse().unwrap();
        let mut gate = MotionGate::new(Motion::default());
        gate.looks_at(&camera, 7, 0.0);
        assert_eq!(gate.equal_to(&camera, Some(0.0), 1.0), None);
    }
}
