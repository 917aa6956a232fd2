//! Counts the frames of cameras that do not count themselves.

use frame::CameraId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many cameras are remembered; 10,000 are about a megabyte. Of more, the one silent for
/// longest starts again at 0.
const MAX_CAMERAS: usize = 10_000;

/// The next number of each camera. Each replica counts by itself and starts at 0.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    cameras: Mutex<Cameras>,
}

#[derive(Debug, Default)]
struct Cameras {
    next: HashMap<CameraId, Counter>,
    clock: u64,
}

#[derive(Debug)]
struct Counter {
    next: u64,
    used: u64,
}

impl Sequences {
    /// The number that the client gave (counting then goes on from there), or the next one.
    pub(crate) fn number(&self, camera: &CameraId, given: Option<u64>) -> u64 {
        let mut cameras = self.cameras.lock().unwrap_or_else(PoisonError::into_inner);
        cameras.clock += 1;
        let used = cameras.clock;
        if cameras.next.len() >= MAX_CAMERAS && !cameras.next.contains_key(camera) {
            cameras.drop_oldest();
        }
        let counter = cameras.next.entry(camera.clone()).or_insert(Counter { next: 0, used });
        let number = given.unwrap_or(counter.next);
        *counter = Counter { next: number.wrapping_add(1), used };
        number
    }
}

impl Cameras {
    fn drop_oldest(&mut self) {
        let oldest = self
            .next
            .iter()
            .min_by_key(|(_, counter)| counter.used)
            .map(|(camera, _)| camera.clone());
        if let Some(camera) = oldest {
            self.next.remove(&camera);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_camera_counts_by_itself_and_follows_what_clients_give() {
        let sequences = Sequences::default();
        let (gate, yard): (CameraId, CameraId) = ("gate".parse().unwrap(), "yard".parse().unwrap());
        assert_eq!(sequences.number(&gate, None), 0);
        assert_eq!(sequences.number(&gate, None), 1);
        assert_eq!(sequences.number(&yard, None), 0);
        assert_eq!(sequences.number(&gate, Some(40)), 40);
        assert_eq!(sequences.number(&gate, None), 41);
        assert_eq!(sequences.number(&yard, Some(u64::MAX)), u64::MAX);
        assert_eq!(sequences.number(&yard, None), 0, "wraps instead of panicking");
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_silent() {
        let sequences = Sequences::default();
        let camera = |n: usize| format!("camera-{n}").parse::<CameraId>().unwrap();
        for n in 0..MAX_CAMERAS {
            sequences.number(&camera(n), None);
        }
        assert_eq!(sequences.number(&camera(0), None), 1, "it was heard of again");
        sequences.number(&camera(MAX_CAMERAS), None);
        assert_eq!(sequences.cameras.lock().unwrap().next.len(), MAX_CAMERAS);
        assert_eq!(sequences.number(&camera(0), None), 2);
        assert_eq!(sequences.number(&camera(1), None), 0, "it was silent for longest");
    }
}
