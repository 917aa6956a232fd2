//! The unit that sharpens frames and decides where they are looked at.
//!
//! Each frame of the frames topic is decoded under limits, sharpened and encoded again on a thread for pixels; then
//! [`estimate_to_cloud`] says whether the edge or the cloud shall look at it, and it goes to that tier's topic.
//! Frames are worked on in parallel and published in the order of their camera.

mod config;
mod estimate_to_cloud;
mod guard;
mod handle;
mod load;
mod metrics;
mod pixels;
mod publish;
mod remembered;
mod run;

pub use config::Config;
pub use estimate_to_cloud::{FrameFacts, LoadSnapshot, Policy, estimate_to_cloud};
pub use load::TierGroups;
pub use pixels::PixelConfig;
pub use run::{run, run_with};
