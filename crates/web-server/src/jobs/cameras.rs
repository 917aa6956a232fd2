//! Which cameras there are, by the results that are held.

use super::Finished;
use frame::{CameraId, FrameId, Status};
use std::collections::BTreeMap;

/// How many results of a camera are held, by status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) expired: u64,
    pub(crate) skipped: u64,
    pub(crate) provisional: u64,
}

/// The cameras with a result in the ring, each with positions in it.
#[derive(Debug, Default)]
pub(super) struct Cameras(BTreeMap<CameraId, Camera>);

#[derive(Debug, Default)]
pub(super) struct Camera {
    pub(super) counts: Counts,
    /// Of the newest result.
    pub(super) last: u64,
    /// The newest frame with a result that can be shown on its picture, and the position of that
    /// result. A result that comes late, of an older frame, is not shown.
    shown: Option<(FrameId, u64)>,
}

impl Counts {
    fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Done => &mut self.done,
            Status::Failed => &mut self.failed,
            Status::Expired => &mut self.expired,
            Status::Skipped => &mut self.skipped,
            Status::Provisional => &mut self.provisional,
        }
    }

    fn all(self) -> u64 {
        let Self { done, failed, expired, skipped, provisional } = self;
        done + failed + expired + skipped + provisional
    }
}

impl Camera {
    /// The newest frame that has an answer.
    pub(super) fn newest(&self) -> Option<FrameId> {
        self.shown.map(|(frame, _)| frame)
    }
}

impl Cameras {
    pub(super) fn get(&self, camera: &CameraId) -> Option<&Camera> {
        self.0.get(camera)
    }

    /// A result was put into the ring, behind all others.
    pub(super) fn pushed(&mut self, result: &Finished, position: u64) {
        let camera = self.0.entry(result.camera.clone()).or_default();
        *camera.counts.of(result.status) += 1;
        camera.last = position;
        let is_newer = camera.shown.is_none_or(|(frame, _)| frame <= result.frame_id);
        if !result.is_error() && is_newer {
            camera.shown = Some((result.frame_id, position));
        }
    }

    /// The oldest result has left the ring.
    pub(super) fn dropped(&mut self, result: &Finished, position: u64) {
        let Some(camera) = self.0.get_mut(&result.camera) else { return };
        let count = camera.counts.of(result.status);
        *count = count.saturating_sub(1);
        camera.shown = camera.shown.filter(|(_, shown)| *shown != position);
        if camera.counts.all() == 0 {
            self.0.remove(&result.camera);
        }
    }

    pub(super) fn shown(&self, camera: &CameraId) -> Option<u64> {
        self.0.get(camera)?.shown.map(|(_, position)| position)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// By name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&CameraId, &Camera)> {
        self.0.iter()
    }
}
