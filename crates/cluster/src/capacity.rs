//! What the watches have seen of a Deployment and of an autoscaler.

use crate::HpaState;

/// The pods of a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pods {
    pub(crate) desired: u32,
    pub(crate) ready: u32,
}

/// An autoscaler and what it scales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Autoscaler {
    /// The name of the Deployment that it scales; `None` when it scales something else.
    pub(crate) deployment: Option<String>,
    pub(crate) state: HpaState,
}
