//! What is wanted of an autoscaler, and how one does.

use crate::{Behavior, DOWN_STABILISATION, FleetSetup, Metric, Spec, TOLERANCE, simulate_fleet};
use serde::Serialize;
use std::str::FromStr;
use std::time::Duration;

/// Every candidate is judged by its worst run over so many seeds.
const SEEDS: u64 = 3;

/// A share of the frames within a latency, such as `500ms@99%`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Goal {
    /// Within so many milliseconds,
    pub ms: f64,
    /// this share of the frames, above 0 and at most 1.
    pub share: f64,
}

/// A text that is no goal.
#[derive(Debug, thiserror::Error)]
#[error(
    "goal '{0}' is not a latency and a share such as 500ms@99% or 2s@95%; the share is above 0 and \
     at most 100 %"
)]
pub struct GoalError(String);

impl FromStr for Goal {
    type Err = GoalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (latency, share) = text.split_once('@')?;
            let latency = latency.trim();
            let ms = match latency.strip_suffix("ms") {
                Some(ms) => ms.trim().parse::<f64>().ok()?,
                None => 1000.0 * latency.strip_suffix('s')?.trim().parse::<f64>().ok()?,
            };
            let share = share.trim().strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0;
            (ms > 0.0 && ms <= 1e9 && share > 0.0 && share <= 1.0).then_some(Self { ms, share })
        };
        read().ok_or_else(|| GoalError(text.to_owned()))
    }
}

/// What may be tuned.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Candidate {
    /// `minReplicas`.
    pub min: u32,
    /// `maxReplicas`.
    pub max: u32,
    /// The first metric's target: per cent of the requests, thousandths of a core, or messages for
    /// each pod.
    pub target: u32,
    /// The stabilisation window of the way down, in seconds.
    pub down_s: u64,
}

/// How a specification does.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Trial {
    /// What was tried.
    pub candidate: Candidate,
    /// The share of frames within the goal's latency, from 0 to 1, in the worst of the runs.
    pub share: f64,
    /// The 99th percentile of the latency, in milliseconds, in the worst of the runs.
    pub p99_ms: f64,
    /// Pod-hours while frames came in, on average.
    pub pod_hours: f64,
    /// Changes of the number of pods, on average.
    pub changes: f64,
    /// Changes that undid the one before within 300 s, on average.
    pub thrash: f64,
    /// The most pods that were wanted in any run.
    pub peak_pods: u32,
    /// Whether the goal is met in every run.
    pub meets: bool,
}

impl Trial {
    /// Runs it over several seeds.
    pub(super) fn of(setup: &FleetSetup, spec: &Spec, goal: Goal) -> Self {
        let runs = (0..SEEDS).map(|more| {
            simulate_fleet(
                &FleetSetup { seed: setup.seed.wrapping_add(more), ..setup.clone() },
                spec,
            )
        });
        let mut outcome = Self {
            candidate: Candidate::of(spec),
            share: 1.0,
            p99_ms: 0.0,
            pod_hours: 0.0,
            changes: 0.0,
            thrash: 0.0,
            peak_pods: 0,
            meets: true,
        };
        for run in runs {
            let (report, each) = (&run.report, 1.0 / SEEDS as f64);
            outcome.share = outcome.share.min(run.share_within(goal.ms));
            outcome.p99_ms = outcome.p99_ms.max(report.latency_ms.p99);
            outcome.pod_hours += each * report.pod_hours;
            outcome.changes += each * f64::from(report.ups + report.downs);
            outcome.thrash += each * f64::from(report.thrash);
            outcome.peak_pods = outcome.peak_pods.max(report.peak_pods);
        }
        outcome.meets = outcome.share >= goal.share;
        outcome
    }
}

impl Candidate {
    /// What a specification has.
    #[must_use]
    pub fn of(spec: &Spec) -> Self {
        let target = spec.metrics.iter().find_map(|metric| match metric {
            Metric::CpuUtilisation { percent, .. } => Some(*percent),
            Metric::CpuUsage { millicores, .. } => u32::try_from(*millicores).ok(),
            Metric::Lag { per_replica } => u32::try_from(*per_replica).ok(),
            Metric::Other { .. } => None,
        });
        let down = spec
            .behavior
            .as_ref()
            .map_or(DOWN_STABILISATION, |behavior| behavior.down.stabilisation);
        Self { min: spec.min, max: spec.max, target: target.unwrap_or(0), down_s: down.as_secs() }
    }

    /// `spec` with these numbers in place of its own.
    #[must_use]
    pub fn put_into(&self, spec: &Spec) -> Spec {
        let mut spec = Spec { min: self.min, max: self.max, ..spec.clone() };
        let known = spec.metrics.iter_mut().find(|metric| !matches!(metric, Metric::Other { .. }));
        match known {
            Some(Metric::CpuUtilisation { percent, .. }) => *percent = self.target,
            Some(Metric::CpuUsage { millicores, .. }) => *millicores = u64::from(self.target),
            Some(Metric::Lag { per_replica }) => *per_replica = u64::from(self.target),
            Some(Metric::Other { .. }) | None => {}
        }
        let behavior = spec.behavior.get_or_insert_with(Behavior::default);
        behavior.down.stabilisation = Duration::from_secs(self.down_s);
        spec
    }
}

/// What a pod that has all hands full measures, in per cent of what it requests: it cannot use more
/// than its threads and its limit allow. Infinite when it requests nothing.
#[must_use]
pub fn saturation_percent(setup: &FleetSetup) -> f64 {
    let busy = setup.idle_cores + f64::from(setup.workers) * setup.cores_per_frame;
    100.0 * busy.min(setup.limit_cores.unwrap_or(f64::MAX)) / setup.request_cores
}

/// The highest target at which pods that have all hands full still ask for more, in per cent: from
/// there on the tolerance swallows what they can measure.
#[must_use]
pub fn usable_percent(setup: &FleetSetup, spec: &Spec) -> f64 {
    let tolerance = spec.behavior.as_ref().map_or(TOLERANCE, |behavior| behavior.up.tolerance);
    // the controller calculates in whole per cents, and measures a little less than all
    (saturation_percent(setup) * 0.98).floor() / (1.0 + tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read() {
        let goal = |text: &str| text.parse::<Goal>().ok().map(|goal| (goal.ms, goal.share));
        assert_eq!(goal("500ms@99%"), Some((500.0, 0.99)));
        assert_eq!(goal(" 2 s @ 95 % "), Some((2000.0, 0.95)));
        for wrong in
            ["500ms", "500@99%", "500ms@99", "0ms@99%", "500ms@0%", "500ms@101%", "fast@99%"]
        {
            assert_eq!(goal(wrong), None, "{wrong}");
        }
    }
}
