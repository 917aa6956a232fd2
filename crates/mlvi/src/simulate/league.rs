//! Standings as a table.

use super::answers::Accuracy;
use super::entries::{Proof, Standing};
use cli::table::{Table, number};
use simulator::{Interval, Report};

/// The standings, in the order given; distances are those to the oracle among them, if it is there.
#[must_use]
pub(super) fn table(standings: &[&Standing]) -> String {
    let oracle = standings.iter().find(|standing| standing.oracle.is_some());
    let accurate = standings.iter().any(|standing| standing.accuracy.is_some());
    let labelled = standings
        .iter()
        .any(|standing| standing.accuracy.is_some_and(|accuracy| accuracy.map50.is_some()));
    let mut header = vec![
        "policy",
        "missed %",
        "× oracle",
        "right/s",
        "mean ms",
        "p50",
        "p95",
        "p99",
        "cloud %",
        "MB up",
        "money",
        "taken back",
        "lost",
    ];
    header.extend(accurate.then_some("F1 cloud"));
    header.extend(labelled.then_some("mAP@.5"));
    let mut table = Table::new(&header);
    for standing in standings {
        let own = |of: &dyn Fn(&Report) -> f64, write: &dyn Fn(f64) -> String| {
            mean(&standing.each(|report, _| Some(of(report))), write)
        };
        let two = |value: f64| format!("{value:.2}");
        let one = |value: f64| format!("{value:.1}");
        let distance = oracle.map(|oracle| {
            standing.distances(oracle).map_or("∞".into(), |times| mean(&times, &two))
        });
        let mut cells = vec![
            standing.name.clone(),
            own(&|report| report.miss_percent, &two),
            distance.unwrap_or_else(|| "-".into()),
            own(&|report| report.right_per_s, &two),
            own(&|report| report.latency_ms.mean, &number),
            own(&|report| report.latency_ms.p50, &number),
            own(&|report| report.latency_ms.p95, &number),
            own(&|report| report.latency_ms.p99, &number),
            own(&|report| report.cloud_percent, &one),
            own(&|report| report.uplink_mb, &number),
            own(&|report| report.money, &number),
            own(&|report| report.redispatched as f64, &whole),
            own(&|report| report.lost as f64, &whole),
        ];
        let percent = |of: &dyn Fn(Accuracy) -> Option<f64>| {
            let values = standing.each(|_, accuracy| accuracy.and_then(of));
            if values.is_empty() { "-".into() } else { mean(&values, &|share| one(100.0 * share)) }
        };
        cells.extend(accurate.then(|| percent(&|accuracy| Some(accuracy.cloud_f1))));
        cells.extend(labelled.then(|| percent(&|accuracy| accuracy.map50)));
        table.row(cells);
    }
    table.text()
}

/// How many of something, or how many on average.
pub(super) fn whole(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.1}") }
}

/// A mean, and how far the true one is at most with 95 % confidence where there are several values.
pub(super) fn mean(values: &[f64], write: &dyn Fn(f64) -> String) -> String {
    match Interval::of(values) {
        Some(Interval { mean, half_width }) => format!("{} ± {}", write(mean), write(half_width)),
        None => values.first().map_or("-".into(), |value| write(*value)),
    }
}

/// What is to be known of the oracle's result, in a sentence.
#[must_use]
pub(super) const fn explain(proof: Proof) -> &'static str {
    match proof {
        Proof::Optimal => "the oracle's schedule is optimal: no other one misses fewer deadlines",
        Proof::BeamLimited => {
            "the oracle left states out (--beam): its schedule is good, \
             but another one may miss fewer deadlines"
        }
        Proof::Bound => {
            "the oracle had the autoscalers' largest capacity all the time: \
             a bound that may be out of reach"
        }
    }
}
