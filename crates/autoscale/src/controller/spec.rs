//! What an autoscaler is told.

use crate::{DOWN_STABILISATION, TOLERANCE};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An autoscaler's specification, as far as the algorithm reads it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// Never fewer replicas than this.
    pub min: u32,
    /// Never more replicas than this.
    pub max: u32,
    /// What is measured; the metric that asks for the most replicas decides.
    pub metrics: Vec<Metric>,
    /// How fast it may go; left out, the controller's older rules hold: up to twice as many (or
    /// 4), down after 300 s.
    pub behavior: Option<Behavior>,
}

/// What is measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// CPU usage of the pods as a share of what they request.
    CpuUtilisation {
        /// Only that of this container; `None` is the whole pod.
        container: Option<String>,
        /// The share to aim at, in per cent.
        percent: u32,
    },
    /// CPU usage of a pod.
    CpuUsage {
        /// Only that of this container; `None` is the whole pod.
        container: Option<String>,
        /// What to aim at for each pod on average, in thousandths of a core.
        millicores: u64,
    },
    /// Messages that wait for the consumer group, as KEDA's kafka trigger tells it.
    Lag {
        /// How many shall wait for each pod on average.
        per_replica: u64,
    },
    /// Something that is not known here; it is left out.
    Other {
        /// What it is, in words.
        name: String,
    },
}

/// How fast an autoscaler may go.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Behavior {
    /// Upwards.
    pub up: Rules,
    /// Downwards.
    pub down: Rules,
}

/// How fast an autoscaler may go in one direction.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rules {
    /// The window whose most cautious recommendation counts.
    pub stabilisation: Duration,
    /// How much may change within a period.
    pub policies: Vec<ChangePolicy>,
    /// Which of the policies counts.
    pub select: Select,
    /// While usage is off its target by no more than this share nothing changes in this direction.
    pub tolerance: f64,
}

/// How much may change within a period.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangePolicy {
    /// What `value` counts.
    pub kind: PolicyKind,
    /// How many, or how many per cent.
    pub value: u32,
    /// Within which time.
    pub period: Duration,
}

/// What a policy counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PolicyKind {
    /// Pods.
    Pods,
    /// Per cent of the replicas at the beginning of the period.
    Percent,
}

/// Which of several policies counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Select {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: this direction is closed.
    Disabled,
}

impl Default for Behavior {
    /// What the API server fills in where a manifest has a `behavior` that does not say.
    fn default() -> Self {
        Self { up: Rules::up(), down: Rules::down() }
    }
}

impl Rules {
    /// Up without waiting, by 4 pods or to twice as many within 15 s.
    #[must_use]
    pub fn up() -> Self {
        let period = Duration::from_secs(15);
        let policies = vec![
            ChangePolicy { kind: PolicyKind::Pods, value: 4, period },
            ChangePolicy { kind: PolicyKind::Percent, value: 100, period },
        ];
        Self { stabilisation: Duration::ZERO, policies, select: Select::Max, tolerance: TOLERANCE }
    }

    /// Down by any number once nothing more was wanted for 300 s.
    #[must_use]
    pub fn down() -> Self {
        let policies = vec![ChangePolicy {
            kind: PolicyKind::Percent,
            value: 100,
            period: Duration::from_secs(15),
        }];
        Self {
            stabilisation: DOWN_STABILISATION,
            policies,
            select: Select::Max,
            tolerance: TOLERANCE,
        }
    }
}

impl Spec {
    /// The share of requested CPU that it aims at, in per cent, where it does.
    #[must_use]
    pub fn cpu_percent(&self) -> Option<u32> {
        self.metrics.iter().find_map(|metric| match metric {
            Metric::CpuUtilisation { percent, .. } => Some(*percent),
            _ => None,
        })
    }

    /// While usage is off its target by no more than this share nothing changes: downwards and
    /// upwards.
    pub(crate) fn tolerances(&self) -> (f64, f64) {
        self.behavior.as_ref().map_or((TOLERANCE, TOLERANCE), |behavior| {
            (behavior.down.tolerance, behavior.up.tolerance)
        })
    }
}
