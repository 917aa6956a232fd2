//! What the Kubernetes cluster says about the capacity of the two inference tiers.
//!
//! [`Cluster::watch`] follows the inference Deployments of one namespace and the
//! HorizontalPodAutoscalers that scale them, and keeps a [`ClusterSnapshot`] of how many pods are
//! wanted, how many are ready, and whether the autoscaler has reached its maximum. It never fails
//! and never waits: without a cluster, without permission or without an answer the snapshot says
//! so, what is not known is `None`, and it is tried again until it works. The log is told of each
//! change of that state once, not of each try.
//!
//! Without the feature `kubernetes` nothing is watched, and the snapshot says so: a suite on one
//! machine does not compile a client.
//!
//! # Permissions
//!
//! Each Deployment is asked for by its name, so that a Role may name them; autoscalers are all
//! listed, because which one scales a Deployment stands in their specification. A Role for the
//! pod's service account with no right too many:
//!
//! ```yaml
//! rules:
//!   - apiGroups: [apps]
//!     resources: [deployments]
//!     resourceNames: [edge-inference, cloud-inference]
//!     verbs: [get, list, watch]
//!   - apiGroups: [autoscaling]
//!     resources: [horizontalpodautoscalers]
//!     verbs: [get, list, watch]
//! ```
//!
//! Without the second rule the Deployments are still reported, and [`DeploymentCapacity::hpa`]
//! stays `None`.
//!
//! # Method
//!
//! List, then watch from the list's resource version, as
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>
//! describes. A watch that ends is
//! opened again where it ended; one that breaks, or whose version has expired (410), starts with a
//! list. The state is "watching" only while a watch is open, which the streams of `kube::runtime`
//! cannot tell: they are silent when a lost watch is back.

#![cfg_attr(not(feature = "kubernetes"), allow(dead_code, reason = "fed by the watches alone"))]

mod access;
#[cfg(feature = "kubernetes")]
mod api_error;
mod board;
mod capacity;
mod config;
#[cfg(feature = "kubernetes")]
mod connect;
#[cfg(feature = "kubernetes")]
mod follow;
#[cfg(feature = "kubernetes")]
mod objects;
mod snapshot;
mod watch;
#[cfg(feature = "kubernetes")]
mod watch_all;

#[cfg(feature = "kubernetes")]
pub use api_error::ApiError;
pub use config::{ClusterAccess, ClusterConfig, Pacing};
#[cfg(feature = "kubernetes")]
pub use connect::{ConnectError, Connection, connect};
pub use snapshot::{ClusterSnapshot, ClusterState, DeploymentCapacity, HpaState};
pub use watch::Cluster;
