//! What is known when a frame is decided on.

use crate::Terms;
use frame::{CameraId, ImageSize, PerTier};

/// What is known of the frame itself.
#[derive(Clone, PartialEq, Debug)]
pub struct FrameFacts {
    /// From which camera.
    pub camera: CameraId,
    /// The frame's number at its camera.
    pub sequence: u64,
    /// How many frames this process decided on before this one, from all cameras, since it was
    /// started.
    pub ordinal: u64,
    /// What would be sent to the cloud: the size of the prepared JPEG; reckoned from the upload
    /// when none is encoded, because the edge gets another form.
    pub bytes: usize,
    /// The image's size in pixels, upright.
    pub image: ImageSize,
    /// How long ago the frame came in, in milliseconds.
    pub age_ms: f64,
    /// How long its result is still wanted, in milliseconds; `None` when it has no deadline.
    pub deadline_left_ms: Option<f64>,
    /// How much differs from the camera's last frame that a tier got, from 0 (nothing) to 1
    /// (everything); `None` when there is no such frame or it was not measured.
    pub change: Option<f64>,
    /// What the contract of its camera asks for; the decider fills it in.
    pub terms: Terms,
}

impl FrameFacts {
    /// In how many milliseconds an answer is wanted: before its deadline, or else within its
    /// contract's time; `None` when neither says so.
    #[must_use]
    pub fn wanted_within_ms(&self) -> Option<f64> {
        self.deadline_left_ms.or(self.terms.left_ms)
    }

    /// Whether it may get an `expired` result, because an answer that comes too late is not wanted.
    #[must_use]
    pub fn may_expire(&self) -> bool {
        self.deadline_left_ms.is_some() || self.terms.may_expire
    }
}

impl FrameFacts {
    /// Whether the edge could still meet the frame's deadline after the cloud had time for an
    /// answer. Then to try the cloud risks nothing.
    #[must_use]
    pub fn can_be_rescued(&self, load: &Snapshot) -> bool {
        let Some(left_ms) = self.wanted_within_ms() else { return true };
        let rescue_ms = left_ms - load.edge.predicted_high_ms.unwrap_or(f64::INFINITY);
        rescue_ms > 0.0 && rescue_ms >= load.cloud.least_ms()
    }
}

/// What is known of both tiers. Every `None` means *not known*, which is not 0.
pub type Snapshot = PerTier<TierSnapshot>;

impl TierSnapshot {
    /// Whether a frame may be sent there to find out how it is, when nothing is known of it: one at
    /// a time, or one every quarter of a second where answers have stopped that came before.
    /// The way may be open again long before the last frame is given up.
    #[must_use]
    pub fn may_be_tried(&self) -> bool {
        const AGAIN_AFTER_MS: f64 = 250.0;
        let nothing_waits = self.backlog_frames == Some(0);
        let answered_before = self.last_result_ms.is_some();
        !self.shut
            && (nothing_waits
                || answered_before && self.last_sent_ms.is_some_and(|ms| ms > AGAIN_AFTER_MS))
    }

    /// How long a frame waits there before it is taken up, in milliseconds, as far as is known.
    #[must_use]
    pub fn waiting_ms(&self) -> f64 {
        let frames = self.backlog_frames.unwrap_or(0) as f64;
        frames * self.service_ms.unwrap_or(0.0) / f64::from(self.workers.unwrap_or(1).max(1))
    }

    /// What an answer takes at least, when nothing is in the way and the link is fast, in
    /// milliseconds; 0 when nothing is known.
    #[must_use]
    pub fn least_ms(&self) -> f64 {
        self.rtt_ms.unwrap_or(0.0) + self.service_p95_ms.or(self.service_ms).unwrap_or(0.0)
    }

    /// Whether its link may well run empty before its next answer is seen. A tier without a link
    /// tells at once when a worker is free, so a queue there is of no use.
    #[must_use]
    pub fn link_may_run_dry(&self, bytes: usize) -> bool {
        let (Some(predicted), Some(transfer)) = (self.predicted_ms, self.transfer_ms(bytes)) else {
            return false;
        };
        let way = self.rtt_ms.unwrap_or(0.0) + self.service_ms.unwrap_or(0.0);
        predicted - way - transfer <= way
    }

    /// How long this many bytes take on its link, in milliseconds; `None` without a link, or when
    /// its throughput is not known.
    fn transfer_ms(&self, bytes: usize) -> Option<f64> {
        self.throughput_bytes_per_s.map(|rate| 1000.0 * bytes as f64 / rate.max(1.0))
    }

    /// Whether it has a worker with nothing to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.backlog_frames.is_none_or(|frames| frames < u64::from(self.workers.unwrap_or(1)))
    }
}

/// What is known of a tier.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct TierSnapshot {
    /// How many frames were sent there and are not finished.
    pub backlog_frames: Option<u64>,
    /// How many bytes these have.
    pub backlog_bytes: Option<u64>,
    /// How long one worker takes for a frame, in milliseconds: an average in which recent frames
    /// count more.
    pub service_ms: Option<f64>,
    /// The same at its 95th percentile.
    pub service_p95_ms: Option<f64>,
    /// How many frames are worked on at a time over all ready replicas.
    pub workers: Option<u32>,
    /// Whether the autoscaler is at its maximum, so that no help will come.
    pub at_maximum: Option<bool>,
    /// The way there and back of an answer when nothing is in the way, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// How fast bytes get there, in bytes per second; `None` also for a tier that no slow link
    /// leads to.
    pub throughput_bytes_per_s: Option<f64>,
    /// How long ago the last result of this tier was seen, in milliseconds.
    pub last_result_ms: Option<f64>,
    /// How long ago the last frame was sent there, in milliseconds.
    pub last_sent_ms: Option<f64>,
    /// Whether its circuit breaker keeps frames away from it.
    pub shut: bool,
    /// What a frame of this size costs there, in money.
    pub price: f64,
    /// In how many milliseconds this frame is expected to be answered there.
    pub predicted_ms: Option<f64>,
    /// The same with a margin: it should not take longer in all but a few cases.
    pub predicted_high_ms: Option<f64>,
}
