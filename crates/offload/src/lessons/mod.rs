//! What the cloud's answers teach about the edge's, camera by camera: which frames are worth
//! sending, how far the tiers agree, and up to which score frames may stay.

mod account;
mod calibration;
mod cameras;
mod gain;
mod kept;
mod normal;
mod own;
#[cfg(test)]
mod random;

pub use account::{Account, Agreement};
pub use calibration::{Calibration, Promise};
pub use cameras::{CameraAgreement, Experience, Lessons};
use gain::Gain;
pub use kept::KeptLessons;
pub use normal::Interval;

/// The reason of a frame's decision that chance has drawn for a lesson: it goes on to the cloud
/// whatever its score is.
pub const AUDITED: &str = "audit";
