//! What was decided on the latest frames, so that a frame that comes again goes where it went
//! before.
//!
//! A frame comes again when its offset was not committed: after a rebalance, or when a broker
//! restarts. Were it decided on anew, both tiers might run inference on it, and results of a camera could
//! overtake each other on one tier.

use crate::motion::Thumbnail;
use frame::{CameraId, FrameId};
use offload::Decided;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use unit::BoundedMap;

/// More frames than this are never in flight or fetched and not committed at a time.
const MAX_ENTRIES: usize = 4096;

/// The latest decisions, by frame.
#[derive(Debug)]
pub(crate) struct Remembered {
    decisions: Mutex<BoundedMap<FrameId, Decided<FrameId>>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { decisions: Mutex::new(BoundedMap::new(MAX_ENTRIES)) }
    }
}

impl Remembered {
    pub(crate) fn get(&self, frame: FrameId) -> Option<Decided<FrameId>> {
        self.lock().get(&frame).cloned()
    }

    pub(crate) fn put(&self, frame: FrameId, decided: Decided<FrameId>) {
        self.lock().insert(frame, decided);
    }

    fn lock(&self) -> MutexGuard<'_, BoundedMap<FrameId, Decided<FrameId>>> {
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many cameras' pictures are held, three kilobytes each.
const MAX_CAMERAS: usize = 4096;

/// What each camera's last frame that was sent to a tier looked like.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    pictures: Mutex<HashMap<CameraId, Thumbnail>>,
}

impl Moving {
    /// The share of the picture that has changed since then, if there is such a frame.
    pub(crate) fn change(&self, camera: &CameraId, now: &Thumbnail) -> Option<f64> {
        let pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        pictures.get(camera).map(|before| now.change_since(before))
    }

    pub(crate) fn processed(&self, camera: &CameraId, picture: Thumbnail) {
        let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        if pictures.len() >= MAX_CAMERAS && !pictures.contains_key(camera) {
            // a camera that is missing here costs one inference more than it need
            pictures.clear();
        }
        pictures.insert(camera.clone(), picture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::Destination;

    fn decision(destination: Destination) -> Decided<FrameId> {
        Decided {
            choice: offload::Choice::send(destination, "because"),
            policy: "test".into(),
            predicted_ms: frame::Predicted::default(),
            answer_by: None,
            same_as: None,
            contract: None,
            order: frame::Order::default(),
            weight: 1,
        }
    }

    #[test]
    fn the_latest_decisions_are_remembered_and_the_oldest_forgotten() {
        let remembered = Remembered::default();
        let ids: Vec<FrameId> = (0..=MAX_ENTRIES).map(|_| FrameId::fresh()).collect();
        for id in &ids {
            remembered.put(*id, decision(Destination::Cloud));
        }
        assert_eq!(remembered.get(ids[0]), None);
        assert_eq!(remembered.get(ids[1]), Some(decision(Destination::Cloud)));
        assert_eq!(remembered.get(ids[MAX_ENTRIES]), Some(decision(Destination::Cloud)));
        assert_eq!(remembered.lock().len(), MAX_ENTRIES);
    }
}
