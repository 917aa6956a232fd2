//! `mlvi-kubernetes`: the command line.

use clap::{Parser, Subcommand};
use cli::ModelsDir;
use mlvi_kubernetes::autoscale::{self, AutoscaleArgs};
use mlvi_kubernetes::check::{self, CheckArgs};
use mlvi_kubernetes::credentials::{self, CredentialsArgs};
use mlvi_kubernetes::status::{self, StatusArgs};
use std::process::ExitCode;

/// The commands of MLVI for a suite in Kubernetes; `mlvi check` and the others run this.
#[derive(Parser)]
#[command(name = "mlvi-kubernetes", version)]
struct Cli {
    #[command(flatten)]
    models: ModelsDir,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read manifests, or what a cluster runs, and find what does not fit together
    Check(CheckArgs),
    /// Simulate the autoscalers of autoscale.yml over a load, and recommend targets for a latency
    /// goal
    Autoscale(Box<AutoscaleArgs>),
    /// Show the units in a cluster: replicas, autoscalers, lag, the share of edge and cloud
    Status(StatusArgs),
    /// Make the certificates and passwords with which units log in to the broker
    Credentials(CredentialsArgs),
}

fn main() -> ExitCode {
    let cli: Cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let outcome = match cli.command {
        Command::Check(args) => return check::run(&args, &cli.models.models_dir),
        Command::Autoscale(args) => autoscale::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Credentials(args) => credentials::run(&args),
    };
    cli::exit_code("mlvi", outcome, |_| false)
}
