//! `mlvi simulate sites`: several sites that share one cloud, in the exact engine.

use super::answers::Answers;
use super::entries::{Entry, Standing};
use super::options::{Setting, WorldArgs};
use super::play::spread;
use super::run::{bar, seeds};
use super::{league, traces};
use anyhow::Context;
use clap::Args;
use cli::table::number;
use indicatif::ProgressBar;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use simulator::{
    Dispatcher, EdgeAnswer, History, Job, Scenario, ServiceTimes, Trace, World, measured_workload,
    simulate_sites,
};
use std::path::PathBuf;

/// More sites than these are not told one by one.
const MOST_TOLD: usize = 20;

/// What `mlvi simulate sites` can be told.
#[derive(Debug, Args)]
pub struct SitesArgs {
    /// How many sites there are
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    sites: u32,
    /// A scenario file of a site, whose load, edge, preprocessing and uplink count; can be repeated:
    /// sites then take turns with them. The cloud and the minutes are those of --scenario
    #[arg(long, value_name = "FILE")]
    site: Vec<PathBuf>,
    /// Whether all sites have their bursts at the same time and begin at the same moment of their
    /// traces
    #[arg(long)]
    synchronous: bool,
    /// Which policy decides at each site; can be repeated, to compare several
    #[arg(long, value_name = "NAME")]
    policy: Vec<String>,
    /// A policy file (TOML); can be repeated
    #[arg(long, value_name = "FILE")]
    policy_file: Vec<PathBuf>,
    /// A folder of uplink traces; sites take turns with them
    #[arg(long, value_name = "DIR", conflicts_with_all = ["trace", "mbit_s"])]
    traces: Option<PathBuf>,
    /// The uplink of every site (see `mlvi simulate run`)
    #[arg(long, value_name = "FILE", conflicts_with = "mbit_s")]
    trace: Option<PathBuf>,
    /// An uplink of one speed instead, in Mbit/s
    #[arg(long, value_name = "MBIT_S")]
    mbit_s: Option<f64>,
    #[command(flatten)]
    world: WorldArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A site.
pub(super) struct Site<'a> {
    pub(super) name: String,
    /// With its own seed; the first one's cloud is that of all.
    pub(super) scenario: Scenario,
    pub(super) trace: &'a Trace,
    pub(super) times: &'a ServiceTimes,
}

/// How a policy did at several sites.
#[derive(Serialize)]
pub(super) struct Outcome {
    /// All of them together.
    #[serde(serialize_with = "without_what_is_of_a_site")]
    pub(super) all: Standing,
    /// In the order of their numbers.
    pub(super) sites: Vec<Standing>,
}

/// Circuit breakers, autoscalers, cuts and contracts are a site's: each is told there.
fn without_what_is_of_a_site<S: Serializer>(all: &Standing, to: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(all).map_err(S::Error::custom)?;
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| {
            !["breakers", "scalings", "cuts", "contracts"].contains(&name.as_str())
        });
    }
    value.serialize(to)
}

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a Scenario,
    policies: &'a [Outcome],
}

/// Plays one policy at all sites.
///
/// # Errors
/// When the policy cannot be used.
pub(super) fn play(
    entry: &Entry,
    sites: &[Site<'_>],
    answers: Option<&Answers>,
    bar: &ProgressBar,
) -> anyhow::Result<Outcome> {
    let images = answers.map_or(0, Answers::images);
    let jobs: Vec<Vec<Job>> =
        sites.iter().map(|site| measured_workload(&site.scenario, site.times, images)).collect();
    let judge = |image: u32, hardness: &offload::Hardness| -> Option<EdgeAnswer> {
        answers.map(|answers| answers.at_edge(image, hardness))
    };
    let worlds: Vec<World<'_>> = sites
        .iter()
        .zip(&jobs)
        .map(|(site, jobs)| World {
            scenario: &site.scenario,
            trace: site.trace,
            jobs,
            judge: &judge,
        })
        .collect();
    let mut policies = entry.policies(sites.iter().map(|site| site.scenario.seed), answers)?;
    let dispatchers = policies.iter_mut().map(|policy| policy as &mut dyn Dispatcher).collect();
    let histories = simulate_sites(&worlds, dispatchers, &mut || bar.inc(1));
    let with_cameras =
        histories.iter().zip(sites).map(|(history, site)| (history, site.scenario.load.cameras));
    let mut all = Standing::of(
        entry.name.clone(),
        History::together(with_cameras),
        &sites[0].scenario,
        answers,
    );
    let sites: Vec<Standing> = histories
        .into_iter()
        .zip(sites)
        .map(|(history, site)| Standing::of(site.name.clone(), history, &site.scenario, answers))
        .collect();
    // sites differ in how right their edges are, and in their prices
    let sum = |of: &dyn Fn(&Standing) -> f64| sites.iter().map(of).sum::<f64>();
    all.report.right_per_s = sum(&|site| site.report.right_per_s);
    all.report.money = sum(&|site| site.report.money);
    Ok(Outcome { all, sites })
}

impl Outcome {
    /// Takes in how the same policy did with the next seed.
    fn add(&mut self, next: &Self) {
        self.all.add(&next.all);
        self.sites.iter_mut().zip(&next.sites).for_each(|(site, next)| site.add(next));
    }
}

/// Simulates and prints.
///
/// # Errors
/// When a file cannot be used.
pub(super) fn run(args: &SitesArgs) -> anyhow::Result<()> {
    let setting = args.world.read()?;
    let kinds = args.kinds(&setting)?;
    let traces = args.traces(&kinds)?;
    let entries = args.entries(&setting.scenario)?;
    let all_seeds: Vec<u64> = setting.seeds().collect();
    let bar = bar(args.frames(&kinds) * entries.len() as u64 * setting.seeds);
    let outcomes = spread(args.world.threads(), entries.len() * all_seeds.len(), |number| {
        let (entry, seed) = (number / all_seeds.len(), number % all_seeds.len());
        let sites: Vec<Site<'_>> =
            (0..args.sites).map(|site| args.at(site, all_seeds[seed], &kinds, &traces)).collect();
        let mut outcome = play(&entries[entry], &sites, setting.answers.as_ref(), &bar)?;
        // what happened to each frame takes much memory
        outcome.all.history = History::default();
        outcome.sites.iter_mut().for_each(|site| site.history = History::default());
        Ok(outcome)
    });
    bar.finish_and_clear();
    let mut policies: Vec<Outcome> = Vec::new();
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let outcome: Outcome = outcome.map_err(|error: anyhow::Error| error)?;
        match policies.last_mut() {
            Some(last) if number % all_seeds.len() > 0 => last.add(&outcome),
            _ => policies.push(outcome),
        }
    }
    if args.json {
        let json = Json { scenario: &setting.scenario, policies: &policies };
        println!("{}", serde_json::to_string_pretty(&json)?);
    } else {
        args.print(&setting, &policies);
    }
    Ok(())
}

impl SitesArgs {
    /// The kinds of sites that there are.
    fn kinds(&self, shared: &Setting) -> anyhow::Result<Vec<Setting>> {
        let files = self.site.iter().map(Some).chain(self.site.is_empty().then_some(None));
        let kind = |file: Option<&PathBuf>| {
            let scenario = file.or(self.world.scenario.as_ref()).cloned();
            let mut kind = WorldArgs { scenario, ..self.world.clone() }.read()?;
            kind.scenario.cloud = shared.scenario.cloud.clone();
            kind.scenario.minutes = shared.scenario.minutes;
            kind.times.cloud.clone_from(&shared.times.cloud);
            Ok(kind)
        };
        files.map(kind).collect()
    }

    /// The uplinks that sites take turns with: those of the options, or each kind's own.
    fn traces(&self, kinds: &[Setting]) -> anyhow::Result<Vec<Trace>> {
        match (&self.traces, &self.trace, self.mbit_s) {
            (Some(dir), _, _) => traces::read_all(dir),
            (None, Some(path), _) => Ok(vec![traces::read(path, None)?]),
            (None, None, Some(speed)) => Ok(vec![traces::steady(speed)?]),
            (None, None, None) => {
                let own = |kind: &Setting| {
                    let uplink = &kind.scenario.uplink;
                    let path = uplink.trace.as_ref().context(
                        "which uplink? Give --traces DIR, --trace FILE or --mbit-s SPEED, or a \
                         scenario with [uplink] trace for each site",
                    )?;
                    traces::read(&kind.folder.join(path), uplink.format.as_ref())
                };
                kinds.iter().map(own).collect()
            }
        }
    }

    fn entries(&self, scenario: &Scenario) -> anyhow::Result<Vec<Entry>> {
        let default = ["deadline".to_owned()];
        let named = if self.policy.is_empty() && self.policy_file.is_empty() {
            &default[..]
        } else {
            &self.policy[..]
        };
        let named = named.iter().map(|name| Entry::named(name, scenario));
        named.chain(self.policy_file.iter().map(|path| Entry::file(path))).collect()
    }

    /// About how many frames come in at all sites.
    fn frames(&self, kinds: &[Setting]) -> u64 {
        let of = |site: u32| {
            let Scenario { minutes, load, .. } = &kinds[site as usize % kinds.len()].scenario;
            let burst = load.burst_s / load.period_s;
            minutes * 60.0 * (load.base_fps * (1.0 - burst) + load.burst_fps * burst)
        };
        (0..self.sites).map(of).sum::<f64>() as u64
    }

    fn at<'a>(
        &self,
        number: u32,
        seed: u64,
        kinds: &'a [Setting],
        traces: &'a [Trace],
    ) -> Site<'a> {
        let kind = &kinds[number as usize % kinds.len()];
        let trace = &traces[number as usize % traces.len()];
        let apart = self.sites > 1 && !self.synchronous;
        let scenario = Scenario { seed, ..kind.scenario.clone() };
        Site {
            name: format!("site-{number} ({})", trace.name()),
            scenario: scenario.at_site(number, apart, trace.period()),
            trace,
            times: &kind.times,
        }
    }

    fn print(&self, setting: &Setting, policies: &[Outcome]) {
        let scenario = &setting.scenario;
        let frames = policies.first().map_or(0, |policy| policy.all.report.frames);
        println!(
            "{frames} frames of {} sites with one cloud in {} minutes, {}\n",
            self.sites,
            number(scenario.minutes),
            seeds(scenario.seed, setting.seeds)
        );
        println!("all sites:");
        let all: Vec<&Standing> = policies.iter().map(|policy| &policy.all).collect();
        println!("{}", league::table(&all));
        for policy in policies {
            let mut sites: Vec<&Standing> = policy.sites.iter().collect();
            if sites.len() > MOST_TOLD {
                sites.sort_by_key(|site| std::cmp::Reverse(site.misses()));
                sites.truncate(MOST_TOLD);
                println!("{}, the {MOST_TOLD} sites that miss most:", policy.all.name);
            } else {
                println!("{}, by site:", policy.all.name);
            }
            println!("{}", league::table(&sites));
        }
        let warnings = policies.iter().filter_map(|policy| policy.all.warning());
        warnings.take(1).for_each(|warning| println!("{warning}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sites: SitesArgs,
    }

    fn args(line: &[&str]) -> SitesArgs {
        Line::parse_from(["sites"].iter().chain(line)).sites
    }

    #[test]
    fn sites_take_turns_with_scenarios_and_traces_and_share_the_cloud() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        std::fs::create_dir(dir.path().join("traces")).unwrap();
        std::fs::write(path("traces/a.txt"), "5\n6\n").unwrap();
        std::fs::write(path("traces/b.txt"), "8\n").unwrap();
        std::fs::write(path("all.toml"), "minutes = 2\n[cloud]\nworkers = 3\n").unwrap();
        std::fs::write(path("big.toml"), "[edge]\nworkers = 7\n[cloud]\nworkers = 9\n").unwrap();
        std::fs::write(path("small.toml"), "[edge]\nworkers = 1\n").unwrap();
        let (all, big, small) = (path("all.toml"), path("big.toml"), path("small.toml"));
        let traces = path("traces");
        let line = ["--sites", "3", "--scenario", &all, "--site", &big, "--site", &small];
        let args = args(&[&line[..], &["--traces", &traces]].concat());
        let setting = args.world.read().unwrap();
        let (kinds, traces) = (args.kinds(&setting).unwrap(), args.traces(&[]).unwrap());
        let sites: Vec<Site<'_>> = (0..3).map(|site| args.at(site, 1, &kinds, &traces)).collect();
        let told: Vec<_> = sites
            .iter()
            .map(|site| {
                let Scenario { edge, cloud, minutes, .. } = &site.scenario;
                (edge.workers, cloud.workers, *minutes, site.trace.name())
            })
            .collect();
        assert_eq!(told, [(7, 3, 2.0, "a"), (1, 3, 2.0, "b"), (7, 3, 2.0, "a")]);
        let phases: Vec<f64> = sites.iter().map(|site| site.scenario.load.phase_s).collect();
        assert!(phases[0] != phases[1] && sites[0].scenario.seed != sites[2].scenario.seed);
    }

    #[test]
    fn the_whole_is_the_sum_of_its_sites_and_every_figure_has_its_interval() {
        let args = args(&["--sites", "2", "--mbit-s", "8", "--minutes", "2.5"]);
        let setting = args.world.read().unwrap();
        let kinds = args.kinds(&setting).unwrap();
        let traces = args.traces(&kinds).unwrap();
        let entry = &args.entries(&setting.scenario).unwrap()[0];
        let of = |seed| {
            let sites: Vec<Site<'_>> =
                (0..2).map(|site| args.at(site, seed, &kinds, &traces)).collect();
            play(entry, &sites, None, &ProgressBar::hidden()).unwrap()
        };
        let mut outcome = of(1);
        let sum = |of: &dyn Fn(&Standing) -> f64| outcome.sites.iter().map(of).sum::<f64>();
        let all = &outcome.all.report;
        assert_eq!(all.frames as f64, sum(&|site| site.report.frames as f64));
        assert_eq!(all.misses as f64, sum(&|site| site.report.misses as f64));
        assert!((all.money - sum(&|site| site.report.money)).abs() < 1e-9);
        let in_time = (all.frames - all.misses) as f64 / 150.0;
        assert!((all.right_per_s - in_time).abs() < 1e-9, "every answer is right by default");
        outcome.add(&of(2));
        let table = league::table(&[&outcome.all, &outcome.sites[0], &outcome.sites[1]]);
        assert_eq!(table.matches('±').count(), 3 * 11, "all but the distance to the oracle");
    }

    #[test]
    fn a_site_needs_an_uplink() {
        let args = args(&["--sites", "2"]);
        let setting = args.world.read().unwrap();
        let message = format!("{:#}", args.traces(&[setting]).unwrap_err());
        assert!(message.contains("--traces"), "{message}");
    }
}
