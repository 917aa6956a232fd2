//! `mlvi simulate fleet`: many sites against one cloud region.

use super::entries::Entry;
use super::league::{mean, whole};
use super::play::spread;
use super::run::{bar_of, seeds};
use super::sites::{Site, play};
use super::traces;
use anyhow::Context;
use clap::Args;
use cli::OutputArgs;
use cli::plot::{self, Axis, Chart, Kind, Mark, Series, colour};
use cli::table::{Table, number};
use frame::Destination::{Cloud, Edge};
use indicatif::ProgressBar;
use serde::Serialize;
use simulator::{
    Answer, Fleet, FleetMinute, FleetReport, Limit, ServiceTimes, Trace, simulate_fleet,
};
use std::path::{Path, PathBuf};

/// Fleets that the plots compare, as multiples of the one that is asked for.
const SIZES: [f64; 6] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0];
/// For how many minutes those are simulated at most.
const COMPARED_MINUTES: f64 = 10.0;
/// More frames than these are too many for the exact engine, which keeps each of them.
const MOST_EXACT: f64 = 20e6;

/// What `mlvi simulate fleet` can be told.
#[derive(Debug, Args)]
pub struct FleetArgs {
    /// A fleet file (TOML); what it leaves out has the default
    #[arg(long, value_name = "FILE")]
    fleet: Option<PathBuf>,
    /// How many sites there are [default: 500]
    #[arg(long, value_name = "N")]
    sites: Option<u32>,
    /// How many cameras a site has [default: 20]; they share its rates
    #[arg(long, value_name = "N")]
    cameras: Option<u32>,
    /// For how many minutes frames come in [default: 60]
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Decides every random number [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run this many seeds, one after the other from --seed on; tables then have the mean and its
    /// 95 % confidence interval (Student's t), plots are of the first seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// On how many processors [default: all]; the results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    jobs: Option<u64>,
    /// Let the exact engine play the same fleet with the policy `deadline`, frame by frame, and tell
    /// how far the two are apart; for small fleets
    #[arg(long)]
    exact: bool,
    /// The uplink of every site, each from another moment of it on (see `mlvi simulate run`)
    #[arg(long, value_name = "FILE", conflicts_with = "mbit_s")]
    trace: Option<PathBuf>,
    /// An uplink of one speed instead, in Mbit/s
    #[arg(long, value_name = "MBIT_S", default_value_t = 20.0)]
    mbit_s: f64,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Json<'a> {
    fleet: &'a Fleet,
    trace: &'a str,
    camera_month: f64,
    report: &'a FleetReport,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    other_seeds: &'a [FleetReport],
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<&'a [Shares]>,
}

/// What became of a fleet's frames, in per cent of them.
#[derive(Clone, Copy, Serialize)]
struct Shares {
    /// Answered in time by the edge.
    edge: f64,
    /// Answered in time by the cloud.
    cloud: f64,
    missed: f64,
}

impl Shares {
    fn of(total: FleetMinute) -> Self {
        let percent = |part: u64| 100.0 * part as f64 / total.frames.max(1) as f64;
        let [edge, cloud, missed] = [total.edge, total.cloud, total.missed].map(percent);
        Self { edge, cloud, missed }
    }
}

/// Simulates and prints.
///
/// # Errors
/// When a file cannot be used, or plots cannot be written.
pub(super) fn run(args: &FleetArgs) -> anyhow::Result<()> {
    let fleet = args.read()?;
    let trace = match &args.trace {
        Some(path) => traces::read(path, None)?,
        None => traces::steady(args.mbit_s)?,
    };
    let fleets = args.fleets(&fleet);
    let bar = bar_of((fleet.site.minutes * 60.0) as u64 * args.seeds, "simulated seconds");
    let reports =
        spread(args.threads(), fleets.len(), |seed| simulated(&fleets[seed], &trace, &bar));
    bar.finish_and_clear();
    let exact = args.exact.then(|| exact(&fleets, &trace, args.threads())).transpose()?;
    if args.output.json {
        let (report, other_seeds) = (&reports[0], &reports[1..]);
        let (trace, camera_month) = (trace.name(), report.camera_month());
        let exact = exact.as_deref();
        let json = Json { fleet: &fleet, trace, camera_month, report, other_seeds, exact };
        println!("{}", serde_json::to_string_pretty(&json)?);
    } else {
        print(&fleet, &trace, &reports, exact.as_deref());
    }
    args.output.plots(|dir| plots(dir, &fleet, &trace, &reports[0]))
}

impl FleetArgs {
    fn read(&self) -> anyhow::Result<Fleet> {
        let mut fleet = match &self.fleet {
            Some(path) => {
                let text =
                    text::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                Fleet::from_toml(&text).with_context(|| path.display().to_string())?
            }
            None => Fleet::default(),
        };
        fleet.sites = self.sites.unwrap_or(fleet.sites);
        fleet.site.load.cameras = self.cameras.unwrap_or(fleet.site.load.cameras);
        fleet.site.minutes = self.minutes.unwrap_or(fleet.site.minutes);
        fleet.site.seed = self.seed.unwrap_or(fleet.site.seed);
        fleet.check().context("the fleet")?;
        Ok(fleet)
    }

    fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(all, |jobs| jobs as usize)
    }

    /// The fleet of each seed.
    fn fleets(&self, fleet: &Fleet) -> Vec<Fleet> {
        let of = |number: u64| {
            let mut fleet = fleet.clone();
            fleet.site.seed = fleet.site.seed.saturating_add(number);
            fleet
        };
        (0..self.seeds).map(of).collect()
    }
}

fn simulated(fleet: &Fleet, trace: &Trace, bar: &ProgressBar) -> FleetReport {
    simulate_fleet(fleet, trace, &mut || bar.inc(1))
}

/// The same fleets in the exact engine.
fn exact(fleets: &[Fleet], trace: &Trace, threads: usize) -> anyhow::Result<Vec<Shares>> {
    let fleet = &fleets[0];
    let load = &fleet.site.load;
    let burst = load.burst_s / load.period_s;
    let frames = fleet.site.minutes
        * 60.0
        * (load.base_fps * (1.0 - burst) + load.burst_fps * burst)
        * f64::from(fleet.sites);
    anyhow::ensure!(
        frames <= MOST_EXACT,
        "--exact keeps every frame, and there would be {:.0} million of them: let there be fewer \
         --sites or --minutes (up to {:.0} million frames)",
        frames / 1e6,
        MOST_EXACT / 1e6
    );
    let entry = Entry::named("deadline", &fleet.site)?;
    let bar = bar_of(frames as u64 * fleets.len() as u64, "frames");
    let times = ServiceTimes::default();
    let shares = spread(threads, fleets.len(), |seed| {
        let at = |number: u32| Site {
            name: number.to_string(),
            scenario: fleets[seed].scenario(trace, number),
            trace,
            times: &times,
        };
        let sites: Vec<Site<'_>> = (0..fleet.sites).map(at).collect();
        let all = play(&entry, &sites, None, &bar)?.all;
        let mut total = FleetMinute { frames: all.report.frames, ..FleetMinute::default() };
        for record in &all.history.frames {
            match record.answer {
                _ if record.missed() => total.missed += 1,
                Some((Answer::Done(Edge), _)) => total.edge += 1,
                Some((Answer::Done(Cloud), _)) => total.cloud += 1,
                _ => {}
            }
        }
        Ok(Shares::of(total))
    });
    bar.finish_and_clear();
    shares.into_iter().collect()
}

/// A figure of every seed.
fn cell(
    reports: &[FleetReport],
    of: &dyn Fn(&FleetReport) -> f64,
    write: &dyn Fn(f64) -> String,
) -> String {
    mean(&reports.iter().map(of).collect::<Vec<_>>(), write)
}

fn print(fleet: &Fleet, trace: &Trace, reports: &[FleetReport], exact: Option<&[Shares]>) {
    let seconds = fleet.site.minutes * 60.0;
    println!(
        "{} cameras at {} sites, {} minutes over {} each, deadline {} ms, {}\n",
        reports[0].cameras,
        fleet.sites,
        fleet.site.minutes,
        trace.name(),
        fleet.site.load.deadline_ms,
        seeds(fleet.site.seed, reports.len() as u64)
    );
    let two = |value: f64| format!("{value:.2}");
    let mut table = Table::new(&["frames", "a second", "edge %", "cloud %", "missed %", "MB/s up"]);
    table.row(vec![
        cell(reports, &|report| report.total.frames as f64, &whole),
        cell(reports, &|report| report.total.frames as f64 / seconds, &number),
        cell(reports, &|report| Shares::of(report.total).edge, &two),
        cell(reports, &|report| Shares::of(report.total).cloud, &two),
        cell(reports, &|report| report.miss_percent, &two),
        cell(reports, &|report| report.total.bytes_up as f64 / 1e6 / seconds, &number),
    ]);
    println!("{}", table.text());
    if let Some(exact) = exact {
        println!("{}", beside(reports, exact));
    }
    println!("{}", needed(reports));
    let mut table = Table::new(&["a camera and month", "money"]);
    for (part, (name, _)) in reports[0].money.iter().enumerate() {
        let money = cell(reports, &|report| report.money[part].1, &number);
        table.row(vec![(*name).to_owned(), money]);
    }
    table.row(vec!["all of it".into(), cell(reports, &FleetReport::camera_month, &number)]);
    println!("{}", table.text());
    let of_missed = |of: &dyn Fn(&FleetMinute) -> u64| {
        let share = |report: &FleetReport| {
            100.0 * of(&report.total) as f64 / report.total.missed.max(1) as f64
        };
        cell(reports, &share, &number)
    };
    println!(
        "of the missed frames {} % were too many for the region's workers, {} % for the uplinks",
        of_missed(&|total| total.for_region),
        of_missed(&|total| total.for_uplink)
    );
}

/// What was needed of each resource, the fullest on average first.
fn needed(reports: &[FleetReport]) -> String {
    let limits =
        [Limit::Workers, Limit::Partitions, Limit::Brokers, Limit::WebServers, Limit::Uplinks];
    // with a seed whose uplinks never were too slow, nobody knows what they could have carried
    let each = |limit: Limit, of: &dyn Fn(&simulator::Need) -> f64| -> Vec<f64> {
        let needs = reports.iter().flat_map(|report| &report.needs);
        needs.filter(|need| need.of == limit).map(of).collect()
    };
    let full = |limit: Limit| {
        let all = each(limit, &|need| need.utilisation);
        all.iter().sum::<f64>() / all.len().max(1) as f64
    };
    let mut known: Vec<Limit> =
        limits.into_iter().filter(|limit| !each(*limit, &|need| need.peak).is_empty()).collect();
    known.sort_by(|a, b| full(*b).total_cmp(&full(*a)));
    let mut table = Table::new(&["what breaks first", "needed at the peak", "there is", "full %"]);
    for limit in known {
        table.row(vec![
            limit.as_str().into(),
            mean(&each(limit, &|need| need.peak), &number),
            mean(&each(limit, &|need| need.has), &number),
            mean(&each(limit, &|need| 100.0 * need.utilisation), &|full| format!("{full:.0}")),
        ]);
    }
    table.text()
}

/// The fluid servers beside the exact engine, and how far they are apart.
fn beside(reports: &[FleetReport], exact: &[Shares]) -> String {
    let fluid: Vec<Shares> = reports.iter().map(|report| Shares::of(report.total)).collect();
    let apart: Vec<Shares> = fluid
        .iter()
        .zip(exact)
        .map(|(fluid, exact)| Shares {
            edge: fluid.edge - exact.edge,
            cloud: fluid.cloud - exact.cloud,
            missed: fluid.missed - exact.missed,
        })
        .collect();
    let mut table = Table::new(&["engine", "edge %", "cloud %", "missed %"]);
    for (name, shares) in [("fluid", &fluid[..]), ("exact", exact), ("difference", &apart[..])] {
        let of = |of: &dyn Fn(&Shares) -> f64| {
            mean(&shares.iter().map(of).collect::<Vec<_>>(), &|value| format!("{value:.2}"))
        };
        table.row(vec![
            name.into(),
            of(&|shares| shares.edge),
            of(&|shares| shares.cloud),
            of(&|shares| shares.missed),
        ]);
    }
    table.text()
}

/// What the plots show of a fleet of another size with the same region.
struct Sized {
    cameras: f64,
    report: FleetReport,
}

fn plots(dir: &Path, fleet: &Fleet, trace: &Trace, report: &FleetReport) -> anyhow::Result<usize> {
    std::fs::create_dir_all(dir)?;
    let sizes: Vec<Sized> = SIZES
        .iter()
        .map(|times| {
            let mut other = fleet.clone();
            other.sites = ((f64::from(fleet.sites) * times).round() as u32).max(1);
            other.site.minutes = fleet.site.minutes.min(COMPARED_MINUTES);
            let report = simulated(&other, trace, &ProgressBar::hidden());
            Sized { cameras: other.cameras() as f64, report }
        })
        .collect();
    let charts = [
        ("fleet-frames", frames(report)),
        ("fleet-needs", needs(&sizes)),
        ("fleet-money", money(&sizes)),
    ];
    for (name, chart) in &charts {
        plot::write_svg(chart, dir, name)?;
    }
    Ok(charts.len())
}

fn line(number: usize, name: &str, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.into(), points, colour: colour(number), kind: Kind::Line }
}

fn chart(
    title: &str,
    x: Axis,
    y: &str,
    series: Vec<Series>,
    mark: Option<(String, Mark)>,
) -> Chart {
    let values = series.iter().flat_map(|series| series.points.iter().map(|(_, y)| *y));
    let y = Axis::from_zero(y, values);
    Chart { title: title.into(), x, y, series, spans: None, mark }
}

/// Where frames were answered, over time.
fn frames(report: &FleetReport) -> Chart {
    let over_time = |of: &dyn Fn(&FleetMinute) -> u64| -> Vec<(f64, f64)> {
        let spans = report.spans.iter().enumerate();
        spans.map(|(i, span)| ((i as f64 + 0.5) / 6.0, of(span) as f64 / 10.0)).collect()
    };
    let series = vec![
        line(1, "edge", over_time(&|span| span.edge)),
        line(2, "cloud", over_time(&|span| span.cloud)),
        line(0, "missed", over_time(&|span| span.missed)),
    ];
    let minutes = report.spans.len() as f64 / 6.0;
    let x = Axis { name: "time, minutes".into(), range: 0.0..minutes, logarithmic: false };
    chart("Where a fleet's frames are answered", x, "frames a second", series, None)
}

fn cameras(sizes: &[Sized]) -> Axis {
    Axis::from_zero("cameras", sizes.iter().map(|size| size.cameras))
}

/// How full each resource is, by the number of cameras.
fn needs(sizes: &[Sized]) -> Chart {
    let limits = [Limit::Workers, Limit::Partitions, Limit::Brokers, Limit::WebServers];
    let series = limits.iter().enumerate().map(|(i, limit)| {
        let points = sizes.iter().filter_map(|size| {
            let need = size.report.needs.iter().find(|need| need.of == *limit)?;
            Some((size.cameras, 100.0 * need.utilisation))
        });
        line(i, limit.as_str(), points.collect())
    });
    let mark = Some(("full".into(), Mark::Y(100.0)));
    let title = "What breaks first: how full the region is at its peak";
    chart(title, cameras(sizes), "needed of what there is, %", series.collect(), mark)
}

/// What a camera costs, and what is missed for it, by the number of cameras.
fn money(sizes: &[Sized]) -> Chart {
    let by_size = |of: &dyn Fn(&FleetReport) -> f64| -> Vec<(f64, f64)> {
        sizes.iter().map(|size| (size.cameras, of(&size.report))).collect()
    };
    let series = vec![
        line(1, "money a camera and month", by_size(&FleetReport::camera_month)),
        line(2, "missed deadlines, %", by_size(&|report| report.miss_percent)),
    ];
    chart("What a camera costs, and what it misses", cameras(sizes), "money, %", series, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        fleet: FleetArgs,
    }

    #[test]
    fn a_fleet_is_read_simulated_and_plotted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.toml");
        std::fs::write(&path, "sites = 8\n[site]\nminutes = 3\n[region]\nworkers = 4\n").unwrap();
        let file = path.to_str().unwrap();
        let line = ["fleet", "--fleet", file, "--sites", "6", "--seed", "2"];
        let args = Line::parse_from(line).fleet;
        let fleet = args.read().unwrap();
        assert_eq!((fleet.sites, fleet.site.minutes, fleet.region.workers), (6, 3.0, 4));
        let trace = Trace::constant("steady", 20.0).unwrap();
        let report = simulated(&fleet, &trace, &ProgressBar::hidden());
        assert_eq!(plots(dir.path(), &fleet, &trace, &report).unwrap(), 3);
        let fleets = Line::parse_from(["fleet", "--seeds", "2"]).fleet.fleets(&fleet);
        let reports: Vec<FleetReport> =
            fleets.iter().map(|fleet| simulated(fleet, &trace, &ProgressBar::hidden())).collect();
        assert_ne!(reports[0], reports[1]);
        let exact = exact(&fleets, &trace, 2).unwrap();
        let beside = beside(&reports, &exact);
        assert_eq!(beside.matches('±').count(), 9, "{beside}");
        let whole = exact[0].edge + exact[0].cloud + exact[0].missed;
        assert!((whole - 100.0).abs() < 1e-9, "each frame is counted once: {whole}");
        assert_eq!(needed(&reports).matches('±').count() % 3, 0);
        let svg = std::fs::read_to_string(dir.path().join("fleet-needs.svg")).unwrap();
        assert!(svg.contains("cloud workers") && svg.contains("full"));
        std::fs::write(&path, "sites = 8\n[region]\nworker = 4\n").unwrap();
        let message = format!("{:#}", args.read().unwrap_err());
        let parts = ["fleet.toml", "line 3", "unknown field `worker`"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}
