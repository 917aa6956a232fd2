//! One unit's pods under an autoscaler, in virtual time.
//!
//! # The world
//!
//! - **Frames** come in as [`LoadShape`] says and wait in the partitions of a topic. A partition
//!   belongs to one member of the consumer group; members beyond the partitions have nothing to do.
//!   A unit that consumes nothing (the web-server) has one queue that every ready pod takes from,
//!   which is kinder than a Service that picks a pod blindly.
//! - **A pod** is pending, then runs and loads its model, then is ready and joins the group. It
//!   works on a number of frames at a time, each for its own service time (log-normal); more CPU
//!   than its limit allows makes all of them slower. When it is taken away it goes on for its
//!   `preStop` pause, then leaves the group and finishes what it has begun.
//! - **A rebalance** follows whoever joins or leaves. It is cooperative: partitions that stay where
//!   they are are consumed on, those that move wait until it is over.
//! - **Measurements** are those of the metrics server: mean CPU use between two readings, 15 s
//!   apart, some seconds old when the autoscaler evaluates. A new pod has none at first.
//! - **The autoscaler** is [`Controller`](crate::Controller). Whom its Deployment takes away first:
//!   pods that are not ready, then the youngest.
//!
//! Not in it: nodes that are full, image registries that are slow, CPU that neighbours take away,
//! the other units of the pipeline.

mod assignment;
mod partitions;
mod pod;
mod report;
mod simulate;
#[cfg(test)]
mod tests;

pub use report::{FleetReport, FleetRow, FleetRun};
pub use simulate::simulate_fleet;

use crate::LoadShape;
use serde::Serialize;

/// A unit, its pods and what they need.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FleetSetup {
    /// Decides every random number.
    pub seed: u64,
    /// For how long frames come in, in minutes.
    pub minutes: f64,
    /// What comes in.
    pub load: LoadShape,
    /// The mean service time of a frame, in milliseconds.
    pub service_ms: f64,
    /// The standard deviation of the service time's logarithm.
    pub service_sigma: f64,
    /// How many frames a pod works on at a time.
    pub workers: u32,
    /// How many cores a frame keeps busy while it is worked on.
    pub cores_per_frame: f64,
    /// How many cores a pod uses when it has nothing to do.
    pub idle_cores: f64,
    /// What a pod (or its container that the autoscaler measures) requests, in cores.
    pub request_cores: f64,
    /// What it may use at most, in cores; `None`: as much as there is.
    pub limit_cores: Option<f64>,
    /// From a pod's making until its containers run, in seconds.
    pub pending_s: f64,
    /// From then until it is ready, in seconds.
    pub start_s: f64,
    /// How many cores it uses meanwhile.
    pub start_cores: f64,
    /// How long a pod that is taken away goes on as before, in seconds.
    pub stop_s: f64,
    /// How many partitions the frames wait in; `None` when the unit consumes no topic.
    pub partitions: Option<u32>,
    /// How many cameras the frames come from, each in one partition; 0: so many that the
    /// partitions are filled evenly.
    pub cameras: u32,
    /// How long a rebalance of the consumer group takes, in seconds.
    pub rebalance_s: f64,
    /// How old measurements are when the autoscaler evaluates, in seconds, below 15.
    pub metrics_age_s: f64,
}
