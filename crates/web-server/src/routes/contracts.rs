//! `GET /contracts`: how the contracts stand, over all preprocessors.

use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use frame::{ContractStanding, ContractsRecord, Glob, Order};
use offload::{error_budget_left, wilson};
use serde::Serialize;
use std::sync::Arc;

/// The contracts, in the order of the policy file.
#[derive(Serialize)]
pub(super) struct Contracts {
    contracts: Vec<Contract>,
    /// How many preprocessors say how their contracts stand.
    preprocessors: usize,
}

/// A contract, and what has come of it within its window.
#[derive(Serialize)]
struct Contract {
    name: String,
    cameras: Vec<Glob>,
    priority: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    within_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<f64>,
    order: Order,
    window_s: f64,
    met: u64,
    missed: u64,
    set_aside: u64,
    /// Absent until a frame of it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    attainment: Option<Attainment>,
    /// Absent when no share is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_budget_left: Option<f64>,
    violated: bool,
}

/// The share of the frames that were answered in time, with its interval of 95 %.
#[derive(Serialize)]
struct Attainment {
    share: f64,
    low: f64,
    high: f64,
}

impl Contracts {
    /// What the preprocessors say, added up by name. While they change to another policy, of those
    /// that say different things of a contract the newest counts, with the frames of all.
    pub(super) fn of(mut records: Vec<ContractsRecord>) -> Self {
        records.sort_by_key(|record| std::cmp::Reverse(record.sent_at));
        let preprocessors = records.len();
        let mut merged: Vec<ContractStanding> = Vec::new();
        for standing in records.into_iter().flat_map(|record| record.contracts) {
            match merged.iter_mut().find(|known| known.name == standing.name) {
                Some(known) => {
                    known.met += standing.met;
                    known.missed += standing.missed;
                    known.set_aside += standing.set_aside;
                    known.violated |= standing.violated;
                }
                None => merged.push(standing),
            }
        }
        Self { contracts: merged.into_iter().map(Contract::of).collect(), preprocessors }
    }
}

impl Contract {
    fn of(standing: ContractStanding) -> Self {
        let ContractStanding { met, missed, .. } = standing;
        let count = met + missed;
        let attainment = (count > 0).then(|| {
            let interval = wilson(met, missed);
            let share = met as f64 / count as f64;
            Attainment { share, low: interval.low, high: interval.high }
        });
        Self {
            attainment,
            error_budget_left: standing.share.map(|share| error_budget_left(share, met, missed)),
            name: standing.name,
            cameras: standing.cameras,
            priority: standing.priority,
            within_ms: standing.within_ms,
            share: standing.share,
            agreement: standing.agreement,
            order: standing.order,
            window_s: standing.window_s,
            met,
            missed,
            set_aside: standing.set_aside,
            violated: standing.violated,
        }
    }
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
) -> ([(header::HeaderName, HeaderValue); 1], Json<Contracts>) {
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ([no_store], Json(Contracts::of(app.settings.contracts())))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn standing(name: &str, met: u64, missed: u64) -> ContractStanding {
        ContractStanding {
            name: name.into(),
            cameras: vec!["gate-*".parse().unwrap()],
            priority: 4,
            within_ms: Some(300.0),
            share: Some(0.9),
            agreement: Some(0.95),
            order: Order::Newest,
            window_s: 300.0,
            met,
            missed,
            set_aside: 1,
            violated: missed > 5,
        }
    }

    fn record(instance: &str, contracts: Vec<ContractStanding>) -> ContractsRecord {
        ContractsRecord::new(instance.into(), contracts, Duration::from_secs(30))
    }

    /// Two preprocessors that have something to say of everything.
    pub(in crate::routes) fn full() -> Value {
        let contracts = Contracts::of(vec![
            record("a", vec![standing("gates", 80, 10)]),
            record("b", vec![standing("gates", 80, 0), standing("yard", 0, 0)]),
        ]);
        serde_json::to_value(contracts).unwrap()
    }

    #[test]
    fn what_the_preprocessors_say_is_added_up() {
        let full = full();
        let [gates, yard] = [&full["contracts"][0], &full["contracts"][1]];
        assert_eq!(full["preprocessors"], 2);
        assert_eq!((&gates["met"], &gates["missed"]), (&json!(160), &json!(10)));
        assert_eq!((&gates["set_aside"], &gates["violated"]), (&json!(2), &json!(true)));
        let left = gates["error_budget_left"].as_f64().unwrap();
        assert!((left - 7.0 / 17.0).abs() < 1e-9, "{left}");
        let share = gates["attainment"]["share"].as_f64().unwrap();
        assert!((share - 16.0 / 17.0).abs() < 1e-9, "{share}");
        assert!(gates["attainment"]["low"].as_f64().unwrap() < share);
        assert_eq!(yard["attainment"], Value::Null);
        assert_eq!(yard["error_budget_left"], 1.0);
    }
}
