//! Reads a namespace of a Kubernetes cluster once.
//!
//! Unlike [`cluster::Cluster::watch`] this is for a person who asks: [`Inspector`] shows
//! Deployments, autoscalers, pods and the pods' metrics, and [`read_live`] reads every object that
//! manifests are checked against. Each kind is listed by itself, so that a Role that allows only
//! some of them shows those. Objects are read as plain JSON, of which only what is shown is
//! taken: a typed decode of every kind would be megabytes of code.

mod autoscaler;
mod inspector;
mod kinds;
mod live;
mod pods;

pub use autoscaler::AutoscalerStatus;
pub use inspector::{InspectConfig, Inspection, Inspector};
pub use live::{Live, LiveError, read_live};
pub use pods::{DeploymentStatus, RunningPod};
