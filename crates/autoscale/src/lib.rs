//! Autoscaling: Kubernetes' own algorithm, and a unit's pods under it in virtual time.
//!
//! - [`controller`]: what a HorizontalPodAutoscaler is told ([`Spec`]) and what it makes of it
//!   ([`Controller`]).
//! - [`load`]: how many frames come in when ([`LoadShape`]).
//! - [`pods`]: one unit's pods under its autoscaler ([`simulate_fleet`]).
//! - [`search`]: the cheapest numbers that meet a [`Goal`] ([`recommend`]).
//!
//! There is no clock and no I/O here.

pub mod controller;
pub mod load;
pub mod pods;
pub mod search;

pub use controller::{
    Behavior, ChangePolicy, Controller, DOWN_STABILISATION, Limit, Measured, Metric, Observed,
    PodFacts, PodSample, PolicyKind, Proposal, Rules, SYNC_PERIOD, Select, Spec, TOLERANCE,
    Verdict, pod_sample, propose,
};
pub use load::{LoadError, LoadShape, Steps};
pub use pods::{FleetReport, FleetRow, FleetRun, FleetSetup, simulate_fleet};
pub use search::{
    Candidate, Goal, GoalError, Recommendation, Search, Trial, recommend, saturation_percent,
    usable_percent,
};
