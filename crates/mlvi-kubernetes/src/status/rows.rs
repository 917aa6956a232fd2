//! A row for each unit.

use super::gather::{Observation, Process};
use cluster_inspect::AutoscalerStatus;
use offload::{error_budget_left, wilson};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use unit::{About, BacklogGauge};
use units::UnitKind;

/// All of it at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) namespace: Option<String>,
    pub(super) units: Vec<Row>,
    /// Where the preprocessors send frames.
    pub(super) decisions: Option<Decisions>,
    /// By which policies the preprocessors decide now.
    pub(super) policies: Vec<PolicyInForce>,
    /// How the contracts of the policy stand, over all preprocessors.
    pub(super) contracts: Vec<ContractRow>,
    /// How many cameras have masks and zones; `None` of a release that does not tell.
    pub(super) regions: Option<RegionsRow>,
    /// How many preprocessors have no settings topic, so that their policy cannot be changed while
    /// they run.
    pub(super) without_settings_topic: usize,
    /// What could not be seen.
    pub(super) troubles: Vec<String>,
}

/// One unit.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) unit: String,
    /// Pods that its Deployment wants.
    pub(super) wanted: Option<u32>,
    /// Pods that are ready.
    pub(super) ready: Option<u32>,
    pub(super) autoscaler: Option<AutoscalerStatus>,
    /// Frames that wait for it and that it works on; of the web-server those that have no result
    /// yet. `None`: not known.
    pub(super) lag: Option<u64>,
    /// Frames per second that it finished.
    pub(super) frames_per_s: Option<f64>,
    /// Processes whose metrics were read.
    pub(super) answering: usize,
}

/// A policy by which preprocessors decide.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct PolicyInForce {
    pub(super) policy: String,
    /// Where it comes from: `default`, `file` or `topic`.
    pub(super) source: String,
    /// How many preprocessors.
    pub(super) preprocessors: usize,
}

/// Cameras with masks or zones, as the preprocessor that knows of most says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RegionsRow {
    /// Cameras with masks: by the regions file, and set while the suite runs.
    pub(super) masks: BySource,
    /// The same with zones.
    pub(super) zones: BySource,
}

/// Cameras by where their regions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct BySource {
    pub(super) file: u64,
    pub(super) topic: u64,
}

/// A contract, and what has come of it within its window.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct ContractRow {
    pub(super) contract: String,
    /// Frames that were answered in time.
    pub(super) met: u64,
    /// Frames that were answered too late, or not at all.
    pub(super) missed: u64,
    /// Per cent of the frames that were answered in time, with the interval of 95 %; `None` until
    /// one has ended.
    pub(super) percent: Option<[f64; 3]>,
    /// Per cent that is promised.
    pub(super) promised_percent: Option<f64>,
    /// Per cent that is left of the misses that are allowed.
    pub(super) error_budget_percent: Option<f64>,
}

/// Which tier gets how much.
#[derive(Debug, Serialize)]
pub(super) struct Decisions {
    /// Per cent of the frames that went to the cloud while they were counted; since the start when
    /// none came meanwhile.
    pub(super) cloud_percent: f64,
    /// Whether that is since the start.
    pub(super) since_start: bool,
    /// How the circuit breaker of the edge stands: closed, half-open or open.
    pub(super) edge_breaker: Option<&'static str>,
    /// The same of the cloud.
    pub(super) cloud_breaker: Option<&'static str>,
}

impl Status {
    /// What can be said from two observations, so far apart.
    pub(super) fn between(before: &Observation, now: &Observation, apart: Duration) -> Self {
        let mut names: Vec<String> = UnitKind::ALL.map(|kind| kind.name().to_owned()).to_vec();
        for process in &now.processes {
            if !names.contains(&process.unit) {
                names.push(process.unit.clone());
            }
        }
        let is_there = |unit: &String| {
            now.deployments.iter().any(|deployment| deployment.app == *unit)
                || now.autoscalers.iter().any(|autoscaler| autoscaler.deployment == *unit)
                || now.processes.iter().any(|process| process.unit == *unit)
        };
        let row = |unit: String| Row::of(unit, before, now, apart);
        Self {
            namespace: now.namespace.clone(),
            units: names.into_iter().filter(is_there).map(row).collect(),
            decisions: Decisions::between(before, now),
            policies: policies(now),
            contracts: contracts(now),
            regions: regions(now),
            without_settings_topic: without_settings_topic(now),
            troubles: now.troubles.clone(),
        }
    }
}

/// What is known of a unit by its name, or of one of several that are told by their metrics alone.
fn about(unit: &str) -> Option<&'static About> {
    let mut units = UnitKind::ALL.into_iter().map(UnitKind::about);
    units
        .clone()
        .find(|about| about.name == unit)
        .or_else(|| units.find(|about| about.family == unit))
}

fn preprocessors(now: &Observation) -> impl Iterator<Item = &Process> {
    now.processes.iter().filter(|process| process.unit == "preprocessor")
}

/// The policies in force; of a release that does not tell, nothing.
fn policies(now: &Observation) -> Vec<PolicyInForce> {
    let name = "mlvi_preprocessor_policy";
    let mut counts = BTreeMap::<(String, String), usize>::new();
    for process in preprocessors(now) {
        for source in process.metrics.values_of(name, &[], "source") {
            for policy in process.metrics.values_of(name, &[("source", source)], "policy") {
                *counts.entry((policy.to_owned(), source.to_owned())).or_default() += 1;
            }
        }
    }
    let policy =
        |((policy, source), preprocessors)| PolicyInForce { policy, source, preprocessors };
    counts.into_iter().map(policy).collect()
}

/// The contracts by name; of a release that does not tell, nothing.
fn contracts(now: &Observation) -> Vec<ContractRow> {
    let name = "mlvi_preprocessor_contract_window_frames";
    let mut frames = BTreeMap::<String, [f64; 2]>::new();
    let mut promised = BTreeMap::<String, f64>::new();
    for process in preprocessors(now) {
        for (place, outcome) in ["met", "missed"].into_iter().enumerate() {
            for contract in process.metrics.values_of(name, &[("outcome", outcome)], "contract") {
                let labels = [("outcome", outcome), ("contract", contract)];
                let count = process.metrics.sum(name, &labels).unwrap_or(0.0);
                frames.entry(contract.to_owned()).or_default()[place] += count;
            }
        }
        let name = "mlvi_preprocessor_contract_promised_share";
        for contract in process.metrics.values_of(name, &[], "contract") {
            frames.entry(contract.to_owned()).or_default();
            let share = process.metrics.sum(name, &[("contract", contract)]);
            promised.extend(share.map(|share| (contract.to_owned(), share)));
        }
    }
    let row = |(contract, [met, missed]): (String, [f64; 2])| {
        let (met, missed) = (met as u64, missed as u64);
        let promised = promised.get(&contract).copied();
        let interval = wilson(met, missed);
        let share = met as f64 / (met + missed).max(1) as f64;
        ContractRow {
            contract,
            met,
            missed,
            percent: (met + missed > 0)
                .then(|| [share, interval.low, interval.high].map(|share| 100.0 * share)),
            promised_percent: promised.map(|share| 100.0 * share),
            error_budget_percent: promised
                .map(|share| 100.0 * error_budget_left(share, met, missed)),
        }
    };
    frames.into_iter().map(row).collect()
}

/// The cameras with regions. Each replica knows of all of them, a moment earlier or later.
fn regions(now: &Observation) -> Option<RegionsRow> {
    let count = |regions, source| {
        let labels = [("regions", regions), ("source", source)];
        let name = "mlvi_preprocessor_cameras_with_regions";
        let counts = preprocessors(now).filter_map(|process| process.metrics.sum(name, &labels));
        counts.reduce(f64::max).map(|count| count as u64)
    };
    let by_source =
        |regions| Some(BySource { file: count(regions, "file")?, topic: count(regions, "topic")? });
    Some(RegionsRow { masks: by_source("masks")?, zones: by_source("zones")? })
}

fn without_settings_topic(now: &Observation) -> usize {
    let there = |process: &&Process| process.metrics.sum("mlvi_preprocessor_settings_topic", &[]);
    preprocessors(now).filter(|process| there(process) == Some(0.0)).count()
}

impl Row {
    fn of(unit: String, before: &Observation, now: &Observation, apart: Duration) -> Self {
        let deployment = now.deployments.iter().find(|deployment| deployment.app == unit);
        let scaled = deployment.map_or(unit.as_str(), |deployment| deployment.name.as_str());
        let processes: Vec<&Process> =
            now.processes.iter().filter(|process| process.unit == unit).collect();
        let counter = about(&unit).map(|about| format!("{}_total", about.finished));
        let finished = counter.map_or(0.0, |counter| {
            processes.iter().map(|process| grown(process, before, &counter, &[])).sum()
        });
        Self {
            wanted: deployment.map(|deployment| deployment.wanted),
            ready: deployment.map(|deployment| deployment.ready),
            autoscaler: now
                .autoscalers
                .iter()
                .find(|autoscaler| autoscaler.deployment == scaled)
                .cloned(),
            lag: lag(&unit, &processes, now),
            frames_per_s: (!processes.is_empty()).then(|| finished / apart.as_secs_f64()),
            answering: processes.len(),
            unit,
        }
    }
}

/// By how much a counter has grown. A process that began anew has grown from 0; of one that was not
/// seen before that is not known, and nothing is counted.
fn grown(process: &Process, before: &Observation, name: &str, labels: &[(&str, &str)]) -> f64 {
    let Some(earlier) = before.processes.iter().find(|earlier| earlier.name == process.name) else {
        return 0.0;
    };
    let (then, now) = (
        earlier.metrics.sum(name, labels).unwrap_or(0.0),
        process.metrics.sum(name, labels).unwrap_or(0.0),
    );
    if now >= then { now - then } else { now }
}

/// Frames that wait for a unit; not known of one that is told by its metrics alone.
fn lag(unit: &str, processes: &[&Process], now: &Observation) -> Option<u64> {
    let frames = match UnitKind::named(unit)?.about().backlog {
        BacklogGauge::Own(gauge) => {
            let own = processes.iter().filter_map(|process| process.metrics.sum(gauge, &[]));
            own.reduce(|a, b| a + b)
        }
        BacklogGauge::SeenBy { unit, gauge, tier } => {
            let labels: Vec<(&str, &str)> = tier.map(|tier| ("tier", tier)).into_iter().collect();
            let views = now.processes.iter().filter(|process| process.unit == unit);
            views.filter_map(|process| process.metrics.sum(gauge, &labels)).reduce(f64::max)
        }
    };
    frames.map(|frames| frames.max(0.0) as u64)
}

impl Decisions {
    fn between(before: &Observation, now: &Observation) -> Option<Self> {
        let preprocessors: Vec<&Process> =
            now.processes.iter().filter(|process| process.unit == "preprocessor").collect();
        let decisions = "mlvi_preprocessor_decisions_total";
        let sum = |count: &dyn Fn(&Process) -> f64| {
            preprocessors.iter().map(|process| count(process)).sum::<f64>()
        };
        let lately = |to| sum(&|process| grown(process, before, decisions, &[("destination", to)]));
        let ever = |to| {
            sum(&|process| process.metrics.sum(decisions, &[("destination", to)]).unwrap_or(0.0))
        };
        let (edge, cloud) = (lately("edge"), lately("cloud"));
        let since_start = edge + cloud == 0.0;
        let (edge, cloud) = if since_start { (ever("edge"), ever("cloud")) } else { (edge, cloud) };
        let breaker = |tier| {
            let states = preprocessors.iter();
            let states = states.filter_map(|process| {
                process.metrics.sum("mlvi_preprocessor_tier_breaker_state", &[("tier", tier)])
            });
            // the one that trusts the tier least
            states.reduce(f64::max).map(|state| match state {
                state if state >= 1.0 => "open",
                state if state > 0.0 => "half-open",
                _ => "closed",
            })
        };
        (edge + cloud > 0.0).then(|| Self {
            cloud_percent: 100.0 * cloud / (edge + cloud),
            since_start,
            edge_breaker: breaker("edge"),
            cloud_breaker: breaker("cloud"),
        })
    }
}
