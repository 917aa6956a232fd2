//! The commands, and what runs them.

use crate::bench::BenchCommand;
use crate::doctor::DoctorArgs;
use crate::external::{self, Binary, ExternalArgs};
use crate::manual::{CompletionsArgs, ManArgs};
use crate::models::ModelsCommand;
use crate::policy::PolicyArgs;
use crate::push::PushArgs;
use crate::regions::RegionsArgs;
use crate::simulate::SimulateCommand;
use crate::token::TokenCommand;
use crate::topics::TopicsArgs;
use crate::unread;
use crate::up::UpArgs;
use clap::{Parser, Subcommand};
use cli::ModelsDir;
use detector::ModelError;
use std::process::ExitCode;

/// Examples, below the list of commands.
const EXAMPLES: &str = "\
Examples:
  mlvi up                                   the whole suite here, with a broker of its own
  mlvi push images/*.jpg                    photos in, detections out
  mlvi up --policy ratio --cloud-share 0.3  three of ten frames to the cloud
  mlvi doctor                               what this machine lacks, and how to mend it
  mlvi models check yolov3-tiny             load a model as the units would
  mlvi export --out dogs.parquet --class dog  what was found, as a table for pandas
  mlvi simulate run --help                  a load over a recorded uplink, in virtual time

Every command has a --help of its own. Exit codes: 0 done, 1 failed, 64 bad usage, 69 something
that is needed is missing.";

/// MLVI decides for each video frame whether inference runs on the edge or in the cloud, runs
/// tiny-YOLOv3 there and returns the detections.
#[derive(Debug, Parser)]
#[command(name = "mlvi", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    models: ModelsDir,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole suite in this process, on a broker of its own; nothing else is needed
    Up(Box<UpArgs>),
    /// Send images to a running suite and print what it finds
    Push(Box<PushArgs>),
    /// Show by which policy a running suite decides, and change it
    Policy(PolicyArgs),
    /// Show a camera's masks and zones, and change them
    Regions(RegionsArgs),
    /// Look at this machine: what is fine, what is not, and how to mend it
    Doctor(DoctorArgs),
    /// List, fetch and check models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Replay a workload over an uplink trace through the policies, in virtual time
    #[command(subcommand)]
    Simulate(SimulateCommand),
    /// Write results of a database or a running suite as a table: Parquet or CSV
    Export(ExternalArgs),
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
    /// Make tokens for those who may send frames, read results or change settings
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make the certificates and passwords with which units log in to the broker
    Credentials(ExternalArgs),
    /// Print what completes commands in a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for every command
    Man(ManArgs),
}

impl Cli {
    /// Runs the command; whatever goes wrong is printed.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let Self { models: ModelsDir { models_dir }, command } = self;
        // the doctor tells of them among its findings
        if !matches!(command, Command::Doctor(_)) {
            for variable in unread::unread() {
                eprintln!("mlvi: warning: {variable}");
            }
        }
        let kubernetes = |command, args: &ExternalArgs| {
            external::run(Binary::Kubernetes, command, args, &models_dir)
        };
        let outcome = match command {
            Command::Up(args) => crate::up::run(*args, &models_dir),
            Command::Push(args) => return crate::push::run(*args),
            Command::Policy(args) => crate::policy::run(&args),
            Command::Regions(args) => crate::regions::run(&args),
            Command::Doctor(args) => crate::doctor::run(&args, &models_dir),
            Command::Models(command) => crate::models::run(command, &models_dir),
            Command::Simulate(command) => crate::simulate::run(command, &models_dir),
            Command::Bench(command) => crate::bench::run(command, &models_dir),
            Command::Token(command) => crate::token::run(&command),
            Command::Topics(args) => crate::topics::run(&args),
            Command::Completions(args) => crate::manual::completions(&args),
            Command::Man(args) => crate::manual::man(&args),
            Command::Export(args) => {
                return external::run(Binary::Export, "export", &args, &models_dir);
            }
            Command::Check(args) => return kubernetes("check", &args),
            Command::Autoscale(args) => return kubernetes("autoscale", &args),
            Command::Status(args) => return kubernetes("status", &args),
            Command::Credentials(args) => return kubernetes("credentials", &args),
        };
        cli::exit_code("mlvi", outcome, |error| {
            matches!(error.downcast_ref(), Some(ModelError::UnknownModel { .. }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed_and_say_what_they_do() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
        }
    }

    /// Clap itself only checks this without optimisation, and panics with it when the command runs.
    #[test]
    fn no_command_has_two_options_of_one_name() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let mut names = std::collections::HashSet::new();
            for argument in command.get_arguments() {
                let long = argument.get_long().map(|long| format!("--{long}"));
                for name in std::iter::once(argument.get_id().to_string()).chain(long) {
                    assert!(names.insert(name.clone()), "{path} has {name} twice");
                }
            }
            command.get_subcommands().for_each(|sub| check(sub, &path));
        }
        check(&Cli::command(), "");
    }

    #[test]
    fn the_examples_are_commands() {
        let examples = EXAMPLES.lines().filter_map(|line| line.strip_prefix("  mlvi "));
        let mut seen = 0;
        for example in examples {
            // what follows behind two blanks says what it does
            let words = example.split("  ").next().unwrap_or(example).split_whitespace();
            let parsed = Cli::try_parse_from(std::iter::once("mlvi").chain(words));
            // --help is told as an error that is none
            assert!(
                parsed.is_ok() || example.contains("--help"),
                "{example}: {}",
                parsed.err().unwrap()
            );
            seen += 1;
        }
        assert!(seen >= 6, "{seen}");
    }
}
