//! The HorizontalPodAutoscaler: what it is told ([`Spec`]) and what it makes of it
//! ([`Controller`]).
//!
//! It is the algorithm of Kubernetes' own controller, step for step, as
//! <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/> describes it and
//! `pkg/controller/podautoscaler` (`replica_calculator.go`, `horizontal.go`) has it:
//!
//! 1. [`Metric`]s give a number of replicas each ([`propose`](fn@propose)): usage over target times
//!    the pods that count, rounded up, unless it is within the tolerance. Pods without metrics
//!    count as idle on the way up and as busy on the way down; pods that are not ready yet count as
//!    idle on the way up. The highest number wins.
//! 2. The stabilisation windows keep to the lowest (up) and the highest (down) of the recent
//!    numbers.
//! 3. The policies of [`Behavior`] say how much may change within a period.
//! 4. Minimum and maximum.
//!
//! Which pods count as ready is [`pod_sample`]. Times are spans since any fixed moment: there is no
//! clock here.

mod behavior;
mod evaluate;
mod propose;
mod sample;
mod spec;
#[cfg(test)]
mod tests;

pub use evaluate::{Controller, Limit, Observed, Verdict};
pub use propose::{Proposal, propose};
pub use sample::{Measured, PodFacts, PodSample, pod_sample};
pub use spec::{Behavior, ChangePolicy, Metric, PolicyKind, Rules, Select, Spec};

use std::time::Duration;

/// How often the controller evaluates (`--horizontal-pod-autoscaler-sync-period`).
pub const SYNC_PERIOD: Duration = Duration::from_secs(15);
/// While usage is off its target by no more than this share nothing changes
/// (`--horizontal-pod-autoscaler-tolerance`).
pub const TOLERANCE: f64 = 0.1;
/// For how long a recommendation keeps pods from being taken away
/// (`--horizontal-pod-autoscaler-downscale-stabilization`).
pub const DOWN_STABILISATION: Duration = Duration::from_secs(300);
