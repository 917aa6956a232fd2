//! Standings as a table.

use super::entries::{Proof, Standing};
use cli::table::{Table, number};

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
        let report = &standing.report;
        let distance = oracle.map(|oracle| {
            standing.distance(oracle).map_or("∞".into(), |times| format!("{times:.2}"))
        });
        let mut cells = vec![
            standing.name.clone(),
            format!("{:.2}", report.miss_percent),
            distance.unwrap_or_else(|| "-".into()),
            number(report.latency_ms.mean),
            number(report.latency_ms.p50),
            number(report.latency_ms.p95),
            number(report.latency_ms.p99),
            format!("{:.1}", report.cloud_percent),
            number(report.uplink_mb),
            number(report.money),
            report.redispatched.to_string(),
            report.lost.to_string(),
        ];
        let percent =
            |share: Option<f64>| share.map_or("-".into(), |share| format!("{:.1}", 100.0 * share));
        cells
            .extend(accurate.then(|| percent(standing.accuracy.map(|accuracy| accuracy.cloud_f1))));
        cells.extend(
            labelled.then(|| percent(standing.accuracy.and_then(|accuracy| accuracy.map50))),
        );
        table.row(cells);
    }
    table.text()
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
