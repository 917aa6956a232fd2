//! `mlvi check`: reads manifests, or what a cluster runs, and finds what does not fit together.

mod command;
mod knowledge;
mod live;

pub use command::{CheckArgs, run};
pub use knowledge::knowledge;
