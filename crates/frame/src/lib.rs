//! The vocabulary of MLVI: what a frame is, what travels with it, and what comes back.
//!
//! Every other crate speaks in these words. No I/O happens here and nothing awaits.

mod agreement;
mod announcement;
mod codec;
mod decision;
mod detection;
mod envelope;
mod id;
mod limits;
mod measured;
mod media;
mod per_tier;
mod pixels;
mod problem;
mod resize;
mod result;
mod result_message;
mod setting;
mod time;
mod topics;
mod trace;

pub use agreement::{Agreement, AnnouncedAgreement, CameraAgreement, MeanWithin};
pub use announcement::{AnnouncedError, Announcement, InvalidAnnouncement, PolicyOrigin};
pub use codec::{HeaderError, headers};
pub use decision::{Decision, Destination, InvalidDestination, Predicted};
pub use detection::{BoundingBox, Detection, ImageSize};
pub use envelope::{Envelope, Origin, Prepared, UploadTimings};
pub use id::{CameraId, FrameId, InvalidCameraId, InvalidFrameId, JobIds};
pub use limits::{DEFAULT_MAX_PIXELS, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES};
pub use measured::Measured;
pub use media::{ImageFormat, UnknownImageFormat};
pub use per_tier::PerTier;
pub use pixels::RgbImage;
pub use problem::Problem;
pub use resize::Resize;
pub use result::{FrameResult, ModelInfo, ServedBy, Status, TimingsMs};
pub use result_message::ResultMessage;
pub use setting::{
    InvalidSetting, MAX_SETTING_BYTES, MAX_SETTING_WORDS, POLICY_KEY, SettingRecord,
};
pub use time::Timestamp;
pub use topics::{InvalidTopicName, Topics};
pub use trace::{InvalidTraceParent, TraceParent};
