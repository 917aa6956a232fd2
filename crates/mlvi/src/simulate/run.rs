//! `mlvi simulate run`: one policy over one trace.

use super::entries::{Entry, Standing};
use super::options::{Setting, WorldArgs};
use super::play::Plan;
use super::{league, plot, traces};
use anyhow::Context;
use clap::Args;
use cli::OutputArgs;
use cli::table::number;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use simulator::{ContractReport, Report, Scenario, Trace};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What `mlvi simulate run` can be told.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which policy decides: edge-only, cloud-only, alternate, ratio, deadline, cascade, bandit,
    /// freshness or expression
    #[arg(long, value_name = "NAME", default_value = "deadline", conflicts_with = "policy_file")]
    policy: String,
    /// A policy file (TOML), as the preprocessor reads it
    #[arg(long, value_name = "FILE")]
    policy_file: Option<PathBuf>,
    /// The uplink: a line for each opportunity to send 1500 bytes, in ms (.up, .down, .mahi),
    /// columns `time_s` and `mbit_s` (.csv), or a line for each second, in Mbit/s
    #[arg(long, value_name = "FILE", conflicts_with = "mbit_s")]
    trace: Option<PathBuf>,
    /// An uplink of one speed instead, in Mbit/s
    #[arg(long, value_name = "MBIT_S")]
    mbit_s: Option<f64>,
    #[command(flatten)]
    world: WorldArgs,
    /// Leave the oracle out
    #[arg(long)]
    no_oracle: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a Scenario,
    trace: &'a str,
    standings: &'a [Standing],
}

/// Simulates and prints.
///
/// # Errors
/// When a file cannot be used, or plots cannot be written.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let setting = args.world.read()?;
    let trace = args.trace(&setting)?;
    let entries = args.entries(&setting.scenario)?;
    let traces = [trace];
    let plan = Plan { setting: &setting, traces: &traces, entries: &entries };
    let workloads = plan.workloads();
    let bar = bar(plan.steps(&workloads));
    let played = plan.play(&workloads, args.world.threads(), &bar)?;
    bar.finish_and_clear();
    let [trace] = &traces;
    let standings: Vec<Standing> = played.into_iter().flat_map(|played| played.standings).collect();
    if args.output.json {
        let json = Json { scenario: &setting.scenario, trace: trace.name(), standings: &standings };
        println!("{}", serde_json::to_string_pretty(&json)?);
    } else {
        print(&setting, trace, &standings);
    }
    args.output.plots(|dir| {
        plot::write(dir, &setting.scenario, trace, &standings.iter().collect::<Vec<_>>())
    })
}

/// The oracle misses as few deadlines as can be: without any, each of its schedules is as good to
/// it as another, and its latency says nothing.
const fn has_deadlines(scenario: &Scenario) -> bool {
    scenario.load.deadline_ms > 0.0
}

/// Drawn on standard error when that is a terminal; silent otherwise.
pub(super) fn bar(frames: u64) -> ProgressBar {
    bar_of(frames, "frames")
}

/// The same of so many of something else.
pub(super) fn bar_of(count: u64, of: &str) -> ProgressBar {
    let template = format!("{{bar:40}} {{percent}} % of {{len}} {of}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl RunArgs {
    /// The policy, and the oracle where it says something.
    fn entries(&self, scenario: &Scenario) -> anyhow::Result<Vec<Entry>> {
        let entry = match &self.policy_file {
            Some(path) => Entry::file(path)?,
            None => Entry::named(&self.policy, scenario)?,
        };
        let oracle = !self.no_oracle && has_deadlines(scenario);
        let oracle = oracle.then(|| Entry::oracle(self.world.beam));
        Ok(std::iter::once(entry).chain(oracle).collect())
    }

    fn trace(&self, setting: &Setting) -> anyhow::Result<Trace> {
        let uplink = &setting.scenario.uplink;
        match (&self.trace, self.mbit_s, &uplink.trace) {
            (Some(path), _, _) => traces::read(path, None),
            (None, Some(mbit_s), _) => traces::steady(mbit_s),
            (None, None, Some(path)) => {
                traces::read(&setting.folder.join(path), uplink.format.as_ref())
            }
            (None, None, None) => None.context(
                "which uplink? Give --trace FILE or --mbit-s SPEED, or a scenario \
                    with [uplink] trace",
            ),
        }
    }
}

/// Which seeds a table is of.
pub(super) fn seeds(first: u64, count: u64) -> String {
    if count < 2 {
        return format!("seed {first}");
    }
    let last = first.saturating_add(count - 1);
    format!("seeds {first} to {last}, ± of 95 % confidence (Student's t)")
}

fn print(setting: &Setting, trace: &Trace, standings: &[Standing]) {
    let scenario = &setting.scenario;
    let own = &standings[0].report;
    println!(
        "{} frames in {} minutes over {} ({} Mbit/s on average), deadline {} ms, {}\n",
        own.frames,
        scenario.minutes,
        trace.name(),
        number(trace.mean_mbit_s()),
        scenario.load.deadline_ms,
        seeds(scenario.seed, setting.seeds)
    );
    print!("{}", league::table(&standings.iter().collect::<Vec<_>>()));
    print_means(&standings[0]);
    let is_quiet = own.breakers.is_empty() && own.scalings.is_empty() && own.cuts.is_empty();
    if setting.seeds > 1 && !is_quiet {
        println!("\nof the first seed:");
    }
    if !own.breakers.is_empty() {
        println!("\ncircuit breakers:");
        for change in &own.breakers {
            println!("  {:>9.3} s  {:<5} {}", change.at_s, change.tier, change.to);
        }
    }
    if !own.scalings.is_empty() {
        println!("\nworkers:");
        for change in &own.scalings {
            println!("  {:>9.3} s  {:<5} {}", change.at_s, change.tier, change.workers);
        }
    }
    for around in &own.cuts {
        let after = |seconds: Option<f64>| {
            seconds.map_or("never".into(), |seconds| format!("{seconds:.2} s after"))
        };
        println!(
            "\ncut {}: breaker opened {} its beginning ({} the first frame for the cloud), closed \
             {} its end; \
             p99 around it {} ms, {} of its frames lost",
            around.cut,
            after(around.opened_after_s),
            after(around.opened_after_first_frame_s),
            after(around.closed_after_s),
            number(around.latency_ms.p99),
            around.lost
        );
    }
    println!();
    if !has_deadlines(scenario) {
        println!("there is no oracle: it misses as few deadlines as can be, and no frame has one");
    }
    standings
        .iter()
        .filter_map(|standing| standing.oracle)
        .for_each(|proof| println!("{}", league::explain(proof)));
    standings.iter().filter_map(Standing::warning).for_each(|warning| println!("{warning}"));
}

/// What is told of a policy beyond its line in the table: means over seeds, where there are several.
fn print_means(standing: &Standing) {
    let mean = |of: &dyn Fn(&Report) -> Option<f64>, write: &dyn Fn(f64) -> String| {
        league::mean(&standing.each(|report, _| of(report)), write)
    };
    println!("\ndecisions by reason:");
    let runs = || standing.others.iter().map(|run| &run.report).chain([&standing.report]);
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in runs().flat_map(|report| &report.reasons) {
        *all.entry(reason).or_default() += count;
    }
    let mut reasons: Vec<(&str, u64)> = all.into_iter().collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    for (reason, _) in reasons {
        let count = |report: &Report| Some(*report.reasons.get(reason).unwrap_or(&0) as f64);
        println!("  {:>8} {reason}", mean(&count, &league::whole));
    }
    let own = &standing.report;
    if !own.contracts.is_empty() {
        println!("\ncontracts:");
    }
    for (place, contract) in own.contracts.iter().enumerate() {
        let of = |of: &dyn Fn(&ContractReport) -> f64, write: &dyn Fn(f64) -> String| {
            mean(&|report| report.contracts.get(place).map(of), write)
        };
        let share = of(&|contract| contract.attained_percent[0], &number);
        // how sure one run is of it; several runs say that themselves
        let [_, low, high] = contract.attained_percent.map(number);
        let interval = if standing.others.is_empty() {
            format!(" ({low} to {high} %)")
        } else {
            String::new()
        };
        let promised = contract
            .promised_percent
            .map_or_else(String::new, |promised| format!(", promised {} %", number(promised)));
        println!(
            "  {}: {share} % in time{interval}{promised}; {} met, {} missed, {} set aside",
            contract.name,
            of(&|contract| contract.met as f64, &league::whole),
            of(&|contract| contract.missed as f64, &league::whole),
            of(&|contract| contract.set_aside as f64, &league::whole),
        );
    }
    println!(
        "\nwhen a camera's next answer came, its newest one was {} ms old (median; p95 {} ms)",
        mean(&|report| Some(report.age_ms.p50), &number),
        mean(&|report| Some(report.age_ms.p95), &number)
    );
    if own.prediction_error_ms.is_some() {
        let error = mean(&|report| report.prediction_error_ms, &number);
        println!("\nhalf of the predictions were off by {error} ms or less");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Run {
        #[command(flatten)]
        args: RunArgs,
    }

    #[test]
    fn there_is_an_oracle_where_there_are_deadlines() {
        let args = Run::parse_from(["run"]).args;
        let mut scenario = Scenario::default();
        assert_eq!(args.entries(&scenario).unwrap().len(), 2);
        scenario.load.deadline_ms = 0.0;
        assert_eq!(args.entries(&scenario).unwrap().len(), 1);
    }
}
