//! `mlvi`: the command line.

#![allow(clippy::print_stderr, reason = "a command line speaks to the person at the terminal")]

use clap::{Parser, Subcommand};
use detector::ModelError;
use mlvi::UsageError;
use mlvi::autoscale::AutoscaleArgs;
use mlvi::bench::BenchCommand;
use mlvi::check::CheckArgs;
use mlvi::credentials::CredentialsArgs;
use mlvi::models::ModelsCommand;
use mlvi::push::PushArgs;
use mlvi::simulate::SimulateCommand;
use mlvi::status::StatusArgs;
use mlvi::topics::TopicsArgs;
use mlvi::up::UpArgs;
use settings::ConfigError;
use std::path::PathBuf;
use std::process::ExitCode;

/// MLVI decides frame by frame whether the edge or the cloud looks at a video frame, runs
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
    /// List, fetch and check models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Replay a workload over an uplink trace through the policies, in virtual time
    #[command(subcommand)]
    Simulate(SimulateCommand),
    /// Measure this machine: the detector, the whole road, one unit
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Read manifests, or what a cluster runs, and find what does not fit together
    Check(CheckArgs),
    /// Simulate the autoscalers of autoscale.yml over a load, and recommend targets for a latency
    /// goal
    Autoscale(Box<AutoscaleArgs>),
    /// Show the units in a cluster: replicas, autoscalers, lag, the share of edge and cloud
    Status(StatusArgs),
    /// Make the topics that are missing, and show or mend their partitions
    Topics(TopicsArgs),
    /// Make the certificates and passwords with which units log in to the broker
    Credentials(CredentialsArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // help and the version are no errors
            let code = if told.use_stderr() { unit::EXIT_USAGE } else { 0 };
            return if told.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    let outcome = match cli.command {
        Command::Up(args) => mlvi::up::run(*args, &cli.models_dir),
        Command::Push(args) => mlvi::push::run(&args),
        Command::Models(command) => mlvi::models::run(command, &cli.models_dir),
        Command::Simulate(command) => mlvi::simulate::run(command, &cli.models_dir),
        Command::Bench(command) => mlvi::bench::run(command, &cli.models_dir),
        Command::Check(args) => return mlvi::check::run(&args, &cli.models_dir),
        Command::Autoscale(args) => mlvi::autoscale::run(&args),
        Command::Status(args) => mlvi::status::run(&args),
        Command::Topics(args) => mlvi::topics::run(&args),
        Command::Credentials(args) => mlvi::credentials::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mlvi: {error:#}");
            let unknown_model =
                matches!(error.downcast_ref(), Some(ModelError::UnknownModel { .. }));
            let usage = error.is::<ConfigError>() || error.is::<UsageError>() || unknown_model;
            if usage { ExitCode::from(unit::EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}
