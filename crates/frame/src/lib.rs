//! The vocabulary of MLVI: what a frame is, what travels with it, and what comes back.
//!
//! Every other crate speaks in these words. No I/O happens here and nothing awaits.

mod agreement;
mod announcement;
mod codec;
mod contracts_record;
mod decision;
mod detection;
mod envelope;
mod expiring;
mod glob;
mod id;
mod lessons_record;
mod limits;
mod measured;
mod media;
mod newest;
mod order;
mod per_tier;
mod pixels;
mod problem;
mod region;
mod resize;
mod result;
mod result_message;
mod setting;
mod time;
mod topics;
mod trace;

pub use agreement::{
    Agreement, AnnouncedAgreement, AnnouncedLearning, CameraAgreement, MeanWithin,
};
pub use announcement::{AnnouncedError, Announcement, PolicyOrigin};
pub use codec::{HeaderError, headers};
pub use contracts_record::{ContractStanding, ContractsRecord};
pub use decision::{Decision, Destination, InvalidDestination, Predicted};
pub use detection::{BoundingBox, Detection, ImageSize};
pub use envelope::{Envelope, OVERTAKEN, Origin, Prepared, UploadTimings};
pub use expiring::{Expiring, InvalidRecord};
pub use glob::Glob;
pub use id::{CameraId, FrameId, InvalidCameraId, InvalidFrameId, JobIds};
pub use lessons_record::{InvalidLessons, LessonsRecord};
pub use limits::{DEFAULT_MAX_PIXELS, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES};
pub use measured::Measured;
pub use media::{ImageFormat, UnknownImageFormat};
pub use newest::Newest;
pub use order::{InvalidOrder, Order};
pub use per_tier::PerTier;
pub use pixels::RgbImage;
pub use problem::Problem;
pub use region::{
    InvalidPolygon, InvalidZoneName, MAX_CORNERS, MAX_ZONE_NAME, Point, Polygon, Zone, ZoneName,
    Zones,
};
pub use resize::Resize;
pub use result::{FrameResult, ModelInfo, ServedBy, Status, TimingsMs};
pub use result_message::ResultMessage;
pub use setting::{
    InvalidSetting, MAX_SETTING_BYTES, MAX_SETTING_WORDS, POLICY_KEY, SettingRecord,
    camera_of_regions_key, regions_key,
};
pub use time::Timestamp;
pub use topics::{InvalidTopicName, Topics};
pub use trace::{InvalidTraceParent, TraceParent};
