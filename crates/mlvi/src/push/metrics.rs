//! What a process that feeds cameras counts.

use super::window::Outcome;
use frame::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Frames by what became of them, and how many cameras deliver. None is labelled by camera.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    frames: Family<FrameLabels, Counter>,
    cameras: Gauge,
    delivering: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FrameLabels {
    outcome: &'static str,
}

impl Metrics {
    pub(super) fn register(&self, metrics: &unit::Metrics) {
        metrics.register(
            "camera_frames",
            "frames of all cameras by what became of them",
            self.frames.clone(),
        );
        metrics.register("camera_cameras", "cameras that are to deliver", self.cameras.clone());
        metrics.register(
            "camera_delivering",
            "cameras that have got a result lately",
            self.delivering.clone(),
        );
    }

    /// A frame is done with.
    pub(super) fn settled(&self, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Result(result) => match result.status {
                Status::Done | Status::Skipped | Status::Provisional => "answered",
                Status::Failed | Status::Expired => "failed",
            },
            Outcome::Dropped => "dropped",
            Outcome::Lost => "lost",
        };
        self.frames.get_or_create(&FrameLabels { outcome }).inc();
    }

    /// How many cameras there are, and how many of them deliver.
    pub(super) fn cameras(&self, all: usize, delivering: usize) {
        self.cameras.set(i64::try_from(all).unwrap_or(i64::MAX));
        self.delivering.set(i64::try_from(delivering).unwrap_or(i64::MAX));
    }
}
