//! `mlvi autoscale`: what the autoscalers of a manifest do under a load, and which numbers meet a
//! goal.

mod advice;
mod charts;
mod input;
mod pod;
mod recommend;
mod show;
mod snippet;
#[cfg(test)]
mod tests;

use anyhow::Context;
use autoscale::{FleetRun, FleetSetup, Goal, Recommendation, simulate_fleet};
use clap::Args;
use cli::OutputArgs;
use cli::UsageError;
use input::Input;
use pod::PodArgs;
use serde::Serialize;
use std::path::PathBuf;

/// What `mlvi autoscale` is told.
///
/// Simulates one unit's pods under its autoscaler, in virtual time: the controller's own algorithm,
/// measurements as the metrics server gives them, pods that need time to start, partitions that
/// move in a rebalance.
#[derive(Args, Debug)]
pub struct AutoscaleArgs {
    /// The manifest with the autoscalers (HorizontalPodAutoscaler, or KEDA's ScaledObject)
    #[arg(value_name = "FILE", default_value = "deploy/autoscale.yml")]
    file: PathBuf,
    /// Which unit: web-server, preprocessor, edge-inference or cloud-inference
    #[arg(long, value_name = "UNIT", default_value = "edge-inference")]
    unit: String,
    /// A folder of manifests that tell what pods request and how they are set up [default: the
    /// folder of FILE]
    #[arg(long, value_name = "DIR")]
    deploy: Option<PathBuf>,
    /// Change a field of the autoscaler, e.g. `spec.maxReplicas=8` or
    /// `spec.behavior.scaleDown.stabilizationWindowSeconds=120`; can be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// What comes in: constant, step, burst, diurnal or cameras, with name=number after a colon,
    /// e.g. burst:peak_fps=80; or a CSV file with the columns time_s,frames_per_s
    #[arg(long, value_name = "SHAPE|FILE", default_value = "burst")]
    load: String,
    /// The share of it that comes to this unit, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    share: f64,
    /// For how many minutes frames come in [default: 60, or as long as the CSV file tells]
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Decides every random number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    pod: PodArgs,
    /// Search the cheapest numbers with which so many frames are answered so soon, e.g.
    /// 500ms@99%
    #[arg(long, value_name = "LATENCY@SHARE")]
    goal: Option<String>,
    /// A row of the table for each so many seconds [default: such that it fits a screen]
    #[arg(long, value_name = "S")]
    every_s: Option<f64>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Json<'a> {
    unit: &'a str,
    autoscaler: &'a str,
    setup: &'a FleetSetup,
    spec: &'a autoscale::Spec,
    taken_from: &'a [pod::Known],
    run: &'a FleetRun,
    goal: Option<Goal>,
    share_within_goal: Option<f64>,
    advice: Vec<String>,
    recommendation: Option<&'a Recommendation>,
    snippet: Option<String>,
}

/// Runs it.
///
/// # Errors
/// When a manifest, a load or an option cannot be used, or a plot cannot be written.
pub fn run(args: &AutoscaleArgs) -> anyhow::Result<()> {
    let goal = args
        .goal
        .as_deref()
        .map(|text| text.parse::<Goal>().map_err(|error| UsageError::about("--goal", error)));
    let goal = goal.transpose()?;
    let input = Input::read(args)?;
    for note in input.notes() {
        eprintln!("note: {note}");
    }
    let run = simulate_fleet(&input.setup, &input.scaler.spec);
    let mut advice = advice::of(&input, &run);
    let recommendation = goal.map(|goal| recommend::search(&input, goal));
    let snippet = recommendation.as_ref().and_then(|found| found.best.as_ref());
    let snippet = snippet.map(|best| snippet::of(&input.scaler, best));
    if let (Some(goal), Some(found)) = (goal, &recommendation) {
        advice.extend(advice::about_goal(&input, goal, found));
    }
    if args.output.json {
        let json = Json {
            unit: &input.unit,
            autoscaler: &input.scaler.name,
            setup: &input.setup,
            spec: &input.scaler.spec,
            taken_from: &input.known,
            run: &run,
            goal,
            share_within_goal: goal.map(|goal| run.share_within(goal.ms)),
            advice,
            recommendation: recommendation.as_ref(),
            snippet,
        };
        println!("{}", serde_json::to_string_pretty(&json)?);
    } else {
        print!("{}", show::head(&input));
        print!("{}", show::over_time(&input, &run, args.every_s));
        print!("{}", show::summary(&run, goal));
        advice.iter().for_each(|line| println!("! {line}"));
        if let (Some(goal), Some(found)) = (goal, &recommendation) {
            print!("{}", show::recommendation(&input, goal, found));
        }
        if let Some(snippet) = &snippet {
            print!("\nput this into {}:\n\n{snippet}", args.file.display());
        }
    }
    args.output.plots(|dir| {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let better = recommendation.as_ref().and_then(|found| found.best.as_ref());
        let better = better
            .map(|best| simulate_fleet(&input.setup, &best.candidate.put_into(&input.scaler.spec)));
        charts::write(dir, &input, &run, better.as_ref(), goal)
    })
}
