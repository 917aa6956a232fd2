//! What is asked for, and what comes back.

use frame::{CameraId, Destination, FrameId};

/// Which frames; every part that is there narrows them. A frame matches class, zone and confidence
/// when one of its detections matches all of these.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Filter {
    /// Of this camera.
    pub camera: Option<CameraId>,
    /// With a detection of this class, by name.
    pub class: Option<String>,
    /// With a detection of at least this confidence, 0 to 1.
    pub min_confidence: Option<f32>,
    /// With a detection in this zone, by name.
    pub zone: Option<String>,
    /// Sent to this tier.
    pub destination: Option<Destination>,
    /// Received from this time on, in milliseconds since the epoch.
    pub from_ms: Option<u64>,
    /// Received before this time, in milliseconds since the epoch.
    pub to_ms: Option<u64>,
}

impl Filter {
    /// The ids from the first to before the second are those of its time.
    pub(crate) fn ids(&self) -> (FrameId, FrameId) {
        (
            FrameId::from_then_on(self.from_ms.unwrap_or(0)),
            FrameId::from_then_on(self.to_ms.unwrap_or(u64::MAX)),
        )
    }

    /// The whole minutes that its time begins and ends in, since the epoch; the second is not among
    /// them.
    pub(crate) fn minutes(&self) -> (i64, i64) {
        let minute = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX) / 60_000;
        let to = self.to_ms.map_or(i64::MAX, |ms| minute(ms.saturating_add(59_999)));
        (minute(self.from_ms.unwrap_or(0)), to)
    }
}

/// A part of the frames that match, the newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// At most so many.
    pub limit: u32,
    /// Only those older than this frame, which the page before ended with.
    pub after: Option<FrameId>,
}

/// What detections are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bucket {
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days, in UTC.
    Day,
}

impl Bucket {
    /// How long it is, in milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    pub(crate) const fn minutes(self) -> i64 {
        (self.ms() / 60_000) as i64
    }
}

/// How often a class was seen by a camera in a span of time.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Count {
    /// When the span began, in milliseconds since the epoch.
    pub start_ms: u64,
    /// The camera.
    pub camera: String,
    /// The class, by name.
    pub class: String,
    /// In how many detections.
    pub detections: u64,
    /// In how many frames.
    pub frames: u64,
}

/// A class in a frame: what events are made of.
#[derive(Clone, PartialEq, Debug)]
pub struct Sighting {
    /// In which frame.
    pub frame_id: FrameId,
    /// By which camera.
    pub camera: String,
    /// The class, by name.
    pub class: String,
    /// How many of them.
    pub detections: u64,
    /// The surest one's confidence.
    pub confidence: f32,
}
