//! `mlvi simulate`: replays a workload over an uplink trace through the policies, in virtual time.

mod answers;
pub mod cascade;
mod compare;
pub mod detections;
mod entries;
mod fleet;
pub mod import;
pub mod labels;
mod league;
mod options;
mod play;
mod plot;
mod rows;
mod run;
mod sites;
#[cfg(test)]
mod tests;
mod traces;

use clap::Subcommand;
use std::path::Path;

/// What to simulate.
#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// One policy over one trace: latency, misses, money, and what its guards did
    ///
    /// The policy is the code that decides in the preprocessor, and so are its guards. The oracle
    /// beside it knows the future and misses the fewest deadlines that can be missed.
    Run(Box<run::RunArgs>),
    /// All policies over all traces: a league table with the distance to the oracle
    ///
    /// The policies as they are by default, the ratio with the share that misses the fewest
    /// deadlines, any policy files, and the oracle, which knows the future.
    Compare(Box<compare::CompareArgs>),
    /// Several sites that share one cloud, frame by frame: a table of all of them, and one by site
    ///
    /// Each site has its own frames, edge, uplink and policy; the cloud's workers, its queue and its
    /// autoscaler are there once.
    Sites(Box<sites::SitesArgs>),
    /// Many sites with one cloud region: what breaks first, and what a camera costs a month
    ///
    /// Every frame is decided on; queues are work that waits, so an hour of 10,000 cameras takes
    /// seconds.
    Fleet(fleet::FleetArgs),
    /// Run an edge and a cloud model over a folder of images, for the accuracy of simulated
    /// policies
    Detections(detections::DetectionsArgs),
    /// How much of the cloud's precision each measure of hardness wins when only hard images go
    /// there, and its fitted text
    Cascade(cascade::CascadeArgs),
}

/// Runs the subcommand.
///
/// # Errors
/// When a scenario, policy, trace, image or detections file cannot be used, or results cannot be
/// written.
pub fn run(command: SimulateCommand, models_dir: &Path) -> anyhow::Result<()> {
    match command {
        SimulateCommand::Run(args) => run::run(&args),
        SimulateCommand::Compare(args) => compare::run(&args),
        SimulateCommand::Sites(args) => sites::run(&args),
        SimulateCommand::Fleet(args) => fleet::run(&args),
        SimulateCommand::Detections(args) => detections::run(&args, models_dir),
        SimulateCommand::Cascade(args) => cascade::run(&args),
    }
}
