//! Which frame is the newest one of its camera, for those that are served newest first.

use crate::{CameraId, FrameId, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of so many cameras the newest frame is known; names come from clients, who may make up any
/// number of them.
const MAX_CAMERAS: usize = 10_000;

/// The newest frame of each camera that came to this process, by the time of its receipt.
#[derive(Debug, Default)]
pub struct Newest {
    cameras: Mutex<HashMap<CameraId, (Timestamp, FrameId)>>,
}

impl Newest {
    /// A frame has come.
    pub fn came(&self, camera: &CameraId, received_at: Timestamp, id: FrameId) {
        let mut cameras = self.lock();
        let this = (received_at, id);
        match cameras.get_mut(camera) {
            Some(newest) => *newest = this.max(*newest),
            None => {
                if cameras.len() >= MAX_CAMERAS {
                    // a camera that is missing here has its next frames served in order
                    cameras.clear();
                }
                cameras.insert(camera.clone(), this);
            }
        }
    }

    /// The frame that has overtaken this one, if one has.
    #[must_use]
    pub fn overtook(
        &self,
        camera: &CameraId,
        received_at: Timestamp,
        id: FrameId,
    ) -> Option<FrameId> {
        let newest = *self.lock().get(camera)?;
        (newest > (received_at, id)).then_some(newest.1)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CameraId, (Timestamp, FrameId)>> {
        self.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_later_frame_of_the_same_camera_overtakes() {
        let newest = Newest::default();
        let [gate, yard]: [CameraId; 2] = ["gate", "yard"].map(|name| name.parse().unwrap());
        let ids: Vec<FrameId> = (0..3).map(|_| FrameId::fresh()).collect();
        let at = Timestamp::from_micros;
        newest.came(&gate, at(20), ids[1]);
        newest.came(&gate, at(10), ids[0]);
        newest.came(&yard, at(90), ids[2]);
        assert_eq!(newest.overtook(&gate, at(10), ids[0]), Some(ids[1]));
        assert_eq!(newest.overtook(&gate, at(20), ids[1]), None);
        assert_eq!(newest.overtook(&yard, at(90), ids[2]), None);
    }

    #[test]
    fn the_number_of_cameras_is_bounded() {
        let newest = Newest::default();
        for number in 0..=MAX_CAMERAS {
            let camera: CameraId = format!("camera-{number}").parse().unwrap();
            newest.came(&camera, Timestamp::from_micros(1), FrameId::fresh());
        }
        assert!(newest.lock().len() <= MAX_CAMERAS);
    }
}
