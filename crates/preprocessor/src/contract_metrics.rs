//! What is told of contracts, by their names: the policy file bounds how many there are.

use frame::ContractStanding;
use offload::error_budget_left;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of a contract's frame.
const OUTCOMES: [&str; 3] = ["met", "missed", "set-aside"];

/// The metrics of contracts; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ContractMetrics {
    frames: Family<FateLabels, Counter>,
    within: Family<FateLabels, Gauge<f64, AtomicU64>>,
    promised: Family<ContractLabel, Gauge<f64, AtomicU64>>,
    error_budget: Family<ContractLabel, Gauge<f64, AtomicU64>>,
    /// What was counted of each contract when it was looked at last.
    counted: Arc<Mutex<HashMap<String, [u64; 3]>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FateLabels {
    contract: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ContractLabel {
    contract: String,
}

impl ContractMetrics {
    pub(crate) fn register(metrics: &unit::Metrics) -> Self {
        let own = Self {
            frames: Family::default(),
            within: Family::default(),
            promised: Family::default(),
            error_budget: Family::default(),
            counted: Arc::default(),
        };
        let frames = "frames of a contract, by what became of them: met, missed, or set-aside by \
            the contract itself";
        metrics.register("preprocessor_contract_frames", frames, own.frames.clone());
        let within = "the same within the contract's window";
        metrics.register("preprocessor_contract_window_frames", within, own.within.clone());
        let promised = "share of a contract's frames that is to be answered in time";
        metrics.register("preprocessor_contract_promised_share", promised, own.promised.clone());
        let left = "part of the misses that a contract allows within its window that is left; \
            below 0 when it is violated";
        let name = "preprocessor_contract_error_budget_left";
        metrics.register(name, left, own.error_budget.clone());
        own
    }

    /// How they stand within their windows, and since the beginning. Contracts that are gone lose
    /// their gauges.
    pub(crate) fn stand(&self, within: &[ContractStanding], ever: &[ContractStanding]) {
        self.within.clear();
        self.promised.clear();
        self.error_budget.clear();
        for standing in within {
            let ContractStanding { name, share, met, missed, set_aside, .. } = standing;
            let label = ContractLabel { contract: name.clone() };
            for (outcome, frames) in OUTCOMES.into_iter().zip([*met, *missed, *set_aside]) {
                let labels = FateLabels { contract: name.clone(), outcome };
                self.within.get_or_create(&labels).set(frames as f64);
            }
            if let Some(share) = *share {
                self.promised.get_or_create(&label).set(share);
                let left = error_budget_left(share, *met, *missed);
                self.error_budget.get_or_create(&label).set(left);
            }
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|name, _| ever.iter().any(|standing| standing.name == *name));
        for ContractStanding { name, met, missed, set_aside, .. } in ever {
            let now = [*met, *missed, *set_aside];
            let before = counted.insert(name.clone(), now).unwrap_or_default();
            for ((outcome, now), before) in OUTCOMES.into_iter().zip(now).zip(before) {
                let labels = FateLabels { contract: name.clone(), outcome };
                // fewer: the contract began anew with other terms
                let more = now.checked_sub(before).unwrap_or(now);
                self.frames.get_or_create(&labels).inc_by(more);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::Order;

    fn standing(name: &str, met: u64, missed: u64) -> ContractStanding {
        ContractStanding {
            name: name.into(),
            cameras: Vec::new(),
            priority: 1,
            within_ms: Some(100.0),
            share: Some(0.9),
            agreement: None,
            order: Order::InOrder,
            window_s: 300.0,
            met,
            missed,
            set_aside: 0,
            violated: false,
        }
    }

    #[test]
    fn counters_go_on_and_gauges_go_with_their_contract() {
        let shown = unit::Metrics::default();
        let metrics = ContractMetrics::register(&shown);
        let is_shown = |line: &str| shown.encode().lines().any(|shown| shown == line);
        metrics.stand(&[standing("gates", 9, 1)], &[standing("gates", 9, 1)]);
        metrics.stand(&[standing("gates", 19, 1)], &[standing("gates", 29, 1)]);
        let total = |outcome: &str, count: u64| {
            let name = "mlvi_preprocessor_contract_frames_total";
            format!("{name}{{contract=\"gates\",outcome=\"{outcome}\"}} {count}")
        };
        assert!(is_shown(&total("met", 29)) && is_shown(&total("missed", 1)), "{}", shown.encode());
        let text = shown.encode();
        let left = "mlvi_preprocessor_contract_error_budget_left{contract=\"gates\"} ";
        let left = text.lines().find_map(|line| line.strip_prefix(left)).unwrap();
        assert!((left.parse::<f64>().unwrap() - 0.5).abs() < 1e-9, "{left}");
        metrics.stand(&[standing("yard", 0, 0)], &[standing("yard", 0, 0)]);
        assert!(!shown.encode().contains("budget_left{contract=\"gates\"}"));
        // the same name with other terms begins anew
        metrics.stand(&[standing("gates", 1, 0)], &[standing("gates", 1, 0)]);
        assert!(is_shown(&total("met", 30)), "{}", shown.encode());
    }
}
