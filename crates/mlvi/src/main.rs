//! `mlvi`: the command line.

use clap::{Parser, Subcommand};
use detector::ModelError;
use mlvi::bench::BenchCommand;
use mlvi::external::{self, ExternalArgs};
use mlvi::models::ModelsCommand;
use mlvi::policy::PolicyArgs;
use mlvi::push::PushArgs;
use mlvi::simulate::SimulateCommand;
use mlvi::topics::TopicsArgs;
use mlvi::up::UpArgs;
use std::path::PathBuf;
use std::process::ExitCode;

/// MLVI decides for each video frame whether inference runs on the edge or in the cloud, runs
/// tiny-YOLOv3 there and returns the detections.
#[derive(Parser)]
#[command(name = "mlvi", version)]
struct Cli {
    /// The folder of model descriptions (*.toml)
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "MLVI_MODELS_DIR",
        default_value = "models"
    )]
    models_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole suite in this process, on a broker of its own; nothing else is needed
    Up(Box<UpArgs>),
    /// Send images to a running suite and print what it finds
    Push(PushArgs),
    /// Show by which policy a running suite decides, and change it
    Policy(PolicyArgs),
    /// List, fetch and check models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Replay a workload over an uplink trace through the policies, in virtual time
    #[command(subcommand)]
    Simulate(SimulateCommand),
    /// Measure this machine: the detector, the whole pipeline, one unit
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Read manifests, or what a cluster runs, and find what does not fit together
    Check(ExternalArgs),
    /// Simulate the autoscalers of autoscale.yml over a load, and recommend targets for a latency
    /// goal
    Autoscale(ExternalArgs),
    /// Show the units in a cluster: replicas, autoscalers, lag, the share of edge and cloud
    Status(ExternalArgs),
    /// Make the topics that are missing, and show or mend their partitions
    Topics(TopicsArgs),
    /// Make the certificates and passwords with which units log in to the broker
    Credentials(ExternalArgs),
}

fn main() -> ExitCode {
    let cli: Cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let external = |command, args: &ExternalArgs| external::run(command, args, &cli.models_dir);
    let outcome = match cli.command {
        Command::Up(args) => mlvi::up::run(*args, &cli.models_dir),
        Command::Push(args) => mlvi::push::run(&args),
        Command::Policy(args) => mlvi::policy::run(&args),
        Command::Models(command) => mlvi::models::run(command, &cli.models_dir),
        Command::Simulate(command) => mlvi::simulate::run(command, &cli.models_dir),
        Command::Bench(command) => mlvi::bench::run(command, &cli.models_dir),
        Command::Topics(args) => mlvi::topics::run(&args),
        Command::Check(args) => return external("check", &args),
        Command::Autoscale(args) => return external("autoscale", &args),
        Command::Status(args) => return external("status", &args),
        Command::Credentials(args) => return external("credentials", &args),
    };
    cli::exit_code("mlvi", outcome, |error| {
        matches!(error.downcast_ref(), Some(ModelError::UnknownModel { .. }))
    })
}
