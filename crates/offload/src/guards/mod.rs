//! What every policy wears: hysteresis, a circuit breaker per tier, a budget, a motion gate.

mod breaker;
mod budget;
mod hysteresis;
mod motion;

use frame::CameraId;
use std::collections::HashMap;

pub use breaker::BreakerState;
pub(crate) use breaker::{Admission, CircuitBreaker};
pub(crate) use budget::TokenBucket;
pub(crate) use hysteresis::Dwell;
pub(crate) use motion::MotionGate;

/// Of so many cameras something is kept; names come from clients, who may make up any number of
/// them.
const MOST_CAMERAS: usize = 10_000;

/// Makes room for a camera that is not there yet: those that are not worth keeping go, and if that
/// is not enough, a tenth of all.
fn make_room<T>(
    cameras: &mut HashMap<CameraId, T>,
    camera: &CameraId,
    mut worth_keeping: impl FnMut(&mut T) -> bool,
) {
    if cameras.len() < MOST_CAMERAS || cameras.contains_key(camera) {
        return;
    }
    cameras.retain(|_, kept| worth_keeping(kept));
    if cameras.len() >= MOST_CAMERAS {
        let mut left = MOST_CAMERAS / 10;
        cameras.retain(|_, _| {
            left = left.saturating_sub(1);
            left == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_cameras_there_are_their_number_is_bounded() {
        let mut cameras = HashMap::new();
        for n in 0..3 * MOST_CAMERAS {
            let camera: CameraId = format!("camera-{n}").parse().unwrap();
            make_room(&mut cameras, &camera, |_| true);
            cameras.insert(camera, ());
            assert!(cameras.len() <= MOST_CAMERAS);
        }
        let last: CameraId = "last".parse().unwrap();
        make_room(&mut cameras, &last, |()| false);
        assert!(cameras.len() < MOST_CAMERAS);
    }
}
