//! Latency over time.

use crate::simulate::entries::Standing;
use cli::plot::{Axis, Chart, Kind, Mark, Series, colour};
use simulator::{Latency, Micros, Record, Scenario, Trace};
use std::collections::BTreeMap;

/// About so many points a line.
const POINTS: f64 = 120.0;
/// More lines than these cannot be told apart.
const MOST: usize = 4;

/// The 95th percentile of the latencies of the frames that came in within each step of time, for
/// those who stand first.
pub(super) fn chart(scenario: &Scenario, trace: &Trace, standings: &[&Standing]) -> Chart {
    let seconds = scenario.minutes * 60.0;
    let standings = &standings[..standings.len().min(MOST)];
    let step = (seconds / POINTS).ceil().max(1.0);
    let series: Vec<Series> = (standings.iter().enumerate())
        .map(|(number, standing)| Series {
            name: standing.name.clone(),
            points: over_time(&standing.history.frames, step),
            colour: colour(number),
            kind: Kind::Line,
        })
        .collect();
    let deadline = scenario.load.deadline_ms;
    let values =
        series.iter().flat_map(|series| series.points.iter().map(|(_, ms)| *ms)).chain([deadline]);
    Chart {
        title: format!(
            "Latency over time, {} (p95 of each {step} s, answered frames)",
            trace.name()
        ),
        x: Axis { name: "time of arrival, s".into(), range: 0.0..seconds, logarithmic: false },
        y: Axis::logarithmic("latency, ms", values),
        series,
        spans: Some(("burst".into(), scenario.load.bursts(seconds))),
        mark: (deadline > 0.0).then(|| (format!("deadline, {deadline} ms"), Mark::Y(deadline))),
    }
}

fn over_time(frames: &[Record], step: f64) -> Vec<(f64, f64)> {
    let width = (step * 1e6) as Micros;
    let mut steps: BTreeMap<Micros, Vec<f64>> = BTreeMap::new();
    for record in frames {
        if let Some(latency) = record.latency_ms() {
            steps.entry(record.arrival / width).or_default().push(latency);
        }
    }
    steps
        .into_iter()
        .map(|(number, latencies)| ((number as f64 + 0.5) * step, Latency::of(latencies).p95))
        .collect()
}
