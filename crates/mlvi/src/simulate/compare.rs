//! `mlvi simulate compare`: all policies over all traces.

use super::answers::Answers;
use super::entries::{Entry, Proof, Standing};
use super::options::{Setting, WorldArgs};
use super::run::bar;
use super::{league, plot, traces};
use clap::Args;
use cli::OutputArgs;
use cli::table::{Table, number};
use indicatif::ProgressBar;
use serde::Serialize;
use simulator::{Job, Scenario, Trace, workload};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

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
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a Scenario,
    leagues: &'a [League],
}

/// How all did on one trace: those with the fewest misses first, then those that cost the least.
#[derive(Serialize)]
struct League {
    trace: String,
    mbit_s: f64,
    /// Which ratio missed the fewest deadlines.
    best_ratio: String,
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
    let jobs = workload(&setting.scenario, setting.answers.as_ref().map_or(0, Answers::images));
    let bar =
        bar(traces.len() as u64 * entries.iter().map(|entry| entry.steps(jobs.len())).sum::<u64>());
    let leagues = play(&setting, &traces, &entries, &jobs, &bar)?;
    bar.finish_and_clear();
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

/// Every entry on every trace, as many at a time as there are processors.
fn play(
    setting: &Setting,
    traces: &[Trace],
    entries: &[Entry],
    jobs: &[Job],
    bar: &ProgressBar,
) -> anyhow::Result<Vec<League>> {
    // entries outermost: the oracles, which take longest, begin first
    let tasks: Vec<(usize, usize)> = (0..entries.len())
        .flat_map(|entry| (0..traces.len()).map(move |trace| (trace, entry)))
        .collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(tasks.len()));
    let work = || {
        while let Some((trace, entry)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let standing = entries[*entry].play(setting, &traces[*trace], jobs, bar);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((*trace, *entry, standing));
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len());
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(trace, entry, _)| (*trace, *entry));
    let mut leagues: Vec<League> = traces.iter().map(League::new).collect();
    for (trace, _, standing) in done {
        leagues[trace].standings.push(standing?);
    }
    leagues.iter_mut().for_each(League::sort);
    Ok(leagues)
}

impl League {
    fn new(trace: &Trace) -> Self {
        let (trace, mbit_s) = (trace.name().to_owned(), trace.mean_mbit_s());
        Self { trace, mbit_s, best_ratio: String::new(), standings: Vec::new() }
    }

    fn sort(&mut self) {
        self.standings.sort_by(|a, b| {
            let key = |standing: &Standing| (standing.report.misses, standing.oracle.is_none());
            key(a).cmp(&key(b)).then(a.report.money.total_cmp(&b.report.money))
        });
        let best = self.standings.iter().find(|standing| standing.name.starts_with("ratio "));
        self.best_ratio = best.map_or_else(String::new, |best| best.name.clone());
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

    /// The fixed baseline with the fewest misses.
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
    println!(
        "{} minutes, deadline {} ms, seed {}",
        scenario.minutes, scenario.load.deadline_ms, scenario.seed
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

/// Policies down, traces across.
fn summary(leagues: &[League]) -> String {
    let mut header = vec!["policy"];
    header.extend(leagues.iter().map(|league| league.trace.as_str()));
    let mut table = Table::new(&header);
    let mut names: Vec<&str> = Vec::new();
    for standing in leagues.iter().flat_map(|league| &league.standings) {
        if standing.oracle.is_none()
            && !standing.name.starts_with("ratio ")
            && !names.contains(&standing.name.as_str())
        {
            names.push(&standing.name);
        }
    }
    let times = |league: &League, of: Option<&Standing>| {
        let distance = of.zip(league.oracle()).map(|(of, oracle)| of.distance(oracle));
        distance.map_or("-".into(), |distance| {
            distance.map_or("∞".into(), |times| format!("{times:.2}"))
        })
    };
    for name in names {
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
    table.text()
}
