//! The unit that sharpens frames and decides which tier runs the detection.
//!
//! Each frame of the frames topic is decoded under limits, sharpened and encoded again on a thread
//! for pixels; then [`estimate_to_cloud`] says whether the edge or the cloud gets it, and
//! it goes to that tier's topic. Frames are worked on in parallel and published in the order of
//! their camera. Results are read to learn from them, and a frame that the cloud does not answer in
//! time is taken back.

mod about;
mod announce;
mod answered;
mod config;
mod contract_metrics;
mod contracts;
mod decisions;
mod forms;
mod guard;
mod handle;
mod lessons;
mod load;
mod metrics;
mod motion;
mod permits;
mod pixels;
mod policy_file;
mod policy_in_hand;
mod prepare;
mod publish;
mod redispatch;
mod remembered;
mod results;
mod run;
mod settings_topic;
mod spans;

pub use about::{ABOUT, config};
pub use config::{Config, RedispatchConfig};
pub use forms::EdgeForm;
pub use load::TierGroups;
pub use offload::{Policy, estimate_to_cloud};
pub use pixels::PixelConfig;
pub use policy_file::PolicySource;
pub use run::{run, run_with};
