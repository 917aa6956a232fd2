//! What is got for the money.

use crate::simulate::entries::Standing;
use cli::plot::{Axis, Chart, Kind, Series, colour};
use simulator::Trace;

/// Money against missed deadlines.
pub(super) fn against_misses(trace: &Trace, standings: &[&Standing]) -> Chart {
    let title = format!("Cost and missed deadlines, {}", trace.name());
    let points: Vec<(f64, f64)> = standings
        .iter()
        .map(|standing| (standing.report.money, standing.report.miss_percent))
        .collect();
    let y = Axis::from_zero("missed deadlines, % of all frames", points.iter().map(|(_, y)| *y));
    chart(title, y, standings, &points)
}

/// Money against agreement with the cloud's model; `None` where that is not known.
pub(super) fn against_accuracy(trace: &Trace, standings: &[&Standing]) -> Option<Chart> {
    let known: Vec<&Standing> =
        standings.iter().filter(|standing| standing.accuracy.is_some()).copied().collect();
    let f1 =
        |standing: &Standing| standing.accuracy.map_or(0.0, |accuracy| 100.0 * accuracy.cloud_f1);
    let points: Vec<(f64, f64)> =
        known.iter().map(|standing| (standing.report.money, f1(standing))).collect();
    let lowest = points.iter().map(|(_, y)| *y).fold(100.0, f64::min);
    let range = (lowest - 2.0).max(0.0)..102.0;
    let y = Axis {
        name: "agreement with the cloud's model, F1 in %".into(),
        range,
        logarithmic: false,
    };
    let title = format!("Cost and accuracy of answered frames, {}", trace.name());
    (!known.is_empty()).then(|| chart(title, y, &known, &points))
}

fn chart(title: String, y: Axis, standings: &[&Standing], points: &[(f64, f64)]) -> Chart {
    let dot = |(number, (standing, point)): (usize, (&&Standing, &(f64, f64)))| Series {
        name: standing.name.clone(),
        points: vec![*point],
        colour: colour(number),
        kind: Kind::Dots,
    };
    Chart {
        title,
        x: Axis::from_zero(
            "money for all frames, in the scenario's currency",
            points.iter().map(|(x, _)| *x),
        ),
        y,
        series: standings.iter().zip(points).enumerate().map(dot).collect(),
        spans: None,
        mark: None,
    }
}
