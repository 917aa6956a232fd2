//! `mlvi bench`: measures this machine.

mod accuracy;
mod busy;
mod contest;
mod detector;
mod files;
mod frames;
mod history;
mod http;
mod ingest;
mod load;
mod machine;
mod peer;
mod pipeline;
mod pixels;
mod played;
mod process;
mod progress;
mod report;
mod section;
mod stats;
#[cfg(test)]
mod tests;
mod unit;
mod viewers;
mod web_server;

use clap::Subcommand;
use section::Section;
use std::path::Path;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// The network alone: one frame on one and two threads, all cores, batches, each layer
    ///
    /// Everything is measured in turn, run by run, so that a machine whose speed drifts does so for
    /// all. The output tells whether the machine was quiet enough to trust it. With --with-peers,
    /// ONNX Runtime, OpenVINO, OpenCV and ncnn run the same network, which is written as ONNX for
    /// them from the model's own files.
    ///
    /// Example: mlvi bench detector --with-peers --python target/peers/bin/python
    #[command(verbatim_doc_comment)]
    Detector(Box<detector::DetectorArgs>),
    /// The whole suite with concurrent cameras, against the detector alone or a pipeline in Python
    ///
    /// Each camera sends its next frame when the last is answered. With --against python, a
    /// pipeline of FastAPI, aiokafka, Pillow and ONNX Runtime runs on the same embedded broker, and
    /// both are loaded in turn.
    ///
    /// Example: mlvi bench pipeline --against python --python target/peers/bin/python
    #[command(verbatim_doc_comment)]
    Pipeline(Box<pipeline::PipelineArgs>),
    /// Decode, sharpen and encode a JPEG of 640x480 on one thread, against Pillow
    Pixels(pixels::PixelsArgs),
    /// What it costs to take a frame over HTTP, up to the broker's acknowledgement
    ///
    /// With --streams also how many of the same frames come in as streams and as single uploads,
    /// measured in turn on a web-server that has one core.
    ///
    /// Example: mlvi bench http --streams
    #[command(verbatim_doc_comment)]
    Http(http::HttpArgs),
    /// Frames at a given rate to a suite that runs, whether it keeps up or not
    ///
    /// An open loop: each frame has a moment at which it is sent, and its latency counts from that
    /// moment, so a server that stalls is not asked less. With several rates, each is held in turn.
    ///
    /// Example: mlvi bench load --rate 10,20,40,80 --seconds 20 --out target/load
    #[command(verbatim_doc_comment)]
    Load(load::LoadArgs),
    /// How fast a database takes results, how large it gets, and how fast it answers
    ///
    /// Example: mlvi bench history --database sqlite:target/history.sqlite --results 1000000
    #[command(verbatim_doc_comment)]
    History(history::HistoryArgs),
    /// What it costs a web-server on one core that many look on: added latency, memory, lost frames
    ///
    /// Example: mlvi bench viewers --events 200 --live 20 --streams 50
    #[command(verbatim_doc_comment)]
    Viewers(viewers::ViewersArgs),
    /// Start-up time and memory of the edge-inference process under load
    Unit(unit::UnitArgs),
    /// All of it in one report: Markdown, JSON and plots
    ///
    /// Example: mlvi bench report --out target/report --with-peers --photos PHOTOS
    #[command(verbatim_doc_comment)]
    Report(Box<report::ReportArgs>),
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
        BenchCommand::Load(args) => load::run(&args),
        BenchCommand::History(args) => history::run(&args),
        BenchCommand::Pixels(args) => pixels::run(&args),
        BenchCommand::Viewers(args) => viewers::run(&args),
        BenchCommand::Unit(args) => unit::run(&args, models_dir),
        BenchCommand::Report(args) => report::run(&args, models_dir),
    }
}

/// Prints what was measured.
fn show(sections: &[Section], json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(&report::json(sections))?);
        return Ok(());
    }
    let text: Vec<String> = sections.iter().map(Section::text).collect();
    println!("{}", text.join("\n\n"));
    Ok(())
}
