//! The `check` subcommand.

use super::{knowledge, live};
use anyhow::Context;
use clap::{Args, ValueEnum};
use cli::EXIT_UNAVAILABLE;
use manifests::{RULES, Report, Set, Tools};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What `mlvi check` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong, 1 something is, 64 bad usage, 69 what is needed \
        is not there (a path, kubectl, a cluster)."
)]
pub struct CheckArgs {
    /// Files and folders of manifests; - is standard input. A folder with a kustomization is
    /// built, any other is read file by file
    #[arg(value_name = "PATH", default_value = "deploy", conflicts_with = "live")]
    paths: Vec<PathBuf>,
    /// Read the objects from a cluster instead; Secrets are never read
    #[arg(long)]
    live: bool,
    /// The namespace to read
    #[arg(long, value_name = "NAME", default_value = "mlvi", requires = "live")]
    namespace: String,
    /// The kubeconfig's context; the current one if not given
    #[arg(long, value_name = "NAME", requires = "live")]
    context: Option<String>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Count warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// List the rules, and do nothing else
    #[arg(long, conflicts_with_all = ["live", "paths"])]
    rules: bool,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line each, as a compiler does
    Text,
    /// One JSON object with all of them
    Json,
}

/// Checks, prints what is found, and says by its exit code whether anything is wrong.
pub fn run(args: &CheckArgs, models_dir: &Path) -> ExitCode {
    if args.rules {
        for rule in RULES {
            println!("{:<20} {}", rule.id, rule.about);
        }
        return ExitCode::SUCCESS;
    }
    let report = match check(args, models_dir) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("mlvi check: {}", text::with_causes(&*error));
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    print(&report, args.format);
    if report.is_clean(args.deny_warnings) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(args: &CheckArgs, models_dir: &Path) -> anyhow::Result<Report> {
    if !models_dir.is_dir() {
        let dir = models_dir.display();
        eprintln!(
            "mlvi check: {dir} is not there, so that names of models are not checked; --models-dir \
             DIR says where they are described"
        );
    }
    if args.live {
        let (set, refused) = live::read(&args.namespace, args.context.as_deref())?;
        return Ok(manifests::check(&set, &knowledge(models_dir), Some(&refused)));
    }
    Ok(manifests::check(&read(&args.paths)?, &knowledge(models_dir), None))
}

fn read(paths: &[PathBuf]) -> anyhow::Result<Set> {
    if paths == [Path::new("-")] {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(Set::of_text(&text, "standard input")?);
    }
    Ok(Set::read(paths, &Tools::default())?)
}

fn print(report: &Report, format: Format) {
    match format {
        Format::Text => {
            for finding in &report.findings {
                println!("{finding}");
            }
            println!("{}", report.summary());
        }
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(report).expect("a report has only texts and numbers")
        ),
    }
}
