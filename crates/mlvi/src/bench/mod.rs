//! `mlvi bench`: measures this machine.

mod detector;
mod frames;
mod http;
mod peer;
mod pipeline;
mod process;
mod stats;
mod unit;

use clap::Subcommand;
use std::path::Path;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// One frame on one thread through the detector, against ONNX Runtime on the same file when
    /// that is given
    Detector(detector::DetectorArgs),
    /// Frames per second of the whole suite with concurrent cameras, against the detector alone
    Pipeline(pipeline::PipelineArgs),
    /// What it costs to take a frame over HTTP, up to the broker's acknowledgement
    Http(http::HttpArgs),
    /// Start-up time and memory of the edge-inference process under load
    Unit(unit::UnitArgs),
}

/// Runs the subcommand.
///
/// # Errors
/// When the model or a peer cannot be had, or a measurement fails.
pub fn run(command: BenchCommand, models_dir: &Path) -> anyhow::Result<()> {
    match command {
        BenchCommand::Detector(args) => detector::run(&args, models_dir),
        BenchCommand::Pipeline(args) => pipeline::run(&args, models_dir),
        BenchCommand::Http(args) => http::run(&args),
        BenchCommand::Unit(args) => unit::run(&args, models_dir),
    }
}
