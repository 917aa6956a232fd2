//! The seconds as JSON.

use super::{Backlog, Breaker, KEPT_S, Second, Tier};
use frame::PerTier;
use serde::Serialize;

/// What clients read.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    now_s: u64,
    kept_s: u64,
    from_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<Backlog>,
    seconds: Vec<SecondView>,
}

#[derive(Debug, Serialize)]
struct SecondView {
    at_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    edge: Option<TierView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<TierView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided: Option<TierView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<Backlog>,
    #[serde(skip_serializing_if = "Option::is_none")]
    breakers: Option<PerTier<Option<Breaker>>>,
}

#[derive(Debug, Serialize)]
struct TierView {
    done: u32,
    failed: u32,
    expired: u32,
    skipped: u32,
    provisional: u32,
    redispatched: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<Compared>,
}

/// Latencies of results that are done.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p95: f64,
    /// Upper bound of a step in milliseconds, and how many results are in it.
    steps: Vec<(f64, u16)>,
}

/// Sums over results whose tier had a prediction and that say how long they took.
#[derive(Debug, Serialize)]
struct Compared {
    results: u32,
    predicted_ms: f64,
    took_ms: f64,
}

impl View {
    pub(super) fn new(
        now_s: u64,
        from_s: u64,
        seconds: &[Second],
        backlog: Option<Backlog>,
    ) -> Self {
        let seconds = seconds.iter().map(SecondView::new).collect();
        Self { now_s, kept_s: KEPT_S, from_s, backlog, seconds }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text keys and finite numbers are always JSON")
    }
}

impl SecondView {
    fn new(second: &Second) -> Self {
        let [edge, cloud] = &second.tiers;
        Self {
            at_s: second.at,
            edge: TierView::new(edge),
            cloud: TierView::new(cloud),
            undecided: TierView::new(&second.undecided),
            backlog: second.backlog,
            breakers: Some(second.breakers).filter(|of| of.edge.is_some() || of.cloud.is_some()),
        }
    }
}

impl TierView {
    /// `None` when nothing happened.
    fn new(tier: &Tier) -> Option<Self> {
        let Tier { done, failed, expired, skipped, provisional, redispatched, .. } = *tier;
        if [done, failed, expired, skipped, provisional] == [0; 5] {
            return None;
        }
        let (p50, p95) = (tier.latency.quantile(0.5), tier.latency.quantile(0.95));
        let latency_ms = p50.zip(p95).map(|(p50, p95)| Latency {
            p50,
            p95,
            steps: tier.latency.steps().collect(),
        });
        let compared = (tier.compared > 0).then_some(Compared {
            results: tier.compared,
            predicted_ms: tier.predicted_ms,
            took_ms: tier.took_ms,
        });
        Some(Self {
            done,
            failed,
            expired,
            skipped,
            provisional,
            redispatched,
            latency_ms,
            compared,
        })
    }
}
