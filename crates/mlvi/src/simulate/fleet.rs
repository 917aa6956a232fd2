//! `mlvi simulate fleet`: many sites against one cloud region.

use super::run::bar_of;
use super::traces;
use anyhow::Context;
use clap::Args;
use cli::OutputArgs;
use cli::plot::{self, Axis, Chart, Kind, Mark, Series, colour};
use cli::table::{Table, number};
use serde::Serialize;
use simulator::{Fleet, FleetMinute, FleetReport, Limit, Trace, simulate_fleet};
use std::path::{Path, PathBuf};

/// Fleets that the plots compare, as multiples of the one that is asked for.
const SIZES: [f64; 6] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0];
/// For how many minutes those are simulated at most.
const COMPARED_MINUTES: f64 = 10.0;

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
}

/// Simulates and prints.
///
/// # Errors
/// When a file cannot be used, or plots cannot be written.
pub(super) fn run(args: &FleetArgs) -> anyhow::Result<()> {
    let fleet = args.read()?;
    let trace = match &args.trace {
        Some(path) => traces::read(path, None)?,
        None => {
            let speed = args.mbit_s;
            let ok = speed > 0.0 && speed <= 1e6;
            anyhow::ensure!(ok, "--mbit-s {speed} must be above 0 and at most 1,000,000");
            Trace::constant(format!("{speed} Mbit/s"), speed)?
        }
    };
    let report = simulated(&fleet, &trace);
    if args.output.json {
        let (trace, camera_month) = (trace.name(), report.camera_month());
        let json = Json { fleet: &fleet, trace, camera_month, report: &report };
        println!("{}", serde_json::to_string_pretty(&json)?);
    } else {
        print(&fleet, &trace, &report);
    }
    args.output.plots(|dir| plots(dir, &fleet, &trace, &report))
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
}

fn simulated(fleet: &Fleet, trace: &Trace) -> FleetReport {
    let bar = bar_of((fleet.site.minutes * 60.0) as u64, "simulated seconds");
    let report = simulate_fleet(fleet, trace, &mut || bar.inc(1));
    bar.finish_and_clear();
    report
}

fn print(fleet: &Fleet, trace: &Trace, report: &FleetReport) {
    let FleetMinute { frames, edge, cloud, missed, bytes_up, .. } = report.total;
    let seconds = fleet.site.minutes * 60.0;
    let percent = |part: u64| format!("{:.2}", 100.0 * part as f64 / frames.max(1) as f64);
    println!(
        "{} cameras at {} sites, {} minutes over {} each, deadline {} ms, seed {}\n",
        report.cameras,
        fleet.sites,
        fleet.site.minutes,
        trace.name(),
        fleet.site.load.deadline_ms,
        fleet.site.seed
    );
    let mut table = Table::new(&["frames", "a second", "edge %", "cloud %", "missed %", "MB/s up"]);
    table.row(vec![
        frames.to_string(),
        number(frames as f64 / seconds),
        percent(edge),
        percent(cloud),
        percent(missed),
        number(bytes_up as f64 / 1e6 / seconds),
    ]);
    println!("{}", table.text());
    let mut table = Table::new(&["what breaks first", "needed at the peak", "there is", "full %"]);
    for need in &report.needs {
        let full = format!("{:.0}", 100.0 * need.utilisation);
        table.row(vec![need.of.as_str().into(), number(need.peak), number(need.has), full]);
    }
    println!("{}", table.text());
    let mut table = Table::new(&["a camera and month", "money"]);
    for (part, amount) in &report.money {
        table.row(vec![(*part).to_owned(), number(*amount)]);
    }
    table.row(vec!["all of it".into(), number(report.camera_month())]);
    println!("{}", table.text());
    println!(
        "of the missed frames {} % were too many for the region's workers, {} % for the uplinks",
        number(100.0 * report.total.for_region as f64 / missed.max(1) as f64),
        number(100.0 * report.total.for_uplink as f64 / missed.max(1) as f64)
    );
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
            Sized { cameras: other.cameras() as f64, report: simulated(&other, trace) }
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
        let report = simulated(&fleet, &trace);
        assert_eq!(plots(dir.path(), &fleet, &trace, &report).unwrap(), 3);
        let svg = std::fs::read_to_string(dir.path().join("fleet-needs.svg")).unwrap();
        assert!(svg.contains("cloud workers") && svg.contains("full"));
        std::fs::write(&path, "sites = 8\n[region]\nworker = 4\n").unwrap();
        let message = format!("{:#}", args.read().unwrap_err());
        let parts = ["fleet.toml", "line 3", "unknown field `worker`"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}
