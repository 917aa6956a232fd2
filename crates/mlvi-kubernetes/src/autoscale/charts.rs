//! Plots of a run.

use super::input::Input;
use autoscale::{FleetRow, FleetRun, Goal};
use cli::plot::{self, Axis, Chart, Kind, Mark, Series, colour};
use std::path::Path;

/// Writes pods and latency over time; gives how many files were written.
pub(super) fn write(
    dir: &Path,
    input: &Input,
    now: &FleetRun,
    better: Option<&FleetRun>,
    goal: Option<Goal>,
) -> anyhow::Result<usize> {
    let charts = [
        ("pods", pods(input, now, better)),
        ("latency", latency(input, now, better, goal)),
        ("lag", lag(input, now, better)),
    ];
    for (name, chart) in &charts {
        plot::write(chart, dir, &format!("{}-{name}", input.unit))?;
    }
    Ok(charts.len() * 2)
}

fn time(input: &Input) -> Axis {
    Axis { name: "time, s".into(), range: 0.0..input.setup.minutes * 60.0, logarithmic: false }
}

fn title(what: &str, input: &Input) -> String {
    format!("{what}, {} under load {}", input.unit, input.load_text)
}

/// What changes at evaluations keeps its value until the next one.
fn steps(rows: &[FleetRow], value: impl Fn(&FleetRow) -> f64) -> Vec<(f64, f64)> {
    let mut points = Vec::with_capacity(2 * rows.len());
    for row in rows {
        points.extend(points.last().map(|(_, before)| (row.at_s, *before)));
        points.push((row.at_s, value(row)));
    }
    points
}

fn line(name: &str, points: Vec<(f64, f64)>, number: usize) -> Series {
    Series { name: name.into(), points, colour: colour(number), kind: Kind::Line }
}

/// Spans in which the autoscaler had reached its maximum and wanted more.
fn at_maximum(run: &FleetRun) -> Option<(String, Vec<(f64, f64)>)> {
    let period_s = autoscale::SYNC_PERIOD.as_secs_f64();
    let spans: Vec<(f64, f64)> = run
        .rows
        .iter()
        .filter(|row| row.limit == Some("maximum"))
        .map(|row| (row.at_s, row.at_s + period_s))
        .collect();
    (!spans.is_empty()).then(|| ("now at its maximum".into(), spans))
}

fn pods(input: &Input, now: &FleetRun, better: Option<&FleetRun>) -> Chart {
    // how many pods are kept busy by what comes in
    let busy = |row: &FleetRow| {
        row.load_fps * input.setup.service_ms / 1000.0 / f64::from(input.setup.workers)
    };
    let mut series = vec![
        line("ready, now", steps(&now.rows, |row| f64::from(row.ready)), 1),
        line("wanted, now", steps(&now.rows, |row| f64::from(row.wanted)), 6),
    ];
    if let Some(better) = better {
        series.push(line("ready, recommended", steps(&better.rows, |row| f64::from(row.ready)), 2));
    }
    series.push(line(
        "kept busy by the load",
        now.rows.iter().map(|row| (row.at_s, busy(row))).collect(),
        7,
    ));
    Chart {
        title: title("Pods", input),
        x: time(input),
        y: Axis::from_zero("pods", values(&series)),
        series,
        spans: at_maximum(now),
        mark: input
            .setup
            .partitions
            .filter(|p| *p <= now.report.peak_pods)
            .map(|p| (format!("{p} partitions"), Mark::Y(f64::from(p)))),
    }
}

fn latency(input: &Input, now: &FleetRun, better: Option<&FleetRun>, goal: Option<Goal>) -> Chart {
    let points = |run: &FleetRun, value: fn(&FleetRow) -> Option<f64>| -> Vec<(f64, f64)> {
        run.rows.iter().filter_map(|row| Some((row.at_s, value(row)?))).collect()
    };
    let mut series = vec![
        line("p99, now", points(now, |row| row.p99_ms), 1),
        line("p50, now", points(now, |row| row.p50_ms), 6),
    ];
    if let Some(better) = better {
        series.push(line("p99, recommended", points(better, |row| row.p99_ms), 2));
    }
    Chart {
        title: title("Latency of the frames that came in within 15 s", input),
        x: time(input),
        y: Axis::logarithmic(
            "queue and service, ms",
            values(&series).chain(goal.map(|goal| goal.ms)),
        ),
        series,
        spans: at_maximum(now),
        mark: goal.map(|goal| (format!("goal, {} ms", goal.ms), Mark::Y(goal.ms))),
    }
}

fn lag(input: &Input, now: &FleetRun, better: Option<&FleetRun>) -> Chart {
    let points = |run: &FleetRun| run.rows.iter().map(|row| (row.at_s, row.lag as f64)).collect();
    let mut series = vec![line("now", points(now), 1)];
    series.extend(better.map(|better| line("recommended", points(better), 2)));
    Chart {
        title: title("Frames that are not finished", input),
        x: time(input),
        y: Axis::from_zero("frames", values(&series)),
        series,
        spans: at_maximum(now),
        mark: None,
    }
}

fn values(series: &[Series]) -> impl Iterator<Item = f64> + '_ {
    series.iter().flat_map(|series| series.points.iter().map(|(_, y)| *y))
}
