//! The cumulative distribution of latencies.

use crate::simulate::entries::Standing;
use cli::plot::{Axis, Chart, Kind, Mark, Series, colour};
use simulator::{Record, Scenario, Trace};

/// A point for each so many per cent of the frames.
const STEP: f64 = 0.25;

/// Which share of all frames was answered within a latency. A line ends where no more frames are
/// answered at all.
pub(super) fn chart(scenario: &Scenario, trace: &Trace, standings: &[&Standing]) -> Chart {
    let series: Vec<Series> = (standings.iter().enumerate())
        .map(|(number, standing)| Series {
            name: standing.name.clone(),
            points: distribution(&standing.history.frames),
            colour: colour(number),
            kind: Kind::Line,
        })
        .collect();
    let deadline = scenario.load.deadline_ms;
    let values =
        series.iter().flat_map(|series| series.points.iter().map(|(ms, _)| *ms)).chain([deadline]);
    Chart {
        title: format!("Distribution of latency, {}", trace.name()),
        x: Axis::logarithmic("latency, ms", values),
        y: Axis {
            name: "answered within it, % of all frames".into(),
            range: 0.0..100.0,
            logarithmic: false,
        },
        series,
        spans: None,
        mark: (deadline > 0.0).then(|| (format!("deadline, {deadline} ms"), Mark::X(deadline))),
    }
}

fn distribution(frames: &[Record]) -> Vec<(f64, f64)> {
    let mut latencies: Vec<f64> = frames.iter().filter_map(Record::latency_ms).collect();
    latencies.sort_by(f64::total_cmp);
    let every = ((frames.len() as f64 * STEP / 100.0) as usize).max(1);
    let percent = |rank: usize| 100.0 * (rank + 1) as f64 / frames.len() as f64;
    let last = latencies.len().saturating_sub(1);
    let ranks = (0..latencies.len()).filter(|rank| rank % every == 0 || *rank == last);
    ranks.map(|rank| (latencies[rank], percent(rank))).collect()
}
