//! `mlvi simulate compare`: all policies over all traces.

use super::entries::{Entry, Proof, Standing};
use super::options::{Setting, WorldArgs};
use super::play::{Plan, Played};
use super::rows::OnTrace;
use super::run::{bar, seeds};
use super::{league, plot, traces};
use clap::{Args, ValueEnum};
use cli::table::{Table, number};
use cli::{OutputArgs, Rows};
use serde::Serialize;
use simulator::{Scenario, Trace};
use std::path::PathBuf;

/// Policies that use nothing that is known; the ratio is tried with all shares.
const BASELINES: [&str; 3] = ["edge-only", "cloud-only", "alternate"];
/// Shares of the cloud that the ratio is tried with, in tenths.
const TENTHS: std::ops::RangeInclusive<u32> = 1..=9;

/// What `mlvi simulate compare` can be told.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A folder of uplink traces (*.up, *.down, *.mahi, *.txt, *.csv)
    #[arg(long, value_name = "DIR")]
    traces: PathBuf,
    /// Policy files (TOML) to compare as well; can be repeated
    #[arg(long, value_name = "FILE")]
    policy_file: Vec<PathBuf>,
    /// Who stands first in each table
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    by: By,
    #[command(flatten)]
    world: WorldArgs,
    /// Write a row for each policy, trace and seed, with every number, into this CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// By what policies are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum By {
    /// The fewest missed deadlines
    #[default]
    Misses,
    /// The most right answers in time per second: each answer in time counts as much as it is right
    Right,
}

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a Scenario,
    leagues: &'a [League],
}

/// How all did on one trace: those with the fewest misses, or the most right answers, first, then
/// those that cost the least.
#[derive(Serialize)]
struct League {
    trace: String,
    mbit_s: f64,
    /// Which ratio stands first.
    best_ratio: String,
    /// Of each seed: how many deadlines every schedule misses at least, how many every policy that
    /// cannot know service times is expected to miss at least, and how many somebody misses who
    /// knows exactly when each tier would answer the frame at hand.
    bounds: Vec<[u64; 3]>,
    standings: Vec<Standing>,
}

/// Simulates and prints.
///
/// # Errors
/// When a file cannot be used, or plots cannot be written.
pub(super) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let setting = args.world.read()?;
    let traces = traces::read_all(&args.traces)?;
    let entries = args.entries(&setting)?;
    let plan = Plan { setting: &setting, traces: &traces, entries: &entries };
    let workloads = plan.workloads();
    let bar = bar(plan.steps(&workloads));
    let played = plan.play(&workloads, args.world.threads(), &bar)?;
    bar.finish_and_clear();
    let leagues: Vec<League> = traces
        .iter()
        .zip(played)
        .map(|(trace, played)| League::of(trace, played, args.by))
        .collect();
    if let Some(path) = &args.csv {
        let mut rows = Rows::default();
        for League { trace, mbit_s, bounds, standings, .. } in &leagues {
            let (mbit_s, seed) = (*mbit_s, setting.scenario.seed);
            OnTrace { trace, mbit_s, seed, bounds }.add(&mut rows, standings)?;
        }
        rows.write(path)?;
    }
    if args.output.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&Json { scenario: &setting.scenario, leagues: &leagues })?
        );
    } else {
        print(&setting.scenario, &leagues);
    }
    args.output.plots(|dir| {
        leagues
            .iter()
            .zip(&traces)
            .map(|(league, trace)| plot::write(dir, &setting.scenario, trace, &league.shown()))
            .sum()
    })
}

impl CompareArgs {
    fn entries(&self, setting: &Setting) -> anyhow::Result<Vec<Entry>> {
        let scenario = &setting.scenario;
        let mut names = BASELINES.to_vec();
        names.extend(["deadline", "bandit"]);
        if setting.answers.is_some() {
            names.push("cascade");
        }
        let mut entries = vec![Entry::oracle(self.world.beam)];
        for name in names {
            entries.push(Entry::named(name, scenario)?);
        }
        for tenths in TENTHS {
            entries.push(Entry::ratio(f64::from(tenths) / 10.0, scenario)?);
        }
        for path in &self.policy_file {
            entries.push(Entry::file(path)?);
        }
        Ok(entries)
    }
}

impl League {
    fn of(trace: &Trace, played: Played, by: By) -> Self {
        let Played { mut standings, bounds } = played;
        standings.sort_by(|a, b| {
            let key = |standing: &Standing| (standing.misses(), standing.oracle.is_none());
            let first = match by {
                By::Misses => key(a).cmp(&key(b)),
                By::Right => b.right().total_cmp(&a.right()),
            };
            first.then(a.money().total_cmp(&b.money()))
        });
        let best = standings.iter().find(|standing| standing.name.starts_with("ratio "));
        let best_ratio = best.map_or_else(String::new, |best| best.name.clone());
        let (trace, mbit_s) = (trace.name().to_owned(), trace.mean_mbit_s());
        Self { trace, mbit_s, best_ratio, bounds, standings }
    }

    /// All but the ratios that were not the best.
    fn shown(&self) -> Vec<&Standing> {
        self.standings
            .iter()
            .filter(|standing| {
                !standing.name.starts_with("ratio ") || standing.name == self.best_ratio
            })
            .collect()
    }

    fn oracle(&self) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.oracle.is_some())
    }

    /// The fixed baseline that stands first.
    fn best_fixed(&self) -> Option<&Standing> {
        self.standings.iter().find(|standing| {
            BASELINES.contains(&standing.name.as_str()) || standing.name == self.best_ratio
        })
    }
}

fn print(scenario: &Scenario, leagues: &[League]) {
    for league in leagues {
        let frames = league.standings.first().map_or(0, |standing| standing.report.frames);
        println!(
            "{} ({} Mbit/s on average), {frames} frames:",
            league.trace,
            number(league.mbit_s)
        );
        println!("{}", league::table(&league.shown()));
    }
    println!("deadlines missed, as times the oracle's:");
    println!("{}", summary(leagues));
    println!("right answers in time per second:");
    println!("{}", right(leagues));
    println!(
        "{} minutes, deadline {} ms, {}; no policy expects below: of those that do not know how \
         long each frame will take a worker; each frame foreseen: with exact predictions for the \
         frame at hand",
        scenario.minutes,
        scenario.load.deadline_ms,
        seeds(scenario.seed, leagues.first().map_or(1, |league| league.bounds.len() as u64))
    );
    let proofs: Vec<Proof> = leagues.iter().filter_map(|league| league.oracle()?.oracle).collect();
    for proof in [Proof::Optimal, Proof::BeamLimited, Proof::Bound] {
        let traces: Vec<&str> = (leagues.iter().zip(&proofs))
            .filter(|(_, of)| **of == proof)
            .map(|(league, _)| league.trace.as_str())
            .collect();
        if !traces.is_empty() {
            println!("{}: {}", traces.join(", "), league::explain(proof));
        }
    }
    let warnings =
        leagues.iter().flat_map(|league| league.standings.iter().filter_map(Standing::warning));
    warnings.take(1).for_each(|warning| println!("{warning}"));
}

/// Those that stand in a table of all traces: all but the ratios and the oracle.
fn names(leagues: &[League]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for standing in leagues.iter().flat_map(|league| &league.standings) {
        if standing.oracle.is_none()
            && !standing.name.starts_with("ratio ")
            && !names.contains(&standing.name.as_str())
        {
            names.push(&standing.name);
        }
    }
    names
}

fn header(leagues: &[League]) -> Table {
    let traces = leagues.iter().map(|league| league.trace.as_str());
    Table::new(&["policy"].into_iter().chain(traces).collect::<Vec<_>>())
}

/// Right answers in time per second: policies down, traces across.
fn right(leagues: &[League]) -> String {
    let mut table = header(leagues);
    let rate = |standing: Option<&Standing>| {
        let of = |standing: &Standing| {
            let rates = standing.each(|report, _| Some(report.right_per_s));
            league::mean(&rates, &|rate| format!("{rate:.2}"))
        };
        standing.map_or_else(|| "-".into(), of)
    };
    let mut row = |name: &str, of: &dyn Fn(&League) -> String| {
        table.row([name.to_owned()].into_iter().chain(leagues.iter().map(of)).collect());
    };
    for name in names(leagues) {
        row(name, &|league| rate(league.standings.iter().find(|entry| entry.name == name)));
    }
    row("best fixed", &|league| {
        let name = league.best_fixed().map_or("", |standing| standing.name.as_str());
        format!("{} ({name})", rate(league.best_fixed()))
    });
    row("oracle of deadlines", &|league| rate(league.oracle()));
    table.text()
}

/// Policies down, traces across.
fn summary(leagues: &[League]) -> String {
    let mut table = header(leagues);
    let times = |league: &League, of: Option<&Standing>| {
        let distances = of.zip(league.oracle()).map(|(of, oracle)| of.distances(oracle));
        distances.map_or("-".into(), |distances| {
            let write = |times: f64| format!("{times:.2}");
            distances.map_or("∞".into(), |times| league::mean(&times, &write))
        })
    };
    for name in names(leagues) {
        let named = |league: &League| {
            times(league, league.standings.iter().find(|standing| standing.name == name))
        };
        table.row([name.to_owned()].into_iter().chain(leagues.iter().map(named)).collect());
    }
    let best = |league: &League| {
        let name = league.best_fixed().map_or("", |standing| standing.name.as_str());
        format!("{} ({name})", times(league, league.best_fixed()))
    };
    table.row(["best fixed".to_owned()].into_iter().chain(leagues.iter().map(best)).collect());
    for (row, name) in
        ["no schedule below", "no policy expects below", "each frame foreseen"].iter().enumerate()
    {
        let bound = |league: &League| {
            let Some(oracle) = league.oracle() else { return "-".into() };
            let misses = oracle.each(|report, _| Some(report.misses as f64));
            let bounds = league.bounds.iter().map(|bound| bound[row] as f64);
            let ratios: Vec<f64> =
                bounds.zip(misses).map(|(bound, best)| bound / best.max(1.0)).collect();
            league::mean(&ratios, &|times| format!("{times:.2}"))
        };
        table.row([(*name).to_owned()].into_iter().chain(leagues.iter().map(bound)).collect());
    }
    table.text()
}
